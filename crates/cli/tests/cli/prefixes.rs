//! Names below a place: prefixes in an embedded store, a part of a pair, and what of
//! all that is there is Tidelock's own.

use crate::home::{Home, tree};
use std::fs;

/// A home whose folder `f` is the pair `tide`, in the store `store`.
fn paired() -> Home {
    let home = Home::furnished();
    home.write("f/sub/left.tmp", "out");
    let text = format!(
        "[pair.tide]\nlocal = {:?}\nremote = \"folder:{}\"\nmode = \"delete\"\nexclude = [\"*.tmp\"]\n",
        home.path("f"),
        home.path("store").display()
    );
    home.write("home/.config/tidelock/config.toml", &text);
    home.run(&["sync", "tide"]).expect(0);
    home
}

#[test]
fn what_follows_a_store_is_a_prefix_in_it_and_never_a_store_within() {
    let home = Home::synced();
    let files = fs::read_dir(home.path("store")).expect("readable").count();
    home.write("g/x.txt", "x");
    // Also where the store itself has something of that name.
    for place in ["2025", "bodies", "bodies/00", "store.sqlite"] {
        home.run(&["sync", "g", &format!("folder:store/{place}")]).expect(0).says(&["1 entry sent"]);
        assert_eq!(home.run(&["ls", &format!("folder:store/{place}")]).expect(0).out.trim(), "x.txt", "{place}");
        assert_eq!(home.run(&["cat", &format!("folder:store/{place}/x.txt")]).expect(0).out, "x");
    }
    assert!(!home.path("store/2025").exists() && !home.path("store/bodies/store.sqlite").exists());
    assert_eq!(fs::read_dir(home.path("store")).expect("readable").count(), files);
    home.run(&["ls", "folder:store"]).expect(0).says(&["2025/x.txt", "sub/b.txt", "bodies/00/x.txt"]);
    home.run(&["restore", "folder:store/sub", "h"]).expect(0).says(&["2 entries fetched"]);
    assert_eq!(home.read("h/deep/c.txt"), "gamma");
    // A pair with a place in a store keeps its own record, and deletes there alone.
    fs::remove_file(home.path("g/x.txt")).expect("removed");
    home.run(&["sync", "g", "folder:store/2025", "--delete"]).expect(0);
    home.run(&["sync", "g", "folder:store/2025", "--delete", "--confirm-deletes"]).expect(0);
    home.run(&["sync", "f", "folder:store"]).expect(0).says(&["6 unchanged"]);
    home.run(&["upload", "f/a.txt", "folder:store/2026/"]).expect(0);
    home.run(&["mv", "-r", "folder:store/2026", "folder:store/2027"]).expect(0);
    home.run(&["rm", "folder:store/2027/a.txt"]).expect(0);
    home.run(&["sync", "store", "folder:store/x"]).expect(78).says(&["lie in each other"]);
    home.run(&["sync", "store", "folder:other"]).expect(78).says(&["lies in the store", "folder:"]);
    home.run(&["sync", "store/bodies", "folder:other"]).expect(78).says(&["lies in the store"]);
    assert!(!home.path("other").exists());
}

#[test]
fn no_store_is_made_among_the_files_of_another() {
    let home = Home::synced();
    std::os::unix::fs::symlink("store/bodies", home.path("aside")).expect("made");
    for args in
        [&["sync", "f", "folder:aside/new"][..], &["sync", "f", "folder:aside"], &["upload", "f", "folder:aside/"]]
    {
        let ran = home.run(args).expect(78);
        ran.says(&["lies among the files of the store", "folder outside it", "store/NAME"]);
    }
    assert!(!home.path("store/bodies/new").exists() && !home.path("store/bodies/store.sqlite").exists());
    // Nor is anything fetched there, whatever the folder is called.
    for to in ["store/bodies/", "store/intake/"] {
        home.run(&["download", "folder:store/a.txt", to]).expect(78).says(&["the store", "lie in each other"]);
    }
    // Beside it is not in it, however the way there is written.
    home.run(&["sync", "f", "folder:store/../beside"]).expect(0);
    assert!(home.path("beside/store.sqlite").exists());
}

#[test]
fn a_restore_of_nothing_is_no_success() {
    let home = Home::synced();
    for more in [&[][..], &["-n"]] {
        let ran = home.run(&[&["restore", "folder:store/nowhere", "g"], more].concat());
        ran.expect(4).says(&["there is nothing at folder:store/nowhere"]);
        let ran = home.run(&[&["restore", "folder:store/a.txt", "g"], more].concat());
        ran.expect(4).says(&["is an object", "tidelock download folder:store/a.txt"]);
        let ran = home.run(&[&["restore", "folder:store", "g", "--path", "su"], more].concat());
        ran.expect(4).says(&["there is nothing at su"]);
        assert!(!home.path("g").exists());
    }
    fs::create_dir(home.path("g")).expect("made");
    home.run(&["restore", "folder:store/nowhere", "g"]).expect(4);
    for args in
        [&["cat", "folder:store/sub"][..], &["download", "folder:store/sub", "-"], &["info", "folder:store/sub"]]
    {
        home.run(args).expect(4).says(&["is no object, but others lie below it", "tidelock download folder:store/sub"]);
    }
}

#[test]
fn a_part_of_a_pair_is_restored_and_the_rest_is_not_touched() {
    let home = paired();
    fs::remove_dir_all(home.path("f/sub")).expect("removed");
    fs::remove_file(home.path("f/a.txt")).expect("removed");
    home.run(&["restore", "tide", "--path", "sub/deep", "-n"]).expect(0).says(&["would: fetch 1 entry"]);
    home.run(&["restore", "tide", "--path", "sub/deep/"]).expect(0).says(&["1 entry fetched"]);
    assert!(home.path("f/sub/deep/c.txt").exists() && !home.path("f/sub/b.txt").exists());
    assert!(!home.path("f/a.txt").exists());
    // What was agreed on outside is agreed on still: the deletions are passed on.
    home.run(&["sync", "tide"]).expect(0).says(&["2 deleted there"]);
    // In another folder it has the same place.
    home.run(&["restore", "tide", "g", "--path", "sub/deep/c.txt"]).expect(0);
    assert_eq!(tree(&home.path("g")).len(), tree(&home.path("f/sub")).len() + 1);
    // What the pair leaves out stays away, and that is told.
    home.write("x", "x");
    home.run(&["upload", "x", "tide/x.tmp"]).expect(0);
    home.run(&["restore", "tide", "--path", "x.tmp"]).expect(3).says(&["problem: x.tmp: it was named", "--include"]);
    home.run(&["restore", "tide", "--path", "x.tmp", "--include", "*.tmp"]).expect(0).says(&["1 entry fetched"]);
    home.run(&["restore", "tide", "--path", "../x"]).expect(2).says(&["is no path in a folder"]);
}

#[test]
fn an_empty_path_is_not_everything() {
    let home = paired();
    home.write("f/a.txt", "edited here");
    for path in ["", "/"] {
        home.run(&["restore", "tide", "--overwrite", "--path", path]).expect(2).says(&["it names nothing"]);
    }
    assert_eq!(home.read("f/a.txt"), "edited here");
}

#[test]
fn what_brings_back_a_part_does_not_vouch_for_another_folder() {
    let home = paired();
    fs::rename(home.path("f"), home.path("away")).expect("renamed");
    fs::create_dir(home.path("f")).expect("made");
    home.run(&["restore", "tide", "--path", "sub"]).expect(0).says(&["2 entries fetched"]);
    home.run(&["sync", "tide", "--mirror"]).expect(5).says(&["the folder of this pair", "--confirm-deletes"]);
    home.run(&["sync", "tide", "--delete"]).expect(0).says(&["restored in part"]);
    assert_eq!(home.run(&["ls", "tide"]).expect(0).out.lines().count(), 6);
    home.run(&["restore", "tide"]).expect(0);
    home.run(&["sync", "tide"]).expect(0);
}

#[test]
fn a_name_below_a_pair_is_one_below_its_remote() {
    let home = paired();
    assert_eq!(home.run(&["cat", "tide/sub/b.txt"]).expect(0).out, "beta");
    home.run(&["info", "tide/a.txt"]).expect(0).says(&["5 B"]);
    home.run(&["ls", "tide/sub"]).expect(0).says(&["deep/c.txt"]);
    home.run(&["download", "tide/sub", "g"]).expect(0);
    assert_eq!(home.read("g/b.txt"), "beta");
    home.run(&["restore", "tide/sub", "h"]).expect(0).says(&["2 entries fetched"]);
    // What is named is sent, whatever the pair leaves out.
    home.run(&["upload", "f/sub/left.tmp", "tide/"]).expect(0).says(&["1 entry sent"]);
    home.run(&["upload", "f/a.txt", "tide"]).expect(0).says(&["1 found the same"]);
    home.run(&["mv", "tide/left.tmp", "tide/moved.tmp"]).expect(0);
    home.run(&["rm", "tide/moved.tmp"]).expect(0).says(&["1 deleted there"]);
    home.run(&["rm", "tide"]).expect(4).says(&["--recursive"]);
    home.run(&["cat", "tide"]).expect(4).says(&["is no object"]);

    // What is told of it is told in the same words.
    home.run(&["info", "tide/none"]).expect(4).says(&["nothing at tide/none", "`tidelock ls tide`"]);
    home.run(&["info", "tide/sub"]).expect(4).says(&["tide/sub is no object", "`tidelock ls tide/sub`"]);
    home.run(&["rm", "tide/sub"]).expect(4).says(&["error: tide/sub is no object"]);
    home.run(&["restore", "tide", "--path", "none"])
        .expect(4)
        .says(&["nothing at none in tide;", "`tidelock ls tide`"]);
    let json = home.run(&["info", "tide/none", "--json"]).expect(4).events();
    assert!(json[0]["message"].as_str().is_some_and(|text| text.contains("`tidelock ls tide`")), "{}", json[0]);
    home.run(&["restore", "tide/sub"]).expect(2).says(&["tidelock restore tide --path sub"]);
    home.run(&["cat", "tide/../store/a.txt"]).expect(2).says(&["\"..\""]);
    home.run(&["cat", "ride/a.txt"]).expect(2).says(&["neither a remote nor a pair's name", "tide"]);
    home.run(&["cat", "/a.txt"]).expect(2);
}

#[test]
fn what_is_tidelocks_own_is_no_file_of_anybodys() {
    let home = Home::furnished();
    fs::create_dir(home.path("none")).expect("made");
    home.run(&["sync", "none", "folder:store"]).expect(0);
    home.run(&["sync", "f", "folder:store/photos/2025", "--mirror", "--confirm-deletes"]).expect(0);
    home.run(&["info", "folder:store/photos/2025/.tidelock/owner"]).expect(0);
    for (place, files) in [("folder:store", "g/photos/2025"), ("folder:store/photos", "h/2025")] {
        let into = files.split('/').next().expect("a name");
        home.run(&["restore", place, into]).expect(0).says(&["6 entries fetched"]);
        assert_eq!(tree(&home.path("f")), tree(&home.path(files)));
        assert!(!home.run(&["ls", place]).expect(0).out.contains(".tidelock"));
    }
    // Nor is what a folder within keeps for itself.
    home.write("f/sub/.tidelock/trash/2026/old.txt", "old");
    home.run(&["sync", "f", "folder:other"]).expect(0).says(&["6 entries sent"]);
    home.run(&["upload", "f", "folder:store/up/"]).expect(0).says(&["6 entries sent"]);
    home.write("f/.tidelock/trash/2026/old.txt", "old");
    home.run(&["upload", "f", "folder:store/up/"]).expect(0).says(&["6 found the same"]);
    for to in ["folder:store/.tidelock/x", "folder:store/photos/.tidelock/", "folder:store/.tidelock-tmp-1"] {
        home.run(&["upload", "f/a.txt", to]).expect(78).says(&["is Tidelock's own"]);
        home.run(&["mv", "folder:store/up/f/a.txt", to]).expect(78).says(&["is Tidelock's own"]);
    }
    home.run(&["upload", "f/.tidelock", "folder:store/y/"]).expect(78).says(&["is Tidelock's own"]);
    // What keeps other mirrors off a name stays with that, and comes to no other.
    let ran = home.run(&["mv", "-r", "folder:store/photos/2025/.tidelock/", "folder:store/y/"]);
    ran.expect(78).says(&["is Tidelock's own"]);
    for more in [&["-n"][..], &[]] {
        let ran = home.run(&[&["mv", "-r", "folder:store/photos", "folder:store/moved"], more].concat());
        ran.expect(3).says(&["photos/2025/.tidelock/owner", "stays under the old name"]);
    }
    home.run(&["info", "folder:store/photos/2025/.tidelock/owner"]).expect(0);
    home.run(&["info", "folder:store/moved/2025/.tidelock/owner"]).expect(4);
    assert_eq!(home.run(&["ls", "folder:store/moved"]).expect(0).out.lines().count(), 6);
    // Below a name that holds nothing else, there is nothing but for who removes it.
    for args in [
        &["restore", "folder:store/photos", "none/back"][..],
        &["download", "folder:store/photos", "none/back"],
        &["mv", "-r", "folder:store/photos", "folder:store/z"],
    ] {
        home.run(args).expect(4).says(&["there is nothing at folder:store/photos"]);
    }
    assert!(!home.path("none/back").exists());
    home.run(&["rm", "-r", "folder:store/photos"]).expect(0).says(&["1 deleted there"]);
    // Out of the trash, a file is a file.
    home.run(&["upload", "f/.tidelock/trash/2026/old.txt", "folder:store/"]).expect(0).says(&["1 entry sent"]);
}

#[test]
fn the_history_shows_which_way_files_went() {
    let home = Home::synced();
    home.run(&["restore", "folder:store", "g"]).expect(0);
    let told = home.run(&["runs"]).expect(0).out;
    let (f, g, store) = (home.path("f"), home.path("g"), home.path("store"));
    let lines: Vec<&str> = told.lines().collect();
    assert!(lines[0].ends_with(&format!("folder:{} -> {}", store.display(), g.display())), "{told}");
    assert!(lines[1].ends_with(&format!("{} -> folder:{}", f.display(), store.display())), "{told}");
}
