//! Files of other tools as they are found, and what becomes of them. What Python's
//! `fnmatch` matches is asked of Python.

use super::*;
use crate::config::edit;
use crate::config::read::{Format, read as read_config};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tidelock_core::filter::{RuleLine, RuleSet, Rules};
use tidelock_core::path::RelPath;

fn fixture(name: &str) -> String {
    std::fs::read_to_string(fixtures().join(name)).expect(name)
}

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/import")
}

/// What a fixture becomes is in the file beside it: the configuration, then the
/// secrets, then the notes up to their first stop.
#[track_caller]
fn becomes(name: &str) {
    let found = read(&fixture(name), None).expect(name);
    let mut told = edit::add("", &found.config).expect("written");
    let (read_again, _) = read_config("imported", &told, Format::Toml).expect("our own configuration");
    assert_eq!(read_again, found.config, "{told}");
    assert!(!told.contains("canary"), "{told}");
    for (profile, secret) in &found.secrets {
        told += &format!("secret of {profile}: {}\n", secret.expose());
    }
    for Note { line, about, what } in &found.notes {
        assert!(!about.contains("canary") && !what.contains("canary"), "{about}: {what}");
        let what = what.split([':', ';', ',']).next().unwrap_or_default();
        told += &format!("{}: {about}: {what}\n", line.map_or_else(|| "-".to_owned(), |line| line.to_string()));
    }
    assert_eq!(told, fixture(&format!("{name}.becomes")), "{name} became\n{told}");
}

#[test]
fn every_fixture_becomes_what_stands_beside_it() {
    let fixtures = std::fs::read_dir(fixtures()).expect("there");
    let names = fixtures.map(|item| item.expect("an entry").file_name().into_string().expect("UTF-8"));
    let names: Vec<String> = names.filter(|name| !name.ends_with(".becomes")).collect();
    assert!(names.len() >= 8, "{names:?}");
    names.iter().for_each(|name| becomes(name));
}

#[test]
fn files_are_told_apart_and_strangers_refused() {
    for (name, source) in [
        ("smart-sync.conf", Source::Pipe),
        ("rclone.conf", Source::Rclone),
        ("s3cfg-amazon", Source::S3cmd),
        ("eigen.json", Source::Eigen),
        ("s3ec.toml", Source::S3ec),
        ("s3ec.json", Source::S3ec),
    ] {
        assert_eq!(recognise(&fixture(name)), Ok(source), "{name}");
    }
    for (text, wanted) in [
        ("", "says nothing"),
        ("# only remarks\n", "says nothing"),
        ("hello there canary\n", "--from"),
        ("[profile.a]\nendpoint = \"x\"\n", "Tidelock's own"),
        ("# Encrypted rclone configuration File\n\nRCLONE_ENCRYPT_V0:\nabcd\n", "rclone config show"),
        ("[a]\ntype = s3\ncanary\n", "line 3"),
        ("a | b\n | c\n", "line 2"),
        ("{\"bucket\": canary}", "line 1"),
        ("{\"other\": \"canary\"}", "not the desktop backup's"),
    ] {
        let why = read(text, None).expect_err(text);
        assert!(why.contains(wanted) && !why.contains("canary"), "{text:?}: {why}");
    }
}

#[test]
fn names_are_made_that_are_free() {
    let taken = ["a", "a-2"];
    for (wanted, got) in
        [("a", "a-3"), ("B c/d", "B-c-d"), ("Büro", "Büro"), ("...", "other"), ("", "other"), ("s3", "s3-2")]
    {
        assert_eq!(free_name(wanted, "other", |name| taken.contains(&name)), got, "{wanted:?}");
    }
}

/// A little chance, the same each time.
struct Dice(u64);

impl Dice {
    fn next(&mut self, below: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).expect("fits") % below
    }

    fn text(&mut self, parts: &[&str], most: usize) -> String {
        (0..=self.next(most)).map(|_| parts[self.next(parts.len())]).collect()
    }
}

/// Whether our rules leave the file out, itself or with a folder above it.
fn leaves_out(pattern: &str, path: &RelPath) -> Option<bool> {
    let lines = fnmatch::translate(pattern).ok()?;
    let line = |pattern: String| RuleLine { pattern, include: false, written: None };
    let rules = lines.files.into_iter().chain(lines.folders).map(line).collect();
    let rules = Rules::new(rules, Vec::new(), true).expect("good patterns");
    Some(RuleSet::new(rules).verdict_for_path(path, false).is_excluded())
}

#[test]
fn excludes_match_what_they_matched_in_python() {
    let mut dice = Dice(11);
    let mut cases: Vec<(String, String)> = Vec::new();
    let pieces =
        ["*", "*", "?", "/", "a", "b", ".", "[ab]", "[!a]", "[", "]", "[a-c]", "[.-0]", "[]a]", "[^a]", "\\", "!"];
    while cases.len() < 20_000 {
        let path = dice.text(&["a", "b", "ab", "/", "/", ".", "0", "[", "]", "^", "\\", "!"], 7);
        if RelPath::parse(&path).is_ok_and(|path| !path.is_root()) {
            cases.push((dice.text(&pieces, 5), path));
        }
    }
    for pattern in ["*.tmp", "node_modules/*", "*/cache/*", "*~", ".git/*", "*.log.?", "build", "a*b/c*d"] {
        for path in [
            "a.tmp",
            "x/a.tmp",
            "a.tmp/b",
            "node_modules/a/b",
            "x/node_modules/a",
            "x/cache/y/z",
            "a~",
            ".git/x",
            "b.log.1",
            "build",
            "build/x",
            "x/build",
            "ab/cd",
            "a/b/c/d",
            "a/xb/cxd",
        ] {
            cases.push((pattern.to_owned(), path.to_owned()));
        }
    }
    let (mut matched, mut refused) = (0, 0);
    for ((pattern, path), theirs) in cases.iter().zip(python(&cases)) {
        match leaves_out(pattern, &RelPath::parse(path).expect("a path")) {
            Some(ours) => assert_eq!(ours, theirs, "{pattern:?} and {path:?}: {:?}", fnmatch::translate(pattern)),
            None => refused += 1,
        }
        matched += usize::from(theirs);
    }
    assert!(matched > 1_000 && refused < 200, "{matched} matched, {refused} refused");
}

/// What Python says of each pattern and path.
fn python(cases: &[(String, String)]) -> Vec<bool> {
    let program =
        "import json,sys,fnmatch; print(json.dumps([fnmatch.fnmatch(p, k) for k, p in json.load(sys.stdin)]))";
    let mut child = Command::new("python3")
        .args(["-c", program])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python3 runs");
    let text = serde_json::to_vec(cases).expect("JSON");
    child.stdin.take().expect("piped").write_all(&text).expect("read");
    let output = child.wait_with_output().expect("ended");
    serde_json::from_slice(&output.stdout).expect("an answer for each")
}
