//! The S3 remote against servers that nobody here wrote.

use super::*;
use servers::Server;
use tidelock_remote::layer::Limit;
use tidelock_remote::testing::conformance::{Report, Settings, conformance};

const BUCKET: &str = "tide-bucket";

async fn open(server: &Server, bucket: &str) -> S3 {
    let options = S3Options {
        endpoint: Some(server.url.clone()),
        region: Some("us-east-1".to_owned()),
        keys: Some(Keys { id: servers::KEY.0.to_owned(), secret: servers::KEY.1.to_owned(), token: None }),
        ..S3Options::default()
    };
    s3::open(World::real(), bucket, options, None).await.expect("opens")
}

fn put(key: &str, body: &[u8], condition: Condition) -> Put {
    let source: Arc<dyn tidelock_remote::Source> = Arc::new(Bytes::copy_from_slice(body));
    let mut meta = ObjectMeta { content_type: Some("text/plain".to_owned()), ..ObjectMeta::default() };
    meta.user.insert("mtime".to_owned(), "1700000000.123456789".to_owned());
    let recipe = vec![Piece::Bytes { source, offset: 0, size: body.len() as u64 }];
    Put { key: Key::new(key), recipe, meta, storage_class: None, condition }
}

async fn read(remote: &S3, key: &str, stamp: Option<&RemoteStamp>) -> Vec<u8> {
    let download = remote.get(&Key::new(key), None, stamp).await.expect("there");
    download
        .body
        .try_fold(Vec::new(), |mut all, chunk| async move {
            all.extend_from_slice(&chunk);
            Ok(all)
        })
        .await
        .expect("readable")
}

async fn all_keys(remote: &dyn Remote, prefix: &str) -> Vec<String> {
    let mut cursor = Cursor::start();
    let mut keys = Vec::new();
    loop {
        let page = remote.list(prefix, &cursor).await.expect("lists");
        keys.extend(page.objects.into_iter().map(|object| object.key.as_str().to_owned()));
        match page.next {
            Some(next) => cursor = next,
            None => return keys,
        }
    }
}

/// What must work anywhere: write, look, read, list, remove.
async fn round_trip(remote: &S3) {
    let body = b"some bytes".as_slice();
    for key in ["dir/a b+c%é&<>.txt", "dir/b", "e"] {
        let stored = remote.put(&put(key, body, Condition::Absent), &Unwatched).await.expect("stored");
        let object = remote.head(&Key::new(key)).await.expect("answers").expect("is there");
        assert!(object.stamp.same_content(&stored.stamp), "{object:?} {stored:?}");
        assert!(object.stamp.modified_s.is_some_and(|time| time > 1_600_000_000));
        let meta = object.meta.expect("HEAD has metadata");
        assert_eq!(meta.user.get("mtime").map(String::as_str), Some("1700000000.123456789"));
        assert_eq!(meta.content_type.as_deref(), Some("text/plain"));
        assert_eq!(read(remote, key, Some(&stored.stamp)).await, body);
    }
    assert_eq!(all_keys(remote, "").await, ["dir/a b+c%é&<>.txt", "dir/b", "e"]);
    assert_eq!(all_keys(remote, "dir/").await, ["dir/a b+c%é&<>.txt", "dir/b"]);
    let after = remote.list("", &Cursor::after(&Key::new("dir/b"))).await.expect("lists").objects;
    assert_eq!(after.iter().map(|object| object.key.as_str()).collect::<Vec<_>>(), ["e"]);
    let range = remote.get(&Key::new("e"), Some(5..10), None).await.expect("there");
    assert_eq!(range.object.stamp.size, 10);
    assert_eq!(range.body.try_collect::<Vec<Bytes>>().await.expect("readable").concat(), b"bytes");
    assert_eq!(remote.head(&Key::new("none")).await.expect("answers"), None);
    let missing = remote.get(&Key::new("none"), None, None).await.err().expect("refused");
    assert_eq!(missing.kind, ErrorKind::NotFound);

    let stamp = remote.head(&Key::new("e")).await.expect("answers").expect("there").stamp;
    let items = [(Key::new("e"), Condition::Matches(stamp))];
    assert!(remote.delete(&items).await.iter().all(Result::is_ok));
    assert_eq!(remote.head(&Key::new("e")).await.expect("answers"), None);
    assert!(remote.clock_skew_ms().is_some());
}

#[tokio::test]
async fn moto_round_trip() {
    let server = servers::moto();
    servers::create_bucket(&server, BUCKET);
    round_trip(&open(&server, BUCKET).await).await;
}

#[tokio::test]
async fn rclone_round_trip() {
    let server = servers::rclone(&[BUCKET]);
    round_trip(&open(&server, BUCKET).await).await;
}

async fn suite(server: &Server, bucket: &str, except: &[(&str, &str)], at_once: usize) -> Report {
    let remote: Arc<dyn Remote> = Arc::new(open(server, bucket).await);
    let mut settings = Settings::new(&World::real());
    settings.only = std::env::var("TIDELOCK_ONLY").ok();
    settings.except = except.iter().map(|(name, why)| ((*name).to_owned(), (*why).to_owned())).collect();
    let limited = Arc::new(Limit::new(remote.clone(), at_once));
    let report = conformance(|| limited.clone(), &settings).await;
    println!("{report}");
    assert_eq!(all_keys(&*remote, "").await, Vec::<String>::new(), "something was left behind");
    assert!(!servers::plain(&server.url, "GET", &format!("/{bucket}?uploads"), "").contains("<Upload>"));
    report
}

#[tokio::test]
async fn moto_conformance() {
    let server = servers::moto();
    servers::create_bucket(&server, BUCKET);
    let except = [("control_characters", servers::MOTO_ROUTER), ("one_of_many_wins", servers::MOTO_RACE)];
    suite(&server, BUCKET, &except, 64).await.assert_clean();
}

#[tokio::test]
async fn rclone_conformance() {
    let server = servers::rclone(&[BUCKET]);
    let why = "it keeps objects as files, so `a` and `a/b` exclude each other";
    let except = ["list_in_order", "list_by_prefix", "list_after_a_key", "folder_marker_beside_children"];
    let except = except.map(|name| (name, why));
    let forgetful = [("headers_and_class_round_trip", "it keeps neither Expires nor the class")];
    // Of files written at once it now and then loses track: two at most.
    suite(&server, BUCKET, &[&except[..], &forgetful].concat(), 2).await.assert_clean();
}

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

async fn found(remote: &S3) -> Vec<Ability> {
    let found = remote.capabilities(&ALL).await.expect("answers");
    assert_eq!(found.0.len(), ALL.len());
    ALL.into_iter().filter(|ability| found.has(*ability)).collect()
}

/// What these servers are known to do. A change here is news about them.
#[tokio::test]
async fn abilities_are_found_out() {
    let moto = servers::moto();
    servers::create_bucket(&moto, BUCKET);
    let remote = open(&moto, BUCKET).await;
    // It judges If-Match on PUT, but not on completing an upload.
    let expected = [Ability::PutIfAbsent, Ability::DeleteIfMatch, Ability::PartCopy, Ability::OrderedList];
    assert_eq!(found(&remote).await, expected);
    let rclone = servers::rclone(&[BUCKET]);
    let remote = open(&rclone, BUCKET).await;
    assert_eq!(found(&remote).await, [Ability::OrderedList]);
}

/// Whatever was found out before: where only the ETag tells what was copied, it stays.
#[tokio::test]
async fn a_copy_keeps_its_etag_where_nothing_else_tells_what_was_copied() {
    let server = servers::moto();
    servers::create_bucket(&server, BUCKET);
    let remote = open(&server, BUCKET).await;
    assert!(found(&remote).await.contains(&Ability::PartCopy));
    let stored = remote.put(&put("a", b"one", Condition::Absent), &Unwatched).await.expect("stored");
    let piece = Piece::CopyOf { key: Key::new("a"), stamp: stored.stamp.clone(), offset: 0, size: 3 };
    let request = Put { recipe: vec![piece], ..put("b", b"", Condition::Absent) };
    let copied = remote.put(&request, &Unwatched).await.expect("copied");
    assert_eq!(copied.stamp.etag, stored.stamp.etag);
}

#[tokio::test]
async fn probing_a_bucket_with_versions_leaves_none() {
    let server = servers::moto();
    servers::create_bucket(&server, BUCKET);
    servers::keep_versions(&server, BUCKET);
    let remote = open(&server, BUCKET).await.probing_below("some/where/");
    assert!(found(&remote).await.contains(&Ability::Versions));
    for query in ["versions", "uploads"] {
        let left = servers::plain(&server.url, "GET", &format!("/{BUCKET}?{query}"), "");
        assert!(left.starts_with("HTTP/1.1 200") && !left.contains("<Key>"), "{left}");
    }
    let stored = remote.put(&put("a", b"one", Condition::Absent), &Unwatched).await.expect("stored");
    assert!(stored.version.is_some());
    let seen = remote.head(&Key::new("a")).await.expect("answers").expect("there");
    assert_eq!(seen.version, stored.version);
}

#[tokio::test]
async fn missing_buckets_and_wrong_keys() {
    let moto = servers::moto();
    servers::create_bucket(&moto, BUCKET);
    let remote = open(&moto, "no-such-bucket").await;
    let kinds = [
        remote.list("", &Cursor::start()).await.expect_err("no bucket").kind,
        remote.head(&Key::new("a")).await.expect_err("no bucket").kind,
        remote.get(&Key::new("a"), None, None).await.err().expect("no bucket").kind,
        remote.put(&put("a", b"x", Condition::Absent), &Unwatched).await.expect_err("no bucket").kind,
    ];
    assert_eq!(kinds, [const { ErrorKind::NoBucket }; 4]);
    let rclone = servers::rclone(&[BUCKET]);
    let wrong = Keys { id: servers::KEY.0.to_owned(), secret: "wrong".to_owned(), token: None };
    let with_wrong = S3Options { keys: Some(wrong), ..options(&rclone.url) };
    let remote = s3::open(World::real(), BUCKET, with_wrong, None).await.expect("opens");
    let refused = remote.list("", &Cursor::start()).await.expect_err("a wrong secret");
    assert_eq!(refused.kind, ErrorKind::Credentials, "{refused}");
}

/// `make conformance`: one case that holds, one that does not on this server, and
/// nothing left of either; what was there before stays.
#[tokio::test]
async fn a_bucket_of_ones_own_is_left_as_it_was() {
    use tidelock_remote::testing::yours::{Yours, run};
    let server = servers::moto();
    servers::create_bucket(&server, BUCKET);
    let remote = open(&server, BUCKET).await;
    for key in ["mine", "some/where/mine"] {
        remote.put(&put(key, b"mine", Condition::Absent), &Unwatched).await.expect("stored");
    }
    let yours = Yours {
        bucket: BUCKET.to_owned(),
        prefix: "some/where/".to_owned(),
        s3: options(&server.url),
        concurrency: 4,
        only: Some("cter".to_owned()),
        except: Vec::new(),
    };
    let mut place = String::new();
    let found = run(yours.clone(), World::real(), |told| told.clone_into(&mut place)).await.expect("runs");
    assert!(place.contains("some/where/conformance-"), "{place}");
    assert_eq!(found.report.failed.iter().map(|(name, _)| *name).collect::<Vec<_>>(), ["control_characters"]);
    let whole = Yours { only: Some("put_if_absent".to_owned()), ..yours.clone() };
    let found = run(whole, World::real(), |_| ()).await.expect("runs");
    found.report.assert_clean();
    assert!(found.requests.put > 3 && found.removed == 0, "{:?}", found.requests);
    assert_eq!(all_keys(&remote, "").await, ["mine", "some/where/mine"]);
    let nowhere = Yours { bucket: "no-such-bucket".to_owned(), ..yours };
    let refused = run(nowhere, World::real(), |_| panic!("nothing begins")).await.expect_err("no bucket");
    assert_eq!(refused.kind, ErrorKind::NoBucket);
}
