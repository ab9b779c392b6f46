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
        (&["sync", "f", "folder:store", "--concurrency", "0"], "1..=1024"),
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
