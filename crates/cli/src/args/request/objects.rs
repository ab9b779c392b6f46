//! From what was typed to a request, for the verbs that work with what a person names.
//!
//! A translation, word for word, of `args/objects.rs`; `download` to standard output
//! is `cat` by another name.

use super::{options, with};
use crate::args::Verb;
use crate::args::objects::RunsVerb;
use clap::ArgMatches;
use tidelock_engine::api::{Buckets, Cat, Doctor, Download, Info, Mv, Options, Request, Rm, Runs, Upload};

/// The request; none of the other verbs comes here.
pub(super) fn request(verb: &Verb, matches: &ArgMatches) -> Result<Request, String> {
    Ok(match verb {
        Verb::Upload(args) => Request::Upload(Upload {
            files: args.files.clone(),
            remote: args.remote.clone(),
            service: (&args.service).into(),
            options: args
                .object
                .within(Options { dry_run: args.dry.dry_run, ..with(options(&args.look, matches)?, &args.run) }),
        }),
        Verb::Download(args) if args.local.as_os_str() == "-" => Request::Cat(Cat {
            remote: args.remote.clone(),
            range: None,
            service: (&args.service).into(),
            options: with(Options::default(), &args.run),
        }),
        Verb::Download(args) => Request::Download(Download {
            remote: args.remote.clone(),
            local: args.local.clone(),
            overwrite: args.overwrite,
            service: (&args.service).into(),
            options: Options { dry_run: args.dry.dry_run, ..with(options(&args.look, matches)?, &args.run) },
        }),
        Verb::Info(args) => Request::Info(Info { remote: args.remote.clone(), service: (&args.service).into() }),
        Verb::Cat(args) => Request::Cat(Cat {
            remote: args.remote.clone(),
            range: args.range,
            service: (&args.service).into(),
            options: Options { bwlimit: args.bwlimit, ..Options::default() },
        }),
        Verb::Rm(args) => Request::Rm(Rm {
            remotes: args.remotes.clone(),
            recursive: args.recursive,
            service: (&args.service).into(),
            options: Options {
                dry_run: args.dry.dry_run,
                max_delete: args.max_delete,
                confirm_deletes: args.confirm_deletes,
                ..Options::default()
            },
        }),
        Verb::Mv(args) => Request::Mv(Mv {
            from: args.from.clone(),
            to: args.to.clone(),
            overwrite: args.overwrite,
            service: (&args.service).into(),
            options: args.object.within(Options { dry_run: args.dry.dry_run, ..Options::default() }),
        }),
        Verb::Buckets(args) => Request::Buckets(Buckets { service: (&args.service).into() }),
        Verb::Runs(args) => {
            let show = args.what.as_ref().map(|RunsVerb::Show { number }| *number);
            Request::Runs(Runs { show, limit: args.limit })
        }
        Verb::Doctor(args) => Request::Doctor(Doctor {
            remote: args.remote.clone(),
            read_only: args.read_only,
            abandon_uploads: args.abandon_uploads,
            service: (&args.service).into(),
        }),
        other => return Err(format!("{} is not asked of the engine", other.name())),
    })
}
