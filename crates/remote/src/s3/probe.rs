//! Finding out what the endpoint can do, by writing.
//!
//! Headers are accepted and ignored by many servers, so only answers count: each
//! ability is tried once where it must be refused and once where it must be
//! granted, on keys of our own under `.tidelock/`, and what was written is removed
//! whatever came of it; what a killed run left, by the next one (`left.rs`). An
//! ability of `put` is only granted if both of its ways, the single request and the
//! upload in parts, obey.

mod bench;
mod left;
mod trials;

use super::S3;
use crate::error::{Error, ErrorKind, Result};
use crate::{Ability, Capabilities};
use bench::Bench;
use std::sync::atomic::Ordering;

/// How often an ability is tried before the error is the caller's, who may try again.
const ATTEMPTS: u32 = 3;

impl S3 {
    /// What the place can do, of what is needed. What is not known yet is tried.
    pub(super) async fn probe(&self, needed: &[Ability]) -> Result<Capabilities> {
        let failures = self.failures.load(Ordering::SeqCst);
        // One at a time: others wait, and then find the answers.
        let mut probing = self.probing.lock().await;
        self.abilities.meet(self.client.server());
        if !std::mem::replace(&mut probing.took_over, true) {
            left::clear(self).await;
        }
        let mut fresh = None;
        for ability in needed {
            // A bucket's owner switches versions on and off, and asking writes nothing.
            let asks = *ability == Ability::Versions;
            if !asks && self.abilities.known(*ability).is_some() {
                continue;
            }
            if let Some(error) = probing.denied.get(ability) {
                return Err(error.clone());
            }
            // Who waited for another's trial to fail need not watch the same once more.
            if let Some(error) = probing.failed.as_ref().filter(|_| self.failures.load(Ordering::SeqCst) != failures) {
                return Err(error.clone());
            }
            match self.try_out(*ability).await {
                Ok((has, _)) if asks => fresh = Some(has),
                Ok((has, refused)) => self.abilities.learn(*ability, has, refused, self.client.server()),
                Err(error) => {
                    if error.kind == ErrorKind::Denied {
                        probing.denied.insert(*ability, error.clone());
                    } else {
                        probing.failed = Some(error.clone());
                        self.failures.fetch_add(1, Ordering::SeqCst);
                    }
                    return Err(error);
                }
            }
            if !asks && !std::mem::replace(&mut probing.swept, true) {
                bench::sweep(self).await;
            }
        }
        let mut answers = self.abilities.answers(needed);
        answers.0.extend(fresh.map(|has| (Ability::Versions, has)));
        Ok(answers)
    }

    /// Tries one ability, again and from the start if the network was in the way.
    async fn try_out(&self, ability: Ability) -> Result<(bool, bool)> {
        let mut failed = 0;
        loop {
            let mut bench = Bench::new(self);
            let found = trials::run(&mut bench, ability).await;
            let foreign = bench.foreign;
            let cleared = bench.clear().await;
            let error = match (found, cleared) {
                (Ok(has), Ok(())) => return Ok((has, foreign && !has)),
                (Err(error), _) | (Ok(_), Err(error)) => error,
            };
            failed += 1;
            // A lost reply is no answer, and everything here may be done again.
            let lost = error.kind == ErrorKind::OutcomeUnknown;
            let error = if lost { Error { kind: ErrorKind::Transient, ..error } } else { error };
            if failed >= ATTEMPTS {
                return Err(explain(error));
            }
            self.pause(failed, error).await.map_err(explain)?;
        }
    }
}

/// Says what was being done, since nobody asked for these keys.
fn explain(error: Error) -> Error {
    let message = format!("finding out what this place can do, by writing below .tidelock/: {}", error.message);
    Error { message, ..error }
}
