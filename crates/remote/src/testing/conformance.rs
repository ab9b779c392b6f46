//! What every remote must do, as one suite of named cases.
//!
//! It asks the place what it can do and checks exactly that: a case that needs
//! more is reported as not offered, never passed over in silence. It speaks
//! through the trait alone, keeps to keys below a prefix it is given, needs no
//! runtime of its own, and knows nothing of which place it is looking at.

mod bytes;
mod conditions;
mod keys;
mod plain;
mod recipes;

use crate::layer::ATTEMPT;
use crate::world::World;
use crate::{
    Ability, Capabilities, Condition, Cursor, Error, ErrorKind, Object, ObjectMeta, Piece, Progress, Put, Remote,
    Result, Source, Stored, Unwatched,
};
use ::bytes::{Bytes, BytesMut};
use async_trait::async_trait;
use futures::StreamExt as _;
use futures::future::BoxFuture;
use std::collections::BTreeSet;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tidelock_core::entry::RemoteStamp;
use tidelock_core::path::Key;

/// Every ability there is, asked of every place.
const ALL: [Ability; 10] = [
    Ability::PutIfAbsent,
    Ability::PutIfMatch,
    Ability::DeleteIfMatch,
    Ability::BatchDeleteIfMatch,
    Ability::CopyIfMatch,
    Ability::CopySourceIfMatch,
    Ability::PartCopy,
    Ability::Crc64Nvme,
    Ability::Versions,
    Ability::OrderedList,
];

/// How to run the suite.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Every key begins with this. Give each run against a shared place its own.
    pub prefix: String,
    /// The longest key the place takes below that, in bytes; S3's 1,024 less
    /// whatever comes before.
    pub key_max_bytes: usize,
    /// What cases about uploads in parts take for a mebibyte. Less than 1 << 20
    /// only for a place whose own limits are as much smaller.
    pub mib: usize,
    /// Cases to leave out, by name, with the reason; they count as not offered.
    pub except: Vec<(String, String)>,
    /// Run only cases whose name contains this.
    pub only: Option<String>,
}

impl Settings {
    /// Everything, below a prefix of its own.
    pub fn new(world: &World) -> Self {
        let prefix = format!("conformance-{}/", world.token());
        Self { key_max_bytes: 1000 - prefix.len(), prefix, mib: 1 << 20, except: Vec::new(), only: None }
    }
}

/// What came of it.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// Cases that held.
    pub passed: Vec<&'static str>,
    /// Cases the place does not claim, and why.
    pub not_offered: Vec<(&'static str, String)>,
    /// Cases that did not hold, and how.
    pub failed: Vec<(&'static str, String)>,
}

impl Report {
    /// Fails the test it is called in, with the whole report, if any case failed
    /// or none ran.
    ///
    /// # Panics
    /// That is its purpose.
    pub fn assert_clean(&self) {
        assert!(self.failed.is_empty() && !self.passed.is_empty(), "{self}");
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} passed, {} not offered, {} failed",
            self.passed.len(),
            self.not_offered.len(),
            self.failed.len()
        )?;
        self.not_offered.iter().try_for_each(|(name, why)| writeln!(f, "  not offered  {name}: {why}"))?;
        self.failed.iter().try_for_each(|(name, why)| writeln!(f, "  FAILED       {name}: {why}"))
    }
}

/// Why a case did not pass.
enum Why {
    NotOffered(String),
    Failed(String),
}

impl From<Error> for Why {
    fn from(error: Error) -> Self {
        Self::Failed(format!("unexpected error {:?}: {error}", error.kind))
    }
}

type Verdict = std::result::Result<(), Why>;
type Case = fn(Ctx) -> BoxFuture<'static, Verdict>;

/// Names a function of a module as a case.
macro_rules! cases {
    ($($module:ident :: $name:ident),* $(,)?) => {
        &[$((stringify!($name), |ctx| Box::pin($module::$name(ctx)))),*]
    };
}

const CASES: &[(&str, Case)] = cases![
    plain::round_trip,
    plain::empty_object,
    plain::absent_is_none,
    plain::overwrite_replaces_whole,
    plain::metadata_round_trip,
    plain::headers_and_class_round_trip,
    plain::encryption_round_trips,
    plain::head_and_list_agree,
    plain::delete_removes,
    plain::delete_of_nothing,
    plain::abandon_unknown_upload,
    keys::list_in_order,
    keys::list_by_prefix,
    keys::list_after_a_key,
    keys::list_pages_and_ends,
    keys::list_while_writing,
    keys::ordinary_names,
    keys::spelling_twins,
    keys::difficult_names,
    keys::control_characters,
    keys::folder_marker_beside_children,
    keys::longest_key,
    conditions::put_if_absent,
    conditions::put_if_absent_in_parts,
    conditions::one_of_many_wins,
    conditions::put_if_match,
    conditions::put_if_match_on_nothing,
    conditions::put_if_match_in_parts,
    conditions::one_of_many_replaces,
    conditions::delete_if_match,
    conditions::batch_delete,
    conditions::batch_delete_answers_each,
    conditions::copy_source_condition,
    conditions::copy_destination_absent,
    conditions::copy_destination_match,
    recipes::copy_keeps_bytes_and_replaces_metadata,
    recipes::copy_of_nothing,
    recipes::copy_onto_itself,
    recipes::copy_of_empty,
    recipes::mixed_recipe,
    recipes::part_copy_of_changed_source,
    recipes::large_stream,
    recipes::failing_seal_whole,
    recipes::failing_seal_in_parts,
    recipes::short_source_whole,
    recipes::short_source_in_parts,
    recipes::checksum_is_kept,
    bytes::whole_object_in_chunks,
    bytes::ranges,
    bytes::range_outside,
    bytes::stale_stamp,
    bytes::current_stamp,
    bytes::get_of_nothing,
    bytes::dropping_a_body,
];

/// The names of all cases.
pub fn names() -> Vec<&'static str> {
    CASES.iter().map(|(name, _)| *name).collect()
}

/// Runs the suite. `open` is called once per case and may give the same place
/// each time; each failure is printed as it happens.
pub async fn conformance(open: impl Fn() -> Arc<dyn Remote>, settings: &Settings) -> Report {
    let mut report = Report::default();
    for (name, case) in CASES {
        if settings.only.as_ref().is_some_and(|only| !name.contains(only.as_str())) {
            continue;
        }
        if let Some((_, why)) = settings.except.iter().find(|(except, _)| except == name) {
            report.not_offered.push((name, why.clone()));
            continue;
        }
        match run(open(), name, *case, settings).await {
            Ok(()) => report.passed.push(name),
            Err(Why::NotOffered(why)) => report.not_offered.push((name, why)),
            Err(Why::Failed(why)) => {
                eprintln!("conformance: {name}: {why}");
                report.failed.push((name, why));
            }
        }
    }
    report
}

async fn run(remote: Arc<dyn Remote>, name: &str, case: Case, settings: &Settings) -> Verdict {
    let able = remote.capabilities(&ALL).await?;
    let ctx = Ctx {
        remote,
        able,
        prefix: format!("{}{name}/", settings.prefix),
        key_max_bytes: settings.key_max_bytes - name.len() - 1,
        mib: settings.mib,
        attempts: Arc::default(),
    };
    let verdict = case(ctx.clone()).await;
    // Leave the place as it was found; what a failed case left may not go.
    let swept = ctx.sweep().await;
    verdict.and(swept)
}

/// What a case works with.
#[derive(Clone)]
struct Ctx {
    remote: Arc<dyn Remote>,
    able: Capabilities,
    prefix: String,
    key_max_bytes: usize,
    mib: usize,
    attempts: Arc<AtomicU64>,
}

impl Ctx {
    fn key(&self, name: &str) -> Key {
        Key::new(format!("{}{name}", self.prefix))
    }

    fn needs(&self, ability: Ability) -> Verdict {
        if self.able.has(ability) { Ok(()) } else { Err(Why::NotOffered(format!("{ability:?}"))) }
    }

    /// Writes a whole body where there is none.
    async fn create(&self, name: &str, body: impl Into<Bytes>) -> Result<Stored> {
        self.remote.put(&self.body(name, body, Condition::Absent), &Unwatched).await
    }

    fn body(&self, name: &str, body: impl Into<Bytes>, condition: Condition) -> Put {
        self.recipe(name, vec![piece(body)], condition)
    }

    fn recipe(&self, name: &str, recipe: Vec<Piece>, condition: Condition) -> Put {
        // As every write of the engine's: a lost reply can be settled.
        let number = self.attempts.fetch_add(1, Ordering::SeqCst);
        let user = [(ATTEMPT.to_owned(), format!("{}{number}", self.prefix))].into();
        let meta = ObjectMeta { user, ..ObjectMeta::default() };
        Put { key: self.key(name), recipe, meta, storage_class: None, condition }
    }

    async fn read(&self, name: &str) -> Result<Bytes> {
        let download = self.remote.get(&self.key(name), None, None).await?;
        collect(download).await
    }

    /// What a HEAD shows of an object that must be there.
    async fn seen(&self, name: &str) -> std::result::Result<Object, Why> {
        let head = self.remote.head(&self.key(name)).await?;
        head.ok_or_else(|| Why::Failed(format!("there is no {name:?}")))
    }

    /// All objects of this case whose name begins with `prefix`, page after page.
    async fn list(&self, prefix: &str) -> std::result::Result<Vec<Object>, Why> {
        self.list_from(prefix, Cursor::start()).await
    }

    async fn list_from(&self, prefix: &str, from: Cursor) -> std::result::Result<Vec<Object>, Why> {
        let (mut objects, mut cursor) = (Vec::new(), from);
        let mut seen = Vec::new();
        loop {
            let page = self.remote.list(&format!("{}{prefix}", self.prefix), &cursor).await?;
            objects.extend(page.objects);
            match page.next {
                None => return Ok(objects),
                Some(next) => {
                    ensure(!seen.contains(&next), || format!("the listing repeats itself at {next:?}"))?;
                    seen.push(next.clone());
                    cursor = next;
                }
            }
        }
    }

    /// The names below this case's prefix that a listing shows, sorted.
    async fn listed(&self, prefix: &str) -> std::result::Result<Vec<String>, Why> {
        let objects = self.list(prefix).await?;
        let mut names = Vec::new();
        for object in &objects {
            let name = object.key.as_str().strip_prefix(&self.prefix);
            names.push(name.ok_or_else(|| Why::Failed(format!("{:?} was not asked for", object.key)))?.to_owned());
        }
        let unique: BTreeSet<_> = names.iter().cloned().collect();
        ensure(unique.len() == names.len(), || "the listing shows a key twice".to_owned())?;
        names.sort();
        Ok(names)
    }

    async fn sweep(&self) -> Verdict {
        let items: Vec<_> =
            self.list("").await?.into_iter().map(|object| (object.key, Condition::Matches(object.stamp))).collect();
        if !items.is_empty() {
            for answer in self.remote.delete(&items).await {
                answer?;
            }
        }
        let left = self.listed("").await?;
        ensure(left.is_empty(), || format!("deleted and still listed: {left:?}"))
    }
}

fn ensure(holds: bool, otherwise: impl FnOnce() -> String) -> Verdict {
    if holds { Ok(()) } else { Err(Why::Failed(otherwise())) }
}

/// That this failed in one of these ways.
fn refused<T>(result: Result<T>, kinds: &[ErrorKind], what: &str) -> Verdict {
    match result {
        Ok(_) => Err(Why::Failed(format!("{what}: succeeded, and {kinds:?} was due"))),
        Err(error) if kinds.contains(&error.kind) => Ok(()),
        Err(error) => Err(Why::Failed(format!("{what}: {:?} ({error}), and {kinds:?} was due", error.kind))),
    }
}

fn same(found: &[u8], expected: &[u8], what: &str) -> Verdict {
    ensure(found == expected, || {
        let first = found.iter().zip(expected).position(|(a, b)| a != b).unwrap_or(found.len().min(expected.len()));
        format!("{what}: {} bytes where {} were due, first difference at {first}", found.len(), expected.len())
    })
}

async fn collect(mut download: crate::Download) -> Result<Bytes> {
    let mut body = BytesMut::new();
    while let Some(chunk) = download.body.next().await {
        body.extend_from_slice(&chunk?);
    }
    Ok(body.freeze())
}

fn piece(body: impl Into<Bytes>) -> Piece {
    let body = body.into();
    Piece::Bytes { offset: 0, size: body.len() as u64, source: Arc::new(body) }
}

fn copy_of(key: Key, stamp: &RemoteStamp, offset: u64, size: u64) -> Piece {
    Piece::CopyOf { key, stamp: stamp.clone(), offset, size }
}

/// Bytes no two stretches of which are alike.
fn noise(seed: u64, size: usize) -> Bytes {
    let mut bytes = vec![0; size];
    blake3::Hasher::new().update(&seed.to_le_bytes()).finalize_xof().fill(&mut bytes);
    bytes.into()
}

/// Remembers what a write told, to see that uploads begun are ended.
#[derive(Default)]
struct Watch(Mutex<(Vec<String>, Vec<String>, u64)>);

impl Watch {
    fn told(&self) -> (Vec<String>, Vec<String>, u64) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// That no upload is left behind.
    fn ensure_ended(&self) -> Verdict {
        let (mut started, mut ended, _) = self.told();
        started.sort();
        ended.sort();
        ensure(started == ended, || format!("uploads begun {started:?}, ended {ended:?}"))
    }
}

#[async_trait]
impl Progress for Watch {
    async fn started(&self, upload_id: &str) -> Result<()> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).0.push(upload_id.to_owned());
        Ok(())
    }
    async fn ended(&self, upload_id: &str) -> Result<()> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).1.push(upload_id.to_owned());
        Ok(())
    }
    fn sent(&self, bytes: u64) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).2 += bytes;
    }
}

/// A source that gives what it has, and fails in one chosen way.
struct Flawed {
    bytes: Bytes,
    /// Reading past this fails.
    readable: u64,
    seals: bool,
}

#[async_trait]
impl Source for Flawed {
    async fn read(&self, offset: u64, size: usize) -> Result<Bytes> {
        if offset + size as u64 > self.readable {
            return Err(Error::new(ErrorKind::Source, "read", "the file ends here"));
        }
        Source::read(&self.bytes, offset, size).await
    }

    async fn seal(&self) -> Result<()> {
        if self.seals { Ok(()) } else { Err(Error::new(ErrorKind::Source, "seal", "the file moved while it was read")) }
    }
}
