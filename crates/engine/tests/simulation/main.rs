//! The whole engine in a simulated world.
//!
//! Each schedule is made from a seed: a folder or two, a bucket, and what happens to
//! them while engines run. The engine, its state, its guard and its layers are the
//! real ones; time, chance, disk, network and crashes are ours. A ledger outside the
//! engine judges what comes of it. `TIDELOCK_SEED=… cargo test -p tidelock-engine
//! --features testing --test simulation schedules -- --nocapture` plays one seed aloud.

mod books;
mod case;
mod chance;
mod deeds;
mod errand;
mod executor;
mod ledger;
mod oracle;
mod planted;
mod play;
mod runs;
mod shore;
mod stage;
mod watch;
