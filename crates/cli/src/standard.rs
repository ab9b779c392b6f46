//! Standard input and output, unless they are closed.
//!
//! The runtime puts `/dev/null` in the place of what was closed: reading it would give an
//! empty object, and what is written to it would count as shown.

use std::io;
use tidelock_engine::disk::was_closed_at_start;

/// Standard input.
pub fn input() -> io::Result<io::Stdin> {
    unless_closed(0, io::stdin)
}

/// Standard output.
pub fn output() -> io::Result<io::Stdout> {
    unless_closed(1, io::stdout)
}

fn unless_closed<S>(fd: u8, open: impl FnOnce() -> S) -> io::Result<S> {
    if was_closed_at_start(fd) { Err(io::Error::other("it is closed")) } else { Ok(open()) }
}
