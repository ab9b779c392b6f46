//! The store on a real disk: what it keeps, refuses, sweeps and survives.

mod full;
#[cfg(feature = "testing")]
mod kill;

use super::*;
use crate::testing::conformance::{Settings, conformance, names};
use crate::{Condition, Cursor, ObjectMeta, Piece, Readiness, Source, Unwatched};
use bytes::Bytes;
use futures::TryStreamExt;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use tempfile::TempDir;

const BIG: usize = 3 * 1024 * 1024 + 17;

fn key(text: &str) -> Key {
    Key::new(text.to_owned())
}

fn noise(seed: u64, size: usize) -> Bytes {
    let mut bytes = vec![0; size];
    let mut reader = blake3::Hasher::new().update(&seed.to_le_bytes()).finalize_xof();
    reader.fill(&mut bytes);
    bytes.into()
}

fn outside(bytes: &Bytes) -> Piece {
    Piece::Bytes { source: Arc::new(bytes.clone()), offset: 0, size: bytes.len() as u64 }
}

fn copy(key: &Key, stamp: &RemoteStamp, range: Range<u64>) -> Piece {
    let (offset, size) = (range.start, range.end - range.start);
    Piece::CopyOf { key: key.clone(), stamp: stamp.clone(), offset, size }
}

fn request(key: &Key, recipe: Vec<Piece>, condition: Condition) -> Put {
    Put { key: key.clone(), recipe, meta: ObjectMeta::default(), storage_class: None, condition }
}

fn create(path: &Path) -> Folder {
    open(World::real(), path, OpenMode::Create).expect("a store")
}

impl Folder {
    async fn put_bytes(&self, name: &str, bytes: &Bytes, condition: Condition) -> Result<RemoteStamp> {
        let put = request(&key(name), vec![outside(bytes)], condition);
        Ok(self.put(&put, &Unwatched).await?.stamp)
    }

    async fn read(&self, name: &str) -> Result<Bytes> {
        self.read_range(name, None).await
    }

    async fn read_range(&self, name: &str, range: Option<Range<u64>>) -> Result<Bytes> {
        let download = self.get(&key(name), range, None).await?;
        Ok(download.body.try_collect::<Vec<Bytes>>().await?.concat().into())
    }

    async fn keys(&self) -> Vec<String> {
        let page = self.list("", &Cursor::start()).await.expect("a page");
        assert_eq!(page.next, None);
        page.objects.iter().map(|object| object.key.as_str().to_owned()).collect()
    }
}

fn body_files(root: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![root.join(place::BODIES)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() { folders.push(path) } else { files.push(path) }
        }
    }
    files
}

fn kind<T>(result: Result<T>) -> ErrorKind {
    result.map(|_| ()).expect_err("an error").kind
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_is_a_remote() {
    let place = TempDir::new().unwrap();
    let folder = Arc::new(create(place.path()));
    let report = conformance(|| folder.clone(), &Settings::new(&World::real())).await;
    report.assert_clean();
    // It encrypts nothing, and says so.
    let not_offered: Vec<&str> = report.not_offered.iter().map(|(name, _)| *name).collect();
    assert_eq!(not_offered, ["encryption_round_trips"], "{report}");
    assert_eq!(report.passed.len() + not_offered.len(), names().len(), "{report}");
    assert_eq!(folder.keys().await, Vec::<String>::new());
    drop(folder);
    assert_eq!(body_files(place.path()), Vec::<PathBuf>::new());
}

#[tokio::test]
async fn what_is_put_is_there_after_reopening() {
    let place = TempDir::new().unwrap();
    let root = place.path().join("store");
    let (small, big) = (noise(1, 4096), noise(2, BIG));
    let folder = create(&root);
    assert_eq!(fs::metadata(&root).unwrap().permissions().mode() & 0o777, 0o700);
    let meta = ObjectMeta {
        content_type: Some("text/plain".to_owned()),
        user: [("mtime".to_owned(), "1.5".to_owned())].into(),
        ..ObjectMeta::default()
    };
    let put = Put {
        meta: meta.clone(),
        storage_class: Some("COLD".to_owned()),
        ..request(&key("dir/small"), vec![outside(&small)], Condition::Absent)
    };
    let stored = folder.put(&put, &Unwatched).await.unwrap();
    let stamp = folder.put_bytes("big", &big, Condition::Absent).await.unwrap();
    folder.put_bytes("empty", &Bytes::new(), Condition::Absent).await.unwrap();
    drop(folder);

    let folder = open(World::real(), &root, OpenMode::ReadWrite).unwrap();
    assert_eq!(folder.problems(), []);
    assert_eq!(folder.keys().await, ["big", "dir/small", "empty"]);
    assert_eq!(folder.read("big").await.unwrap(), big);
    assert_eq!(folder.read("empty").await.unwrap(), Bytes::new());
    assert_eq!(folder.read_range("big", Some(1_048_570..1_048_590)).await.unwrap(), big.slice(1_048_570..1_048_590));
    let found = folder.head(&key("dir/small")).await.unwrap().unwrap();
    assert_eq!((found.stamp, found.meta, found.storage_class), (stored.stamp, Some(meta), Some("COLD".to_owned())));
    assert_eq!(found.crc64nvme, Some(crc_fast::checksum(crc_fast::CrcAlgorithm::Crc64Nvme, &small)));
    assert_eq!(folder.head(&key("big")).await.unwrap().unwrap().stamp, stamp);
    assert_eq!(body_files(&root).len(), 1, "small bodies are rows");
    // Numbers go on, so nothing is written over.
    folder.put_bytes("other", &noise(3, BIG), Condition::Absent).await.unwrap();
    assert_eq!(folder.read("big").await.unwrap(), big);
}

#[tokio::test]
async fn copies_and_parts_share_bytes_until_the_last_goes() {
    let place = TempDir::new().unwrap();
    let folder = create(place.path());
    let (old, patch) = (noise(1, BIG), noise(2, 100_000));
    let size = BIG as u64;
    let stamp = folder.put_bytes("old", &old, Condition::Absent).await.unwrap();
    let copied = request(&key("copy"), vec![copy(&key("old"), &stamp, 0..size)], Condition::Absent);
    assert_eq!(folder.put(&copied, &Unwatched).await.unwrap().stamp.etag, stamp.etag);
    let recipe = vec![
        copy(&key("old"), &stamp, 0..1000),
        outside(&patch),
        copy(&key("old"), &stamp, 1000..2000),
        copy(&key("old"), &stamp, 2000..size),
    ];
    let new = [&old[..1000], &patch[..], &old[1000..]].concat();
    // Onto itself, too: what both states share stays.
    let patched = request(&key("old"), recipe, Condition::Matches(stamp.clone()));
    let patched = folder.put(&patched, &Unwatched).await.unwrap().stamp;
    assert_eq!(patched.size, new.len() as u64);
    assert_eq!(folder.read("old").await.unwrap(), new);
    let found = folder.head(&key("old")).await.unwrap().unwrap();
    assert_eq!(found.crc64nvme, Some(crc_fast::checksum(crc_fast::CrcAlgorithm::Crc64Nvme, &new)));
    assert_eq!(body_files(place.path()).len(), 2);
    let gone = folder.delete(&[(key("copy"), Condition::Matches(stamp.clone()))]).await;
    assert!(gone[0].is_ok());
    assert_eq!(folder.read("old").await.unwrap(), new);
    // Asked for a state that is no more.
    let stale = request(&key("new"), vec![copy(&key("old"), &stamp, 0..5)], Condition::Absent);
    assert_eq!(kind(folder.put(&stale, &Unwatched).await), ErrorKind::Precondition);
    let mut reader = folder.get(&key("old"), None, None).await.unwrap().body;
    let mut read = reader.try_next().await.unwrap().unwrap().to_vec();
    assert!(folder.delete(&[(key("old"), Condition::Matches(patched))]).await[0].is_ok());
    // Closing waits for the writer, and so for the files to be gone.
    drop(folder);
    assert_eq!(body_files(place.path()), Vec::<PathBuf>::new());
    while let Some(chunk) = reader.try_next().await.unwrap() {
        read.extend_from_slice(&chunk);
    }
    assert_eq!(read, new, "a reader keeps what it opened");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_writers_with_one_expectation_one_wins() {
    let place = TempDir::new().unwrap();
    let folder = Arc::new(create(place.path()));
    let mut stamp: Option<RemoteStamp> = None;
    for round in 0..8 {
        // Rows in one half of the rounds, files in the other.
        let size = if round % 2 == 0 { 100 } else { SMALL_BYTES + 100 };
        let writers = (0..16).map(|writer| {
            let (folder, condition) = (folder.clone(), stamp.clone().map_or(Condition::Absent, Condition::Matches));
            tokio::spawn(
                async move { folder.put_bytes("contested", &noise(round * 100 + writer, size), condition).await },
            )
        });
        let answers = futures::future::join_all(writers).await.into_iter().map(|answer| answer.unwrap());
        let (won, lost): (Vec<_>, Vec<_>) = answers.partition(Result::is_ok);
        assert_eq!(won.len(), 1, "round {round}");
        assert!(lost.into_iter().all(|answer| kind(answer) == ErrorKind::Precondition));
        stamp = won.into_iter().next().map(|answer| answer.unwrap());
        assert_eq!(folder.head(&key("contested")).await.unwrap().map(|found| found.stamp), stamp);
    }
    drop(folder);
    assert_eq!(body_files(place.path()).len(), 1, "the losers' bodies are gone");
}

#[tokio::test]
async fn a_failing_source_changes_nothing() {
    struct Moved(Bytes);
    #[async_trait]
    impl Source for Moved {
        async fn read(&self, offset: u64, size: usize) -> Result<Bytes> {
            self.0.read(offset, size).await
        }
        async fn seal(&self) -> Result<()> {
            Err(Error::new(ErrorKind::Source, "read", "it moved"))
        }
    }
    let place = TempDir::new().unwrap();
    let folder = create(place.path());
    let old = noise(1, 100);
    let stamp = folder.put_bytes("a", &old, Condition::Absent).await.unwrap();
    for size in [50, BIG] {
        let moved: Arc<dyn Source> = Arc::new(Moved(noise(2, size)));
        let piece = |size| Piece::Bytes { source: moved.clone(), offset: 0, size };
        for said in [size as u64, size as u64 + 1] {
            let put = request(&key("a"), vec![piece(said)], Condition::Matches(stamp.clone()));
            assert_eq!(kind(folder.put(&put, &Unwatched).await), ErrorKind::Source);
        }
    }
    assert_eq!(folder.read("a").await.unwrap(), old);
    assert_eq!(body_files(place.path()), Vec::<PathBuf>::new());
}

#[tokio::test]
async fn orphans_are_swept_and_strangers_left_alone() {
    let place = TempDir::new().unwrap();
    let folder = create(place.path());
    let bytes = noise(1, BIG);
    folder.put_bytes("a", &bytes, Condition::Absent).await.unwrap();
    drop(folder);
    let bodies = place.path().join(place::BODIES);
    let orphan = bodies.join(bodies::name(0x77));
    let strangers = [
        bodies.join("00/00/notes.txt"),
        bodies.join("00/00/0000000000777777"),
        bodies.join("mine"),
        place.path().join("mine"),
    ];
    for path in strangers.iter().chain([&orphan]) {
        fs::write(path, "x").unwrap();
    }
    let folder = create(place.path());
    assert!(!orphan.exists());
    assert!(strangers.iter().all(|path| path.exists()));
    assert_eq!(folder.problems().len(), 3);
    assert_eq!(folder.read("a").await.unwrap(), bytes);
}

#[tokio::test]
async fn lost_bytes_are_told_and_their_rows_kept() {
    let place = TempDir::new().unwrap();
    let folder = create(place.path());
    let bytes = noise(1, BIG);
    let mut stamps = Vec::new();
    for name in ["flipped", "lost", "short", "whole"] {
        stamps.push(folder.put_bytes(name, &noise(stamps.len() as u64, BIG), Condition::Absent).await.unwrap());
    }
    drop(folder);
    let mut files = body_files(place.path());
    files.sort();
    let mut flipped = fs::read(&files[0]).unwrap();
    flipped[BIG / 2] ^= 1;
    fs::write(&files[0], flipped).unwrap();
    fs::remove_file(&files[1]).unwrap();
    fs::write(&files[2], &bytes[..1000]).unwrap();

    let folder = create(place.path());
    let harmed: Vec<_> = folder.problems().iter().map(|problem| problem.key.clone().unwrap()).collect();
    assert_eq!(harmed, [key("lost"), key("short")]);
    assert_eq!(folder.keys().await, ["flipped", "lost", "short", "whole"]);
    for name in ["flipped", "lost", "short"] {
        let error = folder.read(name).await.unwrap_err();
        assert_eq!((error.kind, error.key.as_deref()), (ErrorKind::Corrupt, Some(name)));
    }
    let page = folder.list("", &Cursor::start()).await.unwrap();
    let lost: Vec<_> = page.objects.iter().filter(|object| object.readiness == Readiness::Lost).collect();
    assert_eq!(lost.iter().map(|object| object.key.as_str()).collect::<Vec<_>>(), ["lost", "short"]);
    assert_eq!(folder.head(&key("lost")).await.unwrap().unwrap().readiness, Readiness::Lost);
    assert_eq!(folder.head(&key("whole")).await.unwrap().unwrap().readiness, Readiness::Ready);
    // Whoever only reads sees it too.
    let beside = open(World::real(), place.path(), OpenMode::ReadOnly).unwrap();
    assert_eq!(beside.problems(), folder.problems());
    assert_eq!(beside.head(&key("short")).await.unwrap().unwrap().readiness, Readiness::Lost);
    // Copying a stretch that is not there is found out as well.
    let put = request(&key("new"), vec![copy(&key("lost"), &stamps[1], 0..5)], Condition::Absent);
    assert_eq!(kind(folder.put(&put, &Unwatched).await), ErrorKind::Corrupt);
    // The way out: write it again, or remove it.
    folder.put_bytes("lost", &bytes, Condition::Matches(stamps[1].clone())).await.unwrap();
    assert!(folder.delete(&[(key("short"), Condition::Matches(stamps[2].clone()))]).await[0].is_ok());
    assert_eq!(folder.read("lost").await.unwrap(), bytes);
    assert_eq!(folder.head(&key("lost")).await.unwrap().unwrap().readiness, Readiness::Ready);
    drop(folder);
    assert_eq!(create(place.path()).problems(), []);
}

#[test]
fn a_newer_schema_is_refused_unchanged() {
    let place = TempDir::new().unwrap();
    drop(create(place.path()));
    let database = place.path().join(place::DATABASE);
    let connection = rusqlite::Connection::open(&database).unwrap();
    connection.execute_batch("PRAGMA user_version = 2; PRAGMA journal_mode = DELETE;").unwrap();
    drop(connection);
    let before = snapshot(place.path());
    for mode in [OpenMode::Create, OpenMode::ReadWrite, OpenMode::ReadOnly] {
        let error = open(World::real(), place.path(), mode).err().expect("a refusal");
        assert_eq!(error.kind, ErrorKind::Config);
        assert!(error.message.contains("schema 2"), "{error}");
    }
    assert_eq!(snapshot(place.path()), before);
}

/// The files right inside a folder with their bytes.
fn snapshot(root: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let entries = fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> =
        entries.filter(|path| path.is_file()).map(|path| (path.clone(), fs::read(&path).unwrap())).collect();
    files.sort();
    files
}

#[test]
fn somebody_elses_folder_is_refused_untouched() {
    for (name, text) in
        [("photo.jpg", "x"), ("README", "my notes"), ("lock", "mine"), ("store.sqlite", "not a database")]
    {
        let place = TempDir::new().unwrap();
        fs::write(place.path().join(name), text).unwrap();
        let before = snapshot(place.path());
        let error = open(World::real(), place.path(), OpenMode::Create).err().expect("a refusal");
        assert_eq!(error.kind, ErrorKind::Config, "{name}: {error}");
        assert_eq!(snapshot(place.path()), before);
    }
}

#[test]
fn only_create_makes_a_store() {
    let place = TempDir::new().unwrap();
    for path in [place.path().to_owned(), place.path().join("missing")] {
        for mode in [OpenMode::ReadWrite, OpenMode::ReadOnly] {
            assert_eq!(kind(open(World::real(), &path, mode)), ErrorKind::NoBucket);
        }
    }
    assert_eq!(fs::read_dir(place.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn a_second_opener_is_told_who_holds_it_and_may_read() {
    let place = TempDir::new().unwrap();
    let folder = create(place.path());
    let error = open(World::real(), place.path(), OpenMode::ReadWrite).err().expect("a refusal");
    assert_eq!(error.kind, ErrorKind::InUse);
    assert!(error.message.contains(&std::process::id().to_string()), "{error}");
    let reader = open(World::real(), place.path(), OpenMode::ReadOnly).unwrap();
    let bytes = noise(1, BIG);
    let stamp = folder.put_bytes("a", &bytes, Condition::Absent).await.unwrap();
    assert_eq!(reader.read("a").await.unwrap(), bytes);
    assert_eq!(kind(reader.put_bytes("b", &bytes, Condition::Absent).await), ErrorKind::Denied);
    let refused = reader.delete(&[(key("a"), Condition::Matches(stamp))]).await;
    assert_eq!(kind(refused.into_iter().next().unwrap()), ErrorKind::Denied);
    drop((reader, folder));
    create(place.path());
}

#[tokio::test]
async fn a_write_given_up_leaves_nothing() {
    /// Gives some bytes and then keeps its reader waiting.
    struct Stuck(Bytes);
    #[async_trait]
    impl Source for Stuck {
        async fn read(&self, offset: u64, size: usize) -> Result<Bytes> {
            if offset > 0 {
                std::future::pending::<()>().await;
            }
            self.0.read(offset, size).await
        }
    }
    let place = TempDir::new().unwrap();
    let folder = create(place.path());
    let stuck = Piece::Bytes { source: Arc::new(Stuck(noise(1, BIG))), offset: 0, size: BIG as u64 };
    let put = request(&key("a"), vec![stuck], Condition::Absent);
    let mut writing = folder.put(&put, &Unwatched);
    while body_files(place.path()).is_empty() {
        assert!(futures::poll!(&mut writing).is_pending());
        tokio::task::yield_now().await;
    }
    drop(writing);
    while !body_files(place.path()).is_empty() {
        tokio::task::yield_now().await;
    }
    assert_eq!(folder.keys().await, Vec::<String>::new());
}

#[tokio::test]
async fn a_copy_looks_again_when_its_origin_was_written_anew_with_the_same_bytes() {
    let place = TempDir::new().unwrap();
    let folder = create(place.path());
    let bytes = noise(1, 100);
    let stamp = folder.put_bytes("a", &bytes, Condition::Absent).await.unwrap();
    let seen = folder.shared.readers.with("get", |open| rows::find(open, &key("a"))).unwrap().unwrap();
    let extents = folder.shared.readers.with("get", |open| rows::extents(open, seen.id)).unwrap();
    let again = folder.put_bytes("a", &bytes, Condition::Matches(stamp.clone())).await.unwrap();
    assert_eq!(again.etag, stamp.etag);
    // The job of a copy that looked before that.
    let job = apply::PutJob {
        key: key("copy"),
        id: folder.shared.bodies.number(),
        etag: stamp.etag.clone(),
        size: stamp.size,
        crc64: extent::crc64(&extents),
        meta: ObjectMeta::default(),
        storage_class: None,
        condition: Condition::Absent,
        extents,
        fresh: None,
        origins: vec![apply::Origin { key: key("a"), id: seen.id, etag: stamp.etag.clone() }],
    };
    let verdict = folder.shared.writer("put").unwrap().put(Box::new(job)).await.unwrap();
    assert!(matches!(verdict, writer::Verdict::Again(_)));
    assert_eq!(folder.keys().await, ["a"]);
    let copied = request(&key("copy"), vec![copy(&key("a"), &stamp, 0..100)], Condition::Absent);
    folder.put(&copied, &Unwatched).await.unwrap();
    assert_eq!(folder.read("copy").await.unwrap(), bytes);
}

#[tokio::test]
async fn listings_come_in_pages_and_in_the_order_of_bytes() {
    let place = TempDir::new().unwrap();
    let folder = create(place.path());
    let mut names: Vec<String> = (0..1100).map(|number| format!("many/{number:04}")).collect();
    names.extend(["Z", "a", "many", "many.txt", "many0", "é", "\u{ffff}", "\u{10000}", "nul\0nul"].map(str::to_owned));
    let nothing = Bytes::new();
    let puts = names.iter().map(|name| folder.put_bytes(name, &nothing, Condition::Absent));
    futures::future::try_join_all(puts).await.unwrap();
    names.sort();
    for prefix in ["", "many", "many/", "many/09", "é", "nobody", "\u{10000}"] {
        let mut cursor = Cursor::start();
        let mut found = Vec::new();
        loop {
            let page = folder.list(prefix, &cursor).await.unwrap();
            found.extend(page.objects.into_iter().map(|object| object.key.as_str().to_owned()));
            let Some(next) = page.next else { break };
            cursor = next;
        }
        let expected: Vec<_> = names.iter().filter(|name| name.starts_with(prefix)).cloned().collect();
        assert_eq!(found, expected, "{prefix:?}");
    }
    let after = folder.list("many/", &Cursor::after(&key("many/1098"))).await.unwrap();
    assert_eq!(after.objects.len(), 1);
}
