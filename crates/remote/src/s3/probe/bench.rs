//! Where abilities are tried: a few keys of our own, and a record of all that must
//! be removed again. It writes with bare requests, so that what is already known
//! or believed of the place changes nothing.

use crate::Cursor;
use crate::error::{Error, ErrorKind, Result};
use crate::s3::S3;
use crate::s3::abilities::Trial;
use crate::s3::address::decoded;
use crate::s3::client::Request;
use crate::s3::headers::{self, quoted, unquoted};
use crate::s3::refusal::Effect;
use crate::s3::xml::{Step, walk};
use bytes::Bytes;
use http::Method;
use tidelock_core::path::Key;

/// How all keys begin that are used for trials.
pub(super) const PROBE: &str = ".tidelock/probe-";

/// An ETag that no object has.
pub(super) const WRONG_ETAG: &str = "00000000000000000000000000000000";

/// What became of a request that a place may refuse, grant or not understand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answer {
    /// Done; the ETag, where there is one.
    Granted(String),
    /// Refused, because the condition or the checksum did not hold.
    Refused,
    /// Not understood.
    Foreign,
}

impl Answer {
    pub(super) fn is_granted(&self) -> bool {
        matches!(self, Self::Granted(_))
    }

    pub(super) fn is_refused(&self) -> bool {
        *self == Self::Refused
    }
}

/// A request's extra headers.
pub(super) type Extra<'a> = &'a [(&'a str, &'a str)];

/// How old, on the server's clock, what is left of a trial must be before another run
/// clears it away: its own may still be at it.
const ABANDONED_S: i64 = 3600;

/// Clears away what runs that were killed in their trials have left. A courtesy: what
/// cannot be listed or removed stays.
pub(super) async fn sweep(s3: &S3) {
    let stem = format!("{}{PROBE}", s3.probe_prefix);
    let Ok((page, _)) = s3.page_as(&stem, &Cursor::start(), false).await else { return };
    let now_s = s3.client.world.clock.wall_ns() / 1_000_000_000 + s3.client.clock_skew_ms().unwrap_or(0) / 1000;
    let bench = Bench::new(s3);
    for object in page.objects {
        let is_old = object.stamp.modified_s.is_some_and(|then_s| now_s - then_s > ABANDONED_S);
        // A listing with keys outside the prefix would have been refused.
        if is_old {
            let _ = bench.wipe(&object.key, None).await;
        }
    }
}

/// A few keys, and what has to be cleared away.
pub(super) struct Bench<'a> {
    pub(super) s3: &'a S3,
    stem: String,
    keys: Vec<Key>,
    versions: Vec<(Key, String)>,
    uploads: Vec<(Key, String)>,
    /// On record from before the first write.
    trial: Option<Box<dyn Trial>>,
    /// A request was not understood.
    pub(super) foreign: bool,
}

impl<'a> Bench<'a> {
    pub(super) fn new(s3: &'a S3) -> Self {
        Self::with_stem(s3, format!("{}{PROBE}{}", s3.probe_prefix, s3.client.world.token()))
    }

    /// The one of an earlier trial.
    pub(super) fn with_stem(s3: &'a S3, stem: String) -> Self {
        Self { s3, stem, keys: Vec::new(), versions: Vec::new(), uploads: Vec::new(), trial: None, foreign: false }
    }

    /// Puts on record what is about to be written, once.
    fn record(&mut self) {
        if self.trial.is_none() {
            self.trial = self.s3.abilities.begin_trial(&self.stem);
        }
    }

    /// One of our keys.
    pub(super) fn key(&self, name: &str) -> Key {
        Key::new(format!("{}/{name}", self.stem))
    }

    /// How all of them begin.
    pub(super) fn stem(&self) -> String {
        format!("{}/", self.stem)
    }

    /// A PUT that is expected to work. It says that the key is free, because some
    /// buckets let nobody write who says nothing.
    pub(super) async fn create(&mut self, key: &Key, body: &str) -> Result<String> {
        let foreign = self.foreign;
        let mut answer = self.put(key, body, &[("if-none-match", "*")]).await?;
        if answer == Answer::Foreign {
            self.foreign = foreign;
            answer = self.put(key, body, &[]).await?;
        }
        match answer {
            Answer::Granted(etag) => Ok(etag),
            _ => Err(Error::new(ErrorKind::Other, "probe", "the server refused a plain PUT").on(key)),
        }
    }

    /// A PUT.
    pub(super) async fn put(&mut self, key: &Key, body: &str, extra: Extra<'_>) -> Result<Answer> {
        let mut request = Request::changing("probe", Method::PUT, Some(key), "s3:PutObject");
        request.body = Bytes::copy_from_slice(body.as_bytes());
        self.write(key, request, extra).await
    }

    /// A copy of one of our keys to another.
    pub(super) async fn copy(&mut self, from: &Key, to: &Key, extra: Extra<'_>) -> Result<Answer> {
        let mut request = Request::changing("probe", Method::PUT, Some(to), "s3:PutObject and s3:GetObject");
        request.header("x-amz-copy-source", &self.source(from))?;
        self.write(to, request, extra).await
    }

    pub(super) fn source(&self, from: &Key) -> String {
        format!("/{}/{}", self.s3.client.bucket, crate::s3::address::encoded(from.as_str(), true))
    }

    /// A deletion of one key.
    pub(super) async fn delete(&mut self, key: &Key, extra: Extra<'_>) -> Result<Answer> {
        let request = Request::changing("probe", Method::DELETE, Some(key), "s3:DeleteObject");
        self.write(key, request, extra).await
    }

    /// Begins an upload.
    pub(super) async fn begin(&mut self, key: &Key, extra: Extra<'_>) -> Result<Option<String>> {
        let mut request = Request::changing("probe", Method::POST, Some(key), "s3:PutObject");
        request.query = vec![("uploads", "")];
        add(&mut request, extra)?;
        self.record();
        let body = match self.s3.client.send(&request).await {
            Ok(reply) => reply.bytes().await?,
            Err(error) => return self.judge(error).map(|_| None),
        };
        let id = element(&body, "UploadId");
        if let Some(id) = &id {
            self.uploads.push((key.clone(), id.clone()));
        }
        Ok(id)
    }

    /// Sends or copies the first part of an upload: its ETag, quoted.
    pub(super) async fn part(&mut self, key: &Key, upload: &str, body: &str, extra: Extra<'_>) -> Result<Answer> {
        let mut request = Request::changing("probe", Method::PUT, Some(key), "s3:PutObject");
        request.query = vec![("partNumber", "1"), ("uploadId", upload)];
        request.body = Bytes::copy_from_slice(body.as_bytes());
        add(&mut request, extra)?;
        self.answer(&request).await
    }

    /// Completes an upload of one part.
    pub(super) async fn complete(&mut self, key: &Key, upload: &str, etag: &str, extra: Extra<'_>) -> Result<Answer> {
        let mut request = Request::changing("probe", Method::POST, Some(key), "s3:PutObject");
        request.query = vec![("uploadId", upload)];
        let crc = extra.iter().find(|(name, _)| *name == "part-crc64nvme").map(|(_, value)| *value);
        let crc = crc.map(|sum| format!("<ChecksumCRC64NVME>{sum}</ChecksumCRC64NVME>")).unwrap_or_default();
        request.body = Bytes::from(format!(
            "<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Part>\
             <PartNumber>1</PartNumber><ETag>&quot;{etag}&quot;</ETag>{crc}</Part></CompleteMultipartUpload>"
        ));
        request.header("content-type", "application/xml")?;
        let extra: Vec<_> = extra.iter().filter(|(name, _)| *name != "part-crc64nvme").copied().collect();
        self.write(key, request, &extra).await
    }

    /// What is stored at a key.
    pub(super) async fn read(&self, key: &Key) -> Result<Option<String>> {
        let request = Request::reading("probe", Method::GET, Some(key), "s3:GetObject");
        match self.s3.client.send(&request).await {
            Ok(reply) => Ok(Some(String::from_utf8_lossy(&reply.bytes().await?).into_owned())),
            Err(error) if error.kind == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn write(&mut self, key: &Key, mut request: Request<'_>, extra: Extra<'_>) -> Result<Answer> {
        add(&mut request, extra)?;
        self.record();
        let answer = self.answer(&request).await;
        // A place that asks for patience has not even looked at it.
        let is_untouched = answer.as_ref().is_err_and(|error| matches!(error.kind, ErrorKind::Busy(_)));
        if !is_untouched && !self.keys.contains(key) {
            self.keys.push(key.clone());
        }
        answer
    }

    async fn answer(&mut self, request: &Request<'_>) -> Result<Answer> {
        let reply = match self.s3.client.send(request).await {
            Ok(reply) => reply,
            Err(error) => return self.judge(error),
        };
        if let (Some(key), Some(version)) = (request.key, headers::version(&reply.headers)) {
            self.versions.push((key.clone(), version));
        }
        let etag = reply.header("etag").map(|etag| unquoted(etag).to_owned());
        let body = reply.bytes().await?;
        if let Some(code) = element(&body, "Code") {
            let refusal = crate::s3::refusal::Refusal { status: 200, code, ..Default::default() };
            return self.judge(self.s3.client.refused(&refusal, "probe", Effect::Changes, request.permission));
        }
        let written = element(&body, "ETag").map(|etag| unquoted(&etag).to_owned());
        Ok(Answer::Granted(written.or(etag).unwrap_or_default()))
    }

    /// Whether an error is an answer, and which.
    fn judge(&mut self, error: Error) -> Result<Answer> {
        match error.kind {
            ErrorKind::Precondition
            | ErrorKind::Conflict
            | ErrorKind::NotFound
            | ErrorKind::NoUpload
            | ErrorKind::Corrupt => Ok(Answer::Refused),
            ErrorKind::Unsupported | ErrorKind::Name | ErrorKind::Other => {
                self.foreign = true;
                Ok(Answer::Foreign)
            }
            _ => Err(error),
        }
    }

    /// Removes everything that was written, every version of it. Credentials that
    /// may not delete cannot, and are none the worse for it: a few small objects
    /// stay.
    pub(super) async fn clear(self) -> Result<()> {
        let mut first_error = None;
        for (key, upload) in &self.uploads {
            if let Err(error) = self.s3.give_up(key, upload).await
                && error.kind != ErrorKind::Denied
            {
                first_error.get_or_insert(error);
            }
        }
        // A deletion in a batch leaves a marker that only a listing knows.
        let kept = match self.versions.is_empty() {
            true => Vec::new(),
            false => self.list_versions().await.unwrap_or_else(|_| self.versions.clone()),
        };
        for (key, version) in &kept {
            // Who may not delete versions leaves them to the bucket's own rules.
            let _ = self.wipe(key, Some(version)).await;
        }
        for key in &self.keys {
            if !self.versions.is_empty() && matches!(self.read(key).await, Ok(None)) {
                continue;
            }
            if let Err(error) = self.wipe(key, None).await
                && error.kind != ErrorKind::Denied
            {
                first_error.get_or_insert(error);
            }
        }
        match (first_error, self.trial) {
            // What could not be removed stays on record.
            (Some(error), _) => Err(error),
            (None, trial) => {
                trial.into_iter().for_each(Trial::over);
                Ok(())
            }
        }
    }

    /// Every version and marker below our stem.
    pub(super) async fn list_versions(&self) -> Result<Vec<(Key, String)>> {
        let mut request = Request::reading("probe", Method::GET, None, "s3:ListBucketVersions");
        let stem = self.stem();
        request.query = vec![("versions", ""), ("prefix", &stem), ("encoding-type", "url")];
        let body = self.s3.client.send(&request).await?.bytes().await?;
        let (mut key, mut found) = (String::new(), Vec::new());
        let walked = walk(&body, |path, step| {
            let Step::Close(text) = step else { return };
            match path.split_once('/') {
                Some((_, "Version/Key" | "DeleteMarker/Key")) => key = decoded(text).unwrap_or_default(),
                Some((_, "Version/VersionId" | "DeleteMarker/VersionId")) => {
                    found.push((Key::new(key.as_str()), text.to_owned()));
                }
                _ => {}
            }
        });
        walked.map_err(|why| Error::new(ErrorKind::Other, "probe", why))?;
        // A server that ignores the prefix lists what is not ours to remove.
        found.retain(|(key, _)| key.as_str().starts_with(&stem));
        Ok(found)
    }

    pub(super) async fn wipe(&self, key: &Key, version: Option<&str>) -> Result<()> {
        let permission = if version.is_some() { "s3:DeleteObjectVersion" } else { "s3:DeleteObject" };
        let mut request = Request::reading("probe", Method::DELETE, Some(key), permission);
        request.query.extend(version.map(|id| ("versionId", id)));
        let mut failed = 0;
        loop {
            match self.s3.client.send(&request).await {
                Ok(_) => return Ok(()),
                Err(error) if error.kind == ErrorKind::NotFound => return Ok(()),
                Err(error) => {
                    failed += 1;
                    if failed >= super::ATTEMPTS {
                        return Err(error);
                    }
                    self.s3.pause(failed, error).await?;
                }
            }
        }
    }
}

/// The header of a condition on an ETag.
pub(super) fn tag(etag: &str) -> String {
    quoted(etag)
}

fn add(request: &mut Request<'_>, extra: Extra<'_>) -> Result<()> {
    extra.iter().try_for_each(|(name, value)| request.header(name, value))
}

/// The text of an element below the root, whatever that is called.
pub(super) fn element(body: &[u8], wanted: &str) -> Option<String> {
    let mut found = None;
    let walked = walk(body, |path, step| {
        if let (Step::Close(text), true) = (step, path.split_once('/').is_some_and(|(_, name)| name == wanted)) {
            found = Some(text.to_owned());
        }
    });
    walked.ok().and(found)
}

#[cfg(test)]
mod tests {
    use tidelock_core::path::is_reserved_key;

    #[test]
    fn trials_are_where_nothing_is_synced() {
        assert!(is_reserved_key(super::PROBE));
    }
}
