//! Requests and replies of the verbs that work with what a person names: objects,
//! buckets, runs, and the state of things.
//!
//! Only shapes; what they mean is told by their rooms in `commands/`.

use super::{Options, Service};
use crate::event::Event;
use crate::report::{Ending, Report};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Asks for files to be sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Upload {
    /// Files and folders; `-` is standard input.
    pub files: Vec<PathBuf>,
    /// Where to; ending in `/`, names are kept.
    pub remote: String,
    /// Where the S3 service is.
    #[serde(default)]
    pub service: Service,
    /// How.
    #[serde(default)]
    pub options: Options,
}

/// Asks for an object, or everything below a name, to be fetched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Download {
    /// From where.
    pub remote: String,
    /// Where to.
    pub local: PathBuf,
    /// Whether files that differ here are replaced.
    #[serde(default)]
    pub overwrite: bool,
    /// Where the S3 service is.
    #[serde(default)]
    pub service: Service,
    /// How.
    #[serde(default)]
    pub options: Options,
}

/// Asks what is known of an object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Info {
    /// Which.
    pub remote: String,
    /// Where the S3 service is.
    #[serde(default)]
    pub service: Service,
}

/// Asks for an object's bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cat {
    /// Which.
    pub remote: String,
    /// Which of them; all if nobody says.
    #[serde(default)]
    pub range: Option<ByteRange>,
    /// Where the S3 service is.
    #[serde(default)]
    pub service: Service,
    /// How.
    #[serde(default)]
    pub options: Options,
}

/// Some bytes of an object, as HTTP counts them: both ends belong to it, and without a
/// first one the last so many are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ByteRange {
    /// The first.
    pub first: Option<u64>,
    /// The last.
    pub last: Option<u64>,
}

/// Asks for objects to be removed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rm {
    /// Which.
    pub remotes: Vec<String>,
    /// Whether what lies below a name goes too.
    #[serde(default)]
    pub recursive: bool,
    /// Where the S3 service is.
    #[serde(default)]
    pub service: Service,
    /// How.
    #[serde(default)]
    pub options: Options,
}

/// Asks for objects to be renamed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mv {
    /// What.
    pub from: String,
    /// Its new name; ending in `/`, the last part of the old one is kept.
    pub to: String,
    /// Whether what lies below a name is renamed too.
    #[serde(default)]
    pub recursive: bool,
    /// Whether what has the new name is replaced.
    #[serde(default)]
    pub overwrite: bool,
    /// Where the S3 service is.
    #[serde(default)]
    pub service: Service,
    /// How.
    #[serde(default)]
    pub options: Options,
}

/// Asks which buckets there are.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Buckets {
    /// Where the S3 service is.
    #[serde(default)]
    pub service: Service,
}

/// Asks what was run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Runs {
    /// One run, with what happened in it.
    #[serde(default)]
    pub show: Option<u64>,
    /// So many, the latest.
    pub limit: u64,
    /// Only those of one pair, or of one folder.
    #[serde(default)]
    pub about: Option<About>,
}

/// Whose runs are shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct About {
    /// The folder, and what is in it.
    pub local: PathBuf,
    /// Where a pair keeps it; of a folder alone, anywhere.
    #[serde(default)]
    pub remote: Option<String>,
}

/// Asks whether everything works.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Doctor {
    /// Which remote is looked at; the account alone if none.
    pub remote: Option<String>,
    /// Nothing is written to try permissions.
    pub read_only: bool,
    /// Uploads that were begun more than a day ago are given up.
    pub abandon_uploads: bool,
    /// Where the S3 service is.
    pub service: Service,
    /// How it would be written to.
    pub options: Options,
}

/// What is known of an object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InfoReply {
    /// Where it is, as it was asked for.
    pub remote: String,
    /// The last part of its key.
    pub key: String,
    /// Its size.
    pub bytes: u64,
    /// Its entity tag.
    pub etag: String,
    /// When it was written, Unix seconds.
    pub modified_s: Option<i64>,
    /// Its storage class, where that is not the usual one.
    pub storage_class: Option<String>,
    /// How the service encrypts it, where it says so: `AES256`, `aws:kms`, …
    pub encryption: Option<String>,
    /// With which key of the key service.
    pub encryption_key: Option<String>,
    /// Whether a key of the bucket stands in between.
    pub encryption_bucket_key: Option<bool>,
    /// Its version, where the place keeps versions.
    pub version: Option<String>,
    /// `ready`, `archived`, `thawing` or `lost`.
    pub readiness: String,
    /// CRC64NVME over the whole object, in hexadecimal digits.
    pub crc64nvme: Option<String>,
    /// What it is said to hold.
    pub content_type: Option<String>,
    /// What browsers and caches are told beside.
    pub headers: BTreeMap<String, String>,
    /// When its file was changed, Unix nanoseconds.
    pub mtime_ns: Option<i64>,
    /// Its file's mode, octal.
    pub mode: Option<String>,
    /// Its file's owner.
    pub uid: Option<u32>,
    /// Its file's group.
    pub gid: Option<u32>,
    /// `file`, `folder` or `link`, where the mode says so.
    pub kind: Option<String>,
    /// BLAKE3 of its bytes, in hexadecimal digits.
    pub digest: Option<String>,
    /// All of its user metadata, as it is.
    pub user: BTreeMap<String, String>,
}

/// How much was shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CatReply {
    /// Bytes.
    pub bytes: u64,
    /// Whether it was cut short.
    pub interrupted: bool,
}

/// The buckets.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BucketsReply {
    /// Each of them.
    pub buckets: Vec<BucketReply>,
}

/// A bucket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BucketReply {
    /// Its name.
    pub name: String,
    /// When it was made, Unix seconds.
    pub created_s: Option<i64>,
}

/// What was run, the latest first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunsReply {
    /// The runs.
    pub runs: Vec<RunEntry>,
    /// Of one run that was asked for: what is kept of what happened in it.
    pub events: Vec<Event>,
}

/// A run in the history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunEntry {
    /// Its number, over all histories.
    pub number: u64,
    /// What was run.
    pub command: String,
    /// The folder; empty if none took part.
    pub local: String,
    /// The remote.
    pub remote: String,
    /// When it began, Unix milliseconds.
    pub started_ms: i64,
    /// When it ended, if it did.
    pub ended_ms: Option<i64>,
    /// Its exit code.
    pub exit: Option<i32>,
    /// What came of it.
    pub report: Option<Report>,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DoctorReply {
    /// What was looked at; the account alone if none.
    pub remote: Option<String>,
    /// One for each check.
    pub findings: Vec<Finding>,
}

/// What a check found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// What was looked at.
    pub check: String,
    /// Whether it is well.
    pub verdict: Verdict,
    /// What was found.
    pub what: String,
    /// What can be done about it.
    pub remedy: Option<String>,
    /// How a run would end for it.
    pub ending: Ending,
}

/// Whether something is well.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// It is.
    Good,
    /// A person should know; everything works.
    Warning,
    /// Something does not work.
    Bad,
}

impl DoctorReply {
    /// How it ended: as the worst that was found.
    pub fn ending(&self) -> Ending {
        let mut report = Report::default();
        self.endings().into_iter().for_each(|ending| report.end(ending));
        report.ending()
    }

    /// Every way in which it ended.
    pub fn endings(&self) -> Vec<Ending> {
        let bad = self.findings.iter().filter(|finding| finding.verdict == Verdict::Bad);
        let mut endings: Vec<Ending> = bad.map(|finding| finding.ending).collect();
        endings.dedup();
        endings
    }
}
