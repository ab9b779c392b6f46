//! The filter against git itself, on random ignore files and trees.
//!
//! Every case is a folder of one repository, so that one `git check-ignore` answers
//! for all. Left out, because we differ on purpose: characters beyond ASCII (git
//! matches bytes) and `**` right behind literal text (git's matcher then crosses
//! slashes, against its own manual).

use std::collections::BTreeSet;
use std::fs;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use tidelock_core::filter::{RuleSet, Rules};
use tidelock_core::path::RelPath;

/// How many cases, and the seed they grow from: the same in every run, but for
/// `make soak`.
fn extent() -> (u32, u64) {
    match std::env::var_os("TIDELOCK_SOAK") {
        None => (500, 20),
        Some(_) => (20_000, RandomState::new().build_hasher().finish()),
    }
}

/// SplitMix64: the same trees in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) >> 33).expect("31 bits") % limit
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.below(from.len())]
    }
}

const NAMES: &[&str] = &["a", "b", "ab", "ba", "abc", "a.b", ".a", "#a", "!a", "a ", "[a]", "a\\b", "-", "a-c", "x"];
const PIECES: &[&str] = &[
    "a",
    "b",
    "ab",
    "c",
    "x",
    ".",
    "*",
    "?",
    "[ab]",
    "[a-c]",
    "[!a]",
    "[^b]",
    "[]a]",
    "[a\\]]",
    "\\a",
    "\\*",
    "\\#",
    "-",
    "[[:alpha:]]",
    "[",
    "\\",
    " ",
    "#",
    "!",
    "**",
    "\\ ",
];

/// `before` is the line so far.
fn segment(random: &mut Random, before: &str) -> String {
    if random.below(6) == 0 {
        return "**".into();
    }
    let mut text = String::new();
    for _ in 0..=random.below(3) {
        let piece = random.pick(PIECES);
        let literal_before = !text.is_empty() && !format!("{before}{text}").contains(['*', '?', '[', '\\']);
        if !(piece.starts_with("**") && literal_before) {
            text.push_str(piece);
        }
    }
    text
}

fn line(random: &mut Random) -> String {
    let mut text = String::from(random.pick(&["", "", "", "!", "/", "!/"]));
    for at in 0..=random.below(3) {
        if at > 0 {
            text.push('/');
        }
        let next = segment(random, &text);
        text.push_str(&next);
    }
    text.push_str(random.pick(&["", "", "", "/", " ", "\r"]));
    text
}

/// Folders end in a slash.
fn tree(random: &mut Random) -> BTreeSet<String> {
    let mut dirs = vec![String::new()];
    let mut all = BTreeSet::new();
    for _ in 0..12 {
        let path = format!("{}{}", dirs[random.below(dirs.len())], random.pick(NAMES));
        let is_dir = random.below(2) == 0;
        if all.contains(&path) || all.contains(&format!("{path}/")) {
            continue;
        }
        if is_dir {
            dirs.push(format!("{path}/"));
            all.insert(format!("{path}/"));
        } else {
            all.insert(path);
        }
    }
    all
}

struct Case {
    ignore_files: Vec<(String, String)>,
    tree: BTreeSet<String>,
}

fn case(random: &mut Random) -> Case {
    let tree = tree(random);
    let dirs: Vec<&String> = tree.iter().filter(|path| path.ends_with('/')).collect();
    let mut ignore_files = Vec::new();
    for dir in std::iter::once(String::new()).chain((!dirs.is_empty()).then(|| dirs[random.below(dirs.len())].clone()))
    {
        let lines: Vec<String> = (0..=random.below(4)).map(|_| line(random)).collect();
        ignore_files.push((dir, lines.join("\n")));
    }
    Case { ignore_files, tree }
}

fn git(repository: &Path, args: &[&str]) -> Command {
    let mut command = Command::new("git");
    command
        .current_dir(repository)
        .args(["-c", "core.excludesFile=/dev/null", "-c", "core.ignoreCase=false"])
        .args(args);
    for name in ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"] {
        command.env_remove(name);
    }
    command.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_SYSTEM", "/dev/null");
    command
}

/// What git ignores of `paths`.
fn ignored_by_git(repository: &Path, paths: &[String]) -> BTreeSet<String> {
    let mut child = git(repository, &["check-ignore", "--no-index", "--stdin", "-z"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("git is needed to build and test Tidelock: apt-get install git");
    let mut stdin = child.stdin.take().expect("piped");
    let input: Vec<u8> = paths.iter().flat_map(|path| [path.as_bytes(), b"\0"].concat()).collect();
    let writer = std::thread::spawn(move || stdin.write_all(&input));
    let output = child.wait_with_output().expect("git ends");
    writer.join().expect("writer").expect("git reads everything");
    assert!(output.status.success(), "git: {:?}", output.status);
    let text = String::from_utf8(output.stdout).expect("names were UTF-8");
    text.split_terminator('\0').map(str::to_owned).collect()
}

#[test]
fn the_filter_agrees_with_git() {
    let repository = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("gitignore-{}", std::process::id()));
    fs::create_dir_all(&repository).expect("a scratch folder");
    assert!(git(&repository, &["init", "-q"]).status().expect("git is needed: apt-get install git").success());

    let (count, seed) = extent();
    let mut random = Random(seed);
    let cases: Vec<Case> = (0..count).map(|_| case(&mut random)).collect();
    let mut paths = Vec::new();
    for (number, case) in cases.iter().enumerate() {
        let root = repository.join(number.to_string());
        fs::create_dir(&root).expect("new");
        for path in &case.tree {
            match path.strip_suffix('/') {
                Some(dir) => fs::create_dir(root.join(dir)).expect("parents sort first"),
                None => fs::write(root.join(path), "").expect("parents sort first"),
            }
            paths.push(format!("{number}/{}", path.trim_end_matches('/')));
        }
        for (dir, lines) in &case.ignore_files {
            fs::write(root.join(dir).join(".gitignore"), lines).expect("parents exist");
        }
    }
    let theirs = ignored_by_git(&repository, &paths);
    fs::remove_dir_all(&repository).expect("ours");

    let mut excluded_count = 0;
    for (number, case) in cases.iter().enumerate() {
        let mut set = RuleSet::new(Rules::none());
        for (dir, lines) in &case.ignore_files {
            set.insert(RelPath::parse(dir.trim_end_matches('/')).expect("a path"), lines);
        }
        for text in &case.tree {
            let name = text.trim_end_matches('/');
            let verdict = set.verdict_for_path(&RelPath::parse(name).expect("a path"), text.ends_with('/'));
            excluded_count += u32::from(verdict.is_excluded());
            assert_eq!(
                verdict.is_excluded(),
                theirs.contains(&format!("{number}/{name}")),
                "seed {seed}: {text:?} under {:?}: we say {verdict:?}",
                case.ignore_files
            );
        }
    }
    assert!(excluded_count > count && usize::try_from(excluded_count).expect("small") < paths.len(), "a dull sample");
}
