//! Running what was typed.
//!
//! One way for every verb: translate, call, draw, end. Plans come from and go to
//! files in `commands/files.rs`; `demo` is a little play of several calls and has
//! a room of its own.

mod demo;
mod files;
mod patient;
mod tools;

use crate::args::names::Names;
use crate::args::whom::Complaint;
use crate::args::{Cli, Verb, request};
use crate::interrupt::Interrupt;
use crate::prompt::Prompt;
use crate::render::{Face, choose};
use crate::{exit, render};
use clap::ArgMatches;
use files::Streams;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use tidelock_engine::api::{Context, Reply, Request, call};
use tidelock_engine::config::around::Around;
use tidelock_engine::failure::Failure;
use tidelock_engine::place::Place;
use tidelock_engine::report::Ending;
use tidelock_engine::secrets::Secrets;
use tidelock_remote::world::World;

/// Runs it, to the exit code.
pub async fn run(cli: &Cli, matches: &ArgMatches) -> ExitCode {
    let around = Around::new(
        std::env::vars_os().filter_map(|(name, value)| {
            // What is not text can be no setting.
            Some((name.into_string().ok()?, value.into_string().ok()?))
        }),
        cli.config.clone(),
    );
    let interrupt = Interrupt::default();
    let world = World::real();
    if matches!(&cli.verb, Verb::Apply(_)) {
        // The header of its plan may be long in coming.
        interrupt.listen(&choose(cli, &world, Names::default()));
    }
    let prepared = prepare(cli, matches, &around, &interrupt);
    let (request, streams, face) = match prepared {
        Ok((request, streams, names)) => (request, streams, choose(cli, &world, names)),
        Err(complaint) => {
            return refuse(cli, choose(cli, &world, Names::default()).as_ref(), &complaint, &interrupt);
        }
    };
    interrupt.listen(&face);
    let code = match (request, &cli.verb) {
        (Some(request), _) => {
            let answer = match context(world, &interrupt, &face, streams, around, secret_stdin(&cli.verb)) {
                Ok(context) => call(&context, &request).await,
                Err(failure) => Err(failure),
            };
            finish(&request, &answer, face.as_ref(), &interrupt)
        }
        (None, Verb::Demo(args)) => {
            let name = cli.verb.name();
            match demo::run(args, face.as_ref(), &interrupt).await {
                Ok(ending) => {
                    let code = code_of(ending, &interrupt);
                    face.closed(name, ending, code);
                    code
                }
                Err(failure) => {
                    let code = failure.ending().code();
                    face.refused(name, &failure, code);
                    code
                }
            }
        }
        (None, Verb::Completions(args)) => tools::completions(args, face.as_ref()).code(),
        (None, Verb::Man(args)) => {
            let ending = tools::man(args, face.as_ref());
            face.closed(cli.verb.name(), ending, ending.code());
            ending.code()
        }
        (None, _) => exit::USAGE,
    };
    exit::code(match face.lost() {
        None => code,
        Some(why) => {
            render::complain(&format!("the output could not be written: {why}"));
            exit::unshown(code)
        }
    })
}

/// Says why nothing was begun.
fn refuse(cli: &Cli, face: &dyn Face, complaint: &Complaint, interrupt: &Interrupt) -> ExitCode {
    match complaint {
        Complaint::Misused(complaint) => {
            face.misused(cli.verb.name(), complaint);
            exit::code(exit::USAGE)
        }
        Complaint::Failed(failure) => {
            let code = code_of(failure.ending(), interrupt);
            face.refused(cli.verb.name(), failure, code);
            exit::code(code)
        }
    }
}

/// What was typed as a request, the files that it reads and writes, and what places were called. A plan's header
/// says what it was made for; another file is only opened for what is a request.
fn prepare(
    cli: &Cli,
    matches: &ArgMatches,
    around: &Around,
    interrupt: &Interrupt,
) -> Result<(Option<Request>, Streams, Names), Complaint> {
    let open = || Streams::of(&cli.verb, cli.json, &interrupt.asked);
    if let Verb::Apply(_) = &cli.verb {
        let mut streams = open()?;
        let header = streams.header();
        if header.is_none() && interrupt.asked.load(Ordering::Relaxed) {
            return Err(Failure::Interrupted.into());
        }
        let (request, names) = request::request(cli, matches, around, header.as_ref())?;
        return Ok((request, streams, names));
    }
    let (request, names) = request::request(cli, matches, around, None)?;
    Ok((request, open()?, names))
}

fn context(
    world: World,
    interrupt: &Interrupt,
    face: &Arc<dyn Face>,
    streams: Streams,
    around: Around,
    secret_stdin: bool,
) -> Result<Context, Failure> {
    let variable = |name| std::env::var_os(name).map(PathBuf::from);
    let place = Place::standard(variable("XDG_STATE_HOME"), variable("HOME"))?;
    let prompt = Prompt { secret_stdin, interrupted: Arc::clone(&interrupt.asked) };
    let mut secrets = Secrets::standard(around.config_dir(), place.dir().to_owned(), Arc::new(prompt));
    secrets.credentials_dir = around.variable("CREDENTIALS_DIRECTORY").map(PathBuf::from);
    secrets.passphrase_file = around.variable("TIDELOCK_PASSPHRASE_FILE").map(PathBuf::from);
    Ok(Context {
        world,
        place,
        secrets,
        listener: Arc::clone(face).listener(),
        interrupted: Arc::clone(&interrupt.asked),
        output: Mutex::new(streams.output),
        input: Mutex::new(streams.input),
        around,
    })
}

/// Whether a secret comes on standard input.
fn secret_stdin(verb: &Verb) -> bool {
    matches!(verb, Verb::Config(args) if args.secret_stdin())
}

/// The exit code; which signal interrupted is known here alone.
fn code_of(ending: Ending, interrupt: &Interrupt) -> i32 {
    if ending == Ending::Interrupted { interrupt.code() } else { ending.code() }
}

/// Draws the end; what the process is to return.
fn finish(request: &Request, answer: &Result<Reply, Failure>, face: &dyn Face, interrupt: &Interrupt) -> i32 {
    let ending = match answer {
        Ok(reply) => reply.ending(),
        Err(failure) => failure.ending(),
    };
    let code = code_of(ending, interrupt);
    match answer {
        Ok(reply) => face.finished(request, reply, code),
        Err(failure) => face.refused(request.name(), failure, code),
    }
    code
}
