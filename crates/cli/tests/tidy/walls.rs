//! What a crate may not reach for: the walls behind which it can be simulated.
//!
//! `core` is a function of values; `engine` meets time, chance, disk and network
//! through its traits alone. Test code is free, and so are the files listed here,
//! each with its reason.

use super::lexer::{lex, paths};
use super::rules::{Source, inline_tests_at};

/// A wall around one folder of sources.
struct Wall {
    folder: &'static str,
    /// Names that may not appear at all.
    words: &'static [&'static str],
    /// Paths that may not appear, alone or as part of longer ones.
    paths: &'static [&'static str],
    /// A file below the folder (with the folder of its own name), what it may use
    /// nevertheless, and why.
    doors: &'static [(&'static str, &'static [&'static str], &'static str)],
}

const WALLS: &[Wall] = &[
    Wall {
        folder: "crates/core/src/",
        // Their order changes from run to run.
        words: &["HashMap", "HashSet", "async", "await"],
        paths: &[
            "std::fs",
            "std::net",
            "std::env",
            "std::thread",
            "std::process",
            "SystemTime::now",
            "Instant::now",
            "tokio",
            "rustix",
            "rand",
        ],
        doors: &[],
    },
    Wall {
        folder: "crates/engine/src/",
        words: &[],
        paths: &[
            "tokio::time",
            "tokio::spawn",
            "tokio::task",
            "tokio::runtime",
            "tokio::fs",
            "tokio::net",
            "tokio::process",
            "std::thread",
            "std::fs",
            "std::net",
            "std::process",
            "SystemTime::now",
            "Instant::now",
            "rand",
            "fastrand",
            "getrandom",
            "rustix::rand",
            "rustix::time",
            "rustix::net",
            "rustix::fs",
            "rustix::process",
        ],
        doors: &[
            (
                "disk/real.rs",
                &["std::fs", "std::thread", "rustix::fs", "rustix::process", "tokio::task"],
                "the real disk: the simulation puts disk/sim.rs in its place",
            ),
            (
                "place.rs",
                &["std::fs", "std::process", "rustix::fs", "rustix::process"],
                "where states, locks and this device's name live, outside every synced folder; the simulation is given \
                 a state of its own",
            ),
            (
                "secrets/private.rs",
                &["std::fs", "rustix::process"],
                "the files of secrets, private to their owner and outside every synced folder",
            ),
            (
                "secrets/keyring.rs",
                &["std::thread"],
                "the secret service blocks while a person unlocks it; a run needs it before it begins, and never after",
            ),
            ("disk/sys.rs", &["std::fs", "rustix::fs", "rustix::process"], "the system calls of the real disk"),
            ("config/find.rs", &["std::fs"], "the configuration file: read once, before anything runs; made by `init`"),
            (
                "config/rewrite.rs",
                &["std::fs"],
                "the configuration file, replaced whole by `config profile` and `config import`; no run does that",
            ),
        ],
    },
];

pub fn all(source: &Source) -> Vec<String> {
    let Some(wall) = WALLS.iter().find(|wall| source.path.starts_with(wall.folder)) else { return Vec::new() };
    if source.is_test() {
        return Vec::new();
    }
    let mut tokens = lex(&source.text);
    tokens.truncate(inline_tests_at(&tokens).unwrap_or(tokens.len()));
    let below = &source.path[wall.folder.len()..];
    let is_in = |file: &str| {
        let room = file.trim_end_matches(".rs");
        below == file || below.strip_prefix(room).is_some_and(|rest| rest.starts_with('/'))
    };
    let doors = wall.doors.iter().filter(|(file, ..)| is_in(file));
    let free: Vec<&str> = doors.flat_map(|(_, what, _)| what.iter().copied()).collect();

    let mut found = Vec::new();
    for (line, path) in paths(&tokens) {
        for forbidden in wall.paths.iter().filter(|forbidden| !free.contains(forbidden) && holds(&path, forbidden)) {
            found.push(format!("{}:{line}: `{forbidden}` is behind the wall around {}", source.path, wall.folder));
        }
    }
    for token in tokens.iter().filter(|token| wall.words.contains(&token.text.as_str())) {
        found.push(format!("{}:{}: `{}` has no place in {}", source.path, token.line, token.text, wall.folder));
    }
    // An unbiased select draws a random number of its own.
    for window in tokens.windows(4) {
        if window[0].text == "select" && window[1].text == "!" && window[3].text != "biased" {
            found.push(format!("{}:{}: `select!` must be biased", source.path, window[0].line));
        }
    }
    found.dedup();
    found
}

/// Whether `forbidden` is part of the path. A single name is a crate's, and counts
/// at the beginning of a longer path only.
fn holds(path: &[String], forbidden: &str) -> bool {
    let wanted: Vec<&str> = forbidden.split("::").collect();
    match wanted.as_slice() {
        [name] => path.len() > 1 && path[0] == *name,
        _ => path.windows(wanted.len()).any(|window| window.iter().zip(&wanted).all(|(have, want)| have == want)),
    }
}

#[cfg(test)]
fn count(path: &str, text: &str) -> usize {
    all(&Source { path: path.into(), text: text.into() }).len()
}

#[test]
fn planted_breaches_are_found() {
    for text in [
        "use std::fs;",
        "use std::{collections::BTreeMap, fs::File};",
        "fn f() { let _ = std::time::Instant::now(); }",
        "use std::time::SystemTime; fn f() { SystemTime::now(); }",
        "use tokio::{sync::mpsc, time::sleep};",
        "fn f() { tokio::spawn(g()); }",
        "fn f() { std::thread::scope(|s| g(s)); }",
        "fn f() { rand::random::<u8>(); }",
        "async fn f() { tokio::select! { a = b() => {} } }",
        "#[cfg(test)] mod tests { use std::fs; }\n",
    ] {
        let expected = usize::from(!text.contains("cfg(test)"));
        assert_eq!(count("crates/engine/src/cycle.rs", text), expected, "{text}");
    }
    assert_eq!(count("crates/engine/src/disk/system.rs", "use std::fs;"), 1, "a door is no wider than its name");
    assert_eq!(count("crates/engine/src/disk/sys.rs", "use std::thread;"), 1, "a door opens for what it names");
    for text in ["use std::collections::HashMap;", "async fn f() {}", "fn f() { std::env::var(\"A\"); }"] {
        assert_eq!(count("crates/core/src/plan.rs", text), 1, "{text}");
    }
}

#[test]
fn what_is_allowed_is_not_found() {
    for (path, text) in [
        ("crates/engine/src/disk/sys.rs", "use rustix::fs; use std::fs::File;"),
        ("crates/engine/src/disk/sys/meta.rs", "use rustix::fs;"),
        (
            "crates/engine/src/cycle.rs",
            "// std::fs\nuse std::time::Duration; use tokio::sync::mpsc; self.rand(); fs::x();",
        ),
        ("crates/engine/src/cycle.rs", "fn f() { tokio::select! { biased; a = b() => {} } }"),
        ("crates/engine/src/cycle/tests.rs", "use std::fs;"),
        ("crates/engine/tests/sim.rs", "use std::fs;"),
        ("crates/remote/src/folder.rs", "use std::fs;"),
        ("crates/core/src/plan.rs", "use std::collections::BTreeMap;"),
    ] {
        assert_eq!(count(path, text), 0, "{path}: {text}");
    }
}
