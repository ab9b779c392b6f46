//! Keeping both.
//!
//! The version that has to give way gets a name of its own, which is a function of
//! path, content and device, so that two devices do not make each other's copies
//! again. Each step of it is safe to die after: the next run finds a new file, or a
//! missing one, and goes on.

use super::upload::expected_there;
use super::{Carrier, Fate, archived, disk_fate, install_fate, problem, remote_fate};
use crate::digest::{Wanted, fingerprint};
use crate::event::Event;
use crate::install::InstallError;
use crate::planted::Bug;
use crate::record::{Counts, Outcome};
use crate::state::Change;
use tidelock_core::conflict::conflict_path;
use tidelock_core::entry::{BaseRow, Digest, RemoteHalf, RemoteStamp, Standing};
use tidelock_core::meta::disclaim;
use tidelock_core::names::{Kind, entry_of, key_of};
use tidelock_core::path::{Key, RelPath};
use tidelock_core::plan::{Action, HereSeen, Problem, ProblemClass, Step};
use tidelock_core::policy::Flow;
use tidelock_remote::{Condition, ErrorKind, Piece, Put};

/// Modification times closer than this name no later one.
const NEWER_GRAIN_NS: i64 = 1_000_000;

impl Carrier<'_> {
    /// Both sides changed, and the object is one that a run of ours wrote before it
    /// died: it becomes the base, and the next pass decides about what is here, which
    /// came after it.
    pub(super) async fn after_our_own(&self, step: &Step) -> Option<Fate> {
        let there = step.there.as_ref().filter(|_| step.here.is_some())?;
        let base = self.pair.state.row(&step.key).ok()?;
        // Whether it can be told or not, whoever acts on the conflict looks again.
        let object = self.pair.remote.head(&step.key).await.ok()??;
        let attributes = self.attributes(&object);
        if !there.stamp.same_content(&object.stamp) || !self.is_our_own(step, base.as_ref(), &attributes) {
            return None;
        }
        let row = BaseRow {
            key: step.key.clone(),
            kind: step.kind,
            standing: Standing::Agreed,
            here: base.and_then(|base| base.here),
            there: Some(RemoteHalf { stamp: object.stamp, meta: Some(attributes.meta) }),
            digest: attributes.digest,
            moved_to: None,
        };
        Some(Fate::Done(Outcome { again: true, ..Outcome::record(Change::Put(Box::new(row))) }))
    }

    pub(super) async fn keep_both(&self, step: &Step) -> Fate {
        match self.pair.settings.policy.flow {
            Flow::Up => self.keep_theirs_aside(step).await,
            Flow::Down => self.keep_ours_aside(step, false).await,
            Flow::Both => self.keep_ours_aside(step, true).await,
        }
    }

    /// The file here gives way; theirs takes its place; two-way, ours goes up.
    async fn keep_ours_aside(&self, step: &Step, send: bool) -> Fate {
        let Some(here) = &step.here else { return Fate::Stale };
        if step.there.as_ref().is_some_and(|there| there.archived) {
            // Nothing could take its place.
            return archived(step);
        }
        let digest = match self.digest_here(step).await {
            Ok(digest) => digest,
            Err(fate) => return fate,
        };
        let aside = match self.name_aside(step, &digest) {
            Ok(aside) => aside,
            Err(problem) => return Fate::Problem(problem),
        };
        let fetched = Step { action: Action::Download, here: None, ..step.clone() };
        if self.pair.planted.has(Bug::ConflictLoserDropped) {
            let over = Step { here: step.here.clone(), ..fetched };
            return Box::pin(self.download(&over)).await;
        }
        if let Some(fate) = self.is_aside(step, &aside, &digest).await {
            return fate;
        }
        // Until theirs is here, the name is free because of us, and no deletion.
        if let Err(error) = self.stand(step, Standing::Lapsed) {
            return Fate::Fatal(error.into());
        }
        let renamed = match self.installer.rename_here(&step.path, &aside, &here.stamp).await {
            Ok(renamed) => renamed,
            Err(error) => {
                if error == InstallError::Stale {
                    // As it was; if this is lost, both sides are compared afresh.
                    let _ = self.stand(step, Standing::Agreed);
                }
                return install_fate(step, error);
            }
        };
        let fetched = Box::pin(self.download(&fetched)).await;
        if matches!(fetched, Fate::Fatal(_)) {
            return fetched;
        }
        let seen = HereSeen { stamp: renamed.stat.stamp, meta: here.meta.clone() };
        let sent = if send { self.send_aside(step, aside, seen).await } else { None };
        let unsent = send && sent.is_none();
        let kept =
            Outcome { dirs: renamed.dirs, counts: Counts { kept_both: 1, ..Counts::default() }, ..Outcome::default() };
        match (fetched, sent) {
            (Fate::Done(mut outcome), sent) => {
                outcome.join(kept);
                outcome.join(sent.unwrap_or_default());
                // It is a new file like any other: the next pass sends it, or says why not.
                outcome.again |= unsent;
                Fate::Done(outcome)
            }
            // Theirs must wait, and ours is at its new name on both sides.
            (_, Some(mut sent)) => {
                sent.join(kept);
                Fate::Done(Outcome { again: true, ..sent })
            }
            // Ours is safe under its new name; the next run goes on.
            (other, None) => other,
        }
    }

    /// Sends what was put aside, whatever became of its old place: an object whose
    /// bytes it holds may go in this very run.
    async fn send_aside(&self, step: &Step, aside: RelPath, seen: HereSeen) -> Option<Outcome> {
        let key = key_of(&aside, step.kind, self.pair.settings.scan.links).ok()?;
        let sent = Step { key, path: aside, action: Action::Upload, here: Some(seen), there: None, ..step.clone() };
        match Box::pin(self.upload(&sent)).await {
            Fate::Done(outcome) => Some(outcome),
            _ => None,
        }
    }

    /// Lets the row of an agreed entry stand for less, or for as much again.
    fn stand(&self, step: &Step, standing: Standing) -> crate::state::Result<()> {
        match step.row.standing {
            Some(Standing::Agreed) => self.pair.state.commit(&[Change::Stand(step.key.clone(), standing)]),
            _ => Ok(()),
        }
    }

    /// What to do where the name aside is taken: by the same bytes, put there by a
    /// run that died, theirs can take their place; by others, a person must see to it.
    async fn is_aside(&self, step: &Step, aside: &RelPath, digest: &Digest) -> Option<Fate> {
        let stat = self.pair.disk.stat(aside).await.ok()??;
        let here = Some(HereSeen { stamp: stat.stamp, meta: stat.meta() });
        let taken = Step { path: aside.clone(), here, ..step.clone() };
        match self.digest_here(&taken).await {
            Ok(same) if same == *digest => {
                let over = Step { action: Action::Download, ..step.clone() };
                Some(Box::pin(self.download(&over)).await)
            }
            _ => Some(Fate::Problem(taken_name(step, aside.as_str()))),
        }
    }

    /// Their object is copied aside, then ours takes its place.
    async fn keep_theirs_aside(&self, step: &Step) -> Fate {
        let Some(there) = &step.there else { return Fate::Stale };
        let object = match self.pair.remote.head(&step.key).await {
            Ok(Some(object)) if object.stamp.same_content(&there.stamp) => object,
            Ok(_) => return Fate::Stale,
            Err(error) => return remote_fate(step, error),
        };
        let content = self.attributes(&object).digest.unwrap_or_else(|| Digest::of(object.stamp.etag.as_bytes()));
        // Beside the object, which may have another name than the file.
        let links = self.pair.settings.scan.links;
        let beside = entry_of(&self.pair.remote.real_key(&step.key), links);
        let beside = Step { path: beside.map_or_else(|_| step.path.clone(), |(path, _)| path), ..step.clone() };
        let aside = match self.name_aside(&beside, &content) {
            Ok(aside) => aside,
            Err(problem) => return Fate::Problem(problem),
        };
        let Ok(key) = key_of(&aside, step.kind, self.pair.settings.scan.links) else { return Fate::Stale };
        let piece =
            Piece::CopyOf { key: step.key.clone(), stamp: there.stamp.clone(), offset: 0, size: there.stamp.size };
        let mut meta = object.meta.unwrap_or_default();
        match self.checks_sources().await {
            Ok(true) => {}
            // What is copied may be another version by then.
            Ok(false) => disclaim(&mut meta.user),
            Err(error) => return remote_fate(step, error),
        }
        meta.user.insert("tidelock-attempt".to_owned(), self.attempt(&key));
        let copy = Put {
            key: key.clone(),
            recipe: vec![piece],
            meta,
            storage_class: object.storage_class.clone(),
            condition: Condition::Absent,
        };
        match self.put(&copy).await {
            Ok(_) => {}
            // The same bytes from the same device were put aside before.
            Err(error) if error.kind == ErrorKind::Precondition => match self.is_own_copy(&key, &object.stamp).await {
                Ok(true) => {}
                Ok(false) => return Fate::Problem(taken_name(step, key.as_str())),
                Err(error) => return remote_fate(step, error),
            },
            Err(error) => return remote_fate(step, error),
        }
        let sent = Step { action: Action::Upload, ..step.clone() };
        match Box::pin(self.upload(&sent)).await {
            Fate::Done(outcome) => {
                let counts = Counts { kept_both: 1, ..Counts::default() };
                let text = format!("{}: what was there is kept as {:?}", step.key, key.as_str());
                let mut both = Outcome { counts, events: vec![Event::Note { text }], ..Outcome::default() };
                both.join(outcome);
                Fate::Done(both)
            }
            other => other,
        }
    }

    /// Whether the object aside is a copy that a run of this device made.
    async fn is_own_copy(&self, key: &Key, of: &RemoteStamp) -> tidelock_remote::Result<bool> {
        let Some(object) = self.pair.remote.head(key).await? else { return Ok(false) };
        let attempt = self.attributes(&object).attempt;
        Ok(object.stamp.size == of.size && attempt.is_some_and(|attempt| self.is_own_attempt(&attempt, key)))
    }

    /// The later modification time wins; where neither is clearly later, a person.
    pub(super) async fn newer(&self, step: &Step) -> Fate {
        let Some(here) = &step.here else { return Fate::Stale };
        let object = match self.pair.remote.head(&step.key).await {
            Ok(Some(object)) => object,
            Ok(None) => return Fate::Stale,
            Err(error) => return remote_fate(step, error),
        };
        debug_assert!(matches!(expected_there(step), Condition::Matches(_)), "a conflict has two sides");
        let Some(theirs) = self.attributes(&object).meta.mtime_ns else { return Fate::Conflict };
        let ours = here.stamp.mtime_ns;
        let policy = &self.pair.settings.policy;
        if ours.abs_diff(theirs) <= NEWER_GRAIN_NS.unsigned_abs() {
            Fate::Conflict
        } else if ours > theirs && policy.writes_there() {
            Box::pin(self.upload(&Step { action: Action::Upload, ..step.clone() })).await
        } else if ours < theirs && policy.writes_here() {
            Box::pin(self.download(&Step { action: Action::Download, ..step.clone() })).await
        } else {
            Fate::Left
        }
    }

    async fn digest_here(&self, step: &Step) -> Result<Digest, Fate> {
        if step.kind == Kind::Link {
            let target = self.pair.disk.read_link(&step.path).await.map_err(|error| disk_fate(step, error))?;
            self.check_here(step).await?;
            return Ok(Digest::of(&target));
        }
        let file = self.open_expected(step).await?;
        let read = fingerprint(&*file, &Wanted::default()).await.map_err(|error| disk_fate(step, error))?;
        Ok(read.digest)
    }

    fn name_aside(&self, step: &Step, content: &Digest) -> Result<RelPath, Problem> {
        conflict_path(&step.path, content, &self.pair.settings.device)
            .map_err(|why| problem(step, ProblemClass::Skipped, format!("no room for a conflict copy: {why}")))
    }
}

fn taken_name(step: &Step, aside: &str) -> Problem {
    let what = format!("the conflict copy would be called {aside:?}, and something else is; rename that");
    problem(step, ProblemClass::Skipped, what)
}
