//! Permissions, tried one by one.
//!
//! Each under the name that a policy gives it. What is written is one small object of
//! Tidelock's own below its reserved prefix, and it is removed whatever happens.
//!
//! Not the room of the probe of capabilities (`remote/s3/probe`), although that removes
//! trial objects too: there it is what a service does with conditions that is unknown, so
//! objects go without any, versions and all; here a deletion as every run makes it, under
//! its condition and through all layers, is what is tried.

use super::Findings;
use bytes::Bytes;
use futures::StreamExt;
use std::sync::Arc;
use tidelock_core::entry::RemoteStamp;
use tidelock_core::path::{Key, RESERVED_DIR};
use tidelock_remote::world::World;
use tidelock_remote::{Condition, Error, ErrorKind, Object, ObjectMeta, Piece, Put, Remote, Unwatched};

const CHECK: &str = "permissions";
const BODY: &str = "Tidelock's doctor was here; this may be removed.\n";

/// Whether what is there can be read, if anything is.
pub(super) async fn reading(remote: &dyn Remote, object: Option<&Object>, findings: &mut Findings) {
    let Some(object) = object else { return };
    if let Err(error) = first_byte(remote, object).await {
        match error.kind {
            ErrorKind::Archived => {
                findings.warn(CHECK, "the first object is archived", "ask the provider to restore it")
            }
            _ => findings.bad(CHECK, &error.into(), "allow s3:GetObject"),
        }
        return;
    }
    findings.good(CHECK, "objects can be read (s3:GetObject)");
}

async fn first_byte(remote: &dyn Remote, object: &Object) -> Result<(), Error> {
    let mut body = remote.get(&object.key, Some(0..1), Some(&object.stamp)).await?.body;
    body.next().await.transpose().map(drop)
}

/// Writes, reads, copies and removes an object of our own; whether all of it works.
pub(super) async fn writing(remote: &dyn Remote, world: &World, findings: &mut Findings) -> bool {
    let key = Key::new(format!("{RESERVED_DIR}/doctor-{}", world.token()));
    let copy = Key::new(format!("{key}-copy"));
    let body = Bytes::from_static(BODY.as_bytes());
    let size = u64::try_from(body.len()).unwrap_or(0);
    let bytes = Piece::Bytes { source: Arc::new(body), offset: 0, size };
    let stamp = match remote.put(&put(&key, bytes, world), &Unwatched).await {
        Ok(stored) => stored.stamp,
        Err(error) => {
            findings.bad(CHECK, &error.into(), "allow s3:PutObject; without it nothing can be sent");
            return false;
        }
    };
    findings.good(CHECK, "objects can be written (s3:PutObject)");
    let mut all = true;
    match remote.head(&key).await {
        Ok(Some(_)) => findings.good(CHECK, "what was written can be looked at (s3:GetObject)"),
        Ok(None) => {
            all = false;
            findings.warn(
                CHECK,
                "what was just written is not there",
                "another program may remove it, or the service lags",
            );
        }
        Err(error) => {
            all = false;
            findings.bad(CHECK, &error.into(), "allow s3:GetObject");
        }
    }
    let piece = Piece::CopyOf { key: key.clone(), stamp: stamp.clone(), offset: 0, size };
    let mut written = vec![(key, stamp)];
    match remote.put(&put(&copy, piece, world), &Unwatched).await {
        Ok(stored) => {
            findings.good(CHECK, "objects can be copied there, so renames cost nothing");
            written.push((copy, stored.stamp));
        }
        Err(error) => {
            let what = format!("objects cannot be copied there: {error}");
            findings.warn(
                CHECK,
                what,
                "renamed files are sent again; allow s3:GetObject and s3:PutObject on both keys",
            );
        }
    }
    all & removed(remote, written, findings).await
}

async fn removed(remote: &dyn Remote, written: Vec<(Key, RemoteStamp)>, findings: &mut Findings) -> bool {
    let items: Vec<_> = written.into_iter().map(|(key, stamp)| (key, Condition::Matches(stamp))).collect();
    let failed = remote.delete(&items).await.into_iter().find_map(Result::err);
    match failed {
        None => {
            findings.good(CHECK, "objects can be removed (s3:DeleteObject)");
            true
        }
        Some(error) => {
            let remedy = "allow s3:DeleteObject; until then remove what begins with .tidelock/doctor- by hand";
            findings.bad(CHECK, &error.into(), remedy);
            false
        }
    }
}

fn put(key: &Key, piece: Piece, world: &World) -> Put {
    let user = [("tidelock-attempt".to_owned(), format!("{}/doctor", world.token()))];
    let meta = ObjectMeta { content_type: Some("text/plain".to_owned()), user: user.into(), ..ObjectMeta::default() };
    Put { key: key.clone(), recipe: vec![piece], meta, storage_class: None, condition: Condition::Absent }
}
