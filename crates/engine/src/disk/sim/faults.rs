//! Where a simulation takes hold of the disk.
//!
//! A [`Chooser`] decides everything that chance decides on a real machine; a
//! [`Gate`] is awaited around every effect, so that other actors can run, or the
//! process die, there. The ones here let everything pass and nothing fail.

use crate::disk::ErrorKind;
use async_trait::async_trait;

/// Decides what is left to chance.
pub trait Chooser: Send + Sync {
    /// A number below `n`; 0 is what happens on a good day. `what` names the
    /// decision.
    fn choose(&self, what: &str, n: u32) -> u32;
}

/// Is passed before and after every effect.
#[async_trait]
pub trait Gate: Send + Sync {
    /// Returns when the actor may go on; never, if it dies here.
    async fn pass(&self, what: &str);
}

/// A day on which nothing goes wrong.
#[derive(Debug, Clone, Copy, Default)]
pub struct GoodDay;

impl Chooser for GoodDay {
    fn choose(&self, _what: &str, _n: u32) -> u32 {
        0
    }
}

#[async_trait]
impl Gate for GoodDay {
    async fn pass(&self, _what: &str) {}
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
