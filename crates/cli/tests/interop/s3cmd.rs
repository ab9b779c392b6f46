//! s3cmd.

use crate::bench::Bench;

#[test]
fn what_s3cmd_wrote_is_adopted() {
    let bench = Bench::furnished();
    bench.s3cmd(&["sync", "--quiet", "f/", &bench.url("synced/")]);
    assert!(bench.head("synced/big.bin")["ETag"].as_str().is_some_and(|etag| etag.ends_with("-2\"")), "15 MiB each");
    bench.is_adopted("synced", 4);
    bench.s3cmd(&["put", "--quiet", "--multipart-chunk-size-mb", "5", "f/big.bin", &bench.url("put/big.bin")]);
    for name in ["a.txt", "sub/ü b.txt", "sub/empty"] {
        bench.s3cmd(&["put", "--quiet", &format!("f/{name}"), &bench.url(&format!("put/{name}"))]);
    }
    bench.is_adopted("put", 4);
}

/// It keeps modes, and times in whole seconds.
#[test]
fn what_s3cmd_wrote_is_restored_as_far_as_it_tells() {
    let bench = Bench::furnished();
    bench.s3cmd(&["sync", "--quiet", "f/", &bench.url("synced/")]);
    bench.tidelock(&["restore", &bench.url("synced"), "g"]).expect(0);
    bench.same_bytes("f", "g");
    let tree = bench.tree("g");
    assert_eq!(tree["a.txt"], "file 640 981173106.0 alpha");
    assert_eq!(tree["sub/ü b.txt"], "file 755 1600000000.0 beta and more");
}

/// Rows of docs/coming-from.md: links that are followed, and what is left out.
#[test]
fn s3cmd_and_tidelock_take_the_same() {
    let bench = Bench::furnished();
    bench.home.write("f/cache/one", "1");
    bench.home.write("f/sub/mycache/two", "2");
    bench.home.write("else/there", "3");
    std::os::unix::fs::symlink("../else", bench.home.path("f/folder")).expect("made");
    std::os::unix::fs::symlink("a.txt", bench.home.path("f/file")).expect("made");
    let keys = |prefix: &str| bench.tidelock(&["ls", &bench.url(prefix)]).expect(0).out;
    for (number, theirs, ours) in [
        (1, &["--follow-symlinks"][..], &["--follow-links"][..]),
        (2, &["--follow-symlinks", "--exclude", "cache/*"], &["--follow-links", "--exclude", "*cache/"]),
        (3, &["--follow-symlinks", "--exclude", "*.txt"], &["--follow-links", "--exclude", "*.txt"]),
    ] {
        let (s3cmd, tidelock) = (format!("s{number}"), format!("t{number}"));
        bench.s3cmd(&[&["sync", "--quiet", "f/", &bench.url(&format!("{s3cmd}/"))], theirs].concat());
        bench.tidelock(&[&["sync", "f", &bench.url(&tidelock)], ours].concat()).expect(0);
        // A folder in which nothing takes part is an empty one to Tidelock.
        let files =
            keys(&tidelock).lines().filter(|key| !key.ends_with('/')).map(|key| format!("{key}\n")).collect::<String>();
        assert_eq!(keys(&s3cmd), files, "{ours:?}");
    }
}

#[test]
fn s3cmd_reads_what_tidelock_wrote() {
    let bench = Bench::furnished();
    bench.tidelock(&["sync", "f", &bench.url("ours")]).expect(0);
    std::fs::create_dir(bench.home.path("g")).expect("made");
    bench.s3cmd(&["sync", "--quiet", &bench.url("ours/"), "g/"]);
    bench.same_bytes("f", "g");
}
