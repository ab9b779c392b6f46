//! Sections of `key = value`, as rclone and s3cmd write them.
//!
//! Keeps the line of every key. Interpolation is s3cmd's own affair; quotes mean
//! nothing to either of them.

use zeroize::Zeroizing;

/// One `[name]` and what is below it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Section {
    pub(super) name: String,
    pub(super) line: u32,
    pub(super) keys: Vec<Setting>,
}

/// One `key = value`. It may be a secret, so it is never shown whole.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Setting {
    pub(super) key: String,
    pub(super) value: Zeroizing<String>,
    pub(super) line: u32,
}

impl std::fmt::Debug for Setting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {} = …", self.line, self.key)
    }
}

impl Section {
    /// The value of a key, if it says anything; the last one counts.
    pub(super) fn get(&self, key: &str) -> Option<&str> {
        let found = self.keys.iter().rev().find(|setting| setting.key == key);
        found.map(|setting| setting.value.as_str()).filter(|value| !value.is_empty())
    }

    /// Whether a switch is on.
    pub(super) fn is_on(&self, key: &str) -> bool {
        self.get(key).is_some_and(|value| matches!(value.to_ascii_lowercase().as_str(), "true" | "yes" | "on" | "1"))
    }

    /// Whether a switch is off, and not merely left out.
    pub(super) fn is_off(&self, key: &str) -> bool {
        self.get(key).is_some() && !self.is_on(key)
    }
}

/// Reads the text. What is neither a section nor a setting is told by its line alone.
pub(super) fn read(text: &str) -> Result<Vec<Section>, String> {
    let mut sections: Vec<Section> = Vec::new();
    for (line, number) in text.lines().zip(1_u32..) {
        let line = line.trim();
        if super::is_remark(line) {
            continue;
        }
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            sections.push(Section { name: name.trim().to_owned(), line: number, keys: Vec::new() });
            continue;
        }
        let (Some((key, value)), Some(section)) = (line.split_once('='), sections.last_mut()) else {
            return Err(format!("line {number} is neither `[section]` nor `key = value` below one"));
        };
        let value = Zeroizing::new(value.trim().to_owned());
        section.keys.push(Setting { key: key.trim().to_owned(), value, line: number });
    }
    Ok(sections)
}
