//! Who we are at a service, fetched at the last moment.
//!
//! A request names where credentials are; here, where an S3 client is about to be
//! made, they become keys. What is named is the only place that is asked: keys of
//! another account would be worse than none.

use crate::api::{Context, CredentialSource};
use crate::failure::Failure;
use crate::secrets::{Asking, EnvKeys, Vault};
use tidelock_remote::s3::Keys;

impl Context {
    /// How this command asks a vault.
    pub(crate) fn asking(&self) -> Asking<'_> {
        Asking { world: &self.world, interrupted: &self.interrupted }
    }
}

/// The keys; none where the standard AWS places say.
pub(super) async fn keys(context: &Context, source: &CredentialSource) -> Result<Option<Keys>, Failure> {
    let (vault, profile, id) = match source {
        CredentialSource::Aws => return Ok(None),
        CredentialSource::Env => {
            let found = EnvKeys::read(|name| context.around.variable(name).map(str::to_owned))?;
            let token = found.token.as_ref().map(|token| token.expose().to_owned());
            return Ok(Some(Keys { id: found.id, secret: found.secret.expose().to_owned(), token }));
        }
        CredentialSource::Keyring { profile, access_key_id } => (Vault::Keyring, profile, access_key_id),
        CredentialSource::File { profile, access_key_id } => (Vault::File, profile, access_key_id),
    };
    let secret = context.secrets.get(&context.asking(), vault, profile).await?;
    Ok(Some(Keys { id: id.clone(), secret: secret.expose().to_owned(), token: None }))
}
