//! `mv`: rename an object, or everything below a name, on the remote.
//!
//! Copies and owed deletions; no byte passes through here. Both names are in one bucket
//! or store: between two of them bytes would have to. What lies below a name goes along
//! only if that is asked for, and beyond a handful only if it is confirmed, as with `rm`.

use super::download::others_below;
use super::naming::{Renamed, keeps_name, renamed};
use super::saved::links;
use super::target::{Access, Found, Target, refuse_reserved};
use super::there::{Asked, There};
use crate::api::{Context, Mv, RunReply};
use crate::cycle::named::{Rename, Renames, rename_named};
use crate::failure::Failure;
use std::sync::Arc;
use tidelock_core::names::entry_of;
use tidelock_core::path::Key;
use tidelock_remote::Remote;
use tidelock_remote::layer::Scope;
use tidelock_remote::url::RemoteUrl;

/// One run.
pub async fn run(context: &Context, request: &Mv) -> Result<RunReply, Failure> {
    let (place, from) = whole(&request.from)?;
    let (other, to) = whole(&request.to)?;
    if place.url != other.url {
        // Of stores that are not there, this is not what is wrong.
        for place in [&place, &other].into_iter().filter(|place| matches!(place.url, RemoteUrl::Folder(_))) {
            place.open(context, &request.service, &request.options, Access::Read).await?;
        }
        return Err(Failure::Misused(format!(
            "{} and {} are not in one bucket or store; download and upload instead",
            request.from, request.to
        )));
    }
    // What can be refused before anything is asked for, is.
    let (Renamed::Object(_, new) | Renamed::Below(_, new)) = renamed(&from, &to, true)?;
    refuse_reserved(&new)?;
    entry_of(&Key::new(new.as_str()), links(request.options.metadata))
        .map_err(|why| Failure::Unable(format!("{new:?}: {why}")))?;
    let access = if request.options.dry_run { Access::Read } else { Access::Write };
    let opened = place.open(context, &request.service, &request.options, access).await?;
    let remote = opened.remote.as_ref();
    let found = match found(&opened.remote, &place, &from).await? {
        Found::Nothing => return Err(Found::Nothing.missing(&request.from)),
        Found::Below if !request.recursive => return Err(others_below(&request.from, "rename")),
        Found::Below => None,
        Found::One(object) => Some(object),
    };
    let names = renamed(&from, &to, found.is_some())?;
    let renames = match (&names, found) {
        (Renamed::Object(old, new), Some(object)) => {
            let to = Key::new(new.as_str());
            let over = if old == new { None } else { remote.head(&to).await? };
            Renames::One(Box::new(Rename { from: *object, to, over }))
        }
        (Renamed::Object(old, new) | Renamed::Below(old, new), _) => Renames::Below(old.clone(), new.clone()),
    };
    let (options, remote, shown) = (&request.options, opened.remote.clone(), request.from.as_str());
    let asked = Asked { context, command: "mv", options, target: &place, remote, shown };
    let there = There::lasting(asked, [&from, &to]).await?;
    let report = rename_named(&there.pair, there.mode(), &renames, request.overwrite).await;
    let report = there.keep(report);
    Ok(RunReply { report, requests: opened.requests.snapshot(), dry_run: request.options.dry_run })
}

/// A name as the whole place and the whole key in it.
fn whole(text: &str) -> Result<(Target, String), Failure> {
    let target = Target::of(text)?;
    let key = target.key();
    let url = match target.url {
        RemoteUrl::S3 { bucket, .. } => RemoteUrl::S3 { bucket, prefix: String::new() },
        url => url,
    };
    Ok((Target { url, inside: String::new(), name: String::new() }, key))
}

/// What is there under a name. One that ends in a slash is that of a folder.
async fn found(remote: &Arc<dyn Remote>, place: &Target, name: &str) -> Result<Found, Failure> {
    if keeps_name(name) {
        return place.find(&Scope::new(Arc::clone(remote), name)).await;
    }
    Target { name: name.to_owned(), ..place.clone() }.find(remote.as_ref()).await
}
