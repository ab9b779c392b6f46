//! A real process on the real disk, killed or failed at every system call.
//!
//! The victim is this test binary again, told by its environment where to work and
//! when to die. What it leaves is judged as in the simulation, only that a real
//! kernel held the bytes.

use super::*;
use crate::disk::real::{RealDisk, RealOptions};
use futures::executor::block_on;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use tidelock_core::path::TEMP_PREFIX;

const ROOT: &str = "TIDELOCK_TEST_ROOT";
const VICTIM: &str = "install::tests::killed::victim";

fn open(root: &Path) -> Installer {
    let disk = Arc::new(RealDisk::open(root, RealOptions::default()).expect("opens"));
    Installer::new(disk, "0123456789abcdef", "run1", World::real(), Planted::default()).expect("valid names")
}

/// Replaces one file, deletes another, makes a third, renames a fourth. Exits by 7
/// if something failed. Does nothing unless run by the tests below, in a process of
/// its own.
#[test]
fn victim() {
    let Ok(root) = std::env::var(ROOT) else { return };
    let it = open(Path::new(&root));
    let all = async {
        let stamp = async |path: &str| match it.disk.stat(&p(path)).await {
            Ok(Some(stat)) => Ok(stat.stamp),
            Ok(None) => Err(InstallError::Stale),
            Err(error) => Err(InstallError::Disk(error)),
        };
        let part = written(&it, &p("d/replaced"), NEW).await?;
        let mut dirs = it.install(part, &p("d/replaced"), &Expect::Is(stamp("d/replaced").await?)).await?.dirs;
        dirs.extend(it.discard(&p("d/deleted"), &stamp("d/deleted").await?).await?.dirs);
        let part = written(&it, &p("n/made"), NEW).await?;
        dirs.extend(it.install(part, &p("n/made"), &Expect::Absent).await?.dirs);
        dirs.extend(it.rename_here(&p("d/moved"), &p("m/moved"), &stamp("d/moved").await?).await?.dirs);
        let failed = it.sync(dirs).await;
        failed.into_iter().next().map_or(Ok(()), |(_, error)| Err(InstallError::Disk(error)))
    };
    if block_on(all).is_err() {
        std::process::exit(7);
    }
}

/// Runs the victim on a fresh tree. Returns the tree after its successor came, and
/// how the victim ended.
fn run(hook: &[(&str, String)]) -> (BTreeMap<String, Vec<u8>>, std::process::ExitStatus) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    std::fs::create_dir(folder.path().join("d")).expect("makes");
    for name in ["replaced", "deleted", "moved"] {
        std::fs::write(folder.path().join("d").join(name), name).expect("writes");
    }
    let status = Command::new(std::env::current_exe().expect("this binary"))
        .args([VICTIM, "--exact", "--test-threads=1"])
        .env(ROOT, folder.path())
        .envs(hook.iter().map(|(name, value)| (*name, value.as_str())))
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .status()
        .expect("runs");
    let mut before = BTreeMap::new();
    collect(folder.path(), "", &mut before);
    let is_temp = |path: &&String| path.rsplit('/').next().is_some_and(|name| name.starts_with(TEMP_PREFIX));
    let leftovers: Vec<RelPath> = before.keys().filter(is_temp).map(|path| p(path)).collect();
    let recovered = block_on(open(folder.path()).recover(&leftovers));
    assert_eq!(recovered.failed, []);
    let mut after = BTreeMap::new();
    collect(folder.path(), "", &mut after);
    assert!(after.keys().all(|path| !is_temp(&path)), "{after:?}");
    (after, status)
}

fn collect(folder: &Path, prefix: &str, found: &mut BTreeMap<String, Vec<u8>>) {
    for entry in std::fs::read_dir(folder).expect("lists").map(|entry| entry.expect("reads")) {
        let path = format!("{prefix}{}", entry.file_name().to_str().expect("text"));
        if entry.file_type().expect("stats").is_dir() {
            collect(&entry.path(), &format!("{path}/"), found);
        } else {
            found.insert(path, std::fs::read(entry.path()).expect("reads"));
        }
    }
}

/// Each of the user's versions is somewhere, and each place shows a whole one.
fn judge(tree: &BTreeMap<String, Vec<u8>>) {
    for owed in ["replaced", "deleted", "moved"] {
        assert!(tree.values().any(|bytes| bytes == owed.as_bytes()), "{owed} is lost: {tree:?}");
    }
    let shown = |path: &str| tree.get(path).map(Vec::as_slice);
    assert!(matches!(shown("d/replaced"), Some(b"replaced" | b"new!")), "{tree:?}");
    assert!(matches!(shown("n/made"), None | Some(b"new!")), "{tree:?}");
    assert_ne!(shown("d/moved").is_some(), shown("m/moved").is_some(), "{tree:?}");
}

/// Runs the victim with the hook at 1, 2, 3… until it is not reached any more.
fn at_every_call(hook: &'static str, more: &[(&'static str, String)]) -> u32 {
    for call in 1.. {
        let (tree, status) = run(&[&[(hook, call.to_string())], more].concat());
        judge(&tree);
        if status.success() {
            assert_eq!(tree.get("d/replaced").map(Vec::as_slice), Some(NEW));
            assert!(!tree.contains_key("d/deleted") && tree.contains_key("m/moved"));
            return call - 1;
        }
        assert!(matches!(status.code(), None | Some(7)), "call {call}: {status}");
    }
    unreachable!("the victim makes finitely many calls")
}

#[test]
fn killed_at_every_call() {
    let calls = at_every_call("TIDELOCK_KILL_AT", &[]);
    assert!(calls > 30, "{calls}");
}

#[test]
fn failed_at_every_call() {
    for error in ["EIO", "ENOSPC"] {
        let calls = at_every_call("TIDELOCK_FAIL_AT", &[("TIDELOCK_FAIL_WITH", error.to_owned())]);
        assert!(calls > 30, "{calls}");
    }
}
