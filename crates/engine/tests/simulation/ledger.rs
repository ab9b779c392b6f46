//! The ledger: every version anybody ever wrote, kept outside the engine.
//!
//! A version is known by its bytes, which are unique. It is released once somebody
//! other than the engine has removed or overwritten a copy of it anywhere: from then
//! on nobody need keep it. It is meant for every path that a person gave it. What
//! the engine makes of all this is judged elsewhere.

use std::collections::{BTreeMap, BTreeSet};

/// What a tree or a bucket holds: bytes by key.
pub type Contents = BTreeMap<String, Vec<u8>>;

#[derive(Debug)]
pub struct Version {
    pub bytes: Vec<u8>,
    /// Written by somebody in the bucket.
    pub foreign: bool,
    /// Keys it was given by people, on any side.
    pub meant: BTreeSet<String>,
    /// Somebody has removed or overwritten a copy.
    pub released: bool,
    /// It was made to look like the version before it, which only a reader can tell.
    pub disguised: bool,
}

#[derive(Debug, Default)]
pub struct Ledger {
    pub versions: Vec<Version>,
    by_bytes: BTreeMap<Vec<u8>, usize>,
    written: u64,
    /// A person changed the case of a name. Where case does not count, a run that was under
    /// way may go through either spelling.
    respelt: bool,
}

impl Ledger {
    /// Bytes that nobody has written before.
    pub fn fresh(&mut self, size: usize) -> Vec<u8> {
        self.written += 1;
        let number = self.written;
        let mut bytes = format!("#{number};").into_bytes();
        let mut at = number;
        while bytes.len() < size {
            at = crate::chance::mix(at);
            bytes.push(b'a' + (at % 26) as u8);
        }
        bytes
    }

    pub fn find(&self, bytes: &[u8]) -> Option<&Version> {
        self.by_bytes.get(bytes).map(|place| &self.versions[*place])
    }

    /// Takes down what somebody did: `before` and `after` are what one side held.
    pub fn observe(&mut self, before: &Contents, after: &Contents, foreign: bool) {
        for (key, bytes) in after {
            if before.get(key) == Some(bytes) {
                continue;
            }
            let place = *self.by_bytes.entry(bytes.clone()).or_insert_with(|| {
                let (bytes, meant) = (bytes.clone(), BTreeSet::new());
                self.versions.push(Version { bytes, foreign, meant, released: false, disguised: false });
                self.versions.len() - 1
            });
            self.versions[place].meant.insert(key.clone());
            // What was put aside may yet come back to where it was.
            if let Some(earlier) = before.get(key).and_then(|bytes| self.by_bytes.get(bytes)) {
                let meant = self.versions[*earlier].meant.clone();
                if is_reserved(key) {
                    self.versions[place].meant.extend(meant);
                }
            }
        }
        let goes = |old: &&String, new: &String| !after.contains_key(*old) && old.to_lowercase() == new.to_lowercase();
        self.respelt |= after.keys().any(|new| !before.contains_key(new) && before.keys().any(|old| goes(&old, new)));
        // A copy less in sight: somebody gave it up. As many as before: it was moved.
        let copies = |side: &Contents, bytes: &Vec<u8>| {
            side.iter().filter(|(key, held)| !is_reserved(key) && *held == bytes).count()
        };
        let given_up = |key: &String, bytes: &Vec<u8>| {
            if is_reserved(key) {
                after.get(key) != Some(bytes) && copies(after, bytes) == 0
            } else {
                copies(after, bytes) < copies(before, bytes)
            }
        };
        for (_, bytes) in before.iter().filter(|(key, bytes)| given_up(key, bytes)) {
            if let Some(place) = self.by_bytes.get(bytes) {
                self.versions[*place].released = true;
            }
        }
    }

    /// A version looks like the one before it.
    pub fn disguise(&mut self, bytes: &[u8]) {
        if let Some(place) = self.by_bytes.get(bytes) {
            self.versions[*place].disguised = true;
        }
    }

    /// A version lives in the bucket alone from now on.
    pub fn expose(&mut self, bytes: &[u8]) {
        if let Some(place) = self.by_bytes.get(bytes) {
            self.versions[*place].foreign = true;
        }
    }

    /// Why these bytes may not be at this key, if they may not.
    pub fn invented(&self, key: &str, bytes: &[u8]) -> Option<String> {
        if bytes.is_empty() {
            return None;
        }
        let Some(version) = self.find(bytes) else {
            return Some(format!("{key} holds bytes nobody wrote: {}", show(bytes)));
        };
        let plain = without_marks(key);
        let is_it = |meant: &str| meant == plain || self.respelt && meant.to_lowercase() == plain.to_lowercase();
        let meant = version.meant.iter().any(|meant| *meant == key || is_it(&without_marks(meant)));
        (!meant).then(|| format!("{key} holds {}, which was meant for {:?}", show(bytes), version.meant))
    }
}

/// Whether a name is Tidelock's own.
fn is_reserved(key: &str) -> bool {
    key.starts_with(".tidelock") || key.contains("/.tidelock")
}

/// Bytes for people.
pub fn show(bytes: &[u8]) -> String {
    format!("{:?} ({} bytes)", String::from_utf8_lossy(&bytes[..bytes.len().min(24)]), bytes.len())
}

/// A name without what a conflict added to it.
pub fn without_marks(key: &str) -> String {
    let mut text = key.to_owned();
    while let Some(start) = text.find(" (conflict ") {
        let Some(length) = text[start..].find(')') else { break };
        text.replace_range(start..=start + length, "");
    }
    text
}
