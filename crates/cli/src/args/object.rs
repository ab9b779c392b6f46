//! Options for what is written there, and how their values are read.
//!
//! Storage class, encryption, metadata and type belong to the objects that a run
//! writes; the limit on bytes belongs to the run. What may be set is checked by the
//! engine, which every face asks.

use clap::{Args, ValueEnum};
use std::collections::BTreeMap;
use tidelock_engine::api;
use tidelock_engine::config::units::Rate;

/// What objects that are written get.
#[derive(Debug, Clone, Default, Args)]
pub struct ObjectArgs {
    /// Store what is written in this class, as in STANDARD_IA.
    #[arg(long, value_name = "CLASS", help_heading = "What is written")]
    pub storage_class: Option<String>,
    /// Have the service encrypt what is written.
    #[arg(long, value_name = "HOW", help_heading = "What is written")]
    pub sse: Option<Sse>,
    /// With this key of the key service; needs --sse aws:kms.
    #[arg(long, value_name = "KEY", requires = "sse", help_heading = "What is written")]
    pub sse_kms_key: Option<String>,
    /// Give what is written this user metadata, beside Tidelock's own; may be repeated.
    #[arg(long, value_name = "NAME=VALUE", value_parser = pair, help_heading = "What is written")]
    pub meta: Vec<(String, String)>,
    /// Say that files hold this, whatever their names say, as in text/plain.
    #[arg(long, value_name = "TYPE", help_heading = "What is written")]
    pub content_type: Option<String>,
}

/// `--sse`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Sse {
    /// With keys of the service's own.
    #[value(name = "AES256")]
    Aes256,
    /// With a key of its key service.
    #[value(name = "aws:kms")]
    Kms,
}

impl Sse {
    /// As the engine has it.
    pub fn named(self) -> api::Sse {
        match self {
            Self::Aes256 => api::Sse::Aes256,
            Self::Kms => api::Sse::Kms,
        }
    }
}

impl ObjectArgs {
    /// With what was said here.
    pub fn within(&self, options: api::Options) -> api::Options {
        api::Options {
            storage_class: self.storage_class.clone(),
            sse: self.sse.map(Sse::named),
            sse_kms_key: self.sse_kms_key.clone(),
            meta: self.meta.iter().cloned().collect::<BTreeMap<_, _>>(),
            content_type: self.content_type.clone(),
            ..options
        }
    }
}

/// Refuses what a remote would have to leave out.
pub fn fits(is_encrypted: bool, remote: &str) -> Result<(), String> {
    if is_encrypted && remote.starts_with("folder:") {
        return Err("an embedded store has no keys to encrypt with; leave --sse out, and encrypt its disk".to_owned());
    }
    Ok(())
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("write NAME=VALUE, as in project=tide")?;
    // Headers do not tell large letters from small ones.
    Ok((name.to_ascii_lowercase(), value.to_owned()))
}

/// So many bytes a second: a number with a unit, as in `10 MiB/s`.
pub fn rate(text: &str) -> Result<u64, String> {
    Rate::parse(text).map(|rate| rate.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_in_a_folder_has_no_keys() {
        assert!(fits(true, "folder:/a/b").is_err());
        assert!(fits(true, "s3://tide/a").is_ok() && fits(false, "folder:/a/b").is_ok());
    }

    #[test]
    fn metadata_is_a_name_and_a_value() {
        assert_eq!(pair("Project=a=b"), Ok(("project".to_owned(), "a=b".to_owned())));
        assert!(pair("project").is_err());
    }
}
