//! s3fs, by its formats: the program itself needs a kernel that lets it mount.
//!
//! What it would write is put there by the AWS command line, header by header, as
//! its `metaheader.cpp` and `string_util.cpp` do it: decimal modes with the kind of
//! entry, times in seconds with nanoseconds, a link's target as the body.

use crate::bench::Bench;

impl Bench {
    /// Puts an object as s3fs would.
    fn s3fs_put(&self, key: &str, body: &str, content_type: &str, mode: &str, mtime: &str) {
        self.home.write("body", body);
        let metadata = format!("mode={mode},uid=0,gid=0,mtime={mtime},ctime={mtime},atime={mtime}");
        let what = ["s3api", "put-object", "--bucket", self.bucket(), "--key", key, "--body", "body"];
        self.aws(&[&what[..], &["--content-type", content_type, "--metadata", &metadata]].concat());
    }

    fn s3fs_furnish(&self) {
        let octets = "application/octet-stream";
        self.s3fs_put("fs/sub/", "", "application/x-directory", "16872", "1600000000.5");
        self.s3fs_put("fs/sub/run.sh", "echo hello", octets, "33261", "1600000000.123456789");
        self.s3fs_put("fs/secret", "hush", "text/plain", "33152", "1500000000");
        self.s3fs_put("fs/link", "sub/run.sh", octets, "41471", "1600000001");
    }
}

#[test]
fn modes_times_and_links_of_s3fs_are_restored() {
    let bench = Bench::new();
    bench.s3fs_furnish();
    bench.tidelock(&["restore", &bench.url("fs"), "g", "--metadata", "s3fs"]).expect(0);
    let tree = bench.tree("g");
    assert_eq!(tree["sub"], "folder 750");
    assert_eq!(tree["sub/run.sh"], "file 755 1600000000.123456789 echo hello");
    assert_eq!(tree["secret"], "file 600 1500000000.0 hush");
    assert_eq!(tree["link"], "link sub/run.sh");
    assert_eq!(tree.len(), 4, "{tree:?}");
}

#[test]
fn what_s3fs_wrote_is_adopted() {
    let bench = Bench::new();
    bench.s3fs_furnish();
    bench.home.write("f/sub/run.sh", "echo hello");
    bench.home.write("f/secret", "hush");
    std::os::unix::fs::symlink("sub/run.sh", bench.home.path("f/link")).expect("made");
    let sync = ["sync", "f", &bench.url("fs"), "--metadata", "s3fs", "--json"];
    let summary = bench.tidelock(&sync).expect(0).summary();
    let (report, requests) = (&summary["reply"]["report"], &summary["reply"]["requests"]);
    assert_eq!((&report["uploaded"], &requests["bytes_up"]), (&0.into(), &0.into()), "{summary}");
    assert!(report["adopted"].as_u64() >= Some(3), "{summary}");
    assert_eq!(bench.head("fs/link")["ContentLength"], 10);
    let summary = bench.tidelock(&sync).expect(0).summary();
    assert_eq!(summary["reply"]["requests"]["put"], 0, "{summary}");
}

#[test]
fn what_tidelock_writes_for_s3fs_is_as_s3fs_writes() {
    let bench = Bench::furnished().with_oddities();
    bench.tidelock(&["sync", "f", &bench.url("ours"), "--metadata", "s3fs"]).expect(0);
    let file = bench.head("ours/a.txt");
    assert_eq!(file["Metadata"]["mode"], "33184");
    assert_eq!(file["Metadata"]["mtime"], "981173106.123456789");
    let link = bench.head("ours/link");
    assert_eq!((&link["Metadata"]["mode"], &link["ContentLength"]), (&"41471".into(), &12.into()), "{link}");
    let folder = bench.head("ours/hollow/");
    assert_eq!((&folder["ContentType"], &folder["ContentLength"]), (&"application/x-directory".into(), &0.into()));
    assert!(folder["Metadata"]["mode"].as_str().is_some_and(|mode| mode.parse() == Ok(0o40755_u32)), "{folder}");
    bench.tidelock(&["restore", &bench.url("ours"), "g", "--metadata", "s3fs"]).expect(0);
    bench.same_tree("f", "g");
}
