//! A world that obeys: a clock that stands still until told, chance from a seed,
//! and waits that move the clock and are over at once.
//!
//! It knows nothing of executors, so it works under any of them; a simulation that
//! wants to choose which wait ends first brings its own [`Sleep`].

use crate::world::{Clock, Rng, Sleep, World};
use async_trait::async_trait;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// The handle by which a test turns the clock and reads what was waited for.
#[derive(Debug)]
pub struct Hand {
    wall_ns: AtomicI64,
    monotonic_ns: AtomicU64,
    random: AtomicU64,
    waits: Mutex<Vec<Duration>>,
}

/// A world beginning on 2026-01-01 with this seed, and the hand that turns it.
pub fn world(seed: u64) -> (World, Arc<Hand>) {
    let hand = Arc::new(Hand {
        wall_ns: AtomicI64::new(1_767_225_600_000_000_000),
        monotonic_ns: AtomicU64::new(0),
        random: AtomicU64::new(seed),
        waits: Mutex::default(),
    });
    (World { clock: hand.clone(), rng: hand.clone(), sleep: hand.clone() }, hand)
}

impl Hand {
    /// Moves both clocks on.
    pub fn advance(&self, by: Duration) {
        let ns = u64::try_from(by.as_nanos()).unwrap_or(u64::MAX);
        self.monotonic_ns.fetch_add(ns, Ordering::SeqCst);
        self.wall_ns.fetch_add(i64::try_from(ns).unwrap_or(i64::MAX), Ordering::SeqCst);
    }

    /// Sets the wall clock alone, as a person or NTP does.
    pub fn jump(&self, wall_ns: i64) {
        self.wall_ns.store(wall_ns, Ordering::SeqCst);
    }

    /// Every wait so far, in order.
    pub fn waits(&self) -> Vec<Duration> {
        self.waits.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Clock for Hand {
    fn wall_ns(&self) -> i64 {
        self.wall_ns.load(Ordering::SeqCst)
    }

    fn monotonic_ns(&self) -> u64 {
        self.monotonic_ns.load(Ordering::SeqCst)
    }
}

impl Rng for Hand {
    fn next_u64(&self) -> u64 {
        // SplitMix64: full period, and any seed will do.
        let state = self.random.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::SeqCst);
        let mut mixed = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

#[async_trait]
impl Sleep for Hand {
    async fn sleep(&self, duration: Duration) {
        self.waits.lock().unwrap_or_else(PoisonError::into_inner).push(duration);
        self.advance(duration);
    }
}
