//! Uploads in parts that nobody has completed or given up.
//!
//! Lists them below a prefix, and gives up those of one key that were begun within a
//! given time and hold nothing. Which those are to be is the caller's to know
//! (docs/design/0004): a listing does not say whose an upload is.

use super::S3;
use super::address::decoded;
use super::client::Request;
use super::headers::iso_date;
use super::xml::{Step, walk};
use crate::error::{Error, ErrorKind, Result};
use http::Method;
use std::ops::Range;
use tidelock_core::path::Key;

/// An upload as it is listed.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unfinished {
    pub(super) key: Key,
    pub(super) id: String,
    /// When it began, by the server's clock.
    pub(super) began_s: Option<i64>,
}

impl S3 {
    /// The uploads whose key begins with `prefix`, the first thousand.
    pub(super) async fn unfinished(&self, prefix: &str) -> Result<Vec<Unfinished>> {
        let mut request = Request::reading("list uploads", Method::GET, None, "s3:ListBucketMultipartUploads");
        request.query = vec![("uploads", ""), ("encoding-type", "url"), ("prefix", prefix)];
        let body = self.client.send(&request).await?.bytes().await?;
        let mut found = parse(&body).map_err(|why| Error::new(ErrorKind::Corrupt, "list uploads", why))?;
        // A server that ignores the prefix lists what was not asked for.
        found.retain(|upload| upload.key.as_str().starts_with(prefix) && !upload.id.is_empty());
        Ok(found)
    }

    /// Gives up uploads of exactly this key that began within `began_ms`, by our clock,
    /// and to which nothing was sent.
    pub(super) async fn give_up_begun(&self, key: &Key, began_ms: Range<i64>) -> Result<()> {
        for upload in self.unfinished(key.as_str()).await? {
            let skew_ms = self.client.clock_skew_ms().unwrap_or(0);
            let in_time = upload.began_s.is_some_and(|began_s| began_ms.contains(&(began_s * 1000 - skew_ms)));
            if upload.key == *key && in_time && self.is_empty(&upload).await? {
                self.give_up(key, &upload.id).await?;
            }
        }
        Ok(())
    }

    /// Whether an upload has no parts yet.
    async fn is_empty(&self, upload: &Unfinished) -> Result<bool> {
        let mut request = Request::reading("list parts", Method::GET, Some(&upload.key), "s3:ListMultipartUploadParts");
        request.query = vec![("uploadId", &upload.id), ("max-parts", "1")];
        let body = self.client.send(&request).await?.bytes().await?;
        let (mut rooted, mut empty) = (false, true);
        let walked = walk(&body, |path, _| {
            rooted |= path == "ListPartsResult";
            empty &= path != "ListPartsResult/Part";
        });
        // What cannot be read proves nothing.
        Ok(walked.is_ok() && rooted && empty)
    }
}

fn parse(body: &[u8]) -> std::result::Result<Vec<Unfinished>, String> {
    let (mut found, mut encoded, mut rooted) = (Vec::new(), false, false);
    walk(body, |path, step| {
        let Some(name) = path.strip_prefix("ListMultipartUploadsResult") else { return };
        rooted = true;
        let text = match step {
            Step::Open if name == "/Upload" => {
                return found.push(Unfinished { key: Key::new(""), id: String::new(), began_s: None });
            }
            Step::Open => return,
            Step::Close(text) => text,
        };
        match (name, found.last_mut()) {
            ("/EncodingType", _) => encoded = text == "url",
            ("/Upload/Key", Some(upload)) => upload.key = Key::new(text),
            ("/Upload/UploadId", Some(upload)) => text.clone_into(&mut upload.id),
            ("/Upload/Initiated", Some(upload)) => upload.began_s = iso_date(text),
            _ => {}
        }
    })?;
    if !rooted {
        return Err("the reply is not a listing of uploads".to_owned());
    }
    if encoded {
        found.retain_mut(|upload| match decoded(upload.key.as_str()) {
            Some(key) => {
                upload.key = Key::new(key);
                true
            }
            None => false,
        });
    }
    Ok(found)
}
