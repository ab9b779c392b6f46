//! Writing a changed configuration back: the file is replaced whole, or not at all.
//!
//! Its text is read once, changed by `edit.rs`, read again as a configuration, and
//! written only if nobody changed the file meanwhile. A result that is no good
//! configuration is never written. Links stay links, and modes stay.

use super::around::Around;
use super::check;
use super::find::{self, Loaded};
use super::read::{Format, read};
use crate::failure::Failure;
use crate::place;
use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

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

    /// What it would be with this text, if that is a good configuration.
    pub fn become_text(&self, text: &str) -> Result<Loaded, Failure> {
        let (config, tree) = read(&self.file.display().to_string(), text, Format::Toml)?;
        let file = Some(self.file.clone());
        let loaded = Loaded { config, tree, file, around: self.around.clone(), problems: Vec::new() };
        let true_name = |path: &Path| place::canonical(path).unwrap_or_else(|_| path.to_owned());
        match check::all(&loaded, &true_name).into_iter().next() {
            Some(problem) => Err(problem.into()),
            None => Ok(loaded),
        }
    }

    /// Replaces it. `token` names the temporary file.
    pub fn save(&self, text: &str, token: &str) -> Result<(), Failure> {
        self.become_text(text)?;
        // Where the file is a link, as people keep their settings elsewhere, it stays one.
        let file = fs::canonicalize(&self.file).unwrap_or_else(|_| self.file.clone());
        let dir = file.parent().unwrap_or(Path::new("/")).to_owned();
        let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(&dir);
        made.map_err(|error| trouble(&dir, &error))?;
        let mode = fs::metadata(&file).map_or(0o600, |meta| meta.permissions().mode() & 0o777);
        let new = dir.join(format!(".tidelock-tmp-{token}"));
        let written = OpenOptions::new().write(true).create_new(true).mode(mode).open(&new);
        let written = written.and_then(|mut file| file.write_all(text.as_bytes()).and_then(|()| file.sync_all()));
        let replaced = written.map_err(|error| trouble(&file, &error)).and_then(|()| {
            self.refuse_if_changed()?;
            fs::rename(&new, &file).map_err(|error| trouble(&file, &error))
        });
        if replaced.is_err() {
            let _ = fs::remove_file(&new);
            return replaced;
        }
        File::open(&dir).and_then(|dir| dir.sync_all()).map_err(|error| trouble(&dir, &error))
    }

    fn refuse_if_changed(&self) -> Result<(), Failure> {
        let now = match fs::read_to_string(&self.file) {
            Ok(text) => Some(text),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => return Err(trouble(&self.file, &error)),
        };
        if now == self.before {
            return Ok(());
        }
        let what = format!("{} was changed by somebody else just now, and was left as it is", self.file.display());
        Err(Failure::Busy(format!("{what}; try again")))
    }
}

/// The text of another tool's configuration, to be imported.
pub fn foreign(file: &Path) -> Result<String, Failure> {
    fs::read_to_string(file).map_err(|error| trouble(file, &error))
}

fn trouble(path: &Path, error: &std::io::Error) -> Failure {
    Failure::Place { path: path.display().to_string(), kind: error.kind(), what: error.to_string() }
}
