//! What should happen.
//!
//! This crate holds Tidelock's decisions as functions of values. It does no I/O,
//! reads no clock, draws no random numbers and knows nothing of async: whatever a
//! decision depends on is an argument. The crates above observe the world, ask
//! here what to do, do it, and come back with what really happened.

#![forbid(unsafe_code)]

pub mod backoff;
pub mod conflict;
pub mod decide;
pub mod entry;
pub mod filter;
pub mod guard;
pub mod hex;
pub mod meta;
pub mod moves;
pub mod names;
pub mod path;
pub mod pin;
pub mod plan;
pub mod policy;
pub mod retention;
pub mod root;
pub mod sight;
pub mod triple;
