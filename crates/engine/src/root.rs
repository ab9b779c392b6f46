//! The folder that a run finds, held against the one on record.
//!
//! What follows is `core/root.rs`. Here its file system and directory are looked at,
//! before and after each survey and before each batch of deletions, so that an unmount
//! in between is seen, and what was judged goes on record. A folder into which a
//! restore has not brought all yet is on record as that.

use crate::failure::Failure;
use crate::pair::Pair;
use crate::planted::Bug;
use crate::state;
use crate::survey::Survey;
use tidelock_core::policy::Flow;
use tidelock_core::root::{Facts, Known, Verdict, judge};

const FACT: &str = "root";
/// Stands before the folder into which a restore has not brought all yet.
const UNFINISHED: &str = "unfinished ";

/// A folder that was found, and what is on record of it.
pub(crate) struct Root {
    id: String,
    known: Known,
}

impl Root {
    /// The folder as it is now.
    pub(crate) async fn look(pair: &Pair) -> Result<Self, Failure> {
        let id = id(pair).await?;
        let known = match pair.state.fact(FACT)? {
            None => Known::Nothing,
            Some(_) if pair.planted.has(Bug::RootCheckSkipped) => Known::Same,
            Some(known) if known == id => Known::Same,
            Some(known) if known.strip_prefix(UNFINISHED) == Some(&id) => Known::Unfinished,
            Some(_) => Known::Another,
        };
        Ok(Self { id, known })
    }

    /// What goes on record once the run may go on in this folder, and whether rows lapse.
    pub(crate) fn record(&self, pair: &Pair) -> state::Result<Option<(&'static str, String, bool)>> {
        Ok(match judge(&self.facts(pair, true)?) {
            Verdict::Taken { lapses, settled } => Some((FACT, self.told(settled), lapses)),
            Verdict::Known | Verdict::Refused => None,
        })
    }

    fn told(&self, settled: bool) -> String {
        if settled { self.id.clone() } else { format!("{UNFINISHED}{}", self.id) }
    }

    /// It is on record now, and not judged again.
    pub(crate) fn is_recorded(&mut self) {
        self.known = Known::Same;
    }

    /// Stops unless the folder is still the one that was found, and may be worked in.
    pub(crate) async fn check(&self, pair: &Pair, seen: &Survey) -> Result<(), Failure> {
        if pair.planted.has(Bug::RootCheckSkipped) {
            return Ok(());
        }
        if id(pair).await? != self.id {
            return Err(stop(pair, "it became another folder while it was looked at"));
        }
        let Survey { comparable, alike, .. } = *seen;
        let facts = Facts { comparable, alike, ..self.facts(pair, pair.settings.accept_root)? };
        self.obey(pair, judge(&facts), &format!(", and only {alike} of {comparable} files are as they were"))
    }

    /// Stops unless the folder may be worked in by who has not looked around in it.
    pub(crate) fn check_unseen(&self, pair: &Pair) -> Result<(), Failure> {
        self.obey(pair, judge(&self.facts(pair, pair.settings.accept_root)?), "")
    }

    fn obey(&self, pair: &Pair, verdict: Verdict, seen: &str) -> Result<(), Failure> {
        if verdict != Verdict::Refused {
            return Ok(());
        }
        let (why, remedy) = match self.known {
            Known::Unfinished => ("no restore has brought all of it here", "restore it to the end"),
            _ => ("it is not the folder it was (another file system or directory)", "is a disk not mounted?"),
        };
        Err(stop(pair, &format!("{why}{seen}: {remedy}; if it is meant as it is, run again with --accept-root")))
    }

    fn facts(&self, pair: &Pair, accepted: bool) -> state::Result<Facts> {
        let flow = pair.settings.policy.flow;
        let (known, has_rows, partial) = (self.known, pair.state.has_rows()?, !pair.settings.only.is_root());
        Ok(Facts { known, has_rows, flow, partial, accepted, comparable: 1, alike: 0 })
    }
}

/// The folder is worked in by who knows a few names in it and has not looked around.
/// What is accepted is on record from then on, and so is the first one: what is done in
/// it must not be read as deleted when its disk is away.
pub(crate) async fn work_in_part(pair: &Pair) -> Result<(), Failure> {
    let root = Root::look(pair).await?;
    let verdict = judge(&Facts { partial: true, ..root.facts(pair, pair.settings.accept_root)? });
    root.obey(pair, verdict, "")?;
    if let Verdict::Taken { lapses, settled } = verdict {
        pair.state.turn(&[(FACT, &root.told(settled))], lapses)?;
    }
    Ok(())
}

/// Stops if the folder is no longer the one that this run was let loose on, as before
/// each batch of deletions.
pub(crate) async fn check_still(pair: &Pair) -> Result<(), Failure> {
    match Root::look(pair).await?.known {
        Known::Same | Known::Unfinished | Known::Nothing => Ok(()),
        Known::Another => {
            Err(stop(pair, "it became another folder while the run went on; what was done until then is on record"))
        }
    }
}

/// A restore has brought all there is: what is absent here from now on was removed.
pub(crate) async fn settle(pair: &Pair) -> Result<(), Failure> {
    let root = Root::look(pair).await?;
    let brought_all = pair.settings.policy.flow == Flow::Down && pair.settings.only.is_root();
    if root.known == Known::Unfinished && brought_all {
        pair.state.set_fact(FACT, &root.id)?;
    }
    Ok(())
}

async fn id(pair: &Pair) -> Result<String, Failure> {
    let root = pair.disk.root().await.map_err(|error| Failure::root(&pair.local_name, &error))?;
    Ok(serde_json::to_string(&root).unwrap_or_default())
}

fn stop(pair: &Pair, what: &str) -> Failure {
    Failure::Root { folder: pair.local_name.clone(), what: what.to_owned(), stop: true }
}
