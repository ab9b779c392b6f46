//! Whether what a configuration says makes sense together.
//!
//! Reading has settled keys and types; here names must exist, values be possible,
//! and folders be apart: a pair within another, or around its own store or around
//! Tidelock's own files, would sync what it must not. Paths are compared by their
//! letters, unless the caller can tell their true names.

use super::around::{Around, plain};
use super::find::Loaded;
use super::problem::Problem;
use super::resolve::{SCHEMES, is_name, remote_of_pair, split_profile};
use super::schema::schema;
use super::words::nearest;
use super::{Credentials, Knobs, Pair, Profile};
use crate::api::Sse;
use crate::commands::open::unfit_meta;
use std::path::{Path, PathBuf};
use tidelock_core::filter::{RuleLine, Rules};
use tidelock_core::meta::MetaFormat;
use tidelock_remote::s3::provider::{PROVIDERS, Provider};
use tidelock_remote::url::RemoteUrl;

/// Variables of ours that are no keys of `[defaults]`.
const VARIABLES: [&str; 7] = ["CONFIG", "PROFILE", "ENDPOINT", "REGION", "PATH_STYLE", "PROVIDER", "PASSPHRASE_FILE"];

/// A path by its true name, as far as the caller can tell.
pub type TrueName<'a> = &'a dyn Fn(&Path) -> PathBuf;

/// Everything that is wrong.
pub fn all(loaded: &Loaded, true_name: TrueName<'_>) -> Vec<Problem> {
    let mut found = Vec::new();
    let config = &loaded.config;
    if let Some(name) = config.default_profile.as_deref().filter(|name| !config.profile.contains_key(*name)) {
        found.push(loaded.problem(&["default_profile"], unknown_profile(loaded, name)));
    }
    knobs(loaded, &["defaults"], &config.defaults, &mut found);
    config.profile.iter().for_each(|(name, profile)| check_profile(loaded, name, profile, &mut found));
    config.pair.iter().for_each(|(name, pair)| check_pair(loaded, name, pair, &mut found));
    apart(loaded, true_name, &mut found);
    found.sort_by_key(|problem| problem.line);
    found
}

/// What is wrong with a pair, with these profiles, and with what holds for every run.
/// A slip in one pair stops no other.
pub(super) fn about(loaded: &Loaded, pair: Option<&str>, profiles: &[&str]) -> Vec<Problem> {
    if loaded.file.is_none() {
        return Vec::new();
    }
    let mut found = all(loaded, &plain);
    let others = |key: &str| {
        let section =
            |kind: &str, name: &str| key == format!("{kind}.{name}") || key.starts_with(&format!("{kind}.{name}."));
        let of_other_pair = key.starts_with("pair.") && !pair.is_some_and(|name| section("pair", name));
        let mut known = profiles_of(loaded, pair).chain(profiles.iter().copied());
        let of_other_profile = key.starts_with("profile.") && !known.any(|name| section("profile", name));
        of_other_pair || of_other_profile
    };
    found.retain(|problem| !problem.key.as_deref().is_some_and(others));
    found
}

/// Variables that look like settings and are none; nobody would tell otherwise.
pub fn variables(around: &Around) -> Vec<Problem> {
    let schema = schema();
    let knobs = schema["$defs"]["Knobs"]["properties"].as_object();
    let settings: Vec<String> =
        knobs.into_iter().flat_map(|keys| keys.keys()).map(|key| key.to_ascii_uppercase()).collect();
    let known = || settings.iter().map(String::as_str).chain(VARIABLES);
    let misspelt = around.beginning("TIDELOCK_").filter(|(name, _)| !known().any(|other| other == *name));
    let told = misspelt.filter_map(|(name, _)| {
        let meant = nearest(name, known())?;
        let what = format!("there is no such setting; did you mean TIDELOCK_{meant}?");
        Some(Problem::whole(format!("environment TIDELOCK_{name}"), what))
    });
    told.collect()
}

/// The profiles that a pair, or a run without one, may rest on.
fn profiles_of<'a>(loaded: &'a Loaded, pair: Option<&str>) -> impl Iterator<Item = &'a str> {
    let pair = pair.and_then(|name| loaded.config.pair.get(name));
    let named = pair.and_then(|pair| split_profile(&pair.remote)).map(|(name, _)| name);
    let said = pair.and_then(|pair| pair.profile.as_deref());
    named.into_iter().chain(said).chain(loaded.config.default_profile.as_deref())
}

/// Whether settings contradict each other, wherever each was said.
pub(super) fn knobs_together(said: &Knobs) -> Result<(), String> {
    if said.xattrs == Some(true) && said.metadata == Some(MetaFormat::Minimal) {
        return Err(
            "metadata \"minimal\" keeps the modification time alone, so xattrs would have nowhere to go; leave \
                    one of them out"
                .to_owned(),
        );
    }
    if said.sse_kms_key.is_some() && said.sse.is_none() {
        let what = "sse_kms_key names a key for sse \"aws:kms\", which nobody set; set it, or leave the key out";
        return Err(what.to_owned());
    }
    Ok(())
}

/// Whether a key for encryption stands beside an encryption that has no use for it.
pub(super) fn key_is_used(said: &Knobs) -> Result<(), String> {
    if said.sse_kms_key.is_some() && said.sse.is_some_and(|sse| sse != Sse::Kms) {
        return Err("a key for encryption (sse_kms_key) is used with sse \"aws:kms\" alone; give that, or leave \
                    the key out"
            .to_owned());
    }
    Ok(())
}

fn unknown_profile(loaded: &Loaded, name: &str) -> String {
    match nearest(name, loaded.config.profile.keys().map(String::as_str)) {
        Some(meant) => format!("there is no profile {name:?}; did you mean {meant:?}?"),
        None => format!("there is no profile {name:?}; add a section [profile.{name}]"),
    }
}

fn check_name(loaded: &Loaded, path: &[&str; 2], found: &mut Vec<Problem>) {
    if !is_name(path[1]) {
        let what = "this cannot be a name: write letters, digits, `-`, `_` and `.`, and begin with a letter or a digit";
        found.push(loaded.problem(path, what));
    } else if path[0] == "profile" && SCHEMES.contains(&path[1]) {
        found.push(loaded.problem(path, format!("`{}:` begins other remotes; give the profile another name", path[1])));
    }
}

fn check_profile(loaded: &Loaded, name: &str, profile: &Profile, found: &mut Vec<Problem>) {
    check_name(loaded, &["profile", name], found);
    let mut wrong = |key: &str, what: String| found.push(loaded.problem(&["profile", name, key], what));
    let stored = matches!(profile.credentials, Credentials::Keyring | Credentials::File);
    if stored && profile.access_key_id.is_none() {
        wrong("credentials", "the access key's id is missing; add the line `access_key_id = …`".to_owned());
    }
    if !stored && profile.access_key_id.is_some() {
        let what = "it is used with credentials = \"keyring\" or \"file\" alone; set that, or remove this line";
        wrong("access_key_id", what.to_owned());
    }
    if profile.aws_profile.is_some() && profile.credentials != Credentials::Aws {
        wrong("aws_profile", "it is used with credentials = \"aws\" alone; remove one of the two".to_owned());
    }
    if profile.sse_kms_key.is_some() && profile.sse != Some(Sse::Kms) {
        wrong("sse_kms_key", "it is used with sse = \"aws:kms\" alone; add that line, or remove this one".to_owned());
    }
    match profile.endpoint.as_deref() {
        // Not shown: a secret may be in it.
        Some(text) if text.contains('@') => {
            wrong("endpoint", "who signs in is never part of the address; set `credentials` instead".to_owned());
        }
        Some(text) if !is_address(text) => {
            wrong("endpoint", format!("{text:?} is no address; write it as in \"https://s3.example.org\""));
        }
        _ => {}
    }
    if let Some(provider) = profile.provider.as_deref().filter(|name| Provider::named(name).is_none()) {
        wrong("provider", unknown_provider(provider));
    }
    if let Some(Err(error)) = profile.bucket.as_ref().map(|bucket| RemoteUrl::parse(&format!("s3://{bucket}"))) {
        wrong("bucket", error.why);
    }
}

fn unknown_provider(name: &str) -> String {
    match nearest(name, PROVIDERS.iter().map(|provider| provider.name)) {
        Some(meant) => format!("there is no provider {name:?}; did you mean {meant:?}?"),
        None => format!("there is no provider {name:?}; there are {} (docs/providers.md)", Provider::names()),
    }
}

fn is_address(text: &str) -> bool {
    let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    host.is_some_and(|host| !host.is_empty() && !host.starts_with('/') && !text.contains(char::is_whitespace))
}

fn check_pair(loaded: &Loaded, name: &str, pair: &Pair, found: &mut Vec<Problem>) {
    check_name(loaded, &["pair", name], found);
    knobs(loaded, &["pair", name], &pair.knobs(), found);
    let mut wrong = |key: &str, what: String| found.push(loaded.problem(&["pair", name, key], what));
    if let Err(what) = loaded.around.path(&pair.local, loaded.base()) {
        wrong("local", what);
    }
    if let Some(profile) = pair.profile.as_deref().filter(|name| !loaded.config.profile.contains_key(*name)) {
        wrong("profile", unknown_profile(loaded, profile));
    }
    let remote = match remote_of_pair(loaded, &pair.remote) {
        Ok(remote) => remote,
        Err(what) => return wrong("remote", what),
    };
    match (split_profile(&remote), &pair.profile) {
        (Some((named, _)), Some(said)) if named != said => {
            wrong("profile", format!("the remote is of the profile {named:?}; remove this line"));
        }
        (Some((named, _)), _) => match loaded.config.profile.get(named) {
            None => wrong("remote", unknown_profile(loaded, named)),
            Some(profile) if profile.bucket.is_none() => {
                wrong("remote", format!("the profile {named:?} names no bucket; add `bucket = …` there"));
            }
            Some(_) => {}
        },
        (None, said) => match RemoteUrl::parse(&remote) {
            Err(error) => wrong("remote", format!("{:?}: {}", pair.remote, error.why)),
            Ok(RemoteUrl::Folder(_)) if said.as_ref().is_some_and(|name| loaded.config.profile.contains_key(name)) => {
                wrong("profile", "a store in a folder needs none; remove this line".to_owned());
            }
            Ok(_) => {}
        },
    }
}

fn knobs(loaded: &Loaded, section: &[&str], said: &Knobs, found: &mut Vec<Problem>) {
    let mut wrong = |key: &str, what: String| found.push(loaded.problem(&[section, &[key]].concat(), what));
    if said.concurrency.is_some_and(|count| !(1..=1024).contains(&count)) {
        wrong("concurrency", "it is out of range; write a number from 1 to 1024".to_owned());
    }
    for (name, value) in said.meta.iter().flatten() {
        if let Some(why) = unfit_meta(name, value) {
            wrong("meta", format!("{name:?} cannot be set: {why}"));
        }
    }
    for (number, pattern) in said.exclude.iter().flatten().enumerate() {
        let line = RuleLine { pattern: pattern.clone(), include: false, written: Some(String::new()) };
        if let Err(error) = Rules::new(vec![line], Vec::new(), true) {
            let key = [section, &["exclude"]].concat();
            let what = format!("the pattern {pattern:?} cannot match anything: {}", error.why);
            found.push(Problem { line: loaded.item_line(&key, number), ..loaded.problem(&key, what) });
        }
    }
    for path in said.ignore_files.iter().flatten() {
        if let Err(what) = loaded.around.path(path, loaded.base()) {
            found.push(loaded.problem(&[section, &["ignore_files"]].concat(), what));
        }
    }
}

/// A pair's two ends, by the names under which they are compared.
struct Ends<'a> {
    name: &'a str,
    local: PathBuf,
    remote: String,
    store: Option<PathBuf>,
}

fn apart(loaded: &Loaded, true_name: TrueName<'_>, found: &mut Vec<Problem>) {
    let ends = |(name, pair): (&'_ String, &Pair)| {
        let local = true_name(&plain(&loaded.around.path(&pair.local, loaded.base()).ok()?));
        let remote = remote_of_pair(loaded, &pair.remote).ok()?;
        let store = remote.strip_prefix("folder:").map(|path| true_name(&plain(Path::new(path))));
        Some((name.clone(), local, remote, store))
    };
    let known: Vec<_> = loaded.config.pair.iter().filter_map(ends).collect();
    let known: Vec<Ends<'_>> = known
        .iter()
        .map(|(name, local, remote, store)| Ends {
            name,
            local: local.clone(),
            remote: remote.clone(),
            store: store.clone(),
        })
        .collect();
    let line = |name: &str, key: &str| loaded.tree.line_of(&["pair", name, key]).unwrap_or_default();
    for one in &known {
        let mut wrong = |key: &str, what: String| found.push(loaded.problem(&["pair", one.name, key], what));
        for (what, dir) in [("configuration", loaded.around.config_dir()), ("state", loaded.around.state_dir())] {
            if let Some(dir) = dir.map(|dir| true_name(&dir)).filter(|dir| dir.starts_with(&one.local)) {
                let dir = dir.display();
                wrong("local", format!("it contains Tidelock's own {what} ({dir}); give a folder that does not"));
            }
        }
        for other in &known {
            let is_self = other.name == one.name;
            if !is_self && other.local != one.local && other.local.starts_with(&one.local) {
                let (name, line) = (other.name, line(other.name, "local"));
                wrong(
                    "local",
                    format!(
                        "it contains the folder of pair.{name} (line {line}), which would be synced twice; give one of them \
                         another folder, or make them one pair"
                    ),
                );
            }
            if one.name < other.name && other.local == one.local && other.remote == one.remote {
                let (name, line) = (other.name, line(other.name, "local"));
                wrong("local", format!("pair.{name} (line {line}) is the same folder and remote; remove one of them"));
            }
            if let Some(store) = other.store.as_ref().filter(|store| lies_with(store, &one.local)) {
                let (whose, line) = (other.name, line(other.name, "remote"));
                let whose = if is_self { "its own store".to_owned() } else { format!("the store of pair.{whose}") };
                let store = store.display();
                wrong(
                    "local",
                    format!("it and {whose} ({store}, line {line}) lie in each other; put the store elsewhere"),
                );
            }
        }
    }
}

fn lies_with(one: &Path, other: &Path) -> bool {
    one.starts_with(other) || other.starts_with(one)
}
