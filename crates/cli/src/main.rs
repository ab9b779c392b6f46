//! `tidelock` at the terminal.
//!
//! Reads what a person typed, asks the engine through its command surface, draws
//! what happens and ends with the right code. Nothing is decided here: what may be
//! asked is `tidelock_engine::api`, how it is drawn is `render/`, what the codes
//! mean is `exit.rs`.

#![forbid(unsafe_code)]

mod args;
mod commands;
mod exit;
mod interrupt;
mod prompt;
mod render;
mod standard;

use std::process::ExitCode;

fn main() -> ExitCode {
    // Before anything could want TLS; a second installation would be the only error.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let (cli, matches) = args::Cli::read();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    match runtime {
        Ok(runtime) => runtime.block_on(commands::run(&cli, &matches)),
        Err(error) => {
            render::complain(&format!("the runtime cannot be started: {error}"));
            ExitCode::FAILURE
        }
    }
}
