//! The kill hook: death, or failure, at a chosen system call.
//!
//! Code that changes the disk calls [`point`] and then [`fail_point`] just before
//! each mutating system call. In a build with the `testing` feature,
//! `TIDELOCK_KILL_AT=n` in the environment makes the n-th such call of the process
//! its last moment: SIGKILL, no destructors, nothing flushed.
//! `TIDELOCK_KILL_COUNT=FILE` writes how many there were. `TIDELOCK_FAIL_AT=n`
//! makes the n-th fail with an I/O error instead, or with "no space" under
//! `TIDELOCK_FAIL_WITH=ENOSPC`. Without the feature all this is nothing.

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

/// Whether the mutating system call about to be made shall fail, and how.
#[cfg(not(feature = "testing"))]
#[inline(always)]
pub fn fail_point(_what: &'static str) -> Option<rustix::io::Errno> {
    None
}

/// Whether the mutating system call about to be made shall fail, and how.
#[cfg(feature = "testing")]
pub fn fail_point(_what: &'static str) -> Option<rustix::io::Errno> {
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU64, Ordering};
    static COUNT: AtomicU64 = AtomicU64::new(0);
    static AT: OnceLock<Option<u64>> = OnceLock::new();

    let at = AT.get_or_init(|| std::env::var("TIDELOCK_FAIL_AT").ok().and_then(|text| text.parse().ok()));
    let number = COUNT.fetch_add(1, Ordering::SeqCst) + 1;
    (*at == Some(number)).then(|| match std::env::var("TIDELOCK_FAIL_WITH").as_deref() {
        Ok("ENOSPC") => rustix::io::Errno::NOSPC,
        _ => rustix::io::Errno::IO,
    })
}
