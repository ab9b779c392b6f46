//! What `runs` shows of histories of which some are large and some cannot be read.

use crate::home::Home;
use std::io::{Seek as _, SeekFrom, Write as _};

#[test]
fn the_latest_of_all_histories_are_shown_under_numbers_that_stay() {
    let home = Home::furnished();
    for store in ["one", "two", "one", "two", "one"] {
        home.run(&["sync", "f", &format!("folder:{store}")]).expect(0);
    }
    let numbers = |args: &[&str]| {
        let reply = home.run(args).expect(0).summary();
        let runs = reply["reply"]["runs"].as_array().expect("runs").clone();
        runs.iter()
            .map(|run| {
                (run["number"].as_u64().expect("a number"), run["remote"].as_str().expect("a remote").to_owned())
            })
            .collect::<Vec<_>>()
    };
    let all = numbers(&["runs", "--json"]);
    let order: Vec<u64> = all.iter().map(|(number, _)| *number).collect();
    assert_eq!(order, [5, 4, 3, 2, 1]);
    assert!(all[0].1.ends_with("one") && all[1].1.ends_with("two"), "{all:?}");
    assert_eq!(numbers(&["runs", "--limit", "2", "--json"]), all[..2]);
    for number in 1..=5 {
        assert_eq!(numbers(&["runs", "show", &number.to_string(), "--json"]), [all[5 - number].clone()]);
    }
    for number in ["0", "6"] {
        home.run(&["runs", "show", number]).expect(4).says(&["there is no run"]);
    }
}

/// A pair's history is what was done between its two sides, and to its objects; a folder's
/// is all that was done with what is in it. Stores are told by whole paths.
#[test]
fn the_history_of_one_pair_and_of_one_folder() {
    let home = Home::furnished();
    home.write("home/.config/tidelock/config.toml", "[pair.tide]\nlocal = \"~/../f\"\nremote = \"folder:~/../one\"\n");
    home.run(&["sync", "tide"]).expect(0);
    home.run(&["sync", "f", "folder:two"]).expect(0);
    home.run(&["sync", "f/sub", "folder:three"]).expect(0);
    home.run(&["rm", "tide/a.txt"]).expect(0);
    home.run(&["sync", "f", "folder:one"]).expect(0);
    let numbers = |args: &[&str]| {
        let reply = home.run(&[&["runs", "--json"], args].concat()).expect(0).summary();
        let runs = reply["reply"]["runs"].as_array().expect("runs").clone();
        runs.iter().map(|run| run["number"].as_u64().expect("a number")).collect::<Vec<_>>()
    };
    assert_eq!(numbers(&[]), [5, 4, 3, 2, 1]);
    assert_eq!(numbers(&["tide"]), [5, 4, 1]);
    assert_eq!(numbers(&["tide", "--limit", "2"]), [5, 4]);
    assert_eq!(numbers(&["f"]), [5, 3, 2, 1]);
    assert_eq!(numbers(&["./f/sub/"]), [3]);
    assert_eq!(numbers(&["./gone"]), [0; 0]);
    assert_eq!(numbers(&["show", "3"]), [3]);
    home.run(&["runs", "tide", "show", "1"]).expect(2).says(&["a number names one run by itself"]);
    home.run(&["runs", "tied"]).expect(2).says(&["\"tied\" is neither a folder nor a pair's name (there are tide)"]);
    let shown = home.run(&["runs"]).expect(0).out;
    assert!(shown.lines().all(|line| line.contains(&format!("folder:{}", home.dir.path().display()))), "{shown}");
}

#[test]
fn a_history_that_cannot_be_read_hides_no_other() {
    let home = Home::furnished();
    home.run(&["sync", "f", "folder:one"]).expect(0);
    let of_one = home.state_file(".sqlite");
    home.run(&["sync", "f", "folder:two"]).expect(0);
    // SQLite keeps the schema's version in the header of the file, and that of a later
    // Tidelock cannot be read by this one.
    const USER_VERSION: u64 = 60;
    let mut file = std::fs::File::options().write(true).open(&of_one).expect("a state");
    file.seek(SeekFrom::Start(USER_VERSION)).expect("seeks");
    file.write_all(&9999_u32.to_be_bytes()).expect("writes");
    drop(file);
    let ran = home.run(&["runs"]).expect(0).says(&["a history is left out", "two"]);
    assert!(!ran.out.contains("one"), "{}", ran.out);
}
