//! `ls`: what is on a remote.
//!
//! Objects as they are listed, told one by one as events; nothing is kept and no
//! object is looked at by itself.

use super::target::{Access, Target};
use crate::api::{Context, Ls, LsReply, Options};
use crate::event::Event;
use crate::failure::Failure;
use std::sync::atomic::Ordering;
use tidelock_core::path::{Key, is_reserved_key};
use tidelock_remote::{Cursor, Object, Readiness};

/// Lists.
pub async fn run(context: &Context, request: &Ls) -> Result<LsReply, Failure> {
    let target = Target::of(&request.remote)?.whole();
    let opened = target.open(context, &request.service, &Options::default(), Access::Read).await?;
    let mut reply = LsReply::default();
    let mut found = 0_u64;
    let mut cursor = Some(Cursor::start());
    while let Some(at) = cursor {
        let page = opened.remote.list(&request.path, &at).await?;
        for object in page.objects {
            if context.interrupted.load(Ordering::Relaxed) {
                return Ok(LsReply { interrupted: true, ..reply });
            }
            let key = object.key.as_str();
            // Tidelock's own objects are shown to who asks for them by name.
            let is_own = is_reserved_key(key) && !is_reserved_key(&request.path);
            if is_own || request.search.as_ref().is_some_and(|text| !holds(key, text)) {
                continue;
            }
            found += 1;
            if found <= request.offset {
                continue;
            }
            if request.limit.is_some_and(|limit| reply.objects >= limit) {
                return Ok(LsReply { more: true, ..reply });
            }
            tell(context, object, &mut reply);
        }
        cursor = page.next;
    }
    if found == 0 && !lists_itself(context, request, &mut reply).await? {
        let text = format!("there is nothing at {}{}", request.remote, described(request));
        context.listener.hear(&Event::Note { text });
    }
    Ok(reply)
}

fn tell(context: &Context, object: Object, reply: &mut LsReply) {
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

/// Whether what was named is one object, below which nothing can be.
async fn lists_itself(context: &Context, request: &Ls, reply: &mut LsReply) -> Result<bool, Failure> {
    let target = Target::of(&request.remote)?;
    if target.is_folder() || !request.path.is_empty() || request.search.is_some() || request.offset > 0 {
        return Ok(false);
    }
    let opened = target.open(context, &request.service, &Options::default(), Access::Read).await?;
    match opened.remote.head(&Key::new(target.name.as_str())).await? {
        Some(object) => {
            tell(context, object, reply);
            Ok(true)
        }
        None => Ok(false),
    }
}

/// Whether a key holds a text, large letters or small; `*` stands for anything.
fn holds(key: &str, text: &str) -> bool {
    let key = key.to_lowercase();
    let mut rest = key.as_str();
    text.to_lowercase().split('*').all(|part| match rest.find(part) {
        Some(at) => {
            rest = &rest[at + part.len()..];
            true
        }
        None => false,
    })
}

fn described(request: &Ls) -> String {
    let begins = if request.path.is_empty() { String::new() } else { format!(" that begins with {}", request.path) };
    let holds = request.search.as_ref().map_or(String::new(), |text| format!(" that holds {text}"));
    format!("{begins}{holds}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_searched() {
        for (text, found) in
            [("img", true), ("IMG*.jpg", true), ("a/*7", true), ("7*img", false), ("", true), ("x", false)]
        {
            assert_eq!(holds("a/b/Img_007.JPG", text), found, "{text}");
        }
    }
}
