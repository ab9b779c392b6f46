//! Is this still the folder it was?
//!
//! A disk that is not mounted shows an empty folder in its place. The root's file
//! system and directory are on record; another root is accepted if a person says
//! so, or if nearly all of it is as it was, as after a move to a new disk. Looked
//! at before and after each survey, so that an unmount in between is seen.

use crate::cycle::Mode;
use crate::disk::RootId;
use crate::failure::Failure;
use crate::pair::Pair;
use crate::planted::Bug;
use crate::survey::Survey;
use tidelock_core::policy::Flow;

const FACT: &str = "root";
/// Of a hundred entries, so many must be as they were for another root to be taken
/// for the same folder.
const ALIKE_PERCENT: u64 = 90;

/// What is to be judged.
pub(crate) struct RootCheck<'a> {
    pub(crate) before: RootId,
    pub(crate) after: RootId,
    pub(crate) seen: &'a Survey,
}

/// The root as it is now.
pub(crate) async fn look(pair: &Pair) -> Result<RootId, Failure> {
    pair.disk.root().await.map_err(|error| Failure::root(&pair.local_name, &error))
}

/// Stops unless the root is the one on record, or may take its place.
pub(crate) fn check(pair: &Pair, facts: &RootCheck<'_>, mode: Mode) -> Result<(), Failure> {
    if facts.before != facts.after {
        return Err(stop(pair, "it became another folder while it was looked at"));
    }
    let now = serde_json::to_string(&facts.after).unwrap_or_default();
    let known = pair.state.fact(FACT)?;
    if known.as_ref() == Some(&now) {
        return Ok(());
    }
    let Survey { alike, comparable, .. } = facts.seen;
    let is_alike = *comparable > 0 && alike * 100 >= comparable * ALIKE_PERCENT;
    // A state without rows claims nothing that another root could contradict.
    // A restore deletes nothing, and a folder that is gone is what it is for.
    let may_delete = pair.settings.policy.flow != Flow::Down;
    if known.is_some() && *comparable > 0 && !is_alike && may_delete && !pair.settings.accept_root {
        return Err(stop(
            pair,
            &format!(
                "it is not the folder it was (another file system or directory), and only {alike} of {comparable} \
                 files are as they were: is a disk not mounted? If it is meant, run again with --accept-root"
            ),
        ));
    }
    // What brings back a part only does not say that the rest is gone for good.
    if mode == Mode::Execute && pair.settings.only.is_root() {
        pair.state.set_fact(FACT, &now)?;
    }
    Ok(())
}

/// Stops unless the root is the one on record, for who has not looked around in it.
/// What is accepted is on record from then on, and so is the first one: what is done in
/// it must not be read as deleted when its disk is away.
pub(crate) async fn check_known(pair: &Pair) -> Result<(), Failure> {
    let now = serde_json::to_string(&look(pair).await?).unwrap_or_default();
    match pair.state.fact(FACT)? {
        Some(known) if known == now => Ok(()),
        Some(_) if !pair.settings.accept_root => Err(stop(
            pair,
            "it is not the folder it was (another file system or directory): is a disk not mounted? If it is meant, \
             run again with --accept-root",
        )),
        _ => Ok(pair.state.set_fact(FACT, &now)?),
    }
}

/// Stops if the root is no longer the one that this run was let loose on, as before
/// each batch of deletions.
pub(crate) async fn check_still(pair: &Pair) -> Result<(), Failure> {
    let now = serde_json::to_string(&look(pair).await?).unwrap_or_default();
    if pair.planted.has(Bug::RootCheckSkipped) || pair.state.fact(FACT)?.is_none_or(|known| known == now) {
        return Ok(());
    }
    Err(stop(pair, "it became another folder while the run went on; what was done until then is on record"))
}

fn stop(pair: &Pair, what: &str) -> Failure {
    Failure::Root { folder: pair.local_name.clone(), what: what.to_owned(), stop: true }
}
