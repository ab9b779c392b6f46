//! The arguments of `config` and `init`.
//!
//! They only name what is asked; everything else is the engine's.

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
}

/// `init`.
#[derive(Debug, Args)]
pub struct InitArgs {
    /// The new file; without one, the usual one.
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
        }
    }
}

impl InitArgs {
    /// The request.
    pub fn request(&self) -> Request {
        Request::Init(Init { file: self.file.clone() })
    }
}
