//! What a retrying layer does with each answer, and with none.

use super::*;
use std::ops::Range;

fn stored(bench: &Bench, name: &str) -> Vec<u8> {
    bench.memory.snapshot()[&key(name)].0.clone()
}

#[test]
fn what_failed_is_sent_again() {
    let faults = [("put", Fault::Busy), ("put", Fault::Transient), ("put", Fault::Unreachable)];
    let bench = bench(&faults);
    block_on(bench.retry.put(&attempt("a", "x", Condition::Absent, "r/1"), &Unwatched)).expect("stored");
    assert_eq!(bench.requests.snapshot().retries, 3);
    assert_eq!(bench.hand.waits().len(), 3);
    assert_eq!(bench.memory.history(&key("a")).len(), 1);
}

#[test]
fn reading_is_repeated_whatever_happened() {
    for what in ["head", "list", "get", "probe", "abandon"] {
        let bench = bench(&[(what, Fault::Vanished), (what, Fault::Transient)]);
        bench.memory.write(&key("a"), "x", ObjectMeta::default());
        match what {
            "head" => drop(block_on(bench.retry.head(&key("a"))).expect("answers").expect("there")),
            "list" => assert_eq!(block_on(bench.retry.list("", &Cursor::start())).expect("lists").objects.len(), 1),
            "get" => drop(block_on(bench.retry.get(&key("a"), None, None)).expect("opens")),
            "probe" => drop(block_on(bench.retry.capabilities(&[Ability::PutIfAbsent])).expect("answers")),
            _ => block_on(bench.retry.abandon(&key("a"), "u")).expect("fine"),
        }
        assert_eq!((bench.requests.snapshot().retries, bench.script.left()), (2, 0), "{what}");
    }
}

/// Ten bytes by twos, of which the network spoils some.
fn broken_body(faults: &[(&'static str, Fault)], at: &[u32], range: Option<Range<u64>>) -> (Bench, Vec<Result<Bytes>>) {
    let (world, hand) = world(3);
    let memory = Memory::new(Profile { chunk_bytes: 2, ..Profile::versioned() }, world.clone());
    let script = Script::new(faults);
    at.iter().for_each(|at| script.answer("get.at", *at));
    let faulty = Arc::new(Faulty::new(Arc::new(memory.clone()), script.clone(), Arc::new(Ajar)));
    let requests = Arc::new(Requests::default());
    let retry = retrying(faulty.clone(), &requests, world);
    memory.write(&key("a"), "0123456789", ObjectMeta::default());
    let download = block_on(retry.get(&key("a"), range, None)).expect("opens");
    let chunks = block_on(download.body.collect());
    (Bench { memory, faulty, script, retry, requests, hand }, chunks)
}

#[test]
fn a_body_that_breaks_goes_on_where_it_broke() {
    let faults = [("get", Fault::Cut), ("get", Fault::Busy), ("get", Fault::Cut), ("get", Fault::Cut)];
    for (range, expected) in [(None, "0123456789"), (Some(1..9), "12345678"), (Some(1..99), "123456789")] {
        // After two chunks, after none, after one.
        let (bench, chunks) = broken_body(&faults, &[2, 0, 1], range);
        let bytes: Vec<Bytes> = chunks.into_iter().map(|chunk| chunk.expect("arrives")).collect();
        assert_eq!(bytes.concat(), expected.as_bytes());
        assert_eq!((bench.requests.snapshot().retries, bench.script.left()), (4, 0));
    }
}

#[test]
fn a_body_that_is_wrong_or_another_by_now_is_not_gone_on_with() {
    let (bench_, chunks) = broken_body(&[("get", Fault::Corrupt)], &[1], None);
    assert_eq!(bench_.requests.snapshot().retries, 0);
    assert_eq!(kind(chunks.into_iter().next_back().expect("ends")), Some(ErrorKind::Corrupt));
    let bench = bench(&[("get", Fault::Cut)]);
    bench.memory.write(&key("a"), "x", ObjectMeta::default());
    let download = block_on(bench.retry.get(&key("a"), None, None)).expect("opens");
    bench.memory.write(&key("a"), "y", ObjectMeta::default());
    let chunks: Vec<Result<Bytes>> = block_on(download.body.collect());
    assert_eq!(chunks.len(), 1);
    assert_eq!(kind(chunks.into_iter().next().expect("one")), Some(ErrorKind::Precondition));
    assert_eq!(bench.requests.snapshot().retries, 1);
}

#[test]
fn a_lost_reply_is_settled_by_the_attempt_id() {
    let bench = bench(&[("put", Fault::Lost)]);
    let request = attempt("a", "x", Condition::Absent, "r/1");
    let told = block_on(bench.retry.put(&request, &Unwatched)).expect("settled");
    let there = bench.memory.snapshot()[&key("a")].2.clone();
    assert!(told.stamp.unchanged(&there) && told.version.is_some());
    assert_eq!((bench.requests.snapshot().retries, bench.memory.history(&key("a")).len()), (0, 1));
}

#[test]
fn what_never_arrived_is_sent_again() {
    let bench = bench(&[("put", Fault::Vanished)]);
    block_on(bench.retry.put(&attempt("a", "x", Condition::Absent, "r/1"), &Unwatched)).expect("stored");
    assert_eq!((bench.requests.snapshot().retries, bench.memory.history(&key("a")).len()), (1, 1));
}

#[test]
fn what_arrives_late_finds_itself_and_is_refused() {
    let bench = bench(&[("put", Fault::Late)]);
    let stamp = bench.memory.write(&key("a"), "old", ObjectMeta::default());
    let request = attempt("a", "new", Condition::Matches(stamp), "r/1");
    block_on(bench.retry.put(&request, &Unwatched)).expect("stored");
    block_on(bench.faulty.flush_late());
    assert_eq!(bench.memory.history(&key("a")).len(), 2);
}

#[test]
fn what_arrives_between_the_look_and_the_second_attempt_is_recognised() {
    let bench = bench(&[("put", Fault::Late)]);
    // Not during the look, but just before the second attempt.
    bench.script.answer("late", 0);
    bench.script.answer("late", 1);
    let told = block_on(bench.retry.put(&attempt("a", "x", Condition::Absent, "r/1"), &Unwatched)).expect("settled");
    assert!(told.stamp.unchanged(&bench.memory.snapshot()[&key("a")].2));
    assert_eq!((bench.faulty.late(), bench.memory.history(&key("a")).len()), (0, 1));
}

#[test]
fn somebody_elses_object_is_never_taken_for_ours() {
    for id in [None, Some("r/2")] {
        let bench = bench(&[("put", Fault::Vanished)]);
        let stamp = bench.memory.write(&key("a"), "old", ObjectMeta::default());
        let theirs = attempt("a", "new", Condition::Absent, id.unwrap_or_default()).meta;
        bench.memory.write(&key("a"), "new", if id.is_some() { theirs } else { ObjectMeta::default() });
        let result = block_on(bench.retry.put(&attempt("a", "new", Condition::Matches(stamp), "r/1"), &Unwatched));
        assert_eq!(kind(result), Some(ErrorKind::Precondition));
        assert_eq!(bench.memory.history(&key("a")).len(), 2);
    }
}

#[test]
fn a_first_refusal_is_final() {
    let bench = bench(&[]);
    bench.memory.write(&key("a"), "theirs", ObjectMeta::default());
    let result = block_on(bench.retry.put(&attempt("a", "x", Condition::Absent, "r/1"), &Unwatched));
    assert_eq!(kind(result), Some(ErrorKind::Precondition));
    assert_eq!((bench.requests.snapshot().retries, stored(&bench, "a")), (0, b"theirs".to_vec()));
}

#[test]
fn an_outcome_that_cannot_be_looked_at_stays_unknown() {
    let mut faults = vec![("put", Fault::Lost)];
    faults.extend([("head", Fault::Unreachable); 8]);
    let bench = bench(&faults);
    let result = block_on(bench.retry.put(&attempt("a", "x", Condition::Absent, "r/1"), &Unwatched));
    assert_eq!(kind(result), Some(ErrorKind::OutcomeUnknown));
}

#[test]
fn a_copy_is_settled_without_an_attempt_id() {
    let bench = bench(&[("put", Fault::Lost)]);
    let stamp = bench.memory.write(&key("from"), "bytes", ObjectMeta::default());
    let mut copy = put("to", "", Condition::Absent);
    copy.meta.user.insert("mtime".to_owned(), "1".to_owned());
    copy.recipe = vec![Piece::CopyOf { key: key("from"), offset: 0, size: stamp.size, stamp }];
    block_on(bench.retry.put(&copy, &Unwatched)).expect("settled");
    assert_eq!(bench.memory.history(&key("to")).len(), 1);
}

#[test]
fn patience_and_purse_end() {
    let bench = bench(&[("head", Fault::Transient); 8]);
    assert_eq!(kind(block_on(bench.retry.head(&key("a")))), Some(ErrorKind::Transient));
    assert_eq!((bench.requests.snapshot().retries, bench.script.left()), (7, 0));

    let (world, _) = world(1);
    let script = Script::new(&[("head", Fault::Transient)]);
    let faulty = Faulty::new(Arc::new(Memory::new(Profile::aws(), world.clone())), script, Arc::new(Ajar));
    let mut budget = Budget::default();
    while budget.withdraw() {}
    let requests = Arc::new(Requests::default());
    let retry = Retry::new(Arc::new(faulty), Backoff::default(), Arc::new(Mutex::new(budget)), requests.clone(), world);
    assert_eq!(kind(block_on(retry.head(&key("a")))), Some(ErrorKind::Transient));
    assert_eq!(requests.snapshot().retries, 0);
}

#[test]
fn the_wait_a_place_asks_for_is_a_floor() {
    let bench = bench(&[("head", Fault::Busy)]);
    bench.script.answer("busy", 1);
    block_on(bench.retry.head(&key("a"))).expect("answers");
    let waits = bench.hand.waits();
    assert!(waits.len() == 1 && waits[0] >= std::time::Duration::from_secs(2), "{waits:?}");
}

#[test]
fn what_no_repetition_mends_is_told_at_once() {
    let bench = bench(&[]);
    let mut request = put("a", "short", Condition::Absent);
    request.recipe = vec![Piece::Bytes { source: Arc::new(Bytes::from("short")), offset: 0, size: 6 }];
    assert_eq!(kind(block_on(bench.retry.put(&request, &Unwatched))), Some(ErrorKind::Source));
    assert_eq!(bench.requests.snapshot().retries, 0);
}

fn three(bench: &Bench) -> Vec<(Key, Condition)> {
    let item = |name| (key(name), Condition::Matches(bench.memory.write(&key(name), "x", ObjectMeta::default())));
    ["a", "b", "c"].map(item).into()
}

#[test]
fn deletions_are_settled_each_for_itself() {
    for fault in [Fault::Lost, Fault::Late, Fault::Vanished, Fault::Transient, Fault::Items, Fault::Twice] {
        let bench = bench(&[("delete", fault)]);
        [1, 2, 0].into_iter().for_each(|choice| bench.script.answer("delete.item", choice));
        let items = three(&bench);
        let answers = block_on(bench.retry.delete(&items));
        assert!(answers.iter().all(Result::is_ok), "{fault:?}: {answers:?}");
        block_on(bench.faulty.flush_late());
        assert!(bench.memory.snapshot().is_empty(), "{fault:?}");
    }
}

#[test]
fn a_lost_deletion_does_not_take_what_came_after() {
    let bench = bench(&[("delete", Fault::Vanished)]);
    let mut items = three(&bench);
    bench.memory.write(&key("b"), "theirs", ObjectMeta::default());
    items.push((key("d"), items[0].1.clone()));
    let answers: Vec<_> = block_on(bench.retry.delete(&items)).into_iter().map(kind).collect();
    assert_eq!(answers, [None, Some(ErrorKind::Precondition), None, None]);
    assert_eq!(stored(&bench, "b"), b"theirs");
}

#[test]
fn deleting_nothing_is_told_when_no_reply_was_lost() {
    let bench = bench(&[]);
    let item = (key("a"), Condition::Matches(RemoteStamp { etag: "e".to_owned(), size: 1, modified_s: None }));
    let answers: Vec<_> = block_on(bench.retry.delete(&[item])).into_iter().map(kind).collect();
    assert_eq!(answers, [Some(ErrorKind::NotFound)]);
}
