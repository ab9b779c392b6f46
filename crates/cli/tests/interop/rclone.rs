//! rclone.

use crate::bench::Bench;
use std::fs;

const KEEP_ALL: &[&str] = &["--links", "--metadata", "--create-empty-src-dirs", "--s3-directory-markers"];

#[test]
fn what_rclone_wrote_is_adopted() {
    let bench = Bench::furnished().with_oddities();
    bench.rclone(&[&["copy", "f", &bench.for_rclone("all")], KEEP_ALL].concat());
    assert!(bench.head("all/big.bin")["ETag"].as_str().is_some_and(|etag| etag.contains('-')), "sent in parts");
    bench.is_adopted("all", 6 + 1);
    // Without its metadata there are times at least.
    fs::remove_file(bench.home.path("f/link")).expect("removed");
    fs::remove_dir(bench.home.path("f/hollow")).expect("removed");
    bench.rclone(&["copy", "f", &bench.for_rclone("plain")]);
    bench.is_adopted("plain", 4);
}

#[test]
fn what_rclone_wrote_is_restored_as_it_was() {
    let bench = Bench::furnished().with_oddities();
    bench.rclone(&[&["copy", "f", &bench.for_rclone("all")], KEEP_ALL].concat());
    bench.tidelock(&["restore", &bench.url("all"), "g"]).expect(0);
    bench.same_tree("f", "g");
}

#[test]
fn rclone_reads_what_tidelock_wrote() {
    let bench = Bench::furnished().with_oddities();
    bench.tidelock(&["sync", "f", &bench.url("ours")]).expect(0);
    bench.rclone(&["check", "--download", "--links", "f", &bench.for_rclone("ours"), "--filter", "- /.tidelock/**"]);
    bench.rclone(&[&["copy", &bench.for_rclone("ours"), "g"], KEEP_ALL].concat());
    bench.same_tree("f", "g");
    // To rclone there is nothing left to do, by size and time.
    let log = bench.rclone(&["copy", "--dry-run", "-v", "--links", "f", &bench.for_rclone("ours")]).err;
    assert!(log.contains("Transferred:") && !log.contains("Skipped copy"), "{log}");
}

#[test]
fn a_change_by_rclone_is_taken() {
    let bench = Bench::furnished();
    bench.tidelock(&["sync", "f", &bench.url("ours"), "--two-way", "--allow-unconditional"]).expect(0);
    bench.home.write("g/a.txt", "alpha, changed");
    bench.rclone(&["copyto", "--metadata", "g/a.txt", &bench.for_rclone("ours/a.txt")]);
    bench.rclone(&["deletefile", &bench.for_rclone("ours/sub/empty")]);
    let summary = bench
        .tidelock(&["sync", "f", &bench.url("ours"), "--two-way", "--allow-unconditional", "--json"])
        .expect(0)
        .summary();
    let report = &summary["reply"]["report"];
    assert_eq!((&report["downloaded"], &report["deleted_here"]), (&1.into(), &1.into()), "{summary}");
    assert_eq!(bench.home.read("f/a.txt"), "alpha, changed");
    assert_eq!(bench.tree("f")["a.txt"], bench.tree("g")["a.txt"], "its time and mode too");
}
