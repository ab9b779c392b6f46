//! Pairs that share a place on a remote.
//!
//! Several pairs may keep objects in one place, as several devices do. A mirror may not
//! share: it deletes whatever its own folder does not have. Places are compared by what
//! the configuration says of them, so that a service under two names is two.

use super::around::plain;
use super::check::TrueName;
use super::find::Loaded;
use super::problem::Problem;
use super::resolve::{remote_of_pair, split_profile};
use super::{Mode, Pair};
use std::path::Path;

/// Where a pair's objects lie: the service, and what all of their names begin with.
#[derive(Debug, PartialEq, Eq)]
struct Place {
    service: String,
    prefix: String,
}

impl Place {
    fn meets(&self, other: &Self) -> bool {
        let lies_in = |one: &str, other: &str| one.starts_with(other);
        self.service == other.service && (lies_in(&self.prefix, &other.prefix) || lies_in(&other.prefix, &self.prefix))
    }
}

/// Finds mirrors that would delete what another pair sends.
pub(super) fn mirrors_alone(loaded: &Loaded, true_name: TrueName<'_>, found: &mut Vec<Problem>) {
    let of = |(name, pair)| Some((name, pair, place(loaded, pair, true_name)?));
    let known: Vec<(&String, &Pair, Place)> = loaded.config.pair.iter().filter_map(of).collect();
    for (name, pair, place) in known.iter().filter(|(_, pair, _)| pair.mode == Some(Mode::Mirror)) {
        let meets = |(other, its, at): &&(&String, &Pair, Place)| {
            let is_same = its.local == pair.local && at == place;
            other != name && !is_same && place.meets(at)
        };
        for (other, ..) in known.iter().filter(meets) {
            let line = loaded.tree.line_of(&["pair", other, "remote"]).unwrap_or_default();
            let what = format!(
                "it is mirrored to, and would lose what pair.{other} (line {line}) keeps in the same place; give one of \
                 them another place, or this one another mode"
            );
            found.push(loaded.problem(&["pair", name, "remote"], what));
        }
    }
}

fn place(loaded: &Loaded, pair: &Pair, true_name: TrueName<'_>) -> Option<Place> {
    let remote = remote_of_pair(loaded, &pair.remote).ok()?;
    if let Some(store) = remote.strip_prefix("folder:") {
        let prefix = format!("{}/", true_name(&plain(Path::new(store))).display());
        return Some(Place { service: "folder".to_owned(), prefix });
    }
    let config = &loaded.config;
    let (profile, path) = match split_profile(&remote) {
        Some((name, prefix)) => {
            let profile = config.profile.get(name)?;
            (Some(profile), format!("{}/{prefix}", profile.bucket.as_deref()?))
        }
        None => {
            let name = pair.profile.as_ref().or(config.default_profile.as_ref());
            (name.and_then(|name| config.profile.get(name)), remote.strip_prefix("s3://")?.to_owned())
        }
    };
    let service = profile.and_then(|profile| profile.endpoint.clone().or_else(|| profile.provider.clone()));
    let names: Vec<&str> = path.split('/').filter(|name| !name.is_empty()).collect();
    Some(Place { service: service.unwrap_or_default(), prefix: format!("{}/", names.join("/")) })
}
