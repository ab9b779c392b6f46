//! `download`: fetch an object, or everything below a name, to where a person says.
//!
//! A restore of what was named and nothing else: verified before it appears, and what
//! differs here stays unless it is to be replaced. Standard output is `cat`'s.

use super::loose::Loose;
use super::naming::{goes_in, last};
use super::target::{Access, Found, Target};
use crate::api::{Context, Download, RunReply};
use crate::failure::Failure;
use crate::place;
use std::path::{Path, PathBuf};
use tidelock_core::policy::Preset;
use tidelock_remote::layer::Choice;

/// One run.
pub async fn run(context: &Context, request: &Download) -> Result<RunReply, Failure> {
    let target = Target::of(&request.remote)?;
    let opened = target.open(context, &request.service, &request.options, Access::Read).await?;
    let is_folder = match target.find(opened.remote.as_ref()).await? {
        Found::One(_) => false,
        Found::Below => true,
        Found::Nothing => return Err(Found::Nothing.missing(&request.remote)),
    };
    let path = destination(&request.local, name_of(&request.remote), is_folder)?;
    let (folder, name) = parts(&path)?;
    let choice = match (is_folder, target.name.as_str()) {
        (false, real) => Choice { shown: name, real: real.to_owned() },
        (true, "") => Choice { shown: format!("{name}/"), real: String::new() },
        (true, real) => Choice { shown: format!("{name}/"), real: format!("{real}/") },
    };
    let preset = if request.overwrite { Preset::RestoreOverwrite } else { Preset::Restore };
    let loose = Loose {
        context,
        command: "download",
        policy: preset.policy(),
        options: &request.options,
        shown: (path.display().to_string(), request.remote.clone()),
        url: &target.url,
        remote: opened.remote.clone(),
        known_as: None,
    };
    let report = loose.run(&folder, vec![choice]).await?;
    Ok(RunReply { report, requests: opened.requests.snapshot(), dry_run: request.options.dry_run })
}

/// That a name is none of an object, and what is to be done if all below it is meant.
pub(super) fn others_below(remote: &str, verb: &str) -> Failure {
    Failure::Missing(format!("{remote} is no object, but others lie below it; to {verb} all of them, give --recursive"))
}

/// What the last part of a remote's name is.
fn name_of(remote: &str) -> &str {
    last(remote.split_once(':').map_or(remote, |(_, rest)| rest))
}

/// Where it goes.
fn destination(local: &Path, name: &str, is_folder: bool) -> Result<PathBuf, Failure> {
    if !goes_in(local.as_os_str().as_encoded_bytes(), is_folder, local.is_dir()) {
        return Ok(local.to_owned());
    }
    if name.is_empty() || name == "." || name == ".." {
        return Err(Failure::Unable(format!("{name:?} is no name for a file here; name one")));
    }
    Ok(local.join(name))
}

/// The folder that is to hold it, and its name there.
fn parts(path: &Path) -> Result<(PathBuf, String), Failure> {
    let whole = place::canonical(path)?;
    let name = whole.file_name().and_then(|name| name.to_str()).map(str::to_owned);
    match (whole.parent(), name) {
        (Some(folder), Some(name)) => Ok((folder.to_owned(), name)),
        _ => Err(Failure::Unable(format!("{} cannot be fetched into; name another place", path.display()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_it_goes() {
        let dir = tempfile::tempdir().expect("a folder");
        let here = dir.path().display().to_string();
        for (local, is_folder, expected) in [
            (here.clone(), false, format!("{here}/n")),
            (here.clone(), true, here.clone()),
            (format!("{here}/"), true, format!("{here}/n")),
            (format!("{here}/x"), false, format!("{here}/x")),
            (format!("{here}/x/"), false, format!("{here}/x/n")),
            (".".to_owned(), true, "./n".to_owned()),
        ] {
            let found = destination(Path::new(&local), "n", is_folder).expect("somewhere");
            assert_eq!(found, Path::new(&expected), "{local} {is_folder}");
        }
        for (remote, name) in [("s3://b/x/y.txt", "y.txt"), ("s3://b", "b"), ("s3://b/x/", "x"), ("folder:/m/s", "s")] {
            assert_eq!(name_of(remote), name);
        }
    }
}
