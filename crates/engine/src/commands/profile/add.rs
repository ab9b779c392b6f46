//! Adding a profile: checked, tried, and only then kept.
//!
//! The secret is asked for, tried, put into its vault, and then the configuration is
//! written; where that fails, the secret is taken out again. Vaults are shared by all
//! configurations of a person, so one that is kept already is never replaced here. It
//! never enters a request: whoever asks in the context gives it.

use super::super::credentials;
use super::{ProfilesReply, Tested, look, resolved, tell_left, vault};
use crate::api::Context;
use crate::config::find::Loaded;
use crate::config::resolve::{NO_NAME, is_name, option_name};
use crate::config::rewrite::{Draft, Touched};
use crate::config::{Config, Profile, edit};
use crate::failure::Failure;
use crate::report::Ending;
use crate::secrets::{ErrorKind, KeyFrom, Put, Question, Secret, Vault};
use serde::{Deserialize, Serialize};
use tidelock_remote::s3::Keys;
use tidelock_remote::url::word;

/// A profile to be added.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Add {
    /// Its name.
    pub name: String,
    /// What it says.
    pub profile: Profile,
    /// What the encrypted file's key comes from, if it is made now.
    #[serde(default)]
    pub key: Option<KeyFrom>,
    /// Keep it without asking the service.
    #[serde(default)]
    pub untested: bool,
}

/// Adds it.
pub(super) async fn run(context: &Context, request: &Add) -> Result<ProfilesReply, Failure> {
    let Add { name, profile, .. } = request;
    if !is_name(name) {
        return Err(Failure::Misused(format!("{:?}: {NO_NAME}", word(name))));
    }
    let draft = Draft::open(&context.around)?;
    let mut more = Config::default();
    more.profile.insert(name.clone(), profile.clone());
    let text = edit::add(draft.text(), &more).map_err(|what| told(&draft, &what))?;
    let names = [name.clone()];
    let touched = Touched { profiles: &names, pairs: &[] };
    let loaded = draft.become_text(&text, &touched).map_err(|problem| {
        // What was typed stands in no line yet.
        let key = problem.key.as_deref().and_then(|key| key.strip_prefix(&format!("profile.{name}.")));
        match key {
            Some(key) => Failure::Misused(format!("{}: {}", option_name(key), problem.what)),
            None => problem.into(),
        }
    })?;

    let vault = vault(profile.credentials);
    if request.key.is_some() && vault != Some(Vault::File) {
        return Err(Failure::Unable("--key-from is for --credentials file; leave it out".to_owned()));
    }
    let secret = if vault.is_some() { Some(ask(context, name)?) } else { None };
    let test = if request.untested { None } else { Some(tried(context, request, &loaded, secret.as_ref()).await?) };
    if let Some(test) = test.as_ref().filter(|test| test.ending != Ending::Ok) {
        return Ok(ProfilesReply::Tested(test.clone()));
    }
    let kept = match (vault, &secret) {
        (Some(vault), Some(secret)) => {
            keep(context, &Put { vault, profile: name, secret, key: request.key }).await?.then_some(vault)
        }
        _ => None,
    };
    if let Err(failure) = draft.save(&text, &touched, &context.world.token()) {
        if let Some(vault) = kept {
            // A secret of no profile would only lie about.
            let _ = context.secrets.remove(&context.asking(), vault, name).await;
        }
        return Err(failure);
    }
    tell_left(context, &draft, &text);
    Ok(ProfilesReply::Added { name: name.clone(), file: draft.file().display().to_string(), test })
}

/// Keeps the secret of a new profile, in place of none; whether it was not there before.
pub(in crate::commands) async fn keep(context: &Context, put: &Put<'_>) -> Result<bool, Failure> {
    match context.secrets.get(&context.asking(), put.vault, put.profile).await {
        Ok(there) if there == *put.secret => return Ok(false),
        Ok(_) => return Err(taken(put.profile)),
        Err(error) if error.kind == ErrorKind::Missing => {}
        Err(error) => return Err(error.into()),
    }
    context.secrets.set(&context.asking(), put).await?;
    Ok(true)
}

fn taken(name: &str) -> Failure {
    let what = format!("another secret is kept for a profile {name:?} already, perhaps of another configuration");
    let remedy = "give this one another name; or, if that secret is of no more use, write the section";
    let replace = format!("`tidelock config set-secret {name}` replaces it");
    Failure::Unable(format!("{what}; {remedy} [profile.{name}] by hand, and {replace}"))
}

/// What the service says to the profile as it would be.
async fn tried(context: &Context, request: &Add, loaded: &Loaded, secret: Option<&Secret>) -> Result<Tested, Failure> {
    let Add { name, profile, .. } = request;
    let service = resolved(loaded, name)?.sides.service;
    let keys = match secret {
        Some(secret) => {
            let id = profile.access_key_id.clone().unwrap_or_default();
            Ok(Some(Keys { id, secret: secret.expose().to_owned(), token: None }))
        }
        None => credentials::keys(context, &service.credentials).await,
    };
    look::test(context, name, &service, keys, profile.bucket.as_deref()).await
}

/// Asks for the secret key of a profile.
pub(in crate::commands) fn ask(context: &Context, profile: &str) -> Result<Secret, Failure> {
    let asked = context.secrets.asker.ask(&Question::SecretKey(profile.to_owned()));
    let asked = asked.map_err(|error| match error.kind() {
        std::io::ErrorKind::Interrupted => Failure::Interrupted,
        _ => Failure::Unable(format!("the secret key cannot be asked for: {error}")),
    })?;
    let secret = asked.ok_or_else(|| {
        let what = "there is no terminal to ask for the secret key";
        Failure::Unable(format!("{what}; give it on standard input, with --secret-stdin"))
    })?;
    match secret.expose().trim() {
        "" => Err(Failure::Unable("the secret key that was given is empty; nothing was kept".to_owned())),
        // What is copied from a page brings blanks along, and no key has any.
        trimmed => Ok(Secret::new(trimmed.to_owned())),
    }
}

fn told(draft: &Draft, what: &str) -> Failure {
    Failure::Unable(format!("{}: {what}", draft.file().display()))
}
