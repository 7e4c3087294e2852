//! Where spans go. The names are OpenTelemetry's own.

use engram_domain::Secret;

use crate::config::{ConfigError, Environment};

/// A collector of traces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceSettings {
    /// Where spans are posted to.
    pub url: String,
    /// Headers that the collector wants.
    pub headers: Vec<(String, Secret)>,
    /// What this program is called there.
    pub service: String,
}

impl TraceSettings {
    /// None when no collector is named, or when OpenTelemetry is switched off.
    pub fn resolve(env: &Environment) -> Result<Option<Self>, ConfigError> {
        if env.flag(&["OTEL_SDK_DISABLED"])?.unwrap_or(false) {
            return Ok(None);
        }
        // The first is the whole address; the others are where a collector keeps all its paths.
        let whole = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT";
        let base = ["OTEL_EXPORTER_OTLP_ENDPOINT", "LETTA_OTEL_EXPORTER_OTLP_ENDPOINT"];
        let (name, url) = match (env.text(&[whole]), env.text(&base)) {
            (Some(url), _) => (whole, url),
            (None, Some(url)) => (base[0], format!("{}/v1/traces", url.trim_end_matches('/'))),
            (None, None) => return Ok(None),
        };
        if !url.starts_with("http://") && !url.starts_with("https://") {
            return Err(ConfigError::Invalid {
                name: name.into(),
                expected: "an address that begins with http:// or https:// (OTLP over HTTP, usually port 4318)",
            });
        }
        let headers = env.text(&["OTEL_EXPORTER_OTLP_TRACES_HEADERS", "OTEL_EXPORTER_OTLP_HEADERS"]);
        Ok(Some(Self {
            url,
            headers: headers.map(|text| pairs(&text)).unwrap_or_default(),
            service: env.text(&["OTEL_SERVICE_NAME"]).unwrap_or_else(|| "engram".into()),
        }))
    }
}

/// `name=value,name=value`, percent-encoded.
fn pairs(text: &str) -> Vec<(String, Secret)> {
    let pairs = text.split(',').filter_map(|pair| pair.split_once('='));
    pairs.map(|(name, value)| (name.trim().to_owned(), Secret::new(decode(value.trim())))).collect()
}

/// Percent-decoding alone. The parser at hand is for forms, where two more characters mean something.
fn decode(value: &str) -> String {
    let value = value.replace('+', "%2B").replace('&', "%26");
    form_urlencoded::parse(format!("={value}").as_bytes())
        .next()
        .map(|(_, value)| value.into_owned())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolve(pairs: &[(&str, &str)]) -> Result<Option<TraceSettings>, ConfigError> {
        TraceSettings::resolve(&pairs.iter().map(|(k, v)| (*k, *v)).collect())
    }

    #[test]
    fn the_path_is_added_to_a_base_and_not_to_a_whole_address() {
        let url = |name: &str, value: &str| resolve(&[(name, value)]).expect("valid").map(|t| t.url);
        assert_eq!(url("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:4318/").as_deref(), Some("http://c:4318/v1/traces"));
        assert_eq!(
            url("LETTA_OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:4318").as_deref(),
            Some("http://c:4318/v1/traces")
        );
        assert_eq!(url("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "https://c/x").as_deref(), Some("https://c/x"));
        assert_eq!(url("OTEL_SERVICE_NAME", "x"), None);
    }

    #[test]
    fn headers_are_decoded_and_do_not_print() {
        let settings = resolve(&[
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Basic%20a+b&c=, x-team = blue"),
        ]);
        let settings = settings.expect("valid").expect("a collector is named");
        let headers: Vec<_> = settings.headers.iter().map(|(name, value)| (name.as_str(), value.expose())).collect();
        assert_eq!(headers, [("authorization", "Basic a+b&c="), ("x-team", "blue")]);
        assert!(!format!("{settings:?}").contains("Basic"));
    }

    #[test]
    fn it_can_be_switched_off_and_a_bad_address_is_named() {
        let off = resolve(&[("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c"), ("OTEL_SDK_DISABLED", "true")]);
        assert_eq!(off, Ok(None));
        let error = resolve(&[("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4317")]).expect_err("no scheme");
        assert!(error.to_string().contains("OTEL_EXPORTER_OTLP_ENDPOINT"), "{error}");
    }
}
