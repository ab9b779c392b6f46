//! Who mirrors onto a prefix.
//!
//! A mirror deletes what its folder does not have, so two devices that mirror onto
//! one prefix would undo each other. The first one leaves its name in an object
//! under the reserved prefix, created conditionally; another stops until a person
//! says that it takes over. Only mirrors look at it.

use crate::failure::Failure;
use crate::pair::Pair;
use bytes::Bytes;
use std::sync::Arc;
use tidelock_core::path::{Key, RESERVED_DIR};
use tidelock_core::policy::{Deletes, Drift, Flow};
use tidelock_remote::{Condition, ErrorKind, ObjectMeta, Piece, Put, Unwatched};

/// The metadata key that names the owner.
const OWNER: &str = "tidelock-owner";

/// Says whether a run that carries its plan out would be stopped.
pub(crate) async fn check(pair: &Pair) -> Result<(), Failure> {
    look(pair).await.map(|_| ())
}

/// Whoever is to be replaced by this device's name, if it is not there already.
async fn look(pair: &Pair) -> Result<Option<(Key, Condition)>, Failure> {
    let policy = &pair.settings.policy;
    let mirrors = (policy.flow, policy.deletes, policy.drift) == (Flow::Up, Deletes::Propagate, Drift::Overwrite);
    if !mirrors {
        return Ok(None);
    }
    let key = Key::new(format!("{RESERVED_DIR}/owner"));
    let Some(object) = pair.remote.head(&key).await? else { return Ok(Some((key, Condition::Absent))) };
    let name = object.meta.and_then(|meta| meta.user.get(OWNER).cloned()).unwrap_or_default();
    if name == pair.settings.device {
        return Ok(None);
    }
    if pair.settings.take_over { Ok(Some((key, Condition::Matches(object.stamp)))) } else { Err(taken(&name)) }
}

/// Makes sure that this device may mirror onto the remote.
pub(crate) async fn claim(pair: &Pair) -> Result<(), Failure> {
    let Some((key, condition)) = look(pair).await? else { return Ok(()) };
    let body = Bytes::from(format!("{}\n", pair.settings.device));
    let size = u64::try_from(body.len()).unwrap_or(0);
    let user = [
        (OWNER.to_owned(), pair.settings.device.clone()),
        ("tidelock-attempt".to_owned(), format!("{}/owner", pair.world.token())),
    ];
    let put = Put {
        key,
        recipe: vec![Piece::Bytes { source: Arc::new(body), offset: 0, size }],
        meta: ObjectMeta { content_type: Some("text/plain".to_owned()), user: user.into(), ..ObjectMeta::default() },
        storage_class: None,
        condition,
    };
    match pair.remote.put(&put, &Unwatched).await {
        Ok(_) => Ok(()),
        Err(error) if error.kind == ErrorKind::Precondition => Err(taken("another device, just now")),
        Err(error) => Err(error.into()),
    }
}

fn taken(name: &str) -> Failure {
    Failure::Owned(format!(
        "{name:?} already mirrors onto this place, and two mirrors would delete each other's files; \
         if this device is to take its place, run again with --take-over"
    ))
}
