//! The commands, one file each: from a request to a reply.
//!
//! A command opens what it needs (`open.rs`), sets up one run and reports. What a
//! run does is `cycle.rs`'s; nothing here looks at a file or an object itself,
//! but for `ls` and `why`, which do nothing else.

pub mod apply;
pub mod batch;
pub mod config;
mod credentials;
pub mod import;
pub mod ls;
pub mod moves;
pub(crate) mod open;
pub mod plan;
pub mod profile;
pub mod restore;
pub mod saved;
pub mod set_secret;
pub mod status;
pub mod sync;
pub mod why;
