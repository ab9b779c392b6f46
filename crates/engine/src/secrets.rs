//! Secrets, and the two vaults that Tidelock keeps them in.
//!
//! A secret is the secret key of a profile, nothing else. It lives in the keyring of
//! the desktop (`keyring.rs`) or in a file of our own, encrypted (`file.rs`), never in
//! the configuration, an argument or a request; it is fetched where the S3 client is
//! made and wiped when that has been done. Nothing here can print one: [`Secret`]
//! has no text but what [`Secret::expose`] gives, and an [`Error`] holds none.

mod env;
mod error;
mod file;
mod key;
mod keyring;
mod private;
mod seal;

pub use env::EnvKeys;
pub use error::{Error, ErrorKind, Result};
pub use key::KeyFrom;

use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tidelock_remote::world::World;
use zeroize::Zeroizing;

/// A secret text, wiped when it is dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes it over; the text is not copied.
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// The text, for whoever must have it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// Where Tidelock itself keeps secrets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Vault {
    /// The keyring of the desktop, by the secret service.
    Keyring,
    /// The encrypted file beside the configuration.
    File,
}

/// What a person is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Question {
    /// The secret key of this profile.
    SecretKey(String),
    /// The passphrase of the encrypted file.
    Passphrase,
    /// A passphrase for an encrypted file that is about to be made.
    NewPassphrase,
}

/// Asks a person, without showing what is typed.
pub trait Asker: Send + Sync {
    /// The answer; none where there is nobody to ask.
    fn ask(&self, question: &Question) -> std::io::Result<Option<Secret>>;
}

/// Nobody to ask.
#[derive(Debug, Clone, Copy, Default)]
pub struct Nobody;

impl Asker for Nobody {
    fn ask(&self, _question: &Question) -> std::io::Result<Option<Secret>> {
        Ok(None)
    }
}

/// Both vaults, and what is needed to open them.
#[derive(Clone)]
pub struct Secrets {
    /// The encrypted file.
    pub file: PathBuf,
    /// The key file, made when it is first needed.
    pub key_file: PathBuf,
    /// Where a service manager puts credentials, if it does.
    pub credentials_dir: Option<PathBuf>,
    /// Where the passphrase is read from instead of being asked for.
    pub passphrase_file: Option<PathBuf>,
    /// Who can be asked.
    pub asker: Arc<dyn Asker>,
    /// The key that a passphrase gave, so that nobody is asked for it twice.
    known_key: Arc<Mutex<Option<seal::Key>>>,
}

impl Secrets {
    /// The standard places: the file beside the configuration, the key beside the states.
    pub fn standard(config_dir: Option<PathBuf>, state_dir: PathBuf, asker: Arc<dyn Asker>) -> Self {
        Self {
            file: config_dir.unwrap_or_else(|| state_dir.clone()).join("secrets.json"),
            key_file: state_dir.join("key"),
            credentials_dir: None,
            passphrase_file: None,
            asker,
            known_key: Arc::default(),
        }
    }

    /// The key that is known by now, if one is.
    fn known_key(&self) -> MutexGuard<'_, Option<seal::Key>> {
        self.known_key.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The secret of a profile.
    pub async fn get(&self, ask: &Asking<'_>, vault: Vault, profile: &str) -> Result<Secret> {
        let found = match vault {
            Vault::Keyring => keyring::get(ask, &account(profile)).await?,
            Vault::File => file::get(self, &account(profile))?,
        };
        found.ok_or_else(|| Error::missing(vault, profile))
    }

    /// Keeps the secret of a profile, in place of an earlier one.
    pub async fn set(&self, ask: &Asking<'_>, put: &Put<'_>) -> Result<()> {
        let account = account(put.profile);
        match put.vault {
            Vault::Keyring if put.key.is_some() => Err(Error::key_without_file()),
            Vault::Keyring => keyring::set(ask, &account, put.secret).await,
            Vault::File => file::set(self, ask, &account, put).await,
        }
    }

    /// Forgets the secret of a profile; whether there was one.
    pub async fn remove(&self, ask: &Asking<'_>, vault: Vault, profile: &str) -> Result<bool> {
        match vault {
            Vault::Keyring => keyring::remove(ask, &account(profile)).await,
            Vault::File => file::remove(self, ask, &account(profile)).await,
        }
    }
}

/// Who asks a vault: the world it waits in, and whether it should still wait.
#[derive(Clone, Copy)]
pub struct Asking<'a> {
    /// Time and chance.
    pub world: &'a World,
    /// Set when the person wants to end.
    pub interrupted: &'a AtomicBool,
}

/// A secret to be kept.
#[derive(Debug, Clone, Copy)]
pub struct Put<'a> {
    /// Where.
    pub vault: Vault,
    /// Whose it is.
    pub profile: &'a str,
    /// The secret.
    pub secret: &'a Secret,
    /// What the encrypted file's key comes from, if it must be made; none is the
    /// first of passphrase file, service credential and key file that there is.
    pub key: Option<KeyFrom>,
}

/// The name under which both vaults keep a profile's secret.
fn account(profile: &str) -> String {
    format!("profile/{profile}")
}

#[cfg(test)]
mod tests;
