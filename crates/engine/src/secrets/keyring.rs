//! The keyring of the desktop, by the secret service.
//!
//! The service is spoken to on a thread of its own, as its calls block: a locked
//! keyring asks its owner, who may take a minute or be away. After [`PATIENCE`], or
//! when the person wants to end, nobody waits for it any more. Without a desktop there
//! is no service; what to do then is part of the error.

use super::{Asking, Error, ErrorKind, Result, Secret};
use futures::channel::oneshot;
use futures::future::{Either, select};
use keyring_core::api::CredentialStoreApi;
use keyring_core::{Entry, Error as Refusal};
use std::pin::pin;
use std::sync::atomic::Ordering;
use std::time::Duration;
use zbus_secret_service_keyring_store::Store;

/// The name of all our secrets in the keyring.
const SERVICE: &str = "tidelock";
/// How long a person has to unlock it.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often it is seen whether somebody wants to end.
const LOOK_EVERY: Duration = Duration::from_millis(50);
const INSTEAD: &str = "on a machine without a desktop keep it in the encrypted file (--credentials file), or give \
                       AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (--credentials env)";

/// The secret of this account.
pub(super) async fn get(ask: &Asking<'_>, account: &str) -> Result<Option<Secret>> {
    let answer = on_entry(ask, account, |entry| entry.get_password().map(Secret::new)).await?;
    absent_is_none(answer)
}

/// Keeps a secret under this account.
pub(super) async fn set(ask: &Asking<'_>, account: &str, secret: &Secret) -> Result<()> {
    let secret = secret.clone();
    on_entry(ask, account, move |entry| entry.set_password(secret.expose())).await?.map_err(|error| told(&error))
}

/// Forgets the secret of this account; whether there was one.
pub(super) async fn remove(ask: &Asking<'_>, account: &str) -> Result<bool> {
    let answer = on_entry(ask, account, |entry| entry.delete_credential()).await?;
    absent_is_none(answer).map(|gone| gone.is_some())
}

fn absent_is_none<T>(answer: std::result::Result<T, Refusal>) -> Result<Option<T>> {
    match answer {
        Ok(found) => Ok(Some(found)),
        Err(Refusal::NoEntry) => Ok(None),
        Err(error) => Err(told(&error)),
    }
}

type Answer<T> = std::result::Result<T, Refusal>;

/// Does something with an account's entry, on a thread that nobody has to wait for.
async fn on_entry<T: Send + 'static>(
    ask: &Asking<'_>,
    account: &str,
    act: impl FnOnce(&Entry) -> Answer<T> + Send + 'static,
) -> Result<Answer<T>> {
    let account = account.to_owned();
    let (tell, told) = oneshot::channel();
    let work = move || {
        let label = format!("Tidelock: {account}");
        let label = [("label", label.as_str())].into();
        let answer = Store::new().and_then(|store| store.build(SERVICE, &account, Some(&label)));
        // Whoever no longer waits does not want to know.
        let _ = tell.send(answer.and_then(|entry| act(&entry)));
    };
    let thread = std::thread::Builder::new().name("keyring".to_owned()).spawn(work);
    thread.map_err(|error| Error::new(ErrorKind::Io(error.kind()), format!("no thread for the keyring: {error}")))?;
    wait(ask, told).await
}

async fn wait<T>(ask: &Asking<'_>, mut told: oneshot::Receiver<Answer<T>>) -> Result<Answer<T>> {
    let deadline_ns = ask.world.clock.monotonic_ns().saturating_add(PATIENCE.as_nanos() as u64);
    loop {
        match select(&mut told, pin!(ask.world.sleep.sleep(LOOK_EVERY))).await {
            Either::Left((Ok(answer), _)) => return Ok(answer),
            Either::Left((Err(_), _)) => {
                let what = format!("the keyring's client ended without an answer; {INSTEAD}");
                return Err(Error::new(ErrorKind::Absent, what));
            }
            Either::Right(_) if ask.interrupted.load(Ordering::Relaxed) => return Err(Error::interrupted()),
            Either::Right(_) if ask.world.clock.monotonic_ns() >= deadline_ns => {
                let what = format!("the keyring was not unlocked within {} s", PATIENCE.as_secs());
                return Err(Error::new(ErrorKind::Locked, format!("{what}; unlock it and try again; {INSTEAD}")));
            }
            Either::Right(_) => {}
        }
    }
}

/// What a refusal means. Of those that carry bytes of an entry, none is quoted.
fn told(refusal: &Refusal) -> Error {
    match refusal {
        Refusal::NoStorageAccess(why) => {
            let what = format!("the keyring is locked, and nobody unlocked it ({why})");
            Error::new(ErrorKind::Locked, format!("{what}; unlock it and try again; {INSTEAD}"))
        }
        Refusal::PlatformFailure(why) => {
            Error::new(ErrorKind::Absent, format!("there is no keyring to be reached ({why}); {INSTEAD}"))
        }
        Refusal::Ambiguous(entries) => {
            let what = format!("the keyring holds {} secrets of that name for tidelock", entries.len());
            Error::new(ErrorKind::Damaged, format!("{what}; remove all but one in the keyring's own program"))
        }
        Refusal::NoEntry => Error::new(ErrorKind::Missing, "the keyring holds no such secret"),
        _ => Error::new(ErrorKind::Damaged, "the keyring holds something else under that name; store the secret anew"),
    }
}
