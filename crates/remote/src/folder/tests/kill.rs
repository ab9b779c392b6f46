//! Death before every mutating system call of one scenario.
//!
//! The test runs itself as a child that carries out the scenario and writes down,
//! durably, each operation that was acknowledged. The child is killed before its
//! n-th call, for every n until one survives. Each time the store must open again
//! and hold exactly what was acknowledged, or that and the whole of the one
//! operation that was under way, and no file that no row names.

use super::*;
use std::collections::BTreeMap;
use std::io::Write;
use std::process::Command;

const STORE: &str = "TIDELOCK_TEST_STORE";
const NAME: &str = "folder::tests::kill::every_kill_leaves_the_old_or_the_new";
const NAME_OF_MANY: &str = "folder::tests::kill::a_kill_amid_many_writers_loses_nothing_acknowledged";
/// Writers at once, and how often each writes.
const WRITERS: u64 = 8;
const ROUNDS: u64 = 6;

/// What the store should hold.
type Model = BTreeMap<String, (Bytes, ObjectMeta)>;

/// One operation of the scenario.
enum Operation {
    /// Opening it, which the first time makes it.
    Open,
    Put(&'static str, Vec<Part>, &'static str),
    Delete(&'static [&'static str]),
}

enum Part {
    New(Bytes),
    Old(&'static str, Range<usize>),
}

fn scenario() -> Vec<Operation> {
    use Operation::{Delete, Open, Put};
    use Part::{New, Old};
    let (first, second) = (noise(1, 40_000), noise(2, 50_000));
    vec![
        Open,
        Put("a", vec![New(first)], "1"),
        Put("b", vec![New(noise(3, 1000))], "1"),
        Put("c", vec![New(second)], "1"),
        Put("a", vec![New(noise(4, 30_000))], "2"),
        Put("copy", vec![Old("c", 0..50_000)], "1"),
        Put("c", vec![Old("c", 0..50_000)], "metadata"),
        Put("c", vec![Old("c", 0..20_000), New(noise(5, 25_000)), Old("a", 100..30_000)], "parts"),
        Open,
        Put("b", vec![New(noise(6, 500)), Old("b", 500..1000)], "small"),
        Delete(&["copy", "a"]),
        Put("a", vec![New(Bytes::new())], "again"),
        Delete(&["c"]),
        Open,
    ]
}

/// What the operations should have made.
fn model(operations: &[Operation]) -> Model {
    let mut model = Model::new();
    for operation in operations {
        match operation {
            Operation::Open => {}
            Operation::Put(name, parts, mark) => {
                let bytes = parts.iter().map(|part| match part {
                    Part::New(bytes) => bytes.clone(),
                    Part::Old(from, range) => model[*from].0.slice(range.clone()),
                });
                let bytes = bytes.collect::<Vec<Bytes>>().concat().into();
                model.insert((*name).to_owned(), (bytes, meta(mark)));
            }
            Operation::Delete(names) => names.iter().for_each(|name| drop(model.remove(*name))),
        }
    }
    model
}

fn meta(mark: &str) -> ObjectMeta {
    ObjectMeta { user: [("mark".to_owned(), mark.to_owned())].into(), ..ObjectMeta::default() }
}

#[test]
fn every_kill_leaves_the_old_or_the_new() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    if let Ok(place) = std::env::var(STORE) {
        return runtime.block_on(act(Path::new(&place)));
    }
    let scenario = scenario();
    let mut kills = 0_u32;
    loop {
        let place = TempDir::new().unwrap();
        let survived = run_child(NAME, place.path(), kills + 1);
        let acknowledged = fs::read(place.path().join("acknowledged")).map_or(0, |text| text.len());
        if survived {
            assert_eq!(acknowledged, scenario.len());
        }
        runtime.block_on(check(place.path(), &scenario, acknowledged, kills + 1));
        if survived {
            break;
        }
        kills += 1;
    }
    println!("killed {kills} times");
    assert!(kills > 60, "the kill hook was asked only {kills} times");
}

/// Runs a test of this module as a child that is killed; whether it survived.
fn run_child(name: &str, place: &Path, at: u32) -> bool {
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args([name, "--exact", "--nocapture", "--test-threads=1"]);
    child.env(STORE, place).env("TIDELOCK_KILL_AT", at.to_string()).env_remove("TIDELOCK_KILL_COUNT");
    let output = child.output().unwrap();
    let killed = std::os::unix::process::ExitStatusExt::signal(&output.status) == Some(9);
    assert!(killed || output.status.success(), "at {at}: {}", String::from_utf8_lossy(&output.stderr));
    !killed
}

/// The child: carries out the scenario, one acknowledged operation a byte.
async fn act(place: &Path) {
    let mut acknowledged = fs::File::create(place.join("acknowledged")).unwrap();
    let mut folder = None;
    for operation in scenario() {
        match operation {
            Operation::Open => {
                drop(folder.take());
                folder = Some(create(&place.join("store")));
            }
            Operation::Put(name, parts, mark) => put(folder.as_ref().unwrap(), name, parts, mark).await,
            Operation::Delete(names) => {
                let folder = folder.as_ref().unwrap();
                let mut items = Vec::new();
                for name in names {
                    let found = folder.head(&key(name)).await.unwrap().unwrap();
                    items.push((found.key, Condition::Matches(found.stamp)));
                }
                assert!(folder.delete(&items).await.iter().all(Result::is_ok));
            }
        }
        acknowledged.write_all(b".").unwrap();
        acknowledged.sync_all().unwrap();
        // Not a change of the store, but an instant worth dying at.
        crate::kill::point("acknowledged");
    }
}

async fn put(folder: &Folder, name: &str, parts: Vec<Part>, mark: &str) {
    let mut recipe = Vec::new();
    for part in parts {
        recipe.push(match part {
            Part::New(bytes) => outside(&bytes),
            Part::Old(from, range) => {
                let found = folder.head(&key(from)).await.unwrap().unwrap();
                copy(&key(from), &found.stamp, range.start as u64..range.end as u64)
            }
        });
    }
    let condition = match folder.head(&key(name)).await.unwrap() {
        Some(found) => Condition::Matches(found.stamp),
        None => Condition::Absent,
    };
    let put = Put { meta: meta(mark), ..request(&key(name), recipe, condition) };
    folder.put(&put, &Unwatched).await.unwrap();
}

/// Opens what a child left behind and compares.
async fn check(place: &Path, scenario: &[Operation], acknowledged: usize, at: u32) {
    let root = place.join("store");
    let folder = create(&root);
    assert_eq!(folder.problems(), [], "killed at {at}");
    let mut found = Model::new();
    for name in folder.keys().await {
        let meta = folder.head(&key(&name)).await.unwrap().unwrap().meta.unwrap();
        let bytes = folder.read(&name).await.unwrap();
        found.insert(name, (bytes, meta));
    }
    let under_way = scenario.len().min(acknowledged + 1);
    let allowed = [model(&scenario[..acknowledged]), model(&scenario[..under_way])];
    assert!(
        allowed.contains(&found),
        "killed at {at} after {acknowledged} acknowledged operations, found {:?}",
        found.iter().map(|(name, (bytes, meta))| (name, bytes.len(), meta)).collect::<Vec<_>>()
    );
    drop(folder);
    no_strays(&root, at);
}

/// Every body file has a row, every reference is counted, and nothing else is left.
fn no_strays(root: &Path, at: u32) {
    let connection = schema::reader(root).unwrap();
    let count = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
    let filed = count("SELECT count(*) FROM bodies WHERE filed = 1");
    assert_eq!(filed, body_files(root).len() as i64, "killed at {at}");
    let unused =
        "SELECT count(*) FROM bodies b WHERE refs <> (SELECT count(*) FROM extents WHERE body = b.id) OR refs = 0";
    assert_eq!(count(unused), 0, "killed at {at}");
    let loose = "SELECT count(*) FROM extents WHERE object NOT IN (SELECT id FROM objects)
                 OR body NOT IN (SELECT id FROM bodies)";
    assert_eq!(count(loose), 0, "killed at {at}");
    let bytes = "SELECT count(*) FROM small WHERE body NOT IN (SELECT id FROM bodies WHERE filed = 0)";
    assert_eq!(count(bytes), 0, "killed at {at}");
    assert!(!root.join(place::DATABASE_NEW).exists(), "killed at {at}");
}

/// Writers that share transactions, killed here and there. Which call comes when
/// is up to chance; what must hold is not.
#[test]
fn a_kill_amid_many_writers_loses_nothing_acknowledged() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(4).build().unwrap();
    if let Ok(place) = std::env::var(STORE) {
        return runtime.block_on(act_together(Path::new(&place)));
    }
    let mut killed = 0;
    for at in (20..).step_by(11) {
        let place = TempDir::new().unwrap();
        let survived = run_child(NAME_OF_MANY, place.path(), at);
        runtime.block_on(check_each(place.path(), at));
        if survived {
            break;
        }
        killed += 1;
    }
    assert!(killed > 10, "the kill hook struck only {killed} times");
}

/// What a writer writes in a round: a row, or a file.
fn text(writer: u64, round: u64) -> Bytes {
    noise(writer * 1000 + round, if (writer + round).is_multiple_of(3) { 200 } else { SMALL_BYTES + 200 })
}

async fn act_together(place: &Path) {
    let folder = Arc::new(create(&place.join("store")));
    let writers = (0..WRITERS).map(|writer| {
        let (folder, place) = (folder.clone(), place.to_owned());
        tokio::spawn(async move {
            let mut acknowledged = fs::File::create(place.join(writer.to_string())).unwrap();
            let mut condition = Condition::Absent;
            for round in 0..ROUNDS {
                let stored = folder.put_bytes(&writer.to_string(), &text(writer, round), condition).await.unwrap();
                acknowledged.write_all(b".").unwrap();
                condition = Condition::Matches(stored);
            }
        })
    });
    for writer in futures::future::join_all(writers).await {
        writer.unwrap();
    }
}

async fn check_each(place: &Path, at: u32) {
    let root = place.join("store");
    let folder = create(&root);
    assert_eq!(folder.problems(), [], "killed at {at}");
    for writer in 0..WRITERS {
        let acknowledged = fs::read(place.join(writer.to_string())).map_or(0, |text| text.len()) as u64;
        let found = match folder.read(&writer.to_string()).await {
            Ok(bytes) => Some(bytes),
            Err(error) if error.kind == ErrorKind::NotFound => None,
            Err(error) => panic!("killed at {at}: {error}"),
        };
        let last = acknowledged.checked_sub(1).map(|round| text(writer, round));
        let next = (acknowledged < ROUNDS).then(|| text(writer, acknowledged));
        assert!(found == last || (found.is_some() && found == next), "killed at {at}: {writer} after {acknowledged}");
    }
    drop(folder);
    no_strays(&root, at);
}
