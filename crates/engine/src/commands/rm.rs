//! `rm`: remove objects that a person names.
//!
//! Each goes as the version that was seen, and through the one place that deletes. What
//! lies below a name goes only if that is asked for, and beyond a handful only if it is
//! confirmed.

use super::download::others_below;
use super::parts;
use super::target::{Access, Found, Target};
use super::there::{Asked, There};
use crate::api::{Context, Rm, RunReply};
use crate::cycle::named::{Doomed, delete_named};
use crate::failure::Failure;
use crate::report::Report;
use std::collections::BTreeMap;
use tidelock_core::path::Key;
use tidelock_remote::Object;
use tidelock_remote::layer::{RequestCounts, Scope};
use tidelock_remote::open::Opened;
use tidelock_remote::url::RemoteUrl;

/// One run for each bucket or store, once all that was named was found.
pub async fn run(context: &Context, request: &Rm) -> Result<RunReply, Failure> {
    let named = request.remotes.iter().map(|name| Ok((Target::of(name)?.above(), name.as_str())));
    let mut found = Vec::new();
    for targets in &placed(named.collect::<Result<_, Failure>>()?) {
        let (there, opened, doomed) = find(context, request, targets).await?;
        found.push((there, opened, without_twins(doomed)));
    }
    let mode = parts::mode(&request.options);
    let places: Vec<_> = found.iter().map(|(there, _, doomed)| (&there.pair, doomed)).collect();
    let reports = delete_named(mode, &places).await;
    let (mut report, mut requests) = (Report::default(), RequestCounts::default());
    found.iter().for_each(|(_, opened, _)| requests.absorb(&opened.requests.snapshot()));
    for ((there, ..), one) in found.into_iter().zip(reports) {
        report.absorb(there.keep(one));
    }
    Ok(RunReply { report, requests, dry_run: request.options.dry_run })
}

/// What was named, by bucket or store, each opened once: at the folder that all that was
/// named in it has in common.
fn placed(named: Vec<(Target, &str)>) -> Vec<Vec<(Target, &str)>> {
    let mut places: BTreeMap<String, Vec<(Target, &str)>> = BTreeMap::new();
    for (target, name) in named {
        let place = match &target.url {
            RemoteUrl::S3 { bucket, .. } => format!("s3://{bucket}"),
            other => other.to_string(),
        };
        places.entry(place).or_default().push((target, name));
    }
    for place in places.values_mut() {
        let Some(url) = place.iter().map(|(target, _)| target.url.clone()).reduce(in_common) else { continue };
        for (target, _) in place {
            *target = target.seen_from(&url).unwrap_or_else(|| target.clone());
        }
    }
    places.into_values().collect()
}

/// The folder of a bucket that holds both; of a store, the store.
fn in_common(one: RemoteUrl, other: RemoteUrl) -> RemoteUrl {
    match (one, other) {
        (RemoteUrl::S3 { bucket, prefix }, RemoteUrl::S3 { prefix: other, .. }) => {
            let same = prefix.split_inclusive('/').zip(other.split_inclusive('/')).take_while(|(a, b)| a == b);
            RemoteUrl::S3 { bucket, prefix: same.map(|(part, _)| part).collect() }
        }
        (one, _) => one,
    }
}

/// What was named in one place, and that place.
async fn find<'a>(
    context: &'a Context,
    request: &Rm,
    targets: &[(Target, &str)],
) -> Result<(There<'a>, Opened, Doomed), Failure> {
    let Some((first, shown)) = targets.first() else {
        return Err(Failure::Missing("nothing was named".to_owned()));
    };
    // One store is opened once, whatever was named in it.
    let place = Target { url: first.url.clone(), inside: String::new(), name: String::new() };
    let access = if request.options.dry_run { Access::Read } else { Access::Write };
    let opened = place.open(context, &request.service, &request.options, access).await?;
    let mut doomed = Doomed::default();
    for (target, name) in targets {
        let (inside, name_there) = (&target.inside, &target.name);
        let there = Scope::new(opened.remote.clone(), inside);
        match (target.find_all(&there).await?, target.marker(&there).await?) {
            (Found::One(object), _) => doomed.add(&format!("{inside}{name_there}"), *object),
            // The object of that very name, slash and all, and nothing below it.
            (_, Some(object)) if !request.recursive => doomed.add(inside, *object),
            (Found::Nothing, None) => return Err(Found::Nothing.missing(name)),
            _ if !request.recursive => return Err(others_below(name, "remove")),
            _ if target.is_folder() => doomed.prefixes.push(inside.clone()),
            _ => doomed.prefixes.push(format!("{inside}{name_there}/")),
        }
    }
    let (options, remote) = (&request.options, opened.remote.clone());
    let there = There::new(Asked { context, command: "rm", options, target: &place, remote, shown })?;
    Ok((there, opened, doomed))
}

impl Doomed {
    fn add(&mut self, key: &str, object: Object) {
        let key = Key::new(key);
        if !self.objects.iter().any(|other| other.key == key) {
            self.objects.push(Object { key, ..object });
        }
    }
}

/// Nothing is removed twice: what lies below something else that goes, goes with it.
fn without_twins(mut doomed: Doomed) -> Doomed {
    doomed.prefixes.sort();
    doomed.prefixes.dedup_by(|next, kept| next.starts_with(kept.as_str()));
    let prefixes = &doomed.prefixes;
    doomed.objects.retain(|object| !prefixes.iter().any(|prefix| object.key.as_str().starts_with(prefix.as_str())));
    doomed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_bucket_is_one_place() {
        let named = |names: &[&'static str]| {
            let named = names.iter().map(|name| (Target::of(name).expect("valid"), *name)).collect();
            placed(named)
                .into_iter()
                .map(|place| {
                    let shown = place.iter().map(|(target, _)| format!("{}{}", target.inside, target.name));
                    (place[0].0.url.to_string(), shown.collect::<Vec<_>>())
                })
                .collect::<Vec<_>>()
        };
        let of = |url: &str, names: &[&str]| (url.to_owned(), names.iter().map(|name| (*name).to_owned()).collect());
        assert_eq!(named(&["s3://tide/a/b", "s3://tide/a"]), [of("s3://tide", &["a/b", "a"])]);
        assert_eq!(
            named(&["s3://tide/a/x", "s3://tide/ab/y", "s3://other/a/x"]),
            [of("s3://other/a", &["x"]), of("s3://tide", &["a/x", "ab/y"])]
        );
        assert_eq!(
            named(&["s3://tide/a/x/", "s3://tide/a/y/", "s3://tide/a/"]),
            [of("s3://tide/a", &["x/", "y/", ""])]
        );
    }

    #[test]
    fn nothing_goes_twice() {
        let prefixes = ["b/", "a/", "a/x/", "a/"].map(str::to_owned).to_vec();
        let left = without_twins(Doomed { objects: Vec::new(), prefixes });
        assert_eq!(left.prefixes, ["a/", "b/"]);
        let all = Doomed { objects: Vec::new(), prefixes: vec!["a/".to_owned(), String::new()] };
        assert_eq!(without_twins(all).prefixes, [""]);
    }
}
