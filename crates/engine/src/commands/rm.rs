//! `rm`: remove objects that a person names.
//!
//! Each goes as the version that was seen, and through the one place that deletes. What
//! lies below a name goes only if that is asked for, and beyond a handful only if it is
//! confirmed.

use super::download::nothing;
use super::target::{Access, Found, Target};
use super::there::There;
use crate::api::{Context, Rm, RunReply};
use crate::cycle::named::{Doomed, delete_named};
use crate::failure::Failure;
use crate::report::Report;
use std::collections::BTreeMap;
use tidelock_remote::layer::RequestCounts;

/// One run for each place.
pub async fn run(context: &Context, request: &Rm) -> Result<RunReply, Failure> {
    let mut places: BTreeMap<String, Vec<(Target, &str)>> = BTreeMap::new();
    for name in &request.remotes {
        let target = Target::of(name)?;
        let place = format!("{}\0{}", target.url, target.inside);
        places.entry(place).or_default().push((target, name));
    }
    let (mut report, mut requests) = (Report::default(), RequestCounts::default());
    for targets in places.values() {
        let part = in_one_place(context, request, targets).await?;
        report.absorb(part.report);
        requests.absorb(&part.requests);
        if report.stopped.is_some() {
            break;
        }
    }
    Ok(RunReply { report, requests, dry_run: request.options.dry_run })
}

async fn in_one_place(context: &Context, request: &Rm, targets: &[(Target, &str)]) -> Result<RunReply, Failure> {
    let Some((place, shown)) = targets.first() else {
        return Ok(RunReply { report: Report::default(), requests: RequestCounts::default(), dry_run: true });
    };
    let access = if request.options.dry_run { Access::Read } else { Access::Write };
    let opened = place.open(context, &request.service, &request.options, access).await?;
    let mut doomed = Doomed::default();
    for (target, name) in targets {
        match target.find(opened.remote.as_ref()).await? {
            Found::Nothing => return Err(nothing(name)),
            Found::Below if !request.recursive => {
                return Err(Failure::Missing(format!(
                    "{name} is no object, but others lie below it; to remove all of them, give --recursive"
                )));
            }
            Found::Below if target.is_folder() => doomed.prefixes.push(String::new()),
            Found::Below => doomed.prefixes.push(format!("{}/", target.name)),
            Found::One(object) if !doomed.objects.iter().any(|other| other.key == object.key) => {
                doomed.objects.push(*object);
            }
            Found::One(_) => {}
        }
    }
    let there = There::new(context, "rm", &request.options, place, opened.remote.clone(), shown)?;
    let report = delete_named(&there.pair, there.mode(), &without_twins(doomed)).await;
    let report = there.keep(report);
    Ok(RunReply { report, requests: opened.requests.snapshot(), dry_run: request.options.dry_run })
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
    fn nothing_goes_twice() {
        let prefixes = ["b/", "a/", "a/x/", "a/"].map(str::to_owned).to_vec();
        let left = without_twins(Doomed { objects: Vec::new(), prefixes });
        assert_eq!(left.prefixes, ["a/", "b/"]);
        let all = Doomed { objects: Vec::new(), prefixes: vec!["a/".to_owned(), String::new()] };
        assert_eq!(without_twins(all).prefixes, [""]);
    }
}
