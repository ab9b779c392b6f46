//! A folder of which only a few names are seen.
//!
//! Whoever sends or fetches single files works in the folder that holds them, and has
//! no business with the rest of it: not with its other names, and not with its ignore
//! file. Below the chosen names everything is as it is, and so is everything that is
//! written: temporary files and the trash have their usual places.

use super::{DirItem, Disk, MetaScope, ReadFile, Result, RootId, Stat, WriteFile};
use async_trait::async_trait;
use std::collections::BTreeMap;
use std::sync::Arc;
use tidelock_core::entry::{FileId, LocalStamp, Meta};
use tidelock_core::path::{RelPath, TEMP_PREFIX};

/// Some names of a folder.
pub struct Chosen {
    disk: Arc<dyn Disk>,
    names: Vec<String>,
}

impl Chosen {
    /// Shows these names of the root of `disk`.
    pub fn new(disk: Arc<dyn Disk>, names: Vec<String>) -> Self {
        Self { disk, names }
    }

    fn shows(&self, name: &[u8]) -> bool {
        // What an earlier run left unfinished is to be found.
        name.starts_with(TEMP_PREFIX.as_bytes()) || self.names.iter().any(|chosen| chosen.as_bytes() == name)
    }
}

#[async_trait]
impl Disk for Chosen {
    async fn root(&self) -> Result<RootId> {
        self.disk.root().await
    }

    fn grain_ns(&self) -> i64 {
        self.disk.grain_ns()
    }

    fn follows_links(&self) -> bool {
        self.disk.follows_links()
    }

    async fn read_dir(&self, dir: &RelPath) -> Result<Vec<DirItem>> {
        let mut items = self.disk.read_dir(dir).await?;
        if dir.is_root() {
            items.retain(|item| self.shows(&item.name));
        }
        Ok(items)
    }

    async fn stat(&self, path: &RelPath) -> Result<Option<Stat>> {
        self.disk.stat(path).await
    }

    async fn open(&self, path: &RelPath) -> Result<Arc<dyn ReadFile>> {
        self.disk.open(path).await
    }

    async fn read_link(&self, path: &RelPath) -> Result<Vec<u8>> {
        self.disk.read_link(path).await
    }

    async fn xattrs(&self, path: &RelPath) -> Result<Option<BTreeMap<String, Vec<u8>>>> {
        self.disk.xattrs(path).await
    }

    async fn create(&self, path: &RelPath) -> Result<Box<dyn WriteFile>> {
        self.disk.create(path).await
    }

    async fn make_dir(&self, path: &RelPath, mode: u32) -> Result<()> {
        self.disk.make_dir(path, mode).await
    }

    async fn make_link(&self, path: &RelPath, target: &[u8]) -> Result<()> {
        self.disk.make_link(path, target).await
    }

    async fn rename(&self, from: &RelPath, to: &RelPath) -> Result<()> {
        self.disk.rename(from, to).await
    }

    async fn exchange(&self, a: &RelPath, b: &RelPath) -> Result<()> {
        self.disk.exchange(a, b).await
    }

    async fn unlink_temp(&self, path: &RelPath) -> Result<()> {
        self.disk.unlink_temp(path).await
    }

    async fn remove_dir(&self, path: &RelPath) -> Result<()> {
        self.disk.remove_dir(path).await
    }

    async fn set_meta(&self, path: &RelPath, id: FileId, meta: &Meta, scope: MetaScope) -> Result<Stat> {
        self.disk.set_meta(path, id, meta, scope).await
    }

    async fn set_meta_unchanged(
        &self,
        path: &RelPath,
        stamp: &LocalStamp,
        meta: &Meta,
        scope: MetaScope,
    ) -> Result<Stat> {
        self.disk.set_meta_unchanged(path, stamp, meta, scope).await
    }

    async fn sync_dir(&self, dir: &RelPath) -> Result<()> {
        self.disk.sync_dir(dir).await
    }

    async fn sync_all(&self) -> Result<()> {
        self.disk.sync_all().await
    }

    async fn is_being_written(&self, path: &RelPath) -> Result<bool> {
        self.disk.is_being_written(path).await
    }

    async fn purge(&self, path: &RelPath) -> Result<()> {
        self.disk.purge(path).await
    }

    async fn capacity_bytes(&self) -> Result<u64> {
        self.disk.capacity_bytes().await
    }
}
