//! The kill hook: death at a chosen system call.
//!
//! Code that changes the disk calls [`point`] just before each mutating system
//! call. In a build with the `testing` feature, `TIDELOCK_KILL_AT=n` in the
//! environment makes the n-th such call of the process its last moment: SIGKILL,
//! no destructors, nothing flushed. `TIDELOCK_KILL_COUNT=FILE` writes how many
//! there were. Without the feature it is nothing at all.

/// Marks the instant before a mutating system call. `what` names it for people.
#[cfg(not(feature = "testing"))]
#[inline(always)]
pub fn point(_what: &'static str) {}

/// Marks the instant before a mutating system call. `what` names it for people.
#[cfg(feature = "testing")]
pub fn point(what: &'static str) {
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU64, Ordering};
    static COUNT: AtomicU64 = AtomicU64::new(0);
    static AT: OnceLock<Option<u64>> = OnceLock::new();
    static LOG: OnceLock<Option<String>> = OnceLock::new();

    let number = COUNT.fetch_add(1, Ordering::SeqCst) + 1;
    if let Some(file) = LOG.get_or_init(|| std::env::var("TIDELOCK_KILL_COUNT").ok()) {
        // The last number written is the count; a failure here only weakens a test
        // that checks for it.
        let _ = std::fs::write(file, format!("{number} {what}\n"));
    }
    let at = AT.get_or_init(|| std::env::var("TIDELOCK_KILL_AT").ok().and_then(|text| text.parse().ok()));
    if *at == Some(number) {
        let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
        std::process::abort();
    }
}
