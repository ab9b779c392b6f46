//! The real binary at a terminal that is none: every verb, its output and its exit
//! code, in temporary folders with a state of their own.

mod bad_days;
mod batch;
mod bus;
mod config;
mod demo;
mod events;
mod history;
mod home;
mod imports;
mod keyring;
mod objects;
mod outputs;
mod patience;
mod places;
mod plans;
mod prefixes;
mod profiles;
mod safety;
#[path = "../../../remote/tests/support/scripted.rs"]
#[allow(dead_code, reason = "shared with the remote's own tests")]
mod scripted;
#[path = "../../../remote/tests/support/servers.rs"]
#[allow(dead_code, reason = "shared with the remote's own tests")]
mod servers;
mod service;
mod signals;
mod terminal;
mod told;
mod transcripts;
mod usage;
mod verbs;

/// A file in this folder that nobody names is a test that nobody runs.
#[test]
fn no_test_file_is_forgotten() {
    let here = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cli");
    let main = std::fs::read_to_string(here.join("main.rs")).expect("this file");
    for item in std::fs::read_dir(&here).expect("this folder") {
        let name = item.expect("an entry").file_name().into_string().expect("UTF-8");
        let stem = name.trim_end_matches(".rs");
        assert!(stem == "main" || main.contains(&format!("mod {stem};")), "{name} is not run");
    }
}
