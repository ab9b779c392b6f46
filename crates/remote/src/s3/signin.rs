//! What a person is told when nobody signs us in.
//!
//! The chain of the AWS crate says what went wrong; this adds what to do about it.
//! Which source was asked follows from the settings, in the chain's own order: the
//! profile, a web identity, a container, the machine. Nothing secret is in what it
//! says.

use super::config::chain;
use crate::error::{Error, ErrorKind};
use aws_config::meta::ProviderChainError;
use aws_config::profile::ProfileSet;
use aws_credential_types::provider::error::CredentialsError;
use std::path::PathBuf;
use std::time::Duration;

/// Whom the chain asks for credentials.
#[derive(Debug, Clone)]
pub(super) enum Source {
    /// This profile, which rests on an SSO login.
    Sso(String),
    /// This profile, by other means.
    Profile(String),
    /// STS, with the token in this file.
    WebIdentity(String),
    /// The endpoint that this variable names.
    Container(&'static str),
    /// The metadata service at this address.
    Machine(String),
}

impl Source {
    /// The first that is set up.
    pub(super) fn of(profile: &ProfileSet) -> Self {
        let set = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        if let Some(source) = of_profile(profile) {
            return source;
        }
        if let Some(file) = set("AWS_WEB_IDENTITY_TOKEN_FILE") {
            return Self::WebIdentity(file);
        }
        for name in ["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI"] {
            if set(name).is_some() {
                return Self::Container(name);
            }
        }
        let metadata = set("AWS_EC2_METADATA_SERVICE_ENDPOINT")
            .or_else(|| profile.get("ec2_metadata_service_endpoint").map(str::to_owned));
        Self::Machine(metadata.unwrap_or_else(|| "http://169.254.169.254".to_owned()))
    }

    /// The error for a chain that gave nothing.
    pub(super) fn refused(&self, error: &CredentialsError) -> Error {
        // The chain passes over a file that it cannot read, and ends at the machine.
        if let (Self::Machine(_), Some(why)) = (self, unreadable()) {
            return Error::new(ErrorKind::Credentials, "sign in", format!("no AWS credentials were found: {why}"));
        }
        if let CredentialsError::CredentialsNotLoaded(_) = error {
            return self.nobody(error);
        }
        let text = chain(error);
        // Also a refusal of the portal: then the token was withdrawn.
        let wants_login = text.contains("SSO token") || text.contains("UnauthorizedException");
        let message = match self {
            Self::Sso(profile) if wants_login => format!(
                "the SSO login of the profile {profile:?} is missing or has expired ({text}); \
                 run `aws sso login --profile {profile}`"
            ),
            _ => format!("the AWS credentials could not be obtained: {text}; {}", self.remedy()),
        };
        Error::new(ErrorKind::Credentials, "sign in", message)
    }

    /// The error for a source that has not answered for so long.
    pub(super) fn silent(&self, waited: Duration) -> Error {
        let message =
            format!("the source of the AWS credentials said nothing for {} s; {}", waited.as_secs(), self.remedy());
        Error::new(ErrorKind::Credentials, "sign in", message)
    }

    fn remedy(&self) -> String {
        match self {
            Self::Sso(profile) | Self::Profile(profile) => format!("check the profile {profile:?}, or sign in again"),
            Self::WebIdentity(file) => format!("check the role, and the token in {file} (AWS_WEB_IDENTITY_TOKEN_FILE)"),
            Self::Container(name) => format!("check {name} and the token that goes with it"),
            Self::Machine(url) => format!(
                "the instance metadata service at {url} was asked last: if this machine has none, \
                 AWS_EC2_METADATA_DISABLED=true spares the wait"
            ),
        }
    }

    fn nobody(&self, error: &CredentialsError) -> Error {
        let mut message = no_credentials().message;
        let attempts = std::error::Error::source(error)
            .and_then(|source| source.downcast_ref::<ProviderChainError<CredentialsError>>())
            .map_or(&[][..], ProviderChainError::attempts);
        let last = attempts.last().map(|attempt| chain(attempt.error())).unwrap_or_default();
        if let Self::Machine(_) = self
            && last.contains("could not communicate with IMDS")
        {
            message.push_str(&format!("; {}", self.remedy()));
        }
        Error::new(ErrorKind::Credentials, "sign in", message)
    }
}

/// Which of the shared AWS files is there and cannot be read, and why.
pub(super) fn unreadable() -> Option<String> {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    let home = set("HOME").map(PathBuf::from);
    let files = [("AWS_SHARED_CREDENTIALS_FILE", "credentials"), ("AWS_CONFIG_FILE", "config")];
    files.into_iter().find_map(|(variable, name)| {
        let usual = || home.as_ref().map(|home| home.join(".aws").join(name));
        let path = set(variable).map(PathBuf::from).or_else(usual)?;
        let error = std::fs::read(&path).err().filter(|error| error.kind() != std::io::ErrorKind::NotFound)?;
        Some(format!("{} cannot be read: {error}; let this user read it", path.display()))
    })
}

/// Says that nobody gave credentials, and how to.
pub(super) fn no_credentials() -> Error {
    Error::new(
        ErrorKind::Credentials,
        "sign in",
        "no AWS credentials were found; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, \
         or name a profile with --profile or AWS_PROFILE (an SSO profile needs `aws sso login` first)",
    )
}

/// What the chosen profile rests on, through the profiles it takes its role from.
fn of_profile(profile: &ProfileSet) -> Option<Source> {
    let mut name = profile.selected_profile();
    // Profiles that name each other in a circle are the chain's to refuse.
    for _ in 0..8 {
        let found = profile.get_profile(name)?;
        if found.get("sso_session").or_else(|| found.get("sso_start_url")).is_some() {
            return Some(Source::Sso(name.to_owned()));
        }
        if let Some(file) = found.get("web_identity_token_file") {
            return Some(Source::WebIdentity(file.to_owned()));
        }
        match found.get("source_profile").filter(|next| *next != name) {
            Some(next) => name = next,
            None => {
                let has = ["aws_access_key_id", "credential_process", "role_arn", "login_session"];
                return has
                    .iter()
                    .any(|key| found.get(key).is_some())
                    .then(|| Source::Profile(profile.selected_profile().to_owned()));
            }
        }
    }
    None
}
