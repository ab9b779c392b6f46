//! What an object's headers say.
//!
//! Reads stamps, dates, checksums, storage classes and user metadata from the head
//! of a reply, and writes ETags and checksums as headers want them. It knows no
//! requests.

use crate::error::{Error, ErrorKind, Result};
use crate::{Encryption, Object, ObjectMeta, Readiness};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use jiff::fmt::rfc2822::DateTimeParser;
use tidelock_core::entry::RemoteStamp;
use tidelock_core::path::Key;

/// Whether a whole object's checksum was sent or not depends on this request header.
pub(super) const CHECKSUM_MODE: (&str, &str) = ("x-amz-checksum-mode", "ENABLED");
/// Where CRC64NVME travels.
pub(super) const CRC64NVME: &str = "x-amz-checksum-crc64nvme";
const META: &str = "x-amz-meta-";
/// How the object is encrypted, with which key, and whether the bucket has one.
const ENCRYPTION: &str = "x-amz-server-side-encryption";
const ENCRYPTION_KEY: &str = "x-amz-server-side-encryption-aws-kms-key-id";
const BUCKET_KEY: &str = "x-amz-server-side-encryption-bucket-key-enabled";

/// The object that a HEAD or GET reply is about. `size` is that of the whole.
pub(super) fn object(key: &Key, headers: &HeaderMap, size: u64) -> Result<Object> {
    let broken = |what: &str| Error::new(ErrorKind::Corrupt, "head", format!("the reply has no {what}")).on(key);
    let etag = text(headers, "etag").map(unquoted).filter(|etag| !etag.is_empty()).ok_or_else(|| broken("ETag"))?;
    let storage_class = text(headers, "x-amz-storage-class").and_then(storage_class);
    let frozen = is_archive(storage_class.as_deref()) || headers.contains_key("x-amz-archive-status");
    let mut meta =
        ObjectMeta { content_type: text(headers, "content-type").map(str::to_owned), ..ObjectMeta::default() };
    for name in ObjectMeta::HEADERS {
        if let Some(value) = text(headers, name).filter(|value| !value.is_empty()) {
            meta.headers.insert(name.to_owned(), value.to_owned());
        }
    }
    for (name, value) in headers {
        if let (Some(name), Ok(value)) = (name.as_str().strip_prefix(META), std::str::from_utf8(value.as_bytes())) {
            meta.user.insert(name.to_owned(), value.to_owned());
        }
    }
    meta.encryption = encryption(headers);
    Ok(Object {
        key: key.clone(),
        stamp: RemoteStamp { etag: etag.to_owned(), size, modified_s: http_date(headers, "last-modified") },
        storage_class,
        version: version(headers),
        readiness: readiness(frozen, text(headers, "x-amz-restore")),
        meta: Some(meta),
        crc64nvme: full_checksum(headers),
    })
}

/// How the service says that it encrypts the object.
fn encryption(headers: &HeaderMap) -> Option<Encryption> {
    Some(Encryption {
        how: text(headers, ENCRYPTION)?.to_owned(),
        key: text(headers, ENCRYPTION_KEY).map(str::to_owned),
        bucket_key: text(headers, BUCKET_KEY).is_some_and(|said| said.eq_ignore_ascii_case("true")),
    })
}

/// The same, as a write asks for it.
pub(super) fn encryption_as_headers(encryption: &Encryption) -> Vec<(&'static str, String)> {
    let mut headers = vec![(ENCRYPTION, encryption.how.clone())];
    headers.extend(encryption.key.clone().map(|key| (ENCRYPTION_KEY, key)));
    headers.extend(encryption.bucket_key.then(|| (BUCKET_KEY, "true".to_owned())));
    headers
}

/// The version id, where the place keeps versions.
pub(super) fn version(headers: &HeaderMap) -> Option<String> {
    text(headers, "x-amz-version-id").filter(|id| *id != "null").map(str::to_owned)
}

/// A header as text.
pub(super) fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// The entity tag without its quotes.
pub(super) fn unquoted(etag: &str) -> &str {
    let etag = etag.trim();
    etag.strip_prefix('"').and_then(|etag| etag.strip_suffix('"')).unwrap_or(etag)
}

/// The entity tag as conditions want it.
pub(super) fn quoted(etag: &str) -> String {
    format!("\"{etag}\"")
}

/// The storage class; the default one is `None`.
pub(super) fn storage_class(name: &str) -> Option<String> {
    (!name.is_empty() && name != "STANDARD").then(|| name.to_owned())
}

/// Whether objects of this class cannot be read as they lie.
pub(super) fn is_archive(storage_class: Option<&str>) -> bool {
    matches!(storage_class, Some("GLACIER" | "DEEP_ARCHIVE"))
}

fn readiness(frozen: bool, restore: Option<&str>) -> Readiness {
    match restore {
        _ if !frozen => Readiness::Ready,
        Some(text) if text.contains("ongoing-request=\"true\"") => Readiness::Thawing,
        Some(text) if text.contains("ongoing-request=\"false\"") => Readiness::Ready,
        _ => Readiness::Archived,
    }
}

/// A date of RFC 9110, in Unix seconds.
pub(super) fn http_date(headers: &HeaderMap, name: &str) -> Option<i64> {
    static PARSER: DateTimeParser = DateTimeParser::new();
    PARSER.parse_timestamp(text(headers, name)?).ok().map(jiff::Timestamp::as_second)
}

/// A date of ISO 8601, as XML has it, in Unix seconds.
pub(super) fn iso_date(text: &str) -> Option<i64> {
    text.parse::<jiff::Timestamp>().ok().map(jiff::Timestamp::as_second)
}

/// CRC64NVME over the whole object, if the reply has it.
fn full_checksum(headers: &HeaderMap) -> Option<u64> {
    match text(headers, "x-amz-checksum-type") {
        None | Some("FULL_OBJECT") => parse_checksum(text(headers, CRC64NVME)?),
        Some(_) => None,
    }
}

/// Reads a checksum as headers and documents have it.
pub(super) fn parse_checksum(text: &str) -> Option<u64> {
    Some(u64::from_be_bytes(STANDARD.decode(text).ok()?.try_into().ok()?))
}

/// Writes a checksum as headers and documents have it.
pub(super) fn write_checksum(crc64nvme: u64) -> String {
    STANDARD.encode(crc64nvme.to_be_bytes())
}

/// The value of `Content-MD5`.
pub(super) fn content_md5(body: &[u8]) -> String {
    use md5::Digest;
    STANDARD.encode(md5::Md5::digest(body))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(pairs: &[(&'static str, &'static str)]) -> Object {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.insert(*name, http::HeaderValue::from_static(value));
        }
        object(&Key::new("k"), &headers, 3).expect("readable")
    }

    #[test]
    fn a_full_head() {
        let object = head(&[
            ("etag", "\"abc-2\""),
            ("last-modified", "Wed, 21 Oct 2015 07:28:00 GMT"),
            ("x-amz-meta-mtime", "1.5"),
            ("cache-control", "max-age=60"),
            ("date", "Wed, 21 Oct 2015 07:28:00 GMT"),
            ("x-amz-version-id", "null"),
            ("x-amz-checksum-crc64nvme", "AAAAAAAAAAE="),
        ]);
        assert_eq!(object.stamp, RemoteStamp { etag: "abc-2".into(), size: 3, modified_s: Some(1_445_412_480) });
        let meta = object.meta.expect("has");
        assert_eq!(meta.user.get("mtime").map(String::as_str), Some("1.5"));
        assert_eq!(meta.headers, [("cache-control".to_owned(), "max-age=60".to_owned())].into());
        assert_eq!((object.version, object.crc64nvme), (None, Some(1)));
        assert_eq!(write_checksum(1), "AAAAAAAAAAE=");
    }

    #[test]
    fn encryption_is_asked_for_as_it_is_told() {
        assert_eq!(head(&[("etag", "x")]).meta.expect("has").encryption, None);
        for pairs in [
            &[("x-amz-server-side-encryption", "AES256")][..],
            &[
                ("x-amz-server-side-encryption", "aws:kms"),
                ("x-amz-server-side-encryption-aws-kms-key-id", "arn:key/1"),
                ("x-amz-server-side-encryption-bucket-key-enabled", "true"),
            ],
        ] {
            let told = head(&[&[("etag", "x")], pairs].concat()).meta.expect("has").encryption.expect("told");
            let asked = encryption_as_headers(&told);
            let asked: Vec<_> = asked.iter().map(|(name, value)| (*name, value.as_str())).collect();
            assert_eq!(asked, pairs);
        }
    }

    #[test]
    fn archives_thaw() {
        let state = |restore: &[(&'static str, &'static str)]| {
            let mut pairs = vec![("etag", "x"), ("x-amz-storage-class", "GLACIER")];
            pairs.extend(restore);
            head(&pairs).readiness
        };
        assert_eq!(state(&[]), Readiness::Archived);
        assert_eq!(state(&[("x-amz-restore", "ongoing-request=\"true\"")]), Readiness::Thawing);
        let done = "ongoing-request=\"false\", expiry-date=\"Fri, 21 Dec 2012 00:00:00 GMT\"";
        assert_eq!(state(&[("x-amz-restore", done)]), Readiness::Ready);
    }

    #[test]
    fn a_composite_checksum_proves_nothing_of_the_whole() {
        let object =
            head(&[("etag", "x"), ("x-amz-checksum-crc64nvme", "AAAAAAAAAAE="), ("x-amz-checksum-type", "COMPOSITE")]);
        assert_eq!(object.crc64nvme, None);
    }
}
