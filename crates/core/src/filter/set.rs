//! All rules of a pair after a walk: its options and every ignore file found.
//!
//! Keys that come from the remote or from the base are judged here, each ancestor
//! from the root down, so that what is excluded on disk is invisible there too. It
//! knows only of ignore files it was told of: a folder must have been walked, or be
//! excluded, or be absent here, before what lies in it is judged.

use super::list::PatternList;
use super::{FilterError, IGNORE_FILE_NAME, Rules, Scope, Verdict, put_size};
use crate::entry::Digest;
use crate::path::RelPath;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Every rule that holds anywhere in a pair.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "RawSet", into = "RawSet")]
pub struct RuleSet {
    rules: Rules,
    files: BTreeMap<RelPath, Arc<PatternList>>,
}

#[derive(Serialize, Deserialize)]
struct RawSet {
    rules: Rules,
    /// Folder to the usable lines of its ignore file.
    files: BTreeMap<RelPath, Vec<(u32, String)>>,
}

impl RuleSet {
    /// A set that knows no ignore file yet.
    pub fn new(rules: Rules) -> Self {
        Self { rules, files: BTreeMap::new() }
    }

    /// Takes in the ignore file of a folder, in place of what was known of it.
    /// Returns the lines that cannot be used.
    pub fn insert(&mut self, dir: RelPath, ignore_file_text: &str) -> Vec<FilterError> {
        let (list, problems) = PatternList::from_file(&file_in(&dir), ignore_file_text);
        if list.is_empty() {
            self.files.remove(&dir);
        } else {
            self.files.insert(dir, Arc::new(list));
        }
        problems
    }

    /// The rules that do not come from the walk.
    pub fn rules(&self) -> &Rules {
        &self.rules
    }

    /// Judges a path by itself and all folders above it: the topmost that is
    /// excluded decides. The root is always included.
    pub fn verdict_for_path(&self, path: &RelPath, is_dir: bool) -> Verdict {
        match self.descend(path, false) {
            Err(verdict) => verdict,
            Ok(_) if path.is_root() => Verdict::Included(None),
            Ok(scope) => scope.verdict(path.name(), is_dir),
        }
    }

    /// The scope of a folder, or why it is excluded.
    pub fn scope(&self, dir: &RelPath) -> Result<Scope, Verdict> {
        self.descend(dir, true)
    }

    /// Enters every folder on the way to `path`; the last segment only if asked.
    fn descend(&self, path: &RelPath, enters_last: bool) -> Result<Scope, Verdict> {
        let mut scope = Scope::root_with(self.rules.clone(), self.files.get(&RelPath::root()));
        let mut here = RelPath::root();
        let mut segments = path.segments().peekable();
        while let Some(name) = segments.next() {
            if segments.peek().is_none() && !enters_last {
                break;
            }
            let verdict = scope.verdict(name, true);
            if verdict.is_excluded() {
                return Err(verdict);
            }
            // A segment of a RelPath is a valid segment; were it not, the files
            // below would merely not be found.
            here = here.join(name).unwrap_or(here);
            scope = scope.enter_with(name, self.files.get(&here));
        }
        Ok(scope)
    }

    /// A digest of every rule. Two sets with the same one give the same verdicts.
    pub fn fingerprint(&self) -> Digest {
        let mut out = self.rules.canonical();
        put_size(&mut out, self.files.len());
        for (dir, list) in &self.files {
            put_size(&mut out, dir.as_str().len());
            out.extend(dir.as_str().as_bytes());
            list.canonical(&mut out);
        }
        Digest::of(&out)
    }
}

impl TryFrom<RawSet> for RuleSet {
    type Error = FilterError;
    fn try_from(raw: RawSet) -> Result<Self, FilterError> {
        let mut set = Self::new(raw.rules);
        for (dir, lines) in raw.files {
            let list = PatternList::from_lines(&file_in(&dir), lines)?;
            set.files.insert(dir, Arc::new(list));
        }
        Ok(set)
    }
}

impl From<RuleSet> for RawSet {
    fn from(set: RuleSet) -> Self {
        Self { rules: set.rules, files: set.files.into_iter().map(|(dir, list)| (dir, list.lines())).collect() }
    }
}

fn file_in(dir: &RelPath) -> String {
    if dir.is_root() { IGNORE_FILE_NAME.into() } else { format!("{dir}/{IGNORE_FILE_NAME}") }
}
