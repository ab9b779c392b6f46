//! The AWS command line.

use crate::bench::Bench;

#[test]
fn what_aws_wrote_is_adopted() {
    let bench = Bench::furnished();
    bench.aws(&["s3", "cp", "--recursive", "--only-show-errors", "f", &bench.url("copied")]);
    assert!(bench.head("copied/big.bin")["ETag"].as_str().is_some_and(|etag| etag.ends_with("-3\"")), "8 MiB each");
    bench.is_adopted("copied", 4);
    bench.aws(&["s3", "sync", "--only-show-errors", "f", &bench.url("synced")]);
    bench.is_adopted("synced", 4);
}

/// Rows of docs/coming-from.md: links are followed, and what is left out.
#[test]
fn aws_and_tidelock_take_the_same() {
    let bench = Bench::furnished();
    bench.home.write("f/cache/one", "1");
    bench.home.write("f/sub/cache/two", "2");
    std::os::unix::fs::symlink("a.txt", bench.home.path("f/file")).expect("made");
    bench.aws(&["s3", "sync", "--only-show-errors", "f", &bench.url("a"), "--exclude", "cache/*"]);
    bench.tidelock(&["sync", "f", &bench.url("t"), "--follow-links", "--exclude", "/cache/"]).expect(0);
    let keys = |prefix: &str| bench.tidelock(&["ls", &bench.url(prefix)]).expect(0).out;
    assert_eq!(keys("a"), keys("t"));
}

#[test]
fn aws_reads_what_tidelock_wrote() {
    let bench = Bench::furnished();
    bench.tidelock(&["sync", "f", &bench.url("ours")]).expect(0);
    bench.aws(&["s3", "sync", "--only-show-errors", &bench.url("ours"), "g"]);
    bench.same_bytes("f", "g");
}

/// A file that aws replaced has none of our metadata, and is another version.
#[test]
fn a_change_by_aws_is_taken() {
    let bench = Bench::furnished();
    bench.tidelock(&["sync", "f", &bench.url("ours"), "--two-way", "--allow-unconditional"]).expect(0);
    bench.home.write("other.txt", "ALPHA");
    bench.aws(&["s3", "cp", "--only-show-errors", "other.txt", &bench.url("ours/a.txt")]);
    let summary = bench
        .tidelock(&["sync", "f", &bench.url("ours"), "--two-way", "--allow-unconditional", "--json"])
        .expect(0)
        .summary();
    assert_eq!(summary["reply"]["report"]["downloaded"], 1, "{summary}");
    assert_eq!(bench.home.read("f/a.txt"), "ALPHA");
}
