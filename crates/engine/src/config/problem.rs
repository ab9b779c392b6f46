//! What is wrong with a configuration, where, and what to write instead.
//!
//! Shown as `FILE:LINE: KEY: what is wrong; what to write`, for people and for
//! editors that jump to such places.

use crate::failure::Failure;
use serde::{Deserialize, Serialize};
use std::fmt;

/// One complaint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
pub struct Problem {
    /// The file, or what else the value came from.
    pub source_name: String,
    /// The line, from 1, if it is in a file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// The key, with those it lies in: `pair.photos.mode`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// What is wrong and what to write instead.
    pub what: String,
    /// Whether there is no such file.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub missing: bool,
}

impl Problem {
    /// One about a file as a whole.
    pub fn whole(source_name: impl Into<String>, what: impl Into<String>) -> Self {
        Self { source_name: source_name.into(), line: None, key: None, what: what.into(), missing: false }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.source_name)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        f.write_str(": ")?;
        if let Some(key) = &self.key {
            write!(f, "{key}: ")?;
        }
        f.write_str(&self.what)
    }
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        match problem.missing {
            true => Self::Missing(problem.to_string()),
            false => Self::Unable(problem.to_string()),
        }
    }
}
