//! Whether a profile works: its service is asked for the first page of its bucket, or,
//! where it names none, for its buckets.
//!
//! The page needs the same permission as looking at the bucket's head, and unlike that
//! its refusals say why. Nothing is written. Nobody waits long for a service that is not
//! there: somebody sits before the answer.

use super::super::open::s3_service;
use crate::api::{Context, Service};
use crate::failure::{Failure, ending_of};
use crate::report::Ending;
use serde::{Deserialize, Serialize};
use std::time::Duration;
use tidelock_core::backoff::Backoff;
use tidelock_remote::open::{OpenOptions, open};
use tidelock_remote::s3::{Keys, buckets};
use tidelock_remote::url::RemoteUrl;
use tidelock_remote::{Cursor, Error, ErrorKind};

/// What a service said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tested {
    /// The profile.
    pub profile: String,
    /// The bucket that was asked.
    pub bucket: Option<String>,
    /// The service answered.
    pub connected: bool,
    /// The bucket let itself be listed; no if none was asked.
    pub bucket_accessible: bool,
    /// What went wrong, and what to do.
    pub error: Option<String>,
    /// How that ends the command.
    pub ending: Ending,
}

/// Asks. What goes wrong is the answer, not a failure; a wish to end is one.
pub(super) async fn test(
    context: &Context,
    name: &str,
    service: &Service,
    keys: Result<Option<Keys>, Failure>,
    bucket: Option<&str>,
) -> Result<Tested, Failure> {
    let mut tested = Tested {
        profile: name.to_owned(),
        bucket: bucket.map(str::to_owned),
        connected: false,
        bucket_accessible: false,
        error: None,
        ending: Ending::Ok,
    };
    let answer = match keys {
        Ok(keys) => ask(context, service, keys, bucket).await,
        Err(failure) => Err(failure),
    };
    match answer {
        Ok(()) => (tested.connected, tested.bucket_accessible) = (true, bucket.is_some()),
        Err(failure) if failure.ending() == Ending::Interrupted => return Err(failure),
        Err(failure) => {
            tested.connected = matches!(&failure, Failure::Remote(error) if has_answered(error));
            tested.ending = failure.ending();
            tested.error = Some(failure.told());
        }
    }
    Ok(tested)
}

async fn ask(context: &Context, service: &Service, keys: Option<Keys>, bucket: Option<&str>) -> Result<(), Failure> {
    let s3 = s3_service(service, keys);
    let Some(bucket) = bucket else {
        buckets(context.world.clone(), s3).await?;
        return Ok(());
    };
    let url = RemoteUrl::parse(&format!("s3://{bucket}")).map_err(|error| Failure::Unable(error.to_string()))?;
    let options = OpenOptions {
        s3,
        backoff: Backoff { base: Duration::from_millis(100), cap: Duration::from_secs(1), attempts: 2 },
        read_only: true,
        ..OpenOptions::default()
    };
    let opened = open(&url, &options, context.world.clone()).await?;
    opened.remote.list("", &Cursor::start()).await?;
    Ok(())
}

/// Whether an error is an answer of the service, and not one of our own.
fn has_answered(error: &Error) -> bool {
    match error.kind {
        // Credentials that could not be had were never shown to anybody.
        ErrorKind::Credentials => error.op != "sign in",
        ErrorKind::Unreachable | ErrorKind::OutcomeUnknown | ErrorKind::Transient => false,
        _ => ending_of(&error.kind) != Ending::Config || error.kind == ErrorKind::Unsupported,
    }
}
