//! The ordinary ways, on the simulated and on the real disk.
