//! Probing on bad days: what was found is kept and forgotten as it should be, and
//! what was written is removed whatever fails.

use super::*;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicI64, Ordering};
use tidelock_remote::world::Clock;

/// A bucket that keeps names only, refuses nothing, and fails at chosen requests.
#[derive(Default)]
struct Names {
    keys: BTreeSet<String>,
    uploads: usize,
}

impl Names {
    fn act(&mut self, request: &Seen) -> Act {
        let target = request.line.split(' ').nth(1).expect("a target").to_owned();
        let (path, query) = target.split_once('?').unwrap_or((&target, ""));
        if query.contains("uploads") {
            self.uploads += 1;
            let text = "<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>";
            return answer(200, &[], text);
        }
        match (&request.line[..3], query) {
            ("DEL", "uploadId=u") => {
                self.uploads -= 1;
                answer(204, &[], "")
            }
            ("DEL", _) => {
                self.keys.remove(path);
                answer(204, &[], "")
            }
            ("PUT", "") => {
                self.keys.insert(path.to_owned());
                answer(200, &[ETAG], "<CopyObjectResult><ETag>e</ETag></CopyObjectResult>")
            }
            ("POS", "uploadId=u") => {
                self.keys.insert(path.to_owned());
                let text = "<CompleteMultipartUploadResult><ETag>e</ETag></CompleteMultipartUploadResult>";
                answer(200, &[], text)
            }
            _ => answer(200, &[ETAG], ""),
        }
    }
}

const TRIED: [Ability; 9] = [
    Ability::PutIfAbsent,
    Ability::PutIfMatch,
    Ability::DeleteIfMatch,
    Ability::BatchDeleteIfMatch,
    Ability::CopyIfMatch,
    Ability::CopySourceIfMatch,
    Ability::PartCopy,
    Ability::Crc64Nvme,
    Ability::OrderedList,
];

#[tokio::test]
async fn nothing_is_left_behind_whatever_fails() {
    for ability in TRIED {
        for failing in 0..6 {
            let names = Arc::new(Mutex::new(Names::default()));
            let (kept, mut number) = (names.clone(), 0);
            let server = serve(move |request| {
                let mut names = kept.lock().expect("unpoisoned");
                // From the n-th request on writes are denied, and clearing away is not.
                let clearing = request.is("DELETE") && request.header("if-match").is_empty();
                number += 1;
                if number > failing && !clearing { error(403, "AccessDenied") } else { names.act(request) }
            });
            let found = open(&server).await.capabilities(&[ability]).await;
            // This place ignores conditions, which may be found out before it fails.
            assert!(failing > 0 || found.is_err());
            if let Err(error) = found {
                let message = error.to_string();
                assert!(message.contains("s3:") && message.contains(".tidelock/"), "{message}");
            }
            let names = names.lock().expect("unpoisoned");
            assert_eq!((&names.keys, names.uploads), (&BTreeSet::new(), 0), "{ability:?} failing at {failing}");
        }
    }
}

#[tokio::test]
async fn a_denial_is_asked_for_once() {
    let server = serve(|_| error(403, "AccessDenied"));
    let remote = open(&server).await;
    let mut told = Vec::new();
    for _ in 0..3 {
        let error = remote.capabilities(&[Ability::PutIfAbsent]).await.expect_err("denied");
        assert_eq!(error.kind, ErrorKind::Denied);
        told.push((error.to_string(), server.seen().len()));
    }
    assert!(told.iter().all(|found| *found == told[0]), "{told:?}");
}

#[tokio::test]
async fn what_killed_runs_left_is_cleared_away() {
    let names = Arc::new(Mutex::new(Names::default()));
    let kept = names.clone();
    let old = "2001-01-01T00:00:00.000Z";
    let entry = |key: &str, at: &str| {
        format!("<Contents><Key>{key}</Key><LastModified>{at}</LastModified><ETag>e</ETag><Size>1</Size></Contents>")
    };
    let listing = format!(
        "<ListBucketResult><IsTruncated>false</IsTruncated>{}{}</ListBucketResult>",
        entry(".tidelock/probe-dead/a", old),
        entry(".tidelock/probe-live/a", "2999-01-01T00:00:00.000Z"),
    );
    let server = serve(move |request| {
        let is_listing = request.is("GET") && request.line.contains("list-type");
        if is_listing { answer(200, &[], &listing) } else { kept.lock().expect("unpoisoned").act(request) }
    });
    let remote = open(&server).await;
    remote.capabilities(&[Ability::DeleteIfMatch]).await.expect("found out");
    let seen = server.seen();
    let gone = |key: &str| seen.iter().any(|request| request.is("DELETE") && request.line.contains(key));
    assert!(gone("probe-dead"));
    assert!(!gone("probe-live"), "another run may be at it");
}

#[tokio::test]
async fn a_place_that_grants_everything_has_no_conditions() {
    let names = Arc::new(Mutex::new(Names::default()));
    let kept = names.clone();
    let server = serve(move |request| kept.lock().expect("unpoisoned").act(request));
    let remote = open(&server).await;
    for ability in TRIED {
        let found = remote.capabilities(&[ability]).await;
        // An empty reply is no listing: that is an error, not an answer.
        let has = found.is_ok_and(|found| found.has(ability));
        assert!(!has, "{ability:?}");
    }
    let names = names.lock().expect("unpoisoned");
    assert_eq!((&names.keys, names.uploads), (&BTreeSet::new(), 0));
}

#[tokio::test]
async fn credentials_that_may_only_add_get_answers() {
    let names = Arc::new(Mutex::new(Names::default()));
    let server = serve(move |request| match request.is("DELETE") {
        true => error(403, "AccessDenied"),
        false => names.lock().expect("unpoisoned").act(request),
    });
    let remote = open(&server).await;
    let found = remote.capabilities(&[Ability::PutIfAbsent]).await.expect("answers");
    assert_eq!(found.0.get(&Ability::PutIfAbsent), Some(&false));
    let refused = remote.capabilities(&[Ability::DeleteIfMatch]).await.expect_err("that needs the permission");
    assert!(refused.kind == ErrorKind::Denied && refused.message.contains("s3:DeleteObject"), "{refused}");
}

#[tokio::test]
async fn a_passing_fault_is_waited_for() {
    let names = Arc::new(Mutex::new(Names::default()));
    let (kept, mut number) = (names.clone(), 0);
    let server = serve(move |request| {
        number += 1;
        match number {
            2 => error(503, "SlowDown"),
            5 => Act::SayAndClose(Vec::new()),
            _ => kept.lock().expect("unpoisoned").act(request),
        }
    });
    let found = open_hasty(&server).await.capabilities(&[Ability::DeleteIfMatch]).await.expect("an answer in the end");
    assert_eq!(found.0.get(&Ability::DeleteIfMatch), Some(&false));
    assert!(names.lock().expect("unpoisoned").keys.is_empty());
}

#[tokio::test]
async fn clearing_away_touches_only_what_is_ours() {
    let names = Arc::new(Mutex::new(Names::default()));
    let server = serve(move |request| match request.is("GET /tide?") && request.line.contains("versions=") {
        true => answer(
            200,
            &[],
            "<ListVersionsResult><Version><Key>precious</Key><VersionId>v1</VersionId></Version></ListVersionsResult>",
        ),
        false if request.is("PUT") => answer(200, &[ETAG, ("x-amz-version-id", "v7")], ""),
        false => names.lock().expect("unpoisoned").act(request),
    });
    open(&server).await.capabilities(&[Ability::DeleteIfMatch]).await.expect("answers");
    let removed = |request: &&Seen| request.is("DELETE");
    assert!(server.seen().iter().filter(removed).count() > 0);
    assert!(server.seen().iter().filter(removed).all(|request| request.line.contains("/.tidelock/probe-")));
}

#[derive(Default)]
struct Kept(Mutex<BTreeMap<String, String>>);

impl CapabilityStore for Kept {
    fn load(&self, place: &str) -> Option<String> {
        self.0.lock().expect("unpoisoned").get(place).cloned()
    }
    fn save(&self, place: &str, text: &str) {
        self.0.lock().expect("unpoisoned").insert(place.to_owned(), text.to_owned());
    }
}

struct Day(AtomicI64);

impl Clock for Day {
    fn wall_ns(&self) -> i64 {
        self.0.load(Ordering::SeqCst) * 24 * 3600 * 1_000_000_000
    }
    fn monotonic_ns(&self) -> u64 {
        World::real().clock.monotonic_ns()
    }
}

#[tokio::test]
async fn answers_are_kept_for_a_week_and_until_contradicted() {
    let version = Arc::new(Mutex::new("tide/1"));
    let called = version.clone();
    let server = serve(move |request| {
        let (status, body) = match request.is("HEAD") {
            true => (404, ""),
            false => (200, "<CopyObjectResult><ETag>e</ETag></CopyObjectResult>"),
        };
        answer(status, &[ETAG, ("Server", *called.lock().expect("unpoisoned"))], body)
    });
    let day = Arc::new(Day(AtomicI64::new(20_000)));
    let store = Arc::new(Kept::default());
    let open = || async {
        let world = World { clock: day.clone(), ..World::real() };
        s3::open(world, "tide", options(&server.url), Some(store.clone())).await.expect("opens")
    };
    let asked = |remote: S3| {
        let server = &server;
        async move {
            let before = server.seen().len();
            remote.capabilities(&[Ability::CopyIfMatch]).await.expect("answers");
            server.seen().len() > before
        }
    };
    assert!(asked(open().await).await, "not known yet");
    day.0.store(20_006, Ordering::SeqCst);
    assert!(!asked(open().await).await, "six days later, in another process");
    day.0.store(20_008, Ordering::SeqCst);
    assert!(asked(open().await).await, "eight days later");
    day.0.store(19_000, Ordering::SeqCst);
    assert!(asked(open().await).await, "from the future");
    *version.lock().expect("unpoisoned") = "tide/2";
    let remote = open().await;
    remote.head(&Key::new("a")).await.expect("answers");
    assert!(asked(remote).await, "another version of the server");
    assert!(!asked(open().await).await, "which is known by now");
    let remote = open().await;
    remote.contradicted();
    assert!(asked(remote).await, "contradicted");
    assert!(store.0.lock().expect("unpoisoned").keys().all(|place| place == &format!("{}|tide", server.url)));
}

#[tokio::test]
async fn a_service_that_wants_patience_is_believed_and_not_pressed() {
    for (status, code, kind, most) in
        [(503, "SlowDown", ErrorKind::Busy(None), 3), (500, "InternalError", ErrorKind::Transient, 30)]
    {
        let server = serve(move |_| error(status, code));
        let remote = open_hasty(&server).await;
        let asked = (0..8).map(|_| remote.capabilities(&[Ability::PutIfAbsent]));
        for found in futures::future::join_all(asked).await {
            let error = found.expect_err("no answer");
            assert_eq!(error.kind, kind);
            assert!(error.message.contains(".tidelock/") && error.message.contains(code), "{error}");
        }
        let sent = server.seen().len();
        assert!(sent <= most, "eight who wait for one answer sent {sent} requests");
        // Whoever asks later is given another try.
        let before = server.seen().len();
        remote.capabilities(&[Ability::PutIfAbsent]).await.expect_err("no answer");
        assert!(server.seen().len() > before);
    }
}

#[tokio::test]
async fn whether_versions_are_kept_is_asked_every_time() {
    let status = Arc::new(Mutex::new("Suspended"));
    let told = status.clone();
    let server = serve(move |_| {
        let status = *told.lock().expect("unpoisoned");
        answer(200, &[], &format!("<VersioningConfiguration><Status>{status}</Status></VersioningConfiguration>"))
    });
    // An older version kept the answer.
    let store = Arc::new(Kept::default());
    let place = format!("{}|tide", server.url);
    let now_s = World::real().clock.wall_ns() / 1_000_000_000;
    store.save(&place, &format!("{{\"found_s\":{now_s},\"abilities\":{{\"versions\":true}}}}"));
    for (now, has) in [("Suspended", false), ("Enabled", true), ("Suspended", false), ("", false)] {
        *status.lock().expect("unpoisoned") = now;
        let remote = s3::open(World::real(), "tide", options(&server.url), Some(store.clone())).await.expect("opens");
        let found = remote.capabilities(&[Ability::Versions]).await.expect("an answer");
        assert_eq!(found.0.get(&Ability::Versions), Some(&has), "{now:?}");
    }
    assert!(server.seen().iter().all(|request| request.is("GET")), "nothing is written for it");
}
