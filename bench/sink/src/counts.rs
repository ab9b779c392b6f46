//! What clients asked for, counted.
//!
//! Requests by kind and bytes each way, since the last reset. `GET /_sink` tells them as
//! JSON, `POST /_sink` also sets them to zero.

use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

/// The kinds of requests.
pub const KINDS: [&str; 14] = [
    "put",
    "get",
    "head",
    "delete",
    "delete_many",
    "list",
    "copy",
    "begin",
    "part",
    "part_copy",
    "complete",
    "abandon",
    "other",
    "refused",
];

/// Counters.
#[derive(Debug, Default)]
pub struct Counts {
    requests: [AtomicU64; KINDS.len()],
    /// Bytes of bodies that came in.
    pub bytes_in: AtomicU64,
    /// Of those, bytes that were to be stored.
    pub bytes_stored: AtomicU64,
    /// Bytes of bodies that went out.
    pub bytes_out: AtomicU64,
    /// Connections that were opened.
    pub connections: AtomicU64,
}

/// Counters, to be shown.
#[derive(Debug, Serialize)]
pub struct Shown {
    requests: BTreeMap<&'static str, u64>,
    bytes_in: u64,
    bytes_stored: u64,
    bytes_out: u64,
    connections: u64,
}

impl Counts {
    /// One more of a kind.
    pub fn add(&self, kind: &str) {
        if let Some(at) = KINDS.iter().position(|other| *other == kind) {
            self.requests[at].fetch_add(1, Ordering::Relaxed);
        }
    }

    /// What was counted; from zero again afterwards, if `reset`.
    pub fn show(&self, reset: bool) -> Shown {
        let read =
            |count: &AtomicU64| if reset { count.swap(0, Ordering::Relaxed) } else { count.load(Ordering::Relaxed) };
        let requests = KINDS.iter().zip(&self.requests).map(|(kind, count)| (*kind, read(count)));
        Shown {
            requests: requests.filter(|(_, count)| *count > 0).collect(),
            bytes_in: read(&self.bytes_in),
            bytes_stored: read(&self.bytes_stored),
            bytes_out: read(&self.bytes_out),
            connections: read(&self.connections),
        }
    }
}
