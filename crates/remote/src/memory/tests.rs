//! The suite on every profile, and what only a memory remote can show.

use super::*;
use crate::testing::conformance::{Settings, conformance, names};
use crate::testing::world::world;
use crate::{ObjectMeta, Piece, Source, Unwatched};
use bytes::Bytes;
use futures::executor::block_on;
use std::time::Duration;

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

#[test]
fn every_profile_keeps_what_it_claims() {
    for (name, profile, not_offered) in [
        ("versioned", Profile::versioned(), 0),
        ("aws", Profile::aws(), 0),
        ("opaque", Profile { etags: Etags::Opaque, ..Profile::aws() }, 0),
        ("random parts", Profile::random_parts(), 1),
        ("unordered", Profile::unordered(), 2),
        ("refusing", Profile::refusing(), 12),
        ("ignoring", Profile::ignoring(), 16),
    ] {
        let (world, _) = world(1);
        let mut settings = Settings::new(&world);
        // In true size once is enough.
        let profile = if name == "versioned" { profile } else { profile.with_mib(MIB) };
        settings.mib = if name == "versioned" { settings.mib } else { MIB };
        let memory = Memory::new(profile, world);
        let report = block_on(conformance(|| Arc::new(memory.clone()), &settings));
        println!("{name}: {report}");
        report.assert_clean();
        assert_eq!(report.not_offered.len(), not_offered, "{name}: {report}");
        assert_eq!(report.passed.len() + report.not_offered.len(), names().len());
        assert_eq!(memory.pending_uploads(), []);
        assert!(memory.snapshot().is_empty(), "{name}");
    }
}

#[test]
fn etags_are_those_of_s3() {
    let (world, _) = world(1);
    let memory = Memory::new(Profile::aws().tiny(), world);
    let whole = block_on(memory.put(&put("a", "hello", Condition::Absent), &Unwatched)).expect("stored");
    assert_eq!(whole.stamp.etag, "5d41402abc4b2a76b9719d911017c592");
    let long = "x".repeat(40);
    let parts = block_on(memory.put(&put("b", &long, Condition::Absent), &Unwatched)).expect("stored");
    assert!(parts.stamp.etag.ends_with("-3"), "{}", parts.stamp.etag);
}

#[test]
fn conditions_are_refused_until_that_is_known() {
    let (world, _) = world(1);
    let memory = Memory::new(Profile::refusing(), world);
    let refusal = block_on(memory.put(&put("a", "x", Condition::Absent), &Unwatched)).expect_err("refused");
    assert_eq!(refusal.kind, ErrorKind::Unsupported);
    let able = block_on(memory.capabilities(&[Ability::PutIfAbsent])).expect("answers");
    assert!(!able.has(Ability::PutIfAbsent));
    block_on(memory.put(&put("a", "x", Condition::Absent), &Unwatched)).expect("sent without");
}

#[test]
fn history_keeps_versions_and_deletions() {
    let (world, _) = world(1);
    let memory = Memory::new(Profile::versioned(), world);
    memory.write(&key("a"), "one", ObjectMeta::default());
    assert!(memory.remove(&key("a")));
    memory.write(&key("a"), "two", ObjectMeta::default());
    assert_eq!(memory.history(&key("a")), [Some(b"one".to_vec()), None, Some(b"two".to_vec())]);
    assert!(block_on(memory.head(&key("a"))).expect("answers").is_some_and(|object| object.version.is_some()));
}

#[test]
fn archived_bytes_are_neither_read_nor_copied() {
    let (world, _) = world(1);
    let memory = Memory::new(Profile::aws(), world);
    let stamp = memory.write(&key("a"), "cold", ObjectMeta::default());
    assert!(memory.archive(&key("a")));
    let head = block_on(memory.head(&key("a"))).expect("answers").expect("there");
    assert_eq!(head.readiness, Readiness::Archived);
    let read = block_on(memory.get(&key("a"), None, None)).map(|_| ()).expect_err("archived");
    assert_eq!(read.kind, ErrorKind::Archived);
    let mut copy = put("b", "", Condition::Absent);
    copy.recipe = vec![Piece::CopyOf { key: key("a"), size: stamp.size, stamp, offset: 0 }];
    let copied = block_on(memory.put(&copy, &Unwatched)).expect_err("archived");
    assert_eq!(copied.kind, ErrorKind::Archived);
}

#[test]
fn spoilt_bytes_end_in_an_error() {
    let (world, _) = world(1);
    let memory = Memory::new(Profile::aws(), world);
    memory.write(&key("a"), "good bytes", ObjectMeta::default());
    assert!(memory.spoil(&key("a"), 3));
    let download = block_on(memory.get(&key("a"), None, None)).expect("opens");
    let chunks: Vec<_> = block_on(download.body.collect());
    assert!(matches!(chunks.last(), Some(Err(error)) if error.kind == ErrorKind::Corrupt), "{chunks:?}");
}

/// A source that looks at the place while it is being read.
struct Nosy(Memory);

#[async_trait]
impl Source for Nosy {
    async fn read(&self, _offset: u64, size: usize) -> Result<Bytes> {
        assert!(!self.0.pending_uploads().is_empty());
        Ok(vec![b'x'; size].into())
    }

    async fn seal(&self) -> Result<()> {
        assert!(self.0.snapshot().is_empty(), "visible before it was sealed");
        Ok(())
    }
}

#[test]
fn an_upload_in_parts_is_pending_until_it_is_sealed_and_dated_from_its_beginning() {
    let (world, hand) = world(1);
    let memory = Memory::new(Profile::aws().tiny(), world);
    let mut request = put("a", "", Condition::Absent);
    request.recipe = vec![Piece::Bytes { source: Arc::new(Nosy(memory.clone())), offset: 0, size: 50 }];
    let begun = memory.now_s();
    hand.advance(Duration::from_millis(10));
    block_on(memory.put(&request, &Unwatched)).expect("stored");
    assert_eq!(memory.pending_uploads(), []);
    assert_eq!(memory.snapshot()[&key("a")].2.modified_s, Some(begun));
}

/// A caller that dies as soon as its upload has an id.
struct Dying;

#[async_trait]
impl Progress for Dying {
    async fn started(&self, _upload_id: &str) -> Result<()> {
        std::future::pending().await
    }
    async fn ended(&self, _upload_id: &str) -> Result<()> {
        Ok(())
    }
    fn sent(&self, _bytes: u64) {}
}

#[test]
fn dying_leaves_an_upload_behind_and_abandoning_frees_it() {
    use futures::FutureExt as _;
    let (world, _) = world(1);
    let memory = Memory::new(Profile::aws().tiny(), world);
    let long = "x".repeat(40);
    assert!(memory.put(&put("a", &long, Condition::Absent), &Dying).now_or_never().is_none());
    let pending = memory.pending_uploads();
    assert_eq!(pending.len(), 1);
    block_on(memory.abandon(&key("a"), &pending[0].0)).expect("fine");
    assert_eq!(memory.pending_uploads(), []);
    assert!(memory.snapshot().is_empty());
}
