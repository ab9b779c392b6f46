//! Emptying the trash of what has lain there long enough.
//!
//! The only place where bytes of the user's are removed for good. What leaves, and
//! when, is core's `retention`. Time counts from when a clock that could be trusted
//! first saw a run's folder there: no file's own times are believed. What cannot be
//! looked at or removed stays.

use super::{Installer, Result};
use crate::disk::{Node, trash_dir};
use std::collections::BTreeMap;
use tidelock_core::path::RelPath;
use tidelock_core::retention::{Lot, leaving};

/// What left the trash, and what is still in it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Emptied {
    /// How many files and links left.
    pub files: u64,
    /// What they took.
    pub size_bytes: u64,
    /// The runs whose folders are there, and when each was first seen, in seconds.
    pub seen_s: BTreeMap<String, i64>,
}

impl Installer {
    /// Removes from the trash what has lain there long enough, at `now_s` on a clock
    /// that can be trusted; `seen_s` is what the last call left.
    pub async fn empty_trash(&self, now_s: i64, seen_s: &BTreeMap<String, i64>) -> Result<Emptied> {
        let Ok(trash) = trash_dir() else { return Ok(Emptied::default()) };
        let (mut lots, mut emptied) = (Vec::new(), Emptied::default());
        for run in self.names_in(&trash).await.unwrap_or_default() {
            let first_s = seen_s.get(run.name()).copied().unwrap_or(now_s);
            emptied.seen_s.insert(run.name().to_owned(), first_s);
            if let Some(size_bytes) = self.size_of(&run).await {
                lots.push(Lot { name: run.name().to_owned(), seen_s: first_s, size_bytes });
            }
        }
        if lots.is_empty() {
            return Ok(emptied);
        }
        let capacity_bytes = self.disk.capacity_bytes().await?;
        for lot in leaving(lots, now_s, capacity_bytes) {
            if let Ok(run) = trash.join(&lot.name) {
                self.remove_lot(&run, &mut emptied).await;
            }
        }
        Ok(emptied)
    }

    /// What a run's folder takes as a whole; `None` if some of it cannot be looked at.
    async fn size_of(&self, run: &RelPath) -> Option<u64> {
        let mut size_bytes = 0_u64;
        let mut to_visit = vec![run.clone()];
        while let Some(dir) = to_visit.pop() {
            for item in self.disk.read_dir(&dir).await.ok()? {
                let stat = item.stat.ok()?;
                size_bytes = size_bytes.saturating_add(stat.stamp.size);
                if stat.node == Node::Dir {
                    to_visit.push(dir.join(std::str::from_utf8(&item.name).ok()?).ok()?);
                }
            }
        }
        Some(size_bytes)
    }

    /// Everything below a run's folder, and the folder.
    async fn remove_lot(&self, run: &RelPath, emptied: &mut Emptied) {
        let mut dirs = vec![run.clone()];
        let mut next = 0;
        while let Some(dir) = dirs.get(next).cloned() {
            next += 1;
            for path in self.names_in(&dir).await.unwrap_or_default() {
                let Ok(Some(stat)) = self.disk.stat(&path).await else { continue };
                if stat.node == Node::Dir {
                    dirs.push(path);
                } else if self.disk.purge(&path).await.is_ok() {
                    emptied.files += 1;
                    emptied.size_bytes = emptied.size_bytes.saturating_add(stat.stamp.size);
                }
            }
        }
        for dir in dirs.iter().rev() {
            // One that is not empty holds what could not be removed.
            let _ = self.disk.remove_dir(dir).await;
        }
    }

    async fn names_in(&self, dir: &RelPath) -> crate::disk::Result<Vec<RelPath>> {
        let items = self.disk.read_dir(dir).await?;
        let named = |name: Vec<u8>| dir.join(std::str::from_utf8(&name).ok()?).ok();
        Ok(items.into_iter().filter_map(|item| named(item.name)).collect())
    }
}
