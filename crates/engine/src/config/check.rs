//! Whether what a configuration says makes sense together.
//!
//! Reading has settled keys and types; here names must exist, values be possible,
//! and folders be apart: a pair within another, or around its own store or around
//! Tidelock's own files, would sync what it must not. Paths are compared by their
//! letters, unless the caller can tell their true names.

use super::around::{Around, plain};
use super::find::Loaded;
use super::layers::Layers;
use super::problem::Problem;
use super::resolve::{NO_NAME, SCHEMES, as_written, environment, is_name, remote_of_pair, split_profile};
use super::schema::schema;
use super::shared::mirrors_alone;
use super::tree::key as shown_key;
use super::words::nearest;
use super::{Credentials, Knobs, Pair, Profile};
use crate::api::Sse;
use crate::commands::open::unfit_meta;
use std::path::{Path, PathBuf};
use tidelock_core::filter::{RuleLine, Rules};
use tidelock_core::meta::MetaFormat;
use tidelock_remote::s3::is_region;
use tidelock_remote::s3::provider::{PROVIDERS, Provider};
use tidelock_remote::url::{RemoteUrl, word};

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
    mirrors_alone(loaded, true_name, &mut found);
    // What could not be read was left out, and is not complained of once more for that.
    let unread: Vec<&str> = loaded.problems.iter().filter_map(|problem| problem.key.as_deref()).collect();
    let is_echo = |key: &str| {
        unread.iter().any(|unread| [Some(key), key.rsplit_once('.').map(|key| key.0)].contains(&Some(unread)))
    };
    found.retain(|problem| !problem.key.as_deref().is_some_and(is_echo));
    found.extend(loaded.problems.iter().cloned());
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
        let section = |kind: &str, name: &str| {
            key.strip_prefix(&shown_key(&[kind, name])).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        let of_other_pair = key.starts_with("pair.") && !pair.is_some_and(|name| section("pair", name));
        let mut known = profiles_of(loaded, pair).chain(profiles.iter().copied());
        let of_other_profile = key.starts_with("profile.") && !known.any(|name| section("profile", name));
        of_other_pair || of_other_profile
    };
    found.retain(|problem| !problem.key.as_deref().is_some_and(others));
    found
}

/// Everything that is wrong with settings of the environment.
pub fn variables(around: &Around) -> Vec<Problem> {
    let wrong = |one: Around| environment(&one, &mut Layers::default(), &mut Layers::default()).err();
    around.each("TIDELOCK_").filter_map(wrong).collect()
}

/// Variables that look like settings and are none; nobody would tell otherwise.
pub fn misspelt(around: &Around) -> Vec<Problem> {
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

/// Whether settings contradict each other, wherever each was said; the key, and why.
pub(super) fn knobs_together(said: &Knobs) -> Result<(), (&'static str, String)> {
    if said.xattrs == Some(true) && said.metadata == Some(MetaFormat::Minimal) {
        let what = "metadata \"minimal\" keeps the modification time alone, so xattrs would have nowhere to go; leave \
                    one of them out";
        return Err(("metadata", what.to_owned()));
    }
    if said.sse_kms_key.is_some() && said.sse.is_none() {
        let what = "sse_kms_key names a key for sse \"aws:kms\", which nobody set; set it, or leave the key out";
        return Err(("sse_kms_key", what.to_owned()));
    }
    Ok(())
}

/// Whether a key for encryption stands beside an encryption that has no use for it.
pub(super) fn key_is_used(said: &Knobs) -> Result<(), (&'static str, String)> {
    if said.sse_kms_key.is_some() && said.sse.is_some_and(|sse| sse != Sse::Kms) {
        let what = "a key for encryption (sse_kms_key) is used with sse \"aws:kms\" alone; give that, or leave \
                    the key out";
        return Err(("sse_kms_key", what.to_owned()));
    }
    Ok(())
}

/// What contradicts itself once a pair lies on its profile and the defaults: a run may be
/// told otherwise by options, so that this is for who asks.
pub fn together(loaded: &Loaded) -> Vec<Problem> {
    let problem = |(name, pair): (&String, &Pair)| {
        let said = as_written(loaded, name, pair)?;
        let wrong = key_is_used(&pair.knobs()).and_then(|()| knobs_together(&said)).err();
        wrong.map(|(key, what)| loaded.problem(&["pair", name, key], what))
    };
    let of_defaults = key_is_used(&loaded.config.defaults).err();
    let of_defaults = of_defaults.map(|(key, what)| loaded.problem(&["defaults", key], what));
    of_defaults.into_iter().chain(loaded.config.pair.iter().filter_map(problem)).collect()
}

fn unknown_profile(loaded: &Loaded, name: &str) -> String {
    let safe = word(name);
    match nearest(name, loaded.config.profile.keys().map(String::as_str)) {
        Some(meant) => format!("there is no profile {safe:?}; did you mean {meant:?}?"),
        None => format!("there is no profile {safe:?}; add a section [profile.{safe}]"),
    }
}

fn check_name(loaded: &Loaded, path: &[&str; 2], found: &mut Vec<Problem>) {
    if !is_name(path[1]) {
        found.push(loaded.problem(path, NO_NAME));
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
    service(profile).into_iter().for_each(|(key, what)| wrong(key, what));
    if let Some(Err(error)) = profile.bucket.as_ref().map(|bucket| RemoteUrl::parse(&format!("s3://{bucket}"))) {
        wrong("bucket", error.why);
    }
}

/// What cannot be, of what one layer says of a service.
pub(super) fn service(said: &Profile) -> Vec<(&'static str, String)> {
    let mut found = Vec::new();
    if let Some(text) = said.endpoint.as_deref().filter(|text| !is_address(text)) {
        found.push(("endpoint", format!("{:?} is no address; write it as in \"https://s3.example.org\"", word(text))));
    }
    if let Some(text) = said.region.as_deref().filter(|text| !is_region(text)) {
        found.push(("region", format!("{:?} is no region; write it as in \"eu-central-1\"", word(text))));
    }
    if let Some(provider) = said.provider.as_deref().filter(|name| Provider::named(name).is_none()) {
        found.push(("provider", unknown_provider(provider)));
    }
    found
}

fn unknown_provider(name: &str) -> String {
    let safe = word(name);
    match nearest(name, PROVIDERS.iter().map(|provider| provider.name)) {
        Some(meant) => format!("there is no provider {safe:?}; did you mean {meant:?}?"),
        None => format!("there is no provider {safe:?}; there are {} (docs/providers.md)", Provider::names()),
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
            Err(error) => wrong("remote", format!("{:?}: {}", word(&pair.remote), error.why)),
            Ok(RemoteUrl::Folder(_)) if said.as_ref().is_some_and(|name| loaded.config.profile.contains_key(name)) => {
                wrong("profile", "a store in a folder needs none; remove this line".to_owned());
            }
            Ok(_) => {}
        },
    }
}

fn knobs(loaded: &Loaded, section: &[&str], said: &Knobs, found: &mut Vec<Problem>) {
    for (key, number, what) in values(said) {
        let path = [section, &[key]].concat();
        let problem = loaded.problem(&path, what);
        let line = number.and_then(|number| loaded.item_line(&path, number)).or(problem.line);
        found.push(Problem { line, ..problem });
    }
    for path in said.ignore_files.iter().flatten().filter(|path| !path.is_empty()) {
        if let Err(what) = loaded.around.path(path, loaded.base()) {
            found.push(loaded.problem(&[section, &["ignore_files"]].concat(), what));
        }
    }
}

/// What cannot be, of what one layer says: the key, which item of its list, and why.
pub(super) fn values(said: &Knobs) -> Vec<(&'static str, Option<usize>, String)> {
    let mut found = Vec::new();
    let mut wrong = |key, number, what: String| found.push((key, number, what));
    if said.concurrency.is_some_and(|count| !(1..=1024).contains(&count)) {
        wrong("concurrency", None, "it is out of range; write a number from 1 to 1024".to_owned());
    }
    for (key, text, example) in [
        ("content_type", &said.content_type, "text/plain"),
        ("storage_class", &said.storage_class, "STANDARD_IA"),
        ("sse_kms_key", &said.sse_kms_key, "alias/photos"),
    ] {
        let is_plain = |text: &String| !text.is_empty() && text.bytes().all(|byte| (b' '..=b'~').contains(&byte));
        if text.as_ref().is_some_and(|text| !is_plain(text) || text.trim() != text) {
            wrong(key, None, format!("it can be no header; write it as in {example:?}, or leave it out"));
        }
    }
    for (name, value) in said.meta.iter().flatten() {
        if let Some(why) = unfit_meta(name, value) {
            wrong("meta", None, format!("{name:?} cannot be set: {why}"));
        }
    }
    for (number, pattern) in said.exclude.iter().flatten().enumerate() {
        let line = RuleLine { pattern: pattern.clone(), include: false, written: Some(String::new()) };
        if let Err(error) = Rules::new(vec![line], Vec::new(), true) {
            wrong("exclude", Some(number), format!("the pattern {pattern:?} cannot match anything: {}", error.why));
        }
    }
    for (number, path) in said.ignore_files.iter().flatten().enumerate() {
        if path.is_empty() || path.ends_with('/') {
            wrong("ignore_files", Some(number), format!("{path:?} names no file; write a file's path"));
        }
    }
    found
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
        if let Some(dir) = loaded.around.state_dir().map(|dir| true_name(&dir)).filter(|dir| one.local.starts_with(dir))
        {
            wrong("local", format!("it lies in Tidelock's own state ({}); give a folder of yours", dir.display()));
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
