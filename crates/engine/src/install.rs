//! (interim)
#![allow(missing_docs)]
use crate::disk::{self, Disk, ErrorKind, MetaScope, Stat, WriteFile};
use crate::planted::Planted;
use std::sync::Arc;
use tidelock_core::entry::{LocalStamp, Meta};
use tidelock_core::path::RelPath;
use tidelock_remote::world::World;

pub enum Expect {
    Absent,
    Is(LocalStamp),
}
#[derive(Debug)]
pub enum InstallError {
    Stale,
    Disk(disk::Error),
}
impl From<disk::Error> for InstallError {
    fn from(e: disk::Error) -> Self {
        Self::Disk(e)
    }
}
pub struct Part {
    pub path: RelPath,
    pub file: Option<Box<dyn WriteFile>>,
}
pub struct Installed {
    pub stat: Stat,
    pub dirs: Vec<RelPath>,
}
pub struct Installer {
    pub disk: Arc<dyn Disk>,
    pub pair: String,
    pub trash: RelPath,
    pub world: World,
    pub planted: Planted,
}
pub fn belongs_to(_path: &RelPath, _tag: &str) -> bool {
    true
}
impl Part {
    pub async fn write(&mut self, _bytes: &[u8]) -> Result<(), InstallError> {
        Err(InstallError::Stale)
    }
}
impl Installer {
    pub fn new(disk: Arc<dyn Disk>, pair: String, _run: &str, world: World, planted: Planted) -> Self {
        Self { disk, pair, trash: RelPath::root(), world, planted }
    }
    pub async fn begin(&self, _dest: &RelPath) -> Result<Part, InstallError> {
        Err(InstallError::Stale)
    }
    pub async fn begin_link(&self, _dest: &RelPath, _target: &[u8]) -> Result<Part, InstallError> {
        Err(InstallError::Stale)
    }
    pub async fn finish(&self, _part: &mut Part, _meta: &Meta, _scope: MetaScope) -> Result<(), InstallError> {
        Err(InstallError::Stale)
    }
    pub async fn install(&self, _part: Part, _dest: &RelPath, _expect: Expect) -> Result<Installed, InstallError> {
        Err(InstallError::Stale)
    }
    pub async fn drop_part(&self, _part: Part) {}
    pub async fn discard(&self, _path: &RelPath, _expect: LocalStamp) -> Result<Vec<RelPath>, InstallError> {
        Err(InstallError::Stale)
    }
    pub async fn rename_here(
        &self,
        _from: &RelPath,
        _to: &RelPath,
        _expect: LocalStamp,
    ) -> Result<Installed, InstallError> {
        Err(InstallError::Stale)
    }
    pub async fn set_meta_here(
        &self,
        _path: &RelPath,
        _expect: LocalStamp,
        _meta: &Meta,
        _scope: MetaScope,
    ) -> Result<Stat, InstallError> {
        Err(InstallError::Stale)
    }
    pub async fn make_dirs(&self, _dir: &RelPath) -> Result<Vec<RelPath>, InstallError> {
        Err(InstallError::Stale)
    }
    pub async fn recover(&self, _leftovers: &[RelPath]) -> Result<u64, disk::Error> {
        let _ = ErrorKind::Io;
        Ok(0)
    }
}
