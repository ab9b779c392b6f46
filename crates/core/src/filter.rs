//! Which entries are looked at: include and exclude rules.
//!
//! Rules have gitignore's semantics and this order, the last match winning: hidden
//! names (if those are unwanted), ignore files named in options, `.tidelockignore`
//! files from the root down, patterns given in options. What lies in an excluded
//! folder is excluded with it and cannot be re-included, so a walk never enters
//! one. Tidelock's own names are excluded whatever the rules say. This room does
//! not read files: whoever walks hands it the text of the ignore files it meets.

mod glob;
mod list;
mod scope;
mod set;
#[cfg(test)]
mod tests;

pub use scope::Scope;
pub use set::RuleSet;

use crate::entry::Digest;
use list::PatternList;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;

/// The name of the files that hold rules for the folder they lie in.
pub const IGNORE_FILE_NAME: &str = ".tidelockignore";

/// A pattern given in an option.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleLine {
    /// The pattern as given. Nothing is trimmed and `#` begins no comment.
    pub pattern: String,
    /// Whether it was given to `--include`, which is `--exclude` of `!pattern`.
    pub include: bool,
    /// Where it is written, if it was not typed: `config.toml:12`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub written: Option<String>,
}

/// The text of a file named by `--ignore-file`; its patterns are rooted in the
/// pair's root.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IgnoreFile {
    /// The path as the user gave it, for messages.
    pub path: String,
    /// What the file holds.
    pub text: String,
}

/// Why a pattern cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
pub struct FilterError {
    /// The file it stands in, or where else it is written; `None` for an option.
    pub file: Option<String>,
    /// Its line in the file, or its place among the options, from 1; 0 if `file` says it all.
    pub line: u32,
    /// The pattern.
    pub pattern: String,
    /// What is wrong with it.
    pub why: String,
}

impl fmt::Display for FilterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.file {
            Some(place) if self.line == 0 => write!(f, "{place}: ")?,
            Some(file) => write!(f, "{file}:{}: ", self.line)?,
            None => write!(f, "include/exclude option {}: ", self.line)?,
        }
        write!(f, "the pattern {:?} cannot match anything: {}", self.pattern, self.why)
    }
}

/// Where a rule comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// A line of an ignore file.
    File {
        /// The file: below the root, or as given to `--ignore-file`.
        path: String,
        /// The line, from 1.
        line: u32,
    },
    /// The n-th include or exclude option, from 1.
    Option(u32),
    /// A place of the configuration.
    Config(String),
    /// `--no-hidden`.
    Hidden,
    /// Tidelock's own names.
    Reserved,
}

/// A rule, as shown to people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleRef {
    /// Where it comes from.
    pub origin: Origin,
    /// The pattern, with its `!` if it includes.
    pub pattern: String,
}

impl fmt::Display for RuleRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.origin {
            Origin::File { path, line } => write!(f, "{:?} in {path}:{line}", self.pattern),
            Origin::Option(number) => write!(f, "{:?}, include/exclude option {number}", self.pattern),
            Origin::Config(place) => write!(f, "{:?}, {place}", self.pattern),
            Origin::Hidden => f.write_str("--no-hidden"),
            Origin::Reserved => write!(f, "{:?}, reserved for Tidelock", self.pattern),
        }
    }
}

/// Whether an entry is looked at, and which rule says so; no rule if none matched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "verdict", content = "rule", rename_all = "lowercase")]
pub enum Verdict {
    /// It takes part.
    Included(Option<RuleRef>),
    /// It is invisible on both sides.
    Excluded(RuleRef),
}

impl Verdict {
    /// Whether the entry is invisible.
    pub fn is_excluded(&self) -> bool {
        matches!(self, Self::Excluded(_))
    }

    /// The rule that decided.
    pub fn rule(&self) -> Option<&RuleRef> {
        match self {
            Self::Included(rule) => rule.as_ref(),
            Self::Excluded(rule) => Some(rule),
        }
    }

    fn of(rule: RuleRef, negated: bool) -> Self {
        if negated { Self::Included(Some(rule)) } else { Self::Excluded(rule) }
    }
}

/// The rules that hold for a whole pair. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "RawRules", into = "RawRules")]
pub struct Rules(Arc<Inner>);

#[derive(Debug, PartialEq, Eq)]
struct Inner {
    options: PatternList,
    /// In the order given; later ones win.
    files: Vec<PatternList>,
    hidden: bool,
    raw: RawRules,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct RawRules {
    options: Vec<RuleLine>,
    files: Vec<IgnoreFile>,
    hidden: bool,
}

impl Rules {
    /// Takes the options in command-line order. `hidden` says whether names that
    /// begin with a dot take part. A pattern that cannot match is an error here,
    /// unlike in git: whoever asked for an exclusion must get it or be told.
    pub fn new(options: Vec<RuleLine>, ignore_files: Vec<IgnoreFile>, hidden: bool) -> Result<Self, FilterError> {
        let raw = RawRules { options, files: ignore_files, hidden };
        let list = PatternList::from_options(&raw.options)?;
        let mut files = Vec::new();
        for file in &raw.files {
            let (list, problems) = PatternList::from_file(&file.path, &file.text);
            match problems.into_iter().next() {
                Some(problem) => return Err(problem),
                None => files.push(list),
            }
        }
        Ok(Self(Arc::new(Inner { options: list, files, hidden, raw })))
    }

    /// Rules that exclude nothing but Tidelock's own names.
    pub fn none() -> Self {
        let raw = RawRules { options: Vec::new(), files: Vec::new(), hidden: true };
        Self(Arc::new(Inner { options: PatternList::default(), files: Vec::new(), hidden: true, raw }))
    }

    /// The scope of the root, given the text of its ignore file.
    pub fn root(&self, ignore_file_text: Option<&str>) -> Scope {
        Scope::root(self.clone(), ignore_file_text)
    }

    /// A digest of everything that can change a verdict, ignore files met on a walk
    /// apart (see [`RuleSet::fingerprint`]). Comments and file names do not count.
    pub fn fingerprint(&self) -> Digest {
        Digest::of(&self.canonical())
    }

    /// Every rule in its order, each part preceded by its length.
    fn canonical(&self) -> Vec<u8> {
        let mut out = b"tidelock rules 1".to_vec();
        out.push(u8::from(self.0.hidden));
        put_size(&mut out, self.0.files.len());
        self.0.files.iter().chain([&self.0.options]).for_each(|list| list.canonical(&mut out));
        out
    }
}

impl TryFrom<RawRules> for Rules {
    type Error = FilterError;
    fn try_from(raw: RawRules) -> Result<Self, FilterError> {
        Self::new(raw.options, raw.files, raw.hidden)
    }
}

impl From<Rules> for RawRules {
    fn from(rules: Rules) -> Self {
        rules.0.raw.clone()
    }
}

fn put_size(out: &mut Vec<u8>, size: usize) {
    out.extend(u64::try_from(size).unwrap_or(u64::MAX).to_be_bytes());
}
