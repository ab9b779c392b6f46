//! Rules that hold for every source: size, opening comment, names, words.

use super::lexer::{Token, lex};

/// A source file, its path below the repository's root.
pub struct Source {
    pub path: String,
    pub text: String,
}

impl Source {
    /// Whether all of it is test code.
    pub fn is_test(&self) -> bool {
        let below = self.path.splitn(3, '/').nth(2).unwrap_or(&self.path);
        below.starts_with("tests/") || below.contains("/tests/") || below.ends_with("/tests.rs")
    }

    fn is_below_src(&self) -> bool {
        self.path.split('/').nth(2) == Some("src")
    }
}

/// Longer files are more than one idea.
const FILE_MAX_LINES: usize = 600;
/// Longer test modules move to a file of their own.
const INLINE_TESTS_MAX_LINES: usize = 150;
const OPENING_MIN_LINES: usize = 3;
/// Calls that stand for work not done, and tests that are not run.
const UNFINISHED: &[&str] = &["todo", "unimplemented", "dbg"];
/// The one file that may hold `unsafe`.
const UNSAFE_HOME: &str = "crates/engine/src/disk/sys.rs";

pub fn all(source: &Source) -> Vec<String> {
    [length, inline_tests, opening, name, words].iter().flat_map(|rule| rule(source)).collect()
}

fn length(source: &Source) -> Vec<String> {
    let lines = source.text.lines().count();
    if source.is_test() || lines <= FILE_MAX_LINES {
        return Vec::new();
    }
    vec![format!("{}: {lines} lines; the wall is {FILE_MAX_LINES}", source.path)]
}

fn inline_tests(source: &Source) -> Vec<String> {
    let tokens = lex(&source.text);
    let Some(start) = inline_tests_at(&tokens).and_then(|at| tokens.get(at)).map(|token| token.line) else {
        return Vec::new();
    };
    let lines = source.text.lines().count() + 1 - start;
    if source.is_test() || lines <= INLINE_TESTS_MAX_LINES {
        return Vec::new();
    }
    vec![format!(
        "{}:{start}: {lines} lines of tests; beyond {INLINE_TESTS_MAX_LINES} they move to tests.rs",
        source.path
    )]
}

/// Where `#[cfg(test)] mod … {` begins.
pub fn inline_tests_at(tokens: &[Token]) -> Option<usize> {
    let opening = ["#", "[", "cfg", "(", "test", ")", "]", "mod"];
    tokens.windows(opening.len() + 2).position(|window| {
        window.iter().zip(opening).all(|(token, wanted)| token.text == wanted)
            && window.last().is_some_and(|token| token.text == "{")
    })
}

fn opening(source: &Source) -> Vec<String> {
    let lines = source.text.lines().take_while(|line| line.starts_with("//!")).count();
    if !source.is_below_src() || source.is_test() || lines >= OPENING_MIN_LINES {
        return Vec::new();
    }
    vec![format!(
        "{}: opens with {lines} lines of `//!`; say in {OPENING_MIN_LINES} or more what it knows",
        source.path
    )]
}

fn name(source: &Source) -> Vec<String> {
    let stem = source.path.rsplit('/').next().and_then(|name| name.strip_suffix(".rs")).unwrap_or_default();
    let advice = match stem {
        "mod" => "`topic.rs` beside `topic/` instead",
        "util" | "utils" | "helper" | "helpers" | "misc" | "common" | "manager" => "name the idea",
        _ => return Vec::new(),
    };
    vec![format!("{}: no file is called that; {advice}", source.path)]
}

fn words(source: &Source) -> Vec<String> {
    let tokens = lex(&source.text);
    let next = |at: usize, ahead: usize| tokens.get(at + ahead).map_or("", |token| &token.text);
    let judge = |(at, token): (usize, &Token)| {
        let what = match token.text.as_str() {
            word if UNFINISHED.contains(&word) && next(at, 1) == "!" && matches!(next(at, 2), "(" | "[" | "{") => {
                format!("`{word}!` is unfinished work")
            }
            "ignore" if at > 0 && tokens[at - 1].text == "[" && matches!(next(at, 1), "]" | "=") => {
                "an ignored test is a test that is not run".into()
            }
            "unsafe" if source.path != UNSAFE_HOME => format!("`unsafe` lives in {UNSAFE_HOME} alone"),
            _ => return None,
        };
        Some(format!("{}:{}: {what}", source.path, token.line))
    };
    tokens.iter().enumerate().filter_map(judge).collect()
}

#[cfg(test)]
fn planted(path: &str, text: &str) -> Vec<String> {
    let opening = "//! a\n//! b\n//! c\n";
    all(&Source { path: path.into(), text: format!("{opening}{text}") })
}

#[test]
fn planted_violations_are_found() {
    let long = "\n".repeat(600);
    let long_tests = format!("#[cfg(test)]\nmod tests {{{}}}", "\n".repeat(160));
    for (path, text, wanted) in [
        ("crates/x/src/a.rs", long.as_str(), "603 lines"),
        ("crates/x/src/a.rs", &long_tests, ":4: 162 lines of tests"),
        ("crates/x/src/a/mod.rs", "", "`topic.rs` beside"),
        ("crates/x/src/util.rs", "", "name the idea"),
        ("crates/x/src/a.rs", "fn f() { todo!() }", ":4: `todo!`"),
        ("crates/x/src/a.rs", "fn f() { std::dbg!(1); }", ":4: `dbg!`"),
        ("crates/x/tests/a.rs", "\nfn f() { unimplemented!(\"x\") }", ":5: `unimplemented!`"),
        ("crates/x/tests/a.rs", "#[test]\n#[ignore = \"slow\"]\nfn f() {}", ":5: an ignored test"),
        ("crates/x/src/a.rs", "#[ignore]", "an ignored test"),
        ("crates/x/src/a.rs", "unsafe { f() }", "`unsafe` lives"),
    ] {
        let found = planted(path, text);
        assert!(found.len() == 1 && found[0].contains(wanted), "{path} {text:?}: {found:?}");
    }
    let bare = Source { path: "crates/x/src/a.rs".into(), text: "//! a\n//! b\nfn f() {}".into() };
    assert_eq!(all(&bare).len(), 1, "{:?}", all(&bare));
}

#[test]
fn what_is_allowed_is_not_found() {
    let long = "\n".repeat(700);
    for (path, text) in [
        ("crates/x/src/a/tests.rs", long.as_str()),
        ("crates/x/src/a/tests/b.rs", &long),
        ("crates/x/tests/a.rs", &long),
        ("crates/x/src/a.rs", "// todo!\nconst A: &str = \"dbg!(x)\"; let todo = 1; todo != ignore;"),
        ("crates/x/src/a.rs", "#[cfg(test)]\nmod tests;"),
        (UNSAFE_HOME, "unsafe { f() }"),
    ] {
        assert_eq!(planted(path, text), Vec::<String>::new(), "{path}");
    }
}
