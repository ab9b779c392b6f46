//! Measures Tidelock and its peers side by side: `make bench`.
//!
//! Reads what was asked for, goes from workload to workload, and writes the page after
//! each, so that a run that is ended early leaves what it has found. What a workload is
//! stands in `workload`, what a tool is told in `tools`, how it is measured in `rounds`.

mod curves;
mod machine;
mod measure;
mod page;
mod plot;
mod results;
mod rounds;
mod sink;
mod stats;
mod target;
mod tools;
mod tree;
mod workload;

use clap::{Parser, Subcommand};
use results::Results;
use rounds::Plan;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use tools::{Tool, Tools};
use workload::Workload;

/// Measures Tidelock and its peers side by side.
#[derive(Debug, Parser)]
struct Options {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Measure workloads.
    Run(Run),
    /// Measure how cost grows with work.
    Curves {
        #[command(flatten)]
        common: Common,
        /// How many files at most.
        #[arg(long, default_value_t = 1_000_000)]
        files: u64,
        /// How many GiB at most in one file.
        #[arg(long, default_value_t = 16)]
        gib: u64,
    },
    /// Write the page anew from what was measured before.
    Page {
        /// Where the results are.
        #[arg(long, default_value = "bench/results")]
        out: PathBuf,
    },
    /// Run one command and say what it took; the runner calls this by itself.
    #[command(hide = true)]
    Measure {
        report: PathBuf,
        #[arg(last = true)]
        words: Vec<String>,
    },
}

#[derive(Debug, clap::Args)]
struct Run {
    #[command(flatten)]
    common: Common,
    /// Which workloads, by name; all without any.
    #[arg(long, value_delimiter = ' ')]
    workloads: Vec<String>,
    /// Which tools, by name; all that are installed without any.
    #[arg(long, value_delimiter = ' ')]
    tools: Vec<String>,
    /// Counted runs of each.
    #[arg(long, default_value_t = 5)]
    runs: u32,
    /// Smaller workloads, in minutes.
    #[arg(long)]
    quick: bool,
}

#[derive(Debug, clap::Args)]
struct Common {
    /// The program to be measured.
    #[arg(long, default_value = "target/release/tidelock")]
    tidelock: PathBuf,
    /// The server to measure by.
    #[arg(long, default_value = "target/release/tidelock-sink")]
    sink: PathBuf,
    /// Where `make bench-peers` put the others.
    #[arg(long, default_value = "target/bench-peers")]
    peers: PathBuf,
    /// Where trees are built, on the disk to be measured; made anew and removed.
    #[arg(long, default_value = "target/bench-scratch")]
    scratch: PathBuf,
    /// Where files are fetched to, in memory; the same.
    #[arg(long, default_value = "/dev/shm/tidelock-bench")]
    memory: PathBuf,
    /// Where the results go.
    #[arg(long, default_value = "bench/results")]
    out: PathBuf,
    /// What a reader should know of the circumstances.
    #[arg(long)]
    note: Option<String>,
}

fn main() -> ExitCode {
    let done = match Options::parse().verb {
        Verb::Run(run) => measure(&run),
        Verb::Curves { common, files, gib } => measure_curves(&common, files, gib << 30),
        Verb::Page { out } => show(&out, &Results::read(&out.join("latest.json")), &workload::all()),
        Verb::Measure { report, words } => measure::between(&report, &words),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// The two scratch folders, gone when this is.
struct Folders(Vec<PathBuf>);

impl Folders {
    fn make(common: &Common) -> io::Result<Self> {
        let mut made = Self(Vec::new());
        for folder in [&common.scratch, &common.memory] {
            if folder.exists() {
                may_be_removed(folder)?;
                fs::remove_dir_all(folder)?;
            }
            fs::create_dir_all(folder)?;
            fs::write(folder.join(MARK), std::process::id().to_string())?;
            made.0.push(folder.clone());
        }
        Ok(made)
    }
}

/// What is not the bench's is not removed, nor what another run is at work in.
fn may_be_removed(folder: &Path) -> io::Result<()> {
    let Ok(pid) = fs::read_to_string(folder.join(MARK)) else {
        return Err(io::Error::other(format!("{} is there, and is not the bench's", folder.display())));
    };
    let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    match name.trim() {
        "tidelock-bench" => Err(io::Error::other(format!("process {pid} is measuring in {}", folder.display()))),
        _ => Ok(()),
    }
}

impl Drop for Folders {
    fn drop(&mut self) {
        for folder in &self.0 {
            let _ = fs::remove_dir_all(folder);
        }
    }
}

const MARK: &str = ".tidelock-bench";

fn prepare(common: &Common, chosen: Vec<Tool>, runs: u32, slow_s: f64) -> io::Result<(Plan, Folders)> {
    for program in [&common.tidelock, &common.sink] {
        if !program.is_file() {
            return Err(io::Error::other(format!("{} is missing: `make bench` builds it", program.display())));
        }
    }
    let folders = Folders::make(common)?;
    let absolute = |path: &Path| path.canonicalize();
    let scratch = absolute(&common.scratch)?;
    let peers = absolute(&common.peers).unwrap_or_default();
    let tools = Tools::look(&absolute(&common.tidelock)?, &peers, scratch.join("homes"));
    let (sink, memory) = (absolute(&common.sink)?, absolute(&common.memory)?);
    let note = common.note.clone();
    Ok((Plan { tools, chosen, runs, slow_s, sink, scratch, memory, note }, folders))
}

/// Earlier results of this machine, to be added to.
fn results(common: &Common, plan: &Plan) -> Results {
    let machine = machine::this(&plan.scratch);
    let mut results = Results::read(&common.out.join("latest.json"));
    if results.machine != machine {
        results = Results { machine, ..Results::default() };
    }
    for tool in tools::ALL {
        let version = plan.tools.version(tool).unwrap_or("not installed".to_owned());
        results.versions.insert(tool.name().to_owned(), version);
    }
    results
}

fn measure(run: &Run) -> io::Result<()> {
    let workloads = if run.quick { workload::quick() } else { workload::all() };
    let named = |names: &[String]| names.iter().find(|name| !workloads.iter().any(|it| it.name == **name)).cloned();
    if let Some(name) = named(&run.workloads) {
        return Err(io::Error::other(format!("there is no workload {name}")));
    }
    let mut chosen = tools::ALL.to_vec();
    if !run.tools.is_empty() {
        let known: Vec<Tool> = run.tools.iter().flat_map(|name| Tool::named(name)).collect();
        if let Some(name) = run.tools.iter().find(|name| Tool::named(name).is_empty()) {
            return Err(io::Error::other(format!("there is no tool {name}")));
        }
        chosen.retain(|tool| known.contains(tool));
    }
    let (plan, _folders) = prepare(&run.common, chosen, run.runs, if run.quick { 4.0 } else { 10.0 })?;
    let mut results = results(&run.common, &plan);
    let order: Vec<&str> = workloads.iter().map(|workload| workload.name.as_str()).collect();
    let wanted = |workload: &&Workload| run.workloads.is_empty() || run.workloads.contains(&workload.name);
    let mut before = None;
    for workload in workloads.iter().filter(wanted) {
        let stage = before.take().and_then(|(last, stage): (&Workload, _)| last.leads_to(workload).then_some(stage));
        let (measured, stage) = rounds::measure(&plan, workload, stage)?;
        println!("{}", page::terminal(&measured, workload));
        before = Some((workload, stage));
        Results::take(&mut results.workloads, measured, &order);
        show(&run.common.out, &results, &workloads)?;
    }
    println!("the page: {}", run.common.out.join("README.md").display());
    Ok(())
}

fn measure_curves(common: &Common, files: u64, bytes: u64) -> io::Result<()> {
    let (mut plan, _folders) = prepare(common, Vec::new(), 1, 10.0)?;
    let mut results = results(common, &plan);
    let steps = curves::steps(files, bytes);
    let order: Vec<&str> = steps.iter().map(|step| step.workload.name.as_str()).collect();
    for step in &steps {
        plan.chosen.clone_from(&step.tools);
        plan.runs = step.runs;
        let (measured, _) = rounds::measure(&plan, &step.workload, None)?;
        println!("{}", page::terminal(&measured, &step.workload));
        Results::take(&mut results.curves, measured, &order);
        show(&common.out, &results, &workload::all())?;
    }
    Ok(())
}

/// Writes the raw runs, the page and its pictures.
fn show(out: &Path, results: &Results, workloads: &[Workload]) -> io::Result<()> {
    fs::create_dir_all(out)?;
    results.write(&out.join("latest.json"))?;
    for measured in &results.workloads {
        fs::write(out.join(format!("{}.svg", measured.name)), plot::bars(measured))?;
    }
    if !results.curves.is_empty() {
        let curves = curves::of(&results.curves);
        for (axis, file) in curves::FIGURES {
            fs::write(out.join(file), plot::curves(axis, &curves))?;
        }
    }
    fs::write(out.join("README.md"), page::page(results, workloads))
}
