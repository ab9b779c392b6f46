//! A folder that is not there yet.
//!
//! What a restore would make is asked about before it is made: it is empty, and
//! nothing can be written to it.

use super::{DirItem, Disk, Error, ErrorKind, MetaScope, ReadFile, Result, RootId, Stat, WriteFile};
use async_trait::async_trait;
use std::collections::BTreeMap;
use std::sync::Arc;
use tidelock_core::entry::{FileId, LocalStamp, Meta};
use tidelock_core::path::RelPath;

/// Nothing, where a folder will be.
pub struct Missing;

fn none<T>(op: &'static str, path: &RelPath) -> Result<T> {
    Err(Error::new(ErrorKind::NotFound, op, path, "the folder does not exist yet"))
}

#[async_trait]
impl Disk for Missing {
    async fn root(&self) -> Result<RootId> {
        Ok(RootId { filesystem: 0, dir: FileId { inode: 0, birth_ns: 0 } })
    }

    async fn read_dir(&self, dir: &RelPath) -> Result<Vec<DirItem>> {
        if dir.is_root() { Ok(Vec::new()) } else { none("read folder", dir) }
    }

    async fn stat(&self, _path: &RelPath) -> Result<Option<Stat>> {
        Ok(None)
    }

    async fn open(&self, path: &RelPath) -> Result<Arc<dyn ReadFile>> {
        none("open", path)
    }

    async fn read_link(&self, path: &RelPath) -> Result<Vec<u8>> {
        none("read link", path)
    }

    async fn xattrs(&self, path: &RelPath) -> Result<Option<BTreeMap<String, Vec<u8>>>> {
        none("read attributes", path)
    }

    async fn create(&self, path: &RelPath) -> Result<Box<dyn WriteFile>> {
        none("create", path)
    }

    async fn make_dir(&self, path: &RelPath, _mode: u32) -> Result<()> {
        none("make folder", path)
    }

    async fn make_link(&self, path: &RelPath, _target: &[u8]) -> Result<()> {
        none("make link", path)
    }

    async fn rename(&self, from: &RelPath, _to: &RelPath) -> Result<()> {
        none("rename", from)
    }

    async fn exchange(&self, a: &RelPath, _b: &RelPath) -> Result<()> {
        none("exchange", a)
    }

    async fn unlink_temp(&self, path: &RelPath) -> Result<()> {
        none("unlink", path)
    }

    async fn remove_dir(&self, path: &RelPath) -> Result<()> {
        none("remove folder", path)
    }

    async fn set_meta(&self, path: &RelPath, _id: FileId, _meta: &Meta, _scope: MetaScope) -> Result<Stat> {
        none("set metadata", path)
    }

    async fn set_meta_unchanged(
        &self,
        path: &RelPath,
        _stamp: &LocalStamp,
        _meta: &Meta,
        _scope: MetaScope,
    ) -> Result<Stat> {
        none("set metadata", path)
    }

    async fn sync_dir(&self, dir: &RelPath) -> Result<()> {
        none("sync", dir)
    }

    async fn sync_all(&self) -> Result<()> {
        Ok(())
    }

    async fn is_being_written(&self, _path: &RelPath) -> Result<bool> {
        Ok(false)
    }

    async fn purge(&self, path: &RelPath) -> Result<()> {
        none("purge", path)
    }

    async fn capacity_bytes(&self) -> Result<u64> {
        Ok(0)
    }
}
