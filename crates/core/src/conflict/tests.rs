use super::*;
use proptest::prelude::*;

fn path(text: &str) -> RelPath {
    RelPath::parse(text).expect("valid")
}

fn copy_of(text: &str, device: &str) -> String {
    conflict_path(&path(text), &Digest::of(b"x"), device).expect("room").to_string()
}

#[test]
fn names_keep_their_folder_and_extension() {
    let d = Digest::of(b"x").short();
    for (from, to) in [
        ("a.txt", format!("a (conflict box {d}).txt")),
        ("d/e/a.txt", format!("d/e/a (conflict box {d}).txt")),
        ("a", format!("a (conflict box {d})")),
        ("a.tar.gz", format!("a (conflict box {d}).tar.gz")),
        (".tar.gz", format!(".tar (conflict box {d}).gz")),
        (".bashrc", format!(".bashrc (conflict box {d})")),
        ("a.b.c", format!("a.b (conflict box {d}).c")),
        ("a.", format!("a. (conflict box {d})")),
        ("No. 5, a story", format!("No. 5, a story (conflict box {d})")),
        ("v1.2 final", format!("v1.2 final (conflict box {d})")),
        ("x.thisisnotanextension", format!("x.thisisnotanextension (conflict box {d})")),
        ("é.ñ", format!("é (conflict box {d}).ñ")),
    ] {
        assert_eq!(copy_of(from, "box"), to);
    }
}

#[test]
fn devices_are_made_safe() {
    let d = Digest::of(b"x").short();
    for (device, name) in [
        ("Ann's Mac", "Ann's-Mac"),
        ("a/b\\c", "a-b-c"),
        ("x) (conflict y", "x-conflict-y"),
        ("", "unknown"),
        ("..", "unknown"),
        (" \n", "unknown"),
        ("häuschen", "häuschen"),
    ] {
        assert_eq!(copy_of("a", device), format!("a (conflict {name} {d})"), "{device:?}");
    }
}

#[test]
fn a_copy_of_a_copy_does_not_grow() {
    let first = copy_of("a.txt", "box");
    let other = conflict_path(&path(&first), &Digest::of(b"y"), "box").expect("room");
    assert_eq!(other.as_str(), format!("a (conflict box {}).txt", Digest::of(b"y").short()));
    let again = copy_of(&first, "box");
    assert_eq!(again, format!("a (conflict box {}).txt", &Digest::of(b"x").to_string()[..16]));
}

#[test]
fn the_mark_is_recognised_and_nothing_else() {
    assert!(is_conflict_name("a (conflict box 1a2b3c4d).txt") && is_conflict_name("a (conflict my box 1a2b3c4d5e)"));
    for plain in [
        "a.txt",
        "a (conflict).txt",
        "a (conflict box).txt",
        "a (conflict box 1a2b3c4).txt",
        "a (conflict box 1A2B3C4D)",
        "a (conflict  1a2b3c4d) b",
        "a (conflict 1a2b3c4d)",
        "(conflict box 1a2b3c4d)",
    ] {
        assert!(!is_conflict_name(plain), "{plain}");
    }
}

proptest! {
    #[test]
    fn laws(
        segments in prop::collection::vec("([^/\0]{1,30}|[aé.]{100,127}|(a|é)( \\(conflict box [0-9a-f]{8}\\))?\\.txt)", 1..4),
        content: [u8; 4],
        device in "\\PC{0,60}",
    ) {
        let Ok(from) = RelPath::parse(&segments.join("/")) else { return Ok(()) };
        let content = Digest::of(&content);
        let to = conflict_path(&from, &content, &device).expect("room");
        prop_assert_eq!(&conflict_path(&from, &content, &device).expect("room"), &to, "pure");
        prop_assert_ne!(&to, &from, "never its own name");
        prop_assert_eq!(to.parent(), from.parent(), "same folder");
        prop_assert!(to.name().len() <= SEGMENT_MAX_BYTES && to.as_str().len() <= KEY_MAX_BYTES);
        prop_assert!(is_conflict_name(to.name()), "{}", to);
        prop_assert!(to.name().ends_with(split_extension(from.name()).1), "extension kept");
        let again = conflict_path(&to, &content, &device).expect("room");
        prop_assert!(again.as_str().len() <= to.as_str().len() + DIGITS, "names do not grow");
        let other = Digest::of(b"other bytes");
        prop_assert_ne!(conflict_path(&from, &other, &device).expect("room"), to, "other bytes, other name");
    }

    #[test]
    fn deep_folders_fail_or_fit(depth in 1_usize..1030) {
        let segment = "d".repeat(200);
        let mut text = vec![segment; depth / 201].join("/");
        text.push_str(&"/".repeat(usize::from(!text.is_empty())));
        text.push_str(&"f".repeat(depth % 201 + 1));
        let from = RelPath::parse(&text).expect("valid");
        match conflict_path(&from, &Digest::of(b"x"), "box") {
            Ok(to) => prop_assert!(to != from && to.as_str().len() <= KEY_MAX_BYTES),
            Err(problem) => prop_assert!(problem == NameProblem::KeyTooLong && depth > 950),
        }
    }
}
