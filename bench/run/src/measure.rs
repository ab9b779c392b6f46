//! One command, measured by the system.
//!
//! The runner starts itself as a small process between, so that the peak memory that
//! the kernel tells is the command's: a child counts what its parent held when it was
//! started. Wall time is taken around start and end, CPU and memory are those that
//! `wait4` gives, with those of the command's own children.

use crate::tools::Line;
use serde::{Deserialize, Serialize};
use std::fs;
use std::io;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};
use wait4::Wait4;

/// A command that takes longer is ended.
const PATIENCE: Duration = Duration::from_secs(1800);

/// What a command took.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Cost {
    pub wall_s: f64,
    pub user_s: f64,
    pub sys_s: f64,
    pub rss_bytes: u64,
    /// Its exit code; none if a signal ended it.
    pub exit: Option<i32>,
}

/// What the end of a command's complaints may be, in bytes.
const COMPLAINT: usize = 300;

/// Runs a command: what it took, and the last that it said in complaint.
pub fn run(line: &Line, scratch: &Path) -> io::Result<(Cost, String)> {
    let (report, complaints) = (scratch.join("report.json"), scratch.join("complaints.txt"));
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("measure").arg(&report).args(["--", &line.program]).args(&line.args);
    command.env_clear().envs(line.env.iter().map(|(name, value)| (name, value))).current_dir(scratch);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(fs::File::create(&complaints)?);
    let status = command.status()?;
    let said = fs::read(&complaints)?;
    let said = String::from_utf8_lossy(&said[said.len().saturating_sub(COMPLAINT)..]).trim().to_owned();
    if !status.success() {
        return Err(io::Error::other(format!("{} could not be run: {said}", line.program)));
    }
    Ok((serde_json::from_slice(&fs::read(&report)?)?, said))
}

/// The process between: runs the command, writes what it took.
pub fn between(report: &Path, words: &[String]) -> io::Result<()> {
    let Some((program, args)) = words.split_first() else { return Err(io::Error::other("no command")) };
    let begun = Instant::now();
    let child = Command::new(program).args(args).spawn()?;
    let pid = child.id().to_string();
    let (ended, waiting) = mpsc::channel::<()>();
    std::thread::spawn(move || {
        if waiting.recv_timeout(PATIENCE) == Err(mpsc::RecvTimeoutError::Timeout) {
            let _ = Command::new("kill").args(["-9", &pid]).status();
        }
    });
    let used = child.wait4()?;
    let wall = begun.elapsed();
    drop(ended);
    let cost = Cost {
        wall_s: wall.as_secs_f64(),
        user_s: used.rusage.utime.as_secs_f64(),
        sys_s: used.rusage.stime.as_secs_f64(),
        rss_bytes: used.rusage.maxrss,
        exit: used.status.code(),
    };
    fs::write(report, serde_json::to_vec(&cost)?)
}
