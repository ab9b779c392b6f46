//! Carrying out a plan.
//!
//! Steps come from the spool by phase, a bounded number at once, each re-checked
//! against the world just before it acts. What came of each goes to the recorder;
//! trouble with one path stays with that path; only what makes the whole run
//! pointless ends it. The verbs are in `transfer/`, one idea a file; none of them
//! decides what should happen, except that `compare.rs` asks core a second time.

mod bytes;
mod compare;
mod conflict;
mod course;
pub(crate) mod delete;
mod download;
mod meta;
mod moves;
mod rename;
mod upload;
pub(crate) mod way;

pub(crate) use course::Aftermath;
use course::Course;
pub(crate) use rename::named_step;

use crate::disk::{self, Stat};
use crate::event::Event;
use crate::failure::{Failure, ending_of, remedy_for};
use crate::install::{InstallError, Installer};
use crate::pair::Pair;
use crate::record::{Outcome, Recorder};
use crate::report::{Ending, Report};
use crate::state::{Change, Spool, State};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use tidelock_core::entry::{BaseRow, Digest, FileId, LocalHalf, LocalStamp, Meta, RemoteHalf, Standing};
use tidelock_core::path::{Key, RelPath};
use tidelock_core::plan::{Action, Phase, Problem, ProblemClass, Step};
use tidelock_remote::{Error, ErrorKind};

/// What came of a step.
#[derive(Debug)]
pub(crate) enum Fate {
    /// Done; this is to be recorded.
    Done(Outcome),
    /// Something else was found than expected: look again.
    Stale,
    /// The same, as a side told it in these words.
    StaleSince(String),
    /// It cannot be done.
    Problem(Problem),
    /// Another kind of entry holds the name: try once more after the deletions.
    Blocked(Problem),
    /// Both sides changed; nothing was written.
    Conflict,
    /// The policy leaves it.
    Left,
    /// The policy leaves it, and what was learnt of it is to be recorded.
    Noted(Outcome),
    /// Nothing can be done any more.
    Fatal(Failure),
}

/// Deletions come last: what stands in the way of a step then, it does not wait for.
fn at_once(fate: Fate) -> Fate {
    match fate {
        Fate::Blocked(problem) => Fate::Problem(problem),
        fate => fate,
    }
}

/// A folder that was made and gets its metadata once all that belongs in it is there.
struct Unfinished {
    key: Key,
    path: RelPath,
    id: FileId,
    meta: Meta,
}

/// One run's hands.
pub(crate) struct Carrier<'a> {
    pub(crate) pair: &'a Pair,
    pub(crate) spool: &'a Spool<'a>,
    pub(crate) installer: Installer,
    /// The run's token, on record before anything is written under it.
    pub(crate) token: String,
    attempts: AtomicU64,
    /// Folders whose times, and modes that would lock us out, are set at the end.
    folders: Mutex<Vec<Unfinished>>,
    /// What was written without something that belongs to it.
    left_out: Mutex<Vec<Problem>>,
    /// The folder that was last found to lie here under its very name.
    named: Mutex<RelPath>,
}

impl<'a> Carrier<'a> {
    pub(crate) fn new(pair: &'a Pair, spool: &'a Spool<'a>, installer: Installer, token: String) -> Self {
        Self {
            pair,
            spool,
            installer,
            token,
            attempts: AtomicU64::new(0),
            folders: Mutex::default(),
            left_out: Mutex::default(),
            named: Mutex::new(RelPath::root()),
        }
    }

    /// A new attempt id for a write of this key: no two writes of any device ever
    /// share one. Whoever copies the object elsewhere copies its metadata too, so
    /// the id names the key it was made for.
    pub(crate) fn attempt(&self, key: &Key) -> String {
        let number = self.attempts.fetch_add(1, Ordering::Relaxed);
        format!("{}/{number}/{}", self.token, Digest::of(key.as_str().as_bytes()).short())
    }

    /// Whether a run of this device made this attempt id for this key.
    pub(crate) fn is_own_attempt(&self, attempt: &str, key: &Key) -> bool {
        is_own_attempt(&self.pair.state, attempt, key)
    }

    pub(crate) fn later(&self, step: &Step, made: &Stat, meta: Meta) {
        let (key, path, id) = (step.key.clone(), step.path.clone(), made.stamp.file_id);
        let mut folders = self.folders.lock().unwrap_or_else(PoisonError::into_inner);
        folders.push(Unfinished { key, path, id, meta });
    }

    /// Gives folders their times and modes, deepest first. They are a courtesy: a
    /// folder that moved meanwhile is left as it is, and its time is never compared.
    pub(crate) async fn finish_folders(&self) {
        let mut folders = std::mem::take(&mut *self.folders.lock().unwrap_or_else(PoisonError::into_inner));
        folders.sort_by(|a, b| b.path.cmp(&a.path));
        for folder in folders {
            let Unfinished { path, id, meta, .. } = &folder;
            if let Ok(stat) = self.pair.disk.set_meta(path, *id, meta, self.pair.settings.meta_scope).await {
                // Unrecorded, it is what the marker says, and setting that there is no harm.
                let _ = self.record_folder(&folder, &stat).await;
            }
        }
    }

    /// The row says what the folder had while it was filled; now it has what it will
    /// keep, and does so durably, or a power loss would look like the user's change.
    async fn record_folder(&self, folder: &Unfinished, stat: &Stat) -> Option<()> {
        let mut row = self.pair.state.row(&folder.key).ok()??;
        let half = row.here.as_mut().filter(|half| half.stamp.file_id == folder.id)?;
        let known = |meta: &Meta| Meta { mtime_ns: None, xattrs: None, ..meta.clone() };
        if known(&half.meta) == known(&stat.meta()) {
            return None;
        }
        half.meta = Meta { xattrs: half.meta.xattrs.clone(), ..stat.meta() };
        self.pair.disk.sync_dir(&folder.path).await.ok()?;
        self.pair.state.commit(&[Change::Put(Box::new(row))]).ok()
    }

    /// Carries out the whole plan.
    pub(crate) async fn run(&self, recorder: &mut Recorder<'_>, report: &mut Report) -> Result<Aftermath, Failure> {
        let mut course = Course::new(self, recorder, report);
        self.chains(&mut course).await?;
        self.writes(&mut course).await?;
        // Deletions of moved objects rely on rows that the writes brought.
        course.flush().await?;
        self.deletes(&mut course).await?;
        self.mention(&mut course).await?;
        while let Some(step) = course.next_blocked() {
            let fate = at_once(self.carry_out(&step).await);
            course.settle(&step, fate).await?;
        }
        course.flush().await?;
        Ok(course.end())
    }

    /// What nothing is done about is counted, and told where a person must know.
    async fn mention(&self, course: &mut Course<'_, '_>) -> Result<(), Failure> {
        let mut steps = self.spool.phase(Phase::None);
        while let Some(step) = steps.next()? {
            let fate = match step.action {
                Action::Conflict => self.after_our_own(&step).await.unwrap_or(Fate::Conflict),
                _ => Fate::Left,
            };
            course.settle(&step, fate).await?;
        }
        Ok(())
    }

    /// Steps that depend on each other: each chain in order, chains side by side.
    async fn chains(&self, course: &mut Course<'_, '_>) -> Result<(), Failure> {
        let mut number = 0_i64;
        let next = || {
            number += 1;
            let chain = self.spool.chain(number)?;
            Ok((!chain.is_empty()).then(|| self.chain(chain)))
        };
        course.side_by_side(next).await?;
        self.check_interrupt()
    }

    async fn chain(&self, steps: Vec<(i64, Step)>) -> Vec<(Step, Fate)> {
        let mut fates = Vec::with_capacity(steps.len());
        // What a later step overwrites is what an earlier one should have copied: where
        // that was not done, the rest waits, for another look or for a person.
        let mut broken: Option<fn() -> Fate> = None;
        for (_, step) in steps {
            let fate = match broken {
                Some(waits) => waits(),
                None => self.carry_out(&step).await,
            };
            if let (Fate::Left, Action::Move { from, .. }) = (&fate, &step.action) {
                self.waits(from);
            }
            broken = broken.or(match &fate {
                Fate::Done(_) | Fate::Noted(_) => None,
                Fate::Left if !step.action.is_rename() => None,
                Fate::Stale | Fate::StaleSince(_) => Some(|| Fate::Stale),
                _ => Some(|| Fate::Left),
            });
            fates.push((step, fate));
        }
        fates
    }

    async fn writes(&self, course: &mut Course<'_, '_>) -> Result<(), Failure> {
        let mut steps = self.spool.phase(Phase::Write);
        let next = || {
            Ok(steps.next()?.map(|step| async move {
                let fate = self.carry_out(&step).await;
                vec![(step, fate)]
            }))
        };
        course.side_by_side(next).await?;
        self.check_interrupt()
    }

    pub(crate) fn check_interrupt(&self) -> Result<(), Failure> {
        if self.pair.is_interrupted() { Err(Failure::Interrupted) } else { Ok(()) }
    }

    /// One step, by its action.
    pub(crate) async fn carry_out(&self, step: &Step) -> Fate {
        if self.pair.settings.only_moves && !step.action.is_rename() {
            return Fate::Left;
        }
        if step.bytes() > 0 {
            let (action, path) = (step.action.name().to_owned(), step.key.to_string());
            self.pair.listener.hear(&Event::Began { action, path, bytes: step.bytes() });
        }
        match &step.action {
            Action::Upload => self.upload(step).await,
            Action::Move { from, source, digest: Some(digest), proved } => {
                self.carry_move(step, from, source, digest, *proved).await
            }
            // Of objects alone, with no file here: `rename.rs`.
            Action::Move { digest: None, .. } => Fate::Left,
            Action::Download => match self.download_once(step).await {
                Fate::Blocked(problem) => match self.clear_way(step).await {
                    Ok(true) => self.download_once(step).await,
                    Ok(false) => Fate::Blocked(problem),
                    Err(fate) => fate,
                },
                fate => fate,
            },
            Action::MetaThere => self.meta_there(step, None).await,
            Action::MetaHere => self.meta_here(step).await,
            Action::Compare => self.compare(step).await,
            Action::KeepBoth | Action::Newer => match self.after_our_own(step).await {
                Some(fate) => fate,
                None if step.action == Action::KeepBoth => self.keep_both(step).await,
                None => self.newer(step).await,
            },
            Action::Adopt => self.adopt(step).await,
            Action::Forget => Fate::Done(Outcome::record(Change::Drop(step.key.clone()))),
            Action::Lapse => Fate::Done(Outcome::record(Change::Stand(step.key.clone(), Standing::Lapsed))),
            Action::Refresh => self.refresh(step),
            Action::Conflict => Fate::Conflict,
            Action::Leave => Fate::Left,
            // Deletions have their own phase; one that comes here was not planned.
            Action::DeleteThere | Action::DeleteMoved | Action::DeleteHere => Fate::Left,
        }
    }

    async fn download_once(&self, step: &Step) -> Fate {
        match self.download(step).await {
            // A deletion of this plan may take the link away.
            Fate::Problem(problem) if problem.what == ESCAPES => Fate::Blocked(problem),
            fate => fate,
        }
    }

    /// The row that says: both sides hold this.
    pub(crate) fn row(&self, step: &Step, here: LocalHalf, there: RemoteHalf, digest: Option<Digest>) -> BaseRow {
        BaseRow {
            key: step.key.clone(),
            kind: step.kind,
            standing: Standing::Agreed,
            here: Some(here),
            there: Some(there),
            digest,
            moved_to: None,
        }
    }

    /// The time, to be taken before bytes are read that a stamp is to stand for.
    pub(crate) fn now_ns(&self) -> i64 {
        self.pair.world.clock.wall_ns()
    }

    /// The local half of a row whose bytes were read, or put there, after `before_ns`,
    /// with how far its stamp can be trusted. When the row is made tells nothing: a
    /// change right after the reading has long happened by then.
    pub(crate) fn half(&self, stamp: LocalStamp, meta: Meta, before_ns: i64) -> LocalHalf {
        LocalHalf { stamp, meta, racy: racy_for_ns(&stamp, before_ns, self.pair.disk.grain_ns()) > 0 }
    }
}

/// Whether a run in this state made this attempt id for this key.
pub(crate) fn is_own_attempt(state: &State, attempt: &str, key: &Key) -> bool {
    let mut parts = attempt.split('/');
    let (Some(token), Some(_), Some(tag)) = (parts.next(), parts.next(), parts.next()) else { return false };
    tag == Digest::of(key.as_str().as_bytes()).short() && state.has_run(token).unwrap_or(false)
}

/// For how long from a time on another change of the file could leave the same stamp:
/// two grains after its last. A time in whole seconds tells of a coarse file system. No
/// longer than that, whatever the clocks say of each other.
fn racy_for_ns(stamp: &LocalStamp, from_ns: i64, grain_ns: i64) -> i64 {
    const COARSE_GRAIN_NS: i64 = 2_000_000_000;
    let coarse = stamp.mtime_ns % 1_000_000_000 == 0 && stamp.change_ns % 1_000_000_000 == 0;
    let grain_ns = if coarse { COARSE_GRAIN_NS } else { grain_ns };
    if grain_ns > 1 { (2 * grain_ns - from_ns.saturating_sub(stamp.change_ns)).clamp(0, 2 * grain_ns) } else { 0 }
}

/// A problem with a step's path.
pub(crate) fn problem(step: &Step, class: ProblemClass, what: impl Into<String>) -> Problem {
    Problem { path: step.key.to_string(), what: what.into(), class }
}

/// An object whose bytes cannot be had now.
pub(crate) fn archived(step: &Step) -> Fate {
    let what = "its bytes are in an archive; ask the provider to restore the object, then run again";
    Fate::Problem(problem(step, ProblemClass::Archived, what))
}

/// What an error of the remote means for a step.
pub(crate) fn remote_fate(step: &Step, error: Error) -> Fate {
    match error.kind {
        ErrorKind::Precondition
        | ErrorKind::Raced
        | ErrorKind::NotFound
        | ErrorKind::Conflict
        | ErrorKind::SourceMoved => Fate::StaleSince(error.to_string()),
        ErrorKind::Archived => archived(step),
        // What is deleted later may make room, so the run goes on.
        ErrorKind::Full => {
            let what = format!("{error}; make room there, then run again");
            Fate::Problem(problem(step, ProblemClass::NoRoom, what))
        }
        ref kind if kind.is_fatal() => Fate::Fatal(Failure::Remote(error)),
        ref kind => {
            let class = match ending_of(kind) {
                Ending::Denied => ProblemClass::Denied,
                Ending::Temporary => ProblemClass::Temporary,
                _ if *kind == ErrorKind::Name => ProblemClass::Skipped,
                _ => ProblemClass::Failed,
            };
            Fate::Problem(problem(step, class, format!("{error}{}", remedy_for(&error))))
        }
    }
}

/// What a person is told of a name that two kinds of entries want.
pub(crate) const HELD: &str = "another entry holds this name, or that of a folder above it; rename one of them";

/// What a person is told of a path that leads through a link.
const ESCAPES: &str = "a symbolic link or a mount stands where a folder was expected; nothing is written through it";

/// What an error of the disk means for a step.
pub(crate) fn disk_fate(step: &Step, error: disk::Error) -> Fate {
    use disk::ErrorKind as Kind;
    match error.kind {
        Kind::NotFound | Kind::Changed => Fate::StaleSince(error.to_string()),
        Kind::Exists | Kind::NotADir | Kind::NotAFile | Kind::NotEmpty => {
            Fate::Blocked(problem(step, ProblemClass::Skipped, HELD))
        }
        Kind::Escapes => Fate::Problem(problem(step, ProblemClass::Skipped, ESCAPES)),
        Kind::Denied => {
            let what = format!(
                "{error}; check the permissions of the file and its folder, and whether one is immutable (lsattr)"
            );
            // What may not be read is left out of the copy; what may not be written is
            // a permission that this run needs.
            let class = if error.is_of_reading() { ProblemClass::Skipped } else { ProblemClass::Denied };
            Fate::Problem(problem(step, class, what))
        }
        Kind::ReadOnly => {
            let what = format!("{error}; mount it writable, or name another folder");
            Fate::Problem(problem(step, ProblemClass::Denied, what))
        }
        Kind::NoSpace => {
            Fate::Problem(problem(step, ProblemClass::NoRoom, format!("{error}; make room, then run again")))
        }
        _ => Fate::Problem(problem(step, ProblemClass::Failed, error.to_string())),
    }
}

/// What an error of an installation means for a step.
pub(crate) fn install_fate(step: &Step, error: InstallError) -> Fate {
    match error {
        InstallError::Stale => Fate::Stale,
        InstallError::BothKept { .. } | InstallError::BeingWritten => {
            Fate::Problem(problem(step, ProblemClass::Skipped, error.to_string()))
        }
        InstallError::Disk(error) => disk_fate(step, error),
    }
}
