//! Removing objects, each under its own condition.
//!
//! In batches of 1,000 where the place is known to obey an ETag in a batch, or is
//! known to obey none at all (then the layer above has looked); one by one, with
//! `If-Match`, everywhere else. A batch answers 200 and lists what happened; what
//! it does not mention has failed.

use super::S3;
use super::client::Request;
use super::headers::{content_md5, quoted};
use super::refusal::{Effect, Refusal};
use super::xml::{Step, escape_into, walk};
use crate::error::{Error, ErrorKind, Result};
use crate::{Ability, Condition};
use bytes::Bytes;
use futures::{StreamExt, stream};
use http::Method;
use std::collections::{HashMap, HashSet};
use tidelock_core::entry::RemoteStamp;
use tidelock_core::path::Key;

const BATCH_MAX: usize = 1000;
/// How many single deletions are under way at once.
const WIDTH: usize = 16;
const PERMISSION: &str = "s3:DeleteObject";

impl S3 {
    /// Removes objects; one answer each, in order.
    pub(super) async fn remove(&self, items: &[(Key, Condition)]) -> Vec<Result<()>> {
        let mut answers: Vec<Option<Result<()>>> = Vec::with_capacity(items.len());
        let (mut single, mut batched) = (Vec::new(), Vec::new());
        let pinned = self.abilities.known(Ability::BatchDeleteIfMatch) == Some(true);
        let bare = !pinned && self.abilities.known(Ability::DeleteIfMatch) == Some(false);
        let mut seen = HashSet::new();
        for (at, (key, condition)) in items.iter().enumerate() {
            answers.push(None);
            let Condition::Matches(stamp) = condition else {
                let text = "a deletion of what is absent makes no sense";
                answers[at] = Some(Err(Error::new(ErrorKind::Precondition, "delete", text).on(key)));
                continue;
            };
            // A batch answers by key, so that a key may be in it once only.
            let may_batch = (pinned || bare) && seen.insert(key) && escape_into(&mut String::new(), key.as_str());
            if may_batch { batched.push((at, key, stamp)) } else { single.push(at) }
        }
        if let [(at, ..)] = batched.as_slice() {
            single.push(*at);
            batched.clear();
        }
        for batch in batched.chunks(BATCH_MAX) {
            for ((at, ..), answer) in batch.iter().zip(self.remove_batch(batch, pinned).await) {
                answers[*at] = Some(answer);
            }
        }
        let singles: Vec<_> = stream::iter(single.into_iter().map(|at| self.remove_at(at, &items[at])))
            .buffer_unordered(WIDTH)
            .collect()
            .await;
        for (at, answer) in singles {
            answers[at] = Some(answer);
        }
        let unanswered = || Err(Error::new(ErrorKind::OutcomeUnknown, "delete", "the deletion was not answered"));
        answers.into_iter().map(|answer| answer.unwrap_or_else(unanswered)).collect()
    }

    async fn remove_at(&self, at: usize, (key, condition): &(Key, Condition)) -> (usize, Result<()>) {
        (at, self.remove_one(key, condition).await)
    }

    /// Removes one object, under its condition unless the place refuses to hear it.
    pub(super) async fn remove_one(&self, key: &Key, condition: &Condition) -> Result<()> {
        let mut request = Request::changing("delete", Method::DELETE, Some(key), PERMISSION);
        if let Condition::Matches(stamp) = condition
            && !self.abilities.refuses(Ability::DeleteIfMatch)
        {
            request.header("if-match", &quoted(&stamp.etag))?;
        }
        self.client.send(&request).await.map(drop)
    }

    async fn remove_batch(&self, batch: &[(usize, &Key, &RemoteStamp)], pinned: bool) -> Vec<Result<()>> {
        let items: Vec<_> = batch.iter().map(|(_, key, stamp)| (*key, pinned.then_some(stamp.etag.as_str()))).collect();
        let answers = match self.delete_objects(&items).await {
            Ok(answers) => answers,
            Err(error) => return batch.iter().map(|(_, key, _)| Err(error.clone().on(key))).collect(),
        };
        let silent =
            || Err(Error::new(ErrorKind::OutcomeUnknown, "delete", "the server's answer does not mention the key"));
        let answer = |key: &Key| answers.get(key.as_str()).cloned().unwrap_or_else(silent);
        batch.iter().map(|(_, key, _)| answer(key).map_err(|error| error.on(key))).collect()
    }

    /// One DeleteObjects request, with the ETags that are to hold: what the server
    /// says of each key it mentions.
    pub(super) async fn delete_objects(&self, items: &[(&Key, Option<&str>)]) -> Result<HashMap<String, Result<()>>> {
        let mut document = String::from("<Delete xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">");
        for (key, etag) in items {
            document.push_str("<Object><Key>");
            let mut sayable = escape_into(&mut document, key.as_str());
            document.push_str("</Key>");
            if let Some(etag) = etag {
                document.push_str("<ETag>");
                sayable &= escape_into(&mut document, &quoted(etag));
                document.push_str("</ETag>");
            }
            document.push_str("</Object>");
            if !sayable {
                return Err(Error::new(ErrorKind::Unsupported, "delete", "XML cannot name this key").on(key));
            }
        }
        document.push_str("</Delete>");
        let mut request = Request::changing("delete", Method::POST, None, PERMISSION);
        request.query = vec![("delete", "")];
        // S3 wants a checksum here; every server knows this oldest one.
        request.header("content-md5", &content_md5(document.as_bytes()))?;
        request.header("content-type", "application/xml")?;
        request.body = Bytes::from(document);
        let body = self.client.send(&request).await?.bytes().await?;
        self.answers(&body)
    }

    fn answers(&self, body: &[u8]) -> Result<HashMap<String, Result<()>>> {
        let mut found = HashMap::new();
        let (mut key, mut refusal, mut whole) = (String::new(), Refusal::default(), false);
        let walked = walk(body, |path, step| match (path, step) {
            ("DeleteResult/Deleted" | "DeleteResult/Error", Step::Open) => {
                key.clear();
                refusal = Refusal::default();
            }
            ("DeleteResult/Deleted/Key" | "DeleteResult/Error/Key", Step::Close(text)) => text.clone_into(&mut key),
            ("DeleteResult/Error/Code", Step::Close(text)) => text.clone_into(&mut refusal.code),
            ("DeleteResult/Error/Message", Step::Close(text)) => text.clone_into(&mut refusal.message),
            ("DeleteResult/Deleted", Step::Close(_)) => {
                found.insert(std::mem::take(&mut key), Ok(()));
            }
            ("DeleteResult/Error", Step::Close(_)) => {
                let error = self.client.refused(&refusal, "delete", Effect::Changes, PERMISSION);
                found.insert(std::mem::take(&mut key), Err(error));
            }
            ("Error/Code", Step::Close(text)) => {
                whole = true;
                text.clone_into(&mut refusal.code);
            }
            ("Error/Message", Step::Close(text)) => text.clone_into(&mut refusal.message),
            _ => {}
        });
        if whole {
            return Err(self.client.refused(&refusal, "delete", Effect::Changes, PERMISSION));
        }
        match walked {
            Ok(()) => Ok(found),
            Err(why) => Err(Error::new(ErrorKind::OutcomeUnknown, "delete", why)),
        }
    }
}
