//! Metadata alone, and rows alone.
//!
//! An object's metadata is set by copying it onto itself, so that no byte is sent;
//! what other programs have written beside ours is kept. A file's is set in place,
//! through the handle of the very file that was planned on.

use super::upload::{content_type, done, expected_there};
use super::{Carrier, Fate, install_fate, remote_fate};
use crate::record::{Counts, Outcome};
use crate::state::Change;
use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use tidelock_core::entry::{BaseRow, Digest, LocalHalf, Meta, RemoteHalf};
use tidelock_core::meta::{Attributes, decode, is_void_xattr};
use tidelock_core::names::Kind;
use tidelock_core::path::Key;
use tidelock_core::plan::Step;
use tidelock_remote::{Object, Piece, Put};

impl Carrier<'_> {
    /// Sets the local metadata there. `read_ns` is the time before the file was read,
    /// if it was; else its stamp is the one on record, and trusted.
    pub(super) async fn meta_there(&self, step: &Step, read_ns: Option<i64>) -> Fate {
        let (Some(here), Some(there)) = (&step.here, &step.there) else { return Fate::Stale };
        if let Err(fate) = self.check_here(step).await {
            return fate;
        }
        let object = match self.pair.remote.head(&step.key).await {
            Ok(Some(object)) if object.stamp.same_content(&there.stamp) => object,
            Ok(_) => return Fate::Stale,
            Err(error) => return remote_fate(step, error),
        };
        let row = match self.pair.state.row(&step.key) {
            Ok(row) => row,
            Err(error) => return Fate::Fatal(error.into()),
        };
        let digest = row.as_ref().and_then(|row| row.digest).or(self.attributes(&object).digest);
        let kept = Kept::of(object, row.as_ref());
        let pin = match step.kind {
            Kind::Dir => None,
            _ => match self.pin(step, &there.stamp).await {
                Ok(pin) => pin,
                Err(fate) => return fate,
            },
        };
        let recipe = match (step.kind, &pin) {
            (Kind::Dir, _) => vec![Piece::Bytes { source: Arc::new(Bytes::new()), offset: 0, size: 0 }],
            // A copy could be one of bytes that nobody has looked at.
            (_, None) => return self.send(step, Some(&kept)).await,
            (_, Some(_)) => {
                let (key, stamp) = (step.key.clone(), there.stamp.clone());
                vec![Piece::CopyOf { key, stamp, offset: 0, size: there.stamp.size }]
            }
        };
        let told = pin.as_ref().map_or(digest, |pin| pin.digest_to_bear(digest));
        let attributes =
            Attributes { meta: here.meta.clone(), kind: Some(step.kind), digest: told, ..Attributes::default() };
        let (request, written) = self.request(step, recipe, attributes, expected_there(step), Some(&kept));
        match self.put(&request).await {
            // It was somebody else's version by then, and is looked at as such.
            Ok(stored) if pin.is_some_and(|pin| !pin.holds(&stored.stamp)) => Fate::Stale,
            Ok(stored) => {
                let there = RemoteHalf { stamp: stored.stamp, meta: Some(written) };
                let half = match read_ns {
                    Some(read_ns) => self.half(here.stamp, here.meta.clone(), read_ns),
                    None => LocalHalf { stamp: here.stamp, meta: here.meta.clone(), racy: false },
                };
                let row = self.row(step, half, there, digest);
                Fate::Done(Outcome {
                    changes: vec![Change::Put(Box::new(row))],
                    counts: Counts { metas: 1, ..Counts::default() },
                    events: vec![done("meta-there", step, 0)],
                    ..Outcome::default()
                })
            }
            Err(error) => remote_fate(step, error),
        }
    }

    /// Sets the remote's metadata here. Planned as a comparison, which reads it.
    pub(super) async fn meta_here(&self, step: &Step) -> Fate {
        match self.pair.remote.head(&step.key).await {
            // Another object's metadata is not that of the bytes here.
            Ok(Some(object)) if step.there.as_ref().is_some_and(|it| it.stamp.same_content(&object.stamp)) => {
                let digest = self.pair.state.row(&step.key).ok().flatten().and_then(|row| row.digest);
                self.set_meta_here(step, object, digest).await
            }
            Ok(_) => Fate::Stale,
            Err(error) => remote_fate(step, error),
        }
    }

    pub(super) async fn set_meta_here(&self, step: &Step, object: Object, digest: Option<Digest>) -> Fate {
        let Some(here) = &step.here else { return Fate::Stale };
        let meta = self.attributes(&object).meta;
        let wanted = tidelock_core::sight::comparable(&meta, step.kind);
        let scope = self.pair.settings.meta_scope;
        let stat = match self.installer.set_meta_here(&step.path, &here.stamp, &wanted, scope).await {
            Ok(stat) => stat,
            Err(error) => return install_fate(step, error),
        };
        let mut now = stat.meta();
        now.xattrs = meta.xattrs.clone().or_else(|| here.meta.xattrs.clone());
        let there = RemoteHalf { stamp: object.stamp, meta: Some(meta) };
        // Somebody may have written in the moment between our look and our change,
        // which has hidden it: the bytes are read once more.
        let half = LocalHalf { stamp: stat.stamp, meta: now, racy: step.kind != Kind::Dir };
        let row = self.row(step, half, there, digest);
        Fate::Done(Outcome {
            changes: vec![Change::Put(Box::new(row))],
            dirs: step.path.parent().into_iter().collect(),
            counts: Counts { metas: 1, ..Counts::default() },
            events: vec![done("meta-here", step, 0)],
            ..Outcome::default()
        })
    }

    /// Records that both sides hold the same, writing nothing on either.
    pub(super) async fn adopt(&self, step: &Step) -> Fate {
        let (Some(here), Some(there)) = (&step.here, &step.there) else { return Fate::Stale };
        if let Err(fate) = self.check_here(step).await {
            return fate;
        }
        let row = match self.pair.state.row(&step.key) {
            Ok(row) => row,
            Err(error) => return Fate::Fatal(error.into()),
        };
        let then = row.as_ref().and_then(|row| row.here.as_ref());
        let recorded = then.is_some_and(|then| then.stamp == here.stamp && !then.racy);
        let digest = row.as_ref().and_then(|row| row.digest);
        // What another object carried says nothing of this one.
        let same = row.and_then(|row| row.there).filter(|half| half.stamp.unchanged(&there.stamp));
        let meta = same.and_then(|half| half.meta);
        let there = RemoteHalf { stamp: there.stamp.clone(), meta };
        // Only a folder is adopted, or what is as it was on record.
        let half = LocalHalf { stamp: here.stamp, meta: here.meta.clone(), racy: !recorded && step.kind != Kind::Dir };
        let row = self.row(step, half, there, digest);
        Fate::Done(Outcome {
            changes: vec![Change::Put(Box::new(row))],
            // It may have come here in a run that died before its name was durable.
            dirs: step.path.parent().into_iter().collect(),
            counts: Counts { adopted: 1, ..Counts::default() },
            ..Outcome::default()
        })
    }

    /// Records what was learnt of an unchanged entry there. What was agreed of its
    /// metadata stays, so that a difference the policy leaves stays one; and so does
    /// its stamp here, for nobody has read what another one stands for.
    pub(super) fn refresh(&self, step: &Step) -> Fate {
        let row = match self.pair.state.row(&step.key) {
            Ok(Some(row)) => row,
            Ok(None) => return Fate::Stale,
            Err(error) => return Fate::Fatal(error.into()),
        };
        let mut row = row;
        if let (Some(half), Some(seen)) = (&mut row.there, &step.there) {
            half.stamp = seen.stamp.clone();
        }
        row.moved_to = None;
        Fate::Done(Outcome::record(Change::Put(Box::new(row))))
    }
}

/// An object whose bytes are written anew, for a change of metadata or a rename. What
/// nobody means to change is kept of it: keys, headers, class and encryption.
pub(super) struct Kept {
    object: Object,
    /// The extended attributes that the file had here as it was agreed.
    had: BTreeSet<String>,
}

impl Kept {
    pub(super) fn of(object: Object, agreed: Option<&BaseRow>) -> Self {
        let xattrs = agreed.and_then(|row| row.here.as_ref()?.meta.xattrs.as_ref());
        let had = xattrs.map(|xattrs| xattrs.keys().cloned().collect()).unwrap_or_default();
        Self { object, had }
    }

    /// Modes, owners and attributes that this side does not know stay as they are there.
    pub(super) fn complete(&self, ours: Meta) -> Meta {
        let known = self.object.meta.as_ref().map(|meta| decode(&meta.user).meta).unwrap_or_default();
        Meta {
            mode: ours.mode.or(known.mode),
            uid: ours.uid.or(known.uid),
            gid: ours.gid.or(known.gid),
            mtime_ns: ours.mtime_ns.or(known.mtime_ns),
            xattrs: ours.xattrs.or(known.xattrs),
        }
    }

    /// Adds what is kept to a write. `xattrs` are those of the file here, if known.
    pub(super) fn add_to(&self, request: &mut Put, xattrs: Option<&BTreeMap<String, Vec<u8>>>) {
        const REPLACED: [&str; 9] =
            ["mtime", "mode", "uid", "gid", "atime", "ctime", "btime", "s3cmd-attrs", "mc-attrs"];
        request.storage_class.clone_from(&self.object.storage_class);
        let Some(carried) = &self.object.meta else { return };
        // One that is here is written anew, and one that was here was removed.
        let is_void = |key: &str| {
            xattrs.is_some_and(|now| is_void_xattr(key, |name| now.contains_key(name) || self.had.contains(name)))
        };
        for (key, value) in &carried.user {
            if !REPLACED.contains(&key.as_str()) && !key.starts_with("tidelock-") && !is_void(key) {
                request.meta.user.entry(key.clone()).or_insert_with(|| value.clone());
            }
        }
        request.meta.headers.clone_from(&carried.headers);
        request.meta.encryption.clone_from(&carried.encryption);
        // A type that only repeats the old name says nothing of the new one.
        let guessed = content_type(kind_of(&self.object.key), self.object.key.as_str());
        if let Some(carried) = carried.content_type.as_ref().filter(|carried| **carried != guessed) {
            request.meta.content_type = Some(carried.clone());
        }
    }
}

fn kind_of(key: &Key) -> Kind {
    if key.as_str().ends_with('/') { Kind::Dir } else { Kind::File }
}
