//! From a file's text to a configuration.
//!
//! TOML and YAML become one tree (`read/toml.rs`, `read/yaml.rs`); from there it is
//! one way. What this accepts has known keys and values of the right types; whether
//! they make sense together is `check.rs`'s.

mod toml;
mod yaml;

use super::Config;
use super::decode::decode;
use super::problem::Problem;
use super::tree::Node;
use std::path::Path;

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

/// Reads a configuration; the tree tells where everything was said. `name` is the
/// file's, for complaints.
pub fn read(name: &str, text: &str, format: Format) -> Result<(Config, Node), Problem> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let tree = match format {
        Format::Toml => toml::tree(text),
        Format::Yaml => yaml::tree(text),
    };
    let tree = tree.map_err(|(line, what)| Problem { source_name: name.to_owned(), line, key: None, what })?;
    let config = decode::<Config>(&tree).map_err(|wrong| Problem {
        source_name: name.to_owned(),
        line: wrong.line,
        key: wrong.key(),
        what: wrong.what,
    })?;
    Ok((config, tree))
}

/// A line, if it is known, and what is wrong there.
type Broken = (Option<u32>, String);
