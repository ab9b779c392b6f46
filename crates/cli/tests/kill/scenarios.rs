//! One small scenario per operation.

use super::place::Place;
use std::collections::BTreeMap;

/// A run under test.
pub struct Scenario {
    pub name: &'static str,
    /// Sets everything up, up to the run.
    pub prepare: fn(&Place),
    /// The run: the same words heal it.
    pub run: &'static [&'static str],
    /// The exit code of a run that nothing disturbs.
    pub exit: i32,
    /// At least so many mutating calls are made, or the hook is not in the binary.
    pub calls: u64,
    /// What must be true at the end.
    pub check: fn(&Place, &str),
}

pub const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "upload",
        prepare: files,
        run: &["sync", "ONE", "STORE"],
        exit: 0,
        calls: 10,
        check: |place, what| assert_eq!(place.stored(), place.tree("one"), "{what}"),
    },
    Scenario {
        name: "overwrite there",
        prepare: |place| {
            synced(place);
            place.write("one/a", "another a");
            place.write("one/big", vec![b'c'; 30_000]);
        },
        run: &["sync", "ONE", "STORE"],
        exit: 0,
        calls: 4,
        check: |place, what| assert_eq!(place.stored(), place.tree("one"), "{what}"),
    },
    Scenario {
        name: "restore",
        prepare: synced,
        run: &["restore", "STORE", "TWO"],
        exit: 0,
        calls: 20,
        check: |place, what| assert_eq!(place.tree("two"), place.tree("one"), "{what}"),
    },
    Scenario {
        name: "restore --overwrite",
        prepare: |place| {
            synced(place);
            place.write("two/a", "the user's own");
            place.write("two/d/b", "the user's other");
        },
        run: &["restore", "STORE", "TWO", "--overwrite"],
        exit: 0,
        calls: 20,
        check: |place, what| {
            assert_eq!(place.tree("two"), place.tree("one"), "{what}");
            let trash = place.trash("two");
            for own in ["the user's own", "the user's other"] {
                assert!(trash.iter().any(|content| content == own), "{what}: {own:?} is lost: {trash:?}");
            }
        },
    },
    Scenario {
        name: "move",
        prepare: |place| {
            synced(place);
            place.rename("one/d", "one/moved");
            place.rename("one/a", "one/t");
            place.rename("one/big", "one/a");
            place.rename("one/t", "one/big");
        },
        run: &["sync", "ONE", "STORE"],
        exit: 0,
        calls: 4,
        check: |place, what| assert_eq!(place.stored(), place.tree("one"), "{what}"),
    },
    Scenario {
        name: "delete there",
        prepare: |place| {
            files(place);
            place.sync(&["sync", "ONE", "STORE", "--delete"]);
            place.remove("one/a");
            place.remove("one/d");
        },
        run: &["sync", "ONE", "STORE", "--delete"],
        exit: 0,
        calls: 2,
        check: |place, what| assert_eq!(place.stored(), place.tree("one"), "{what}"),
    },
    Scenario {
        name: "delete here",
        prepare: |place| {
            both_synced(place);
            place.remove("one/a");
            place.remove("one/d");
            place.sync(&["sync", "ONE", "STORE", "--two-way"]);
        },
        run: &["sync", "TWO", "STORE", "--two-way"],
        exit: 0,
        calls: 6,
        check: |place, what| {
            assert_eq!(place.tree("two"), place.tree("one"), "{what}");
            let trash = place.trash("two");
            for own in ["content of a", "content of b"] {
                assert!(trash.iter().any(|content| content == own), "{what}: {own:?} is lost: {trash:?}");
            }
        },
    },
    Scenario {
        name: "mirror",
        prepare: |place| {
            synced(place);
            place.write("two/stray", "only there");
            place.write("two/a", "drifted");
            place.sync(&["sync", "TWO", "STORE", "--conflict", "local"]);
            let _ = std::fs::remove_dir_all(place.at("state-one"));
        },
        run: &["sync", "ONE", "STORE", "--mirror"],
        exit: 0,
        calls: 4,
        check: |place, what| assert_eq!(place.stored(), place.tree("one"), "{what}"),
    },
    Scenario {
        name: "metadata",
        prepare: |place| {
            both_synced(place);
            place.chmod("one/a", 0o600);
            place.sync(&["sync", "ONE", "STORE", "--two-way"]);
        },
        run: &["sync", "TWO", "STORE", "--two-way"],
        exit: 0,
        calls: 2,
        check: |place, what| {
            assert_eq!(place.mode("two/a"), 0o600, "{what}");
            assert_eq!(place.tree("two"), place.tree("one"), "{what}");
        },
    },
    Scenario {
        name: "keep both",
        prepare: |place| {
            both_synced(place);
            place.write("one/a", "from one");
            place.write("two/a", "from two");
            place.sync(&["sync", "ONE", "STORE", "--two-way"]);
        },
        run: &["sync", "TWO", "STORE", "--two-way"],
        exit: 0,
        calls: 6,
        check: |place, what| {
            let tree = place.tree("two");
            for own in ["from one", "from two"] {
                assert!(tree.values().any(|content| content == own), "{what}: {own:?} is lost: {tree:?}");
            }
            assert_eq!(tree.get("a").map(String::as_str), Some("from one"), "{what}");
            assert_eq!(place.stored(), tree, "{what}");
        },
    },
    Scenario {
        name: "kind change",
        prepare: |place| {
            both_synced(place);
            place.remove("one/a");
            place.write("one/a/inside", "a is a folder now");
            place.remove("one/d");
            place.write("one/d", "d is a file now");
            place.sync(&["sync", "ONE", "STORE", "--two-way"]);
        },
        run: &["sync", "TWO", "STORE", "--two-way"],
        exit: 0,
        calls: 6,
        check: |place, what| assert_eq!(place.tree("two"), place.tree("one"), "{what}"),
    },
];

fn files(place: &Place) {
    place.write("one/a", "content of a");
    place.write("one/d/b", "content of b");
    place.write("one/d/e/f", "content of f");
    place.write("one/big", vec![b'b'; 20_000]);
    std::fs::create_dir(place.at("one/empty")).expect("makes");
    std::os::unix::fs::symlink("d/b", place.at("one/link")).expect("links");
    for number in 0..6 {
        place.write(&format!("one/more/{number}"), number.to_string());
    }
}

fn synced(place: &Place) {
    files(place);
    place.sync(&["sync", "ONE", "STORE"]);
}

fn both_synced(place: &Place) {
    files(place);
    place.sync(&["sync", "ONE", "STORE", "--two-way"]);
    place.sync(&["sync", "TWO", "STORE", "--two-way"]);
    let same: (BTreeMap<_, _>, BTreeMap<_, _>) = (place.tree("one"), place.tree("two"));
    assert_eq!(same.0, same.1);
}
