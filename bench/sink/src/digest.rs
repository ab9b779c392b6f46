//! Entity tags and checksums.
//!
//! What a server computes costs the clients that share its cores, so each run says what
//! it wants: entity tags that are MD5s, as of S3, or such that no client takes for one;
//! checksums that are verified, or believed.

use crate::store::{Body, Refusal};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use crc_fast::CrcAlgorithm;
use http::HeaderMap;
use md5::{Digest, Md5};

/// The header of the checksum that an object has if nobody sent one.
pub const CRC64NVME: &str = "x-amz-checksum-crc64nvme";

/// The checksums that are verified: the header, how it is computed, and its length.
const CHECKSUMS: [(&str, CrcAlgorithm, usize); 3] = [
    (CRC64NVME, CrcAlgorithm::Crc64Nvme, 8),
    ("x-amz-checksum-crc32", CrcAlgorithm::Crc32IsoHdlc, 4),
    ("x-amz-checksum-crc32c", CrcAlgorithm::Crc32Iscsi, 4),
];

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

/// Holds a body against the checksums that came with it.
pub fn verify(body: &Body, headers: &HeaderMap) -> Result<(), Refusal> {
    let expected = |name: &str| headers.get(name).and_then(|value| BASE64_STANDARD.decode(value.as_bytes()).ok());
    if expected("content-md5").is_some_and(|expected| expected != md5(body)) {
        return Err(Refusal::BadDigest);
    }
    for (name, algorithm, len) in CHECKSUMS {
        let Some(expected) = expected(name) else { continue };
        if crc(body, algorithm).to_be_bytes()[8 - len..] != expected {
            return Err(Refusal::BadDigest);
        }
    }
    Ok(())
}

/// The CRC64NVME of a body, as its header has it.
pub fn crc64nvme(body: &Body) -> String {
    BASE64_STANDARD.encode(crc(body, CrcAlgorithm::Crc64Nvme).to_be_bytes())
}

fn crc(body: &Body, algorithm: CrcAlgorithm) -> u64 {
    let mut digest = crc_fast::Digest::new(algorithm);
    body.pieces.iter().for_each(|piece| digest.update(piece));
    digest.finalize()
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

    /// The check values of the CRC catalogue, and the MD5 that RFC 1321 gives.
    #[test]
    fn checksums_are_those_of_their_definitions() {
        assert_eq!(hex(&md5(&body("message digest"))), "f96b697d7cb7938d525a2f31aaf161d0");
        for (name, value) in [
            ("x-amz-checksum-crc64nvme", 0xae8b_1486_0a79_9888_u64.to_be_bytes().to_vec()),
            ("x-amz-checksum-crc32", 0xcbf4_3926_u32.to_be_bytes().to_vec()),
            ("x-amz-checksum-crc32c", 0xe306_9283_u32.to_be_bytes().to_vec()),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(name, BASE64_STANDARD.encode(&value).parse().expect("a header"));
            assert_eq!(verify(&body("123456789"), &headers), Ok(()), "{name}");
            assert_eq!(verify(&body("123456780"), &headers), Err(Refusal::BadDigest), "{name}");
        }
    }
}
