//! How people name a remote.
//!
//! Reads `s3://bucket/prefix`, `folder:PATH` and, in tests, `mem:NAME`, and says
//! clearly why anything else is not one. It opens nothing: that is `open.rs`.

use std::borrow::Cow;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// A remote by name.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum RemoteUrl {
    /// A bucket, and what all keys in it begin with: empty, or ending in a slash.
    S3 {
        /// The bucket.
        bucket: String,
        /// The prefix.
        prefix: String,
    },
    /// The embedded store in a folder, or below a prefix in it: which of them it is,
    /// `folder::locate` finds out.
    Folder(PathBuf),
    /// A store in memory, shared by name within a test.
    #[cfg(any(test, feature = "testing"))]
    Memory(String),
}

/// Why a text does not name a remote.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{:?} is not a remote: {why}", word(text))]
pub struct UrlError {
    /// What was given.
    pub text: String,
    /// What is wrong with it, and what would be right.
    pub why: String,
}

/// What is said of an address that holds a secret, which is never shown.
pub const LOGIN: &str = "who signs in is never part of an address, and nothing of it is shown or kept here; keep the \
                         secret with `tidelock config profile add`, or where the AWS tools look, and write the address alone";

/// Whether an address holds what signs in: `https://USER:PASSWORD@HOST`,
/// `s3://ID:SECRET@BUCKET`, or the query of a link that was signed. No name of a bucket
/// holds what would be taken for one; names of objects may.
pub fn holds_login(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once(':') else { return false };
    let is_web = ["http", "https"].iter().any(|web| scheme.eq_ignore_ascii_case(web));
    if !is_web && !scheme.eq_ignore_ascii_case("s3") && !rest.starts_with("//") {
        return false;
    }
    let rest = rest.trim_start_matches('/');
    let host = rest.split('/').next().unwrap_or_default();
    if is_web { rest.contains(['@', '?']) } else { host.contains(['@', ':']) }
}

/// A text as it may be shown: of each address in it that holds a secret, no more than how it
/// begins. Addresses end at a space or a quote.
pub fn shown(text: &str) -> Cow<'_, str> {
    let (mut safe, mut done) = (String::new(), 0);
    for (colon, _) in text.match_indices(':') {
        let is_scheme = |c: char| c.is_ascii_alphanumeric() || "+.-".contains(c);
        let begin = text[..colon].trim_end_matches(is_scheme).len();
        if begin < done || begin == colon {
            continue;
        }
        let end = text[colon..].find(|c: char| c.is_whitespace() || "\"'`".contains(c));
        let address = &text[begin..end.map_or(text.len(), |end| colon + end)];
        if holds_login(address) {
            // What follows it in the sentence is not part of it.
            let address = address.trim_end_matches([':', ';', ',', '.', ')']);
            safe.extend([&text[done..begin], &text[begin..colon], "://…"]);
            done = begin + address.len();
        }
    }
    if done == 0 { Cow::Borrowed(text) } else { Cow::Owned(safe + &text[done..]) }
}

/// A word as it may be shown that stands where no address is expected, as a name, a number or
/// an id: of `ID:SECRET` no more than the id, of `ME@HOST` nothing. An address is shown as
/// [`shown`] does.
pub fn word(text: &str) -> Cow<'_, str> {
    let Some(at) = text.find([':', '@']) else { return Cow::Borrowed(text) };
    let (begin, rest) = text.split_at(at);
    match rest.strip_prefix(':') {
        Some(rest) if rest.starts_with("//") || ["s3", "folder"].contains(&begin) => shown(text),
        Some(_) => Cow::Owned(format!("{begin}:…")),
        None => Cow::Borrowed("…"),
    }
}

/// The name of a setting of another tool as it may be shown: what has a value attached to it,
/// or is one that lost its name, only as far as it is plain words.
pub fn setting(text: &str) -> Cow<'_, str> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
    let is_long = text.len() > 64 || text.len() >= 32 && !text.contains(['_', '-', '.']);
    if text.chars().all(is_plain) && !is_long {
        return Cow::Borrowed(text);
    }
    let words = text.trim_start_matches(|c: char| c.is_ascii_lowercase() || c == '_').len();
    Cow::Owned(format!("{}…", text.get(..(text.len() - words).min(24)).unwrap_or_default()))
}

const ACCEPTED: &str = "a remote is s3://BUCKET[/PREFIX] or folder:PATH";

impl RemoteUrl {
    /// Reads a remote's name.
    pub fn parse(text: &str) -> Result<Self, UrlError> {
        read(text).map_err(|why| UrlError { text: text.to_owned(), why })
    }
}

fn read(text: &str) -> Result<RemoteUrl, String> {
    if holds_login(text) {
        return Err(LOGIN.to_owned());
    }
    if let Some(rest) = text.strip_prefix("s3://") {
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        check_bucket(bucket)?;
        return Ok(RemoteUrl::S3 { bucket: bucket.to_owned(), prefix: check_prefix(prefix)? });
    }
    if let Some(path) = text.strip_prefix("folder:") {
        if path.is_empty() {
            return Err("it names no folder; write folder:PATH".to_owned());
        }
        return Ok(RemoteUrl::Folder(PathBuf::from(path)));
    }
    #[cfg(any(test, feature = "testing"))]
    if let Some(name) = text.strip_prefix("mem:") {
        return Ok(RemoteUrl::Memory(name.to_owned()));
    }
    let hint = match text.split_once(':').map(|(scheme, _)| scheme) {
        Some("http" | "https") => {
            "; for a bucket on a server of your own, write s3://BUCKET and give --endpoint with this address"
        }
        Some("s3") => "; after s3: come two slashes and the bucket",
        None if !text.is_empty() => "; for a folder on this machine, write folder: before its path",
        _ => "",
    };
    Err(format!("{ACCEPTED}{hint}"))
}

/// The names that S3 gives to buckets today: 3 to 63 of `a-z 0-9 . -`.
fn check_bucket(name: &str) -> Result<(), String> {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    if name.is_empty() {
        return Err("it names no bucket; write s3://BUCKET[/PREFIX]".to_owned());
    }
    if !(3..=63).contains(&name.len()) {
        return Err(format!("the bucket name {name:?} has {} characters, and 3 to 63 are allowed", name.len()));
    }
    if let Some(bad) = name.chars().find(|c| !(c.is_ascii_lowercase() || c.is_ascii_digit() || ".-".contains(*c))) {
        return Err(format!(
            "the bucket name {name:?} holds {bad:?}; only lower-case letters, digits, dots and hyphens are allowed"
        ));
    }
    let ends_well = |byte: Option<&u8>| byte.is_some_and(|byte| inner(*byte));
    if !ends_well(name.as_bytes().first()) || !ends_well(name.as_bytes().last()) {
        return Err(format!("the bucket name {name:?} must begin and end with a letter or a digit"));
    }
    if name.contains("..") || name.parse::<std::net::Ipv4Addr>().is_ok() {
        return Err(format!("the bucket name {name:?} must not look like an address or hold two dots in a row"));
    }
    Ok(())
}

/// The prefix with a slash at its end, unless it is empty.
pub(crate) fn check_prefix(prefix: &str) -> Result<String, String> {
    let prefix = prefix.strip_suffix('/').unwrap_or(prefix);
    if prefix.is_empty() {
        return Ok(String::new());
    }
    for segment in prefix.split('/') {
        match segment {
            "" => return Err("the prefix has an empty segment (`//`); write it without".to_owned()),
            "." | ".." => return Err(format!("the prefix has the segment {segment:?}, which no folder can hold")),
            _ if segment.contains('\0') => return Err("the prefix holds a NUL".to_owned()),
            _ => {}
        }
    }
    if prefix.len() > 900 {
        return Err("the prefix is longer than 900 bytes, and keys may have 1,024 in all".to_owned());
    }
    Ok(format!("{prefix}/"))
}

impl FromStr for RemoteUrl {
    type Err = UrlError;
    fn from_str(text: &str) -> Result<Self, UrlError> {
        Self::parse(text)
    }
}

impl fmt::Display for RemoteUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::S3 { bucket, prefix } if prefix.is_empty() => write!(f, "s3://{bucket}"),
            Self::S3 { bucket, prefix } => write!(f, "s3://{bucket}/{}", prefix.trim_end_matches('/')),
            Self::Folder(path) => write!(f, "folder:{}", path.display()),
            #[cfg(any(test, feature = "testing"))]
            Self::Memory(name) => write!(f, "mem:{name}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn remotes_and_their_one_spelling() {
        for (text, bucket, prefix, shown) in [
            ("s3://tide", "tide", "", "s3://tide"),
            ("s3://tide/", "tide", "", "s3://tide"),
            ("s3://tide.org/a/b c/", "tide.org", "a/b c/", "s3://tide.org/a/b c"),
        ] {
            let url = RemoteUrl::parse(text).expect("valid");
            assert_eq!(url, RemoteUrl::S3 { bucket: bucket.to_owned(), prefix: prefix.to_owned() });
            assert_eq!(url.to_string(), shown);
            assert_eq!(RemoteUrl::parse(shown), Ok(url));
        }
        assert_eq!(RemoteUrl::parse("folder:/a/b:c"), Ok(RemoteUrl::Folder(PathBuf::from("/a/b:c"))));
        assert_eq!(RemoteUrl::parse("mem:x"), Ok(RemoteUrl::Memory("x".to_owned())));
    }

    #[test]
    fn who_signs_in_is_never_shown() {
        for text in [
            "s3://ID:SECRET@bucket",
            "s3://ID:SEC/RET@bucket/x",
            "s3:ID:SECRET@bucket",
            "S3://SECRET@bucket",
            "s3://ID:SECRET",
            "https://me:SECRET@example.org",
            "https://example.org/x?X-Amz-Signature=SECRET",
            "ftp://me:SECRET@host",
        ] {
            let error = RemoteUrl::parse(text).expect_err(text).to_string();
            assert!(!error.contains("SEC") && error.contains("://…"), "{text}: {error}");
            assert!(holds_login(text) && error.contains("profile add"), "{text}: {error}");
        }
        for text in ["s3://bucket/me@home:8", "folder:/a:b@c", "work:me@home", "https://h:9000/b", "s3://bucket", "a"] {
            assert_eq!((holds_login(text), &*shown(text)), (false, text));
        }
        for (text, says) in [
            ("the folder /a/https:/me:SECRET@h/x: it is not", "the folder /a/https://…: it is not"),
            ("\"https://h/x?sig=SECRET\", S3://a:SECRET@b.", "\"https://…\", S3://…."),
            ("folder:s/http://me:SECRET@h", "folder:s/http://…"),
            ("see https://h:9000/b, or me@home: now?", "see https://h:9000/b, or me@home: now?"),
        ] {
            assert_eq!(shown(text), says);
        }
    }

    #[test]
    fn a_word_that_may_hold_a_secret_is_not_shown_whole() {
        for (text, says) in [
            ("photos", "photos"),
            ("me:SECRET@host", "me:…"),
            ("AKIA:SECRET", "AKIA:…"),
            ("AK:SECRET://x", "AK:…"),
            ("SECRET@host", "…"),
            ("https://me:SECRET@host", "https://…"),
            ("https://host:9000/b", "https://host:9000/b"),
            ("s3://Bucket/a:b", "s3://Bucket/a:b"),
            ("s3:ID:SECRET@bucket", "s3://…"),
            ("folder:/a/b:c", "folder:/a/b:c"),
        ] {
            assert_eq!(word(text), says, "{text}");
        }
        let error = RemoteUrl::parse("A K:SECRET").expect_err("none").to_string();
        assert!(error.contains("A K:…") && !error.contains("SECRET"), "{error}");
        for (text, says) in [
            ("sse_customer_key_base64", "sse_customer_key_base64"),
            ("accessKeyId", "accessKeyId"),
            ("token SECRET", "token…"),
            ("secret:SECRET", "secret…"),
            ("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "w…"),
            ("0123456789abcdef0123456789abcdef", "…"),
        ] {
            assert_eq!(setting(text), says, "{text}");
        }
    }

    #[test]
    fn refusals_name_the_thing_and_the_remedy() {
        for (text, says) in [
            ("", "s3://BUCKET"),
            ("https://example.org/x", "--endpoint"),
            ("http://example.org", "--endpoint"),
            ("ftp://x", "folder:PATH"),
            ("/home/me", "folder: before its path"),
            ("s3:tide", "two slashes"),
            ("folder:", "folder:PATH"),
            ("s3://", "names no bucket"),
            ("s3:///x", "names no bucket"),
            ("s3://ab", "3 to 63"),
            ("s3://Tide", "'T'"),
            ("s3://ti_de", "'_'"),
            ("s3://-tide", "begin and end"),
            ("s3://ti..de", "two dots"),
            ("s3://192.168.0.1", "address"),
            ("s3://tide//x", "empty segment"),
            ("s3://tide/a/../b", "\"..\""),
        ] {
            let error = RemoteUrl::parse(text).expect_err(text).to_string();
            assert!(error.contains(says) && error.contains(&format!("{text:?}")), "{text}: {error}");
        }
    }
}
