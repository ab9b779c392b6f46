//! What a person may type.
//!
//! Every verb with its options and a help text that teaches by example. What was
//! typed becomes a request of the command surface in `args/request.rs`; nothing is
//! opened here, but for ignore files, whose text travels with the request.

pub mod batch;
pub mod config;
mod foreign;
mod help;
pub mod names;
pub mod object;
pub mod objects;
pub mod options;
mod order;
pub mod request;
pub mod secrets;
pub mod verbs;
pub mod whom;

use crate::{exit, render, standard};
use batch::BatchArgs;
use clap::{ArgMatches, CommandFactory, FromArgMatches, Parser, Subcommand};
use config::{ConfigArgs, InitArgs};
use objects::{
    BucketsArgs, CatArgs, CompletionsArgs, DoctorArgs, DownloadArgs, InfoArgs, ManArgs, MvArgs, RmArgs, RunsArgs,
    UploadArgs,
};
use std::borrow::Cow;
use std::io::Write;
use std::path::PathBuf;
use tidelock_remote::url;
use verbs::{ApplyArgs, DemoArgs, LsArgs, MovesArgs, PlanArgs, RestoreArgs, StatusArgs, SyncArgs, WhyArgs};

/// Keeps folders and S3-compatible buckets the same, without sending twice what is
/// already there and without losing a byte.
#[derive(Debug, Parser)]
#[command(name = "tidelock", version, after_help = exit::HELP, arg_required_else_help = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub verb: Verb,
    /// Write events as JSON, one per line (docs/events.md).
    #[arg(long, global = true)]
    pub json: bool,
    /// Say nothing but what went wrong.
    #[arg(long, short, global = true)]
    pub quiet: bool,
    /// Say what was done to each file.
    #[arg(long, short, global = true, conflicts_with = "quiet")]
    pub verbose: bool,
    /// Take this configuration file instead of the usual one.
    #[arg(long, value_name = "FILE", global = true)]
    pub config: Option<PathBuf>,
}

impl Cli {
    /// Reads the process's arguments; prints help or a complaint and ends where
    /// there is nothing to run.
    pub fn read() -> (Self, ArgMatches) {
        let command = Self::shown_command();
        let typed = order::in_order(&command, std::env::args_os().collect());
        let read = command.try_get_matches_from(typed).map_err(foreign::with_hint);
        match read.and_then(|matches| Ok((Self::from_arg_matches(&matches)?, matches))) {
            Ok(read) => read,
            Err(error) if error.use_stderr() && asks_for_json() => {
                render::misused(Self::misused_verb().as_deref().unwrap_or(""), &error.to_string());
                std::process::exit(exit::USAGE)
            }
            Err(error) => {
                let code = error.exit_code();
                // Whoever leaves early has seen enough; help that nobody could be shown is a failure.
                match print(&error) {
                    Err(lost) if !error.use_stderr() && lost.kind() != std::io::ErrorKind::BrokenPipe => {
                        render::complain(&format!("the output could not be written: {lost}"));
                        std::process::exit(exit::unshown(code))
                    }
                    _ => std::process::exit(code),
                }
            }
        }
    }

    /// The command line, without the options that mean nothing to a verb in its help:
    /// these verbs delete nothing, and write the remote by copies at most.
    fn shown_command() -> clap::Command {
        const DELETIONS: [&str; 4] = ["max_delete", "confirm_deletes", "take_over", "allow_unconditional"];
        ["restore", "moves", "upload", "download"].into_iter().fold(Self::command(), |command, verb| {
            command.mut_subcommand(verb, |verb| {
                DELETIONS.into_iter().fold(verb, |verb, option| verb.mut_arg(option, |option| option.hide(true)))
            })
        })
    }

    /// The verb of a command line that is wrong elsewhere.
    fn misused_verb() -> Option<String> {
        let command = Self::command();
        let typed = std::env::args_os().skip(1);
        typed.filter_map(|word| word.into_string().ok()).find(|word| command.find_subcommand(word).is_some())
    }
}

/// Prints help, or a complaint without the secrets of what was typed.
fn print(error: &clap::Error) -> std::io::Result<()> {
    if !error.use_stderr() {
        let mut stdout = standard::output()?;
        error.print()?;
        return stdout.flush();
    }
    let plain = error.to_string();
    match url::shown(&plain) {
        Cow::Borrowed(_) => error.print(),
        Cow::Owned(safe) => write!(std::io::stderr(), "{safe}"),
    }
}

/// Whether events were asked for on a command line that could not be understood.
fn asks_for_json() -> bool {
    std::env::args_os().skip(1).take_while(|word| word != "--").any(|word| word == "--json")
}

impl Verb {
    /// Its name, as people type it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Sync(_) => "sync",
            Self::Status(_) => "status",
            Self::Plan(_) => "plan",
            Self::Apply(_) => "apply",
            Self::Moves(_) => "moves",
            Self::Restore(_) => "restore",
            Self::Ls(_) => "ls",
            Self::Why(_) => "why",
            Self::Demo(_) => "demo",
            Self::Batch(_) => "batch",
            Self::Config(_) => "config",
            Self::Init(_) => "init",
            Self::Upload(_) => "upload",
            Self::Download(_) => "download",
            Self::Info(_) => "info",
            Self::Cat(_) => "cat",
            Self::Rm(_) => "rm",
            Self::Mv(_) => "mv",
            Self::Buckets(_) => "buckets",
            Self::Runs(_) => "runs",
            Self::Doctor(_) => "doctor",
            Self::Completions(_) => "completions",
            Self::Man(_) => "man",
        }
    }
}

/// What can be done.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Make a remote like a folder: send what is new or changed here.
    #[command(after_help = help::SYNC)]
    Sync(SyncArgs),
    /// What a sync would do, and how the pair stands. Changes nothing.
    #[command(after_help = help::STATUS)]
    Status(StatusArgs),
    /// Write down what a sync would do, to be looked at and applied later.
    #[command(after_help = help::PLAN)]
    Plan(PlanArgs),
    /// Carry out a plan that was written down: its steps and no others.
    #[command(after_help = help::APPLY)]
    Apply(ApplyArgs),
    /// Carry renames over, and nothing else.
    #[command(after_help = help::MOVES)]
    Moves(MovesArgs),
    /// Bring files back from a remote.
    #[command(after_help = help::RESTORE)]
    Restore(RestoreArgs),
    /// List what is on a remote.
    #[command(after_help = help::LS)]
    Ls(LsArgs),
    /// Why a path is treated as it is: rule, record, evidence, decision.
    #[command(after_help = help::WHY)]
    Why(WhyArgs),
    /// Watch Tidelock work, in a folder of its own.
    #[command(after_help = help::DEMO)]
    Demo(DemoArgs),
    /// Sync every configured pair, each in its own mode, and report once.
    #[command(after_help = help::BATCH)]
    Batch(BatchArgs),
    /// What is configured, where that was said, and whether it makes sense.
    #[command(after_help = help::CONFIG)]
    Config(ConfigArgs),
    /// Write a configuration to start from.
    #[command(after_help = help::INIT)]
    Init(InitArgs),
    /// Send files and folders to where you say.
    #[command(after_help = help::UPLOAD)]
    Upload(UploadArgs),
    /// Fetch an object, or everything below a name.
    #[command(after_help = help::DOWNLOAD)]
    Download(DownloadArgs),
    /// What is known of an object: size, times, class, checksums, metadata.
    #[command(after_help = help::INFO)]
    Info(InfoArgs),
    /// Print an object, or some of its bytes.
    #[command(after_help = help::CAT)]
    Cat(CatArgs),
    /// Remove objects.
    #[command(after_help = help::RM)]
    Rm(RmArgs),
    /// Rename objects there, without sending them.
    #[command(after_help = help::MV)]
    Mv(MvArgs),
    /// List the buckets that the credentials may see.
    #[command(after_help = help::BUCKETS)]
    Buckets(BucketsArgs),
    /// What was run, and what happened in it.
    #[command(after_help = help::RUNS)]
    Runs(RunsArgs),
    /// Whether everything works that a sync needs, and what to do if not.
    #[command(after_help = help::DOCTOR)]
    Doctor(DoctorArgs),
    /// Print a script that completes what you type in a shell.
    #[command(after_help = help::COMPLETIONS)]
    Completions(CompletionsArgs),
    /// Print the manual page, or write one for every verb into a folder.
    #[command(after_help = help::MAN)]
    Man(ManArgs),
}
