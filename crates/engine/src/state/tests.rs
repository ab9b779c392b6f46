use super::*;
use tidelock_core::entry::{Digest, FileId, LocalHalf, LocalStamp, Meta, RemoteHalf, RemoteStamp};
use tidelock_core::names::Kind;

fn row(key: &str) -> BaseRow {
    let stamp =
        LocalStamp { size: u64::MAX, mtime_ns: -5, change_ns: 7, file_id: FileId { inode: u64::MAX - 1, birth_ns: 9 } };
    let meta = Meta { mtime_ns: Some(-5), mode: Some(0o644), uid: Some(u32::MAX), gid: None, xattrs: None };
    BaseRow {
        key: Key::new(key),
        kind: Kind::Link,
        standing: Standing::Pruned,
        here: Some(LocalHalf { stamp, meta: meta.clone(), racy: true }),
        there: Some(RemoteHalf {
            stamp: RemoteStamp { etag: "e".into(), size: 3, modified_s: None },
            meta: Some(Meta { xattrs: Some([("user.a".to_owned(), vec![0, 255])].into()), ..meta }),
        }),
        digest: Some(Digest::of(b"x")),
        moved_to: Some(Key::new("z")),
    }
}

#[test]
fn rows_come_back_as_they_went_in_and_in_key_order() {
    let state = State::in_memory(None).expect("opens");
    let bare = BaseRow { here: None, there: None, digest: None, moved_to: None, ..row("a/b") };
    let changes = [row("a0"), bare.clone(), row("a"), row("é")].map(|row| Change::Put(Box::new(row)));
    state.commit(&changes).expect("commits");
    let keys: Vec<String> = state.page(None).expect("reads").iter().map(|row| row.key.to_string()).collect();
    assert_eq!(keys, ["a", "a/b", "a0", "é"]);
    assert_eq!(state.row(&Key::new("a/b")).expect("reads"), Some(bare));
    assert_eq!(state.row(&Key::new("é")).expect("reads"), Some(row("é")));
    assert_eq!(state.page(Some(&Key::new("a0"))).expect("reads").len(), 1);
}

#[test]
fn a_newer_schema_is_refused_unchanged() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("state.sqlite");
    drop(State::open(&file).expect("creates"));
    Connection::open(&file).expect("opens").execute_batch("PRAGMA user_version = 99").expect("sets");
    let before = std::fs::read(&file).expect("reads");
    assert!(matches!(State::open(&file), Err(Error::Newer { found: 99, .. })));
    assert_eq!(std::fs::read(&file).expect("reads"), before);
}

#[test]
fn a_damaged_file_is_told_apart() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("state.sqlite");
    std::fs::write(&file, b"this is not a database, whatever its name says").expect("writes");
    assert!(State::open(&file).err().expect("fails").is_corrupt());
}

#[test]
fn a_named_memory_outlives_a_connection() {
    let keeper = State::in_memory(Some("outlives")).expect("opens");
    let state = State::in_memory(Some("outlives")).expect("opens");
    state.commit(&[Change::Put(Box::new(row("a")))]).expect("commits");
    drop(state);
    assert_eq!(State::in_memory(Some("outlives")).expect("opens").count().expect("counts"), 1);
    drop(keeper);
}

#[test]
fn deletions_fall_out_of_the_hour() {
    let state = State::in_memory(None).expect("opens");
    state.note_deletes(5, 1_000).expect("notes");
    state.note_deletes(2, 3_000_000).expect("notes");
    assert_eq!(state.recent_deletes(3_000_001).expect("reads"), 7);
    assert_eq!(state.recent_deletes(3_700_000).expect("reads"), 2);
}

#[test]
fn only_what_changes_the_base_makes_another_generation() {
    let state = State::in_memory(None).expect("opens");
    let generation = |state: &State| state.generation().expect("reads");
    assert_eq!(generation(&state), "");
    let run = state.begin_run("token", "sync", 1).expect("begins");
    state.note_deletes(1, 1).expect("notes");
    state.turn(&[("mode", "push")], false).expect("writes");
    state.commit(&[]).expect("commits");
    state.end_run(run, 2, 5, None).expect("ends");
    assert_eq!(generation(&state), "");
    state.commit(&[Change::Put(Box::new(row("a"))), Change::Put(Box::new(row("b")))]).expect("commits");
    assert_eq!(generation(&state), "1 token");
    state.begin_run("later", "sync", 3).expect("begins");
    state.turn(&[("mode", "mirror")], true).expect("writes");
    state.commit(&[Change::Drop(Key::new("a"))]).expect("commits");
    assert_eq!(generation(&state), "3 later");
    // Another state, with as many changes.
    let other = State::in_memory(None).expect("opens");
    other.begin_run("other", "sync", 1).expect("begins");
    for _ in 0..3 {
        other.commit(&[Change::Put(Box::new(row("a")))]).expect("commits");
    }
    assert_eq!(generation(&other), "3 other");
}

#[test]
fn an_upload_is_on_record_before_and_after_it_has_an_id() {
    let state = State::in_memory(None).expect("opens");
    let (one, two) = (Key::new("one"), Key::new("two:x"));
    state.note_intent(&one, 1_000).expect("noted");
    state.note_intent(&two, 2_000).expect("noted");
    state.note_intent(&two, 3_000).expect("noted");
    assert_eq!(state.uploads().expect("readable"), []);
    let mut intents = state.intents().expect("readable");
    intents.sort();
    assert_eq!(intents, [(one.clone(), 1_000), (two.clone(), 2_000), (two.clone(), 3_000)]);
    state.note_upload("id", &one).expect("noted");
    state.forget_intents(&two).expect("forgotten");
    assert_eq!(state.intents().expect("readable"), []);
    assert_eq!(state.uploads().expect("readable"), [("id".to_owned(), one)]);
}

/// What is noted of a plan's renames ends with it.
#[test]
fn renames_are_noted_for_one_plan() {
    use tidelock_core::decide::{Change as Seen, Row, Sameness};
    use tidelock_core::plan::{Action, Step};
    let state = State::in_memory(None).expect("opens");
    let row = Row { standing: None, here: Seen::New, there: Seen::Never, same: Sameness::Unknown };
    let step = |key: &str, action| Step {
        key: Key::new(key),
        path: tidelock_core::path::RelPath::parse(key).expect("a path"),
        kind: Kind::File,
        action,
        row,
        here: None,
        there: None,
    };
    let spool = state.spool().expect("opens");
    for key in ["a", "b", "c"] {
        spool.push(&step(key, Action::Upload), true).expect("pushes");
    }
    let source = RemoteStamp { etag: "e".into(), size: 3, modified_s: None };
    let of = |from: &str| Action::Move { from: Key::new(from), source: source.clone(), digest: None, proved: false };
    let renames = [(1, step("a", of("x"))), (3, step("c", of("a")))];
    for ((seq, step), from) in renames.iter().zip(["x", "a"]) {
        spool.note_rename(*seq, &Key::new(from), step).expect("notes");
    }
    assert_eq!(spool.renames(0).expect("reads"), renames);
    assert_eq!(spool.renames(1).expect("reads"), renames[1..]);
    assert_eq!(spool.rename_to(&Key::new("c")).expect("reads"), Some(renames[1].1.clone()));
    assert_eq!(spool.rename_to(&Key::new("b")).expect("reads"), None);
    assert!(spool.is_renamed(&Key::new("a")).expect("reads") && !spool.is_renamed(&Key::new("c")).expect("reads"));
    spool.note_waiting(&Key::new("x")).expect("notes");
    spool.note_waiting(&Key::new("a")).expect("notes");
    spool.note_moved([Key::new("a")].iter()).expect("notes");
    state.commit(&[Change::Moved(Key::new("y"), Key::new("z"))]).expect("commits");
    let noted = |spool: &Spool<'_>| ["x", "a", "y", "b"].map(|key| spool.source(&Key::new(key)).expect("reads"));
    assert_eq!(noted(&spool), [Some(false), Some(true), Some(true), None]);
    let spool = state.spool().expect("opens");
    assert_eq!((spool.renames(0).expect("reads"), noted(&spool)), (Vec::new(), [None; 4]));
}
