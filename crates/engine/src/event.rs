//! What a run tells while it goes on.
//!
//! One stream of numbered events, drawn by terminal, JSON and browser alike; its
//! schema is documented in docs/events.md and versioned by [`EVENT_VERSION`]. An
//! event never says more than was proved: `done` comes after the effect is durable
//! and recorded.

use serde::{Deserialize, Serialize};
use tidelock_core::plan::{Problem, Step, Totals};

use crate::report::{Ending, Report};

/// The version of the schema. Fields may be added without a new one.
pub const EVENT_VERSION: u32 = 1;

/// Something that happened in a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "event")]
pub enum Event {
    /// A batch came to this pair.
    PairStarted {
        /// Its name.
        pair: String,
    },
    /// The run began.
    RunStarted {
        /// What was run.
        command: String,
        /// The folder.
        local: String,
        /// The remote.
        remote: String,
    },
    /// Both sides were looked at and the plan is complete.
    Planned {
        /// What it adds up to.
        totals: Totals,
    },
    /// A step of the plan, in dry runs and status.
    Step {
        /// What it does.
        action: String,
        /// Where.
        path: String,
        /// How many bytes it moves.
        bytes: u64,
        /// The row of the decision table.
        row: String,
        /// For a move, from where.
        #[serde(skip_serializing_if = "Option::is_none")]
        from: Option<String>,
    },
    /// A step is carried out, durable and recorded.
    Done {
        /// What was done.
        action: String,
        /// Where.
        path: String,
        /// How many bytes were sent or fetched.
        bytes: u64,
        /// What proved the bytes, for downloads.
        #[serde(skip_serializing_if = "Option::is_none")]
        evidence: Option<String>,
        /// For a move, from where.
        #[serde(skip_serializing_if = "Option::is_none")]
        from: Option<String>,
    },
    /// Bytes begin to move for a step, for progress bars; not kept.
    Began {
        /// What is being done.
        action: String,
        /// Where.
        path: String,
        /// How many bytes are to move.
        bytes: u64,
    },
    /// Bytes on their way, for progress bars; not kept.
    Progress {
        /// Bytes since the last such event.
        bytes: u64,
    },
    /// Both sides changed, and nothing was written.
    Conflict {
        /// Where.
        path: String,
        /// The row of the decision table.
        row: String,
    },
    /// An object of a listing.
    Object {
        /// Its key.
        key: String,
        /// Its size.
        bytes: u64,
        /// Its entity tag.
        etag: String,
        /// When it was written, Unix seconds.
        #[serde(skip_serializing_if = "Option::is_none")]
        modified_s: Option<i64>,
        /// Its storage class, where that is not the usual one.
        #[serde(skip_serializing_if = "Option::is_none")]
        storage_class: Option<String>,
        /// Whether its bytes must be thawed before they can be read.
        archived: bool,
    },
    /// Something could not be done.
    Problem(Problem),
    /// Something a person should know.
    Note {
        /// What.
        text: String,
    },
    /// The run cannot go on.
    Stopped {
        /// How it ends for the caller.
        ending: Ending,
        /// Why, and how to go on.
        reason: String,
    },
    /// The run is over.
    RunEnded {
        /// What came of it.
        report: Box<Report>,
    },
}

impl Event {
    /// The event of a planned step.
    pub fn of_step(step: &Step) -> Self {
        let from = match &step.action {
            tidelock_core::plan::Action::Move { from, .. } => Some(from.to_string()),
            _ => None,
        };
        Self::Step {
            action: step.action.name().to_owned(),
            path: step.key.to_string(),
            bytes: step.bytes(),
            row: step.row.to_string(),
            from,
        }
    }

    /// As JSON, if it is worth keeping in the history.
    pub fn to_keep(&self) -> Option<String> {
        match self {
            Self::Began { .. } | Self::Progress { .. } | Self::Step { .. } => None,
            event => serde_json::to_string(event).ok(),
        }
    }
}

/// Someone who is told of events.
pub trait Listener: Send + Sync {
    /// Takes one event. Must not block.
    fn hear(&self, event: &Event);
}

/// Nobody.
pub struct Deaf;

impl Listener for Deaf {
    fn hear(&self, _event: &Event) {}
}
