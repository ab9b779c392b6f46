//! A full disk: the write fails as such, and what was there stays.

use super::*;
use std::process::Command;

const STORE: &str = "TIDELOCK_TEST_STORE";
const NAME: &str = "folder::tests::full::a_body_that_does_not_fit_changes_nothing";

#[tokio::test]
async fn a_full_database_changes_nothing() {
    let place = TempDir::new().unwrap();
    let folder = create(place.path());
    let old = noise(1, 100);
    let stamp = folder.put_bytes("a", &old, Condition::Absent).await.unwrap();
    drop(folder);
    let connection = schema::open(place.path(), OpenMode::Create).unwrap();
    connection.execute_batch("PRAGMA max_page_count = 1;").unwrap();
    let (bodies, _) = reconcile::run(&connection, place.path()).unwrap();
    let shared = Shared {
        path: place.path().to_owned(),
        readers: Readers::new(place.path()),
        places: Semaphore::new(READERS),
        writer: Some(Writer::start(connection, Log::new(place.path()), bodies.clone(), World::real()).unwrap()),
        bodies,
        lost: HashSet::default(),
        _lock: None,
    };
    let folder = Folder { shared: Arc::new(shared), problems: Vec::new() };
    // The smallest change fits into what there is; these do not.
    for bytes in [noise(2, SMALL_BYTES), noise(3, SMALL_BYTES)] {
        let full = folder.put_bytes("a", &bytes, Condition::Matches(stamp.clone())).await;
        assert_eq!(kind(full), ErrorKind::Full);
    }
    assert_eq!(folder.read("a").await.unwrap(), old);
    assert!(folder.delete(&[(key("a"), Condition::Matches(stamp))]).await[0].is_ok());
}

/// A limit on the size of files stands in for a full disk, which would take root
/// to make: both are errors of the write, and differ in the number alone. A shell
/// has to set it, so the test runs itself as that shell's child.
#[test]
fn a_body_that_does_not_fit_changes_nothing() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    if let Ok(place) = std::env::var(STORE) {
        return runtime.block_on(overfill(Path::new(&place)));
    }
    let place = TempDir::new().unwrap();
    let mut child = Command::new("sh");
    // One or two MiB, as the shell counts. Without the signal's default the write
    // fails instead of killing.
    child.args(["-c", "trap '' XFSZ; ulimit -f 2048; exec \"$@\"", "sh"]).arg(std::env::current_exe().unwrap());
    child.args([NAME, "--exact", "--nocapture", "--test-threads=1"]).env(STORE, place.path());
    let output = child.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(place.path().join("done").exists(), "the child did not run its part");
}

async fn overfill(place: &Path) {
    let root = place.join("store");
    let folder = create(&root);
    let old = noise(1, 500_000);
    let stamp = folder.put_bytes("a", &old, Condition::Absent).await.unwrap();
    let full = folder.put_bytes("a", &noise(2, BIG), Condition::Matches(stamp.clone())).await;
    assert_eq!(kind(full), ErrorKind::Full);
    assert_eq!(folder.read("a").await.unwrap(), old);
    assert_eq!(body_files(&root).len(), 1);
    folder.put_bytes("a", &noise(3, 400_000), Condition::Matches(stamp)).await.unwrap();
    fs::write(place.join("done"), "").unwrap();
}
