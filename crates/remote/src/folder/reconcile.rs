//! Putting files and rows in accord when a store is opened.
//!
//! Both ways, and never by guessing: a body file that no row names was never
//! acknowledged, or is no longer wanted, and goes; a row whose file is missing or
//! too short stays, and is told as a [`Problem`]. Only files named and placed as
//! the store names and places them are ever removed. Runs under the lock, before
//! anything else does. Keeps sixteen bytes in memory for each file.

use super::bodies::{self, Bodies};
use super::{Problem, failure, place, rows};
use crate::error::Result;
use rusqlite::Connection;
use std::collections::{HashMap, HashSet};
use std::fs::{self, DirEntry};
use std::io;
use std::path::Path;
use std::sync::Arc;

/// Reconciles, and says what it could not put right.
pub(super) fn run(connection: &Connection, root: &Path) -> Result<(Arc<Bodies>, Harm)> {
    let bodies = Bodies::open(root)?;
    let mut found = Found::default();
    found.walk(&root.join(place::BODIES)).map_err(|error| failure::io("open", "bodies/", error))?;
    found.files.sort_unstable();
    let compare = || -> rusqlite::Result<(u64, Difference)> {
        Ok((rows::highest_number(connection)?, Difference::between(&found.files, connection)?))
    };
    let (highest, difference) = compare().map_err(|error| failure::sql("open", &error))?;
    bodies.number_after(highest.max(found.files.last().map_or(0, |(id, _)| *id)));
    let mut harm = harm(connection, &difference.harmed)?;
    harm.problems.splice(0..0, found.problems);
    difference.orphans.iter().for_each(|id| bodies.remove(*id));
    Ok((Arc::new(bodies), harm))
}

/// Looks for lost bytes beside a process that may be writing, and changes nothing. A
/// file is there from before its row until after it: one that is missing between two
/// looks at a row is lost.
pub(super) fn look(connection: &Connection, root: &Path) -> Result<(Arc<Bodies>, Harm)> {
    let bodies = Bodies::open(root)?;
    let mut found = Found::default();
    found.walk(&root.join(place::BODIES)).map_err(|error| failure::io("open", "bodies/", error))?;
    found.files.sort_unstable();
    let difference = Difference::between(&found.files, connection).map_err(|error| failure::sql("open", &error))?;
    let mut harmed = difference.harmed;
    let is_whole =
        |id: u64, lack: &Lack| bodies.read(id).and_then(|file| file.metadata()).is_ok_and(|now| now.len() >= lack.size);
    harmed.retain(|id, lack| !is_whole(*id, lack));
    let harm = harm(connection, &harmed)?;
    Ok((Arc::new(bodies), harm))
}

/// What is wrong with a store that it can live with.
#[derive(Default)]
pub(super) struct Harm {
    /// For people.
    pub(super) problems: Vec<Problem>,
    /// The numbers of the states of objects that have lost bytes.
    pub(super) lost: HashSet<u64>,
}

/// A body without all of its bytes.
struct Lack {
    /// How many there should be.
    size: u64,
    what: String,
}

/// What lies in `bodies/`.
#[derive(Default)]
struct Found {
    /// Body files by number, and their lengths.
    files: Vec<(u64, u64)>,
    problems: Vec<Problem>,
}

impl Found {
    fn walk(&mut self, folder: &Path) -> io::Result<()> {
        for outer in fs::read_dir(folder)? {
            let outer = outer?;
            let Some(outer_name) = self.folder_name(&outer, "bodies")? else { continue };
            let above = format!("bodies/{outer_name}");
            for inner in fs::read_dir(outer.path())? {
                let inner = inner?;
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
            Some(id) if entry.file_type()?.is_file() => self.files.push((id, entry.metadata()?.len())),
            _ => self.foreign(&format!("bodies/{outer}/{inner}/{name}")),
        }
        Ok(())
    }

    fn foreign(&mut self, what: &str) {
        self.problems.push(Problem { key: None, what: format!("{what} is not the store's; it was left alone") });
    }
}

/// How files and rows differ.
#[derive(Default)]
struct Difference {
    /// Files that no row names.
    orphans: Vec<u64>,
    /// Bodies that are rows without their bytes, and what is wrong with each.
    harmed: HashMap<u64, Lack>,
}

impl Difference {
    /// Walks both in ascending order.
    fn between(files: &[(u64, u64)], connection: &Connection) -> rusqlite::Result<Self> {
        let mut difference = Self::default();
        let mut files = files.iter().peekable();
        let mut statement = connection.prepare("SELECT id, size FROM bodies WHERE filed = 1 ORDER BY id")?;
        let mut bodies = statement.query([])?;
        while let Some(row) = bodies.next()? {
            let (id, size) = (rows::number(row, 0)?, rows::number(row, 1)?);
            while let Some((orphan, _)) = files.next_if(|(file, _)| *file < id) {
                difference.orphans.push(*orphan);
            }
            match files.next_if(|(file, _)| *file == id) {
                Some((_, found)) if *found >= size => {}
                Some((_, found)) => difference.lacks(id, size, format!("has {found} bytes of {size}")),
                None => difference.lacks(id, size, "is missing".to_owned()),
            }
        }
        difference.orphans.extend(files.map(|(id, _)| id));
        Ok(difference)
    }

    fn lacks(&mut self, id: u64, size: u64, what: String) {
        self.harmed.insert(id, Lack { size, what });
    }
}

/// Names the objects that lost bytes are missing from, in order.
fn harm(connection: &Connection, harmed: &HashMap<u64, Lack>) -> Result<Harm> {
    let mut harm = Harm::default();
    if harmed.is_empty() {
        return Ok(harm);
    }
    let looked = rows::each_reference(connection, |key, object, body| {
        if let Some(Lack { what, .. }) = harmed.get(&body) {
            let what = format!("its bytes are not all there: bodies/{} {what}", bodies::name(body));
            harm.problems.push(Problem { key: Some(key), what });
            harm.lost.insert(object);
        }
    });
    looked.map_err(|error| failure::sql("open", &error))?;
    Ok(harm)
}
