//! `upload`: send files and folders to where a person says.
//!
//! A push of what was named and nothing else. What is there under the same name is
//! replaced, as it was seen: who writes in between is not overwritten. Names from
//! several folders are a run each, and one report.

use super::loose::Loose;
use super::naming::{keeps_name, placed};
use super::saved::links;
use super::target::{Access, Target, refuse_reserved};
use crate::api::{Context, Options, RunReply, Upload};
use crate::event::Event;
use crate::failure::Failure;
use crate::place;
use crate::report::Report;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::PoisonError;
use tidelock_core::names::{Kind, LinkStyle, key_of};
use tidelock_core::path::{NameProblem, RelPath};
use tidelock_core::policy::{Deletes, Drift, Flow, OnConflict, Policy, Preset};
use tidelock_remote::layer::Choice;

/// Something to be sent: where it is, and what it is to be called there.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Item {
    folder: PathBuf,
    choice: Choice,
}

/// One run for each folder that holds what was named.
pub async fn run(context: &Context, request: &Upload) -> Result<RunReply, Failure> {
    let target = Target::of(&request.remote)?;
    let keeps_names = keeps_name(&target.name);
    if request.files.len() > 1 && !keeps_names {
        let what =
            format!("several files cannot all become {}; end it with a slash to keep their names", request.remote);
        return Err(Failure::Misused(what));
    }
    if !request.options.dry_run {
        context.place.sweep_intakes();
    }
    let mut intake = None;
    let mut items = Vec::new();
    for file in &request.files {
        let from_input = file.as_os_str() == "-";
        if from_input && keeps_names {
            let what = "what comes from standard input has no name; say which: REMOTE must end in the object's name";
            return Err(Failure::Misused(what.to_owned()));
        }
        if from_input {
            let kept = receive(context, &target.name)?;
            items.push(item(&kept.dir().join(&target.name), &target.name)?);
            intake = Some(kept);
            continue;
        }
        items.push(named(file, &target.name)?);
    }
    for item in &items {
        let key = format!("{}{}", target.folder(), item.choice.real);
        refuse_reserved(&item.choice.shown)?;
        refuse_reserved(&key)?;
        may_be(&key, links(request.options.metadata)).map_err(|why| Failure::Unable(format!("{key:?}: {why}")))?;
    }
    let access = if request.options.dry_run { Access::Read } else { Access::Make };
    let opened = target.open(context, &request.service, &request.options, access).await?;
    let mut options = request.options.clone();
    // The folder of what came in is another one each time.
    options.accept_root |= intake.is_some();
    let conflict = *options.conflict.get_or_insert(OnConflict::Local);
    // What was sent by an upload that did not end is no more than what else is there.
    let drift = if conflict == OnConflict::Local { Drift::Overwrite } else { Drift::Leave };
    let policy = Policy { flow: Flow::Up, deletes: Deletes::Keep, drift, ..Preset::Push.policy() };
    let mut report = Report::default();
    for (folder, choices) in grouped(items)? {
        let shown = match (choices.as_slice(), &intake) {
            (_, Some(_)) => "standard input".to_owned(),
            ([one], None) => folder.join(one.shown.trim_end_matches('/')).display().to_string(),
            (_, None) => folder.display().to_string(),
        };
        let loose = Loose {
            context,
            command: "upload",
            policy,
            options: &options,
            shown: (shown, request.remote.clone()),
            url: &target.url,
            remote: opened.remote.clone(),
            known_as: intake.is_some().then_some(Path::new("-")),
        };
        report.absorb(loose.run(&folder, choices).await?);
        if report.stopped.is_some() {
            break;
        }
    }
    let Options { content_type, storage_class, meta, .. } = &options;
    if report.adopted > 0 && (content_type.is_some() || storage_class.is_some() || !meta.is_empty()) {
        let text = "what is there with the same content was left as it is, also its content type, storage class and \
                    metadata; to give it others, rename it with them: tidelock mv OLD NEW --content-type …";
        context.listener.hear(&Event::Note { text: text.to_owned() });
    }
    Ok(RunReply { report, requests: opened.requests.snapshot(), dry_run: request.options.dry_run })
}

/// Whether a sync could hold what has this key.
fn may_be(key: &str, links: LinkStyle) -> Result<(), NameProblem> {
    let (path, kind) = match key.strip_suffix('/') {
        Some(folder) => (folder, Kind::Dir),
        None => (key, Kind::File),
    };
    key_of(&RelPath::parse(path)?, kind, links).map(drop)
}

/// Takes standard input in. Its length must be known before it is sent.
fn receive(context: &Context, name: &str) -> Result<place::Intake, Failure> {
    let mut input = context.input.lock().unwrap_or_else(PoisonError::into_inner);
    context.place.intake(&context.world.token(), name, input.as_mut(), &context.interrupted)
}

/// What a person named, and what it is called where it goes.
fn named(file: &Path, to: &str) -> Result<Item, Failure> {
    let missing = || Failure::Missing(format!("{}: there is no such file or folder", file.display()));
    if !place::exists(file) {
        return Err(missing());
    }
    // What a link leads to is sent, under the link's name.
    let found = place::canonical(file)?;
    if !place::exists(&found) {
        return Err(missing());
    }
    let name = match std::path::absolute(file).ok().as_deref().and_then(Path::file_name) {
        Some(name) => name.to_owned(),
        None => found.file_name().map(ToOwned::to_owned).unwrap_or_default(),
    };
    // A name that is not kept may be as it likes.
    let own = if keeps_name(to) { name.to_str() } else { Some("") };
    match own.map(|own| placed(own, to)) {
        Some(key) if !key.is_empty() => item(&found, &key),
        _ => Err(Failure::Unable(format!("{}: its name is not UTF-8, as keys are; rename it", file.display()))),
    }
}

fn item(path: &Path, key: &str) -> Result<Item, Failure> {
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(Failure::Unable(format!("{} has no folder above it; sync it instead", path.display())));
    };
    let Some(name) = name.to_str() else {
        return Err(Failure::Unable(format!("{}: its name is not UTF-8, as keys are; rename it", path.display())));
    };
    let slash = if path.is_dir() { "/" } else { "" };
    let choice = Choice { shown: format!("{name}{slash}"), real: format!("{key}{slash}") };
    Ok(Item { folder: folder.to_owned(), choice })
}

/// What lies in one folder together, but for what is to be there twice under several names.
/// Two that would become one object are refused.
fn grouped(items: Vec<Item>) -> Result<Vec<(PathBuf, Vec<Choice>)>, Failure> {
    let mut groups: Vec<(PathBuf, Vec<Choice>)> = Vec::new();
    let mut taken = BTreeMap::new();
    for Item { folder, choice } in items {
        let key = choice.real.trim_end_matches('/').to_owned();
        let path = folder.join(choice.shown.trim_end_matches('/'));
        match taken.insert(key.clone(), path.clone()) {
            Some(other) if other == path => continue,
            Some(other) => {
                let (path, other) = (path.display(), other.display());
                return Err(Failure::Misused(format!("{path} and {other} would both become {key}; send them apart")));
            }
            None => {}
        }
        let takes = |(place, choices): &(PathBuf, Vec<Choice>)| {
            *place == folder && choices.iter().all(|other| other.shown != choice.shown)
        };
        match groups.iter().position(takes) {
            Some(at) => groups[at].1.push(choice),
            None => groups.push((folder, vec![choice])),
        }
    }
    Ok(groups)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(folder: &str, shown: &str, real: &str) -> Item {
        Item { folder: folder.into(), choice: Choice { shown: shown.to_owned(), real: real.to_owned() } }
    }

    #[test]
    fn keys_that_no_folder_could_hold_are_refused() {
        for (key, links) in [("a/b", LinkStyle::Suffix), ("a/b/", LinkStyle::Suffix), ("b.rclonelink", LinkStyle::Mode)]
        {
            assert_eq!(may_be(key, links), Ok(()), "{key}");
        }
        for key in ["a/../b", "./b", "/abs", "a//b", "a//", "b.rclonelink", ".tidelock/x"] {
            assert!(may_be(key, LinkStyle::Suffix).is_err(), "{key}");
        }
    }

    #[test]
    fn what_lies_together_goes_together() {
        let groups =
            grouped(vec![item("/a", "x", "x"), item("/b", "y/", "y/"), item("/a", "z", "z"), item("/a", "x", "x")]);
        let names = |groups: Vec<(PathBuf, Vec<Choice>)>| -> Vec<String> {
            let of = |(folder, choices): (PathBuf, Vec<Choice>)| {
                let shown: Vec<String> = choices.into_iter().map(|choice| choice.shown).collect();
                format!("{} {}", folder.display(), shown.join(" "))
            };
            groups.into_iter().map(of).collect()
        };
        assert_eq!(names(groups.expect("nothing meets")), ["/a x z", "/b y/"]);
        // What several links lead to is sent as often.
        let groups =
            grouped(vec![item("/a", "x", "x"), item("/a", "x", "l"), item("/a", "y", "y"), item("/a", "x", "m")]);
        assert_eq!(names(groups.expect("nothing meets")), ["/a x y", "/a x", "/a x"]);
        assert!(grouped(vec![item("/a", "x", "x"), item("/b", "x/", "x/")]).is_err());
    }
}
