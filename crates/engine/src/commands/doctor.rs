//! `doctor`: does everything work that a sync needs, and if not, what to do.
//!
//! Looks at the state's place, the credentials, the clock, the bucket, each permission by
//! its name, what the service can do, and uploads that nobody finished. Nothing of the
//! user's is touched: what is written to try permissions is Tidelock's own, and removed.
//! A check that fails is a finding with its remedy; the others go on where they can.

mod trials;

use super::open::{parse, s3_options};
use super::target::{Access, Target};
use crate::api::{Context, Doctor, DoctorReply, Finding, Verdict};
use crate::failure::Failure;
use crate::place::KnownAbilities;
use crate::report::Ending;
use std::sync::Arc;
use tidelock_remote::s3::{self, Pending};
use tidelock_remote::url::RemoteUrl;
use tidelock_remote::{Ability, Cursor, Remote};

/// A clock further off than this is a problem for signatures and for the trash.
const SKEW_WARN_MS: i64 = 60_000;
const SKEW_FAIL_MS: i64 = 15 * 60_000;
const DAY_S: i64 = 24 * 3600;

/// What was found so far.
#[derive(Default)]
pub(super) struct Findings(Vec<Finding>);

impl Findings {
    pub(super) fn good(&mut self, check: &str, what: impl Into<String>) {
        self.add(check, Verdict::Good, what.into(), None, Ending::Ok);
    }

    pub(super) fn warn(&mut self, check: &str, what: impl Into<String>, remedy: impl Into<String>) {
        self.add(check, Verdict::Warning, what.into(), Some(remedy.into()), Ending::Ok);
    }

    /// A check that failed; how, the failure tells.
    pub(super) fn bad(&mut self, check: &str, failure: &Failure, remedy: &str) {
        self.add(check, Verdict::Bad, failure.told(), Some(remedy.to_owned()), failure.ending());
    }

    fn add(&mut self, check: &str, verdict: Verdict, what: String, remedy: Option<String>, ending: Ending) {
        self.0.push(Finding { check: check.to_owned(), verdict, what, remedy, ending });
    }
}

/// Looks at everything.
pub async fn run(context: &Context, request: &Doctor) -> Result<DoctorReply, Failure> {
    let mut findings = Findings::default();
    state(context, &mut findings);
    match &request.remote {
        Some(remote) => {
            parse(remote)?;
            examine(context, request, remote, &mut findings).await;
        }
        None => account(context, request, &mut findings).await,
    }
    Ok(DoctorReply { remote: request.remote.clone(), findings: findings.0 })
}

/// The place where states are kept.
fn state(context: &Context, findings: &mut Findings) {
    let dir = context.place.dir().display().to_string();
    match context.place.device(&context.world) {
        Ok(device) => findings.good("state", format!("{dir} can be written; this device is {device}")),
        Err(failure) => {
            let remedy = "make it writable, or set XDG_STATE_HOME to a place that is";
            return findings.bad("state", &failure, remedy);
        }
    }
    let Ok(places) = context.place.states() else { return };
    for place in places {
        match place.open_to_look() {
            Ok(open) => {
                if let Some(note) = open.note {
                    findings.warn("state", note, "run a sync of that pair");
                }
            }
            Err(failure) => {
                let file = place.file();
                findings.bad(
                    "state",
                    &failure,
                    &format!("look at {}; a newer Tidelock may have made it", file.display()),
                );
            }
        }
    }
}

/// Who we are for the service, where no bucket was named.
async fn account(context: &Context, request: &Doctor, findings: &mut Findings) {
    let options = match s3_options(context, &request.service, &request.options).await {
        Ok(options) => options,
        Err(failure) => return findings.bad("settings", &failure, "correct the option"),
    };
    match s3::buckets(context.world.clone(), options).await {
        Ok(found) => findings.good("credentials", format!("the service knows them; buckets they see: {}", found.len())),
        Err(error) if error.kind == tidelock_remote::ErrorKind::Denied => {
            let what = format!("the service knows them, but they may not list buckets: {error}");
            findings.warn("credentials", what, "name a bucket: tidelock doctor s3://BUCKET");
        }
        Err(error) => findings.bad("credentials", &error.into(), "name a bucket, or correct what is said above"),
    }
}

async fn examine(context: &Context, request: &Doctor, remote: &str, findings: &mut Findings) {
    let access = if request.read_only { Access::Read } else { Access::Write };
    let opened = match Target::of(remote) {
        // What is named is looked at as a whole place, as a sync would.
        Ok(target) => {
            let whole = target.whole();
            whole.open(context, &request.service, &request.options, access).await
        }
        Err(failure) => Err(failure),
    };
    let opened = match opened {
        Ok(opened) => opened,
        Err(failure) => return findings.bad("settings", &failure, "correct the name or the setting"),
    };
    for problem in &opened.problems {
        let about = problem.key.as_ref().map_or(String::new(), |key| format!("{key}: "));
        let what = format!("{about}{}", problem.what);
        findings.warn("store", what, "sync a folder that still has the file: it is sent again");
    }
    let remote = opened.remote;
    let listed = match remote.list("", &Cursor::start()).await {
        Ok(page) => {
            findings.good("bucket", format!("{} can be reached and listed (s3:ListBucket)", remote.describe()));
            Some(page)
        }
        Err(error) => {
            let fatal = error.kind.is_fatal();
            findings.bad("bucket", &error.into(), "correct what is said above; nothing works without it");
            if fatal {
                return;
            }
            None
        }
    };
    clock(remote.as_ref(), findings);
    let object = listed.and_then(|page| page.objects.into_iter().find(|object| object.stamp.size > 0));
    trials::reading(remote.as_ref(), object.as_ref(), findings).await;
    if request.read_only {
        findings.good("permissions", "nothing was written, as asked; only reading was tried");
    } else if trials::writing(remote.as_ref(), &context.world, findings).await {
        abilities(remote.as_ref(), findings).await;
    }
    uploads(context, request, findings).await;
}

fn clock(remote: &dyn Remote, findings: &mut Findings) {
    let Some(skew_ms) = remote.clock_skew_ms() else { return };
    let said = format!("this machine's clock is {:.1} s {} the service's", magnitude(skew_ms), side(skew_ms));
    let remedy = "set it, and keep it right with NTP (timedatectl set-ntp true)";
    match skew_ms.abs() {
        0..SKEW_WARN_MS => findings.good("clock", said),
        SKEW_WARN_MS..SKEW_FAIL_MS => findings.warn("clock", said, remedy),
        _ => {
            let skewed = tidelock_remote::Error::new(tidelock_remote::ErrorKind::ClockSkew, "look at the clock", said);
            findings.bad("clock", &skewed.into(), remedy);
        }
    }
}

#[allow(clippy::cast_precision_loss, reason = "for people")]
fn magnitude(skew_ms: i64) -> f64 {
    skew_ms.abs() as f64 / 1000.0
}

fn side(skew_ms: i64) -> &'static str {
    if skew_ms > 0 { "behind" } else { "ahead of" }
}

/// What the service can do, and what follows where it cannot.
async fn abilities(remote: &dyn Remote, findings: &mut Findings) {
    let asked: Vec<Ability> = ASKED.iter().map(|asked| asked.ability).collect();
    let found = match remote.capabilities(&asked).await {
        Ok(found) => found,
        Err(error) => {
            return findings.bad("capabilities", &error.into(), "run again; if it stays so, tell the provider");
        }
    };
    for Asked { ability, can, cannot, otherwise } in ASKED {
        if found.has(*ability) {
            findings.good("capabilities", format!("the service {can}"));
        } else {
            findings.warn("capabilities", format!("the service {cannot}"), *otherwise);
        }
    }
}

/// An ability, as people are told of it.
struct Asked {
    ability: Ability,
    can: &'static str,
    cannot: &'static str,
    otherwise: &'static str,
}

const ASKED: &[Asked] = &[
    Asked {
        ability: Ability::PutIfAbsent,
        can: "creates objects only where nothing is, if asked",
        cannot: "cannot be asked to create only where nothing is",
        otherwise: "Tidelock looks just before each write instead",
    },
    Asked {
        ability: Ability::PutIfMatch,
        can: "replaces only the version that was seen, if asked",
        cannot: "cannot be asked to replace only the version that was seen",
        otherwise: "two-way sync needs versioning, or --allow-unconditional where nobody else writes",
    },
    Asked {
        ability: Ability::DeleteIfMatch,
        can: "deletes only the version that was seen, if asked",
        cannot: "cannot be asked to delete only the version that was seen",
        otherwise: "Tidelock looks just before each deletion instead",
    },
    Asked {
        ability: Ability::CopySourceIfMatch,
        can: "copies only the version that was seen, if asked",
        cannot: "cannot be asked to copy only the version that was seen",
        otherwise: "copies are proved by their ETag, or the file is sent again",
    },
    Asked {
        ability: Ability::PartCopy,
        can: "copies parts of objects",
        cannot: "cannot copy parts of objects",
        otherwise: "renamed objects over 5 GiB are sent again",
    },
    Asked {
        ability: Ability::Crc64Nvme,
        can: "checks and keeps CRC64NVME",
        cannot: "does not keep CRC64NVME",
        otherwise: "uploads are proved by MD5 instead",
    },
    Asked {
        ability: Ability::Versions,
        can: "keeps old versions",
        cannot: "does not keep old versions",
        otherwise: "turn versioning on to be able to go back",
    },
];

/// Whether an upload was begun more than a day ago, by the clock that says when: the
/// service's, which is `skew_ms` ahead of ours. Where that is not known, nothing is old.
fn is_old(begun_s: Option<i64>, now_ms: i64, skew_ms: Option<i64>) -> bool {
    let there_s = skew_ms.map(|skew_ms| now_ms.saturating_add(skew_ms) / 1000);
    matches!((begun_s, there_s), (Some(begun_s), Some(there_s)) if there_s.saturating_sub(begun_s) > DAY_S)
}

/// Uploads in parts that were begun and never ended: their parts are billed.
async fn uploads(context: &Context, request: &Doctor, findings: &mut Findings) {
    let remote = request.remote.as_deref().and_then(|remote| RemoteUrl::parse(remote).ok());
    let Some(RemoteUrl::S3 { bucket, prefix }) = remote else { return };
    let Ok(options) = s3_options(context, &request.service, &request.options).await else { return };
    let known: Arc<dyn s3::CapabilityStore> = Arc::new(KnownAbilities::of(&context.place));
    let place = match s3::open(context.world.clone(), &bucket, options, Some(known)).await {
        Ok(place) => place,
        Err(error) => return findings.bad("uploads", &error.into(), "correct what is said above"),
    };
    let pending = match place.pending(&prefix).await {
        Ok(pending) => pending,
        Err(error) => {
            let what = format!("unfinished uploads cannot be listed: {error}");
            return findings.warn("uploads", what, "allow s3:ListBucketMultipartUploads to see them");
        }
    };
    let (now_ms, skew_ms) = (context.world.clock.wall_ns() / 1_000_000, place.clock_skew_ms());
    let old: Vec<&Pending> = pending.iter().filter(|pending| is_old(pending.begun_s, now_ms, skew_ms)).collect();
    match (old.is_empty(), request.abandon_uploads) {
        (true, _) => findings.good("uploads", format!("{} going on, none older than a day", pending.len())),
        (false, false) => {
            let first = old.first().map_or("", |pending| pending.key.as_str());
            let what = format!("begun more than a day ago and never ended: {}, as that of {first:?}", old.len());
            findings.warn(
                "uploads",
                what,
                "tidelock doctor with --abandon-uploads gives them up and frees their parts",
            );
        }
        (false, true) => {
            let mut given_up = 0_u64;
            for upload in &old {
                match place.abandon(&upload.key, &upload.upload_id).await {
                    Ok(()) => given_up += 1,
                    Err(error) => findings.bad("uploads", &error.into(), "allow s3:AbortMultipartUpload"),
                }
            }
            findings.good("uploads", format!("given up: {given_up}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_uploads_age_is_told_by_the_services_clock() {
        let now_ms = 1_000_000_000_000;
        let begun = |hours_ago: i64| Some(now_ms / 1000 - hours_ago * 3600);
        assert!(is_old(begun(25), now_ms, Some(0)) && !is_old(begun(23), now_ms, Some(0)));
        // Our clock is two days ahead: what looks that old was begun just now.
        let skew_ms = Some(-2 * DAY_S * 1000);
        assert!(!is_old(begun(48), now_ms, skew_ms) && is_old(begun(73), now_ms, skew_ms));
        assert!(!is_old(begun(1000), now_ms, None) && !is_old(None, now_ms, Some(0)));
    }
}
