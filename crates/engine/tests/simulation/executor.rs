//! Our own executor: one thread, and a seed that decides who goes on.
//!
//! Whatever waits, waits here: at a gate around an effect, or for a time to come.
//! The scheduler opens one gate after the other, in an order that only the seed
//! decides, and polls whom that wakes. Time passes with every step and stands still
//! otherwise. A task that is dropped takes what it waits for with it: that is how a
//! process dies.

use crate::chance::{Rng, mix};
use async_trait::async_trait;
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;
use tidelock_remote::testing::faults::Gate;
use tidelock_remote::world::{Clock, Sleep};

/// When every simulation begins: 2026-01-01.
const BEGINNING_NS: i64 = 1_767_225_600_000_000_000;

/// Time, and everyone who waits.
pub struct Clockwork {
    inner: Mutex<Inner>,
}

struct Inner {
    wall_ns: i64,
    monotonic_ns: u64,
    rng: Rng,
    next_id: u64,
    waiting: BTreeMap<u64, Waiting>,
    steps: u64,
    trace: u64,
    /// The last gates passed, for people.
    log: Option<Vec<String>>,
}

struct Waiting {
    /// Not before.
    at_ns: u64,
    open: bool,
    what: String,
    waker: Waker,
}

impl Clockwork {
    pub fn new(rng: Rng, keep_log: bool) -> Arc<Self> {
        let inner = Inner {
            wall_ns: BEGINNING_NS,
            monotonic_ns: 1,
            rng,
            next_id: 0,
            waiting: BTreeMap::new(),
            steps: 0,
            trace: 0,
            log: keep_log.then(Vec::new),
        };
        Arc::new(Self { inner: Mutex::new(inner) })
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    pub fn advance(&self, by: Duration) {
        self.lock().advance(u64::try_from(by.as_nanos()).expect("no ages pass"));
    }

    /// The wall clock alone is set, as people and NTP do.
    pub fn jump(&self, by_s: i64) {
        self.lock().wall_ns += by_s * 1_000_000_000;
    }

    /// Adds to the trace what two runs of a seed must agree on.
    pub fn note(&self, text: &str) {
        self.lock().note(text);
    }

    /// What has happened so far, in one number.
    pub fn trace(&self) -> u64 {
        self.lock().trace
    }

    pub fn steps(&self) -> u64 {
        self.lock().steps
    }

    pub fn log(&self) -> Vec<String> {
        self.lock().log.clone().unwrap_or_default()
    }

    /// Lets one of those who wait go on. `false` if nobody waits.
    fn step(&self) -> bool {
        let mut inner = self.lock();
        let now = inner.monotonic_ns;
        let mut ready: Vec<u64> = Vec::new();
        let mut soonest = u64::MAX;
        for (id, waiting) in &inner.waiting {
            if waiting.open {
                continue;
            }
            if waiting.at_ns <= now {
                ready.push(*id);
            }
            soonest = soonest.min(waiting.at_ns);
        }
        if ready.is_empty() {
            if soonest == u64::MAX {
                return false;
            }
            inner.advance(soonest - now);
            let due = |(id, waiting): (&u64, &Waiting)| (!waiting.open && waiting.at_ns <= soonest).then_some(*id);
            ready = inner.waiting.iter().filter_map(due).collect();
        }
        let chosen = ready[inner.rng.below(ready.len())];
        let pause_ns = match inner.rng.below(40) {
            0 => 2_000_000 + inner.rng.below(900_000_000) as u64,
            1..=9 => 1 + inner.rng.below(3_000_000) as u64,
            _ => 1 + inner.rng.below(2_000) as u64,
        };
        inner.advance(pause_ns);
        inner.steps += 1;
        let Some(waiting) = inner.waiting.get_mut(&chosen) else { return false };
        waiting.open = true;
        let (what, waker) = (waiting.what.clone(), waiting.waker.clone());
        inner.note(&what);
        drop(inner);
        waker.wake();
        true
    }
}

impl Inner {
    fn advance(&mut self, ns: u64) {
        self.monotonic_ns += ns;
        self.wall_ns += i64::try_from(ns).expect("no ages pass");
    }

    fn note(&mut self, text: &str) {
        let clock = mix(self.wall_ns.cast_unsigned());
        self.trace = text.bytes().fold(mix(self.trace ^ clock), |trace, byte| mix(trace ^ u64::from(byte)));
        if let Some(log) = &mut self.log {
            log.push(text.to_owned());
        }
    }
}

impl Clock for Clockwork {
    fn wall_ns(&self) -> i64 {
        self.lock().wall_ns
    }

    fn monotonic_ns(&self) -> u64 {
        self.lock().monotonic_ns
    }
}

/// The way to wait.
pub struct Waits(pub Arc<Clockwork>);

#[async_trait]
impl Sleep for Waits {
    async fn sleep(&self, duration: Duration) {
        let until = self.0.monotonic_ns() + u64::try_from(duration.as_nanos()).expect("no ages pass");
        Wait { clockwork: Arc::clone(&self.0), id: None, at_ns: until, what: "sleep".to_owned() }.await;
    }
}

/// The gate of one device's effects.
pub struct Barrier {
    pub clockwork: Arc<Clockwork>,
    pub device: &'static str,
    /// Told of each pass.
    pub passed: Box<dyn Fn(&str) + Send + Sync>,
}

impl Barrier {
    fn wait(&self, what: &str) -> Wait {
        (self.passed)(what);
        Wait { clockwork: Arc::clone(&self.clockwork), id: None, at_ns: 0, what: format!("{} {what}", self.device) }
    }
}

#[async_trait]
impl Gate for Barrier {
    async fn pass(&self, what: &'static str) {
        // A rename changes the file's change time and returns at once: whatever
        // happens within the call itself cannot be told from the call.
        if matches!(what, "disk.rename.done" | "disk.exchange.done") {
            return;
        }
        self.wait(what).await;
    }
}

struct Wait {
    clockwork: Arc<Clockwork>,
    id: Option<u64>,
    at_ns: u64,
    what: String,
}

impl Future for Wait {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        let mut inner = this.clockwork.lock();
        let Some(id) = this.id else {
            let id = inner.next_id;
            inner.next_id += 1;
            let what = std::mem::take(&mut this.what);
            inner.waiting.insert(id, Waiting { at_ns: this.at_ns, open: false, what, waker: context.waker().clone() });
            this.id = Some(id);
            return Poll::Pending;
        };
        match inner.waiting.get_mut(&id) {
            Some(waiting) if !waiting.open => {
                waiting.waker.clone_from(context.waker());
                Poll::Pending
            }
            _ => {
                inner.waiting.remove(&id);
                this.id = None;
                Poll::Ready(())
            }
        }
    }
}

impl Drop for Wait {
    fn drop(&mut self) {
        if let Some(id) = self.id {
            self.clockwork.lock().waiting.remove(&id);
        }
    }
}

/// Whether a task is to be polled.
struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// A future under way.
pub struct Task<T> {
    future: Pin<Box<dyn Future<Output = T>>>,
    flag: Arc<Flag>,
}

impl<T> Task<T> {
    pub fn new(future: impl Future<Output = T> + 'static) -> Self {
        Self { future: Box::pin(future), flag: Arc::new(Flag(AtomicBool::new(true))) }
    }

    /// Goes on as far as it can; its value once it is over.
    fn advance(&mut self) -> Option<T> {
        while self.flag.0.swap(false, Ordering::Relaxed) {
            let waker = Waker::from(Arc::clone(&self.flag));
            if let Poll::Ready(value) = self.future.as_mut().poll(&mut Context::from_waker(&waker)) {
                return Some(value);
            }
        }
        None
    }
}

/// Takes one step of the whole world. Tasks that are over leave their place, and
/// their value. `None` if nothing moves any more.
pub fn step<T>(clockwork: &Clockwork, tasks: &mut [Option<Task<T>>]) -> Option<Vec<(usize, T)>> {
    let mut over = advance_all(tasks);
    if over.is_empty() {
        if !clockwork.step() {
            return None;
        }
        over = advance_all(tasks);
    }
    Some(over)
}

fn advance_all<T>(tasks: &mut [Option<Task<T>>]) -> Vec<(usize, T)> {
    let mut over = Vec::new();
    for (place, slot) in tasks.iter_mut().enumerate() {
        if let Some(value) = slot.as_mut().and_then(Task::advance) {
            *slot = None;
            over.push((place, value));
        }
    }
    over
}
