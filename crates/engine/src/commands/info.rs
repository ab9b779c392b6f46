//! `info`: what is known of one object.
//!
//! One look, and what its metadata means: whoever wrote it, as far as it can be read.

use super::target::{Access, Found, Target};
use crate::api::{Context, Info, InfoReply, Options};
use crate::failure::Failure;
use tidelock_core::meta::decode;
use tidelock_core::names::Kind;
use tidelock_remote::{Object, Readiness};

/// One look.
pub async fn run(context: &Context, request: &Info) -> Result<InfoReply, Failure> {
    let target = Target::of(&request.remote)?;
    let opened = target.open(context, &request.service, &Options::default(), Access::Read).await?;
    match target.find_exactly(opened.remote.as_ref()).await? {
        Found::One(object) => Ok(InfoReply { key: target.last(), ..told(&request.remote, *object) }),
        other => Err(other.missing(&request.remote)),
    }
}

fn told(remote: &str, object: Object) -> InfoReply {
    let meta = object.meta.unwrap_or_default();
    let attributes = decode(&meta.user);
    let kind = attributes.kind.map(|kind| match kind {
        Kind::File => "file",
        Kind::Dir => "folder",
        Kind::Link => "link",
    });
    let encryption = meta.encryption;
    InfoReply {
        remote: remote.to_owned(),
        key: object.key.as_str().to_owned(),
        bytes: object.stamp.size,
        etag: object.stamp.etag,
        modified_s: object.stamp.modified_s,
        storage_class: object.storage_class,
        encryption: encryption.as_ref().map(|encryption| encryption.how.clone()),
        encryption_bucket_key: encryption.as_ref().map(|encryption| encryption.bucket_key),
        encryption_key: encryption.and_then(|encryption| encryption.key),
        version: object.version,
        readiness: match object.readiness {
            Readiness::Ready => "ready",
            Readiness::Archived => "archived",
            Readiness::Thawing => "thawing",
            Readiness::Lost => "lost",
        }
        .to_owned(),
        crc64nvme: object.crc64nvme.map(|sum| format!("{sum:016x}")),
        content_type: meta.content_type,
        headers: meta.headers,
        mtime_ns: attributes.meta.mtime_ns,
        mode: attributes.meta.mode.map(|mode| format!("{mode:04o}")),
        uid: attributes.meta.uid,
        gid: attributes.meta.gid,
        kind: kind.map(str::to_owned),
        digest: attributes.digest.map(|digest| digest.to_string()),
        user: meta.user,
    }
}
