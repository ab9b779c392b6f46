//! Sending what is here.
//!
//! A small file is read, hashed and sent in one request, its digest in the
//! metadata; a large one is hashed while its parts are sent. Either way the file is
//! opened once, and looked at before and after through the same handle. A folder is
//! sent as its marker, a link as its target.

use super::bytes::FileBytes;
use super::compare::agreed_etag;
use super::meta::Kept;
use super::way::is_twin;
use super::{Carrier, Fate, HELD, disk_fate, problem, racy_for_ns, remote_fate};
use crate::digest::{Wanted, fingerprint, wanted_for};
use crate::disk::{Node, ReadFile};
use crate::event::Event;
use crate::pair::Pair;
use crate::planted::Bug;
use crate::record::{Counts, Outcome};
use crate::state::Change;
use async_trait::async_trait;
use bytes::Bytes;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError};
use std::time::Duration;
use tidelock_core::entry::{Digest, Meta, RemoteHalf, RemoteStamp};
use tidelock_core::meta::{Attributes, decode, encode};
use tidelock_core::names::{Kind, key_of};
use tidelock_core::path::Key;
use tidelock_core::pin::Pin;
use tidelock_core::plan::{ProblemClass, Step};
use tidelock_remote::{Ability, Condition, ObjectMeta, Piece, Progress, Put, Source, Stored};

/// How often a long upload looks whether the run is to end.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// What is to be sent.
struct Load {
    source: Arc<dyn Source>,
    size: u64,
    /// Known before sending, for small files and links.
    digest: Option<Digest>,
    /// For large files: who knows it afterwards.
    hashed: Option<Arc<FileBytes>>,
}

impl Carrier<'_> {
    pub(super) async fn upload(&self, step: &Step) -> Fate {
        self.send(step, None).await
    }

    /// Sends the bytes here; with `kept`, in place of an object that held the same.
    pub(super) async fn send(&self, step: &Step, kept: Option<&Kept>) -> Fate {
        let Some(here) = &step.here else { return Fate::Stale };
        let before_ns = self.now_ns();
        let load = match self.load(step).await {
            Ok(load) => load,
            Err(fate) => return fate,
        };
        let attributes =
            Attributes { meta: here.meta.clone(), kind: Some(step.kind), digest: load.digest, ..Attributes::default() };
        let recipe = vec![Piece::Bytes { source: load.source, offset: 0, size: load.size }];
        let condition = expected_there(step);
        let (request, written) = self.request(step, recipe, attributes, condition, kept);
        let stored = match self.put(&request).await {
            Ok(stored) => stored,
            Err(error) => return remote_fate(step, error),
        };
        let digest = load.digest.or_else(|| load.hashed.and_then(|hashed| hashed.digest()));
        let row = self.row(
            step,
            self.half(here.stamp, here.meta.clone(), before_ns),
            RemoteHalf { stamp: stored.stamp, meta: Some(written) },
            digest,
        );
        Fate::Done(Outcome {
            changes: vec![Change::Put(Box::new(row))],
            // Its name may be ours and not durable yet, if an earlier run died.
            dirs: step.path.parent().into_iter().collect(),
            counts: Counts { uploaded: 1, uploaded_bytes: load.size, ..Counts::default() },
            events: vec![done("upload", step, load.size)],
            ..Outcome::default()
        })
    }

    /// Opens and, where small, reads what the step is about.
    async fn load(&self, step: &Step) -> Result<Load, Fate> {
        match step.kind {
            Kind::Dir => {
                self.check_here(step).await?;
                Ok(Load { source: Arc::new(Bytes::new()), size: 0, digest: None, hashed: None })
            }
            Kind::Link => {
                let target = self.pair.disk.read_link(&step.path).await.map_err(|error| disk_fate(step, error))?;
                self.check_here(step).await?;
                let digest = Some(Digest::of(&target));
                let size = u64::try_from(target.len()).unwrap_or(0);
                Ok(Load { source: Arc::new(Bytes::from(target)), size, digest, hashed: None })
            }
            Kind::File => self.load_file(step).await,
        }
    }

    async fn load_file(&self, step: &Step) -> Result<Load, Fate> {
        let file = self.open_expected(step).await?;
        let Some(here) = &step.here else { return Err(Fate::Stale) };
        let size = here.stamp.size;
        let sealed = !self.pair.planted.has(Bug::NoDoubleFstat);
        let bytes = Arc::new(FileBytes::new(Arc::clone(&file), here.stamp, sealed));
        if size > self.pair.settings.small_bytes {
            // While it is read, whoever writes into it must leave another stamp behind.
            let racy_ns = racy_for_ns(&here.stamp, self.now_ns(), self.pair.disk.grain_ns());
            if let Some(wait) = u64::try_from(racy_ns).ok().filter(|wait_ns| *wait_ns > 0) {
                self.pair.world.sleep.sleep(Duration::from_nanos(wait)).await;
            }
            return Ok(Load { source: Arc::clone(&bytes) as Arc<dyn Source>, size, digest: None, hashed: Some(bytes) });
        }
        let length = usize::try_from(size).unwrap_or(usize::MAX);
        let read = async {
            let content = bytes.read(0, length).await?;
            bytes.seal().await?;
            Ok(content)
        };
        let content: Bytes = read.await.map_err(|error| remote_fate(step, error))?;
        let digest = Some(Digest::of(&content));
        Ok(Load { source: Arc::new(content), size, digest, hashed: None })
    }

    /// Opens the file and makes sure that it is the one that was planned on.
    pub(super) async fn open_expected(&self, step: &Step) -> Result<Arc<dyn ReadFile>, Fate> {
        let file = self.pair.disk.open(&step.path).await.map_err(|error| match error.kind {
            crate::disk::ErrorKind::NotAFile | crate::disk::ErrorKind::NotADir => Fate::Stale,
            _ => disk_fate(step, error),
        })?;
        let stat = file.stat().await.map_err(|error| disk_fate(step, error))?;
        let expected = step.here.as_ref().is_some_and(|here| here.stamp == stat.stamp);
        if expected { Ok(file) } else { Err(Fate::Stale) }
    }

    /// Makes sure that the local side is as the step expects it. An entry of another
    /// kind has another key: this one is absent as far as anyone planned.
    pub(super) async fn check_here(&self, step: &Step) -> Result<(), Fate> {
        match self.check_place(step).await {
            Err(Fate::Blocked(_)) => Ok(()),
            other => other,
        }
    }

    /// The same for whoever is about to put something there: another kind of entry
    /// is in the way.
    pub(super) async fn check_place(&self, step: &Step) -> Result<(), Fate> {
        let in_the_way = || Fate::Blocked(problem(step, ProblemClass::Skipped, HELD));
        let stat = match self.pair.disk.stat(&step.path).await {
            Ok(stat) => stat,
            Err(error) if error.kind == crate::disk::ErrorKind::NotADir && step.here.is_none() => {
                return Err(in_the_way());
            }
            Err(error) => return Err(disk_fate(step, error)),
        };
        let held = match (&step.here, &stat) {
            (None, Some(stat)) => self.is_other_key(step, stat.node) || is_twin(self.pair, &step.path).await,
            (None, None) => self.is_above_twin(&step.path).await,
            _ => false,
        };
        let as_expected = match (&step.here, stat) {
            (None, _) if held => return Err(in_the_way()),
            (None, None) => true,
            (Some(here), Some(stat)) if step.kind == Kind::Dir => {
                stat.node == Node::Dir && stat.stamp.file_id == here.stamp.file_id
            }
            (Some(here), Some(stat)) => stat.stamp == here.stamp,
            _ => false,
        };
        if as_expected { Ok(()) } else { Err(Fate::Stale) }
    }

    fn is_other_key(&self, step: &Step, node: Node) -> bool {
        let kind = match node {
            Node::File => Kind::File,
            Node::Dir => Kind::Dir,
            Node::Link => Kind::Link,
            Node::Special => return false,
        };
        // A name that no key can hold is not this key's either.
        key_of(&step.path, kind, self.pair.settings.scan.links).ok().as_ref() != Some(&step.key)
    }

    /// A write of a step's key, under a new attempt id, and the metadata as it will
    /// be read back.
    pub(super) fn request(
        &self,
        step: &Step,
        recipe: Vec<Piece>,
        attributes: Attributes,
        condition: Condition,
        kept: Option<&Kept>,
    ) -> (Put, Meta) {
        // What was agreed, and not what a killed run of ours wrote over it since: so the
        // next one tells this write for ours, however many were killed before.
        let base = self.pair.state.row(&step.key).ok().flatten();
        let replaced = match (agreed_etag(base.as_ref()), &condition) {
            (Some(agreed), _) => agreed.to_owned(),
            (None, Condition::Absent) => "none".to_owned(),
            (None, Condition::Matches(stamp)) => stamp.etag.clone(),
        };
        let xattrs = attributes.meta.xattrs.clone();
        let meta = kept.map_or(attributes.meta.clone(), |kept| kept.complete(attributes.meta));
        let attempt = Some(self.attempt(&step.key));
        let attributes = Attributes { meta, attempt, replaced: Some(replaced), ..attributes };
        let encoded = encode(&attributes, self.pair.settings.format);
        if let Some(left_out) = &encoded.problem {
            let left_out = problem(step, ProblemClass::Skipped, left_out.to_string());
            self.left_out.lock().unwrap_or_else(PoisonError::into_inner).push(left_out);
        }
        let asked = self.pair.settings.content_type.clone().filter(|_| step.kind == Kind::File);
        let content_type = asked.unwrap_or_else(|| content_type(step.kind, step.path.name()));
        // What the person says of an object beside what we do; ours were refused before.
        let mut user = self.pair.settings.user_meta.clone();
        user.extend(encoded.keys);
        let meta = ObjectMeta { content_type: Some(content_type), user, ..ObjectMeta::default() };
        let storage_class = self.pair.settings.storage_class.clone();
        let mut request = Put { key: step.key.clone(), recipe, meta, storage_class, condition };
        if let Some(kept) = kept {
            kept.add_to(&mut request, xattrs.as_ref());
        }
        let written = self.seen_meta(&request.meta.user);
        (request, written)
    }

    /// An object's user metadata, as far as this pair looks at it.
    pub(super) fn seen_meta(&self, user: &std::collections::BTreeMap<String, String>) -> Meta {
        let mut meta = decode(user).meta;
        if !self.pair.settings.scan.xattrs {
            meta.xattrs = None;
        }
        meta
    }

    /// Whether the place makes sure that a copy is one of the object that was looked at.
    pub(super) async fn checks_sources(&self) -> tidelock_remote::Result<bool> {
        let ability = Ability::CopySourceIfMatch;
        Ok(self.pair.remote.capabilities(&[ability]).await?.has(ability))
    }

    /// How a copy of this object, which holds what the file here holds, is known to be
    /// one of this version.
    pub(super) async fn pin(&self, step: &Step, source: &RemoteStamp) -> Result<Option<Pin>, Fate> {
        let checks = self.checks_sources().await.map_err(|error| remote_fate(step, error))?;
        let hashes = if checks { Vec::new() } else { self.hashes_here(step, source).await? };
        Ok(Pin::of(checks, source, hashes))
    }

    /// The ETags that are hashes of the bytes here, if that of the object may be one: of
    /// the whole, and of parts as the object seems to have been sent in.
    pub(super) async fn hashes_here(&self, step: &Step, object: &RemoteStamp) -> Result<Vec<String>, Fate> {
        let wanted = wanted_for(&object.etag, object.size);
        if step.kind != Kind::File || wanted == Wanted::default() {
            return Ok(Vec::new());
        }
        let file = self.open_expected(step).await?;
        let wanted = Wanted { md5: true, ..wanted };
        Ok(fingerprint(&*file, &wanted).await.map_err(|error| disk_fate(step, error))?.etags)
    }

    /// The one place of the engine from which anything is written there.
    pub(super) async fn put(&self, request: &Put) -> tidelock_remote::Result<Stored> {
        let mut request = request.clone();
        if self.pair.planted.has(Bug::DropIfMatch) && matches!(request.condition, Condition::Matches(_))
            || self.pair.planted.has(Bug::DropIfNoneMatch) && request.condition == Condition::Absent
        {
            // What "no condition" comes to: whatever is there now is fine.
            let now = self.pair.remote.head(&request.key).await?;
            request.condition = now.map_or(Condition::Absent, |object| Condition::Matches(object.stamp));
        }
        let journal = Journal { pair: self.pair, key: &request.key, intends: AtomicBool::new(false) };
        let put = self.pair.remote.put(&request, &journal).await;
        journal.settle(&put);
        match put {
            Err(error)
                if error.kind == tidelock_remote::ErrorKind::OutcomeUnknown
                    && self.pair.planted.has(Bug::RetryWithoutHead) =>
            {
                let stamp = RemoteStamp { etag: String::new(), size: request.size(), modified_s: None };
                Ok(Stored { stamp, version: None })
            }
            other => other,
        }
    }
}

/// The condition that a step's expectation amounts to.
pub(super) fn expected_there(step: &Step) -> Condition {
    step.there.as_ref().map_or(Condition::Absent, |there| Condition::Matches(there.stamp.clone()))
}

/// That a step is done.
pub(super) fn done(action: &str, step: &Step, bytes: u64) -> Event {
    Event::Done { action: action.to_owned(), path: step.key.to_string(), bytes, evidence: None, from: None }
}

/// What a name says of what is in it.
pub(super) fn content_type(kind: Kind, name: &str) -> String {
    match kind {
        Kind::Dir => "application/x-directory".to_owned(),
        Kind::Link => "text/plain".to_owned(),
        Kind::File => mime_guess::from_path(name).first_or_octet_stream().essence_str().to_owned(),
    }
}

/// Keeps uploads in parts on record, so that an abandoned one is swept.
struct Journal<'a> {
    pair: &'a Pair,
    key: &'a Key,
    /// An upload was about to be begun, and its id has not been heard.
    intends: AtomicBool,
}

impl Journal<'_> {
    /// Takes off the record what a definite answer has settled before there was an id.
    fn settle(&self, answer: &tidelock_remote::Result<Stored>) {
        use tidelock_remote::ErrorKind::{OutcomeUnknown, Transient, Unreachable};
        let is_open = answer.as_ref().is_err_and(|e| matches!(e.kind, OutcomeUnknown | Transient | Unreachable));
        if self.intends.load(Ordering::Relaxed) && !is_open {
            // Should it stay, the next run looks for nothing.
            let _ = self.pair.state.forget_intents(self.key);
        }
    }
}

fn unrecorded(error: &crate::state::Error) -> tidelock_remote::Error {
    tidelock_remote::Error::new(tidelock_remote::ErrorKind::Other, "put", error.to_string())
}

#[async_trait]
impl Progress for Journal<'_> {
    async fn starting(&self) -> tidelock_remote::Result<()> {
        self.intends.store(true, Ordering::Relaxed);
        self.pair.state.note_intent(self.key, self.pair.now_ms()).map_err(|error| unrecorded(&error))
    }

    async fn started(&self, upload_id: &str) -> tidelock_remote::Result<()> {
        self.pair.state.note_upload(upload_id, self.key).map_err(|error| unrecorded(&error))?;
        self.intends.store(false, Ordering::Relaxed);
        Ok(())
    }

    async fn ended(&self, upload_id: &str) -> tidelock_remote::Result<()> {
        self.pair.state.forget_upload(upload_id).map_err(|error| unrecorded(&error))
    }

    fn sent(&self, bytes: u64) {
        self.pair.listener.hear(&Event::Progress { bytes });
    }

    async fn unwanted(&self) {
        while !self.pair.is_interrupted() {
            self.pair.world.sleep.sleep(LOOK_EVERY).await;
        }
    }
}
