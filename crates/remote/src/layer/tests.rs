//! Each layer alone on a memory remote, most behind a bad network.

mod laws;
mod settle;

use super::*;
use crate::memory::{Memory, Profile};
use crate::open::{OpenOptions, stack};
use crate::testing::conformance::{Settings, conformance};
use crate::testing::faults::{Ajar, Fault, Faulty, Script};
use crate::testing::world::{Hand, world};
use crate::world::World;
use crate::{Ability, Capabilities, Cursor, ErrorKind, Remote, Result, Unwatched};
use bytes::Bytes;
use futures::FutureExt as _;
use futures::executor::block_on;
use std::sync::{Arc, Mutex};
use tidelock_core::backoff::{Backoff, Budget};

/// A mebibyte where its size does not matter.
const MIB: usize = 1 << 10;

fn key(text: &str) -> Key {
    Key::new(text)
}

fn put(name: &str, body: &str, condition: Condition) -> Put {
    let bytes = Bytes::from(body.to_owned());
    let recipe = vec![Piece::Bytes { offset: 0, size: bytes.len() as u64, source: Arc::new(bytes) }];
    Put { key: key(name), recipe, meta: ObjectMeta::default(), storage_class: None, condition }
}

fn attempt(name: &str, body: &str, condition: Condition, id: &str) -> Put {
    let mut request = put(name, body, condition);
    request.meta.user.insert(ATTEMPT.to_owned(), id.to_owned());
    request
}

fn kind<T>(result: Result<T>) -> Option<ErrorKind> {
    result.err().map(|error| error.kind)
}

/// A memory remote, a bad network, a retrying layer.
struct Bench {
    memory: Memory,
    faulty: Arc<Faulty>,
    script: Arc<Script>,
    retry: Retry,
    requests: Arc<Requests>,
    hand: Arc<Hand>,
}

fn bench(faults: &[(&'static str, Fault)]) -> Bench {
    let (world, hand) = world(3);
    let memory = Memory::new(Profile::versioned(), world.clone());
    let script = Script::new(faults);
    let faulty = Arc::new(Faulty::new(Arc::new(memory.clone()), script.clone(), Arc::new(Ajar)));
    let requests = Arc::new(Requests::default());
    let retry = retrying(faulty.clone(), &requests, world);
    Bench { memory, faulty, script, retry, requests, hand }
}

fn retrying(remote: Arc<dyn Remote>, requests: &Arc<Requests>, world: World) -> Retry {
    let budget = Arc::new(Mutex::new(Budget::default()));
    Retry::new(remote, Backoff::default(), budget, requests.clone(), world)
}

#[test]
fn every_layer_is_a_remote() {
    let (world, _) = world(1);
    let memory = Arc::new(Memory::new(Profile::versioned().with_mib(MIB), world.clone()));
    let bare = Arc::new(Memory::new(Profile::ignoring().with_mib(MIB), world.clone()));
    let requests = Arc::new(Requests::default());
    let bandwidth = Arc::new(crate::bandwidth::Bandwidth::new(world.clone(), 100 << 10));
    let layers: [(&str, Arc<dyn Remote>); 7] = [
        ("scope", Arc::new(Scope::new(memory.clone(), "some/where"))),
        ("observe", Arc::new(Observe::new(memory.clone(), requests.clone()))),
        ("throttle", Arc::new(Throttle::new(memory.clone(), bandwidth, true))),
        ("limit", Arc::new(Limit::new(memory.clone(), 3))),
        ("retry", Arc::new(retrying(memory.clone(), &requests, world.clone()))),
        ("condition", Arc::new(Emulated::new(memory.clone()))),
        ("condition on nothing", Arc::new(Emulated::new(bare.clone()))),
    ];
    for (name, layer) in layers {
        let report = block_on(conformance(|| layer.clone(), &Settings { mib: MIB, ..Settings::new(&world) }));
        println!("{name}: {report}");
        report.assert_clean();
        assert_eq!(report.not_offered.is_empty(), name != "condition on nothing", "{name}: {report}");
    }
    assert!(memory.snapshot().is_empty() && bare.snapshot().is_empty());
}

#[test]
fn a_scope_is_all_there_is() {
    let (world, _) = world(1);
    let memory = Memory::new(Profile { page_size: 2, ..Profile::aws() }, world);
    for name in ["p", "p-", "p/", "p/a", "p/b/c", "p/d", "p0", "q"] {
        memory.write(&key(name), name.to_owned(), ObjectMeta::default());
    }
    let scope = Scope::new(Arc::new(memory.clone()), "p");
    let (mut seen, mut cursor) = (Vec::new(), Cursor::start());
    loop {
        let page = block_on(scope.list("", &cursor)).expect("a page");
        seen.extend(page.objects.into_iter().map(|object| object.key.as_str().to_owned()));
        match page.next {
            Some(next) => cursor = next,
            None => break,
        }
        assert!(seen.len() <= 3, "{seen:?}");
    }
    assert_eq!(seen, ["a", "b/c", "d"]);
    let stamp = memory.snapshot()[&key("p/a")].2.clone();
    let mut copy = put("copy", "", Condition::Absent);
    copy.recipe = vec![Piece::CopyOf { key: key("a"), offset: 0, size: stamp.size, stamp }];
    block_on(scope.put(&copy, &Unwatched)).expect("copied");
    assert_eq!(memory.snapshot()[&key("p/copy")].0, b"p/a");
    let error = block_on(scope.put(&copy, &Unwatched)).expect_err("is there");
    assert_eq!((error.kind, error.key.as_deref()), (ErrorKind::Precondition, Some("copy")));
    assert_eq!(scope.describe(), "mem:p/");
}

#[test]
fn a_place_that_shows_what_lies_outside_is_not_believed() {
    struct Liar(Memory);
    #[async_trait::async_trait]
    impl Remote for Liar {
        async fn capabilities(&self, needed: &[Ability]) -> Result<crate::Capabilities> {
            self.0.capabilities(needed).await
        }
        async fn list(&self, _prefix: &str, cursor: &Cursor) -> Result<crate::Page> {
            self.0.list("", cursor).await
        }
        async fn head(&self, key: &Key) -> Result<Option<Object>> {
            self.0.head(key).await
        }
        async fn get(
            &self,
            key: &Key,
            range: Option<std::ops::Range<u64>>,
            stamp: Option<&RemoteStamp>,
        ) -> Result<crate::Download> {
            self.0.get(key, range, stamp).await
        }
        async fn put(&self, request: &Put, progress: &dyn crate::Progress) -> Result<crate::Stored> {
            self.0.put(request, progress).await
        }
        async fn delete(&self, items: &[(Key, Condition)]) -> Vec<Result<()>> {
            self.0.delete(items).await
        }
        async fn abandon(&self, key: &Key, upload_id: &str) -> Result<()> {
            self.0.abandon(key, upload_id).await
        }

        async fn abandon_begun(&self, key: &Key, began_ms: std::ops::Range<i64>) -> Result<()> {
            self.0.abandon_begun(key, began_ms).await
        }
        fn describe(&self) -> String {
            self.0.describe()
        }
    }
    let (world, _) = world(1);
    let memory = Memory::new(Profile::aws(), world);
    memory.write(&key("elsewhere"), "x", ObjectMeta::default());
    let scope = Scope::new(Arc::new(Liar(memory)), "p/");
    let error = block_on(scope.list("", &Cursor::start())).expect_err("outside");
    assert_eq!(error.kind, ErrorKind::Other);
}

#[test]
fn requests_and_bytes_are_counted() {
    let (world, _) = world(1);
    let memory = Memory::new(Profile { copy_max_bytes: 64, ..Profile::aws().tiny() }, world);
    let requests = Arc::new(Requests::default());
    let observe = Observe::new(Arc::new(memory), requests.clone());
    let stored = block_on(observe.put(&put("a", &"x".repeat(50), Condition::Absent), &Unwatched)).expect("stored");
    let mut copy = put("b", "", Condition::Absent);
    copy.recipe = vec![Piece::CopyOf { key: key("a"), offset: 0, size: 50, stamp: stored.stamp.clone() }];
    block_on(observe.put(&copy, &Unwatched)).expect("copied");
    assert!(block_on(observe.put(&copy, &Unwatched)).is_err());
    let download = block_on(observe.get(&key("b"), Some(3..30), None)).expect("opens");
    block_on(download.body.collect::<Vec<_>>());
    block_on(observe.list("", &Cursor::start())).expect("lists");
    block_on(observe.head(&key("a"))).expect("answers");
    let items = ["a", "none"].map(|name| (key(name), Condition::Matches(stored.stamp.clone())));
    block_on(observe.delete(&items));
    let expected = RequestCounts {
        list: 1,
        head: 1,
        get: 1,
        put: 1,
        copy: 2,
        delete: 1,
        uploads: 1,
        bytes_up: 50,
        bytes_down: 27,
        errors: 2,
        ..RequestCounts::default()
    };
    assert_eq!(requests.snapshot(), expected);
}

#[test]
fn no_more_at_once_than_the_limit_and_a_body_counts() {
    let (world, _) = world(1);
    let memory = Memory::new(Profile::aws(), world);
    memory.write(&key("a"), "body", ObjectMeta::default());
    let limit = Limit::new(Arc::new(memory), 2);
    let first = block_on(limit.get(&key("a"), None, None)).expect("opens");
    let second = block_on(limit.get(&key("a"), None, None)).expect("opens");
    let a = key("a");
    let mut third = limit.head(&a);
    assert!((&mut third).now_or_never().is_none());
    // Who asked first goes first.
    let mut fourth = limit.head(&a);
    assert!((&mut fourth).now_or_never().is_none());
    drop(first);
    assert!((&mut fourth).now_or_never().is_none());
    assert!((&mut third).now_or_never().is_some());
    assert!((&mut fourth).now_or_never().is_some());
    drop(second);
}

#[test]
fn read_only_changes_nothing() {
    let (world, _) = world(1);
    let memory = Memory::new(Profile::aws(), world);
    let stamp = memory.write(&key("a"), "body", ObjectMeta::default());
    let readonly = ReadOnly::new(Arc::new(memory.clone()));
    let before = memory.snapshot();
    let refusal = Some(ErrorKind::Config);
    let one = [(key("a"), Condition::Matches(stamp))];
    assert_eq!(kind(block_on(readonly.put(&put("b", "x", Condition::Absent), &Unwatched))), refusal);
    assert!(block_on(readonly.delete(&one)).into_iter().all(|answer| kind(answer) == refusal));
    assert_eq!(kind(block_on(readonly.abandon(&key("a"), "u"))), refusal);
    assert_eq!(kind(block_on(readonly.capabilities(&[Ability::PutIfAbsent]))), refusal);
    assert!(block_on(readonly.head(&key("a"))).expect("answers").is_some());
    assert_eq!(memory.snapshot(), before);
}

/// What an unguarded place does between a look and an act.
struct Meanwhile<F>(F);

#[async_trait::async_trait]
impl<F: Fn(&'static str) + Send + Sync> crate::testing::faults::Gate for Meanwhile<F> {
    async fn pass(&self, what: &'static str) {
        (self.0)(what);
    }
}

fn unguarded(meanwhile: impl Fn(&Memory, &'static str) + Send + Sync + 'static) -> (Memory, Emulated) {
    let (world, _) = world(1);
    let memory = Memory::new(Profile::ignoring(), world);
    let foreign = memory.clone();
    let gate = Arc::new(Meanwhile(move |what| meanwhile(&foreign, what)));
    let faulty = Faulty::new(Arc::new(memory.clone()), Script::new(&[]), gate);
    (memory, Emulated::new(Arc::new(faulty)))
}

#[test]
fn missing_conditions_are_made_up_for() {
    let (memory, emulated) = unguarded(|_, _| {});
    let stamp = memory.write(&key("a"), "theirs", ObjectMeta::default());
    let lost = Some(ErrorKind::Precondition);
    assert_eq!(kind(block_on(emulated.put(&put("a", "ours", Condition::Absent), &Unwatched))), lost);
    let other = RemoteStamp { etag: "other".to_owned(), ..stamp.clone() };
    assert_eq!(kind(block_on(emulated.put(&put("a", "ours", Condition::Matches(other.clone())), &Unwatched))), lost);
    let items = [
        (key("a"), Condition::Matches(other)),
        (key("none"), Condition::Matches(stamp.clone())),
        (key("a"), Condition::Absent),
    ];
    let answers: Vec<_> = block_on(emulated.delete(&items)).into_iter().map(kind).collect();
    assert_eq!(answers, [lost.clone(), Some(ErrorKind::NotFound), lost]);
    assert_eq!(memory.snapshot()[&key("a")].0, b"theirs");
    let stored = block_on(emulated.put(&put("a", "ours", Condition::Matches(stamp)), &Unwatched)).expect("stored");
    assert_eq!(kind(block_on(emulated.delete(&[(key("a"), Condition::Matches(stored.stamp))])).remove(0)), None);
    assert!(memory.snapshot().is_empty());
}

#[test]
fn a_write_that_another_follows_at_once_is_not_called_done() {
    let (memory, emulated) = unguarded(|memory, what| {
        if what == "put.done" {
            memory.write(&key("a"), "theirs", ObjectMeta::default());
        }
    });
    let result = block_on(emulated.put(&attempt("a", "ours", Condition::Absent, "r/1"), &Unwatched));
    assert_eq!(kind(result), Some(ErrorKind::Precondition));
    assert_eq!(memory.snapshot()[&key("a")].0, b"theirs");
}

#[test]
fn a_copy_whose_source_changes_meanwhile_is_not_called_done() {
    let (memory, emulated) = unguarded(|memory, what| {
        if what == "put" {
            memory.write(&key("from"), "longer", ObjectMeta::default());
        }
    });
    let stamp = memory.write(&key("from"), "these", ObjectMeta::default());
    let mut copy = put("to", "", Condition::Absent);
    copy.recipe = vec![Piece::CopyOf { key: key("from"), offset: 0, size: stamp.size, stamp }];
    assert_eq!(kind(block_on(emulated.put(&copy, &Unwatched))), Some(ErrorKind::Raced), "there is a copy");
    assert!(memory.snapshot().contains_key(&key("to")));
    assert_eq!(kind(block_on(emulated.put(&copy, &Unwatched))), Some(ErrorKind::Precondition), "there is no new one");
}

#[test]
fn a_look_that_fails_after_the_act_leaves_it_open() {
    let (world, _) = world(1);
    let memory = Memory::new(Profile::ignoring(), world);
    let script = Script::new(&[("head", Fault::None), ("head", Fault::Transient)]);
    let faulty = Faulty::new(Arc::new(memory.clone()), script, Arc::new(Ajar));
    let emulated = Emulated::new(Arc::new(faulty));
    let result = block_on(emulated.put(&put("a", "ours", Condition::Absent), &Unwatched));
    assert_eq!(kind(result), Some(ErrorKind::OutcomeUnknown));
    assert!(memory.snapshot().contains_key(&key("a")));
}

#[test]
fn what_only_looks_guard_is_known_afterwards() {
    for (profile, unguarded) in [(Profile::ignoring(), true), (Profile::refusing(), true), (Profile::aws(), false)] {
        for deleting in [false, true] {
            let (world, _) = world(1);
            let memory = Memory::new(profile.clone(), world.clone());
            let stamp = memory.write(&key("a"), "x", ObjectMeta::default());
            let place: Arc<dyn Remote> = Arc::new(memory);
            let opened = stack(place, "", Capabilities::default(), &OpenOptions::default(), world);
            block_on(opened.remote.head(&key("a"))).expect("answers");
            assert!(!opened.remote.was_unguarded(), "looking changes nothing");
            if deleting {
                block_on(opened.remote.delete(&[(key("a"), Condition::Matches(stamp))])).remove(0).expect("deleted");
            } else {
                block_on(opened.remote.put(&put("b", "x", Condition::Absent), &Unwatched)).expect("stored");
            }
            assert_eq!(opened.remote.was_unguarded(), unguarded);
        }
    }
}

#[test]
fn what_the_place_honours_is_not_looked_at() {
    let (world, _) = world(1);
    let memory = Memory::new(Profile::aws().with(Ability::BatchDeleteIfMatch, crate::memory::Support::Ignored), world);
    let requests = Arc::new(Requests::default());
    let emulated = Emulated::new(Arc::new(Observe::new(Arc::new(memory), requests.clone())));
    let mut items = Vec::new();
    for name in ["a", "b", "c"] {
        let stored = block_on(emulated.put(&put(name, "x", Condition::Absent), &Unwatched)).expect("stored");
        items.push((key(name), Condition::Matches(stored.stamp)));
    }
    assert!(block_on(emulated.delete(&items)).iter().all(Result::is_ok));
    let counts = requests.snapshot();
    // A batch without conditions is sent one by one, with them.
    assert_eq!((counts.head, counts.put, counts.delete), (0, 3, 3));
}

#[test]
fn a_place_that_contradicts_itself_is_written_to_no_more() {
    let (world, _) = world(1);
    let memory = Memory::new(Profile::refusing(), world);
    let layer = Emulated::knowing(Arc::new(memory.clone()), Capabilities::all_but(&[]));
    for request in [put("a", "body", Condition::Absent), put("b", "body", Condition::Absent)] {
        let error = block_on(layer.put(&request, &Unwatched)).expect_err("it refuses what it was said to obey");
        assert_eq!(error.kind, ErrorKind::Config);
        assert!(error.message.contains("does not any more"), "{error}");
    }
    let stamp = memory.write(&key("c"), "body".to_owned(), ObjectMeta::default());
    let answers = block_on(layer.delete(&[(key("c"), Condition::Matches(stamp))]));
    assert_eq!(kind(answers.into_iter().next().expect("one")), Some(ErrorKind::Config));
    assert_eq!(memory.snapshot().len(), 1, "nothing was written, nothing deleted");
}
