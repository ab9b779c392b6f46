//! The ordinary ways and the odd corners, on the simulated and on the real disk.

use super::*;
use crate::disk::real::{RealDisk, RealOptions};
use futures::executor::block_on;

/// Runs a test on a fresh disk of each sort.
fn on_both(run: impl AsyncFn(Installer)) {
    // A disk keeps its times by the same clock as the installer that works on it.
    let make = |disk: Arc<dyn Disk>, world: World| {
        Installer::new(disk, "0123456789abcdef", "run1", world, Planted::default()).expect("valid names")
    };
    let world = ticking_world();
    block_on(run(make(Arc::new(SimDisk::new(SimOptions::default(), world.clone())), world)));
    let folder = tempfile::tempdir().expect("a temporary folder");
    let disk = RealDisk::open(folder.path(), RealOptions::default()).expect("opens");
    block_on(run(make(Arc::new(disk), World::real())));
}

async fn install(installer: &Installer, dest: &str, bytes: &[u8], expect: &Expect) -> Result<Installed> {
    let part = written(installer, &p(dest), bytes).await?;
    installer.install(part, &p(dest), expect).await
}

async fn read(installer: &Installer, path: &str) -> Option<Vec<u8>> {
    let file = installer.disk.open(&p(path)).await.ok()?;
    Some(file.read_at(0, 1 << 20).await.expect("reads").to_vec())
}

/// All paths of files and links, Tidelock's own included.
async fn files(installer: &Installer) -> Vec<String> {
    let (mut found, mut to_visit) = (Vec::new(), vec![RelPath::root()]);
    while let Some(dir) = to_visit.pop() {
        for item in installer.disk.read_dir(&dir).await.expect("lists") {
            let path = dir.join(std::str::from_utf8(&item.name).expect("text")).expect("valid");
            match item.stat.expect("stats").node {
                Node::Dir => to_visit.push(path),
                _ => found.push(path.to_string()),
            }
        }
    }
    found.sort();
    found
}

#[test]
fn a_new_file_brings_its_folders_and_metadata() {
    on_both(async |it| {
        let installed = install(&it, "a/b/c", b"one", &Expect::Absent).await.expect("installs");
        assert_eq!((installed.stat.mode, installed.stat.stamp.size, installed.trashed), (0o640, 3, None));
        assert_eq!(installed.stat.stamp.mtime_ns, 1_600_000_000_000_000_000);
        assert_eq!(it.disk.stat(&p("a/b/c")).await, Ok(Some(installed.stat)), "the stamp is the one that stays");
        assert_eq!(installed.dirs, [RelPath::root(), p("a"), p("a/b")]);
        assert_eq!(it.sync(installed.dirs).await, []);
        assert_eq!(files(&it).await, ["a/b/c"]);
    });
}

#[test]
fn replacing_keeps_the_old_one_in_the_trash() {
    on_both(async |it| {
        let first = install(&it, "a/f", b"one", &Expect::Absent).await.expect("installs").stat.stamp;
        let second = install(&it, "a/f", b"two", &Expect::Is(first)).await.expect("installs");
        assert_eq!(second.trashed, Some(p(".tidelock/trash/run1/a/f")));
        assert_eq!(it.disk.stat(&p("a/f")).await, Ok(Some(second.stat)));
        let third = install(&it, "a/f", b"three", &Expect::Is(second.stat.stamp)).await.expect("installs");
        assert_eq!(third.trashed, Some(p(".tidelock/trash/run1/a/f~2")));
        assert_eq!(it.sync(third.dirs).await, []);
        let all = [".tidelock/trash/run1/a/f", ".tidelock/trash/run1/a/f~2", "a/f"];
        assert_eq!(files(&it).await, all);
        assert_eq!(read(&it, all[0]).await.as_deref(), Some(&b"one"[..]));
        assert_eq!(read(&it, all[1]).await.as_deref(), Some(&b"two"[..]));
        let mode = it.disk.stat(&p(".tidelock")).await.expect("stats").expect("is there").mode;
        assert_eq!(mode, 0o700);
    });
}

#[test]
fn what_is_not_as_expected_stays() {
    on_both(async |it| {
        let first = install(&it, "f", b"one", &Expect::Absent).await.expect("installs").stat.stamp;
        assert_eq!(install(&it, "f", b"two", &Expect::Absent).await, Err(InstallError::Stale));
        for other in
            [LocalStamp { size: 9, ..first }, LocalStamp { mtime_ns: 9, ..first }, LocalStamp { change_ns: 9, ..first }]
        {
            assert_eq!(install(&it, "f", b"two", &Expect::Is(other)).await, Err(InstallError::Stale));
            assert_eq!(it.discard(&p("f"), &other).await, Err(InstallError::Stale));
            assert_eq!(it.rename_here(&p("f"), &p("g"), &other).await, Err(InstallError::Stale));
            let meta = Meta::default();
            assert_eq!(it.set_meta_here(&p("f"), &other, &meta, MetaScope::default()).await, Err(InstallError::Stale));
        }
        assert_eq!(install(&it, "n/f", b"two", &Expect::Is(first)).await, Err(InstallError::Stale));
        assert_eq!(it.discard(&p("none"), &first).await, Err(InstallError::Stale));
        assert_eq!(files(&it).await, ["f"]);
        assert_eq!(read(&it, "f").await.as_deref(), Some(&b"one"[..]));
        assert_eq!(it.disk.stat(&p("n")).await, Ok(None), "folders made for nothing are taken away");
    });
}

#[test]
fn links_replace_files_and_files_links() {
    on_both(async |it| {
        let file = install(&it, "f", b"one", &Expect::Absent).await.expect("installs").stat.stamp;
        let mut part = it.begin_link(&p("f"), b"../nowhere").await.expect("begins");
        let meta = Meta { mtime_ns: Some(5), ..Meta::default() };
        it.finish(&mut part, &meta, MetaScope::default()).await.expect("finishes");
        let link = it.install(part, &p("f"), &Expect::Is(file)).await.expect("installs");
        assert_eq!((link.stat.node, link.stat.stamp.mtime_ns), (Node::Link, 5));
        assert_eq!(it.disk.read_link(&p("f")).await, Ok(b"../nowhere".to_vec()));
        install(&it, "f", b"two", &Expect::Is(link.stat.stamp)).await.expect("installs");
        assert_eq!(read(&it, "f").await.as_deref(), Some(&b"two"[..]));
        assert_eq!(it.disk.read_link(&p(".tidelock/trash/run1/f~2")).await, Ok(b"../nowhere".to_vec()));
    });
}

#[test]
fn a_folder_is_neither_replaced_nor_discarded() {
    on_both(async |it| {
        let meta = Meta { mode: Some(0o750), ..Meta::default() };
        let dir = it.make_dir_here(&p("a/d"), &meta, MetaScope::default()).await.expect("makes");
        assert_eq!((dir.stat.mode, dir.dirs), (0o750, vec![p("a/d"), RelPath::root(), p("a")]));
        let again = it.make_dir_here(&p("a/d"), &Meta::default(), MetaScope::default()).await;
        assert_eq!(again, Err(InstallError::Stale));
        let expect = Expect::Is(dir.stat.stamp);
        assert_eq!(install(&it, "a/d", b"two", &expect).await, Err(InstallError::Stale));
        assert_eq!(it.discard(&p("a/d"), &dir.stat.stamp).await, Err(InstallError::Stale));
        let moved = it.rename_here(&p("a/d"), &p("b/d"), &dir.stat.stamp).await.expect("renames");
        assert_eq!(moved.dirs, [RelPath::root(), p("b"), p("a")]);
    });
}

#[test]
fn discarded_files_are_in_the_trash_and_empty_folders_go() {
    on_both(async |it| {
        let stamp = install(&it, "a/b/f", b"one", &Expect::Absent).await.expect("installs").stat.stamp;
        install(&it, "a/g", b"two", &Expect::Absent).await.expect("installs");
        let gone = it.discard(&p("a/b/f"), &stamp).await.expect("discards");
        assert_eq!(gone.trashed, p(".tidelock/trash/run1/a/b/f"));
        let removed = it.remove_empty_dirs_up(&p("a/b"), &|_| false).await;
        assert_eq!(removed, Ok(vec![p("a/b")]));
        assert_eq!(it.sync(gone.dirs).await, [], "a folder that is gone is synced by its parent");
        assert_eq!(files(&it).await, [".tidelock/trash/run1/a/b/f", "a/g"]);
        it.make_dir_here(&p("x/y/z"), &Meta::default(), MetaScope::default()).await.expect("makes");
        assert_eq!(it.remove_empty_dirs_up(&p("x/y/z"), &|dir| *dir == p("x")).await, Ok(vec![p("x/y/z"), p("x/y")]));
        assert_eq!(it.remove_empty_dirs_up(&p("a/g"), &|_| false).await, Ok(Vec::new()));
    });
}

#[test]
fn a_file_in_the_way_of_the_trash_is_walked_around() {
    on_both(async |it| {
        let stamp = install(&it, "a", b"one", &Expect::Absent).await.expect("installs").stat.stamp;
        it.discard(&p("a"), &stamp).await.expect("discards");
        let stamp = install(&it, "a/f", b"two", &Expect::Absent).await.expect("installs").stat.stamp;
        assert_eq!(it.discard(&p("a/f"), &stamp).await.expect("discards").trashed, p(".tidelock/trash/run1~2/a/f"));
        let name = "n".repeat(255);
        for _ in 0..3 {
            let stamp = install(&it, &name, b"x", &Expect::Absent).await.expect("installs").stat.stamp;
            it.discard(&p(&name), &stamp).await.expect("discards");
        }
        assert_eq!(files(&it).await.len(), 5);
    });
}

#[test]
fn without_a_trash_nothing_is_touched() {
    on_both(async |it| {
        let stamp = install(&it, "f", b"one", &Expect::Absent).await.expect("installs").stat.stamp;
        it.disk.make_link(&p(".tidelock"), b".").await.expect("links");
        let kind = |error: InstallError| match error {
            InstallError::Disk(error) => error.kind,
            other => panic!("{other}"),
        };
        let refused = install(&it, "f", b"two", &Expect::Is(stamp)).await.expect_err("no trash");
        assert_eq!(kind(refused), ErrorKind::Unsupported);
        assert_eq!(kind(it.discard(&p("f"), &stamp).await.expect_err("no trash")), ErrorKind::Unsupported);
        assert_eq!(files(&it).await, [".tidelock", "f"]);
        assert_eq!(read(&it, "f").await.as_deref(), Some(&b"one"[..]));
    });
}

#[test]
fn nothing_is_installed_through_a_link() {
    on_both(async |it| {
        it.disk.make_dir(&p("real"), 0o755).await.expect("makes");
        it.disk.make_link(&p("link"), b"real").await.expect("links");
        for dest in ["link/f", "link/new/f"] {
            let refused = install(&it, dest, b"x", &Expect::Absent).await;
            assert!(matches!(refused, Err(InstallError::Disk(_))), "{dest}");
        }
        assert_eq!(files(&it).await, ["link"]);
    });
}

#[test]
fn metadata_is_set_where_it_was_meant() {
    on_both(async |it| {
        let stamp = install(&it, "f", b"one", &Expect::Absent).await.expect("installs").stat.stamp;
        let meta = Meta { mtime_ns: Some(12), mode: Some(0o6755), ..Meta::default() };
        let stat = it.set_meta_here(&p("f"), &stamp, &meta, MetaScope::default()).await.expect("sets");
        assert_eq!((stat.mode, stat.stamp.mtime_ns), (0o755, 12));
        assert_eq!(it.disk.stat(&p("f")).await, Ok(Some(stat)));
    });
}

#[test]
fn leftovers_are_removed_or_kept_by_what_they_may_be() {
    on_both(async |it| {
        let mut part = it.begin(&p("d/f")).await.expect("begins");
        part.write(b"half").await.expect("writes");
        drop(part);
        let swap = p("d/.tidelock-tmp-swap-01234567-aa");
        let foreign = p("d/.tidelock-tmp-part-89abcdef-bb");
        for path in [&swap, &foreign] {
            it.disk.create(path).await.expect("creates").write(b"whole").await.expect("writes");
        }
        let leftovers: Vec<RelPath> = files(&it).await.iter().map(|path| p(path)).collect();
        let recovered = it.recover(&leftovers).await;
        let kept = p(".tidelock/trash/run1/d/recovered-aa");
        assert_eq!((recovered.removed.len(), recovered.failed.len()), (1, 0));
        assert_eq!(recovered.foreign, std::slice::from_ref(&foreign));
        assert_eq!(recovered.trashed, [(swap, kept.clone())]);
        assert_eq!(files(&it).await, [kept.to_string(), foreign.to_string()]);
        assert_eq!(it.recover(&leftovers).await.failed, [], "again is no harm");
    });
}

#[test]
fn an_unfinished_part_is_not_installed() {
    on_both(async |it| {
        let part = it.begin(&p("d/f")).await.expect("begins");
        assert!(matches!(it.install(part, &p("d/f"), &Expect::Absent).await, Err(InstallError::Disk(_))));
        let part = it.begin(&p("d/f")).await.expect("begins");
        it.abandon(part).await;
        assert_eq!(it.disk.read_dir(&RelPath::root()).await, Ok(Vec::new()));
    });
}

#[test]
fn a_disk_that_cannot_exchange_replaces_nothing() {
    let disk = SimDisk::new(SimOptions { can_exchange: false, ..SimOptions::default() }, ticking_world());
    disk.user_write(&p("f"), OLD).expect("writes");
    let stamp = disk.user_stat(&p("f")).expect("is there").stamp;
    let refused = block_on(install(&installer(&disk, Planted::default()), "f", NEW, &Expect::Is(stamp)));
    assert!(matches!(refused, Err(InstallError::Disk(Error { kind: ErrorKind::Unsupported, .. }))));
    assert_eq!(disk.user_read(&p("f")).as_deref(), Some(OLD));
    assert!(disk.tree().keys().all(|path| path.is_root() || !path.name().starts_with(".tidelock-tmp-")));
}
