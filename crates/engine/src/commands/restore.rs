//! `restore`: bring files back from a remote.
//!
//! Uses the pair's state, so that what is here already is not fetched again, but
//! does not change the pair's mode. The folder is made if there is none; the store
//! is not. Of a part of the pair, nothing outside is looked at, let alone forgotten.

use super::loose::excluded;
use super::open::{Open, Wanted};
use super::parts;
use super::target::{Access, Target};
use super::why::rules;
use crate::api::{Context, Restore, RunReply};
use crate::cycle::Mode;
use crate::event::Event;
use crate::failure::Failure;
use crate::pair::Pair;
use crate::place;
use tidelock_core::path::{Key, RelPath};
use tidelock_core::plan::Problem;
use tidelock_core::policy::Preset;

/// One run downwards.
pub async fn run(context: &Context, request: &Restore) -> Result<RunReply, Failure> {
    let mode = parts::mode(&request.options);
    let preset = if request.overwrite { Preset::RestoreOverwrite } else { Preset::Restore };
    let path = request.path.trim_end_matches('/');
    let only =
        RelPath::parse(path).map_err(|why| Failure::Misused(format!("{path:?} is no path in a folder: {why}")))?;
    look(context, request, &only).await?;
    if mode == Mode::Execute && !place::exists(&request.sides.local) {
        place::make_folder(&request.sides.local)?;
    }
    let wanted = Wanted {
        sides: &request.sides,
        options: &request.options,
        policy: preset.policy(),
        command: "restore",
        mode,
        existing: true,
        pair: None,
    };
    let mut open = Open::new(context, &wanted).await?;
    open.pair.settings.sets_mode = false;
    let foreseen = left_out(&open.pair, &only).await?;
    open.pair.settings.foreseen.extend(foreseen);
    open.pair.settings.only = only;
    let report = open.run(mode).await;
    Ok(RunReply { report, requests: open.requests.snapshot(), dry_run: request.options.dry_run })
}

/// Why what was named takes no part, if it does not.
async fn left_out(pair: &Pair, only: &RelPath) -> Result<Option<Problem>, Failure> {
    let rules = rules(pair, only).await?;
    let excludes = |is_dir| rules.verdict_for_path(only, is_dir).is_excluded();
    // Only where it matters is it asked which of them it is.
    let is_out = excludes(false) || excludes(true) && pair.remote.head(&Key::new(only.as_str())).await?.is_none();
    Ok(is_out.then(|| excluded(only.as_str())))
}

/// Makes sure that there is something to restore: a name that is misspelt makes no folder
/// and is no success.
async fn look(context: &Context, request: &Restore, only: &RelPath) -> Result<(), Failure> {
    let remote = &request.sides.remote;
    let target = Target::of(remote)?;
    let opened = target.open(context, &request.sides.service, &request.options, Access::Read).await?;
    if target.holds_any(opened.remote.as_ref(), only.as_str()).await? {
        return Ok(());
    }
    if only.is_root() && target.key().is_empty() {
        // The place itself is there, and is empty.
        let text = format!("there is nothing at {remote}; is the name misspelt?");
        context.listener.hear(&Event::Note { text });
        return Ok(());
    }
    if only.is_root() {
        return Err(target.find(opened.remote.as_ref()).await?.missing(remote));
    }
    let what =
        format!("there is nothing at {only} in {remote}; is it misspelt? `tidelock ls {remote}` shows what there is");
    Err(Failure::Missing(what))
}
