//! What a person writes down once: profiles of services, and named pairs.
//!
//! These are the types of the configuration file; their doc comments are the
//! descriptions of its JSON schema. How text becomes them is `read.rs`, what they
//! may not say is `check.rs`, how they and the environment and options lie on each
//! other is `layers.rs`, and what a command makes of it all is `resolve.rs`. None
//! of that opens a file; `find.rs` does. No secret is ever in here.

pub mod around;
pub mod check;
mod decode;
pub mod edit;
pub mod find;
pub mod import;
pub mod layers;
pub mod named;
pub mod problem;
pub mod read;
pub mod resolve;
pub mod rewrite;
pub mod sample;
pub mod schema;
mod shared;
#[cfg(test)]
mod tests;
pub mod tree;
pub mod units;
pub mod words;

use crate::api::Sse;
use crate::pair::RemoteCheck;
use schemars::JsonSchema;
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};
use std::collections::BTreeMap;
use tidelock_core::meta::MetaFormat;
use tidelock_core::policy::{Compare, OnConflict, Preset};
use tidelock_remote::url::{LOGIN, holds_login, word};
use units::{Rate, Wait};

/// Tidelock's configuration: `config.toml` or `config.yaml` in `$XDG_CONFIG_HOME/tidelock`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The profile of remotes that name none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default_profile: Option<String>,
    /// What holds for every pair that does not say otherwise.
    #[serde(skip_serializing_if = "Knobs::is_empty")]
    pub defaults: Knobs,
    /// Services, by names of your own.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub profile: BTreeMap<String, Profile>,
    /// Folders and the remotes they are kept the same with, by names of your own.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub pair: BTreeMap<String, Pair>,
}

/// An S3 service, and who we are there.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Profile {
    /// The provider, for its habits of addressing and checksums (docs/providers.md).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// The service's address, as in `https://s3.example.org`; without one it is Amazon's.
    #[serde(deserialize_with = "place_alone", skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// The region that requests are signed for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// The bucket that `NAME:PREFIX` is in.
    #[serde(deserialize_with = "bucket_alone", skip_serializing_if = "Option::is_none")]
    pub bucket: Option<String>,
    /// Name the bucket in the path instead of the host name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path_style: Option<bool>,
    /// Where the credentials are.
    #[serde(skip_serializing_if = "Credentials::is_usual")]
    pub credentials: Credentials,
    /// The profile in the AWS configuration files, where the credentials are there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub aws_profile: Option<String>,
    /// The access key's id, which is no secret, where the secret is in the keyring or the encrypted file.
    #[serde(deserialize_with = "id_alone", skip_serializing_if = "Option::is_none")]
    pub access_key_id: Option<String>,
    /// The storage class of new objects, as in `STANDARD_IA`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub storage_class: Option<String>,
    /// How the service encrypts what it keeps.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sse: Option<Sse>,
    /// The key it encrypts with, for `aws:kms`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sse_kms_key: Option<String>,
}

/// Where a profile's credentials are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Credentials {
    /// Where the AWS tools look: environment, `~/.aws`, SSO, roles.
    #[default]
    Aws,
    /// In `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY` alone.
    Env,
    /// In the desktop's keyring.
    Keyring,
    /// In Tidelock's encrypted file.
    File,
}

impl Credentials {
    #[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
    fn is_usual(&self) -> bool {
        *self == Self::Aws
    }
}

/// How far a sync of a pair goes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// Send what is new or changed; delete nothing.
    #[default]
    Push,
    /// And delete there what was deleted here.
    Delete,
    /// Make the remote exactly like the folder.
    Mirror,
    /// Pass changes and deletions on both ways.
    TwoWay,
}

impl Mode {
    /// The column of the decision table.
    pub fn preset(self) -> Preset {
        match self {
            Self::Push => Preset::Push,
            Self::Delete => Preset::SyncDelete,
            Self::Mirror => Preset::Mirror,
            Self::TwoWay => Preset::TwoWay,
        }
    }
}

/// Makes a struct of its own fields and those that all pairs share: serde refuses
/// unknown keys only where a struct names every key itself.
macro_rules! with_knobs {
    ($(#[$about:meta])* $name:ident { $($own:tt)* }) => {
        $(#[$about])*
        #[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields)]
        pub struct $name {
            $($own)*
            /// Whether subfolders take part; yes if nothing is said.
            #[serde(skip_serializing_if = "Option::is_none")]
            pub recursive: Option<bool>,
            /// Whether names that begin with a dot take part; yes if nothing is said.
            #[serde(skip_serializing_if = "Option::is_none")]
            pub hidden: Option<bool>,
            /// Send what links point to instead of the links.
            #[serde(skip_serializing_if = "Option::is_none")]
            pub follow_links: Option<bool>,
            /// Take extended attributes along.
            #[serde(skip_serializing_if = "Option::is_none")]
            pub xattrs: Option<bool>,
            /// Lines as in `.gitignore`, in their order: the last that matches wins, `!` takes in again.
            #[serde(skip_serializing_if = "Option::is_none")]
            pub exclude: Option<Vec<String>>,
            /// Files with such lines, beside the `.tidelockignore` files met on the way.
            #[serde(skip_serializing_if = "Option::is_none")]
            pub ignore_files: Option<Vec<String>>,
            /// What proves two files the same that were never in step; `digest` if nothing is said.
            #[serde(skip_serializing_if = "Option::is_none")]
            #[schemars(with = "Option<names::Compare>")]
            pub compare: Option<Compare>,
            /// What becomes of a file changed on both sides.
            #[serde(skip_serializing_if = "Option::is_none")]
            #[schemars(with = "Option<names::Conflict>")]
            pub conflict: Option<OnConflict>,
            /// The format in which metadata is stored; `rclone` if nothing is said.
            #[serde(skip_serializing_if = "Option::is_none")]
            #[schemars(with = "Option<names::Metadata>")]
            pub metadata: Option<MetaFormat>,
            /// Where to read from what is there: its listing, or our own record of it.
            #[serde(skip_serializing_if = "Option::is_none")]
            #[schemars(with = "Option<names::RemoteCheck>")]
            pub remote_check: Option<RemoteCheck>,
            /// Transfers at once, 1 to 1024.
            #[serde(skip_serializing_if = "Option::is_none")]
            #[schemars(range(min = 1, max = 1024))]
            pub concurrency: Option<u32>,
            /// The most that is sent and fetched in a second, as in `10 MiB/s`.
            #[serde(skip_serializing_if = "Option::is_none")]
            pub bwlimit: Option<Rate>,
            /// Stop if more would be deleted within an hour, beside the limits that always hold.
            #[serde(skip_serializing_if = "Option::is_none")]
            pub max_delete: Option<u64>,
            /// How long to wait for another run of the pair, as in `10s`.
            #[serde(skip_serializing_if = "Option::is_none")]
            pub lock_timeout: Option<Wait>,
            /// Sync two ways on a service without conditional writes.
            #[serde(skip_serializing_if = "Option::is_none")]
            pub allow_unconditional: Option<bool>,
            /// The storage class of new objects, as in `STANDARD_IA`.
            #[serde(skip_serializing_if = "Option::is_none")]
            pub storage_class: Option<String>,
            /// How the service encrypts what it keeps.
            #[serde(skip_serializing_if = "Option::is_none")]
            pub sse: Option<Sse>,
            /// The key it encrypts with, for `aws:kms`.
            #[serde(skip_serializing_if = "Option::is_none")]
            pub sse_kms_key: Option<String>,
            /// The content type of new objects, instead of the one that their names tell.
            #[serde(skip_serializing_if = "Option::is_none")]
            pub content_type: Option<String>,
            /// Metadata of one's own for new objects.
            #[serde(skip_serializing_if = "Option::is_none")]
            pub meta: Option<BTreeMap<String, String>>,
        }
    };
}

with_knobs! {
    /// How runs go about it.
    Knobs {}
}

with_knobs! {
    /// A folder and a remote that are kept the same.
    Pair {
        /// The folder: absolute, below `~`, or below this file's folder; `${NAME}` is taken from the environment.
        pub local: String,
        /// The remote: `s3://BUCKET[/PREFIX]`, `folder:PATH`, or `PROFILE:PREFIX` in that profile's bucket.
        #[serde(deserialize_with = "address_alone")]
        pub remote: String,
        /// The profile of the service, if the remote does not name it.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub profile: Option<String>,
        /// How far a sync goes; `push` if nothing is said.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub mode: Option<Mode>,
    }
}

/// Reads an address, and refuses one that holds a secret: it must not even be shown.
fn address_alone<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    let text = String::deserialize(from)?;
    if holds_login(&text) { Err(D::Error::custom(LOGIN)) } else { Ok(text) }
}

fn place_alone<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    let text = Option::<String>::deserialize(from)?;
    match &text {
        Some(text) if text.contains('@') || holds_login(text) => Err(D::Error::custom(LOGIN)),
        _ => Ok(text),
    }
}

fn bucket_alone<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    let name = Option::<String>::deserialize(from)?;
    match &name {
        Some(name) if name.contains(['@', ':']) => Err(D::Error::custom(LOGIN)),
        _ => Ok(name),
    }
}

/// What is no access key's id, and may have the secret attached to it.
pub(crate) const NO_ID: &str = "it is no access key's id, in which there is no `:`, `/`, comma or blank; write the id alone, and give \
                                the secret to `tidelock config set-secret PROFILE`";

/// Whether an access key may have this id.
pub(crate) fn is_id(text: &str) -> bool {
    !text.contains(|c: char| ":/,".contains(c) || c.is_whitespace() || c.is_control())
}

fn id_alone<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    let id = Option::<String>::deserialize(from)?;
    if id.as_deref().is_none_or(is_id) { Ok(id) } else { Err(D::Error::custom(NO_ID)) }
}

impl Profile {
    /// The same as it may be shown: what stands where no address belongs may be a secret.
    pub(crate) fn shown(&self) -> Self {
        let safe = |text: &Option<String>| text.as_deref().map(|text| word(text).into_owned());
        Self {
            provider: safe(&self.provider),
            endpoint: safe(&self.endpoint),
            region: safe(&self.region),
            aws_profile: safe(&self.aws_profile),
            storage_class: safe(&self.storage_class),
            ..self.clone()
        }
    }
}

impl Pair {
    /// The same as it may be shown. What is before a colon is a profile, if there is one.
    pub(crate) fn shown(&self, profiles: &BTreeMap<String, Profile>) -> Self {
        let is_known = resolve::split_profile(&self.remote).is_some_and(|(name, _)| profiles.contains_key(name));
        Self {
            remote: if is_known { self.remote.clone() } else { word(&self.remote).into_owned() },
            profile: self.profile.as_deref().map(|name| word(name).into_owned()),
            ..self.clone()
        }
    }
}

impl Knobs {
    /// Whether nothing is said.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl Pair {
    /// What it says of how runs go about it.
    pub fn knobs(&self) -> Knobs {
        let mut said = serde_json::to_value(self).unwrap_or_default();
        if let Some(said) = said.as_object_mut() {
            said.retain(|key, _| !OWN.contains(&key.as_str()));
        }
        // A pair has every key of the knobs, beside its own.
        serde_json::from_value(said).unwrap_or_default()
    }
}

/// The keys of a pair that `[defaults]` does not have.
pub(crate) const OWN: [&str; 4] = ["local", "remote", "profile", "mode"];

/// Spellings for the schema, of types that know nothing of schemas.
mod names {
    #![allow(dead_code, reason = "only their names are wanted")]
    use schemars::JsonSchema;

    #[derive(JsonSchema)]
    #[schemars(rename_all = "lowercase")]
    pub(super) enum Compare {
        /// Equal content.
        Digest,
        /// Equal size and modification time.
        Stamp,
    }

    #[derive(JsonSchema)]
    #[schemars(rename_all = "kebab-case")]
    pub(super) enum Conflict {
        /// Write nothing and list it.
        Report,
        /// Keep both, one under another name.
        KeepBoth,
        /// The folder's wins.
        Local,
        /// The remote's wins.
        Remote,
        /// The one modified later wins.
        Newer,
    }

    #[derive(JsonSchema)]
    #[schemars(rename_all = "lowercase")]
    pub(super) enum Metadata {
        /// As rclone does.
        Rclone,
        /// As s3fs does.
        S3fs,
        /// The modification time alone.
        Minimal,
    }

    #[derive(JsonSchema)]
    #[schemars(rename_all = "lowercase")]
    pub(super) enum RemoteCheck {
        /// List it.
        List,
        /// Trust the record.
        State,
    }
}
