//! Entity tags and checksums.
//!
//! What a server computes costs the clients that share its cores, so each run says what
//! it wants: entity tags that are MD5s, as of S3, or such that no client takes for one;
//! checksums that are believed, or those that cost next to nothing held against the
//! bytes, or all of them. The checksum of a whole is made of those of its parts, as S3
//! makes it, so it is known of bytes that were forgotten too.

use crate::store::{Body, Refusal};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use clap::ValueEnum;
use crc_fast::CrcAlgorithm;
use http::HeaderMap;
use md5::{Digest, Md5};
use sha2::Sha256;

/// Which checksums are held against the bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum Checksums {
    /// None: what is sent is believed, and said again.
    None,
    /// The CRCs; and an object without any gets a CRC64NVME, as S3 does it.
    Crc,
    /// MD5 and SHA-256 too.
    All,
}

/// A kind of checksum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Crc64Nvme,
    Crc32,
    Crc32c,
    Sha256,
}

/// All that are known; others are passed over.
pub const KINDS: [Kind; 4] = [Kind::Crc64Nvme, Kind::Crc32, Kind::Crc32c, Kind::Sha256];

impl Kind {
    /// The one of this name, as `x-amz-checksum-algorithm` gives it.
    pub fn named(name: &str) -> Option<Self> {
        KINDS.into_iter().find(|kind| kind.name().eq_ignore_ascii_case(name))
    }

    /// Its name; in XML, behind `Checksum`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Crc64Nvme => "CRC64NVME",
            Self::Crc32 => "CRC32",
            Self::Crc32c => "CRC32C",
            Self::Sha256 => "SHA256",
        }
    }

    /// The header that it travels in.
    pub fn header(self) -> &'static str {
        match self {
            Self::Crc64Nvme => "x-amz-checksum-crc64nvme",
            Self::Crc32 => "x-amz-checksum-crc32",
            Self::Crc32c => "x-amz-checksum-crc32c",
            Self::Sha256 => "x-amz-checksum-sha256",
        }
    }

    fn crc(self) -> Option<(CrcAlgorithm, usize)> {
        match self {
            Self::Crc64Nvme => Some((CrcAlgorithm::Crc64Nvme, 8)),
            Self::Crc32 => Some((CrcAlgorithm::Crc32IsoHdlc, 4)),
            Self::Crc32c => Some((CrcAlgorithm::Crc32Iscsi, 4)),
            Self::Sha256 => None,
        }
    }

    fn of<'a>(self, pieces: impl Iterator<Item = &'a [u8]>) -> Vec<u8> {
        if let Some((algorithm, len)) = self.crc() {
            let mut digest = crc_fast::Digest::new(algorithm);
            pieces.for_each(|piece| digest.update(piece));
            digest.finalize().to_be_bytes()[8 - len..].to_vec()
        } else {
            let mut hash = Sha256::new();
            pieces.for_each(|piece| hash.update(piece));
            hash.finalize().to_vec()
        }
    }
}

/// A checksum of some bytes; or of the checksums of their parts, whose count is added.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sum {
    pub kind: Kind,
    pub value: Vec<u8>,
    pub of_parts: Option<usize>,
}

impl Sum {
    /// As headers and XML have it.
    pub fn text(&self) -> String {
        let text = BASE64_STANDARD.encode(&self.value);
        self.of_parts.map_or(text.clone(), |count| format!("{text}-{count}"))
    }

    /// Whether it is of the bytes themselves, as S3 calls it.
    pub fn type_name(&self) -> &'static str {
        if self.of_parts.is_some() { "COMPOSITE" } else { "FULL_OBJECT" }
    }
}

/// The checksums that came with a request, in its headers or behind its body.
pub fn sent(headers: &HeaderMap, trailers: &[(String, String)]) -> Vec<Sum> {
    let of = |kind: Kind| {
        let behind = trailers.iter().find(|(name, _)| name.eq_ignore_ascii_case(kind.header())).map(|(_, text)| text);
        let text = headers.get(kind.header()).map(|value| value.as_bytes()).or(behind.map(|text| text.as_bytes()))?;
        Some(Sum { kind, value: BASE64_STANDARD.decode(text).ok()?, of_parts: None })
    };
    KINDS.into_iter().filter_map(of).collect()
}

/// Holds a body against the checksums that came with it.
pub fn verify(body: &Body, headers: &HeaderMap, sums: &[Sum], checksums: Checksums) -> Result<(), Refusal> {
    let md5_sent = || headers.get("content-md5").and_then(|value| BASE64_STANDARD.decode(value.as_bytes()).ok());
    if checksums == Checksums::All && md5_sent().is_some_and(|expected| expected != md5(body)) {
        return Err(Refusal::BadDigest);
    }
    let is_checked = |sum: &&Sum| match sum.kind.crc() {
        Some(_) => checksums >= Checksums::Crc,
        None => checksums == Checksums::All,
    };
    let holds = |sum: &Sum| of_body(body, sum.kind).is_none_or(|found| found.value == sum.value);
    if sums.iter().filter(is_checked).all(holds) { Ok(()) } else { Err(Refusal::BadDigest) }
}

/// A checksum of a body, unless its bytes are forgotten.
pub fn of_body(body: &Body, kind: Kind) -> Option<Sum> {
    let value = || kind.of(body.pieces.iter().map(|piece| piece.as_ref()));
    body.is_known.then(|| Sum { kind, value: value(), of_parts: None })
}

/// The checksum of a whole out of those of its parts, each with its length; `None` if
/// one is missing, or if it cannot be made in this way.
pub fn of_parts<'a>(kind: Kind, full: bool, parts: impl Iterator<Item = (&'a [Sum], u64)>) -> Option<Sum> {
    let parts: Vec<(&Sum, u64)> =
        parts.map(|(sums, len)| Some((sums.iter().find(|sum| sum.kind == kind)?, len))).collect::<Option<_>>()?;
    if !full {
        let value = kind.of(parts.iter().map(|(sum, _)| sum.value.as_slice()));
        return Some(Sum { kind, value, of_parts: Some(parts.len()) });
    }
    let (algorithm, len) = kind.crc()?;
    let number = |value: &[u8]| value.iter().fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
    let mut whole: Option<u64> = None;
    for (sum, bytes) in parts {
        let next = number(&sum.value);
        whole = Some(whole.map_or(next, |whole| crc_fast::checksum_combine(algorithm, whole, next, bytes)));
    }
    Some(Sum { kind, value: whole?.to_be_bytes()[8 - len..].to_vec(), of_parts: None })
}

/// The MD5 of a body.
pub fn md5(body: &Body) -> [u8; 16] {
    let mut hash = Md5::new();
    body.pieces.iter().for_each(|piece| hash.update(piece));
    hash.finalize().into()
}

/// In hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The entity tag of a whole out of those of its parts, as S3 makes it.
pub fn md5_of_parts<'a>(etags: impl Iterator<Item = &'a str>) -> String {
    let mut hash = Md5::new();
    let mut count = 0;
    for etag in etags {
        count += 1;
        let byte = |at: usize| etag.get(at..at + 2).and_then(|text| u8::from_str_radix(text, 16).ok());
        let bytes: Vec<u8> = (0..etag.len()).step_by(2).filter_map(byte).collect();
        hash.update(&bytes);
    }
    format!("{}-{count}", hex(&hash.finalize()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(text: &'static str) -> Body {
        let mut body = Body::default();
        let (a, b) = text.split_at(text.len() / 2);
        body.push(a.into());
        body.push(b.into());
        body
    }

    /// The check values of the CRC catalogue, and what RFC 1321 and FIPS 180-2 give.
    #[test]
    fn checksums_are_those_of_their_definitions() {
        assert_eq!(hex(&md5(&body("message digest"))), "f96b697d7cb7938d525a2f31aaf161d0");
        let abc = of_body(&body("abc"), Kind::Sha256).expect("known").value;
        assert!(hex(&abc).starts_with("ba7816bf8f01cfea"));
        for (kind, value) in [
            (Kind::Crc64Nvme, 0xae8b_1486_0a79_9888_u64.to_be_bytes().to_vec()),
            (Kind::Crc32, 0xcbf4_3926_u32.to_be_bytes().to_vec()),
            (Kind::Crc32c, 0xe306_9283_u32.to_be_bytes().to_vec()),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(kind.header(), BASE64_STANDARD.encode(&value).parse().expect("a header"));
            let sums = sent(&headers, &[]);
            assert_eq!(sums, sent(&HeaderMap::new(), &[(kind.header().to_owned(), BASE64_STANDARD.encode(&value))]));
            let checked = |text, level| verify(&body(text), &headers, &sums, level);
            assert_eq!(checked("123456789", Checksums::Crc), Ok(()), "{kind:?}");
            assert_eq!(checked("123456780", Checksums::Crc), Err(Refusal::BadDigest), "{kind:?}");
            assert_eq!(checked("123456780", Checksums::None), Ok(()), "{kind:?}");
        }
    }

    #[test]
    fn the_dear_ones_are_checked_if_asked_for() {
        let mut headers = HeaderMap::new();
        headers.insert("content-md5", BASE64_STANDARD.encode(md5(&body("one"))).parse().expect("a header"));
        for (text, level, expected) in [
            ("one", Checksums::All, Ok(())),
            ("two", Checksums::All, Err(Refusal::BadDigest)),
            ("two", Checksums::Crc, Ok(())),
        ] {
            assert_eq!(verify(&body(text), &headers, &[], level), expected);
        }
    }

    #[test]
    fn a_whole_has_the_checksum_of_its_parts() {
        let texts = ["what comes first", "and then", "!"];
        let whole = "what comes firstand then!";
        for kind in [Kind::Crc64Nvme, Kind::Crc32, Kind::Crc32c] {
            let sums: Vec<_> = texts.iter().map(|text| of_body(&body(text), kind).expect("known")).collect();
            let parts = || sums.iter().zip(texts).map(|(sum, text)| (std::slice::from_ref(sum), text.len() as u64));
            assert_eq!(of_parts(kind, true, parts()), of_body(&body(whole), kind), "{kind:?}");
            let composite = of_parts(kind, false, parts()).expect("all are there");
            assert!(composite.text().ends_with("-3") && composite.type_name() == "COMPOSITE");
            assert_eq!(of_parts(Kind::Sha256, true, parts()), None);
        }
    }
}
