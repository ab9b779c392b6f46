//! The verbs' own arguments.
//!
//! One struct each; what several share is `options.rs`.

use super::help;
use super::object::ObjectArgs;
use super::options::{self, DryRunArg, LookArgs, RunArgs, ServiceArgs};
use clap::Args;
use std::path::PathBuf;

/// `sync`.
#[derive(Debug, Args)]
pub struct SyncArgs {
    /// The folder; or, alone, the name of a configured pair.
    #[arg(value_name = "LOCAL|PAIR", value_parser = options::local())]
    pub local: PathBuf,
    /// The remote: s3://BUCKET[/PREFIX], folder:PATH or PROFILE:PREFIX.
    #[arg(value_parser = options::remote, long_help = help::REMOTES)]
    pub remote: Option<String>,
    /// How far it goes.
    #[command(flatten)]
    pub mode: ModeArgs,
    /// Whether anything is changed.
    #[command(flatten)]
    pub dry: DryRunArg,
    /// How both sides are looked at.
    #[command(flatten)]
    pub look: LookArgs,
    /// How the run goes about it.
    #[command(flatten)]
    pub run: RunArgs,
    /// What written objects get.
    #[command(flatten)]
    pub object: ObjectArgs,
    /// Where the service is.
    #[command(flatten)]
    pub service: ServiceArgs,
}

/// How far a sync goes.
#[derive(Debug, Default, Args)]
#[group(multiple = false)]
pub struct ModeArgs {
    /// Delete nothing, and leave what others changed there (the default of what is no pair).
    #[arg(long, help_heading = "Mode")]
    pub push: bool,
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
    /// The folder; or, alone, the name of a configured pair.
    #[arg(value_name = "LOCAL|PAIR", value_parser = options::local())]
    pub local: PathBuf,
    /// The remote: s3://BUCKET[/PREFIX], folder:PATH or PROFILE:PREFIX.
    #[arg(value_parser = options::remote)]
    pub remote: Option<String>,
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
    /// The folder; or, alone, the name of a configured pair.
    #[arg(value_name = "LOCAL|PAIR", value_parser = options::local())]
    pub local: PathBuf,
    /// The remote: s3://BUCKET[/PREFIX], folder:PATH or PROFILE:PREFIX.
    #[arg(value_parser = options::remote)]
    pub remote: Option<String>,
    /// Whether anything is changed.
    #[command(flatten)]
    pub dry: DryRunArg,
    /// How both sides are looked at.
    #[command(flatten)]
    pub look: LookArgs,
    /// How the run goes about it.
    #[command(flatten)]
    pub run: RunArgs,
    /// What written objects get.
    #[command(flatten)]
    pub object: ObjectArgs,
    /// Where the service is.
    #[command(flatten)]
    pub service: ServiceArgs,
}

/// `restore`.
#[derive(Debug, Args)]
pub struct RestoreArgs {
    /// The remote; or PAIR or PAIR/PATH, in that of a configured pair.
    #[arg(value_name = "REMOTE|PAIR", value_parser = options::remote_or_pair)]
    pub remote: String,
    /// The folder; made if there is none. A pair has its own.
    #[arg(value_parser = options::local())]
    pub local: Option<PathBuf>,
    /// Only this file, or what is in this folder, of what is there; it gets its place below LOCAL.
    #[arg(long, value_name = "PATH", value_parser = options::part)]
    pub path: Option<String>,
    /// Replace files that differ here; the old ones go to the trash.
    #[arg(long, help_heading = "Mode")]
    pub overwrite: bool,
    /// Whether anything is changed.
    #[command(flatten)]
    pub dry: DryRunArg,
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
    /// The remote: s3://BUCKET[/PREFIX], folder:PATH or PROFILE:PREFIX; or PAIR or PAIR/PATH, in that of a
    /// configured pair. Without it, the buckets are listed.
    #[arg(value_name = "REMOTE|PAIR", value_parser = super::objects::name_or_pair)]
    pub remote: Option<String>,
    /// Only what begins with this.
    #[arg(long, value_name = "PREFIX", default_value = "", requires = "remote")]
    pub path: String,
    /// Only what holds this, large letters or small; * stands for anything.
    #[arg(long, value_name = "TEXT", requires = "remote")]
    pub search: Option<String>,
    /// Show no more than N.
    #[arg(long, value_name = "N", value_parser = options::number, requires = "remote")]
    pub limit: Option<u64>,
    /// Pass over the first N.
    #[arg(long, value_name = "N", value_parser = options::number, default_value = "0", requires = "remote")]
    pub offset: u64,
    /// With size, time and storage class.
    #[arg(long, short)]
    pub long: bool,
    /// Where the service is.
    #[command(flatten)]
    pub service: ServiceArgs,
}

/// `plan`.
#[derive(Debug, Args)]
pub struct PlanArgs {
    /// The folder; or, alone, the name of a configured pair.
    #[arg(value_name = "LOCAL|PAIR", value_parser = options::local())]
    pub local: PathBuf,
    /// The remote: s3://BUCKET[/PREFIX], folder:PATH or PROFILE:PREFIX.
    #[arg(value_parser = options::remote)]
    pub remote: Option<String>,
    /// Where to write it; - is standard output.
    #[arg(long, short, value_name = "FILE", default_value = "-")]
    pub output: PathBuf,
    /// How far it goes.
    #[command(flatten)]
    pub mode: ModeArgs,
    /// How both sides are looked at.
    #[command(flatten)]
    pub look: LookArgs,
    /// Where the service is.
    #[command(flatten)]
    pub service: ServiceArgs,
}

/// `apply`.
#[derive(Debug, Args)]
pub struct ApplyArgs {
    /// The plan; - is standard input.
    pub file: PathBuf,
    /// How the run goes about it.
    #[command(flatten)]
    pub run: RunArgs,
    /// What written objects get.
    #[command(flatten)]
    pub object: ObjectArgs,
    /// Where the service is.
    #[command(flatten)]
    pub service: ServiceArgs,
}

/// `why`.
#[derive(Debug, Args)]
pub struct WhyArgs {
    /// The folder, or the name of a configured pair.
    #[arg(value_name = "LOCAL|PAIR", value_parser = options::local())]
    pub local: PathBuf,
    /// The remote; after a pair's name, the path.
    #[arg(value_name = "REMOTE|PATH")]
    pub remote: String,
    /// The path, below the folder.
    pub path: Option<String>,
    /// How both sides are looked at.
    #[command(flatten)]
    pub look: LookArgs,
    /// Where the service is.
    #[command(flatten)]
    pub service: ServiceArgs,
}

/// `demo`.
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// A folder of yours; a copy of it is used, and it is never changed.
    pub folder: Option<PathBuf>,
    /// Keep the temporary folder and say where it is.
    #[arg(long)]
    pub keep: bool,
}
