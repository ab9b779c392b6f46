//! Credentials, kept and renewed.
//!
//! Asks the chain once, keeps the answer, and asks again before it expires. One
//! asks, the others wait. Where they come from is `config.rs`'s business; nothing
//! here ever prints them.

use super::signin::Source;
use crate::error::Result;
use crate::world::World;
use aws_credential_types::Credentials;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use futures::future::{Either, select};
use std::pin::pin;
use std::time::{Duration, UNIX_EPOCH};
use tokio::sync::Mutex;

/// How long before their end credentials are renewed.
const EARLY: Duration = Duration::from_secs(300);

/// How long whoever gives credentials may take. A process of the user's own may be
/// waiting for their finger on a key.
const PATIENCE: Duration = Duration::from_secs(120);

/// The one who knows who we are.
pub(super) struct Keyring {
    world: World,
    provider: SharedCredentialsProvider,
    source: Source,
    kept: Mutex<Option<Credentials>>,
}

impl Keyring {
    pub(super) fn new(world: World, provider: SharedCredentialsProvider, source: Source) -> Self {
        Self { world, provider, source, kept: Mutex::new(None) }
    }

    /// Credentials that are good for now.
    pub(super) async fn current(&self) -> Result<Credentials> {
        let mut kept = self.kept.lock().await;
        let left = kept.as_ref().map(|credentials| self.left(credentials));
        if let (Some(credentials), Some(left)) = (kept.as_ref(), left)
            && left > EARLY
        {
            return Ok(credentials.clone());
        }
        match self.ask().await {
            Ok(fresh) => Ok(kept.insert(fresh).clone()),
            Err(error) => match (kept.as_ref(), left) {
                // The old ones still work: the next request asks again.
                (Some(credentials), Some(left)) if left > Duration::ZERO => Ok(credentials.clone()),
                _ => Err(error),
            },
        }
    }

    /// Asks the chain, not for ever.
    async fn ask(&self) -> Result<Credentials> {
        let asked = pin!(self.provider.provide_credentials());
        let patience = pin!(self.world.sleep.sleep(PATIENCE));
        match select(asked, patience).await {
            Either::Left((answer, _)) => answer.map_err(|error| self.source.refused(&error)),
            Either::Right(_) => Err(self.source.silent(PATIENCE)),
        }
    }

    /// Forgets what is kept, as when the server says it has expired.
    pub(super) async fn forget(&self) {
        *self.kept.lock().await = None;
    }

    fn left(&self, credentials: &Credentials) -> Duration {
        let now = Duration::from_nanos(u64::try_from(self.world.clock.wall_ns()).unwrap_or(0));
        match credentials.expiry() {
            None => Duration::MAX,
            Some(end) => end.duration_since(UNIX_EPOCH).unwrap_or_default().saturating_sub(now),
        }
    }
}
