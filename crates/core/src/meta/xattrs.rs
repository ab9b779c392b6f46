//! Extended attributes as metadata keys.
//!
//! rclone strips `user.` and writes each as a key of its own; what a header cannot
//! carry that way, by its name or by its value, goes base64-encoded into one key of
//! ours. That key is written even when it holds nothing, for it says that the set
//! is whole: without it, absence proves nothing. s3fs keeps all in one JSON value.

use super::escape::{from_base64, from_percent, to_base64, to_percent_strict};
use super::foreign;
use std::collections::BTreeMap;

pub(super) type Xattrs = BTreeMap<String, Vec<u8>>;

const ODD: &str = "tidelock-xattrs";
const S3FS: &str = "xattr";
const USER: &str = "user.";
/// Stands for the empty set, because some servers drop empty headers.
const NONE: &str = "-";

/// rclone's way.
pub(super) fn to_keys(xattrs: &Xattrs) -> BTreeMap<String, String> {
    let mut keys = BTreeMap::new();
    let mut odd = Vec::new();
    for (name, value) in xattrs {
        match plain_key(name).zip(plain_value(value)) {
            Some((key, value)) => {
                keys.insert(key.to_owned(), value.to_owned());
            }
            None => odd.push(format!("{}:{}", to_percent_strict(name), to_base64(value))),
        }
    }
    keys.insert(ODD.into(), if odd.is_empty() { NONE.into() } else { odd.join(",") });
    keys
}

/// s3fs's way.
pub(super) fn to_s3fs(xattrs: &Xattrs) -> BTreeMap<String, String> {
    let values: BTreeMap<&str, String> = xattrs.iter().map(|(name, value)| (&**name, to_base64(value))).collect();
    // Strings and a map of strings always have a JSON form.
    let json = serde_json::to_string(&values).unwrap_or_else(|_| "{}".into());
    BTreeMap::from([(S3FS.into(), to_percent_strict(&json))])
}

/// Reads all of them; `None` if the metadata says nothing of them, or what it says
/// cannot be read, for a part would pass for the whole.
pub(super) fn read(keys: &BTreeMap<String, &str>) -> Option<Xattrs> {
    let plain = keys.iter().filter_map(|(key, value)| Some((name_of(key)?, value.as_bytes().to_vec())));
    let mut xattrs: Xattrs = plain.collect();
    match (keys.get(S3FS), keys.get(ODD)) {
        (Some(text), _) => xattrs.extend(from_s3fs(text)?),
        (None, Some(text)) => xattrs.extend(from_odd(text)?),
        (None, None) if xattrs.is_empty() => return None,
        (None, None) => {}
    }
    Some(xattrs)
}

/// The attribute that a key of its own stands for.
pub(super) fn name_of(key: &str) -> Option<String> {
    (!is_taken(key)).then(|| format!("{USER}{key}"))
}

/// Whether a key holds attributes, and which it holds is said inside.
pub(super) fn is_set(key: &str) -> bool {
    key == S3FS || key == ODD
}

fn from_s3fs(text: &str) -> Option<Xattrs> {
    let json = from_percent(text)?;
    let values: BTreeMap<String, String> = serde_json::from_slice(&json).ok()?;
    values.into_iter().map(|(name, value)| Some((name, from_base64(&value)?))).collect()
}

fn from_odd(text: &str) -> Option<Xattrs> {
    if text == NONE {
        return Some(Xattrs::new());
    }
    let pair = |pair: &str| {
        let (name, value) = pair.split_once(':')?;
        Some((String::from_utf8(from_percent(name)?).ok()?, from_base64(value)?))
    };
    text.split(',').map(pair).collect()
}

/// The key of an attribute that can have one of its own. Underscores are left out:
/// there are proxies that drop headers which hold one.
fn plain_key(name: &str) -> Option<&str> {
    let key = name.strip_prefix(USER)?;
    let simple = key.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'.');
    (key.starts_with(|c: char| c.is_ascii_lowercase()) && simple && !is_taken(key)).then_some(key)
}

/// A value that every client, server and proxy hands on as it is.
fn plain_value(value: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(value).ok()?;
    let printable = !text.is_empty() && text.bytes().all(|b| b == b' ' || b.is_ascii_graphic());
    let altered = text.starts_with(' ') || text.ends_with(' ') || text.contains("  ") || text.starts_with("=?");
    (printable && !altered).then_some(text)
}

/// Whether a key means something else already, to us or to another program.
fn is_taken(key: &str) -> bool {
    const EXACT: &[&str] = &[
        "atime",
        "btime",
        "cache-control",
        "content-disposition",
        "content-encoding",
        "content-language",
        "content-type",
        "ctime",
        "gid",
        "md5chksum",
        "mode",
        "mtime",
        "rdev",
        "tier",
        "uid",
        "utime",
        S3FS,
    ];
    key.starts_with("tidelock-") || EXACT.contains(&key) || foreign::is_known(key)
}
