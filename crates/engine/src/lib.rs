//! Making it happen.
//!
//! Scan both sides, plan, check the plan, carry it out, record what really
//! happened: `cycle.rs` is that sentence, the other rooms are its words. Time,
//! chance, disk and network are reached through traits alone, so that the whole
//! engine runs inside a simulation; decisions are asked of `tidelock-core`.

#![deny(unsafe_code)]

pub mod disk;
pub mod install;
pub mod planted;
