//! Every verb on a good day.

use crate::home::{Home, tree};
use std::fs;

#[test]
fn sync_and_restore_bring_everything_back() {
    let home = Home::furnished();
    home.sync(&[]).expect(0).says(&["6 entries sent", "requests: 1 list"]);
    let again = home.sync(&["--json"]).expect(0).summary();
    assert_eq!(again["reply"]["report"]["uploaded"], 0);
    home.run(&["restore", "folder:store", "new/back"]).expect(0).says(&["6 entries fetched"]);
    assert_eq!(tree(&home.path("f")), tree(&home.path("new/back")));
    // And nothing is left to do for either pair.
    home.run(&["restore", "folder:store", "new/back"]).expect(0).says(&["6 unchanged"]);
}

#[test]
fn quiet_is_quiet_and_verbose_names_files() {
    let home = Home::furnished();
    let quiet = home.sync(&["--quiet"]).expect(0);
    assert_eq!((quiet.out.as_str(), quiet.err.as_str()), ("", ""));
    home.write("f/a.txt", "alpha two");
    let verbose = home.sync(&["-v"]).expect(0);
    assert!(verbose.out.starts_with("upload        a.txt (9 B)\n"), "{}", verbose.out);
    assert!(!verbose.out.contains('\x1b') && !verbose.err.contains('\x1b'), "no colours where no terminal is");
}

#[test]
fn renames_are_carried_over_without_sending() {
    let home = Home::synced();
    fs::rename(home.path("f/sub"), home.path("f/renamed")).expect("renamed");
    home.write("f/new.txt", "not for moves");
    home.run(&["moves", "f", "folder:store", "-n"]).expect(0).says(&["sub/b.txt -> renamed/b.txt"]);
    let moved = home.run(&["moves", "f", "folder:store", "--json"]).expect(0).summary();
    assert_eq!(moved["reply"]["report"]["moved"], 2);
    assert_eq!(moved["reply"]["report"]["uploaded_bytes"], 0);
    assert_eq!(moved["reply"]["requests"]["bytes_up"], 0);
    let listed = home.run(&["ls", "folder:store"]).expect(0).out;
    assert!(listed.contains("renamed/deep/c.txt") && !listed.contains("sub/"), "{listed}");
    assert!(!listed.contains("new.txt"), "{listed}");
}

#[test]
fn delete_and_mirror_do_what_they_say() {
    let home = Home::furnished();
    home.sync(&["--delete"]).expect(0);
    fs::remove_file(home.path("f/a.txt")).expect("removed");
    home.sync(&["--delete"]).expect(0).says(&["1 deleted there"]);
    // Another folder puts something there that this one never had.
    home.write("other/strange.txt", "x");
    home.run(&["sync", "other", "folder:store"]).expect(0);
    home.sync(&["--delete"]).expect(0).says(&["1 difference left alone"]);
    home.sync(&["--mirror"]).expect(5).says(&["--confirm-deletes"]);
    home.sync(&["--mirror", "--confirm-deletes"]).expect(0);
    let listed = home.run(&["ls", "folder:store"]).expect(0).out;
    assert!(!listed.contains("strange.txt"), "{listed}");
}

#[test]
fn two_way_passes_changes_on_and_keeps_both() {
    let home = Home::furnished();
    home.sync(&["--two-way"]).expect(0);
    home.run(&["restore", "folder:store", "g"]).expect(0);
    home.run(&["sync", "g", "folder:store", "--two-way"]).expect(0);
    home.write("g/from-g.txt", "g");
    home.write("g/a.txt", "alpha of g");
    home.run(&["sync", "g", "folder:store", "--two-way"]).expect(0);
    home.write("f/a.txt", "alpha, f's own");
    home.sync(&["--two-way"]).expect(0).says(&["both kept"]);
    assert_eq!(home.read("f/from-g.txt"), "g");
    let kept: Vec<String> =
        tree(&home.path("f")).into_iter().filter(|(_, entry)| entry.contains("alpha")).map(|(name, _)| name).collect();
    assert_eq!(kept.len(), 2, "{kept:?}");
}

#[test]
fn status_tells_how_a_pair_stands() {
    let home = Home::furnished();
    home.run(&["status", "f", "folder:store"]).expect(0).says(&["never synced", "would: send 6 entries"]);
    assert!(!home.path("store").exists() && !home.path("state").exists(), "status leaves no trace");
    home.sync(&["--delete"]).expect(0);
    fs::remove_file(home.path("f/a.txt")).expect("removed");
    home.run(&["status", "f", "folder:store"]).expect(0).says(&[
        "mode: sync --delete",
        "last run: sync on",
        "went well",
        "delete 1 there",
    ]);
    let summary = home.run(&["status", "f", "folder:store", "--json"]).expect(0).summary();
    assert_eq!(summary["reply"]["mode"], "sync --delete");
    assert_eq!(summary["reply"]["run"]["report"]["planned"]["deletes_there"], 1);
}

#[test]
fn restore_leaves_what_differs_unless_told() {
    let home = Home::synced();
    home.run(&["restore", "folder:store", "g"]).expect(0);
    home.write("g/a.txt", "changed in g");
    fs::remove_file(home.path("g/sub/b.txt")).expect("removed");
    home.run(&["restore", "folder:store", "g"]).expect(3).says(&["a.txt", "--overwrite"]);
    assert_eq!((home.read("g/a.txt"), home.read("g/sub/b.txt")), ("changed in g".into(), "beta".into()));
    home.run(&["restore", "folder:store", "g", "--overwrite"]).expect(0);
    assert_eq!(home.read("g/a.txt"), "alpha");
    let trash = crate::home::bytes(&home.path("g/.tidelock"));
    assert!(trash.values().any(|bytes| bytes == b"changed in g"), "the replaced file is in the trash: {trash:?}");
}

#[test]
fn ls_lists_and_sums() {
    let home = Home::synced();
    assert_eq!(
        home.run(&["ls", "folder:store"]).expect(0).out,
        "a.txt\nempty.txt\nhollow/\nlink.rclonelink\nsub/b.txt\nsub/deep/c.txt\n"
    );
    let long = home.run(&["ls", "folder:store", "--path", "sub/", "--long"]).expect(0).out;
    assert!(long.contains("           4  20") && long.contains("2 objects, 9 B"), "{long}");
    let ran = home.run(&["ls", "folder:store", "--path", "sub/", "--json"]).expect(0);
    let keys: Vec<_> =
        ran.events().iter().filter(|event| event["event"] == "object").map(|e| e["key"].clone()).collect();
    assert_eq!(keys, ["sub/b.txt", "sub/deep/c.txt"]);
    assert_eq!(ran.summary()["reply"]["bytes"], 9);
}

#[test]
fn why_names_rule_record_and_decision() {
    let home = Home::furnished();
    home.write("f/sub/.tidelockignore", "*.tmp\n!keep.tmp\n");
    home.write("f/sub/x.tmp", "x");
    home.write("f/sub/keep.tmp", "k");
    home.sync(&[]).expect(0);
    let why = |path: &str, more: &[&str]| home.run(&[&["why", "f", "folder:store", path], more].concat()).expect(0);
    why("sub/x.tmp", &[]).says(&["excluded by \"*.tmp\" in sub/.tidelockignore:1", "nothing is done on either side"]);
    why("sub/keep.tmp", &[]).says(&["included by \"!keep.tmp\" in sub/.tidelockignore:2", "in step"]);
    why("a.txt", &[]).says(&["no rule matches", "nothing is to be done"]);
    why("a.txt", &["--exclude", "*.txt"]).says(&["include/exclude option 1", "proves sameness only"]);
    home.write("f/a.txt", "alpha, changed");
    why("a.txt", &[]).says(&["it changed here", "the file here is sent", "[agreed ~ =]"]);
    why("link", &[]).says(&["link.rclonelink", "a link of"]);
    why("nowhere", &[]).says(&["not here, not there and not on record"]);
    let reasons = why("a.txt", &["--json"]).summary();
    assert_eq!(reasons["reply"]["entries"][0]["action"], "upload");
    home.run(&["why", "f", "folder:store", "../x"]).expect(2).says(&["no path below the folder"]);
}

/// A folder of which nothing takes part is empty, as far as a sync goes.
#[test]
fn why_counts_what_takes_part_in_a_folder() {
    let home = Home::furnished();
    home.write("f/build/.tidelockignore", "/*\n");
    home.write("f/build/x.o", "x");
    home.run(&["why", "f", "folder:store", "build"]).expect(0).says(&["build/", "is sent"]);
    home.sync(&[]).expect(0);
    home.run(&["why", "f", "folder:store", "build"]).expect(0).says(&["nothing is to be done"]);
}

#[test]
fn patterns_count_in_the_order_in_which_they_are_typed() {
    let home = Home::furnished();
    let sent = |more: &[&str]| {
        let ran = home.sync(&[more, &["-n", "--json"]].concat()).expect(0);
        let steps = ran.events().into_iter().filter(|event| event["event"] == "step");
        steps.map(|step| step["path"].as_str().expect("a path").to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(sent(&["--exclude", "*", "--include", "a.txt"]), ["a.txt"]);
    assert_eq!(sent(&["--include", "a.txt", "--exclude", "*"]), Vec::<String>::new());
    // A folder of which nothing takes part is an empty folder.
    let folders_too = ["empty.txt", "hollow/", "link.rclonelink", "sub/deep/"];
    home.write("rules", "*.txt\n");
    assert_eq!(sent(&["--ignore-file", "rules", "--include", "empty.txt"]), folders_too);
    home.write("f/.dot/x", "x");
    assert!(sent(&[]).contains(&".dot/x".to_owned()));
    assert!(!sent(&["--no-hidden"]).contains(&".dot/x".to_owned()));
    assert!(sent(&["--no-hidden", "--hidden"]).contains(&".dot/x".to_owned()));
}

#[test]
fn followed_links_are_sent_as_what_they_point_to() {
    let home = Home::furnished();
    home.sync(&["--follow-links"]).expect(0);
    home.run(&["restore", "folder:store", "g"]).expect(0);
    assert_eq!(home.read("g/link"), "beta");
    assert!(!home.path("g/link").is_symlink());
}

#[test]
fn a_linked_folder_with_folders_in_it_is_followed() {
    let home = Home::new();
    home.write("beyond/sub/deep.txt", "deep");
    home.write("f/near.txt", "near");
    std::os::unix::fs::symlink("../beyond", home.path("f/link")).expect("linked");
    home.sync(&["--follow-links"]).expect(0);
    home.sync(&["--follow-links"]).expect(0).says(&["2 unchanged"]);
    home.run(&["ls", "folder:store"]).expect(0).says(&["link/sub/deep.txt", "near.txt"]);
}

#[test]
fn overwriting_replaces_what_is_of_another_kind() {
    let home = Home::new();
    for name in ["link-now", "empty-now", "full-now", "below/was-a-folder", "kept"] {
        home.write(&format!("f/{name}"), name);
    }
    home.sync(&[]).expect(0);
    let at = |name: &str| home.path(&format!("f/{name}"));
    for name in ["link-now", "empty-now", "full-now"] {
        std::fs::remove_file(at(name)).expect("removed");
    }
    std::os::unix::fs::symlink("nowhere", at("link-now")).expect("linked");
    std::fs::create_dir(at("empty-now")).expect("made");
    home.write("f/full-now/mine", "mine");
    std::fs::remove_dir_all(at("below")).expect("removed");
    home.write("f/below", "a file now");
    // What it would do is what it does: all but the folder that holds something.
    for more in [&["-n"][..], &[]] {
        let ran = home.run(&[&["restore", "folder:store", "f", "--overwrite", "--json"], more].concat()).expect(3);
        let held = ran.events().into_iter().filter(|event| event["event"] == "problem");
        let held: Vec<_> = held.map(|event| event["path"].to_string()).collect();
        assert_eq!(held, ["\"full-now\""], "{more:?}");
    }
    for name in ["link-now", "empty-now", "below/was-a-folder", "kept"] {
        assert_eq!(std::fs::read_to_string(at(name)).expect("restored"), name);
    }
    assert_eq!(std::fs::read_to_string(at("full-now/mine")).expect("stays"), "mine");
    let trash = crate::home::tree(&home.path("f/.tidelock/trash"));
    assert!(trash.values().any(|told| told.contains("a file now")), "{trash:?}");
    // Without the word for it, everything in the way is told, and foreseen.
    let again = Home::new();
    again.write("f/name", "file");
    again.sync(&[]).expect(0);
    std::fs::remove_file(again.path("f/name")).expect("removed");
    again.write("f/name/inside", "x");
    for more in [&["-n"][..], &[]] {
        again.run(&[&["restore", "folder:store", "f"], more].concat()).expect(3).says(&["name: another entry"]);
    }
}

#[test]
fn every_metadata_format_comes_back() {
    for format in ["rclone", "s3fs", "minimal"] {
        let home = Home::furnished();
        home.sync(&["--metadata", format]).expect(0);
        home.sync(&["--metadata", format]).expect(0).says(&["6 unchanged"]);
        home.run(&["restore", "folder:store", "g", "--metadata", format]).expect(0);
        let (mut here, mut there) = (tree(&home.path("f")), tree(&home.path("g")));
        if format == "minimal" {
            // Without modes there is only the content to compare.
            for tree in [&mut here, &mut there] {
                tree.values_mut().for_each(|entry| *entry = entry.split(' ').next_back().unwrap_or("").to_owned());
            }
        }
        assert_eq!(here, there, "{format}");
    }
}
