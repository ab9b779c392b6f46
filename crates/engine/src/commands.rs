//! The commands, one file each: from a request to a reply.
//!
//! A command opens what it needs (`open.rs`), sets up one run and reports. What a
//! run does is `cycle.rs`'s; nothing here looks at a file or an object itself,
//! but for those that do nothing else: `ls`, `info`, `cat`, `why`, `buckets`, `doctor`.

pub mod apply;
pub mod batch;
pub mod buckets;
pub mod cat;
pub mod config;
mod credentials;
pub mod doctor;
pub mod download;
pub mod import;
pub mod info;
mod loose;
pub mod ls;
pub mod moves;
pub mod mv;
mod naming;
pub(crate) mod open;
mod parts;
pub mod plan;
pub mod profile;
pub mod restore;
pub mod rm;
pub mod runs;
pub mod saved;
pub mod set_secret;
pub mod status;
pub mod sync;
pub(crate) mod target;
mod there;
mod told;
pub mod upload;
pub mod why;
