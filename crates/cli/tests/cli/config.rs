//! The configuration, seen from outside: where it is, what it says, what is wrong
//! with it, and pairs by their names in every verb.

use crate::home::{Home, Ran, tree};
use crate::service::{CANARY, service, vanishing_service};
use serde_json::Value;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

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
    let status = home.run(&["status", "tide", "--json"]).expect(0).summary();
    assert!(status["reply"]["last_run"]["report"]["uploaded"].is_u64(), "{status}");
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
    home.run(&["config", "show", "tied"]).expect(2).says(&["did you mean \"tide\"?"]);
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

/// Every complaint of a file at once, in both languages; and what goes on beside them.
#[test]
fn what_cannot_be_read_in_one_pair_stops_that_pair_alone() {
    let toml = "[pair.bad]\nlocal = 3\nremote = \"s3://ID:SECRET@abc\"\nexlude = []\nconcurrency = 0\n[pair.half]\nlocal = \"h\"\n\
                [pair]\nodd = 3";
    let home = configured(toml);
    home.run(&["sync", "tide"]).expect(0);
    home.run(&["ls", "folder:store"]).expect(0);
    home.run(&["runs"]).expect(0);
    home.run(&["sync", "half"]).expect(78).says(&["config.toml:11: pair.half: it says no \"remote\""]);
    home.run(&["config", "show", "odd"]).expect(78).says(&["pair.odd: it is the number 3"]);
    home.run(&["config", "show"]).expect(78);
    let check = home.run(&["config", "check"]).expect(78);
    let wrong = check.err.lines().filter(|line| line.starts_with("error: "));
    let lines: Vec<&str> = wrong.filter_map(|line| line.split("config.toml:").nth(1)).collect();
    let says = [
        "7: pair.bad.local: it is the number 3; write text",
        "8: pair.bad.remote: who signs in is never part of an address",
        "9: pair.bad.exlude: there is no such key; did you mean \"exclude\"?",
        "10: pair.bad.concurrency: it is out of range",
        "11: pair.half: it says no \"remote\"",
        "14: pair.odd: it is the number 3",
    ];
    assert_eq!(lines.len(), says.len(), "{lines:?}");
    assert!(lines.iter().zip(says).all(|(line, says)| line.starts_with(says)), "{lines:?}");
    let batch = home.run(&["batch"]).expect(78);
    for pair in ["bad", "half", "odd"] {
        assert!(batch.err.contains(&format!("error: {pair}: ")), "{}", batch.err);
        assert!(batch.out.lines().any(|line| line == format!("{pair:4}  not begun")), "{}", batch.out);
    }
    batch.says(&["tide  "]);

    home.write("c.yaml", "pair:\n  tide: {local: f, remote: 'folder:store'}\n  bad: {mod: 1}\n  none:\ndefault: 1\n");
    let check = home.run(&["config", "check", "--config", "c.yaml"]).expect(78);
    check.says(&[
        "c.yaml:3: pair.bad.mod",
        "c.yaml:3: pair.bad: it says no",
        "c.yaml:4: pair.none: ",
        "c.yaml:5: default: ",
    ]);
    home.run(&["sync", "tide", "--config", "c.yaml"]).expect(78).says(&["c.yaml:5: default: "]);
}

/// A pair's name may hold a dot, and is then no other pair's key.
#[test]
fn a_name_with_a_dot_is_a_name() {
    let home = configured("[pair.\"tide.x\"]\nlocal = \"x\"\nremote = \"s3://abc\"\ncolour = 1");
    home.run(&["sync", "tide"]).expect(0);
    home.run(&["sync", "tide.x"]).expect(78).says(&["pair.\"tide.x\".colour"]);
}

#[test]
fn no_secret_of_an_address_is_ever_shown() {
    let home = configured("");
    let address = "s3://ID:hidden-word@bucket/x";
    let service = "https://me:hidden-word@example.org";
    for args in [
        &["ls", address][..],
        &["sync", "f", address],
        &["sync", address, "f"],
        &["restore", address],
        &["why", "f", address, "a.txt"],
        &["mv", address, address],
        &["ls", "ID:hidden-word@bucket"],
        &[address],
        &["ls", address, "--json"],
        &["ls", "s3://abc", "--endpoint", service],
        &["ls", "s3://abc", "--endpont=https://me:hidden-word@example.org"],
        &["config", "profile", "add", "x", "--no-test", "--endpoint", service],
    ] {
        let ran = home.run(args).expect(2);
        assert!(!format!("{}{}", ran.err, ran.out).contains("hidden-word"), "{args:?}: {} {}", ran.err, ran.out);
    }
    for args in [&["ls", "s3://abc"][..], &["config", "show"], &["config", "show", "tide"], &["config", "check"]] {
        let ran = with(&home, "TIDELOCK_ENDPOINT", service, args).expect(78);
        assert!(ran.err.contains("TIDELOCK_ENDPOINT: who signs in"), "{}", ran.err);
        assert!(!format!("{}{}", ran.err, ran.out).contains("hidden-word"), "{args:?}: {} {}", ran.err, ran.out);
    }
    let home = configured(&format!("[profile.w]\nendpoint = \"{service}\"\nbucket = \"ID:hidden-word@b\""));
    for args in [&["config", "show"][..], &["config", "check"], &["config", "profile", "list"], &["ls", "w:"]] {
        let ran = home.run(args).expect(78).says(&["profile.w.endpoint: who signs in"]);
        assert!(!format!("{}{}", ran.err, ran.out).contains("hidden-word"), "{args:?}: {} {}", ran.err, ran.out);
    }
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
    home.run(&["sync", "tide", "--config", "none.toml"]).expect(4).says(&["none.toml: it cannot be read", "--config"]);
    with(&home, "TIDELOCK_CONFIG", "none.toml", &["ls", "tide"]).expect(4).says(&["correct TIDELOCK_CONFIG"]);
    home.run(&["config", "check", "--config", "none.toml"]).expect(4).says(&["none.toml: it cannot be read"]);
    fs::write(&file, b"[defaults]\nexclude = [\"\xff\"]\n").expect("written");
    home.run(&["ls", "tide"]).expect(78).says(&["config.toml:2: this is not UTF-8"]);
    fs::write(&file, "").expect("written");
    home.run(&["ls", "tide"]).expect(2).says(&["\"tide\" is neither a remote nor a pair's name"]);
    home.write("home/.config/tidelock/config.yml", "");
    home.run(&["ls", "folder:x"]).expect(78).says(&["config.toml and config.yml are both there"]);
    // What needs no configuration is not stopped by it.
    home.run(&["config", "schema"]).expect(0);
    home.run(&["init", "new.toml"]).expect(0);
    home.run(&["init", "new.yaml"]).expect(2).says(&["what is written is TOML", ".toml"]);
    assert!(!home.path("new.yaml").exists());
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
        (&["ls", "w:x"], "\"w\" is no profile"),
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
    let looked = ask(&["status", "far"]).expect(4).says(&["a sync would: not be begun", "no bucket \"tide\""]);
    assert!(!looked.out.contains("nothing to do"), "{}", looked.out);
    ask(&["config", "show", "far"]).expect(0).says(&["s3://tide/photos", "profile ", "concurrency         = 32"]);
}

/// A plan names its pair and its profile, and needs to be told of neither.
#[test]
fn a_plan_is_applied_where_it_was_made_for() {
    let home = configured("");
    let ask = |args: &[&str]| -> Ran {
        let mut command = home.command(args);
        command
            .env("AWS_ACCESS_KEY_ID", "AKIDCANARY")
            .env("AWS_SECRET_ACCESS_KEY", CANARY)
            .output()
            .expect("runs")
            .into()
    };
    let is_gone = Arc::new(AtomicBool::new(false));
    let endpoint = vanishing_service(&is_gone);
    let configure = |pair: &str| {
        let pair = format!("[pair.{pair}]\nlocal = {:?}\nremote = \"w:photos\"\n", home.path("f"));
        let profile = format!("[profile.w]\nendpoint = {endpoint:?}\nregion = \"moon-1\"\nbucket = \"tide\"\n");
        home.write("home/.config/tidelock/config.toml", &(pair + &profile));
    };
    configure("far");
    ask(&["plan", "far", "-o", "p"]).expect(0);
    let plan = home.read("p");
    let line = plan.lines().next().expect("a header");
    assert!(line.contains(r#""said":{"pair":"far","profile":"w"}"#) && !plan.contains(CANARY), "{line}");

    is_gone.store(true, Ordering::Relaxed);
    for pair in ["far", "renamed"] {
        configure(pair);
        ask(&["apply", "p"]).expect(4).says(&["no bucket \"tide\""]);
        // What is typed wins.
        ask(&["apply", "p", "--endpoint", "http://127.0.0.1:1"]).expect(78).says(&["made for another pair"]);
        ask(&["apply", "p", "--profile", "none"]).expect(78).says(&["the profile \"none\""]);
    }
    // Those of old do not say it.
    let older = line.replace(r#""said":{"pair":"far","profile":"w"},"#, "");
    let header: tidelock_core::plan::Header = serde_json::from_str(&older).expect("still a header");
    assert!(older != line && header.said == tidelock_core::plan::Said::default());
}

/// What is wrong with one pair stops nothing that is about a profile, and is told; what a
/// change would make wrong is refused.
#[test]
fn a_fault_in_one_pair_stops_no_profile() {
    let home = Home::new();
    let file = "home/.config/tidelock/config.toml";
    home.write(
        file,
        "[profile.w]\nbucket = \"abc\"\n[pair.bad]\nlocal = \"~/f\"\nremote = \"folder:~/s\"\nbwlimit = 0\nodd = 1\n",
    );
    let left = ["wrong elsewhere in it", "pair.bad.bwlimit", "pair.bad.odd"];
    home.run(&["config", "profile", "use", "w"]).expect(0).says(&left);
    home.run(&["config", "profile", "add", "v", "--bucket", "bcd", "--no-test"]).expect(0).says(&left);
    home.run(&["config", "profile", "remove", "v"]).expect(0).says(&left);
    home.write("theirs", "/srv/music | tunes | |\n");
    home.run(&["config", "import", "theirs"]).expect(0).says(&left);
    assert!(home.read(file).contains("[pair.music]") && home.read(file).contains("odd = 1"), "{}", home.read(file));
    home.write("theirs", "~/f/sub | tunes | |\n");
    home.run(&["config", "import", "theirs"]).expect(78).says(&["pair.bad.local: it contains the folder of pair.sub"]);
    home.write("theirs", "/srv/x | BAD | |\n");
    home.run(&["config", "import", "theirs"]).expect(78).says(&["pair.x.remote"]);
    assert!(!home.read(file).contains("pair.sub") && !home.read(file).contains("pair.x"));
}

/// `config check` looks at what is named, and makes nothing of it.
#[test]
fn a_check_looks_at_what_is_named() {
    let home = Home::synced();
    let file = "home/.config/tidelock/config.toml";
    let pair = |local: &str, more: &str| format!("[pair.tide]\nlocal = \"{local}\"\nremote = \"folder:~/s\"\n{more}\n");
    for (text, code, says) in [
        (pair("~/../f", ""), 0, "good; 0 profiles, 1 pair"),
        (pair("~/../none", ""), 0, "warning: "),
        (pair("~/../none", ""), 0, "config.toml:2: pair.tide.local: there is no folder "),
        (pair("~/../f/a.txt", ""), 78, "pair.tide.local: "),
        (pair("~/../f/a.txt", ""), 78, "f/a.txt is no folder"),
        (pair("~/../store/x", ""), 78, "store, whose files are no folder's"),
        (pair("~/../f/.tidelock/x", ""), 78, "is Tidelock's own"),
        (pair("~/../f", "ignore_files = [\"none\"]"), 78, "config.toml:4: pair.tide.ignore_files: the ignore file "),
        ("[defaults]\nignore_files = [\"none\"]\n".to_owned(), 78, "config.toml:2: defaults.ignore_files: "),
    ] {
        home.write(file, &text);
        home.run(&["config", "check"]).expect(code).says(&[says]);
        home.run(&["config", "check", "--json"]).expect(code);
    }
    assert!(!home.path("none").exists() && !home.path("home/s").exists());
}

/// `init -` shows what `init` writes, also where there is a configuration.
#[test]
fn the_sample_can_be_shown() {
    let home = Home::new();
    let shown = home.run(&["init", "-"]).expect(0).out;
    home.run(&["init"]).expect(0);
    assert_eq!(shown, home.read("home/.config/tidelock/config.toml"));
    home.run(&["init"]).expect(78).says(&["`tidelock init -`"]);
    assert_eq!(home.run(&["init", "-"]).expect(0).out, shown);
    assert!(!home.path("-").exists());
}

/// The pair that the README shows is one, and its commands do what they say.
#[test]
fn the_pair_of_the_readme_is_one() {
    let home = Home::new();
    let readme = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../README.md");
    let readme = std::fs::read_to_string(readme).expect("the README");
    let block = readme.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next()).expect("a pair");
    let config = "home/.config/tidelock/config.toml";
    home.run(&["init"]).expect(0);
    home.write(config, &format!("{}\n{block}", home.read(config)));
    home.write("home/photos/2025/june", "sun");
    home.write("home/photos/draft.tmp", "x");
    std::fs::create_dir(home.path("home/usb")).expect("made");
    home.run(&["config", "check"]).expect(0).says(&["good; 0 profiles, 1 pair"]);
    home.write(config, &home.read(config).replace("s3://my-bucket", "folder:~/usb"));
    let commands = readme.split(block).nth(1).and_then(|rest| rest.split("```").nth(2)).expect("commands");
    let typed: Vec<&str> =
        commands.lines().filter_map(|line| line.split('#').next()?.trim().strip_prefix("tidelock ")).collect();
    assert!(typed.len() >= 6, "{commands}");
    for line in typed {
        home.run(&line.split(' ').collect::<Vec<_>>()).expect(0);
        if line == "sync photos" {
            std::fs::remove_file(home.path("home/photos/2025/june")).expect("removed");
        }
    }
    assert_eq!(home.read("home/photos/2025/june"), "sun");
    home.run(&["runs", "photos"]).expect(0).says(&["restore", "sync"]);
}
