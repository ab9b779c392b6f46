//! What an S3 service tells beside objects: its buckets, and uploads in parts that
//! nobody finished.
//!
//! Only looked at, for people who ask; no run depends on it. An upload that goes on
//! looks just like an abandoned one, so age is told and nothing is judged here.

use super::S3;
use super::client::{Client, Request};
use super::config::{S3Options, Settings};
use super::headers::iso_date;
use super::xml::{Step, walk};
use crate::error::{Error, ErrorKind, Result};
use crate::world::World;
use http::Method;
use tidelock_core::path::Key;

/// A listing that goes on for so many pages is not true.
const PAGES_MAX: usize = 10_000;

/// A bucket.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Bucket {
    /// Its name.
    pub name: String,
    /// When it was made, Unix seconds.
    pub created_s: Option<i64>,
}

/// An upload in parts that was begun and not ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pending {
    /// Of which object.
    pub key: Key,
    /// Its id.
    pub upload_id: String,
    /// When it was begun, Unix seconds.
    pub begun_s: Option<i64>,
}

/// The buckets that the credentials may see.
pub async fn buckets(world: World, options: S3Options) -> Result<Vec<Bucket>> {
    // The service itself has no bucket in its host name.
    let options = S3Options { path_style: Some(true), ..options };
    let settings = Settings::load("", &options).await?;
    let client = Client::new(world, "", settings)?;
    let mut found = Vec::new();
    let mut token = String::new();
    for _ in 0..PAGES_MAX {
        let mut request = Request::reading("list buckets", Method::GET, None, "s3:ListAllMyBuckets");
        if !token.is_empty() {
            request.query = vec![("continuation-token", &token)];
        }
        let body = client.send(&request).await?.bytes().await?;
        let mut next = String::new();
        let mut rooted = false;
        let walked = walk(&body, |path, step| match (path, step) {
            ("ListAllMyBucketsResult", _) => rooted = true,
            ("ListAllMyBucketsResult/Buckets/Bucket", Step::Open) => found.push(Bucket::default()),
            ("ListAllMyBucketsResult/ContinuationToken", Step::Close(text)) => text.clone_into(&mut next),
            (path, Step::Close(text)) => {
                let Some(bucket) = found.last_mut() else { return };
                match path {
                    "ListAllMyBucketsResult/Buckets/Bucket/Name" => text.clone_into(&mut bucket.name),
                    "ListAllMyBucketsResult/Buckets/Bucket/CreationDate" => bucket.created_s = iso_date(text),
                    _ => {}
                }
            }
            _ => {}
        });
        if walked.is_err() || !rooted {
            return Err(Error::new(ErrorKind::Corrupt, "list buckets", "the reply is not a list of buckets"));
        }
        if next.is_empty() || next == token {
            return Ok(found);
        }
        token = next;
    }
    Err(Error::new(ErrorKind::Corrupt, "list buckets", "the list of buckets does not end"))
}

impl S3 {
    /// Uploads in parts below a prefix that were begun and not ended, oldest first.
    pub async fn pending(&self, prefix: &str) -> Result<Vec<Pending>> {
        let mut found: Vec<Pending> = Vec::new();
        let (mut key_marker, mut id_marker) = (String::new(), String::new());
        for _ in 0..PAGES_MAX {
            let permission = "s3:ListBucketMultipartUploads";
            let mut request = Request::reading("list uploads", Method::GET, None, permission);
            request.query = vec![("uploads", ""), ("prefix", prefix)];
            if !key_marker.is_empty() {
                request.query.extend([("key-marker", key_marker.as_str()), ("upload-id-marker", id_marker.as_str())]);
            }
            let body = self.client.send(&request).await?.bytes().await?;
            let mut page = parse(&body).map_err(|why| Error::new(ErrorKind::Corrupt, "list uploads", why))?;
            // Some servers take no prefix.
            page.uploads.retain(|pending| pending.key.as_str().starts_with(prefix));
            found.append(&mut page.uploads);
            if !page.truncated || (&page.next_key, &page.next_id) == (&key_marker, &id_marker) {
                found.sort_by_key(|pending| pending.begun_s);
                return Ok(found);
            }
            (key_marker, id_marker) = (page.next_key, page.next_id);
        }
        Err(Error::new(ErrorKind::Corrupt, "list uploads", "the list of uploads does not end"))
    }
}

#[derive(Default)]
struct Uploads {
    uploads: Vec<Pending>,
    truncated: bool,
    next_key: String,
    next_id: String,
}

fn parse(body: &[u8]) -> std::result::Result<Uploads, String> {
    let mut page = Uploads::default();
    let mut rooted = false;
    walk(body, |path, step| {
        let Some(name) = path.strip_prefix("ListMultipartUploadsResult") else { return };
        rooted = true;
        match (name, step) {
            ("/Upload", Step::Open) => {
                page.uploads.push(Pending { key: Key::new(""), upload_id: String::new(), begun_s: None });
            }
            ("/IsTruncated", Step::Close(text)) => page.truncated = text == "true",
            ("/NextKeyMarker", Step::Close(text)) => text.clone_into(&mut page.next_key),
            ("/NextUploadIdMarker", Step::Close(text)) => text.clone_into(&mut page.next_id),
            (name, Step::Close(text)) => {
                let Some(last) = page.uploads.last_mut() else { return };
                match name {
                    "/Upload/Key" => last.key = Key::new(text),
                    "/Upload/UploadId" => text.clone_into(&mut last.upload_id),
                    "/Upload/Initiated" => last.begun_s = iso_date(text),
                    _ => {}
                }
            }
            _ => {}
        }
    })?;
    if rooted { Ok(page) } else { Err("the reply is not a list of uploads".to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uploads_are_read() {
        let page = parse(
            b"<ListMultipartUploadsResult><IsTruncated>true</IsTruncated><NextKeyMarker>b</NextKeyMarker>\
            <NextUploadIdMarker>2</NextUploadIdMarker><Upload><Key>a b</Key><UploadId>1</UploadId>\
            <Initiated>2024-02-29T00:00:01.000Z</Initiated></Upload></ListMultipartUploadsResult>",
        )
        .expect("readable");
        let expected = Pending { key: Key::new("a b"), upload_id: "1".to_owned(), begun_s: Some(1_709_164_801) };
        assert_eq!(page.uploads, [expected]);
        assert!(page.truncated && page.next_key == "b" && page.next_id == "2");
        assert!(parse(b"<html></html>").is_err());
    }
}
