//! The repository's own rules, as a test.
//!
//! Whatever a reviewer would otherwise have to remember is checked here, on the
//! sources and on what cargo says of the crates. Each rule is a function from text
//! to violations, and each is tried on a planted one beside it. The licences and
//! the banned crates are those of `deny.toml`, so that there is one list of each.

mod tidy {
    pub mod graph;
    pub mod lexer;
    pub mod rules;
    pub mod walls;
}

use std::path::{Path, PathBuf};
use tidy::{graph, rules, walls};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("the repository")
}

/// Every Rust source of the workspace, its path below the root.
fn sources() -> Vec<rules::Source> {
    let (root, mut found) = (root(), Vec::new());
    let mut folders = vec![root.join("crates"), root.join("bench")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("a folder of the repository") {
            let path = entry.expect("an entry").path();
            let name = path.file_name().expect("a name").to_string_lossy().into_owned();
            if path.is_dir() && name != "target" && !name.starts_with('.') {
                folders.push(path);
            } else if name.ends_with(".rs") {
                let text = std::fs::read_to_string(&path).expect("readable UTF-8");
                let path = path.strip_prefix(&root).expect("below the root").to_string_lossy().into_owned();
                found.push(rules::Source { path, text });
            }
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

fn assert_none(violations: Vec<String>) {
    assert!(violations.is_empty(), "{} violations:\n{}", violations.len(), violations.join("\n"));
}

#[test]
fn sources_keep_the_rules() {
    let sources = sources();
    assert!(sources.len() > 20, "the sources were not found");
    assert_none(sources.iter().flat_map(rules::all).collect());
}

#[test]
fn crates_keep_to_their_side_of_the_walls() {
    assert_none(sources().iter().flat_map(walls::all).collect());
}

#[test]
fn crate_arrows_point_one_way() {
    assert_none(graph::arrows(&graph::metadata(&root())));
}

#[test]
fn licences_are_on_the_list() {
    let allowed = graph::deny_list(&root(), "licenses", "allow");
    assert!(allowed.iter().any(|licence| licence == "MIT"), "deny.toml was not understood: {allowed:?}");
    let metadata = graph::metadata(&root());
    assert!(metadata["packages"].as_array().is_some_and(|all| all.len() > 50), "cargo listed too few crates");
    assert_none(graph::licences(&metadata, &allowed));
}

#[test]
fn banned_crates_are_not_in_the_product() {
    let banned = graph::deny_list(&root(), "bans", "deny");
    assert!(banned.iter().any(|name| name == "ring"), "deny.toml was not understood: {banned:?}");
    let tree = graph::product_tree(&root());
    assert!(tree.iter().any(|name| name == "tidelock-engine"), "cargo tree was not understood: {tree:?}");
    assert_none(graph::banned(&tree, &banned));
}
