//! What is known of the endpoint's abilities.
//!
//! A small memory, kept by the caller between runs, for seven days. It answers
//! "yes", "no" and "not known", and tells a place that ignores a condition from one
//! that refuses to hear of it: only the latter is spared the header. How abilities are found out is
//! `probe.rs`'s business.

use crate::world::World;
use crate::{Ability, Capabilities};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How long an answer is believed.
const VALID_S: i64 = 7 * 24 * 3600;

/// Where answers survive the process. Losing them costs a few requests, so neither
/// method can fail.
pub trait CapabilityStore: Send + Sync {
    /// What was last saved for this place.
    fn load(&self, place: &str) -> Option<String>;
    /// Keeps a text for this place; an empty one is as good as none.
    fn save(&self, place: &str, text: &str);

    /// Puts on record, durably, that objects are about to be written in a trial whose
    /// keys begin with `stem`. Where no record can be kept, there is none.
    fn begin_trial(&self, _place: &str, _stem: &str) -> Option<Box<dyn Trial>> {
        None
    }

    /// The trials of processes that ended in the midst of them, by their stems, and
    /// nobody else's: another process may be in the midst of its own.
    fn left_trials(&self, _place: &str) -> Vec<(String, Box<dyn Trial>)> {
        Vec::new()
    }
}

/// A trial on record. If this value goes away before it is over, it stays there, for
/// whoever comes next.
pub trait Trial: Send + Sync {
    /// Takes it off the record: nothing of it is left there.
    fn over(self: Box<Self>);
}

#[derive(Default, Serialize, Deserialize)]
struct Entry {
    found_s: i64,
    abilities: BTreeMap<Ability, bool>,
    /// What the server called itself then.
    #[serde(default)]
    server: Option<String>,
    /// Those whose headers made the place refuse what it would have done.
    #[serde(default)]
    refused: BTreeSet<Ability>,
}

/// The memory for one endpoint and bucket.
pub(super) struct Abilities {
    world: World,
    place: String,
    cache: Option<Arc<dyn CapabilityStore>>,
    known: Mutex<Entry>,
}

impl Abilities {
    pub(super) fn new(world: World, place: String, cache: Option<Arc<dyn CapabilityStore>>) -> Self {
        let text = cache.as_ref().and_then(|cache| cache.load(&place));
        // What cannot be read is as good as nothing: it is asked again.
        let known = text.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
        Self { world, place, cache, known: Mutex::new(known) }
    }

    /// What is known of one ability; `None` if it was never asked, or long ago.
    pub(super) fn known(&self, ability: Ability) -> Option<bool> {
        self.fresh().abilities.get(&ability).copied()
    }

    /// Whether the place refuses requests that ask for this, instead of ignoring
    /// that they do.
    pub(super) fn refuses(&self, ability: Ability) -> bool {
        self.fresh().refused.contains(&ability)
    }

    /// What is known of these.
    pub(super) fn answers(&self, needed: &[Ability]) -> Capabilities {
        let known = self.fresh();
        Capabilities(
            needed.iter().filter_map(|need| known.abilities.get_key_value(need)).map(|(a, b)| (*a, *b)).collect(),
        )
    }

    /// Keeps what was found out of a server that calls itself so.
    pub(super) fn learn(&self, ability: Ability, has: bool, refused: bool, server: Option<String>) {
        let mut known = self.fresh();
        if known.abilities.is_empty() {
            known.found_s = self.now_s();
        }
        known.server = server.or(known.server.take());
        known.abilities.insert(ability, has);
        if refused {
            known.refused.insert(ability);
        } else {
            known.refused.remove(&ability);
        }
        self.save(&known);
    }

    /// Forgets what was found of a server that called itself otherwise: another
    /// version may be able to do more, or less.
    pub(super) fn meet(&self, server: Option<String>) {
        let mut known = self.fresh();
        if known.server.is_some() && server.is_some() && known.server != server {
            *known = Entry::default();
        }
    }

    /// Notes that a trial begins.
    pub(super) fn begin_trial(&self, stem: &str) -> Option<Box<dyn Trial>> {
        self.cache.as_ref()?.begin_trial(&self.place, stem)
    }

    /// The trials that killed processes left.
    pub(super) fn left_trials(&self) -> Vec<(String, Box<dyn Trial>)> {
        self.cache.as_ref().map(|cache| cache.left_trials(&self.place)).unwrap_or_default()
    }

    /// Forgets everything.
    pub(super) fn forget(&self) {
        let mut known = self.fresh();
        *known = Entry::default();
        self.save(&known);
    }

    fn fresh(&self) -> MutexGuard<'_, Entry> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if !(0..VALID_S).contains(&(self.now_s() - known.found_s)) {
            *known = Entry::default();
        }
        known
    }

    fn save(&self, entry: &Entry) {
        if let (Some(cache), Ok(text)) = (&self.cache, serde_json::to_string(entry)) {
            cache.save(&self.place, &text);
        }
    }

    fn now_s(&self) -> i64 {
        self.world.clock.wall_ns() / 1_000_000_000
    }
}
