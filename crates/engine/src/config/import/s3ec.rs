//! The event client's settings: a gateway's address and a key for it.
//!
//! Tidelock reaches gateways by their S3 face, and this file names none; so nothing
//! becomes a setting, and all of it is told. Of its values only the address is shown.

use super::{Imported, is_remark};
use serde_json::{Map, Value};
use tidelock_remote::url::{setting, word};

/// Reads the text: JSON, or lines of `key = value` or `key: value`.
pub(super) fn read(text: &str) -> Result<Imported, String> {
    let mut found = Imported::default();
    if text.trim_start().starts_with('{') {
        let map: Map<String, Value> = serde_json::from_str(text)
            .map_err(|error| format!("line {}, column {}: this is no JSON object", error.line(), error.column()))?;
        for (key, value) in &map {
            found.note(None, setting(key), became(key, value.as_str().unwrap_or_default()));
        }
        return Ok(found);
    }
    for (line, number) in text.lines().zip(1_u32..).filter(|(line, _)| !is_remark(line.trim())) {
        let Some((key, value)) = line.split_once(['=', ':']) else {
            return Err(format!("line {number} is no `key = value`"));
        };
        let key = key.trim();
        found.note(Some(number), setting(key), became(key, value.trim().trim_matches('"')));
    }
    Ok(found)
}

/// What became of a setting.
fn became(key: &str, value: &str) -> String {
    match key {
        "server_url" => {
            let shown = if value.contains(['@', '?', ' ']) { "that gateway".into() } else { word(value) };
            format!("not carried over: {shown} speaks a protocol of its own; syncing with a gateway is yet to come")
        }
        "api_key" => "not carried over, as it is of use to that gateway alone; keep this file until then".to_owned(),
        "token" | "expires_at" => "not carried over: a token is made anew at each login".to_owned(),
        _ => "not carried over: not known".to_owned(),
    }
}
