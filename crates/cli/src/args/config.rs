//! The arguments of `config` and `init`.
//!
//! They only name what is asked; everything else is the engine's.

use super::help;
use super::secrets::{ImportArgs, ProfileVerb, SetSecretArgs};
use clap::{Args, Subcommand};
use std::path::PathBuf;
use tidelock_engine::api::{Init, Request, Show};

/// `config`.
#[derive(Debug, Args)]
pub struct ConfigArgs {
    /// What about it.
    #[command(subcommand)]
    pub what: ConfigVerb,
}

/// What can be asked of a configuration.
#[derive(Debug, Subcommand)]
pub enum ConfigVerb {
    /// Every setting, and where each value came from.
    Show {
        /// For a pair; otherwise for every run, and what each section says.
        pair: Option<String>,
    },
    /// Whether it makes sense; ends with 78 if not.
    Check,
    /// Where it is, or would be.
    Path,
    /// Its JSON schema, for editors.
    Schema,
    /// Profiles: services, and who you are there.
    Profile {
        /// What about them.
        #[command(subcommand)]
        what: ProfileVerb,
    },
    /// Keep a profile's secret key, in place of an earlier one. It is asked for.
    #[command(after_help = help::SET_SECRET)]
    SetSecret(SetSecretArgs),
    /// Take over the configuration of another tool, and tell what could not be.
    #[command(after_help = help::IMPORT)]
    Import(ImportArgs),
}

/// `init`.
#[derive(Debug, Args)]
pub struct InitArgs {
    /// The new file; without one, the usual one; - shows it.
    pub file: Option<PathBuf>,
}

impl ConfigArgs {
    /// The request.
    pub fn request(&self) -> Request {
        match &self.what {
            ConfigVerb::Show { pair } => Request::ConfigShow(Show { pair: pair.clone() }),
            ConfigVerb::Check => Request::ConfigCheck,
            ConfigVerb::Path => Request::ConfigPath,
            ConfigVerb::Schema => Request::ConfigSchema,
            ConfigVerb::Profile { what } => Request::Profile(what.request()),
            ConfigVerb::SetSecret(args) => Request::SetSecret(args.request()),
            ConfigVerb::Import(args) => Request::Import(args.request()),
        }
    }

    /// Whether a secret comes on standard input.
    pub fn secret_stdin(&self) -> bool {
        match &self.what {
            ConfigVerb::Profile { what: ProfileVerb::Add(args) } => args.secret.secret_stdin,
            ConfigVerb::SetSecret(args) => args.secret.secret_stdin,
            _ => false,
        }
    }
}

impl InitArgs {
    /// The request.
    pub fn request(&self) -> Request {
        Request::Init(Init { file: self.file.clone() })
    }
}
