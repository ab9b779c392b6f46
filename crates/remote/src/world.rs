//! Time, chance and waiting, as things that can be replaced.
//!
//! Everything above this crate asks a [`World`] instead of the operating system,
//! so that a simulation can decide what time it is, which number comes next and
//! when a wait is over. This file holds the real ones and nothing that uses them.

use async_trait::async_trait;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// What time it is.
pub trait Clock: Send + Sync {
    /// Wall clock, Unix nanoseconds. May jump.
    fn wall_ns(&self) -> i64;
    /// Time since an arbitrary start, in nanoseconds. Never goes back.
    fn monotonic_ns(&self) -> u64;
}

/// A source of unpredictable numbers.
pub trait Rng: Send + Sync {
    /// The next 64 bits.
    fn next_u64(&self) -> u64;
}

/// A way to wait.
#[async_trait]
pub trait Sleep: Send + Sync {
    /// Returns after about this long.
    async fn sleep(&self, duration: Duration);
}

/// The three together, as everything below the command line receives them.
#[derive(Clone)]
pub struct World {
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// The random source.
    pub rng: Arc<dyn Rng>,
    /// The way to wait.
    pub sleep: Arc<dyn Sleep>,
}

impl World {
    /// The operating system's. Needs a tokio runtime when it sleeps.
    pub fn real() -> Self {
        Self { clock: Arc::new(RealClock(Instant::now())), rng: Arc::new(RealRng), sleep: Arc::new(RealSleep) }
    }

    /// A random token of 16 hexadecimal digits.
    pub fn token(&self) -> String {
        format!("{:016x}", self.rng.next_u64())
    }
}

struct RealClock(Instant);

impl Clock for RealClock {
    fn wall_ns(&self) -> i64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
    }

    fn monotonic_ns(&self) -> u64 {
        u64::try_from(self.0.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }
}

struct RealRng;

impl Rng for RealRng {
    fn next_u64(&self) -> u64 {
        let mut bytes = [0_u8; 8];
        // The kernel fills 8 bytes whole or, before its pool is ready, blocks.
        let filled = rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty());
        assert_eq!(filled.ok(), Some(8), "the kernel's random source failed");
        u64::from_ne_bytes(bytes)
    }
}

struct RealSleep;

#[async_trait]
impl Sleep for RealSleep {
    async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }
}
