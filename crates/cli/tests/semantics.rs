//! The promises of docs/semantics.md, run.
//!
//! Every `console` block of the page is a script: a line that begins with `$ ` is
//! given to `sh`, with this build's `tidelock` first in the path, and the lines
//! after it are what it must print. `...` stands for anything within a line, alone
//! on a line for any lines. A command that does not end with 0 prints `[exit N]`
//! last. A section's blocks share a folder of their own and go on from each other.
//! The page's decision table is compared with the one that decides.

mod semantics {
    pub mod script;
    pub mod table;
}

use semantics::{script, table};
use std::path::Path;

fn page() -> String {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/semantics.md");
    std::fs::read_to_string(page).expect("docs/semantics.md")
}

#[test]
fn the_examples_are_true() {
    let sections = script::sections(&page());
    let commands: usize = sections.iter().map(|section| section.commands.len()).sum();
    assert!(sections.len() > 8 && commands > 60, "the examples were not found: {commands} commands");
    let failures: Vec<String> = std::thread::scope(|scope| {
        let running: Vec<_> = sections.iter().map(|section| scope.spawn(|| script::run(section))).collect();
        running.into_iter().filter_map(|section| section.join().expect("no panic").err()).collect()
    });
    assert!(failures.is_empty(), "{} sections are not true:\n\n{}", failures.len(), failures.join("\n\n"));
}

#[test]
fn the_table_is_the_one_that_decides() {
    let wrong = table::compare(&page());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
