//! The whole stack of layers, as people get it from a URL, on real places.
//!
//! What the bare place does is `s3.rs`'s and the folder store's own business; here
//! it goes through every layer, below a prefix, and rclone's server, which ignores
//! conditions, is made up for.

#[path = "support/servers.rs"]
#[allow(dead_code, reason = "each test program uses its part of it")]
mod servers;

use servers::Server;
use std::sync::Arc;
use tidelock_core::path::Key;
use tidelock_remote::open::{OpenOptions, Opened, open};
use tidelock_remote::s3::{Keys, S3Options};
use tidelock_remote::testing::conformance::{Settings, conformance};
use tidelock_remote::url::RemoteUrl;
use tidelock_remote::world::World;
use tidelock_remote::{Condition, ErrorKind, ObjectMeta, Piece, Put, Unwatched};

const BUCKET: &str = "tide-stack";

/// With so many operations at once, if that matters.
async fn bucket(server: &Server, concurrency: Option<usize>) -> Opened {
    let s3 = S3Options {
        endpoint: Some(server.url.clone()),
        region: Some("us-east-1".to_owned()),
        keys: Some(Keys { id: servers::KEY.0.to_owned(), secret: servers::KEY.1.to_owned(), token: None }),
        ..S3Options::default()
    };
    let url = RemoteUrl::parse(&format!("s3://{BUCKET}/some/where")).expect("valid");
    let plain = OpenOptions::default();
    let options = OpenOptions { s3, concurrency: concurrency.unwrap_or(plain.concurrency), ..plain };
    open(&url, &options, World::real()).await.expect("opens")
}

async fn suite(opened: &Opened, except: &[(&str, &str)]) {
    let mut settings = Settings::new(&World::real());
    settings.key_max_bytes -= "some/where/".len();
    settings.except = except.iter().map(|(name, why)| ((*name).to_owned(), (*why).to_owned())).collect();
    let report = conformance(|| opened.remote.clone(), &settings).await;
    println!("{report}{:?}", opened.requests.snapshot());
    report.assert_clean();
}

fn put(name: &str, body: &'static str, condition: Condition) -> Put {
    let source = Arc::new(bytes::Bytes::from_static(body.as_bytes()));
    let recipe = vec![Piece::Bytes { source, offset: 0, size: body.len() as u64 }];
    Put { key: Key::new(name), recipe, meta: ObjectMeta::default(), storage_class: None, condition }
}

/// What holds on any place with the layers around it, if writers take turns.
async fn expectations_count(opened: &Opened) {
    let remote = &opened.remote;
    let first = remote.put(&put("kept", "first", Condition::Absent), &Unwatched).await.expect("stored");
    let lost = remote.put(&put("kept", "second", Condition::Absent), &Unwatched).await.expect_err("is there");
    assert_eq!((lost.kind, lost.key.as_deref()), (ErrorKind::Precondition, Some("kept")));
    let second = put("kept", "second", Condition::Matches(first.stamp.clone()));
    let second = remote.put(&second, &Unwatched).await.expect("replaced");
    let stale = [(Key::new("kept"), Condition::Matches(first.stamp))];
    let lost = remote.delete(&stale).await.remove(0).expect_err("is another");
    assert_eq!(lost.kind, ErrorKind::Precondition);
    let current = [(Key::new("kept"), Condition::Matches(second.stamp))];
    remote.delete(&current).await.remove(0).expect("deleted");
    assert_eq!(remote.delete(&current).await.remove(0).expect_err("is gone").kind, ErrorKind::NotFound);
}

#[tokio::test]
async fn on_moto() {
    let server = servers::moto();
    servers::create_bucket(&server, BUCKET);
    let opened = bucket(&server, None).await;
    expectations_count(&opened).await;
    let except = [("control_characters", servers::MOTO_ROUTER), ("one_of_many_wins", servers::MOTO_RACE)];
    suite(&opened, &except).await;
}

#[tokio::test]
async fn on_rclone() {
    // Of files written at once it now and then loses track: two at most.
    let server = servers::rclone(&[BUCKET]);
    let opened = bucket(&server, Some(2)).await;
    expectations_count(&opened).await;
    let why = "it keeps objects as files, so `a` and `a/b` exclude each other";
    let mut except = vec![
        ("spelling_twins", "asked for one spelling of a letter, it shows the object of the other"),
        ("headers_and_class_round_trip", "it keeps neither Expires nor the class"),
    ];
    for name in ["list_in_order", "list_by_prefix", "list_after_a_key", "folder_marker_beside_children"] {
        except.push((name, why));
    }
    suite(&opened, &except).await;
}

#[tokio::test]
async fn on_a_folder() {
    let folder = tempfile::tempdir().expect("a folder");
    let url = RemoteUrl::Folder(folder.path().join("store"));
    let opened = open(&url, &OpenOptions::default(), World::real()).await.expect("opens");
    expectations_count(&opened).await;
    suite(&opened, &[]).await;
}
