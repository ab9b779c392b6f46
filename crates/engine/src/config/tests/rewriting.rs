//! Writing a configuration back, in a folder of a test's own.

use crate::config::around::Around;
use crate::config::rewrite::{Draft, Touched};
use crate::config::{Config, Profile, edit};
use crate::failure::Failure;
use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;

fn around(file: &Path) -> Around {
    Around::new([], Some(file.to_owned()))
}

/// Adds a profile, and says how that went.
fn add(file: &Path, name: &str) -> Result<(), Failure> {
    let draft = Draft::open(&around(file))?;
    let mut more = Config::default();
    more.profile.insert(name.to_owned(), Profile { bucket: Some("tide".to_owned()), ..Profile::default() });
    let text = edit::add(draft.text(), &more).map_err(Failure::Unable)?;
    draft.save(&text, &Touched::default(), name)
}

#[test]
fn writers_at_once_lose_nothing() {
    let dir = tempfile::tempdir().expect("a folder");
    let file = dir.path().join("config.toml");
    std::thread::scope(|scope| {
        for writer in 0..8 {
            let file = &file;
            scope.spawn(move || {
                for number in 0..5 {
                    let name = format!("p{writer}-{number}");
                    while let Err(failure) = add(file, &name) {
                        assert!(matches!(failure, Failure::Busy(_)), "{failure}");
                    }
                }
            });
        }
    });
    let text = fs::read_to_string(&file).expect("text");
    for name in (0..8).flat_map(|writer| (0..5).map(move |number| format!("[profile.p{writer}-{number}]"))) {
        assert!(text.contains(&name), "{name} was said to be added: {text}");
    }
    assert_eq!(fs::read_dir(dir.path()).expect("there").count(), 1, "nothing is left beside it");
}

#[test]
fn who_replaces_it_waits_for_the_other_and_then_gives_way() {
    let dir = tempfile::tempdir().expect("a folder");
    let (file, theirs) = (dir.path().join("config.toml"), dir.path().join("theirs"));
    add(&file, "first").expect("added");
    let other = fs::File::open(&file).expect("there");
    other.lock().expect("held");
    let draft = Draft::open(&around(&file)).expect("one");
    std::thread::scope(|scope| {
        let mine = scope.spawn(|| draft.save("", &Touched::default(), "mine"));
        // The other one has looked and is about to rename.
        while !is_waited_for(&file) {
            assert!(!mine.is_finished(), "it did not wait");
            std::thread::yield_now();
        }
        fs::write(&theirs, "[profile.theirs]\n").expect("written");
        fs::rename(&theirs, &file).expect("replaced");
        other.unlock().expect("let go");
        assert!(matches!(mine.join().expect("ended"), Err(Failure::Busy(_))));
    });
    assert_eq!(fs::read_to_string(&file).expect("text"), "[profile.theirs]\n");
    assert_eq!(fs::read_dir(dir.path()).expect("there").count(), 1, "nothing is left beside it");
}

/// Whether somebody waits for the lock of a file, as the system tells.
fn is_waited_for(file: &Path) -> bool {
    let place = format!(":{} ", fs::metadata(file).expect("there").ino());
    let locks = fs::read_to_string("/proc/locks").expect("the system tells its locks");
    locks.lines().any(|line| line.contains("->") && line.contains(&place))
}

#[test]
fn a_mode_stays_whatever_the_mask_is() {
    let dir = tempfile::tempdir().expect("a folder");
    let file = dir.path().join("config.toml");
    add(&file, "first").expect("added");
    let mode = || fs::metadata(&file).expect("there").permissions().mode() & 0o777;
    assert_eq!(mode(), 0o600);
    for wanted in [0o666, 0o640, 0o400] {
        fs::set_permissions(&file, Permissions::from_mode(wanted)).expect("set");
        add(&file, &format!("p{wanted}")).expect("added");
        assert_eq!(mode(), wanted, "{wanted:o}");
    }
}

#[test]
fn a_link_stays_one_even_to_nothing() {
    let dir = tempfile::tempdir().expect("a folder");
    let (file, kept) = (dir.path().join("config.toml"), dir.path().join("dotfiles/mine.toml"));
    symlink("dotfiles/mine.toml", &file).expect("linked");
    add(&file, "first").expect("added");
    add(&file, "second").expect("added");
    assert!(fs::symlink_metadata(&file).expect("there").is_symlink());
    assert!(fs::read_to_string(&kept).expect("text").contains("[profile.second]"));
}

#[test]
fn what_somebody_else_wrote_is_left() {
    let dir = tempfile::tempdir().expect("a folder");
    let file = dir.path().join("config.toml");
    let draft = Draft::open(&around(&file)).expect("none yet");
    add(&file, "theirs").expect("added");
    assert!(matches!(draft.save("", &Touched::default(), "mine"), Err(Failure::Busy(_))));
    let draft = Draft::open(&around(&file)).expect("one");
    fs::remove_file(&file).expect("gone");
    assert!(matches!(draft.save("", &Touched::default(), "mine"), Err(Failure::Busy(_))));
    assert_eq!(fs::read_dir(dir.path()).expect("there").count(), 0);
}
