//! Every verb that works with names, word for word: text and JSON, on the embedded store
//! and on moto, held against what was looked at once. `TIDELOCK_BLESS=1` writes it anew.

use crate::home::{Home, Ran, events};
use crate::servers;
use serde_json::Value;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Stdio;

/// What is typed, with REMOTE for the store or bucket. `<` gives standard input.
const SCRIPT: &[&str] = &[
    "upload f/a.txt REMOTE/docs/first.txt --meta project=tide --content-type text/tide",
    "upload f/a.txt REMOTE/docs/first.txt",
    "upload f/a.txt f/sub REMOTE/ --concurrency 1 -v",
    "upload - REMOTE/piped.txt < from a pipe",
    "upload f/none.txt REMOTE/",
    "upload f/a.txt f/empty.txt REMOTE/one",
    "ls REMOTE",
    "ls REMOTE --path sub/ --long",
    "ls REMOTE --search '*B.T*'",
    "ls REMOTE --offset 1 --limit 2",
    "ls REMOTE/piped.txt",
    "ls REMOTE --search nothing-like-it",
    "info REMOTE/docs/first.txt",
    "info REMOTE/docs",
    "info REMOTE/none",
    "cat REMOTE/piped.txt",
    "cat REMOTE/piped.txt --range 5-5",
    "cat REMOTE/none",
    "download REMOTE/docs/first.txt got/",
    "download REMOTE/sub got/sub --concurrency 1 -v",
    "download REMOTE/sub got/sub",
    "download REMOTE/piped.txt f/a.txt",
    "download REMOTE/piped.txt f/a.txt --overwrite",
    "download REMOTE/piped.txt -",
    "download REMOTE/none",
    "mv REMOTE/piped.txt REMOTE/sub/",
    "mv REMOTE/a.txt REMOTE/docs/first.txt",
    "mv REMOTE/a.txt REMOTE/docs/first.txt --overwrite --dry-run",
    "mv REMOTE/a.txt REMOTE/docs/first.txt --overwrite",
    "mv REMOTE/sub REMOTE/moved",
    "mv REMOTE/sub REMOTE/moved -r",
    "mv REMOTE/none REMOTE/other",
    "rm REMOTE/moved",
    "rm REMOTE/moved -r -n",
    "rm REMOTE/moved REMOTE/docs/first.txt -r -v",
    "rm REMOTE/docs/first.txt",
    "ls REMOTE",
    "runs",
    "runs show 1",
    "runs show 99",
    "doctor REMOTE",
];

/// A stage: how remotes are named, and what surrounds every command.
struct Stage {
    home: Home,
    remote: String,
    env: Vec<(&'static str, String)>,
}

impl Stage {
    fn run(&self, line: &str, json: bool) -> Ran {
        let (typed, input) = line.split_once(" < ").map_or((line, None), |(typed, input)| (typed, Some(input)));
        let typed = typed.replace("REMOTE", &self.remote);
        let mut args: Vec<String> = typed.split(' ').map(|word| word.trim_matches('\'').to_owned()).collect();
        if json {
            args.push("--json".to_owned());
        }
        let mut command = self.home.command(&args.iter().map(String::as_str).collect::<Vec<_>>());
        command.envs(self.env.iter().map(|(name, value)| (name, value))).env("TZ", "UTC");
        if let Some(input) = input {
            let file = self.home.path("input");
            fs::write(&file, input).expect("written");
            command.stdin(fs::File::open(file).expect("there"));
        }
        Ran::from(command.stdout(Stdio::piped()).stderr(Stdio::piped()).output().expect("runs"))
    }

    /// All that is said, with what differs from day to day taken out.
    fn transcript(&self, json: bool) -> String {
        let mut text = String::new();
        for line in SCRIPT {
            // An object's bytes and events would be one stream.
            if json && (line.starts_with("cat") || line.ends_with(" -")) {
                continue;
            }
            let ran = self.run(line, json);
            writeln!(text, "$ tidelock {line}").expect("a string");
            let said = if json { steady_events(&ran.out) } else { self.steady(&ran.out) };
            text.push_str(&said);
            if !said.is_empty() && !said.ends_with('\n') {
                text.push_str("(no newline)\n");
            }
            self.steady(&ran.err).lines().for_each(|line| writeln!(text, "! {line}").expect("a string"));
            writeln!(text, "= {}\n", ran.code).expect("a string");
        }
        text
    }

    /// Text without times, and without where this test happens to run.
    fn steady(&self, text: &str) -> String {
        let home = self.home.dir.path().canonicalize().expect("there").display().to_string();
        let mut text = text.replace(&self.remote, "REMOTE").replace(&home, "HOME");
        for (name, value) in &self.env {
            text = text.replace(value.as_str(), name);
        }
        text.lines().map(|line| steady_line(line) + "\n").collect()
    }
}

/// A line whose times are `TIME`, whose amounts of seconds are `N s`, and whose marks of
/// this very run are `…`.
fn steady_line(line: &str) -> String {
    let mut words: Vec<String> = line.split(' ').map(str::to_owned).collect();
    for at in 0..words.len() {
        let is_date = words[at].len() == 10 && words[at].as_bytes().iter().filter(|byte| **byte == b'-').count() == 2;
        if is_date && words[at].starts_with(|c: char| c.is_ascii_digit()) {
            words[at] = "TIME".to_owned();
            words[at + 1].clear();
        } else if words[at] == "s" && at > 0 {
            words[at - 1] = "N".to_owned();
        } else if words[at] == "device" {
            words[at + 2] = "…".to_owned();
        } else if ["ahead", "behind"].contains(&words[at].as_str()) {
            words[at] = "beside".to_owned();
        }
    }
    let line = words.join(" ").replace("beside of", "beside");
    let cut = ["meta tidelock-attempt = ", "meta tidelock-digest = ", "meta mtime = ", "  etag ", "file owner "];
    let cut = cut.into_iter().chain(["meta uid = ", "meta gid = ", "  version "]).find_map(|mark| {
        let at = line.find(mark)? + mark.len();
        Some(format!("{}…", &line[..at]))
    });
    cut.unwrap_or(line).trim_end().to_owned()
}

fn steady_events(text: &str) -> String {
    let mut said: Vec<String> = Vec::new();
    for mut event in events(text) {
        steady_value("", &mut event);
        let fields = event.as_object_mut().expect("an object");
        ["v", "seq", "at_ms"].iter().for_each(|field| drop(fields.remove(*field)));
        // How many there are depends on how fast bytes move.
        if event["event"] == "progress" {
            continue;
        }
        // What goes on side by side ends in any order.
        let line = format!("{event}\n");
        let done = |line: &str| line.contains("\"event\":\"done\"");
        let beside = said.iter().rev().take_while(|last| done(&line) && done(last) && **last > line).count();
        said.insert(said.len() - beside, line);
    }
    said.concat()
}

fn steady_value(name: &str, value: &mut Value) {
    const TIMES: [&str; 11] = [
        "at_ms",
        "duration_ms",
        "started_ms",
        "ended_ms",
        "modified_s",
        "created_s",
        "mtime_ns",
        "uid",
        "gid",
        "retries",
        "errors",
    ];
    const MARKS: [&str; 6] = ["etag", "tidelock-attempt", "tidelock-digest", "mtime", "version", "what"];
    match value {
        Value::Number(_) if TIMES.contains(&name) => *value = 0.into(),
        Value::String(text) if ["uid", "gid"].contains(&name) || MARKS.contains(&name) => *text = "…".to_owned(),
        // Of an object's address, what was made here.
        Value::String(text) if name == "path" && text.contains(':') => {
            *text = format!("…/{}", text.rsplit('/').next().unwrap_or_default());
        }
        Value::String(text) if text.contains("/tmp/") || text.contains("folder:") || text.contains("s3://") => {
            *text = "…".to_owned();
        }
        Value::Array(items) => items.iter_mut().for_each(|item| steady_value(name, item)),
        Value::Object(fields) => fields.iter_mut().for_each(|(name, value)| steady_value(name, value)),
        _ => {}
    }
}

#[track_caller]
fn hold_against(name: &str, found: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cli/transcripts").join(name);
    if std::env::var_os("TIDELOCK_BLESS").is_some() {
        fs::create_dir_all(file.parent().expect("a folder")).expect("made");
        fs::write(&file, found).expect("written");
    }
    let expected = fs::read_to_string(&file).unwrap_or_default();
    for (number, (expected, found)) in expected.lines().zip(found.lines()).enumerate() {
        assert_eq!(expected, found, "{name}:{}", number + 1);
    }
    assert_eq!(expected.lines().count(), found.lines().count(), "{name} ends elsewhere: {found}");
}

fn furnished() -> Home {
    use std::os::unix::fs::PermissionsExt;
    let home = Home::furnished();
    for name in ["f/a.txt", "f/sub/b.txt", "f/sub/deep/c.txt", "f/empty.txt"] {
        fs::set_permissions(home.path(name), fs::Permissions::from_mode(0o640)).expect("set");
    }
    for name in ["f/sub", "f/sub/deep"] {
        fs::set_permissions(home.path(name), fs::Permissions::from_mode(0o755)).expect("set");
    }
    home
}

fn on_a_store() -> Stage {
    let home = furnished();
    home.write("seed/seed.txt", "the store is made by this");
    home.run(&["upload", "seed/seed.txt", "folder:store/"]).expect(0);
    home.run(&["rm", "folder:store/seed.txt"]).expect(0);
    let remote = format!("folder:{}", home.dir.path().canonicalize().expect("there").join("store").display());
    Stage { home, remote, env: Vec::new() }
}

fn on_moto(server: &servers::Server, bucket: &str) -> Stage {
    servers::create_bucket(server, bucket);
    let env = vec![
        ("AWS_ENDPOINT_URL", server.url.clone()),
        ("AWS_ACCESS_KEY_ID", "AKIDTIDELOCK".to_owned()),
        ("AWS_SECRET_ACCESS_KEY", "secret-of-the-test".to_owned()),
        ("AWS_REGION", "us-east-1".to_owned()),
    ];
    Stage { home: furnished(), remote: format!("s3://{bucket}"), env }
}

#[test]
fn on_the_embedded_store() {
    hold_against("store.txt", &on_a_store().transcript(false));
    hold_against("store.ndjson", &on_a_store().transcript(true));
}

#[test]
fn on_a_bucket() {
    let server = servers::moto();
    hold_against("moto.txt", &on_moto(&server, "tide-text").transcript(false));
    hold_against("moto.ndjson", &on_moto(&server, "tide-json").transcript(true));
    let stage = on_moto(&server, "tide-more");
    stage.run("buckets", false).expect(0).says(&["tide-json\n", "tide-more\n", "tide-text\n"]);
    stage.run("ls", false).expect(0).says(&["tide-more\n"]);
    let told = stage.run("buckets", true).expect(0).summary();
    let buckets = told["reply"]["buckets"].as_array().expect("buckets");
    assert!(buckets.len() == 3 && buckets.iter().any(|bucket| bucket["name"] == "tide-more"), "{told}");
    servers::plain(&server.url, "POST", "/tide-more/left?uploads", "");
    // moto says of every upload that it was begun years ago.
    stage.run("doctor REMOTE", false).expect(0).says(&["never ended: 1, as that of \"left\"", "--abandon-uploads"]);
    stage.run("doctor REMOTE --abandon-uploads", false).expect(0).says(&["given up: 1"]);
    stage.run("doctor REMOTE", false).expect(0).says(&["0 going on"]);
    stage.run("doctor", false).expect(0).says(&["credentials", "everything is well"]);
}
