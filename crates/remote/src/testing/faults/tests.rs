//! Each fault does what its name says.

use super::*;
use crate::memory::{Memory, Profile};
use crate::testing::conformance::{Settings, conformance};
use crate::testing::world::world;
use crate::{ObjectMeta, Piece, Source};
use bytes::Bytes;
use futures::FutureExt as _;
use futures::executor::block_on;

fn key(text: &str) -> Key {
    Key::new(text)
}

fn put(name: &str, body: &'static str, condition: Condition) -> Put {
    let bytes = Bytes::from(body);
    let recipe = vec![Piece::Bytes { offset: 0, size: bytes.len() as u64, source: Arc::new(bytes) }];
    Put { key: key(name), recipe, meta: ObjectMeta::default(), storage_class: None, condition }
}

fn faulty(faults: &[(&'static str, Fault)]) -> (Memory, Faulty, Arc<Script>) {
    let (world, _) = world(7);
    let memory = Memory::new(Profile::aws().tiny(), world);
    let script = Script::new(faults);
    let faulty = Faulty::new(Arc::new(memory.clone()), script.clone(), Arc::new(Ajar));
    (memory, faulty, script)
}

fn kind<T>(result: Result<T>) -> Option<ErrorKind> {
    result.err().map(|error| error.kind)
}

#[test]
fn without_faults_it_is_what_it_wraps() {
    let (world, _) = world(7);
    let memory = Memory::new(Profile::aws().with_mib(1 << 10), world.clone());
    let open = || {
        let quiet: Arc<dyn Remote> = Arc::new(Faulty::new(Arc::new(memory.clone()), Script::new(&[]), Arc::new(Ajar)));
        quiet
    };
    block_on(conformance(open, &Settings { mib: 1 << 10, ..Settings::new(&world) })).assert_clean();
}

#[test]
fn puts_meet_each_fault() {
    for (fault, told, there) in [
        (Fault::None, None, true),
        (Fault::Unreachable, Some(ErrorKind::Unreachable), false),
        (Fault::Busy, Some(ErrorKind::Busy(None)), false),
        (Fault::Transient, Some(ErrorKind::Transient), false),
        (Fault::Lost, Some(ErrorKind::OutcomeUnknown), true),
        (Fault::Vanished, Some(ErrorKind::OutcomeUnknown), false),
        (Fault::Late, Some(ErrorKind::OutcomeUnknown), false),
        (Fault::Twice, None, true),
        (Fault::Broken, Some(ErrorKind::Transient), true),
    ] {
        let (memory, faulty, script) = faulty(&[("put", fault)]);
        let result = block_on(faulty.put(&put("a", "body", Condition::Absent), &Unwatched));
        assert_eq!(kind(result), told, "{fault:?}");
        assert_eq!(memory.snapshot().contains_key(&key("a")), there, "{fault:?}");
        assert_eq!(script.left(), 0);
        block_on(faulty.flush_late());
        let in_the_end = there || fault == Fault::Late;
        assert_eq!(memory.snapshot().contains_key(&key("a")), in_the_end, "{fault:?}");
    }
}

#[test]
fn a_late_put_is_judged_when_it_arrives() {
    let (memory, faulty, script) = faulty(&[("put", Fault::Late)]);
    let _ = block_on(faulty.put(&put("a", "late", Condition::Absent), &Unwatched));
    assert_eq!(faulty.late(), 1);
    memory.write(&key("a"), "first", ObjectMeta::default());
    script.answer("late", 1);
    block_on(faulty.head(&key("b"))).expect("answers");
    assert_eq!(faulty.late(), 0);
    assert_eq!(memory.snapshot()[&key("a")].0, b"first");
}

#[test]
fn a_late_put_needs_its_sender_no_more() {
    use std::sync::atomic::{AtomicBool, Ordering};
    struct Gone(Arc<AtomicBool>);
    #[async_trait]
    impl Source for Gone {
        async fn read(&self, _offset: u64, size: usize) -> Result<Bytes> {
            assert!(!self.0.load(Ordering::SeqCst), "read after the sender had gone");
            Ok(vec![b'x'; size].into())
        }
        async fn seal(&self) -> Result<()> {
            assert!(!self.0.load(Ordering::SeqCst), "sealed after the sender had gone");
            Ok(())
        }
    }
    for fault in [Fault::Late, Fault::Twice] {
        let (memory, faulty, _) = faulty(&[("put", fault)]);
        let gone = Arc::new(AtomicBool::new(false));
        let mut request = put("a", "", Condition::Absent);
        request.recipe = vec![Piece::Bytes { source: Arc::new(Gone(gone.clone())), offset: 0, size: 100 }];
        let _ = block_on(faulty.put(&request, &Unwatched));
        drop(request);
        gone.store(true, Ordering::SeqCst);
        block_on(faulty.flush_late());
        assert_eq!(memory.snapshot()[&key("a")].0.len(), 100);
        assert_eq!((memory.pending_uploads(), faulty.late()), (vec![], 0));
    }
}

/// Remembers the uploads it was told of.
#[derive(Default)]
struct Ids(Mutex<Vec<String>>, Mutex<Vec<String>>);

#[async_trait]
impl Progress for Ids {
    async fn started(&self, upload_id: &str) -> Result<()> {
        self.0.lock().expect("whole").push(upload_id.to_owned());
        Ok(())
    }
    async fn ended(&self, upload_id: &str) -> Result<()> {
        self.1.lock().expect("whole").push(upload_id.to_owned());
        Ok(())
    }
    fn sent(&self, _bytes: u64) {}
}

#[test]
fn a_late_upload_in_parts_is_pending_until_it_arrives_or_is_given_up() {
    for give_up in [false, true] {
        let (memory, faulty, _) = faulty(&[("put", Fault::Late)]);
        let long = put("a", "forty bytes that are sent in three parts", Condition::Absent);
        let ids = Ids::default();
        assert_eq!(kind(block_on(faulty.put(&long, &ids))), Some(ErrorKind::OutcomeUnknown));
        let pending = memory.pending_uploads();
        assert_eq!(ids.0.lock().expect("whole").as_slice(), [pending[0].0.clone()]);
        assert!(ids.1.lock().expect("whole").is_empty());
        if give_up {
            block_on(faulty.abandon(&key("a"), &pending[0].0)).expect("given up");
        }
        block_on(faulty.flush_late());
        assert_eq!(memory.pending_uploads(), []);
        assert_eq!(memory.snapshot().contains_key(&key("a")), !give_up);
    }
}

#[test]
fn a_source_that_fails_is_told_whatever_the_network_does() {
    for fault in [Fault::Lost, Fault::Late, Fault::Twice, Fault::Broken] {
        for size in [6, 60] {
            let (memory, faulty, _) = faulty(&[("put", fault)]);
            let mut request = put("a", "short", Condition::Absent);
            request.recipe = vec![Piece::Bytes { source: Arc::new(Bytes::from("short")), offset: 0, size }];
            assert_eq!(kind(block_on(faulty.put(&request, &Unwatched))), Some(ErrorKind::Source), "{fault:?}");
            block_on(faulty.flush_late());
            assert!(memory.snapshot().is_empty() && memory.pending_uploads().is_empty());
        }
    }
}

#[test]
fn deletions_meet_each_fault() {
    for (fault, told, left) in [
        (Fault::None, [None, None, None], 0),
        (
            Fault::Lost,
            [Some(ErrorKind::OutcomeUnknown), Some(ErrorKind::OutcomeUnknown), Some(ErrorKind::OutcomeUnknown)],
            0,
        ),
        (
            Fault::Late,
            [Some(ErrorKind::OutcomeUnknown), Some(ErrorKind::OutcomeUnknown), Some(ErrorKind::OutcomeUnknown)],
            3,
        ),
        (Fault::Items, [Some(ErrorKind::Transient), Some(ErrorKind::OutcomeUnknown), None], 1),
    ] {
        let (memory, faulty, script) = faulty(&[("delete", fault)]);
        [1, 2, 0].into_iter().for_each(|choice| script.answer("delete.item", choice));
        let items: Vec<_> = ["a", "b", "c"]
            .map(|name| (key(name), Condition::Matches(memory.write(&key(name), "x", ObjectMeta::default()))))
            .into();
        let answers: Vec<_> = block_on(faulty.delete(&items)).into_iter().map(kind).collect();
        assert_eq!(answers, told, "{fault:?}");
        assert_eq!(memory.snapshot().len(), left, "{fault:?}");
    }
}

#[test]
fn bodies_break_off_and_rot() {
    for (fault, told) in [(Fault::Cut, ErrorKind::Transient), (Fault::Corrupt, ErrorKind::Corrupt)] {
        let (memory, faulty, script) = faulty(&[("get", fault)]);
        memory.write(&key("a"), "seven and seven and seven", ObjectMeta::default());
        script.answer("get.at", 2);
        let download = block_on(faulty.get(&key("a"), None, None)).expect("opens");
        let chunks: Vec<Result<Bytes>> = block_on(download.body.collect());
        assert_eq!(chunks.last().and_then(|chunk| kind(chunk.clone())), Some(told));
        assert!(chunks[..2].iter().all(Result::is_ok));
    }
}

#[test]
fn silent_rot_is_there_only_where_it_can_be_found() {
    let (memory, faulty, script) = faulty(&[("get", Fault::Corrupt), ("get", Fault::Corrupt)]);
    let faulty = faulty.with_silent_corruption();
    script.answer("get.byte", 3);
    memory.write(&key("a"), "bytes", ObjectMeta::default());
    let download = block_on(faulty.get(&key("a"), None, None)).expect("opens");
    let known = download.object.crc64nvme;
    let body: Vec<u8> =
        block_on(download.body.collect::<Vec<_>>()).into_iter().flat_map(|c| c.expect("silent")).collect();
    assert_ne!(known, Some(crc_fast::checksum(crc_fast::CrcAlgorithm::Crc64Nvme, &body)));
    let part = block_on(faulty.get(&key("a"), Some(0..3), None)).expect("opens");
    let chunks: Vec<Result<Bytes>> = block_on(part.body.collect());
    assert_eq!(chunks.last().and_then(|chunk| kind(chunk.clone())), Some(ErrorKind::Corrupt));
}

#[test]
fn a_short_page_goes_on_where_it_ends() {
    let (memory, faulty, _) = faulty(&[("list", Fault::ShortPage)]);
    for name in ["a", "b", "c"] {
        memory.write(&key(name), "x", ObjectMeta::default());
    }
    let page = block_on(faulty.list("", &Cursor::start())).expect("a page");
    assert_eq!(page.objects.len(), 1);
    let rest = block_on(faulty.list("", &page.next.expect("more"))).expect("a page");
    assert_eq!((rest.objects.len(), rest.next), (2, None));
}

#[test]
fn dying_at_a_gate_is_before_or_after_the_effect() {
    struct Shut(&'static str);
    #[async_trait]
    impl Gate for Shut {
        async fn pass(&self, what: &'static str) {
            if what == self.0 {
                std::future::pending().await
            }
        }
    }
    for (gate, there) in [("put", false), ("put.done", true)] {
        let (world, _) = world(7);
        let memory = Memory::new(Profile::aws(), world);
        let faulty = Faulty::new(Arc::new(memory.clone()), Script::new(&[]), Arc::new(Shut(gate)));
        assert!(faulty.put(&put("a", "body", Condition::Absent), &Unwatched).now_or_never().is_none());
        assert_eq!(memory.snapshot().contains_key(&key("a")), there);
    }
}
