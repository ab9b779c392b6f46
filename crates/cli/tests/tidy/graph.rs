//! Rules on the graph of crates, as cargo tells it.

use serde_json::Value;
use std::path::Path;
use std::process::Command;

/// The crates of the house, from the ground up; on its roof, the instruments of the
/// bench, which may look at all of it and on which nothing stands.
const HOUSE: &[&str] = &[
    "tidelock-core",
    "tidelock-remote",
    "tidelock-engine",
    "tidelock-server",
    "tidelock",
    "tidelock-sink",
    "tidelock-bench",
];

fn cargo(root: &Path, args: &[&str]) -> String {
    let output = Command::new(env!("CARGO")).current_dir(root).args(args).output().expect("cargo runs");
    assert!(output.status.success(), "cargo {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("cargo writes UTF-8")
}

/// What `cargo metadata` says, for this platform, so that nothing is downloaded
/// which the build did not need.
pub fn metadata(root: &Path) -> Value {
    let version = Command::new("rustc").arg("-vV").output().expect("rustc runs").stdout;
    let version = String::from_utf8(version).expect("rustc writes UTF-8");
    let host = version.lines().find_map(|line| line.strip_prefix("host: ")).expect("rustc names its host");
    let args = ["metadata", "--format-version=1", "--all-features", "--locked", "--filter-platform", host];
    serde_json::from_str(&cargo(root, &args)).expect("cargo writes JSON")
}

/// Names of all crates that end up in the product or build it. The metadata's own
/// graph will not do: it holds optional crates that are never built.
pub fn product_tree(root: &Path) -> Vec<String> {
    let args =
        ["tree", "--workspace", "--all-features", "--locked", "-e", "normal,build", "--prefix", "none", "-f", "{p}"];
    cargo(root, &args).lines().filter_map(|line| line.split(' ').next()).map(str::to_owned).collect()
}

/// The strings of a list in `deny.toml`.
pub fn deny_list(root: &Path, section: &str, list: &str) -> Vec<String> {
    quoted(&std::fs::read_to_string(root.join("deny.toml")).expect("deny.toml"), section, list)
}

fn quoted(toml: &str, section: &str, list: &str) -> Vec<String> {
    let header = format!("[{section}]");
    let code = toml.lines().map(|line| line.split('#').next().unwrap_or_default());
    let mut lines = code
        .skip_while(|line| line.trim() != header)
        .skip(1)
        .skip_while(|line| line.split('=').next().map(str::trim) != Some(list));
    let mut text = String::new();
    for line in lines.by_ref() {
        text.push_str(line);
        if line.trim_end().ends_with(']') {
            break;
        }
    }
    text.split('"').skip(1).step_by(2).map(str::to_owned).collect()
}

/// Crates of the house that depend on one above them, in whatever way. A crate may
/// be its own dev-dependency, with its `testing` feature.
pub fn arrows(metadata: &Value) -> Vec<String> {
    let mut found = Vec::new();
    for package in members(metadata) {
        let name = text(package, "name");
        let Some(floor) = HOUSE.iter().position(|other| *other == name) else {
            found.push(format!("{name} is not in the house: {HOUSE:?}"));
            continue;
        };
        for dependency in array(package, "dependencies").iter().map(|dependency| text(dependency, "name")) {
            if HOUSE.iter().position(|other| *other == dependency).is_some_and(|other| other > floor) {
                found.push(format!("{name} depends on {dependency}, which stands above it"));
            }
        }
    }
    found
}

/// Crates from elsewhere whose licence is not allowed.
pub fn licences(metadata: &Value, allowed: &[String]) -> Vec<String> {
    let foreign = array(metadata, "packages").iter().filter(|package| !package["source"].is_null());
    foreign
        .filter(|package| !is_allowed(text(package, "license"), allowed))
        .map(|package| format!("{} {}: licence {:?}", text(package, "name"), package["version"], package["license"]))
        .collect()
}

pub fn banned(tree: &[String], banned: &[String]) -> Vec<String> {
    let found = banned.iter().filter(|name| tree.contains(name));
    found.map(|name| format!("{name} is banned; `cargo tree -i {name}` shows who brings it")).collect()
}

fn members(metadata: &Value) -> impl Iterator<Item = &Value> {
    array(metadata, "packages").iter().filter(|package| package["source"].is_null())
}

fn array<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value[key].as_array().map_or(&[], Vec::as_slice)
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

/// Reads an SPDX expression; a slash is the old way to say `OR`.
fn is_allowed(expression: &str, allowed: &[String]) -> bool {
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let mut words = spaced.split_whitespace().peekable();
    any(&mut words, allowed) && words.next().is_none()
}

type Words<'a> = std::iter::Peekable<std::str::SplitWhitespace<'a>>;

fn any(words: &mut Words<'_>, allowed: &[String]) -> bool {
    let mut good = every(words, allowed);
    while words.next_if_eq(&"OR").is_some() {
        good |= every(words, allowed);
    }
    good
}

fn every(words: &mut Words<'_>, allowed: &[String]) -> bool {
    let mut good = one(words, allowed);
    while words.next_if_eq(&"AND").is_some() {
        good &= one(words, allowed);
    }
    good
}

fn one(words: &mut Words<'_>, allowed: &[String]) -> bool {
    match words.next() {
        Some("(") => {
            let good = any(words, allowed);
            good & words.next_if_eq(&")").is_some()
        }
        Some(name) => {
            let mut name = name.to_owned();
            while words.next_if_eq(&"WITH").is_some() {
                name = format!("{name} WITH {}", words.next().unwrap_or_default());
            }
            allowed.contains(&name)
        }
        None => false,
    }
}

#[test]
fn planted_arrows_are_found() {
    let metadata = |name: &str, dependency: &str| serde_json::json!({ "packages": [{ "name": name, "source": null, "dependencies": [{ "name": dependency }] }] });
    assert_eq!(arrows(&metadata("tidelock-engine", "tidelock-remote")), Vec::<String>::new());
    assert_eq!(arrows(&metadata("tidelock-remote", "serde")), Vec::<String>::new());
    assert_eq!(arrows(&metadata("tidelock-core", "tidelock-engine")).len(), 1);
    assert_eq!(arrows(&metadata("tidelock-sixth", "serde")).len(), 1);
}

#[test]
fn planted_licences_are_found() {
    let allowed = ["MIT", "ISC", "Apache-2.0 WITH LLVM-exception"].map(str::to_owned);
    for (expression, expected) in [
        ("MIT", true),
        ("MIT OR GPL-3.0", true),
        ("GPL-3.0/MIT", true),
        ("MIT AND GPL-3.0", false),
        ("ISC AND (GPL-3.0 OR MIT)", true),
        ("ISC AND (GPL-3.0 OR Apache-2.0)", false),
        ("(MIT OR GPL-3.0) AND AGPL-3.0", false),
        ("GPL-3.0 OR ISC AND MIT", true),
        ("Apache-2.0 WITH LLVM-exception", true),
        ("Apache-2.0", false),
        ("MIT ISC", false),
        ("(MIT", false),
        ("", false),
    ] {
        assert_eq!(is_allowed(expression, &allowed), expected, "{expression}");
    }
    let crates = serde_json::json!({ "packages": [
        { "name": "ours", "source": null, "license": null },
        { "name": "unlicensed", "source": "registry", "license": null },
        { "name": "good", "source": "registry", "license": "MIT" },
    ] });
    assert_eq!(licences(&crates, &allowed).len(), 1);
}

#[test]
fn planted_bans_are_found() {
    let tree = ["tidelock", "ring"].map(str::to_owned);
    assert_eq!(banned(&tree, &["openssl-sys".into(), "ring".into()]).len(), 1);
}

#[test]
fn lists_are_read_from_the_right_section() {
    let toml = "[a]\nallow = [\"no\"]\n[b]\nother = [\"no\"]\nallow = [\n  \"x y\", # \"no\"\n  { crate = \"z\" },\n]\nmore = [\"no\"]";
    assert_eq!(quoted(toml, "b", "allow"), ["x y", "z"]);
    assert_eq!(quoted(toml, "b", "none"), Vec::<String>::new());
}
