//! From what was typed to a request.
//!
//! A translation, word for word. The order of patterns is the order in which they
//! were typed, across both options; ignore files are read here.

mod objects;

use super::Verb;
use super::options::{self, LookArgs, RunArgs, ServiceArgs};
use super::verbs::ModeArgs;
use clap::ArgMatches;
use std::path::Path;
use tidelock_core::filter::{IgnoreFile, RuleLine};
use tidelock_core::meta::MetaFormat;
use tidelock_core::policy::{Compare, OnConflict, Preset};
use tidelock_engine::api::{Apply, Buckets, Ls, Moves, Options, Request, Restore, Service, Sides, Status, Sync, Why};
use tidelock_engine::pair::RemoteCheck;

/// The request that was typed, or a complaint about a file it names; none for the
/// demonstration, which is many.
pub fn request(verb: &Verb, matches: &ArgMatches) -> Result<Option<Request>, String> {
    let matches = matches.subcommand().map_or(matches, |(_, matches)| matches);
    let sides = |local: &Path, remote: &str, service: &ServiceArgs| Sides {
        local: local.to_owned(),
        remote: remote.to_owned(),
        service: service.into(),
    };
    Ok(Some(match verb {
        Verb::Sync(args) => Request::Sync(Sync {
            sides: sides(&args.local, &args.remote, &args.service),
            preset: preset(&args.mode),
            options: args
                .object
                .within(Options { dry_run: args.dry.dry_run, ..with(options(&args.look, matches)?, &args.run) }),
        }),
        Verb::Status(args) => Request::Status(Status {
            sides: sides(&args.local, &args.remote, &args.service),
            options: options(&args.look, matches)?,
        }),
        Verb::Moves(args) => Request::Moves(Moves {
            sides: sides(&args.local, &args.remote, &args.service),
            options: args
                .object
                .within(Options { dry_run: args.dry.dry_run, ..with(options(&args.look, matches)?, &args.run) }),
        }),
        Verb::Restore(args) => Request::Restore(Restore {
            sides: sides(&args.local, &args.remote, &args.service),
            overwrite: args.overwrite,
            options: Options { dry_run: args.dry.dry_run, ..with(options(&args.look, matches)?, &args.run) },
        }),
        Verb::Ls(args) => match &args.remote {
            Some(remote) => Request::Ls(Ls {
                remote: remote.clone(),
                service: (&args.service).into(),
                path: args.path.clone(),
                search: args.search.clone(),
                offset: args.offset,
                limit: args.limit,
            }),
            None => Request::Buckets(Buckets { service: (&args.service).into() }),
        },
        Verb::Plan(args) => Request::Plan(Sync {
            sides: sides(&args.local, &args.remote, &args.service),
            preset: preset(&args.mode),
            options: options(&args.look, matches)?,
        }),
        Verb::Apply(args) => Request::Apply(Apply {
            service: (&args.service).into(),
            options: args.object.within(with(Options::default(), &args.run)),
        }),
        Verb::Why(args) => Request::Why(Why {
            sides: sides(&args.local, &args.remote, &args.service),
            path: args.path.clone(),
            options: options(&args.look, matches)?,
        }),
        Verb::Demo(_) | Verb::Completions(_) | Verb::Man(_) => return Ok(None),
        Verb::Upload(_)
        | Verb::Download(_)
        | Verb::Info(_)
        | Verb::Cat(_)
        | Verb::Rm(_)
        | Verb::Mv(_)
        | Verb::Buckets(_)
        | Verb::Runs(_)
        | Verb::Doctor(_) => objects::request(verb, matches)?,
    }))
}

impl From<&ServiceArgs> for Service {
    fn from(args: &ServiceArgs) -> Self {
        let ServiceArgs { endpoint, region, profile, path_style } = args.clone();
        Self { endpoint, region, profile, path_style: path_style.then_some(true) }
    }
}

fn preset(mode: &ModeArgs) -> Preset {
    match mode {
        ModeArgs { delete: true, .. } => Preset::SyncDelete,
        ModeArgs { mirror: true, .. } => Preset::Mirror,
        ModeArgs { two_way: true, .. } => Preset::TwoWay,
        _ => Preset::Push,
    }
}

fn options(look: &LookArgs, matches: &ArgMatches) -> Result<Options, String> {
    Ok(Options {
        filters: filters(look, matches),
        ignore_files: look.ignore_file.iter().map(|path| ignore_file(path)).collect::<Result<_, _>>()?,
        hidden: !look.no_hidden,
        follow_links: look.follow_links,
        compare: look.compare.map(|compare| match compare {
            options::Compare::Stamp => Compare::Stamp,
            options::Compare::Digest => Compare::Digest,
        }),
        conflict: look.conflict.map(|conflict| match conflict {
            options::Conflict::Report => OnConflict::Report,
            options::Conflict::KeepBoth => OnConflict::KeepBoth,
            options::Conflict::Local => OnConflict::Local,
            options::Conflict::Remote => OnConflict::Remote,
            options::Conflict::Newer => OnConflict::Newer,
        }),
        remote_check: match look.remote_check {
            options::RemoteCheck::List => RemoteCheck::List,
            options::RemoteCheck::State => RemoteCheck::State,
        },
        metadata: match look.metadata {
            options::Metadata::Rclone => MetaFormat::Rclone,
            options::Metadata::S3fs => MetaFormat::S3fs,
            options::Metadata::Minimal => MetaFormat::Minimal,
        },
        xattrs: look.xattrs,
        ..Options::default()
    })
}

/// With what the run's own options say.
fn with(options: Options, run: &RunArgs) -> Options {
    Options {
        max_delete: run.max_delete,
        confirm_deletes: run.confirm_deletes,
        accept_root: run.accept_root,
        take_over: run.take_over,
        allow_unconditional: run.allow_unconditional,
        concurrency: run.concurrency.and_then(|count| usize::try_from(count).ok()),
        lock_timeout_ms: u64::try_from(run.lock_timeout.as_millis()).unwrap_or(u64::MAX),
        bwlimit: run.bwlimit,
        ..options
    }
}

/// Patterns of both options in the order in which they were typed.
fn filters(look: &LookArgs, matches: &ArgMatches) -> Vec<RuleLine> {
    let places = |name: &str| matches.indices_of(name).map(Iterator::collect::<Vec<_>>).unwrap_or_default();
    let lines = |patterns: &[String], places: Vec<usize>, include: bool| {
        let line = |pattern: &String| RuleLine { pattern: pattern.clone(), include };
        places.into_iter().zip(patterns.iter().map(line)).collect::<Vec<_>>()
    };
    let mut all = lines(&look.exclude, places("exclude"), false);
    all.extend(lines(&look.include, places("include"), true));
    all.sort_by_key(|(place, _)| *place);
    all.into_iter().map(|(_, line)| line).collect()
}

fn ignore_file(path: &Path) -> Result<IgnoreFile, String> {
    let shown = path.display();
    let text =
        std::fs::read_to_string(path).map_err(|error| format!("the ignore file {shown} cannot be read: {error}"))?;
    Ok(IgnoreFile { path: shown.to_string(), text })
}
