//! What a person names on a remote, removed and renamed: nothing goes that was not seen,
//! and nothing is lost between a copy and its deletion.

use crate::bench::Bench;
use crate::records::BetweenLookAndWrite;
use crate::scenarios::pairs;
use async_trait::async_trait;
use futures::executor::block_on;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tidelock_core::entry::Digest;
use tidelock_core::path::Key;
use tidelock_core::policy::{Deletes, Drift, Policy, Preset};
use tidelock_engine::cycle::Mode;
use tidelock_engine::cycle::named::{Doomed, Rename, Renames, delete_named, rename_named};
use tidelock_engine::disk::missing::Missing;
use tidelock_engine::event::Event;
use tidelock_engine::pair::Pair;
use tidelock_engine::report::{Ending, Report};
use tidelock_engine::state::State;
use tidelock_remote::memory::{Memory, Profile};
use tidelock_remote::open::{OpenOptions, stack};
use tidelock_remote::testing::faults::{Faulty, Gate, Script};
use tidelock_remote::testing::world::world;
use tidelock_remote::{Capabilities, Object, ObjectMeta};

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
    block_on(delete_named(mode, &[(pair, &Doomed { objects, prefixes })])).pop().expect("a report")
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

/// What is asked for at once is held against one guard, in however many places it lies, and
/// nothing goes before all of it was found.
#[test]
fn one_guard_holds_for_several_places() {
    let (one, other) = (Bench::new(), Bench::new());
    (0..11).for_each(|number| one.put(&format!("d/{number}"), "x"));
    (0..11).for_each(|number| other.put(&format!("d/{number}"), "x"));
    let mut pairs = [pair(&one), pair(&other)];
    let doomed = Doomed { objects: Vec::new(), prefixes: vec!["d/".to_owned()] };
    let delete = |mode, pairs: &[Pair; 2]| block_on(delete_named(mode, &[(&pairs[0], &doomed), (&pairs[1], &doomed)]));
    let planned = delete(Mode::DryRun, &pairs);
    assert_eq!(planned.iter().map(|report| report.planned.deletes_there).collect::<Vec<_>>(), [11, 11]);
    assert_eq!(planned[1].ending(), Ending::SafetyStop);
    assert_eq!(delete(Mode::Execute, &pairs)[0].ending(), Ending::SafetyStop);
    pairs[0].settings.max_delete = Some(21);
    assert_eq!(delete(Mode::Execute, &pairs)[0].ending(), Ending::SafetyStop);
    assert_eq!((one.objects().len(), other.objects().len()), (11, 11));
    pairs[0].settings.max_delete = Some(22);
    let done = delete(Mode::Execute, &pairs);
    assert_eq!(done.iter().map(|report| report.deleted_there).sum::<u64>(), 22);
}

/// A place that pins no copy may have copied another version: nothing is taken back.
#[test]
fn a_rename_of_what_changed_meanwhile_removes_nothing() {
    let (world, hand) = world(7);
    let bench = Bench::on(Memory::new(Profile::ignoring(), world.clone()), world, hand, "laptop");
    let proofs = [("tidelock-digest", format!("{}@1.5", Digest::of(b"seen"))), ("mtime", "1.5".to_owned())];
    let user = proofs.map(|(key, value)| (key.to_owned(), value)).into();
    bench.bucket.write(&Key::new("a"), "seen", ObjectMeta { user, ..Default::default() });
    let mut pair = pair(&bench);
    let renames = Renames::One(Box::new(Rename { from: seen(&pair, "a"), to: Key::new("b"), over: None }));
    let bucket = bench.bucket.clone();
    let gate = BetweenLookAndWrite::new(move || {
        let user = [("mtime".to_owned(), "1.5".to_owned())].into();
        bucket.write(&Key::new("a"), "newer", ObjectMeta { user, ..Default::default() });
    });
    let place = Arc::new(Faulty::new(Arc::new(bench.bucket.clone()), Script::new(&[]), gate));
    pair.remote = stack(place, "", Capabilities::default(), &OpenOptions::default(), bench.world.clone()).remote;
    let report = block_on(rename_named(&pair, Mode::Execute, &renames, false));
    assert_eq!((report.moved, report.ending()), (0, Ending::Partial), "{report:#?}");
    assert_eq!(bench.objects(), pairs(&[("a", "newer"), ("b", "newer")]));
    let problem = &report.problems[0];
    assert!(problem.path == "b" && problem.what.contains("a may have changed"), "{problem:?}");
    let user = seen(&pair, "b").meta.expect("has").user;
    assert!(!user.contains_key("tidelock-digest") && user["mtime"] == "1.5", "{user:?}");
}

#[test]
fn a_rename_copies_what_was_seen_and_then_removes_it() {
    for bench in benches() {
        let meta = [("mtime".to_owned(), "1.5".to_owned()), ("mine".to_owned(), "kept".to_owned())];
        let meta = tidelock_remote::ObjectMeta { user: meta.into(), ..Default::default() };
        bench.bucket.write(&Key::new("a"), "alpha", meta);
        ["moved", "taken", "there", "replaced"].iter().for_each(|key| bench.put(key, key));
        let pair = pair(&bench);
        let rename = |from: &str, to: &str, over: Option<&str>| {
            let over = over.map(|over| seen(&pair, over));
            Renames::One(Box::new(Rename { from: seen(&pair, from), to: Key::new(to), over }))
        };
        let renames = [
            rename("a", "b", None),
            rename("moved", "x", None),
            rename("taken", "there", None),
            rename("replaced", "y", None),
        ];
        // Between the look and the act.
        bench.put("moved", "changed meanwhile");
        let run = |rename| block_on(rename_named(&pair, Mode::Execute, rename, false));
        let reports: Vec<Report> = renames.iter().map(run).collect();
        let ends: Vec<(u64, Ending)> = reports.iter().map(|report| (report.moved, report.ending())).collect();
        assert_eq!(ends, [(1, Ending::Ok), (0, Ending::Partial), (0, Ending::Partial), (1, Ending::Ok)]);
        let left =
            [("b", "alpha"), ("moved", "changed meanwhile"), ("taken", "taken"), ("there", "there"), ("y", "replaced")];
        assert_eq!(bench.objects(), pairs(&left));
        let user = seen(&pair, "b").meta.expect("has").user;
        assert_eq!((user["mtime"].as_str(), user["mine"].as_str()), ("1.5", "kept"));
        let over = rename("taken", "there", Some("there"));
        let report = block_on(rename_named(&pair, Mode::Execute, &over, false));
        assert_eq!((report.moved, report.ending()), (0, Ending::SafetyStop), "{report:#?}");
        let report = block_on(rename_named(&pair, Mode::Execute, &over, true));
        assert_eq!((report.moved, report.ending()), (1, Ending::Ok), "{report:#?}");
        assert!(bench.objects().contains(&("there".to_owned(), "taken".to_owned())), "{:?}", bench.objects());
    }
}

fn below(pair: &Pair, old: &str, new: &str, overwrite: bool) -> Report {
    let renames = Renames::Below(old.to_owned(), new.to_owned());
    block_on(rename_named(pair, Mode::Execute, &renames, overwrite))
}

/// Does something before, or after, so many operations of a kind.
struct At<F>(&'static str, AtomicU64, F);

#[async_trait]
impl<F: Fn() -> bool + Send + Sync> Gate for At<F> {
    async fn pass(&self, what: &'static str) {
        if what == self.0 && self.1.fetch_sub(1, Ordering::SeqCst) == 1 && (self.2)() {
            futures::future::pending::<()>().await;
        }
    }
}

fn gated(bench: &Bench, pair: &mut Pair, gate: Arc<dyn Gate>) {
    let place = Arc::new(Faulty::new(Arc::new(bench.bucket.clone()), Script::new(&[]), gate));
    pair.remote = stack(place, "", Capabilities::default(), &OpenOptions::default(), bench.world.clone()).remote;
}

fn forty() -> Bench {
    let bench = Bench::new();
    (10..50).for_each(|number| bench.put(&format!("a/{number}"), &format!("text {number}")));
    bench
}

fn many(bench: &Bench) -> Pair {
    let mut pair = pair(bench);
    pair.settings.confirm_deletes = true;
    pair
}

fn keys_below(bench: &Bench, prefix: &str) -> usize {
    bench.objects().iter().filter(|(key, _)| key.starts_with(prefix)).count()
}

/// What was copied when somebody wants the run to end is brought to its end, and counted
/// as it is; the next run goes on.
#[test]
fn an_interrupted_rename_leaves_no_object_under_two_names() {
    let bench = forty();
    let mut first = many(&bench);
    let interrupted = Arc::clone(&first.interrupted);
    let gate = At("put.done", AtomicU64::new(5), move || {
        interrupted.store(true, Ordering::Relaxed);
        false
    });
    gated(&bench, &mut first, Arc::new(gate));
    let report = below(&first, "a/", "b/", false);
    let moved = keys_below(&bench, "b/");
    assert!((5..40).contains(&moved), "{moved}");
    assert_eq!((report.moved, report.ending()), (moved as u64, Ending::Interrupted), "{report:#?}");
    assert_eq!(bench.objects().len(), 40);
    let report = below(&many(&bench), "a/", "b/", false);
    assert_eq!((report.moved, report.ending()), (40 - moved as u64, Ending::Ok), "{report:#?}");
    assert_eq!((bench.objects().len(), keys_below(&bench, "b/")), (40, 40));
}

/// A run that was killed between the copies and the deletions is gone on with: its copies
/// are known, and nobody else's object, nor one that has another content, is.
#[test]
fn a_killed_rename_is_taken_up_by_the_next() {
    let killed = || {
        let bench = forty();
        let mut first = many(&bench);
        gated(&bench, &mut first, Arc::new(At("delete", AtomicU64::new(1), || true)));
        let renames = Renames::Below("a/".to_owned(), "b/".to_owned());
        let mut run = Box::pin(rename_named(&first, Mode::Execute, &renames, false));
        let mut turns = std::task::Context::from_waker(std::task::Waker::noop());
        (0..10_000).for_each(|_| assert!(run.as_mut().poll(&mut turns).is_pending()));
        drop(run);
        assert_eq!(bench.objects().len(), 80, "all was copied and nothing removed");
        bench
    };
    let bench = killed();
    let report = below(&many(&bench), "a/", "b/", false);
    assert_eq!((report.moved, report.ending()), (40, Ending::Ok), "{report:#?}");
    assert_eq!((bench.objects().len(), keys_below(&bench, "b/")), (40, 40));
    for (key, text) in [("b/17", "somebody else's"), ("a/17", "newer"), ("a/17", "text 17")] {
        let bench = killed();
        bench.put(key, text);
        let report = below(&many(&bench), "a/", "b/", false);
        let same = text == "text 17";
        assert_eq!(report.ending(), if same { Ending::Ok } else { Ending::SafetyStop }, "{key} {text}: {report:#?}");
        assert!(bench.objects().contains(&(key.replace("a/", if same { "b/" } else { "a/" }), text.to_owned())));
    }
    // Nor what a program rewrote that keeps all keys of an object: all it sets is the time.
    for (text, mtime_s) in [("text 99", None), ("longer text", None), ("text 17", Some("9.5"))] {
        let bench = killed();
        let mut meta = seen(&many(&bench), "b/17").meta.expect("has");
        meta.user.extend(mtime_s.map(|mtime| ("mtime".to_owned(), mtime.to_owned())));
        bench.bucket.write(&Key::new("b/17"), text, meta);
        assert_eq!(below(&many(&bench), "a/", "b/", false).ending(), Ending::SafetyStop, "{text}");
        assert!(bench.objects().contains(&("b/17".to_owned(), text.to_owned())));
    }
    // Nor does another state know them.
    let bench = Bench { state: Arc::new(State::in_memory(None).expect("opens")), ..killed() };
    assert_eq!(below(&many(&bench), "a/", "b/", false).ending(), Ending::SafetyStop);
}

/// Two listings side by side, also where a place lists in no order.
#[test]
fn what_has_a_new_name_already_is_found_in_the_listings() {
    for profile in [Profile::aws().tiny(), Profile::unordered().tiny()] {
        let (world, hand) = world(7);
        let bench = Bench::on(Memory::new(profile, world.clone()), world, hand, "laptop");
        for key in ["a/", "a/b", "a/d/e", "a/f", "a/x", "c/a", "c/d/e", "c/g", "c/x", "c/y", "d"] {
            bench.put(key, key);
        }
        let before = bench.objects();
        let report = below(&pair(&bench), "a/", "c/", false);
        assert_eq!((report.moved, report.ending()), (0, Ending::SafetyStop), "{report:#?}");
        assert_eq!(bench.objects(), before);
        let report = below(&pair(&bench), "a/", "c/", true);
        assert_eq!((report.moved, report.ending()), (5, Ending::Ok), "{report:#?}");
        let left = [
            ("c/", "a/"),
            ("c/a", "c/a"),
            ("c/b", "a/b"),
            ("c/d/e", "a/d/e"),
            ("c/f", "a/f"),
            ("c/g", "c/g"),
            ("c/x", "a/x"),
            ("c/y", "c/y"),
            ("d", "d"),
        ];
        assert_eq!(bench.objects(), pairs(&left));
    }
}

/// A copy in parts that a killed run began is given up by the next.
#[test]
fn what_a_killed_rename_began_is_given_up() {
    let bench = forty();
    bench.state.note_upload("upload", &Key::new("b/10")).expect("writes");
    assert_eq!(below(&many(&bench), "a/", "b/", false).moved, 40);
    assert_eq!(bench.state.uploads().expect("reads"), []);
}

/// What stays under both names is no rename, and said.
#[test]
fn a_rename_that_cannot_remove_the_old_name_is_not_counted() {
    let bench = forty();
    let mut first = many(&bench);
    let bucket = bench.bucket.clone();
    let gate = At("delete", AtomicU64::new(1), move || {
        bucket.write(&Key::new("a/20"), "newer", Default::default());
        false
    });
    gated(&bench, &mut first, Arc::new(gate));
    let report = below(&first, "a/", "b/", false);
    assert_eq!((report.moved, report.ending()), (39, Ending::Partial), "{report:#?}");
    let problem = &report.problems[0];
    assert!(problem.path == "b/20" && problem.what.contains("a/20 stays, too"), "{problem:?}");
    let told = bench.ears.0.lock().expect("no panics");
    assert_eq!(told.iter().filter(|event| matches!(event, Event::Done { .. })).count(), 39);
    assert_eq!(bench.objects().len(), 41);
}
