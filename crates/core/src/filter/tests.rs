use super::*;
use crate::path::RelPath;
use proptest::prelude::*;

fn path(text: &str) -> RelPath {
    RelPath::parse(text).expect("valid")
}

/// Judges `text` (a trailing slash makes it a folder) under ignore files.
fn excluded(files: &[(&str, &str)], text: &str) -> bool {
    let mut set = RuleSet::new(Rules::none());
    for (dir, lines) in files {
        set.insert(path(dir), lines);
    }
    let (name, is_dir) = text.strip_suffix('/').map_or((text, false), |name| (name, true));
    set.verdict_for_path(&path(name), is_dir).is_excluded()
}

/// Lines of the root's ignore file, what they exclude, what they do not.
const TABLE: &[(&str, &[&str], &[&str])] = &[
    ("", &[], &["a", "a/b", ".hidden"]),
    ("# comment", &[], &["# comment", "comment"]),
    (r"\#x", &["#x", "d/#x"], &["x", r"\#x"]),
    (r"\!x", &["!x"], &["x"]),
    ("a", &["a", "a/", "d/a", "d/a/b", "d/e/a"], &["ab", "ba", "d/ab"]),
    ("/a", &["a", "a/", "a/b"], &["d/a"]),
    ("a/", &["a/", "a/b", "d/a/", "d/a/b"], &["a", "d/a"]),
    ("/a/", &["a/", "a/b"], &["a", "d/a/", "d/a/b"]),
    ("a/b", &["a/b", "a/b/c"], &["d/a/b", "a", "b", "a/bc"]),
    ("/a/b", &["a/b"], &["d/a/b"]),
    ("a/b/", &["a/b/", "a/b/c"], &["a/b", "d/a/b/", "a/bc/"]),
    ("*", &["a", "a/", ".x", "a/b"], &[]),
    ("*.o", &["x.o", "d/x.o", ".o", "x.o/", "x.o/y"], &["x.oo", "x"]),
    ("/*.o", &["x.o"], &["d/x.o"]),
    ("*.o/", &["x.o/"], &["x.o"]),
    ("a*", &["a", "ab", "a/", "d/abc"], &["ba"]),
    ("a*c", &["ac", "abc", "abcbc"], &["acd", "abcd"]),
    ("*a*", &["a", "xax", "xa", "ax"], &["xx"]),
    ("a?c", &["abc", "aéc"], &["ac", "abbc", "a/c"]),
    ("?", &["a", "é", "d/x"], &["ab"]),
    ("a/*", &["a/b", "a/b/c", "a/.x"], &["a", "a/", "b/a/c"]),
    ("a/*/c", &["a/b/c"], &["a/c", "a/b/b/c"]),
    ("a*b/c", &["ab/c", "axb/c"], &["a/b/c"]),
    ("a/b*", &["a/b", "a/bc"], &["a/x/bc"]),
    ("**/a", &["a", "d/a", "d/e/a", "a/b"], &["ab", "da"]),
    ("/**/a", &["a", "d/a"], &["ba"]),
    ("**/a/b", &["a/b", "d/a/b", "d/e/a/b"], &["a/x/b", "xa/b"]),
    ("a/**", &["a/b", "a/b/c"], &["a", "a/", "d/a/b"]),
    ("a/**/", &["a/b/", "a/b/c/"], &["a/b", "a/"]),
    ("a/**/b", &["a/b", "a/x/b", "a/x/y/b"], &["b", "a/xb", "d/a/b"]),
    ("**/", &["a/", "a/b", "d/e/"], &["a"]),
    ("**", &["a", "a/b"], &[]),
    ("***", &["a", "a/b"], &[]),
    ("***/a", &["a", "d/a"], &[]),
    ("a/***/b", &["a/b", "a/x/b"], &["ab"]),
    ("a**b", &["ab", "axb"], &["a/b", "a/x/b"]),
    ("d/a**b", &["d/ab", "d/axb"], &["d/a/b"]),
    ("a**/b", &["a/b", "ax/b"], &["a/x/b", "ax/y/b", "b"]),
    ("d/?**/b", &["d/a/b", "d/ax/b"], &["d/a/x/b"]),
    (r"a\/**/b", &["a/b", "a/x/b"], &["ab"]),
    (r"a/**\/b", &["a/x/b", "a/x/y/b"], &["a/b"]),
    ("a/**b", &["a/b", "a/xb"], &["a/x/b"]),
    ("a/**/**/b", &["a/b", "a/x/b", "a/x/y/b"], &["ab"]),
    ("**/*.rs", &["x.rs", "a/b/x.rs"], &["x.r"]),
    ("**/a/**", &["a/b", "d/a/b"], &["a", "d/a"]),
    ("a/**/b/**/c", &["a/b/c", "a/x/b/y/z/c"], &["a/c", "a/bc"]),
    ("[abc]", &["a", "b", "c"], &["d", "ab"]),
    ("[a-c]x", &["ax", "cx"], &["dx", "x"]),
    ("[!a]x", &["bx", "-x"], &["ax", "x"]),
    ("[^a]x", &["bx"], &["ax"]),
    ("[]]", &["]"], &["a"]),
    ("[!]]", &["a"], &["]"]),
    ("[]-a]", &["]", "^", "_", "a"], &["b", "["]),
    ("[a-]", &["a", "-"], &["b"]),
    ("[-a]", &["a", "-"], &["b"]),
    ("[c-a]", &["c"], &["a", "b"]),
    ("[a-c-e]", &["a", "b", "c", "-", "e"], &["d"]),
    (r"[\]]", &["]"], &[r"\"]),
    (r"[a\-c]", &["a", "-", "c"], &["b"]),
    (r"[\a-\c]", &["a", "b", "c"], &["d"]),
    ("[[]", &["["], &["]"]),
    ("[[:digit:]]x", &["1x"], &["ax", ":x"]),
    ("[[:alpha:]_]", &["a", "Z", "_"], &["1"]),
    ("[![:upper:]]", &["a", "1"], &["A"]),
    ("[[:x]", &["[", ":", "x"], &["y"]),
    ("[a-é]", &["z", "é"], &["ê"]),
    ("a[/]b", &[], &["a/b", "a"]),
    ("a[!x]b", &["acb"], &["a/b", "axb"]),
    ("d/[!x]", &["d/y"], &["d/x", "d/yy"]),
    ("[a", &[], &["[a", "a"]),
    ("a\\", &[], &["a", "a\\"]),
    (r"\a\b", &["ab"], &[r"\a\b"]),
    (r"\*", &["*"], &["a", r"\*"]),
    (r"a\?", &["a?"], &["ab"]),
    (r"\[a]", &["[a]"], &["a"]),
    (r"a\\b", &[r"a\b"], &["ab"]),
    ("a ", &["a"], &["a "]),
    ("a   ", &["a"], &["a ", "a   "]),
    ("a\\ ", &["a "], &["a"]),
    ("a\\  ", &["a "], &["a", "a  "]),
    ("a\t", &["a\t"], &["a"]),
    (" a", &[" a"], &["a"]),
    ("a b", &["a b"], &["a", "b"]),
    ("   ", &[], &["a", "   "]),
    ("a\r\nb\r\n", &["a", "b"], &["a\r"]),
    ("\u{feff}a\nb", &["a", "b"], &["\u{feff}a"]),
    ("/", &[], &["a", "a/"]),
    ("//", &[], &["a", "a/"]),
    ("!", &[], &["a", "!"]),
    ("a//", &[], &["a", "a/"]),
    ("a\n!a", &[], &["a", "a/b"]),
    ("!a\na", &["a"], &[]),
    ("*\n!a", &["b"], &["a"]),
    ("*.x\n!k.x\n/k.x", &["k.x", "a.x"], &["d/k.x"]),
    ("a/\n!a/b", &["a/", "a/b"], &[]),
    ("a/*\n!a/b", &["a/c"], &["a/", "a/b"]),
    ("a/*\n!a/b/\na/b/*\n!a/b/c", &["a/x", "a/b/x"], &["a/b/", "a/b/c"]),
    ("/*\n!/d\n/d/*\n!/d/e", &["a", "d/x"], &["d", "d/e", "d/e/f"]),
    ("*\n!*/\n!*.txt", &["a", "d/x"], &["d/", "d/e/", "a.txt", "d/e/a.txt"]),
    ("!!a\n", &[], &["a"]),
    ("A", &["A"], &["a"]),
    (".tidelockignore", &[".tidelockignore", "d/.tidelockignore"], &["tidelockignore"]),
    ("é", &["é", "d/é"], &["e"]),
];

#[test]
fn gitignore_semantics() {
    let mut cases = 0;
    for (lines, out, kept) in TABLE {
        for text in *out {
            assert!(excluded(&[("", lines)], text), "{lines:?} should exclude {text:?}");
        }
        for text in *kept {
            assert!(!excluded(&[("", lines)], text), "{lines:?} should not exclude {text:?}");
        }
        cases += out.len() + kept.len();
    }
    assert!(cases >= 250, "the table lost cases: {cases}");
}

#[test]
fn nested_files_hold_below_their_folder_and_win_over_those_above() {
    let files = [("", "*.log\n/only-root"), ("d", "!keep.log\n/x\ny/z"), ("d/e", "keep.log")];
    for (text, expected) in [
        ("a.log", true),
        ("keep.log", true),
        ("d/a.log", true),
        ("d/keep.log", false),
        ("d/f/keep.log", false),
        ("d/e/keep.log", true),
        ("d/e/g/keep.log", true),
        ("only-root", true),
        ("d/only-root", false),
        ("x", false),
        ("d/x", true),
        ("d/f/x", false),
        ("y/z", false),
        ("d/y/z", true),
        ("dd/x", false),
    ] {
        assert_eq!(excluded(&files, text), expected, "{text}");
    }
}

#[test]
fn a_nested_file_cannot_save_its_own_folder() {
    assert!(excluded(&[("", "d/"), ("d", "!*")], "d/a"));
}

#[test]
fn lines_of_the_configuration_are_told_by_their_place() {
    let line = RuleLine { written: Some("config.toml:4".into()), ..option("*.tmp", false) };
    let rules = Rules::new(vec![line.clone(), option("*.log", false)], vec![], true).expect("valid");
    let rule = |path| judge(&rules, &[], path).rule().map(ToString::to_string);
    assert_eq!(rule("a.tmp").as_deref(), Some("\"*.tmp\", config.toml:4"));
    assert_eq!(rule("a.log").as_deref(), Some("\"*.log\", include/exclude option 1"), "only what was typed is counted");
    let broken = RuleLine { pattern: "a/".repeat(2) + "[", ..line };
    let why = Rules::new(vec![broken], vec![], true).expect_err("it cannot match").to_string();
    assert!(why.starts_with("config.toml:4: the pattern"), "{why}");
}

fn option(pattern: &str, include: bool) -> RuleLine {
    RuleLine { pattern: pattern.into(), include, written: None }
}

fn judge(rules: &Rules, files: &[(&str, &str)], text: &str) -> Verdict {
    let mut set = RuleSet::new(rules.clone());
    for (dir, lines) in files {
        assert_eq!(set.insert(path(dir), lines), []);
    }
    set.verdict_for_path(&path(text), false)
}

#[test]
fn options_win_over_files_and_the_last_option_over_the_others() {
    let rules = Rules::new(
        vec![option("*.log", false), option("keep.log", true), option("#x ", false)],
        vec![IgnoreFile { path: "/etc/rules".into(), text: "*.tmp\n*.bak".into() }],
        true,
    )
    .expect("valid");
    let files = [("", "!*.log\n!*.tmp"), ("d", "*.log\nkeep.log")];
    let origin = |text: &str| judge(&rules, &files, text).rule().map(|rule| rule.origin.clone());
    assert_eq!(origin("a.log"), Some(Origin::Option(1)));
    assert_eq!(origin("d/keep.log"), Some(Origin::Option(2)));
    assert!(!judge(&rules, &files, "d/keep.log").is_excluded());
    assert_eq!(origin("#x "), Some(Origin::Option(3)));
    assert_eq!(origin("#x"), None);
    assert_eq!(origin("a.tmp"), Some(Origin::File { path: ".tidelockignore".into(), line: 2 }));
    assert!(!judge(&rules, &files, "a.tmp").is_excluded());
    assert_eq!(origin("d/a.bak"), Some(Origin::File { path: "/etc/rules".into(), line: 2 }));
}

#[test]
fn an_include_brings_back_a_hidden_name_and_nothing_brings_back_a_reserved_one() {
    let rules = Rules::new(vec![option(".github", true), option(".tidelock*", true)], vec![], false).expect("valid");
    for (text, expected) in [
        (".git", true),
        ("d/.git", true),
        (".github", false),
        (".github/workflow", false),
        (".github/.x", true),
        ("a", false),
        (".tidelockignore", false),
        (".tidelock", true),
        (".tidelock/trash", true),
        ("d/.tidelock", true),
        ("d/.tidelock-tmp-1", true),
    ] {
        assert_eq!(judge(&rules, &[], text).is_excluded(), expected, "{text}");
    }
    assert_eq!(judge(&rules, &[], ".x").rule().map(|rule| &rule.origin), Some(&Origin::Hidden));
    assert!(!judge(&rules, &[("", "!.x")], ".x").is_excluded(), "an include in a file counts too");
    assert_eq!(judge(&rules, &[], ".tidelock/x").rule().map(|rule| &rule.origin), Some(&Origin::Reserved));
}

#[test]
fn a_pattern_that_cannot_match_is_told() {
    for (pattern, why) in [
        ("", "names nothing"),
        ("/", "names nothing"),
        ("[a", "never closed"),
        ("a\\", "lone"),
        ("[[:nope:]]", "class"),
        (&"x".repeat(5000), "longer"),
    ] {
        let error = Rules::new(vec![option(pattern, false)], vec![], true).expect_err(pattern);
        assert!(error.why.contains(why) && error.line == 1 && error.file.is_none(), "{error}");
    }
    let file = IgnoreFile { path: "f".into(), text: "a\n\n[".into() };
    let error = Rules::new(vec![], vec![file], true).expect_err("unclosed");
    assert_eq!(error.to_string(), "f:3: the pattern \"[\" cannot match anything: a `[` is never closed by `]`");
    let scope = Rules::none().root(Some("ok\n[\n")).enter("d", None);
    assert_eq!(scope.problems(), []);
    let scope = Rules::none().root(None).enter("d", Some("ok\n[\n"));
    assert_eq!(scope.problems().iter().map(|problem| problem.line).collect::<Vec<_>>(), [2]);
    assert_eq!(scope.problems()[0].file.as_deref(), Some("d/.tidelockignore"));
    assert!(scope.verdict("ok", false).is_excluded(), "the other lines still hold");
}

#[test]
fn hostile_patterns_stay_cheap() {
    // Backtracking would need more steps than there are atoms.
    let stars = "*a".repeat(500);
    let deep = format!("{}b", "**/a*/".repeat(100));
    let set = |pattern: &str| RuleSet::new(Rules::new(vec![option(pattern, false)], vec![], true).expect("valid"));
    assert!(!set(&stars).verdict_for_path(&path(&"a".repeat(255)), false).is_excluded());
    assert!(set(&"?".repeat(200)).verdict_for_path(&path(&"a".repeat(200)), false).is_excluded());
    assert!(!set(&"?".repeat(200)).verdict_for_path(&path(&"a".repeat(199)), false).is_excluded());
    let long = vec!["aa"; 80].join("/");
    assert!(!set(&deep).verdict_for_path(&path(&long), false).is_excluded());
}

#[test]
fn fingerprints_change_with_the_rules_and_only_with_them() {
    let of = |lines: &str, dir: &str, hidden: bool, pattern: &str| {
        let mut set = RuleSet::new(Rules::new(vec![option(pattern, false)], vec![], hidden).expect("valid"));
        set.insert(path(dir), lines);
        set.fingerprint()
    };
    let plain = of("a\nb", "d", true, "x");
    assert_eq!(plain, of("# why\na\n\nb  \r\n", "d", true, "x"), "comments and blanks do not count");
    for other in [
        of("b\na", "d", true, "x"),
        of("a\nb", "e", true, "x"),
        of("a\nb", "d", false, "x"),
        of("a\nb", "d", true, "y"),
        of("a", "d", true, "x"),
    ] {
        assert_ne!(plain, other);
    }
    assert_eq!(of("# nothing", "d", true, "x"), of("", "e", true, "x"), "an empty file is no file");
}

#[test]
fn a_saved_rule_set_is_the_same_when_read_back() {
    let rules = Rules::new(
        vec![option("a b ", false), option("k", true)],
        vec![IgnoreFile { path: "f".into(), text: "#\nx\\ \n".into() }],
        false,
    )
    .expect("valid");
    let mut set = RuleSet::new(rules);
    set.insert(path(""), "\n\na\r\r\n#c\n[\n!b/\\ ");
    set.insert(path("d/e"), "\u{feff}\u{feff}x\n");
    let json = serde_json::to_string(&set).expect("plain values");
    let back: RuleSet = serde_json::from_str(&json).expect("just written");
    assert_eq!(back, set);
    assert_eq!(back.fingerprint(), set.fingerprint());
    let spoiled = json.replace("\"x\\\\ \"", "\"[\"");
    assert!(serde_json::from_str::<RuleSet>(&json.replace("\"k\"", "\"[\"")).is_err(), "{spoiled}");
}

proptest! {
    #[test]
    fn the_walk_and_the_set_agree(
        lines in prop::collection::vec("[!/]?[ab*?]{1,4}(/[ab*]{0,3})?/?", 0..6),
        nested in prop::collection::vec("[!/]?[ab*]{1,3}/?", 0..4),
        path_text in "[ab]{1,2}(/[ab]{1,2}){0,3}",
        is_dir: bool,
    ) {
        let (lines, nested) = (lines.join("\n"), nested.join("\n"));
        let mut set = RuleSet::new(Rules::none());
        set.insert(RelPath::root(), &lines);
        set.insert(path("a"), &nested);
        let target = path(&path_text);

        let mut scope = Rules::none().root(Some(&lines));
        let mut walked = None;
        let names: Vec<&str> = target.segments().collect();
        for (depth, name) in names.iter().enumerate() {
            let last = depth + 1 == names.len();
            let verdict = scope.verdict(name, is_dir || !last);
            if verdict.is_excluded() || last {
                walked = Some(verdict);
                break;
            }
            scope = scope.enter(name, (depth == 0 && *name == "a").then_some(nested.as_str()));
        }
        prop_assert_eq!(walked, Some(set.verdict_for_path(&target, is_dir)));
    }

    #[test]
    fn no_text_makes_it_panic(lines in "\\PC{0,40}(\n\\PC{0,10}){0,3}", text in "[^/\0]{1,20}(/[^/\0]{1,8}){0,2}") {
        let mut set = RuleSet::new(Rules::none());
        set.insert(RelPath::root(), &lines);
        if let Ok(target) = RelPath::parse(&text) {
            let _ = set.verdict_for_path(&target, false);
        }
    }

    #[test]
    fn a_name_escaped_whole_matches_itself_alone(name in "[^/\0\n]{1,12}", other in "[^/\0\n]{1,12}") {
        prop_assume!(name != "." && name != "..");
        let pattern: String = name.chars().flat_map(|c| ['\\', c]).collect();
        let rules = Rules::new(vec![option(&pattern, false)], vec![], true).expect("escaped");
        let scope = rules.root(None);
        prop_assert!(scope.verdict(&name, false).is_excluded());
        prop_assert_eq!(scope.verdict(&other, false).is_excluded(), other == name);
    }
}
