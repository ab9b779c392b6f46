//! `demo`: Tidelock at work, before your eyes and checked.
//!
//! A little play in a temporary folder: sync, change, sync, restore, compare, each
//! through the command surface that every face uses. What is said of bytes and
//! requests is counted, and the end is a comparison of both folders byte for byte;
//! anything else than equality is a failure. A folder that is given is copied and
//! never touched.

mod props;
mod tree;

use crate::args::verbs::DemoArgs;
use crate::interrupt::Interrupt;
use crate::render::{Face, bytes, count, shown};
use std::fs;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use tidelock_core::policy::Preset;
use tidelock_engine::api::{Context, Options, Reply, Request, Restore, RunReply, Sides, Sync, call};
use tidelock_engine::config::around::Around;
use tidelock_engine::event::Deaf;
use tidelock_engine::failure::Failure;
use tidelock_engine::place::Place;
use tidelock_engine::report::Ending;
use tidelock_engine::secrets::{Nobody, Secrets};
use tidelock_remote::world::World;

/// Plays it, to its ending; a folder that is not there is not played with.
pub async fn run(args: &DemoArgs, face: &dyn Face, interrupt: &Interrupt) -> Result<Ending, Failure> {
    if let Some(given) = args.folder.as_ref().filter(|given| !given.is_dir()) {
        let what = if given.exists() { "is not a folder" } else { "does not exist; is the name misspelt?" };
        return Err(Failure::Missing(format!("the folder {} {what}", given.display())));
    }
    let stage = match Stage::new(args.keep, interrupt) {
        Ok(stage) => stage,
        Err(error) => {
            face.complain(&format!("the demo needs a temporary folder: {error}"));
            return Ok(Ending::Failed);
        }
    };
    if let Some(given) = args.folder.as_ref().filter(|given| stage.is_within(given)) {
        let (dir, given) = (stage.dir.display(), given.display());
        return Err(Failure::Unable(format!(
            "{given} cannot be copied to {dir}, which lies in it; set TMPDIR to a folder elsewhere"
        )));
    }
    Ok(match stage.play(args, face).await {
        Ok(()) => Ending::Ok,
        Err(Trouble::Ended(ending)) => ending,
        Err(Trouble::Said(what)) => {
            face.complain(&format!("the demo failed: {what}"));
            Ending::Failed
        }
    })
}

/// Why the play was broken off.
enum Trouble {
    Said(String),
    Ended(Ending),
}

impl From<std::io::Error> for Trouble {
    fn from(error: std::io::Error) -> Self {
        Self::Said(error.to_string())
    }
}

/// The temporary folder and what is played with.
struct Stage {
    dir: PathBuf,
    keep: bool,
    context: Context,
}

impl Drop for Stage {
    fn drop(&mut self) {
        if !self.keep {
            // What cannot be removed is in the temporary folder, where it is swept.
            let _ = fs::remove_dir_all(&self.dir);
        }
    }
}

impl Stage {
    fn new(keep: bool, interrupt: &Interrupt) -> std::io::Result<Self> {
        let world = World::real();
        let dir = std::env::temp_dir().join(format!("tidelock-demo-{}", world.token()));
        fs::DirBuilder::new().mode(0o700).create(&dir)?;
        let context = Context {
            world,
            place: Place::at(dir.join("state")),
            listener: Arc::new(Deaf),
            interrupted: Arc::clone(&interrupt.asked),
            secrets: Secrets::standard(Some(dir.join("config")), dir.join("state"), Arc::new(Nobody)),
            output: Mutex::new(Box::new(std::io::sink())),
            input: Mutex::new(Box::new(std::io::empty())),
            around: Around::default(),
        };
        Ok(Self { dir, keep, context })
    }

    /// Whether it is set up in a folder.
    fn is_within(&self, folder: &Path) -> bool {
        matches!((self.dir.canonicalize(), folder.canonicalize()), (Ok(dir), Ok(folder)) if dir.starts_with(&folder))
    }

    async fn play(&self, args: &DemoArgs, face: &dyn Face) -> Result<(), Trouble> {
        let (folder, back) = (self.dir.join("folder"), self.dir.join("back"));
        match &args.folder {
            Some(given) => {
                face.narrate(&format!("1. A copy of {} is taken; your folder is left alone.", given.display()));
                let left_out = tree::copy(given, &folder)
                    .map_err(|error| Trouble::Said(format!("{} cannot be copied: {error}", given.display())))?;
                if left_out > 0 {
                    let what = count(left_out, "entry", "entries");
                    face.narrate(&format!("   {what} left out that no sync takes: pipes, devices, unsuitable names."));
                }
            }
            None => {
                face.narrate("1. A folder is made: files in folders, an empty folder, a link, names that bite.");
                props::make(&folder)?;
            }
        }
        let entries = tree::read(&folder)?;
        let total: u64 = entries.values().map(|entry| entry.bytes).sum();
        let files = u64::try_from(entries.len()).unwrap_or(u64::MAX);
        face.narrate(&format!("   {}, {}", count(files, "entry", "entries"), bytes(total)));

        face.narrate("2. It is synced into an embedded store, with --delete: what is deleted here shall go there too.");
        let first = self.sync(&folder).await?;
        face.narrate(&told(&first));
        let again = self.sync(&folder).await?;
        face.narrate("   Synced once more at once:");
        face.narrate(&told(&again));
        if again.report.changed_anything() {
            return Err(Trouble::Said("a second sync found something to do".to_owned()));
        }

        face.narrate("3. The folder is changed.");
        for what in props::change(&folder)? {
            face.narrate(&format!("   {}", shown(&what)));
        }
        let total: u64 = tree::read(&folder)?.values().map(|entry| entry.bytes).sum();
        face.narrate("4. It is synced again.");
        let second = self.sync(&folder).await?;
        face.narrate(&told(&second));
        let spared = total.saturating_sub(second.report.uploaded_bytes);
        face.narrate(&format!("   Of {} in the folder, {} were not sent again.", bytes(total), bytes(spared)));

        face.narrate("5. All of it is restored to another folder.");
        let restored = self.restore(&back).await?;
        face.narrate(&told(&restored));

        face.narrate("6. Both folders are compared: names, bytes, links, times, modes.");
        let (wanted, found) = (tree::read(&folder)?, tree::read(&back)?);
        let differences = tree::differences(&wanted, &found);
        for difference in differences.iter().take(20) {
            face.complain(difference);
        }
        if !differences.is_empty() {
            let number = u64::try_from(differences.len()).unwrap_or(u64::MAX);
            return Err(Trouble::Said(count(number, "difference", "differences")));
        }
        if self.keep {
            face.narrate(&format!("   Everything is kept in {}", self.dir.display()));
        }
        let number = u64::try_from(wanted.len()).unwrap_or(u64::MAX);
        face.narrate(&format!("Demo passed: {} came back exactly as they were.", count(number, "entry", "entries")));
        Ok(())
    }

    fn sides(&self, local: &Path) -> Sides {
        let remote = format!("folder:{}", self.dir.join("store").display());
        Sides::plain(local, remote)
    }

    async fn sync(&self, folder: &Path) -> Result<RunReply, Trouble> {
        let preset = Preset::SyncDelete;
        let request = Sync { sides: self.sides(folder), preset, options: Options::default() };
        self.ask(&Request::Sync(request)).await
    }

    async fn restore(&self, folder: &Path) -> Result<RunReply, Trouble> {
        let (sides, path) = (self.sides(folder), String::new());
        let request = Restore { sides, path, overwrite: false, options: Options::default() };
        self.ask(&Request::Restore(request)).await
    }

    /// Runs a command that must go well.
    async fn ask(&self, request: &Request) -> Result<RunReply, Trouble> {
        let said = |what: String| Trouble::Said(format!("{}: {what}", request.name()));
        match call(&self.context, request).await {
            Ok(Reply::Run(run)) => match run.report.ending() {
                Ending::Ok => Ok(*run),
                Ending::Interrupted => Err(Trouble::Ended(Ending::Interrupted)),
                ending => {
                    let problems: Vec<String> = run
                        .report
                        .problems
                        .iter()
                        .map(|problem| format!("{}: {}", problem.path, problem.what))
                        .collect();
                    let why = run.report.stopped.unwrap_or_else(|| problems.join("; "));
                    Err(said(format!("{ending:?}: {why}")))
                }
            },
            Ok(_) => Err(said("it gave another reply than a run's".to_owned())),
            Err(failure) => Err(said(failure.told())),
        }
    }
}

/// What a run did and what it took, as one line.
fn told(reply: &RunReply) -> String {
    let (report, requests) = (&reply.report, &reply.requests);
    let mut parts = Vec::new();
    if report.uploaded > 0 {
        parts.push(format!("sent {} ({})", count(report.uploaded, "entry", "entries"), bytes(report.uploaded_bytes)));
    } else if report.downloaded == 0 {
        parts.push("sent nothing".to_owned());
    }
    if report.downloaded > 0 {
        let size = bytes(report.downloaded_bytes);
        parts.push(format!("fetched {} ({size})", count(report.downloaded, "entry", "entries")));
    }
    if report.moved > 0 {
        parts.push(format!("renamed {} there by copies, without sending", report.moved));
    }
    if report.metas > 0 {
        parts.push(count(report.metas, "metadata change", "metadata changes"));
    }
    if report.deleted_there > 0 {
        parts.push(format!("deleted {} there", report.deleted_there));
    }
    let asked = requests.list + requests.head + requests.get + requests.put + requests.copy + requests.delete;
    format!("   {}; {}.", parts.join(", "), count(asked, "request", "requests"))
}
