//! The batch file: `local | bucket | prefix | excludes`, one target a line.
//!
//! Each line becomes a pair that pushes, named after its folder. Excludes are
//! translated so that they match the same files (`fnmatch.rs`). One that cannot be is
//! left out of an import and told; a file that is run as it is must have none, as more
//! would be sent than its author meant.

use super::{Imported, fnmatch, free_name};
use crate::config::problem::Problem;
use crate::config::tree::Node;
use crate::config::{Config, Mode, Pair, edit, read};
use std::path::Path;

/// A line.
struct Target {
    line: u32,
    /// The pair's name.
    name: String,
    pair: Pair,
    /// Excludes that cannot be translated, and why.
    left_out: Vec<(String, String)>,
}

/// Reads the text, to be imported.
pub(super) fn read(text: &str) -> Result<Imported, String> {
    let mut found = Imported::default();
    for Target { line, name, pair, left_out } in targets(text).map_err(|(line, what)| format!("line {line}: {what}"))? {
        if !pair.local.starts_with(['/', '~', '$']) {
            let what = "it is relative, and begins at the folder of the configuration now; write it out to be sure";
            found.note(Some(line), format!("local {:?}", pair.local), what);
        }
        for (pattern, why) in left_out {
            let what = format!("left out, as {why}; write lines of your own for it (docs/config.md)");
            found.note(Some(line), format!("exclude {pattern:?}"), what);
        }
        found.config.pair.insert(name, pair);
    }
    Ok(found)
}

/// Reads the text as a configuration, to be run as it is. The tree names its lines.
pub(super) fn as_it_is(name: &str, text: &str) -> Result<(Config, Node), Problem> {
    let problem =
        |line, what| Problem { source_name: name.to_owned(), line: Some(line), key: None, what, missing: false };
    let targets = targets(text).map_err(|(line, what)| problem(line, what))?;
    let mut config = Config::default();
    for target in &targets {
        if let Some((pattern, why)) = target.left_out.first() {
            let what =
                format!("the exclude {pattern:?} cannot be kept, as {why}; import the file, and write lines for it");
            return Err(problem(target.line, what));
        }
        config.pair.insert(target.name.clone(), target.pair.clone());
    }
    let text = edit::add("", &config).map_err(|what| Problem::whole(name, what))?;
    let (config, mut tree) = read::read(name, &text, read::Format::Toml)?;
    for entry in tree.entries_mut().iter_mut().flat_map(|section| section.node.entries_mut()) {
        let line = targets.iter().find(|target| target.name == entry.key).map(|target| target.line);
        entry.line = line.unwrap_or_default();
        entry.node.put_on_line(entry.line);
    }
    Ok((config, tree))
}

/// Every line; or the first that is none, and why.
fn targets(text: &str) -> Result<Vec<Target>, (u32, String)> {
    let mut targets: Vec<Target> = Vec::new();
    for (line, number) in text.lines().zip(1_u32..) {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let mut columns = line.splitn(4, '|').map(str::trim);
        let mut next = || columns.next().unwrap_or_default();
        let (local, bucket, prefix, excludes) = (next(), next(), next(), next());
        if local.is_empty() || bucket.is_empty() {
            let what = "a target is `local | bucket | prefix | excludes`, the first two at least";
            return Err((number, what.to_owned()));
        }
        let (exclude, left_out) = translated(excludes);
        let pair = Pair {
            local: local.to_owned(),
            remote: remote(bucket, prefix),
            mode: Some(Mode::Push),
            exclude: (!exclude.is_empty()).then_some(exclude),
            ..Pair::default()
        };
        let folder = Path::new(local).file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
        let name = free_name(&folder, bucket, |name| targets.iter().any(|target| target.name == name));
        targets.push(Target { line: number, name, pair, left_out });
    }
    Ok(targets)
}

/// The lines of an exclude column, and what has none. Those that leave out whole
/// folders come last: what takes folders in again, for the others, must not undo them.
fn translated(excludes: &str) -> (Vec<String>, Vec<(String, String)>) {
    let (mut files, mut folders, mut left_out) = (Vec::new(), Vec::new(), Vec::new());
    for pattern in excludes.split(',').map(str::trim).filter(|pattern| !pattern.is_empty()) {
        match fnmatch::translate(pattern) {
            Ok(lines) => {
                files.extend(lines.files);
                folders.extend(lines.folders);
            }
            Err(why) => left_out.push((pattern.to_owned(), why)),
        }
    }
    files.extend(folders);
    (files, left_out)
}

fn remote(bucket: &str, prefix: &str) -> String {
    let bucket = bucket.strip_prefix("s3://").unwrap_or(bucket).trim_matches('/');
    match prefix.trim_matches('/') {
        "" => format!("s3://{bucket}"),
        prefix => format!("s3://{bucket}/{prefix}"),
    }
}
