//! Adding a profile: checked, tried, and only then kept.
//!
//! The secret is asked for, tried, put into its vault, and then the configuration is
//! written; where that fails, the secret is taken out again. It never enters a request:
//! whoever asks in the context gives it.

use super::super::credentials;
use super::{ProfilesReply, Tested, look, vault};
use crate::api::{Context, Service};
use crate::config::rewrite::Draft;
use crate::config::{Config, Profile, edit};
use crate::failure::Failure;
use crate::report::Ending;
use crate::secrets::{self, KeyFrom, Put, Question, Secret};
use serde::{Deserialize, Serialize};
use tidelock_remote::s3::Keys;

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
    let draft = Draft::open(&context.around)?;
    let mut more = Config::default();
    more.profile.insert(name.clone(), profile.clone());
    let text = edit::add(draft.text(), &more).map_err(|what| told(&draft, &what))?;
    draft.become_text(&text)?;

    let vault = vault(profile.credentials);
    if request.key.is_some() && vault != Some(secrets::Vault::File) {
        return Err(Failure::Unable("--key-from is for --credentials file; leave it out".to_owned()));
    }
    let secret = if vault.is_some() { Some(ask(context, name)?) } else { None };
    let test = if request.untested { None } else { Some(tried(context, request, secret.as_ref()).await?) };
    if let Some(test) = test.as_ref().filter(|test| test.ending != Ending::Ok) {
        return Ok(ProfilesReply::Tested(test.clone()));
    }
    if let (Some(vault), Some(secret)) = (vault, &secret) {
        let put = Put { vault, profile: name, secret, key: request.key };
        context.secrets.set(&context.asking(), &put).await?;
    }
    if let Err(failure) = draft.save(&text, &context.world.token()) {
        if let Some(vault) = vault {
            // A secret of no profile would only lie about.
            let _ = context.secrets.remove(&context.asking(), vault, name).await;
        }
        return Err(failure);
    }
    Ok(ProfilesReply::Added { name: name.clone(), file: draft.file().display().to_string(), test })
}

/// What the service says to the profile as it would be.
async fn tried(context: &Context, request: &Add, secret: Option<&Secret>) -> Result<Tested, Failure> {
    let Add { name, profile, .. } = request;
    let keys = match secret {
        Some(secret) => {
            let id = profile.access_key_id.clone().unwrap_or_default();
            Ok(Some(Keys { id, secret: secret.expose().to_owned(), token: None }))
        }
        None => credentials::keys(context, &profile.source(name)).await,
    };
    look::test(context, name, &service(context, profile)?, keys, profile.bucket.as_deref()).await
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

/// The service of a profile that is not yet in the configuration.
fn service(context: &Context, profile: &Profile) -> Result<Service, Failure> {
    let expanded = |text: &Option<String>| {
        let text = text.as_deref().map(|text| context.around.expand(text)).transpose();
        text.map_err(Failure::Unable)
    };
    Ok(Service {
        endpoint: expanded(&profile.endpoint)?,
        region: profile.region.clone(),
        profile: profile.aws_profile.clone(),
        path_style: profile.path_style,
        provider: profile.provider.clone(),
        ..Service::default()
    })
}
