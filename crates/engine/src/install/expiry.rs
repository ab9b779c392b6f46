//! Emptying the trash of what has lain there long enough.
//!
//! The only place where bytes of the user's are removed for good. What leaves, and
//! when, is core's `retention`; a file's time in the trash counts from its change
//! time, which the rename that brought it there has set, or from the last change
//! of its run's folder if that is later. What cannot be looked at or removed stays.

use super::{Installer, Result};
use crate::disk::{Node, trash_dir};
use tidelock_core::path::RelPath;
use tidelock_core::retention::{Lot, leaving};

/// What left the trash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Emptied {
    /// How many files and links.
    pub files: u64,
    /// What they took.
    pub size_bytes: u64,
}

impl Installer {
    /// Removes from the trash what has lain there long enough, at `now_ns` on a clock
    /// that can be trusted. What this run put there stays.
    pub async fn empty_trash(&self, now_ns: i64) -> Result<Emptied> {
        let Ok(trash) = trash_dir() else { return Ok(Emptied::default()) };
        let mut lots = Vec::new();
        for run in self.names_in(&trash).await.unwrap_or_default() {
            if run != self.trash
                && let Some(lot) = self.lot(&run).await
            {
                lots.push(lot);
            }
        }
        let mut emptied = Emptied::default();
        if lots.is_empty() {
            return Ok(emptied);
        }
        let capacity_bytes = self.disk.capacity_bytes().await?;
        for lot in leaving(lots, now_ns / 1_000_000_000, capacity_bytes) {
            if let Ok(run) = trash.join(&lot.name) {
                self.remove_lot(&run, &mut emptied).await;
            }
        }
        Ok(emptied)
    }

    /// A run's folder as a whole; `None` if some of it cannot be looked at.
    async fn lot(&self, run: &RelPath) -> Option<Lot> {
        let top = self.disk.stat(run).await.ok()??;
        let mut newest_ns = top.stamp.change_ns;
        let mut size_bytes = 0_u64;
        let mut to_visit = if top.node == Node::Dir { vec![run.clone()] } else { Vec::new() };
        while let Some(dir) = to_visit.pop() {
            for item in self.disk.read_dir(&dir).await.ok()? {
                let stat = item.stat.ok()?;
                newest_ns = newest_ns.max(stat.stamp.change_ns);
                size_bytes = size_bytes.saturating_add(stat.stamp.size);
                if stat.node == Node::Dir {
                    to_visit.push(dir.join(std::str::from_utf8(&item.name).ok()?).ok()?);
                }
            }
        }
        Some(Lot { name: run.name().to_owned(), newest_s: newest_ns / 1_000_000_000, size_bytes })
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
