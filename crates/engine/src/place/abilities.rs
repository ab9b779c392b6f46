//! What was found out about endpoints, kept between runs.
//!
//! One small file per place, and one for each trial while it goes on. Losing or not being able to write one costs a few
//! requests and nothing else, so nothing here can fail. How long an answer holds
//! is the client's business.

use super::{Place, make_private, private_file};
use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use tidelock_core::entry::Digest;
use tidelock_remote::s3::{CapabilityStore, Trial};

/// The files of a [`Place`] that remember endpoints.
#[derive(Debug)]
pub struct KnownAbilities {
    dir: PathBuf,
}

impl KnownAbilities {
    /// Those of this place.
    pub fn of(place: &Place) -> Self {
        Self { dir: place.dir().join("endpoints") }
    }

    fn file(&self, place: &str) -> PathBuf {
        let name: String = Digest::of(place.as_bytes()).to_string().chars().take(16).collect();
        self.dir.join(format!("{name}.json"))
    }

    /// What the trials at a place are called, all but their extension.
    fn trials(&self, place: &str) -> PathBuf {
        self.file(&format!("{place}\0trials"))
    }
}

impl CapabilityStore for KnownAbilities {
    fn load(&self, place: &str) -> Option<String> {
        fs::read_to_string(self.file(place)).ok()
    }

    fn save(&self, place: &str, text: &str) {
        let (file, new) = (self.file(place), self.file(&format!("{place}\0{}", std::process::id())));
        let write = || {
            make_private(&self.dir).ok()?;
            private_file(&new).ok()?.write_all(text.as_bytes()).ok()?;
            fs::rename(&new, &file).ok()
        };
        let _ = write();
    }

    fn begin_trial(&self, place: &str, stem: &str) -> Option<Box<dyn Trial>> {
        make_private(&self.dir).ok()?;
        let path = self.trials(place).with_extension(Digest::of(stem.as_bytes()).to_string().get(..16)?);
        let mut options = fs::OpenOptions::new();
        let mut file = options.read(true).write(true).create_new(true).mode(0o600).open(&path).ok()?;
        file.try_lock().ok()?;
        file.write_all(stem.as_bytes()).and_then(|()| file.sync_all()).ok()?;
        Some(Box::new(Recorded { _file: file, path }))
    }

    fn left_trials(&self, place: &str) -> Vec<(String, Box<dyn Trial>)> {
        let Ok(items) = fs::read_dir(&self.dir) else { return Vec::new() };
        let stem = self.trials(place);
        let paths = items.flatten().map(|item| item.path());
        let left = |path: PathBuf| -> Option<(String, Box<dyn Trial>)> {
            let mut file = fs::File::open(&path).ok()?;
            // Who is in the midst of it holds it.
            file.try_lock().ok()?;
            let mut text = String::new();
            file.read_to_string(&mut text).ok()?;
            Some((text, Box::new(Recorded { _file: file, path })))
        };
        paths.filter(|path| path.file_stem() == stem.file_stem()).filter_map(left).collect()
    }
}

/// A trial's file, locked by whoever is at it, so that it can be told from one whose
/// process is gone.
struct Recorded {
    _file: fs::File,
    path: PathBuf,
}

impl Trial for Recorded {
    fn over(self: Box<Self>) {
        // One that stays is cleared away once more, for nothing.
        let _ = fs::remove_file(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trial_is_left_only_when_nobody_is_at_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let known = KnownAbilities::of(&Place::at(folder.path()));
        let stems = |place: &str| known.left_trials(place).into_iter().map(|(stem, _)| stem).collect::<Vec<_>>();
        let one = known.begin_trial("place", "p/.tidelock/probe-1").expect("on record");
        let two = known.begin_trial("place", "p/.tidelock/probe-2").expect("on record");
        assert!(stems("place").is_empty(), "both are under way");
        drop(one);
        assert_eq!(stems("place"), ["p/.tidelock/probe-1"]);
        assert!(stems("elsewhere").is_empty());
        two.over();
        assert_eq!(stems("place"), ["p/.tidelock/probe-1"]);
        for (_, trial) in known.left_trials("place") {
            trial.over();
        }
        assert!(stems("place").is_empty());
        assert_eq!(fs::read_dir(folder.path().join("endpoints")).expect("readable").count(), 0);
    }
}
