//! What stands in the way of a download: an entry of another kind, at its path or
//! where a folder above it belongs.
//!
//! Whoever restores and replaces what differs replaces that as well: it goes to the
//! trash, if the remote holds nothing under its own key. A folder goes only if it is
//! empty. Everyone else is told of it. A dry run asks the same question and stops there.

use super::{Carrier, Fate, disk_fate, install_fate, problem, remote_fate};
use crate::disk::{Error, ErrorKind, Node, Stat};
use crate::pair::Pair;
use crate::transfer::HELD;
use std::sync::PoisonError;
use tidelock_core::names::{Kind, key_of};
use tidelock_core::path::RelPath;
use tidelock_core::plan::{Action, ProblemClass, Step};
use tidelock_core::policy::{Drift, Flow};

/// What is in the way, and what it is.
type Obstacle = (RelPath, Stat);

/// Whether a download of this plan will find its way blocked, and by nothing that it
/// may put aside. Deletions of other plans may yet clear it.
pub(crate) async fn will_be_blocked(pair: &Pair, step: &Step) -> Result<bool, tidelock_remote::Error> {
    if pair.settings.policy.flow != Flow::Down || step.action != Action::Download || step.here.is_some() {
        return Ok(false);
    }
    match obstacle(pair, step).await {
        Ok(Some(obstacle)) => Ok(!replaces(pair) || !may_go(pair, &obstacle).await?),
        // The run will tell.
        Ok(None) | Err(_) => Ok(false),
    }
}

fn replaces(pair: &Pair) -> bool {
    pair.settings.policy.flow == Flow::Down && pair.settings.policy.drift == Drift::Overwrite
}

/// The first thing on the way from the root to the path that is not what the step
/// needs there.
async fn obstacle(pair: &Pair, step: &Step) -> Result<Option<Obstacle>, Error> {
    let mut above = Vec::new();
    let mut at = step.path.parent();
    while let Some(folder) = at.filter(|folder| !folder.is_root()) {
        at = folder.parent();
        above.push(folder);
    }
    for path in above.into_iter().rev() {
        match pair.disk.stat(&path).await? {
            None => return Ok(None),
            Some(stat) if stat.node == Node::Dir => {}
            Some(stat) => return Ok(Some((path, stat))),
        }
    }
    let wanted = match step.kind {
        Kind::File => Node::File,
        Kind::Dir => Node::Dir,
        Kind::Link => Node::Link,
    };
    let found = pair.disk.stat(&step.path).await?;
    Ok(found.filter(|stat| stat.node != wanted).map(|stat| (step.path.clone(), stat)))
}

/// Whether nothing is lost there with it: the remote knows of no such entry, a folder
/// holds nothing, and it is not what another key has under a name that the disk does
/// not tell from this one.
async fn may_go(pair: &Pair, (path, stat): &Obstacle) -> Result<bool, tidelock_remote::Error> {
    let kind = match stat.node {
        Node::File => Kind::File,
        Node::Link => Kind::Link,
        Node::Dir => Kind::Dir,
        Node::Special => return Ok(false),
    };
    if is_twin(pair, path).await {
        return Ok(false);
    }
    if kind == Kind::Dir && !pair.disk.read_dir(path).await.is_ok_and(|items| items.is_empty()) {
        return Ok(false);
    }
    match key_of(path, kind, pair.settings.scan.links) {
        Ok(key) => Ok(pair.remote.head(&key).await?.is_none()),
        Err(_) => Ok(false),
    }
}

/// Whether the disk takes another name for this one, or for that of a folder above
/// it, as where case does not count. Something must be at the path.
pub(super) async fn is_twin(pair: &Pair, path: &RelPath) -> bool {
    let mut at = path.clone();
    while let Some(parent) = at.parent() {
        let Ok(items) = pair.disk.read_dir(&parent).await else { return false };
        if items.iter().all(|item| item.name != at.name().as_bytes()) {
            return true;
        }
        at = parent;
    }
    false
}

/// The name with each letter in the other case.
fn other_case(name: &str) -> String {
    name.chars()
        .flat_map(|letter| {
            let other: Vec<char> =
                if letter.is_lowercase() { letter.to_uppercase().collect() } else { letter.to_lowercase().collect() };
            other
        })
        .collect()
}

impl Carrier<'_> {
    /// Whether one of the folders above a path, as far as they are here, lies here under
    /// another name, which the disk does not tell from this one. What is put in there
    /// would be found again under that name. Folders are only listed where case does not
    /// count.
    pub(super) async fn is_above_twin(&self, path: &RelPath) -> bool {
        let Some(folder) = path.parent().filter(|folder| !folder.is_root()) else { return false };
        if *self.named.lock().unwrap_or_else(PoisonError::into_inner) == folder {
            return false;
        }
        let disk = &self.pair.disk;
        let mut at = folder.clone();
        while let Some(parent) = at.parent() {
            let other = parent.join(&other_case(at.name())).ok().filter(|other| *other != at);
            if let (Ok(Some(stat)), Some(other)) = (disk.stat(&at).await, other)
                && let Ok(Some(found)) = disk.stat(&other).await
                && found.stamp.file_id == stat.stamp.file_id
            {
                return is_twin(self.pair, &at).await;
            }
            at = parent;
        }
        *self.named.lock().unwrap_or_else(PoisonError::into_inner) = folder;
        false
    }

    /// Puts aside what is in the way of a download, if that may be; whether it did.
    pub(super) async fn clear_way(&self, step: &Step) -> Result<bool, Fate> {
        if !replaces(self.pair) || step.here.is_some() {
            return Ok(false);
        }
        let in_the_way = || Fate::Blocked(problem(step, ProblemClass::Skipped, HELD));
        let found = obstacle(self.pair, step).await.map_err(|error| disk_fate(step, error))?;
        let Some(found) = found else { return Ok(false) };
        if !may_go(self.pair, &found).await.map_err(|error| remote_fate(step, error))? {
            return Err(in_the_way());
        }
        let (path, stat) = found;
        if stat.node == Node::Dir {
            return match self.pair.disk.remove_dir(&path).await {
                Ok(()) => Ok(true),
                Err(error) if error.kind == ErrorKind::NotEmpty => Err(in_the_way()),
                Err(error) => Err(disk_fate(step, error)),
            };
        }
        let discarded = self.installer.discard(&path, &stat.stamp).await.map_err(|error| install_fate(step, error))?;
        // What takes its place is made durable later, and must not be so alone.
        for dir in discarded.dirs {
            self.pair.disk.sync_dir(&dir).await.map_err(|error| disk_fate(step, error))?;
        }
        Ok(true)
    }
}
