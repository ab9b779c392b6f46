//! S3's operations, as far as tools that sync use them.
//!
//! One request in, one answer out. Which operation it is follows from method, path and
//! query; what it does to the objects is in `store`. Signatures are not looked at.

use crate::body::{Answer, Unframe};
use crate::counts::Counts;
use crate::digest::{CRC64NVME, crc64nvme, hex, md5, md5_of_parts, verify};
use crate::store::{Body, Condition, Listed, Listing, Object, Refusal, Store};
use crate::xml::{self, CompleteUpload, Delete, Page, decoded};
use http::header::{
    CONTENT_LENGTH, CONTENT_TYPE, ETAG, HeaderName, HeaderValue, IF_MATCH, IF_NONE_MATCH, LAST_MODIFIED, RANGE,
};
use http::request::Parts;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How the sink behaves.
#[derive(Debug, Clone, Copy)]
pub struct Behaviour {
    /// Entity tags are MD5s; else such that nobody takes them for one.
    pub md5_etags: bool,
    /// Checksums are held against the bytes.
    pub verifies: bool,
    /// Bodies are forgotten, and read as zeros.
    pub discards: bool,
    /// What every request waits before it is answered.
    pub latency: Duration,
}

/// The server: what it holds, what it counts, how it behaves.
#[derive(Debug)]
pub struct Sink {
    pub store: Store,
    pub counts: Counts,
    pub behaviour: Behaviour,
}

type Answered = Result<Response<Answer>, Refusal>;

/// A request without its body.
struct Asked<'a> {
    head: &'a Parts,
    bucket: String,
    key: String,
    query: Vec<(String, String)>,
}

impl Asked<'_> {
    fn read(head: &Parts) -> Option<Asked<'_>> {
        let path = head.uri.path().strip_prefix('/')?;
        let (bucket, key) = path.split_once('/').unwrap_or((path, ""));
        let query = head.uri.query().unwrap_or_default();
        let pairs = query.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            Some((name.to_owned(), decoded(&value.replace('+', " "))?))
        });
        Some(Asked { head, bucket: decoded(bucket)?, key: decoded(key)?, query: pairs.collect::<Option<_>>()? })
    }

    fn query(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
    }

    fn has(&self, name: &str) -> bool {
        self.query(name).is_some()
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.head.headers.get(name).and_then(|value| value.to_str().ok())
    }

    fn condition(&self) -> Condition {
        let matches = self.header(IF_MATCH.as_str()).map(unquoted);
        Condition { absent: self.head.headers.contains_key(IF_NONE_MATCH), matches }
    }

    /// Bucket and key that are copied from.
    fn source(&self) -> Option<Result<(String, String), Refusal>> {
        let text = self.header("x-amz-copy-source")?;
        let text = text.trim_start_matches('/').split('?').next().unwrap_or_default();
        let whole = decoded(text).and_then(|text| text.split_once('/').map(|(a, b)| (a.to_owned(), b.to_owned())));
        Some(whole.ok_or(Refusal::InvalidArgument))
    }
}

impl Sink {
    /// Answers one request.
    pub async fn answer(&self, request: Request<Incoming>) -> Response<Answer> {
        let (head, incoming) = request.into_parts();
        if head.uri.path() == "/_sink" {
            let shown = self.counts.show(head.method == Method::POST);
            return Response::new(serde_json::to_string(&shown).unwrap_or_default().into());
        }
        let came = self.take(&head.headers, incoming).await;
        if !self.behaviour.latency.is_zero() {
            tokio::time::sleep(self.behaviour.latency).await;
        }
        let answered = match (came, Asked::read(&head)) {
            (Ok(body), Some(asked)) => self.operate(&asked, body),
            _ => Err(Refusal::InvalidArgument),
        };
        let answer = answered.unwrap_or_else(|refusal| {
            self.counts.add("refused");
            let (status, text) = xml::refused(refusal);
            let text = if head.method == Method::HEAD { String::new() } else { text };
            with_status(status, text)
        });
        self.counts.bytes_out.fetch_add(http_body::Body::size_hint(answer.body()).lower(), Ordering::Relaxed);
        answer
    }

    async fn take(&self, headers: &HeaderMap, mut incoming: Incoming) -> Result<Body, Refusal> {
        let is = |name: &str, what: &str| {
            headers.get(name).is_some_and(|value| value.as_bytes().starts_with(what.as_bytes()))
        };
        let framed = is("x-amz-content-sha256", "STREAMING-") || is("content-encoding", "aws-chunked");
        let (mut body, mut unframe) = (Body::default(), Unframe::default());
        while let Some(frame) = incoming.frame().await {
            let Ok(bytes) = frame.map_err(|_| Refusal::InvalidArgument)?.into_data() else { continue };
            self.counts.bytes_in.fetch_add(bytes.len() as u64, Ordering::Relaxed);
            if framed {
                unframe.take(bytes).ok_or(Refusal::InvalidArgument)?;
            } else {
                body.push(bytes);
            }
        }
        Ok(if framed { unframe.body } else { body })
    }

    fn operate(&self, asked: &Asked<'_>, body: Body) -> Answered {
        let (count, answered) = match (&asked.head.method, asked.bucket.is_empty(), asked.key.is_empty()) {
            (&Method::GET, true, _) => ("list", Ok(text(xml::buckets(&self.store.buckets())))),
            (_, false, true) => return self.on_bucket(asked, &body),
            (&Method::GET, false, false) if asked.has("uploadId") => ("other", self.parts(asked)),
            (&Method::GET, false, false) => ("get", self.read(asked, false)),
            (&Method::HEAD, false, false) => ("head", self.read(asked, true)),
            (&Method::DELETE, false, false) => match asked.query("uploadId") {
                Some(id) => ("abandon", self.store.abandon(id).map(|()| empty(StatusCode::NO_CONTENT))),
                None => ("delete", self.remove(asked)),
            },
            (&Method::POST, false, false) if asked.has("uploads") => ("begin", self.begin(asked)),
            (&Method::POST, false, false) if asked.has("uploadId") => ("complete", self.complete(asked, &body)),
            (&Method::PUT, false, false) => match (asked.source(), asked.has("uploadId")) {
                (Some(source), true) => ("part_copy", source.and_then(|source| self.copy_part(asked, &source))),
                (Some(source), false) => ("copy", source.and_then(|source| self.copy(asked, &source))),
                (None, true) => ("part", self.part(asked, body)),
                (None, false) => ("put", self.put(asked, body)),
            },
            _ => ("other", Err(Refusal::NotImplemented)),
        };
        self.counts.add(count);
        answered
    }

    fn on_bucket(&self, asked: &Asked<'_>, body: &Body) -> Answered {
        let bucket = asked.bucket.as_str();
        let (count, answered) = match asked.head.method {
            Method::PUT => {
                self.store.make_bucket(bucket);
                ("other", Ok(empty(StatusCode::OK)))
            }
            Method::DELETE => ("other", self.store.remove_bucket(bucket).map(|()| empty(StatusCode::NO_CONTENT))),
            Method::HEAD => ("other", self.store.has_bucket(bucket).map(|()| empty(StatusCode::OK))),
            Method::POST if asked.has("delete") => ("delete_many", self.remove_many(bucket, body)),
            Method::GET if asked.has("location") => {
                ("other", self.store.has_bucket(bucket).map(|()| text(xml::location())))
            }
            Method::GET if asked.has("versioning") => {
                ("other", self.store.has_bucket(bucket).map(|()| text(xml::unversioned())))
            }
            Method::GET if asked.has("uploads") => {
                let found = self.store.uploads(bucket, asked.query("prefix").unwrap_or_default());
                ("other", Ok(text(xml::uploads(bucket, &found))))
            }
            Method::GET if ["versions", "acl", "policy", "cors"].iter().all(|name| !asked.has(name)) => {
                ("list", self.list(asked))
            }
            _ => ("other", Err(Refusal::NotImplemented)),
        };
        self.counts.add(count);
        answered
    }

    fn list(&self, asked: &Asked<'_>) -> Answered {
        let v2 = asked.query("list-type") == Some("2");
        let token = asked.query("continuation-token").map(|token| decoded(token).ok_or(Refusal::InvalidArgument));
        let token = token.transpose()?;
        let begin = if v2 { asked.query("start-after") } else { asked.query("marker") };
        let after = token.as_deref().or(begin).unwrap_or_default();
        let limit = asked.query("max-keys").and_then(|text| text.parse().ok()).unwrap_or(1000).min(1000);
        let prefix = asked.query("prefix").unwrap_or_default();
        let delimiter = asked.query("delimiter").filter(|text| !text.is_empty());
        let (found, more) = self.store.list(&asked.bucket, &Listing { prefix, after, delimiter, limit })?;
        let last = found.last().map(|listed| match listed {
            Listed::Object(key, _) => key.clone(),
            Listed::Prefix(prefix) => prefix.clone(),
        });
        let url_encoded = asked.query("encoding-type") == Some("url");
        let next = last.filter(|_| more);
        let page = Page { bucket: &asked.bucket, prefix, delimiter, limit, url_encoded, found: &found, next, v2 };
        Ok(text(page.write()))
    }

    fn read(&self, asked: &Asked<'_>, head_only: bool) -> Answered {
        let object = self.store.get(&asked.bucket, &asked.key)?;
        let matches = |name: HeaderName| asked.header(name.as_str()).map(|etag| unquoted(etag) == object.etag);
        if matches(IF_MATCH) == Some(false) {
            return Err(Refusal::PreconditionFailed);
        }
        if matches(IF_NONE_MATCH) == Some(true) {
            return Ok(empty(StatusCode::NOT_MODIFIED));
        }
        let len = object.body.len;
        let range =
            asked.header(RANGE.as_str()).map(|text| range(text, len).ok_or(Refusal::InvalidRange)).transpose()?;
        let (from, to) = range.unwrap_or((0, len));
        let body = if head_only { Body::default() } else { object.body.slice(from, to) };
        let mut answer = Response::new(Answer::from(body));
        let headers = answer.headers_mut();
        headers.extend(object.headers.iter().cloned());
        headers.insert(ETAG, quoted(&object.etag)?);
        headers.insert(LAST_MODIFIED, value(&http_date(object.modified_s))?);
        headers.insert(CONTENT_LENGTH, (to - from).into());
        headers.insert("accept-ranges", HeaderValue::from_static("bytes"));
        if range.is_some() {
            headers.insert("content-range", value(&format!("bytes {from}-{}/{len}", to.saturating_sub(1)))?);
            *answer.status_mut() = StatusCode::PARTIAL_CONTENT;
        }
        Ok(answer)
    }

    fn object(
        &self,
        asked: &Asked<'_>,
        mut body: Body,
        headers: Vec<(HeaderName, HeaderValue)>,
    ) -> Result<Object, Refusal> {
        let mut headers = headers;
        if self.behaviour.verifies {
            verify(&body, &asked.head.headers)?;
            if !headers.iter().any(|(name, _)| name.as_str().starts_with("x-amz-checksum-")) {
                headers.push((HeaderName::from_static(CRC64NVME), value(&crc64nvme(&body))?));
            }
        }
        let etag = if self.behaviour.md5_etags { hex(&md5(&body)) } else { self.fast_etag() };
        if self.behaviour.discards {
            body.discard();
        }
        Ok(Object { body, etag, modified_s: now_s(), headers })
    }

    /// A tag like that of an upload in one part, which nobody takes for an MD5.
    fn fast_etag(&self) -> String {
        format!("{:032x}-1", self.store.fresh_id())
    }

    fn put(&self, asked: &Asked<'_>, body: Body) -> Answered {
        let object = self.object(asked, body, kept(&asked.head.headers))?;
        let etag = quoted(&object.etag)?;
        self.store.put(&asked.bucket, &asked.key, object, &asked.condition())?;
        Ok(tagged(etag))
    }

    fn remove(&self, asked: &Asked<'_>) -> Answered {
        self.store.remove(&asked.bucket, &asked.key, &asked.condition())?;
        Ok(empty(StatusCode::NO_CONTENT))
    }

    fn remove_many(&self, bucket: &str, body: &Body) -> Answered {
        self.store.has_bucket(bucket)?;
        let bytes = body.pieces.concat();
        let request: Delete = xml::read(std::str::from_utf8(&bytes).map_err(|_| Refusal::InvalidArgument)?)?;
        let one = |object: xml::DeleteObject| {
            let condition = Condition { absent: false, matches: object.etag.as_deref().map(unquoted) };
            let outcome = self.store.remove(bucket, &object.key, &condition);
            (object.key, outcome)
        };
        let outcomes: Vec<_> = request.objects.into_iter().map(one).collect();
        Ok(text(xml::deleted(request.quiet, &outcomes)))
    }

    fn copy_source(&self, asked: &Asked<'_>, source: &(String, String)) -> Result<Arc<Object>, Refusal> {
        let object = self.store.get(&source.0, &source.1)?;
        match asked.header("x-amz-copy-source-if-match") {
            Some(etag) if unquoted(etag) != object.etag => Err(Refusal::PreconditionFailed),
            _ => Ok(object),
        }
    }

    fn copy(&self, asked: &Asked<'_>, source: &(String, String)) -> Answered {
        let from = self.copy_source(asked, source)?;
        let mut object = Object { modified_s: now_s(), ..from.as_ref().clone() };
        if asked.header("x-amz-metadata-directive") == Some("REPLACE") {
            // What was computed of the bytes goes with them.
            object.headers.retain(|(name, _)| name.as_str().starts_with("x-amz-checksum-"));
            object.headers.extend(kept(&asked.head.headers));
        }
        let answer = xml::copied("CopyObjectResult", &object);
        self.store.put(&asked.bucket, &asked.key, object, &asked.condition())?;
        Ok(text(answer))
    }

    fn begin(&self, asked: &Asked<'_>) -> Answered {
        let id = self.store.begin(&asked.bucket, &asked.key, kept(&asked.head.headers), now_s())?;
        Ok(text(xml::begun(&asked.bucket, &asked.key, &id)))
    }

    fn part(&self, asked: &Asked<'_>, body: Body) -> Answered {
        let (id, number) = part_of(asked)?;
        let part = self.object(asked, body, Vec::new())?;
        let etag = quoted(&part.etag)?;
        self.store.take_part(id, number, part)?;
        Ok(tagged(etag))
    }

    fn copy_part(&self, asked: &Asked<'_>, source: &(String, String)) -> Answered {
        let (id, number) = part_of(asked)?;
        let from = self.copy_source(asked, source)?;
        let len = from.body.len;
        let range = asked.header("x-amz-copy-source-range").map(|text| range(text, len).ok_or(Refusal::InvalidRange));
        let (begin, end) = range.transpose()?.unwrap_or((0, len));
        let part = self.object(asked, from.body.slice(begin, end), Vec::new())?;
        let answer = xml::copied("CopyPartResult", &part);
        self.store.take_part(id, number, part)?;
        Ok(text(answer))
    }

    fn parts(&self, asked: &Asked<'_>) -> Answered {
        let id = asked.query("uploadId").unwrap_or_default();
        let parts = self.store.parts(id)?;
        Ok(text(xml::parts(&asked.key, id, parts.iter().map(|(number, part)| (*number, part.as_ref())))))
    }

    fn complete(&self, asked: &Asked<'_>, body: &Body) -> Answered {
        let id = asked.query("uploadId").unwrap_or_default();
        let bytes = body.pieces.concat();
        let wanted: CompleteUpload = xml::read(std::str::from_utf8(&bytes).map_err(|_| Refusal::InvalidArgument)?)?;
        let parts = self.store.parts(id)?;
        let mut whole = Body::default();
        let mut last = 0;
        for part in &wanted.parts {
            let found = parts.iter().find(|(number, _)| *number == part.number).map(|(_, found)| found);
            let found = found.filter(|found| found.etag == unquoted(&part.etag) && part.number > last);
            whole.append(&found.ok_or(Refusal::InvalidPart)?.body);
            last = part.number;
        }
        if self.behaviour.verifies {
            verify(&whole, &asked.head.headers)?;
        }
        let etag = match self.behaviour.md5_etags {
            true => md5_of_parts(wanted.parts.iter().map(|part| part.etag.trim_matches('"'))),
            false => format!("{:032x}-{}", self.store.fresh_id(), wanted.parts.len()),
        };
        let mut headers = self.store.headers_of(id)?;
        headers.extend(kept(&asked.head.headers).into_iter().filter(|(name, _)| name != CONTENT_TYPE));
        let object = Object { body: whole, etag: etag.clone(), modified_s: now_s(), headers };
        self.store.put(&asked.bucket, &asked.key, object, &asked.condition())?;
        self.store.abandon(id)?;
        Ok(text(xml::completed(&asked.bucket, &asked.key, &etag)))
    }
}

fn part_of<'a>(asked: &'a Asked<'_>) -> Result<(&'a str, u32), Refusal> {
    let number =
        asked.query("partNumber").and_then(|text| text.parse().ok()).filter(|number| (1..=10_000).contains(number));
    Ok((asked.query("uploadId").unwrap_or_default(), number.ok_or(Refusal::InvalidArgument)?))
}

/// The headers that an object keeps.
fn kept(headers: &HeaderMap) -> Vec<(HeaderName, HeaderValue)> {
    const SAME: [&str; 5] = ["content-type", "cache-control", "content-disposition", "content-language", "expires"];
    const NOT_KEPT: [&str; 2] = ["x-amz-checksum-algorithm", "x-amz-checksum-type"];
    let is_kept = |name: &str| {
        SAME.contains(&name)
            || name.starts_with("x-amz-meta-")
            || name.starts_with("x-amz-checksum-") && !NOT_KEPT.contains(&name)
            || name == "x-amz-storage-class" && headers.get(name).is_none_or(|class| class != "STANDARD")
            || name == "content-encoding" && headers.get(name).is_none_or(|encoding| encoding != "aws-chunked")
    };
    headers
        .iter()
        .filter(|(name, _)| is_kept(name.as_str()))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

/// `bytes=FROM-TO`, `bytes=FROM-` or `bytes=-LAST` of so many bytes, as from and behind.
fn range(text: &str, len: u64) -> Option<(u64, u64)> {
    let (from, to) = text.strip_prefix("bytes=")?.split_once('-')?;
    let (from, to) = match (from, to) {
        ("", last) => (len.saturating_sub(last.parse().ok()?), len),
        (from, "") => (from.parse().ok()?, len),
        (from, to) => (from.parse().ok()?, to.parse::<u64>().ok()?.saturating_add(1).min(len)),
    };
    (from < to).then_some((from, to))
}

fn unquoted(etag: &str) -> String {
    etag.trim().trim_matches('"').to_owned()
}

fn quoted(etag: &str) -> Result<HeaderValue, Refusal> {
    value(&format!("\"{etag}\""))
}

fn value(text: &str) -> Result<HeaderValue, Refusal> {
    HeaderValue::from_str(text).map_err(|_| Refusal::InvalidArgument)
}

fn now_s() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

/// As of RFC 9110.
fn http_date(at_s: i64) -> String {
    jiff::Timestamp::from_second(at_s).unwrap_or_default().strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

fn with_status(status: StatusCode, text: String) -> Response<Answer> {
    let mut answer = Response::new(Answer::from(text));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/xml"));
    answer
}

fn text(text: String) -> Response<Answer> {
    with_status(StatusCode::OK, text)
}

fn tagged(etag: HeaderValue) -> Response<Answer> {
    let mut answer = empty(StatusCode::OK);
    answer.headers_mut().insert(ETAG, etag);
    answer
}

fn empty(status: StatusCode) -> Response<Answer> {
    let mut answer = Response::new(Answer::default());
    *answer.status_mut() = status;
    answer
}
