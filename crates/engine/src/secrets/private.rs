//! Files that only their owner may read.
//!
//! Reads them, refusing what others could have read or written, and writes them whole:
//! a new file beside the old one, durable, then renamed over it. It knows nothing of
//! what they say. What is read is wiped when it is dropped.

use super::{Asking, Error, ErrorKind, Result};
use crate::place;
use std::fs::{self, File, TryLockError};
use std::io::{Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::time::Duration;
use zeroize::Zeroizing;

/// No file of secrets is longer.
const MAX_BYTES: usize = 1 << 20;
/// How long whoever changes the same file is waited for: it takes milliseconds, or as
/// long as a person types.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often it is seen whether they are done, and whether somebody wants to end.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Who may have a hand in a file that is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trust {
    /// Its owner alone, who is us or root.
    OwnerOnly,
    /// Whom the service manager lets in: it set the modes itself.
    ServiceManager,
}

/// A file's text, or none if there is no such file.
pub(super) fn read(path: &Path, trust: Trust) -> Result<Option<Zeroizing<String>>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Error::io(path, &error)),
    };
    if trust == Trust::OwnerOnly {
        refuse_exposed(path, &file)?;
    }
    let mut text = wiped();
    match file.take(MAX_BYTES as u64 + 1).read_to_string(&mut text) {
        Ok(_) if text.len() > MAX_BYTES => {
            Err(Error::new(ErrorKind::Damaged, format!("{}: too long for a file of secrets", path.display())))
        }
        Ok(_) => Ok(Some(text)),
        Err(error) => Err(Error::io(path, &error)),
    }
}

/// An empty text that is wiped when it is dropped. It has room for all that is read into
/// it: one that grew would leave what it held where it lay before.
fn wiped() -> Zeroizing<String> {
    // A reader that finds its room filled looks for the end beyond it.
    Zeroizing::new(String::with_capacity(MAX_BYTES + 64))
}

/// A pipe or a descriptor is its owner's business; a file that others may read is not.
fn refuse_exposed(path: &Path, file: &File) -> Result<()> {
    let meta = file.metadata().map_err(|error| Error::io(path, &error))?;
    if !meta.is_file() {
        return Ok(());
    }
    let mode = meta.mode() & 0o777;
    if mode & 0o077 != 0 {
        let what = format!("{} may be read by others (mode {mode:03o})", path.display());
        let remedy = "if they may have, replace what it holds; then `chmod 600` it";
        return Err(Error::new(ErrorKind::Exposed, format!("{what}; {remedy}")));
    }
    let (owner, us) = (meta.uid(), rustix::process::geteuid().as_raw());
    if owner != us && owner != 0 {
        let what = format!("{} belongs to another user ({owner}), who could have changed it", path.display());
        return Err(Error::new(ErrorKind::Exposed, format!("{what}; `chown` it to yourself")));
    }
    Ok(())
}

/// Puts a text in place of a file's, durably, for its owner alone.
pub(super) fn write(path: &Path, text: &str, token: &str) -> Result<()> {
    let path = &place::behind(path);
    let dir = folder_of(path)?;
    let new = dir.join(format!(".tidelock-tmp-{token}"));
    let fail = |error| Error::io(path, &error);
    let written = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&new)
        .and_then(|mut file| file.write_all(text.as_bytes()).and_then(|()| file.sync_all()))
        .and_then(|()| fs::rename(&new, path));
    if let Err(error) = written {
        // What is left of it is sealed, but nobody would ever remove it.
        let _ = fs::remove_file(&new);
        return Err(fail(error));
    }
    File::open(&dir).and_then(|dir| dir.sync_all()).map_err(fail)
}

/// Removes a file, if there is one. Of a link, what it points to goes: what was in it is
/// to be gone.
pub(super) fn remove(path: &Path) -> Result<()> {
    let path = &place::behind(path);
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(Error::io(path, &error)),
        _ => Ok(()),
    }
}

/// Held while a file is read, changed and written.
pub(super) struct Turn {
    _file: File,
}

/// Waits for whoever changes the same file, but not for ever. Links to one file have one lock.
pub(super) async fn turn(ask: &Asking<'_>, path: &Path) -> Result<Turn> {
    let lock = place::behind(path).with_extension("lock");
    folder_of(&lock)?;
    let file = fs::OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&lock);
    let file = file.map_err(|error| Error::io(&lock, &error))?;
    let deadline_ns = ask.world.clock.monotonic_ns().saturating_add(PATIENCE.as_nanos() as u64);
    loop {
        if ask.interrupted.load(Ordering::Relaxed) {
            return Err(Error::interrupted());
        }
        match file.try_lock() {
            Ok(()) => return Ok(Turn { _file: file }),
            Err(TryLockError::Error(error)) => return Err(Error::io(&lock, &error)),
            Err(TryLockError::WouldBlock) if ask.world.clock.monotonic_ns() >= deadline_ns => {
                let what = format!("{} is being changed by another command", path.display());
                let remedy = "try again when that one has its answer";
                return Err(Error::new(ErrorKind::Busy, format!("{what}, for {} s now; {remedy}", PATIENCE.as_secs())));
            }
            Err(TryLockError::WouldBlock) => ask.world.sleep.sleep(LOOK_EVERY).await,
        }
    }
}

/// The folder that a file is in, made for its owner alone if there is none.
fn folder_of(path: &Path) -> Result<PathBuf> {
    let dir = path.parent().unwrap_or(Path::new("/")).to_owned();
    let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(&dir);
    made.map_err(|error| Error::io(&dir, &error))?;
    Ok(dir)
}
