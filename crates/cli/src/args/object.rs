//! Options for what is written there, and how their values are read.
//!
//! Storage class, encryption, metadata and type belong to the objects that a run
//! writes; the limit on bytes belongs to the run. What may be set is checked by the
//! engine, which every face asks.

use clap::{Args, ValueEnum};
use std::collections::BTreeMap;
use tidelock_engine::api;

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

fn pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("write NAME=VALUE, as in project=tide")?;
    // Headers do not tell large letters from small ones.
    Ok((name.to_ascii_lowercase(), value.to_owned()))
}

/// So many bytes a second: a number with a unit, as in `10 MiB/s`.
pub fn rate(text: &str) -> Result<u64, String> {
    let amount = text.strip_suffix("/s").ok_or("write a size for each second, as in 10MiB/s")?;
    match size(amount.trim_end())? {
        0 => Err("nothing would ever move; leave it out for no limit".to_owned()),
        rate => Ok(rate),
    }
}

/// A number of bytes with a unit, as in `512 KiB`, `10MB` or `1.5 GiB`.
pub fn size(text: &str) -> Result<u64, String> {
    let at = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(at);
    let factor: u64 = match unit.trim_start() {
        "B" => 1,
        "KB" | "kB" => 1_000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        "TB" => 1_000_000_000_000,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        "TiB" => 1 << 40,
        "" => return Err(format!("{text:?} has no unit; write B, KiB, MiB, GiB, KB, MB or GB, as in 10MiB")),
        other => return Err(format!("{other:?} is no unit; write B, KiB, MiB, GiB, KB, MB or GB")),
    };
    let number: f64 = number.parse().map_err(|_| "write a number and a unit, as in 10MiB".to_owned())?;
    #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let (bytes, is_too_large) = ((number * factor as f64) as u64, number * factor as f64 >= u64::MAX as f64);
    if is_too_large { Err("that is too large".to_owned()) } else { Ok(bytes) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_rates_have_units() {
        for (text, bytes) in
            [("0 B", 0), ("1234 B", 1_234), ("512 KiB", 524_288), ("10MB", 10_000_000), ("1.5 GiB", 1_610_612_736)]
        {
            assert_eq!(size(text), Ok(bytes), "{text}");
        }
        for text in ["", "10", "10 X", "MiB", "1e3 B", "-1 B", "99999999999 TiB"] {
            assert!(size(text).is_err(), "{text}");
        }
        assert_eq!(rate("10 MiB/s"), Ok(10 << 20));
        assert_eq!(rate("64KiB/s"), Ok(64 << 10));
        for text in ["10 MiB", "10/s", "0 B/s", "10 MiB/h"] {
            assert!(rate(text).is_err(), "{text}");
        }
    }

    #[test]
    fn metadata_is_a_name_and_a_value() {
        assert_eq!(pair("Project=a=b"), Ok(("project".to_owned(), "a=b".to_owned())));
        assert!(pair("project").is_err());
    }
}
