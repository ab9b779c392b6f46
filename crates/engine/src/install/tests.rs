//! Every change of the tree, with the user interfering and the process or the
//! machine dying between any two effects. A ledger says what must survive.

mod killed;
mod ledger;
mod plain;

use super::*;
use crate::disk::sim::{Chooser, SimDisk, SimOptions};
use crate::disk::tests::ticking_world;
use futures::FutureExt;
use ledger::{Edit, Script, check};
use std::sync::atomic::{AtomicU32, Ordering};

pub(super) const OLD: &[u8] = b"old!";
pub(super) const NEW: &[u8] = b"new!";
pub(super) const RETIMED_NS: i64 = 1_500_000_000_000_000_000;

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
    Retime,
}

impl Action {
    const ALL: [Action; 6] =
        [Action::Replace, Action::ReplaceByLink, Action::Create, Action::Delete, Action::Rename, Action::Retime];

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
        Action::Retime => {
            let meta = Meta { mtime_ns: Some(RETIMED_NS), ..Meta::default() };
            installer.set_meta_here(&dest, &expected, &meta, MetaScope::default()).await?;
            Vec::new()
        }
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
fn play(action: Action, edits: &[(Edit, u32)], end: End, planted: Planted) -> Option<Verdict> {
    let base = prepared();
    let expected = base.user_stat(&p("d/f")).expect("is there").stamp;
    let (die_at, kept) = match end {
        End::Alive => (None, 0),
        End::Killed(at) => (Some(at), 0),
        End::Dark(at, kept) => (Some(at), kept),
    };
    let script = Arc::new(Script::new(action, base.clone(), edits, die_at));
    let keep = Arc::new(ledger::Keep::new(kept));
    let disk = base.with(keep.clone(), script.clone());
    let outcome = act(action, &installer(&disk, planted), expected).now_or_never();
    if !script.is_over() || outcome.is_none() != die_at.is_some() {
        return None;
    }
    // What was reported without any trouble must outlive the power, too.
    disk.crash(matches!(end, End::Dark(..)) || (end == End::Alive && edits.is_empty()));
    if keep.was_too_many() {
        return None;
    }
    Some(check(action, &script, outcome.as_ref(), &base, planted))
}

type Verdict = std::result::Result<(), String>;

/// Fails the n-th call in one of the ways there are.
struct FailAt {
    call: u32,
    way: u32,
    asked: AtomicU32,
}

impl Chooser for FailAt {
    fn choose(&self, what: &str, n: u32) -> u32 {
        let is_fault = what.starts_with("disk.") && n <= 5;
        let hit = is_fault && self.asked.fetch_add(1, Ordering::SeqCst) == self.call;
        if hit { self.way.min(n - 1) } else { 0 }
    }
}

/// Whatever fails, and however: the user's bytes survive, what was reported is so,
/// and what is left over is dealt with at the next start.
#[test]
fn users_bytes_survive_any_failing_call() {
    let mut played = 0;
    for action in Action::ALL {
        for (way, edit) in (1..5).flat_map(|way| [Edit::Nothing, Edit::Replace].map(|edit| (way, edit))) {
            for edit_at in (0..50).take_while(|at| edit == Edit::Replace || *at == 0) {
                for call in 0.. {
                    let base = prepared();
                    let expected = base.user_stat(&p("d/f")).expect("is there").stamp;
                    let script = Arc::new(Script::new(action, base.clone(), &[(edit, edit_at)], None));
                    let fails = Arc::new(FailAt { call, way, asked: AtomicU32::new(0) });
                    let disk = base.with(fails.clone(), script.clone());
                    let outcome = act(action, &installer(&disk, Planted::default()), expected).now_or_never();
                    if fails.asked.load(Ordering::SeqCst) <= call {
                        break;
                    }
                    played += 1;
                    base.crash(false);
                    let verdict = ledger::check_failure(action, &script, outcome.as_ref(), &base);
                    assert_eq!(verdict, Ok(()), "{action:?}, {edit:?} at {edit_at}, call {call} fails as {way}");
                }
            }
        }
    }
    println!("{played} stories");
    assert!(played > 5_000, "{played}");
}

/// All stories of some actions, told until one ends badly.
struct Tales {
    planted: Planted,
    played: u32,
    failure: Option<String>,
}

impl Tales {
    fn new(planted: Planted) -> Self {
        Self { planted, played: 0, failure: None }
    }

    /// Whether it happened, and well.
    fn tell(&mut self, action: Action, edits: &[(Edit, u32)], end: End) -> bool {
        if self.failure.is_some() {
            return false;
        }
        let Some(verdict) = play(action, edits, end, self.planted) else { return false };
        self.played += 1;
        self.failure = verdict.err().map(|complaint| format!("{action:?}, {edits:?}, {end:?}: {complaint}"));
        self.failure.is_none()
    }

    /// The user does something at every gate.
    fn races(&mut self, action: Action) {
        self.tell(action, &[], End::Alive);
        for edit in Edit::ALL {
            let count = (0..).take_while(|at| self.tell(action, &[(edit, *at)], End::Alive)).count();
            assert!(count > 0 || self.failure.is_some(), "{action:?} {edit:?} never happened");
        }
    }

    /// The user does two things, at any two gates.
    fn double_races(&mut self, action: Action) {
        const DEEDS: [Edit; 5] =
            [Edit::Rewrite, Edit::Replace, Edit::Remove, Edit::RenameAwayAndCreate, Edit::ReplaceByFolder];
        for (first, second) in DEEDS.into_iter().flat_map(|first| DEEDS.map(|second| (first, second))) {
            for at in 0.. {
                let told = |then: &u32| self.tell(action, &[(first, at), (second, *then)], End::Alive);
                if (at + 1..).take_while(told).count() == 0 {
                    break;
                }
            }
        }
    }

    /// The process or the machine dies at every gate, with every part of the
    /// journal, after the user did this at that gate.
    fn deaths(&mut self, action: Action, edits: &[(Edit, u32)]) {
        let first = edits.last().map_or(0, |(_, at)| at + 1);
        for at in first.. {
            if !self.tell(action, edits, End::Killed(at)) {
                break;
            }
            (0..).take_while(|kept| self.tell(action, edits, End::Dark(at, *kept))).for_each(drop);
        }
    }
}

#[test]
fn users_bytes_survive_a_race_at_every_gate() {
    let mut tales = Tales::new(Planted::default());
    Action::ALL.into_iter().for_each(|action| tales.races(action));
    assert_eq!(tales.failure, None);
    println!("{} stories", tales.played);
    assert!(tales.played > 500, "{}", tales.played);
}

#[test]
fn users_bytes_survive_two_races() {
    let mut tales = Tales::new(Planted::default());
    tales.double_races(Action::Replace);
    assert_eq!(tales.failure, None);
    println!("{} stories", tales.played);
    assert!(tales.played > 10_000, "{}", tales.played);
}

/// Every race before every death in `make soak`; every tenth gate otherwise.
#[test]
fn users_bytes_survive_any_race_and_then_any_death() {
    let soak = std::env::var_os("TIDELOCK_SOAK").is_some();
    let mut tales = Tales::new(Planted::default());
    if soak {
        Action::ALL.into_iter().for_each(|action| tales.double_races(action));
    }
    for (action, edit) in Action::ALL.into_iter().flat_map(|action| Edit::ALL.map(|edit| (action, edit))) {
        (0..60).step_by(if soak { 1 } else { 10 }).for_each(|at| tales.deaths(action, &[(edit, at)]));
    }
    assert_eq!(tales.failure, None);
    println!("{} stories", tales.played);
}

#[test]
fn users_bytes_survive_death_at_every_gate() {
    let mut tales = Tales::new(Planted::default());
    Action::ALL.into_iter().for_each(|action| tales.deaths(action, &[]));
    assert_eq!(tales.failure, None);
    println!("{} stories", tales.played);
    assert!(tales.played > 200, "{}", tales.played);
}

#[test]
fn users_bytes_survive_a_race_and_then_death() {
    let mut tales = Tales::new(Planted::default());
    for edit in [Edit::RewriteForged, Edit::Replace, Edit::RenameAwayAndCreate, Edit::RenameFolder] {
        (0..40).for_each(|at| tales.deaths(Action::Replace, &[(edit, at)]));
    }
    (0..40).for_each(|at| tales.deaths(Action::Delete, &[(Edit::Replace, at)]));
    assert_eq!(tales.failure, None);
    println!("{} stories", tales.played);
    assert!(tales.played > 5_000, "{}", tales.played);
}

#[test]
fn planted_bugs_are_found() {
    for bug in [
        Bug::SkipFsyncFile,
        Bug::SkipFsyncDir,
        Bug::RenameWithoutExpect,
        Bug::UnlinkInsteadOfTrash,
        Bug::StartupUnlinksTemps,
        Bug::CtimeIgnored,
    ] {
        let mut tales = Tales::new(Planted::default().with(bug));
        tales.races(Action::Replace);
        tales.deaths(Action::Replace, &[]);
        assert!(tales.failure.is_some(), "{bug:?} went unnoticed in {} stories", tales.played);
    }
}
