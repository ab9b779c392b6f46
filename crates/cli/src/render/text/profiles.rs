//! What is told of profiles, secrets and imports.
//!
//! Pure: from replies to lines. Names and addresses come from files of others, so each
//! is shown safely.

use crate::render::words::{count, shown};
use tidelock_engine::api::{ImportReply, ProfilesReply, Row, SecretReply, Tested};
use tidelock_engine::config::Credentials;
use tidelock_engine::secrets::Vault;

/// What came of `config profile`.
pub fn profiles(reply: &ProfilesReply) -> Vec<String> {
    match reply {
        ProfilesReply::Added { name, file, test } => {
            let tried = if test.is_some() { "it works, and was " } else { "it was not tried, and was " };
            vec![format!("profile {}: {tried}added to {}", shown(name), shown(file))]
        }
        ProfilesReply::Listed { profiles } if profiles.is_empty() => {
            vec!["no profiles are configured; `tidelock config profile add NAME` adds one".to_owned()]
        }
        ProfilesReply::Listed { profiles } => profiles.iter().map(row).collect(),
        ProfilesReply::Removed { name, file, was_default, shared_with, .. } => {
            let default = match was_default {
                true => "; it was the default, and there is none now (`tidelock config profile use NAME` makes one)",
                false => "",
            };
            let stays = |other: &String| format!("; its secret stays, as {} may need it too", shown(other));
            let stays = shared_with.as_ref().map_or_else(String::new, stays);
            vec![format!("profile {}: removed from {}{stays}{default}", shown(name), shown(file))]
        }
        ProfilesReply::Used { name, file } => {
            vec![format!("profile {}: the default one now, in {}", shown(name), shown(file))]
        }
        ProfilesReply::Tested(tested) => test(tested),
    }
}

fn row(row: &Row) -> String {
    let profile = &row.profile;
    let provider = profile.provider.clone().filter(|name| name != "aws");
    let mut parts = vec![profile.endpoint.clone().or(provider).unwrap_or_else(|| "Amazon S3".to_owned())];
    parts.extend(profile.bucket.as_ref().map(|bucket| format!("bucket {bucket}")));
    parts.push(match (profile.credentials, &profile.access_key_id, &profile.aws_profile) {
        (Credentials::Keyring, Some(id), _) => format!("{id} from the keyring"),
        (Credentials::File, Some(id), _) => format!("{id} from the encrypted file"),
        (Credentials::Keyring | Credentials::File, None, _) => "no access key's id".to_owned(),
        (Credentials::Env, ..) => "keys from the environment".to_owned(),
        (Credentials::Aws, _, Some(name)) => format!("AWS profile {name}"),
        (Credentials::Aws, _, None) => "keys from the AWS places".to_owned(),
    });
    let mark = if row.is_default { "*" } else { " " };
    format!("{mark} {:16} {}", shown(&row.name), shown(&parts.join(" · ")))
}

fn test(tested: &Tested) -> Vec<String> {
    let yes = |is: bool| if is { "yes" } else { "no" };
    let accessible = match &tested.bucket {
        Some(bucket) => format!("{} ({})", yes(tested.bucket_accessible), shown(bucket)),
        None => "- (the profile names no bucket)".to_owned(),
    };
    vec![
        format!("profile:           {}", shown(&tested.profile)),
        format!("connected:         {}", yes(tested.connected)),
        format!("bucket_accessible: {accessible}"),
    ]
}

/// What went wrong with a profile that was tried or removed.
pub fn error(reply: &ProfilesReply) -> Option<String> {
    match reply {
        ProfilesReply::Tested(tested) => tested.error.as_deref().map(shown),
        ProfilesReply::Removed { secret_left: Some(why), .. } => {
            Some(format!("its secret is still where it was: {}", shown(why)))
        }
        _ => None,
    }
}

/// What came of `config set-secret`.
pub fn secret(reply: &SecretReply) -> String {
    let place = match reply.vault {
        Vault::Keyring => "the keyring",
        Vault::File => "the encrypted file",
    };
    format!("profile {}: its secret is in {place}", shown(&reply.profile))
}

/// What came of `config import`: the text that was asked for, or a line about it. What is
/// read from a pipe is the text as it is; at a terminal, names of others could act.
pub fn import(reply: &ImportReply, is_terminal: bool) -> Vec<String> {
    let count = |of: &[String], one: &str, many: &str| count(u64::try_from(of.len()).unwrap_or(u64::MAX), one, many);
    let profiles = count(&reply.profiles, "profile", "profiles");
    let pairs = count(&reply.pairs, "pair", "pairs");
    let secrets = count(&reply.secrets, "secret", "secrets");
    match (&reply.text, &reply.written) {
        (Some(text), _) if is_terminal => text.lines().map(shown).collect(),
        (Some(text), _) => text.lines().map(str::to_owned).collect(),
        (None, Some(file)) => vec![format!("import: {profiles}, {pairs}, {secrets} kept · written to {}", shown(file))],
        (None, None) => vec!["import: nothing that could be carried over".to_owned()],
    }
}

/// What could not be carried over.
pub fn notes(reply: &ImportReply) -> Vec<String> {
    let place = |line: Option<u32>| line.map_or_else(String::new, |line| format!("line {line}: "));
    reply
        .notes
        .iter()
        .map(|note| format!("{}{}: {}", place(note.line), shown(&note.about), shown(&note.what)))
        .collect()
}
