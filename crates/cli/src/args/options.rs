//! Options that several verbs share, and how their values are read.
//!
//! Groups follow what a person thinks of: what takes part, how a run goes about
//! it, where the service is. Their meaning is the engine's.

use crate::render::shown as safe;
use clap::builder::{PathBufValueParser, TypedValueParser};
use clap::{Args, ValueEnum};
use std::path::PathBuf;
use tidelock_engine::config::resolve::{is_name, split_profile};
use tidelock_engine::config::units::Wait;
use tidelock_remote::url::{LOGIN, RemoteUrl, holds_login, shown};

/// What takes part, and how it is compared.
#[derive(Debug, Args)]
pub struct LookArgs {
    /// Leave out what matches (gitignore patterns; the last match wins).
    #[arg(long, value_name = "PATTERN", help_heading = "What takes part")]
    pub exclude: Vec<String>,
    /// Take in again what an earlier pattern left out.
    #[arg(long, value_name = "PATTERN", help_heading = "What takes part")]
    pub include: Vec<String>,
    /// Read patterns from a file, beside the .tidelockignore files met on the way.
    #[arg(long, value_name = "FILE", help_heading = "What takes part")]
    pub ignore_file: Vec<PathBuf>,
    /// Take names that begin with a dot (the default).
    #[arg(long, overrides_with = "no_hidden", help_heading = "What takes part")]
    pub hidden: bool,
    /// Leave out names that begin with a dot.
    #[arg(long, overrides_with = "hidden", help_heading = "What takes part")]
    pub no_hidden: bool,
    /// Send what links point to instead of the links.
    #[arg(long, help_heading = "What takes part")]
    pub follow_links: bool,
    /// Take extended attributes along.
    #[arg(long, help_heading = "What takes part")]
    pub xattrs: bool,
    /// What proves two files the same that were never in step.
    #[arg(long, value_name = "HOW", help_heading = "How they are compared")]
    pub compare: Option<Compare>,
    /// What becomes of a file changed on both sides.
    #[arg(long, value_name = "HOW", help_heading = "How they are compared")]
    pub conflict: Option<Conflict>,
    /// Where to read from what is there: its listing, or our own record of it.
    #[arg(long, value_name = "HOW", default_value = "list", help_heading = "How they are compared")]
    pub remote_check: RemoteCheck,
    /// The format in which metadata is stored.
    #[arg(long, value_name = "FORMAT", default_value = "rclone", help_heading = "How they are compared")]
    pub metadata: Metadata,
}

/// How a run goes about it.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// Stop if more than N would be deleted within an hour, beside the limits that always hold.
    #[arg(long, value_name = "N", value_parser = number, allow_negative_numbers = true, help_heading = "Safety")]
    pub max_delete: Option<u64>,
    /// Carry out deletions that the guard stopped.
    #[arg(long, help_heading = "Safety")]
    pub confirm_deletes: bool,
    /// Accept that the folder is another directory or file system than before.
    #[arg(long, help_heading = "Safety")]
    pub accept_root: bool,
    /// Mirror onto a place that another device mirrors onto.
    #[arg(long, help_heading = "Safety")]
    pub take_over: bool,
    /// Sync two ways on a service without conditional writes.
    #[arg(long, help_heading = "Safety")]
    pub allow_unconditional: bool,
    /// How long to wait for another run of this pair, as in 30s or 5m.
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = Wait::parse, allow_hyphen_values = true, help_heading = "Safety")]
    pub lock_timeout: Wait,
    /// Transfers at once [default: 16, on S3 32].
    #[arg(long, value_name = "N", value_parser = at_once, help_heading = "Speed")]
    pub concurrency: Option<u32>,
    /// Send at most so much each second, and fetch no more, as in 10MiB/s.
    #[arg(long, value_name = "RATE", value_parser = super::object::rate, help_heading = "Speed")]
    pub bwlimit: Option<u64>,
}

/// Whether anything is changed.
#[derive(Debug, Clone, Copy, Args)]
pub struct DryRunArg {
    /// Say what would be done, and change nothing anywhere.
    #[arg(long, short = 'n')]
    pub dry_run: bool,
}

/// Where an S3 service is, and who we are there.
#[derive(Debug, Clone, Default, Args)]
pub struct ServiceArgs {
    /// Where it is.
    #[command(flatten)]
    pub place: PlaceArgs,
    /// The profile: of the configuration, else of the AWS files.
    #[arg(long, help_heading = "S3")]
    pub profile: Option<String>,
}

/// Where an S3 service is.
#[derive(Debug, Clone, Default, Args)]
pub struct PlaceArgs {
    /// The service's address, as in https://s3.example.org; without one it is Amazon's.
    #[arg(long, value_name = "URL", value_parser = endpoint, help_heading = "S3")]
    pub endpoint: Option<String>,
    /// The region.
    #[arg(long, help_heading = "S3")]
    pub region: Option<String>,
    /// The service by name, as in wasabi or r2, for its address and habits (docs/providers.md).
    #[arg(long, value_name = "NAME", help_heading = "S3")]
    pub provider: Option<String>,
    /// Name the bucket in the path instead of the host name.
    #[arg(long, help_heading = "S3")]
    pub path_style: bool,
}

/// `--compare`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Compare {
    /// Equal size and modification time.
    Stamp,
    /// Equal content.
    Digest,
}

/// `--conflict`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Conflict {
    /// Write nothing and list it.
    Report,
    /// Keep both, one under another name.
    KeepBoth,
    /// The folder's wins.
    Local,
    /// The remote's wins.
    Remote,
    /// The one modified later wins.
    Newer,
}

/// `--remote-check`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum RemoteCheck {
    /// List it.
    List,
    /// Trust the record; nothing is then deleted or replaced without a look.
    State,
}

/// `--metadata`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Metadata {
    /// As rclone does.
    Rclone,
    /// As s3fs does.
    S3fs,
    /// The modification time alone.
    Minimal,
}

/// A remote's name, checked and left as it was typed. Whether there is such a profile
/// is asked of the configuration.
pub fn remote(text: &str) -> Result<String, String> {
    if split_profile(text).is_some() {
        return Ok(text.to_owned());
    }
    RemoteUrl::parse(text).map(|_| text.to_owned()).map_err(|error| error.why)
}

/// A service's address, checked and left as it was typed.
pub fn endpoint(text: &str) -> Result<String, String> {
    if text.contains('@') || holds_login(text) { Err(LOGIN.to_owned()) } else { Ok(text.to_owned()) }
}

/// How many.
pub fn number(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| "write a whole number, 0 or more, as in 100".to_owned())
}

/// How many, and not none.
pub fn some(text: &str) -> Result<u64, String> {
    number(text).ok().filter(|count| *count > 0).ok_or_else(|| "write a whole number, 1 or more, as in 100".to_owned())
}

fn at_once(text: &str) -> Result<u32, String> {
    let count = text.parse().ok().filter(|count| (1..=1024).contains(count));
    count.ok_or_else(|| "write a whole number from 1 to 1024".to_owned())
}

/// A part of what there is: nothing is not a name for everything.
pub fn part(text: &str) -> Result<String, String> {
    if text.trim_matches('/').is_empty() {
        return Err("it names nothing; leave it out to bring everything back".to_owned());
    }
    Ok(text.to_owned())
}

/// The same, or what may be a pair's name, perhaps with a path below it.
pub fn remote_or_pair(text: &str) -> Result<String, String> {
    if may_be_pair(text) { Ok(text.to_owned()) } else { remote(text) }
}

/// Whether it is `PAIR` or `PAIR/PATH`, if there is such a pair. No remote is: it has a
/// colon before any slash.
pub fn may_be_pair(text: &str) -> bool {
    is_name(text.split('/').next().unwrap_or_default())
}

/// Reads a folder's name. One that reads like a remote is a swapped argument.
pub fn local() -> impl TypedValueParser<Value = PathBuf> {
    PathBufValueParser::new().try_map(|path| match path.to_str() {
        Some(text) if text.starts_with("s3://") || RemoteUrl::parse(text).is_ok() => Err(format!(
            "it names a remote, where the folder is meant; a folder of that name is ./{}",
            safe(&shown(text))
        )),
        _ => Ok(path),
    })
}
