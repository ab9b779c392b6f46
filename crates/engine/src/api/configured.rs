//! What is asked of the configuration, and of all its pairs at once; and the replies.
//!
//! A batch comes with every pair's sync spelt out, so that whoever carries it out
//! needs no configuration.

use super::{RunReply, Sync};
use crate::config::layers::Setting;
use crate::config::problem::Problem;
use crate::report::Ending;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Asks for a sync of several pairs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Batch {
    /// Which, in their order.
    pub runs: Vec<PairSync>,
    /// Only say what would be done.
    #[serde(default)]
    pub dry_run: bool,
}

/// A pair by its name, and its sync.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PairSync {
    /// The name.
    pub pair: String,
    /// The sync.
    pub sync: Option<Sync>,
    /// Why there is none: what is wrong with how the pair is configured.
    #[serde(default)]
    pub wrong: Option<Wrong>,
}

/// Why a pair's sync cannot be begun.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wrong {
    /// How it ends for that.
    pub ending: Ending,
    /// In words.
    pub reason: String,
}

/// Asks what is configured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Show {
    /// For which pair; for none in particular if nobody says.
    #[serde(default)]
    pub pair: Option<String>,
}

/// Asks for a sample configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Init {
    /// The new file; the usual one if nobody says.
    #[serde(default)]
    pub file: Option<PathBuf>,
}

/// What came of several pairs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BatchReply {
    /// One after the other.
    pub runs: Vec<BatchRun>,
    /// Pairs that were not come to.
    pub skipped: Vec<String>,
    /// Whether it was interrupted.
    pub interrupted: bool,
    /// Whether it only looked.
    pub dry_run: bool,
}

/// What came of one of several pairs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BatchRun {
    /// Its name.
    pub pair: String,
    /// How it ended.
    pub ending: Ending,
    /// Its run.
    pub run: Option<RunReply>,
    /// Why it could not be begun.
    pub stopped: Option<String>,
}

/// What is configured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shown {
    /// The file, if there is one.
    pub file: Option<String>,
    /// By section.
    pub sections: Vec<Section>,
}

/// Settings that belong together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Section {
    /// What they are of: `pair.photos`.
    pub name: String,
    /// The settings.
    pub settings: Vec<Setting>,
}

/// What is wrong with the configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checked {
    /// The file, if there is one.
    pub file: Option<String>,
    /// How many profiles it has.
    pub profiles: usize,
    /// How many pairs.
    pub pairs: usize,
    /// What is wrong.
    pub problems: Vec<Problem>,
    /// What may be a slip: folders that are not there, variables that look like settings and are none.
    #[serde(default)]
    pub warnings: Vec<Problem>,
}

impl Checked {
    /// How it ended.
    pub fn ending(&self) -> Ending {
        let endings: Vec<Ending> = self
            .problems
            .iter()
            .map(|problem| if problem.missing { Ending::NotFound } else { Ending::Config })
            .collect();
        Ending::strongest(&endings)
    }
}

/// Where the configuration is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigPath {
    /// The file.
    pub file: String,
    /// Whether it is there.
    pub exists: bool,
    /// Whether it was written just now.
    pub written: bool,
    /// What would be written, if it is only shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}
