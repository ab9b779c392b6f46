//! `ls`: what is on a remote.
//!
//! Objects as they are listed, told one by one as events; nothing is kept and no
//! object is looked at by itself.

use super::open::open_to_look;
use crate::api::{Context, Ls, LsReply};
use crate::event::Event;
use crate::failure::Failure;
use std::sync::atomic::Ordering;
use tidelock_core::path::RESERVED_DIR;
use tidelock_remote::{Cursor, Readiness};

/// Lists.
pub async fn run(context: &Context, request: &Ls) -> Result<LsReply, Failure> {
    let opened = open_to_look(context, &request.remote, &request.service).await?;
    let own = format!("{RESERVED_DIR}/");
    let mut reply = LsReply::default();
    let mut cursor = Some(Cursor::start());
    while let Some(at) = cursor {
        let page = opened.remote.list(&request.path, &at).await?;
        for object in page.objects {
            if context.interrupted.load(Ordering::Relaxed) {
                return Ok(LsReply { interrupted: true, ..reply });
            }
            // Tidelock's own objects are shown to who asks for them by name.
            if object.key.as_str().starts_with(&own) && !request.path.starts_with(&own) {
                continue;
            }
            reply.objects += 1;
            reply.bytes += object.stamp.size;
            context.listener.hear(&Event::Object {
                key: object.key.as_str().to_owned(),
                bytes: object.stamp.size,
                etag: object.stamp.etag,
                modified_s: object.stamp.modified_s,
                storage_class: object.storage_class,
                archived: matches!(object.readiness, Readiness::Archived | Readiness::Thawing),
            });
        }
        cursor = page.next;
    }
    if reply.objects == 0 {
        let text = format!("there is nothing at {}{}", request.remote, below(&request.path));
        context.listener.hear(&Event::Note { text });
    }
    Ok(reply)
}

fn below(prefix: &str) -> String {
    if prefix.is_empty() { String::new() } else { format!(" that begins with {prefix}") }
}
