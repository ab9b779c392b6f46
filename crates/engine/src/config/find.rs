//! Where the configuration is, and reading it: all of its I/O.
//!
//! The file named by `--config` or `TIDELOCK_CONFIG`, else `config.toml`,
//! `config.yaml` or `config.yml` in the user's folder. None is an empty
//! configuration; two are one too many, and nobody guesses which was meant.

use super::Config;
use super::around::Around;
use super::import;
use super::problem::Problem;
use super::read::{self, Format};
use super::tree::{Node, Value, key};
use crate::failure::Failure;
use crate::place;
use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use tidelock_core::filter::IgnoreFile;

/// The names a configuration may have.
const NAMES: [&str; 3] = ["config.toml", "config.yaml", "config.yml"];

/// More than anybody writes by hand: what is longer is something else.
const MAX_BYTES: u64 = 16 << 20;

/// A configuration and where it came from.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// What it says.
    pub config: Config,
    /// Where it says it.
    pub tree: Node,
    /// Its file, if there is one.
    pub file: Option<PathBuf>,
    /// What surrounds it.
    pub around: Around,
    /// What of it could not be read.
    pub problems: Vec<Problem>,
}

impl Loaded {
    /// The file as complaints name it.
    pub fn name(&self) -> String {
        self.file.as_ref().map_or_else(|| "the configuration".to_owned(), |file| file.display().to_string())
    }

    /// A place in the file as people are shown it: `config.toml:12`.
    pub fn place(&self, path: &[&str]) -> String {
        let name = self.file.as_ref().and_then(|file| file.file_name()).map(|name| name.to_string_lossy().into_owned());
        let name = name.unwrap_or_else(|| "config".to_owned());
        self.tree.line_of(path).map_or_else(|| name.clone(), |line| format!("{name}:{line}"))
    }

    /// The same of an item of a list.
    pub fn item_place(&self, path: &[&str], number: usize) -> String {
        let place = self.place(path);
        match (place.rsplit_once(':'), self.item_line(path, number)) {
            (Some((name, _)), Some(line)) => format!("{name}:{line}"),
            _ => place,
        }
    }

    /// The line of an item of a list.
    pub fn item_line(&self, path: &[&str], number: usize) -> Option<u32> {
        let list = path.iter().try_fold(&self.tree, |node, key| Some(&node.entry(key)?.node))?;
        match &list.value {
            Value::List(items) => items.get(number).map(|item| item.line),
            _ => None,
        }
    }

    /// What relative paths start from.
    pub fn base(&self) -> &Path {
        self.file.as_deref().and_then(Path::parent).unwrap_or_else(|| Path::new("/"))
    }

    /// A complaint about a key.
    pub fn problem(&self, path: &[&str], what: impl Into<String>) -> Problem {
        Problem {
            source_name: self.name(),
            line: self.tree.line_of(path),
            key: Some(key(path)).filter(|key| !key.is_empty()),
            what: what.into(),
            missing: false,
        }
    }
}

/// Finds and reads it. What is wrong within a pair stops what is about that pair; what is
/// wrong elsewhere stops everything.
pub fn load(around: &Around) -> Result<Loaded, Problem> {
    let loaded = look(around)?;
    let is_of_pair = |problem: &&Problem| problem.key.as_ref().is_some_and(|key| key.starts_with("pair."));
    match loaded.problems.iter().find(|problem| !is_of_pair(problem)) {
        Some(problem) => Err(problem.clone()),
        None => Ok(loaded),
    }
}

/// Finds it, and reads as much of it as can be read.
pub fn look(around: &Around) -> Result<Loaded, Problem> {
    let mut loaded = Loaded {
        config: Config::default(),
        tree: Node::empty(),
        file: None,
        around: around.clone(),
        problems: Vec::new(),
    };
    let Some(file) = locate(around)? else { return Ok(loaded) };
    let name = file.display().to_string();
    let bytes = match read_bounded(&file) {
        Ok(bytes) => bytes,
        Err(error) => {
            let by = around.named_file().map(|(_, by)| format!("; correct {by}")).unwrap_or_default();
            let missing = error.kind() == ErrorKind::NotFound;
            return Err(Problem { missing, ..Problem::whole(name, format!("it cannot be read: {error}{by}")) });
        }
    };
    let text = String::from_utf8(bytes).map_err(|error| {
        let before = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
        let what = "this is not UTF-8; store the file in that encoding".to_owned();
        Problem { source_name: name.clone(), line: u32::try_from(line).ok(), key: None, what, missing: false }
    })?;
    // A batch file of old is only taken for one where a person named it.
    let batch = around.named_file().and_then(|_| import::as_it_is(&name, &text));
    match batch {
        Some(batch) => (loaded.config, loaded.tree) = batch?,
        None => {
            let read = read::look(&name, &text, Format::of(&file))?;
            (loaded.config, loaded.tree, loaded.problems) = (read.config, read.tree, read.problems);
        }
    }
    loaded.file = Some(file);
    Ok(loaded)
}

/// Which file it is; none if there is none and none was named.
pub fn locate(around: &Around) -> Result<Option<PathBuf>, Problem> {
    if let Some((file, _)) = around.named_file() {
        let absolute = std::path::absolute(file);
        let trouble = |error| Problem::whole(file.display().to_string(), format!("it cannot be found: {error}"));
        return absolute.map(Some).map_err(trouble);
    }
    let Some(dir) = around.config_dir() else { return Ok(None) };
    let there = |name: &&str| place::exists(&dir.join(name));
    let found: Vec<&str> = NAMES.into_iter().filter(|name| there(name)).collect();
    match found.as_slice() {
        [] => Ok(None),
        [one] => Ok(Some(dir.join(one))),
        [one, other, ..] => {
            let what = format!("{one} and {other} are both there, and only one can hold; remove or rename one of them");
            Err(Problem::whole(dir.display().to_string(), what))
        }
    }
}

/// Where a configuration would be made.
pub fn usual(around: &Around) -> Result<PathBuf, Problem> {
    match (locate(around)?, around.config_dir()) {
        (Some(file), _) => Ok(file),
        (None, Some(dir)) => Ok(dir.join(NAMES[0])),
        (None, None) => {
            let what = "there is no place for it: neither XDG_CONFIG_HOME nor HOME names an absolute folder; \
                        name a file with --config";
            Err(Problem::whole("the configuration", what))
        }
    }
}

/// Writes a new file, for its owner alone; never over another.
pub fn create(file: &Path, text: &str) -> Result<(), Failure> {
    if let Some(dir) = file.parent().filter(|dir| !dir.as_os_str().is_empty()) {
        let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(dir);
        made.map_err(|error| trouble(dir, &error))?;
    }
    let mut new = match OpenOptions::new().write(true).create_new(true).mode(0o600).open(file) {
        Ok(new) => new,
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            let what = format!("{} is there already and is left as it is", file.display());
            let what = format!(
                "{what}; `tidelock init -` shows the text to copy from, `tidelock init FILE` writes another file"
            );
            return Err(Failure::Unable(what));
        }
        Err(error) => return Err(trouble(file, &error)),
    };
    let written = new.write_all(text.as_bytes()).and_then(|()| new.sync_all());
    written.map_err(|error| {
        // Half a file would be read as a whole one, and stand in the way.
        let _ = fs::remove_file(file);
        trouble(file, &error)
    })
}

/// A file's bytes, if they are not more than anybody writes by hand.
fn read_bounded(file: &Path) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    fs::File::open(file)?.take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(std::io::Error::other("it is longer than 16 MiB"));
    }
    Ok(bytes)
}

/// Whether what is there is a folder.
pub(super) fn is_folder(path: &Path) -> std::io::Result<bool> {
    fs::metadata(path).map(|found| found.is_dir())
}

/// Reads a file of patterns.
pub fn ignore_file(path: &Path) -> std::io::Result<IgnoreFile> {
    let text =
        String::from_utf8(read_bounded(path)?).map_err(|error| std::io::Error::new(ErrorKind::InvalidData, error))?;
    Ok(IgnoreFile { path: path.display().to_string(), text })
}

fn trouble(path: &Path, error: &std::io::Error) -> Failure {
    Failure::Place { path: path.display().to_string(), kind: error.kind(), what: error.to_string() }
}
