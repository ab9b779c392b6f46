//! The XML of S3, both ways.
//!
//! Written by hand, for it is the hot path of listings; read by a library.

use crate::digest::{Kind, Sum};
use crate::store::{Listed, Object, Refusal};
use http::StatusCode;
use serde::Deserialize;
use std::fmt::Write;

const HEAD: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";
const NS: &str = " xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"";

/// The parts that make a whole.
#[derive(Debug, Deserialize)]
pub struct CompleteUpload {
    /// In order.
    #[serde(rename = "Part", default)]
    pub parts: Vec<CompletePart>,
}

/// One of them.
#[derive(Debug, Deserialize)]
pub struct CompletePart {
    /// From 1.
    #[serde(rename = "PartNumber")]
    pub number: u32,
    /// As it was answered, with or without quotes.
    #[serde(rename = "ETag")]
    pub etag: String,
    #[serde(rename = "ChecksumCRC64NVME")]
    crc64nvme: Option<String>,
    #[serde(rename = "ChecksumCRC32")]
    crc32: Option<String>,
    #[serde(rename = "ChecksumCRC32C")]
    crc32c: Option<String>,
    #[serde(rename = "ChecksumSHA256")]
    sha256: Option<String>,
}

impl CompletePart {
    /// Whether it names these checksums, as far as it names any that are known.
    pub fn agrees(&self, sums: &[Sum]) -> bool {
        sums.iter().all(|sum| {
            let named = match sum.kind {
                Kind::Crc64Nvme => &self.crc64nvme,
                Kind::Crc32 => &self.crc32,
                Kind::Crc32c => &self.crc32c,
                Kind::Sha256 => &self.sha256,
            };
            named.as_ref().is_none_or(|named| *named == sum.text())
        })
    }
}

/// Keys to remove.
#[derive(Debug, Deserialize)]
pub struct Delete {
    /// What is to go.
    #[serde(rename = "Object", default)]
    pub objects: Vec<DeleteObject>,
    /// Whether only refusals are told.
    #[serde(rename = "Quiet", default)]
    pub quiet: bool,
}

/// One of them.
#[derive(Debug, Deserialize)]
pub struct DeleteObject {
    /// Its key.
    #[serde(rename = "Key")]
    pub key: String,
    /// Only this version, by its entity tag.
    #[serde(rename = "ETag")]
    pub etag: Option<String>,
}

/// Reads one of these.
pub fn read<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, Refusal> {
    quick_xml::de::from_str(text).map_err(|_| Refusal::InvalidArgument)
}

/// One listing to be written.
pub struct Page<'a> {
    pub bucket: &'a str,
    pub prefix: &'a str,
    pub delimiter: Option<&'a str>,
    pub limit: usize,
    pub url_encoded: bool,
    pub found: &'a [Listed],
    /// What the next page goes on from, if there is one.
    pub next: Option<String>,
    /// Version 2 of the operation.
    pub v2: bool,
}

impl Page<'_> {
    fn name(&self, name: &str) -> String {
        if self.url_encoded { encoded(name) } else { escaped(name) }
    }

    /// As the answer.
    pub fn write(&self) -> String {
        let mut text = String::with_capacity(512 + self.found.len() * 320);
        let _ = write!(text, "{HEAD}<ListBucketResult{NS}><Name>{}</Name>", escaped(self.bucket));
        let _ = write!(text, "<Prefix>{}</Prefix><MaxKeys>{}</MaxKeys>", self.name(self.prefix), self.limit);
        if let Some(delimiter) = self.delimiter {
            let _ = write!(text, "<Delimiter>{}</Delimiter>", self.name(delimiter));
        }
        if self.url_encoded {
            text.push_str("<EncodingType>url</EncodingType>");
        }
        let _ = write!(text, "<IsTruncated>{}</IsTruncated>", self.next.is_some());
        match (&self.next, self.v2) {
            (Some(next), true) => {
                let _ = write!(text, "<NextContinuationToken>{}</NextContinuationToken>", encoded(next));
            }
            (Some(next), false) => {
                let _ = write!(text, "<NextMarker>{}</NextMarker>", self.name(next));
            }
            (None, _) => {}
        }
        if self.v2 {
            let _ = write!(text, "<KeyCount>{}</KeyCount>", self.found.len());
        }
        for listed in self.found {
            match listed {
                Listed::Prefix(prefix) => {
                    let _ = write!(text, "<CommonPrefixes><Prefix>{}</Prefix></CommonPrefixes>", self.name(prefix));
                }
                Listed::Object(key, object) => {
                    let _ = write!(
                        text,
                        "<Contents><Key>{}</Key><LastModified>{}</LastModified><ETag>&quot;{}&quot;</ETag><Size>{}</Size>\
                         <StorageClass>STANDARD</StorageClass></Contents>",
                        self.name(key),
                        iso(object.modified_s),
                        object.etag,
                        object.body.len
                    );
                }
            }
        }
        text.push_str("</ListBucketResult>");
        text
    }
}

/// The names of all buckets.
pub fn buckets(names: &[String]) -> String {
    let mut text = format!("{HEAD}<ListAllMyBucketsResult{NS}><Owner><ID>sink</ID></Owner><Buckets>");
    for name in names {
        let _ = write!(text, "<Bucket><Name>{}</Name><CreationDate>{}</CreationDate></Bucket>", escaped(name), iso(0));
    }
    text + "</Buckets></ListAllMyBucketsResult>"
}

fn sums(sums: &[Sum]) -> String {
    let one = |sum: &Sum| format!("<Checksum{0}>{1}</Checksum{0}>", sum.kind.name(), sum.text());
    sums.iter().map(one).collect()
}

/// What came of a copy.
pub fn copied(kind: &str, object: &Object) -> String {
    let (etag, time, sums) = (&object.etag, iso(object.modified_s), sums(&object.sums));
    format!("{HEAD}<{kind}{NS}><ETag>&quot;{etag}&quot;</ETag><LastModified>{time}</LastModified>{sums}</{kind}>")
}

/// A new upload's id.
pub fn begun(bucket: &str, key: &str, id: &str) -> String {
    let (bucket, key) = (escaped(bucket), escaped(key));
    format!(
        "{HEAD}<InitiateMultipartUploadResult{NS}><Bucket>{bucket}</Bucket><Key>{key}</Key><UploadId>{id}</UploadId>\
         </InitiateMultipartUploadResult>"
    )
}

/// A whole was made of its parts.
pub fn completed(bucket: &str, key: &str, object: &Object) -> String {
    let (bucket, key, etag, sums) = (escaped(bucket), escaped(key), &object.etag, sums(&object.sums));
    let type_name = object.sums.first().map(|sum| format!("<ChecksumType>{}</ChecksumType>", sum.type_name()));
    format!(
        "{HEAD}<CompleteMultipartUploadResult{NS}><Bucket>{bucket}</Bucket><Key>{key}</Key><ETag>&quot;{etag}&quot;</ETag>\
         {sums}{}</CompleteMultipartUploadResult>",
        type_name.unwrap_or_default()
    )
}

/// A page of the parts of an upload, and from which part on there are more.
pub fn parts<'a>(key: &str, id: &str, parts: impl Iterator<Item = (u32, &'a Object)>, next: Option<u32>) -> String {
    let mut text = format!("{HEAD}<ListPartsResult{NS}><Key>{}</Key><UploadId>{id}</UploadId>", escaped(key));
    let _ = write!(text, "<IsTruncated>{}</IsTruncated>", next.is_some());
    if let Some(next) = next {
        let _ = write!(text, "<NextPartNumberMarker>{next}</NextPartNumberMarker>");
    }
    for (number, part) in parts {
        let (time, etag, size, sums) = (iso(part.modified_s), &part.etag, part.body.len, sums(&part.sums));
        let _ = write!(
            text,
            "<Part><PartNumber>{number}</PartNumber><LastModified>{time}</LastModified><ETag>&quot;{etag}&quot;</ETag>\
             <Size>{size}</Size>{sums}</Part>"
        );
    }
    text + "</ListPartsResult>"
}

/// A page of uploads under way, and whether there are more.
pub fn uploads(bucket: &str, uploads: &[(String, String, i64)], more: bool, url_encoded: bool) -> String {
    let name = |key: &str| if url_encoded { encoded(key) } else { escaped(key) };
    let mut text = format!("{HEAD}<ListMultipartUploadsResult{NS}><Bucket>{}</Bucket>", escaped(bucket));
    let _ = write!(text, "<IsTruncated>{more}</IsTruncated>");
    if url_encoded {
        text.push_str("<EncodingType>url</EncodingType>");
    }
    if let Some((key, id, _)) = uploads.last().filter(|_| more) {
        let key = name(key);
        let _ = write!(text, "<NextKeyMarker>{key}</NextKeyMarker><NextUploadIdMarker>{id}</NextUploadIdMarker>");
    }
    for (key, id, begun_s) in uploads {
        let (key, time) = (name(key), iso(*begun_s));
        let _ = write!(text, "<Upload><Key>{key}</Key><UploadId>{id}</UploadId><Initiated>{time}</Initiated></Upload>");
    }
    text + "</ListMultipartUploadsResult>"
}

/// What came of removing many.
pub fn deleted(quiet: bool, outcomes: &[(String, Result<(), Refusal>)]) -> String {
    let mut text = format!("{HEAD}<DeleteResult{NS}>");
    for (key, outcome) in outcomes {
        let key = escaped(key);
        let _ = match outcome {
            Ok(()) if quiet => continue,
            Ok(()) => write!(text, "<Deleted><Key>{key}</Key></Deleted>"),
            Err(refusal) => {
                let code = code(*refusal).1;
                write!(text, "<Error><Key>{key}</Key><Code>{code}</Code><Message>{code}</Message></Error>")
            }
        };
    }
    text + "</DeleteResult>"
}

/// Where a bucket is: the first region.
pub fn location() -> String {
    format!("{HEAD}<LocationConstraint{NS}></LocationConstraint>")
}

/// Versions are not kept.
pub fn unversioned() -> String {
    format!("{HEAD}<VersioningConfiguration{NS}></VersioningConfiguration>")
}

/// A refusal, told.
pub fn refused(refusal: Refusal) -> (StatusCode, String) {
    let (status, code) = code(refusal);
    (status, format!("{HEAD}<Error><Code>{code}</Code><Message>{code}</Message></Error>"))
}

fn code(refusal: Refusal) -> (StatusCode, &'static str) {
    match refusal {
        Refusal::NoSuchBucket => (StatusCode::NOT_FOUND, "NoSuchBucket"),
        Refusal::BucketNotEmpty => (StatusCode::CONFLICT, "BucketNotEmpty"),
        Refusal::EntityTooSmall => (StatusCode::BAD_REQUEST, "EntityTooSmall"),
        Refusal::NoSuchKey => (StatusCode::NOT_FOUND, "NoSuchKey"),
        Refusal::NoSuchUpload => (StatusCode::NOT_FOUND, "NoSuchUpload"),
        Refusal::InvalidPart => (StatusCode::BAD_REQUEST, "InvalidPart"),
        Refusal::PreconditionFailed => (StatusCode::PRECONDITION_FAILED, "PreconditionFailed"),
        Refusal::BadDigest => (StatusCode::BAD_REQUEST, "BadDigest"),
        Refusal::InvalidArgument => (StatusCode::BAD_REQUEST, "InvalidArgument"),
        Refusal::InvalidRange => (StatusCode::RANGE_NOT_SATISFIABLE, "InvalidRange"),
        Refusal::NotImplemented => (StatusCode::NOT_IMPLEMENTED, "NotImplemented"),
    }
}

fn iso(at_s: i64) -> String {
    let time = jiff::Timestamp::from_second(at_s).unwrap_or_default();
    time.strftime("%Y-%m-%dT%H:%M:%S.000Z").to_string()
}

fn escaped(text: &str) -> String {
    quick_xml::escape::escape(text).into_owned()
}

/// Percent-encoded, but for what may stand in a URL's query.
pub fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' | b'/' => out.push(char::from(byte)),
            _ => {
                let _ = write!(out, "%{byte:02X}");
            }
        }
    }
    out
}

/// The other way; `None` if it is not so encoded, or no text.
pub fn decoded(text: &str) -> Option<String> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        out.push(match byte {
            b'%' => {
                let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
                u8::try_from(digit(bytes.next())? * 16 + digit(bytes.next())?).ok()?
            }
            byte => byte,
        });
    }
    String::from_utf8(out).ok()
}
