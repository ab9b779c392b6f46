//! The encrypted file as a vault.
//!
//! Read, changed and written whole, one process at a time. Its key is asked for only
//! where an entry must be opened or sealed, and a passphrase once in a process: what is
//! not there is told without one. A file that lost its last entry goes, so that the next
//! one may be made with another key.

use super::private::{self, Trust};
use super::seal::{Key, Nonce, Sealed};
use super::{Asking, Error, ErrorKind, KeyFrom, Put, Result, Secret, Secrets, key};
use tidelock_remote::world::World;

/// The secret of this account.
pub(super) fn get(secrets: &Secrets, account: &str) -> Result<Option<Secret>> {
    let Some(sealed) = read(secrets)?.filter(|sealed| sealed.holds(account)) else { return Ok(None) };
    sealed.get(&key_of(secrets, &sealed)?, account)
}

/// Keeps a secret under this account.
pub(super) async fn set(secrets: &Secrets, ask: &Asking<'_>, account: &str, put: &Put<'_>) -> Result<()> {
    let world = ask.world;
    let _turn = private::turn(ask, &secrets.file).await?;
    let (mut sealed, key) = match read(secrets)? {
        Some(sealed) => {
            if let Some(wish) = put.key.filter(|wish| *wish != sealed.key.from()) {
                return Err(other_key(secrets, &sealed, wish));
            }
            let key = key_of(secrets, &sealed)?;
            (sealed, key)
        }
        None => {
            let (recipe, key) = key::make(secrets, world, key::choose(secrets, put.key))?;
            let sealed = Sealed::new(recipe, &key, &nonce(world))?;
            remember(&mut secrets.known_key(), &sealed, &key);
            (sealed, key)
        }
    };
    sealed.set(&key, &nonce(world), account, put.secret)?;
    private::write(&secrets.file, &sealed.text(), &world.token())
}

/// Forgets the secret of this account; whether there was one.
pub(super) async fn remove(secrets: &Secrets, ask: &Asking<'_>, account: &str) -> Result<bool> {
    if read(secrets)?.is_none() {
        return Ok(false);
    }
    let _turn = private::turn(ask, &secrets.file).await?;
    let Some(mut sealed) = read(secrets)? else { return Ok(false) };
    if !sealed.remove(account) {
        return Ok(false);
    }
    if sealed.is_empty() {
        private::remove(&secrets.file)?;
    } else {
        private::write(&secrets.file, &sealed.text(), &ask.world.token())?;
    }
    Ok(true)
}

fn read(secrets: &Secrets) -> Result<Option<Sealed>> {
    let Some(text) = private::read(&secrets.file, Trust::OwnerOnly)? else { return Ok(None) };
    let damaged = |why| {
        let remedy = "bring back an earlier one, or remove it and store the secrets anew";
        Error::new(ErrorKind::Damaged, format!("{}: {why}; {remedy}", secrets.file.display()))
    };
    Sealed::parse(&text).map(Some).map_err(damaged)
}

/// The key that opens it. Whoever comes while somebody types waits for what is typed.
fn key_of(secrets: &Secrets, sealed: &Sealed) -> Result<Key> {
    let mut known = secrets.known_key();
    if let Some(key) = known.as_ref().filter(|key| sealed.fits(key)) {
        return Ok(key.clone());
    }
    let key = key::fetch(secrets, &sealed.key)?;
    if !sealed.fits(&key) {
        return Err(key::wrong(secrets, sealed.key.from()));
    }
    remember(&mut known, sealed, &key);
    Ok(key)
}

/// Keeps a key that a person was asked for. The others are had for nothing, and are
/// looked at each time: they may be taken away.
fn remember(known: &mut Option<Key>, sealed: &Sealed, key: &Key) {
    if sealed.key.from() == KeyFrom::Passphrase {
        *known = Some(key.clone());
    }
}

fn other_key(secrets: &Secrets, sealed: &Sealed, wish: KeyFrom) -> Error {
    let (file, from) = (secrets.file.display(), sealed.key.from().name());
    let what = format!("{file} opens with {from}, and one file has one key, so {} cannot be its key", wish.name());
    Error::new(
        ErrorKind::Damaged,
        format!("{what}; leave --key-from out, or remove the file and store its secrets anew"),
    )
}

/// 192 random bits: enough that no two are ever the same.
fn nonce(world: &World) -> Nonce {
    let mut nonce = Nonce::default();
    for part in nonce.chunks_mut(8) {
        part.copy_from_slice(&world.rng.next_u64().to_le_bytes());
    }
    nonce
}
