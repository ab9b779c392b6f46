//! What came of a run.
//!
//! Counted from outcomes, never from intentions. The exit code follows from it by
//! one rule, here, so that every face gives the same: when several apply, the order
//! of design.md section 7 decides, and all reasons are listed.

use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use tidelock_core::plan::{Problem, ProblemClass, Totals};

/// At most so many problems are listed; all are counted.
const LISTED_PROBLEMS: usize = 1_000;
/// So many are remembered, so that none of them is told twice.
const TOLD_PROBLEMS: usize = 10_000;

/// How a run ended, as exit codes tell it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ending {
    /// Everything wanted is done.
    Ok,
    /// Something failed.
    Failed,
    /// Some paths were skipped.
    Partial,
    /// What was named does not exist.
    NotFound,
    /// A guard stopped the run.
    SafetyStop,
    /// Conflicts wait for a person.
    Conflicts,
    /// Archived bytes wait to be thawed.
    Archived,
    /// Busy, unreachable or in use: try again.
    Temporary,
    /// Credentials or permissions.
    Denied,
    /// A setting is wrong.
    Config,
    /// The command line is wrong.
    Usage,
    /// Interrupted.
    Interrupted,
}

impl Ending {
    /// The process's exit code.
    pub fn code(self) -> i32 {
        match self {
            Self::Ok => 0,
            Self::Failed => 1,
            Self::Partial => 3,
            Self::NotFound => 4,
            Self::SafetyStop => 5,
            Self::Conflicts => 6,
            Self::Archived => 7,
            Self::Temporary => 75,
            Self::Denied => 77,
            Self::Config => 78,
            Self::Usage => 2,
            Self::Interrupted => 130,
        }
    }

    /// The one that the process ends with when several apply.
    pub fn strongest(endings: &[Self]) -> Self {
        endings.iter().copied().max_by_key(|ending| ending.weight()).unwrap_or(Self::Ok)
    }

    /// What wins when several apply: later is stronger.
    fn weight(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::NotFound => 1,
            Self::Archived => 2,
            Self::Partial => 3,
            Self::Conflicts => 4,
            Self::Failed => 5,
            Self::Temporary => 6,
            Self::SafetyStop => 7,
            Self::Denied => 8,
            Self::Config => 9,
            Self::Usage => 10,
            Self::Interrupted => 11,
        }
    }
}

/// What came of a run.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Report {
    /// What the plan added up to, in its last pass.
    pub planned: Totals,
    /// Files, links and markers sent.
    pub uploaded: u64,
    /// Their bytes.
    pub uploaded_bytes: u64,
    /// Objects made there by copies: renames here.
    pub moved: u64,
    /// Files fetched, or made from what was here.
    pub downloaded: u64,
    /// Bytes fetched.
    pub downloaded_bytes: u64,
    /// Of those files, the ones made from bytes that were already here.
    pub reused: u64,
    /// Metadata set, on either side.
    pub metas: u64,
    /// Objects removed, those of moves apart.
    pub deleted_there: u64,
    /// Files moved to the trash.
    pub deleted_here: u64,
    /// Entries found to be the same and recorded so.
    pub adopted: u64,
    /// Conflicts that wait for a person.
    pub conflicts: u64,
    /// Conflicts after which both versions were kept.
    pub kept_both: u64,
    /// Differences left alone.
    pub drift: u64,
    /// Steps that found something else than expected, after the last pass.
    pub stale: u64,
    /// How many problems there were.
    pub problem_count: u64,
    /// The problems, the first thousand.
    pub problems: Vec<Problem>,
    /// How often both sides were looked at.
    pub passes: u32,
    /// How long it took.
    pub duration_ms: u64,
    /// How it ended.
    pub endings: Vec<Ending>,
    /// Why it stopped, if it did.
    pub stopped: Option<String>,
    /// Keys that were as agreed when both sides were first looked at.
    #[serde(default)]
    pub unchanged: u64,
    /// The problems that were told, so that a second look does not tell them again.
    #[serde(skip)]
    pub(crate) told: BTreeSet<(String, String)>,
}

impl Report {
    /// Counts a problem; whether it is to be told, as nobody was told of it before.
    pub fn problem(&mut self, problem: Problem) -> bool {
        self.problem_count += 1;
        self.end(match problem.class {
            ProblemClass::Skipped => Ending::Partial,
            ProblemClass::Failed => Ending::Failed,
            ProblemClass::Denied => Ending::Denied,
            ProblemClass::NoRoom | ProblemClass::Temporary => Ending::Temporary,
            ProblemClass::Archived => Ending::Archived,
        });
        let is_kept = self.told.len() < TOLD_PROBLEMS;
        let is_news = if is_kept {
            self.told.insert((problem.path.clone(), problem.what.clone()))
        } else {
            !self.told.contains(&(problem.path.clone(), problem.what.clone()))
        };
        if self.problems.len() < LISTED_PROBLEMS {
            self.problems.push(problem);
        }
        is_news
    }

    /// Notes a way in which it ended.
    pub fn end(&mut self, ending: Ending) {
        if !self.endings.contains(&ending) {
            self.endings.push(ending);
        }
    }

    /// The strongest of its endings.
    pub fn ending(&self) -> Ending {
        Ending::strongest(&self.endings)
    }

    /// Takes what came of another run of the same command in.
    pub fn absorb(&mut self, other: Self) {
        self.planned.absorb(&other.planned);
        self.uploaded += other.uploaded;
        self.uploaded_bytes += other.uploaded_bytes;
        self.moved += other.moved;
        self.downloaded += other.downloaded;
        self.downloaded_bytes += other.downloaded_bytes;
        self.reused += other.reused;
        self.metas += other.metas;
        self.deleted_there += other.deleted_there;
        self.deleted_here += other.deleted_here;
        self.adopted += other.adopted;
        self.conflicts += other.conflicts;
        self.kept_both += other.kept_both;
        self.drift += other.drift;
        self.stale += other.stale;
        self.unchanged += other.unchanged;
        self.problem_count += other.problem_count;
        let room = LISTED_PROBLEMS.saturating_sub(self.problems.len());
        self.problems.extend(other.problems.into_iter().take(room));
        self.passes = self.passes.max(other.passes);
        self.duration_ms += other.duration_ms;
        other.endings.into_iter().for_each(|ending| self.end(ending));
        self.stopped = self.stopped.take().or(other.stopped);
    }

    /// Whether anything was written on either side.
    pub fn changed_anything(&self) -> bool {
        self.uploaded + self.moved + self.downloaded + self.metas + self.deleted_here + self.deleted_there > 0
    }
}
