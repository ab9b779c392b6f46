//! Where Tidelock keeps what it remembers.
//!
//! One folder of the user's, `$XDG_STATE_HOME/tidelock`, private to them: a state
//! and a lock per pair, what was found out about endpoints, and this device's name.
//! This room opens and names those files and makes the one folder a restore may
//! need; it knows nothing of what a state says. Never inside a synced folder: a
//! tool that syncs its own memory never comes to rest.

mod abilities;
mod lock;
mod loose;

pub use abilities::KnownAbilities;
pub use lock::{Holder, Lock};
pub(crate) use loose::INTAKE;
pub use loose::Intake;

use crate::failure::Failure;
use crate::state::State;
use std::fs;
use std::io::{ErrorKind, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Component, Path, PathBuf};
use tidelock_core::entry::Digest;
use tidelock_remote::beside::ready_to_write;
use tidelock_remote::world::World;

/// The folder that holds every state of this user.
#[derive(Debug, Clone)]
pub struct Place {
    dir: PathBuf,
}

/// One pair's files.
#[derive(Debug, Clone)]
pub struct PairPlace {
    /// Sixteen hexadecimal digits made of both sides' names.
    pub id: String,
    dir: PathBuf,
}

/// An open state, and what a person should know about how it was opened.
pub struct OpenState {
    /// The state.
    pub state: State,
    /// Something to tell.
    pub note: Option<String>,
}

impl Place {
    /// A folder of one's own choice, for tests and demonstrations.
    pub fn at(dir: impl Into<PathBuf>) -> Self {
        Self { dir: dir.into() }
    }

    /// The standard place: below `$XDG_STATE_HOME`, else below `~/.local/state`.
    pub fn standard(state_home: Option<PathBuf>, home: Option<PathBuf>) -> Result<Self, Failure> {
        let absolute = |path: &PathBuf| path.is_absolute();
        let base = state_home.filter(absolute).or_else(|| home.filter(absolute).map(|home| home.join(".local/state")));
        base.map(|base| Self { dir: base.join("tidelock") }).ok_or_else(|| {
            let what = "there is no place for the state: neither XDG_STATE_HOME nor HOME names an absolute folder";
            Failure::Unable(what.to_owned())
        })
    }

    /// The folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The files of the pair of these two, both by their canonical names.
    pub fn pair(&self, local: &Path, remote: &str) -> PairPlace {
        let name = [local.as_os_str().as_bytes(), b"\0", remote.as_bytes()].concat();
        let id = Digest::of(&name).to_string().chars().take(16).collect();
        PairPlace { id, dir: self.dir.join("pairs") }
    }

    /// What this device is called: its host name and some digits that stay.
    pub fn device(&self, world: &World) -> Result<String, Failure> {
        let file = self.dir.join("device");
        match fs::read_to_string(&file) {
            Ok(name) if is_device_name(name.trim()) => return Ok(name.trim().to_owned()),
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(trouble(&file, &error)),
            _ => {}
        }
        let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
        let host: String = host.split('.').next().unwrap_or("").chars().filter(char::is_ascii_alphanumeric).collect();
        let token = world.token();
        let name = format!("{}-{}", if host.is_empty() { "device" } else { &host }, &token[..6]);
        make_private(&self.dir)?;
        let new = self.dir.join(format!("device.{token}"));
        let written = private_file(&new).and_then(|mut file| file.write_all(format!("{name}\n").as_bytes()));
        written.and_then(|()| fs::rename(&new, &file)).map_err(|error| trouble(&file, &error))?;
        Ok(name)
    }

    /// The same for a run that may leave no trace.
    pub fn device_or_any(&self) -> String {
        let name = fs::read_to_string(self.dir.join("device")).unwrap_or_default();
        if is_device_name(name.trim()) { name.trim().to_owned() } else { "device".to_owned() }
    }
}

fn is_device_name(name: &str) -> bool {
    !name.is_empty() && name.len() <= 80 && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

impl PairPlace {
    /// The state's file.
    pub fn file(&self) -> PathBuf {
        self.dir.join(format!("{}.sqlite", self.id))
    }

    pub(crate) fn lock_file(&self) -> PathBuf {
        self.dir.join(format!("{}.lock", self.lock_name()))
    }

    /// Opens or makes the state. A damaged one is kept aside and begun anew: both
    /// sides will be compared, and nothing is deleted or sent again for it.
    pub fn open(&self, now_ms: i64) -> Result<OpenState, Failure> {
        make_private(&self.dir)?;
        let file = self.file();
        // What is there is never cut short, whatever looking for it would have said.
        match fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&file) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(trouble(&file, &error)),
            _ => {}
        }
        ready_to_write(&file).map_err(|(path, error)| {
            let what = format!("{error}; this pair's state must be writable: give it back the permission (chmod u+w)");
            Failure::Place { path: path.display().to_string(), kind: error.kind(), what }
        })?;
        match State::open(&file) {
            Ok(state) => Ok(OpenState { state, note: None }),
            Err(error) if error.is_corrupt() => {
                let kept = self.set_aside(now_ms)?;
                let note = format!(
                    "the state of this pair was damaged ({error}) and is kept as {}; it is built anew by comparing \
                     both sides, nothing is deleted or sent again for it",
                    kept.display()
                );
                Ok(OpenState { state: State::open(&file)?, note: Some(note) })
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Opens the state for looking, or an empty one that is forgotten again.
    pub fn open_to_look(&self) -> Result<OpenState, Failure> {
        if !self.file().try_exists().map_err(|error| trouble(&self.file(), &error))? {
            return Ok(OpenState { state: State::in_memory(None)?, note: None });
        }
        match State::open_read_only(&self.file()) {
            Ok(state) => Ok(OpenState { state, note: None }),
            Err(error) if error.is_corrupt() => {
                let note = format!("the state of this pair is damaged ({error}); the next sync builds it anew");
                Ok(OpenState { state: State::in_memory(None)?, note: Some(note) })
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Keeps a damaged state under another name, so that the next run begins anew.
    pub fn set_aside(&self, now_ms: i64) -> Result<PathBuf, Failure> {
        let file = self.file();
        let kept = self.dir.join(format!("{}.corrupt-{now_ms}", self.id));
        for suffix in ["-wal", "-shm", ""] {
            let from = self.dir.join(format!("{}.sqlite{suffix}", self.id));
            let to = self.dir.join(format!("{}.corrupt-{now_ms}{suffix}", self.id));
            match fs::rename(&from, &to) {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(trouble(&file, &error)),
                _ => {}
            }
        }
        Ok(kept)
    }
}

/// The file that a path stands for: links stay links where the file is replaced, as people
/// keep their settings elsewhere. A link to nothing stands for what it would point to.
pub(crate) fn behind(path: &Path) -> PathBuf {
    let of_link = || Some(path.parent()?.join(fs::read_link(path).ok()?));
    fs::canonicalize(path).ok().or_else(of_link).unwrap_or_else(|| path.to_owned())
}

/// A folder by its one true name. What does not exist yet is appended to what does.
pub fn canonical(path: &Path) -> Result<PathBuf, Failure> {
    let absolute = std::path::absolute(path).map_err(|error| trouble(path, &error))?;
    let mut rest = Vec::new();
    let mut known = absolute.as_path();
    loop {
        match fs::canonicalize(known) {
            Ok(mut found) => {
                rest.iter().rev().for_each(|part| found.push(part));
                return Ok(found);
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) if error.kind() == ErrorKind::NotADirectory => {
                let what = "a file stands where a folder is needed; give another path";
                return Err(Failure::Unable(format!("{}: {what}", path.display())));
            }
            Err(error) => return Err(trouble(path, &error)),
        }
        match (known.parent(), known.components().next_back()) {
            (Some(parent), Some(Component::Normal(name))) => {
                rest.push(name.to_owned());
                known = parent;
            }
            _ => return Err(Failure::Unable(format!("{} is no path that can be worked with", path.display()))),
        }
    }
}

/// Makes a folder to restore into, if there is none.
pub fn make_folder(path: &Path) -> Result<(), Failure> {
    fs::create_dir_all(path).map_err(|error| trouble(path, &error))
}

/// Whether anything is at the path.
pub fn exists(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok()
}

/// Mode that folders get here, and who makes them.
pub fn custom() -> (u32, (u32, u32)) {
    // The mask can only be read by setting it; nothing else runs this early.
    let mask = rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
    rustix::process::umask(mask);
    let owner = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    (0o777 & !mask.as_raw_mode(), owner)
}

fn make_private(dir: &Path) -> Result<(), Failure> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(|error| trouble(dir, &error))
}

fn private_file(path: &Path) -> std::io::Result<fs::File> {
    fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)
}

fn trouble(path: &Path, error: &std::io::Error) -> Failure {
    Failure::Place { path: path.display().to_string(), kind: error.kind(), what: error.to_string() }
}
