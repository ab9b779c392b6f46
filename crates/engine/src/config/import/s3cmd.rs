//! `~/.s3cfg`: its one section becomes a profile.
//!
//! s3cmd writes every setting it has into this file, so only those that differ from
//! its own defaults and would change what is stored, or how it is reached, are told.

use super::ini::Section;
use super::{Imported, endpoint, ini};
use crate::api::Sse;
use crate::config::{Credentials, Profile};
use crate::secrets::Secret;

/// The service that s3cmd means if nothing else is said.
const AMAZON: &str = "s3.amazonaws.com";

/// Switches that are off by default, and what it means for us that one is on.
const SWITCHES: &[(&str, &str)] = &[
    (
        "encrypt",
        "not carried over: Tidelock does not encrypt on this side; what s3cmd encrypted is read as it lies there",
    ),
    ("signature_v2", "not carried over: requests are always signed by version 4"),
    ("acl_public", "not carried over: Tidelock sets no access lists; the bucket's own policy holds"),
    ("requester_pays", "not carried over: there is no such setting here"),
    ("follow_symlinks", "not carried over: give pairs `follow_links = true`"),
    ("delete_removed", "not carried over: give pairs `mode = \"delete\"`"),
    ("delete_after_fetch", "not carried over: nothing is removed from a bucket because it was fetched"),
    ("skip_existing", "not carried over: a sync tells by content what must be sent"),
];

/// Texts that are empty by default, and what it means for us that one is not.
const TEXTS: &[(&str, &str)] = &[
    ("access_token", "not carried over: a session's keys last for hours; sign in with the AWS tools instead"),
    ("proxy_host", "not carried over: set HTTPS_PROXY or HTTP_PROXY instead"),
    ("ca_certs_file", "not carried over: set AWS_CA_BUNDLE to that file"),
    ("ssl_client_cert_file", "not carried over: there are no certificates of clients here"),
    ("add_headers", "not carried over: give pairs `meta` or `content_type`"),
    ("mime_type", "not carried over: give pairs `content_type`"),
    ("expiry_date", "not carried over: set a lifecycle rule on the bucket"),
    ("expiry_days", "not carried over: set a lifecycle rule on the bucket"),
];

/// Reads the text.
pub(super) fn read(text: &str) -> Result<Imported, String> {
    let mut found = Imported::default();
    let sections = ini::read(text)?;
    if sections.is_empty() {
        return Err("there is no [default] section in it".to_owned());
    }
    for section in &sections {
        let (profile, secret) = profile(&mut found, section);
        let name = if section.name == "default" { "s3cmd" } else { section.name.as_str() };
        found.add_profile(name, profile, secret);
    }
    Ok(found)
}

fn profile(found: &mut Imported, section: &Section) -> (Profile, Option<Secret>) {
    notes(found, section);
    let text = |key: &str| section.get(key).map(str::to_owned);
    let mut profile = Profile { region: region(section), storage_class: text("storage_class"), ..Profile::default() };
    if section.is_on("reduced_redundancy") {
        profile.storage_class = Some("REDUCED_REDUNDANCY".to_owned());
    }
    let host = section.get("host_base").unwrap_or(AMAZON);
    if host != AMAZON {
        let scheme = if section.is_off("use_https") { "http" } else { "https" };
        match endpoint(host, scheme) {
            Ok(address) => profile.endpoint = Some(address),
            Err(why) => found.note(line(section, "host_base"), "host_base", why),
        }
        // The bucket is part of the host's name, or of the path.
        profile.path_style = section.get("host_bucket").map(|pattern| !pattern.contains("%(bucket)s"));
    } else if section.is_off("use_https") {
        found.note(line(section, "use_https"), "use_https", "not carried over: Amazon is reached by https alone");
    }
    match (section.get("kms_key"), section.is_on("server_side_encryption")) {
        (Some(key), _) => {
            profile.sse = Some(Sse::Kms);
            profile.sse_kms_key = Some(key.to_owned());
        }
        (None, true) => profile.sse = Some(Sse::Aes256),
        (None, false) => {}
    }
    let secret = match (text("access_key"), section.get("secret_key")) {
        (Some(id), Some(secret)) => {
            profile.access_key_id = Some(id);
            profile.credentials = Credentials::Keyring;
            Some(Secret::new(secret.to_owned()))
        }
        _ => {
            let what = "there are none; the standard AWS places are asked";
            found.note(Some(section.line), "access_key and secret_key", what);
            None
        }
    };
    (profile, secret)
}

/// s3cmd calls Amazon's oldest regions by names of its own.
fn region(section: &Section) -> Option<String> {
    match section.get("bucket_location")? {
        "US" => None,
        "EU" => Some("eu-west-1".to_owned()),
        region => Some(region.to_owned()),
    }
}

fn notes(found: &mut Imported, section: &Section) {
    for (key, what) in SWITCHES.iter().filter(|(key, _)| section.is_on(key)) {
        found.note(line(section, key), *key, *what);
    }
    for (key, what) in TEXTS.iter().filter(|(key, _)| section.get(key).is_some()) {
        found.note(line(section, key), *key, *what);
    }
    for key in ["check_ssl_certificate", "check_ssl_hostname"] {
        if section.is_off(key) {
            let what = "not carried over: certificates are always checked; set AWS_CA_BUNDLE if yours is your own";
            found.note(line(section, key), key, what);
        }
    }
    for (key, usual, what) in [
        ("preserve_attrs", "True", "not carried over: give pairs `metadata = \"minimal\"`"),
        ("limitrate", "0", "not carried over: give pairs `bwlimit`, as in `bwlimit = \"10 MiB/s\"`"),
        ("max_delete", "-1", "not carried over: give pairs `max_delete`"),
    ] {
        if section.get(key).is_some_and(|value| value != usual) {
            found.note(line(section, key), key, what);
        }
    }
}

fn line(section: &Section, key: &str) -> Option<u32> {
    section.keys.iter().rev().find(|setting| setting.key == key).map(|setting| setting.line)
}
