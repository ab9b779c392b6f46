//! What killed processes left of their trials, by their own record.
//!
//! A trial is on record from before its first write until all of it is removed, so
//! what a killed process left is known by its stem, which nobody else uses: objects,
//! versions and uploads in parts below it are removed without further proof, and at
//! once. What no record names is `bench::sweep`'s, and has to be old.

use super::bench::{Bench, PROBE};
use crate::Cursor;
use crate::error::{Error, ErrorKind};
use crate::s3::S3;

/// Clears away what is on record. A courtesy: what fails is left for the next run.
pub(super) async fn clear(s3: &S3) {
    for (stem, trial) in s3.abilities.left_trials() {
        // A record that is not one of ours names nothing that may be removed.
        if !stem.contains(PROBE) || stem.ends_with('-') || wipe(s3, stem).await.is_ok() {
            trial.over();
        }
    }
}

/// Removes everything below a stem. Who may not list or remove has nothing to try
/// again for.
async fn wipe(s3: &S3, stem: String) -> Result<(), Error> {
    let bench = Bench::with_stem(s3, stem);
    let below = bench.stem();
    match s3.page_as(&below, &Cursor::start(), false).await {
        Ok((page, _)) => {
            for object in &page.objects {
                allowed(bench.wipe(&object.key, None).await)?;
            }
        }
        Err(error) => allowed(Err(error))?,
    }
    // Removing an object may have left a marker.
    for (key, version) in bench.list_versions().await.unwrap_or_default() {
        allowed(bench.wipe(&key, Some(&version)).await)?;
    }
    for upload in s3.unfinished(&below).await.unwrap_or_default() {
        allowed(s3.give_up(&upload.key, &upload.id).await)?;
    }
    Ok(())
}

/// Whether it makes sense to try again later.
fn allowed(done: Result<(), Error>) -> Result<(), Error> {
    match done {
        Err(error) if error.kind.is_retryable() || error.kind == ErrorKind::OutcomeUnknown => Err(error),
        _ => Ok(()),
    }
}
