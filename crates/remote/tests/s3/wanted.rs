//! What a person wants of what is written: class, encryption, and a limit on bytes.

use super::*;
use std::sync::atomic::{AtomicU64, Ordering};
use tidelock_remote::bandwidth::Bandwidth;
use tidelock_remote::world::Clock;

#[tokio::test]
async fn class_and_encryption_go_with_every_way_to_write() {
    for (encryption, headers) in [
        (None, ["", ""]),
        (Some(Encryption::aes256()), ["AES256", ""]),
        (Some(Encryption::kms(None)), ["aws:kms", ""]),
        (Some(Encryption::kms(Some("key/1".to_owned()))), ["aws:kms", "key/1"]),
    ] {
        let server = serve(|request| match request.is("POST") && request.line.contains("uploads=") {
            true => answer(
                200,
                &[],
                "<InitiateMultipartUploadResult><UploadId>u1</UploadId></InitiateMultipartUploadResult>",
            ),
            false if request.is("POST") => {
                answer(200, &[], "<CompleteMultipartUploadResult><ETag>\"0123\"</ETag></CompleteMultipartUploadResult>")
            }
            false if !request.header("x-amz-copy-source").is_empty() => {
                answer(200, &[], "<CopyObjectResult><ETag>\"0123\"</ETag></CopyObjectResult>")
            }
            false => answer(200, &[ETAG], ""),
        });
        let with = S3Options { encryption, ..options(&server.url) };
        let remote = s3::open(World::real(), "tide", with, None).await.expect("opens");
        for mut put in [bytes_put(5, Condition::Absent), bytes_put(20 << 20, Condition::Absent), copy_put()] {
            put.storage_class = Some("COLD".to_owned());
            remote.put(&put, &Unwatched).await.expect("stored");
        }
        let seen = server.seen();
        let begins = |request: &&Seen| {
            let part = request.line.contains("partNumber=") || request.line.contains("uploadId=");
            (request.is("PUT") || request.is("POST")) && !part
        };
        let begun: Vec<_> = seen.iter().filter(begins).collect();
        assert_eq!(begun.len(), 3, "{seen:?}");
        for request in begun {
            assert_eq!(request.header("x-amz-storage-class"), "COLD", "{}", request.line);
            let names = ["x-amz-server-side-encryption", "x-amz-server-side-encryption-aws-kms-key-id"];
            assert_eq!(names.map(|name| request.header(name)), headers, "{}", request.line);
        }
    }
}

/// Short waits move a clock of their own and are over at once; long ones never end.
#[derive(Default)]
struct Stepping(AtomicU64);

impl Clock for Stepping {
    fn wall_ns(&self) -> i64 {
        World::real().clock.wall_ns()
    }
    fn monotonic_ns(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl Sleep for Stepping {
    async fn sleep(&self, duration: Duration) {
        if duration > Duration::from_secs(1) {
            return std::future::pending().await;
        }
        self.0.fetch_add(u64::try_from(duration.as_nanos()).expect("short"), Ordering::SeqCst);
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn uploads_keep_to_the_limit() {
    let server = serve(|_| answer(200, &[ETAG], ""));
    let clock = Arc::new(Stepping::default());
    let world = World { clock: clock.clone(), sleep: clock.clone(), ..World::real() };
    let bandwidth = Arc::new(Bandwidth::new(world.clone(), 10_000));
    let remote = s3::open(world.clone(), "tide", options(&server.url), None).await.expect("opens");
    let remote = remote.paced(Some(bandwidth.clone()));
    let (one, other) = (bytes_put(40_000, Condition::Absent), bytes_put(60_000, Condition::Absent));
    let (one, other) = futures::join!(remote.put(&one, &Unwatched), remote.put(&other, &Unwatched));
    one.and(other).expect("stored");
    let took_s = clock.monotonic_ns() / 1_000_000_000;
    assert!((9..=11).contains(&took_s), "100 kB at 10 kB/s took {took_s} s of the clock that was waited on");
    bandwidth.set(0);
    remote.put(&bytes_put(1 << 20, Condition::Absent), &Unwatched).await.expect("stored");
    assert_eq!(clock.monotonic_ns() / 1_000_000_000, took_s, "without a limit nothing waits");
    let sizes: Vec<_> = server.seen().iter().map(|request| request.body.len()).collect();
    assert_eq!(sizes.iter().sum::<usize>(), 100_000 + (1 << 20), "{sizes:?}");
}
