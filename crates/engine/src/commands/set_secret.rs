//! `config set-secret`: a profile's secret key, in place of an earlier one.
//!
//! Where it is kept stands in the profile. It is asked of a person, never part of the
//! request.

use super::profile::{ask, known, vault};
use crate::api::Context;
use crate::config::find;
use crate::failure::Failure;
use crate::secrets::{KeyFrom, Put, Vault};
use serde::{Deserialize, Serialize};

/// Asks for a secret to be kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetSecret {
    /// Whose.
    pub profile: String,
    /// What the encrypted file's key comes from, if it is made now.
    #[serde(default)]
    pub key: Option<KeyFrom>,
}

/// Where it is kept now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecretReply {
    /// Whose.
    pub profile: String,
    /// Where.
    pub vault: Vault,
}

/// Keeps it.
pub async fn run(context: &Context, request: &SetSecret) -> Result<SecretReply, Failure> {
    let loaded = find::load(&context.around)?;
    let profile = known(&loaded, &request.profile)?;
    let Some(vault) = vault(profile.credentials) else {
        let what = "its credentials are not kept by Tidelock; set `credentials = \"keyring\"` or \"file\", and `access_key_id`";
        return Err(loaded.problem(&["profile", &request.profile], what).into());
    };
    let secret = ask(context, &request.profile)?;
    let put = Put { vault, profile: &request.profile, secret: &secret, key: request.key };
    context.secrets.set(&context.asking(), &put).await?;
    Ok(SecretReply { profile: request.profile.clone(), vault })
}
