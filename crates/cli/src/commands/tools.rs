//! `completions` and `man`: what belongs to the tool and not to any folder.
//!
//! Both are made from the command line's own description, so that they cannot say
//! anything else than it does.

use crate::args::Cli;
use crate::args::objects::{CompletionsArgs, ManArgs};
use crate::render::Face;
use crate::standard;
use clap::CommandFactory;
use clap_mangen::Man;
use std::fs;
use std::io::{self, Write};
use std::path::Path;
use tidelock_engine::report::Ending;

const NAME: &str = "tidelock";

/// Prints a shell's script.
pub fn completions(args: &CompletionsArgs, face: &dyn Face) -> Ending {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), NAME, &mut script);
    print(&script, face)
}

/// Prints the manual page, or writes all of them.
pub fn man(args: &ManArgs, face: &dyn Face) -> Ending {
    match &args.dir {
        None => {
            let mut page = Vec::new();
            match Man::new(Cli::command()).render(&mut page) {
                Ok(()) => print(&page, face),
                Err(error) => complain(face, &format!("the page cannot be made: {error}")),
            }
        }
        Some(dir) => match pages(dir) {
            Ok(count) => {
                face.narrate(&format!("{count} pages are in {}", dir.display()));
                Ending::Ok
            }
            Err(error) => complain(face, &format!("{} cannot be written: {error}", dir.display())),
        },
    }
}

fn complain(face: &dyn Face, what: &str) -> Ending {
    face.complain(what);
    Ending::Failed
}

/// A page for the tool, and one for each verb.
fn pages(dir: &Path) -> io::Result<usize> {
    fs::create_dir_all(dir)?;
    let mut command = Cli::command();
    command.build();
    let mut count = 1;
    write(dir, NAME, Man::new(command.clone()))?;
    for verb in command.get_subcommands().filter(|verb| verb.get_name() != "help") {
        let name = format!("{NAME}-{}", verb.get_name());
        write(dir, &name, Man::new(verb.clone()).title(name.clone()))?;
        count += 1;
    }
    Ok(count)
}

fn write(dir: &Path, name: &str, man: Man) -> io::Result<()> {
    let mut page = Vec::new();
    man.render(&mut page)?;
    fs::write(dir.join(format!("{name}.1")), page)
}

/// Writes to standard output; whoever leaves early has seen enough.
fn print(bytes: &[u8], face: &dyn Face) -> Ending {
    let written = standard::output().and_then(|mut stdout| {
        stdout.write_all(bytes)?;
        stdout.flush()
    });
    match written {
        Ok(()) => Ending::Ok,
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ending::Ok,
        Err(error) => complain(face, &format!("the output could not be written: {error}")),
    }
}
