//! Where a request goes: scheme, host, path and query.
//!
//! Knows the two ways of naming a bucket (in the host, in the path), Amazon's host
//! names by region, and how keys are percent-encoded. It knows nothing of
//! signatures, connections or replies.

use std::fmt::Write;
use std::net::IpAddr;

/// Where an S3 service listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Endpoint {
    /// Whether it is reached over TLS.
    pub tls: bool,
    /// Host and, if not the scheme's own, port.
    pub authority: String,
    /// A path that all requests begin with; empty or `/…` without a slash at the end.
    pub base: String,
    /// Whether Amazon runs it.
    pub amazon: bool,
}

impl Endpoint {
    /// Amazon's own for a region.
    pub(super) fn amazon(region: &str, fips: bool, dual_stack: bool) -> Self {
        let suffix = if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
        let fips = if fips { "-fips" } else { "" };
        let dual = if dual_stack { ".dualstack" } else { "" };
        Self { tls: true, authority: format!("s3{fips}{dual}.{region}.{suffix}"), base: String::new(), amazon: true }
    }

    /// Reads an endpoint as people write it.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let uri: http::Uri = text.parse().map_err(|error| format!("{error}"))?;
        let tls = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err("it must begin with http:// or https://".to_owned()),
        };
        let authority = uri.authority().ok_or("it names no host")?;
        if authority.as_str().contains('@') {
            return Err("it must not hold a user name or password".to_owned());
        }
        if uri.query().is_some() {
            return Err("it must not hold a query".to_owned());
        }
        let default_port = if tls { 443 } else { 80 };
        // What is no port would otherwise be taken for none.
        let port = authority.as_str().strip_prefix(authority.host()).unwrap_or_default();
        if !matches!(port, "" | ":") && authority.port_u16().is_none_or(|port| port == 0) {
            return Err(format!("{port:?} names no port; ports are the numbers from 1 to 65535"));
        }
        let authority = match authority.port_u16() {
            Some(port) if port != default_port => format!("{}:{port}", authority.host()),
            _ => authority.host().to_owned(),
        };
        let authority = authority.to_ascii_lowercase();
        let host = host_of(&authority);
        let amazon = host.ends_with(".amazonaws.com") || host.ends_with(".amazonaws.com.cn");
        Ok(Self { tls, base: uri.path().trim_end_matches('/').to_owned(), amazon, authority })
    }

    /// The host without its port, and an IPv6 address without its brackets.
    pub(super) fn host(&self) -> &str {
        host_of(&self.authority)
    }

    /// Whether the host is an address or this machine, where no bucket can be part
    /// of the host name.
    pub(super) fn is_address_or_local(&self) -> bool {
        self.host().parse::<IpAddr>().is_ok() || self.host() == "localhost"
    }

    /// Whether bytes on the way cannot leave this machine.
    pub(super) fn is_loopback(&self) -> bool {
        self.host() == "localhost" || self.host().parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
    }

    /// `https://host:port/base`, for people and as a cache key.
    pub(super) fn url(&self) -> String {
        format!("{}://{}{}", if self.tls { "https" } else { "http" }, self.authority, self.base)
    }
}

fn host_of(authority: &str) -> &str {
    if let Some(rest) = authority.strip_prefix('[') {
        return rest.split(']').next().unwrap_or(rest);
    }
    authority.split(':').next().unwrap_or(authority)
}

/// A request's address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Address {
    /// The value of the `Host` header.
    pub host: String,
    /// The encoded path.
    pub path: String,
    /// The encoded, sorted query; may be empty.
    pub query: String,
}

impl Address {
    /// The address of `key`, or of the bucket itself.
    pub(super) fn of(
        endpoint: &Endpoint,
        path_style: bool,
        bucket: &str,
        key: Option<&str>,
        query: &[(&str, &str)],
    ) -> Self {
        let mut path = endpoint.base.clone();
        let host = if path_style {
            path.push('/');
            path.push_str(bucket);
            endpoint.authority.clone()
        } else {
            format!("{bucket}.{}", endpoint.authority)
        };
        if let Some(key) = key {
            path.push('/');
            encode_into(&mut path, key, true);
        }
        if path.is_empty() {
            path.push('/');
        }
        let mut pairs: Vec<(String, String)> =
            query.iter().map(|(name, value)| (encoded(name, false), encoded(value, false))).collect();
        pairs.sort();
        let query = pairs.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&");
        Self { host, path, query }
    }
}

/// Percent-encodes as SigV4 wants it; slashes stay if `keep_slashes`.
pub(super) fn encoded(text: &str, keep_slashes: bool) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    encode_into(&mut out, text, keep_slashes);
    out
}

fn encode_into(out: &mut String, text: &str, keep_slashes: bool) {
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(char::from(byte)),
            b'/' if keep_slashes => out.push('/'),
            byte => {
                let _ = write!(out, "%{byte:02X}");
            }
        }
    }
}

/// Undoes the encoding of keys in listings, where `+` is a space; `None` if what
/// comes out is not UTF-8.
pub(super) fn decoded(text: &str) -> Option<String> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'+' => out.push(b' '),
            b'%' => {
                let digit = |byte: Option<u8>| byte.and_then(|byte| char::from(byte).to_digit(16));
                let (high, low) = (digit(bytes.next())?, digit(bytes.next())?);
                out.push(u8::try_from(high * 16 + low).ok()?);
            }
            byte => out.push(byte),
        }
    }
    String::from_utf8(out).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints() {
        let minio = Endpoint::parse("http://127.0.0.1:9000/").expect("valid");
        assert_eq!((minio.authority.as_str(), minio.base.as_str()), ("127.0.0.1:9000", ""));
        assert!(minio.is_address_or_local() && minio.is_loopback() && !minio.amazon && !minio.tls);
        let gateway = Endpoint::parse("https://Example.org:443/s3/").expect("valid");
        assert_eq!(gateway.url(), "https://example.org/s3");
        assert!(Endpoint::parse("https://[::1]:9000").expect("valid").is_loopback());
        assert!(Endpoint::parse("https://s3.eu-west-1.amazonaws.com").expect("valid").amazon);
        assert!(!Endpoint::parse("https://amazonaws.com.evil.org").expect("valid").amazon);
        for bad in [
            "example.org",
            "ftp://x",
            "https://u:p@x",
            "http://x/?a=b",
            "http://127.0.0.1:99999",
            "https://x:0",
            "http://[::1]:70000/s3",
        ] {
            assert!(Endpoint::parse(bad).is_err(), "{bad}");
        }
        assert_eq!(Endpoint::amazon("cn-north-1", false, false).authority, "s3.cn-north-1.amazonaws.com.cn");
    }

    #[test]
    fn both_styles() {
        let endpoint = Endpoint::amazon("eu-central-1", false, false);
        let virtual_host = Address::of(&endpoint, false, "b", Some("a b/ü+%"), &[("z", "1"), ("a", "/")]);
        assert_eq!(virtual_host.host, "b.s3.eu-central-1.amazonaws.com");
        assert_eq!(virtual_host.path, "/a%20b/%C3%BC%2B%25");
        assert_eq!(virtual_host.query, "a=%2F&z=1");
        let path = Address::of(&endpoint, true, "b", None, &[]);
        assert_eq!((path.path.as_str(), path.host.as_str()), ("/b", "s3.eu-central-1.amazonaws.com"));
    }

    #[test]
    fn listings_decode() {
        assert_eq!(decoded("a+b%2Bc%C3%A9/").as_deref(), Some("a b+cé/"));
        assert_eq!(decoded("%"), None);
        assert_eq!(decoded("%ff"), None);
    }
}
