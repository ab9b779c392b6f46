//! A configuration file as it was written: values, and the line of each.
//!
//! TOML and YAML both become this, so that everything after it is one way, and
//! every complaint can name a line. Values of the environment are in it too; they
//! are text whose meaning is not known before somebody asks for it.

use tidelock_remote::url::word;

/// A value and where it begins.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// Its line, from 1; 0 for values that are in no file.
    pub line: u32,
    /// The value.
    pub value: Value,
}

/// What a value is.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Nothing, in YAML.
    Nothing,
    /// True or false.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// Another number.
    Float(f64),
    /// Text.
    Text(String),
    /// Text from the environment, which may be meant as any of the others.
    Loose(String),
    /// A list.
    List(Vec<Node>),
    /// A table.
    Table(Vec<Entry>),
}

/// A key and its value.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// The key.
    pub key: String,
    /// The key's line.
    pub line: u32,
    /// The value.
    pub node: Node,
}

impl Node {
    /// An empty table, as an empty file is.
    pub fn empty() -> Self {
        Self { line: 0, value: Value::Table(Vec::new()) }
    }

    /// The entries, if it is a table.
    pub fn entries(&self) -> &[Entry] {
        match &self.value {
            Value::Table(entries) => entries,
            _ => &[],
        }
    }

    /// The same, to be changed.
    pub(super) fn entries_mut(&mut self) -> &mut [Entry] {
        match &mut self.value {
            Value::Table(entries) => entries,
            _ => &mut [],
        }
    }

    /// What stands at the end of a path, to be changed.
    pub(super) fn at_mut(&mut self, path: &[&str]) -> Option<&mut Self> {
        path.iter().try_fold(self, |node, key| {
            let entry = node.entries_mut().iter_mut().find(|entry| entry.key == *key)?;
            Some(&mut entry.node)
        })
    }

    /// Says of it and all in it that it stands on this line.
    pub(super) fn put_on_line(&mut self, line: u32) {
        self.line = line;
        match &mut self.value {
            Value::Table(entries) => entries.iter_mut().for_each(|entry| {
                entry.line = line;
                entry.node.put_on_line(line);
            }),
            Value::List(items) => items.iter_mut().for_each(|item| item.put_on_line(line)),
            _ => {}
        }
    }

    /// The entry of a key.
    pub fn entry(&self, key: &str) -> Option<&Entry> {
        self.entries().iter().find(|entry| entry.key == key)
    }

    /// The line of the key at the end of a path; if it is not written, of the last that is.
    pub fn line_of(&self, path: &[&str]) -> Option<u32> {
        let mut node = self;
        let mut line = None;
        for key in path {
            let Some(entry) = node.entry(key) else { break };
            line = Some(entry.line);
            node = &entry.node;
        }
        line
    }
}

/// A key as people are shown it, with those it lies in: `pair.photos.exclude[2]`.
pub(super) fn key(path: &[impl AsRef<str>]) -> String {
    let mut text = String::new();
    for key in path.iter().map(AsRef::as_ref) {
        if !key.starts_with('[') && !text.is_empty() {
            text.push('.');
        }
        let plain = key.starts_with('[') || key.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c));
        text.push_str(&if plain { key.to_owned() } else { format!("{:?}", word(key)) });
    }
    text
}
