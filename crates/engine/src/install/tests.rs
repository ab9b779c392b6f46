//! Every change of the tree, with the user interfering and the process or the
//! machine dying between any two effects. A ledger says what must survive.

mod ledger;
mod plain;

use super::*;
use crate::disk::sim::{SimDisk, SimOptions};
use crate::disk::tests::ticking_world;
use futures::FutureExt;
use ledger::{Edit, Script, check};

pub(super) const OLD: &[u8] = b"old!";
pub(super) const NEW: &[u8] = b"new!";

pub(super) fn p(path: &str) -> RelPath {
    RelPath::parse(path).expect("a valid path")
}

/// What the engine does to `d/f`, or, where nothing may be yet, to `d/n/f`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    Replace,
    ReplaceByLink,
    Create,
    Delete,
    Rename,
}

impl Action {
    const ALL: [Action; 5] = [Action::Replace, Action::ReplaceByLink, Action::Create, Action::Delete, Action::Rename];

    /// The path that the user interferes with.
    pub(super) fn contested(self) -> RelPath {
        if self == Self::Create { p("d/n/f") } else { p("d/f") }
    }

    /// Where the new bytes appear, if there are any.
    pub(super) fn shows_new(self) -> bool {
        matches!(self, Self::Replace | Self::Create)
    }

    /// Whether the contested path may be seen empty although the user left it full.
    pub(super) fn may_empty(self) -> bool {
        matches!(self, Self::Delete | Self::Rename)
    }
}

pub(super) fn prepared() -> SimDisk {
    let disk = SimDisk::new(SimOptions::default(), ticking_world());
    disk.user_mkdir(&p("d")).expect("makes");
    disk.user_write(&p("d/f"), OLD).expect("writes");
    disk.user_write(&p("d/bystander"), b"bystander").expect("writes");
    disk
}

pub(super) fn installer(disk: &SimDisk, planted: Planted) -> Installer {
    Installer::new(Arc::new(disk.clone()), "0123456789abcdef", "run1", ticking_world(), planted).expect("valid names")
}

pub(super) async fn written(installer: &Installer, dest: &RelPath, bytes: &[u8]) -> Result<Part> {
    let mut part = installer.begin(dest).await?;
    let meta = Meta { mtime_ns: Some(1_600_000_000_000_000_000), mode: Some(0o640), ..Meta::default() };
    let half = bytes.len() / 2;
    let done = async {
        part.write(&bytes[..half]).await?;
        part.write(&bytes[half..]).await?;
        installer.finish(&mut part, &meta, MetaScope::default()).await
    };
    match done.await {
        Ok(_) => Ok(part),
        Err(error) => {
            installer.abandon(part).await;
            Err(error)
        }
    }
}

/// Does it, and makes it durable. `expected` is the stamp of `d/f` as it was seen.
async fn act(action: Action, installer: &Installer, expected: LocalStamp) -> Result<()> {
    let dest = action.contested();
    let dirs = match action {
        Action::Replace => {
            let part = written(installer, &dest, NEW).await?;
            installer.install(part, &dest, &Expect::Is(expected)).await?.dirs
        }
        Action::ReplaceByLink => {
            let mut part = installer.begin_link(&dest, b"target").await?;
            let meta = Meta { mtime_ns: Some(1), ..Meta::default() };
            installer.finish(&mut part, &meta, MetaScope::default()).await?;
            installer.install(part, &dest, &Expect::Is(expected)).await?.dirs
        }
        Action::Create => {
            let part = written(installer, &dest, NEW).await?;
            installer.install(part, &dest, &Expect::Absent).await?.dirs
        }
        Action::Delete => installer.discard(&dest, &expected).await?.dirs,
        Action::Rename => installer.rename_here(&dest, &p("d/g/f"), &expected).await?.dirs,
    };
    match installer.sync(dirs).await.pop() {
        Some((_, error)) => Err(error.into()),
        None => Ok(()),
    }
}

/// How the story ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// The process comes to its end.
    Alive,
    /// It is killed at this gate.
    Killed(u32),
    /// The power goes at this gate; so many pending transactions are kept.
    Dark(u32, u32),
}

/// Plays one story and judges it. `None` if it ended before its last event.
fn play(
    action: Action,
    edit: Option<(Edit, u32)>,
    end: End,
    planted: Planted,
) -> Option<std::result::Result<(), String>> {
    let base = prepared();
    let expected = base.user_stat(&p("d/f")).expect("is there").stamp;
    let die_at = match end {
        End::Alive => None,
        End::Killed(at) | End::Dark(at, _) => Some(at),
    };
    let script = Arc::new(Script::new(action, base.clone(), edit, die_at));
    let kept = if let End::Dark(_, kept) = end { kept } else { 0 };
    let disk = base.with(Arc::new(ledger::Keep(kept)), script.clone());
    let outcome = act(action, &installer(&disk, planted), expected).now_or_never();
    if !script.is_over() || outcome.is_none() != die_at.is_some() {
        return None;
    }
    match end {
        End::Dark(..) => disk.crash(true),
        _ => disk.crash(false),
    }
    // Power gone after a success: nothing that was reported may be taken back.
    if end == End::Alive && edit.is_none() {
        disk.crash(true);
    }
    Some(check(action, &script, outcome.as_ref(), &base, planted))
}

/// Plays all stories of a kind and returns the first that ends badly, and how many
/// were played.
fn first_failure(actions: &[Action], planted: Planted, races: bool, crashes: bool) -> (Option<String>, u32) {
    let (mut played, mut found) = (0, None);
    let mut tell = |action, edit, end| -> bool {
        let Some(verdict) = play(action, edit, end, planted) else { return false };
        played += 1;
        if let Err(complaint) = verdict {
            found.get_or_insert(format!("{action:?}, {edit:?}, {end:?}: {complaint}"));
        }
        true
    };
    for action in actions.iter().copied() {
        tell(action, None, End::Alive);
        for edit in Edit::ALL.into_iter().filter(|_| races) {
            let edits = (0..).take_while(|at| tell(action, Some((edit, *at)), End::Alive)).last();
            assert!(edits.is_some() || edit == Edit::Nothing, "{action:?} {edit:?} never happened");
        }
        if !crashes {
            continue;
        }
        for edit in Edit::ALL {
            for edit_at in 0..200 {
                let mut died = false;
                for at in edit_at + 1..200 {
                    let edit = (edit != Edit::Nothing).then_some((edit, edit_at));
                    if !tell(action, edit, End::Killed(at)) {
                        break;
                    }
                    died = true;
                    // More transactions than these are never pending here.
                    for kept in 0..12 {
                        tell(action, edit, End::Dark(at, kept));
                    }
                }
                if edit == Edit::Nothing || !died {
                    break;
                }
            }
        }
    }
    (found, played)
}

#[test]
fn users_bytes_survive_a_race_at_every_gate() {
    let (failure, played) = first_failure(&Action::ALL, Planted::default(), true, false);
    assert_eq!(failure, None);
    assert!(played > 500, "{played}");
}

#[test]
fn users_bytes_survive_death_at_every_gate() {
    let (failure, played) = first_failure(&Action::ALL, Planted::default(), false, true);
    assert_eq!(failure, None);
    assert!(played > 10_000, "{played}");
}

#[test]
fn planted_bugs_are_found() {
    for (bug, crashes) in [
        (Bug::SkipFsyncFile, false),
        (Bug::SkipFsyncDir, false),
        (Bug::RenameWithoutExpect, false),
        (Bug::UnlinkInsteadOfTrash, false),
        (Bug::StartupUnlinksTemps, true),
        (Bug::CtimeIgnored, false),
    ] {
        let (failure, _) = first_failure(&[Action::Replace], Planted::default().with(bug), !crashes, crashes);
        assert!(failure.is_some(), "{bug:?} went unnoticed");
    }
}
