//! How fast bytes may go out and come in, together.
//!
//! One limit for everything that shares a [`Bandwidth`], each direction for itself.
//! Who wants to move bytes claims them and waits until so many have become free:
//! first come, first served, in steps small enough that nobody waits long for a turn.
//! The limit may be changed at any moment, also for those who are waiting. It knows
//! nothing of connections; those are told by whoever moves the bytes.

use crate::world::World;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Nobody waits longer than this without looking at the limit again.
const LOOK_AGAIN: Duration = Duration::from_millis(100);
/// What a second's worth is cut into, so that many streams move side by side.
const STEPS_PER_SECOND: u64 = 16;
const STEP_MAX_BYTES: u64 = 256 << 10;
const STEP_MIN_BYTES: u64 = 512;

/// In which direction bytes move.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Away from here.
    Up,
    /// To here.
    Down,
}

/// A limit that many streams share.
pub struct Bandwidth {
    world: World,
    /// Bytes a second; 0 is no limit.
    rate: AtomicU64,
    up: Mutex<Flow>,
    down: Mutex<Flow>,
}

/// One direction: how many bytes were claimed so far, and how many of them are free.
#[derive(Debug, Default)]
struct Flow {
    claimed: u64,
    freed: u64,
    /// When `freed` was last counted.
    at_ns: u64,
}

impl Flow {
    /// Frees what this long at this rate is worth. What nobody claims is not saved up,
    /// so that a pause is not followed by a rush.
    fn pass(&mut self, now_ns: u64, rate: u64) {
        const SECOND_NS: u128 = 1_000_000_000;
        let elapsed = u128::from(now_ns.saturating_sub(self.at_ns));
        let free = u64::try_from(elapsed * u128::from(rate) / SECOND_NS).unwrap_or(u64::MAX);
        let wanted = self.claimed - self.freed;
        if free >= wanted {
            self.freed = self.claimed;
            self.at_ns = now_ns;
        } else if free > 0 {
            self.freed += free;
            // A remainder of less than a byte counts next time.
            let spent = u128::from(free) * SECOND_NS / u128::from(rate.max(1));
            self.at_ns += u64::try_from(spent).unwrap_or(u64::MAX);
        }
    }
}

impl Bandwidth {
    /// At most so many bytes a second in either direction; 0 is no limit.
    pub fn new(world: World, bytes_per_second: u64) -> Self {
        let flow = || Mutex::new(Flow { at_ns: world.clock.monotonic_ns(), ..Flow::default() });
        let (up, down) = (flow(), flow());
        Self { world, rate: AtomicU64::new(bytes_per_second), up, down }
    }

    /// Changes the limit, from now on and for everybody.
    pub fn set(&self, bytes_per_second: u64) {
        self.rate.store(bytes_per_second, Ordering::Relaxed);
    }

    /// The limit; 0 is none.
    pub fn bytes_per_second(&self) -> u64 {
        self.rate.load(Ordering::Relaxed)
    }

    /// How many bytes should be moved in one go, so that others get their turn.
    pub fn step_bytes(&self) -> usize {
        let step = match self.bytes_per_second() {
            0 => STEP_MAX_BYTES,
            rate => (rate / STEPS_PER_SECOND).clamp(STEP_MIN_BYTES, STEP_MAX_BYTES),
        };
        usize::try_from(step).unwrap_or(usize::MAX)
    }

    /// Returns once so many bytes may have moved. `waiting` is called while it lasts, as
    /// a sign that whoever waits is alive.
    pub async fn pass(&self, direction: Direction, bytes: u64, waiting: impl Fn() + Send) {
        let flow = match direction {
            Direction::Up => &self.up,
            Direction::Down => &self.down,
        };
        let mine = {
            let mut flow = flow.lock().unwrap_or_else(PoisonError::into_inner);
            flow.pass(self.world.clock.monotonic_ns(), self.bytes_per_second());
            flow.claimed = flow.claimed.saturating_add(bytes);
            flow.claimed
        };
        while let Some(wait) = self.missing(flow, mine) {
            self.world.sleep.sleep(wait).await;
            waiting();
        }
    }

    /// How long until the claim up to `mine` may be free; `None` if it is.
    fn missing(&self, flow: &Mutex<Flow>, mine: u64) -> Option<Duration> {
        let mut flow = flow.lock().unwrap_or_else(PoisonError::into_inner);
        let rate = self.bytes_per_second();
        if rate == 0 {
            flow.freed = flow.freed.max(mine);
            flow.at_ns = self.world.clock.monotonic_ns();
            return None;
        }
        flow.pass(self.world.clock.monotonic_ns(), rate);
        let missing = mine.checked_sub(flow.freed).filter(|missing| *missing > 0)?;
        let wait_us = missing.saturating_mul(1_000_000).div_ceil(rate);
        Some(Duration::from_micros(wait_us.max(100)).min(LOOK_AGAIN))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::world::world;
    use futures::executor::block_on;
    use futures::future::join_all;

    fn took_ms(world: &World, work: impl Future) -> u64 {
        let before = world.clock.monotonic_ns();
        block_on(work);
        (world.clock.monotonic_ns() - before) / 1_000_000
    }

    #[test]
    fn many_streams_share_one_limit() {
        let (world, _) = world(1);
        let limit = Bandwidth::new(world.clone(), 10_000);
        let stream = || async {
            for _ in 0..10 {
                limit.pass(Direction::Up, 1_000, || ()).await;
            }
        };
        let took = took_ms(&world, stream());
        assert!((900..=1_200).contains(&took), "{took}");
        // The other direction has a limit of its own, and a pause saves nothing up.
        let took = took_ms(&world, limit.pass(Direction::Down, 5_000, || ()));
        assert!((400..=700).contains(&took), "{took}");
        let before = limit.up.lock().expect("whole").claimed;
        block_on(join_all((0..4).map(|_| stream())));
        assert_eq!(limit.up.lock().expect("whole").claimed - before, 40_000);
    }

    #[test]
    fn a_limit_is_lifted_for_those_who_wait() {
        let (world, _) = world(2);
        let limit = Bandwidth::new(world.clone(), 10);
        let waited = AtomicU64::new(0);
        let lifted = limit.pass(Direction::Down, 1_000_000, || {
            waited.fetch_add(1, Ordering::Relaxed);
            limit.set(0);
        });
        let took = took_ms(&world, lifted);
        assert!(took < 1_000 && waited.load(Ordering::Relaxed) == 1, "{took}");
        assert_eq!(took_ms(&world, limit.pass(Direction::Down, u64::MAX / 2, || ())), 0);
        // And set again.
        limit.set(1_000);
        let took = took_ms(&world, limit.pass(Direction::Down, 1_000, || ()));
        assert!((900..=1_200).contains(&took), "{took}");
    }

    #[test]
    fn steps_are_small_where_the_limit_is() {
        let (world, _) = world(3);
        for (rate, step) in [(0, 256 << 10), (100, 512), (160_000, 10_000), (1 << 40, 256 << 10)] {
            assert_eq!(Bandwidth::new(world.clone(), rate).step_bytes(), step, "{rate}");
        }
    }
}
