//! `rclone.conf`: each remote of type `s3` becomes a profile.
//!
//! rclone writes the secret key of an S3 remote as it is (it obscures passwords, which
//! this is none), so it is taken as it is. Settings that tune transfers are left out,
//! as ours are found by themselves; those that change what is stored, or how it is
//! reached, are told. Remotes of other types are told by their names.

use super::ini::{Section, Setting};
use super::{Imported, Note, endpoint, ini};
use crate::api::Sse;
use crate::config::{Credentials, Profile};
use crate::secrets::Secret;
use tidelock_remote::url::{setting as setting_shown, word};

/// How an encrypted configuration begins.
pub(super) const ENCRYPTED: &str = "RCLONE_ENCRYPT_V0:";

/// What to say of an encrypted one.
pub(super) fn how_to_decrypt() -> String {
    "this rclone.conf is encrypted; let rclone show it, and import what it shows: \
     `rclone config show >plain.conf`, import plain.conf, and remove it"
        .to_owned()
}

/// Settings that we find by ourselves, or that are rclone's own.
const TUNING: &[&str] = &[
    "type",
    "description",
    "chunk_size",
    "copy_cutoff",
    "upload_cutoff",
    "upload_concurrency",
    "max_upload_parts",
    "memory_pool_flush_time",
    "memory_pool_use_mmap",
    "disable_checksum",
    "disable_http2",
    "no_check_bucket",
    "no_head",
    "no_head_object",
    "list_chunk",
    "list_version",
    "list_url_encode",
    "use_multipart_etag",
    "use_multipart_uploads",
    "use_presigned_request",
    "use_unsigned_payload",
    "use_already_exists",
    "use_accept_encoding_gzip",
    "use_data_integrity_protections",
    "use_x_id",
    "sign_accept_encoding",
    "leave_parts_on_error",
    "might_gzip",
    "location_constraint",
];

/// Settings that become ours, read in [`profile`].
const TAKEN: &[&str] = &[
    "provider",
    "env_auth",
    "profile",
    "access_key_id",
    "secret_access_key",
    "region",
    "endpoint",
    "force_path_style",
    "storage_class",
    "server_side_encryption",
    "sse_kms_key_id",
];

/// Reads the text.
pub(super) fn read(text: &str) -> Result<Imported, String> {
    if text.contains(ENCRYPTED) {
        return Err(how_to_decrypt());
    }
    let mut found = Imported::default();
    for section in ini::read(text)? {
        match section.get("type") {
            Some("s3") => remote(&mut found, &section),
            Some("alias") => {
                // It may spell out a whole remote, with its keys.
                let target = section.get("remote").filter(|target| !target.contains(',')).unwrap_or("another remote");
                let target = word(target);
                let what = format!("a name for {target}; give pairs that place instead, as in `PROFILE:PREFIX`");
                found.note(Some(section.line), word(&section.name), what);
            }
            Some("crypt") => {
                let what = "not carried over: Tidelock does not encrypt on this side, and reads what rclone encrypted \
                            as it lies there";
                found.note(Some(section.line), word(&section.name), what);
            }
            Some(other) => {
                let what =
                    format!("not carried over: a remote of type {}, and Tidelock speaks S3", setting_shown(other));
                found.note(Some(section.line), word(&section.name), what);
            }
            None => found.note(Some(section.line), word(&section.name), "not carried over: it names no type"),
        }
    }
    Ok(found)
}

fn remote(found: &mut Imported, section: &Section) {
    let mut notes: Vec<Note> = Vec::new();
    let (profile, secret) = profile(section, &mut notes);
    for setting in section.keys.iter().filter(|setting| !setting.value.is_empty()) {
        let key = setting.key.as_str();
        if TAKEN.contains(&key) || TUNING.contains(&key) {
            continue;
        }
        notes.push(Note {
            line: Some(setting.line),
            about: setting_shown(key).into_owned(),
            what: left_out(key).to_owned(),
        });
    }
    let name = found.add_profile(&section.name, profile, secret);
    if name != section.name {
        found.note(Some(section.line), word(&section.name), format!("is called {name} here"));
    }
    found.notes.extend(notes.into_iter().map(|note| Note { about: format!("{name}: {}", note.about), ..note }));
}

/// The profile, and its secret if it has one.
fn profile(section: &Section, notes: &mut Vec<Note>) -> (Profile, Option<Secret>) {
    let text = |key: &str| section.get(key).map(str::to_owned);
    let mut note = |key: &str, what: &str| {
        let line = section.keys.iter().rev().find(|setting: &&Setting| setting.key == key).map(|setting| setting.line);
        notes.push(Note { line: line.or(Some(section.line)), about: key.to_owned(), what: what.to_owned() });
    };
    let mut profile = Profile {
        provider: section.get("provider").and_then(provider).map(str::to_owned),
        region: text("region").filter(|region| region != "other-v2-signature"),
        path_style: section.get("force_path_style").map(|_| section.is_on("force_path_style")),
        storage_class: text("storage_class"),
        ..Profile::default()
    };
    if let Some(address) = section.get("endpoint") {
        match endpoint(address, "https") {
            Ok(address) => profile.endpoint = Some(address),
            Err(why) => note("endpoint", why),
        }
    }
    match section.get("server_side_encryption") {
        None => {}
        Some("AES256") => profile.sse = Some(Sse::Aes256),
        Some("aws:kms") => {
            profile.sse = Some(Sse::Kms);
            profile.sse_kms_key = text("sse_kms_key_id");
        }
        Some(_) => note("server_side_encryption", "not carried over: neither AES256 nor aws:kms"),
    }
    let secret = match (section.is_on("env_auth"), text("access_key_id"), section.get("secret_access_key")) {
        (true, ..) => {
            profile.aws_profile = text("profile");
            None
        }
        (false, Some(id), Some(secret)) => {
            profile.access_key_id = Some(id);
            profile.credentials = Credentials::Keyring;
            Some(Secret::new(secret.to_owned()))
        }
        (false, ..) => {
            note(
                "access_key_id",
                "there are no keys: rclone asks without a name then, and Tidelock never does; the \
                                   standard AWS places are asked",
            );
            None
        }
    };
    (profile, secret)
}

/// Providers by our names for them (docs/providers.md); of others the address says enough.
fn provider(theirs: &str) -> Option<&'static str> {
    Some(match theirs {
        "AWS" => "aws",
        "Alibaba" => "alibaba",
        "Ceph" => "ceph",
        "Cloudflare" => "r2",
        "DigitalOcean" => "digitalocean",
        "GCS" => "gcs",
        "Hetzner" => "hetzner",
        "IDrive" => "idrive",
        "IONOS" => "ionos",
        "Linode" => "linode",
        "Minio" => "minio",
        "OVHcloud" => "ovh",
        "Rclone" => "rclone",
        "Scaleway" => "scaleway",
        "SeaweedFS" => "seaweedfs",
        "Storj" => "storj",
        "TencentCOS" => "tencent",
        "Wasabi" => "wasabi",
        _ => return None,
    })
}

fn left_out(key: &str) -> &'static str {
    match key {
        "session_token" => "not carried over: a session's keys last for hours; sign in with the AWS tools instead",
        "acl" | "bucket_acl" => "not carried over: Tidelock sets no access lists; the bucket's own policy holds",
        "v2_auth" => "not carried over: requests are always signed by version 4",
        "role_arn" | "role_session_name" | "role_session_duration" | "role_external_id" => {
            "not carried over: put it into a profile of ~/.aws/config, and name that one as aws_profile"
        }
        "shared_credentials_file" => "not carried over: set AWS_SHARED_CREDENTIALS_FILE instead",
        "requester_pays" | "use_accelerate_endpoint" | "use_dual_stack" | "use_arn_region" => {
            "not carried over: there is no such setting here"
        }
        "sse_customer_key" | "sse_customer_key_base64" | "sse_customer_key_md5" | "sse_customer_algorithm" => {
            "not carried over: keys that the client hands to the service with every request are not supported, and \
             objects stored with one cannot be read"
        }
        "directory_markers" => "not carried over: empty folders are always kept, by markers",
        "versions" | "version_at" | "version_deleted" => {
            "not carried over: it shows old versions, which is no setting here"
        }
        "storage_class" => "not carried over",
        "encoding" => "not carried over: names are stored as they are (docs/semantics.md)",
        "decompress" => "not carried over: bytes are never changed on the way",
        _ => "not carried over: not known",
    }
}

#[cfg(test)]
mod tests {
    use tidelock_remote::s3::provider::Provider;

    #[test]
    fn every_provider_is_one_of_ours() {
        let theirs = [
            "AWS",
            "Alibaba",
            "Ceph",
            "Cloudflare",
            "DigitalOcean",
            "GCS",
            "Hetzner",
            "IDrive",
            "IONOS",
            "Linode",
            "Minio",
            "OVHcloud",
            "Rclone",
            "Scaleway",
            "SeaweedFS",
            "Storj",
            "TencentCOS",
            "Wasabi",
        ];
        for name in theirs {
            let ours = super::provider(name).expect(name);
            assert!(Provider::named(ours).is_some(), "{ours}");
        }
        assert_eq!(super::provider("Other"), None);
    }
}
