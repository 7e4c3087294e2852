//! Images as they come in: what no provider could take is refused at once, and not with every later turn.

use std::net::{IpAddr, Ipv6Addr};

use base64::{Engine, engine::general_purpose::STANDARD};
use engram_domain::message::ImageSource;
use reqwest::Url;

/// Media types that vision models read.
const MEDIA_TYPES: [&str; 9] = [
    "image/png",
    "image/jpeg",
    "image/jpg",
    "image/gif",
    "image/webp",
    "image/bmp",
    "image/heic",
    "image/heif",
    "image/avif",
];
/// What is expected of an address.
const EXPECTED: &str = "expected an address, with http or https, that the provider can reach";
/// Bytes of one image. Providers take between 5 and 20 million.
const MOST_BYTES: usize = 20 << 20;

/// The image, or what was expected of it.
pub fn checked(source: ImageSource) -> Result<ImageSource, String> {
    match source {
        ImageSource::Url { url } => by_address(url),
        ImageSource::Base64 { ref media_type, ref data, .. } => bytes(Some(media_type), data).map(|()| source),
        ImageSource::Letta { data: Some(ref data), ref media_type, .. } => {
            bytes(media_type.as_deref(), data).map(|()| source)
        }
        ImageSource::Letta { data: None, .. } => Ok(source),
    }
}

fn by_address(address: String) -> Result<ImageSource, String> {
    // An address that holds the image itself.
    if let Some(rest) = address.get(..5).filter(|s| s.eq_ignore_ascii_case("data:")).map(|s| &address[s.len()..]) {
        let (media_type, data) =
            rest.split_once(";base64,").ok_or("expected a data address of the form data:image/png;base64,…")?;
        let source = ImageSource::Base64 { media_type: media_type.to_owned(), data: data.to_owned(), detail: None };
        return checked(source);
    }
    let url = Url::parse(&address).map_err(|error| format!("{EXPECTED}: {error}"))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(format!("{EXPECTED}; `{}` is another scheme", url.scheme()));
    }
    let host = url.host_str().unwrap_or_default().trim_end_matches('.').to_ascii_lowercase();
    let private = match host.trim_matches(['[', ']']).parse::<IpAddr>() {
        Ok(ip) => is_private(ip),
        Err(_) => !host.contains('.') || [".localhost", ".local", ".internal"].iter().any(|end| host.ends_with(end)),
    };
    if private {
        return Err(format!("{EXPECTED}; `{host}` is a private one"));
    }
    Ok(ImageSource::Url { url: address })
}

/// Addresses of this machine, of its network and of its cloud's own services.
fn is_private(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => {
            let [a, b, ..] = ip.octets();
            let shared = a == 100 && (64..128).contains(&b);
            ip.is_loopback()
                || ip.is_private()
                || ip.is_link_local()
                || ip.is_multicast()
                || a == 0
                || a >= 240
                || shared
        }
        IpAddr::V6(ip) => {
            let embedded = match ip.segments() {
                // Addresses of the older kind in those of the newer: mapped, compatible, translated (64:ff9b::/96), 6to4.
                [0, 0, 0, 0, 0, 0xFFFF | 0, hi, lo] | [0x64, 0xFF9B, 0, 0, 0, 0, hi, lo] | [0x2002, hi, lo, ..] => {
                    let [[a, b], [c, d]] = [hi.to_be_bytes(), lo.to_be_bytes()];
                    Some(IpAddr::from([a, b, c, d]))
                }
                _ => None,
            };
            let own =
                ip == Ipv6Addr::UNSPECIFIED || ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local();
            own || ip.is_multicast() || embedded.is_some_and(is_private)
        }
    }
}

fn bytes(media_type: Option<&str>, data: &str) -> Result<(), String> {
    if let Some(media_type) = media_type
        && !MEDIA_TYPES.iter().any(|known| media_type.eq_ignore_ascii_case(known))
    {
        return Err(format!("expected a media type of {}", MEDIA_TYPES.join(", ")));
    }
    if data.len() / 4 * 3 > MOST_BYTES + 3 {
        return Err(format!("expected at most {MOST_BYTES} bytes"));
    }
    match STANDARD.decode(data) {
        Ok(bytes) if bytes.is_empty() => Err("expected an image in base64, and it is empty".to_owned()),
        Ok(bytes) if bytes.len() > MOST_BYTES => Err(format!("expected at most {MOST_BYTES} bytes")),
        Ok(_) => Ok(()),
        Err(error) => Err(format!("expected an image in base64: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(url: &str) -> Result<ImageSource, String> {
        checked(ImageSource::Url { url: url.to_owned() })
    }

    fn inline(media_type: &str, data: &str) -> Result<ImageSource, String> {
        checked(ImageSource::Base64 { media_type: media_type.to_owned(), data: data.to_owned(), detail: None })
    }

    #[test]
    fn addresses_that_no_provider_should_fetch_are_refused() {
        for url in [
            "file:///etc/passwd",
            "ftp://example.com/a.png",
            "gopher://example.com/",
            "/etc/passwd",
            "",
            "http://localhost/a.png",
            "http://127.0.0.1:8283/a.png",
            "http://2130706433/",
            "http://0x7f.1/",
            "http://10.0.0.1/",
            "http://192.168.1.1/",
            "http://169.254.169.254/latest/meta-data",
            "http://100.64.0.1/",
            "http://0.0.0.0/",
            "http://[::1]/",
            "http://[fd00::1]/",
            "http://[fe80::1]/",
            "http://[::ffff:10.0.0.1]/",
            "http://[64:ff9b::a00:1]/",
            "https://intranet/a.png",
            "http://a.localhost/",
            "http://printer.local/",
            "http://metadata.google.internal/",
            "http://localhost./",
            "data:text",
        ] {
            assert!(address(url).is_err(), "{url}");
        }
        for url in [
            "https://example.com/a.png",
            "http://93.184.216.34/a.png",
            "https://[2606:4700::1]/a",
            "HTTPS://EXAMPLE.COM/",
        ] {
            assert_eq!(address(url), Ok(ImageSource::Url { url: url.to_owned() }));
        }
        let image = ImageSource::Base64 { media_type: "image/png".into(), data: "AAAA".into(), detail: None };
        assert_eq!(address("data:image/png;base64,AAAA"), Ok(image));
    }

    #[test]
    fn images_are_base64_of_a_known_type_and_size() {
        assert!(inline("image/png", "iVBORw0KGgo=").is_ok());
        assert!(inline("IMAGE/JPEG", "AAAA").is_ok());
        for (media_type, data) in
            [("image/png", "no base64!"), ("image/png", "AAA"), ("image/png", ""), ("text/html", "AAAA"), ("", "AAAA")]
        {
            assert!(inline(media_type, data).is_err(), "{media_type} {data}");
        }
        assert!(inline("image/png", &"A".repeat((MOST_BYTES + 4) / 3 * 4 + 8)).is_err());
    }
}
