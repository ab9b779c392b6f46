//! `config profile`, `config set-secret`, `config import`.
//!
//! No option takes a secret: it is asked for, or read from standard input.

use super::help;
use super::object::Sse;
use super::options::PlaceArgs;
use clap::{Args, Subcommand, ValueEnum};
use std::path::PathBuf;
use tidelock_engine::api::{Add, Import, Profiles, SetSecret};
use tidelock_engine::config::{Credentials, Profile, import};
use tidelock_engine::secrets::KeyFrom;

/// `config profile`.
#[derive(Debug, Subcommand)]
pub enum ProfileVerb {
    /// Add a profile: asks for its secret, tries it, and keeps both.
    #[command(after_help = help::PROFILE_ADD)]
    Add(Box<AddArgs>),
    /// Name all profiles.
    List,
    /// Remove a profile and its secret.
    Remove {
        /// Its name.
        name: String,
    },
    /// Make a profile the default one.
    Use {
        /// Its name.
        name: String,
    },
    /// Ask a profile's service whether it works.
    Test {
        /// Its name.
        name: String,
        /// The bucket, if not the profile's own.
        #[arg(long)]
        bucket: Option<String>,
    },
}

/// `config profile add`.
#[derive(Debug, Args)]
pub struct AddArgs {
    /// Its name.
    pub name: String,
    /// Where the service is.
    #[command(flatten)]
    pub place: PlaceArgs,
    /// The bucket that NAME:PREFIX is in.
    #[arg(long)]
    pub bucket: Option<String>,
    /// The access key's id, which is no secret; the secret is asked for.
    #[arg(long, value_name = "ID")]
    pub access_key_id: Option<String>,
    /// Where the credentials are [default: keyring with an access key's id, else aws].
    #[arg(long, value_name = "WHERE")]
    pub credentials: Option<Where>,
    /// The profile in the AWS configuration files.
    #[arg(long, value_name = "NAME")]
    pub aws_profile: Option<String>,
    /// The storage class of new objects.
    #[arg(long, value_name = "CLASS")]
    pub storage_class: Option<String>,
    /// How the service encrypts what it keeps.
    #[arg(long, value_name = "HOW")]
    pub sse: Option<Sse>,
    /// The key it encrypts with, for aws:kms.
    #[arg(long, value_name = "KEY")]
    pub sse_kms_key: Option<String>,
    /// Keep it without asking the service.
    #[arg(long)]
    pub no_test: bool,
    /// How the secret is given and kept.
    #[command(flatten)]
    pub secret: SecretArgs,
}

/// How a secret is given and kept.
#[derive(Debug, Clone, Copy, Default, Args)]
pub struct SecretArgs {
    /// Read the secret from the first line of standard input.
    #[arg(long)]
    pub secret_stdin: bool,
    /// What the encrypted file's key comes from, when that file is made.
    #[arg(long, value_name = "SOURCE")]
    pub key_from: Option<Key>,
}

/// `config set-secret`.
#[derive(Debug, Args)]
pub struct SetSecretArgs {
    /// The profile whose secret it is.
    pub profile: String,
    /// How it is given and kept.
    #[command(flatten)]
    pub secret: SecretArgs,
}

/// `config import`.
#[derive(Debug, Args)]
pub struct ImportArgs {
    /// The other tool's configuration.
    pub file: PathBuf,
    /// Write a new file instead of adding to the configuration; - shows it.
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Whose file it is, if its content does not tell.
    #[arg(long, value_name = "TOOL")]
    pub from: Option<Tool>,
    /// Where the secrets go that are found.
    #[arg(long, value_name = "WHERE", default_value = "keyring")]
    pub credentials: Where,
    /// What the encrypted file's key comes from, when that file is made.
    #[arg(long, value_name = "SOURCE")]
    pub key_from: Option<Key>,
}

/// `--credentials`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Where {
    /// The desktop's keyring.
    Keyring,
    /// Tidelock's encrypted file.
    File,
    /// `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY` alone.
    Env,
    /// Where the AWS tools look.
    Aws,
}

/// `--key-from`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Key {
    /// What you know, or `TIDELOCK_PASSPHRASE_FILE` says.
    Passphrase,
    /// The service manager's credential tidelock-key.
    Service,
    /// A file of random digits beside the states.
    #[value(name = "key-file")]
    File,
}

/// `--from`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Tool {
    /// Lines of `local | bucket | prefix | excludes`.
    Pipe,
    /// The event client.
    S3ec,
    /// The desktop backup.
    Eigen,
    /// rclone.conf.
    Rclone,
    /// ~/.s3cfg.
    S3cmd,
}

impl ProfileVerb {
    /// What is asked.
    pub fn request(&self) -> Profiles {
        match self {
            Self::Add(args) => Profiles::Add(Box::new(args.request())),
            Self::List => Profiles::List,
            Self::Remove { name } => Profiles::Remove { name: name.clone() },
            Self::Use { name } => Profiles::Use { name: name.clone() },
            Self::Test { name, bucket } => Profiles::Test { name: name.clone(), bucket: bucket.clone() },
        }
    }
}

impl AddArgs {
    fn request(&self) -> Add {
        let usual = if self.access_key_id.is_some() { Credentials::Keyring } else { Credentials::Aws };
        let profile = Profile {
            bucket: self.bucket.clone(),
            credentials: self.credentials.map_or(usual, Into::into),
            aws_profile: self.aws_profile.clone(),
            access_key_id: self.access_key_id.clone(),
            storage_class: self.storage_class.clone(),
            sse: self.sse.map(Sse::named),
            sse_kms_key: self.sse_kms_key.clone(),
            ..Profile::from(&self.place)
        };
        let key = self.secret.key_from.map(Into::into);
        Add { name: self.name.clone(), profile, key, untested: self.no_test }
    }
}

impl SetSecretArgs {
    /// What is asked.
    pub fn request(&self) -> SetSecret {
        SetSecret { profile: self.profile.clone(), key: self.secret.key_from.map(Into::into) }
    }
}

impl ImportArgs {
    /// What is asked.
    pub fn request(&self) -> Import {
        Import {
            file: self.file.clone(),
            from: self.from.map(Into::into),
            output: self.output.clone(),
            credentials: self.credentials.into(),
            key: self.key_from.map(Into::into),
        }
    }
}

impl From<Where> for Credentials {
    fn from(place: Where) -> Self {
        match place {
            Where::Keyring => Self::Keyring,
            Where::File => Self::File,
            Where::Env => Self::Env,
            Where::Aws => Self::Aws,
        }
    }
}

impl From<Key> for KeyFrom {
    fn from(key: Key) -> Self {
        match key {
            Key::Passphrase => Self::Passphrase,
            Key::Service => Self::Service,
            Key::File => Self::KeyFile,
        }
    }
}

impl From<Tool> for import::Source {
    fn from(tool: Tool) -> Self {
        match tool {
            Tool::Pipe => Self::Pipe,
            Tool::S3ec => Self::S3ec,
            Tool::Eigen => Self::Eigen,
            Tool::Rclone => Self::Rclone,
            Tool::S3cmd => Self::S3cmd,
        }
    }
}
