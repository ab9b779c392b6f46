//! Configurations of other tools, read and told anew in ours.
//!
//! Pure: from a file's text to profiles, pairs and secrets, and a list of what could
//! not be carried over. Nothing that mattered to the other tool is dropped in silence,
//! and a note never quotes a secret. One room for each format; this one tells them
//! apart. Who keeps the secrets, and where the result is written, is
//! `commands/import.rs`'s business.

mod eigen;
mod fnmatch;
mod ini;
mod pipe;
mod rclone;
mod s3cmd;
mod s3ec;

use super::problem::Problem;
use super::resolve::{SCHEMES, is_name};
use super::tree::Node;
use super::{Config, Credentials, NO_ID, Profile, is_id};
use crate::secrets::Secret;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The formats that can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// `local | bucket | prefix | excludes`, one target a line.
    Pipe,
    /// The event client's `server_url` and `api_key`.
    S3ec,
    /// The desktop backup's S3 settings, as JSON.
    Eigen,
    /// `rclone.conf`.
    Rclone,
    /// `~/.s3cfg`.
    S3cmd,
}

/// What an import found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Imported {
    /// Profiles and pairs in our own words. Profiles with a secret say nothing yet of
    /// where it is kept.
    pub config: Config,
    /// The secret keys, by profile.
    pub secrets: BTreeMap<String, Secret>,
    /// What could not be carried over.
    pub notes: Vec<Note>,
}

/// Something that could not be carried over, or only in part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// Its line in the file, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// The setting.
    pub about: String,
    /// What became of it, and what to do.
    pub what: String,
}

/// Reads a file of another tool. `from` is what it is said to be, else it is told by
/// its content.
pub fn read(text: &str, from: Option<Source>) -> Result<Imported, String> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let seen = recognise(text);
    if let (Some(Source::S3cmd), Ok(Source::Rclone)) = (from, &seen) {
        return Err("it is an rclone.conf, and --from says that it is s3cmd's; leave --from out".to_owned());
    }
    let mut found = match from.map_or(seen, Ok)? {
        Source::Pipe => pipe::read(text),
        Source::S3ec => s3ec::read(text),
        Source::Eigen => eigen::read(text),
        Source::Rclone => rclone::read(text),
        Source::S3cmd => s3cmd::read(text),
    }?;
    found.notes.sort_by_key(|note| note.line);
    Ok(found)
}

/// Reads a batch file to be run as it is, if the text is one.
pub(super) fn as_it_is(name: &str, text: &str) -> Option<Result<(Config, Node), Problem>> {
    (recognise(text) == Ok(Source::Pipe)).then(|| pipe::as_it_is(name, text))
}

/// Whose file this is.
pub fn recognise(text: &str) -> Result<Source, String> {
    const READABLE: &str = "what can be read is: lines of `local | bucket | prefix | excludes`, rclone.conf, ~/.s3cfg, \
                            the event client's settings (server_url), and the desktop backup's (JSON)";
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !is_remark(line)).collect();
    if lines.is_empty() {
        return Err(format!("the file says nothing; {READABLE}"));
    }
    if text.contains(rclone::ENCRYPTED) {
        return Err(rclone::how_to_decrypt());
    }
    let has_key = |names: &[&str]| {
        lines.iter().any(|line| {
            let key = line.split(['=', ':']).next().unwrap_or_default().trim_matches([' ', '\t', '"', '{', ',']);
            line.contains(['=', ':']) && names.contains(&key)
        })
    };
    let has_section = |begins: &str| lines.iter().any(|line| line.starts_with(begins));
    match () {
        () if has_section("[profile.") || has_section("[pair.") => {
            Err("this is a configuration of Tidelock's own; use it with --config FILE".to_owned())
        }
        () if has_key(&["server_url"]) => Ok(Source::S3ec),
        () if lines.first().is_some_and(|line| line.starts_with('{')) => Ok(Source::Eigen),
        () if has_section("[") && has_key(&["type"]) => Ok(Source::Rclone),
        () if has_section("[") && has_key(&["host_base", "host_bucket", "access_key", "secret_key"]) => {
            Ok(Source::S3cmd)
        }
        // A line that is none is told by its number, not by not knowing the whole file.
        () if !has_section("[") && 2 * lines.iter().filter(|line| line.contains('|')).count() >= lines.len() => {
            Ok(Source::Pipe)
        }
        () => Err(format!("it is not known whose file this is; {READABLE}; --from says which it is")),
    }
}

fn is_remark(line: &str) -> bool {
    line.is_empty() || line.starts_with('#') || line.starts_with(';')
}

impl Imported {
    fn note(&mut self, line: Option<u32>, about: impl Into<String>, what: impl Into<String>) {
        self.notes.push(Note { line, about: about.into(), what: what.into() });
    }

    /// Adds a profile under its name, or one like it that is free; the name it got.
    fn add_profile(&mut self, name: &str, mut profile: Profile, mut secret: Option<Secret>) -> String {
        if profile.access_key_id.as_deref().is_some_and(|id| !is_id(id)) {
            self.note(None, "access_key_id", format!("not carried over: {NO_ID}"));
            (profile.access_key_id, profile.credentials, secret) = (None, Credentials::Aws, None);
        }
        // What follows a colon may be a secret, and such names are no other tool's either.
        let name = name.split(':').next().unwrap_or_default();
        let name = free_name(name, "imported", |name| self.config.profile.contains_key(name));
        self.config.profile.insert(name.clone(), profile);
        self.secrets.extend(secret.map(|secret| (name.clone(), secret)));
        name
    }
}

/// A name as ours may be, as near to the wanted one as can be, that is not taken.
fn free_name(wanted: &str, otherwise: &str, is_taken: impl Fn(&str) -> bool) -> String {
    let plain: String =
        wanted.chars().map(|c| if c.is_alphanumeric() || "-_.".contains(c) { c } else { '-' }).collect();
    let plain = plain.trim_start_matches(['-', '.']).trim_end_matches('-');
    let plain = if plain.is_empty() { otherwise } else { plain };
    let numbered = (2..).map(|number| format!("{plain}-{number}"));
    let is_free = |name: &String| is_name(name) && !SCHEMES.contains(&name.as_str()) && !is_taken(name);
    std::iter::once(plain.to_owned()).chain(numbered).find(is_free).unwrap_or_default()
}

/// A service's address with its scheme, or why it cannot be one. A login within it
/// would be a secret in the configuration.
fn endpoint(text: &str, usual_scheme: &str) -> Result<String, &'static str> {
    let text = text.trim().trim_end_matches('/');
    if text.contains('@') {
        return Err("it holds a login, which is not written into a configuration; add the address by hand");
    }
    Ok(if text.contains("://") { text.to_owned() } else { format!("{usual_scheme}://{text}") })
}

#[cfg(test)]
mod tests;
