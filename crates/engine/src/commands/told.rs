//! What is kept of things that belong to no pair: their history, and of what a person
//! was told.
//!
//! Their states are forgotten, so what is said once for each place would be said every
//! time. It is remembered with the history that all of them share, by bucket.

use crate::api::Context;
use crate::cycle::UNGUARDED;
use crate::pair::Pair;
use tidelock_remote::url::RemoteUrl;

/// What of a place a person was told already.
pub(super) struct Told {
    fact: String,
}

impl Told {
    /// Looks it up, and makes this run silent about it.
    pub(super) fn recall(context: &Context, url: &RemoteUrl, pair: &Pair) -> Self {
        let place = match url {
            RemoteUrl::S3 { bucket, .. } => format!("s3://{bucket}"),
            other => other.to_string(),
        };
        let told = Self { fact: format!("{UNGUARDED} {place}") };
        if context.place.loose_history().was_told(&told.fact) {
            // What cannot be noted is said again.
            let _ = pair.state.set_fact(UNGUARDED, &pair.remote.describe());
        }
        told
    }

    /// Keeps the run that is over. One that cannot be kept was no failure for it.
    pub(super) fn keep(&self, context: &Context, pair: &Pair) {
        let is_told = pair.state.fact(UNGUARDED).is_ok_and(|fact| fact.is_some());
        let fact = is_told.then_some(self.fact.as_str());
        let _ = context.place.loose_history().hand_down(&pair.state, fact, pair.now_ms());
    }
}
