//! Chance, all of it from one seed.
//!
//! Each component draws from a stream of its own, split off by name, so that one
//! more question in one of them moves nothing in the others. What goes wrong is not
//! drawn in sequence but looked up by the number of the question: a fault can be
//! taken out of a schedule without moving the rest, which is how it is shrunk.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use tidelock_remote::testing::faults::{Chooser, Fault};
use tidelock_remote::world::Rng as WorldRng;

/// One step of SplitMix64's mixer: any seed will do.
pub fn mix(seed: u64) -> u64 {
    let mut mixed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// A stream of numbers.
#[derive(Debug, Clone)]
pub struct Rng(u64);

impl Rng {
    /// The stream of this name.
    pub fn split(seed: u64, name: &str) -> Self {
        Self(name.bytes().fold(mix(seed), |state, byte| mix(state ^ u64::from(byte))))
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }

    /// A number below `n`, which is not 0.
    pub fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }

    /// Whether something that happens once in `n` happens now.
    pub fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }

    /// One of these, by weight.
    pub fn weighed<T: Copy>(&mut self, from: &[(usize, T)]) -> T {
        let mut at = self.below(from.iter().map(|(weight, _)| weight).sum());
        for (weight, item) in from {
            if at < *weight {
                return *item;
            }
            at -= weight;
        }
        from[0].1
    }
}

/// A stream that the engine draws from.
pub struct Shared(Mutex<Rng>);

impl Shared {
    pub fn new(rng: Rng) -> Arc<Self> {
        Arc::new(Self(Mutex::new(rng)))
    }
}

impl WorldRng for Shared {
    fn next_u64(&self) -> u64 {
        self.0.lock().expect("no panics").next()
    }
}

/// How much goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Weather {
    /// One request in so many meets a fault; 0 is never.
    pub network_one_in: u32,
    /// The same for calls of the disk.
    pub disk_one_in: u32,
}

/// What goes wrong, and what is left to chance, on one device.
pub struct Fate {
    seed: u64,
    state: Mutex<FateState>,
}

struct FateState {
    weather: Weather,
    /// So many requests more find nobody.
    outage: u32,
    questions: u64,
    muted: BTreeSet<u64>,
    met: BTreeSet<u64>,
    /// A request came late or twice, or the disk failed.
    risky: bool,
}

impl Fate {
    pub fn new(seed: u64, name: &str, weather: Weather, muted: BTreeSet<u64>) -> Arc<Self> {
        let state = FateState { weather, outage: 0, questions: 0, muted, met: BTreeSet::new(), risky: false };
        Arc::new(Self { seed: Rng::split(seed, name).next(), state: Mutex::new(state) })
    }

    /// From now on nothing fails.
    pub fn calm(&self) {
        let mut state = self.state.lock().expect("no panics");
        state.weather = Weather { network_one_in: 0, disk_one_in: 0 };
        state.outage = 0;
    }

    /// The next requests find nobody.
    pub fn outage(&self, requests: u32) {
        self.state.lock().expect("no panics").outage = requests;
    }

    /// The numbers of the questions that were answered with a fault.
    pub fn met(&self) -> BTreeSet<u64> {
        self.state.lock().expect("no panics").met.clone()
    }

    /// Whether something happened that no client could tell from a user's doing.
    pub fn is_risky(&self) -> bool {
        self.state.lock().expect("no panics").risky
    }

    fn answer(&self, what: &str, n: u32) -> u32 {
        let mut state = self.state.lock().expect("no panics");
        state.questions += 1;
        let question = state.questions;
        let drawn = mix(self.seed ^ mix(question));
        let below = |n: u32| ((drawn >> 32) % u64::from(n.max(1))) as u32;
        match what {
            "disk.read_dir.order" | "list.cut" | "get.at" | "get.byte" | "busy" | "delete.item" => return below(n),
            "disk.crash.journal" => return if drawn & 1 == 0 { 0 } else { below(n) },
            "late" => return u32::from(drawn.is_multiple_of(4)),
            _ if what.starts_with("disk.crash.") => return below(n),
            _ => {}
        }
        let disk = what.starts_with("disk.");
        if !disk && state.outage > 0 {
            state.outage -= 1;
            // A line that breaks takes requests with it, or only their replies.
            let fault = *[Fault::Unreachable, Fault::Unreachable, Fault::Lost, Fault::Vanished]
                .get((drawn >> 8) as usize % 4)
                .filter(|_| matches!(what, "put" | "delete"))
                .unwrap_or(&Fault::Unreachable);
            return Fault::of(what).iter().position(|known| *known == fault).unwrap_or(0) as u32;
        }
        let one_in = if disk { state.weather.disk_one_in } else { state.weather.network_one_in };
        if one_in == 0 || n < 2 || !drawn.is_multiple_of(u64::from(one_in)) || state.muted.contains(&question) {
            return 0;
        }
        state.met.insert(question);
        let choice = 1 + below(n - 1);
        let fault = if disk { None } else { Fault::of(what).get(choice as usize) };
        state.risky |= disk || matches!(fault, Some(Fault::Late | Fault::Twice));
        choice
    }
}

impl Chooser for Fate {
    fn choose(&self, what: &str, n: u32) -> u32 {
        self.answer(what, n)
    }
}
