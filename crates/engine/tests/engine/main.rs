//! The engine as a whole, on a simulated disk, a remote in memory and a virtual
//! world.

mod bench;
mod golden;
mod listings;
mod records;
mod safety;
mod scenarios;
