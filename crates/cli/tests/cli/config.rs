//! The configuration, seen from outside: where it is, what it says, what is wrong
//! with it, and pairs by their names in every verb.

use crate::home::{Home, Ran, tree};
use crate::service::{CANARY, service};
use serde_json::Value;
use std::fs;
use std::os::unix::fs::PermissionsExt;

/// A home whose folder `f` is the pair `tide`, left out: `*.tmp`.
fn configured(more: &str) -> Home {
    let home = Home::furnished();
    home.write("f/left.tmp", "out");
    let (f, store) = (home.path("f"), home.path("store"));
    let text = format!(
        "[pair.tide]\nlocal = {f:?}\nremote = \"folder:{}\"\nmode = \"delete\"\nexclude = [\"*.tmp\"]\n{more}\n",
        store.display()
    );
    home.write("home/.config/tidelock/config.toml", &text);
    home
}

fn with(home: &Home, variable: &str, value: &str, args: &[&str]) -> Ran {
    home.command(args).env(variable, value).output().expect("it runs").into()
}

#[test]
fn a_pairs_name_stands_in_every_verb() {
    let home = configured("");
    home.run(&["sync", "tide", "-n"]).expect(0).says(&["would: send"]);
    home.run(&["sync", "tide"]).expect(0);
    let listed = home.run(&["ls", "tide"]).expect(0).out;
    assert!(listed.contains("a.txt") && !listed.contains("left.tmp"), "{listed}");
    home.run(&["status", "tide"]).expect(0).says(&["mode: sync --delete"]);
    home.run(&["why", "tide", "left.tmp"]).expect(0).says(&["excluded by \"*.tmp\", config.toml:5"]);
    home.run(&["why", "tide", "a.txt"]).expect(0).says(&["mode:   sync --delete"]);

    fs::rename(home.path("f/a.txt"), home.path("f/renamed.txt")).expect("renamed");
    home.run(&["moves", "tide"]).expect(0).says(&["1 renamed there"]);
    fs::remove_file(home.path("f/empty.txt")).expect("removed");
    home.run(&["plan", "tide", "-o", "p"]).expect(0).says(&["delete 1"]);
    home.run(&["apply", "p"]).expect(0).says(&["1 deleted there"]);

    home.run(&["restore", "tide", "g"]).expect(0);
    fs::remove_file(home.path("f/left.tmp")).expect("removed");
    assert_eq!(tree(&home.path("f")), tree(&home.path("g")));
    fs::remove_file(home.path("f/renamed.txt")).expect("removed");
    home.run(&["restore", "tide"]).expect(0).says(&["1 entry fetched"]);
    assert_eq!(home.read("f/renamed.txt"), "alpha");
}

#[test]
fn a_pair_is_the_same_pair_by_its_folder_and_remote() {
    let home = configured("");
    home.run(&["sync", "tide"]).expect(0);
    home.run(&["status", "f", "folder:store"]).expect(0).says(&["mode: sync --delete", "on record"]);
}

#[test]
fn the_mode_is_the_pairs_unless_another_is_typed() {
    let home = configured("");
    home.run(&["sync", "tide"]).expect(0);
    fs::remove_file(home.path("f/empty.txt")).expect("removed");
    home.run(&["sync", "tide", "--push", "-n"]).expect(0).says(&["would"]);
    let push = home.run(&["plan", "tide", "--push", "-o", "p"]).expect(0);
    assert!(!push.err.contains("delete") && !push.out.contains("delete"), "{}{}", push.out, push.err);
    home.run(&["sync", "tide"]).expect(0).says(&["1 deleted there"]);
}

#[test]
fn what_is_configured_is_shown_with_its_origin() {
    let home = configured("concurrency = 3\nbwlimit = \"10 MiB/s\"");
    let shown = home.run(&["config", "show", "tide"]).expect(0).out;
    let line = |key: &str| {
        let line = shown.lines().find(|line| line.starts_with(&format!("{key} "))).expect(key);
        line.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    assert_eq!(line("concurrency"), "concurrency = 3 # config.toml:6");
    assert_eq!(line("bwlimit"), "bwlimit = \"10 MiB/s\" # config.toml:7");
    assert_eq!(line("mode"), "mode = \"delete\" # config.toml:4");
    assert_eq!(line("metadata"), "metadata = \"rclone\" # built in");

    let ran = with(&home, "TIDELOCK_CONCURRENCY", "5", &["config", "show", "tide", "--json"]).expect(0);
    let sections = ran.summary()["reply"]["sections"].clone();
    let settings = sections[0]["settings"].as_array().expect("settings");
    let found = settings.iter().find(|setting| setting["key"] == "concurrency").expect("concurrency");
    let wanted =
        serde_json::json!({ "key": "concurrency", "value": 5, "origin": "environment", "at": "TIDELOCK_CONCURRENCY" });
    assert_eq!(*found, wanted);

    home.run(&["config", "show"]).expect(0).says(&["[every run]", "[pair.tide]"]);
    home.run(&["config", "show", "tied"]).expect(78).says(&["did you mean \"tide\"?"]);
}

#[test]
fn defaults_and_environment_hold_for_typed_folders_too() {
    let home = configured("[defaults]\nexclude = [\"*.bak\"]");
    home.write("f/x.bak", "out");
    home.write("f/y.env", "out");
    home.write("f/z.opt", "out");
    let args = ["sync", "f", "folder:other", "--exclude", "*.opt"];
    with(&home, "TIDELOCK_EXCLUDE", "*.env", &args).expect(0);
    let listed = home.run(&["ls", "folder:other"]).expect(0).out;
    assert!(["x.bak", "y.env", "z.opt"].iter().all(|name| !listed.contains(name)), "{listed}");
    assert!(listed.contains("left.tmp"), "the pair's own patterns are the pair's: {listed}");
    with(&home, "TIDELOCK_HIDDEN", "perhaps", &args).expect(78).says(&["environment TIDELOCK_HIDDEN", "true or false"]);
}

#[test]
fn complaints_point_at_file_line_and_remedy() {
    for (more, verb, says) in [
        (
            "exlude = []",
            &["sync", "tide"][..],
            "config.toml:6: pair.tide.exlude: there is no such key; did you mean \"exclude\"?",
        ),
        ("bwlimit = 3", &["status", "tide"], "config.toml:6: pair.tide.bwlimit: 3 has no unit; write \"3 MiB/s\""),
        ("local = 3", &["ls", "tide"], "config.toml:6: this is not TOML: duplicate key"),
        ("profile = \"w\"", &["why", "tide", "a.txt"], "config.toml:6: pair.tide.profile: there is no profile \"w\""),
        ("[profile.w]\nsecret_access_key = \"hidden-word\"", &["moves", "tide"], "secrets are never in this file"),
        (
            "[pair.in]\nlocal = \"/\"\nremote = \"s3://abc\"",
            &["sync", "in"],
            "pair.in.local: it contains Tidelock's own",
        ),
    ] {
        let home = configured(more);
        let ran = home.run(verb).expect(78).says(&[says]);
        assert!(!ran.err.contains("hidden-word"), "{}", ran.err);
        home.run(&["config", "check"]).expect(78).says(&[says]);
        let json = home.run(&[&["--json"], verb].concat()).expect(78);
        assert_eq!(json.summary()["endings"], serde_json::json!(["config"]));
    }
}

#[test]
fn a_slip_elsewhere_stops_no_other_pair() {
    let home = configured("[pair.bad]\nlocal = \"${NOWHERE}\"\nremote = \"s3://abc\"");
    home.run(&["sync", "tide"]).expect(0);
    home.run(&["ls", "folder:store"]).expect(0);
    home.run(&["sync", "bad"]).expect(78).says(&["the environment has no NOWHERE"]);
    home.run(&["config", "check"]).expect(78).says(&["config.toml:7: pair.bad.local", "1 thing is wrong"]);
}

#[test]
fn true_names_are_checked_too() {
    let home = Home::furnished();
    std::os::unix::fs::symlink(home.path("f"), home.path("link")).expect("made");
    let (f, inner) = (home.path("f"), home.path("link/sub"));
    home.write(
        "c.toml",
        &format!("[pair.a]\nlocal={f:?}\nremote='s3://abc'\n[pair.b]\nlocal={inner:?}\nremote='s3://abd'"),
    );
    let check = home.run(&["config", "check", "--config", "c.toml"]).expect(78);
    check.says(&["c.toml:2: pair.a.local: it contains the folder of pair.b (line 5)"]);
}

#[test]
fn a_file_that_cannot_be_used_is_told() {
    let home = configured("");
    let file = home.path("home/.config/tidelock/config.toml");
    home.run(&["sync", "tide", "--config", "none.toml"]).expect(78).says(&["none.toml: it cannot be read", "--config"]);
    with(&home, "TIDELOCK_CONFIG", "none.toml", &["ls", "tide"]).expect(78).says(&["correct TIDELOCK_CONFIG"]);
    fs::write(&file, b"[defaults]\nexclude = [\"\xff\"]\n").expect("written");
    home.run(&["ls", "tide"]).expect(78).says(&["config.toml:2: this is not UTF-8"]);
    fs::write(&file, "").expect("written");
    home.run(&["ls", "tide"]).expect(2).says(&["\"tide\" is neither a remote nor a pair's name"]);
    home.write("home/.config/tidelock/config.yml", "");
    home.run(&["ls", "folder:x"]).expect(78).says(&["config.toml and config.yml are both there"]);
    // What needs no configuration is not stopped by it.
    home.run(&["config", "schema"]).expect(0);
    home.run(&["init", "new.toml"]).expect(0);
}

#[test]
fn a_sample_is_written_once_and_for_its_owner_alone() {
    let home = Home::furnished();
    home.run(&["config", "check"]).expect(0).says(&["no configuration yet"]);
    home.run(&["init"]).expect(0).says(&["written: "]);
    let file = home.path("home/.config/tidelock/config.toml");
    let mode = |path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
    assert_eq!((mode(&file), mode(&home.path("home/.config/tidelock"))), (0o600, 0o700));
    home.write("home/.config/tidelock/config.toml", "# mine\n");
    home.run(&["init"]).expect(78).says(&["is there already"]);
    assert_eq!(fs::read_to_string(&file).expect("there"), "# mine\n");
    assert_eq!(home.run(&["config", "path"]).expect(0).out.trim_end(), file.display().to_string());
}

#[test]
fn the_schema_knows_what_the_file_may_say() {
    let home = Home::new();
    let schema: Value = serde_json::from_str(&home.run(&["config", "schema"]).expect(0).out).expect("JSON");
    assert_eq!(schema["additionalProperties"], false);
    let pair = &schema["$defs"]["Pair"];
    assert_eq!(pair["required"], serde_json::json!(["local", "remote"]));
    assert!(pair["properties"]["exclude"]["description"].as_str().expect("words").contains(".gitignore"));
}

#[test]
fn folders_are_left_alone_where_nothing_is_recursive() {
    let home = configured("recursive = false");
    home.run(&["sync", "tide"]).expect(0);
    assert_eq!(home.run(&["ls", "tide"]).expect(0).out, "a.txt\nempty.txt\nlink.rclonelink\n");
    home.run(&["why", "tide", "sub/b.txt"]).expect(0).says(&["recursive = false, config.toml:6"]);
}

#[test]
fn names_of_pairs_are_asked_for_where_the_remote_is_missing() {
    let home = configured("");
    for (args, says) in [
        (&["sync", "tyde"][..], "did you mean \"tide\"?"),
        (&["sync", "f"], "for a folder, give its REMOTE too"),
        (&["ls", "nope"], "neither a remote nor a pair's name (there are tide)"),
        (&["restore", "folder:store"], "into which folder?"),
        (&["why", "f", "store", "a.txt"], "write folder: before its path"),
        (&["ls", "w:x"], "\"w\" in \"w:x\" is no profile"),
        (&["batch", "nope"], "\"nope\" is no pair"),
    ] {
        let ran = home.run(args).expect(2);
        assert!(ran.err.contains(says), "{args:?}: {}", ran.err);
    }
}

#[test]
fn a_profile_says_where_its_service_is() {
    let endpoint = service("404 Not Found", "NoSuchBucket");
    let home = configured(&format!("[profile.w]\nendpoint = {endpoint:?}\nregion = \"moon-1\"\nbucket = \"tide\""));
    home.write("home/.aws/config", "[profile w]\nregion = elsewhere\nendpoint_url = http://127.0.0.1:1\n");
    let ask = |args: &[&str]| -> Ran {
        let mut command = home.command(args);
        command.env("AWS_ACCESS_KEY_ID", "AKIDCANARY").env("AWS_SECRET_ACCESS_KEY", CANARY);
        // Set for another tool: what the profile says is not redirected by it.
        command.env("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:1").output().expect("runs").into()
    };
    for args in [
        &["ls", "w:x"][..],
        &["ls", "s3://tide/x", "--profile", "w"],
        &["sync", "f", "w:x"],
        &["status", "f", "w:"],
        &["info", "w:x/y"],
        &["restore", "w:x", "g"],
    ] {
        let ran = ask(args).expect(4).says(&["tide"]);
        assert!(!ran.err.contains(CANARY), "{}", ran.err);
    }
    let pair = format!("[pair.far]\nlocal = {:?}\nremote = \"w:photos\"\n", home.path("f"));
    let profile = format!("default_profile = \"w\"\n{pair}[profile.w]\nendpoint = {endpoint:?}\nbucket = \"tide\"\n");
    home.write("home/.config/tidelock/config.toml", &profile);
    ask(&["sync", "far"]).expect(4).says(&["no bucket \"tide\""]);
    ask(&["ls", "s3://tide"]).expect(4).says(&["no bucket \"tide\""]);
    ask(&["config", "show", "far"]).expect(0).says(&["s3://tide/photos", "profile ", "concurrency         = 32"]);
}
