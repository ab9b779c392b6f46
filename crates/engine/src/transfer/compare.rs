//! A closer look.
//!
//! Where stamps do not tell, the bytes here are read once and held against what the
//! remote can prove of its own: an ETag that is an MD5, our digest, a checksum over
//! the whole. A HEAD is spent only if the ETag proves nothing. What was found goes
//! back to core, which decides that key again; a second decision is never a delete.

use super::{Carrier, Fate, disk_fate, problem, remote_fate};
use crate::digest::{Fingerprint, Wanted, fingerprint, fingerprint_of, wanted_for};
use crate::event::Event;
use crate::planted::Bug;
use crate::record::{Counts, Outcome};
use crate::state::Change;
use crate::survey::LOST;
use tidelock_core::decide::{Change as Side, Decision, MetaDecision, Row, Sameness, decide, decide_meta};
use tidelock_core::entry::{BaseRow, Meta, RemoteHalf, RemoteStamp, Standing};
use tidelock_core::meta::Attributes;
use tidelock_core::names::Kind;
use tidelock_core::plan::{Action, ProblemClass, Step, ThereSeen};
use tidelock_core::policy::Compare;
use tidelock_core::sight::{Found, changed_apart, comparable, decide_again, has_changed, may_be_our_write, resolve};
use tidelock_remote::Object;

/// Modification times this close are equal, whatever the formats lost on the way.
const MTIME_GRAIN_NS: i64 = 1_000;

/// Everything a closer look brought.
#[derive(Default)]
struct Look {
    /// The time before anything was read.
    before_ns: i64,
    read: Option<Fingerprint>,
    there: Option<(Object, Attributes)>,
}

impl Carrier<'_> {
    pub(super) async fn compare(&self, step: &Step) -> Fate {
        if let Err(fate) = self.check_here(step).await {
            return fate;
        }
        let base = match self.pair.state.row(&step.key) {
            Ok(base) => base,
            Err(error) => return Fate::Fatal(error.into()),
        };
        let look = match self.look_closer(step, base.as_ref()).await {
            Ok(look) => look,
            Err(fate) => return fate,
        };
        let (row, found) = self.findings(step, base.as_ref(), &look);
        let row = resolve(row, &found);
        let step = Step { row, there: look.stamp(step), ..step.clone() };
        let policy = &self.pair.settings.policy;
        // A deletion waits for the next pass, which counts it and guards it.
        let again = matches!(decide(row, policy), Decision::DeleteThere | Decision::DeleteHere);
        let decision = decide_again(row, policy);
        if step.there.as_ref().is_some_and(|there| there.lost) {
            return match decision {
                // The file here is what the place has lost.
                Decision::Adopt | Decision::Nothing | Decision::Upload => Box::pin(self.upload(&step)).await,
                Decision::Conflict => Fate::Conflict,
                _ => Fate::Problem(problem(&step, ProblemClass::Failed, LOST)),
            };
        }
        match decision {
            Decision::Nothing => self.settle_metadata(&step, base, look).await,
            Decision::Adopt if row.is_as_agreed() && is_same_object(&step, base.as_ref()) => {
                // A change of settings lapsed the row, but both sides still hold what it
                // was about: so is what it says of the metadata.
                let base = base.map(|base| BaseRow { standing: Standing::Agreed, ..base });
                self.settle_metadata(&step, base, look).await
            }
            Decision::Adopt => self.adopt_found(&step, base.as_ref(), look).await,
            Decision::Upload => Box::pin(self.upload(&Step { action: Action::Upload, ..step })).await,
            Decision::Download => Box::pin(self.download(&Step { action: Action::Download, ..step })).await,
            Decision::KeepBoth => Box::pin(self.keep_both(&step)).await,
            Decision::Newer => Box::pin(self.newer(&step)).await,
            Decision::Conflict => Fate::Conflict,
            Decision::Forget => Fate::Stale,
            Decision::Leave | Decision::Compare | Decision::DeleteThere | Decision::DeleteHere => {
                match self.keep_stamp(&step, base, look) {
                    Fate::Done(outcome) if again => Fate::Done(Outcome { again, ..outcome }),
                    Fate::Done(outcome) => Fate::Noted(outcome),
                    other => other,
                }
            }
        }
    }

    /// Reads and asks what the row leaves open, and no more.
    async fn look_closer(&self, step: &Step, base: Option<&BaseRow>) -> Result<Look, Fate> {
        let mut look = Look { before_ns: self.now_ns(), ..Look::default() };
        let both_moved = step.row.here != Side::Same && step.row.there != Side::Same && step.there.is_some();
        let by_stamp = self.pair.settings.policy.compare == Compare::Stamp && both_moved && base.is_none();
        if step.here.is_some() && step.row.here != Side::Same && !by_stamp {
            let mut wanted = step
                .there
                .as_ref()
                .filter(|_| both_moved)
                .map_or_else(Wanted::default, |there| wanted_for(&there.stamp.etag, there.stamp.size));
            wanted.crc64nvme = both_moved;
            look.read = Some(self.read_here(step, &wanted).await?);
        }
        let proved_by_etag = both_moved && look.etag_proves(step);
        // An ETag proves nothing of the metadata, which is compared where some is on record,
        // or was lost on the way there.
        let is_enough = proved_by_etag && base.is_none() && !self.may_be_ours(step);
        if let Some(there) = step.there.as_ref().filter(|_| step.row.there != Side::Same && !is_enough) {
            let head = self.pair.remote.head(&step.key).await.map_err(|error| remote_fate(step, error))?;
            // Whoever wrote it since is not who was planned on: what the row says of the
            // object is not about this one.
            let object = head.filter(|object| object.stamp.same_content(&there.stamp)).ok_or(Fate::Stale)?;
            let attributes = self.attributes(&object);
            look.there = Some((object, attributes));
        }
        Ok(look)
    }

    fn may_be_ours(&self, step: &Step) -> bool {
        let first_run_ms = self.pair.state.first_run_ms().ok().flatten();
        let modified_s = step.there.as_ref().and_then(|there| there.stamp.modified_s);
        may_be_our_write(modified_s, first_run_ms, self.pair.remote.clock_skew_ms())
    }

    async fn read_here(&self, step: &Step, wanted: &Wanted) -> Result<Fingerprint, Fate> {
        if step.kind == Kind::Link {
            let target = self.pair.disk.read_link(&step.path).await.map_err(|error| disk_fate(step, error))?;
            self.check_here(step).await?;
            return Ok(fingerprint_of(&target, wanted));
        }
        let file = self.open_expected(step).await?;
        let read = fingerprint(&*file, wanted).await.map_err(|error| disk_fate(step, error))?;
        let after = file.stat().await.map_err(|error| disk_fate(step, error))?;
        if step.here.as_ref().is_none_or(|here| here.stamp != after.stamp) {
            return Err(Fate::Stale);
        }
        Ok(read)
    }

    /// What the look says in the table's terms.
    fn findings(&self, step: &Step, base: Option<&BaseRow>, look: &Look) -> (Row, Found) {
        let read = look.read.as_ref().map(|read| read.digest);
        let agreed = base.and_then(|base| base.digest);
        let there = look.there.as_ref();
        let mut same = look.sameness(step);
        if let Some((object, attributes)) = there
            && self.pair.settings.policy.compare == Compare::Stamp
            && read.is_none()
        {
            same = by_stamp(step, object, attributes);
        }
        if self.pair.planted.has(Bug::EtagAsMd5) && there.is_some() && step.kind == Kind::File {
            same = Sameness::Same;
        }
        if let Some((_, attributes)) = there
            && same != Sameness::Same
            && step.here.is_some()
            && self.is_our_own(step, base, attributes)
        {
            // The object is an earlier version of ours whose row was lost to a
            // crash: it is the base, and what is here came after it.
            let row = Row { standing: Some(Standing::Agreed), here: Side::Changed, there: Side::Same, same };
            return (row, Found { here_as_agreed: None, there_as_agreed: None, same });
        }
        let digest_there = there.and_then(|(_, attributes)| attributes.digest);
        let found = Found {
            here_as_agreed: read.and_then(|read| agreed.map(|agreed| read == agreed)),
            there_as_agreed: match (step.row.there, digest_there, agreed) {
                (Side::Touched, ..) => Some(true),
                (_, Some(now), Some(then)) => Some(now == then),
                _ => None,
            },
            same,
        };
        (step.row, found)
    }

    /// Whether the object is as a run of this device wrote it over what was agreed.
    pub(super) fn is_our_own(&self, step: &Step, base: Option<&BaseRow>, attributes: &Attributes) -> bool {
        // Without a digest that still holds, another program may have rewritten the
        // body and kept our keys.
        attributes.digest.is_some() && self.is_our_write(step, base, attributes)
    }

    /// Whether it bears the mark of such a write.
    fn is_our_write(&self, step: &Step, base: Option<&BaseRow>, attributes: &Attributes) -> bool {
        let (Some(attempt), Some(replaced)) = (&attributes.attempt, &attributes.replaced) else { return false };
        agreed_etag(base) == Some(replaced.as_str()) && self.is_own_attempt(attempt, &step.key)
    }

    /// Content is as agreed on both sides; what remains is metadata.
    async fn settle_metadata(&self, step: &Step, base: Option<BaseRow>, look: Look) -> Fate {
        let (Some(here), Some(base)) = (&step.here, base) else { return Fate::Stale };
        let differs = |now: &Meta, then: Option<&Meta>| {
            then.is_some_and(|then| comparable(now, step.kind).differs(&comparable(then, step.kind)))
        };
        let here_then = base.here.as_ref().map(|half| &half.meta);
        let changed_here = here_then.is_some_and(|then| has_changed(&here.meta, then, step.kind));
        // Where nobody looked at the object's when it was agreed on, what is here was
        // taken as agreed; it was written again since.
        let there_then = base.there.as_ref().and_then(|half| half.meta.as_ref()).or(here_then);
        let changed_there = look.there.as_ref().is_some_and(|(_, now)| differs(&now.meta, there_then));
        let apart = look.there.as_ref().is_some_and(|(_, now)| differs(&here.meta, Some(&now.meta)));
        let decision = decide_meta(changed_here, changed_there, &self.pair.settings.policy);
        let fate = match (decision, &look.there) {
            (MetaDecision::SetThere, _) => self.meta_there(step, look.read.is_some().then_some(look.before_ns)).await,
            (MetaDecision::SetHere, Some((object, _))) => self.set_meta_here(step, object.clone(), base.digest).await,
            (MetaDecision::SetHere, None) => self.meta_here(step).await,
            _ => self.keep_stamp(step, Some(base), look),
        };
        match fate {
            Fate::Done(mut outcome) if changed_here && changed_there && apart => {
                outcome.events.push(metadata_of_two(step, decision));
                Fate::Done(outcome)
            }
            other => other,
        }
    }

    /// Stores a stamp that moved while the bytes stayed, so that no later run reads
    /// them again. What was agreed of the metadata is kept, except where nothing
    /// was known of the remote's.
    fn keep_stamp(&self, step: &Step, base: Option<BaseRow>, look: Look) -> Fate {
        let Some(mut base) = base else { return Fate::Left };
        // Without reading, a stamp is only what it was on record.
        let as_agreed = look.read.as_ref().is_some_and(|read| Some(read.digest) == base.digest);
        if let (Some(half), Some(seen), true) = (&mut base.here, &step.here, as_agreed) {
            *half = self.half(seen.stamp, half.meta.clone(), look.before_ns);
        }
        if let (Some(half), Some((object, attributes))) = (&mut base.there, look.there)
            && half.stamp.same_content(&object.stamp)
        {
            half.stamp = object.stamp;
            half.meta.get_or_insert(attributes.meta);
        }
        // The stamp may be that of a file whose name is not durable yet.
        let dirs = step.path.parent().into_iter().collect();
        Fate::Done(Outcome { dirs, ..Outcome::record(Change::Put(Box::new(base))) })
    }

    /// Both sides hold the same. What they differ in beside is a change of one of them
    /// where they were in step before; else the local metadata is taken as agreed.
    async fn adopt_found(&self, step: &Step, base: Option<&BaseRow>, look: Look) -> Fate {
        let (Some(here), Some(there)) = (&step.here, &step.there) else { return Fate::Stale };
        let unread = base.filter(|_| step.row.here == Side::Same).and_then(|base| base.digest);
        let digest = look.read.as_ref().map(|read| read.digest).or(unread);
        let agreed = look.there.as_ref().and_then(|(_, now)| self.metadata_agreed(step, base, now));
        let wanted = match (&look.there, &agreed) {
            (Some((_, now)), Some((here_then, there_then))) => {
                let (changed_here, changed_there) =
                    changed_apart((&here.meta, here_then), (&now.meta, there_then), step.kind);
                decide_meta(changed_here, changed_there, &self.pair.settings.policy)
            }
            _ => MetaDecision::Nothing,
        };
        let there = match look.there {
            Some((object, _)) if wanted == MetaDecision::SetHere => {
                return self.set_meta_here(step, object, digest).await;
            }
            Some((object, attributes)) => RemoteHalf { stamp: object.stamp, meta: Some(attributes.meta) },
            None => RemoteHalf { stamp: there.stamp.clone(), meta: None },
        };
        // What is not there yet is not agreed: the next pass sets it.
        let again = wanted == MetaDecision::SetThere;
        let meta = agreed.filter(|_| again).map_or_else(|| here.meta.clone(), |(here_then, _)| here_then);
        let row = self.row(step, self.half(here.stamp, meta, look.before_ns), there, digest);
        Fate::Done(Outcome {
            changes: vec![Change::Put(Box::new(row))],
            // It may have come here in a run that died before its name was durable.
            dirs: step.path.parent().into_iter().collect(),
            counts: Counts { adopted: 1, ..Counts::default() },
            again,
            ..Outcome::default()
        })
    }

    /// The metadata here and there when both sides were last in step, if they ever were.
    /// An object of ours whose row was lost to a crash has carried it since.
    fn metadata_agreed(&self, step: &Step, base: Option<&BaseRow>, now: &Attributes) -> Option<(Meta, Meta)> {
        if self.is_our_write(step, base, now) {
            return Some((now.meta.clone(), now.meta.clone()));
        }
        let base = base.filter(|base| base.standing == Standing::Agreed)?;
        let here_then = &base.here.as_ref()?.meta;
        let there_then = base.there.as_ref().and_then(|half| half.meta.as_ref()).unwrap_or(here_then);
        Some((here_then.clone(), there_then.clone()))
    }
}

/// That both sides changed what travels with the content, and what came of it.
fn metadata_of_two(step: &Step, decision: MetaDecision) -> Event {
    let what = match decision {
        MetaDecision::SetThere => "what is here was set there",
        MetaDecision::SetHere => "what is there was set here",
        MetaDecision::Nothing => "both were left as they are",
    };
    Event::Note { text: format!("{}: modes, times or owners changed on both sides: {what}", step.key) }
}

/// Whether the object is the one that the row is about.
fn is_same_object(step: &Step, base: Option<&BaseRow>) -> bool {
    let agreed = base.and_then(|base| base.there.as_ref());
    matches!((agreed, &step.there), (Some(half), Some(now)) if half.stamp.same_content(&now.stamp))
}

impl Look {
    fn etag_proves(&self, step: &Step) -> bool {
        let etag = step.there.as_ref().map(|there| there.stamp.etag.to_ascii_lowercase());
        self.read.as_ref().is_some_and(|read| etag.is_some_and(|etag| read.etags.contains(&etag)))
    }

    fn sameness(&self, step: &Step) -> Sameness {
        let (Some(here), Some(there)) = (&step.here, &step.there) else { return step.row.same };
        if self.etag_proves(step) {
            return Sameness::Same;
        }
        let (Some(read), Some((object, attributes))) = (&self.read, &self.there) else { return step.row.same };
        if here.stamp.size != there.stamp.size {
            return Sameness::Differ;
        }
        match (attributes.digest, read.crc64nvme, object.crc64nvme) {
            (Some(digest), ..) if digest == read.digest => Sameness::Same,
            (Some(_), ..) => Sameness::Differ,
            (None, Some(a), Some(b)) if a == b => Sameness::Same,
            (None, Some(_), Some(_)) => Sameness::Differ,
            _ => Sameness::Unknown,
        }
    }

    /// What is now expected there: what the closer look saw.
    fn stamp(&self, step: &Step) -> Option<ThereSeen> {
        let stamp: Option<RemoteStamp> = self.there.as_ref().map(|(object, _)| object.stamp.clone());
        match (stamp, &step.there) {
            (Some(stamp), Some(seen)) => Some(ThereSeen { stamp, ..seen.clone() }),
            (_, seen) => seen.clone(),
        }
    }
}

/// Sameness for those who asked for it by size and modification time.
fn by_stamp(step: &Step, object: &Object, attributes: &Attributes) -> Sameness {
    let (Some(here), Some(mtime_ns)) = (&step.here, attributes.meta.mtime_ns) else { return Sameness::Unknown };
    let close = here.stamp.mtime_ns.abs_diff(mtime_ns) <= MTIME_GRAIN_NS.unsigned_abs();
    if here.stamp.size == object.stamp.size && close { Sameness::Same } else { Sameness::Differ }
}

/// The entity tag of the object that was agreed on, or `none`, as a write over it bears it.
pub(super) fn agreed_etag(base: Option<&BaseRow>) -> Option<&str> {
    match base {
        None => Some("none"),
        Some(base) if base.standing == Standing::Agreed => {
            Some(base.there.as_ref().map_or("none", |half| half.stamp.etag.as_str()))
        }
        // Nobody vouches for what came before.
        Some(_) => None,
    }
}
