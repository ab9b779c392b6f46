//! S3's operations, as far as tools that sync use them.
//!
//! One request in, one answer out. Which operation it is follows from method, path and
//! query; what it does to the objects is in `store`. Signatures are not looked at.
//! Below `/_sink` is what the bench asks: counters, inventories, empty buckets.

mod uploads;

use crate::body::{Answer, Unframe};
use crate::counts::Counts;
use crate::digest::{self, Checksums, Kind, Sum, hex, md5, verify};
use crate::store::{Body, Condition, Listed, Listing, Object, Refusal, Store};
use crate::xml::{self, Delete, Page, decoded};
use http::header::{
    CONTENT_LENGTH, CONTENT_TYPE, ETAG, HeaderName, HeaderValue, IF_MATCH, IF_NONE_MATCH, LAST_MODIFIED, RANGE,
};
use http::request::Parts;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How the sink behaves.
#[derive(Debug, Clone, Copy)]
pub struct Behaviour {
    /// Entity tags are MD5s; else such that nobody takes them for one.
    pub md5_etags: bool,
    /// Which checksums are held against the bytes.
    pub checksums: Checksums,
    /// Bodies are forgotten, and read as zeros, but for small ones.
    pub discards: bool,
}

/// The server: what it holds, what it counts, how it behaves.
#[derive(Debug)]
pub struct Sink {
    pub store: Store,
    pub counts: Counts,
    pub behaviour: Behaviour,
    /// What every request waits before it is answered.
    pub latency_ms: AtomicU64,
}

/// Smaller bodies are kept in any case: by those, clients find out what a server does.
const DISCARDED_FROM: u64 = 1024;

type Trailers = Vec<(String, String)>;
type Answered = Result<Response<Answer>, Refusal>;

/// A request without its body.
struct Asked<'a> {
    head: &'a Parts,
    bucket: String,
    key: String,
    query: Vec<(String, String)>,
    /// Checksums that came with the request.
    sums: Vec<Sum>,
}

impl Asked<'_> {
    fn read<'a>(head: &'a Parts, trailers: &[(String, String)]) -> Option<Asked<'a>> {
        let path = head.uri.path().strip_prefix('/')?;
        let (bucket, key) = path.split_once('/').unwrap_or((path, ""));
        let query = head.uri.query().unwrap_or_default();
        let pairs = query.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            Some((name.to_owned(), decoded(&value.replace('+', " "))?))
        });
        let sums = digest::sent(&head.headers, trailers);
        Some(Asked { head, bucket: decoded(bucket)?, key: decoded(key)?, query: pairs.collect::<Option<_>>()?, sums })
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
        if let Some(rest) = head.uri.path().strip_prefix("/_sink") {
            return self.control(&head.method, rest.trim_start_matches('/'), head.uri.query().unwrap_or_default());
        }
        let came = self.take(&head.headers, incoming).await;
        match self.latency_ms.load(Ordering::Relaxed) {
            0 => {}
            latency_ms => tokio::time::sleep(Duration::from_millis(latency_ms)).await,
        }
        let answered = came.and_then(|(body, trailers)| {
            let asked = Asked::read(&head, &trailers).ok_or(Refusal::InvalidArgument)?;
            self.operate(&asked, body)
        });
        let answer = answered.unwrap_or_else(|refusal| {
            self.counts.add("refused");
            let (status, text) = xml::refused(refusal);
            let text = if head.method == Method::HEAD { String::new() } else { text };
            with_status(status, text)
        });
        self.counts.bytes_out.fetch_add(http_body::Body::size_hint(answer.body()).lower(), Ordering::Relaxed);
        answer
    }

    /// What the bench asks: `/_sink` tells the counters, and with POST sets them to zero;
    /// `PUT /_sink?latency_ms=N` lets requests wait; `/_sink/BUCKET` lists what is there,
    /// and with DELETE empties it.
    fn control(&self, method: &Method, bucket: &str, query: &str) -> Response<Answer> {
        let answer = match (method, bucket) {
            (&Method::PUT, "") => match query.strip_prefix("latency_ms=").and_then(|text| text.parse().ok()) {
                Some(latency_ms) => {
                    self.latency_ms.store(latency_ms, Ordering::Relaxed);
                    String::new()
                }
                None => return empty(StatusCode::BAD_REQUEST),
            },
            (_, "") => serde_json::to_string(&self.counts.show(method == Method::POST)).unwrap_or_default(),
            (&Method::DELETE, bucket) => {
                self.store.empty_bucket(bucket);
                String::new()
            }
            (_, bucket) => match self.store.inventory(bucket) {
                Ok(text) => text,
                Err(_) => return empty(StatusCode::NOT_FOUND),
            },
        };
        Response::new(answer.into())
    }

    /// The body, and what came behind it.
    async fn take(&self, headers: &HeaderMap, mut incoming: Incoming) -> Result<(Body, Trailers), Refusal> {
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
        Ok(if framed { (unframe.body, unframe.trailers) } else { (body, Vec::new()) })
    }

    fn operate(&self, asked: &Asked<'_>, body: Body) -> Answered {
        let (count, answered) = match (&asked.head.method, asked.bucket.is_empty(), asked.key.is_empty()) {
            (&Method::GET, true, _) => ("list", Ok(text(xml::buckets(&self.store.buckets())))),
            (_, false, true) => return self.on_bucket(asked, &body),
            (&Method::GET, false, false) if asked.has("uploadId") => ("list", self.list_parts(asked)),
            (&Method::GET, false, false) => ("get", self.read(asked, false)),
            (&Method::HEAD, false, false) => ("head", self.read(asked, true)),
            (&Method::DELETE, false, false) => match asked.query("uploadId") {
                Some(_) => ("abandon", self.abandon(asked)),
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
            Method::GET if asked.has("uploads") => ("list", self.list_uploads(asked)),
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
        if range.is_none() && asked.header("x-amz-checksum-mode").is_some() {
            say(headers, &object.sums)?;
        }
        if range.is_some() {
            headers.insert("content-range", value(&format!("bytes {from}-{}/{len}", to.saturating_sub(1)))?);
            *answer.status_mut() = StatusCode::PARTIAL_CONTENT;
        }
        Ok(answer)
    }

    /// What was sent, as an object: checked, with a checksum of this kind if it has none.
    fn object(&self, asked: &Asked<'_>, mut body: Body, kind: Kind) -> Result<Object, Refusal> {
        if asked.header("x-amz-copy-source").is_none() {
            self.counts.bytes_stored.fetch_add(body.len, Ordering::Relaxed);
        }
        verify(&body, &asked.head.headers, &asked.sums, self.behaviour.checksums)?;
        let mut sums = asked.sums.clone();
        if self.behaviour.checksums != Checksums::None && sums.iter().all(|sum| sum.kind != kind) {
            sums.extend(digest::of_body(&body, kind));
        }
        let etag = if self.behaviour.md5_etags { hex(&md5(&body)) } else { self.fast_etag() };
        if self.behaviour.discards && body.len >= DISCARDED_FROM {
            body.forget();
        }
        Ok(Object { body, etag, modified_s: now_s(), headers: Vec::new(), sums })
    }

    /// A tag like that of an upload in one part, which nobody takes for an MD5.
    fn fast_etag(&self) -> String {
        format!("{:032x}-1", self.store.fresh_id())
    }

    fn put(&self, asked: &Asked<'_>, body: Body) -> Answered {
        let kind = asked.sums.first().map_or(Kind::Crc64Nvme, |sum| sum.kind);
        let object = Object { headers: kept(&asked.head.headers), ..self.object(asked, body, kind)? };
        let answer = stored(&object)?;
        self.store.put(&asked.bucket, &asked.key, object, &asked.condition())?;
        Ok(answer)
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
            object.headers = kept(&asked.head.headers);
        }
        let answer = xml::copied("CopyObjectResult", &object);
        self.store.put(&asked.bucket, &asked.key, object, &asked.condition())?;
        Ok(text(answer))
    }
}

/// The headers that an object keeps.
fn kept(headers: &HeaderMap) -> Vec<(HeaderName, HeaderValue)> {
    const SAME: [&str; 5] = ["content-type", "cache-control", "content-disposition", "content-language", "expires"];
    let is_kept = |name: &str| {
        SAME.contains(&name)
            || name.starts_with("x-amz-meta-")
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

/// The answer to bytes that were taken.
fn stored(object: &Object) -> Answered {
    let mut answer = empty(StatusCode::OK);
    answer.headers_mut().insert(ETAG, quoted(&object.etag)?);
    say(answer.headers_mut(), &object.sums)?;
    Ok(answer)
}

/// Checksums as headers.
fn say(headers: &mut HeaderMap, sums: &[Sum]) -> Result<(), Refusal> {
    for sum in sums {
        headers.insert(sum.kind.header(), value(&sum.text())?);
        headers.insert("x-amz-checksum-type", HeaderValue::from_static(sum.type_name()));
    }
    Ok(())
}

fn empty(status: StatusCode) -> Response<Answer> {
    let mut answer = Response::new(Answer::default());
    *answer.status_mut() = status;
    answer
}
