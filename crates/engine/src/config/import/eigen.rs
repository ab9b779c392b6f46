//! The desktop backup's S3 settings, as JSON: one profile.
//!
//! Keys may be spelt with underscores or humps. Its prefix becomes a part of remotes,
//! which it has none of in this file, so that is told.

use super::{Imported, endpoint};
use crate::config::{Credentials, Profile};
use crate::secrets::Secret;
use serde_json::{Map, Value};
use tidelock_remote::url::setting;

/// Keys that say nothing to us: what was, not what should be.
const PAST: &[&str] = &["last_sync", "last_sync_time", "is_configured", "configured"];

/// Reads the text.
pub(super) fn read(text: &str) -> Result<Imported, String> {
    let told =
        |error: serde_json::Error| format!("line {}, column {}: this is no JSON object", error.line(), error.column());
    let map: Map<String, Value> = serde_json::from_str(text).map_err(told)?;
    let mut map: Map<String, Value> = map.into_iter().map(|(key, value)| (underscored(&key), value)).collect();
    // Some wrap them once more.
    if let Some(Value::Object(inner)) = map.remove("s3") {
        map.extend(inner.into_iter().map(|(key, value)| (underscored(&key), value)));
    }
    let mut take = |names: &[&str]| {
        let found: Vec<Value> = names.iter().filter_map(|name| map.remove(*name)).collect();
        // Taken over as it is: one of them is the secret, and a copy would stay behind.
        found.into_iter().find_map(|value| match value {
            Value::String(text) if !text.is_empty() => Some(text),
            _ => None,
        })
    };
    let mut found = Imported::default();
    let mut profile = Profile {
        region: take(&["region"]),
        bucket: take(&["bucket", "bucket_name"]),
        storage_class: take(&["storage_class"]),
        ..Profile::default()
    };
    if let Some(address) = take(&["endpoint", "endpoint_url"]) {
        match endpoint(&address, "https") {
            Ok(address) => profile.endpoint = Some(address),
            Err(why) => found.note(None, "endpoint", why),
        }
    }
    let id = take(&["access_key_id", "access_key"]);
    let secret = take(&["secret_access_key", "secret_key", "secret"]).map(Secret::new);
    let prefix = take(&["path_prefix", "prefix"]);
    if profile.bucket.is_none() && profile.endpoint.is_none() && id.is_none() {
        return Err("it holds none of endpoint, bucket and access_key_id, so it is not the desktop backup's".to_owned());
    }
    if id.is_some() {
        profile.credentials = Credentials::Keyring;
        profile.access_key_id = id;
        if secret.is_none() {
            let what = "its secret is in that program's own keyring; store it with `tidelock config set-secret eigen`";
            found.note(None, "secret_access_key", what);
        }
    }
    if let Some(prefix) = prefix {
        let prefix = prefix.trim_matches('/');
        let what = format!("begin remotes with it, as in `tidelock sync FOLDER eigen:{prefix}`");
        found.note(None, format!("path_prefix {prefix:?}"), what);
    }
    for key in map.keys().filter(|key| !PAST.contains(&key.as_str())) {
        found.note(None, setting(key), "not carried over: not known");
    }
    found.add_profile("eigen", profile, secret);
    Ok(found)
}

/// `accessKeyId` as `access_key_id`.
fn underscored(key: &str) -> String {
    let mut out = String::new();
    for c in key.chars() {
        if c.is_ascii_uppercase() && !out.is_empty() && !out.ends_with('_') {
            out.push('_');
        }
        out.push(if c == '-' { '_' } else { c.to_ascii_lowercase() });
    }
    out
}
