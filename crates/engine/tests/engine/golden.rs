//! State files of every schema there ever was, opened by this program.
//!
//! One dump per schema version, written when that version was the newest and never
//! changed since. What a row of it says must still be what is read.

use rusqlite::Connection;
use std::path::Path;
use tidelock_core::entry::{BaseRow, Digest, Standing};
use tidelock_core::names::Kind;
use tidelock_core::path::Key;
use tidelock_engine::state::{Error, State};

const DUMPS: [&str; 1] = [include_str!("../golden/state-1.sql")];

fn version(file: &Path) -> i64 {
    let connection = Connection::open(file).expect("opens");
    connection.query_row("PRAGMA user_version", [], |row| row.get(0)).expect("has one")
}

fn row<'a>(rows: &'a [BaseRow], key: &str) -> &'a BaseRow {
    rows.iter().find(|row| row.key.as_str() == key).expect("is there")
}

#[test]
fn every_earlier_state_is_opened() {
    for (dump, number) in DUMPS.iter().zip(1..) {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("state.sqlite");
        Connection::open(&file).and_then(|connection| connection.execute_batch(dump)).expect("loads");
        assert_eq!(version(&file), number);
        let state = State::open(&file).expect("opens");
        let rows = state.page(None).expect("reads");
        let standings: Vec<_> = rows.iter().map(|row| (row.key.as_str(), row.standing)).collect();
        let expected = [
            ("d/", Standing::Agreed),
            ("empty/", Standing::Agreed),
            ("known", Standing::Known),
            ("lapsed", Standing::Lapsed),
            ("link.rclonelink", Standing::Agreed),
            ("moved", Standing::Agreed),
            ("old", Standing::Agreed),
            ("pruned", Standing::Pruned),
        ];
        assert_eq!(standings, expected, "schema {number}");
        let moved = row(&rows, "moved");
        let (here, there) = (moved.here.as_ref().expect("is here"), moved.there.as_ref().expect("is there"));
        assert_eq!(moved.digest, Some(Digest::of(b"one\n")));
        assert_eq!((here.stamp.size, here.stamp.mtime_ns, here.meta.mode), (4, 1_706_933_106_789_000_000, Some(0o644)));
        assert_eq!(there.meta.as_ref().and_then(|meta| meta.mtime_ns), Some(1_706_933_106_789_000_000));
        assert!(there.stamp.etag.starts_with("b3-") && there.stamp.modified_s.is_some());
        assert_eq!(row(&rows, "old").moved_to, Some(Key::new("moved")));
        let lapsed = row(&rows, "lapsed").here.as_ref().expect("is here");
        assert!(lapsed.racy && lapsed.meta.xattrs.as_ref().is_some_and(|all| all["user.a"] == b"b"));
        assert!(row(&rows, "pruned").here.is_none() && row(&rows, "known").there.is_none());
        assert_eq!(row(&rows, "link.rclonelink").kind, Kind::Link);
        assert_eq!(state.fact("mode").expect("reads").as_deref(), Some("push"));
        assert_eq!(state.uploads().expect("reads"), [("upload-1".to_owned(), Key::new("big"))]);
        assert_eq!(state.run_count().expect("reads"), 3);
        assert_eq!(state.events(0, 100).expect("reads").len(), 7);
        assert!(state.has_run("46489f299e872ce2").expect("reads"));
    }
}

/// Whoever changes the schema writes down what it was.
#[test]
fn there_is_a_dump_of_every_schema() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("state.sqlite");
    drop(State::open(&file).expect("makes it"));
    assert_eq!(version(&file), i64::try_from(DUMPS.len()).expect("small"));
    // And one from the future is left exactly as it is.
    let next = version(&file) + 1;
    Connection::open(&file).and_then(|it| it.pragma_update(None, "user_version", next)).expect("writes");
    let before = std::fs::read(&file).expect("reads");
    assert!(matches!(State::open(&file), Err(Error::Newer { found, .. }) if found == next));
    assert_eq!(std::fs::read(&file).expect("reads"), before);
}
