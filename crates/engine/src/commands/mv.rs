//! `mv`: rename an object, or everything below a name, on the remote.
//!
//! Copies and owed deletions; no byte passes through here. Both names are in one bucket
//! or store: between two of them bytes would have to. What lies below a name goes along
//! only if that is asked for, and beyond a handful only if it is confirmed, as with `rm`.

use super::download::{nothing, others_below};
use super::target::{Access, Found, Target};
use super::there::There;
use crate::api::{Context, Mv, RunReply};
use crate::cycle::named::{Rename, rename_named};
use crate::failure::Failure;
use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use tidelock_core::path::Key;
use tidelock_remote::url::RemoteUrl;
use tidelock_remote::{Cursor, Object, Remote};

/// One run.
pub async fn run(context: &Context, request: &Mv) -> Result<RunReply, Failure> {
    let (from, from_name) = whole(&request.from)?;
    let (to, to_name) = whole(&request.to)?;
    if from.url != to.url {
        return Err(Failure::Unable(format!(
            "{} and {} are not in one bucket or store; download and upload instead",
            request.from, request.to
        )));
    }
    let access = if request.options.dry_run { Access::Read } else { Access::Write };
    let opened = from.open(context, &request.service, &request.options, access).await?;
    let remote = opened.remote.as_ref();
    let last = from_name.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    let keeps_name = to_name.is_empty() || to_name.ends_with('/');
    let target = Target { name: from_name.trim_end_matches('/').to_owned(), ..from.clone() };
    let found = target.find(remote).await?;
    let is_one = matches!(found, Found::One(_));
    let renames = match found {
        Found::Nothing => return Err(nothing(&request.from)),
        Found::One(object) => {
            let key = if keeps_name { format!("{to_name}{last}") } else { to_name.clone() };
            vec![rename(remote, *object, key, request.overwrite).await?]
        }
        Found::Below if !request.recursive => return Err(others_below(&request.from, "rename")),
        Found::Below => {
            let folder = format!("{}/", target.name);
            let new = if keeps_name { format!("{to_name}{last}/") } else { format!("{to_name}/") };
            below(context, remote, (&folder, &new), request.overwrite).await?
        }
    };
    let renames: Vec<Rename> = renames.into_iter().filter(|rename| rename.from.key != rename.to).collect();
    let there = There::new(context, "mv", &request.options, &from, opened.remote.clone(), &request.from)?;
    let report = there.keep(rename_named(&there.pair, there.mode(), &renames, is_one).await);
    Ok(RunReply { report, requests: opened.requests.snapshot(), dry_run: request.options.dry_run })
}

/// A name as the whole place and the whole key in it.
fn whole(text: &str) -> Result<(Target, String), Failure> {
    let target = Target::of(text)?;
    Ok(match &target.url {
        RemoteUrl::S3 { bucket, prefix } => {
            let name = format!("{prefix}{}", target.name);
            let url = RemoteUrl::S3 { bucket: bucket.clone(), prefix: String::new() };
            (Target { url, inside: String::new(), name: String::new() }, name)
        }
        url => {
            let name = format!("{}{}", target.inside, target.name);
            (Target { url: url.clone(), inside: String::new(), name: String::new() }, name)
        }
    })
}

async fn rename(remote: &dyn Remote, from: Object, to: String, overwrite: bool) -> Result<Rename, Failure> {
    let to = Key::new(to);
    let over = if to == from.key { None } else { remote.head(&to).await? };
    over_another(from, to, over, overwrite)
}

fn over_another(from: Object, to: Key, over: Option<Object>, overwrite: bool) -> Result<Rename, Failure> {
    match over {
        Some(found) if !overwrite => Err(Failure::Refused(format!(
            "there is an object {:?} already ({} bytes); with --overwrite it is replaced",
            found.key.as_str(),
            found.stamp.size
        ))),
        over => Ok(Rename { from, to, over }),
    }
}

/// Everything below a name, each under its new one.
async fn below(
    context: &Context,
    remote: &dyn Remote,
    (old, new): (&str, &str),
    overwrite: bool,
) -> Result<Vec<Rename>, Failure> {
    if new.starts_with(old) || old.starts_with(new) {
        let what = format!("{old} and {new} lie in each other; name a place beside it");
        return Err(Failure::Unable(what));
    }
    let taken = listed(context, remote, new).await?;
    let mut taken: BTreeMap<Key, Object> = taken.into_iter().map(|object| (object.key.clone(), object)).collect();
    let objects = listed(context, remote, old).await?.into_iter();
    objects
        .map(|object| {
            let to = Key::new(format!("{new}{}", &object.key.as_str()[old.len()..]));
            let over = taken.remove(&to);
            over_another(object, to, over, overwrite)
        })
        .collect()
}

async fn listed(context: &Context, remote: &dyn Remote, prefix: &str) -> Result<Vec<Object>, Failure> {
    let mut objects = Vec::new();
    let mut cursor = Some(Cursor::start());
    while let Some(at) = cursor {
        if context.interrupted.load(Ordering::Relaxed) {
            return Err(Failure::Interrupted);
        }
        let page = remote.list(prefix, &at).await?;
        objects.extend(page.objects);
        cursor = page.next;
    }
    Ok(objects)
}
