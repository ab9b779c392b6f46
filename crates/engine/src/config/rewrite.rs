//! Writing a changed configuration back: the file is replaced whole, or not at all.
//!
//! Its text is read once, changed by `edit.rs`, read again as a configuration, and
//! written only if nobody changed the file meanwhile: whoever replaces it holds a lock on
//! the very file that is replaced. A result that is no good configuration is never
//! written. Links stay links, and modes stay.

use super::around::Around;
use super::check;
use super::find::{self, Loaded};
use super::read::{self, Format};
use super::tree::key;
use crate::config::problem::Problem;
use crate::failure::Failure;
use crate::place;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// No configuration of another tool is longer.
const FOREIGN_MAX_BYTES: usize = 1 << 20;

/// A configuration that is about to be changed.
#[derive(Debug, Clone)]
pub struct Draft {
    file: PathBuf,
    /// What it says now; none if there is no file yet.
    before: Option<String>,
    around: Around,
}

impl Draft {
    /// The configuration that holds, or the one that would be made.
    pub fn open(around: &Around) -> Result<Self, Failure> {
        let file = find::usual(around)?;
        if Format::of(&file) == Format::Yaml {
            let what = format!("{} is YAML, which is never edited by Tidelock; change it by hand", file.display());
            return Err(Failure::Unable(format!("{what}, or let --config name a TOML file")));
        }
        let before = match fs::read_to_string(&file) {
            Ok(text) => Some(text),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => return Err(trouble(&file, &error)),
        };
        Ok(Self { file, before, around: around.clone() })
    }

    /// Its file.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// What it says now.
    pub fn text(&self) -> &str {
        self.before.as_deref().unwrap_or_default()
    }

    /// What it would be with this text, if nothing is wrong with what is touched, and nothing
    /// is wrong that was not before.
    pub fn become_text(&self, text: &str, touched: &Touched<'_>) -> Result<Loaded, Problem> {
        let loaded = self.read(text)?;
        let before = self.problems(self.text());
        let is_new = |problem: &Problem| !before.iter().any(|known| is_same(known, problem));
        match problems(&loaded).into_iter().find(|problem| touched.has(problem) || is_new(problem)) {
            Some(problem) => Err(problem),
            None => Ok(loaded),
        }
    }

    /// What is wrong with it if it has this text.
    pub fn problems(&self, text: &str) -> Vec<Problem> {
        self.read(text).map_or_else(|problem| vec![problem], |loaded| problems(&loaded))
    }

    fn read(&self, text: &str) -> Result<Loaded, Problem> {
        let read::Read { config, tree, problems } = read::look(&self.file.display().to_string(), text, Format::Toml)?;
        Ok(Loaded { config, tree, file: Some(self.file.clone()), around: self.around.clone(), problems })
    }

    /// Replaces it. `token` names the temporary file.
    pub fn save(&self, text: &str, touched: &Touched<'_>, token: &str) -> Result<(), Failure> {
        self.become_text(text, touched)?;
        let file = place::behind(&self.file);
        let dir = file.parent().unwrap_or(Path::new("/")).to_owned();
        let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(&dir);
        made.map_err(|error| trouble(&dir, &error))?;
        let mode = fs::metadata(&file).map_or(0o600, |meta| meta.permissions().mode() & 0o777);
        let new = dir.join(format!(".tidelock-tmp-{token}"));
        let written = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new).and_then(|mut new| {
            // Set, not asked for: the mask of this process is not the file's business.
            new.set_permissions(Permissions::from_mode(mode))?;
            new.write_all(text.as_bytes())?;
            new.sync_all()
        });
        let replaced = written.map_err(|error| trouble(&file, &error)).and_then(|()| self.replace(&file, &new));
        if replaced.is_err() {
            let _ = fs::remove_file(&new);
            return replaced;
        }
        File::open(&dir).and_then(|dir| dir.sync_all()).map_err(|error| trouble(&dir, &error))
    }

    /// Puts the new file in place of the one that was read, unless that changed. Whoever
    /// else would replace it waits for the lock, and then finds another file there.
    fn replace(&self, file: &Path, new: &Path) -> Result<(), Failure> {
        let fail = |error: std::io::Error| match error.kind() {
            ErrorKind::NotFound | ErrorKind::AlreadyExists => self.changed(),
            _ => trouble(file, &error),
        };
        let held = match &self.before {
            // For writing, as some network file systems lock nothing else.
            Some(_) => OpenOptions::new().read(true).write(true).open(file).or_else(|_| File::open(file)),
            // Made empty, which says nothing, so that there is something to lock.
            None => OpenOptions::new().write(true).create_new(true).mode(0o600).open(file),
        };
        let held = held.map_err(fail)?;
        held.lock().map_err(|error| trouble(file, &error))?;
        let same = |one: fs::Metadata, other: fs::Metadata| (one.dev(), one.ino()) == (other.dev(), other.ino());
        let is_there = same(held.metadata().map_err(fail)?, fs::metadata(&self.file).map_err(fail)?);
        if !is_there || fs::read_to_string(&self.file).map_err(fail)? != self.text() {
            return Err(self.changed());
        }
        let replaced = fs::rename(new, file).map_err(fail);
        if replaced.is_err() && self.before.is_none() {
            let _ = fs::remove_file(file);
        }
        replaced
    }

    fn changed(&self) -> Failure {
        let what = format!("{} was changed by somebody else just now, and was left as it is", self.file.display());
        Failure::Busy(format!("{what}; try again"))
    }
}

/// What a change is about: profiles, and pairs.
#[derive(Debug, Clone, Copy, Default)]
pub struct Touched<'a> {
    /// The profiles' names.
    pub profiles: &'a [String],
    /// The pairs'.
    pub pairs: &'a [String],
}

impl Touched<'_> {
    fn has(&self, problem: &Problem) -> bool {
        let Some(at) = &problem.key else { return false };
        let is_of = |kind: &str, names: &[String]| {
            names.iter().any(|name| {
                at.strip_prefix(&key(&[kind, name])).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
            })
        };
        is_of("profile", self.profiles) || is_of("pair", self.pairs)
    }
}

fn problems(loaded: &Loaded) -> Vec<Problem> {
    let true_name = |path: &Path| place::canonical(path).unwrap_or_else(|_| path.to_owned());
    check::all(loaded, &true_name)
}

/// Whether it is the same complaint; its lines, and those that it names, may be others now.
fn is_same(one: &Problem, other: &Problem) -> bool {
    let plain = |text: &str| text.chars().filter(|c| !c.is_ascii_digit()).collect::<String>();
    one.key == other.key && plain(&one.what) == plain(&other.what)
}

/// The text of another tool's configuration, to be imported. It may hold secrets, so it
/// is read into its place at once, and wiped there.
pub fn foreign(file: &Path) -> Result<Zeroizing<String>, Failure> {
    // A reader that finds its room filled looks for the end beyond it.
    let mut text = Zeroizing::new(String::with_capacity(FOREIGN_MAX_BYTES + 64));
    let from = File::open(file).map_err(|error| match error.kind() {
        ErrorKind::NotFound => Failure::Missing(format!("{}: there is no such file", file.display())),
        _ => trouble(file, &error),
    })?;
    match from.take(FOREIGN_MAX_BYTES as u64 + 1).read_to_string(&mut text) {
        Ok(_) if text.len() > FOREIGN_MAX_BYTES => {
            Err(Failure::Unable(format!("{}: it is too long for another tool's configuration", file.display())))
        }
        Ok(_) => Ok(text),
        Err(error) if error.kind() == ErrorKind::InvalidData => {
            Err(Failure::Unable(format!("{}: it is no text, as configurations are", file.display())))
        }
        Err(error) => Err(trouble(file, &error)),
    }
}

fn trouble(path: &Path, error: &std::io::Error) -> Failure {
    Failure::Place { path: path.display().to_string(), kind: error.kind(), what: error.to_string() }
}
