//! The local side: a walk in key order.
//!
//! Depth first, siblings sorted by what their keys sort by, one folder in memory
//! per level. Rules prune while walking; what cannot be read becomes a hole, so
//! that nobody takes it for deleted. The scan reads names and stamps, the ignore
//! files it meets, and nothing else.

use crate::blind::Blind;
use crate::disk::{DirItem, Disk, Error, ErrorKind, Node, Stat};
use crate::listing::Failed;
use crate::planted::{Bug, Planted};
use std::collections::VecDeque;
use std::sync::Arc;
use tidelock_core::entry::{FileId, LocalEntry};
use tidelock_core::filter::{IGNORE_FILE_NAME, RuleSet, Rules, Scope};
use tidelock_core::names::{Kind, LinkStyle, key_of, sort_name};
use tidelock_core::path::{Key, NameProblem, RelPath, TEMP_PREFIX};
use tidelock_core::plan::{Problem, ProblemClass};

/// An ignore file longer than this is a mistake.
const IGNORE_FILE_MAX_BYTES: usize = 1 << 20;

/// What is said of pipes, sockets and devices.
pub(crate) const SPECIAL: &str = "neither a file, a folder nor a link; it was skipped";
/// What is said of a link that leads nowhere, where links are followed.
pub(crate) const DANGLING: &str = "a link that leads nowhere now; what it led to is left as it is on the remote";
/// What is said of another file system below the root.
pub(crate) const MOUNTED: &str =
    "another file system is mounted here; its content was not looked at: exclude it, or sync it as a pair of its own";

/// How the local side is to be seen.
#[derive(Debug, Clone)]
pub struct ScanOptions {
    /// How links are stored.
    pub links: LinkStyle,
    /// A folder with this mode, and the process's owner and group, needs no marker.
    pub default_dir_mode: u32,
    /// The process's owner and group.
    pub owner: (u32, u32),
    /// Whether other file systems mounted below the root take part.
    pub cross_mounts: bool,
    /// Whether extended attributes are read.
    pub xattrs: bool,
    /// Whether the disk looks through links.
    pub follow_links: bool,
    /// Bugs that tests have switched on.
    pub planted: Planted,
}

impl Default for ScanOptions {
    fn default() -> Self {
        Self {
            links: LinkStyle::Suffix,
            default_dir_mode: 0o755,
            owner: (0, 0),
            cross_mounts: false,
            xattrs: false,
            follow_links: false,
            planted: Planted::default(),
        }
    }
}

impl ScanOptions {
    /// Whether a folder is told of by an object of its own: nothing in it would tell of
    /// it, or not of all of it.
    pub(crate) fn needs_marker(&self, stat: &Stat, is_empty: bool) -> bool {
        let is_usual = stat.mode == self.default_dir_mode && (stat.uid, stat.gid) == self.owner;
        is_empty || !is_usual
    }
}

/// What the walk comes upon, in key order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sighting {
    /// An entry.
    Entry(LocalEntry),
    /// A place that could not be read: this key or, for a folder, every key that
    /// begins with it.
    Hole {
        /// The key, ending in `/` for a folder.
        key: Key,
        /// Where it is.
        path: RelPath,
    },
}

impl Sighting {
    /// What it sorts by.
    pub fn key(&self) -> &Key {
        match self {
            Self::Entry(entry) => &entry.key,
            Self::Hole { key, .. } => key,
        }
    }
}

/// A walk under way.
pub struct Scan {
    disk: Arc<dyn Disk>,
    options: ScanOptions,
    rules: RuleSet,
    levels: Vec<Level>,
    /// Paths with problems, to be taken by whoever drives the walk.
    pub problems: Vec<Problem>,
    /// Temporary files of earlier runs.
    pub leftovers: Vec<RelPath>,
    /// How many names of files were met that have more than one.
    pub hard_links: u64,
    /// What could not be looked at, or not named.
    pub blind: Blind,
}

struct Level {
    dir: RelPath,
    scope: Scope,
    id: FileId,
    pending: VecDeque<Pending>,
}

enum Pending {
    Item { path: RelPath, kind: Kind, stat: Stat },
    Hole(Sighting),
}

impl Scan {
    /// Begins at the root. An unreadable root is an error, not a hole.
    pub async fn start(disk: Arc<dyn Disk>, rules: Rules, options: ScanOptions) -> Result<Self, Failed> {
        let failed = |error| Failed::Root(Box::new(error));
        let root = RelPath::root();
        let id = disk.root().await.map_err(failed)?.dir;
        let items = disk.read_dir(&root).await.map_err(failed)?;
        let set = RuleSet::new(rules.clone());
        let mut scan = Self {
            disk,
            options,
            rules: set,
            levels: Vec::new(),
            problems: Vec::new(),
            leftovers: Vec::new(),
            hard_links: 0,
            blind: Blind::default(),
        };
        let text = scan.ignore_text(&root, &items).await.map_err(|error| Failed::Ignore(Box::new(error)))?;
        let scope = rules.root(text.as_deref());
        scan.learn(&root, text.as_deref());
        let pending = scan.arrange(&root, &scope, items);
        scan.levels.push(Level { dir: root, scope, id, pending });
        Ok(scan)
    }

    /// The rules met so far: all that hold for keys before the latest sighting.
    pub fn rules(&self) -> &RuleSet {
        &self.rules
    }

    /// The next sighting; `None` at the end.
    pub async fn next(&mut self) -> Option<Sighting> {
        loop {
            let level = self.levels.last_mut()?;
            let Some(pending) = level.pending.pop_front() else {
                self.levels.pop();
                continue;
            };
            let sighting = match pending {
                Pending::Hole(hole) => Some(hole),
                Pending::Item { path, kind: Kind::Dir, stat } => self.enter(path, stat).await,
                Pending::Item { path, kind, stat } => self.entry(path, kind, stat, false).await,
            };
            if sighting.is_some() {
                return sighting;
            }
        }
    }

    /// Reads a folder, makes it the next level, and gives its own entry.
    async fn enter(&mut self, path: RelPath, stat: Stat) -> Option<Sighting> {
        if stat.mount_point && !self.options.cross_mounts {
            return self.closed(path, MOUNTED);
        }
        if self.levels.iter().any(|level| level.id == stat.stamp.file_id) {
            return self.closed(path, "a link leads back to a folder above it");
        }
        let items = match self.disk.read_dir(&path).await {
            Ok(items) => items,
            // Gone since its parent was read: it was deleted, as far as anyone can tell.
            Err(error) if error.kind == ErrorKind::NotFound => return None,
            Err(error) => return self.hole(path, &format!("the folder cannot be read: {}", error.message)),
        };
        // Without its rules, what they exclude would be sent, or taken for deleted.
        let text = match self.ignore_text(&path, &items).await {
            Ok(text) => text,
            Err(error) => {
                let why = format!("its ignore file cannot be read, so it was not looked into: {}", error.message);
                return self.hole(path, &why);
            }
        };
        let scope = self.levels.last()?.scope.enter(path.name(), text.as_deref());
        self.learn(&path, text.as_deref());
        let pending = self.arrange(&path, &scope, items);
        let needs_marker = self.options.needs_marker(&stat, pending.is_empty());
        self.levels.push(Level { dir: path.clone(), scope, id: stat.stamp.file_id, pending });
        self.entry(path, Kind::Dir, stat, needs_marker).await
    }

    async fn entry(&mut self, path: RelPath, kind: Kind, stat: Stat, needs_marker: bool) -> Option<Sighting> {
        let key = match key_of(&path, kind, self.options.links) {
            Ok(key) => key,
            Err(NameProblem::Reserved) if self.options.planted.has(Bug::TempSynced) => Key::new(path.as_str()),
            Err(problem) => {
                self.problem(&path, &problem.to_string(), ProblemClass::Skipped);
                if problem != NameProblem::Reserved && kind != Kind::Dir {
                    self.blind.note_unnamed(stat.stamp.file_id);
                }
                return None;
            }
        };
        self.hard_links += u64::from(kind == Kind::File && stat.links > 1);
        let mut meta = stat.meta();
        if self.options.xattrs && kind != Kind::Link {
            match self.disk.xattrs(&path).await {
                Ok(xattrs) => meta.xattrs = xattrs,
                Err(error) => self.problem(&path, &format!("extended attributes: {error}"), ProblemClass::Skipped),
            }
        }
        Some(Sighting::Entry(LocalEntry { key, path, kind, stamp: stat.stamp, meta, needs_marker }))
    }

    /// A folder that could not be looked into.
    fn hole(&mut self, path: RelPath, why: &str) -> Option<Sighting> {
        self.blind.holes += 1;
        self.closed(path, why)
    }

    /// A folder that was not looked into.
    fn closed(&mut self, path: RelPath, why: &str) -> Option<Sighting> {
        self.problem(&path, why, ProblemClass::Skipped);
        let key = key_of(&path, Kind::Dir, self.options.links).ok()?;
        Some(Sighting::Hole { key, path })
    }

    fn problem(&mut self, path: &RelPath, what: &str, class: ProblemClass) {
        self.problems.push(Problem { path: path.to_string(), what: what.to_owned(), class });
    }

    fn learn(&mut self, dir: &RelPath, text: Option<&str>) {
        let Some(text) = text else { return };
        for error in self.rules.insert(dir.clone(), text) {
            self.problem(dir, &error.to_string(), ProblemClass::Skipped);
        }
    }

    /// The text of a folder's ignore file, if there is one.
    async fn ignore_text(&self, dir: &RelPath, items: &[DirItem]) -> Result<Option<String>, Error> {
        if !items.iter().any(|item| item.name == IGNORE_FILE_NAME.as_bytes()) {
            return Ok(None);
        }
        read_ignore_file(&*self.disk, dir).await.map(Some)
    }

    /// Sorts a folder's items by what their keys sort by, without what is excluded.
    fn arrange(&mut self, dir: &RelPath, scope: &Scope, items: Vec<DirItem>) -> VecDeque<Pending> {
        let mut named: Vec<(String, Pending)> = Vec::with_capacity(items.len());
        for item in items {
            let name = match String::from_utf8(item.name) {
                Ok(name) => name,
                Err(bad) => {
                    self.meet_unnamable(dir, scope, bad.as_bytes(), item.stat.ok());
                    continue;
                }
            };
            let Ok(path) = dir.join(&name) else { continue };
            let is_temp = name.starts_with(TEMP_PREFIX);
            let takes_part = is_temp && self.options.planted.has(Bug::TempSynced);
            if is_temp && !takes_part {
                self.leftovers.push(path);
                continue;
            }
            let kind = item.stat.as_ref().ok().and_then(|stat| kind(stat.node));
            if scope.verdict(&name, kind == Some(Kind::Dir)).is_excluded() && !takes_part {
                continue;
            }
            match (item.stat, kind) {
                // Where links are followed, one that is seen leads nowhere: whatever it
                // led to before may be on a disk that is not mounted.
                (Ok(_), Some(Kind::Link)) if self.disk.follows_links() => {
                    self.blind.holes += 1;
                    self.problem(&path, DANGLING, ProblemClass::Skipped);
                    self.holes_at(&path, &name, &mut named);
                }
                (Ok(stat), Some(kind)) => {
                    named.push((sort_name(&name, kind, self.options.links), Pending::Item { path, kind, stat }));
                }
                (Ok(_), None) => {
                    self.problem(&path, SPECIAL, ProblemClass::Skipped);
                    self.holes_at(&path, &name, &mut named);
                }
                (Err(error), _) => {
                    self.blind.holes += 1;
                    self.problem(&path, &format!("cannot be looked at: {}", error.message), ProblemClass::Skipped);
                    self.holes_at(&path, &name, &mut named);
                }
            }
        }
        named.sort_by(|a, b| a.0.cmp(&b.0));
        named.into_iter().map(|(_, pending)| pending).collect()
    }

    /// An item whose name is no text takes no part; a pattern may exclude it, for which
    /// each byte that is no text counts as one character.
    fn meet_unnamable(&mut self, dir: &RelPath, scope: &Scope, name: &[u8], stat: Option<Stat>) {
        let kind = stat.as_ref().and_then(|stat| kind(stat.node));
        if scope.verdict(&String::from_utf8_lossy(name), kind == Some(Kind::Dir)).is_excluded() {
            return;
        }
        let shown = escaped(name);
        let path = if dir.is_root() { shown } else { format!("{dir}/{shown}") };
        self.problems.push(Problem { path, what: NameProblem::NotUtf8.to_string(), class: ProblemClass::Skipped });
        match (stat, kind) {
            (Some(stat), Some(Kind::File | Kind::Link)) => self.blind.note_unnamed(stat.stamp.file_id),
            (Some(_), None) => {}
            (Some(_), Some(Kind::Dir)) | (None, _) => self.blind.holes += 1,
        }
    }

    /// Whatever the name may stand for is unknown.
    fn holes_at(&self, path: &RelPath, name: &str, named: &mut Vec<(String, Pending)>) {
        for kind in [Kind::File, Kind::Link, Kind::Dir] {
            let style = if kind == Kind::Link { LinkStyle::Suffix } else { self.options.links };
            if let Ok(key) = key_of(path, kind, style) {
                let hole = Pending::Hole(Sighting::Hole { key, path: path.clone() });
                named.push((sort_name(name, kind, style), hole));
            }
        }
    }

    /// Where the walk is, for progress.
    pub fn place(&self) -> Option<&RelPath> {
        self.levels.last().map(|level| &level.dir)
    }
}

/// The text of a folder's ignore file, whole.
pub(crate) async fn read_ignore_file(disk: &dyn Disk, dir: &RelPath) -> Result<String, Error> {
    let path = dir.join(IGNORE_FILE_NAME).unwrap_or_else(|_| dir.clone());
    let file = disk.open(&path).await?;
    let bytes = file.read_at(0, IGNORE_FILE_MAX_BYTES + 1).await?;
    if bytes.len() > IGNORE_FILE_MAX_BYTES {
        return Err(Error::new(ErrorKind::NotAFile, "read", &path, "it is longer than 1 MiB"));
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// A name that is no text, so that a person can tell which it is.
fn escaped(name: &[u8]) -> String {
    let mut text = String::new();
    for chunk in name.utf8_chunks() {
        text.push_str(chunk.valid());
        chunk.invalid().iter().for_each(|byte| text.push_str(&format!("\\x{byte:02x}")));
    }
    text
}

fn kind(node: Node) -> Option<Kind> {
    match node {
        Node::File => Some(Kind::File),
        Node::Dir => Some(Kind::Dir),
        Node::Link => Some(Kind::Link),
        Node::Special => None,
    }
}
