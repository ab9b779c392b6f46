//! The measuring itself: build, fill, and then rounds of all tools in turn.
//!
//! A B C A B C, so that what disturbs the machine disturbs them alike. The first round
//! warms up. After every run the server's objects, or the files that were fetched, are
//! held against the tree: who did not do the work was not fast.

use crate::machine;
use crate::measure::{self, Cost};
use crate::results::{Measured, Run};
use crate::sink::{Counts, Sink, differs};
use crate::tools::{Action, Job, Tool, Tools};
use crate::tree::{self, Manifest, Stored};
use crate::workload::{Kind, Workload};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How to measure.
#[derive(Debug, Clone)]
pub struct Plan {
    pub tools: Tools,
    pub chosen: Vec<Tool>,
    /// Counted runs of each tool.
    pub runs: u32,
    /// Who needs longer than this to warm up runs twice at most, and once at four times it.
    pub slow_s: f64,
    pub sink: PathBuf,
    /// On a disk.
    pub scratch: PathBuf,
    /// In memory.
    pub memory: PathBuf,
    /// What a reader should know of the circumstances.
    pub note: Option<String>,
}

/// What a workload stands on: the tree, the server and what was sent to it.
pub struct Stage {
    sink: Sink,
    manifest: Manifest,
    fills: Vec<Run>,
    filled: Vec<String>,
}

/// One workload under way.
struct Scene<'a> {
    plan: &'a Plan,
    workload: &'a Workload,
    stage: Stage,
    runs: Vec<Run>,
}

const SHARED: &str = "plain";

/// Measures a workload, on the stage of the one before if that will do; leaves its own.
pub fn measure(plan: &Plan, workload: &Workload, before: Option<Stage>) -> io::Result<(Measured, Stage)> {
    let load = machine::load();
    let stage = match before {
        Some(stage) => stage,
        None => set_up(plan, workload)?,
    };
    let (tools, absent) = cast(plan, workload);
    let mut scene = Scene { plan, workload, stage, runs: Vec::new() };
    scene.fill(&tools)?;
    scene.stage.sink.set_latency_ms(workload.latency_ms)?;
    for round in 0..=plan.runs {
        scene.change(round)?;
        for tool in &tools {
            if round <= scene.last_round(*tool) {
                scene.run(*tool, round)?;
            }
        }
    }
    scene.stage.sink.set_latency_ms(0)?;
    let measured = Measured {
        name: workload.name.clone(),
        what: workload.what.clone(),
        files: workload.shape.files(),
        bytes: workload.shape.bytes(),
        at: jiff::Timestamp::now().strftime("%Y-%m-%d %H:%M").to_string(),
        load,
        note: plan.note.clone(),
        runs: scene.runs,
        fills: scene.stage.fills.clone(),
        absent,
    };
    Ok((measured, scene.stage))
}

fn tree_of(plan: &Plan) -> PathBuf {
    plan.scratch.join("tree")
}

fn set_up(plan: &Plan, workload: &Workload) -> io::Result<Stage> {
    let root = tree_of(plan);
    clear(&root)?;
    clear(&plan.scratch.join("fetched"))?;
    for tool in crate::tools::ALL {
        plan.tools.renew_home(tool)?;
    }
    eprintln!(
        "{}: building {} files, {}",
        workload.name,
        workload.shape.files(),
        crate::stats::bytes(workload.shape.bytes())
    );
    let manifest = tree::build(&root, &workload.shape.entries())?;
    let sink = Sink::start(&plan.sink, workload.sink)?;
    Ok(Stage { sink, manifest, fills: Vec::new(), filled: Vec::new() })
}

fn clear(folder: &Path) -> io::Result<()> {
    if folder.exists() { fs::remove_dir_all(folder) } else { Ok(()) }
}

/// Who takes part, and who does not and why.
fn cast(plan: &Plan, workload: &Workload) -> (Vec<Tool>, Vec<(Tool, String)>) {
    let (mut tools, mut absent) = (Vec::new(), Vec::new());
    for tool in plan.chosen.iter().copied() {
        let excused = workload.without.iter().find(|(other, _)| *other == tool).map(|(_, why)| (*why).to_owned());
        let only_compares = tool == Tool::Find && !matches!(workload.kind, Kind::Nothing { .. });
        match excused {
            Some(why) => absent.push((tool, why)),
            None if only_compares => {}
            None if !plan.tools.has(tool) => absent.push((tool, "is not installed".to_owned())),
            None => tools.push(tool),
        }
    }
    (tools, absent)
}

impl Scene<'_> {
    /// Where a tool's objects are: plain ones can be anybody's as long as nobody changes
    /// them, and everybody fetches the same.
    fn bucket(&self, tool: Tool) -> String {
        let by_size = matches!(self.workload.kind, Kind::Nothing { by_size: true, .. });
        match self.workload.kind {
            Kind::Fetch { .. } => SHARED.to_owned(),
            Kind::Nothing { .. } if tool.is_plain() || by_size && tool.is_peer() => SHARED.to_owned(),
            // Both of its kinds leave the same objects.
            Kind::Nothing { .. } if tool == Tool::RcloneTuned => Tool::Rclone.name().to_owned(),
            _ => tool.name().to_owned(),
        }
    }

    /// Who sends what a tool is to find: one of its kind, and of those the fastest.
    fn filler(&self, tool: Tool) -> Tool {
        let has = |other| self.plan.tools.has(other);
        match self.workload.kind {
            Kind::Fetch { .. } => Tool::Tidelock,
            Kind::Nothing { by_size: true, .. } if tool.is_peer() && has(Tool::S5cmd) => Tool::S5cmd,
            _ if tool.is_plain() && has(Tool::S5cmd) => Tool::S5cmd,
            _ if tool == Tool::Rclone => Tool::RcloneTuned,
            _ => tool,
        }
    }

    fn fill(&mut self, tools: &[Tool]) -> io::Result<()> {
        if matches!(self.workload.kind, Kind::First { .. }) {
            return Ok(());
        }
        for tool in tools.iter().copied().filter(|tool| *tool != Tool::Find) {
            let bucket = self.bucket(tool);
            if self.stage.filled.contains(&bucket) {
                continue;
            }
            let filler = self.filler(tool);
            eprintln!("{}: {} fills the bucket of {}", self.workload.name, filler.name(), tool.name());
            self.stage.sink.empty(&bucket)?;
            let run = self.timed(filler, 0, Action::Send, &bucket, "r0/", &tree_of(self.plan))?;
            let run = self.checked(run, &bucket, "r0/")?;
            if let Some(why) = &run.failed {
                eprintln!("{}: {} could not fill: {why}", self.workload.name, filler.name());
            }
            self.stage.fills.push(run);
            self.stage.filled.push(bucket);
        }
        Ok(())
    }

    /// What happens here before everybody's turn.
    fn change(&mut self, round: u32) -> io::Result<()> {
        let root = tree_of(self.plan);
        if matches!(self.workload.kind, Kind::Rename | Kind::Change) {
            // Whoever goes by whole seconds sees that this is later than what it sent.
            std::thread::sleep(Duration::from_millis(1100));
        }
        match self.workload.kind {
            Kind::Rename => {
                let (old, new) = (folder_of_round(round), folder_of_round(round + 1));
                fs::rename(root.join(&old), root.join(&new))?;
                let moved = |path: String| path.strip_prefix(&old).map_or(path.clone(), |rest| format!("{new}{rest}"));
                let manifest = std::mem::take(&mut self.stage.manifest);
                self.stage.manifest = manifest.into_iter().map(|(path, stored)| (moved(path), stored)).collect();
            }
            Kind::Change => {
                for (path, stored) in &mut self.stage.manifest {
                    overwrite(&root.join(path), stored.bytes, round)?;
                    *stored = tree::read(&root.join(path))?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// The slow are not asked as often.
    fn last_round(&self, tool: Tool) -> u32 {
        let warm_up = self.runs.iter().find(|run| run.tool == tool && run.round == 0);
        match warm_up {
            Some(run) if run.failed.is_some() => 0,
            Some(run) if run.cost.wall_s > 4.0 * self.plan.slow_s => 1,
            Some(run) if run.cost.wall_s > self.plan.slow_s => self.plan.runs.min(2),
            _ => self.plan.runs,
        }
    }

    fn run(&mut self, tool: Tool, round: u32) -> io::Result<()> {
        let bucket = self.bucket(tool);
        let run = match self.workload.kind {
            Kind::First { stranger } => {
                if stranger {
                    self.plan.tools.renew_home(tool)?;
                }
                let prefix = format!("r{round}/");
                self.stage.sink.empty(&bucket)?;
                let run = self.timed(tool, round, Action::Send, &bucket, &prefix, &tree_of(self.plan))?;
                let run = self.checked(run, &bucket, &prefix)?;
                self.stage.sink.empty(&bucket)?;
                run
            }
            Kind::Nothing { against_state, by_size } => {
                let action = Action::Compare { against_state, by_size };
                let job = self.timed(tool, round, action, &bucket, "r0/", &tree_of(self.plan))?;
                still(self.checked(job, &bucket, "r0/")?)
            }
            Kind::Rename | Kind::Change => {
                let run = self.timed(tool, round, Action::Mirror, &bucket, "r0/", &tree_of(self.plan))?;
                self.checked(run, &bucket, "r0/")?
            }
            Kind::Fetch { durable } => self.fetch(tool, round, durable)?,
        };
        let failed = run.failed.as_ref().map(|why| format!(" FAILED: {why}")).unwrap_or_default();
        eprintln!(
            "{} round {round}: {:<12} {:>8.3} s wall {:>8.3} s CPU{failed}",
            self.workload.name,
            tool.name(),
            run.cost.wall_s,
            run.cost.user_s + run.cost.sys_s,
        );
        self.runs.push(run);
        Ok(())
    }

    fn fetch(&mut self, tool: Tool, round: u32, durable: bool) -> io::Result<Run> {
        // A fresh folder for each: one that was just emptied is slow on ext4.
        let place = if durable { self.plan.scratch.join("fetched") } else { self.plan.memory.clone() };
        let folder = place.join(format!("{}-{round}", tool.name()));
        fs::create_dir_all(&folder)?;
        let mut run = self.timed(tool, round, Action::Fetch { durable }, SHARED, "r0/", &folder)?;
        run.failed = run.failed.or(files_differ(&folder, &self.stage.manifest)?);
        if !durable {
            fs::remove_dir_all(&folder)?;
        }
        Ok(run)
    }

    fn timed(
        &self,
        tool: Tool,
        round: u32,
        action: Action,
        bucket: &str,
        prefix: &str,
        folder: &Path,
    ) -> io::Result<Run> {
        let is_far = self.workload.latency_ms > 0;
        let md5_etags = self.workload.sink.md5_etags;
        let job = Job { action, url: &self.stage.sink.url, bucket, prefix, folder, is_far, md5_etags };
        let line = self.plan.tools.line(tool, &job);
        let line = line.ok_or_else(|| io::Error::other(format!("{} cannot do this", tool.name())))?;
        self.stage.sink.counts()?;
        let busy_s = self.stage.sink.cpu_s();
        let (cost, failed) = match measure::run(&line, &self.plan.scratch) {
            Ok((cost, complaint)) => (cost, failure(&cost, &complaint)),
            Err(error) => (Cost::default(), Some(error.to_string())),
        };
        let sink_cpu_s = self.stage.sink.cpu_s() - busy_s;
        let counts = self.stage.sink.counts()?;
        Ok(Run { tool, round, cost, counts, sink_cpu_s, failed })
    }

    /// The run, failed if the bucket does not hold what the tree holds.
    fn checked(&self, mut run: Run, bucket: &str, prefix: &str) -> io::Result<Run> {
        if run.failed.is_none() && run.tool != Tool::Find {
            run.failed = differs(&self.stage.sink.inventory(bucket, prefix)?, &self.stage.manifest);
        }
        Ok(run)
    }
}

fn failure(cost: &Cost, complaint: &str) -> Option<String> {
    match cost.exit {
        Some(0) => None,
        Some(code) => Some(format!("exit code {code}: {complaint}")),
        None => Some(format!("ended by a signal: {complaint}")),
    }
}

/// The run, failed if it wrote anything where nothing was to be done.
fn still(mut run: Run) -> Run {
    let Counts { requests, .. } = &run.counts;
    let reads = ["get", "head", "list", "other", "refused"];
    let wrote = requests.iter().find(|(kind, _)| !reads.contains(&kind.as_str()));
    run.failed = run.failed.or(wrote.map(|(kind, count)| format!("made {count} {kind} requests")));
    run
}

fn folder_of_round(round: u32) -> String {
    format!("d{round:04}")
}

/// Puts another 1 MiB into the midst of a file, at no round number.
fn overwrite(path: &Path, bytes: u64, round: u32) -> io::Result<()> {
    use std::os::unix::fs::FileExt;
    let mut chance = tree::Chance::new(1_000_000 + u64::from(round));
    let mut fresh = vec![0_u8; usize::try_from(bytes.min(1 << 20)).unwrap_or(0)];
    tree::fill(&mut fresh, &mut chance);
    let at = chance.below(bytes - fresh.len() as u64);
    fs::OpenOptions::new().write(true).open(path)?.write_all_at(&fresh, at)
}

/// Where the files in a folder are not those of the tree.
fn files_differ(folder: &Path, expected: &Manifest) -> io::Result<Option<String>> {
    for (path, stored) in expected {
        let found = match tree::read(&folder.join(path)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Some(format!("{path} is missing"))),
            found => found?,
        };
        if found != *stored {
            let Stored { bytes, .. } = found;
            return Ok(Some(format!("{path} holds other bytes: {bytes} of {}", stored.bytes)));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::Shape;

    #[test]
    fn what_was_fetched_is_held_against_the_tree() {
        let root = tempfile::tempdir().expect("a folder");
        let entries = Shape::Even { files: 2, bytes: 5000, folders: 1 }.entries();
        let manifest = tree::build(root.path(), &entries).expect("room");
        let differs = || files_differ(root.path(), &manifest).expect("readable");
        assert_eq!(differs(), None);
        overwrite(&root.path().join(&entries[1].path), 5000, 3).expect("written");
        assert!(differs().is_some_and(|why| why.contains("other bytes")));
        fs::remove_file(root.path().join(&entries[1].path)).expect("removed");
        assert!(differs().is_some_and(|why| why.contains("missing")));
    }

    #[test]
    fn who_writes_where_nothing_is_to_be_done_has_failed() {
        let cost = Cost { wall_s: 1.0, user_s: 0.0, sys_s: 0.0, rss_bytes: 0, exit: Some(0) };
        let run = |kind: &str| Run {
            tool: Tool::Aws,
            round: 1,
            cost,
            counts: Counts { requests: [(kind.to_owned(), 3)].into(), ..Counts::default() },
            sink_cpu_s: 0.0,
            failed: None,
        };
        assert_eq!(still(run("head")).failed, None);
        assert_eq!(still(run("put")).failed.as_deref(), Some("made 3 put requests"));
        assert!(failure(&Cost { exit: Some(3), ..cost }, "no").is_some_and(|why| why == "exit code 3: no"));
        assert!(failure(&Cost { exit: None, ..cost }, "").is_some());
        assert_eq!(failure(&cost, "a warning"), None);
    }
}
