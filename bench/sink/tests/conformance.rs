//! The sink means what S3 means: the conformance suite of the remotes holds on it, and
//! a client that asks what it can do is told the truth, however it is set.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use tidelock_remote::s3::{Keys, S3Options, open};
use tidelock_remote::testing::yours::{Yours, run};
use tidelock_remote::world::World;
use tidelock_remote::{Ability, Capabilities, Remote};

struct Sink {
    child: Child,
    url: String,
}

impl Sink {
    fn start(options: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tidelock-sink"));
        let mut child = command.args(options).stdout(Stdio::piped()).spawn().expect("the sink starts");
        let mut url = String::new();
        BufReader::new(child.stdout.take().expect("piped")).read_line(&mut url).expect("its address");
        Self { child, url: url.trim().to_owned() }
    }

    fn options(&self) -> S3Options {
        let keys = Keys { id: "bench".to_owned(), secret: "bench".to_owned(), token: None };
        S3Options {
            endpoint: Some(self.url.clone()),
            region: Some("us-east-1".to_owned()),
            path_style: Some(true),
            keys: Some(keys),
            ..S3Options::default()
        }
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn our_conformance_suite_holds_on_it() {
    for options in [&["--etag", "md5", "--checksums", "all"][..], &["--etag", "fast"]] {
        let sink = Sink::start(options);
        let yours = Yours {
            bucket: "bench".to_owned(),
            prefix: "p/".to_owned(),
            s3: sink.options(),
            concurrency: 16,
            only: None,
            except: Vec::new(),
        };
        let found = run(yours, World::real(), |_| ()).await.expect("the sink answers");
        assert!(found.report.failed.is_empty() && found.report.passed.len() > 40, "{options:?}: {}", found.report);
        let missing: Vec<&str> = found.report.not_offered.iter().map(|(name, _)| *name).collect();
        assert_eq!(missing, ["encryption_round_trips"], "{options:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_tries_out_what_it_can_do_is_told_the_truth() {
    let all: Vec<Ability> = Capabilities::all_but(&[]).0.into_keys().collect();
    for (options, missing) in [
        (&["--discard", "--etag", "fast"][..], &[Ability::Versions][..]),
        (&["--checksums", "none"], &[Ability::Versions, Ability::Crc64Nvme]),
    ] {
        let sink = Sink::start(options);
        let place = open(World::real(), "bench", sink.options(), None).await.expect("an address");
        let found = place.capabilities(&all).await.expect("the sink answers");
        assert_eq!(found, Capabilities::all_but(missing), "{options:?}");
    }
}
