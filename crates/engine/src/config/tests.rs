//! Reading: both languages, every key, every complaint.

mod rewriting;
mod together;

use super::read::{Format, read};
use super::units::{Rate, Wait};
use super::{Config, Credentials, Mode};
use crate::api::Sse;
use tidelock_core::policy::{Compare, OnConflict};

const TOML: &str = r#"
default_profile = "work"

[defaults]
hidden = false
bwlimit = "10 MiB/s"

[profile.work]
endpoint = "https://s3.example.org"
region = "eu-central-1"
bucket = "my-bucket"
path_style = true
credentials = "keyring"
access_key_id = "AKEXAMPLE"
sse = "aws:kms"

[pair.photos]
local = "~/photos"
remote = "s3://my-bucket/photos"
mode = "two-way"
exclude = ["*.tmp", "!keep.tmp"]
compare = "stamp"
conflict = "keep-both"
lock_timeout = "1h30m"
concurrency = 16
meta = { owner = "me" }
"#;

const YAML: &str = r#"
default_profile: work
defaults:
  hidden: false
  bwlimit: 10 MiB/s
profile:
  work:
    endpoint: https://s3.example.org
    region: eu-central-1
    bucket: my-bucket
    path_style: true
    credentials: keyring
    access_key_id: AKEXAMPLE
    sse: "aws:kms"
pair:
  photos:
    local: ~/photos
    remote: s3://my-bucket/photos
    mode: two-way
    exclude: ["*.tmp", "!keep.tmp"]
    compare: stamp
    conflict: keep-both
    lock_timeout: 1h30m
    concurrency: 16
    meta: {owner: me}
"#;

fn ok(text: &str, format: Format) -> Config {
    read("config", text, format).unwrap_or_else(|problem| panic!("{problem}")).0
}

fn wrong(text: &str, format: Format) -> String {
    read("f", text, format).expect_err(text).to_string()
}

#[test]
fn both_languages_say_the_same() {
    let config = ok(TOML, Format::Toml);
    assert_eq!(config, ok(YAML, Format::Yaml));
    let (pair, profile) = (&config.pair["photos"], &config.profile["work"]);
    assert_eq!(config.default_profile.as_deref(), Some("work"));
    assert_eq!((config.defaults.hidden, config.defaults.bwlimit), (Some(false), Some(Rate(10 << 20))));
    assert_eq!((profile.credentials, profile.sse), (Credentials::Keyring, Some(Sse::Kms)));
    assert_eq!((pair.mode, pair.lock_timeout), (Some(Mode::TwoWay), Some(Wait(5_400_000))));
    assert_eq!((pair.compare, pair.conflict), (Some(Compare::Stamp), Some(OnConflict::KeepBoth)));
    assert_eq!(pair.exclude.as_deref(), Some(&["*.tmp".to_owned(), "!keep.tmp".to_owned()][..]));
    assert_eq!(pair.meta.as_ref().map(|meta| meta["owner"].as_str()), Some("me"));
}

#[test]
fn lines_are_known_of_every_key() {
    for (text, format, line) in [(TOML, Format::Toml, 20), (YAML, Format::Yaml, 19)] {
        let (_, tree) = read("f", text, format).expect("valid");
        assert_eq!(tree.line_of(&["pair", "photos", "mode"]), Some(line), "{format:?}");
        assert_eq!(tree.line_of(&["profile", "none"]), tree.line_of(&["profile"]), "the nearest that is written");
    }
}

#[test]
fn words_of_yaml_are_no_booleans() {
    let text = "pair:\n  n: {local: no, remote: 'folder:s', hidden: true}\n  2024: {local: y, remote: 'folder:t'}\n";
    let config = ok(text, Format::Yaml);
    assert_eq!((config.pair["n"].local.as_str(), config.pair["2024"].local.as_str()), ("no", "y"));
    assert_eq!(config.pair["n"].hidden, Some(true));
}

#[test]
fn an_empty_file_says_nothing() {
    for (text, format) in [("", Format::Toml), ("# only this\n", Format::Yaml), ("", Format::Yaml)] {
        assert_eq!(ok(text, format), Config::default(), "{format:?} {text:?}");
    }
    assert_eq!(ok("\u{feff}pair:\n", Format::Yaml), Config::default(), "an empty section, after a byte order mark");
}

#[test]
fn complaints_name_line_key_and_remedy() {
    let pair = "[pair.a]\nlocal = \"x\"\nremote = \"s3://abc\"\n";
    for (more, says) in [
        ("colour = 1", "f:4: pair.a.colour: there is no such key; write one of \"local\", \"remote\""),
        ("remte = 1", "f:4: pair.a.remte: there is no such key; did you mean \"remote\"?"),
        ("ignore-files = []", "did you mean \"ignore_files\"?"),
        ("concurrency = \"16\"", "f:4: pair.a.concurrency: it is the text \"16\"; write a whole number"),
        ("concurrency = -1", "-1 is below 0"),
        ("concurrency = 4294967296", "too large"),
        ("hidden = \"no\"", "f:4: pair.a.hidden: it is the text \"no\"; write true or false"),
        ("exclude = \"*.tmp\"", "write a list, as in [\"…\", \"…\"]"),
        ("exclude = [\"a\",\n 7]", "f:5: pair.a.exclude[1]: it is the number 7; write text in quotes"),
        ("mode = \"miror\"", "f:4: pair.a.mode: \"miror\" is none of its values; did you mean \"mirror\"?"),
        ("mode = \"fast\"", "write \"push\", \"delete\", \"mirror\" or \"two-way\""),
        ("mode = 3", "f:4: pair.a.mode: it is the number 3; write text in quotes"),
        ("bwlimit = 10", "f:4: pair.a.bwlimit: 10 has no unit; write \"10 MiB/s\""),
        ("bwlimit = \"10\"", "\"10\" has no unit; write \"10 MiB/s\""),
        ("lock_timeout = 10", "10 has no unit; write \"10s\""),
        ("lock_timeout = 1.5", "1.5 has no unit; write \"1.5s\""),
        ("lock_timeout = true", "it is true; write a time, as in \"30s\""),
        ("meta = \"a=b\"", "write a table of keys"),
        ("meta = { a = 1 }", "f:4: pair.a.meta.a: it is the number 1"),
        ("secret_access_key = \"s\"", "secrets are never in this file"),
        ("local = \"y\"", "f:4: this is not TOML: duplicate key"),
        ("local ", "f:4: this is not TOML"),
        ("[pair.b]\nlocal = \"x\"", "f:4: pair.b: it says no \"remote\"; add the line `remote = …`"),
        ("[pairs.b]", "f:4: pairs: there is no such key; did you mean \"pair\"?"),
        ("[profile.w]\nsecret_access_key = \"s\"", "f:5: profile.w.secret_access_key: secrets are never"),
        ("[profile.\"a b\"]\ncolour = 1", "profile.\"a b\".colour"),
    ] {
        let said = wrong(&format!("{pair}{more}\n"), Format::Toml);
        assert!(said.contains(says), "{more:?}: {said}");
    }
    for (text, says) in [
        ("pair:\n  a:\n    local: x\n", "f:2: pair.a: it says no \"remote\""),
        ("pair:\n  a:\n    local: x\n    remote: s3://abc\n    bwlimit: 10\n", "f:5: pair.a.bwlimit: 10 has no unit"),
        ("pair:\n  a: [1]\n", "f:2: pair.a: it is a list; write a table of keys"),
        ("a: [", "this is not YAML"),
        ("a: 1\na: 2\n", "f:2: "),
        ("- a\n", "the file is no table of keys"),
        ("profil: {}\n", "f:1: profil: there is no such key; did you mean \"profile\"?"),
        ("defaults:\n  exclude:\n    - a\n    - [b]\n", "f:4: defaults.exclude[1]: it is a list; write text in quotes"),
    ] {
        let said = wrong(text, Format::Yaml);
        assert!(said.contains(says), "{text:?}: {said}");
        assert!(!said.contains('\n'), "one line: {said:?}");
    }
}

proptest::proptest! {
    /// Whatever stands in a file, the answer is a configuration or a complaint of one line.
    #[test]
    fn no_text_is_too_odd(text in "(\\PC|[\\[\\]={}:\"'# \\n.-]|pair|local|mode|\\\\[pair.a\\\\]|exclude = ){0,40}") {
        for format in [Format::Toml, Format::Yaml] {
            if let Err(problem) = read("f", &text, format) {
                let said = problem.to_string();
                proptest::prop_assert!(said.starts_with("f:") && !said.contains('\n'), "{said:?}");
            }
        }
    }

    /// What is written as TOML tables of the types reads back the same, in YAML's flow style too.
    #[test]
    fn json_is_yaml(hidden: Option<bool>, count in 1_u32..2000, pattern in "\\PC{1,10}", rate in 1_u64..u64::MAX >> 1, wait: u32) {
        let mut config = Config::default();
        config.defaults.hidden = hidden;
        config.defaults.concurrency = Some(count);
        config.defaults.exclude = Some(vec![pattern]);
        config.defaults.bwlimit = Some(Rate(rate));
        config.defaults.lock_timeout = Some(Wait(wait.into()));
        let text = serde_json::to_string(&config).expect("JSON");
        proptest::prop_assert_eq!(ok(&text, Format::Yaml), config);
    }
}
