//! The key of the encrypted file: from a passphrase, a service or a file.
//!
//! A passphrase is stretched by Argon2id; the two others are random already. Which of
//! them a file was made with stands in the file. What each does not protect against is
//! told in docs/secrets.md. Nothing is ever taken from an argument: arguments are read
//! by every other process.

use super::private::{self, Trust};
use super::seal::{Key, Recipe};
use super::{Error, ErrorKind, Question, Result, Secret, Secrets};
use crate::place;
use argon2::{Algorithm, Argon2, Params, Version};
use serde::{Deserialize, Serialize};
use std::fmt::Write as _;
use std::path::PathBuf;
use tidelock_remote::world::World;
use zeroize::Zeroizing;

/// The credential's name, as in `LoadCredentialEncrypted=tidelock-key:…`.
const CREDENTIAL: &str = "tidelock-key";
/// Shorter ones can be guessed in a moment, however they are stretched.
const PASSPHRASE_MIN_CHARS: usize = 8;
/// A key that is no passphrase must have been drawn, and 128 bits of it.
const KEY_MIN_BYTES: usize = 16;
/// A key file of our own: 256 bits in hexadecimal digits, and a line's end.
const KEY_FILE_BYTES: usize = 65;
/// What guessing costs: 64 MiB and three passes a try.
const MEMORY_KIB: u32 = 64 * 1024;
const PASSES: u32 = 3;
/// What a file may ask of us at most, whoever wrote it.
const MEMORY_MAX_KIB: u32 = 1024 * 1024;
const PASSES_MAX: u32 = 64;
/// Before what is hashed to a key, so that it is a key for this and nothing else.
const PURPOSE: &str = "tidelock 2026 key of the encrypted file of secrets";

/// Where the key of the encrypted file comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeyFrom {
    /// What a person knows, or a file of theirs says.
    Passphrase,
    /// What the service manager hands to a service.
    Service,
    /// A file of random digits.
    KeyFile,
}

impl KeyFrom {
    /// As people name it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Passphrase => "a passphrase",
            Self::Service => "a service credential",
            Self::KeyFile => "the key file",
        }
    }
}

impl Recipe {
    /// Where the key comes from.
    pub(super) fn from(&self) -> KeyFrom {
        match self {
            Self::Passphrase { .. } => KeyFrom::Passphrase,
            Self::Service => KeyFrom::Service,
            Self::KeyFile => KeyFrom::KeyFile,
        }
    }
}

/// The source for a file that is about to be made: what was wished, else the first
/// that somebody prepared.
pub(super) fn choose(secrets: &Secrets, wish: Option<KeyFrom>) -> KeyFrom {
    match (wish, &secrets.passphrase_file, &secrets.credentials_dir) {
        (Some(wish), ..) => wish,
        (None, Some(_), _) => KeyFrom::Passphrase,
        (None, None, Some(dir)) if place::exists(&dir.join(CREDENTIAL)) => KeyFrom::Service,
        _ => KeyFrom::KeyFile,
    }
}

/// A key for a file that is about to be made.
pub(super) fn make(secrets: &Secrets, world: &World, from: KeyFrom) -> Result<(Recipe, Key)> {
    let recipe = match from {
        KeyFrom::Passphrase => {
            let salt = [world.rng.next_u64().to_le_bytes(), world.rng.next_u64().to_le_bytes()].concat();
            Recipe::Passphrase { salt, memory_kib: MEMORY_KIB, passes: PASSES }
        }
        KeyFrom::Service => Recipe::Service,
        KeyFrom::KeyFile => Recipe::KeyFile,
    };
    let key = match &recipe {
        Recipe::Passphrase { salt, .. } => {
            let passphrase = passphrase(secrets, &Question::NewPassphrase)?;
            if passphrase.expose().chars().count() < PASSPHRASE_MIN_CHARS {
                let what = format!("a passphrase has at least {PASSPHRASE_MIN_CHARS} characters; take a longer one");
                return Err(Error::new(ErrorKind::Damaged, what));
            }
            stretch(&passphrase, salt, MEMORY_KIB, PASSES)?
        }
        Recipe::Service => service(secrets)?,
        Recipe::KeyFile => match key_file(secrets)? {
            Some(key) => key,
            None => make_key_file(secrets, world)?,
        },
    };
    Ok((recipe, key))
}

/// The key of a file that there is.
pub(super) fn fetch(secrets: &Secrets, recipe: &Recipe) -> Result<Key> {
    match recipe {
        Recipe::Passphrase { salt, memory_kib, passes } => {
            stretch(&passphrase(secrets, &Question::Passphrase)?, salt, *memory_kib, *passes)
        }
        Recipe::Service => service(secrets),
        Recipe::KeyFile => key_file(secrets)?.ok_or_else(|| {
            let key = secrets.key_file.display();
            let what = format!("the key file {key} is missing, without which {} stays shut", secrets.file.display());
            let remedy = "bring it back, or remove the encrypted file and store the secrets anew";
            Error::new(ErrorKind::Locked, format!("{what}; {remedy}"))
        }),
    }
}

/// A key that opened nothing: what to say of it.
pub(super) fn wrong(secrets: &Secrets, from: KeyFrom) -> Error {
    let what = match from {
        KeyFrom::Passphrase => "the passphrase is wrong".to_owned(),
        KeyFrom::Service => format!("the credential {CREDENTIAL} is not the one it was sealed with"),
        KeyFrom::KeyFile => format!("the key file {} is not the one it was sealed with", secrets.key_file.display()),
    };
    Error::new(ErrorKind::Locked, format!("{} cannot be opened: {what}", secrets.file.display()))
}

fn passphrase(secrets: &Secrets, question: &Question) -> Result<Secret> {
    if let Some(path) = &secrets.passphrase_file {
        let text = private::read(path, Trust::OwnerOnly)?.ok_or_else(|| {
            let what = format!("{} does not exist; correct TIDELOCK_PASSPHRASE_FILE", path.display());
            Error::new(ErrorKind::Locked, what)
        })?;
        return Ok(Secret::new(text.lines().next().unwrap_or_default().to_owned()));
    }
    let asked = secrets.asker.ask(question);
    let asked = asked.map_err(|error| match error.kind() {
        std::io::ErrorKind::Interrupted => Error::interrupted(),
        kind => Error::new(ErrorKind::Io(kind), format!("the passphrase cannot be asked for: {error}")),
    })?;
    asked.ok_or_else(|| {
        let what = format!("{} opens with a passphrase, and there is no terminal to ask", secrets.file.display());
        let remedy = "let TIDELOCK_PASSPHRASE_FILE name a file (mode 600) or descriptor (/dev/fd/3) that says it";
        Error::new(ErrorKind::Locked, format!("{what}; {remedy}"))
    })
}

fn stretch(passphrase: &Secret, salt: &[u8], memory_kib: u32, passes: u32) -> Result<Key> {
    let unusable = || Error::new(ErrorKind::Damaged, "the encrypted file asks for a stretching that makes no sense");
    if memory_kib > MEMORY_MAX_KIB || passes > PASSES_MAX {
        return Err(unusable());
    }
    let params = Params::new(memory_kib, passes, 1, Some(32)).map_err(|_| unusable())?;
    let mut key = Key::default();
    let argon = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    argon.hash_password_into(passphrase.expose().as_bytes(), salt, &mut *key).map_err(|_| unusable())?;
    Ok(key)
}

fn service(secrets: &Secrets) -> Result<Key> {
    let missing = |what: String| {
        let remedy = format!("give the service LoadCredentialEncrypted={CREDENTIAL}:FILE, or start it by its unit");
        Error::new(ErrorKind::Locked, format!("{what}; {remedy}"))
    };
    let dir = secrets.credentials_dir.as_ref();
    let dir = dir.ok_or_else(|| missing("there is no service credential: CREDENTIALS_DIRECTORY is not set".into()))?;
    let path = dir.join(CREDENTIAL);
    let text = private::read(&path, Trust::ServiceManager)?;
    hashed(&path, &text.ok_or_else(|| missing(format!("the credential {} does not exist", path.display())))?)
}

fn key_file(secrets: &Secrets) -> Result<Option<Key>> {
    let text = private::read(&secrets.key_file, Trust::OwnerOnly)?;
    text.map(|text| hashed(&secrets.key_file, &text)).transpose()
}

fn make_key_file(secrets: &Secrets, world: &World) -> Result<Key> {
    let folder = |path: &PathBuf| path.parent().and_then(|folder| place::canonical(folder).ok());
    let (key_dir, config_dir) = (folder(&secrets.key_file), folder(&secrets.file));
    if key_dir.zip(config_dir).is_none_or(|(key, config)| key.starts_with(config)) {
        let what = format!("the key {} would lie beside what it opens", secrets.key_file.display());
        let remedy = "set XDG_STATE_HOME to a place outside the configuration's folder, or use a passphrase";
        return Err(Error::new(ErrorKind::Damaged, format!("{what}; {remedy}")));
    }
    // Made in its place and never longer, so that nothing is left elsewhere.
    let mut digits = Zeroizing::new(String::with_capacity(KEY_FILE_BYTES));
    for _ in 0..4 {
        // Writing to a String cannot fail.
        let _ = write!(digits, "{:016x}", world.rng.next_u64());
    }
    digits.push('\n');
    private::write(&secrets.key_file, &digits, &world.token())?;
    hashed(&secrets.key_file, &digits)
}

fn hashed(path: &std::path::Path, text: &str) -> Result<Key> {
    let text = text.trim_end_matches(['\n', '\r']);
    if text.len() < KEY_MIN_BYTES {
        let what = format!("{} holds no key: {KEY_MIN_BYTES} characters are the least", path.display());
        return Err(Error::new(ErrorKind::Damaged, what));
    }
    Ok(Key::new(blake3::derive_key(PURPOSE, text.as_bytes())))
}
