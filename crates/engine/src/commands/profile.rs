//! `config profile`: services and who we are there.
//!
//! A profile's settings are in the configuration, its secret in a vault; both change
//! here and nowhere else. Adding one asks the bucket first (`profile/look.rs`), so
//! that a mistyped key is found at once. One that pairs rest on is not removed.

mod add;
mod look;

pub use add::Add;
pub(super) use add::{ask, keep};
pub use look::Tested;

use crate::api::Context;
use crate::config::find::{self, Loaded};
use crate::config::resolve::{Resolved, Typed, Whom, resolve, split_profile};
use crate::config::rewrite::{Draft, Touched};
use crate::config::{Config, Credentials, Profile, edit};
use crate::event::Event;
use crate::failure::Failure;
use crate::place;
use crate::report::Ending;
use crate::secrets::Vault;
use serde::{Deserialize, Serialize};
use tidelock_remote::url::{RemoteUrl, word};

/// What can be asked of profiles.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "verb")]
pub enum Profiles {
    /// Add one.
    Add(Box<Add>),
    /// Name them all.
    List,
    /// Take one out, with its secret.
    Remove {
        /// Its name.
        name: String,
    },
    /// Make one the default.
    Use {
        /// Its name.
        name: String,
    },
    /// Ask its service whether it works.
    Test {
        /// Its name.
        name: String,
        /// The bucket, if not the profile's own.
        #[serde(default)]
        bucket: Option<String>,
    },
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "done")]
pub enum ProfilesReply {
    /// One was added.
    Added {
        /// Its name.
        name: String,
        /// The configuration's file.
        file: String,
        /// What the service said, if it was asked.
        test: Option<Tested>,
    },
    /// They were named.
    Listed {
        /// All of them, by name.
        profiles: Vec<Row>,
    },
    /// One was taken out.
    Removed {
        /// Its name.
        name: String,
        /// The configuration's file.
        file: String,
        /// Whether it was the default one: there is none now.
        #[serde(default)]
        was_default: bool,
        /// Why its secret is still where it was, though it should not be.
        secret_left: Option<String>,
        /// The other configuration whose profile of that name has the same secret, which
        /// therefore stays.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        shared_with: Option<String>,
    },
    /// One is the default now.
    Used {
        /// Its name.
        name: String,
        /// The configuration's file.
        file: String,
    },
    /// One was tried.
    Tested(Tested),
}

/// A profile as it is listed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// Its name.
    pub name: String,
    /// Whether it is the default one.
    pub is_default: bool,
    /// What it says; there is no secret in it.
    #[serde(flatten)]
    pub profile: Profile,
}

impl ProfilesReply {
    /// How it ended.
    pub fn ending(&self) -> Ending {
        match self {
            Self::Tested(tested) => tested.ending,
            Self::Removed { secret_left: Some(_), .. } => Ending::Partial,
            _ => Ending::Ok,
        }
    }
}

/// Does it.
pub async fn run(context: &Context, request: &Profiles) -> Result<ProfilesReply, Failure> {
    match request {
        Profiles::Add(request) => add::run(context, request).await,
        Profiles::List => list(context),
        Profiles::Remove { name } => remove(context, name).await,
        Profiles::Use { name } => make_default(context, name),
        Profiles::Test { name, bucket } => {
            let loaded = find::load(&context.around)?;
            let profile = known(&loaded, name)?;
            let resolved = resolved(&loaded, name)?;
            if let Some(Err(error)) = bucket.as_ref().map(|bucket| RemoteUrl::parse(&format!("s3://{bucket}"))) {
                return Err(Failure::Misused(format!("--bucket: {}", error.why)));
            }
            let bucket = bucket.as_deref().or(profile.bucket.as_deref());
            let keys = super::credentials::keys(context, &resolved.sides.service.credentials).await;
            look::test(context, name, &resolved.sides.service, keys, bucket).await.map(ProfilesReply::Tested)
        }
    }
}

fn list(context: &Context) -> Result<ProfilesReply, Failure> {
    let config = find::load(&context.around)?.config;
    let is_default = |name: &String| config.default_profile.as_ref() == Some(name);
    let row = |(name, profile): (&String, &Profile)| Row {
        name: name.clone(),
        is_default: is_default(name),
        profile: profile.shown(),
    };
    Ok(ProfilesReply::Listed { profiles: config.profile.iter().map(row).collect() })
}

async fn remove(context: &Context, name: &str) -> Result<ProfilesReply, Failure> {
    let loaded = find::load(&context.around)?;
    let profile = known(&loaded, name)?;
    let users = users(&loaded.config, name);
    if let Some(first) = users.first() {
        let line = loaded.tree.line_of(&["pair", first]).map_or_else(String::new, |line| format!(" (line {line})"));
        let all = if users.len() > 1 { format!(" and {} more", users.len() - 1) } else { String::new() };
        let what = format!("the profile {name:?} is used by pair.{first}{line}{all}, and was left as it is");
        return Err(Failure::Unable(format!("{what}; give the pairs another profile first")));
    }
    let draft = Draft::open(&context.around)?;
    let text = edit::remove_profile(draft.text(), name).map_err(Failure::Unable)?;
    draft.save(&text, &Touched::default(), &context.world.token())?;
    tell_left(context, &draft, &text);
    let shared_with = shared_with(context, name, profile.credentials);
    let secret_left = match vault(profile.credentials).filter(|_| shared_with.is_none()) {
        None => None,
        Some(vault) => {
            context.secrets.remove(&context.asking(), vault, name).await.err().map(|error| error.to_string())
        }
    };
    let file = draft.file().display().to_string();
    let was_default = loaded.config.default_profile.as_deref() == Some(name);
    Ok(ProfilesReply::Removed { name: name.to_owned(), file, was_default, secret_left, shared_with })
}

/// A person's vaults are one for all their configurations: where another one than the
/// usual was named, the usual one may need the secret too. One that cannot be read may.
fn shared_with(context: &Context, name: &str, credentials: Credentials) -> Option<String> {
    vault(credentials)?;
    let usual = context.around.unnamed();
    let file = match find::locate(&usual) {
        Ok(file) => file?,
        Err(problem) => return Some(problem.source_name),
    };
    let named = find::locate(&context.around).ok().flatten()?;
    if place::behind(&file) == place::behind(&named) {
        return None;
    }
    let needs = |config: &Config| config.profile.get(name).is_some_and(|other| other.credentials == credentials);
    find::load(&usual).map_or(true, |usual| needs(&usual.config)).then(|| file.display().to_string())
}

fn make_default(context: &Context, name: &str) -> Result<ProfilesReply, Failure> {
    known(&find::load(&context.around)?, name)?;
    let draft = Draft::open(&context.around)?;
    let text = edit::use_profile(draft.text(), name).map_err(Failure::Unable)?;
    let names = [name.to_owned()];
    draft.save(&text, &Touched { profiles: &names, pairs: &[] }, &context.world.token())?;
    tell_left(context, &draft, &text);
    Ok(ProfilesReply::Used { name: name.to_owned(), file: draft.file().display().to_string() })
}

/// Tells what is wrong with a configuration that was changed elsewhere: it stopped nothing.
pub(super) fn tell_left(context: &Context, draft: &Draft, text: &str) {
    for problem in draft.problems(text) {
        context.listener.hear(&Event::Note { text: format!("wrong elsewhere in it, and left so: {problem}") });
    }
}

/// A profile of this name.
pub(super) fn known<'a>(loaded: &'a Loaded, name: &str) -> Result<&'a Profile, Failure> {
    loaded.config.profile.get(name).ok_or_else(|| {
        let names: Vec<&str> = loaded.config.profile.keys().map(String::as_str).collect();
        let there = match names.as_slice() {
            [] => "there are none".to_owned(),
            names => format!("there are {}", names.join(", ")),
        };
        Failure::Misused(format!("{:?} is no profile of {}; {there}", word(name), loaded.name()))
    })
}

/// What a run with this profile would work with.
fn resolved(loaded: &Loaded, name: &str) -> Result<Resolved, Failure> {
    let typed = Typed { profile: Some(name.to_owned()), ..Typed::default() };
    Ok(resolve(loaded, &Whom::Nobody, &typed)?)
}

/// The vault that credentials are in, if it is one of ours.
pub(super) fn vault(credentials: Credentials) -> Option<Vault> {
    match credentials {
        Credentials::Keyring => Some(Vault::Keyring),
        Credentials::File => Some(Vault::File),
        Credentials::Aws | Credentials::Env => None,
    }
}

/// The pairs that rest on a profile.
fn users<'a>(config: &'a Config, profile: &str) -> Vec<&'a str> {
    let rests = |remote: &str, said: Option<&str>| match (split_profile(remote), said) {
        (Some((named, _)), _) => named == profile,
        (None, Some(said)) => said == profile,
        (None, None) => remote.starts_with("s3://") && config.default_profile.as_deref() == Some(profile),
    };
    let pairs = config.pair.iter();
    pairs.filter(|(_, pair)| rests(&pair.remote, pair.profile.as_deref())).map(|(name, _)| name.as_str()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Pair;

    #[test]
    fn pairs_rest_on_the_profile_that_they_name_or_mean() {
        let mut config = Config { default_profile: Some("home".into()), ..Config::default() };
        for (name, remote, profile) in [
            ("a", "s3://b", None),
            ("b", "s3://b", Some("work")),
            ("c", "work:x", None),
            ("d", "folder:/srv", None),
            ("e", "home:", None),
        ] {
            let pair = Pair { remote: remote.into(), profile: profile.map(str::to_owned), ..Pair::default() };
            config.pair.insert(name.into(), pair);
        }
        assert_eq!(users(&config, "home"), ["a", "e"]);
        assert_eq!(users(&config, "work"), ["b", "c"]);
        assert_eq!(users(&config, "other"), [] as [&str; 0]);
    }
}
