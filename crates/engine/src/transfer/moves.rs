//! A rename here as a copy there.
//!
//! The move is proved before it is made: the digest agreed for the old key must be
//! that of the bytes here now. The copy is pinned to the object as agreed. The
//! transaction that records the new row marks the old one, and that mark is the
//! journal: the old object is removed only once it is on record.

use super::meta::Kept;
use super::upload::{done, expected_there};
use super::{Carrier, Fate, disk_fate, problem, remote_fate};
use crate::digest::{Wanted, fingerprint, wanted_for};
use crate::event::Event;
use crate::planted::Bug;
use crate::record::{Counts, Outcome};
use crate::state::Change;
use tidelock_core::entry::{Digest, LocalHalf, RemoteHalf, RemoteStamp, Standing};
use tidelock_core::meta::Attributes;
use tidelock_core::moves::{Instead, Unmade};
use tidelock_core::path::Key;
use tidelock_core::pin::{Pin, is_among};
use tidelock_core::plan::{Action, ProblemClass, Step, ThereSeen};
use tidelock_remote::layer::ATTEMPT;
use tidelock_remote::{Condition, ErrorKind, Object, Piece, Put, Stored};

/// A rename that was not made.
struct NotMade {
    why: Unmade,
    /// What a write in its place keeps of the object.
    kept: Option<Kept>,
    /// What was copied all the same.
    copied: Option<RemoteStamp>,
}

impl From<Unmade> for NotMade {
    fn from(why: Unmade) -> Self {
        Self { why, kept: None, copied: None }
    }
}

/// What became of an attempt to rename: its fate, or why there was no rename.
type Attempt = Result<Fate, NotMade>;

impl Carrier<'_> {
    pub(super) async fn carry_move(
        &self,
        step: &Step,
        from: &Key,
        source: &RemoteStamp,
        digest: &Digest,
        proved: bool,
    ) -> Fate {
        let only_moves = self.pair.settings.only_moves;
        let tried = match only_moves.then(|| self.would_bury(step)).transpose() {
            Ok(Some(true)) => Err(Unmade::Buries.into()),
            Ok(_) => self.try_move(step, from, (source, digest), proved).await,
            Err(error) => return Fate::Fatal(error.into()),
        };
        let NotMade { why, kept, copied } = match tried {
            Ok(fate) => return fate,
            Err(not_made) => not_made,
        };
        match why.instead(only_moves) {
            Instead::Send => self.send(step, kept.as_ref()).await,
            Instead::SendMoved => {
                let copied = copied.map(|stamp| ThereSeen { stamp, archived: false, lost: false });
                let over = Step { there: copied.or_else(|| step.there.clone()), ..step.clone() };
                self.send_moved(&over, from, digest, kept.as_ref()).await
            }
            Instead::Compare => {
                let fate = Box::pin(self.compare(&Step { action: Action::Compare, ..step.clone() })).await;
                if matches!(fate, Fate::Conflict | Fate::Left | Fate::Noted(_) | Fate::Problem(_)) {
                    self.waits(from);
                }
                fate
            }
            Instead::Leave => {
                self.waits(from);
                Fate::Left
            }
            Instead::Tell(why) => {
                self.waits(from);
                Fate::Problem(problem(step, ProblemClass::Skipped, why))
            }
        }
    }

    async fn try_move(
        &self,
        step: &Step,
        from: &Key,
        (source, digest): (&RemoteStamp, &Digest),
        proved: bool,
    ) -> Attempt {
        let unagreed = step.there.is_some() && step.row.standing != Some(Standing::Agreed);
        let before_ns = self.now_ns();
        let same = match self.is_proved(step, digest, proved).await {
            Err(fate) => return Ok(fate),
            Ok(same) => same,
        };
        let Some(here) = &step.here else { return Ok(Fate::Stale) };
        let half = match proved {
            true => LocalHalf { stamp: here.stamp, meta: here.meta.clone(), racy: false },
            false => self.half(here.stamp, here.meta.clone(), before_ns),
        };
        if unagreed {
            return self.resume_move(step, from, (source, digest), same.then_some(half)).await;
        }
        if !same {
            // Other bytes than those that left: just a new file.
            return Err(Unmade::NoRename.into());
        }
        let object = match self.pair.remote.head(from).await {
            Ok(Some(object)) if object.stamp.same_content(source) => object,
            Ok(_) => return Err(Unmade::NoRename.into()),
            Err(error) if error.kind == ErrorKind::Denied => return Err(Unmade::NotCopied.into()),
            Err(error) => return Ok(remote_fate(step, error)),
        };
        let old = match self.pair.state.row(from) {
            Ok(old) => old,
            Err(error) => return Ok(Fate::Fatal(error.into())),
        };
        let kept = Kept::of(object, old.as_ref());
        match self.pin(step, source).await {
            Ok(None) => Err(NotMade { kept: Some(kept), ..Unmade::Unprovable.into() }),
            Ok(Some(pin)) => self.copy_moved(step, from, (source, digest), (pin, kept), half).await,
            Err(fate) => Ok(fate),
        }
    }

    async fn copy_moved(
        &self,
        step: &Step,
        from: &Key,
        (source, digest): (&RemoteStamp, &Digest),
        (pin, kept): (Pin, Kept),
        half: LocalHalf,
    ) -> Attempt {
        let attributes = Attributes {
            meta: half.meta.clone(),
            kind: Some(step.kind),
            digest: pin.digest_to_bear(Some(*digest)),
            ..Attributes::default()
        };
        let piece = Piece::CopyOf { key: from.clone(), stamp: source.clone(), offset: 0, size: source.size };
        if self.pair.planted.has(Bug::DeleteOldBeforeNew) {
            self.pair.remote.delete(&[(from.clone(), Condition::Matches(source.clone()))]).await;
        }
        let (request, written) = self.request(step, vec![piece], attributes, expected_there(step), Some(&kept));
        let kept = Some(kept);
        let stored = match self.put(&request).await {
            Ok(stored) => stored,
            // The source is not what it was, or cannot be copied.
            Err(error) => match error.kind {
                ErrorKind::Precondition | ErrorKind::NotFound => {
                    return Err(NotMade { kept, ..Unmade::NoRename.into() });
                }
                // There is a copy, perhaps of other bytes, which its ETag tells where it has
                // to; a place that said it checks sources is planned for anew.
                ErrorKind::Raced if matches!(pin, Pin::ByPlace) => return Ok(Fate::StaleSince(error.to_string())),
                ErrorKind::Raced => match self.made(step, &request).await {
                    Ok(stored) => stored,
                    Err(fate) => return Ok(fate),
                },
                ErrorKind::Archived | ErrorKind::Denied | ErrorKind::Unsupported => {
                    return Err(NotMade { kept, ..Unmade::NotCopied.into() });
                }
                _ => return Ok(remote_fate(step, error)),
            },
        };
        if !pin.holds(&stored.stamp) {
            return Err(NotMade { kept, copied: Some(stored.stamp), why: Unmade::Unproved });
        }
        Ok(self.moved_to(step, from, digest, half, RemoteHalf { stamp: stored.stamp, meta: Some(written) }))
    }

    /// What a copy became, if nobody has written over it since.
    async fn made(&self, step: &Step, request: &Put) -> Result<Stored, Fate> {
        let ours = request.meta.user.get(ATTEMPT);
        match self.pair.remote.head(&request.key).await {
            Ok(Some(Object { meta: Some(meta), stamp, version, .. })) if meta.user.get(ATTEMPT) == ours => {
                Ok(Stored { stamp, version })
            }
            Ok(_) => Err(Fate::Stale),
            Err(error) => Err(remote_fate(step, error)),
        }
    }

    /// Sends the bytes to the new key; if they are those that left the old one, that
    /// one goes.
    async fn send_moved(&self, step: &Step, from: &Key, digest: &Digest, kept: Option<&Kept>) -> Fate {
        let mut outcome = match self.send(step, kept).await {
            Fate::Done(outcome) => outcome,
            other => return other,
        };
        let sent = |change: &Change| matches!(change, Change::Put(row) if row.digest == Some(*digest));
        if outcome.changes.iter().any(sent) {
            outcome.changes.push(Change::Moved(from.clone(), step.key.clone()));
        }
        Fate::Done(outcome)
    }

    /// Whether the object that a rename replaces holds what is still here, under a name
    /// that only a sync would send.
    fn would_bury(&self, step: &Step) -> crate::state::Result<bool> {
        let Some(row) = self.pair.state.row(&step.key)?.filter(|_| step.there.is_some()) else { return Ok(false) };
        // A killed run sent it, and which file it was is not on record.
        let Some(agreed) = row.here else { return Ok(true) };
        let elsewhere = self.spool.elsewhere(agreed.stamp.file_id, &step.key)?;
        Ok(elsewhere.is_some_and(|elsewhere| !elsewhere.action.is_rename()))
    }

    /// Looking again would find the same: the old object waits with the new one.
    pub(super) fn waits(&self, from: &Key) {
        // What could not be noted is looked at once more.
        let _ = self.spool.note_waiting(from);
    }

    /// The new key has an object that nobody agreed on. If its bytes are those that
    /// were to be copied, an earlier run made it and died before it could say so.
    /// Without a local half, the file here has been changed since, and is compared.
    async fn resume_move(
        &self,
        step: &Step,
        from: &Key,
        (source, digest): (&RemoteStamp, &Digest),
        half: Option<LocalHalf>,
    ) -> Attempt {
        let object = match self.pair.remote.head(&step.key).await {
            Ok(Some(object)) => object,
            Ok(None) => return Ok(Fate::Stale),
            Err(error) => return Ok(remote_fate(step, error)),
        };
        let attributes = self.attributes(&object);
        let as_planned = step.there.as_ref().is_some_and(|there| there.stamp.same_content(&object.stamp));
        let Some(half) = half.filter(|_| as_planned) else { return Err(Unmade::Taken.into()) };
        let is_it = match attributes.digest {
            Some(known) => known == *digest,
            // A copy that was not pinned bears no digest, but an ETag of these bytes.
            None if object.stamp.same_content(source) && wanted_for(&source.etag, source.size).md5 => true,
            None => match self.hashes_here(step, &object.stamp).await {
                Ok(hashes) => is_among(&hashes, &object.stamp),
                Err(fate) => return Ok(fate),
            },
        };
        if !is_it {
            return Err(Unmade::Taken.into());
        }
        let there = RemoteHalf { stamp: object.stamp, meta: Some(attributes.meta) };
        Ok(self.moved_to(step, from, digest, half, there))
    }

    /// The bytes live under the new key: its row and the old one's mark go together.
    fn moved_to(&self, step: &Step, from: &Key, digest: &Digest, half: LocalHalf, there: RemoteHalf) -> Fate {
        let row = self.row(step, half, there, Some(*digest));
        let Event::Done { action, path, bytes, .. } = done("move", step, 0) else { return Fate::Stale };
        Fate::Done(Outcome {
            changes: vec![Change::Put(Box::new(row)), Change::Moved(from.clone(), step.key.clone())],
            dirs: step.path.parent().into_iter().collect(),
            counts: Counts { moved: 1, ..Counts::default() },
            events: vec![Event::Done { action, path, bytes, evidence: None, from: Some(from.to_string()) }],
            ..Outcome::default()
        })
    }

    /// Whether the bytes here are those that were agreed under the old key.
    async fn is_proved(&self, step: &Step, digest: &Digest, proved: bool) -> Result<bool, Fate> {
        if proved {
            // The stamp is the proof; nothing has to be opened or read.
            self.check_here(step).await?;
            return Ok(true);
        }
        let file = self.open_expected(step).await?;
        let read = fingerprint(&*file, &Wanted::default()).await.map_err(|error| disk_fate(step, error))?;
        let after = file.stat().await.map_err(|error| disk_fate(step, error))?;
        if step.here.as_ref().is_none_or(|here| here.stamp != after.stamp) {
            return Err(Fate::Stale);
        }
        Ok(read.digest == *digest)
    }
}
