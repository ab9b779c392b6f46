//! Making it happen.
//!
//! Scan both sides, plan, check the plan, carry it out, record what really
//! happened: `cycle.rs` is that sentence, the other rooms are its words. Time,
//! chance, disk and network are reached through traits alone, so that the whole
//! engine runs inside a simulation; decisions are asked of `tidelock-core`.

#![deny(unsafe_code)]

pub mod api;
mod blind;
mod commands;
pub use commands::saved;
pub mod config;
pub mod cycle;
pub mod digest;
pub mod disk;
pub mod event;
pub mod failure;
pub mod install;
pub mod listing;
mod mode;
mod owner;
pub mod pair;
mod pairing;
pub mod place;
pub mod planted;
pub mod record;
pub mod report;
mod root;
pub mod scan;
pub mod secrets;
pub mod state;
pub mod survey;
mod transfer;
