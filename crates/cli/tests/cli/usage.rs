//! The command line itself: help that teaches, complaints that help.

use crate::home::{Home, Ran};

#[test]
fn misuse_ends_with_2_and_a_hint() {
    let home = Home::furnished();
    for (args, says) in [
        (&["sync", "f", "folder:store", "--delet"][..], "--delete"),
        (&["synk", "f", "folder:store"], "sync"),
        (&["sync", "f"], "REMOTE"),
        (&["sync", "f", "store"], "write folder: before its path"),
        (&["sync", "f", "s3://UPPER"], "lower-case"),
        (&["sync", "f", "https://example.org/b"], "--endpoint"),
        (&["sync", "f", "folder:store", "--delete", "--mirror"], "cannot be used with"),
        (&["sync", "f", "folder:store", "--compare", "size"], "stamp, digest"),
        (&["sync", "f", "folder:store", "--lock-timeout", "5 parsecs"], "no unit"),
        (&["sync", "f", "folder:store", "--lock-timeout", "1"], "write \"1s\""),
        (&["sync", "f", "folder:store", "--concurrency", "0"], "from 1 to 1024"),
        (&["sync", "f", "folder:store", "--bwlimit", "0"], "above 0, as in \"10 MiB/s\""),
        (&["sync", "f", "folder:store", "--max-delete", "abc"], "a whole number, 0 or more"),
        (&["sync", "f", "folder:store", "--max-delete", "-1"], "a whole number, 0 or more"),
        (&["rm", "folder:store", "--max-delete", "abc"], "a whole number, 0 or more"),
        (&["runs", "--limit", "0"], "a whole number, 1 or more"),
        (&["apply", "f"], "f is a folder, and a plan is a file"),
        (&["plan", "f", "folder:store", "-o", "no/such/place"], "cannot be written"),
        (&["--bogus"], "--bogus"),
    ] {
        let ran = home.run(args).expect(2);
        assert!(ran.err.contains(says), "{args:?}: {}", ran.err);
        assert_eq!(ran.out, "", "{args:?}");
    }
    home.run(&[]).expect(2).says(&["Usage", "sync", "restore", "Exit codes"]);
}

/// A hint is right where it stands, or there is none.
#[test]
fn hints_never_guess() {
    let home = Home::furnished();
    for (args, hint) in [
        (&["sync", "f", "folder:store", "--dryrun"][..], Some("'--dry-run'")),
        (&["sync", "f", "folder:store", "--hiden"], Some("'--hidden'")),
        (&["config", "chek"], Some("'check'")),
        (&["config", "profile", "lst"], Some("'list'")),
        (&["sync", "f", "folder:store", "--compare", "dijest"], Some("'digest'")),
        (&["sync", "f", "folder:store", "--", "--recursive"], None),
        (&["sync", "f", "folder:store", "--recursive"], None),
        (&["sync", "f", "folder:store", "--mode", "mirror"], None),
        (&["status", "f", "folder:store", "--dry-run"], None),
        (&["restore", "folder:store", "x", "--max-deletes", "4"], None),
        (&["sync", "f", "folder:store", "--sse", "AES"], None),
        (&["sync", "f", "folder:store", "--lock-timeout", "-5ss"], None),
        (&["sync", "f", "folder:store", "--bwlimit", "1h/s"], None),
        (&["rm", "-f", "folder:store/x"], None),
        (&["check-it"], None),
    ] {
        let ran = home.run(args).expect(2);
        match hint {
            Some(hint) => assert!(ran.err.contains("tip: ") && ran.err.contains(hint), "{args:?}: {}", ran.err),
            None => assert!(!ran.err.contains("tip: ") && !ran.err.contains("did you mean"), "{args:?}: {}", ran.err),
        }
        assert!(!ran.err.contains("--provider"), "{}", ran.err);
    }
}

/// Whatever was typed, a complaint moves no cursor.
#[test]
fn what_was_typed_is_shown_and_not_sent() {
    let home = Home::furnished();
    let odd = "a\x1b[31m\u{202e}b\r";
    for args in [
        &[odd][..],
        &["sync", "f", odd],
        &["sync", odd],
        &["ls", odd],
        &["config", "show", odd],
        &["config", "profile", "test", odd],
        &["batch", odd],
        &["sync", "f", "folder:store", &format!("--{odd}")],
        &["sync", "f", "folder:store", "--compare", odd],
        &["sync", "f", "folder:store", "--exclude", &format!("{odd}[")],
        &["sync", "f", "folder:store", "--bwlimit", odd],
        &["sync", "f", "folder:store", "--ignore-file", odd],
        &["sync", "f", "folder:store", "--profile", odd],
        &["sync", "f", &format!("s3://{odd}")],
        &["sync", &format!("s3://{odd}"), "f"],
        &["sync", odd, "folder:store"],
        &["sync", "f", "folder:store", "--config", odd],
        &["config", "import", odd],
        &["apply", odd],
        &["cat", &format!("folder:store/{odd}")],
        &["completions", odd],
        &["runs", "show", odd],
    ] {
        let ran = home.run(args);
        assert!(!format!("{}{}", ran.out, ran.err).contains(['\x1b', '\u{202e}', '\r']), "{args:?}: {:?}", ran.err);
    }
}

/// A file that is not there ends every verb alike, whatever it was to be read for; and what
/// cannot be, whatever there is, is misuse.
#[test]
fn like_mistakes_end_alike() {
    let home = Home::synced();
    for args in [
        &["sync", "none", "folder:store"][..],
        &["status", "none", "folder:store"],
        &["upload", "none", "folder:store/"],
        &["apply", "none"],
        &["config", "import", "none"],
        &["sync", "f", "folder:store", "--ignore-file", "none"],
        &["sync", "f", "folder:store", "--config", "none"],
        &["config", "show", "--config", "none"],
        &["demo", "none"],
    ] {
        home.run(args).expect(4).says(&["none"]);
    }
    let nowhere = home.run(&["mv", "folder:nowhere/a.txt", "folder:nowhere/b.txt"]);
    nowhere.expect(4).says(&["there is no store at ", "nowhere/a.txt"]);
    home.run(&["mv", "folder:store/a.txt", "folder:nowhere/b.txt"]).expect(4).says(&["no store at ", "nowhere/b.txt"]);
    home.run(&["sync", "f", "folder:other"]).expect(0);
    for (args, says) in [
        (&["upload", "-", "folder:store/"][..], "has no name"),
        (&["upload", "f/a.txt", "f/sub/b.txt", "folder:store/x"], "cannot all become"),
        (&["mv", "folder:store/sub", "folder:store/sub/x", "-r"], "lie in each other"),
        (&["mv", "folder:store/a.txt", "folder:other/a.txt"], "not in one bucket or store"),
        (&["restore", "folder:store", "f", "--path", "../x"], "is no path in a folder"),
        (&["why", "f", "folder:store", "/abs"], "is no path below the folder"),
        (&["config", "profile", "use", "none"], "is no profile"),
        (&["config", "profile", "test", "none"], "is no profile"),
        (&["config", "profile", "remove", "none"], "is no profile"),
        (&["config", "set-secret", "none"], "is no profile"),
        (&["config", "show", "none"], "is no pair"),
        (&["config", "profile", "add", "x", "--bucket", "BAD"], "--bucket: the bucket name"),
        (&["cat", "folder:store/a.txt", "--range", "5-"], "begins at byte 5"),
    ] {
        let json = home.run(&[args, &["--json"]].concat());
        if args[0] != "cat" {
            assert_eq!(json.expect(2).summary()["endings"], serde_json::json!(["usage"]), "{args:?}");
        }
        home.run(args).expect(2).says(&[says]);
    }
    assert_eq!(home.run(&["cat", "folder:store/a.txt", "--range", "4-9"]).expect(0).out, "a");
    assert_eq!(home.run(&["cat", "folder:store/empty.txt", "--range", "0-9"]).expect(0).out, "");
}

/// Whatever was typed or set, a complaint repeats nothing that signs in.
#[test]
fn no_complaint_holds_a_secret() {
    let home = Home::synced();
    let url = "https://me:SECRET@h/x";
    for args in [
        &["sync", url, "folder:store"][..],
        &["sync", "f", &format!("folder:{url}")],
        &["status", url],
        &["sync", "s3:ID:SECRET@bucket", "folder:store"],
        &["upload", url, "folder:store/"],
        &["init", &format!("f/a.txt/{url}")],
        &["init", url],
        &["init", url],
        &["ls", "s3://bucket", "--config", "https://h/none?sig=SECRET"],
        &["apply", "https://h/none?sig=SECRET"],
        &["plan", "f", "folder:store", "-o", "none/https://h/none?sig=SECRET"],
        &["config", "import", "https://h/none?sig=SECRET"],
        &["config", "profile", "add", url],
        &["config", "profile", "test", url],
        &["config", "show", url],
        &["batch", url],
        &["ls", "s3://bucket", "--region", url],
        &["ls", "s3://bucket", "--profile", url],
        &["ls", "s3://bucket", "--provider", url],
        &["sync", "f", "folder:store", "--lock-timeout", url],
        &["sync", "f", "folder:store", &format!("--bwlimit={url}")],
        &["why", "f", "folder:store", url],
        &["why", "f", "s3://ID:SECRET@bucket"],
        &["why", "f", "s3://ID:SECRET@bucket", "a.txt"],
        &["restore", "folder:store", "f", "--path", url],
        &["ls", "folder:store", "--path", url],
        &["man", &format!("f/a.txt/{url}")],
        &["demo", url],
    ] {
        for json in [&[][..], &["--json"]] {
            let ran = home.run(&[args, json].concat());
            let said = format!("{}{}", ran.out, ran.err);
            assert!(!said.contains("SECRET") && !said.is_empty(), "{args:?}: {said}");
        }
    }
    for (variable, value) in [
        ("AWS_ENDPOINT_URL", "https://h/x?X-Amz-Signature=SECRET"),
        ("AWS_ENDPOINT_URL", url),
        ("AWS_PROFILE", url),
        ("TIDELOCK_ENDPOINT", url),
        ("TIDELOCK_REGION", url),
        ("TIDELOCK_BWLIMIT", url),
    ] {
        for json in [&[][..], &["--json"]] {
            let mut command = home.command(&[&["ls", "s3://bucket"][..], json].concat());
            let ran = Ran::from(command.env(variable, value).output().expect("it runs")).expect(78);
            assert!(!format!("{}{}", ran.out, ran.err).contains("SECRET"), "{variable}: {}{}", ran.out, ran.err);
        }
    }
}

/// What can mean one thing alone is taken so.
#[test]
fn options_may_stand_before_their_verb() {
    let home = Home::synced();
    let after = home.run(&["ls", "folder:store", "--limit", "2", "--json"]).expect(0).events();
    let before = home.run(&["--limit", "2", "--json", "ls", "folder:store"]).expect(0).events();
    assert_eq!(before.len(), after.len());
    home.write("f/new", "x");
    home.run(&["-n", "sync", "f", "folder:store"]).expect(0).says(&["sync would: send 1 entry"]);
    home.run(&["--profile", "none", "ls", "s3://bucket"]).expect(78).says(&["the profile \"none\""]);
    home.run(&["--long", "sync", "f", "folder:store"]).expect(2).says(&["unexpected argument '--long'"]);
}

/// Times are for people in the text, and numbers in the events.
#[test]
fn why_tells_the_time() {
    let home = Home::synced();
    let text = home.run(&["why", "f", "folder:store", "a.txt"]).expect(0).out;
    assert!(text.contains(", modified 20") && !text.contains("Unix"), "{text}");
    let entry =
        home.run(&["why", "f", "folder:store", "a.txt", "--json"]).expect(0).summary()["reply"]["entries"][0].clone();
    assert!(entry["modified_ns"].as_i64().is_some_and(|at| at > 1_500_000_000_000_000_000), "{entry}");
}

/// What would be removed is told as what was: by its address.
#[test]
fn what_is_removed_is_told_by_its_address() {
    let home = Home::synced();
    let named = ["rm", "folder:store/sub/b.txt", "folder:store/a.txt"];
    for more in ["-n", "-v"] {
        let out = home.run(&[&named[..], &[more]].concat()).expect(0).out;
        let store = format!("folder:{}", home.path("store").display());
        let (b, a) = (format!("delete-there  {store}/sub/b.txt\n"), format!("delete-there  {store}/a.txt\n"));
        assert!(out.contains(&b) && out.contains(&a), "{out}");
    }
}

/// The table of codes has one on a line, so that no narrow terminal mixes them.
#[test]
fn the_codes_stand_below_each_other() {
    let help = Home::new().run(&["--help"]).expect(0).out;
    let codes = help.split("Exit codes:").nth(1).expect("codes");
    let first = |line: &str| line.split_whitespace().next().and_then(|word| word.parse::<u8>().ok());
    let told: Vec<u8> = codes.lines().filter_map(first).collect();
    assert_eq!(told, [0, 1, 2, 3, 4, 5, 6, 7, 75, 77, 78, 130, 143]);
}

/// A place that is refused is refused before anything is made there.
#[test]
fn a_download_that_is_refused_makes_nothing() {
    let home = Home::synced();
    home.run(&["download", "folder:store/a.txt", "store/new/x"]).expect(78).says(&["lie in each other"]);
    assert!(!home.path("store/new").exists());
    home.run(&["download", "folder:store/a.txt", "there/too/x"]).expect(0);
    assert_eq!(home.read("there/too/x"), "alpha");
}

/// Nor where no address is expected: of what may be `ID:SECRET`, or a secret that was typed
/// where there is no place for one, nothing is repeated.
#[test]
fn no_complaint_holds_what_may_be_a_secret() {
    let home = Home::synced();
    let (word, login) = ("AK:SECRET", "me:SECRET@host");
    for args in [
        &["ls", "s3://bucket", "--endpoint", login][..],
        &["ls", "s3://bucket", "--endpoint", "me:SECRET"],
        &["ls", "s3://bucket", &format!("--endpoint={login}")],
        &["config", "set-secret", "work", "SECRET"],
        &["config", "set-secret", "work", "--secret-stdin", "SECRET"],
        &["config", "set-secret", "work", "--secret-stdin=SECRET"],
        &["config", "set-secret", "work", "--key-from", "SECRET"],
        &["config", "profile", "add", "work", "--secret-stdin", "SECRET"],
        &["config", "profile", "add", "work", "--secret-access-key=SECRET"],
        &["config", "profile", "add", "work", "--credentials", "SECRET"],
        &["config", "profile", "add", word],
        &["config", "profile", "add", "work", "--no-test", "--access-key-id", word],
        &["config", "profile", "add", "work", "--no-test", "--access-key-id", "AK/SECRET"],
        &["config", "profile", "add", "work", "--bucket", word],
        &["config", "profile", "add", "work", "--region", word],
        &["config", "profile", "add", "work", "--provider", word],
        &["config", "profile", "use", word],
        &["config", "profile", "use", "work", "SECRET"],
        &["config", "profile", "remove", "work", "SECRET"],
        &["config", "show", "work", "SECRET"],
        &["config", "import", "f/a.txt", "--key-from", "SECRET"],
        &["config", "set-secret", "work", "--wJalrXUtnFEMI/K7MDENG/bSECRETCYEXAMPLEKEY"],
        &["restore", word],
        &["config", "profile", "test", word],
        &["config", "profile", "remove", word],
        &["config", "set-secret", word],
        &["config", "show", word],
        &["config", word],
        &[word],
        &["ls", word],
        &["ls", "A K:SECRET"],
        &["ls", "s3://bucket", word],
        &["sync", word],
        &["sync", "f", word],
        &["batch", word],
        &["ls", "s3://bucket", "--profile", word],
        &["ls", "s3://bucket", "--region", word],
        &["sync", "f", "folder:store", "--lock-timeout", word],
        &["sync", "f", "folder:store", "--bwlimit", word],
        &["runs", "show", word],
        &["completions", word],
        &["cat", "folder:store/a.txt", "--range", word],
    ] {
        for json in [&[][..], &["--json"]] {
            let ran = home.run(&[args, json].concat());
            let said = format!("{}{}", ran.out, ran.err);
            assert!(ran.code != 0 && !said.contains("SECRET") && !said.is_empty(), "{args:?}: {said}");
        }
    }
    for (variable, args) in [("AWS_REGION", &["ls", "s3://bucket"][..]), ("TIDELOCK_PROFILE", &["config", "show"])] {
        let mut command = home.command(args);
        let ran = Ran::from(command.env(variable, word).output().expect("it runs"));
        assert!(!format!("{}{}", ran.out, ran.err).contains("SECRET"), "{variable}: {}{}", ran.out, ran.err);
    }
    home.run(&["config", "set-secret", "work", "SECRET"]).expect(2).says(&["is no argument", "--secret-stdin"]);
    home.run(&["config", "profile", "add", word]).expect(2).says(&["\"AK:…\": this cannot be a name"]);
}

/// What is written in a configuration, or in another tool's, is treated alike.
#[test]
fn no_configuration_shows_what_may_be_a_secret() {
    let home = Home::synced();
    for text in [
        "default_profile = \"AK:SECRET\"",
        "[profile.\"AK:SECRET\"]\nbucket = \"abc\"",
        "[pair.\"AK:SECRET\"]\nlocal = \"f\"\nremote = \"folder:s\"",
        "[profile.w]\ncredentials = \"keyring\"\naccess_key_id = \"AK:SECRET\"",
        "[profile.w]\nregion = \"AK:SECRET\"",
        "[profile.w]\nprovider = \"AK:SECRET\"",
        "[profile.w]\nendpoint = \"me:SECRET\"",
        "[profile.w]\ncredentials = \"AK:SECRET\"",
        "[pair.p]\nlocal = \"f\"\nremote = \"AK:SECRET\"",
        "[pair.p]\nlocal = \"f\"\nremote = \"A K:SECRET\"",
        "[pair.p]\nlocal = \"f\"\nremote = \"s3://abc\"\nprofile = \"AK:SECRET\"",
        "[pair.p]\nlocal = \"f\"\nremote = \"s3://abc\"\nbwlimit = \"AK:SECRET\"",
        "[pair.p]\nlocal = \"f\"\nremote = \"s3://abc\"\nconcurrency = \"AK:SECRET\"",
        "[defaults]\n\"AK:SECRET\" = 1",
    ] {
        home.write("home/.config/tidelock/config.toml", &format!("{text}\n"));
        home.run(&["config", "check"]).expect(78);
        for args in [
            &["config", "check"][..],
            &["config", "show"],
            &["config", "show", "p"],
            &["config", "profile", "list"],
            &["config", "profile", "test", "w"],
            &["config", "profile", "add", "x", "--no-test"],
            &["ls", "p"],
            &["ls", "w:"],
            &["ls", "s3://abc"],
            &["batch"],
        ] {
            for json in [&[][..], &["--json"]] {
                let ran = home.run(&[args, json].concat());
                let said = format!("{}{}", ran.out, ran.err);
                assert!(!said.contains("SECRET") && !said.is_empty(), "{text}: {args:?}: {said}");
            }
        }
    }
    home.write("home/.config/tidelock/config.toml", "[profile.w]\nbucket = \"abc\"\n");
    let ran = home.run(&["config", "profile", "test", "w", "--bucket", "AK:SECRET"]).expect(2);
    assert!(!format!("{}{}", ran.out, ran.err).contains("SECRET"), "{}{}", ran.out, ran.err);
    for (number, text) in [
        "[AK:SECRET]\ntype = s3\nenv_auth = true\n",
        "[w]\ntype = s3\nenv_auth = true\ntoken SECRET = 1\nodd = SECRET\nwJalrXUtnFEMI/K7SECRETfiCYEXAMPLEKEY = 2\n",
        "[w]\ntype = s3\naccess_key_id = AK:SECRET\nsecret_access_key = SECRET\n",
        "[w]\ntype = SECRET:SECRET\n",
        "[AK:SECRET]\ntype = crypt\n",
        "server_url = AK:SECRET\napi_key SECRET: x\n",
        "{\"bucket\": \"AK:SECRET\"}",
        "{\"bucket\": \"abc\", \"password SECRET\": \"SECRET\"}",
    ]
    .into_iter()
    .enumerate()
    {
        home.write("theirs", text);
        let (into, output) = (format!("c{number}.toml"), format!("o{number}.toml"));
        for more in [&["--output", "-"][..], &["--config", &into], &["--output", &output]] {
            let ran = home.run(&[&["config", "import", "theirs", "--credentials", "aws"], more].concat());
            let said = format!("{}{}", ran.out, ran.err);
            assert!(!said.contains("SECRET") && !said.is_empty(), "{text}: {said}");
        }
        for file in [into, output] {
            assert!(!std::fs::read_to_string(home.path(&file)).unwrap_or_default().contains("SECRET"), "{text}");
        }
    }
}

/// An object may be called like an address; a listing shows what there is.
#[test]
fn names_of_objects_are_shown_whole() {
    let home = Home::new();
    let name = "https:@h?x=1";
    home.write(&format!("f/{name}"), "x");
    home.sync(&[]).expect(0);
    assert_eq!(home.run(&["ls", "folder:store"]).expect(0).out, format!("{name}\n"));
    assert_eq!(home.run(&["ls", "folder:store", "--json"]).expect(0).events()[0]["key"], name);
}

/// What is typed is misuse; what is written, in a file or a variable, is a setting.
#[test]
fn a_pattern_ends_as_where_it_was_said() {
    let home = Home::furnished();
    home.run(&["sync", "f", "folder:store", "--exclude", "["]).expect(2).says(&["--exclude", "never closed"]);
    home.run(&["sync", "f", "folder:store", "--ignore-file", "none"]).expect(4).says(&["none cannot be read"]);
    home.write("bad", "[\n");
    home.run(&["sync", "f", "folder:store", "--ignore-file", "bad"]).expect(78).says(&["bad:1"]);
    for (key, says) in [
        ("exclude = [\"[\"]", "config.toml:2: defaults.exclude"),
        ("ignore_files = [\"none\"]", "config.toml:2: the ignore file"),
    ] {
        home.write("home/.config/tidelock/config.toml", &format!("[defaults]\n{key}\n"));
        home.run(&["sync", "f", "folder:store"]).expect(78).says(&[says]);
    }
}

#[test]
fn every_verb_teaches_by_example() {
    let home = Home::new();
    let verbs = ["sync", "status", "plan", "apply", "moves", "restore", "ls", "why", "demo"];
    let all = home.run(&["--help"]).expect(0).out;
    for verb in verbs {
        assert!(all.contains(&format!("\n  {verb} ")), "{verb} is not in the list: {all}");
        let help = home.run(&[verb, "--help"]).expect(0).out;
        assert!(help.contains(&format!("    tidelock {verb} ")), "{verb} has no example: {help}");
    }
    assert!(home.run(&["--version"]).expect(0).out.starts_with("tidelock "));
}

#[test]
fn the_exit_codes_are_documented() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let contract = std::fs::read_to_string(root.join("docs/exit-codes.md")).expect("the contract");
    for code in [0, 1, 2, 3, 4, 5, 6, 7, 75, 77, 78, 130, 143] {
        assert!(contract.contains(&format!("| {code} |")), "{code} is not in docs/exit-codes.md");
    }
    let order = "130/143 > 2 > 78 > 77 > 5 > 75 > 1 > 6 > 3 > 7 > 4";
    assert!(contract.contains(order) && Home::new().run(&["--help"]).expect(0).out.contains(order));
}
