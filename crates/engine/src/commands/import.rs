//! `config import`: another tool's configuration becomes part of ours.
//!
//! What a file says is `config/import.rs`'s to tell. Here its secrets are put into a
//! vault, and the rest is added to the configuration, written to a new file, or shown.
//! All names must be free before anything is kept; what was kept is taken out again
//! where the rest fails.

use super::profile::{self, vault};
use crate::api::Context;
use crate::config::import::{Imported, Note, Source, read};
use crate::config::read::{Format, read as read_ours};
use crate::config::rewrite::{self, Draft, Touched};
use crate::config::{Config, Credentials, edit, find};
use crate::failure::Failure;
use crate::secrets::{KeyFrom, Put, Vault};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Asks for a file to be imported.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Import {
    /// The file.
    pub file: PathBuf,
    /// Whose it is, if that is said.
    #[serde(default)]
    pub from: Option<Source>,
    /// A new file to write, instead of adding to the configuration; `-` shows it.
    #[serde(default)]
    pub output: Option<PathBuf>,
    /// Where the secrets go that are found.
    pub credentials: Credentials,
    /// What the encrypted file's key comes from, if it is made now.
    #[serde(default)]
    pub key: Option<KeyFrom>,
}

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportReply {
    /// The file that was written, if one was.
    pub written: Option<String>,
    /// What would have been written, if it is only shown.
    pub text: Option<String>,
    /// The profiles that were found.
    pub profiles: Vec<String>,
    /// The pairs that were found.
    pub pairs: Vec<String>,
    /// Of the profiles, those whose secret is kept now.
    pub secrets: Vec<String>,
    /// What could not be carried over.
    pub notes: Vec<Note>,
}

/// Imports it.
pub async fn run(context: &Context, request: &Import) -> Result<ImportReply, Failure> {
    let text = rewrite::foreign(&request.file)?;
    let about = |what: String| Failure::Unable(format!("{}: {what}", request.file.display()));
    let mut found = read(&text, request.from).map_err(about)?;
    place_secrets(&mut found, request.credentials);
    let mut reply = ImportReply {
        written: None,
        text: None,
        profiles: found.config.profile.keys().cloned().collect(),
        pairs: found.config.pair.keys().cloned().collect(),
        secrets: Vec::new(),
        notes: found.notes.clone(),
    };
    if reply.profiles.is_empty() && reply.pairs.is_empty() {
        return Ok(reply);
    }
    match &request.output {
        Some(output) if output.as_os_str() == "-" => {
            reply.text = Some(alone(&found.config)?);
            found.secrets.keys().for_each(|profile| {
                let what =
                    "its secret was found and is not kept, as nothing is written; `tidelock config set-secret` does";
                reply.notes.push(Note { line: None, about: profile.clone(), what: what.to_owned() });
            });
            return Ok(reply);
        }
        Some(output) => {
            let text = alone(&found.config)?;
            if crate::place::exists(output) {
                let what = format!("{} is there already and is left as it is; give another name", output.display());
                return Err(Failure::Unable(what));
            }
            reply.secrets = keep(context, request, &found).await?;
            undone(context, request, &reply.secrets, find::create(output, &text)).await?;
            reply.written = Some(output.display().to_string());
        }
        None => {
            let draft = Draft::open(&context.around)?;
            let told = |what: String| Failure::Unable(format!("{}: {what}", draft.file().display()));
            let text = edit::add(draft.text(), &found.config).map_err(told)?;
            let touched = Touched { profiles: &reply.profiles, pairs: &reply.pairs };
            draft.become_text(&text, &touched)?;
            reply.secrets = keep(context, request, &found).await?;
            let touched = Touched { profiles: &reply.profiles, pairs: &reply.pairs };
            let saved = draft.save(&text, &touched, &context.world.token());
            undone(context, request, &reply.secrets, saved).await?;
            profile::tell_left(context, &draft, &text);
            reply.written = Some(draft.file().display().to_string());
        }
    }
    Ok(reply)
}

/// A configuration of what was found and nothing else, if it can be read again.
fn alone(found: &Config) -> Result<String, Failure> {
    let text = edit::add("", found).map_err(Failure::Unable)?;
    read_ours("what would be written", &text, Format::Toml)?;
    Ok(text)
}

/// Says in each profile with a secret where that is going to be; where it stays where
/// it is, that is told.
fn place_secrets(found: &mut Imported, credentials: Credentials) {
    let is_kept = vault(credentials).is_some();
    let names: Vec<String> = found
        .config
        .profile
        .iter()
        .filter(|(_, profile)| profile.credentials == Credentials::Keyring)
        .map(|(name, _)| name.clone())
        .collect();
    for name in names {
        let Some(profile) = found.config.profile.get_mut(&name) else { continue };
        profile.credentials = credentials;
        if is_kept {
            continue;
        }
        profile.access_key_id = None;
        if found.secrets.remove(&name).is_some() {
            let what =
                "its keys stay where they are: set them in the environment, or in a profile of ~/.aws".to_owned();
            found.notes.push(Note { line: None, about: name, what });
        }
    }
}

/// Keeps every secret, or none.
async fn keep(context: &Context, request: &Import, found: &Imported) -> Result<Vec<String>, Failure> {
    let Some(vault) = vault(request.credentials) else { return Ok(Vec::new()) };
    let mut kept = Vec::new();
    for (profile, secret) in &found.secrets {
        let answer = profile::keep(context, &Put { vault, profile, secret, key: request.key }).await;
        if undone(context, request, &kept, answer).await? {
            kept.push(profile.clone());
        }
    }
    Ok(kept)
}

/// Passes an answer on; where it is a failure, what was kept before it is taken out.
async fn undone<T>(
    context: &Context,
    request: &Import,
    kept: &[String],
    answer: Result<T, Failure>,
) -> Result<T, Failure> {
    if let (Err(_), Some(vault)) = (&answer, vault(request.credentials)) {
        take_out(context, vault, kept).await;
    }
    answer
}

async fn take_out(context: &Context, vault: Vault, kept: &[String]) {
    for profile in kept {
        // It would only lie about; that it does is not worth hiding the failure for.
        let _ = context.secrets.remove(&context.asking(), vault, profile).await;
    }
}
