//! What was found out about endpoints, kept between runs.
//!
//! One small file per place. Losing or not being able to write one costs a few
//! requests and nothing else, so nothing here can fail. How long an answer holds
//! is the client's business.

use super::{Place, make_private, private_file};
use std::fs;
use std::io::Write;
use std::path::PathBuf;
use tidelock_core::entry::Digest;
use tidelock_remote::s3::CapabilityStore;

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
}
