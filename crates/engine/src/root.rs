//! The folder that a run finds, held against the one on record.
//!
//! What follows is `core/root.rs`. Here its file system and directory are looked at,
//! before and after each survey and before each batch of deletions, so that an unmount
//! in between is seen, and what was judged goes on record. A folder into which a
//! restore has not brought all yet is on record as that.

use crate::failure::Failure;
use crate::pair::{Pair, RemoteCheck};
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
        Self::obey(pair, judge(&facts), &format!(", and only {alike} of {comparable} files are as they were"))
    }

    /// Stops unless a plan made earlier may be carried out in this folder. A person's word
    /// is not taken: what was planned for one folder is no plan for another.
    pub(crate) fn check_planned(&self, pair: &Pair) -> Result<(), Failure> {
        match judge(&self.facts(pair, false)?) {
            Verdict::Refused => Err(stop(
                pair,
                "it is not the folder that is on record (another file system or directory): is a disk not mounted? If it \
                 is meant, run a sync with --accept-root, and make a new plan",
            )),
            Verdict::Known | Verdict::Taken { .. } => Ok(()),
        }
    }

    fn obey(pair: &Pair, verdict: Verdict, seen: &str) -> Result<(), Failure> {
        if verdict != Verdict::Refused {
            return Ok(());
        }
        let why = "it is not the folder it was (another file system or directory)";
        let remedy = "is a disk not mounted? If it is meant, run again with --accept-root";
        Err(stop(pair, &format!("{why}{seen}: {remedy}")))
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
    Root::obey(pair, verdict, "")?;
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

/// A restore went well: if it was one of all there is, what is absent here from now on was
/// removed.
pub(crate) async fn settle(pair: &Pair, left_out: u64) -> Result<(), Failure> {
    let root = Root::look(pair).await?;
    let settings = &pair.settings;
    let looked_at_all = settings.only.is_root() && settings.remote_check == RemoteCheck::List && left_out == 0;
    if root.known == Known::Unfinished && settings.policy.flow == Flow::Down && looked_at_all {
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
