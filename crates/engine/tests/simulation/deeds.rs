//! Operations, carried out: users at their files, others in the bucket, accidents.
//!
//! Whatever people do goes into the ledger by comparing what a side held before and
//! after, so that no operation needs bookkeeping of its own. What cannot be done is
//! passed over.

use crate::case::{Act, Deed, Op};
use crate::errand::Errand;
use crate::stage::{FILLER_BYTES, Stage, kind_of, new_state, open_keeper};
use rusqlite::Connection;
use rusqlite::backup::Backup;
use std::time::Duration;
use tidelock_core::entry::{BaseRow, Digest, LocalHalf, RemoteHalf, Standing};
use tidelock_core::names::Kind;
use tidelock_core::path::{Key, RelPath};
use tidelock_engine::disk::Node;
use tidelock_engine::state::{Change, State};
use tidelock_remote::{ObjectMeta, Readiness};

fn parse(path: &str) -> Option<RelPath> {
    RelPath::parse(path).ok().filter(|path| !path.is_root())
}

impl Stage {
    /// Carries out one operation.
    pub fn apply(&mut self, op: &Op) {
        self.clockwork.note(&format!("{op:?}"));
        if let Some(aloud) = &self.aloud {
            aloud.lock().expect("no panics").push(format!("-- {op:?}"));
        }
        let devices = self.devices.len();
        match op {
            Op::Seed { path, here, there } => self.seed(path, *here, *there),
            Op::User(place, deed) if *place < devices => self.user(*place, deed),
            Op::Foreign(act) => self.foreign(act),
            Op::Run { device, confirm } if *device < devices => self.start(*device, Errand::sync(*confirm)),
            Op::Plan(device) if *device < devices => self.start(*device, Errand::Plan),
            Op::Apply { device, confirm } if *device < devices => {
                self.start(*device, Errand::Apply { confirm: *confirm });
            }
            Op::Moves(device) if *device < devices => self.start(*device, Errand::Moves),
            Op::Kill(place) if *place < devices => self.crash(*place, false),
            Op::Power(place) if *place < devices => self.crash(*place, true),
            Op::Mount(place, mounted) if *place < devices => {
                self.mount(*place, *mounted);
                if !*mounted {
                    // Whatever runs by the clock runs all the same.
                    self.start(*place, Errand::sync(true));
                }
            }
            Op::LoseState(place) if *place < devices => self.lose_state(*place),
            Op::SaveState(place) if *place < devices => {
                let copy = copied(&self.devices[*place].keeper, None);
                self.devices[*place].saved = Some(copy);
            }
            Op::OldState(place) if *place < devices => self.old_state(*place),
            Op::SpoilState(place) if *place < devices => self.spoil_state(*place),
            Op::FullState(place, full) if *place < devices => self.full_state(*place, *full),
            Op::Outage(place, requests) if *place < devices => {
                self.books.disturb();
                self.devices[*place].fate.outage(*requests);
            }
            Op::Jump(by_s) => {
                self.history.set_back_s -= (*by_s).min(0);
                self.clockwork.jump(*by_s);
            }
            Op::Prune(place, path) if *place < devices => self.prune(*place, path),
            Op::Know(place) if *place < devices => self.know(*place),
            Op::Mode(place, policy) if *place < devices => {
                self.history.resettled = true;
                self.history.policies.push(*policy);
                self.devices[*place].policy = *policy;
            }
            Op::Exclude(place, pattern) if *place < devices => {
                self.history.resettled = true;
                self.devices[*place].excluded.clone_from(pattern);
            }
            Op::Wait(seconds) => self.clockwork.advance(Duration::from_secs(u64::from(*seconds))),
            _ => {}
        }
    }

    /// Somebody does something.
    fn act(&mut self) {
        self.history.acts += 1;
        self.books.disturb();
    }

    pub fn mount(&mut self, place: usize, mounted: bool) {
        self.act();
        self.devices[place].mounted = mounted;
        // Whoever unmounts a disk makes it durable.
        self.devices[place].disk.user_sync();
        self.devices[place].disk.set_unmounted(!mounted);
    }

    /// Somebody works on a device: the ledger sees what came of it.
    pub fn at(&mut self, place: usize, work: impl FnOnce(&mut Self)) {
        if !self.devices[place].mounted {
            return;
        }
        self.act();
        self.clockwork.advance(Duration::from_nanos(1));
        let (before, all_before) = (self.seen(place), self.held(place));
        work(self);
        let (after, all_after) = (self.seen(place), self.held(place));
        self.note_deletions(place, &before, &after);
        self.books.ledger(|ledger| ledger.observe(&all_before, &all_after, false));
        self.clockwork.advance(Duration::from_nanos(1));
    }

    /// Somebody works in the bucket.
    fn there(&mut self, work: impl FnOnce(&mut Self)) {
        self.act();
        let before = self.objects();
        work(self);
        let after = self.objects();
        let touched = |key: &String| before.get(key) != after.get(key);
        self.history.deleted.retain(|(_, key, _)| !touched(key));
        self.books.ledger(|ledger| ledger.observe(&before, &after, true));
    }

    fn seed(&mut self, path: &str, here: [bool; 2], there: bool) {
        let Some(at) = parse(path) else { return };
        let size = 8 + path.len() * 7 % 60;
        let bytes = self.books.ledger(|ledger| ledger.fresh(size));
        for (place, here) in here.into_iter().enumerate().take(self.devices.len()) {
            if here {
                let (at, bytes) = (at.clone(), bytes.clone());
                self.at(place, |stage| {
                    let _ = stage.write(place, &at, &bytes);
                });
            }
        }
        if there {
            let key = Key::new(path);
            self.there(|stage| drop(stage.bucket.write(&key, bytes, ObjectMeta::default())));
        }
    }

    fn write(&self, place: usize, at: &RelPath, bytes: &[u8]) -> Result<(), tidelock_engine::disk::ErrorKind> {
        let disk = &self.devices[place].disk;
        if let Some(parent) = at.parent().filter(|parent| !parent.is_root()) {
            disk.user_mkdir(&parent)?;
        }
        disk.user_write(at, bytes)
    }

    fn fresh(&self, size: usize) -> Vec<u8> {
        self.books.ledger(|ledger| ledger.fresh(size))
    }

    pub fn user(&mut self, place: usize, deed: &Deed) {
        self.at(place, |stage| {
            // Whatever cannot be done was not done.
            let _ = stage.deed(place, deed);
        });
        let touched = match deed {
            Deed::Chmod { path, .. } | Deed::Touch { path } | Deed::Xattr { path, .. } => path,
            Deed::Rewrite { path, put_back: true } => {
                let bytes = parse(path).and_then(|path| self.devices[place].disk.user_read(&path));
                return self.books.ledger(|ledger| ledger.disguise(&bytes.unwrap_or_default()));
            }
            _ => return,
        };
        let below = format!("{touched}/");
        self.history.deleted.retain(|(_, key, _)| key != touched && !key.starts_with(&below));
    }

    fn deed(&mut self, place: usize, deed: &Deed) -> Option<()> {
        let disk = self.devices[place].disk.clone();
        match deed {
            Deed::Write { path, size } => self.write(place, &parse(path)?, &self.fresh(*size)).ok()?,
            Deed::Append { path, size } => disk.user_append(&parse(path)?, &self.fresh(*size)).ok()?,
            Deed::Rewrite { path, put_back } => {
                let at = parse(path)?;
                let stat = disk.user_stat(&at).filter(|stat| stat.node == Node::File && stat.stamp.size >= 8)?;
                disk.user_write(&at, &self.fresh(usize::try_from(stat.stamp.size).ok()?)).ok()?;
                if *put_back {
                    disk.user_set_mtime(&at, stat.stamp.mtime_ns).ok()?;
                }
            }
            Deed::Truncate { path, size } => {
                let at = parse(path)?;
                let mut bytes = disk.user_read(&at)?;
                bytes.truncate(*size);
                disk.user_write(&at, &bytes).ok()?;
            }
            Deed::Save { path, size } => disk.user_replace(&parse(path)?, &self.fresh(*size)).ok()?,
            Deed::Rename { from, to } => rename(&disk, &parse(from)?, &parse(to)?)?,
            Deed::Swap { a, b } => {
                let (a, b, spare) = (parse(a)?, parse(b)?, parse("spare")?);
                disk.user_stat(&b)?;
                disk.user_rename(&a, &spare).ok()?;
                let _ = rename(&disk, &b, &a);
                rename(&disk, &spare, &b)?;
            }
            Deed::Remove { path } => disk.user_remove(&parse(path)?).ok()?,
            Deed::Recreate { path } => {
                let at = parse(path)?;
                let size = disk.user_stat(&at).filter(|stat| stat.node == Node::File)?.stamp.size;
                disk.user_remove(&at).ok()?;
                disk.user_write(&at, &self.fresh(usize::try_from(size).ok()?)).ok()?;
            }
            Deed::Chmod { path, mode } => disk.user_chmod(&parse(path)?, *mode).ok()?,
            Deed::Xattr { path, name, value } => {
                let value = value.as_ref().map(String::as_bytes);
                disk.user_set_xattr(&parse(path)?, name, value).ok()?;
            }
            Deed::Touch { path } => disk.user_touch(&parse(path)?).ok()?,
            Deed::Link { path } => {
                let target = self.fresh(9);
                disk.user_symlink(&parse(path)?, &target).ok()?;
            }
            Deed::HardLink { path, new } => disk.user_hard_link(&parse(path)?, &parse(new)?).ok()?,
            Deed::Mkdir { path } => disk.user_mkdir(&parse(path)?).ok()?,
            Deed::Special { path } => disk.user_special(&parse(path)?).ok()?,
            Deed::Open { path } => {
                let opened = disk.user_open(&parse(path)?).ok()?;
                self.devices[place].open = Some(opened);
            }
            Deed::WriteOpen => {
                let bytes = self.fresh(9);
                disk.user_write_open(self.devices[place].open.as_ref()?, &bytes).ok()?;
            }
            Deed::Close => disk.user_close(self.devices[place].open.take()?),
            Deed::Fill(full) => {
                let filler = parse("filler")?;
                if *full {
                    disk.user_write(&filler, &self.fresh(FILLER_BYTES)).ok()?
                } else {
                    disk.user_remove(&filler).ok()?
                }
            }
        }
        Some(())
    }

    /// A deletion of what every side agreed on must be passed on.
    fn note_deletions(&mut self, place: usize, before: &crate::ledger::Contents, after: &crate::ledger::Contents) {
        // What is written again is no deletion any more.
        let disk = &self.devices[place].disk;
        // Behind what is no file, folder or link, nobody can look.
        let is_special = |path: &RelPath| disk.user_stat(path).is_some_and(|stat| stat.node == Node::Special);
        let nothing_at = |key: &String| {
            let mut at = parse(key);
            while let Some(path) = at.take() {
                if is_special(&path) {
                    return false;
                }
                at = path.parent();
            }
            parse(key).is_none_or(|path| disk.user_stat(&path).is_none())
        };
        let rewritten = |key: &String, bytes: &Vec<u8>| after.contains_key(key) || after.values().any(|b| b == bytes);
        let deleted = std::mem::take(&mut self.history.deleted).into_iter();
        let deleted = deleted.filter(|(_, key, bytes)| nothing_at(key) && !rewritten(key, bytes)).collect();
        self.history.deleted = deleted;
        if !self.is_idle() || self.devices[place].excluded.is_some() {
            return;
        }
        let objects = self.objects();
        for (key, bytes) in before {
            let gone = !after.contains_key(key) && !after.values().any(|kept| kept == bytes) && !bytes.is_empty();
            if gone && objects.get(key) == Some(bytes) && self.all_agree(place, key, bytes) {
                self.history.deleted.push((place, key.clone(), bytes.clone()));
            }
        }
    }

    /// Whether every device either agreed on these bytes or has never seen them.
    fn all_agree(&self, actor: usize, key: &str, bytes: &[u8]) -> bool {
        let digest = Digest::of(bytes);
        (0..self.devices.len()).all(|place| {
            let Ok(state) = State::in_memory(Some(&self.devices[place].state_name)) else { return false };
            let row = state.row(&Key::new(key)).ok().flatten();
            let agreed = row.is_some_and(|row| {
                let as_there = row.there.as_ref().map(|half| half.stamp.etag.clone())
                    == self.bucket.snapshot().get(&Key::new(key)).map(|(_, _, stamp)| stamp.etag.clone());
                row.standing == Standing::Agreed && row.digest == Some(digest) && as_there
            });
            let unknown = !self.everything(place).iter().any(|(_, other)| other == bytes);
            agreed || (unknown && place != actor && self.devices[place].mounted)
        })
    }

    fn foreign(&mut self, act: &Act) {
        let meta = ObjectMeta::default();
        match act {
            Act::Put { key, size } => {
                let bytes = self.fresh(*size);
                self.there(|stage| drop(stage.bucket.write(&Key::new(key.as_str()), bytes, meta)));
            }
            Act::Again { key } => {
                let at = Key::new(key.as_str());
                let Some((bytes, ..)) = self.bucket.snapshot().get(&at).cloned() else { return };
                self.history.deleted.retain(|(_, deleted, _)| deleted != key);
                self.there(|stage| drop(stage.bucket.write(&at, bytes, meta)));
            }
            Act::Marker { key } => {
                self.there(|stage| drop(stage.bucket.write(&Key::new(key.as_str()), Vec::new(), meta)));
            }
            Act::Delete { key } => self.there(|stage| {
                stage.bucket.remove(&Key::new(key.as_str()));
            }),
            Act::Archive { key } => {
                self.history.archived = true;
                self.bucket.archive(&Key::new(key.as_str()));
            }
            Act::Thaw { key } => {
                self.bucket.set_readiness(&Key::new(key.as_str()), Readiness::Ready);
            }
        }
    }

    pub fn lose_state(&mut self, place: usize) {
        self.crash(place, false);
        self.history.broken = true;
        self.history.state_lost = true;
        let (name, keeper) = new_state();
        (self.devices[place].state_name, self.devices[place].keeper) = (name, keeper);
    }

    fn old_state(&mut self, place: usize) {
        let Some(saved) = self.devices[place].saved.take() else { return };
        self.lose_state(place);
        let name = self.devices[place].state_name.clone();
        drop(copied(&saved, Some(&name)));
        self.devices[place].saved = Some(saved);
    }

    /// Bytes of the state's file have become others: whoever reads that row sees it.
    fn spoil_state(&mut self, place: usize) {
        if !self.is_running(place) {
            let first = "UPDATE base SET kind = '?' WHERE key = (SELECT max(key) FROM base)";
            // A state that nobody has opened yet has no rows to spoil.
            let _ = self.devices[place].keeper.execute(first, []);
        }
    }

    pub fn full_state(&mut self, place: usize, full: bool) {
        self.devices[place].state_full = full;
        if let Some(state) = self.devices[place].state.upgrade() {
            state.set_full(full).expect("it is a setting");
        }
    }

    /// What `prune` will do: the local copy of an agreed file goes, and the row says
    /// so in the same moment.
    fn prune(&mut self, place: usize, path: &str) {
        let Some(at) = parse(path) else { return };
        let device = &self.devices[place];
        if self.is_running(place) || !device.mounted {
            return;
        }
        let Ok(state) = State::in_memory(Some(&device.state_name)) else { return };
        let key = Key::new(path);
        let Ok(Some(row)) = state.row(&key) else { return };
        let objects = self.bucket.snapshot();
        let provable = row.standing == Standing::Agreed
            && row.kind == Kind::File
            && row.here.as_ref().map(|half| half.stamp) == device.disk.user_stat(&at).map(|stat| stat.stamp)
            && row.there.as_ref().map(|half| &half.stamp.etag) == objects.get(&key).map(|(_, _, stamp)| &stamp.etag)
            && row.digest == device.disk.user_read(&at).map(|bytes| Digest::of(&bytes));
        if !provable {
            return;
        }
        self.history.resettled = true;
        self.act();
        // Nobody deleted anything: the version lives on in the bucket, where it is as
        // exposed as what others wrote there.
        let bytes = self.devices[place].disk.user_read(&at).unwrap_or_default();
        self.books.ledger(|ledger| ledger.expose(&bytes));
        if self.devices[place].disk.user_remove(&at).is_ok() {
            let pruned = BaseRow { standing: Standing::Pruned, ..row };
            state.commit(&[Change::Put(Box::new(pruned))]).expect("memory commits");
            // An older copy of the state would take it for a deletion: nothing outside of
            // the state says that it was none.
            self.devices[place].saved = None;
        }
    }

    /// What a first run without upload will do: what is here is known.
    fn know(&mut self, place: usize) {
        self.history.resettled = true;
        if self.is_running(place) {
            return;
        }
        let Ok(state) = State::in_memory(Some(&self.devices[place].state_name)) else { return };
        let mut changes = Vec::new();
        for key in self.seen(place).keys() {
            let Some(path) = parse(key) else { continue };
            let Some(stat) = self.devices[place].disk.user_stat(&path) else { continue };
            let kind = kind_of(key);
            if kind != Kind::File || state.row(&Key::new(key.as_str())).ok().flatten().is_some() {
                continue;
            }
            changes.push(Change::Put(Box::new(BaseRow {
                key: Key::new(key.as_str()),
                kind,
                standing: Standing::Known,
                here: Some(LocalHalf { stamp: stat.stamp, meta: stat.meta(), racy: false }),
                there: None::<RemoteHalf>,
                digest: None,
                moved_to: None,
            })));
        }
        self.clockwork.advance(Duration::from_secs(3));
        state.commit(&changes).expect("memory commits");
    }
}

fn rename(disk: &tidelock_engine::disk::sim::SimDisk, from: &RelPath, to: &RelPath) -> Option<()> {
    disk.user_stat(from)?;
    if let Some(parent) = to.parent().filter(|parent| !parent.is_root()) {
        disk.user_mkdir(&parent).ok()?;
    }
    disk.user_rename(from, to).ok()
}

/// A copy of a database, under a name or without.
fn copied(from: &Connection, name: Option<&str>) -> Connection {
    let mut to = name.map_or_else(|| Connection::open_in_memory().expect("memory opens"), open_keeper);
    {
        let backup = Backup::new(from, &mut to).expect("memory copies");
        backup.run_to_completion(1_000, Duration::ZERO, None).expect("memory copies");
    }
    to
}
