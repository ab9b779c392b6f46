//! What a walk carries down: the rules as they stand in one folder.
//!
//! A scope is one pointer; its parent's ignore files are shared, not copied. It
//! judges names in its own folder and trusts that nobody enters a folder which
//! the scope above excludes.

use super::list::PatternList;
use super::{FilterError, IGNORE_FILE_NAME, Origin, RuleRef, Rules, Verdict};
use crate::path::{RelPath, is_reserved_name};
use std::sync::Arc;

/// The rules as they stand in one folder. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Scope(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    rules: Rules,
    /// The folder's path, followed by a slash unless it is the root.
    dir: Box<str>,
    /// The nearest ignore file at or above this folder.
    nearest: Option<Arc<Nested>>,
    problems: Vec<FilterError>,
}

/// An ignore file on the way from the root, linked to the one above it.
#[derive(Debug)]
struct Nested {
    list: Arc<PatternList>,
    /// How many bytes of a path its folder takes, slash included.
    skip: usize,
    above: Option<Arc<Nested>>,
}

impl Scope {
    pub(super) fn root(rules: Rules, text: Option<&str>) -> Self {
        Self::make(rules, "".into(), None, text.map(|text| read(IGNORE_FILE_NAME, text)))
    }

    /// The scope of a folder in this one, given the text of its ignore file. The
    /// folder must not be excluded here.
    #[must_use]
    pub fn enter(&self, dir_name: &str, ignore_file_text: Option<&str>) -> Self {
        let dir = format!("{}{dir_name}/", self.0.dir);
        let own = ignore_file_text.map(|text| read(&format!("{dir}{IGNORE_FILE_NAME}"), text));
        Self::make(self.0.rules.clone(), dir.into(), self.0.nearest.clone(), own)
    }

    /// The same with an ignore file that is read already.
    pub(super) fn enter_with(&self, dir_name: &str, list: Option<&Arc<PatternList>>) -> Self {
        let dir = format!("{}{dir_name}/", self.0.dir);
        let own = list.map(|list| (Arc::clone(list), Vec::new()));
        Self::make(self.0.rules.clone(), dir.into(), self.0.nearest.clone(), own)
    }

    pub(super) fn root_with(rules: Rules, list: Option<&Arc<PatternList>>) -> Self {
        Self::make(rules, "".into(), None, list.map(|list| (Arc::clone(list), Vec::new())))
    }

    fn make(
        rules: Rules,
        dir: Box<str>,
        above: Option<Arc<Nested>>,
        own: Option<(Arc<PatternList>, Vec<FilterError>)>,
    ) -> Self {
        let (list, problems) = own.map_or((None, Vec::new()), |(list, problems)| (Some(list), problems));
        let nearest = match list.filter(|list| !list.is_empty()) {
            Some(list) => Some(Arc::new(Nested { list, skip: dir.len(), above })),
            None => above,
        };
        Self(Arc::new(Inner { rules, dir, nearest, problems }))
    }

    /// The lines of this folder's own ignore file that cannot be used.
    pub fn problems(&self) -> &[FilterError] {
        &self.0.problems
    }

    /// Judges a name in this folder. A symbolic link is not a folder.
    pub fn verdict(&self, name: &str, is_dir: bool) -> Verdict {
        let Inner { rules, dir, nearest, .. } = &*self.0;
        if is_reserved_name(name) {
            return Verdict::Excluded(RuleRef { origin: Origin::Reserved, pattern: name.into() });
        }
        let rules = &*rules.0;
        let is_hidden = !rules.hidden && name.starts_with('.');
        if !is_hidden && nearest.is_none() && rules.options.is_empty() && rules.files.is_empty() {
            return Verdict::Included(None);
        }
        let path = format!("{dir}{name}");
        let nested = std::iter::successors(nearest.as_deref(), |nested| nested.above.as_deref())
            .map(|nested| (&*nested.list, path.get(nested.skip..).unwrap_or(name)));
        std::iter::once((&rules.options, &*path))
            .chain(nested)
            .chain(rules.files.iter().rev().map(|list| (list, &*path)))
            .find_map(|(list, below)| list.last_match(below, name, is_dir))
            .map_or_else(
                || match is_hidden {
                    true => Verdict::Excluded(RuleRef { origin: Origin::Hidden, pattern: ".*".into() }),
                    false => Verdict::Included(None),
                },
                |(rule, negated)| Verdict::of(rule, negated),
            )
    }

    /// The folder this scope is of.
    pub fn dir(&self) -> Option<RelPath> {
        RelPath::parse(self.0.dir.strip_suffix('/').unwrap_or(&self.0.dir)).ok()
    }
}

fn read(path: &str, text: &str) -> (Arc<PatternList>, Vec<FilterError>) {
    let (list, problems) = PatternList::from_file(path, text);
    (Arc::new(list), problems)
}
