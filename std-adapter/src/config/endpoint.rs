//! Where requests go: the service's address, the proxy, the root certificates.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::path::Path;

use annunciator_core::vonage::DEFAULT_URL;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;

/// The service's address: `https`, or `http` to a loopback address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Endpoint {
    url: String,
    secure: bool,
    loopback: bool,
}

impl Endpoint {
    /// The SMS API of Vonage.
    pub(crate) fn vonage() -> Endpoint {
        Endpoint { url: DEFAULT_URL.to_owned(), secure: true, loopback: false }
    }

    /// Checks an address. The error never repeats it: it might hold credentials.
    pub(crate) fn parse(url: &str) -> Result<Endpoint, &'static str> {
        let (secure, rest) = split_scheme(url).ok_or(
            "write the whole address, such as https://rest.nexmo.com/sms/json; the scheme is \
             https",
        )?;
        // Whatever any two readers of addresses might understand differently is refused.
        if rest.bytes().any(|b| b.is_ascii_control() || b" \\\"<>^`{|}#?".contains(&b))
            || !rest.is_ascii()
        {
            return Err("an address has no blanks, queries, fragments or special characters");
        }
        let authority = rest.split('/').next().unwrap_or(rest);
        if authority.contains('@') {
            return Err("an address holds no user name: credentials have settings of their own");
        }
        let host = host_of(authority).ok_or("the host or port of the address is malformed")?;
        let loopback = host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
        if !secure && !loopback {
            return Err("plain http is for loopback addresses (127.0.0.1, [::1]) only: use https");
        }
        Ok(Endpoint { url: url.to_owned(), secure, loopback })
    }

    /// The address as given.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Whether a list such as `NO_PROXY` names it: hosts between commas or blanks, each standing
    /// for itself and for all below it, with or without a dot or `*.` in front; `*` for every host.
    /// An entry with a port means this port alone.
    pub(crate) fn is_exempt(&self, list: &str) -> bool {
        let rest = split_scheme(&self.url).map_or("", |(_, rest)| rest);
        let authority = rest.split('/').next().unwrap_or("");
        let Some(host) = host_of(authority) else { return false };
        let port = match port_of(authority) {
            Some(port) => port,
            None if self.secure => "443",
            None => "80",
        };
        let entries = list.split(|c: char| c == ',' || c.is_ascii_whitespace());
        entries.filter(|entry| !entry.is_empty()).any(|entry| {
            if entry == "*" {
                return true;
            }
            // The list may name an IPv6 address without its brackets.
            let bare = entry.parse::<Ipv6Addr>().is_ok();
            let (name, wanted) = if bare {
                (entry, None)
            } else {
                let entry = entry.strip_prefix('*').unwrap_or(entry);
                let entry = entry.strip_prefix('.').unwrap_or(entry);
                let Some(name) = host_of(entry) else { return false };
                (name, port_of(entry))
            };
            wanted.is_none_or(|wanted| wanted == port) && is_or_is_below(host, name)
        })
    }

    /// Whether it is `https`.
    pub(crate) fn is_secure(&self) -> bool {
        self.secure
    }

    /// Whether it is on this machine, where no proxy is asked.
    pub(crate) fn is_loopback(&self) -> bool {
        self.loopback
    }
}

/// A proxy to tunnel through. `Debug` hides its credentials.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Proxy(String);

impl Proxy {
    /// Checks the address of a proxy: `http://host:port`, with `user:password@` if it wants them.
    /// The error never repeats it.
    pub(crate) fn parse(address: &str) -> Result<Proxy, &'static str> {
        const FIX: &str = "write a proxy as http://host:port";
        let rest = match address.split_once("://") {
            Some((scheme, rest))
                if scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https") =>
            {
                rest
            }
            Some(_) => return Err("only http and https proxies are known: http://host:port"),
            None => address,
        };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        if !rest.is_ascii() || rest.bytes().any(|b| b.is_ascii_control() || b" \\/?#".contains(&b))
        {
            return Err(FIX);
        }
        let host = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
        host_of(host).ok_or(FIX)?;
        Ok(Proxy(address.to_owned()))
    }

    /// The address with its credentials.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.rsplit_once('@') {
            Some((_, host)) => write!(f, "Proxy(***@{host})"),
            None => write!(f, "Proxy({})", self.0),
        }
    }
}

/// Reads root certificates from a PEM file and makes sure each can serve as one.
pub(crate) fn read_roots(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let pem =
        std::fs::read(path).map_err(|error| format!("cannot read the certificates: {error}"))?;
    let mut roots = Vec::new();
    for (index, certificate) in CertificateDer::pem_slice_iter(&pem).enumerate() {
        let certificate = certificate.map_err(|error| format!("is no PEM file: {error}"))?;
        webpki::anchor_from_trusted_cert(&certificate)
            .map_err(|error| format!("certificate {} is no usable root: {error}", index + 1))?;
        roots.push(certificate);
    }
    if roots.is_empty() {
        return Err("holds no certificate: it must be a PEM file with BEGIN CERTIFICATE".to_owned());
    }
    Ok(roots)
}

/// `(whether it is https, what follows the slashes)`.
fn split_scheme(url: &str) -> Option<(bool, &str)> {
    let (scheme, rest) = url.split_once("://")?;
    if scheme.eq_ignore_ascii_case("https") {
        Some((true, rest))
    } else if scheme.eq_ignore_ascii_case("http") {
        Some((false, rest))
    } else {
        None
    }
}

/// The port that an authority names.
fn port_of(authority: &str) -> Option<&str> {
    let after = authority.rsplit_once(']').map_or(authority, |(_, after)| after);
    after.rsplit_once(':').map(|(_, port)| port)
}

/// Whether `host` is `name`, or a host of the domain `name`.
fn is_or_is_below(host: &str, name: &str) -> bool {
    let Some(at) = host.len().checked_sub(name.len()) else { return false };
    let same = host.get(at..).is_some_and(|end| end.eq_ignore_ascii_case(name));
    let address = host.parse::<IpAddr>().is_ok();
    same && (at == 0 || (!address && host.get(..at).is_some_and(|front| front.ends_with('.'))))
}

/// The host of `host`, `host:port`, `[v6]` or `[v6]:port`, without brackets; `None` if malformed.
fn host_of(authority: &str) -> Option<&str> {
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => {
            let (host, after) = rest.split_once(']')?;
            host.parse::<Ipv6Addr>().ok()?;
            (host, if after.is_empty() { None } else { Some(after.strip_prefix(':')?) })
        }
        None => match authority.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (authority, None),
        },
    };
    let v6 = authority.starts_with('[');
    let name = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'.' || b == b'_';
    if host.is_empty() || !(v6 || host.bytes().all(name)) {
        return None;
    }
    if let Some(port) = port {
        let digits = !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit());
        if !digits || port.parse::<u16>().map_or(true, |port| port == 0) {
            return None;
        }
    }
    Some(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn https_is_taken_anywhere_and_http_on_loopback_only() {
        for url in [
            "https://rest.nexmo.com/sms/json",
            "HTTPS://gateway.example:8443/sms/json",
            "https://127.0.0.1:4443/sms/json",
            "http://127.0.0.1:8080/sms/json",
            "http://127.9.9.9/sms/json",
            "http://[::1]:8080/sms/json",
        ] {
            assert_eq!(Endpoint::parse(url).map(|e| e.url), Ok(url.to_owned()));
        }
        for url in [
            "http://rest.nexmo.com/sms/json",
            "http://localhost/sms/json",
            "http://127.0.0.1.evil.example/",
            "http://127.0.0.1@evil.example/",
            "http://127.0.0.1\\@evil.example/",
            "http://2130706433/",
            "http://[::2]/",
            "https://user:password@rest.nexmo.com/",
            "https://rest.nexmo.com/sms/json?api_key=x",
            "https://rest.nexmo.com/sms/json#x",
            "https:///sms/json",
            "https://host:/x",
            "https://host:0/x",
            "https://host:65536/x",
            "https://[::1/x",
            "https://[::1]x/x",
            "https://ho st/",
            "https://h\u{f6}st/",
            "ftp://rest.nexmo.com/",
            "rest.nexmo.com/sms/json",
            "",
        ] {
            let problem = Endpoint::parse(url).expect_err(url);
            assert!(!problem.contains("password"), "{problem}");
        }
    }

    #[test]
    fn the_default_address_passes_its_own_check() {
        assert_eq!(Endpoint::parse(Endpoint::vonage().url()), Ok(Endpoint::vonage()));
        assert!(!Endpoint::vonage().is_loopback());
        assert!(Endpoint::parse("https://[::1]:1/").unwrap().is_loopback());
    }

    #[test]
    fn hosts_that_need_no_proxy_are_known_by_the_list() {
        let at = |url: &str, list: &str| Endpoint::parse(url).unwrap().is_exempt(list);
        let vonage = "https://rest.nexmo.com/sms/json";
        for list in [
            "*",
            "rest.nexmo.com",
            "nexmo.com",
            ".nexmo.com",
            "*.nexmo.com",
            "REST.Nexmo.com",
            "localhost, 10.0.0.1 ,nexmo.com",
            "localhost nexmo.com",
            "rest.nexmo.com:443",
        ] {
            assert!(at(vonage, list), "{list}");
        }
        for list in ["", ",", "exmo.com", "rest.nexmo.com.evil", "a.rest.nexmo.com", "nexmo.com:80"]
        {
            assert!(!at(vonage, list), "{list}");
        }
        assert!(at("https://10.0.0.7:8443/x", "10.0.0.7:8443"));
        assert!(!at("https://10.0.0.7/x", "0.7"));
        assert!(at("https://[fe80::1]/x", "fe80::1") && at("https://[fe80::1]/x", "[fe80::1]:443"));
        assert!(!at("https://[fe80::1]/x", "::1"));
    }

    #[test]
    fn proxies_are_checked_and_their_credentials_hidden() {
        for address in ["http://proxy:3128", "proxy:3128", "proxy", "http://u:p@10.0.0.1:8080/"] {
            assert!(Proxy::parse(address).is_ok(), "{address}");
        }
        for address in ["socks5://proxy:1080", "http://", "http://proxy:port", "http://a/b"] {
            assert!(Proxy::parse(address).is_err(), "{address}");
        }
        let proxy = Proxy::parse("http://me:hunter2@proxy:3128").unwrap();
        assert_eq!(format!("{proxy:?}"), "Proxy(***@proxy:3128)");
        assert_eq!(proxy.expose(), "http://me:hunter2@proxy:3128");
        assert!(!format!("{:?}", Proxy::parse("http://me:hunter2@/x")).contains("hunter2"));
    }
}
