//! Signature Version 4, for headers.
//!
//! Knows how a request becomes a signature, and keeps the day's key so that a
//! request costs one HMAC and one hash of a few hundred bytes. It knows neither
//! where credentials come from nor what time it is: both are arguments. Every
//! header it is given is signed, conditions included, so that nothing on the way
//! can take one out.

use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderName, HeaderValue};
use sha2::{Digest, Sha256};
use std::fmt::Write;
use std::sync::{Mutex, PoisonError};
use tidelock_core::hex::hex;

type HmacSha256 = Hmac<Sha256>;

/// The payload hash of a body that the signature does not cover.
pub(super) const UNSIGNED: &str = "UNSIGNED-PAYLOAD";

/// What is signed, in the form it has on the wire.
pub(super) struct Signable<'a> {
    /// GET, PUT, …
    pub method: &'a str,
    /// The path, percent-encoded once.
    pub path: &'a str,
    /// The query, encoded, sorted by name.
    pub query: &'a str,
    /// All headers to be signed, `host` and `x-amz-date` included, in any order.
    pub headers: &'a mut [(HeaderName, HeaderValue)],
    /// SHA-256 of the body in hexadecimal, or [`UNSIGNED`].
    pub payload: &'a str,
}

/// Who signs, where and when.
pub(super) struct Occasion<'a> {
    /// The access key id.
    pub key_id: &'a str,
    /// The secret key.
    pub secret: &'a str,
    /// The region.
    pub region: &'a str,
    /// `YYYYMMDDTHHMMSSZ`.
    pub stamp: &'a str,
}

/// Signs requests, keeping the key of the day.
#[derive(Default)]
pub(super) struct Signer {
    day_key: Mutex<Option<DayKey>>,
}

struct DayKey {
    key_id: String,
    region: String,
    day: String,
    key: HmacSha256,
}

impl Signer {
    /// The value of the `Authorization` header.
    pub(super) fn authorize(&self, what: &mut Signable<'_>, when: &Occasion<'_>) -> String {
        what.headers.sort_by(|a, b| a.0.as_str().cmp(b.0.as_str()));
        let day = when.stamp.get(..8).unwrap_or(when.stamp);
        let scope = format!("{day}/{}/s3/aws4_request", when.region);
        let (request, signed) = canonical(what);
        let to_sign = format!("AWS4-HMAC-SHA256\n{}\n{scope}\n{}", when.stamp, hex(&Sha256::digest(request)));
        let mut mac = self.day_key(when, day);
        mac.update(to_sign.as_bytes());
        let signature = hex(&mac.finalize().into_bytes());
        format!("AWS4-HMAC-SHA256 Credential={}/{scope}, SignedHeaders={signed}, Signature={signature}", when.key_id)
    }

    /// Forgets the kept key, as when the credentials turned out to be wrong.
    pub(super) fn forget(&self) {
        *self.day_key.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn day_key(&self, when: &Occasion<'_>, day: &str) -> HmacSha256 {
        let mut kept = self.day_key.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = &*kept
            && found.day == day
            && found.key_id == when.key_id
            && found.region == when.region
        {
            return found.key.clone();
        }
        let mut key = keyed(format!("AWS4{}", when.secret).as_bytes());
        for step in [day, when.region, "s3", "aws4_request"] {
            key.update(step.as_bytes());
            key = keyed(&key.finalize().into_bytes());
        }
        let made = DayKey {
            key_id: when.key_id.to_owned(),
            region: when.region.to_owned(),
            day: day.to_owned(),
            key: key.clone(),
        };
        *kept = Some(made);
        key
    }
}

fn keyed(key: &[u8]) -> HmacSha256 {
    // HMAC takes keys of any length; the error type exists for other MACs.
    HmacSha256::new_from_slice(key).expect("HMAC takes a key of any length")
}

/// The canonical request and the list of signed headers.
fn canonical(what: &Signable<'_>) -> (String, String) {
    let mut signed = String::with_capacity(128);
    let mut text = String::with_capacity(768);
    let _ = write!(text, "{}\n{}\n{}\n", what.method, what.path, what.query);
    for (name, value) in what.headers.iter() {
        text.push_str(name.as_str());
        text.push(':');
        // Runs of blanks count as one; values are ASCII by construction.
        let mut words = value.to_str().unwrap_or_default().split(' ').filter(|word| !word.is_empty());
        if let Some(first) = words.next() {
            text.push_str(first);
        }
        words.for_each(|word| {
            text.push(' ');
            text.push_str(word);
        });
        text.push('\n');
        if !signed.is_empty() {
            signed.push(';');
        }
        signed.push_str(name.as_str());
    }
    let _ = write!(text, "\n{signed}\n{}", what.payload);
    (text, signed)
}

/// The payload hash of a body that the signature covers.
pub(super) fn payload_hash(body: &[u8]) -> String {
    hex(&Sha256::digest(body))
}

#[cfg(test)]
mod tests {
    use super::*;

    const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    fn signature(
        method: &str,
        path: &str,
        query: &str,
        headers: &[(&'static str, &'static str)],
        payload: &str,
    ) -> String {
        let mut headers: Vec<_> = [("host", "examplebucket.s3.amazonaws.com"), ("x-amz-date", "20130524T000000Z")]
            .iter()
            .chain(headers)
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect();
        headers.push((HeaderName::from_static("x-amz-content-sha256"), HeaderValue::from_str(payload).expect("ASCII")));
        let occasion = Occasion {
            key_id: "AKIAIOSFODNN7EXAMPLE",
            secret: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
            region: "us-east-1",
            stamp: "20130524T000000Z",
        };
        let signer = Signer::default();
        let mut what = Signable { method, path, query, headers: &mut headers, payload };
        let first = signer.authorize(&mut what, &occasion);
        assert_eq!(first, signer.authorize(&mut what, &occasion), "the kept key signs the same");
        first.rsplit_once("Signature=").expect("has one").1.to_owned()
    }

    /// The four worked examples of the S3 API reference, "Signature Calculations
    /// for the Authorization Header".
    #[test]
    fn the_published_examples() {
        assert_eq!(
            signature("GET", "/test.txt", "", &[("range", "bytes=0-9")], EMPTY),
            "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"
        );
        assert_eq!(
            signature(
                "PUT",
                "/test%24file.text",
                "",
                &[("date", "Fri, 24 May 2013 00:00:00 GMT"), ("x-amz-storage-class", "REDUCED_REDUNDANCY")],
                &payload_hash(b"Welcome to Amazon S3.")
            ),
            "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"
        );
        assert_eq!(
            signature("GET", "/", "lifecycle=", &[], EMPTY),
            "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"
        );
        assert_eq!(
            signature("GET", "/", "max-keys=2&prefix=J", &[], EMPTY),
            "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"
        );
    }

    #[test]
    fn the_hash_of_nothing() {
        assert_eq!(payload_hash(b""), EMPTY);
    }
}
