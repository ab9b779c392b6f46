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
use crate::survey::Survey;

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
        return Err(stop(pair, "it became another folder while it was looked at; nothing was changed"));
    }
    let now = serde_json::to_string(&facts.after).unwrap_or_default();
    let known = pair.state.fact(FACT)?;
    if known.as_ref() == Some(&now) {
        return Ok(());
    }
    let Survey { alike, comparable, .. } = facts.seen;
    let is_alike = *comparable > 0 && alike * 100 >= comparable * ALIKE_PERCENT;
    // A state without rows claims nothing that another root could contradict.
    if known.is_some() && *comparable > 0 && !is_alike && !pair.settings.accept_root {
        return Err(stop(
            pair,
            &format!(
                "it is not the folder it was (another file system or directory), and only {alike} of {comparable} \
                 files are as they were: is a disk not mounted? If it is meant, run again with --accept-root"
            ),
        ));
    }
    if mode == Mode::Execute {
        pair.state.set_fact(FACT, &now)?;
    }
    Ok(())
}

/// Stops unless the root is the one on record, for who has not looked around in it.
/// Where none is on record, it is this one from now on: what is done in it must not
/// be read as deleted when its disk is away.
pub(crate) async fn check_known(pair: &Pair) -> Result<(), Failure> {
    let now = serde_json::to_string(&look(pair).await?).unwrap_or_default();
    match pair.state.fact(FACT)? {
        Some(known) if known != now && !pair.settings.accept_root => Err(stop(
            pair,
            "it is not the folder it was (another file system or directory): is a disk not mounted? If it is meant, \
             run again with --accept-root",
        )),
        Some(_) => Ok(()),
        None => Ok(pair.state.set_fact(FACT, &now)?),
    }
}

fn stop(pair: &Pair, what: &str) -> Failure {
    Failure::Root { folder: pair.local_name.clone(), what: what.to_owned(), stop: true }
}
