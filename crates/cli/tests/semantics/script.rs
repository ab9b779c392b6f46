//! Console blocks: reading, running, comparing; and files that a page shows.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

/// The blocks below one heading.
#[derive(Debug, Default)]
pub struct Section {
    pub page: String,
    pub heading: String,
    pub commands: Vec<Example>,
}

/// A command and what it must print; or a file that is written as it is shown.
#[derive(Debug)]
pub struct Example {
    pub line: usize,
    pub command: String,
    pub expected: Vec<String>,
    pub is_file: bool,
}

/// What a line of a page is part of.
enum Block {
    None,
    Console,
    File,
    Other,
}

/// The sections of a page that have examples.
pub fn sections(name: &str, page: &str) -> Vec<Section> {
    let mut sections = vec![Section::default()];
    let mut block = Block::None;
    for (number, line) in page.lines().enumerate() {
        let section = sections.last_mut().expect("there is always one");
        match (&block, line) {
            (Block::None, "```console") => block = Block::Console,
            // A language and a path: the file is there from here on.
            (Block::None, fence) if fence.starts_with("```") && fence.contains(' ') => {
                block = Block::File;
                let command = fence.rsplit(' ').next().expect("a path").to_owned();
                section.commands.push(Example { line: number + 1, command, expected: vec![], is_file: true });
            }
            (Block::None, fence) if fence.starts_with("```") => block = Block::Other,
            (Block::None, heading) if heading.starts_with('#') => {
                let heading = heading.trim_start_matches(['#', ' ']).to_owned();
                sections.push(Section { page: name.to_owned(), heading, commands: vec![] });
            }
            (_, "```") => block = Block::None,
            (Block::None | Block::Other, _) => {}
            (Block::File, line) => section.commands.last_mut().expect("the file").expected.push(line.to_owned()),
            (Block::Console, line) => match (line.strip_prefix("$ "), section.commands.last_mut()) {
                (Some(command), _) => {
                    let command = command.to_owned();
                    section.commands.push(Example { line: number + 1, command, expected: vec![], is_file: false });
                }
                (None, Some(example)) => example.expected.push(line.to_owned()),
                (None, None) => panic!("line {}: output before any command", number + 1),
            },
        }
    }
    sections.retain(|section| !section.commands.is_empty());
    sections
}

/// Runs a section in a folder of its own.
pub fn run(section: &Section) -> Result<(), String> {
    let place = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a temporary folder");
    for example in &section.commands {
        if example.is_file {
            let path = place.path().join(&example.command);
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
            std::fs::write(path, example.expected.join("\n") + "\n").expect("written");
            continue;
        }
        let printed = execute(place.path(), &example.command);
        let expected: Vec<&str> = example.expected.iter().map(String::as_str).collect();
        if !matches(&expected, &printed.iter().map(String::as_str).collect::<Vec<_>>()) {
            let mut text = format!("{}:{}: {}\n", section.page, example.line, section.heading);
            let _ = writeln!(text, "$ {}\nexpected:\n{}", example.command, example.expected.join("\n"));
            let _ = write!(text, "printed:\n{}", printed.join("\n"));
            return Err(text);
        }
    }
    Ok(())
}

fn execute(place: &Path, command: &str) -> Vec<String> {
    let binary = Path::new(env!("CARGO_BIN_EXE_tidelock")).parent().expect("a folder");
    let path = std::env::join_paths(
        [binary.to_owned()].into_iter().chain(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default())),
    );
    let output = Command::new("sh")
        .args(["-c", &format!("exec 2>&1\n{command}")])
        .current_dir(place)
        .env_clear()
        .env("PATH", path.expect("a path"))
        .env("HOME", place.join("home"))
        .env("LC_ALL", "C")
        .output()
        .expect("sh runs");
    let mut lines: Vec<String> = String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect();
    match output.status.code() {
        Some(0) => {}
        code => lines.push(format!("[exit {}]", code.map_or("by a signal".to_owned(), |code| code.to_string()))),
    }
    lines
}

/// Whether these lines are those that were promised.
fn matches(expected: &[&str], printed: &[&str]) -> bool {
    match expected {
        [] => printed.is_empty(),
        ["...", rest @ ..] => (0..=printed.len()).any(|skipped| matches(rest, &printed[skipped..])),
        [first, rest @ ..] => {
            printed.split_first().is_some_and(|(line, others)| line_matches(first, line) && matches(rest, others))
        }
    }
}

fn line_matches(expected: &str, line: &str) -> bool {
    match expected.split_once("...") {
        None => expected == line,
        Some((before, after)) => line.strip_prefix(before).is_some_and(|rest| {
            let ends = rest.char_indices().map(|(at, _)| at).chain([rest.len()]);
            ends.into_iter().any(|at| line_matches(after, &rest[at..]))
        }),
    }
}

#[test]
fn dots_stand_for_anything() {
    assert!(line_matches("a ... c", "a b c") && line_matches("...", "") && line_matches("x...", "x"));
    assert!(!line_matches("a ... c", "a b d") && !line_matches("a", "a b"));
    assert!(matches(&["a", "...", "c"], &["a", "b", "b", "c"]) && matches(&["..."], &[]));
    assert!(!matches(&["a"], &["a", "b"]) && !matches(&["a", "..."], &["b"]));
}

#[test]
fn a_file_that_is_shown_is_there() {
    let page = "# One\n```toml a/b.toml\nx = 1\n```\n```toml\ny = 2\n```\n```console\n$ cat a/b.toml; ls a\nx = 1\nb.toml\n```\n";
    let sections = sections("p.md", page);
    assert_eq!(sections.iter().map(|section| section.commands.len()).collect::<Vec<_>>(), [2]);
    run(&sections[0]).expect("it is true");
}

#[test]
fn an_untrue_example_is_found() {
    let page = "# One\n```console\n$ echo yes\nno\n```\n# Two\n```console\n$ exit 3\n[exit 3]\n$ pwd\n...\n```\n";
    let sections = sections("semantics.md", page);
    assert_eq!(sections.len(), 2);
    let untrue = run(&sections[0]).expect_err("it says no");
    assert!(untrue.contains("semantics.md:3: One") && untrue.ends_with("printed:\nyes"), "{untrue}");
    run(&sections[1]).expect("it is true");
}
