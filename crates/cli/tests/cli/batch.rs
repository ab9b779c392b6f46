//! `batch`: every pair in its own mode, one report, the worst exit code.

use crate::home::Home;
use std::fs;

/// Three pairs: one that pushes, one two ways, one whose folder is missing.
fn three() -> Home {
    let home = Home::new();
    home.write("a/1.txt", "one");
    home.write("a/skip.tmp", "no");
    home.write("b/2.txt", "two");
    let dir = home.dir.path().display();
    let pair = |name: &str, more: &str| {
        format!("[pair.{name}]\nlocal = \"{dir}/{name}\"\nremote = \"folder:{dir}/store-{name}\"\n{more}\n")
    };
    let text = [pair("a", "exclude = [\"*.tmp\"]"), pair("b", "mode = \"two-way\""), pair("c", "")].concat();
    home.write("home/.config/tidelock/config.toml", &text);
    home
}

#[test]
fn every_pair_is_synced_and_the_worst_ending_is_told() {
    let home = three();
    let ran = home.run(&["batch"]).expect(4);
    assert!(ran.err.contains("error: c: the folder"), "{}", ran.err);
    let lines: Vec<&str> = ran.out.lines().collect();
    assert_eq!(lines[..3], ["a:", "b:", "c:"]);
    assert_eq!(lines[3..6], ["a  1 entry sent (3 B)", "b  1 entry sent (3 B)", "c  not begun"]);
    assert!(lines[6].starts_with("batch: 3 pairs, 1 of them not well: 2 entries sent (6 B) · "), "{}", ran.out);
    let quiet = home.run(&["batch", "-q"]).expect(4);
    assert!(quiet.out.is_empty() && quiet.err.contains("error: c: "), "{} {}", quiet.out, quiet.err);
    home.run(&["batch", "a", "b"]).expect(0).says(&["batch: 2 pairs: 2 unchanged"]);
}

#[test]
fn one_reply_holds_all_of_it() {
    let home = three();
    let ran = home.run(&["batch", "--json"]).expect(4);
    let started = ran.events().into_iter().filter(|event| event["event"] == "pair-started");
    assert_eq!(started.map(|event| event["pair"].clone()).collect::<Vec<_>>(), ["a", "b", "c"]);
    let reply = ran.summary()["reply"].clone();
    assert_eq!(reply["reply"], "batch");
    let runs = reply["runs"].as_array().expect("runs");
    assert_eq!(
        runs.iter().map(|run| run["ending"].as_str().expect("a word")).collect::<Vec<_>>(),
        ["ok", "ok", "not-found"]
    );
    assert_eq!(runs[0]["run"]["report"]["uploaded"], 1);
    assert!(runs[2]["run"].is_null() && runs[2]["stopped"].as_str().expect("a reason").contains("does not exist"));
    assert_eq!(ran.summary()["endings"], serde_json::json!(["not-found"]));
}

#[test]
fn deletions_are_passed_on_where_the_mode_asks_or_the_person() {
    let home = three();
    for (folder, name) in [("a", "3.txt"), ("b", "4.txt")] {
        home.write(&format!("{folder}/{name}"), name);
    }
    home.run(&["batch", "a", "b"]).expect(0);
    fs::remove_file(home.path("a/3.txt")).expect("removed");
    fs::remove_file(home.path("b/4.txt")).expect("removed");
    fs::rename(home.path("a/1.txt"), home.path("a/one.txt")).expect("renamed");
    home.run(&["batch", "a", "b", "-n"]).expect(0).says(&["batch would: 2 pairs: rename 1 there", "delete 1 there"]);
    home.run(&["batch", "a", "b"]).expect(0).says(&["1 renamed there", "1 deleted there"]);
    let listed = |store: &str| home.run(&["ls", store]).expect(0).out;
    assert_eq!((listed("folder:store-a"), listed("folder:store-b")), ("3.txt\none.txt\n".into(), "2.txt\n".into()));
    home.write("a/5.txt", "five");
    home.run(&["batch", "a", "--delete"]).expect(0);
    fs::remove_file(home.path("a/5.txt")).expect("removed");
    home.run(&["batch", "a", "--delete"]).expect(0).says(&["1 deleted there"]);
}

#[test]
fn a_pair_that_is_configured_wrong_is_told_in_its_turn() {
    let home = three();
    let file = home.path("home/.config/tidelock/config.toml");
    let text = fs::read_to_string(&file).expect("there").replace("mode = \"two-way\"", "profile = \"none\"");
    fs::write(&file, text).expect("written");
    let ran = home.run(&["batch"]).expect(78);
    assert!(ran.err.contains("error: b: ") && ran.err.contains("there is no profile \"none\""), "{}", ran.err);
    assert!(ran.out.contains("a  1 entry sent"), "{}", ran.out);
}

/// A pair that a guard stops has something to do, and says so.
#[test]
fn a_pair_that_is_stopped_is_told_as_such() {
    let home = three();
    (0..30).for_each(|number| home.write(&format!("a/f{number}"), "x"));
    home.run(&["batch", "a", "b", "--delete"]).expect(0);
    (0..30).for_each(|number| fs::remove_file(home.path(&format!("a/f{number}"))).expect("removed"));
    fs::rename(home.path("b"), home.path("b-away")).expect("renamed");
    fs::create_dir(home.path("b")).expect("made");
    let closing = |args: &[&str]| {
        let lines = home.run(args).expect(5).out.lines().skip(2).map(str::to_owned).collect::<Vec<_>>();
        let cut = |line: &String| line.split(" · ").next().unwrap_or_default().to_owned();
        lines.iter().map(cut).filter(|line| !line.starts_with("delete") && line != "b:").collect::<Vec<_>>()
    };
    assert_eq!(
        closing(&["batch", "a", "b", "--delete"]),
        [
            "a  stopped: 1 unchanged",
            "b  stopped before anything was done",
            "batch: 2 pairs, 2 of them not well: 1 unchanged"
        ]
    );
    assert_eq!(
        closing(&["batch", "a", "b", "--delete", "-n"]),
        [
            "a  would be stopped: delete 30 there, 1 unchanged",
            "b  stopped before anything was done",
            "batch would: 2 pairs, 2 of them not well: delete 30 there, 1 unchanged"
        ]
    );
}

/// A list of folders and buckets says nothing of a service.
#[test]
fn the_service_of_a_batch_can_be_typed() {
    let home = Home::furnished();
    home.write("pipe", &format!("{} | bucket | |\n", home.path("f").display()));
    let ran = home.command(&["batch", "--config", "pipe", "-n", "--endpoint", "http://127.0.0.1:1", "--region", "r"]);
    let ran: crate::home::Ran =
        { ran }.env("AWS_ACCESS_KEY_ID", "i").env("AWS_SECRET_ACCESS_KEY", "s").output().expect("it runs").into();
    ran.expect(75).says(&["http://127.0.0.1:1 cannot be reached", "f  stopped before anything was done"]);
}

#[test]
fn nothing_to_do_is_told() {
    let home = Home::new();
    home.run(&["batch"]).expect(78).says(&["no pairs are configured", "tidelock init"]);
    home.write("empty.toml", "");
    home.run(&["batch", "--config", "empty.toml"]).expect(78).says(&["has no pairs"]);
}

#[test]
fn a_pair_that_is_named_twice_is_synced_once() {
    let home = Home::new();
    home.write("home/.config/tidelock/config.toml", "[pair.a]\nlocal = \"~/a\"\nremote = \"folder:~/s\"\n");
    home.write("home/a/one", "x");
    let ran = home.run(&["batch", "a", "a"]).expect(0);
    assert!(ran.err.contains("a was named more than once, and is synced once"), "{}", ran.err);
    assert!(ran.out.contains("batch: 1 pair: 1 entry sent"), "{}", ran.out);
}
