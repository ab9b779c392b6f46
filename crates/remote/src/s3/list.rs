//! Listing keys, a page at a time.
//!
//! ListObjectsV2 with URL-encoded keys. A page that does not move on, or does not say
//! plainly whether it is the last, is an error: a listing that cannot be trusted must
//! not look like one that is complete. Order is not asked for beforehand: the first
//! page out of order shows that there is none, which is remembered, and whoever reads
//! the listing sorts it.

mod quick;

use super::S3;
use super::address::decoded;
use super::client::Request;
use super::headers::{is_archive, iso_date, storage_class, unquoted};
use super::refusal::{Refusal, not_s3};
use super::xml::{Step, walk};
use crate::error::{Error, ErrorKind, Result};
use crate::{Ability, Cursor, Object, Page, Readiness};
use http::Method;
use tidelock_core::entry::RemoteStamp;
use tidelock_core::path::Key;

impl S3 {
    /// One page of the keys that begin with `prefix`, after the cursor.
    pub(super) async fn page(&self, prefix: &str, cursor: &Cursor) -> Result<Page> {
        let unordered = self.abilities.known(Ability::OrderedList) == Some(false);
        if unordered || self.client.bucket.ends_with("--x-s3") {
            return self.page_as(prefix, cursor, false).await.map(|(page, _)| page);
        }
        let (page, ordered) = self.page_as(prefix, cursor, true).await?;
        if !ordered {
            self.abilities.learn(Ability::OrderedList, false, false, self.client.server());
        }
        Ok(page)
    }

    /// The same, and whether it is in key order. Only where that is `hoped` for is
    /// what lies before the cursor taken for a server's way to start after it.
    pub(super) async fn page_as(&self, prefix: &str, cursor: &Cursor, hoped: bool) -> Result<(Page, bool)> {
        let mut request = Request::reading("list", Method::GET, None, "s3:ListBucket");
        request.query = vec![("list-type", "2"), ("encoding-type", "url")];
        if !prefix.is_empty() {
            request.query.push(("prefix", prefix));
        }
        match &cursor.token {
            Some(token) => request.query.push(("continuation-token", token)),
            None if !cursor.after.is_empty() => request.query.push(("start-after", &cursor.after)),
            None => {}
        }
        if self.client.is_amazon() {
            request.header("x-amz-optional-object-attributes", "RestoreStatus")?;
        }
        let reply = self.client.send(&request).await.map_err(as_bucket)?;
        let (status, headers) = (reply.status, reply.headers.clone());
        let body = reply.bytes().await?;
        let mut listing = parse(&body).map_err(|why| {
            if why != NO_LISTING {
                return broken(why);
            }
            let refusal = Refusal::read(status, &headers, &body);
            // It came with a success, and may be an error all the same.
            match refusal.code.as_str() {
                "" => broken(format!("{why}{}", not_s3(&self.client.url()))),
                _ => self.client.refused(&refusal, request.op, request.effect, request.permission),
            }
        })?;
        listing.admit(prefix, cursor).map_err(broken)?;
        let ordered = listing.start_after(cursor, hoped);
        let after = listing.objects.last().map_or_else(|| cursor.after.clone(), |last| last.key.as_str().to_owned());
        let next = listing.truncated.then_some(Cursor { after, token: listing.token });
        Ok((Page { objects: listing.objects, next }, ordered))
    }
}

const NO_LISTING: &str = "the reply is not a listing";

/// A listing is about the bucket: a bare 404 can only mean that.
fn as_bucket(error: Error) -> Error {
    if error.kind == ErrorKind::NotFound { Error { kind: ErrorKind::NoBucket, ..error } } else { error }
}

fn broken(why: String) -> Error {
    Error::new(ErrorKind::Corrupt, "list", why)
}

struct Listing {
    objects: Vec<Object>,
    truncated: bool,
    token: Option<String>,
}

impl Listing {
    /// Refuses a page that cannot be a part of a true listing.
    fn admit(&self, prefix: &str, cursor: &Cursor) -> std::result::Result<(), String> {
        if self.truncated && (self.token.is_none() || self.token == cursor.token) {
            return Err("the server's listing does not advance: it repeats its continuation token".to_owned());
        }
        if let Some(stray) = self.objects.iter().find(|object| !object.key.as_str().starts_with(prefix)) {
            return Err(format!("the server listed {:?}, which is outside the prefix {prefix:?}", stray.key));
        }
        Ok(())
    }

    /// Whether the page is in key order and lies after the cursor. If so, or if there
    /// is no hope of order, some servers' way of starting after a key is made up for.
    fn start_after(&mut self, cursor: &Cursor, hoped: bool) -> bool {
        let sorted = self.objects.is_sorted_by(|one, next| one.key < next.key);
        if cursor.token.is_some() {
            let first = self.objects.first().map(|object| object.key.as_str());
            return sorted && first.is_none_or(|first| first > cursor.after.as_str());
        }
        if hoped && sorted {
            // Some servers take no start-after and begin at the beginning.
            self.objects.retain(|object| object.key.as_str() > cursor.after.as_str());
        }
        sorted && self.objects.first().is_none_or(|first| first.key.as_str() > cursor.after.as_str())
    }
}

/// One entry while its elements arrive.
#[derive(Debug, Default, PartialEq, Eq)]
struct Draft {
    key: String,
    etag: String,
    size: Option<u64>,
    modified_s: Option<i64>,
    storage_class: Option<String>,
    thawing: bool,
    thawed: bool,
}

impl Draft {
    fn finish(self, encoded: bool) -> std::result::Result<Object, String> {
        let key = if encoded { decoded(&self.key).ok_or("a listed key is not valid UTF-8")? } else { self.key };
        let size = self.size.ok_or_else(|| format!("the listing gives no size for {key:?}"))?;
        let readiness = match is_archive(self.storage_class.as_deref()) {
            true if self.thawing => Readiness::Thawing,
            true if !self.thawed => Readiness::Archived,
            _ => Readiness::Ready,
        };
        Ok(Object {
            key: Key::new(key),
            stamp: RemoteStamp { etag: unquoted(&self.etag).to_owned(), size, modified_s: self.modified_s },
            storage_class: self.storage_class,
            version: None,
            readiness,
            meta: None,
            crc64nvme: None,
        })
    }
}

/// What a page says, as far as it matters.
#[derive(Debug, Default, PartialEq, Eq)]
struct Said {
    drafts: Vec<Draft>,
    token: Option<String>,
    ended: Option<String>,
    encoded: bool,
}

impl Said {
    fn take(&mut self, name: &str, text: &str) {
        match name {
            "IsTruncated" => self.ended = Some(text.to_owned()),
            "NextContinuationToken" => self.token = Some(text.to_owned()).filter(|token| !token.is_empty()),
            "EncodingType" => self.encoded = text == "url",
            _ => {}
        }
    }
}

fn parse(body: &[u8]) -> std::result::Result<Listing, String> {
    let Said { drafts, token, ended, encoded } = match quick::read(body) {
        Some(page) => page,
        None => slow(body)?,
    };
    let truncated = match ended.as_deref() {
        Some("true") => true,
        // Whatever it says, a way to go on means that there is more.
        Some("false") => token.is_some(),
        Some(other) => return Err(format!("the server says {other:?} to whether its listing goes on")),
        None => return Err("the server does not say whether its listing goes on".to_owned()),
    };
    let objects = drafts.into_iter().map(|draft| draft.finish(encoded)).collect::<std::result::Result<_, _>>()?;
    Ok(Listing { objects, truncated, token })
}

/// Reads any document.
fn slow(body: &[u8]) -> std::result::Result<Said, String> {
    let mut page = Said::default();
    let mut rooted = false;
    walk(body, |path, step| {
        let Some(name) = path.strip_prefix("ListBucketResult") else { return };
        let text = match step {
            Step::Open => {
                rooted = true;
                if name == "/Contents" {
                    page.drafts.push(Draft::default());
                }
                return;
            }
            Step::Close(text) => text,
        };
        match (name.strip_prefix("/Contents/"), page.drafts.last_mut()) {
            (Some(name), Some(draft)) => draft.take(name, text),
            _ => page.take(name.trim_start_matches('/'), text),
        }
    })
    .or_else(|why| if rooted { Err(why) } else { Ok(()) })?;
    if rooted { Ok(page) } else { Err(NO_LISTING.to_owned()) }
}

impl Draft {
    fn take(&mut self, name: &str, text: &str) {
        match name {
            "Key" => text.clone_into(&mut self.key),
            "ETag" => text.clone_into(&mut self.etag),
            "Size" => self.size = text.parse().ok(),
            "LastModified" => self.modified_s = iso_date(text),
            "StorageClass" => self.storage_class = storage_class(text),
            "RestoreStatus/IsRestoreInProgress" => self.thawing = text == "true",
            "RestoreStatus/RestoreExpiryDate" => self.thawed = true,
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LAST: &str = "<IsTruncated>false</IsTruncated>";

    fn document(keys: &[&str], tail: &str) -> String {
        let entries: String = keys
            .iter()
            .map(|key| format!("<Contents><Key>{key}</Key><Size>1</Size><ETag>&quot;e&quot;</ETag></Contents>"))
            .collect();
        format!("<ListBucketResult><EncodingType>url</EncodingType>{entries}{tail}</ListBucketResult>")
    }

    fn admit(keys: &[&str], tail: &str, cursor: &Cursor) -> std::result::Result<usize, String> {
        let mut listing = parse(document(keys, tail).as_bytes())?;
        listing.admit("", cursor)?;
        if !listing.start_after(cursor, true) {
            return Err("out of order".to_owned());
        }
        Ok(listing.objects.len())
    }

    #[test]
    fn an_entry() {
        let listing = parse(
            b"<ListBucketResult xmlns='x'><IsTruncated>false</IsTruncated><EncodingType>url</EncodingType><Contents>\
            <Key>a+b%2F%C3%A9</Key><LastModified>2024-02-29T00:00:01.000Z</LastModified><ETag>\"e-1\"</ETag>\
            <Size>7</Size><StorageClass>GLACIER</StorageClass><RestoreStatus><IsRestoreInProgress>true\
            </IsRestoreInProgress></RestoreStatus></Contents></ListBucketResult>",
        )
        .expect("readable");
        let object = &listing.objects[0];
        assert_eq!(object.key, Key::new("a b/é"));
        assert_eq!(object.stamp, RemoteStamp { etag: "e-1".into(), size: 7, modified_s: Some(1_709_164_801) });
        assert_eq!(object.readiness, Readiness::Thawing);
        assert!(!listing.truncated);
    }

    #[test]
    fn pages_must_advance_in_order() {
        let next = "<IsTruncated>true</IsTruncated><NextContinuationToken>t</NextContinuationToken>";
        let start = Cursor::start();
        let later = Cursor { after: "b".to_owned(), token: Some("t".to_owned()) };
        assert_eq!(admit(&["a", "b"], next, &start), Ok(2));
        assert!(admit(&["c"], next, &later).is_err(), "the same token again");
        assert!(admit(&["a"], LAST, &later).is_err(), "the same page again");
        assert!(admit(&["b", "a"], LAST, &start).is_err(), "out of order");
        assert!(admit(&["a"], "<IsTruncated>true</IsTruncated>", &start).is_err(), "no token");
        assert_eq!(admit(&["a", "b", "c"], LAST, &Cursor::after(&Key::new("b"))), Ok(1), "start-after ignored");
        assert!(parse(b"<html></html>").is_err());
    }

    #[test]
    fn the_end_must_be_said_and_a_token_means_more() {
        let truncated = |tail: &str| parse(document(&["a"], tail).as_bytes()).map(|listing| listing.truncated);
        let token = "<NextContinuationToken>t</NextContinuationToken>";
        assert_eq!(truncated(LAST), Ok(false));
        assert_eq!(truncated(&format!("{LAST}<NextContinuationToken/>")), Ok(false));
        assert_eq!(truncated(&format!("{LAST}{token}")), Ok(true));
        for odd in ["", token, "<IsTruncated/>", "<IsTruncated>True</IsTruncated>", "<IsTruncated>1</IsTruncated>"] {
            assert!(truncated(odd).is_err(), "{odd}");
        }
    }
}
