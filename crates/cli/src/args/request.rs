//! From what was typed to a request.
//!
//! A translation, verb by verb; what the configuration adds is `whom.rs`'s. Verbs
//! that are about no folder and no remote do not even read it.

mod objects;

use super::names::Names;
use super::options::ServiceArgs;
use super::whom::{Complaint, Told};
use super::{Cli, Verb, batch, options};
use clap::ArgMatches;
use tidelock_core::plan::Header;
use tidelock_engine::api::{Apply, Buckets, Ls, Moves, Options, Request, Restore, Status, Sync, Why};
use tidelock_engine::config::around::Around;
use tidelock_engine::config::resolve::{Resolved, Typed};

/// The request that was typed, or why there is none, with what its places were called; nothing
/// for the demonstration, which is many. `plan` is the header of the one to be applied.
pub fn request(
    cli: &Cli,
    matches: &ArgMatches,
    around: &Around,
    plan: Option<&Header>,
) -> Result<(Option<Request>, Names), Complaint> {
    let plain = |request| Ok((request, Names::default()));
    match &cli.verb {
        Verb::Demo(_) | Verb::Completions(_) | Verb::Man(_) => return plain(None),
        Verb::Config(args) => return plain(Some(args.request())),
        Verb::Init(args) => return plain(Some(args.request())),
        _ => {}
    }
    let matches = matches.subcommand().map_or(matches, |(_, matches)| matches);
    let told = Told::new(around, matches)?;
    let request = about(&told, &cli.verb, plan)?;
    Ok((Some(request), told.names()))
}

/// The request of a verb that is about a folder or a remote.
fn about(told: &Told<'_>, verb: &Verb, plan: Option<&Header>) -> Result<Request, Complaint> {
    Ok(match verb {
        Verb::Sync(args) => {
            let typed = told.typed(Some(&args.look), Some(&args.run), Some(&args.object));
            let typed = Typed { mode: args.mode.typed(), ..at(typed, &args.service) };
            let found = told.find(&told.pair_or_sides(&args.local, args.remote.as_deref())?, typed)?;
            let options = Options { dry_run: args.dry.dry_run, ..args.run.confirmed(found.options) };
            Request::Sync(Sync { sides: found.sides, preset: found.mode.preset(), options })
        }
        Verb::Status(args) => {
            let typed = at(told.typed(Some(&args.look), None, None), &args.service);
            let found = told.find(&told.pair_or_sides(&args.local, args.remote.as_deref())?, typed)?;
            Request::Status(Status { preset: preset_of_pair(&found), sides: found.sides, options: found.options })
        }
        Verb::Moves(args) => {
            let typed = told.typed(Some(&args.look), Some(&args.run), Some(&args.object));
            let typed = at(typed, &args.service);
            let found = told.find(&told.pair_or_sides(&args.local, args.remote.as_deref())?, typed)?;
            let options = Options { dry_run: args.dry.dry_run, ..args.run.confirmed(found.options) };
            Request::Moves(Moves { sides: found.sides, options })
        }
        Verb::Restore(args) => {
            let typed = at(told.typed(Some(&args.look), Some(&args.run), None), &args.service);
            let mut found = told.find(&told.restore(&args.remote, args.local.as_ref())?, typed)?;
            // Who is to win a sync's conflicts is nothing to a restore.
            found.options.conflict = args.look.conflict.and(found.options.conflict);
            let options = Options { dry_run: args.dry.dry_run, ..args.run.confirmed(found.options) };
            let path = args.path.clone().unwrap_or_default();
            Request::Restore(Restore { sides: found.sides, path, overwrite: args.overwrite, options })
        }
        Verb::Ls(args) => match &args.remote {
            Some(remote) => {
                let (remote, service) = told.remote(remote, &args.service)?;
                Request::Ls(Ls {
                    remote,
                    service,
                    path: args.path.clone(),
                    search: args.search.clone(),
                    offset: args.offset,
                    limit: args.limit,
                })
            }
            None => Request::Buckets(Buckets { service: objects::account(told, &args.service)? }),
        },
        Verb::Plan(args) => {
            let typed = at(told.typed(Some(&args.look), None, None), &args.service);
            let typed = Typed { mode: args.mode.typed(), ..typed };
            let found = told.find(&told.pair_or_sides(&args.local, args.remote.as_deref())?, typed)?;
            Request::Plan(Sync { sides: found.sides, preset: found.mode.preset(), options: found.options })
        }
        Verb::Apply(args) => {
            let typed = at(told.typed(None, Some(&args.run), Some(&args.object)), &args.service);
            let found = told.planned(plan, typed)?;
            Request::Apply(Apply { service: found.sides.service, options: args.run.confirmed(found.options) })
        }
        Verb::Why(args) => {
            let typed = at(told.typed(Some(&args.look), None, None), &args.service);
            let (whom, path) = match &args.path {
                Some(path) => {
                    let remote = options::remote(&args.remote).map_err(Complaint::Misused)?;
                    (told.pair_or_sides(&args.local, Some(&remote))?, path)
                }
                None => (told.pair_or_sides(&args.local, None)?, &args.remote),
            };
            let found = told.find(&whom, typed)?;
            let preset = preset_of_pair(&found);
            Request::Why(Why { sides: found.sides, preset, path: path.clone(), options: found.options })
        }
        Verb::Batch(args) => Request::Batch(batch::request(told, args)?),
        other => objects::request(told, other)?,
    })
}

/// With where the service is.
pub(super) fn at(typed: Typed, service: &ServiceArgs) -> Typed {
    Typed { profile: service.profile.clone(), service: (&service.place).into(), ..typed }
}

/// The mode that a sync of a configured pair would have; other pairs have the one on record.
fn preset_of_pair(found: &Resolved) -> Option<tidelock_core::policy::Preset> {
    found.pair.as_ref().map(|_| found.mode.preset())
}
