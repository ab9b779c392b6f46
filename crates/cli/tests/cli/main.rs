//! The real binary at a terminal that is none: every verb, its output and its exit
//! code, in temporary folders with a state of their own.

mod bad_days;
mod demo;
mod events;
mod home;
mod outputs;
mod patience;
mod places;
mod plans;
mod safety;
#[allow(dead_code)]
#[path = "../../../remote/tests/support/scripted.rs"]
mod scripted;
mod service;
mod signals;
mod told;
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
