//! The planner in a model world: three trees, the real decisions, and effects that
//! succeed. See ARCHITECTURE.md, "How it is proved".

mod carry;
mod exhaustive;
mod laws;
mod many;
mod named;
mod random;
mod survey;
mod two;
mod world;
