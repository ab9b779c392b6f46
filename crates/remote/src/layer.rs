//! Behaviour by wrapping: each layer is a remote around a remote.
//!
//! A layer does one thing to every request and knows nothing of the place below or
//! of the other layers; their order is decided in one place, `open.rs`. All of
//! them pass the conformance suite, because whatever wraps a remote is one.

pub mod chosen;
pub mod condition;
pub mod limit;
pub mod observe;
pub mod readonly;
mod resume;
pub mod retry;
pub mod scope;
pub mod throttle;

pub use chosen::{Choice, Chosen};
pub use condition::Emulated;
pub use limit::Limit;
pub use observe::{Observe, RequestCounts, Requests};
pub use readonly::ReadOnly;
pub use retry::Retry;
pub use scope::Scope;
pub use throttle::Throttle;

use crate::{Condition, Object, ObjectMeta, Piece, Put};
use futures::StreamExt as _;
use tidelock_core::entry::RemoteStamp;
use tidelock_core::path::Key;

/// The user metadata that says which write made an object: run and number, never
/// used twice. Lost replies are settled by it.
pub const ATTEMPT: &str = "tidelock-attempt";

/// Whether an object found at the key of a write was made by that very write.
fn is_ours(request: &Put, found: &Object) -> bool {
    if found.stamp.size != request.size() {
        return false;
    }
    let user = |meta: &ObjectMeta| meta.user.get(ATTEMPT).cloned();
    match (user(&request.meta), found.meta.as_ref().and_then(user)) {
        (Some(asked), Some(seen)) => asked == seen,
        (Some(_), None) => false,
        // A copy without an attempt id has the metadata it was given, and an ETag
        // that stands for its source's bytes.
        (None, _) => copied(request).is_some_and(|(_, stamp)| {
            stamp.etag == found.stamp.etag && found.meta.as_ref().is_some_and(|meta| meta.user == request.meta.user)
        }),
    }
}

/// The source of a write that is one copy of a whole object.
fn copied(request: &Put) -> Option<(&Key, &RemoteStamp)> {
    match request.recipe.as_slice() {
        [Piece::CopyOf { key, stamp, offset: 0, size }] if *size == stamp.size => Some((key, stamp)),
        _ => None,
    }
}

/// Whether a condition holds on what a HEAD showed. Size is compared too: where an
/// ETag is weak, it is the little more there is.
fn holds(condition: &Condition, found: Option<&Object>) -> bool {
    match (condition, found) {
        (Condition::Absent, None) => true,
        (Condition::Matches(stamp), Some(object)) => stamp.same_content(&object.stamp),
        _ => false,
    }
}

/// How many requests made out of one batch are under way together.
const AT_ONCE: usize = 16;

/// The results of these, a few at a time, in their order.
async fn in_turn<F: Future>(futures: Vec<F>) -> Vec<F::Output> {
    futures::stream::iter(futures).buffered(AT_ONCE).collect().await
}

#[cfg(test)]
mod tests;
