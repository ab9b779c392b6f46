//! A disk in memory that races, fails and crashes on request.
//!
//! [`SimDisk`] keeps the semantics of the [`Disk`] trait as Linux has them:
//! descriptors outlive names, inode numbers come back, times have a grain, nothing
//! is durable before its sync. What may happen between two effects enters through a
//! [`Gate`], what chance decides through a [`Chooser`]; time is the world's. Beside
//! the trait stands the user (`sim/user.rs`), who works on the same disk past the
//! engine. It knows nothing of what the engine wants.

mod faults;
mod user;
mod volume;

use faults::Fault;
pub use faults::{Ajar, Chooser, Gate, GoodDay};
pub use user::{SimNode, UserFile, UserResult};
pub use volume::InodeReuse;

use super::{DirItem, Disk, Error, ErrorKind, MetaScope, Node, ReadFile, Result, RootId, Stat, WriteFile};
use async_trait::async_trait;
use bytes::Bytes;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tidelock_core::entry::{FileId, LocalStamp, Meta};
use tidelock_core::path::{RelPath, TEMP_PREFIX};
use tidelock_remote::world::World;
use volume::{Body, Outcome, Place, Serial, Volume};

/// What kind of file system this is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SimOptions {
    /// When inode numbers come back.
    pub inode_reuse: InodeReuse,
    /// The grain of all times, in nanoseconds: 1, 4 ms and 1 s are found in the wild.
    pub grain_ns: i64,
    /// Whether `a` and `A` are one name.
    pub fold_case: bool,
    /// Whether exchanging and renaming without replacing are possible.
    pub can_exchange: bool,
    /// Whether it keeps extended attributes.
    pub keeps_xattrs: bool,
    /// Whether an owner may be given.
    pub may_chown: bool,
    /// Whether what the user does is durable at once. Else after
    /// [`SimDisk::user_sync`].
    pub user_durable: bool,
    /// How many bytes fit.
    pub capacity_bytes: Option<u64>,
}

impl Default for SimOptions {
    fn default() -> Self {
        Self {
            inode_reuse: InodeReuse::AtOnce,
            grain_ns: 1,
            fold_case: false,
            can_exchange: true,
            keeps_xattrs: true,
            may_chown: false,
            user_durable: true,
            capacity_bytes: None,
        }
    }
}

/// A disk in memory. Clones are the same disk.
#[derive(Clone)]
pub struct SimDisk {
    volume: Arc<Mutex<Volume>>,
    world: World,
    chooser: Arc<dyn Chooser>,
    gate: Arc<dyn Gate>,
}

impl SimDisk {
    /// An empty disk on which nothing fails.
    pub fn new(options: SimOptions, world: World) -> Self {
        let volume = Volume::new(options, world.clock.wall_ns());
        Self { volume: Arc::new(Mutex::new(volume)), world, chooser: Arc::new(GoodDay), gate: Arc::new(Ajar) }
    }

    /// The same disk, seen by an engine whose chances and pauses these decide.
    #[must_use]
    pub fn with(&self, chooser: Arc<dyn Chooser>, gate: Arc<dyn Gate>) -> Self {
        Self { chooser, gate, ..self.clone() }
    }

    /// The process dies, or the power goes. Whoever holds a file open then gets
    /// errors from it.
    pub fn crash(&self, power_loss: bool) {
        let mut volume = self.lock();
        if power_loss { volume.lose_power(&*self.chooser) } else { volume.kill() }
    }

    /// Unmounts the root, so that its path shows an empty folder on another file
    /// system, or mounts it again.
    pub fn set_unmounted(&self, unmounted: bool) {
        self.lock().state = if unmounted { volume::RootState::Unmounted } else { volume::RootState::Mounted };
    }

    /// Takes the root away altogether, or puts it back.
    pub fn set_gone(&self, gone: bool) {
        self.lock().state = if gone { volume::RootState::Gone } else { volume::RootState::Mounted };
    }

    /// What was removed from the trash for good, ever.
    pub fn purged(&self) -> Vec<Vec<u8>> {
        self.lock().purged.clone()
    }

    fn lock(&self) -> MutexGuard<'_, Volume> {
        // A test that panicked in the middle has failed already.
        self.volume.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now_ns(&self) -> i64 {
        self.world.clock.wall_ns()
    }

    /// One operation of the engine: the gate, perhaps a failure, the effect, the
    /// gate again.
    async fn call<T>(
        &self,
        op: Op,
        path: &RelPath,
        effect: impl FnOnce(&mut Volume, i64) -> Outcome<T> + Send,
    ) -> Result<T> {
        self.gate.pass(op.name).await;
        let outcome = match faults::fault(&*self.chooser, op.name, op.writes) {
            Some(Fault::Refused(kind)) => Err(kind),
            Some(Fault::Done) => effect(&mut self.lock(), self.now_ns()).and(Err(ErrorKind::Io)),
            None => effect(&mut self.lock(), self.now_ns()),
        };
        self.gate.pass(op.done).await;
        outcome.map_err(|kind| failed(kind, op.name, path))
    }

    fn pin(&self, serial: Serial, life: u64, path: &RelPath) -> Pin {
        Pin { disk: self.clone(), serial, life, path: path.clone() }
    }
}

fn failed(kind: ErrorKind, op: &'static str, path: &RelPath) -> Error {
    Error::new(kind, op, path, format!("{kind:?}"))
}

/// An operation's name before and after its effect.
#[derive(Clone, Copy)]
struct Op {
    name: &'static str,
    done: &'static str,
    writes: bool,
}

macro_rules! reading {
    ($name:literal) => {
        Op { name: concat!("disk.", $name), done: concat!("disk.", $name, ".done"), writes: false }
    };
}
macro_rules! writing {
    ($name:literal) => {
        Op { name: concat!("disk.", $name), done: concat!("disk.", $name, ".done"), writes: true }
    };
}

#[async_trait]
impl Disk for SimDisk {
    fn grain_ns(&self) -> i64 {
        self.lock().options.grain_ns
    }

    async fn root(&self) -> Result<RootId> {
        self.call(reading!("root"), &RelPath::root(), |volume, _| {
            let dir = volume.stat(volume.top()?).stamp.file_id;
            Ok(RootId { filesystem: volume.filesystem(), dir })
        })
        .await
    }

    /// Names first, then one look at each, so that some may vanish between.
    async fn read_dir(&self, dir: &RelPath) -> Result<Vec<DirItem>> {
        let (names, serial, life) = self
            .call(reading!("read_dir"), dir, |volume, _| {
                let serial = volume.find(dir).map_err(not_followed)?;
                let folder = volume.folder(serial).ok_or(ErrorKind::NotADir)?;
                if volume.stat(serial).mode & 0o400 == 0 {
                    return Err(ErrorKind::Denied);
                }
                let names: Vec<Vec<u8>> = folder.values().map(|entry| entry.name.clone()).collect();
                volume.open(serial);
                Ok((names, serial, volume.life))
            })
            .await?;
        let _pin = self.pin(serial, life, dir);
        let volume = self.lock();
        let look = |name: Vec<u8>| {
            let stat = match volume.step(serial, &name) {
                Ok(child) => Ok(volume.stat(child?)),
                Err(kind) => Err(failed(kind, "disk.stat", dir)),
            };
            Some(DirItem { name, stat })
        };
        let mut items: Vec<DirItem> = names.into_iter().filter_map(look).collect();
        drop(volume);
        shuffle(&mut items, u64::from(self.chooser.choose("disk.read_dir.order", u32::MAX)));
        Ok(items)
    }

    async fn stat(&self, path: &RelPath) -> Result<Option<Stat>> {
        self.call(reading!("stat"), path, |volume, _| match volume.find(path) {
            Ok(serial) => Ok(Some(volume.stat(serial))),
            Err(ErrorKind::NotFound | ErrorKind::NotADir | ErrorKind::Escapes) => Ok(None),
            Err(kind) => Err(kind),
        })
        .await
    }

    async fn open(&self, path: &RelPath) -> Result<Arc<dyn ReadFile>> {
        let (serial, life) = self
            .call(reading!("open"), path, |volume, _| {
                let serial = volume.find(path)?;
                let stat = volume.stat(serial);
                match stat.node {
                    Node::File if stat.mode & 0o400 == 0 => Err(ErrorKind::Denied),
                    Node::File => {
                        volume.open(serial);
                        Ok((serial, volume.life))
                    }
                    _ => Err(ErrorKind::NotAFile),
                }
            })
            .await?;
        Ok(Arc::new(self.pin(serial, life, path)))
    }

    async fn read_link(&self, path: &RelPath) -> Result<Vec<u8>> {
        self.call(reading!("read_link"), path, |volume, _| {
            let serial = volume.find(path)?;
            match &volume.inode(serial).body {
                Body::Link(target) => Ok(target.clone()),
                _ => Err(ErrorKind::NotAFile),
            }
        })
        .await
    }

    async fn xattrs(&self, path: &RelPath) -> Result<Option<BTreeMap<String, Vec<u8>>>> {
        self.call(reading!("xattrs"), path, |volume, _| {
            let serial = volume.find(path)?;
            let all = volume.inode(serial).attributes.xattrs.iter();
            let ours = all.filter(|(name, _)| name.starts_with("user."));
            let ours = ours.map(|(name, value)| (name.clone(), value.clone())).collect();
            Ok(volume.options.keeps_xattrs.then_some(ours))
        })
        .await
    }

    async fn create(&self, path: &RelPath) -> Result<Box<dyn WriteFile>> {
        let (serial, life) = self
            .call(writing!("create"), path, |volume, now_ns| {
                let serial = add(volume, path, Body::File(Arc::default()), 0o600, now_ns)?;
                volume.open(serial);
                Ok((serial, volume.life))
            })
            .await?;
        Ok(Box::new(SimWrite { pin: self.pin(serial, life, path), broken: false }))
    }

    async fn make_dir(&self, path: &RelPath, mode: u32) -> Result<()> {
        self.call(writing!("make_dir"), path, |volume, now_ns| {
            add(volume, path, Body::Dir(BTreeMap::new()), mode & 0o7777 & !0o022, now_ns).map(drop)
        })
        .await
    }

    async fn make_link(&self, path: &RelPath, target: &[u8]) -> Result<()> {
        let body = Body::Link(target.to_vec());
        self.call(writing!("make_link"), path, |volume, now_ns| add(volume, path, body, 0o777, now_ns).map(drop)).await
    }

    async fn rename(&self, from: &RelPath, to: &RelPath) -> Result<()> {
        self.call(writing!("rename"), from, |volume, now_ns| {
            if !volume.options.can_exchange {
                return Err(ErrorKind::Unsupported);
            }
            let (source, target) = (volume.place_to_change(from)?, volume.place_to_change(to)?);
            let child = source.child.ok_or(ErrorKind::NotFound)?;
            if to != from && to.is_within(from) {
                return Err(ErrorKind::Unsupported);
            }
            if target.child.is_some() {
                return Err(ErrorKind::Exists);
            }
            volume.commit(&[(&source, None), (&target, Some(child))], now_ns);
            Ok(())
        })
        .await
    }

    async fn exchange(&self, a: &RelPath, b: &RelPath) -> Result<()> {
        self.call(writing!("exchange"), a, |volume, now_ns| {
            if !volume.options.can_exchange || (a != b && (a.is_within(b) || b.is_within(a))) {
                return Err(ErrorKind::Unsupported);
            }
            let (first, second) = (volume.place_to_change(a)?, volume.place_to_change(b)?);
            let one = first.child.ok_or(ErrorKind::NotFound)?;
            let other = second.child.ok_or(ErrorKind::NotFound)?;
            volume.commit(&[(&first, Some(other)), (&second, Some(one))], now_ns);
            Ok(())
        })
        .await
    }

    async fn unlink_temp(&self, path: &RelPath) -> Result<()> {
        self.call(writing!("unlink_temp"), path, |volume, now_ns| {
            if !path.name().starts_with(TEMP_PREFIX) {
                return Err(ErrorKind::Denied);
            }
            let place = volume.place_to_change(path)?;
            match volume.stat(place.child.ok_or(ErrorKind::NotFound)?).node {
                Node::Dir => Err(ErrorKind::NotAFile),
                _ => {
                    volume.commit(&[(&place, None)], now_ns);
                    Ok(())
                }
            }
        })
        .await
    }

    async fn remove_dir(&self, path: &RelPath) -> Result<()> {
        self.call(writing!("remove_dir"), path, |volume, now_ns| {
            let place = volume.place_to_change(path)?;
            let folder = volume.folder(place.child.ok_or(ErrorKind::NotFound)?).ok_or(ErrorKind::NotADir)?;
            if !folder.is_empty() {
                return Err(ErrorKind::NotEmpty);
            }
            volume.commit(&[(&place, None)], now_ns);
            Ok(())
        })
        .await
    }

    async fn set_meta(&self, path: &RelPath, id: FileId, meta: &Meta, scope: MetaScope) -> Result<Stat> {
        self.call(writing!("set_meta"), path, |volume, now_ns| {
            let serial = volume.find(path)?;
            if volume.stat(serial).stamp.file_id != id {
                return Err(ErrorKind::Changed);
            }
            set_attributes(volume, serial, meta, scope, now_ns);
            Ok(volume.stat(serial))
        })
        .await
    }

    async fn set_meta_unchanged(
        &self,
        path: &RelPath,
        stamp: &LocalStamp,
        meta: &Meta,
        scope: MetaScope,
    ) -> Result<Stat> {
        self.call(writing!("set_meta"), path, |volume, now_ns| {
            let serial = volume.find(path)?;
            if volume.stat(serial).stamp != *stamp {
                return Err(ErrorKind::Changed);
            }
            set_attributes(volume, serial, meta, scope, now_ns);
            Ok(volume.stat(serial))
        })
        .await
    }

    async fn sync_dir(&self, dir: &RelPath) -> Result<()> {
        self.call(writing!("sync_dir"), dir, |volume, _| {
            let serial = volume.find(dir).map_err(not_followed)?;
            volume.folder(serial).ok_or(ErrorKind::NotADir)?;
            volume.sync_dir(serial);
            Ok(())
        })
        .await
    }

    /// Passes no gate: whoever needs it goes on to a step that passes one.
    async fn sync_all(&self) -> Result<()> {
        self.lock().sync_all();
        Ok(())
    }

    /// Passes no gate either.
    async fn is_being_written(&self, path: &RelPath) -> Result<bool> {
        let volume = self.lock();
        volume.find(path).map(|serial| volume.is_being_written(serial)).map_err(|kind| failed(kind, "open", path))
    }

    async fn purge(&self, path: &RelPath) -> Result<()> {
        self.call(writing!("purge"), path, |volume, now_ns| {
            let place = volume.place_to_change(path)?;
            let child = place.child.ok_or(ErrorKind::NotFound)?;
            if !super::is_in_trash(path) || volume.folder(child).is_some() {
                return Err(ErrorKind::Denied);
            }
            volume.purged.extend(volume.bytes(child));
            volume.commit(&[(&place, None)], now_ns);
            Ok(())
        })
        .await
    }

    async fn capacity_bytes(&self) -> Result<u64> {
        Ok(self.lock().options.capacity_bytes.unwrap_or(u64::MAX))
    }
}

/// A link where a folder is meant is "not a folder".
fn not_followed(kind: ErrorKind) -> ErrorKind {
    if kind == ErrorKind::Escapes { ErrorKind::NotADir } else { kind }
}

/// Adds an inode under a name that must be free.
fn add(volume: &mut Volume, path: &RelPath, body: Body, mode: u32, now_ns: i64) -> Outcome<Serial> {
    let place = volume.place_to_change(path)?;
    if place.child.is_some() {
        return Err(ErrorKind::Exists);
    }
    Ok(add_at(volume, &place, body, mode, now_ns))
}

fn add_at(volume: &mut Volume, place: &Place, body: Body, mode: u32, now_ns: i64) -> Serial {
    let serial = volume.add(body, mode, now_ns);
    volume.commit(&[(place, Some(serial))], now_ns);
    serial
}

fn set_attributes(volume: &mut Volume, serial: Serial, meta: &Meta, scope: MetaScope, now_ns: i64) {
    let node = volume.stat(serial).node;
    let may_chown = scope.owner && volume.options.may_chown;
    let keeps_xattrs = volume.options.keeps_xattrs;
    volume.change(serial, now_ns, |attributes| {
        if let (Some(xattrs), true, Node::File | Node::Dir) = (&meta.xattrs, keeps_xattrs, node) {
            let ours = xattrs.iter().filter(|(name, _)| name.starts_with("user."));
            let ours: Vec<_> = ours.map(|(name, value)| (name.clone(), value.clone())).collect();
            attributes.xattrs.retain(|name, _| !name.starts_with("user."));
            attributes.xattrs.extend(ours);
        }
        if may_chown {
            attributes.uid = meta.uid.unwrap_or(attributes.uid);
            attributes.gid = meta.gid.unwrap_or(attributes.gid);
        }
        attributes.mode = match (meta.mode, node) {
            (Some(mode), _) if scope.privileged_bits && node != Node::Link => mode & 0o7777,
            (Some(mode), Node::Dir) => (mode & 0o777) | (attributes.mode & 0o7000),
            (Some(mode), Node::File | Node::Special) => mode & 0o777,
            _ => attributes.mode,
        };
        attributes.mtime_ns = meta.mtime_ns.unwrap_or(attributes.mtime_ns);
    });
}

/// A descriptor: it keeps its inode, whatever its name stands for by now.
struct Pin {
    disk: SimDisk,
    serial: Serial,
    life: u64,
    path: RelPath,
}

impl Pin {
    async fn call<T>(&self, op: Op, effect: impl FnOnce(&mut Volume, i64) -> Outcome<T> + Send) -> Result<T> {
        let alive = |volume: &mut Volume, now_ns| {
            if volume.life == self.life { effect(volume, now_ns) } else { Err(ErrorKind::Io) }
        };
        self.disk.call(op, &self.path, alive).await
    }
}

impl Drop for Pin {
    fn drop(&mut self) {
        let mut volume = self.disk.lock();
        if volume.life == self.life {
            volume.close(self.serial);
        }
    }
}

#[async_trait]
impl ReadFile for Pin {
    async fn read_at(&self, offset: u64, size: usize) -> Result<Bytes> {
        let serial = self.serial;
        self.call(reading!("read_at"), |volume, _| match &volume.inode(serial).body {
            Body::File(bytes) => {
                let start = usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len());
                let end = start.saturating_add(size).min(bytes.len());
                Ok(Bytes::copy_from_slice(&bytes[start..end]))
            }
            _ => Err(ErrorKind::NotAFile),
        })
        .await
    }

    async fn stat(&self) -> Result<Stat> {
        self.call(reading!("fstat"), |volume, _| Ok(volume.stat(self.serial))).await
    }
}

struct SimWrite {
    pin: Pin,
    broken: bool,
}

#[async_trait]
impl WriteFile for SimWrite {
    async fn write(&mut self, bytes: &[u8]) -> Result<()> {
        let serial = self.pin.serial;
        self.pin.call(writing!("write"), |volume, now_ns| volume.write(serial, now_ns, |to| to.extend(bytes))).await
    }

    async fn set_meta(&mut self, meta: &Meta, scope: MetaScope) -> Result<()> {
        let serial = self.pin.serial;
        let set = |volume: &mut Volume, now_ns| {
            set_attributes(volume, serial, meta, scope, now_ns);
            Ok(())
        };
        self.pin.call(writing!("fset_meta"), set).await
    }

    async fn sync(&mut self) -> Result<()> {
        if self.broken {
            return Err(failed(ErrorKind::Io, "disk.sync", &self.pin.path));
        }
        let serial = self.pin.serial;
        let sync = |volume: &mut Volume, _| {
            volume.sync_file(serial);
            Ok(())
        };
        let synced = self.pin.call(writing!("sync"), sync).await;
        self.broken = synced.is_err();
        synced
    }

    async fn stat(&self) -> Result<Stat> {
        ReadFile::stat(&self.pin).await
    }
}

/// Puts things in an order that only the seed decides.
fn shuffle<T>(items: &mut [T], seed: u64) {
    let mut state = seed;
    for last in (1..items.len()).rev() {
        // Numerical Recipes' generator; its high bits are good enough for an order.
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let other = usize::try_from((state >> 33) % (last as u64 + 1)).unwrap_or(0);
        items.swap(last, other);
    }
}
