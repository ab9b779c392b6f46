//! Where a simulation takes hold of the disk.
//!
//! The same [`Chooser`] and [`Gate`] that rule a simulated network rule the disk:
//! one schedule for both. Here is what the answers mean to a disk, and the day on
//! which nothing goes wrong.

use crate::disk::ErrorKind;
pub use tidelock_remote::testing::faults::{Ajar, Chooser, Gate};

/// A day on which nothing goes wrong. When the power goes on such a day, nothing
/// survives that was not synced.
#[derive(Debug, Clone, Copy, Default)]
pub struct GoodDay;

impl Chooser for GoodDay {
    fn choose(&self, _what: &str, _n: u32) -> u32 {
        0
    }
}

/// How a call goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// It does nothing and fails.
    Refused(ErrorKind),
    /// It does what was asked and fails all the same, as over a network.
    Done,
}

/// Asks whether a call fails, and how. Reading can fail in fewer ways.
pub(super) fn fault(chooser: &dyn Chooser, what: &str, writing: bool) -> Option<Fault> {
    match chooser.choose(what, if writing { 5 } else { 3 }) {
        1 => Some(Fault::Refused(ErrorKind::Io)),
        2 => Some(Fault::Refused(ErrorKind::Denied)),
        3 => Some(Fault::Refused(ErrorKind::NoSpace)),
        4 => Some(Fault::Done),
        _ => None,
    }
}
