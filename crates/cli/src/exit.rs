//! Exit codes: the contract of docs/exit-codes.md.
//!
//! They follow from how a run ended, which the engine tells; only misuse of the
//! command line and signals are this crate's own.

use std::process::ExitCode;

/// The command line was misunderstood. Clap ends with the same.
pub const USAGE: i32 = 2;

/// What `--help` says of them.
pub const HELP: &str = "\
Exit codes:
    0  done
    1  something failed
    2  the command line is wrong
    3  some paths were skipped
    4  the folder or bucket is missing
    5  stopped for safety
    6  conflicts wait for you
    7  archived data must be thawed first
   75  busy or unreachable: try again later
   77  credentials or permissions
   78  a setting is wrong
  130  interrupted; the next run goes on
  143  ended; the next run goes on
When several apply: 130/143 > 2 > 78 > 77 > 5 > 75 > 1 > 6 > 3 > 7 > 4.";

/// The code of a command whose output was lost: a failure, unless it ended worse.
pub fn unshown(code: i32) -> i32 {
    match code {
        0 | 3 | 4 | 6 | 7 => 1,
        worse => worse,
    }
}

/// The code as the process returns it.
pub fn code(code: i32) -> ExitCode {
    ExitCode::from(u8::try_from(code).unwrap_or(1))
}
