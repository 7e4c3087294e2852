//! Vendors whose servers speak OpenAI's protocol: one row each.

use engram_domain::Secret;

use crate::{
    ProtocolSpec, ProviderSpec,
    openai::{Listing, OpenAiEmbeddings, Quirks},
};

/// A vendor, and the environment variables that say where it is and with which key. The provider exists when its address
/// is given, or when its key is and it has an address of its own.
struct Vendor {
    /// What stands before the slash of its handles.
    name: &'static str,
    /// What older servers called the same provider.
    aliases: &'static [&'static str],
    /// Variables for its key; the first that is set counts.
    key_variables: &'static [&'static str],
    /// Variables for its address; the first that is set counts.
    base_variables: &'static [&'static str],
    /// Its own address; none for a server that everybody runs at another one.
    base: Option<&'static str>,
    /// Whether the address may be given without the `/v1` that its paths begin with.
    adds_v1: bool,
    quirks: Quirks,
    /// What is different at an address that is not its own: it is a proxy then, which answers to one more name.
    proxy: Option<(&'static str, Quirks)>,
}

const ROW: Vendor = Vendor {
    name: "",
    aliases: &[],
    key_variables: &[],
    base_variables: &[],
    base: None,
    adds_v1: false,
    quirks: Quirks::COMPATIBLE,
    proxy: None,
};

const OPENAI_PROXY: Quirks =
    Quirks { strict_tools: true, openai_embeddings: OpenAiEmbeddings::WithoutList, ..Quirks::COMPATIBLE };

/// In the order in which their models are listed.
const VENDORS: &[Vendor] = &[
    Vendor {
        name: "openai",
        key_variables: &["OPENAI_API_KEY"],
        base_variables: &["OPENAI_BASE_URL", "OPENAI_API_BASE"],
        base: Some("https://api.openai.com/v1"),
        quirks: Quirks {
            strict_tools: true,
            base64_vectors: true,
            openai_embeddings: OpenAiEmbeddings::Always,
            ..Quirks::COMPATIBLE
        },
        proxy: Some(("openai-proxy", OPENAI_PROXY)),
        ..ROW
    },
    Vendor {
        name: "deepseek",
        key_variables: &["DEEPSEEK_API_KEY"],
        base: Some("https://api.deepseek.com/v1"),
        quirks: Quirks { single_call: false, thoughts_back: true, ..Quirks::COMPATIBLE },
        ..ROW
    },
    Vendor { name: "xai", key_variables: &["XAI_API_KEY"], base: Some("https://api.x.ai/v1"), ..ROW },
    Vendor { name: "groq", key_variables: &["GROQ_API_KEY"], base: Some("https://api.groq.com/openai/v1"), ..ROW },
    Vendor { name: "together", key_variables: &["TOGETHER_API_KEY"], base: Some("https://api.together.xyz/v1"), ..ROW },
    Vendor {
        name: "openrouter",
        key_variables: &["OPENROUTER_API_KEY"],
        base: Some("https://openrouter.ai/api/v1"),
        ..ROW
    },
    Vendor { name: "vllm", key_variables: &["VLLM_API_KEY"], base_variables: &["VLLM_API_BASE"], adds_v1: true, ..ROW },
    Vendor {
        name: "ollama",
        base_variables: &["OLLAMA_BASE_URL"],
        adds_v1: true,
        quirks: Quirks { single_call: false, listing: Listing::Ollama, ..Quirks::COMPATIBLE },
        ..ROW
    },
    Vendor {
        name: "lmstudio_openai",
        aliases: &["lmstudio"],
        base_variables: &["LMSTUDIO_BASE_URL"],
        adds_v1: true,
        quirks: Quirks { named_choice: false, single_call: false, listing: Listing::LmStudio, ..Quirks::COMPATIBLE },
        ..ROW
    },
];

/// The providers that an environment configures. An empty variable counts as unset.
pub fn from_environment<'a>(variables: impl IntoIterator<Item = (&'a str, &'a str)>) -> Vec<ProviderSpec> {
    let set: Vec<_> = variables.into_iter().map(|(name, value)| (name, value.trim())).collect();
    let get = |names: &[&str]| {
        names.iter().find_map(|name| set.iter().find(|(key, value)| key == name && !value.is_empty()).map(|(_, v)| *v))
    };
    VENDORS
        .iter()
        .filter_map(|vendor| vendor.configured(get(vendor.key_variables), get(vendor.base_variables)))
        .collect()
}

impl Vendor {
    fn configured(&self, key: Option<&str>, base: Option<&str>) -> Option<ProviderSpec> {
        let given = base.map(|base| base.trim_end_matches('/')).filter(|base| self.base != Some(base));
        let (base, proxy) = match (given, self.base) {
            (Some(base), own) => (base, self.proxy.filter(|_| own.is_some())),
            (None, Some(own)) if key.is_some() => (own, None),
            (None, _) => return None,
        };
        let (alias, quirks) = proxy.map_or((None, self.quirks), |(alias, quirks)| (Some(alias), quirks));
        Some(ProviderSpec {
            name: self.name.into(),
            aliases: self.aliases.iter().copied().chain(alias).map(str::to_owned).collect(),
            base_url: if self.adds_v1 && !base.ends_with("/v1") { format!("{base}/v1") } else { base.to_owned() },
            key: key.map(Secret::new),
            protocol: ProtocolSpec::OpenAi(quirks),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(variables: &[(&'static str, &'static str)]) -> Vec<(String, String, bool)> {
        let specs = from_environment(variables.iter().copied());
        specs.into_iter().map(|s| (s.name, s.base_url, s.key.is_some())).collect()
    }

    fn row(name: &str, base: &str, key: bool) -> (String, String, bool) {
        (name.into(), base.into(), key)
    }

    #[test]
    fn a_vendor_exists_with_its_key_or_its_address() {
        assert!(found(&[("OPENAI_API_KEY", " "), ("VLLM_API_KEY", "k"), ("HOME", "/")]).is_empty());
        assert_eq!(found(&[("GROQ_API_KEY", "k")]), [row("groq", "https://api.groq.com/openai/v1", true)]);
        assert_eq!(
            found(&[("VLLM_API_BASE", "http://h:1/"), ("OLLAMA_BASE_URL", "http://h:2/v1/"), ("VLLM_API_KEY", "k")]),
            [row("vllm", "http://h:1/v1", true), row("ollama", "http://h:2/v1", false)]
        );
    }

    #[test]
    fn an_address_in_openais_place_is_a_proxy() {
        let openai = |variables: &[(&'static str, &'static str)]| from_environment(variables.iter().copied());
        let own = openai(&[("OPENAI_API_KEY", "k"), ("OPENAI_BASE_URL", "https://api.openai.com/v1/")]);
        assert_eq!((own[0].base_url.as_str(), own[0].aliases.len()), ("https://api.openai.com/v1", 0));
        assert!(openai(&[("OPENAI_BASE_URL", "https://api.openai.com/v1")]).is_empty(), "it needs a key");
        let proxy = openai(&[("OPENAI_API_BASE", "http://proxy/api")]);
        assert_eq!(
            (proxy[0].base_url.as_str(), &*proxy[0].aliases),
            ("http://proxy/api", &["openai-proxy".to_owned()][..])
        );
        assert_eq!(proxy[0].protocol, ProtocolSpec::OpenAi(OPENAI_PROXY));
    }
}
