//! From a URL to a remote that can be relied on: the one place where layers meet.
//!
//! ```text
//! read-only?( retry( limit( condition( scope( observe( throttle?( place )))))))
//! ```
//! - `throttle` is around the place itself: what is counted has waited its turn.
//! - `observe` is innermost, so that it counts what really reaches the place:
//!   every repetition and every additional look of the layers above.
//! - `scope` is next: above it there are only keys below the prefix.
//! - `condition` makes up for what the place lacks. It is under `limit`, so that
//!   nothing queues between its look and its act, where others could write.
//! - `limit` is under `retry`, so that nobody holds a turn while waiting.
//! - `retry` is above all of these: it settles what they could not tell.
//! - `read-only` is outermost, so that nothing refused was ever begun.

use crate::bandwidth::Bandwidth;
use crate::error::{Error, ErrorKind, Result};
use crate::folder::{self, OpenMode};
use crate::layer::{Emulated, Limit, Observe, ReadOnly, Requests, Retry, Scope, Throttle};
use crate::s3::{self, CapabilityStore, S3Options};
use crate::url::{self, RemoteUrl};
use crate::world::World;
use crate::{Ability, Capabilities, Remote};
use std::sync::{Arc, Mutex};
use tidelock_core::backoff::{Backoff, Budget};

/// How to open a remote.
#[derive(Clone)]
pub struct OpenOptions {
    /// What a person said about the S3 service.
    pub s3: S3Options,
    /// Where what is found out about endpoints survives the process.
    pub abilities: Option<Arc<dyn CapabilityStore>>,
    /// Operations under way at any moment, at most.
    pub concurrency: usize,
    /// How long to wait between attempts, and how many there are.
    pub backoff: Backoff,
    /// The purse of retries of whole operations, shared by everything one run opens.
    /// A bucket has a purse of its own besides, for parts of uploads.
    pub budget: Arc<Mutex<Budget>>,
    /// Change nothing, whatever is asked.
    pub read_only: bool,
    /// Make an embedded store where there is none.
    pub create: bool,
    /// How fast bytes may move, shared by everything that is opened with it.
    pub bandwidth: Option<Arc<Bandwidth>>,
}

impl Default for OpenOptions {
    fn default() -> Self {
        Self {
            s3: S3Options::default(),
            abilities: None,
            concurrency: 32,
            backoff: Backoff::default(),
            budget: Arc::default(),
            read_only: false,
            create: true,
            bandwidth: None,
        }
    }
}

/// An open remote.
pub struct Opened {
    /// The place below its prefix, with every layer.
    pub remote: Arc<dyn Remote>,
    /// What has reached the place so far.
    pub requests: Arc<Requests>,
    /// What was found wrong with an embedded store that it can live with.
    pub problems: Vec<folder::Problem>,
    /// How fast bytes may move, for who wants to change it meanwhile.
    pub bandwidth: Option<Arc<Bandwidth>>,
}

/// Opens the place a URL names. A bucket is not asked whether it exists: the first
/// request tells.
pub async fn open(url: &RemoteUrl, options: &OpenOptions, world: World) -> Result<Opened> {
    match url {
        RemoteUrl::S3 { bucket, prefix } => {
            let place = s3::open(world.clone(), bucket, options.s3.clone(), options.abilities.clone()).await?;
            let place = Arc::new(place.probing_below(prefix).paced(options.bandwidth.clone()));
            Ok(stack(throttled(place, options, false), prefix, Capabilities::default(), options, world))
        }
        RemoteUrl::Folder(path) => {
            let mode = match (options.read_only, options.create) {
                (true, _) => OpenMode::ReadOnly,
                (false, true) => OpenMode::Create,
                (false, false) => OpenMode::ReadWrite,
            };
            let (path, prefix) = folder::locate(path).unwrap_or_else(|| (path.clone(), String::new()));
            let prefix = url::check_prefix(&prefix).map_err(|why| {
                Error::new(ErrorKind::Config, "open", format!("{url} names no place in the store: {why}"))
            })?;
            let place = folder::open(world.clone(), &path, mode)?;
            let problems = place.problems().to_vec();
            // It has every condition, so nobody need ask it.
            let known = Capabilities::all_but(&[Ability::Versions]);
            let place = throttled(Arc::new(place), options, true);
            Ok(Opened { problems, ..stack(place, &prefix, known, options, world) })
        }
        #[cfg(any(test, feature = "testing"))]
        RemoteUrl::Memory(name) => {
            let place = shared_memory(name, &world);
            Ok(stack(Arc::new(place), "", Capabilities::default(), options, world))
        }
    }
}

/// Holds a place to the bandwidth, if there is one.
fn throttled(place: Arc<dyn Remote>, options: &OpenOptions, uploads: bool) -> Arc<dyn Remote> {
    match &options.bandwidth {
        None => place,
        Some(bandwidth) => Arc::new(Throttle::new(place, bandwidth.clone(), uploads)),
    }
}

/// Puts every layer around a place. What is already `known` of its abilities is
/// not asked; the rest is, when a request first needs it.
pub fn stack(place: Arc<dyn Remote>, prefix: &str, known: Capabilities, options: &OpenOptions, world: World) -> Opened {
    let requests = Arc::new(Requests::default());
    let observed = Arc::new(Observe::new(place, requests.clone()));
    let scoped = Arc::new(Scope::new(observed, prefix));
    let guarded = Arc::new(Emulated::knowing(scoped, known));
    let limited = Arc::new(Limit::new(guarded, options.concurrency));
    let retried = Retry::new(limited, options.backoff, options.budget.clone(), requests.clone(), world);
    let remote: Arc<dyn Remote> =
        if options.read_only { Arc::new(ReadOnly::new(Arc::new(retried))) } else { Arc::new(retried) };
    Opened { remote, requests, problems: Vec::new(), bandwidth: options.bandwidth.clone() }
}

/// The memory remote of this name, the same for everyone in the process.
#[cfg(any(test, feature = "testing"))]
pub fn shared_memory(name: &str, world: &World) -> crate::memory::Memory {
    use crate::memory::{Memory, Profile};
    use std::collections::BTreeMap;
    use std::sync::PoisonError;
    static PLACES: Mutex<BTreeMap<String, Memory>> = Mutex::new(BTreeMap::new());
    let mut places = PLACES.lock().unwrap_or_else(PoisonError::into_inner);
    places.entry(name.to_owned()).or_insert_with(|| Memory::new(Profile::aws(), world.clone())).clone()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::{Memory, Profile};
    use crate::testing::conformance::{Settings, conformance};
    use crate::testing::faults::{Ajar, Faulty, Seeded};
    use crate::testing::world::world;
    use crate::{Condition, ObjectMeta, Piece, Put, Unwatched};
    use futures::executor::block_on;
    use tidelock_core::path::Key;

    fn put(name: &str, condition: Condition) -> Put {
        let bytes = bytes::Bytes::from("body");
        let recipe = vec![Piece::Bytes { source: Arc::new(bytes), offset: 0, size: 4 }];
        Put { key: Key::new(name), recipe, meta: ObjectMeta::default(), storage_class: None, condition }
    }

    #[test]
    fn the_whole_stack_is_a_remote_on_any_place() {
        for (name, profile) in
            [("aws", Profile::aws()), ("refusing", Profile::refusing()), ("ignoring", Profile::ignoring())]
        {
            let (world, _) = world(1);
            let memory = Memory::new(profile.with_mib(1 << 10), world.clone());
            let place: Arc<dyn Remote> = Arc::new(memory.clone());
            let opened = stack(place, "a/b", Capabilities::default(), &OpenOptions::default(), world.clone());
            let report =
                block_on(conformance(|| opened.remote.clone(), &Settings { mib: 1 << 10, ..Settings::new(&world) }));
            println!("{name}: {report}");
            report.assert_clean();
            assert!(memory.snapshot().is_empty());
            assert!(opened.requests.snapshot().put > 2_000, "{name}");
        }
    }

    #[test]
    fn repetitions_and_looks_are_counted_as_what_reaches_the_place() {
        let (world, hand) = world(5);
        let memory = Memory::new(Profile::ignoring(), world.clone());
        let network = Faulty::new(Arc::new(memory.clone()), Arc::new(Seeded::new(hand, 3)), Arc::new(Ajar));
        let opened = stack(Arc::new(network), "p", Capabilities::default(), &OpenOptions::default(), world);
        for number in 0..50 {
            let mut request = put(&format!("{number}"), Condition::Absent);
            request.meta.user.insert(crate::layer::ATTEMPT.to_owned(), format!("r/{number}"));
            // Some may stay open; none may be called lost, as nobody else writes.
            if let Err(error) = block_on(opened.remote.put(&request, &Unwatched)) {
                assert_ne!(error.kind, ErrorKind::Precondition, "{error}");
            }
        }
        let counts = opened.requests.snapshot();
        assert!(counts.head > 100 && counts.put > 50 && counts.retries > 0, "{counts:?}");
    }

    #[test]
    fn a_store_in_a_folder_and_one_in_memory_open_by_url() {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.expect("a runtime");
        let folder = tempfile::tempdir().expect("a folder");
        let url = format!("folder:{}", folder.path().join("store").display());
        for url in [url.as_str(), "mem:open-by-url"] {
            let url = RemoteUrl::parse(url).expect("valid");
            runtime.block_on(async {
                let opened = open(&url, &OpenOptions::default(), World::real()).await.expect("opens");
                opened.remote.put(&put("a", Condition::Absent), &Unwatched).await.expect("stored");
                assert_eq!(opened.problems, []);
                drop(opened);
                let options = OpenOptions { read_only: true, ..OpenOptions::default() };
                let opened = open(&url, &options, World::real()).await.expect("opens");
                let seen = opened.remote.head(&Key::new("a")).await.expect("answers");
                assert!(seen.is_some(), "{url}");
                let refused = opened.remote.put(&put("b", Condition::Absent), &Unwatched).await.expect_err("refused");
                assert_eq!(refused.kind, ErrorKind::Config);
            });
        }
    }
}
