//! Two devices' folders, a store between them, and the binary.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tempfile::TempDir;

/// What befalls a run.
pub enum Hook {
    None,
    Count,
    Kill(u64),
    Fail(u64, &'static str),
    /// Killed by strace as some thread enters its n-th call of these.
    Trace(&'static str, u64),
}

/// How a run ended.
#[derive(Debug)]
pub struct Ended {
    pub code: Option<i32>,
    pub killed: bool,
    /// For the message of a failed assertion.
    #[allow(dead_code)]
    pub output: String,
}

pub struct Place {
    dir: TempDir,
}

impl Place {
    pub fn new() -> Self {
        let place = Self { dir: tempfile::tempdir().expect("a temporary folder") };
        for name in ["one", "two"] {
            std::fs::create_dir(place.at(name)).expect("makes");
        }
        place
    }

    pub fn at(&self, path: &str) -> PathBuf {
        self.dir.path().join(path)
    }

    pub fn write(&self, path: &str, content: impl AsRef<[u8]>) {
        let path = self.at(path);
        std::fs::create_dir_all(path.parent().expect("has one")).expect("makes");
        std::fs::write(path, content).expect("writes");
    }

    pub fn rename(&self, from: &str, to: &str) {
        std::fs::rename(self.at(from), self.at(to)).expect("renames");
    }

    pub fn remove(&self, path: &str) {
        let path = self.at(path);
        let removed = if path.is_dir() { std::fs::remove_dir_all(path) } else { std::fs::remove_file(path) };
        removed.expect("removes");
    }

    pub fn chmod(&self, path: &str, mode: u32) {
        std::fs::set_permissions(self.at(path), std::fs::Permissions::from_mode(mode)).expect("changes");
    }

    pub fn mode(&self, path: &str) -> u32 {
        std::fs::metadata(self.at(path)).expect("is there").permissions().mode() & 0o7777
    }

    /// An undisturbed run of which nothing less than success is expected.
    pub fn sync(&self, words: &[&str]) {
        let ended = self.run(words, &Hook::None);
        assert_eq!(ended.code, Some(0), "{words:?}: {ended:?}");
    }

    /// Runs `tidelock` with these words. `ONE`, `TWO` and `OUT` stand for folders,
    /// `STORE` for the remote and `PLAN` for a file; the device is the one whose
    /// folder is named.
    pub fn run(&self, words: &[&str], hook: &Hook) -> Ended {
        let device = if words.contains(&"ONE") || words.contains(&"PLAN") { "one" } else { "two" };
        let binary = env!("CARGO_BIN_EXE_tidelock");
        let mut command = Command::new(binary);
        if let Hook::Trace(calls, at) = hook {
            command = Command::new("strace");
            command.args(["-f", "-o", "/dev/null", "-e", &format!("trace={calls}")]);
            command.args(["-e", &format!("inject={calls}:signal=KILL:when={at}"), binary]);
        }
        for word in words {
            match *word {
                "ONE" => command.arg(self.at("one")),
                "TWO" => command.arg(self.at("two")),
                "OUT" => command.arg(self.at("out")),
                "PLAN" => command.arg(self.at("plan.ndjson")),
                "STORE" => command.arg(format!("folder:{}", self.at("store").display())),
                other => command.arg(other),
            };
        }
        command.env("XDG_STATE_HOME", self.at(&format!("state-{device}"))).env("HOME", self.at("home"));
        match hook {
            Hook::None | Hook::Trace(..) => {}
            Hook::Count => drop(command.env("TIDELOCK_KILL_COUNT", self.at("calls"))),
            Hook::Kill(at) => drop(command.env("TIDELOCK_KILL_AT", at.to_string())),
            Hook::Fail(at, with) => {
                command.env("TIDELOCK_FAIL_AT", at.to_string()).env("TIDELOCK_FAIL_WITH", with);
            }
        }
        let output = command.stdin(Stdio::null()).output().expect("the binary runs");
        let text = [output.stdout, output.stderr].concat();
        Ended {
            code: output.status.code(),
            killed: output.status.signal() == Some(9) || output.status.code() == Some(137),
            output: String::from_utf8_lossy(&text).into_owned(),
        }
    }

    /// How many calls the counting run made.
    pub fn calls(&self) -> u64 {
        let text = std::fs::read_to_string(self.at("calls")).unwrap_or_default();
        text.split_whitespace().next().and_then(|number| number.parse().ok()).unwrap_or(0)
    }

    /// Paths and contents of a folder, Tidelock's own left out.
    pub fn tree(&self, name: &str) -> BTreeMap<String, String> {
        let mut found = BTreeMap::new();
        collect(&self.at(name), "", &mut found);
        found.retain(|path, _| !path.starts_with(".tidelock/"));
        found
    }

    /// What the store holds, as a fresh device gets it.
    pub fn stored(&self) -> BTreeMap<String, String> {
        let _ = std::fs::remove_dir_all(self.at("out"));
        let _ = std::fs::remove_dir_all(self.at("state-two"));
        self.sync(&["restore", "STORE", "OUT"]);
        self.tree("out")
    }

    /// Contents in a folder's trash.
    pub fn trash(&self, name: &str) -> Vec<String> {
        let mut found = BTreeMap::new();
        collect(&self.at(name).join(".tidelock"), "", &mut found);
        found.into_values().collect()
    }

    pub fn assert_no_leftovers(&self, what: &str) {
        for name in ["one", "two"] {
            let mut found = BTreeMap::new();
            collect(&self.at(name), "", &mut found);
            let left = found.keys().find(|path| path.contains(".tidelock-tmp-"));
            assert_eq!(left, None, "{what}: a temporary file was left in {name}");
        }
    }
}

fn collect(dir: &Path, prefix: &str, found: &mut BTreeMap<String, String>) {
    let Ok(entries) = std::fs::read_dir(dir) else { return };
    for entry in entries.map(|entry| entry.expect("reads")) {
        let path = format!("{prefix}{}", entry.file_name().to_string_lossy());
        let kind = entry.file_type().expect("is known");
        if kind.is_dir() {
            found.insert(format!("{path}/"), String::new());
            collect(&entry.path(), &format!("{path}/"), found);
        } else if kind.is_symlink() {
            let target = std::fs::read_link(entry.path()).expect("reads");
            found.insert(path, format!("-> {}", target.display()));
        } else {
            let bytes = std::fs::read(entry.path()).expect("reads");
            // Long contents are one byte repeated: said shortly, a failure can be read.
            let text = match bytes.first() {
                Some(first) if bytes.len() > 1_000 && bytes.iter().all(|byte| byte == first) => {
                    format!("{} times {first}", bytes.len())
                }
                _ => String::from_utf8_lossy(&bytes).into_owned(),
            };
            found.insert(path, text);
        }
    }
}
