//! NDJSON: every line of it, and that docs/events.md knows every event.

use crate::home::Home;
use std::collections::BTreeSet;
use std::fs;

#[test]
fn standard_output_holds_events_and_nothing_else() {
    let home = Home::furnished();
    let mut names = BTreeSet::new();
    let mut note = |events: Vec<serde_json::Value>| {
        names.extend(events.iter().map(|event| event["event"].as_str().expect("a name").to_owned()));
    };
    let run = |args: &[&str], code: i32| {
        let ran = home.run(&[args, &["--json"]].concat()).expect(code);
        assert_eq!(ran.err, "", "{args:?}");
        ran.summary();
        ran.events()
    };
    note(run(&["sync", "f", "folder:store", "-n"], 0));
    note(run(&["sync", "f", "folder:store"], 0));
    home.write("f/a.txt", "mine");
    home.write("g/a.txt", "not the same");
    note(run(&["sync", "g", "folder:store"], 6));
    note(run(&["status", "f", "folder:store"], 0));
    note(run(&["plan", "f", "folder:store", "-o", "p"], 0));
    note(run(&["apply", "p"], 0));
    note(run(&["moves", "f", "folder:store"], 0));
    note(run(&["restore", "folder:store", "h"], 0));
    note(run(&["ls", "folder:store"], 0));
    note(run(&["why", "f", "folder:store", "a.txt"], 0));
    note(run(&["sync", "none", "folder:store"], 4));
    note(run(&["demo"], 0));
    let pipe = std::process::Command::new("mkfifo").arg(home.path("f/pipe")).status().expect("runs");
    assert!(pipe.success());
    note(run(&["sync", "f", "folder:store"], 3));
    for name in ["a.txt", "empty.txt", "pipe", "link"] {
        fs::remove_file(home.path("f").join(name)).expect("removed");
    }
    fs::remove_dir_all(home.path("f/sub")).expect("removed");
    fs::remove_dir_all(home.path("f/hollow")).expect("removed");
    note(run(&["sync", "f", "folder:store"], 5));

    let wanted = [
        "began",
        "conflict",
        "done",
        "error",
        "note",
        "object",
        "planned",
        "problem",
        "progress",
        "run-ended",
        "run-started",
        "step",
        "stopped",
        "summary",
    ];
    assert_eq!(names.iter().map(String::as_str).collect::<Vec<_>>(), wanted);
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let schema = fs::read_to_string(root.join("docs/events.md")).expect("the schema");
    for name in wanted {
        assert!(schema.contains(&format!("`{name}`")), "docs/events.md does not know {name}");
    }
}

#[test]
fn whoever_reads_may_leave() {
    let home = Home::furnished();
    for number in 0..700 {
        home.write(&format!("f/many/{number}"), "");
    }
    home.sync(&["--quiet"]).expect(0);
    for args in [&["ls", "folder:store"][..], &["ls", "folder:store", "--json"], &["sync", "f", "folder:s2", "--json"]]
    {
        let mut command = home.command(args);
        command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
        let mut child = command.spawn().expect("it runs");
        drop(child.stdout.take());
        let output = child.wait_with_output().expect("it ends");
        let err = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(0), "{args:?}: {err}");
        assert!(!err.contains("panicked"), "{err}");
    }
    // What nobody watched was done nevertheless.
    home.run(&["sync", "f", "folder:s2"]).expect(0).says(&["706 unchanged"]);
}
