//! Attributes as an object's user metadata.
//!
//! Three formats are written: rclone's (the default), s3fs's, and the modification
//! time alone. All of them are read, and those of s3cmd, mc, gsutil, s3sync and
//! s3util too; what cannot be understood is passed over, for metadata is no reason
//! to refuse an object. Keys are given without `x-amz-meta-` and values are ASCII.
//! What a value is worth as evidence is not judged here.

mod escape;
mod foreign;
mod time;
mod xattrs;

use crate::entry::{Digest, Meta};
use crate::names::Kind;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What S3 takes of user metadata, in bytes of keys and values.
pub const METADATA_MAX_BYTES: usize = 2048;
/// Each key's `x-amz-meta-` is counted too, as some servers do.
const HEADER_PREFIX_BYTES: usize = "x-amz-meta-".len();
/// Longer tokens are not ours and are left out.
const TOKEN_MAX_BYTES: usize = 256;

const DIGEST: &str = "tidelock-digest";
const ATTEMPT: &str = "tidelock-attempt";
const REPLACED: &str = "tidelock-replaced";
const MD5: &str = "md5chksum";

const TYPE_BITS: u32 = 0o170_000;
const PERMISSION_BITS: u32 = 0o7777;

/// How metadata is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MetaFormat {
    /// As `rclone -M` does: octal modes, extended attributes as plain keys.
    #[default]
    Rclone,
    /// As s3fs does: decimal modes, three times, extended attributes in one key.
    S3fs,
    /// The modification time alone.
    Minimal,
}

/// Everything user metadata can say of an object.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Attributes {
    /// The entry's metadata. Keys of other programs that are not understood are
    /// extended attributes, as they are for rclone.
    pub meta: Meta,
    /// What the entry is, where the mode says so.
    pub kind: Option<Kind>,
    /// BLAKE3 of the body.
    pub digest: Option<Digest>,
    /// The attempt that wrote the object.
    pub attempt: Option<String>,
    /// The entity tag of the object that this one replaced.
    pub replaced: Option<String>,
    /// MD5 of the body.
    pub md5: Option<[u8; 16]>,
}

/// User metadata ready to be sent.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Encoded {
    /// Keys, lower case and without `x-amz-meta-`, and their values.
    pub keys: BTreeMap<String, String>,
    /// What had to be left out.
    pub problem: Option<MetaProblem>,
}

/// What an object's metadata cannot hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MetaProblem {
    /// Extended attributes are stored all or not at all: some of them would read
    /// as if the others had been removed.
    #[error(
        "the extended attributes need {size_bytes} bytes, and an object's metadata has room for {room_bytes}; they were left out"
    )]
    XattrsTooLarge {
        /// What they need.
        size_bytes: usize,
        /// What is left beside the rest.
        room_bytes: usize,
    },
}

/// Writes attributes as user metadata. Never fails; see [`Encoded::problem`].
/// The minimal format carries no mode, owner, kind or extended attributes; no
/// format carries a kind without a mode, but that s3fs must tell links from files.
pub fn encode(attributes: &Attributes, format: MetaFormat) -> Encoded {
    let Attributes { meta, kind, digest, attempt, replaced, md5 } = attributes;
    let mut keys = BTreeMap::new();
    let mut put = |key: &str, value: Option<String>| {
        if let Some(value) = value {
            keys.insert(key.to_owned(), value);
        }
    };
    let mtime = meta.mtime_ns.map(time::to_decimal);
    // No link has a privileged bit, and s3fs's would then read as a folder's in octal.
    let bits = if *kind == Some(Kind::Link) { 0o777 } else { PERMISSION_BITS };
    let mode = meta.mode.map(|mode| mode & bits | kind.map_or(0, type_bits));
    match format {
        MetaFormat::Minimal => {}
        MetaFormat::Rclone => put("mode", mode.map(|mode| format!("0{mode:o}"))),
        MetaFormat::S3fs => {
            let link = (*kind == Some(Kind::Link)).then_some(type_bits(Kind::Link) | 0o777);
            put("mode", mode.or(link).map(|mode| mode.to_string()));
            put("ctime", mtime.clone());
            put("atime", mtime.clone());
        }
    }
    if format != MetaFormat::Minimal {
        put("uid", meta.uid.map(|uid| uid.to_string()));
        put("gid", meta.gid.map(|gid| gid.to_string()));
    }
    put(DIGEST, digest.map(|digest| bound_digest(&digest, mtime.as_deref())));
    put("mtime", mtime);
    put(ATTEMPT, token(attempt.as_deref()));
    put(REPLACED, token(replaced.as_deref()));
    put(MD5, md5.map(|md5| escape::to_base64(&md5)));
    let problem = meta.xattrs.as_ref().and_then(|xattrs| add_xattrs(&mut keys, xattrs, format));
    Encoded { keys, problem }
}

fn add_xattrs(keys: &mut BTreeMap<String, String>, xattrs: &xattrs::Xattrs, format: MetaFormat) -> Option<MetaProblem> {
    let more = match format {
        MetaFormat::Rclone => xattrs::to_keys(xattrs),
        MetaFormat::S3fs => xattrs::to_s3fs(xattrs),
        MetaFormat::Minimal => return None,
    };
    let room_bytes = METADATA_MAX_BYTES.saturating_sub(size_bytes(keys));
    let size_bytes = size_bytes(&more);
    if size_bytes > room_bytes {
        return Some(MetaProblem::XattrsTooLarge { size_bytes, room_bytes });
    }
    keys.extend(more);
    None
}

fn size_bytes(keys: &BTreeMap<String, String>) -> usize {
    keys.iter().map(|(key, value)| HEADER_PREFIX_BYTES + key.len() + value.len()).sum()
}

fn token(text: Option<&str>) -> Option<String> {
    text.filter(|text| !text.is_empty()).map(escape::to_percent).filter(|text| text.len() <= TOKEN_MAX_BYTES)
}

/// Reads user metadata, whoever wrote it. Upper-case letters in keys are taken as
/// lower-case, for headers do not tell them apart.
pub fn decode(keys: &BTreeMap<String, String>) -> Attributes {
    let lower: BTreeMap<String, &str> =
        keys.iter().map(|(key, value)| (key.to_ascii_lowercase(), value.trim_matches(' '))).collect();
    let get = |key: &str| lower.get(key).copied();
    let foreign = foreign::read(get);
    let mode = get("mode").and_then(mode_of).or(foreign.mode);
    Attributes {
        meta: Meta {
            mtime_ns: get("mtime").and_then(time::parse).or(foreign.mtime_ns),
            mode: mode.map(|mode| mode & PERMISSION_BITS),
            uid: get("uid").and_then(id_of).or(foreign.uid),
            gid: get("gid").and_then(id_of).or(foreign.gid),
            xattrs: xattrs::read(&lower),
        },
        kind: mode.and_then(kind_of),
        digest: get(DIGEST).and_then(|text| unbound_digest(text, get("mtime"))),
        attempt: get(ATTEMPT).and_then(token_of),
        replaced: get(REPLACED).and_then(token_of),
        md5: get(MD5).and_then(escape::from_base64).and_then(|md5| md5.try_into().ok()).or(foreign.md5),
    }
}

/// Whether a key of an object's metadata is void beside newly written extended
/// attributes: it holds one that is, or was, among `known` by full name, or all of them.
pub fn is_void_xattr(key: &str, known: impl Fn(&str) -> bool) -> bool {
    xattrs::is_set(key) || xattrs::name_of(key).is_some_and(|name| known(&name))
}

/// Whether a key says something to Tidelock, or to a program whose metadata it reads: one
/// that a person sets by hand would be believed.
pub fn is_own_key(key: &str) -> bool {
    xattrs::is_set(key) || xattrs::name_of(key).is_none()
}

/// Takes away what an object's metadata says of its bytes, for one that may turn out to
/// hold others.
pub fn disclaim(keys: &mut BTreeMap<String, String>) {
    keys.retain(|key, value| {
        let key = key.to_ascii_lowercase();
        if !foreign::is_list(&key) {
            return ![DIGEST, MD5].contains(&key.as_str());
        }
        let rest: Vec<&str> = value.split('/').filter(|pair| !pair.trim_start().starts_with("md5:")).collect();
        *value = rest.join("/");
        !value.is_empty()
    });
}

/// Some programs keep our keys when they rewrite a body, but they set the time: a
/// digest is worth something only beside the very time it was written with.
fn bound_digest(digest: &Digest, mtime: Option<&str>) -> String {
    mtime.map_or_else(|| digest.to_string(), |mtime| format!("{digest}@{mtime}"))
}

fn unbound_digest(text: &str, mtime: Option<&str>) -> Option<Digest> {
    let (digest, then) = text.split_once('@').map_or((text, None), |(digest, then)| (digest, Some(then)));
    Digest::parse(digest).filter(|_| then == mtime)
}

fn token_of(text: &str) -> Option<String> {
    let bytes = (text.len() <= TOKEN_MAX_BYTES).then(|| escape::from_percent(text))??;
    String::from_utf8(bytes).ok().filter(|token| !token.is_empty())
}

/// Reads a mode that does not say its base. rclone writes octal, we do so with a
/// leading zero, s3fs writes decimal; all three with the kind of entry, which is one
/// in the right base alone.
fn mode_of(text: &str) -> Option<u32> {
    let octal = mode_in_base(text, 8);
    if text.starts_with('0') {
        return octal;
    }
    let decimal = mode_in_base(text, 10);
    // No link has a privileged bit. What looks like one is rclone's folder: 42755.
    let is_told = |mode: &u32| kind_of(*mode).is_some_and(|kind| kind != Kind::Link || mode & 0o7000 == 0);
    decimal.filter(is_told).or(octal.filter(is_told)).or(decimal)
}

fn mode_in_base(text: &str, base: u32) -> Option<u32> {
    let mode = digits(text).and_then(|text| u32::from_str_radix(text, base).ok())?;
    (mode <= TYPE_BITS | PERMISSION_BITS).then_some(mode)
}

fn id_of(text: &str) -> Option<u32> {
    // The highest number means "nobody in particular" to every system call.
    digits(text)?.parse().ok().filter(|&id| id != u32::MAX)
}

/// `parse` takes a sign; these numbers have none.
fn digits(text: &str) -> Option<&str> {
    (!text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())).then_some(text)
}

fn type_bits(kind: Kind) -> u32 {
    match kind {
        Kind::File => 0o100_000,
        Kind::Dir => 0o040_000,
        Kind::Link => 0o120_000,
    }
}

fn kind_of(mode: u32) -> Option<Kind> {
    [Kind::File, Kind::Dir, Kind::Link].into_iter().find(|&kind| type_bits(kind) == mode & TYPE_BITS)
}

#[cfg(test)]
mod tests;
