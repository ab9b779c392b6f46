//! Settings from several places, lain on each other, each with its origin.
//!
//! Lowest first: built in, `[defaults]`, the profile, the pair, the environment,
//! options. What lies higher replaces what lies lower, but patterns, ignore files
//! and metadata add up. What is built in is laid for people to see; a run takes it
//! from where it is built in.

use super::Knobs;
use super::around::Around;
use super::decode::decode;
use super::problem::Problem;
use super::tree::{Entry, Node, Value};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Map, Value as Json};
use std::collections::BTreeMap;
use std::fmt;

/// Keys whose values add up.
const SUMS: [&str; 3] = ["exclude", "ignore_files", "meta"];

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "origin", content = "at")]
pub enum Origin {
    /// The program.
    BuiltIn,
    /// A line of the file: `config.toml:12`.
    File(String),
    /// A variable of the environment.
    Environment(String),
    /// An option of the command line.
    Option(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BuiltIn => f.write_str("built in"),
            Self::File(place) => f.write_str(place),
            Self::Environment(name) => write!(f, "environment {name}"),
            Self::Option(name) => write!(f, "option {name}"),
        }
    }
}

/// A value and where it came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Setting {
    /// The key.
    pub key: String,
    /// The value.
    pub value: Json,
    /// Where it came from.
    #[serde(flatten)]
    pub origin: Origin,
}

/// The layers so far.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Layers(BTreeMap<String, Vec<(Json, Origin)>>);

impl Layers {
    /// Lays what a struct says; `origin` tells where it says each key.
    pub fn lay(&mut self, said: &impl Serialize, origin: impl Fn(&str) -> Origin) {
        // Such structs are made of text, numbers and lists alone.
        let Ok(Json::Object(said)) = serde_json::to_value(said) else { return };
        for (key, value) in said {
            let origin = origin(&key);
            self.put(&key, value, origin);
        }
    }

    /// Lays one value.
    pub fn put(&mut self, key: &str, value: Json, origin: Origin) {
        let parts = self.0.entry(key.to_owned()).or_default();
        if !SUMS.contains(&key) {
            parts.clear();
        }
        parts.push((value, origin));
    }

    /// Lays what the environment says of the keys that `T` has. `why_not` tells what
    /// cannot be, though it can be read.
    pub(super) fn lay_environment<T: DeserializeOwned + Serialize>(
        &mut self,
        around: &Around,
        wanted: impl Fn(&str) -> bool,
        why_not: impl Fn(&T) -> Option<String>,
    ) -> Result<(), Problem> {
        for (name, text) in around.beginning("TIDELOCK_").filter(|(_, text)| !text.is_empty()) {
            let key = name.to_ascii_lowercase();
            if !wanted(&key) {
                continue;
            }
            let variable = format!("TIDELOCK_{name}");
            let node = Node { line: 0, value: Value::Loose(text.to_owned()) };
            let one = Node { line: 0, value: Value::Table(vec![Entry { key, line: 0, node }]) };
            let read = decode::<T>(&one);
            if let Some(what) = read.as_ref().ok().and_then(&why_not) {
                return Err(Problem::whole(format!("environment {variable}"), what));
            }
            match read {
                Ok(said) => self.lay(&said, |_| Origin::Environment(variable.clone())),
                // Other variables of ours are not settings.
                Err(wrong) if wrong.unknown => {}
                Err(wrong) => return Err(Problem::whole(format!("environment {variable}"), wrong.what)),
            }
        }
        Ok(())
    }

    /// What was said, what is built in apart.
    pub(super) fn knobs(&self) -> Result<Knobs, serde_json::Error> {
        let mut all = Map::new();
        for (key, parts) in &self.0 {
            for (value, _) in parts.iter().filter(|(_, origin)| *origin != Origin::BuiltIn) {
                match (all.get_mut(key), value) {
                    (Some(Json::Array(sum)), Json::Array(more)) => sum.extend(more.iter().cloned()),
                    (Some(Json::Object(sum)), Json::Object(more)) => sum.extend(more.clone()),
                    _ => drop(all.insert(key.clone(), value.clone())),
                }
            }
        }
        serde_json::from_value(Json::Object(all))
    }

    /// The values of a key, lowest first, with their origins.
    pub fn parts(&self, key: &str) -> &[(Json, Origin)] {
        self.0.get(key).map_or(&[], Vec::as_slice)
    }

    /// Everything, by key.
    pub fn settings(&self) -> Vec<Setting> {
        let setting = |(key, (value, origin)): (&String, &(Json, Origin))| Setting {
            key: key.clone(),
            value: value.clone(),
            origin: origin.clone(),
        };
        self.0.iter().flat_map(|(key, parts)| parts.iter().map(move |part| (key, part))).map(setting).collect()
    }
}
