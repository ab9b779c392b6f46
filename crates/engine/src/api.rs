//! The command surface: what every face can ask for.
//!
//! A command is a [`Request`] and gives a [`Reply`] or a [`Failure`]; [`call`]
//! hands it to its room in `commands/` by one plain match. Terminal, socket and
//! window ask the same way and draw the same events; how anything is drawn is
//! theirs, and so is reading what a person typed.

mod configured;
mod objects;

pub use crate::commands::import::{Import, ImportReply};
pub use crate::commands::profile::{Add, Profiles, ProfilesReply, Row, Tested};
pub use crate::commands::set_secret::{SecretReply, SetSecret};
pub use crate::commands::why::{Entry, Reasons};
use crate::commands::{
    apply, batch, buckets, cat, config, doctor, download, import, info, ls, moves, mv, plan, profile, restore, rm,
    runs, set_secret, status, sync, upload, why,
};
use crate::config::around::Around;
use crate::event::Listener;
use crate::failure::Failure;
use crate::pair::RemoteCheck;
use crate::place::Place;
use crate::report::{Ending, Report};
use crate::secrets::Secrets;
use crate::state::Run;
pub use configured::*;
pub use objects::*;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io::{BufRead, Write};
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use tidelock_core::filter::{IgnoreFile, RuleLine};
use tidelock_core::meta::MetaFormat;
use tidelock_core::plan::Said;
use tidelock_core::policy::{Compare, OnConflict, Preset};
use tidelock_remote::layer::RequestCounts;
use tidelock_remote::world::World;

/// What commands work with, whoever asks.
pub struct Context {
    /// Time, chance and waiting.
    pub world: World,
    /// Where states are kept.
    pub place: Place,
    /// Who is told of events.
    pub listener: Arc<dyn Listener>,
    /// Set when the person wants to end.
    pub interrupted: Arc<AtomicBool>,
    /// Where secrets are kept, and who can be asked for one.
    pub secrets: Secrets,
    /// Where a plan is written to.
    pub output: Mutex<Box<dyn Write + Send>>,
    /// Where a plan is read from.
    pub input: Mutex<Box<dyn BufRead + Send>>,
    /// The environment, and the configuration that was named.
    pub around: Around,
}

/// What can be asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "command")]
pub enum Request {
    /// Make one side like the other.
    Sync(Sync),
    /// What a sync would find.
    Status(Status),
    /// Write down what a sync would do.
    Plan(Sync),
    /// Do what was written down.
    Apply(Apply),
    /// Carry renames over, and nothing else.
    Moves(Moves),
    /// Bring files back.
    Restore(Restore),
    /// What is on a remote.
    Ls(Ls),
    /// Why a path is treated as it is.
    Why(Why),
    /// Sync every pair.
    Batch(Batch),
    /// What is configured, and where each value came from.
    #[serde(rename = "config show")]
    ConfigShow(Show),
    /// Whether the configuration makes sense.
    #[serde(rename = "config check")]
    ConfigCheck,
    /// Where the configuration is.
    #[serde(rename = "config path")]
    ConfigPath,
    /// The JSON schema of the configuration.
    #[serde(rename = "config schema")]
    ConfigSchema,
    /// Write a sample configuration.
    Init(Init),
    /// Profiles: add, list, remove, use, test.
    #[serde(rename = "config profile")]
    Profile(Profiles),
    /// Keep a profile's secret.
    #[serde(rename = "config set-secret")]
    SetSecret(SetSecret),
    /// Take over another tool's configuration.
    #[serde(rename = "config import")]
    Import(Import),
    /// Send files.
    Upload(Upload),
    /// Fetch what is named.
    Download(Download),
    /// What is known of an object.
    Info(Info),
    /// An object's bytes.
    Cat(Cat),
    /// Remove objects.
    Rm(Rm),
    /// Rename objects.
    Mv(Mv),
    /// Which buckets there are.
    Buckets(Buckets),
    /// What was run.
    Runs(Runs),
    /// Whether everything works.
    Doctor(Doctor),
}

impl Request {
    /// The command's name, as people type it.
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
            Self::Batch(_) => "batch",
            Self::ConfigShow(_) => "config show",
            Self::ConfigCheck => "config check",
            Self::ConfigPath => "config path",
            Self::ConfigSchema => "config schema",
            Self::Init(_) => "init",
            Self::Profile(_) => "config profile",
            Self::SetSecret(_) => "config set-secret",
            Self::Import(_) => "config import",
            Self::Upload(_) => "upload",
            Self::Download(_) => "download",
            Self::Info(_) => "info",
            Self::Cat(_) => "cat",
            Self::Rm(_) => "rm",
            Self::Mv(_) => "mv",
            Self::Buckets(_) => "buckets",
            Self::Runs(_) => "runs",
            Self::Doctor(_) => "doctor",
        }
    }
}

/// What comes back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "reply")]
#[allow(clippy::large_enum_variant, reason = "one is made for a whole command")]
pub enum Reply {
    /// A run is over.
    Run(Box<RunReply>),
    /// How a pair stands.
    Status(Box<StatusReply>),
    /// What was listed.
    Ls(LsReply),
    /// Why.
    Why(Box<Reasons>),
    /// What came of each pair.
    Batch(Box<BatchReply>),
    /// What is configured.
    ConfigShow(Box<Shown>),
    /// What is wrong with it.
    ConfigCheck(Checked),
    /// Where it is.
    ConfigPath(ConfigPath),
    /// Its schema.
    ConfigSchema {
        /// The schema.
        schema: serde_json::Value,
    },
    /// What came of profiles.
    Profile(Box<ProfilesReply>),
    /// Where a secret is kept.
    SetSecret(SecretReply),
    /// What was taken over, and what could not be.
    Import(Box<ImportReply>),
    /// What is known of an object.
    Info(Box<InfoReply>),
    /// How much was shown.
    Cat(CatReply),
    /// The buckets.
    Buckets(BucketsReply),
    /// What was run.
    Runs(RunsReply),
    /// What was found.
    Doctor(DoctorReply),
}

impl Reply {
    /// How it ended.
    pub fn ending(&self) -> Ending {
        match self {
            Self::Run(run) => run.report.ending(),
            Self::Status(status) => status.run.report.ending(),
            Self::Ls(ls) if ls.interrupted => Ending::Interrupted,
            Self::Batch(batch) => Ending::strongest(&batch.endings()),
            Self::ConfigCheck(checked) => checked.ending(),
            Self::Profile(reply) => reply.ending(),
            Self::Cat(cat) if cat.interrupted => Ending::Interrupted,
            Self::Doctor(doctor) => doctor.ending(),
            _ => Ending::Ok,
        }
    }

    /// Every way in which it ended.
    pub fn endings(&self) -> Vec<Ending> {
        match self {
            Self::Run(run) => run.report.endings.clone(),
            Self::Status(status) => status.run.report.endings.clone(),
            Self::Batch(batch) => batch.endings(),
            Self::ConfigCheck(checked) if checked.ending() != Ending::Ok => vec![checked.ending()],
            Self::Profile(reply) if reply.ending() != Ending::Ok => vec![reply.ending()],
            Self::Doctor(doctor) => doctor.endings(),
            _ => Vec::new(),
        }
    }
}

/// Carries a request out.
pub async fn call(context: &Context, request: &Request) -> Result<Reply, Failure> {
    let ran = |reply| Reply::Run(Box::new(reply));
    match request {
        Request::Sync(request) => sync::run(context, request).await.map(ran),
        Request::Status(request) => status::run(context, request).await.map(|reply| Reply::Status(Box::new(reply))),
        Request::Plan(request) => plan::run(context, request).await.map(ran),
        Request::Apply(request) => apply::run(context, request).await.map(ran),
        Request::Moves(request) => moves::run(context, request).await.map(ran),
        Request::Restore(request) => restore::run(context, request).await.map(ran),
        Request::Ls(request) => ls::run(context, request).await.map(Reply::Ls),
        Request::Why(request) => why::run(context, request).await.map(|reply| Reply::Why(Box::new(reply))),
        Request::Batch(request) => Ok(Reply::Batch(Box::new(batch::run(context, request).await))),
        Request::ConfigShow(request) => config::show(context, request).map(|shown| Reply::ConfigShow(Box::new(shown))),
        Request::ConfigCheck => Ok(Reply::ConfigCheck(config::check(context))),
        Request::ConfigPath => config::path(context).map(Reply::ConfigPath),
        Request::ConfigSchema => Ok(Reply::ConfigSchema { schema: crate::config::schema::schema() }),
        Request::Init(request) => config::init(context, request).map(Reply::ConfigPath),
        Request::Profile(request) => profile::run(context, request).await.map(|reply| Reply::Profile(Box::new(reply))),
        Request::SetSecret(request) => set_secret::run(context, request).await.map(Reply::SetSecret),
        Request::Import(request) => import::run(context, request).await.map(|reply| Reply::Import(Box::new(reply))),
        Request::Upload(request) => upload::run(context, request).await.map(ran),
        Request::Download(request) => download::run(context, request).await.map(ran),
        Request::Info(request) => info::run(context, request).await.map(|reply| Reply::Info(Box::new(reply))),
        Request::Cat(request) => cat::run(context, request).await.map(Reply::Cat),
        Request::Rm(request) => rm::run(context, request).await.map(ran),
        Request::Mv(request) => mv::run(context, request).await.map(ran),
        Request::Buckets(request) => buckets::run(context, request).await.map(Reply::Buckets),
        Request::Runs(request) => runs::run(context, request).await.map(Reply::Runs),
        Request::Doctor(request) => doctor::run(context, request).await.map(Reply::Doctor),
    }
}

/// A folder and a remote, as a person names them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sides {
    /// The folder.
    pub local: PathBuf,
    /// The remote's URL.
    pub remote: String,
    /// Where the S3 service is, if it is one.
    #[serde(default)]
    pub service: Service,
    /// What the configuration calls them.
    #[serde(default)]
    pub said: Said,
}

impl Sides {
    /// A folder and a remote that no configuration says anything of.
    pub fn plain(local: impl Into<PathBuf>, remote: impl Into<String>) -> Self {
        let (local, remote) = (local.into(), remote.into());
        Self { local, remote, service: Service::default(), said: Said::default() }
    }
}

/// What a person may say about an S3 service.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Service {
    /// Its address.
    pub endpoint: Option<String>,
    /// The region.
    pub region: Option<String>,
    /// The profile in the shared AWS files.
    pub profile: Option<String>,
    /// Whether the bucket is named in the path.
    pub path_style: Option<bool>,
    /// Where the credentials are.
    pub credentials: CredentialSource,
    /// The provider, for its habits.
    pub provider: Option<String>,
}

/// Where credentials are fetched from, where the S3 client is made: a request
/// travels, so it never holds them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "from")]
pub enum CredentialSource {
    /// The standard AWS places.
    #[default]
    Aws,
    /// `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY` alone.
    Env,
    /// The keyring.
    Keyring {
        /// The profile of the configuration.
        profile: String,
        /// The access key's id.
        access_key_id: String,
    },
    /// The encrypted file.
    File {
        /// The profile of the configuration.
        profile: String,
        /// The access key's id.
        access_key_id: String,
    },
}

/// How a run goes about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Options {
    /// Include and exclude patterns, in their order.
    pub filters: Vec<RuleLine>,
    /// Ignore files, with their content.
    pub ignore_files: Vec<IgnoreFile>,
    /// Whether names that begin with a dot take part.
    pub hidden: bool,
    /// Read through links.
    pub follow_links: bool,
    /// What proves sameness where no base does.
    pub compare: Option<Compare>,
    /// What becomes of conflicts.
    pub conflict: Option<OnConflict>,
    /// How many transfers run at once.
    pub concurrency: Option<usize>,
    /// The person's own limit on deletions.
    pub max_delete: Option<u64>,
    /// Deletions are confirmed.
    pub confirm_deletes: bool,
    /// The root may be another than before.
    pub accept_root: bool,
    /// Another device's mirror may be taken over.
    pub take_over: bool,
    /// Two-way sync may go without conditions.
    pub allow_unconditional: bool,
    /// Where absence there is read from.
    pub remote_check: RemoteCheck,
    /// In whose format metadata is written.
    pub metadata: MetaFormat,
    /// Whether extended attributes take part.
    pub xattrs: bool,
    /// How long another run of the pair is waited for.
    pub lock_timeout_ms: u64,
    /// Only say what would be done.
    pub dry_run: bool,
    /// The storage class of what is written; the place's own if nobody says.
    pub storage_class: Option<String>,
    /// How the place encrypts what is written; its own way if nobody says.
    pub sse: Option<Sse>,
    /// With which key of the key service; the account's if nobody says.
    pub sse_kms_key: Option<String>,
    /// User metadata of what is written, beside our own: names in lower case.
    pub meta: BTreeMap<String, String>,
    /// What files that are written are said to hold; told by their names if nobody says.
    pub content_type: Option<String>,
    /// How many bytes a second may go out, and as many come in; none is no limit.
    pub bwlimit: Option<u64>,
}

/// How a place encrypts what it keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub enum Sse {
    /// With keys of its own.
    #[serde(rename = "AES256")]
    Aes256,
    /// With a key of its key service.
    #[serde(rename = "aws:kms")]
    Kms,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            filters: Vec::new(),
            ignore_files: Vec::new(),
            hidden: true,
            follow_links: false,
            compare: None,
            conflict: None,
            concurrency: None,
            max_delete: None,
            confirm_deletes: false,
            accept_root: false,
            take_over: false,
            allow_unconditional: false,
            remote_check: RemoteCheck::List,
            metadata: MetaFormat::Rclone,
            xattrs: false,
            lock_timeout_ms: 10_000,
            dry_run: false,
            storage_class: None,
            sse: None,
            sse_kms_key: None,
            meta: BTreeMap::new(),
            content_type: None,
            bwlimit: None,
        }
    }
}

/// Asks for a sync, or for its plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sync {
    /// Between whom.
    pub sides: Sides,
    /// Which column of the table.
    pub preset: Preset,
    /// How.
    #[serde(default)]
    pub options: Options,
}

/// Asks how a pair stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// Which pair.
    pub sides: Sides,
    /// The mode it is looked at in; the one on record if nobody says.
    #[serde(default)]
    pub preset: Option<Preset>,
    /// How it is looked at.
    #[serde(default)]
    pub options: Options,
}

/// Asks for a saved plan to be carried out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Apply {
    /// Where the S3 service is, if it is one: a plan does not say.
    #[serde(default)]
    pub service: Service,
    /// How.
    #[serde(default)]
    pub options: Options,
}

/// Asks for renames to be carried over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moves {
    /// Between whom.
    pub sides: Sides,
    /// How.
    #[serde(default)]
    pub options: Options,
}

/// Asks for files to be brought back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Restore {
    /// From where, and into which folder.
    pub sides: Sides,
    /// Only this file, or what is in this folder, of all that is there; empty is everything.
    #[serde(default)]
    pub path: String,
    /// Whether files that differ here are replaced.
    #[serde(default)]
    pub overwrite: bool,
    /// How.
    #[serde(default)]
    pub options: Options,
}

/// Asks what is on a remote.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ls {
    /// The remote's URL.
    pub remote: String,
    /// Where the S3 service is.
    #[serde(default)]
    pub service: Service,
    /// What keys begin with.
    #[serde(default)]
    pub path: String,
    /// What keys hold; `*` stands for anything.
    #[serde(default)]
    pub search: Option<String>,
    /// So many of what is found are passed over.
    #[serde(default)]
    pub offset: u64,
    /// So many are shown, at most.
    #[serde(default)]
    pub limit: Option<u64>,
}

/// Asks why a path is treated as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Why {
    /// Of which pair.
    pub sides: Sides,
    /// The mode it is judged in; the one on record if nobody says.
    #[serde(default)]
    pub preset: Option<Preset>,
    /// The path, below the folder.
    pub path: String,
    /// How a run would go about it.
    #[serde(default)]
    pub options: Options,
}

/// What came of a run, and what it asked of the remote.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunReply {
    /// What came of it.
    pub report: Report,
    /// What reached the remote.
    pub requests: RequestCounts,
    /// Whether it only looked.
    pub dry_run: bool,
}

/// How a pair stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatusReply {
    /// The mode it was last synced in; none if never.
    pub mode: Option<String>,
    /// How many entries are on record.
    pub entries: u64,
    /// The last run.
    pub last_run: Option<Run>,
    /// What a sync would find now.
    pub run: RunReply,
}

/// What was listed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LsReply {
    /// How many objects.
    pub objects: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Whether it was cut short.
    pub interrupted: bool,
    /// Whether there are more than were asked for.
    #[serde(default)]
    pub more: bool,
}
