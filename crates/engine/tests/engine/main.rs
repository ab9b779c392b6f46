//! The engine as a whole, on a simulated disk, a remote in memory and a virtual
//! world.

mod bench;
mod finds;
mod golden;
mod listings;
mod losses;
mod named;
mod pages;
mod records;
mod roots;
mod safety;
mod scenarios;
