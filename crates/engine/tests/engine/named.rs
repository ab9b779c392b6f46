//! What a person names on a remote, removed and renamed: nothing goes that was not seen,
//! and nothing is lost between a copy and its deletion.

use crate::bench::Bench;
use crate::records::BetweenLookAndWrite;
use crate::scenarios::pairs;
use futures::executor::block_on;
use std::sync::Arc;
use tidelock_core::path::Key;
use tidelock_core::policy::{Deletes, Drift, Policy, Preset};
use tidelock_engine::cycle::Mode;
use tidelock_engine::cycle::named::{Doomed, Rename, delete_named, rename_named};
use tidelock_engine::disk::missing::Missing;
use tidelock_engine::pair::Pair;
use tidelock_engine::report::{Ending, Report};
use tidelock_remote::memory::{Memory, Profile};
use tidelock_remote::open::{OpenOptions, stack};
use tidelock_remote::testing::faults::{Faulty, Script};
use tidelock_remote::testing::world::world;
use tidelock_remote::{Capabilities, Object};

/// Services that obey conditions, refuse them, and act as if they were not there.
fn benches() -> Vec<Bench> {
    [Profile::aws(), Profile::refusing(), Profile::ignoring()]
        .into_iter()
        .map(|profile| {
            let (world, hand) = world(7);
            Bench::on(Memory::new(profile, world.clone()), world, hand, "laptop")
        })
        .collect()
}

fn pair(bench: &Bench) -> Pair {
    let policy = Policy { deletes: Deletes::Propagate, drift: Drift::Leave, ..Preset::Push.policy() };
    let mut pair = bench.pair(policy);
    let place = Arc::new(bench.bucket.clone());
    pair.remote = stack(place, "", Capabilities::default(), &OpenOptions::default(), bench.world.clone()).remote;
    pair.disk = Arc::new(Missing);
    pair
}

fn seen(pair: &Pair, key: &str) -> Object {
    block_on(pair.remote.head(&Key::new(key))).expect("answers").expect("is there")
}

fn delete(pair: &Pair, mode: Mode, objects: Vec<Object>, prefixes: &[&str]) -> Report {
    let prefixes = prefixes.iter().map(|prefix| (*prefix).to_owned()).collect();
    block_on(delete_named(pair, mode, &Doomed { objects, prefixes }))
}

#[test]
fn only_the_version_that_was_seen_goes() {
    for bench in benches() {
        ["a", "b", "d/1", "d/2", "odd//key/../x"].iter().for_each(|key| bench.put(key, "old"));
        let pair = pair(&bench);
        let doomed = vec![seen(&pair, "a"), seen(&pair, "b"), seen(&pair, "odd//key/../x")];
        bench.put("b", "somebody else's");
        let planned = delete(&pair, Mode::DryRun, doomed.clone(), &["d/"]);
        assert_eq!((planned.planned.deletes_there, planned.deleted_there), (5, 0));
        assert_eq!(bench.objects().len(), 5, "a dry run removes nothing");
        let report = delete(&pair, Mode::Execute, doomed, &["d/"]);
        assert_eq!((report.deleted_there, report.ending()), (4, Ending::Partial), "{report:#?}");
        assert_eq!(bench.objects(), pairs(&[("b", "somebody else's")]));
    }
}

#[test]
fn many_below_a_name_stop() {
    let bench = Bench::new();
    (0..21).for_each(|number| bench.put(&format!("d/{number}"), "x"));
    let mut pair = pair(&bench);
    for mode in [Mode::DryRun, Mode::Execute] {
        assert_eq!(delete(&pair, mode, Vec::new(), &["d/"]).ending(), Ending::SafetyStop);
    }
    assert_eq!(bench.objects().len(), 21);
    pair.settings.max_delete = Some(21);
    assert_eq!(delete(&pair, Mode::Execute, Vec::new(), &["d/"]).deleted_there, 21);
}

/// A place that pins no copy may have copied another version: nothing is taken back.
#[test]
fn a_rename_of_what_changed_meanwhile_removes_nothing() {
    let (world, hand) = world(7);
    let bench = Bench::on(Memory::new(Profile::ignoring(), world.clone()), world, hand, "laptop");
    bench.put("a", "seen");
    let mut pair = pair(&bench);
    let renames = [Rename { from: seen(&pair, "a"), to: Key::new("b"), over: None }];
    let bucket = bench.bucket.clone();
    let gate = BetweenLookAndWrite::new(move || {
        bucket.write(&Key::new("a"), "newer", Default::default());
    });
    let place = Arc::new(Faulty::new(Arc::new(bench.bucket.clone()), Script::new(&[]), gate));
    pair.remote = stack(place, "", Capabilities::default(), &OpenOptions::default(), bench.world.clone()).remote;
    let report = block_on(rename_named(&pair, Mode::Execute, &renames, true));
    assert_eq!((report.moved, report.ending()), (0, Ending::Partial), "{report:#?}");
    assert_eq!(bench.objects(), pairs(&[("a", "newer"), ("b", "newer")]));
}

#[test]
fn a_rename_copies_what_was_seen_and_then_removes_it() {
    for bench in benches() {
        let meta = [("mtime".to_owned(), "1.5".to_owned()), ("mine".to_owned(), "kept".to_owned())];
        let meta = tidelock_remote::ObjectMeta { user: meta.into(), ..Default::default() };
        bench.bucket.write(&Key::new("a"), "alpha", meta);
        ["moved", "taken", "there", "replaced"].iter().for_each(|key| bench.put(key, key));
        let pair = pair(&bench);
        let rename = |from: &str, to: &str, over: Option<&str>| Rename {
            from: seen(&pair, from),
            to: Key::new(to),
            over: over.map(|over| seen(&pair, over)),
        };
        let renames = [
            rename("a", "b", None),
            rename("moved", "x", None),
            rename("taken", "there", None),
            rename("replaced", "y", None),
        ];
        // Between the look and the act.
        bench.put("moved", "changed meanwhile");
        let report = block_on(rename_named(&pair, Mode::Execute, &renames, true));
        assert_eq!((report.moved, report.deleted_there, report.ending()), (2, 0, Ending::Partial), "{report:#?}");
        let left =
            [("b", "alpha"), ("moved", "changed meanwhile"), ("taken", "taken"), ("there", "there"), ("y", "replaced")];
        assert_eq!(bench.objects(), pairs(&left));
        let user = seen(&pair, "b").meta.expect("has").user;
        assert_eq!((user["mtime"].as_str(), user["mine"].as_str()), ("1.5", "kept"));
        let over = [rename("taken", "there", Some("there"))];
        let report = block_on(rename_named(&pair, Mode::Execute, &over, true));
        assert_eq!((report.moved, report.ending()), (1, Ending::Ok), "{report:#?}");
        assert!(bench.objects().contains(&("there".to_owned(), "taken".to_owned())), "{:?}", bench.objects());
    }
}
