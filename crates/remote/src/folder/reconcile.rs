//! Putting files and rows in accord when a store is opened.
//!
//! Both ways, and never by guessing: a body file that no row names was never
//! acknowledged, or is no longer wanted, and goes; a row whose file is missing or
//! too short stays, and is told as a [`Problem`]. Only files named and placed as
//! the store names and places them are ever removed. Runs under the lock, before
//! anything else does.

use super::bodies::{self, Bodies};
use super::{Problem, failure, place, rows};
use crate::error::Result;
use rusqlite::Connection;
use std::collections::HashMap;
use std::fs::{self, DirEntry};
use std::io;
use std::path::Path;
use std::sync::Arc;

/// Reconciles, and says what it could not put right.
pub(super) fn run(connection: &Connection, root: &Path) -> Result<(Arc<Bodies>, Vec<Problem>)> {
    let bodies = Bodies::open(root)?;
    let mut found = Found::default();
    found.walk(&root.join(place::BODIES)).map_err(|error| failure::io("open", "bodies/", error))?;
    let highest = rows::highest_number(connection).map_err(|error| failure::sql("open", &error))?;
    bodies.number_after(highest.max(found.files.keys().copied().max().unwrap_or(0)));
    let harmed = rows_without_bytes(connection, &mut found.files).map_err(|error| failure::sql("open", &error))?;
    found.problems.extend(harmed);
    // What no row has claimed.
    found.files.keys().for_each(|id| bodies.remove(*id));
    Ok((Arc::new(bodies), found.problems))
}

#[derive(Default)]
struct Found {
    /// Body files and their lengths.
    files: HashMap<u64, u64>,
    problems: Vec<Problem>,
}

impl Found {
    fn walk(&mut self, folder: &Path) -> io::Result<()> {
        for outer in fs::read_dir(folder)? {
            let outer = outer?;
            let Some(outer_name) = self.folder_name(&outer, "bodies")? else { continue };
            for inner in fs::read_dir(outer.path())? {
                let inner = inner?;
                let above = format!("bodies/{outer_name}");
                let Some(inner_name) = self.folder_name(&inner, &above)? else { continue };
                for file in fs::read_dir(inner.path())? {
                    self.file(&file?, &outer_name, &inner_name)?;
                }
            }
        }
        Ok(())
    }

    fn folder_name(&mut self, entry: &DirEntry, above: &str) -> io::Result<Option<String>> {
        let name = entry.file_name().to_string_lossy().into_owned();
        let ours = name.len() == 2 && name.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        if ours && entry.file_type()?.is_dir() {
            return Ok(Some(name));
        }
        self.foreign(&format!("{above}/{name}"));
        Ok(None)
    }

    fn file(&mut self, entry: &DirEntry, outer: &str, inner: &str) -> io::Result<()> {
        let name = entry.file_name().to_string_lossy().into_owned();
        match bodies::number_of(outer, inner, &name) {
            Some(id) if entry.file_type()?.is_file() => {
                self.files.insert(id, entry.metadata()?.len());
            }
            _ => self.foreign(&format!("bodies/{outer}/{inner}/{name}")),
        }
        Ok(())
    }

    fn foreign(&mut self, what: &str) {
        self.problems.push(Problem { key: None, what: format!("{what} is not the store's; it was left alone") });
    }
}

/// Takes from `files` what rows name; gives what rows name in vain.
fn rows_without_bytes(connection: &Connection, files: &mut HashMap<u64, u64>) -> rusqlite::Result<Vec<Problem>> {
    let mut harmed = Vec::new();
    let mut statement = connection.prepare("SELECT id, size FROM bodies WHERE filed = 1 ORDER BY id")?;
    let mut bodies = statement.query([])?;
    while let Some(row) = bodies.next()? {
        let (id, size) = (rows::number(row, 0)?, rows::number(row, 1)?);
        match files.remove(&id) {
            Some(found) if found >= size => {}
            Some(found) => harmed.push((id, format!("has {found} bytes of {size}"))),
            None => harmed.push((id, "is missing".to_owned())),
        }
    }
    let mut problems = Vec::new();
    for (id, what) in harmed {
        let what = format!("its bytes: bodies/{} {what}", bodies::name(id));
        let keys = rows::keys_using(connection, id)?;
        problems.extend(keys.into_iter().map(|key| Problem { key: Some(key), what: what.clone() }));
    }
    Ok(problems)
}
