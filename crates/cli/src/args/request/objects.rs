//! From what was typed to a request, for the verbs that work with what a person names.
//!
//! A translation, word for word, of `args/objects.rs`; `download` to standard output
//! is `cat` by another name. Settings hold for what is sent and fetched; what is
//! removed or renamed is exactly what was named, whatever patterns are configured.

use super::at;
use crate::args::Verb;
use crate::args::objects::{DownloadArgs, MvArgs, RunsVerb, UploadArgs};
use crate::args::options::ServiceArgs;
use crate::args::whom::{Complaint, Told};
use tidelock_engine::api::{Buckets, Cat, Doctor, Download, Info, Mv, Options, Request, Rm, Runs, Service, Upload};
use tidelock_engine::config::resolve::{Resolved, Typed, Whom};

/// The request; none of the other verbs comes here.
pub(super) fn request(told: &Told<'_>, verb: &Verb) -> Result<Request, Complaint> {
    Ok(match verb {
        Verb::Upload(args) => upload(told, args)?,
        Verb::Download(args) if args.local.as_os_str() == "-" => {
            let found = there(told, &args.remote, at(told.typed(None, Some(&args.run), None), &args.service))?;
            let Resolved { sides, options, .. } = found;
            Request::Cat(Cat { remote: sides.remote, range: None, service: sides.service, options })
        }
        Verb::Download(args) => download(told, args)?,
        Verb::Info(args) => {
            let (remote, service) = told.remote(&args.remote, &args.service)?;
            Request::Info(Info { remote, service })
        }
        Verb::Cat(args) => {
            let found = there(told, &args.remote, at(Typed::default(), &args.service))?;
            let options = Options { bwlimit: args.bwlimit.or(found.options.bwlimit), ..Options::default() };
            Request::Cat(Cat { remote: found.sides.remote, range: args.range, service: found.sides.service, options })
        }
        Verb::Rm(args) => {
            let (remotes, service) = one_service(told, &args.remotes, &args.service)?;
            Request::Rm(Rm {
                remotes,
                recursive: args.below.recursive,
                service,
                options: args.below.within(Options { dry_run: args.dry.dry_run, ..Options::default() }),
            })
        }
        Verb::Mv(args) => mv(told, args)?,
        Verb::Buckets(args) => Request::Buckets(Buckets { service: account(told, &args.service)? }),
        Verb::Runs(args) => {
            let show = args.what.as_ref().map(|RunsVerb::Show { number }| *number);
            if show.is_some() && args.about.is_some() {
                return Err(Complaint::Misused(
                    "a number names one run by itself; leave the pair or folder out".into(),
                ));
            }
            let about = args.about.as_deref().map(|whose| told.whose(whose)).transpose()?;
            Request::Runs(Runs { show, limit: args.limit, about })
        }
        Verb::Doctor(args) => {
            let typed = at(Typed::default(), &args.service);
            let found = match &args.remote {
                Some(remote) => there(told, remote, typed)?,
                None => told.find(&Whom::Nobody, typed)?,
            };
            Request::Doctor(Doctor {
                remote: args.remote.as_ref().map(|_| found.sides.remote),
                read_only: args.read_only,
                abandon_uploads: args.abandon_uploads,
                service: found.sides.service,
                options: about_writes(found.options),
            })
        }
        other => return Err(Complaint::Misused(format!("{} is not asked of the engine", other.name()))),
    })
}

fn upload(told: &Told<'_>, args: &UploadArgs) -> Result<Request, Complaint> {
    let typed = at(told.typed(Some(&args.look), Some(&args.run), Some(&args.object)), &args.service);
    let Resolved { sides, options, .. } = there(told, &args.remote, typed)?;
    let options = Options { dry_run: args.dry.dry_run, ..args.run.confirmed(options) };
    Ok(Request::Upload(Upload { files: args.files.clone(), remote: sides.remote, service: sides.service, options }))
}

fn download(told: &Told<'_>, args: &DownloadArgs) -> Result<Request, Complaint> {
    let typed = at(told.typed(Some(&args.look), Some(&args.run), None), &args.service);
    let Resolved { sides, mut options, .. } = there(told, &args.remote, typed)?;
    // Who is to win a sync's conflicts is nothing to a download.
    options.conflict = args.look.conflict.and(options.conflict);
    Ok(Request::Download(Download {
        remote: sides.remote,
        local: args.local.clone(),
        overwrite: args.overwrite,
        service: sides.service,
        options: Options { dry_run: args.dry.dry_run, ..args.run.confirmed(options) },
    }))
}

/// Copies keep what their objects have, but for what is typed; how they are encrypted, and
/// how the place is written to, is as it is configured.
fn mv(told: &Told<'_>, args: &MvArgs) -> Result<Request, Complaint> {
    let typed = || at(told.typed(None, None, Some(&args.object)), &args.service);
    let (from, to) = (there(told, &args.from, typed())?, there(told, &args.to, typed())?);
    if from.sides.service != to.sides.service {
        let what = "the two names are of different services, and nothing is renamed from one to the other; download it, \
                    upload it where it is to be, and remove it";
        return Err(Complaint::Misused(what.to_owned()));
    }
    let Options { storage_class, meta, content_type, .. } = args.object.within(Options::default());
    let options = Options { dry_run: args.dry.dry_run, ..about_writes(from.options) };
    Ok(Request::Mv(Mv {
        from: from.sides.remote,
        to: to.sides.remote,
        recursive: args.below.recursive,
        overwrite: args.overwrite,
        service: from.sides.service,
        options: args.below.within(Options { storage_class, meta, content_type, ..options }),
    }))
}

/// What of the settings says how a place is written to, whatever is written.
fn about_writes(found: Options) -> Options {
    let Options { sse, sse_kms_key, allow_unconditional, lock_timeout_ms, bwlimit, .. } = found;
    Options { sse, sse_kms_key, allow_unconditional, lock_timeout_ms, bwlimit, ..Options::default() }
}

/// A remote that was named.
fn there(told: &Told<'_>, remote: &str, typed: Typed) -> Result<Resolved, Complaint> {
    told.find(&told.place(remote)?, typed)
}

/// The service where no remote is named.
pub(super) fn account(told: &Told<'_>, service: &ServiceArgs) -> Result<Service, Complaint> {
    Ok(told.find(&Whom::Nobody, at(Typed::default(), service))?.sides.service)
}

/// Several remotes, all of one service: a request has one.
fn one_service(told: &Told<'_>, names: &[String], service: &ServiceArgs) -> Result<(Vec<String>, Service), Complaint> {
    let mut remotes = Vec::new();
    let mut common: Option<Service> = None;
    for name in names {
        let (remote, service) = told.remote(name, service)?;
        // A store in a folder has no service.
        if remote.starts_with("s3://") {
            common.as_ref().map_or(Ok(()), |common| same_service(common, &service))?;
            common = Some(service);
        }
        remotes.push(remote);
    }
    Ok((remotes, common.unwrap_or_default()))
}

fn same_service(one: &Service, other: &Service) -> Result<(), Complaint> {
    if one == other {
        return Ok(());
    }
    Err(Complaint::Misused("the names are of different profiles; run it once for each".to_owned()))
}
