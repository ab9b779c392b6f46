//! The arguments of verbs that work with what a person names: objects, buckets, runs,
//! and the tool itself.
//!
//! Names are left as they were typed; which key one is, the engine finds out.

use super::help;
use super::object::ObjectArgs;
use super::options::{self, DryRunArg, LookArgs, RunArgs, ServiceArgs};
use clap::{Args, Subcommand};
use std::path::PathBuf;
use tidelock_engine::api::{ByteRange, Options};
use tidelock_remote::url::word;

/// `upload`.
#[derive(Debug, Args)]
pub struct UploadArgs {
    /// Files and folders; - is standard input.
    #[arg(required = true, value_name = "FILE", value_parser = options::local())]
    pub files: Vec<PathBuf>,
    /// Where to: s3://BUCKET/NAME, folder:STORE/NAME or PAIR/NAME; ending in /, names are kept.
    #[arg(value_parser = name_or_pair, long_help = help::NAMES)]
    pub remote: String,
    /// Whether anything is changed.
    #[command(flatten)]
    pub dry: DryRunArg,
    /// What written objects get.
    #[command(flatten)]
    pub object: ObjectArgs,
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

/// `download`.
#[derive(Debug, Args)]
pub struct DownloadArgs {
    /// From where: an object, or a name that objects lie below.
    #[arg(value_parser = name_or_pair, long_help = help::NAMES)]
    pub remote: String,
    /// Where to: a folder that is there, LOCAL/ or a new name; - is standard output.
    #[arg(default_value = ".", value_parser = options::local())]
    pub local: PathBuf,
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

/// `info`.
#[derive(Debug, Args)]
pub struct InfoArgs {
    /// The object: s3://BUCKET/KEY, folder:STORE/KEY or PAIR/PATH.
    #[arg(value_parser = name_or_pair)]
    pub remote: String,
    /// Where the service is.
    #[command(flatten)]
    pub service: ServiceArgs,
}

/// `cat`.
#[derive(Debug, Args)]
pub struct CatArgs {
    /// The object: s3://BUCKET/KEY, folder:STORE/KEY or PAIR/PATH.
    #[arg(value_parser = name_or_pair)]
    pub remote: String,
    /// Only these bytes: 0-99 (both ends), 100- (from there on), -100 (the last hundred).
    #[arg(long, value_name = "BYTES", value_parser = range, allow_hyphen_values = true)]
    pub range: Option<ByteRange>,
    /// Fetch no more than so much each second, as in 10MiB/s.
    #[arg(long, value_name = "RATE", value_parser = super::object::rate)]
    pub bwlimit: Option<u64>,
    /// Where the service is.
    #[command(flatten)]
    pub service: ServiceArgs,
}

/// What of the names that lie below one goes with it.
#[derive(Debug, Clone, Copy, Args)]
pub struct BelowArgs {
    /// Take everything below a name.
    #[arg(long, short)]
    pub recursive: bool,
    /// Stop if more than N would go from where they are.
    #[arg(long, value_name = "N", value_parser = options::number, allow_negative_numbers = true, help_heading = "Safety")]
    pub max_delete: Option<u64>,
    /// Take more than 20 objects below a name.
    #[arg(long, help_heading = "Safety")]
    pub confirm_deletes: bool,
}

impl BelowArgs {
    /// With what was said here.
    pub fn within(&self, options: Options) -> Options {
        Options { max_delete: self.max_delete, confirm_deletes: self.confirm_deletes, ..options }
    }
}

/// `rm`.
#[derive(Debug, Args)]
pub struct RmArgs {
    /// The objects: s3://BUCKET/KEY, folder:STORE/KEY or PAIR/PATH.
    #[arg(required = true, value_name = "REMOTE", value_parser = name_or_pair)]
    pub remotes: Vec<String>,
    /// What lies below a name.
    #[command(flatten)]
    pub below: BelowArgs,
    /// Whether anything is changed.
    #[command(flatten)]
    pub dry: DryRunArg,
    /// Where the service is.
    #[command(flatten)]
    pub service: ServiceArgs,
}

/// `mv`.
#[derive(Debug, Args)]
pub struct MvArgs {
    /// An object, or a name that objects lie below.
    #[arg(value_parser = name_or_pair)]
    pub from: String,
    /// Its new name, in the same bucket or store; ending in /, the last part is kept.
    #[arg(value_parser = name_or_pair)]
    pub to: String,
    /// Replace what has the new name.
    #[arg(long)]
    pub overwrite: bool,
    /// What lies below a name.
    #[command(flatten)]
    pub below: BelowArgs,
    /// Whether anything is changed.
    #[command(flatten)]
    pub dry: DryRunArg,
    /// What the copies get.
    #[command(flatten)]
    pub object: ObjectArgs,
    /// Where the service is.
    #[command(flatten)]
    pub service: ServiceArgs,
}

/// `buckets`.
#[derive(Debug, Args)]
pub struct BucketsArgs {
    /// With the time they were made.
    #[arg(long, short)]
    pub long: bool,
    /// Where the service is.
    #[command(flatten)]
    pub service: ServiceArgs,
}

/// `runs`.
#[derive(Debug, Args)]
pub struct RunsArgs {
    /// One of them.
    #[command(subcommand)]
    pub what: Option<RunsVerb>,
    /// Only those of a configured pair, or of a folder.
    #[arg(value_name = "PAIR|FOLDER")]
    pub about: Option<PathBuf>,
    /// How many are shown, the latest first.
    #[arg(long, value_name = "N", default_value = "20", value_parser = options::some)]
    pub limit: u64,
}

/// What of the history is shown.
#[derive(Debug, Subcommand)]
pub enum RunsVerb {
    /// One run, with what happened in it.
    Show {
        /// Its number.
        #[arg(value_name = "N", value_parser = options::number)]
        number: u64,
    },
}

/// `doctor`.
#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// The remote, or the name of a configured pair; without it, the account.
    #[arg(value_name = "REMOTE|PAIR", value_parser = name_or_pair)]
    pub remote: Option<String>,
    /// Write nothing, not even to try permissions.
    #[arg(long)]
    pub read_only: bool,
    /// Give up uploads that were begun more than a day ago and never ended.
    #[arg(long, requires = "remote")]
    pub abandon_uploads: bool,
    /// Where the service is.
    #[command(flatten)]
    pub service: ServiceArgs,
}

/// `completions`.
#[derive(Debug, Args)]
pub struct CompletionsArgs {
    /// For which shell.
    pub shell: clap_complete::Shell,
}

/// `man`.
#[derive(Debug, Args)]
pub struct ManArgs {
    /// A folder to write a page for every verb into; without it, the main page is printed.
    pub dir: Option<PathBuf>,
}

/// The same, or what may be a pair's name, perhaps with a path below it.
pub fn name_or_pair(text: &str) -> Result<String, String> {
    if options::may_be_pair(text) { Ok(text.to_owned()) } else { name(text) }
}

/// The name of an object, left as it was typed. Which key it is, the engine finds out:
/// keys may be odder than the prefixes that folders are synced to.
pub fn name(text: &str) -> Result<String, String> {
    match text.strip_prefix("s3://") {
        Some(rest) => {
            let bucket = rest.split_once('/').map_or(rest, |(bucket, _)| bucket);
            options::remote(&format!("s3://{bucket}")).map(|_| text.to_owned())
        }
        None => options::remote(text),
    }
}

/// Bytes as HTTP counts them.
fn range(text: &str) -> Result<ByteRange, String> {
    let wrong = || format!("{:?} is no range; write 0-99, 100- or -100", word(text));
    let (first, last) = text.split_once('-').ok_or_else(wrong)?;
    let number = |text: &str| match text {
        "" => Ok(None),
        digits => digits.parse::<u64>().map(Some).map_err(|_| wrong()),
    };
    match (number(first)?, number(last)?) {
        (None, None) => Err(wrong()),
        (Some(first), Some(last)) if first > last => Err(format!("{text:?} ends before it begins")),
        (first, last) => Ok(ByteRange { first, last }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges() {
        for (text, first, last) in [("0-99", Some(0), Some(99)), ("100-", Some(100), None), ("-100", None, Some(100))] {
            assert_eq!(range(text), Ok(ByteRange { first, last }), "{text}");
        }
        for text in ["", "-", "5", "9-1", "a-b", "1-2-3"] {
            assert!(range(text).is_err(), "{text}");
        }
    }

    #[test]
    fn names_may_be_odd() {
        for text in ["s3://tide/a//../b", "s3://tide", "folder:/a/b"] {
            assert_eq!(name(text), Ok(text.to_owned()));
        }
        assert!(name("s3://T/a").is_err() && name("/a").is_err());
    }
}
