//! Uploads: parts on bad days, the order to complete, checksums, memory.

use super::*;
use std::sync::atomic::{AtomicUsize, Ordering};
use tidelock_remote::Source;
use tidelock_remote::layer::ATTEMPT;
use tidelock_remote::open::{OpenOptions, stack};

/// Remembers which uploads began and ended.
#[derive(Default)]
struct Ledger(Mutex<Vec<String>>);

#[async_trait]
impl Progress for Ledger {
    async fn started(&self, upload_id: &str) -> Result<()> {
        self.0.lock().expect("unpoisoned").push(format!("+{upload_id}"));
        Ok(())
    }
    async fn ended(&self, upload_id: &str) -> Result<()> {
        self.0.lock().expect("unpoisoned").push(format!("-{upload_id}"));
        Ok(())
    }
    fn sent(&self, _bytes: u64) {}
}

/// An upload of three parts: how each request is answered unless the script says.
fn upload_answer(request: &Seen) -> Act {
    if request.is("POST") && request.line.contains("uploads=") {
        answer(200, &[], "<InitiateMultipartUploadResult><UploadId>u1</UploadId></InitiateMultipartUploadResult>")
    } else if request.is("POST") {
        let text = "<CompleteMultipartUploadResult><ETag>\"0123\"</ETag></CompleteMultipartUploadResult>";
        answer(200, &[], text)
    } else if request.is("HEAD") {
        Act::Say(b"HTTP/1.1 200 Said\r\nETag: \"0123\"\r\nContent-Length: 20971520\r\n\r\n".to_vec())
    } else if request.is("DELETE") {
        answer(204, &[], "")
    } else {
        answer(200, &[ETAG], "")
    }
}

#[tokio::test]
async fn parts_are_sent_again_alone() {
    let mut refused = 0;
    let server = serve(move |request| {
        if request.line.contains("partNumber=2") && refused < 3 {
            refused += 1;
            return match refused {
                1 => error(503, "SlowDown"),
                2 => Act::SayAndClose(Vec::new()),
                _ => error(500, "InternalError"),
            };
        }
        upload_answer(request)
    });
    let ledger = Ledger::default();
    let stored =
        open_patient(&server).await.put(&bytes_put(20 << 20, Condition::Absent), &ledger).await.expect("stored");
    assert_eq!((stored.stamp.etag.as_str(), stored.stamp.size), ("0123", 20 << 20));
    assert_eq!(*ledger.0.lock().expect("unpoisoned"), ["+u1", "-u1"]);
    let mut parts = BTreeMap::new();
    for request in server.seen().iter().filter(|request| request.is("PUT")) {
        let number = request.line.split("partNumber=").nth(1).expect("a part")[..1].to_owned();
        let (times, size) = parts.entry(number).or_insert((0, request.body.len()));
        *times += 1;
        assert_eq!(*size, request.body.len());
    }
    let expected = [("1", (1, 8 << 20)), ("2", (4, 8 << 20)), ("3", (1, 4 << 20))];
    assert_eq!(parts, expected.map(|(number, part)| (number.to_owned(), part)).into());
    let complete = server.seen().into_iter().find(|request| request.is("POST") && request.line.contains("uploadId"));
    assert_eq!(complete.expect("completed").header("if-none-match"), "*");
}

#[tokio::test]
async fn a_failed_upload_is_given_up() {
    for (reply, kind, times) in [
        (error as fn(u16, &str) -> Act, ErrorKind::Precondition, 1),
        (|_, _| answer(200, &[], "<Error><Code>InternalError</Code></Error>"), ErrorKind::Transient, 8),
        (|_, _| answer(200, &[], "  \n <half"), ErrorKind::OutcomeUnknown, 8),
        (|_, _| Act::SayAndClose(Vec::new()), ErrorKind::OutcomeUnknown, 8),
        (|_, _| error(404, "NoSuchUpload"), ErrorKind::OutcomeUnknown, 1),
        (|_, _| error(409, "ConditionalRequestConflict"), ErrorKind::Conflict, 1),
    ] {
        let server = serve(move |request| match request.is("POST") && request.line.contains("uploadId") {
            true => reply(412, "PreconditionFailed"),
            false => upload_answer(request),
        });
        let ledger = Ledger::default();
        let put = bytes_put(20 << 20, Condition::Absent);
        let error = open_patient(&server).await.put(&put, &ledger).await.expect_err("not completed");
        assert_eq!(error.kind, kind);
        assert_eq!(*ledger.0.lock().expect("unpoisoned"), ["+u1", "-u1"]);
        let given_up = server.seen().iter().filter(|request| request.is("DELETE")).count();
        assert_eq!(given_up, 1, "{kind:?}");
        let completed = |request: &&Seen| request.is("POST") && request.line.contains("uploadId");
        assert_eq!(server.seen().iter().filter(completed).count(), times, "{kind:?}");
    }
}

#[tokio::test]
async fn without_conditions_a_long_upload_looks_before_it_ends() {
    let server = serve(upload_answer);
    let known = Arc::new(Given(r#"{"found_s":NOW,"abilities":{"put-if-absent":false,"put-if-match":false}}"#));
    let remote = s3::open(World::real(), "tide", options(&server.url), Some(known)).await.expect("opens");
    let ledger = Ledger::default();
    let refused = remote.put(&bytes_put(20 << 20, Condition::Absent), &ledger).await.expect_err("it came meanwhile");
    assert_eq!(refused.kind, ErrorKind::Precondition);
    assert_eq!(*ledger.0.lock().expect("unpoisoned"), ["+u1", "-u1"]);
    let completed = |request: &Seen| request.is("POST") && request.line.contains("uploadId");
    assert!(!server.seen().iter().any(completed));
    remote.put(&bytes_put(20 << 20, Condition::Matches(stamp())), &ledger).await.expect("it is as it was");
    assert!(server.seen().iter().any(completed));
}

fn is_completion(request: &Seen) -> bool {
    request.is("POST") && request.line.contains("uploadId")
}

#[tokio::test]
async fn completing_is_tried_again_and_no_part_is() {
    let mut asked = 0;
    let server = serve(move |request| {
        if is_completion(request) {
            asked += 1;
            match asked {
                1 => return error(500, "InternalError"),
                2 => return answer(200, &[], "<Error><Code>InternalError</Code></Error>"),
                3 => return Act::SayAndClose(Vec::new()),
                4 => return error(503, "SlowDown"),
                _ => {}
            }
        }
        upload_answer(request)
    });
    let ledger = Ledger::default();
    let put = bytes_put(20 << 20, Condition::Absent);
    let stored = open_patient(&server).await.put(&put, &ledger).await.expect("completed in the end");
    assert_eq!(stored.stamp.etag, "0123");
    let count = |what: fn(&Seen) -> bool| server.seen().iter().filter(|request| what(request)).count();
    assert_eq!((count(is_completion), count(|request| request.is("PUT"))), (5, 3));
    assert_eq!(count(|request| request.is("DELETE")), 0, "nothing was given up");
    assert_eq!(*ledger.0.lock().expect("unpoisoned"), ["+u1", "-u1"]);
}

/// The first order to complete is carried out and its answer lost; what the second
/// hears is about the first.
#[tokio::test]
async fn what_an_earlier_completion_made_is_ours() {
    for second in [(412, "PreconditionFailed"), (404, "NoSuchUpload")] {
        let mut asked = 0;
        let server = serve(move |request| {
            if is_completion(request) {
                asked += 1;
                return if asked == 1 { Act::SayAndClose(Vec::new()) } else { error(second.0, second.1) };
            }
            if request.is("HEAD") {
                let head = "HTTP/1.1 200 Said\r\nETag: \"mine\"\r\nContent-Length: 20971520\r\n\
                            x-amz-meta-tidelock-attempt: run/1\r\n\r\n";
                return Act::Say(head.as_bytes().to_vec());
            }
            upload_answer(request)
        });
        let mut put = bytes_put(20 << 20, Condition::Absent);
        put.meta.user.insert(ATTEMPT.to_owned(), "run/1".to_owned());
        let place = Arc::new(open_patient(&server).await);
        let known = tidelock_remote::Capabilities::all_but(&[]);
        let opened = stack(place, "", known, &OpenOptions::default(), patient());
        let stored = opened.remote.put(&put, &Unwatched).await.expect("it is there");
        assert_eq!(stored.stamp.etag, "mine");
        assert_eq!(server.seen().iter().filter(|request| request.is("PUT")).count(), 3, "no part is sent again");
    }
}

#[tokio::test]
async fn an_upload_that_somebody_gave_up_is_to_be_begun_again() {
    let server = serve(|request| match request.line.contains("partNumber=2") {
        true => error(404, "NoSuchUpload"),
        false => upload_answer(request),
    });
    let put = bytes_put(20 << 20, Condition::Matches(stamp()));
    let error = open_patient(&server).await.put(&put, &Unwatched).await.expect_err("it is gone");
    assert_eq!(error.kind, ErrorKind::Conflict, "and nobody else wrote the object");
}

fn sum(byte: u8, size: usize) -> String {
    use base64::Engine;
    let sum = crc_fast::checksum(crc_fast::CrcAlgorithm::Crc64Nvme, &vec![byte; size]);
    base64::engine::general_purpose::STANDARD.encode(sum.to_be_bytes())
}

#[tokio::test]
async fn a_place_that_is_silent_on_checksums_gets_another() {
    for says in [false, true] {
        let server = serve(move |request| {
            let said = request.header("x-amz-checksum-crc64nvme").to_owned();
            match says && request.is("PUT") {
                true => answer(200, &[ETAG, ("x-amz-checksum-crc64nvme", &said)], ""),
                false => upload_answer(request),
            }
        });
        let remote = open_patient(&server).await;
        for _ in 0..2 {
            remote.put(&bytes_put(5, Condition::Absent), &Unwatched).await.expect("stored");
        }
        remote.put(&bytes_put(20 << 20, Condition::Absent), &Unwatched).await.expect("stored");
        let sent = |request: &Seen| {
            (!request.header("x-amz-checksum-crc64nvme").is_empty(), !request.header("content-md5").is_empty())
        };
        let bodies: Vec<_> = server.seen().iter().filter(|request| request.is("PUT")).map(sent).collect();
        let known = if says { (true, false) } else { (false, true) };
        assert_eq!(bodies, [(true, true), known, known, known, known], "the first says both");
        let posts: Vec<Seen> = server.seen().into_iter().filter(|request| request.is("POST")).collect();
        assert_eq!(posts[0].header("x-amz-checksum-algorithm"), if says { "CRC64NVME" } else { "" });
        assert_eq!(posts[1].header("x-amz-checksum-crc64nvme"), if says { sum(7, 20 << 20) } else { String::new() });
    }
}

#[tokio::test]
async fn what_arrived_otherwise_is_not_called_stored() {
    for known in [true, false] {
        for size in [5, 20 << 20] {
            let given = match known {
                true => r#"{"found_s":NOW,"abilities":{"delete-if-match":true}}"#,
                false => r#"{"found_s":NOW,"abilities":{"delete-if-match":false}}"#,
            };
            let wrong = sum(8, size);
            let server = serve(move |request| {
                if is_completion(request) {
                    let text = format!(
                        "<CompleteMultipartUploadResult><ETag>\"0123\"</ETag><ChecksumCRC64NVME>{wrong}\
                         </ChecksumCRC64NVME></CompleteMultipartUploadResult>"
                    );
                    return answer(200, &[], &text);
                }
                match request.is("PUT") && !request.line.contains("partNumber") {
                    true => answer(200, &[ETAG, ("x-amz-checksum-crc64nvme", &wrong)], ""),
                    false => upload_answer(request),
                }
            });
            let store = Some(Arc::new(Given(given)) as Arc<dyn CapabilityStore>);
            let remote = s3::open(patient(), "tide", options(&server.url), store).await.expect("opens");
            let mut put = bytes_put(size, Condition::Absent);
            put.key = Key::new("wrong");
            let error = remote.put(&put, &Unwatched).await.expect_err("it is another object");
            assert_eq!(error.kind, ErrorKind::Corrupt, "{error}");
            let removed =
                |request: &&Seen| request.is("DELETE /tide/wrong ") && request.header("if-match") == "\"0123\"";
            assert_eq!(server.seen().iter().filter(removed).count(), usize::from(known), "{error}");
            assert!(error.message.contains(if known { "removed again" } else { "still there" }), "{error}");
        }
    }
}

/// Counts the bytes that were read and not yet answered for.
struct Counted(Arc<Gauge>);

#[derive(Default)]
struct Gauge {
    now: AtomicUsize,
    most: AtomicUsize,
}

#[async_trait]
impl Source for Counted {
    async fn read(&self, _offset: u64, size: usize) -> Result<Bytes> {
        let now = self.0.now.fetch_add(size, Ordering::SeqCst) + size;
        self.0.most.fetch_max(now, Ordering::SeqCst);
        Ok(Bytes::from(vec![7; size]))
    }
}

#[async_trait]
impl Progress for Counted {
    async fn started(&self, _upload_id: &str) -> Result<()> {
        Ok(())
    }
    async fn ended(&self, _upload_id: &str) -> Result<()> {
        Ok(())
    }
    fn sent(&self, bytes: u64) {
        self.0.now.fetch_sub(usize::try_from(bytes).expect("small"), Ordering::SeqCst);
    }
}

#[tokio::test]
async fn memory_is_shared_by_all_uploads() {
    const MIB: usize = 1 << 20;
    let server = serve(upload_answer);
    let remote = open_patient(&server).await.holding(18 * MIB as u64);
    let gauge = Arc::new(Gauge::default());
    // Six in parts of 8 MiB, six of one request, and nobody waits for ever.
    let uploads = (0..12).map(|number| {
        let size = if number % 2 == 0 { 17 * MIB as u64 } else { 3 * MIB as u64 };
        let recipe = vec![Piece::Bytes { source: Arc::new(Counted(gauge.clone())), offset: 0, size }];
        let put = Put { recipe, key: Key::new(format!("{number}")), ..bytes_put(0, Condition::Absent) };
        let (remote, watch) = (&remote, Counted(gauge.clone()));
        async move { remote.put(&put, &watch).await }
    });
    for stored in futures::future::join_all(uploads).await {
        stored.expect("stored");
    }
    let most = gauge.most.load(Ordering::SeqCst);
    assert!(most > 8 * MIB && most <= 18 * MIB, "{most} bytes at once");
    let tight = open_patient(&server).await.holding(1);
    tight.put(&bytes_put(20 * MIB, Condition::Absent), &Unwatched).await.expect("a part larger than the purse");
}

/// Wants an upload no more once a part of it is under way.
struct Unwanting<'a>(&'a Ledger, &'a tokio::sync::Notify);

#[async_trait]
impl Progress for Unwanting<'_> {
    async fn started(&self, upload_id: &str) -> Result<()> {
        self.0.started(upload_id).await
    }
    async fn ended(&self, upload_id: &str) -> Result<()> {
        self.0.ended(upload_id).await
    }
    fn sent(&self, _bytes: u64) {}
    async fn unwanted(&self) {
        self.1.notified().await;
    }
}

#[tokio::test]
async fn an_upload_that_nobody_wants_any_more_is_broken_off_and_given_up() {
    let under_way = Arc::new(tokio::sync::Notify::new());
    let tell = under_way.clone();
    let server = serve(move |request| match request.line.contains("partNumber=") {
        true => {
            tell.notify_one();
            Act::Hang
        }
        false => upload_answer(request),
    });
    let ledger = Ledger::default();
    let place: Arc<dyn Remote> = Arc::new(open_patient(&server).await);
    let opened = stack(place, "", tidelock_remote::Capabilities::all_but(&[]), &OpenOptions::default(), World::real());
    let put = bytes_put(20 << 20, Condition::Absent);
    let refused = opened.remote.put(&put, &Unwanting(&ledger, &under_way)).await.expect_err("given up");
    assert_eq!(refused.kind, ErrorKind::SourceMoved, "{refused}");
    assert_eq!(*ledger.0.lock().expect("unpoisoned"), ["+u1", "-u1"]);
    let seen = server.seen();
    assert!(seen.iter().any(|request| request.is("DELETE") && request.line.contains("uploadId=u1")), "{seen:?}");
    assert!(!seen.iter().any(|request| request.is("POST") && request.line.contains("uploadId=")), "{seen:?}");
}
