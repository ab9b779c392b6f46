//! Layers, their origins, and what does not make sense together.

use crate::api::CredentialSource;
use crate::config::around::Around;
use crate::config::check;
use crate::config::find::Loaded;
use crate::config::layers::Origin;
use crate::config::read::{Format, look, read};
use crate::config::resolve::{Refusal, Resolved, Typed, Whom, resolve};
use crate::config::schema::schema;
use crate::config::{Knobs, Mode, Profile};
use std::path::{Path, PathBuf};
use tidelock_core::policy::OnConflict;

const FILE: &str = "/home/me/.config/tidelock/config.toml";

fn loaded(text: &str, variables: &[(&str, &str)]) -> Loaded {
    let read = look(FILE, text, Format::Toml).unwrap_or_else(|problem| panic!("{problem}"));
    let all = [("HOME", "/home/me")].iter().chain(variables);
    let variables = all.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let (file, around) = (Some(PathBuf::from(FILE)), Around::new(variables, None));
    Loaded { config: read.config, tree: read.tree, file, around, problems: read.problems }
}

fn pair(name: &str) -> Whom {
    Whom::Pair { name: name.to_owned(), local: None, below: None }
}

fn good(loaded: &Loaded, whom: &Whom, typed: &Typed) -> Resolved {
    resolve(loaded, whom, typed).unwrap_or_else(|refusal| panic!("{refusal:?}"))
}

fn refused(loaded: &Loaded, whom: &Whom, typed: &Typed) -> String {
    match resolve(loaded, whom, typed).expect_err("refused") {
        Refusal::Typed(what) => what,
        Refusal::Written(problem) => problem.to_string(),
    }
}

/// The last origin of a key, wherever it is.
fn origin(resolved: &Resolved, key: &str) -> String {
    let parts = [resolved.knobs.parts(key), resolved.place.parts(key)].concat();
    parts.last().map_or_else(|| "nowhere".to_owned(), |(_, origin)| origin.to_string())
}

const LAYERED: &str = r#"
default_profile = "work"
[defaults]
concurrency = 4
exclude = ["*.bak"]
conflict = "newer"
meta = { a = "1", b = "1" }
[profile.work]
endpoint = "https://s3.example.org"
bucket = "my-bucket"
storage_class = "STANDARD_IA"
credentials = "keyring"
access_key_id = "AK"
[profile.other]
region = "r"
sse = "aws:kms"
sse_kms_key = "k"
[pair.p]
local = "~/p"
remote = "work:photos"
mode = "two-way"
concurrency = 8
exclude = [
  "*.tmp",
  "!keep.tmp",
]
meta = { b = "2" }
[pair.q]
local = "q"
remote = "folder:/mnt/store"
"#;

#[test]
fn what_lies_higher_wins_and_tells_where_it_is_said() {
    let file = loaded(LAYERED, &[]);
    let found = good(&file, &pair("p"), &Typed::default());
    assert_eq!((found.options.concurrency, origin(&found, "concurrency").as_str()), (Some(8), "config.toml:22"));
    assert_eq!(
        (found.options.conflict, origin(&found, "conflict").as_str()),
        (Some(OnConflict::Newer), "config.toml:6")
    );
    assert_eq!((found.options.lock_timeout_ms, origin(&found, "lock_timeout").as_str()), (10_000, "built in"));
    assert_eq!(origin(&found, "storage_class"), "config.toml:11");

    let file =
        loaded(LAYERED, &[("TIDELOCK_CONCURRENCY", "12"), ("TIDELOCK_LOCK_TIMEOUT", "1m"), ("TIDELOCK_SEED", "7")]);
    let found = good(&file, &pair("p"), &Typed::default());
    assert_eq!(found.options.concurrency, Some(12));
    assert_eq!(origin(&found, "concurrency"), "environment TIDELOCK_CONCURRENCY");
    assert_eq!(found.options.lock_timeout_ms, 60_000);

    let typed = Typed { knobs: Knobs { concurrency: Some(16), ..Knobs::default() }, ..Typed::default() };
    let found = good(&file, &pair("p"), &typed);
    assert_eq!((found.options.concurrency, origin(&found, "concurrency").as_str()), (Some(16), "option --concurrency"));
}

#[test]
fn patterns_and_metadata_add_up_each_with_its_line() {
    let file = loaded(LAYERED, &[("TIDELOCK_EXCLUDE", "*.env\n!a.env")]);
    let typed = Knobs { exclude: Some(vec!["*.typed".into()]), recursive: Some(false), ..Knobs::default() };
    let found = good(&file, &pair("p"), &Typed { knobs: typed, ..Typed::default() });
    let lines = found.options.filters.iter().map(|line| (line.pattern.as_str(), line.written.as_deref()));
    assert_eq!(
        lines.collect::<Vec<_>>(),
        [
            ("*.bak", Some("config.toml:5")),
            ("*.tmp", Some("config.toml:24")),
            ("!keep.tmp", Some("config.toml:25")),
            ("*.env", Some("environment TIDELOCK_EXCLUDE")),
            ("!a.env", Some("environment TIDELOCK_EXCLUDE")),
            ("*.typed", None),
            ("*/", Some("recursive = false, option --recursive")),
        ]
    );
    let meta: Vec<_> = found.options.meta.iter().map(|(name, value)| format!("{name}={value}")).collect();
    assert_eq!(meta, ["a=1", "b=2"]);
}

#[test]
fn a_remote_is_found_by_its_profile() {
    let file = loaded(LAYERED, &[]);
    let found = good(&file, &pair("p"), &Typed::default());
    assert_eq!(
        (found.sides.local.to_str(), found.sides.remote.as_str()),
        (Some("/home/me/p"), "s3://my-bucket/photos")
    );
    assert_eq!(found.mode, Mode::TwoWay);
    let service = &found.sides.service;
    assert_eq!(service.endpoint.as_deref(), Some("https://s3.example.org"));
    let keyring = CredentialSource::Keyring { profile: "work".into(), access_key_id: "AK".into() };
    assert_eq!(service.credentials, keyring);

    // What is no pair has the default profile, but a store in a folder has none.
    let s3 = Whom::Sides { local: "x".into(), remote: "s3://abc".into() };
    assert_eq!(good(&file, &s3, &Typed::default()).sides.service.credentials, keyring);
    let store = good(&file, &pair("q"), &Typed::default());
    assert_eq!((store.sides.service.endpoint, store.options.storage_class), (None, None));
    assert_eq!(store.sides.local.to_str(), Some("/home/me/.config/tidelock/q"), "below the file's folder");

    // A profile that is typed; one that the configuration has not is one of the AWS files.
    let with = |name: &str| Typed { profile: Some(name.into()), ..Typed::default() };
    let other = good(&file, &s3, &with("other"));
    assert_eq!((other.sides.service.region.as_deref(), other.sides.service.endpoint), (Some("r"), None));
    assert_eq!(other.options.sse_kms_key.as_deref(), Some("k"));
    let aws = good(&file, &s3, &with("elsewhere")).sides.service;
    assert_eq!(
        (aws.profile.as_deref(), aws.credentials, aws.endpoint),
        (Some("elsewhere"), CredentialSource::Aws, None)
    );
    let by_variable = loaded(LAYERED, &[("TIDELOCK_PROFILE", "other"), ("TIDELOCK_REGION", "moon")]);
    assert_eq!(good(&by_variable, &s3, &Typed::default()).sides.service.region.as_deref(), Some("moon"));
    let endpoint =
        Typed { service: Profile { endpoint: Some("http://e".into()), ..Profile::default() }, ..Typed::default() };
    assert_eq!(good(&file, &s3, &endpoint).sides.service.endpoint.as_deref(), Some("http://e"));
}

#[test]
fn a_key_goes_with_its_kind_of_encryption() {
    let file = loaded(
        "[profile.o]\nsse = \"aws:kms\"\nsse_kms_key = \"k\"\n[pair.p]\nlocal = \"~/p\"\nremote = \"s3://abc\"\nprofile = \"o\"\nsse = \"AES256\"",
        &[],
    );
    assert_eq!(good(&file, &pair("p"), &Typed::default()).options.sse_kms_key, None);
}

#[test]
fn what_was_typed_wrong_is_told() {
    let file = loaded(LAYERED, &[]);
    for (whom, typed, says) in [
        (pair("o"), Typed::default(), "\"o\" is no pair of /home/me/.config/tidelock/config.toml"),
        (Whom::Remote("wrok:x".into()), Typed::default(), "did you mean \"work\"?"),
        (Whom::Remote("other:x".into()), Typed::default(), "config.toml:14: profile.other: it names no bucket"),
        (pair("p"), Typed { profile: Some("other".into()), ..Typed::default() }, "--profile says \"other\""),
    ] {
        let said = refused(&file, &whom, &typed);
        assert!(said.contains(says), "{whom:?}: {said}");
    }
    for (variable, value, says) in [
        ("TIDELOCK_CONCURRENCY", "many", "environment TIDELOCK_CONCURRENCY: it is \"many\"; write a whole number"),
        ("TIDELOCK_HIDDEN", "maybe", "write true or false"),
        ("TIDELOCK_BWLIMIT", "10", "has no unit; write \"10 MiB/s\""),
        ("TIDELOCK_META", "x", "NAME=VALUE"),
    ] {
        let said = refused(&loaded(LAYERED, &[(variable, value)]), &pair("p"), &Typed::default());
        assert!(said.contains(says), "{variable}: {said}");
    }
}

#[test]
fn what_does_not_make_sense_is_found() {
    let good = "[profile.w]\nbucket = \"abc\"\n[pair.a]\nlocal = \"~/a\"\nremote = \"s3://abc\"\n";
    assert_eq!(check::all(&loaded(good, &[]), &Path::to_path_buf), []);
    for (more, says) in [
        (
            "mode = \"push\"\nprofile = \"x\"",
            ":7: pair.a.profile: there is no profile \"x\"; add a section [profile.x]",
        ),
        ("concurrency = 0", ":6: pair.a.concurrency: it is out of range"),
        ("exclude = [\"ok\",\n\"a//b[\"]", ":7: pair.a.exclude: the pattern \"a//b[\" cannot match"),
        ("ignore_files = [\"${NOPE}\"]", "the environment has no NOPE"),
        ("meta = { \"a b\" = \"x\" }", ":6: pair.a.meta: \"a b\" cannot be set: a name is made of"),
        ("meta = { mtime = \"1\" }", ":6: pair.a.meta: \"mtime\" cannot be set: Tidelock writes it itself"),
        ("[pair.\"b c\"]\nlocal = \"~/b\"\nremote = \"s3://abc\"", ":6: pair.\"b c\": this cannot be a name"),
        ("[profile.s3]", ":6: profile.s3: `s3:` begins other remotes"),
        ("[profile.v]\nendpoint = \"s3.example.org\"", ":7: profile.v.endpoint: \"s3.example.org\" is no address"),
        ("[profile.v]\nendpoint = \"https://me:word@e.org\"", ":7: profile.v.endpoint: who signs in is never part"),
        (
            "[profile.v]\nprovider = \"wasaby\"",
            ":7: profile.v.provider: there is no provider \"wasaby\"; did you mean \"wasabi\"?",
        ),
        ("[profile.v]\nprovider = \"nobody at all\"", "there are aws, alibaba, b2"),
        ("[profile.v]\nbucket = \"A\"", ":7: profile.v.bucket: the bucket name \"A\""),
        ("[profile.v]\ncredentials = \"file\"", ":7: profile.v.credentials: the access key's id is missing"),
        ("[profile.v]\naccess_key_id = \"A\"", ":7: profile.v.access_key_id: it is used with credentials"),
        ("[profile.v]\ncredentials = \"env\"\naws_profile = \"A\"", ":8: profile.v.aws_profile: it is used with"),
        ("[profile.v]\nsse_kms_key = \"A\"", ":7: profile.v.sse_kms_key: it is used with sse"),
        (
            "[pair.b]\nlocal = \"~/a/b\"\nremote = \"s3://abd\"",
            ":4: pair.a.local: it contains the folder of pair.b (line 7)",
        ),
        ("[pair.b]\nlocal = \"/x/../home/me/a/./b\"\nremote = \"s3://abd\"", "the folder of pair.b (line 7)"),
        (
            "[pair.b]\nlocal = \"~/a\"\nremote = \"s3://abc\"",
            ":4: pair.a.local: pair.b (line 7) is the same folder and",
        ),
        (
            "[pair.b]\nlocal = \"~/b\"\nremote = \"folder:~/b/s\"",
            ":7: pair.b.local: it and its own store (/home/me/b/s, line 8)",
        ),
        (
            "[pair.b]\nlocal = \"~/b\"\nremote = \"folder:~/a/s\"",
            ":4: pair.a.local: it and the store of pair.b (/home/me/a/s, line 8)",
        ),
        (
            "[pair.b]\nlocal = \"~/.config\"\nremote = \"s3://abc\"",
            ":7: pair.b.local: it contains Tidelock's own configuration",
        ),
        ("[pair.b]\nlocal = \"~/.local\"\nremote = \"s3://abc\"", ":7: pair.b.local: it contains Tidelock's own state"),
        ("[pair.b]\nlocal = \"${DISK}/b\"\nremote = \"s3://abc\"", ":7: pair.b.local: the environment has no DISK"),
        ("[pair.b]\nlocal = \"~/b\"\nremote = \"store\"", ":8: pair.b.remote: \"store\": a remote is s3://"),
        ("[pair.b]\nlocal = \"~/b\"\nremote = \"x:y\"", ":8: pair.b.remote: there is no profile \"x\""),
        (
            "[pair.b]\nlocal = \"~/b\"\nremote = \"w:y\"\nprofile = \"v\"\n[profile.v]",
            ":9: pair.b.profile: the remote is of the profile \"w\"",
        ),
        (
            "[pair.b]\nlocal = \"~/b\"\nremote = \"folder:/s\"\nprofile = \"w\"",
            ":9: pair.b.profile: a store in a folder needs none",
        ),
    ] {
        let found = check::all(&loaded(&format!("{good}{more}\n"), &[]), &Path::to_path_buf);
        let said: Vec<String> = found.iter().map(ToString::to_string).collect();
        assert!(said.len() == 1 && said[0].contains(says), "{more:?}: {said:#?}");
    }
    let file = loaded("default_profile = \"wrok\"\n[profile.work]\n", &[]);
    let said = check::all(&file, &Path::to_path_buf)[0].to_string();
    assert!(said.ends_with(":1: default_profile: there is no profile \"wrok\"; did you mean \"work\"?"), "{said}");
}

#[test]
fn variables_that_are_misspelt_are_found() {
    let set = ["TIDELOCK_CONCURENCY", "TIDELOCK_HIDDEN", "TIDELOCK_PROFILE", "TIDELOCK_SEED", "OTHER_HIDEN"];
    let around = Around::new(set.map(|name| (name.to_owned(), "1".to_owned())), None);
    let said: Vec<String> = check::misspelt(&around).iter().map(ToString::to_string).collect();
    let wanted = "environment TIDELOCK_CONCURENCY: there is no such setting; did you mean TIDELOCK_CONCURRENCY?";
    assert_eq!(said, [wanted]);
}

#[test]
fn a_variable_that_cannot_be_is_named() {
    let (file, typed) = (loaded(LAYERED, &[]), Typed::default());
    for (name, value, says) in [
        ("BWLIMIT", "10", "write \"10 MiB/s\""),
        ("SSE", "des", "write \"AES256\" or \"aws:kms\""),
        ("CONCURRENCY", "0", "1 to 1024"),
        ("CONTENT_TYPE", " ", "no header"),
        ("STORAGE_CLASS", "\u{e9}", "no header"),
        ("META", "A B=c", "\"A B\" cannot be set"),
        ("EXCLUDE", "a\n[", "the pattern \"[\" cannot match"),
        ("IGNORE_FILES", "a/", "names no file"),
        ("LOCK_TIMEOUT", "-5ss", "is no time"),
        ("ENDPOINT", "host", "is no address"),
        ("ENDPOINT", "https://me:SECRET@host", "who signs in"),
        ("REGION", "a b", "is no region"),
        ("PROVIDER", "wasab", "did you mean \"wasabi\"?"),
        ("PATH_STYLE", "maybe", "true or false"),
        ("SSE_KMS_KEY", "k", "which nobody set"),
    ] {
        let variable = format!("TIDELOCK_{name}");
        let around = loaded(LAYERED, &[(&variable, value)]);
        let said = refused(&around, &pair("q"), &typed);
        assert!(said.starts_with(&format!("environment {variable}: ")) && said.contains(says), "{said}");
        assert!(!said.contains("SECRET"), "{said}");
        if name != "SSE_KMS_KEY" {
            let found = check::variables(&around.around);
            assert!(found.len() == 1 && found[0].to_string() == said, "{found:?}");
        }
    }
    assert_eq!(check::variables(&file.around), []);
}

#[test]
fn what_is_typed_and_cannot_be_is_misuse() {
    let file = loaded(LAYERED, &[]);
    let text = |text: &str| Some(text.to_owned());
    for (knobs, says) in [
        (Knobs { exclude: Some(vec!["[".into()]), ..Knobs::default() }, "--exclude, --include: the pattern"),
        (Knobs { content_type: text(""), ..Knobs::default() }, "--content-type: it can be no header"),
        (Knobs { ignore_files: Some(vec![String::new()]), ..Knobs::default() }, "--ignore-file: \"\" names no file"),
        (Knobs { sse: Some(crate::api::Sse::Aes256), sse_kms_key: text("k"), ..Knobs::default() }, "alone"),
    ] {
        match resolve(&file, &pair("q"), &Typed { knobs, ..Typed::default() }) {
            Err(Refusal::Typed(what)) => assert!(what.contains(says), "{what}"),
            other => panic!("{says}: {other:?}"),
        }
    }
}

/// What one says alone may be right, and wrong with what it lies on.
#[test]
fn contradictions_of_layers_are_found_by_who_looks() {
    let pair = "[pair.p]\nlocal = \"~/p\"\nremote = \"s3://abc\"\n";
    for (above, more, says) in [
        ("", "sse_kms_key = \"k\"", ":4: pair.p.sse_kms_key: sse_kms_key names a key"),
        (
            "[defaults]\nsse = \"AES256\"\n",
            "sse_kms_key = \"k\"\nsse = \"AES256\"",
            ":6: pair.p.sse_kms_key: a key for",
        ),
        ("[defaults]\nmetadata = \"minimal\"\n", "xattrs = true", "metadata \"minimal\" keeps"),
        ("[defaults]\nsse = \"AES256\"\nsse_kms_key = \"k\"\n", "", ":3: defaults.sse_kms_key: a key for"),
    ] {
        let file = loaded(&format!("{above}{pair}{more}\n"), &[]);
        let said: Vec<String> = check::together(&file).iter().map(ToString::to_string).collect();
        assert!(said.len() == 1 && said[0].contains(says), "{more:?}: {said:#?}");
    }
    let good = "[profile.w]\nsse = \"aws:kms\"\n";
    let file = loaded(&format!("{good}{pair}profile = \"w\"\nsse_kms_key = \"k\"\n"), &[]);
    assert_eq!(check::together(&file), []);
}

#[test]
fn two_pairs_may_have_one_folder() {
    let two = "[pair.a]\nlocal = \"~/a\"\nremote = \"s3://abc\"\n[pair.b]\nlocal = \"~/a\"\nremote = \"s3://abd\"\n";
    assert_eq!(check::all(&loaded(two, &[]), &Path::to_path_buf), []);
}

#[test]
fn a_slip_in_one_pair_stops_no_other() {
    let file = loaded(&format!("{LAYERED}[pair.r]\nlocal = \"${{NOPE}}\"\nremote = \"s3://abc\"\n"), &[]);
    good(&file, &pair("p"), &Typed::default());
    good(&file, &Whom::Remote("s3://abc".into()), &Typed::default());
    assert!(refused(&file, &pair("r"), &Typed::default()).contains("no NOPE"));
    let file = loaded(&format!("{LAYERED}[profile.bad]\nendpoint = \"x\"\n"), &[]);
    good(&file, &pair("p"), &Typed::default());
    let bad = Typed { profile: Some("bad".into()), ..Typed::default() };
    assert!(refused(&file, &Whom::Remote("s3://abc".into()), &bad).contains("profile.bad.endpoint"));
}

#[test]
fn what_is_shown_as_built_in_is_what_holds() {
    let file = loaded("[pair.p]\nlocal = \"~/p\"\nremote = \"folder:/s\"\n", &[]);
    let found = good(&file, &pair("p"), &Typed::default());
    assert_eq!(found.options, crate::api::Options::default(), "nothing is said, so nothing is changed");
    let shown: std::collections::BTreeMap<_, _> =
        found.knobs.settings().into_iter().map(|setting| (setting.key, (setting.value, setting.origin))).collect();
    assert!(shown.values().all(|(_, origin)| *origin == Origin::BuiltIn));
    let usual = crate::api::Options::default();
    assert_eq!(shown["hidden"].0, usual.hidden);
    assert_eq!(shown["follow_links"].0, usual.follow_links);
    assert_eq!(shown["xattrs"].0, usual.xattrs);
    assert_eq!(shown["lock_timeout"].0, format!("{}s", usual.lock_timeout_ms / 1000));
    assert_eq!(shown["remote_check"].0, serde_json::to_value(usual.remote_check).expect("a word"));
    assert_eq!(shown["metadata"].0, serde_json::to_value(usual.metadata).expect("a word"));
    for mode in [Mode::Push, Mode::Delete, Mode::Mirror, Mode::TwoWay] {
        let policy = mode.preset().policy();
        let typed = Typed { mode: Some(mode), ..Typed::default() };
        let found = good(&file, &pair("p"), &typed);
        let word = |key: &str| found.knobs.parts(key).last().map(|(value, _)| value.clone());
        assert_eq!(word("conflict"), serde_json::to_value(policy.conflict).ok(), "{mode:?}");
        assert_eq!(word("compare"), serde_json::to_value(policy.compare).ok(), "{mode:?}");
    }
}

#[test]
fn the_schema_in_the_docs_is_the_one_of_the_types() {
    let kept = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/config.schema.json");
    let now = format!("{}\n", serde_json::to_string_pretty(&schema()).expect("JSON"));
    let kept = std::fs::read_to_string(kept).expect("docs/config.schema.json");
    assert!(
        kept == now,
        "docs/config.schema.json is old; `tidelock config schema > docs/config.schema.json` renews it"
    );
}

#[test]
fn every_word_of_the_schema_is_understood() {
    let schema = schema();
    for (name, key) in
        [("Compare", "compare"), ("Conflict", "conflict"), ("Metadata", "metadata"), ("RemoteCheck", "remote_check")]
    {
        let words = schema["$defs"][name]["oneOf"].as_array().expect(name);
        for word in words.iter().map(|one| one["const"].as_str().expect("a word")) {
            read("f", &format!("[defaults]\n{key} = {word:?}\n"), Format::Toml).unwrap_or_else(|why| panic!("{why}"));
        }
        assert!(words.len() > 1, "{name}");
    }
}

/// A mirror deletes what it does not know, so it shares its place with nobody.
#[test]
fn a_mirror_has_its_place_to_itself() {
    let wrong = |remotes: [&str; 2], modes: [&str; 2]| {
        let text = format!(
            "[profile.p]\nbucket = \"b\"\nendpoint = \"https://e\"\n[pair.a]\nlocal = \"/a\"\nremote = \"{}\"\n\
             mode = \"{}\"\n[pair.c]\nlocal = \"/c\"\nremote = \"{}\"\nmode = \"{}\"\n",
            remotes[0], modes[0], remotes[1], modes[1]
        );
        let found = check::all(&loaded(&text, &[]), &|path| path.to_owned());
        found.iter().map(ToString::to_string).filter(|text| text.contains("would lose what")).collect::<Vec<_>>()
    };
    for remotes in [["folder:/s", "folder:/s/docs"], ["folder:/s/docs", "folder:/s"], ["p:x", "p:x/"], ["p:", "p:x"]] {
        for other in ["push", "delete", "two-way"] {
            let found = wrong(remotes, ["mirror", other]);
            assert!(
                matches!(found.as_slice(), [one] if one.contains("pair.a.remote") && one.contains("pair.c")),
                "{found:?}"
            );
        }
        assert_eq!(wrong(remotes, ["mirror", "mirror"]).len(), 2);
        assert_eq!(wrong(remotes, ["two-way", "push"]), [""; 0]);
    }
    for remotes in [["folder:/s/a", "folder:/s/ab"], ["p:x", "p:y"], ["s3://b/x", "p:x"], ["folder:/b", "s3://b"]] {
        assert_eq!(wrong(remotes, ["mirror", "mirror"]), [""; 0], "{remotes:?}");
    }
}
