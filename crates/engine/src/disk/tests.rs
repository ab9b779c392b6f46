//! One suite of disk semantics, run on the real disk, on the real disk as an old
//! kernel would have it, and on the simulated one.

mod crash;
mod escape;

use super::real::{RealDisk, RealOptions};
use super::sim::{SimDisk, SimOptions};
use super::*;
use futures::executor::block_on;
use std::path::PathBuf;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;
use tidelock_remote::world::{Clock, Rng, Sleep, World};

/// A disk, and a user who works on it past Tidelock.
trait Place {
    fn disk(&self) -> &dyn Disk;
    fn user_write(&self, path: &str, bytes: &[u8]);
    fn user_mkdir(&self, path: &str);
    fn user_link(&self, path: &str, target: &str);
    fn user_chmod(&self, path: &str, mode: u32);
    fn user_read(&self, path: &str) -> Option<Vec<u8>>;
    /// Opens a file for writing; the answer closes it.
    fn user_open(&self, path: &str) -> Box<dyn FnOnce() + '_>;
}

struct Real {
    folder: tempfile::TempDir,
    disk: RealDisk,
}

impl Real {
    fn new(walking: bool) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let open = if walking { RealDisk::open_walking } else { RealDisk::open };
        let disk = open(folder.path(), RealOptions::default()).expect("opens");
        Self { folder, disk }
    }

    fn at(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }
}

impl Place for Real {
    fn disk(&self) -> &dyn Disk {
        &self.disk
    }
    fn user_write(&self, path: &str, bytes: &[u8]) {
        std::fs::write(self.at(path), bytes).expect("writes");
    }
    fn user_mkdir(&self, path: &str) {
        std::fs::create_dir(self.at(path)).expect("makes");
    }
    fn user_link(&self, path: &str, target: &str) {
        std::os::unix::fs::symlink(target, self.at(path)).expect("links");
    }
    fn user_chmod(&self, path: &str, mode: u32) {
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(self.at(path), std::fs::Permissions::from_mode(mode)).expect("sets");
    }
    fn user_read(&self, path: &str) -> Option<Vec<u8>> {
        std::fs::read(self.at(path)).ok()
    }
    fn user_open(&self, path: &str) -> Box<dyn FnOnce() + '_> {
        let file = std::fs::OpenOptions::new().append(true).open(self.at(path)).expect("opens");
        Box::new(move || drop(file))
    }
}

/// A world whose clock moves a microsecond whenever it is read, and in which
/// waiting takes no time.
pub(crate) fn ticking_world() -> World {
    struct Ticking(AtomicI64, AtomicU64);
    impl Clock for Ticking {
        fn wall_ns(&self) -> i64 {
            self.0.fetch_add(1_000, Ordering::SeqCst)
        }
        fn monotonic_ns(&self) -> u64 {
            u64::try_from(self.0.fetch_add(1_000, Ordering::SeqCst)).expect("after 1970")
        }
    }
    impl Rng for Ticking {
        fn next_u64(&self) -> u64 {
            self.1.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::SeqCst)
        }
    }
    #[async_trait]
    impl Sleep for Ticking {
        async fn sleep(&self, _duration: Duration) {}
    }
    let it = Arc::new(Ticking(AtomicI64::new(1_700_000_000_000_000_000), AtomicU64::new(1)));
    World { clock: it.clone(), rng: it.clone(), sleep: it }
}

struct Simulated(SimDisk);

impl Simulated {
    fn new() -> Self {
        Self(SimDisk::new(SimOptions::default(), ticking_world()))
    }
}

impl Place for Simulated {
    fn disk(&self) -> &dyn Disk {
        &self.0
    }
    fn user_write(&self, path: &str, bytes: &[u8]) {
        self.0.user_write(&p(path), bytes).expect("writes");
    }
    fn user_mkdir(&self, path: &str) {
        self.0.user_mkdir(&p(path)).expect("makes");
    }
    fn user_link(&self, path: &str, target: &str) {
        self.0.user_symlink(&p(path), target.as_bytes()).expect("links");
    }
    fn user_chmod(&self, path: &str, mode: u32) {
        self.0.user_chmod(&p(path), mode).expect("sets");
    }
    fn user_read(&self, path: &str) -> Option<Vec<u8>> {
        self.0.user_read(&p(path))
    }
    fn user_open(&self, path: &str) -> Box<dyn FnOnce() + '_> {
        let file = self.0.user_open(&p(path)).expect("opens");
        Box::new(move || self.0.user_close(file))
    }
}

fn p(path: &str) -> RelPath {
    RelPath::parse(path).expect("a valid path")
}

fn kind<T>(result: Result<T>) -> Option<ErrorKind> {
    result.err().map(|error| error.kind)
}

async fn write_new(disk: &dyn Disk, path: &str, bytes: &[u8]) -> Stat {
    let mut file = disk.create(&p(path)).await.expect("creates");
    file.write(bytes).await.expect("writes");
    file.sync().await.expect("syncs");
    file.stat().await.expect("stats")
}

async fn read_all(disk: &dyn Disk, path: &str) -> Vec<u8> {
    let file = disk.open(&p(path)).await.expect("opens");
    file.read_at(0, 1 << 20).await.expect("reads").to_vec()
}

macro_rules! on_every_disk {
    ($($(#[$doc:meta])* async fn $name:ident($place:ident: &dyn Place) $body:block)*) => {
        $(
            $(#[$doc])*
            mod $name {
                use super::*;
                async fn run($place: &dyn Place) $body
                #[test]
                fn real() {
                    block_on(run(&Real::new(false)));
                }
                #[test]
                fn simulated() {
                    block_on(run(&Simulated::new()));
                }
                #[test]
                fn real_without_openat2() {
                    block_on(run(&Real::new(true)));
                }
            }
        )*
    };
}

on_every_disk! {
    async fn creates_privately_and_reads_back(place: &dyn Place) {
        let disk = place.disk();
        let made = write_new(disk, "a", b"hello").await;
        assert_eq!((made.node, made.mode, made.stamp.size), (Node::File, 0o600, 5));
        assert_eq!(disk.stat(&p("a")).await.expect("stats"), Some(made));
        let file = disk.open(&p("a")).await.expect("opens");
        assert_eq!(&file.read_at(1, 3).await.expect("reads")[..], b"ell");
        assert_eq!(&file.read_at(3, 9).await.expect("reads")[..], b"lo");
        assert!(file.read_at(5, 9).await.expect("reads").is_empty());
        assert_eq!(file.stat().await.expect("stats"), made);
        assert_eq!(kind(disk.create(&p("a")).await), Some(ErrorKind::Exists));
        assert_eq!(kind(disk.create(&p("none/a")).await), Some(ErrorKind::NotFound));
        assert_eq!(kind(disk.create(&p("a/b")).await), Some(ErrorKind::NotADir));
    }

    async fn absence_is_not_an_error(place: &dyn Place) {
        let disk = place.disk();
        place.user_write("file", b"");
        place.user_link("link", ".");
        for path in ["none", "none/below", "file/below", "link/file"] {
            assert_eq!(disk.stat(&p(path)).await, Ok(None), "{path}");
        }
        assert_eq!(kind(disk.open(&p("none")).await), Some(ErrorKind::NotFound));
        assert_eq!(kind(disk.read_dir(&p("none")).await), Some(ErrorKind::NotFound));
        assert_eq!(kind(disk.read_dir(&p("file")).await), Some(ErrorKind::NotADir));
        assert_eq!(kind(disk.read_dir(&p("link")).await), Some(ErrorKind::NotADir));
    }

    async fn only_files_open(place: &dyn Place) {
        let disk = place.disk();
        place.user_mkdir("dir");
        place.user_link("link", "dir");
        assert_eq!(kind(disk.open(&p("dir")).await), Some(ErrorKind::NotAFile));
        assert_eq!(kind(disk.open(&p("link")).await), Some(ErrorKind::NotAFile));
        assert_eq!(kind(disk.read_link(&p("dir")).await), Some(ErrorKind::NotAFile));
        assert_eq!(disk.read_link(&p("link")).await, Ok(b"dir".to_vec()));
    }

    async fn folders_list_all_they_hold(place: &dyn Place) {
        let disk = place.disk();
        place.user_mkdir("d");
        place.user_mkdir("d/dir");
        place.user_link("d/link", "nowhere");
        for number in 0..300 {
            place.user_write(&format!("d/file{number}"), b"x");
        }
        let items = disk.read_dir(&p("d")).await.expect("lists");
        assert_eq!(items.len(), 302);
        for item in items {
            let stat = item.stat.expect("stats");
            let expected = match item.name.as_slice() {
                b"dir" => Node::Dir,
                b"link" => Node::Link,
                _ => Node::File,
            };
            let path = format!("d/{}", String::from_utf8(item.name).expect("text"));
            assert_eq!(stat.node, expected, "{path}");
            assert_eq!(disk.stat(&p(&path)).await, Ok(Some(stat)));
            assert_eq!(stat.filesystem, disk.root().await.expect("is there").filesystem);
        }
        assert_eq!(disk.read_dir(&RelPath::root()).await.expect("lists").len(), 1);
    }

    async fn rename_replaces_nothing(place: &dyn Place) {
        let disk = place.disk();
        let a = write_new(disk, "a", b"a").await;
        place.user_write("b", b"b");
        place.user_mkdir("d");
        assert_eq!(kind(disk.rename(&p("a"), &p("b")).await), Some(ErrorKind::Exists));
        assert_eq!(kind(disk.rename(&p("a"), &p("d")).await), Some(ErrorKind::Exists));
        assert_eq!(kind(disk.rename(&p("none"), &p("c")).await), Some(ErrorKind::NotFound));
        assert_eq!(kind(disk.rename(&p("a"), &p("none/c")).await), Some(ErrorKind::NotFound));
        assert_eq!(kind(disk.rename(&p("d"), &p("d/e")).await), Some(ErrorKind::Unsupported));
        disk.rename(&p("a"), &p("d/c")).await.expect("renames");
        let c = disk.stat(&p("d/c")).await.expect("stats").expect("is there");
        assert_eq!((c.stamp.file_id, c.stamp.mtime_ns), (a.stamp.file_id, a.stamp.mtime_ns));
        assert!(c.stamp.change_ns >= a.stamp.change_ns);
        assert_eq!(place.user_read("b").as_deref(), Some(&b"b"[..]));
        disk.rename(&p("d"), &p("e")).await.expect("renames a folder");
        assert_eq!(place.user_read("e/c").as_deref(), Some(&b"a"[..]));
    }

    async fn exchange_swaps_kinds_too(place: &dyn Place) {
        let disk = place.disk();
        place.user_write("a", b"a");
        place.user_mkdir("d");
        place.user_write("d/x", b"x");
        disk.exchange(&p("a"), &p("d")).await.expect("exchanges");
        assert_eq!(place.user_read("d").as_deref(), Some(&b"a"[..]));
        assert_eq!(place.user_read("a/x").as_deref(), Some(&b"x"[..]));
        assert_eq!(kind(disk.exchange(&p("a"), &p("none")).await), Some(ErrorKind::NotFound));
    }

    async fn an_open_file_outlives_its_name(place: &dyn Place) {
        let disk = place.disk();
        place.user_write("a", b"old");
        let file = disk.open(&p("a")).await.expect("opens");
        write_new(disk, ".tidelock-tmp-x", b"new").await;
        disk.exchange(&p(".tidelock-tmp-x"), &p("a")).await.expect("exchanges");
        disk.unlink_temp(&p(".tidelock-tmp-x")).await.expect("unlinks");
        assert_eq!(&file.read_at(0, 9).await.expect("reads")[..], b"old");
        assert_eq!(read_all(disk, "a").await, b"new");
    }

    async fn only_temporary_names_are_unlinked(place: &dyn Place) {
        let disk = place.disk();
        place.user_write("a", b"a");
        assert_eq!(kind(disk.unlink_temp(&p("a")).await), Some(ErrorKind::Denied));
        assert_eq!(place.user_read("a").as_deref(), Some(&b"a"[..]));
        assert_eq!(kind(disk.unlink_temp(&p(".tidelock-tmp-none")).await), Some(ErrorKind::NotFound));
    }

    async fn folders_come_and_go(place: &dyn Place) {
        let disk = place.disk();
        disk.make_dir(&p("d"), 0o700).await.expect("makes");
        assert_eq!(kind(disk.make_dir(&p("d"), 0o700).await), Some(ErrorKind::Exists));
        let stat = disk.stat(&p("d")).await.expect("stats").expect("is there");
        assert_eq!((stat.node, stat.mode, stat.stamp.size, stat.mount_point), (Node::Dir, 0o700, 0, false));
        place.user_write("d/x", b"");
        assert_eq!(kind(disk.remove_dir(&p("d")).await), Some(ErrorKind::NotEmpty));
        assert_eq!(kind(disk.remove_dir(&p("d/x")).await), Some(ErrorKind::NotADir));
        disk.make_dir(&p("e"), 0o755).await.expect("makes");
        disk.remove_dir(&p("e")).await.expect("removes");
        assert_eq!(disk.stat(&p("e")).await, Ok(None));
        disk.sync_dir(&p("d")).await.expect("syncs");
        assert_eq!(kind(disk.sync_dir(&p("d/x")).await), Some(ErrorKind::NotADir));
    }

    async fn metadata_is_set_on_the_file_that_was_meant(place: &dyn Place) {
        let disk = place.disk();
        let made = write_new(disk, "a", b"a").await;
        let meta = Meta { mtime_ns: Some(-1_500_000_001), mode: Some(0o4751), ..Meta::default() };
        let scope = MetaScope::default();
        let after = disk.set_meta(&p("a"), made.stamp.file_id, &meta, scope).await.expect("sets");
        assert_eq!((after.mode, after.stamp.mtime_ns), (0o751, -1_500_000_001), "never a set-id bit unasked");
        let with_bits = MetaScope { privileged_bits: true, ..scope };
        let after = disk.set_meta(&p("a"), made.stamp.file_id, &meta, with_bits).await.expect("sets");
        assert_eq!(after.mode, 0o4751);
        // Wider permissions on a file that has the bit would give privilege too.
        let wider = Meta { mode: Some(0o755), ..Meta::default() };
        let after = disk.set_meta(&p("a"), made.stamp.file_id, &wider, scope).await.expect("sets");
        assert_eq!(after.mode, 0o755);
        let old = LocalStamp { change_ns: 1, ..after.stamp };
        assert_eq!(kind(disk.set_meta_unchanged(&p("a"), &old, &meta, scope).await), Some(ErrorKind::Changed));
        let after = disk.set_meta_unchanged(&p("a"), &after.stamp, &meta, scope).await.expect("sets");
        assert_eq!((after.mode, after.stamp.mtime_ns), (0o751, -1_500_000_001));
        let other = FileId { inode: made.stamp.file_id.inode, birth_ns: made.stamp.file_id.birth_ns + 1 };
        assert_eq!(kind(disk.set_meta(&p("a"), other, &meta, scope).await), Some(ErrorKind::Changed));
    }

    async fn a_link_has_times_of_its_own(place: &dyn Place) {
        let disk = place.disk();
        place.user_write("a", b"a");
        let target = disk.stat(&p("a")).await;
        disk.make_link(&p("l"), b"a").await.expect("links");
        assert_eq!(kind(disk.make_link(&p("l"), b"a").await), Some(ErrorKind::Exists));
        let link = disk.stat(&p("l")).await.expect("stats").expect("is there");
        assert_eq!((link.node, link.stamp.size), (Node::Link, 1));
        let meta = Meta { mtime_ns: Some(7), mode: Some(0o600), ..Meta::default() };
        let after = disk.set_meta(&p("l"), link.stamp.file_id, &meta, MetaScope::default()).await.expect("sets");
        assert_eq!((after.stamp.mtime_ns, after.node), (7, Node::Link));
        assert_eq!(disk.stat(&p("a")).await, target);
    }

    async fn a_folder_keeps_its_special_bits(place: &dyn Place) {
        let disk = place.disk();
        place.user_mkdir("d");
        place.user_chmod("d", 0o2775);
        let stat = disk.stat(&p("d")).await.expect("stats").expect("is there");
        let meta = Meta { mode: Some(0o750), ..Meta::default() };
        let after = disk.set_meta(&p("d"), stat.stamp.file_id, &meta, MetaScope::default()).await.expect("sets");
        assert_eq!(after.mode, 0o2750);
    }

    async fn attributes_are_set_and_read(place: &dyn Place) {
        let disk = place.disk();
        let made = write_new(disk, "a", b"a").await;
        let wanted = BTreeMap::from([
            ("user.one".to_owned(), b"1".to_vec()),
            ("user.large".to_owned(), vec![7; 2000]),
            ("security.capability".to_owned(), b"never".to_vec()),
        ]);
        let set = |xattrs: BTreeMap<String, Vec<u8>>| Meta { xattrs: Some(xattrs), ..Meta::default() };
        let scope = MetaScope { owner: true, privileged_bits: true };
        disk.set_meta(&p("a"), made.stamp.file_id, &set(wanted), scope).await.expect("sets");
        let read = disk.xattrs(&p("a")).await.expect("reads").unwrap_or_default();
        assert_eq!(read.keys().map(String::as_str).collect::<Vec<_>>(), ["user.large", "user.one"]);
        assert_eq!(read["user.large"], vec![7; 2000]);
        let fewer = BTreeMap::from([("user.one".to_owned(), b"2".to_vec())]);
        disk.set_meta(&p("a"), made.stamp.file_id, &set(fewer.clone()), scope).await.expect("sets");
        assert_eq!(disk.xattrs(&p("a")).await, Ok(Some(fewer)));
    }

    async fn times_come_last(place: &dyn Place) {
        let disk = place.disk();
        let mut file = disk.create(&p("a")).await.expect("creates");
        file.write(b"abc").await.expect("writes");
        let meta = Meta {
            mtime_ns: Some(1_000_000_007),
            mode: Some(0o640),
            xattrs: Some(BTreeMap::from([("user.x".to_owned(), b"y".to_vec())])),
            ..Meta::default()
        };
        file.set_meta(&meta, MetaScope::default()).await.expect("sets");
        file.sync().await.expect("syncs");
        let stat = file.stat().await.expect("stats");
        assert_eq!((stat.stamp.mtime_ns, stat.mode), (1_000_000_007, 0o640));
        assert_eq!(disk.stat(&p("a")).await, Ok(Some(stat)));
    }

    async fn the_root_keeps_its_identity(place: &dyn Place) {
        let disk = place.disk();
        let before = disk.root().await.expect("is there");
        place.user_write("a", b"a");
        place.user_mkdir("d");
        assert_eq!(disk.root().await, Ok(before));
        assert_eq!(kind(disk.make_dir(&RelPath::root(), 0o755).await), Some(ErrorKind::Exists));
        let stat = disk.stat(&RelPath::root()).await.expect("stats").expect("is there");
        assert_eq!((stat.stamp.file_id, stat.filesystem), (before.dir, before.filesystem));
    }

    async fn a_writer_is_noticed(place: &dyn Place) {
        let disk = place.disk();
        place.user_write("a", b"a");
        assert_eq!(disk.is_being_written(&p("a")).await, Ok(false));
        let close = place.user_open("a");
        assert_eq!(disk.is_being_written(&p("a")).await, Ok(true));
        // Under another name too: it is the file that is written, not the name.
        disk.rename(&p("a"), &p("b")).await.expect("renames");
        assert_eq!(disk.is_being_written(&p("b")).await, Ok(true));
        close();
        assert_eq!(disk.is_being_written(&p("b")).await, Ok(false));
        assert_eq!(kind(disk.is_being_written(&p("a")).await), Some(ErrorKind::NotFound));
    }

    async fn only_the_trash_is_purged(place: &dyn Place) {
        let disk = place.disk();
        for dir in [".tidelock", ".tidelock/trash", ".tidelock/trash/run", ".tidelock/trashed"] {
            place.user_mkdir(dir);
        }
        let safe = ["a", ".tidelock/a", ".tidelock/trashed/a"];
        for path in safe.iter().chain(&[".tidelock/trash/run/a"]) {
            place.user_write(path, b"a");
        }
        place.user_link(".tidelock/trash/run/link", "../../../a");
        for path in safe {
            assert_eq!(kind(disk.purge(&p(path)).await), Some(ErrorKind::Denied), "{path}");
            assert_eq!(place.user_read(path), Some(b"a".to_vec()), "{path}");
        }
        for path in [".tidelock/trash/run/a", ".tidelock/trash/run/link"] {
            assert_eq!(disk.purge(&p(path)).await, Ok(()), "{path}");
            assert_eq!(disk.stat(&p(path)).await, Ok(None), "{path}");
        }
        assert!(disk.purge(&p(".tidelock/trash/run")).await.is_err());
        assert!(disk.capacity_bytes().await.expect("is known") > 1 << 20);
        assert_eq!(disk.sync_all().await, Ok(()));
    }
}

/// What was written meanwhile is not hidden by an older time.
#[test]
fn a_time_is_not_set_over_a_change() {
    use super::sys::meta::{self, Handle};
    use rustix::fd::AsFd;
    let place = Real::new(false);
    place.user_write("a", b"a");
    let seen = block_on(place.disk().stat(&p("a"))).expect("stats").expect("is there").stamp;
    place.user_write("a", b"longer");
    let fd = rustix::fs::open(place.at("a"), rustix::fs::OFlags::RDONLY, rustix::fs::Mode::empty()).expect("opens");
    let meta = Meta { mtime_ns: Some(3), ..Meta::default() };
    let set = meta::set(Handle::Open(fd.as_fd()), &meta, MetaScope::default(), Some(&seen));
    assert_eq!(set, Err(rustix::io::Errno::STALE));
    assert_ne!(block_on(place.disk().stat(&p("a"))).expect("stats").expect("is there").stamp.mtime_ns, 3);
}

/// A file that its owner may not read is reached by its place alone.
#[test]
fn metadata_can_be_set_without_opening() {
    use super::sys::meta::{self, Handle};
    use rustix::fd::AsFd;
    let place = Real::new(false);
    place.user_write("a", b"a");
    let fd = rustix::fs::open(place.at("a"), rustix::fs::OFlags::PATH, rustix::fs::Mode::empty()).expect("opens");
    let xattrs = BTreeMap::from([("user.a".to_owned(), b"b".to_vec())]);
    let meta = Meta { mtime_ns: Some(3), mode: Some(0o604), xattrs: Some(xattrs.clone()), ..Meta::default() };
    meta::set(Handle::Place(fd.as_fd()), &meta, MetaScope::default(), None).expect("sets");
    assert_eq!(meta::xattrs(Handle::Place(fd.as_fd())), Ok(xattrs));
    let stat = block_on(place.disk().stat(&p("a"))).expect("stats").expect("is there");
    assert_eq!((stat.mode, stat.stamp.mtime_ns), (0o604, 3));
}
