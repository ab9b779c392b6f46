//! Metadata alone, and rows alone.
//!
//! An object's metadata is set by copying it onto itself, so that no byte is sent;
//! what other programs have written beside ours is kept. A file's is set in place,
//! through the handle of the very file that was planned on.

use super::upload::{done, expected_there};
use super::{Carrier, Fate, install_fate, remote_fate};
use crate::record::{Counts, Outcome};
use crate::state::Change;
use bytes::Bytes;
use std::collections::BTreeSet;
use std::sync::Arc;
use tidelock_core::entry::{Digest, LocalHalf, Meta, RemoteHalf};
use tidelock_core::meta::{Attributes, decode};
use tidelock_core::names::Kind;
use tidelock_core::plan::Step;
use tidelock_remote::{Object, ObjectMeta, Piece};

impl Carrier<'_> {
    /// Sets the local metadata there.
    pub(super) async fn meta_there(&self, step: &Step) -> Fate {
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
        let carried = object.meta.clone().unwrap_or_default();
        let known = decode(&carried.user);
        let digest = row.as_ref().and_then(|row| row.digest).or(known.digest);
        let agreed = row.and_then(|row| row.here).map(|half| half.meta).unwrap_or_default();
        let taken_away = taken_away(&agreed, &here.meta);
        // Modes and owners that this side does not know stay as they are there.
        let meta = Meta {
            mode: here.meta.mode.or(known.meta.mode),
            uid: here.meta.uid.or(known.meta.uid),
            gid: here.meta.gid.or(known.meta.gid),
            mtime_ns: here.meta.mtime_ns.or(known.meta.mtime_ns),
            xattrs: here.meta.xattrs.clone().or(known.meta.xattrs),
        };
        let attributes = Attributes { meta, kind: Some(step.kind), digest, ..Attributes::default() };
        let recipe = match step.kind {
            Kind::Dir => vec![Piece::Bytes { source: Arc::new(Bytes::new()), offset: 0, size: 0 }],
            _ => {
                let (key, stamp) = (step.key.clone(), there.stamp.clone());
                vec![Piece::CopyOf { key, stamp, offset: 0, size: there.stamp.size }]
            }
        };
        let (mut request, written) = self.request(step, recipe, attributes, expected_there(step));
        request.meta = keep_foreign(request.meta, carried, &taken_away);
        match self.put(&request).await {
            Ok(stored) => {
                let there = RemoteHalf { stamp: stored.stamp, meta: Some(written) };
                let row = self.row(step, self.half(here.stamp, here.meta.clone()), there, digest);
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
        let half = LocalHalf { racy: step.kind == Kind::File, ..self.half(stat.stamp, now) };
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
        let digest = row.as_ref().and_then(|row| row.digest);
        // What another object carried says nothing of this one.
        let same = row.and_then(|row| row.there).filter(|half| half.stamp.unchanged(&there.stamp));
        let meta = same.and_then(|half| half.meta);
        let there = RemoteHalf { stamp: there.stamp.clone(), meta };
        let row = self.row(step, self.half(here.stamp, here.meta.clone()), there, digest);
        Fate::Done(Outcome {
            changes: vec![Change::Put(Box::new(row))],
            // It may have come here in a run that died before its name was durable.
            dirs: step.path.parent().into_iter().collect(),
            counts: Counts { adopted: 1, ..Counts::default() },
            ..Outcome::default()
        })
    }

    /// Records what was learnt of an unchanged entry; what was agreed of its
    /// metadata stays, so that a difference the policy leaves stays one.
    pub(super) fn refresh(&self, step: &Step) -> Fate {
        let row = match self.pair.state.row(&step.key) {
            Ok(Some(row)) => row,
            Ok(None) => return Fate::Stale,
            Err(error) => return Fate::Fatal(error.into()),
        };
        let mut row = row;
        if let (Some(half), Some(seen)) = (&mut row.here, &step.here) {
            *half = self.half(seen.stamp, half.meta.clone());
        }
        if let (Some(half), Some(seen)) = (&mut row.there, &step.there) {
            half.stamp = seen.stamp.clone();
        }
        row.moved_to = None;
        Fate::Done(Outcome::record(Change::Put(Box::new(row))))
    }
}

/// The keys of extended attributes that both sides had and that are gone here.
fn taken_away(agreed: &Meta, now: &Meta) -> BTreeSet<String> {
    let (Some(agreed), Some(now)) = (&agreed.xattrs, &now.xattrs) else { return BTreeSet::new() };
    let gone = agreed.keys().filter(|name| !now.contains_key(*name));
    gone.filter_map(|name| name.strip_prefix("user.")).map(str::to_owned).collect()
}

/// What other programs wrote is kept: their content type, and keys we do not write.
fn keep_foreign(mut ours: ObjectMeta, carried: ObjectMeta, taken_away: &BTreeSet<String>) -> ObjectMeta {
    const REPLACED: [&str; 9] = ["mtime", "mode", "uid", "gid", "atime", "ctime", "btime", "s3cmd-attrs", "mc-attrs"];
    for (key, value) in carried.user {
        if !REPLACED.contains(&key.as_str()) && !key.starts_with("tidelock-") && !taken_away.contains(&key) {
            ours.user.entry(key).or_insert(value);
        }
    }
    ours.content_type = carried.content_type.or(ours.content_type);
    ours
}
