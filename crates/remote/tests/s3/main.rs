//! The S3 remote from outside: against servers that nobody here wrote (`real`),
//! and against one that does as a test tells it.

mod chain;
mod downloads;
mod faults;
mod probe;
mod providers;
mod real;
#[path = "../support/scripted.rs"]
mod scripted;
#[path = "../support/servers.rs"]
mod servers;
mod settings;
mod uploads;
mod wanted;

use async_trait::async_trait;
use bytes::Bytes;
use futures::TryStreamExt;
use scripted::{Act, Scripted, Seen, answer, error, raw, serve};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tidelock_core::entry::RemoteStamp;
use tidelock_core::path::Key;
use tidelock_remote::s3::{self, CapabilityStore, Keys, S3, S3Options};
use tidelock_remote::world::{Sleep, World};
use tidelock_remote::{
    Ability, Condition, Cursor, Encryption, ErrorKind, ObjectMeta, Piece, Progress, Put, Remote, Result, Unwatched,
};

const SECRET: &str = "the-secret-that-nobody-may-see";
const ETAG: (&str, &str) = ("ETag", "\"0123\"");

/// Waits a thousandth as long as told.
struct Hasty;

#[async_trait]
impl Sleep for Hasty {
    async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration / 1000).await;
    }
}

fn hasty() -> World {
    World { sleep: Arc::new(Hasty), ..World::real() }
}

/// The same between attempts, and no hurry about replies.
struct Patient;

#[async_trait]
impl Sleep for Patient {
    async fn sleep(&self, duration: Duration) {
        let between_attempts = duration < Duration::from_secs(30);
        tokio::time::sleep(if between_attempts { duration / 1000 } else { duration }).await;
    }
}

fn patient() -> World {
    World { sleep: Arc::new(Patient), ..World::real() }
}

fn options(url: &str) -> S3Options {
    S3Options {
        endpoint: Some(url.to_owned()),
        region: Some("us-east-1".to_owned()),
        keys: Some(Keys { id: "AKIA".to_owned(), secret: SECRET.to_owned(), token: Some("token".to_owned()) }),
        ..S3Options::default()
    }
}

async fn open(server: &Scripted) -> S3 {
    s3::open(World::real(), "tide", options(&server.url), None).await.expect("opens")
}

async fn open_hasty(server: &Scripted) -> S3 {
    s3::open(hasty(), "tide", options(&server.url), None).await.expect("opens")
}

async fn open_patient(server: &Scripted) -> S3 {
    s3::open(patient(), "tide", options(&server.url), None).await.expect("opens")
}

fn bytes_put(size: usize, condition: Condition) -> Put {
    let source: Arc<dyn tidelock_remote::Source> = Arc::new(Bytes::from(vec![7; size]));
    let recipe = vec![Piece::Bytes { source, offset: 0, size: size as u64 }];
    Put { key: key(), recipe, meta: ObjectMeta::default(), storage_class: None, condition }
}

fn copy_put() -> Put {
    let recipe = vec![Piece::CopyOf { key: Key::new("old"), stamp: stamp(), offset: 0, size: 5 }];
    Put { key: key(), recipe, meta: ObjectMeta::default(), storage_class: None, condition: Condition::Absent }
}

fn key() -> Key {
    Key::new("some/key")
}

fn stamp() -> RemoteStamp {
    RemoteStamp { etag: "0123".to_owned(), size: 5, modified_s: None }
}

/// What is known of a place, given.
struct Given(&'static str);

impl CapabilityStore for Given {
    fn load(&self, _place: &str) -> Option<String> {
        let now_s = World::real().clock.wall_ns() / 1_000_000_000;
        Some(self.0.replace("NOW", &now_s.to_string()))
    }
    fn save(&self, _place: &str, _text: &str) {}
}

fn scope(request: &Seen) -> String {
    let text = request.header("authorization");
    text.split("Credential=").nth(1).and_then(|rest| rest.split(',').next()).unwrap_or_default().to_owned()
}

async fn kind_of_put(server: &Scripted, put: &Put) -> ErrorKind {
    let error = open(server).await.put(put, &Unwatched).await.expect_err("refused");
    assert!(!error.to_string().contains(SECRET) && !format!("{error:?}").contains(SECRET));
    error.kind
}

/// Tests that need an environment of their own run themselves again in one.
fn in_child(name: &str, variables: &[(&str, String)]) -> bool {
    if std::env::var_os("TIDELOCK_CHILD").is_some() {
        return true;
    }
    let program = std::env::current_exe().expect("known");
    let mut command = std::process::Command::new(program);
    command.args(["--exact", name, "--nocapture"]).env("TIDELOCK_CHILD", "1");
    // Nothing of the user's own settings.
    let ours = |name: &str| name.starts_with("AWS_") || name.to_lowercase().ends_with("_proxy");
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_str().is_some_and(ours)) {
        command.env_remove(name);
    }
    let output = command.envs(variables.iter().map(|(name, value)| (name, value))).output().expect("runs");
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
    false
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Runtime::new().expect("a runtime").block_on(work)
}
