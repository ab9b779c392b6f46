//! A home of its own: a folder, a store, a state, and the binary run in it.

use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use tempfile::TempDir;

pub struct Home {
    pub dir: TempDir,
}

/// What a run left.
pub struct Ran {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Ran {
    /// The events of a `--json` run, each line checked.
    pub fn events(&self) -> Vec<Value> {
        events(&self.out)
    }

    /// The last event.
    pub fn summary(&self) -> Value {
        let last = self.events().pop().expect("events");
        assert_eq!(last["event"], "summary", "{}", self.out);
        assert_eq!(last["exit"], self.code);
        last
    }

    #[track_caller]
    pub fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, code, "out: {}\nerr: {}", self.out, self.err);
        assert!(!self.err.contains("panicked"), "{}", self.err);
        self
    }

    #[track_caller]
    pub fn says(self, words: &[&str]) -> Self {
        for word in words {
            assert!(self.err.contains(word) || self.out.contains(word), "{word:?}: {}\n{}", self.out, self.err);
        }
        self
    }
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        use std::os::unix::process::ExitStatusExt;
        let signal = || panic!("ended by signal {:?}", output.status.signal());
        Self {
            code: output.status.code().unwrap_or_else(signal),
            out: String::from_utf8(output.stdout).expect("UTF-8"),
            err: String::from_utf8(output.stderr).expect("UTF-8"),
        }
    }
}

pub fn events(text: &str) -> Vec<Value> {
    let events: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).expect(line)).collect();
    for (number, event) in events.iter().enumerate() {
        assert_eq!(event["v"], 1, "{event}");
        assert_eq!(event["seq"], number + 1, "{event}");
        assert!(event["at_ms"].is_i64() && event["event"].is_string(), "{event}");
    }
    events
}

impl Home {
    pub fn new() -> Self {
        let home = Self { dir: tempfile::tempdir().expect("a folder") };
        fs::create_dir(home.path("f")).expect("made");
        home
    }

    /// With a few files.
    pub fn furnished() -> Self {
        let home = Self::new();
        home.write("f/a.txt", "alpha");
        home.write("f/sub/b.txt", "beta");
        home.write("f/sub/deep/c.txt", "gamma");
        home.write("f/empty.txt", "");
        fs::create_dir(home.path("f/hollow")).expect("made");
        std::os::unix::fs::symlink("sub/b.txt", home.path("f/link")).expect("made");
        home
    }

    /// The same in step with its store.
    pub fn synced() -> Self {
        let home = Self::furnished();
        home.sync(&[]).expect(0);
        home
    }

    /// The same with one of the files, `a.txt`, in its store.
    pub fn stored() -> Self {
        let home = Self::furnished();
        home.run(&["upload", "f/a.txt", "folder:store/"]).expect(0);
        home
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        fs::write(path, text).expect("written");
    }

    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).expect(name)
    }

    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tidelock"));
        command.args(args).current_dir(self.dir.path()).stdin(Stdio::null()).env_clear();
        command.env("HOME", self.path("home")).env("XDG_STATE_HOME", self.path("state"));
        // No test asks the cloud machine it may run on who it is.
        command.env("AWS_EC2_METADATA_DISABLED", "true");
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command
    }

    pub fn run(&self, args: &[&str]) -> Ran {
        self.command(args).output().expect("it runs").into()
    }

    /// The folder and its store.
    pub fn sync(&self, more: &[&str]) -> Ran {
        self.run(&[&["sync", "f", "folder:store"], more].concat())
    }

    pub fn state_file(&self, ending: &str) -> PathBuf {
        let folder = self.path("state/tidelock/pairs");
        let found = fs::read_dir(folder).expect("states").map(|item| item.expect("an entry").path());
        found.into_iter().find(|path| path.to_string_lossy().ends_with(ending)).expect(ending)
    }
}

/// Everything below a folder: kind, mode, time, content.
pub fn tree(root: &Path) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        let Ok(items) = fs::read_dir(&folder) else { continue };
        for item in items {
            let path = item.expect("an entry").path();
            let name = path.strip_prefix(root).expect("below").to_string_lossy().into_owned();
            if name == ".tidelock" {
                continue;
            }
            let meta = fs::symlink_metadata(&path).expect("there");
            let time = format!("{}.{}", meta.mtime(), meta.mtime_nsec());
            let mode = meta.permissions().mode() & 0o7777;
            let said = if meta.is_dir() {
                folders.push(path);
                format!("folder {mode:o}")
            } else if meta.is_symlink() {
                format!("link {}", fs::read_link(&path).expect("a link").display())
            } else {
                format!("file {mode:o} {time} {}", String::from_utf8_lossy(&fs::read(&path).expect("readable")))
            };
            found.insert(name, said);
        }
    }
    found
}

/// Every file's bytes, times apart.
pub fn bytes(root: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        let Ok(items) = fs::read_dir(&folder) else { continue };
        for item in items {
            let path = item.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.is_file() {
                // Sockets hold nothing.
                found.insert(path.clone(), fs::read(&path).expect("readable"));
            }
        }
    }
    found
}
