//! Nothing outside the root is ever touched, whatever names, links or races stand
//! in the way.

use super::*;
use std::sync::atomic::{AtomicBool, Ordering};

/// Everything a disk can be asked to do at a path. Fails where it should not.
async fn assault(disk: &dyn Disk, path: &RelPath, spare: &RelPath, id: FileId) -> Vec<(&'static str, bool)> {
    let meta = Meta { mtime_ns: Some(1), mode: Some(0o777), ..Meta::default() };
    let temp = path.parent().and_then(|dir| dir.join(".tidelock-tmp-x").ok()).expect("below the root");
    vec![
        ("open", disk.open(path).await.is_ok()),
        ("read_dir", disk.read_dir(&path.parent().expect("below the root")).await.is_ok()),
        ("read_link", disk.read_link(path).await.is_ok()),
        ("stat", disk.stat(path).await.is_ok_and(|stat| stat.is_some())),
        ("xattrs", disk.xattrs(path).await.is_ok()),
        ("create", disk.create(&path.parent().and_then(|dir| dir.join("new").ok()).expect("valid")).await.is_ok()),
        ("make_dir", disk.make_dir(&temp, 0o755).await.is_ok()),
        ("make_link", disk.make_link(&temp, b"x").await.is_ok()),
        ("rename away", disk.rename(path, &p("stolen")).await.is_ok()),
        ("rename into", disk.rename(spare, &temp).await.is_ok()),
        ("exchange", disk.exchange(spare, path).await.is_ok()),
        ("unlink", disk.unlink_temp(&temp).await.is_ok()),
        ("remove_dir", disk.remove_dir(path).await.is_ok()),
        ("set_meta", disk.set_meta(path, id, &meta, MetaScope { owner: true, privileged_bits: true }).await.is_ok()),
        ("sync_dir", disk.sync_dir(&path.parent().expect("below the root")).await.is_ok()),
    ]
}

/// What is in a folder: names, bytes, modes and times.
fn snapshot(folder: &std::path::Path) -> Vec<(PathBuf, Vec<u8>, u32, i64, i64)> {
    use std::os::unix::fs::MetadataExt;
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("lists").map(|entry| entry.expect("reads")) {
        let meta = std::fs::symlink_metadata(entry.path()).expect("stats");
        let bytes = if meta.is_file() { std::fs::read(entry.path()).expect("reads") } else { Vec::new() };
        found.push((entry.path(), bytes, meta.mode(), meta.mtime(), meta.mtime_nsec()));
    }
    found.sort();
    found
}

struct Outside {
    folder: tempfile::TempDir,
    id: FileId,
}

impl Outside {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for name in ["secret", ".tidelock-tmp-x"] {
            std::fs::write(folder.path().join(name), b"secret").expect("writes");
        }
        std::fs::create_dir(folder.path().join("empty")).expect("makes");
        let disk = RealDisk::open(folder.path(), RealOptions::default()).expect("opens");
        let id = block_on(disk.stat(&p("secret"))).expect("stats").expect("is there").stamp.file_id;
        Self { folder, id }
    }

    /// The way there from another temporary folder. Unlike an absolute link, it
    /// crosses no mount on the way.
    fn relative(&self) -> String {
        format!("../{}", self.folder.path().file_name().and_then(|name| name.to_str()).expect("text"))
    }
}

#[test]
fn no_call_goes_through_a_linked_folder() {
    for walking in [false, true] {
        let place = Real::new(walking);
        let outside = Outside::new();
        let before = snapshot(outside.folder.path());
        place.user_mkdir("in");
        place.user_write("spare", b"spare");
        let absolute = outside.folder.path().to_str().expect("text").to_owned();
        let relative =
            format!("../{}", outside.folder.path().file_name().and_then(|name| name.to_str()).expect("text"));
        place.user_link("absolute", &absolute);
        place.user_link("relative", &relative);
        place.user_link("in/up", &format!("../{relative}"));
        place.user_link("chain", "relative");
        place.user_link("inside", "in");
        place.user_link("proc", &format!("/proc/self/root{absolute}"));
        for folder in ["absolute", "relative", "in/up", "chain", "inside/up", "proc"] {
            for name in ["secret", "empty"] {
                let path = p(folder).join(name).expect("valid");
                for (call, worked) in block_on(assault(place.disk(), &path, &p("spare"), outside.id)) {
                    assert!(!worked, "{call} went through {path}");
                }
            }
        }
        assert_eq!(snapshot(outside.folder.path()), before);
        assert_eq!(place.user_read("spare").as_deref(), Some(&b"spare"[..]));
    }
}

#[test]
fn a_link_at_the_last_name_is_never_followed() {
    for walking in [false, true] {
        let place = Real::new(walking);
        let outside = Outside::new();
        let before = snapshot(outside.folder.path());
        place.user_link("l", outside.folder.path().join("secret").to_str().expect("text"));
        let disk = place.disk();
        let link = block_on(disk.stat(&p("l"))).expect("stats").expect("is there");
        assert_eq!(link.node, Node::Link);
        assert_eq!(kind(block_on(disk.open(&p("l")))), Some(ErrorKind::NotAFile));
        assert_eq!(kind(block_on(disk.create(&p("l")))), Some(ErrorKind::Exists));
        let meta = Meta { mtime_ns: Some(1), mode: Some(0o777), uid: Some(1), gid: Some(1), xattrs: None };
        let scope = MetaScope { owner: true, privileged_bits: true };
        assert_eq!(kind(block_on(disk.set_meta(&p("l"), outside.id, &meta, scope))), Some(ErrorKind::Changed));
        block_on(disk.set_meta(&p("l"), link.stamp.file_id, &meta, scope)).expect("sets the link's own");
        assert_eq!(snapshot(outside.folder.path()), before);
    }
}

/// Ends the other thread even when an assertion ends this one.
struct StopOnDrop<'a>(&'a AtomicBool);

impl Drop for StopOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// One thread turns a folder into a link out and back, another works beneath it.
#[test]
fn a_folder_that_becomes_a_link_meanwhile_leads_nowhere() {
    for walking in [false, true] {
        let place = Real::new(walking);
        let outside = Outside::new();
        let before = snapshot(outside.folder.path());
        place.user_mkdir("d");
        place.user_mkdir("d/empty");
        place.user_write("d/secret", b"own");
        place.user_link("l", &outside.relative());
        let over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let (d, l) = (place.at("d"), place.at("l"));
                while !over.load(Ordering::Relaxed) {
                    use rustix::fs::{CWD, RenameFlags};
                    rustix::fs::renameat_with(CWD, &d, CWD, &l, RenameFlags::EXCHANGE).expect("flips");
                }
            });
            let _stop = StopOnDrop(&over);
            for number in 0..2000 {
                let spare = p(&format!("spare{number}"));
                block_on(place.disk().create(&spare)).expect("creates");
                let path = if number % 2 == 0 { p("d/secret") } else { p("d/empty") };
                if let Ok(file) = block_on(place.disk().open(&path)) {
                    assert_ne!(&block_on(file.read_at(0, 99)).expect("reads")[..], b"secret");
                }
                block_on(assault(place.disk(), &path, &spare, outside.id));
                // Whatever was stolen goes back, when the folder is one just now.
                let _ = block_on(place.disk().rename(&p("stolen"), &path));
            }
        });
        assert_eq!(snapshot(outside.folder.path()), before);
    }
}

#[test]
fn reading_follows_links_only_when_told_to() {
    let outside = Outside::new();
    let before = snapshot(outside.folder.path());
    let place = Real::new(false);
    place.user_link("d", outside.folder.path().to_str().expect("text"));
    place.user_link("f", outside.folder.path().join("secret").to_str().expect("text"));
    place.user_link("dangling", "nowhere");
    let options = RealOptions { follow_links: true, cross_mounts: false };
    let disk = RealDisk::open(place.folder.path(), options).expect("opens");
    block_on(async {
        assert_eq!(read_all(&disk, "f").await, b"secret");
        assert_eq!(read_all(&disk, "d/secret").await, b"secret");
        assert_eq!(disk.read_dir(&p("d")).await.expect("lists").len(), 3);
        let node = |item: &DirItem| {
            (String::from_utf8_lossy(&item.name).into_owned(), item.stat.clone().map(|stat| stat.node))
        };
        let listed: BTreeMap<_, _> = disk.read_dir(&RelPath::root()).await.expect("lists").iter().map(node).collect();
        assert_eq!(listed["d"], Ok(Node::Dir));
        assert_eq!(listed["f"], Ok(Node::File));
        assert_eq!(listed["dangling"], Ok(Node::Link));
        assert_eq!(kind(disk.create(&p("d/new")).await), Some(ErrorKind::Escapes));
        assert_eq!(kind(disk.unlink_temp(&p("d/.tidelock-tmp-x")).await), Some(ErrorKind::Escapes));
    });
    assert_eq!(snapshot(outside.folder.path()), before);
}

#[test]
fn a_swapped_root_is_seen() {
    let parent = tempfile::tempdir().expect("a temporary folder");
    let root = parent.path().join("root");
    std::fs::create_dir(&root).expect("makes");
    let disk = RealDisk::open(&root, RealOptions::default()).expect("opens");
    let before = block_on(disk.root()).expect("is there");
    std::fs::rename(&root, parent.path().join("away")).expect("renames");
    assert_eq!(kind(block_on(disk.root())), Some(ErrorKind::NotFound));
    std::fs::write(&root, b"").expect("writes");
    assert_eq!(kind(block_on(disk.root())), Some(ErrorKind::NotADir));
    std::fs::remove_file(&root).expect("removes");
    std::fs::create_dir(&root).expect("makes");
    let after = block_on(disk.root()).expect("is there");
    assert_eq!(after.filesystem, before.filesystem);
    assert_ne!(after.dir, before.dir);
}

#[test]
fn pipes_are_special_and_never_opened_for_long() {
    let place = Real::new(false);
    let pipe = place.at("pipe");
    rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, rustix::fs::Mode::RUSR, 0).expect("makes");
    assert_eq!(block_on(place.disk().stat(&p("pipe"))).expect("stats").expect("is there").node, Node::Special);
    assert_eq!(kind(block_on(place.disk().open(&p("pipe")))), Some(ErrorKind::NotAFile));
}

/// A file system mounted below the root, gone again at the end.
struct Mounted(PathBuf);

impl Mounted {
    fn tmpfs(at: PathBuf) -> Self {
        let done = std::process::Command::new("mount").args(["-t", "tmpfs", "none"]).arg(&at).status().expect("runs");
        assert!(done.success());
        Self(at)
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

/// Mounting needs root. Anybody else's run says so in the file that `make test`
/// names, which counts as a skipped test and fails CI.
fn is_root() -> bool {
    if rustix::process::geteuid().is_root() {
        return true;
    }
    if let Ok(file) = std::env::var("TIDELOCK_SKIPPED") {
        std::fs::write(file, "mounts_are_crossed_only_when_told_to: needs root; run `sudo make test`\n")
            .expect("writes");
    }
    false
}

#[test]
fn mounts_are_crossed_only_when_told_to() {
    if !is_root() {
        return;
    }
    for walking in [false, true] {
        let place = Real::new(walking);
        place.user_mkdir("m");
        let _mounted = Mounted::tmpfs(place.at("m"));
        place.user_write("m/f", b"x");
        place.user_write("spare", b"spare");
        block_on(async {
            let disk = place.disk();
            let root = disk.root().await.expect("is there");
            let mount = disk.stat(&p("m")).await.expect("stats").expect("is there");
            assert!(mount.mount_point && mount.filesystem != root.filesystem);
            let id = mount.stamp.file_id;
            for (call, worked) in assault(disk, &p("m/f"), &p("spare"), id).await {
                assert!(!worked, "{call} crossed the mount");
            }
            assert_eq!(kind(disk.read_dir(&p("m")).await), Some(ErrorKind::Escapes));
            assert_eq!(kind(disk.stat(&p("m/f")).await), Some(ErrorKind::Escapes));
            let options = RealOptions { cross_mounts: true, follow_links: false };
            let crossing = RealDisk::open(place.folder.path(), options).expect("opens");
            assert_eq!(read_all(&crossing, "m/f").await, b"x");
            assert_eq!(crossing.stat(&p("m/f")).await.expect("stats").expect("is there").filesystem, mount.filesystem);
            assert_eq!(kind(crossing.rename(&p("m/f"), &p("f")).await), Some(ErrorKind::CrossDevice));
        });
        // Mounting over the root itself shows another root.
        let before = block_on(place.disk().root()).expect("is there");
        let _over = Mounted::tmpfs(place.folder.path().to_owned());
        assert_ne!(block_on(place.disk().root()).expect("is there").filesystem, before.filesystem);
    }
}
