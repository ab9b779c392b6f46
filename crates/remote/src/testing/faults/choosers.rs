//! Two ways to choose: by a written list, and by a seed.
//! One follows a script, one a seed; both are deterministic, so that a schedule can
//! be replayed. Neither knows what its answers bring about.

use super::{Chooser, Fault};
use crate::world::Rng;
use std::sync::{Arc, Mutex, PoisonError};

/// Faults in the order they shall happen, per operation; then none.
#[derive(Default)]
pub struct Script(Mutex<Vec<(&'static str, u32)>>);

impl Script {
    /// The n-th operation of a name meets the n-th fault given for it.
    ///
    /// # Panics
    /// If an operation cannot meet a fault given for it.
    pub fn new(faults: &[(&'static str, Fault)]) -> Arc<Self> {
        let script = Self::default();
        faults.iter().for_each(|(what, fault)| script.add(what, *fault));
        Arc::new(script)
    }

    /// One fault more.
    ///
    /// # Panics
    /// If the operation cannot meet it.
    pub fn add(&self, what: &'static str, fault: Fault) {
        let place = Fault::of(what).iter().position(|known| *known == fault);
        let Some(place) = place.and_then(|place| u32::try_from(place).ok()) else {
            panic!("{what} cannot meet {fault:?}");
        };
        self.answer(what, place);
    }

    /// An answer to a question of any name.
    pub fn answer(&self, what: &'static str, choice: u32) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push((what, choice));
    }

    /// How many faults have not happened yet.
    pub fn left(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}

impl Chooser for Script {
    fn choose(&self, what: &str, n: u32) -> u32 {
        let mut faults = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(place) = faults.iter().position(|(name, _)| *name == what) else { return 0 };
        faults.remove(place).1.min(n.saturating_sub(1))
    }
}

/// Faults by chance: one question in so many is answered with one.
pub struct Seeded {
    rng: Arc<dyn Rng>,
    one_in: u64,
}

impl Seeded {
    /// Draws from `rng`; about one answer in `one_in` is not the good one.
    pub fn new(rng: Arc<dyn Rng>, one_in: u64) -> Self {
        Self { rng, one_in: one_in.max(1) }
    }
}

impl Chooser for Seeded {
    fn choose(&self, _what: &str, n: u32) -> u32 {
        if n < 2 || !self.rng.next_u64().is_multiple_of(self.one_in) {
            return 0;
        }
        // Below n, which is a u32.
        1 + (self.rng.next_u64() % u64::from(n - 1)) as u32
    }
}
