//! What proves a remote, kept beside what it proves.
//!
//! The conformance suite says what every remote must do; the faults say what a
//! network does to it; the world makes time and chance obey. Compiled for this
//! crate's own tests, and for others under the `testing` feature.

pub mod conformance;
pub mod faults;
pub mod world;
pub mod yours;
