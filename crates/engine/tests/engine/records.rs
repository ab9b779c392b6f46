//! What is on record, and what travels with an object, is never more than was seen.

use crate::bench::{Bench, path};
use crate::scenarios::{assert_ok, assert_quiet, pairs};
use async_trait::async_trait;
use futures::executor::block_on;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tidelock_core::entry::Meta;
use tidelock_core::path::Key;
use tidelock_core::policy::{Compare, Preset};
use tidelock_engine::cycle::{Mode, run};
use tidelock_engine::disk::sim::{SimDisk, SimOptions};
use tidelock_engine::disk::{Disk as _, MetaScope};
use tidelock_engine::event::{Event, Listener};
use tidelock_engine::pair::{Pair, Settings};
use tidelock_engine::report::Ending;
use tidelock_remote::memory::{Etags, Memory, Profile, Support};
use tidelock_remote::open::{OpenOptions, stack};
use tidelock_remote::testing::faults::{Faulty, Gate, Script};
use tidelock_remote::testing::world::world;
use tidelock_remote::{
    Ability, Capabilities, Condition, Encryption, Object, ObjectMeta, Piece, Put, Remote as _, Unwatched,
};

/// A folder's mode on disk and on record.
type Modes = (u32, Option<u32>);

/// Does something at an event, once.
struct AtEvent<F>(fn(&Event) -> bool, Mutex<Option<F>>);

impl<F: FnOnce() + Send> Listener for AtEvent<F> {
    fn hear(&self, event: &Event) {
        let act = if self.0(event) { self.1.lock().expect("no panics").take() } else { None };
        act.into_iter().for_each(|act| act());
    }
}

fn with_listener(bench: &Bench, preset: Preset, listener: Arc<dyn Listener>) -> Pair {
    let mut pair = bench.pair(preset.policy());
    pair.settings.scan.owner = (1000, 1000);
    pair.listener = listener;
    pair
}

fn bench_with(profile: Profile) -> Bench {
    let (world, hand) = world(1);
    Bench::on(Memory::new(profile, world.clone()), world, hand, "laptop")
}

fn strings(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn seen(bench: &Bench, key: &str) -> Object {
    block_on(bench.bucket.head(&Key::new(key))).expect("answers").expect("is there")
}

fn user(bench: &Bench, key: &str) -> BTreeMap<String, String> {
    seen(bench, key).meta.expect("HEAD has it").user
}

/// Where times are coarse, a file rewritten right after it was read looks the same
/// for ever, however long the sending took.
#[test]
fn what_was_rewritten_while_it_was_sent_is_sent_again() {
    let mut bench = Bench::new();
    let options = SimOptions { grain_ns: 1_000_000_000, ..SimOptions::default() };
    bench.disk = SimDisk::new(options, bench.world.clone());
    bench.write("a", b"one");
    let (disk, hand) = (bench.disk.clone(), Arc::clone(&bench.hand));
    let before = bench.disk.user_stat(&path("a")).expect("there").stamp;
    let rewrite = move || {
        disk.user_write(&path("a"), b"two").expect("the user may write");
        hand.advance(Duration::from_secs(5));
    };
    let sending: fn(&Event) -> bool = |event| matches!(event, Event::Progress { .. });
    let listener = Arc::new(AtEvent(sending, Mutex::new(Some(rewrite))));
    assert_ok(&block_on(run(&with_listener(&bench, Preset::Push, listener), Mode::Execute)));
    assert_eq!(bench.disk.user_stat(&path("a")).expect("there").stamp, before, "no stamp tells");
    assert_eq!(bench.objects(), pairs(&[("a", "one")]));
    assert_ok(&bench.run(Preset::Push));
    assert_eq!(bench.objects(), pairs(&[("a", "two")]));
    assert_quiet(&bench, Preset::Push);
}

/// `--compare stamp` is about what was never agreed. What was, and whose time was put
/// back, is read.
#[test]
fn a_time_put_back_hides_nothing_from_a_comparison_by_stamp() {
    let bench = Bench::new();
    let by_stamp = |settings: &mut Settings| settings.policy.compare = Compare::Stamp;
    bench.write("a", b"one");
    assert_ok(&bench.run_with(Preset::Push, by_stamp));
    let mtime_ns = bench.disk.user_stat(&path("a")).expect("there").stamp.mtime_ns;
    bench.write("a", b"two");
    bench.disk.user_set_mtime(&path("a"), mtime_ns).expect("sets");
    assert_ok(&bench.run_with(Preset::Push, by_stamp));
    assert_eq!(bench.objects(), pairs(&[("a", "two")]));
}

/// A marker may ask for more than is set here: that is no change of the user's.
#[test]
fn a_marker_keeps_the_bits_that_are_not_restored() {
    let bench = Bench::new();
    let meta = ObjectMeta { user: strings(&[("mode", "042775")]), ..ObjectMeta::default() };
    bench.bucket.write(&Key::new("d/"), "", meta);
    for preset in [Preset::TwoWay, Preset::TwoWay, Preset::Push, Preset::Push] {
        assert_ok(&bench.run(preset));
        assert_eq!(bench.disk.user_stat(&path("d")).expect("there").mode, 0o775);
        assert_eq!(user(&bench, "d/")["mode"], "042775", "after {preset:?}");
    }
}

/// A folder is filled before it gets a mode that would lock us out. A run that dies in
/// between must not leave a row that makes the mode of that time the user's wish.
#[test]
fn a_folder_on_record_is_as_it_is_on_disk() {
    let bench = Bench::new();
    let meta = ObjectMeta { user: strings(&[("mode", "040555")]), ..ObjectMeta::default() };
    bench.bucket.write(&Key::new("d/"), "", meta);
    bench.put("d/a", "one");
    let modes: Arc<Mutex<Option<Modes>>> = Arc::default();
    let (disk, state, found) = (bench.disk.clone(), Arc::clone(&bench.state), Arc::clone(&modes));
    let note = move || {
        let row = state.row(&Key::new("d/")).expect("reads").expect("it is on record");
        let mode = disk.user_stat(&path("d")).expect("there").mode;
        *found.lock().expect("no panics") = Some((mode, row.here.and_then(|half| half.meta.mode)));
    };
    let told: fn(&Event) -> bool = |event| matches!(event, Event::Done { path, .. } if path == "d/");
    let listener = Arc::new(AtEvent(told, Mutex::new(Some(note))));
    assert_ok(&block_on(run(&with_listener(&bench, Preset::TwoWay, listener), Mode::Execute)));
    assert_eq!(*modes.lock().expect("no panics"), Some((0o755, Some(0o755))), "while it is filled");
    let row = bench.state.row(&Key::new("d/")).expect("reads").expect("it is on record");
    let mode = bench.disk.user_stat(&path("d")).expect("there").mode;
    assert_eq!((mode, row.here.and_then(|half| half.meta.mode)), (0o555, Some(0o555)), "in the end");
    assert_quiet(&bench, Preset::TwoWay);
    assert_eq!(user(&bench, "d/")["mode"], "040555");
}

#[test]
fn an_extended_attribute_that_was_removed_stays_removed() {
    let bench = Bench::new();
    let with_xattrs = |settings: &mut Settings| settings.scan.xattrs = true;
    let set = |names: &[(&str, &str)]| {
        let xattrs = names.iter().map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec())).collect();
        let id = bench.disk.user_stat(&path("a")).expect("there").stamp.file_id;
        let meta = Meta { xattrs: Some(xattrs), ..Meta::default() };
        bench.hand.advance(Duration::from_secs(1));
        block_on(bench.disk.set_meta(&path("a"), id, &meta, MetaScope::default())).expect("sets");
    };
    bench.write("a", b"one");
    set(&[("user.color", "red"), ("user.taste", "sour")]);
    assert_ok(&bench.run_with(Preset::Push, with_xattrs));
    assert_eq!(user(&bench, "a")["color"], "red");
    set(&[("user.taste", "sweet")]);
    let report = bench.run_with(Preset::Push, with_xattrs);
    assert_ok(&report);
    assert_eq!(report.metas, 1, "{report:#?}");
    let now = user(&bench, "a");
    assert_eq!((now.get("color"), now.get("taste").map(String::as_str)), (None, Some("sweet")));
    let there = bench.state.row(&Key::new("a")).expect("reads").and_then(|row| row.there?.meta?.xattrs);
    assert_eq!(there, Some([("user.taste".to_owned(), b"sweet".to_vec())].into()));
}

/// What other programs and people keep with an object outlives a change of its mode
/// and of its name.
#[test]
fn headers_keys_class_and_encryption_outlive_a_chmod_and_a_rename() {
    for source_checked in [Support::Honoured, Support::Ignored] {
        let bench = bench_with(Profile::aws().with(Ability::CopySourceIfMatch, source_checked));
        let headers =
            strings(&[("cache-control", "max-age=60"), ("content-encoding", "gzip"), ("content-language", "de")]);
        let meta = ObjectMeta {
            content_type: Some("text/x-odd".to_owned()),
            user: strings(&[("campaign", "spring"), ("mode", "0100644")]),
            headers: headers.clone(),
            encryption: Some(Encryption { bucket_key: true, ..Encryption::kms(Some("key/1".to_owned())) }),
        };
        let encryption = meta.encryption.clone();
        let body = bytes::Bytes::from_static(b"one");
        let put = Put {
            key: Key::new("a.html"),
            recipe: vec![Piece::Bytes { source: Arc::new(body), offset: 0, size: 3 }],
            meta,
            storage_class: Some("STANDARD_IA".to_owned()),
            condition: Condition::Absent,
        };
        block_on(bench.bucket.put(&put, &Unwatched)).expect("stores");
        bench.write("a.html", b"one");
        assert_ok(&bench.run(Preset::Push));
        let is_kept = |key: &str, mode: &str| {
            let object = seen(&bench, key);
            let meta = object.meta.expect("HEAD has it");
            assert_eq!(meta.headers, headers, "{key}");
            assert_eq!(meta.encryption, encryption, "{key}");
            assert_eq!(meta.content_type.as_deref(), Some("text/x-odd"), "{key}");
            assert_eq!((meta.user["campaign"].as_str(), meta.user["mode"].as_str()), ("spring", mode), "{key}");
            assert_eq!(object.storage_class.as_deref(), Some("STANDARD_IA"), "{key}");
        };
        bench.disk.user_chmod(&path("a.html"), 0o600).expect("changes");
        assert_ok(&bench.run(Preset::Push));
        is_kept("a.html", "0100600");
        bench.disk.user_rename(&path("a.html"), &path("b.txt")).expect("renames");
        assert_ok(&bench.run(Preset::Push));
        is_kept("b.txt", "0100600");
        assert_eq!(bench.objects(), pairs(&[("b.txt", "one")]));
        assert_quiet(&bench, Preset::Push);
    }
}

/// A type that was only a guess from the old name is guessed anew.
#[test]
fn a_rename_renews_a_guessed_type() {
    let bench = Bench::new();
    bench.write("a.txt", b"one");
    assert_ok(&bench.run(Preset::Push));
    bench.disk.user_rename(&path("a.txt"), &path("a.html")).expect("renames");
    assert_ok(&bench.run(Preset::Push));
    assert_eq!(seen(&bench, "a.html").meta.and_then(|meta| meta.content_type).as_deref(), Some("text/html"));
}

/// Where a place does not look at what it copies, its copy may be of other bytes than
/// the digest is of that it is given. An ETag that is a hash tells afterwards; without
/// one, the bytes are sent.
#[test]
fn what_is_copied_without_a_check_is_known_by_its_etag_or_sent() {
    for (etags, copies) in [(Etags::Md5, 2), (Etags::Opaque, 0)] {
        let unchecked = Profile::aws().with(Ability::CopySourceIfMatch, Support::Ignored);
        let bench = bench_with(Profile { etags, ..unchecked });
        bench.write("a", b"one");
        bench.write("b", b"two");
        assert_ok(&bench.run(Preset::Push));
        bench.disk.user_chmod(&path("a"), 0o600).expect("changes");
        bench.disk.user_rename(&path("b"), &path("c")).expect("renames");
        let report = bench.run(Preset::Push);
        assert_ok(&report);
        assert_eq!((bench.requests.snapshot().copy, report.uploaded), (copies, 2 - copies), "{report:#?}");
        assert_eq!(bench.objects(), pairs(&[("a", "one"), ("c", "two")]));
        for key in ["a", "c"] {
            let told = seen(&bench, key).meta.is_some_and(|meta| meta.user.contains_key("tidelock-digest"));
            assert_eq!(told, copies == 0, "a copy that was not checked bears no digest");
        }
        assert_quiet(&bench, Preset::Push);
        // Without a record, its ETag is what proves it the same.
        let fresh = bench.second("desktop");
        let report = fresh.run(Preset::Restore);
        assert_ok(&report);
        assert_eq!(fresh.files(), bench.files());
    }
}

/// Writes to the bucket between the look at a key and the write that follows it.
pub struct BetweenLookAndWrite<F>(AtomicBool, Mutex<Option<F>>);

impl<F> BetweenLookAndWrite<F> {
    pub fn new(act: F) -> Arc<Self> {
        Arc::new(Self(AtomicBool::new(false), Mutex::new(Some(act))))
    }
}

#[async_trait]
impl<F: FnOnce() + Send> Gate for BetweenLookAndWrite<F> {
    async fn pass(&self, what: &'static str) {
        match what {
            "head.done" => self.0.store(true, Ordering::Relaxed),
            "put" if self.0.load(Ordering::Relaxed) => {
                let act = self.1.lock().expect("no panics").take();
                act.into_iter().for_each(|act| act());
            }
            _ => {}
        }
    }
}

/// The source of a copy may become another object after it was looked at. Where the
/// place does not mind, the copy is of the wrong bytes: the right ones go over it, and
/// the new object under the old name stays.
#[test]
fn a_copy_of_another_version_is_sent_over() {
    for only_moves in [false, true] {
        let unchecked = Profile::aws().with(Ability::CopySourceIfMatch, Support::Ignored);
        let bench = bench_with(Profile { etags: Etags::Md5, ..unchecked });
        bench.write("a", b"ours");
        bench.write("stays", b"stays");
        assert_ok(&bench.run(Preset::Push));
        bench.disk.user_rename(&path("a"), &path("b")).expect("renames");
        let bucket = bench.bucket.clone();
        let swap = move || {
            bucket.write(&Key::new("a"), "evil".to_owned(), Default::default());
        };
        let gate = BetweenLookAndWrite::new(swap);
        let mut pair = bench.pair(Preset::Push.policy());
        pair.settings.scan.owner = (1000, 1000);
        pair.settings.only_moves = only_moves;
        let place = Arc::new(Faulty::new(Arc::new(bench.bucket.clone()), Script::new(&[]), gate));
        let opened = stack(place, "", Capabilities::default(), &OpenOptions::default(), bench.world.clone());
        pair.remote = opened.remote;
        bench.hand.advance(Duration::from_secs(10));
        let report = block_on(run(&pair, Mode::Execute));
        let told = opened.requests.snapshot();
        // The one deletion is that of the old object, which is refused.
        assert_eq!((told.copy, told.delete, report.uploaded), (1, 1, 1), "{report:#?}");
        assert_eq!(bench.objects(), pairs(&[("a", "evil"), ("b", "ours"), ("stays", "stays")]), "{only_moves}");
        assert_quiet(&bench, Preset::Push);
    }
}

/// What was sent in parts has another ETag once it was copied in one go. Where the place
/// does not check what it copies, the bytes here tell that both are of them.
#[test]
fn a_rename_of_what_was_sent_in_parts_is_no_upload() {
    let unchecked = Profile::aws().with(Ability::CopySourceIfMatch, Support::Ignored);
    let bench = bench_with(Profile { etags: Etags::Md5, ..unchecked });
    bench.write("a", &vec![7; 9 << 20]);
    assert_ok(&bench.run(Preset::Push));
    assert!(seen(&bench, "a").stamp.etag.ends_with("-2"));
    bench.disk.user_rename(&path("a"), &path("b")).expect("renames");
    let report = bench.run(Preset::Push);
    assert_eq!((report.moved, report.uploaded), (1, 0), "{report:#?}");
    assert!(!seen(&bench, "b").stamp.etag.contains('-'));
    assert_quiet(&bench, Preset::Push);
    // A change of its mode alone sends nothing either.
    bench.disk.user_chmod(&path("b"), 0o600).expect("changes");
    let report = bench.run(Preset::Push);
    assert_eq!((report.metas, report.uploaded), (1, 0), "{report:#?}");
}

/// Where nothing could tell which version was copied, whoever wants renames alone is told
/// that there was one, and nothing is copied or sent.
#[test]
fn moves_alone_never_send_and_say_why() {
    let unchecked = Profile::aws().with(Ability::CopySourceIfMatch, Support::Ignored);
    let bench = bench_with(Profile { etags: Etags::Opaque, ..unchecked });
    bench.write("a", b"ours");
    bench.write("stays", b"stays");
    assert_ok(&bench.run(Preset::Push));
    bench.disk.user_rename(&path("a"), &path("b")).expect("renames");
    let report = bench.run_with(Preset::Push, |settings| settings.only_moves = true);
    assert_eq!((report.ending(), report.uploaded), (Ending::Partial, 0), "{report:#?}");
    assert!(report.problems.iter().any(|it| it.path == "b" && it.what.contains("a sync sends it")), "{report:#?}");
    assert_eq!(bench.objects(), pairs(&[("a", "ours"), ("stays", "stays")]));
    assert_ok(&bench.run(Preset::Push));
    assert_eq!(bench.objects(), pairs(&[("b", "ours"), ("stays", "stays")]));
}

#[test]
fn a_conflict_copy_that_cannot_be_sent_is_told() {
    let bench = bench_with(Profile { segment_max_bytes: Some(10), ..Profile::aws() });
    bench.write("a.txt", b"first");
    assert_ok(&bench.run(Preset::TwoWay));
    bench.write("a.txt", b"ours");
    bench.put("a.txt", "theirs");
    let report = bench.run(Preset::TwoWay);
    assert_eq!(report.ending(), Ending::Failed, "{report:#?}");
    assert!(report.problems.iter().any(|problem| problem.what.contains("segment")), "{report:#?}");
    assert_eq!(bench.files().len(), 2);
}

/// Ours was put aside, theirs did not come, and then theirs was taken back: that our
/// name is free is our own doing, and no deletion.
#[test]
fn a_name_freed_for_theirs_is_no_deletion() {
    let bench = Bench::new();
    bench.write("a.txt", b"first");
    bench.write("stays", b"stays");
    assert_ok(&bench.run(Preset::TwoWay));
    bench.write("a.txt", b"ours");
    bench.put("a.txt", "theirs");
    assert!(bench.bucket.spoil(&Key::new("a.txt"), 0));
    assert_eq!(bench.run(Preset::TwoWay).ending(), Ending::Failed);
    bench.put("a.txt", "first");
    assert_ok(&bench.run(Preset::TwoWay));
    let contents: Vec<String> = bench.objects().into_iter().map(|(_, content)| content).collect();
    assert_eq!(contents, ["ours", "first", "stays"]);
    assert_eq!(bench.files(), bench.objects());
}

#[test]
fn bytes_found_here_by_an_etag_are_not_called_proved_by_digest() {
    let bench = Bench::new();
    bench.put("a", "one");
    assert_ok(&bench.run(Preset::TwoWay));
    bench.bucket.remove(&Key::new("a"));
    bench.put("b", "one");
    assert_ok(&bench.run_with(Preset::TwoWay, |settings| settings.confirm_deletes = true));
    let told = bench.ears.0.lock().expect("no panics").clone();
    let found = told.into_iter().find_map(|event| match event {
        Event::Done { path, evidence, bytes: 0, .. } if path == "b" => evidence,
        _ => None,
    });
    assert_eq!(found.as_deref(), Some("etag"));
}

#[test]
fn metadata_changed_on_both_sides_is_told() {
    let laptop = Bench::new();
    let desktop = laptop.second("desktop");
    laptop.write("a", b"one");
    assert_ok(&laptop.run(Preset::TwoWay));
    assert_ok(&desktop.run(Preset::TwoWay));
    assert_ok(&desktop.run(Preset::TwoWay));
    laptop.disk.user_chmod(&path("a"), 0o600).expect("changes");
    assert_ok(&laptop.run(Preset::TwoWay));
    assert_eq!(user(&laptop, "a")["mode"], "0100600");
    desktop.disk.user_chmod(&path("a"), 0o640).expect("changes");
    assert_ok(&desktop.run(Preset::TwoWay));
    assert_eq!(desktop.disk.user_stat(&path("a")).expect("there").mode, 0o600);
    let told = desktop.ears.0.lock().expect("no panics").clone();
    let told = told.iter().any(|event| matches!(event, Event::Note { text } if text.contains("changed on both sides")));
    assert!(told, "which one won is said");
}
