//! Plans on paper: written, kept, applied, refused.

use crate::home::{Home, bytes, tree};
use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::Stdio;

/// A pair in step, and then all kinds of changes.
fn changed() -> Home {
    let home = Home::furnished();
    home.sync(&["--delete"]).expect(0);
    home.write("f/a.txt", "alpha, changed");
    home.write("f/new.txt", "new");
    fs::rename(home.path("f/sub"), home.path("f/renamed")).expect("renamed");
    fs::remove_file(home.path("f/empty.txt")).expect("removed");
    home
}

#[test]
fn a_plan_is_applied_as_it_was_written() {
    let home = changed();
    let before = (bytes(&home.path("state")), bytes(&home.path("store")), tree(&home.path("f")));
    home.run(&["plan", "f", "folder:store", "--delete", "-o", "p"]).expect(0).says(&["send 2 entries", "delete 1"]);
    assert!(before == (bytes(&home.path("state")), bytes(&home.path("store")), tree(&home.path("f"))));
    home.run(&["apply", "p"]).expect(0).says(&["2 entries sent", "2 renamed there", "1 deleted there"]);
    home.sync(&["--delete", "-n"]).expect(0).says(&["would: 6 unchanged"]);
    home.run(&["restore", "folder:store", "g"]).expect(0);
    assert_eq!(tree(&home.path("f")), tree(&home.path("g")));
    // It was for that one moment.
    home.run(&["apply", "p"]).expect(5).says(&["make a new plan"]);
}

#[test]
fn chains_of_renames_survive_the_paper() {
    let home = Home::new();
    for name in ["a", "b", "c"] {
        home.write(&format!("f/{name}"), &name.repeat(1000));
    }
    home.sync(&["--delete"]).expect(0);
    for (from, to) in [("f/c", "f/d"), ("f/b", "f/c"), ("f/a", "f/b")] {
        fs::rename(home.path(from), home.path(to)).expect("renamed");
    }
    home.run(&["plan", "f", "folder:store", "--delete", "-o", "p"]).expect(0);
    let applied = home.run(&["apply", "p", "--json"]).expect(0).summary();
    assert_eq!(
        (&applied["reply"]["report"]["moved"], &applied["reply"]["requests"]["bytes_up"]),
        (&3.into(), &0.into())
    );
    home.run(&["restore", "folder:store", "g"]).expect(0);
    assert_eq!(tree(&home.path("f")), tree(&home.path("g")));
}

#[test]
fn a_plan_goes_through_a_pipe() {
    let home = changed();
    let plan = home.run(&["plan", "f", "folder:store", "--delete"]).expect(0);
    assert_eq!(plan.out.lines().count(), 9, "header, seven steps, footer: {}", plan.out);
    let mut apply = home.command(&["apply", "-"]);
    let mut apply = apply.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("runs");
    apply.stdin.take().expect("piped").write_all(plan.out.as_bytes()).expect("written");
    let applied = crate::home::Ran::from(apply.wait_with_output().expect("it ends"));
    applied.expect(0).says(&["2 entries sent"]);
}

#[test]
fn a_plan_in_the_folder_it_is_about_does_not_name_itself() {
    let home = Home::furnished();
    home.run(&["plan", "f", "folder:store", "-o", "f/my.plan"]).expect(0);
    let plan = std::fs::read_to_string(home.path("f/my.plan")).expect("written");
    assert!(!plan.contains("my.plan"), "{plan}");
    home.run(&["apply", "f/my.plan"]).expect(0);
}

#[test]
fn what_is_no_longer_as_planned_is_skipped_and_the_rest_done() {
    let home = changed();
    home.run(&["plan", "f", "folder:store", "--delete", "-o", "p"]).expect(0);
    home.write("f/a.txt", "changed once more, after the plan");
    home.write("f/later.txt", "not in the plan");
    home.run(&["apply", "p"]).expect(3).says(&["1 entry sent", "no longer as the plan expected"]);
    let listed = home.run(&["ls", "folder:store"]).expect(0).out;
    assert!(listed.contains("new.txt") && !listed.contains("later.txt"), "{listed}");
    home.sync(&["--delete"]).expect(0).says(&["2 entries sent"]);
}

#[test]
fn an_edited_plan_is_refused_before_its_first_step() {
    let home = changed();
    home.run(&["plan", "f", "folder:store", "--delete", "-o", "p"]).expect(0);
    let good = home.read("p");
    let before = stored(&home);
    let lines: Vec<&str> = good.lines().collect();
    let without = |gone: usize| {
        let kept = lines.iter().enumerate().filter(|(number, _)| *number != gone);
        kept.map(|(_, line)| format!("{line}\n")).collect::<String>()
    };
    for (plan, says) in [
        (good.replacen("\"new.txt\"", "\"old.txt\"", 1), "do not belong together"),
        (good.replace("\"new.txt\"", "\"../etc\""), "line"),
        (good.replace("new.txt", "nee.txt"), "edited or damaged"),
        (good.replace("\"deletes_there\":1", "\"deletes_there\":0"), "totals"),
        (without(2), "edited or damaged"),
        (without(lines.len() - 1), "ends early"),
        (without(0), "not the header"),
        (good.replace("\"tidelock_plan\":1", "\"tidelock_plan\":2"), "version 2"),
        (format!("{good}{{}}\n"), "something follows"),
        (good.trim_end().to_owned(), "ends within a line"),
        ("hello\n".to_owned(), "not the header"),
        (String::new(), "it is empty"),
        (good.replace(&format!("\"pair\":\"{}", pair(&good)), "\"pair\":\"0000000000000000"), "another pair"),
    ] {
        fs::write(home.path("bad"), plan).expect("written");
        home.run(&["apply", "bad"]).expect(78).says(&[says]);
        assert!(stored(&home) == before, "{says}: the store was changed");
    }
    home.run(&["apply", "p"]).expect(0);
}

/// Everything in the store but who opened it last.
fn stored(home: &Home) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = bytes(&home.path("store"));
    found.remove(&home.path("store/lock"));
    found
}

fn pair(plan: &str) -> String {
    let header: serde_json::Value = serde_json::from_str(plan.lines().next().expect("a header")).expect("JSON");
    header["pair"].as_str().expect("a name").to_owned()
}

#[test]
fn the_guard_looks_at_plans_too() {
    let home = Home::new();
    for number in 0..30 {
        home.write(&format!("f/{number}"), "x");
    }
    home.sync(&["--delete"]).expect(0);
    for number in 0..25 {
        fs::remove_file(home.path(&format!("f/{number}"))).expect("removed");
    }
    home.run(&["plan", "f", "folder:store", "--delete", "-o", "p"]).expect(5).says(&["--confirm-deletes"]);
    home.run(&["apply", "p"]).expect(5).says(&["25 of 30"]);
    // That it was refused has changed nothing, so it is good still.
    home.run(&["apply", "p", "--confirm-deletes"]).expect(0).says(&["25 deleted there"]);
}

#[test]
fn a_plan_holds_only_under_the_rules_it_was_made_under() {
    let home = changed();
    home.run(&["plan", "f", "folder:store", "--delete", "--exclude", "new.*", "-o", "p"]).expect(0);
    home.write("f/sub.ignored/.tidelockignore", "a.txt\n");
    home.run(&["apply", "p"]).expect(5).says(&["an ignore file was changed", "make a new plan"]);
    fs::remove_dir_all(home.path("f/sub.ignored")).expect("removed");
    // Its own patterns come with it.
    home.run(&["apply", "p"]).expect(0).says(&["1 entry sent"]);
}
