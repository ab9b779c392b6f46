//! From what a person named to a pair that can run.
//!
//! Here the two sides become a folder and a place, the state is found and, for
//! runs that change anything, locked. Sides that lie in each other are refused:
//! a folder that holds its own store would be synced into itself.

use super::parts::{self, Parts};
use super::{credentials, saved};
use crate::api::{Context, Options, Service, Sides, Sse};
use crate::cycle::{self, Mode};
use crate::event::Event;
use crate::failure::Failure;
use crate::pair::{Pair, Settings};
use crate::place::{self, KnownAbilities, Lock, PairPlace};
use crate::report::Report;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tidelock_core::filter::{RuleSet, Rules};
use tidelock_core::meta::{MetaFormat, is_own_key};
use tidelock_core::path::{RESERVED_DIR, RelPath};
use tidelock_core::policy::{Flow, Policy};
use tidelock_remote::Encryption;
use tidelock_remote::bandwidth::Bandwidth;
use tidelock_remote::layer::Requests;
use tidelock_remote::memory::{Memory, Profile};
use tidelock_remote::open::{OpenOptions, Opened, open, stack};
use tidelock_remote::s3::{Keys, S3Options};
use tidelock_remote::url::RemoteUrl;
use tidelock_remote::{Error, ErrorKind, folder};

/// How often a store that others hold is looked at.
const LOOK_EVERY_MS: u64 = 100;

/// An open pair and what goes with it.
pub(crate) struct Open {
    pub(crate) pair: Pair,
    pub(crate) place: PairPlace,
    pub(crate) requests: Arc<Requests>,
    /// The folder, by its one true name.
    pub(crate) local: PathBuf,
    /// The remote's URL, good in any working directory.
    pub(crate) remote: String,
    /// Held as long as the pair is open, by runs that change anything.
    _lock: Option<Lock>,
}

/// Which pair, and how it is opened.
pub(crate) struct Wanted<'a> {
    pub(crate) sides: &'a Sides,
    pub(crate) options: &'a Options,
    pub(crate) policy: Policy,
    pub(crate) command: &'a str,
    pub(crate) mode: Mode,
    /// Whether the store must exist already.
    pub(crate) existing: bool,
    /// The pair it must turn out to be, if it was named before.
    pub(crate) pair: Option<&'a str>,
}

impl Open {
    /// Opens both sides and the state.
    pub(crate) async fn new(context: &Context, wanted: &Wanted<'_>) -> Result<Self, Failure> {
        let Wanted { sides, options, .. } = wanted;
        let url = parse(&sides.remote)?;
        let local = place::canonical(&sides.local)?;
        keep_apart(context, &local, &url)?;
        let dry = wanted.mode == Mode::DryRun;
        // A restore never writes the remote, wherever that is.
        let restores = wanted.policy.flow == Flow::Down;
        let look = dry || restores;
        let disk = parts::disk(&local, &sides.local, options, dry && restores)?;
        let settings = settings(context, wanted, &url)?;
        if !restores {
            without_secrets(context, &local, &settings.rules)?;
        }
        let store = Store { context, url: &url, service: &sides.service, options, concurrency: settings.concurrency };
        // Who wants something from there wants no empty store in its place.
        let existing = wanted.existing || restores && !dry;
        // Naming a bucket sends nothing; a store in a folder is named by its path.
        let (name, opened) = match &url {
            RemoteUrl::Folder(path) => (format!("folder:{}", in_store(path)?.display()), None),
            _ => {
                let opened = store.open(look, existing).await?;
                (opened.remote.describe(), Some(opened))
            }
        };
        let place = context.place.pair(&local, &name);
        if wanted.pair.is_some_and(|pair| pair != place.id) {
            return Err(Failure::Unable(format!(
                "this plan was made for another pair than {} and {} as they are now; give the same \
                 --profile or --endpoint as then, or make a new plan",
                sides.local.display(),
                sides.remote
            )));
        }
        let patience = Duration::from_millis(options.lock_timeout_ms);
        let lock = parts::lock(context, &place, wanted.command, options, wanted.mode).await?;
        let opened = match opened {
            Some(opened) => opened,
            None => store.open_known(&place, existing, look, patience).await?,
        };
        for problem in &opened.problems {
            let about = problem.key.as_ref().map_or(String::new(), |key| format!("{key}: "));
            context.listener.hear(&Event::Note { text: format!("the store: {about}{}", problem.what) });
        }
        let state = parts::state(context, &place, wanted.mode)?;
        if let Some(text) = state.note {
            context.listener.hear(&Event::Note { text });
        }
        let parts = Parts {
            disk,
            remote: opened.remote,
            state: state.state,
            settings,
            digits: place.id.clone(),
            names: (local.display().to_string(), url.to_string()),
        };
        let pair = parts.assemble(context);
        let remote = match &url {
            RemoteUrl::Folder(_) => name,
            _ => url.to_string(),
        };
        Ok(Self { pair, place, requests: opened.requests, local, remote, _lock: lock })
    }

    /// One run, from looking to its report.
    pub(crate) async fn run(&self, mode: Mode) -> Report {
        let report = cycle::run(&self.pair, mode).await;
        if mode == Mode::Execute {
            self.set_aside_if_damaged();
        }
        report
    }

    /// A state in whose middle a run came upon damage would stop every later one. It is
    /// kept aside, as one that cannot be opened is.
    pub(crate) fn set_aside_if_damaged(&self) {
        if !self.pair.state.is_damaged() {
            return;
        }
        let text = match self.place.set_aside(self.pair.now_ms()) {
            Ok(kept) => format!("the damaged state of this pair is kept as {}", kept.display()),
            Err(failure) => format!("the damaged state of this pair could not be set aside: {failure}"),
        };
        self.pair.listener.hear(&Event::Note { text });
    }
}

/// A remote by its name.
pub(crate) fn parse(remote: &str) -> Result<RemoteUrl, Failure> {
    RemoteUrl::parse(remote).map_err(|error| Failure::Unable(error.to_string()))
}

/// A place to be opened, and how.
pub(super) struct Store<'a> {
    pub(super) context: &'a Context,
    pub(super) url: &'a RemoteUrl,
    pub(super) service: &'a Service,
    pub(super) options: &'a Options,
    pub(super) concurrency: usize,
}

/// What is said of an S3 service, as its client takes it, with the keys that it names.
pub(super) async fn s3_options(context: &Context, service: &Service, options: &Options) -> Result<S3Options, Failure> {
    let keys = credentials::keys(context, &service.credentials).await?;
    Ok(S3Options { encryption: encryption(options)?, ..s3_service(service, keys) })
}

/// The same with keys that are known already, for who writes nothing.
pub(super) fn s3_service(service: &Service, keys: Option<Keys>) -> S3Options {
    let Service { endpoint, region, profile, path_style, provider, .. } = service.clone();
    S3Options { endpoint, region, provider, profile, path_style, keys, ..S3Options::default() }
}

impl Store<'_> {
    async fn open(&self, read_only: bool, existing: bool) -> Result<Opened, Failure> {
        let s3 = match self.url {
            RemoteUrl::S3 { .. } => s3_options(self.context, self.service, self.options).await?,
            // A store in a folder asks no vault.
            _ => S3Options { encryption: encryption(self.options)?, ..S3Options::default() },
        };
        let options = OpenOptions {
            s3,
            abilities: Some(Arc::new(KnownAbilities::of(&self.context.place))),
            concurrency: self.concurrency,
            read_only,
            create: !existing,
            bandwidth: self.options.bwlimit.map(|limit| Arc::new(Bandwidth::new(self.context.world.clone(), limit))),
            ..OpenOptions::default()
        };
        match open(self.url, &options, self.context.world.clone()).await {
            // Who only asks what would happen sees the empty store that would be made.
            Err(error) if error.kind == ErrorKind::NoBucket && read_only && !existing && self.could_be_made() => {
                let text = format!("{} does not exist yet; a sync would make it", self.url);
                self.context.listener.hear(&Event::Note { text });
                let empty = Arc::new(Memory::new(Profile::aws(), self.context.world.clone()));
                let known = tidelock_remote::Capabilities::default();
                Ok(stack(empty, "", known, &options, self.context.world.clone()))
            }
            other => Ok(other?),
        }
    }

    /// Whether it is an embedded store, and there is a folder to make it in.
    fn could_be_made(&self) -> bool {
        let RemoteUrl::Folder(path) = self.url else { return false };
        place::canonical(path).is_ok_and(|path| path.parent().is_some_and(Path::is_dir))
    }

    /// A store that this pair is in step with is not made anew: where it is missing,
    /// so is the disk that holds it.
    async fn open_known(
        &self,
        pair: &PairPlace,
        existing: bool,
        look: bool,
        patience: Duration,
    ) -> Result<Opened, Failure> {
        match self.open_patiently(look, true, patience).await {
            Err(Failure::Remote(error)) if error.kind == ErrorKind::NoBucket && !existing => {
                if pair.open_to_look()?.state.count()? == 0 {
                    return self.open_patiently(look, false, patience).await;
                }
                let what = format!(
                    "{}; this pair was synced with a store there, so none is made: is a disk not mounted? Nothing was \
                     changed. If it is gone for good, remove {} and sync again: a new store is made, and nothing is deleted",
                    self.url,
                    pair.file().display()
                );
                Err(Error::new(ErrorKind::NoBucket, "open", format!("there is no store at {what}")).into())
            }
            other => other,
        }
    }

    /// Waits for another process that has the store open.
    pub(super) async fn open_patiently(
        &self,
        read_only: bool,
        existing: bool,
        patience: Duration,
    ) -> Result<Opened, Failure> {
        let clock = &self.context.world.clock;
        let patience_ns = u64::try_from(patience.as_nanos()).unwrap_or(u64::MAX);
        let deadline = clock.monotonic_ns().saturating_add(patience_ns);
        loop {
            match self.open(read_only, existing).await {
                Err(Failure::Remote(error)) if error.kind == ErrorKind::InUse && clock.monotonic_ns() < deadline => {
                    self.context.world.sleep.sleep(Duration::from_millis(LOOK_EVERY_MS)).await;
                }
                other => return other,
            }
        }
    }
}

/// How the place is to encrypt what is written. A store in a folder has no keys.
fn encryption(options: &Options) -> Result<Option<Encryption>, Failure> {
    match (options.sse, &options.sse_kms_key) {
        (Some(Sse::Kms), key) => Ok(Some(Encryption::kms(key.clone()))),
        (_, Some(_)) => {
            Err(Failure::Unable("a key for encryption (sse_kms_key) needs sse to be aws:kms; set both".to_owned()))
        }
        (Some(Sse::Aes256), None) => Ok(Some(Encryption::aes256())),
        (None, None) => Ok(None),
    }
}

/// The store that a path leads to, by its one true name.
pub(super) fn store_of(path: &Path) -> Result<PathBuf, Failure> {
    place::canonical(&folder::locate(path).map_or_else(|| path.to_owned(), |(store, _)| store))
}

/// The same with the prefix that the path names in it.
fn in_store(path: &Path) -> Result<PathBuf, Failure> {
    match folder::locate(path) {
        Some((store, prefix)) if !prefix.is_empty() => Ok(place::canonical(&store)?.join(prefix)),
        _ => store_of(path),
    }
}

/// Refuses sides that lie in each other, and what is Tidelock's own on this side.
fn keep_apart(context: &Context, local: &Path, url: &RemoteUrl) -> Result<(), Failure> {
    let state = place::canonical(context.place.dir())?;
    if state.starts_with(local) {
        return Err(Failure::Unable(format!(
            "Tidelock's state ({}) would lie inside the synced folder {}; set XDG_STATE_HOME to a place outside it",
            state.display(),
            local.display()
        )));
    }
    if local.starts_with(&state) || local.components().any(|part| part.as_os_str() == RESERVED_DIR) {
        let what = format!("the folder {} is Tidelock's own; give one of yours", local.display());
        return Err(Failure::Unable(what));
    }
    let RemoteUrl::Folder(path) = url else { return outside_stores(local) };
    let store = store_of(path)?;
    if store.starts_with(local) || local.starts_with(&store) {
        return Err(Failure::Unable(format!(
            "the folder {} and the store {} lie in each other; give a store outside the folder",
            local.display(),
            store.display()
        )));
    }
    if state.starts_with(&store) {
        let what = format!("Tidelock's state ({}) lies inside the store {}", state.display(), store.display());
        return Err(Failure::Unable(format!("{what}; give another store")));
    }
    outside_stores(local)
}

/// Refuses a folder that is another pair's store, or lies in it.
fn outside_stores(local: &Path) -> Result<(), Failure> {
    let Some((store, _)) = folder::locate(local) else { return Ok(()) };
    let (folder, store) = (local.display(), store.display());
    Err(Failure::Unable(format!(
        "the folder {folder} lies in the store {store}, whose files are no folder's; give another folder, or name what is \
         in the store: folder:{store}"
    )))
}

/// Refuses to send the file of secrets, unless it is left out.
fn without_secrets(context: &Context, local: &Path, rules: &Rules) -> Result<(), Failure> {
    let file = &context.secrets.file;
    if !place::exists(file) {
        return Ok(());
    }
    let file = place::canonical(file)?;
    let Some(path) = file.strip_prefix(local).ok().and_then(Path::to_str) else { return Ok(()) };
    let is_out =
        RelPath::parse(path).is_ok_and(|path| RuleSet::new(rules.clone()).verdict_for_path(&path, false).is_excluded());
    if is_out {
        return Ok(());
    }
    Err(Failure::Unable(format!(
        "the folder {} holds Tidelock's file of secrets; leave it out: --exclude /{path}",
        local.display()
    )))
}

/// The person's own metadata.
fn user_meta(options: &Options) -> Result<BTreeMap<String, String>, Failure> {
    for (name, value) in &options.meta {
        if let Some(why) = unfit_meta(name, value) {
            return Err(Failure::Unable(format!("the metadata {name:?} cannot be set: {why}")));
        }
    }
    Ok(options.meta.clone())
}

/// Why metadata cannot be set by hand, and what can. What Tidelock writes itself cannot:
/// a wrong time or digest would be believed.
pub(crate) fn unfit_meta(name: &str, value: &str) -> Option<&'static str> {
    let is_token = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_.".contains(&byte);
    if name.is_empty() || !name.bytes().all(is_token) {
        return Some("a name is made of a-z, 0-9, `-`, `_` and `.`");
    }
    if is_own_key(name) {
        return Some("Tidelock writes it itself; choose another name");
    }
    let is_plain = value.bytes().all(|byte| (b' '..=b'~').contains(&byte)) && value.trim() == value;
    (!is_plain).then_some("a value is printable ASCII without spaces at its ends")
}

pub(super) fn settings(context: &Context, wanted: &Wanted<'_>, url: &RemoteUrl) -> Result<Settings, Failure> {
    let options = wanted.options;
    let device = match wanted.mode {
        Mode::Execute => context.place.device(&context.world)?,
        Mode::DryRun => context.place.device_or_any(),
    };
    if options.xattrs && options.metadata == MetaFormat::Minimal {
        let what = "--metadata minimal keeps the modification time alone, so --xattrs would have nowhere to go; \
                    leave one of them out";
        return Err(Failure::Unable(what.to_owned()));
    }
    let mut policy = wanted.policy;
    policy.compare = options.compare.unwrap_or(policy.compare);
    policy.conflict = options.conflict.unwrap_or(policy.conflict);
    let mut settings = Settings::new(policy, &device);
    settings.rules = Rules::new(options.filters.clone(), options.ignore_files.clone(), options.hidden)
        .map_err(|error| Failure::Unable(error.to_string()))?;
    let (default_dir_mode, owner) = place::custom();
    settings.scan.default_dir_mode = default_dir_mode;
    settings.scan.owner = owner;
    settings.scan.xattrs = options.xattrs;
    settings.scan.follow_links = options.follow_links;
    settings.scan.links = saved::links(options.metadata);
    settings.format = options.metadata;
    // Where the process may; privileged bits never (docs/semantics.md, "Metadata").
    settings.meta_scope.owner = true;
    let usual = if matches!(url, RemoteUrl::S3 { .. }) { 32 } else { 16 };
    settings.concurrency = options.concurrency.unwrap_or(usual).clamp(1, 1024);
    settings.max_delete = options.max_delete;
    settings.confirm_deletes = options.confirm_deletes;
    settings.accept_root = options.accept_root;
    settings.take_over = options.take_over;
    settings.allow_unconditional = options.allow_unconditional;
    settings.remote_check = options.remote_check;
    settings.storage_class.clone_from(&options.storage_class);
    settings.content_type.clone_from(&options.content_type);
    settings.user_meta = user_meta(options)?;
    wanted.command.clone_into(&mut settings.command);
    Ok(settings)
}
