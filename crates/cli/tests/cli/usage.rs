//! The command line itself: help that teaches, complaints that help.

use crate::home::Home;

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
        (&["sync", "f", "folder:store", "--concurrency", "0"], "1..=1024"),
        (&["sync", "f", "folder:store", "--ignore-file", "none"], "none cannot be read"),
        (&["apply", "none"], "none cannot be read"),
        (&["plan", "f", "folder:store", "-o", "no/such/place"], "cannot be written"),
        (&["--bogus"], "--bogus"),
    ] {
        let ran = home.run(args).expect(2);
        assert!(ran.err.contains(says), "{args:?}: {}", ran.err);
        assert_eq!(ran.out, "", "{args:?}");
    }
    home.run(&[]).expect(2).says(&["Usage", "sync", "restore", "Exit codes"]);
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
