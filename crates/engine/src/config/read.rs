//! From a file's text to a configuration.
//!
//! TOML and YAML become one tree (`read/toml.rs`, `read/yaml.rs`); from there it is
//! one way. What this accepts has known keys and values of the right types; whether
//! they make sense together is `check.rs`'s.

mod toml;
mod yaml;

use super::Config;
use super::decode::{Wrong, decode};
use super::problem::Problem;
use super::resolve::NO_NAME;
use super::tree::{Entry, Node, Value, key};
use std::path::Path;
use tidelock_remote::url::word;

/// In which language a file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// `.toml`, and whatever is not the other.
    Toml,
    /// `.yaml` and `.yml`.
    Yaml,
}

impl Format {
    /// That of a file of this name.
    pub fn of(path: &Path) -> Self {
        match path.extension().and_then(|ending| ending.to_str()) {
            Some("yaml" | "yml") => Self::Yaml,
            _ => Self::Toml,
        }
    }
}

/// What a file says, and everything that is wrong with how it says it.
pub struct Read {
    /// What it says, without what is wrong.
    pub config: Config,
    /// Where everything was said.
    pub tree: Node,
    /// What is wrong, in the order of its lines.
    pub problems: Vec<Problem>,
}

/// Reads a configuration that is right in all its keys and types; the tree tells where
/// everything was said. `name` is the file's, for complaints.
pub fn read(name: &str, text: &str, format: Format) -> Result<(Config, Node), Problem> {
    let Read { config, tree, problems } = look(name, text, format)?;
    problems.into_iter().next().map_or(Ok((config, tree)), Err)
}

/// Reads as much as can be read. What is wrong is left out and the rest read again, so
/// that all of it is found; only a text that is no TOML, or no YAML, is an error.
pub fn look(name: &str, text: &str, format: Format) -> Result<Read, Problem> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let tree = match format {
        Format::Toml => toml::tree(text),
        Format::Yaml => yaml::tree(text),
    };
    let tree =
        tree.map_err(|(line, what)| Problem { source_name: name.to_owned(), line, key: None, what, missing: false })?;
    let mut good = tree.clone();
    let mut problems = leave_out_names(name, &mut good);
    let config = loop {
        let wrong = match decode::<Config>(&good) {
            Ok(config) => break config,
            Err(wrong) => wrong,
        };
        leave_out(&mut good, &wrong);
        let (line, key) = (wrong.line, wrong.key());
        let problem = Problem { source_name: name.to_owned(), line, key, what: wrong.what, missing: false };
        if problems.contains(&problem) {
            // It cannot be left out.
            break Config::default();
        }
        problems.push(problem);
    };
    problems.sort_by_key(|problem| problem.line);
    Ok(Read { config, tree, problems })
}

/// Takes out pairs and profiles whose names may have a secret in them, which nothing is to
/// show; no run could be asked for them.
fn leave_out_names(source: &str, tree: &mut Node) -> Vec<Problem> {
    let mut problems = Vec::new();
    for kind in ["profile", "pair"] {
        let Some(Node { value: Value::Table(entries), .. }) = tree.at_mut(&[kind]) else { continue };
        entries.retain(|entry| {
            let is_safe = word(&entry.key) == entry.key;
            if !is_safe {
                let (line, key) = (Some(entry.line), Some(key(&[kind, entry.key.as_str()])));
                let what = NO_NAME.to_owned();
                problems.push(Problem { source_name: source.to_owned(), line, key, what, missing: false });
            }
            is_safe
        });
    }
    problems
}

/// What a pair must say.
const NEEDED: [&str; 2] = ["local", "remote"];

/// Takes out what is wrong. A pair or a profile stays, so that its name stays known; what
/// a pair must say and does not is empty, which no run accepts.
fn leave_out(tree: &mut Node, wrong: &Wrong) {
    let keys = wrong.path.iter().map(String::as_str).take_while(|key| !key.starts_with('['));
    let keys: Vec<&str> = keys.chain(wrong.missing).collect();
    let Some((last, above)) = keys.split_last() else { return };
    let Some(table) = tree.at_mut(above) else { return };
    let mut entries = table.entries().to_vec();
    entries.retain(|entry| entry.key != *last);
    let left = match above {
        ["pair"] => Some(Value::Table(NEEDED.map(|key| entry(key, Value::Text(String::new()))).to_vec())),
        ["profile"] => Some(Value::Table(Vec::new())),
        ["pair", _] if NEEDED.contains(last) => Some(Value::Text(String::new())),
        _ => None,
    };
    entries.extend(left.map(|value| entry(last, value)));
    table.value = Value::Table(entries);
}

fn entry(key: &str, value: Value) -> Entry {
    Entry { key: key.to_owned(), line: 0, node: Node { line: 0, value } }
}

/// A line, if it is known, and what is wrong there.
type Broken = (Option<u32>, String);
