//! The user's side of a story, and the judge.

use super::{Action, NEW, OLD, RETIMED_NS, installer, p};
use crate::disk::Node;
use crate::disk::sim::{Chooser, Gate, SimDisk, SimNode};
use crate::install::{InstallError, Result};
use crate::planted::Planted;
use async_trait::async_trait;
use futures::FutureExt;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use tidelock_core::path::{RelPath, TEMP_PREFIX};

/// What the user does once, between two effects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Edit {
    Nothing,
    /// Other bytes of the same length, in place.
    Rewrite,
    /// The same, and the modification time put back.
    RewriteForged,
    Append,
    /// Another file over the name.
    Replace,
    Remove,
    /// Removed and made anew, so that the inode number may come back.
    RemoveAndCreate,
    RenameAway,
    RenameAwayAndCreate,
    ReplaceByFolder,
    RenameFolder,
    Chmod,
}

impl Edit {
    pub(super) const ALL: [Edit; 12] = [
        Edit::Nothing,
        Edit::Rewrite,
        Edit::RewriteForged,
        Edit::Append,
        Edit::Replace,
        Edit::Remove,
        Edit::RemoveAndCreate,
        Edit::RenameAway,
        Edit::RenameAwayAndCreate,
        Edit::ReplaceByFolder,
        Edit::RenameFolder,
        Edit::Chmod,
    ];

    /// Whether the user gives up the bytes that are at the path.
    fn supersedes(self) -> bool {
        matches!(
            self,
            Self::Rewrite
                | Self::RewriteForged
                | Self::Append
                | Self::Replace
                | Self::Remove
                | Self::RemoveAndCreate
                | Self::ReplaceByFolder
        )
    }

    /// Does it, where there is something to do it to. Returns what was written.
    fn apply(self, disk: &SimDisk, path: &RelPath, number: u32) -> Option<Vec<u8>> {
        // As long as the old one, and never the same twice.
        let text = format!("us{number:02}");
        let own = text.as_bytes();
        let parent = path.parent().expect("below the root");
        let _ = match self {
            Self::Nothing => Ok(()),
            Self::Rewrite => disk.user_write(path, own),
            Self::RewriteForged => {
                let before = disk.user_stat(path).map(|stat| stat.stamp.mtime_ns);
                disk.user_write(path, own).and_then(|()| disk.user_set_mtime(path, before.unwrap_or(1)))
            }
            Self::Append => disk.user_append(path, own),
            Self::Replace => disk.user_replace(path, own),
            Self::Remove => disk.user_remove(path),
            Self::RemoveAndCreate => disk.user_remove(path).and_then(|()| disk.user_write(path, own)),
            Self::RenameAway => disk.user_rename(path, &p(&format!("away{number}"))),
            Self::RenameAwayAndCreate => {
                disk.user_rename(path, &p(&format!("away{number}"))).and_then(|()| disk.user_write(path, own))
            }
            Self::ReplaceByFolder => disk
                .user_remove(path)
                .and_then(|()| disk.user_mkdir(path))
                .and_then(|()| disk.user_write(&path.join("in").expect("valid"), own)),
            Self::RenameFolder => disk.user_rename(&parent, &p("moved")),
            Self::Chmod => disk.user_chmod(path, 0o600),
        };
        match self {
            Self::Rewrite | Self::RewriteForged | Self::Append | Self::Replace => disk.user_read(path),
            Self::RemoveAndCreate | Self::RenameAwayAndCreate => disk.user_read(path),
            Self::ReplaceByFolder => disk.user_read(&path.join("in").expect("valid")),
            _ => None,
        }
    }
}

/// Keeps this many pending transactions of the journal when the power goes, and as
/// little as may be of everything else.
pub(super) struct Keep {
    kept: u32,
    too_many: AtomicBool,
}

impl Keep {
    pub(super) fn new(kept: u32) -> Self {
        Self { kept, too_many: AtomicBool::new(false) }
    }

    /// Whether there were not as many: this has been played before.
    pub(super) fn was_too_many(&self) -> bool {
        self.too_many.load(Ordering::SeqCst)
    }
}

impl Chooser for Keep {
    fn choose(&self, what: &str, n: u32) -> u32 {
        if what != "disk.crash.journal" {
            return 0;
        }
        self.too_many.store(self.kept >= n, Ordering::SeqCst);
        self.kept.min(n - 1)
    }
}

/// What the user knows.
#[derive(Debug, Clone, Default)]
struct Ledger {
    /// Versions that nobody gave up.
    owed: Vec<Vec<u8>>,
    /// Everything that was ever whole.
    known: Vec<Vec<u8>>,
    /// The user gave up what we put there.
    new_given_up: bool,
    /// The user made the place something other than a file, or moved it.
    left: bool,
    /// What the user last wrote at the place, if that was the last they did. Not if
    /// the time was forged: into a file that was ours for an instant, that cannot be
    /// told from nothing at all, and is found in the trash.
    last_word: Option<Vec<u8>>,
    /// And that was another file, not more of the one that was there.
    last_is_another_file: bool,
    /// Something was wrong at a gate.
    complaint: Option<String>,
}

/// Passes gates, counts them, and lets things happen at them.
pub(super) struct Script {
    action: Action,
    disk: SimDisk,
    edits: Vec<(Edit, u32)>,
    die_at: Option<u32>,
    passed: Mutex<u32>,
    ledger: Mutex<Ledger>,
}

impl Script {
    pub(super) fn new(action: Action, disk: SimDisk, edits: &[(Edit, u32)], die_at: Option<u32>) -> Self {
        let known = vec![OLD.to_vec(), NEW.to_vec(), b"bystander".to_vec()];
        let owed = vec![OLD.to_vec(), b"bystander".to_vec()];
        let ledger = Mutex::new(Ledger { owed, known, ..Ledger::default() });
        Self { action, disk, edits: edits.to_vec(), die_at, passed: Mutex::new(0), ledger }
    }

    /// Whether all its events have happened.
    pub(super) fn is_over(&self) -> bool {
        let passed = *self.passed.lock().expect("not poisoned");
        self.edits.iter().all(|(_, at)| *at < passed) && self.die_at.is_none_or(|at| at < passed)
    }

    fn happen(&self, edit: Edit, number: u32) {
        let path = self.action.contested();
        let mut ledger = self.ledger.lock().expect("not poisoned");
        let inside = path.join("in").expect("valid");
        let before = self.disk.user_read(&path).or_else(|| self.disk.user_read(&inside));
        let was_there = self.disk.user_stat(&path).is_some();
        let written = edit.apply(&self.disk, &path, number);
        if let Some(seen) =
            before.filter(|_| edit.supersedes() && (written.is_some() || self.disk.user_stat(&path).is_none()))
        {
            ledger.new_given_up |= seen == NEW;
            ledger.owed.retain(|owed| *owed != seen);
        }
        // Where nothing was, removing and renaming away do nothing.
        let needs_one = matches!(edit, Edit::RemoveAndCreate | Edit::RenameAwayAndCreate | Edit::ReplaceByFolder);
        ledger.last_word = None;
        if let Some(written) = written.filter(|_| was_there || !needs_one) {
            ledger.last_word =
                Some(written.clone()).filter(|_| !matches!(edit, Edit::ReplaceByFolder | Edit::RewriteForged));
            ledger.last_is_another_file = !matches!(edit, Edit::Rewrite | Edit::Append);
            ledger.owed.push(written.clone());
            ledger.known.push(written);
        }
        ledger.left |= matches!(edit, Edit::Remove | Edit::RenameAway | Edit::ReplaceByFolder | Edit::RenameFolder);
    }

    /// The place shows something whole, and nothing only if that is right.
    fn look(&self) {
        let mut ledger = self.ledger.lock().expect("not poisoned");
        let path = self.action.contested();
        let complaint = match (self.disk.user_stat(&path), self.disk.user_read(&path)) {
            (Some(_), Some(bytes)) if !ledger.known.contains(&bytes) => Some(format!("{path} shows {bytes:?}")),
            (None, _) if !self.action.may_empty() && self.action != Action::Create && !ledger.left => {
                Some(format!("{path} is absent"))
            }
            _ => None,
        };
        ledger.complaint = ledger.complaint.take().or(complaint);
    }
}

#[async_trait]
impl Gate for Script {
    async fn pass(&self, _what: &'static str) {
        let number = {
            let mut passed = self.passed.lock().expect("not poisoned");
            *passed += 1;
            *passed - 1
        };
        self.look();
        for (edit, _) in self.edits.iter().filter(|(_, at)| *at == number) {
            self.happen(*edit, number);
        }
        if self.die_at == Some(number) {
            std::future::pending::<()>().await;
        }
    }
}

fn is_temp(path: &RelPath) -> bool {
    path.name().starts_with(TEMP_PREFIX)
}

/// Restarts, and says what is wrong.
pub(super) fn check(
    action: Action,
    script: &Script,
    outcome: Option<&Result<()>>,
    disk: &SimDisk,
    planted: Planted,
) -> std::result::Result<(), String> {
    check_survival(script, disk, planted)?;
    let ledger = script.ledger.lock().expect("not poisoned");
    judge_outcome(action, script, outcome, disk, &ledger)
}

/// The same after a call failed: then anything may be reported but success.
pub(super) fn check_failure(
    action: Action,
    script: &Script,
    outcome: Option<&Result<()>>,
    disk: &SimDisk,
) -> std::result::Result<(), String> {
    check_survival(script, disk, Planted::default())?;
    let ledger = script.ledger.lock().expect("not poisoned");
    match outcome {
        Some(Err(InstallError::Disk(_) | InstallError::Stale)) => Ok(()),
        Some(Err(InstallError::BothKept { kept })) if disk.user_stat(kept).is_some() => Ok(()),
        other => judge_outcome(action, script, other, disk, &ledger),
    }
}

fn check_survival(script: &Script, disk: &SimDisk, planted: Planted) -> std::result::Result<(), String> {
    let ledger = script.ledger.lock().expect("not poisoned");
    if let Some(complaint) = &ledger.complaint {
        return Err(complaint.clone());
    }
    let leftovers: Vec<RelPath> = disk.tree().into_keys().filter(is_temp).collect();
    let restarted = installer(disk, planted);
    let recovered = restarted.recover(&leftovers).now_or_never().expect("a good day");
    if !recovered.failed.is_empty() || !recovered.foreign.is_empty() {
        return Err(format!("not recovered: {recovered:?}"));
    }
    let tree = disk.tree();
    if let Some(left) = tree.keys().find(|path| is_temp(path)) {
        return Err(format!("{left} is left over"));
    }
    let files = || tree.iter().filter(|(_, node)| node.kind == Node::File);
    for owed in &ledger.owed {
        if !files().any(|(_, node)| node.bytes == *owed) {
            return Err(format!("{:?} is lost: {:?}", String::from_utf8_lossy(owed), names(disk)));
        }
    }
    match files().find(|(path, node)| !path.is_reserved() && !ledger.known.contains(&node.bytes)) {
        Some((path, node)) => Err(format!("{path} holds {:?}, which nobody wrote", node.bytes)),
        None => Ok(()),
    }
}

/// Whether the user put a time back themselves.
fn forged(script: &Script) -> bool {
    script.edits.iter().any(|(edit, _)| *edit == Edit::RewriteForged)
}

fn names(disk: &SimDisk) -> Vec<(String, String)> {
    let text = |node: SimNode| String::from_utf8_lossy(&node.bytes).into_owned();
    disk.tree().into_iter().map(|(path, node)| (path.to_string(), text(node))).collect()
}

/// What was reported must be so.
fn judge_outcome(
    action: Action,
    script: &Script,
    outcome: Option<&Result<()>>,
    disk: &SimDisk,
    ledger: &Ledger,
) -> std::result::Result<(), String> {
    let shows_new = || disk.tree().iter().any(|(path, node)| !path.is_reserved() && node.bytes.starts_with(NEW));
    let read = || disk.user_read(&action.contested());
    // A time of ours on bytes of theirs hides that they wrote.
    let retimed = disk.user_stat(&action.contested()).is_some_and(|stat| stat.stamp.mtime_ns == RETIMED_NS);
    if retimed && action == Action::Retime && !forged(script) && read().as_deref() != Some(OLD) {
        return Err("a change was hidden behind an older time".to_owned());
    }
    match outcome {
        Some(Ok(())) => {
            if action.shows_new() && !ledger.new_given_up && !shows_new() {
                return Err(format!("reported, but not there: {:?}", names(disk)));
            }
            let early =
                matches!(script.edits.first(), Some((edit, 0)) if !matches!(edit, Edit::Nothing | Edit::RenameFolder));
            if early && action != Action::Create {
                return Err("changed before it began, and yet done".to_owned());
            }
            Ok(())
        }
        Some(Err(InstallError::Stale)) if shows_new() => Err(format!("called stale, but there: {:?}", names(disk))),
        Some(Err(InstallError::Stale)) if script.edits.is_empty() => Err("stale for no reason".to_owned()),
        Some(Err(InstallError::Stale)) if ledger.last_word != read().filter(|_| ledger.last_word.is_some()) => {
            Err(format!("the user's last word is not at its place: {:?}", names(disk)))
        }
        Some(Err(InstallError::BothKept { .. }))
            if ledger.last_is_another_file && ledger.last_word.is_some() && ledger.last_word != read() =>
        {
            Err(format!("the newest is not at its place: {:?}", names(disk)))
        }
        Some(Err(InstallError::BothKept { kept })) if disk.user_stat(kept).is_none() => {
            Err(format!("nothing is kept at {kept}"))
        }
        Some(Err(InstallError::Disk(error))) if script.edits.is_empty() => Err(error.to_string()),
        _ => Ok(()),
    }
}
