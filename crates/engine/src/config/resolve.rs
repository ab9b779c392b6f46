//! What a command is to work with, after everything that was said anywhere.
//!
//! A person names a pair, or a folder and a remote, and may type options; the
//! configuration and the environment say more. What comes out is what a request
//! holds, and the layers it was made of. Nothing is opened here.

use super::around::Around;
use super::check;
use super::find::Loaded;
use super::layers::{Layers, Origin};
use super::problem::Problem;
use super::words::{listed, nearest};
use super::{Credentials, Knobs, Mode, OWN, Pair, Profile};
use crate::api::{CredentialSource, Options, Service, Sides, Sse};
use crate::failure::Failure;
use serde_json::{Value as Json, json};
use std::path::{Path, PathBuf};
use tidelock_core::filter::RuleLine;
use tidelock_core::plan::Said;
use tidelock_remote::url::word;

/// Names before a colon that are no profiles.
pub const SCHEMES: [&str; 5] = ["s3", "folder", "mem", "http", "https"];

/// Keys of a profile that runs read, as those of a pair.
const OF_RUNS: [&str; 3] = ["storage_class", "sse", "sse_kms_key"];

/// Whom a command is about.
#[derive(Debug, Clone)]
pub enum Whom {
    /// A pair of the configuration, perhaps with another folder than its own.
    Pair {
        /// Its name.
        name: String,
        /// The other folder.
        local: Option<PathBuf>,
        /// A name below its remote, if that is meant and not the pair itself.
        below: Option<String>,
    },
    /// A folder and a remote.
    Sides {
        /// The folder.
        local: PathBuf,
        /// The remote.
        remote: String,
    },
    /// A remote alone.
    Remote(String),
    /// Neither, so far: the service of whatever comes.
    Nobody,
}

/// What was typed: the uppermost layer.
#[derive(Debug, Clone, Default)]
pub struct Typed {
    /// `--profile`.
    pub profile: Option<String>,
    /// The mode.
    pub mode: Option<Mode>,
    /// Where the service is.
    pub service: Profile,
    /// How the run goes about it.
    pub knobs: Knobs,
}

/// What a command works with.
#[derive(Debug, Clone)]
pub struct Resolved {
    /// The pair's name, if it has one.
    pub pair: Option<String>,
    /// The folder, the remote and its service; without a folder, an empty path.
    pub sides: Sides,
    /// How far a sync goes.
    pub mode: Mode,
    /// Whether anybody said so.
    pub mode_is_said: bool,
    /// How a run goes about it; ignore files are yet to be read.
    pub options: Options,
    /// Those ignore files, and where each was named.
    pub ignore_files: Vec<(PathBuf, Origin)>,
    /// Whom and where, by layers.
    pub place: Layers,
    /// How, by layers.
    pub knobs: Layers,
}

/// Why that cannot be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// What was typed is wrong.
    Typed(String),
    /// What is written is wrong.
    Written(Problem),
}

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        Self::Written(problem)
    }
}

/// For who typed nothing that could be wrong but what is no pair or profile.
impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Typed(what) => Self::Misused(what),
            Refusal::Written(problem) => problem.into(),
        }
    }
}

/// Lays everything on each other.
pub fn resolve(loaded: &Loaded, whom: &Whom, typed: &Typed) -> Result<Resolved, Refusal> {
    let named = match whom {
        Whom::Pair { name, .. } => Some((name.as_str(), pair(loaded, name)?)),
        _ => None,
    };
    let of_remote = match whom {
        Whom::Sides { remote, .. } | Whom::Remote(remote) => split_profile(remote).map(|(name, _)| name),
        _ => None,
    };
    let profiles: Vec<&str> = typed.profile.as_deref().into_iter().chain(of_remote).collect();
    let name = named.map(|(name, _)| name);
    if let Some(problem) = check::about(loaded, name, &profiles).into_iter().next() {
        return Err(problem.into());
    }
    let written = named.map(|(_, pair)| pair.remote.as_str());
    let remote = match (whom, written) {
        (_, Some(written)) => remote_of_pair(loaded, written).map_err(Refusal::Typed)?,
        (Whom::Sides { remote, .. } | Whom::Remote(remote), _) => remote.clone(),
        _ => String::new(),
    };
    let chosen = Chosen::of(loaded, &remote, named.and_then(|(_, pair)| pair.profile.as_deref()), typed)?;
    let mut remote = chosen.bucket_url(loaded, &remote)?;
    let below = match whom {
        Whom::Pair { below, .. } => below.as_deref(),
        _ => None,
    };
    if let Some(below) = below {
        remote = format!("{}/{below}", remote.trim_end_matches('/'));
    }
    let is_s3 = remote.starts_with("s3://");
    let mode = typed.mode.or(named.and_then(|(_, pair)| pair.mode));

    let mut knobs = built_in(mode.unwrap_or_default(), is_s3);
    knobs.lay(&loaded.config.defaults, |key| Origin::File(loaded.place(&["defaults", key])));
    let mut place = Layers::default();
    if let Some((name, profile)) = chosen.profile.filter(|_| is_s3 || remote.is_empty()) {
        lay_profile(loaded, name, profile, &mut place, &mut knobs);
    }
    if let Some((name, pair)) = named {
        knobs.lay(&pair.knobs(), |key| Origin::File(loaded.place(&["pair", name, key])));
    }
    environment(&loaded.around, &mut place, &mut knobs)?;
    possible(typed)?;
    knobs.lay(&typed.knobs, option);
    place.lay(&typed.service, option);

    let said = knobs.knobs().map_err(|error| Problem::whole(loaded.name(), error.to_string()))?;
    check::knobs_together(&said)
        // A key that was typed beside another kind of encryption is no leftover of a profile.
        .and_then(|()| check::key_is_used(&typed.knobs))
        .map_err(|(key, what)| match knobs.parts(key).last() {
            Some((_, Origin::Option(_))) => Refusal::Typed(what),
            Some((_, origin)) => Problem::whole(origin.to_string(), what).into(),
            None => Problem::whole(loaded.name(), what).into(),
        })?;
    let local = local(loaded, whom, named.map(|(_, pair)| pair))?;
    lay_place(loaded, &mut place, named, (&local, &remote), (mode, typed), &chosen);
    let said_names = Said {
        pair: named.map(|(name, _)| name.to_owned()),
        profile: chosen.profile.map(|(name, _)| name.to_owned()).or_else(|| chosen.aws.clone()).filter(|_| is_s3),
    };
    // A pair's own patterns are of paths in its folder.
    let filters = filters(loaded, named.map(|(name, _)| name).filter(|_| below.is_none()), &knobs, &said);
    let ignore_files = ignore_files(loaded, &knobs).map_err(Refusal::Typed)?;
    Ok(Resolved {
        pair: named.map(|(name, _)| name.to_owned()),
        sides: Sides { local, remote, service: chosen.service(&place), said: said_names },
        mode: mode.unwrap_or_default(),
        mode_is_said: mode.is_some(),
        options: options(said, filters),
        ignore_files,
        place,
        knobs,
    })
}

/// What the environment says of runs and services.
pub(super) fn environment(around: &Around, place: &mut Layers, knobs: &mut Layers) -> Result<(), Problem> {
    let why_not = |said: &Knobs| check::values(said).into_iter().next().map(|(.., what)| what);
    knobs.lay_environment::<Knobs>(around, |_| true, why_not)?;
    let of_service = |key: &str| matches!(key, "endpoint" | "region" | "path_style" | "provider");
    let why_not = |said: &Profile| check::service(said).into_iter().next().map(|(_, what)| what);
    place.lay_environment::<Profile>(around, of_service, why_not)
}

/// Whether what was typed can be.
fn possible(typed: &Typed) -> Result<(), Refusal> {
    let knobs = check::values(&typed.knobs).into_iter().map(|(key, _, what)| (key, what));
    match knobs.chain(check::service(&typed.service)).next() {
        Some((key, what)) => Err(Refusal::Typed(format!("{}: {what}", option_name(key)))),
        None => Ok(()),
    }
}

/// What a pair comes to with its profile and the defaults, without environment and options.
pub(super) fn as_written(loaded: &Loaded, name: &str, pair: &Pair) -> Option<Knobs> {
    let remote = remote_of_pair(loaded, &pair.remote).ok()?;
    let chosen = Chosen::of(loaded, &remote, pair.profile.as_deref(), &Typed::default()).ok()?;
    let mut knobs = Layers::default();
    knobs.lay(&loaded.config.defaults, |_| Origin::File(String::new()));
    if let Some((profile_name, profile)) = chosen.profile.filter(|_| !remote.starts_with("folder:")) {
        lay_profile(loaded, profile_name, profile, &mut Layers::default(), &mut knobs);
    }
    knobs.lay(&pair.knobs(), |key| Origin::File(loaded.place(&["pair", name, key])));
    knobs.knobs().ok()
}

/// A profile's name and what follows it, where a remote is named so.
pub fn split_profile(remote: &str) -> Option<(&str, &str)> {
    let (name, prefix) = remote.split_once(':')?;
    (is_name(name) && !prefix.starts_with("//") && !SCHEMES.contains(&name)).then_some((name, prefix))
}

/// What is said of what is none.
pub const NO_NAME: &str =
    "this cannot be a name: write letters, digits, `-`, `_` and `.`, and begin with a letter or a digit";

/// Whether a pair or a profile may be called so: it is typed where paths, remotes and
/// options are, and must look like none of them.
pub fn is_name(name: &str) -> bool {
    let is_good = |c: char| c.is_alphanumeric() || "-_.".contains(c);
    !name.is_empty() && !name.starts_with(['-', '.']) && name.chars().all(is_good)
}

fn pair<'a>(loaded: &'a Loaded, name: &str) -> Result<&'a Pair, Refusal> {
    let pairs = &loaded.config.pair;
    pairs.get(name).ok_or_else(|| {
        let names = || pairs.keys().map(String::as_str);
        let safe = word(name);
        let other = "for a folder, give its REMOTE too";
        Refusal::Typed(match (&loaded.file, nearest(name, names())) {
            (None, _) => {
                format!("{safe:?} is no pair, since there is no configuration yet (`tidelock init` makes one); {other}")
            }
            (Some(_), Some(meant)) => {
                format!("{safe:?} is no pair of {}; did you mean {meant:?}? ({other})", loaded.name())
            }
            (Some(_), None) if pairs.is_empty() => format!("{safe:?} is no pair: {} has none; {other}", loaded.name()),
            (Some(_), None) => {
                format!("{safe:?} is no pair of {}; it may be {}; {other}", loaded.name(), listed(names()))
            }
        })
    })
}

/// A remote as a pair has it, with its paths made absolute.
pub(super) fn remote_of_pair(loaded: &Loaded, written: &str) -> Result<String, String> {
    match written.strip_prefix("folder:") {
        Some(path) => Ok(format!("folder:{}", loaded.around.path(path, loaded.base())?.display())),
        None => loaded.around.expand(written),
    }
}

/// The profile that holds, and why.
struct Chosen<'a> {
    profile: Option<(&'a str, &'a Profile)>,
    /// Of the AWS files, if the configuration has none of that name.
    aws: Option<String>,
    origin: Origin,
}

impl<'a> Chosen<'a> {
    fn of(loaded: &'a Loaded, remote: &str, of_pair: Option<&str>, typed: &Typed) -> Result<Self, Refusal> {
        let config = &loaded.config;
        let known = |name: &str| config.profile.get_key_value(name).map(|(name, profile)| (name.as_str(), profile));
        if let Some((name, _)) = split_profile(remote) {
            let profile = known(name).ok_or_else(|| Refusal::Typed(no_profile(loaded, name)))?;
            return match &typed.profile {
                Some(other) if other != name => Err(Refusal::Typed(format!(
                    "the remote {remote:?} is of the profile {name:?}, and --profile says {:?}",
                    word(other)
                ))),
                _ => Ok(Self { profile: Some(profile), aws: None, origin: Origin::BuiltIn }),
            };
        }
        let variable = loaded.around.variable("TIDELOCK_PROFILE");
        let (name, origin) = match (&typed.profile, variable, of_pair, &config.default_profile) {
            (Some(name), ..) => (name.as_str(), Origin::Option("--profile".to_owned())),
            (None, Some(name), ..) => (name, Origin::Environment("TIDELOCK_PROFILE".to_owned())),
            (None, None, Some(name), _) => (name, Origin::BuiltIn),
            (None, None, None, Some(name)) => (name.as_str(), Origin::File(loaded.place(&["default_profile"]))),
            _ => return Ok(Self { profile: None, aws: None, origin: Origin::BuiltIn }),
        };
        let profile = known(name);
        let aws = profile.is_none().then(|| name.to_owned());
        Ok(Self { profile, aws, origin })
    }

    /// The remote by its address, where it was named by its profile.
    fn bucket_url(&self, loaded: &Loaded, remote: &str) -> Result<String, Refusal> {
        let (Some((_, prefix)), Some((name, profile))) = (split_profile(remote), self.profile) else {
            return Ok(remote.to_owned());
        };
        let Some(bucket) = &profile.bucket else {
            let what = format!("it names no bucket, and {remote:?} is in it; add the line `bucket = …`");
            return Err(loaded.problem(&["profile", name], what).into());
        };
        Ok(if prefix.is_empty() { format!("s3://{bucket}") } else { format!("s3://{bucket}/{prefix}") })
    }

    fn service(&self, place: &Layers) -> Service {
        let last = |key: &str| place.parts(key).last().map(|(value, _)| value);
        let text = |key: &str| last(key).and_then(Json::as_str).map(str::to_owned);
        let credentials = self.profile.map_or(CredentialSource::Aws, |(name, profile)| profile.source(name));
        Service {
            endpoint: text("endpoint"),
            region: text("region"),
            profile: self.aws.clone().or_else(|| text("aws_profile")),
            path_style: last("path_style").and_then(Json::as_bool),
            credentials,
            provider: text("provider"),
        }
    }
}

impl Profile {
    /// Where its credentials are, as a request says it; `name` is what it is called.
    pub(crate) fn source(&self, name: &str) -> CredentialSource {
        let (profile, access_key_id) = (name.to_owned(), self.access_key_id.clone().unwrap_or_default());
        match self.credentials {
            Credentials::Aws => CredentialSource::Aws,
            Credentials::Env => CredentialSource::Env,
            Credentials::Keyring => CredentialSource::Keyring { profile, access_key_id },
            Credentials::File => CredentialSource::File { profile, access_key_id },
        }
    }
}

fn no_profile(loaded: &Loaded, name: &str) -> String {
    let names = || loaded.config.profile.keys().map(String::as_str);
    let hint = match nearest(name, names()) {
        Some(meant) => format!("did you mean {meant:?}?"),
        None if loaded.config.profile.is_empty() => "no profiles are configured".to_owned(),
        None => format!("it may be {}", listed(names())),
    };
    format!("{name:?} is no profile of {}; {hint} (or write s3://BUCKET[/PREFIX] or folder:PATH)", loaded.name())
}

/// What holds where nobody says anything, for people to see.
fn built_in(mode: Mode, is_s3: bool) -> Layers {
    let mut layers = Layers::default();
    let conflict = if mode == Mode::TwoWay { "keep-both" } else { "report" };
    for (key, value) in [
        ("recursive", json!(true)),
        ("hidden", json!(true)),
        ("follow_links", json!(false)),
        ("xattrs", json!(false)),
        ("compare", json!("digest")),
        ("conflict", json!(conflict)),
        ("metadata", json!("rclone")),
        ("remote_check", json!("list")),
        ("concurrency", json!(if is_s3 { 32 } else { 16 })),
        ("lock_timeout", json!("10s")),
        ("allow_unconditional", json!(false)),
    ] {
        layers.put(key, value, Origin::BuiltIn);
    }
    layers
}

fn lay_profile(loaded: &Loaded, name: &str, profile: &Profile, place: &mut Layers, knobs: &mut Layers) {
    let mut all = Layers::default();
    all.lay(profile, |key| Origin::File(loaded.place(&["profile", name, key])));
    for setting in all.settings() {
        let layers = if OF_RUNS.contains(&setting.key.as_str()) { &mut *knobs } else { &mut *place };
        layers.put(&setting.key, setting.value, setting.origin);
    }
}

/// Whom a command is about, for people to see.
fn lay_place(
    loaded: &Loaded,
    place: &mut Layers,
    named: Option<(&str, &Pair)>,
    (local, remote): (&Path, &str),
    (mode, typed): (Option<Mode>, &Typed),
    chosen: &Chosen<'_>,
) {
    let of_pair = |key: &str| {
        named.map_or_else(
            || Origin::Option("typed".to_owned()),
            |(name, _)| Origin::File(loaded.place(&["pair", name, key])),
        )
    };
    if !local.as_os_str().is_empty() {
        place.put("local", json!(local.display().to_string()), of_pair("local"));
    }
    if !remote.is_empty() {
        place.put("remote", json!(remote), of_pair("remote"));
    }
    if let Some((name, _)) = chosen.profile.filter(|_| remote.starts_with("s3://")) {
        let said = named.is_some_and(|(_, pair)| pair.profile.is_some());
        let origin = match &chosen.origin {
            Origin::BuiltIn => of_pair(if said { "profile" } else { "remote" }),
            other => other.clone(),
        };
        place.put("profile", json!(name), origin);
    }
    if let Some(aws) = &chosen.aws {
        place.put("aws_profile", json!(word(aws)), chosen.origin.clone());
    }
    let origin = match (mode, typed.mode) {
        (None, _) => Origin::BuiltIn,
        (_, Some(mode)) => Origin::Option(format!(
            "--{}",
            serde_json::to_value(mode).ok().and_then(|name| Some(name.as_str()?.to_owned())).unwrap_or_default()
        )),
        _ => of_pair("mode"),
    };
    place.put("mode", json!(mode.unwrap_or_default()), origin);
}

fn local(loaded: &Loaded, whom: &Whom, pair: Option<&Pair>) -> Result<PathBuf, Refusal> {
    match (whom, pair) {
        (Whom::Pair { local: Some(other), .. }, _) => Ok(other.clone()),
        (_, Some(pair)) => loaded.around.path(&pair.local, loaded.base()).map_err(Refusal::Typed),
        (Whom::Sides { local, .. }, _) => Ok(local.clone()),
        _ => Ok(PathBuf::new()),
    }
}

/// Patterns in the order of their layers, each with its place.
fn filters(loaded: &Loaded, pair: Option<&str>, knobs: &Layers, said: &Knobs) -> Vec<RuleLine> {
    let mut lines = Vec::new();
    let mut add = |pattern: &str, written: Option<String>| {
        lines.push(RuleLine { pattern: pattern.to_owned(), include: false, written });
    };
    let of_pair = pair.map(|name| (vec!["pair", name, "exclude"], loaded.config.pair.get(name)));
    let of_pair = of_pair.and_then(|(path, pair)| Some((path, pair?.exclude.as_ref()?)));
    let of_all = loaded.config.defaults.exclude.as_ref().map(|list| (vec!["defaults", "exclude"], list));
    for (path, patterns) in of_all.into_iter().chain(of_pair) {
        for (number, pattern) in patterns.iter().enumerate() {
            add(pattern, Some(loaded.item_place(&path, number)));
        }
    }
    for (value, origin) in knobs.parts("exclude") {
        let patterns = value.as_array().into_iter().flatten().filter_map(Json::as_str);
        match origin {
            Origin::Environment(_) => patterns.for_each(|pattern| add(pattern, Some(origin.to_string()))),
            Origin::Option(_) => patterns.for_each(|pattern| add(pattern, None)),
            Origin::File(_) | Origin::BuiltIn => {}
        }
    }
    if said.recursive == Some(false) {
        // Last, so that no pattern takes a folder in again.
        let place = knobs.parts("recursive").last().map(|(_, origin)| format!("recursive = false, {origin}"));
        add("*/", place);
    }
    lines
}

/// Ignore files of all layers; those of the file are below its folder.
fn ignore_files(loaded: &Loaded, knobs: &Layers) -> Result<Vec<(PathBuf, Origin)>, String> {
    let mut files = Vec::new();
    for (value, origin) in knobs.parts("ignore_files") {
        for path in value.as_array().into_iter().flatten().filter_map(Json::as_str) {
            let file = match origin {
                Origin::File(_) => loaded.around.path(path, loaded.base())?,
                _ => PathBuf::from(path),
            };
            files.push((file, origin.clone()));
        }
    }
    Ok(files)
}

fn options(said: Knobs, filters: Vec<RuleLine>) -> Options {
    let usual = Options::default();
    Options {
        filters,
        hidden: said.hidden.unwrap_or(usual.hidden),
        follow_links: said.follow_links.unwrap_or(usual.follow_links),
        compare: said.compare,
        conflict: said.conflict,
        concurrency: said.concurrency.and_then(|count| usize::try_from(count).ok()),
        max_delete: said.max_delete,
        allow_unconditional: said.allow_unconditional.unwrap_or(usual.allow_unconditional),
        remote_check: said.remote_check.unwrap_or(usual.remote_check),
        metadata: said.metadata.unwrap_or(usual.metadata),
        xattrs: said.xattrs.unwrap_or(usual.xattrs),
        lock_timeout_ms: said.lock_timeout.map_or(usual.lock_timeout_ms, |wait| wait.0),
        storage_class: said.storage_class,
        sse: said.sse,
        // A key of a lower layer goes with its kind of encryption.
        sse_kms_key: said.sse_kms_key.filter(|_| said.sse == Some(Sse::Kms)),
        meta: said.meta.unwrap_or_default(),
        content_type: said.content_type,
        bwlimit: said.bwlimit.map(|rate| rate.0),
        ..usual
    }
}

fn option(key: &str) -> Origin {
    Origin::Option(option_name(key))
}

/// The option that a key is typed as.
pub(crate) fn option_name(key: &str) -> String {
    match key {
        "exclude" => "--exclude, --include".to_owned(),
        "ignore_files" => "--ignore-file".to_owned(),
        key => format!("--{}", key.replace('_', "-")),
    }
}

/// Whether a key is a pair's own, not one of how runs go about it.
pub fn is_of_place(key: &str) -> bool {
    OWN.contains(&key)
}
