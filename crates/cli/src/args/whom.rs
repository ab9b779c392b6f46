//! Whom a command is about: what was typed, lain on what is configured.
//!
//! Options become the uppermost layer only where they were typed: a default of the
//! command line must not hide what a person wrote down. The order of patterns is the
//! order in which they were typed, across both options.

use super::names::Names;
use super::object::{ObjectArgs, fits};
use super::objects;
use super::options::{self, LookArgs, PlaceArgs, RunArgs, ServiceArgs};
use super::verbs::ModeArgs;
use clap::ArgMatches;
use clap::parser::ValueSource;
use std::cell::RefCell;
use std::io;
use std::path::{Path, PathBuf};
use tidelock_core::meta::MetaFormat;
use tidelock_core::plan::Header;
use tidelock_core::policy::{Compare, OnConflict};
use tidelock_engine::api::{About, Options, Service};
use tidelock_engine::config::around::Around;
use tidelock_engine::config::find::{Loaded, ignore_file, load};
use tidelock_engine::config::layers::Origin;
use tidelock_engine::config::resolve::{Refusal, Resolved, Typed, Whom, resolve, split_profile};
use tidelock_engine::config::units::Rate;
use tidelock_engine::config::{Knobs, Mode, Profile};
use tidelock_engine::failure::Failure;
use tidelock_engine::pair::RemoteCheck;
use tidelock_remote::url::word;

/// Why there is no request.
pub enum Complaint {
    /// The command line is wrong.
    Misused(String),
    /// Something else is.
    Failed(Failure),
}

/// That a file which was typed cannot be read.
pub fn unreadable(file: &str, error: &io::Error) -> Complaint {
    let what = format!("{file} cannot be read: {error}");
    match error.kind() {
        io::ErrorKind::NotFound => Complaint::Failed(Failure::Missing(what)),
        _ => Complaint::Misused(what),
    }
}

impl From<Failure> for Complaint {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

/// What is configured, and what was typed.
pub struct Told<'a> {
    /// What is configured.
    pub loaded: Loaded,
    matches: &'a ArgMatches,
    /// What the places that were found were called.
    names: RefCell<Names>,
}

impl<'a> Told<'a> {
    /// Reads the configuration; `matches` are the verb's.
    pub fn new(around: &Around, matches: &'a ArgMatches) -> Result<Self, Complaint> {
        let loaded = load(around).map_err(Failure::from)?;
        Ok(Self { loaded, matches, names: RefCell::default() })
    }

    /// What the places that were found so far were called.
    pub fn names(&self) -> Names {
        self.names.borrow().clone()
    }

    /// Keeps what a place was called, if not by its address.
    fn note(&self, whom: &Whom, found: &Resolved) {
        let remote = found.sides.remote.as_str();
        let mut names = self.names.borrow_mut();
        if let Whom::Pair { name, below, .. } = whom {
            let pair = below.as_ref().and_then(|below| remote.strip_suffix(below.as_str())).unwrap_or(remote);
            names.note(pair, name);
        }
        let profile = found.sides.said.profile.as_ref();
        let bucket =
            profile.and_then(|name| self.loaded.config.profile.get(name)).and_then(|said| said.bucket.as_ref());
        let bucket = bucket.map(|bucket| format!("s3://{bucket}"));
        if let (Some(profile), Some(bucket)) = (profile, bucket)
            && remote.strip_prefix(&bucket).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        {
            names.note(&bucket, &format!("{profile}:"));
        }
    }

    /// A folder and its remote, or a pair by its name alone.
    pub fn pair_or_sides(&self, local: &Path, remote: Option<&str>) -> Result<Whom, Complaint> {
        if let Some(remote) = remote {
            return Ok(Whom::Sides { local: local.to_owned(), remote: remote.to_owned() });
        }
        let name = local.to_str().ok_or_else(|| {
            Complaint::Misused(format!("{} is no pair's name; for a folder, give its REMOTE too", local.display()))
        })?;
        Ok(Whom::Pair { name: name.to_owned(), local: None, below: None })
    }

    /// What is named there: by a remote, or as `PAIR` or `PAIR/PATH`, which stand for the
    /// pair's remote and a name below it. A remote has a colon before any slash.
    pub fn place(&self, text: &str) -> Result<Whom, Complaint> {
        Ok(match self.remote_or_pair(text)? {
            Whom::Pair { name, local, below } => Whom::Pair { name, local, below: below.or(Some(String::new())) },
            other => other,
        })
    }

    /// A remote, or a pair's by the pair's name.
    pub fn remote_or_pair(&self, text: &str) -> Result<Whom, Complaint> {
        match objects::name(text) {
            Ok(remote) => Ok(Whom::Remote(remote)),
            Err(why) => {
                let (name, below) = text.split_once('/').map_or((text, None), |(name, path)| (name, Some(path)));
                if self.loaded.config.pair.contains_key(name) {
                    let leads_out = below.is_some_and(|path| path.split('/').any(|part| part == ".."));
                    if leads_out {
                        return Err(Complaint::Misused(format!("{text:?} has a segment \"..\"; name what is meant")));
                    }
                    let below = below.filter(|path| !path.is_empty()).map(str::to_owned);
                    return Ok(Whom::Pair { name: name.to_owned(), local: None, below });
                }
                let what = format!("{:?} is neither a remote nor a pair's name ({})", word(text), self.pairs());
                Err(Complaint::Misused(format!("{what}: {why}")))
            }
        }
    }

    /// Whose runs are meant: those of a pair by its name, or of a folder, which may be gone.
    pub fn whose(&self, typed: &Path) -> Result<About, Complaint> {
        let name = typed.to_str().unwrap_or_default();
        if self.loaded.config.pair.contains_key(name) {
            let whom = Whom::Pair { name: name.to_owned(), local: None, below: None };
            let sides = resolve(&self.loaded, &whom, &Typed::default()).map_err(refused)?.sides;
            return Ok(About { local: sides.local, remote: Some(sides.remote) });
        }
        if typed.is_dir() || typed.components().count() > 1 {
            return Ok(About { local: typed.to_owned(), remote: None });
        }
        let what = format!("{:?} is neither a folder nor a pair's name ({})", word(name), self.pairs());
        Err(Complaint::Misused(format!("{what}; a folder that is gone is written with its path")))
    }

    /// Which pairs there are.
    fn pairs(&self) -> String {
        let names: Vec<&str> = self.loaded.config.pair.keys().map(String::as_str).collect();
        if names.is_empty() { "none is configured".to_owned() } else { format!("there are {}", names.join(", ")) }
    }

    /// Where a restore comes from, and where to.
    pub fn restore(&self, remote: &str, local: Option<&PathBuf>) -> Result<Whom, Complaint> {
        match (self.remote_or_pair(remote)?, local) {
            (Whom::Pair { name, below: Some(path), .. }, None) => Err(Complaint::Misused(format!(
                "into which folder? write: tidelock restore {remote} LOCAL, or, for its place in the pair's own \
                 folder: tidelock restore {name} --path {path}"
            ))),
            (Whom::Pair { name, below, .. }, local) => Ok(Whom::Pair { name, local: local.cloned(), below }),
            (_, Some(local)) => Ok(Whom::Sides { local: local.clone(), remote: remote.to_owned() }),
            (_, None) => {
                let is_known = |(name, _): (&str, _)| self.loaded.config.profile.contains_key(name);
                let named = if split_profile(remote).is_some_and(is_known) { remote.into() } else { word(remote) };
                let what =
                    format!("into which folder? write: tidelock restore {named} LOCAL (a pair has its own folder)");
                Err(Complaint::Misused(what))
            }
        }
    }

    /// What a saved plan is carried out with: its pair's settings if it names one that is
    /// still that pair, else its profile's; and what was typed above both. Its rules are its
    /// own, so that no ignore file is read.
    pub fn planned(&self, plan: Option<&Header>, mut typed: Typed) -> Result<Resolved, Complaint> {
        let found = |whom: &Whom, typed: &Typed| resolve(&self.loaded, whom, typed).map_err(refused);
        let Some(Header { remote, said, .. }) = plan else { return found(&Whom::Nobody, &typed) };
        if typed.profile.is_none() {
            if let Some(name) = said.pair.clone().filter(|name| self.loaded.config.pair.contains_key(name)) {
                let of_pair = found(&Whom::Pair { name, local: None, below: None }, &typed)?;
                if of_pair.sides.remote.trim_end_matches('/') == remote {
                    return Ok(of_pair);
                }
            }
            typed.profile.clone_from(&said.profile);
        }
        found(&Whom::Remote(remote.clone()), &typed)
    }

    /// What the command works with, its ignore files read.
    pub fn find(&self, whom: &Whom, typed: Typed) -> Result<Resolved, Complaint> {
        let mut found = resolve(&self.loaded, whom, &typed).map_err(refused)?;
        fits(typed.knobs.sse.is_some(), &found.sides.remote).map_err(Complaint::Misused)?;
        let read = |(path, origin): &(PathBuf, Origin)| {
            ignore_file(path).map_err(|error| {
                let file = format!("the ignore file {}", path.display());
                match origin {
                    Origin::Option(_) => unreadable(&file, &error),
                    place => {
                        let what = format!("{place}: {file} cannot be read: {error}; correct ignore_files");
                        Complaint::Failed(Failure::Unable(what))
                    }
                }
            })
        };
        self.note(whom, &found);
        found.options.ignore_files = found.ignore_files.iter().map(read).collect::<Result<_, _>>()?;
        Ok(found)
    }

    /// A remote's address and service, for verbs that need no more.
    pub fn remote(&self, text: &str, service: &ServiceArgs) -> Result<(String, Service), Complaint> {
        let typed = Typed { profile: service.profile.clone(), service: (&service.place).into(), ..Typed::default() };
        let found = self.find(&self.place(text)?, typed)?;
        Ok((found.sides.remote, found.sides.service))
    }

    /// The layer of what was typed.
    pub fn typed(&self, look: Option<&LookArgs>, run: Option<&RunArgs>, object: Option<&ObjectArgs>) -> Typed {
        let mut knobs = look.map_or_else(Knobs::default, |look| self.look(look));
        if let Some(run) = run {
            knobs.max_delete = run.max_delete;
            knobs.allow_unconditional = run.allow_unconditional.then_some(true);
            knobs.concurrency = run.concurrency;
            knobs.bwlimit = run.bwlimit.map(Rate);
            knobs.lock_timeout = self.was_typed("lock_timeout").then_some(run.lock_timeout);
        }
        if let Some(object) = object {
            let written = object.within(Options::default());
            knobs.storage_class = written.storage_class;
            knobs.sse = written.sse;
            knobs.sse_kms_key = written.sse_kms_key;
            knobs.content_type = written.content_type;
            knobs.meta = (!written.meta.is_empty()).then_some(written.meta);
        }
        Typed { knobs, ..Typed::default() }
    }

    fn look(&self, look: &LookArgs) -> Knobs {
        let patterns = self.patterns(look);
        let files = look.ignore_file.iter().map(|path| path.to_string_lossy().into_owned());
        Knobs {
            exclude: (!patterns.is_empty()).then_some(patterns),
            ignore_files: (!look.ignore_file.is_empty()).then(|| files.collect()),
            hidden: if look.no_hidden { Some(false) } else { look.hidden.then_some(true) },
            follow_links: look.follow_links.then_some(true),
            xattrs: look.xattrs.then_some(true),
            compare: look.compare.map(|compare| match compare {
                options::Compare::Stamp => Compare::Stamp,
                options::Compare::Digest => Compare::Digest,
            }),
            conflict: look.conflict.map(|conflict| match conflict {
                options::Conflict::Report => OnConflict::Report,
                options::Conflict::KeepBoth => OnConflict::KeepBoth,
                options::Conflict::Local => OnConflict::Local,
                options::Conflict::Remote => OnConflict::Remote,
                options::Conflict::Newer => OnConflict::Newer,
            }),
            remote_check: self.was_typed("remote_check").then_some(match look.remote_check {
                options::RemoteCheck::List => RemoteCheck::List,
                options::RemoteCheck::State => RemoteCheck::State,
            }),
            metadata: self.was_typed("metadata").then_some(match look.metadata {
                options::Metadata::Rclone => MetaFormat::Rclone,
                options::Metadata::S3fs => MetaFormat::S3fs,
                options::Metadata::Minimal => MetaFormat::Minimal,
            }),
            ..Knobs::default()
        }
    }

    fn was_typed(&self, option: &str) -> bool {
        self.matches.value_source(option) == Some(ValueSource::CommandLine)
    }

    /// Patterns of both options in the order in which they were typed.
    fn patterns(&self, look: &LookArgs) -> Vec<String> {
        let places = |name: &str| self.matches.indices_of(name).map(Iterator::collect::<Vec<_>>).unwrap_or_default();
        let excluded = places("exclude").into_iter().zip(look.exclude.iter().cloned());
        let included = look.include.iter().map(|pattern| format!("!{pattern}"));
        let mut all: Vec<_> = excluded.chain(places("include").into_iter().zip(included)).collect();
        all.sort_by_key(|(place, _)| *place);
        all.into_iter().map(|(_, pattern)| pattern).collect()
    }
}

fn refused(refusal: Refusal) -> Complaint {
    match refusal {
        Refusal::Typed(what) => Complaint::Misused(what),
        Refusal::Written(problem) => Complaint::Failed(problem.into()),
    }
}

impl From<&PlaceArgs> for Profile {
    fn from(args: &PlaceArgs) -> Self {
        Self {
            provider: args.provider.clone(),
            endpoint: args.endpoint.clone(),
            region: args.region.clone(),
            path_style: args.path_style.then_some(true),
            ..Self::default()
        }
    }
}

impl RunArgs {
    /// With what is confirmed for this once: no configuration may say these.
    pub fn confirmed(&self, options: Options) -> Options {
        Options {
            confirm_deletes: self.confirm_deletes,
            accept_root: self.accept_root,
            take_over: self.take_over,
            ..options
        }
    }
}

impl ModeArgs {
    /// The mode that was typed.
    pub fn typed(&self) -> Option<Mode> {
        match self {
            Self { push: true, .. } => Some(Mode::Push),
            Self { delete: true, .. } => Some(Mode::Delete),
            Self { mirror: true, .. } => Some(Mode::Mirror),
            Self { two_way: true, .. } => Some(Mode::TwoWay),
            _ => None,
        }
    }
}
