//! Settings: where the service is, how buckets are named, who we are.
//!
//! The standard AWS places are read by the AWS configuration crate: environment,
//! shared config and credentials files, profiles, `services` sections, SSO,
//! `credential_process`, web identity, container and instance metadata. What it
//! does not read (addressing style, CA bundle) is read here from the same profile.
//! Explicit options win. Nothing here opens a connection to the bucket.

use super::address::Endpoint;
use super::provider::Provider;
use super::signin::{Source, no_credentials, unreadable};
use crate::Encryption;
use crate::error::{Error, ErrorKind, Result};
use crate::url::word;
use aws_config::profile::ProfileSet;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_runtime::env_config::file::EnvConfigFiles;
use aws_smithy_http_client::{Builder, Connector, proxy::ProxyConfig, tls};
use aws_types::os_shim_internal::{Env, Fs};
use aws_types::service_config::ServiceConfigKey;
use std::path::PathBuf;
use zeroize::Zeroize;

/// What a person may say beside the standard AWS settings.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct S3Options {
    /// The service's address, `https://host[:port]`.
    pub endpoint: Option<String>,
    /// The region that requests are signed for.
    pub region: Option<String>,
    /// The service by its name in [`super::provider::PROVIDERS`], for its habits.
    pub provider: Option<String>,
    /// The profile in the shared AWS files.
    pub profile: Option<String>,
    /// Whether the bucket is named in the path instead of the host name.
    pub path_style: Option<bool>,
    /// Who we are, instead of whom the standard AWS places say.
    pub keys: Option<Keys>,
    /// How the place is to encrypt what is written; its own default if nobody says.
    pub encryption: Option<Encryption>,
}

/// An access key, as a login or a test gives it.
#[derive(Clone, PartialEq, Eq)]
pub struct Keys {
    /// The access key id.
    pub id: String,
    /// The secret key.
    pub secret: String,
    /// The session token of short-lived keys.
    pub token: Option<String>,
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keys").field("id", &self.id).finish_non_exhaustive()
    }
}

impl Drop for Keys {
    fn drop(&mut self) {
        self.secret.zeroize();
        self.token.zeroize();
    }
}

/// What the client works with.
pub(super) struct Settings {
    pub(super) endpoint: Endpoint,
    pub(super) fips: bool,
    pub(super) dual_stack: bool,
    pub(super) region: String,
    pub(super) path_style: bool,
    /// Bodies are hashed into the signature even where that proves nothing new.
    pub(super) sign_payload: bool,
    pub(super) ca_bundle: Option<PathBuf>,
    pub(super) credentials: SharedCredentialsProvider,
    pub(super) source: Source,
    pub(super) provider: &'static Provider,
    pub(super) encryption: Option<Encryption>,
}

impl std::fmt::Debug for Settings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Settings")
            .field("endpoint", &self.endpoint)
            .field("region", &self.region)
            .field("path_style", &self.path_style)
            .finish_non_exhaustive()
    }
}

impl Settings {
    /// Reads everything. Asks no credentials provider yet.
    pub(super) async fn load(bucket: &str, options: &S3Options) -> Result<Self> {
        let preset = options.provider.as_deref().map(provider).transpose()?;
        let profile = load_profile(options).await?;
        let ca_bundle = ca_bundle(&profile)?;
        let config = load_chain(options, &profile, ca_bundle.as_ref()).await?;
        let credentials = match &options.keys {
            Some(keys) => SharedCredentialsProvider::new(Credentials::new(
                &keys.id,
                &keys.secret,
                keys.token.clone(),
                None,
                "options",
            )),
            None => config.credentials_provider().ok_or_else(no_credentials)?,
        };
        let (fips, dual_stack) = (config.use_fips().unwrap_or(false), config.use_dual_stack().unwrap_or(false));
        let given = endpoint(options, &config)?;
        let region = region(&config, given.as_ref(), preset)?;
        let endpoint = match (given, preset) {
            (Some(given), _) => given,
            (None, Some(preset)) if preset.name != "aws" => preset_endpoint(preset, &region)?,
            (None, _) => Endpoint::amazon(&region, fips, dual_stack),
        };
        let habit = preset.and_then(|preset| preset.path_style);
        let path_style = path_style(bucket, options, &profile, &endpoint, habit)?;
        let sign_payload = s3_setting(&profile, "payload_signing_enabled").is_some_and(|value| value == "true");
        Ok(Self {
            endpoint,
            fips,
            dual_stack,
            region,
            path_style,
            sign_payload,
            ca_bundle,
            credentials,
            source: Source::of(&profile),
            provider: preset.unwrap_or(Provider::usual()),
            encryption: options.encryption.clone(),
        })
    }
}

fn provider(name: &str) -> Result<&'static Provider> {
    Provider::named(name).ok_or_else(|| {
        config_error(format!(
            "there is no provider {name:?}; there are {}, described in docs/providers.md",
            Provider::names()
        ))
    })
}

fn preset_endpoint(preset: &Provider, region: &str) -> Result<Endpoint> {
    let Some(address) = preset.address(region) else {
        let what = format!("{} listens where you say: give --endpoint, or `endpoint` in the profile", preset.title);
        return Err(config_error(what));
    };
    Endpoint::parse(&address).map_err(|why| config_error(format!("{region:?} is no region of {}: {why}", preset.title)))
}

fn config_error(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Config, "read the AWS settings", message)
}

async fn load_profile(options: &S3Options) -> Result<ProfileSet> {
    let chosen = options.profile.clone().map(Into::into);
    let profile = aws_config::profile::load(&Fs::real(), &Env::real(), &EnvConfigFiles::default(), chosen)
        .await
        .map_err(|error| config_error(format!("the shared AWS config files cannot be read: {}", chain(&error))))?;
    let named = |name: &str, by: &str| match profile.get_profile(name) {
        Some(_) => Ok(()),
        None => Err(config_error(match unreadable() {
            Some(why) => format!("the profile {:?} was not found: {why}", word(name)),
            None => {
                format!(
                    "the profile {:?} is neither in ~/.aws/config nor in ~/.aws/credentials; correct {by}",
                    word(name)
                )
            }
        })),
    };
    match (&options.profile, std::env::var("AWS_PROFILE")) {
        (Some(name), _) => named(name, "what names it: --profile, TIDELOCK_PROFILE or the configuration")?,
        // Without it the chain would go on to whatever else it finds, up to the role of
        // the machine. The default one need not be written anywhere.
        (None, Ok(name)) if options.keys.is_none() && !name.is_empty() && name != "default" => {
            named(&name, "AWS_PROFILE")?;
        }
        _ => {}
    }
    Ok(profile)
}

/// The error and everything beneath it, on one line.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut below = error.source();
    while let Some(source) = below {
        let more = source.to_string();
        if !text.contains(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        below = source.source();
    }
    text
}

fn ca_bundle(profile: &ProfileSet) -> Result<Option<PathBuf>> {
    let named = std::env::var("AWS_CA_BUNDLE").ok().filter(|path| !path.is_empty());
    let Some(path) = named.or_else(|| profile.get("ca_bundle").map(str::to_owned)) else {
        return Ok(None);
    };
    let path = PathBuf::from(path);
    if !path.is_file() {
        return Err(config_error(format!(
            "the CA bundle {} is not a file; correct AWS_CA_BUNDLE or ca_bundle",
            path.display()
        )));
    }
    Ok(Some(path))
}

async fn load_chain(options: &S3Options, profile: &ProfileSet, ca_bundle: Option<&PathBuf>) -> Result<SdkConfig> {
    let mut trust = tls::TrustStore::default();
    if let Some(path) = ca_bundle {
        let pem = std::fs::read(path).map_err(|error| config_error(format!("{}: {error}", path.display())))?;
        trust = tls::TrustStore::empty().with_pem_certificate(pem);
    }
    let context = tls::TlsContext::builder()
        .with_trust_store(trust)
        .build()
        .map_err(|error| config_error(format!("TLS cannot be set up: {error}")))?;
    // The credential providers that speak HTTP take the same proxies and roots.
    let http = Builder::new().build_with_connector_fn(move |settings, components| {
        let mut connector = Connector::builder().proxy_config(ProxyConfig::from_env());
        if let Some(settings) = settings {
            connector = connector.connector_settings(settings.clone());
        }
        connector.set_sleep_impl(components.and_then(|components| components.sleep_impl()));
        let provider = tls::Provider::Rustls(tls::rustls_provider::CryptoMode::AwsLc);
        connector.tls_provider(provider).tls_context(context.clone()).build()
    });
    let mut loader = aws_config::defaults(BehaviorVersion::latest()).http_client(http);
    if let Some(profile) = &options.profile {
        loader = loader.profile_name(profile);
    }
    if let Some(region) = options.region.clone().or_else(|| region_of_custom_endpoint(options, profile)) {
        loader = loader.region(Region::new(region));
    }
    Ok(loader.load().await)
}

/// The region for an endpoint of one's own, if none is set anywhere: the chain
/// would go on to ask the metadata service of a cloud that this is not.
fn region_of_custom_endpoint(options: &S3Options, profile: &ProfileSet) -> Option<String> {
    let preset = options.provider.as_deref().and_then(Provider::named);
    let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let custom = options.endpoint.as_ref().is_some_and(|text| Endpoint::parse(text).is_ok_and(|found| !found.amazon))
        || set("AWS_ENDPOINT_URL_S3")
        || set("AWS_ENDPOINT_URL")
        || profile.get("endpoint_url").is_some();
    let known = set("AWS_REGION") || set("AWS_DEFAULT_REGION") || profile.get("region").is_some();
    match preset {
        _ if known => None,
        Some(Provider { region: Some(region), .. }) => Some((*region).to_owned()),
        _ => custom.then(|| "us-east-1".to_owned()),
    }
}

fn endpoint(options: &S3Options, config: &SdkConfig) -> Result<Option<Endpoint>> {
    let configured = || {
        let key = ServiceConfigKey::builder()
            .service_id("s3")
            .env("AWS_ENDPOINT_URL")
            .profile("endpoint_url")
            .build()
            .ok()?;
        config.service_config()?.load_config(key)
    };
    let Some(text) = options.endpoint.clone().or_else(configured).filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    Endpoint::parse(&text).map(Some).map_err(|why| {
        let source = if options.endpoint.is_some() { "--endpoint" } else { endpoint_source(&text) };
        config_error(format!("the endpoint {:?} is not usable: {why}; correct {source}", word(&text)))
    })
}

/// Where an endpoint was set that nobody named on the command line.
fn endpoint_source(text: &str) -> &'static str {
    let says = |name: &&str| std::env::var(name).is_ok_and(|value| value == text);
    ["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"].into_iter().find(says).unwrap_or("endpoint_url in the profile")
}

/// Whether a region may be called so.
pub fn is_region(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
}

fn region(config: &SdkConfig, given: Option<&Endpoint>, preset: Option<&Provider>) -> Result<String> {
    if let Some(region) = config.region().map(Region::as_ref) {
        // It becomes part of addresses and signatures, and may come from anywhere.
        if is_region(region) {
            return Ok(region.to_owned());
        }
        let what = format!("{:?} is no region; write it as in \"eu-central-1\"", word(region));
        return Err(config_error(format!("{what}, in AWS_REGION, or as `region` in the profile")));
    }
    match (given, preset) {
        (Some(endpoint), _) if !endpoint.amazon => Ok("us-east-1".to_owned()),
        (None, Some(preset)) if preset.is_regional() => Err(config_error(format!(
            "{} listens at a host for each region, and none is set; give --region, AWS_REGION, or `region` in the profile",
            preset.title
        ))),
        _ => Err(config_error("no region is set; give --region, AWS_REGION, or `region` in the profile")),
    }
}

/// Whether the bucket is named in the path: always where no bucket can be part of the host,
/// else as the user says, as the service is used to, or as suits the endpoint.
fn path_style(
    bucket: &str,
    options: &S3Options,
    profile: &ProfileSet,
    endpoint: &Endpoint,
    habit: Option<bool>,
) -> Result<bool> {
    let said = match s3_setting(profile, "addressing_style").as_deref() {
        _ if options.path_style.is_some() => options.path_style,
        None => habit,
        Some("path") => Some(true),
        Some("virtual") => Some(false),
        Some("auto") => None,
        Some(other) => {
            let what = format!("addressing_style is {other:?} in the profile; it may be auto, virtual or path");
            return Err(config_error(what));
        }
    };
    // Dots in the bucket's name would not match Amazon's certificate.
    let usual = || !endpoint.amazon || (endpoint.tls && bucket.contains('.'));
    Ok(endpoint.is_address_or_local() || said.unwrap_or_else(usual))
}

/// A setting of the `s3 =` block of the profile.
fn s3_setting(profile: &ProfileSet, name: &str) -> Option<String> {
    profile.get("s3")?.lines().find_map(|line| {
        let (key, value) = line.split_once('=')?;
        (key.trim() == name).then(|| value.trim().to_ascii_lowercase())
    })
}
