//! The promises of docs/semantics.md and docs/config.md, run.
//!
//! Every `console` block of a page is a script: a line that begins with `$ ` is
//! given to `sh`, with this build's `tidelock` first in the path, and the lines
//! after it are what it must print. `...` stands for anything within a line, alone
//! on a line for any lines. A command that does not end with 0 prints `[exit N]`
//! last. A section's blocks share a folder of their own and go on from each other.
//! A block of another language whose fence names a path is a file, written there.
//! The decision table of semantics.md is compared with the one that decides.

mod semantics {
    pub mod script;
    pub mod table;
}

use semantics::{script, table};
use std::path::Path;

fn page(name: &str) -> String {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(name);
    std::fs::read_to_string(page).expect(name)
}

fn examples_are_true(name: &str, sections_min: usize, commands_min: usize) {
    let sections = script::sections(name, &page(name));
    let commands: usize = sections.iter().map(|section| section.commands.len()).sum();
    let found = sections.len() >= sections_min && commands >= commands_min;
    assert!(found, "the examples of {name} were not found: {} sections, {commands} commands", sections.len());
    let failures: Vec<String> = std::thread::scope(|scope| {
        let running: Vec<_> = sections.iter().map(|section| scope.spawn(|| script::run(section))).collect();
        running.into_iter().filter_map(|section| section.join().expect("no panic").err()).collect()
    });
    assert!(failures.is_empty(), "{} sections are not true:\n\n{}", failures.len(), failures.join("\n\n"));
}

#[test]
fn the_examples_are_true() {
    examples_are_true("docs/semantics.md", 9, 61);
}

#[test]
fn the_examples_of_the_configuration_are_true() {
    examples_are_true("docs/config.md", 5, 20);
}

#[test]
fn the_table_is_the_one_that_decides() {
    let wrong = table::compare(&page("docs/semantics.md"));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
