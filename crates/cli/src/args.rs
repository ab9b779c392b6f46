//! What a person may type.
//!
//! Every verb with its options and a help text that teaches by example. What was
//! typed becomes a request of the command surface in `args/request.rs`; nothing is
//! opened here, but for ignore files, whose text travels with the request.

pub mod options;
pub mod request;

use crate::exit;
use clap::{ArgMatches, Args, CommandFactory, FromArgMatches, Parser, Subcommand};
use options::{LookArgs, RunArgs, ServiceArgs};
use std::path::PathBuf;

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
}

impl Cli {
    /// Reads the process's arguments; prints help or a complaint and ends where
    /// there is nothing to run.
    pub fn read() -> (Self, ArgMatches) {
        let matches = Self::command().get_matches();
        match Self::from_arg_matches(&matches) {
            Ok(cli) => (cli, matches),
            Err(error) => error.exit(),
        }
    }
}

/// What can be done.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Make a remote like a folder: send what is new or changed here.
    #[command(after_help = SYNC_HELP)]
    Sync(SyncArgs),
    /// What a sync would do, and how the pair stands. Changes nothing.
    #[command(after_help = STATUS_HELP)]
    Status(StatusArgs),
    /// Carry renames over, and nothing else.
    #[command(after_help = MOVES_HELP)]
    Moves(MovesArgs),
    /// Bring files back from a remote.
    #[command(after_help = RESTORE_HELP)]
    Restore(RestoreArgs),
    /// List what is on a remote.
    #[command(after_help = LS_HELP)]
    Ls(LsArgs),
}

const REMOTES: &str = "\
Remotes:
    s3://BUCKET[/PREFIX]  a bucket; credentials from the standard AWS places
    folder:PATH           an embedded store in a folder on this machine";

const SYNC_HELP: &str = "\
Without a mode nothing is ever deleted, and what others changed there stays.

Examples:
    tidelock sync ~/photos s3://my-photos/2026
        sends what is new or changed
    tidelock sync ~/photos s3://my-photos/2026 --delete --dry-run
        shows what would be sent, renamed and deleted
    tidelock sync ~/notes folder:/mnt/usb/notes --two-way
        passes changes on both ways; of a file changed on both sides, both stay
    tidelock sync . s3://site --mirror --exclude '*.tmp' --include keep.tmp
        makes the bucket exactly like the folder; the last matching pattern wins

Remotes:
    s3://BUCKET[/PREFIX]  a bucket; credentials from the standard AWS places
    folder:PATH           an embedded store in a folder on this machine";

const STATUS_HELP: &str = "\
Looks at both sides as a sync in the pair's own mode would, and stops there.

Example:
    tidelock status ~/photos s3://my-photos/2026";

const MOVES_HELP: &str = "\
Files and folders renamed here are renamed there by copies on the remote, without
sending them. Everything else waits for a sync.

Example:
    tidelock moves ~/photos s3://my-photos/2026 --dry-run";

const RESTORE_HELP: &str = "\
Missing files come back. Files that differ here stay, are listed, and make the exit
code 3; with --overwrite they are replaced and the old ones go to .tidelock/trash.

Examples:
    tidelock restore s3://my-photos/2026 ~/photos
    tidelock restore folder:/mnt/usb/notes /tmp/notes --include '*.md' --exclude '*'
    tidelock restore s3://my-photos ~/photos --overwrite --dry-run";

const LS_HELP: &str = "\
Examples:
    tidelock ls s3://my-photos
    tidelock ls folder:/mnt/usb/notes --path drafts/ --long
    tidelock ls s3://my-photos --json | jq -r 'select(.event == \"object\").key'";

/// `sync`.
#[derive(Debug, Args)]
pub struct SyncArgs {
    /// The folder.
    pub local: PathBuf,
    /// The remote: s3://BUCKET[/PREFIX] or folder:PATH.
    #[arg(value_parser = options::remote, long_help = REMOTES)]
    pub remote: String,
    /// How far it goes.
    #[command(flatten)]
    pub mode: ModeArgs,
    /// How both sides are looked at.
    #[command(flatten)]
    pub look: LookArgs,
    /// How the run goes about it.
    #[command(flatten)]
    pub run: RunArgs,
    /// Where the service is.
    #[command(flatten)]
    pub service: ServiceArgs,
}

/// How far a sync goes.
#[derive(Debug, Default, Args)]
#[group(multiple = false)]
pub struct ModeArgs {
    /// Delete there what was deleted here since the last sync.
    #[arg(long, help_heading = "Mode")]
    pub delete: bool,
    /// Make the remote exactly like the folder.
    #[arg(long, help_heading = "Mode")]
    pub mirror: bool,
    /// Pass changes and deletions on both ways.
    #[arg(long, help_heading = "Mode")]
    pub two_way: bool,
}

/// `status`.
#[derive(Debug, Args)]
pub struct StatusArgs {
    /// The folder.
    pub local: PathBuf,
    /// The remote: s3://BUCKET[/PREFIX] or folder:PATH.
    #[arg(value_parser = options::remote)]
    pub remote: String,
    /// How both sides are looked at.
    #[command(flatten)]
    pub look: LookArgs,
    /// Where the service is.
    #[command(flatten)]
    pub service: ServiceArgs,
}

/// `moves`.
#[derive(Debug, Args)]
pub struct MovesArgs {
    /// The folder.
    pub local: PathBuf,
    /// The remote: s3://BUCKET[/PREFIX] or folder:PATH.
    #[arg(value_parser = options::remote)]
    pub remote: String,
    /// How both sides are looked at.
    #[command(flatten)]
    pub look: LookArgs,
    /// How the run goes about it.
    #[command(flatten)]
    pub run: RunArgs,
    /// Where the service is.
    #[command(flatten)]
    pub service: ServiceArgs,
}

/// `restore`.
#[derive(Debug, Args)]
pub struct RestoreArgs {
    /// The remote: s3://BUCKET[/PREFIX] or folder:PATH.
    #[arg(value_parser = options::remote)]
    pub remote: String,
    /// The folder; made if there is none.
    pub local: PathBuf,
    /// Replace files that differ here; the old ones go to the trash.
    #[arg(long, help_heading = "Mode")]
    pub overwrite: bool,
    /// How both sides are looked at.
    #[command(flatten)]
    pub look: LookArgs,
    /// How the run goes about it.
    #[command(flatten)]
    pub run: RunArgs,
    /// Where the service is.
    #[command(flatten)]
    pub service: ServiceArgs,
}

/// `ls`.
#[derive(Debug, Args)]
pub struct LsArgs {
    /// The remote: s3://BUCKET[/PREFIX] or folder:PATH.
    #[arg(value_parser = options::remote)]
    pub remote: String,
    /// Only what begins with this.
    #[arg(long, value_name = "PREFIX", default_value = "")]
    pub path: String,
    /// With size, time and storage class.
    #[arg(long, short)]
    pub long: bool,
    /// Where the service is.
    #[command(flatten)]
    pub service: ServiceArgs,
}
