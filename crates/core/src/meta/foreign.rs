//! Metadata as other programs write it, beyond rclone and s3fs.
//!
//! s3cmd and mc keep a list of attributes in one key, gsutil and the old s3sync one
//! key for each, DataSync keys that begin with `file-`, s3util a time alone. Read
//! only; where two say different things, the order here decides.

use super::{digits, escape, id_of, mode_in_base, mode_of, time};

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub mtime_ns: Option<i64>,
    pub mode: Option<u32>,
    pub uid: Option<u32>,
    pub gid: Option<u32>,
    pub md5: Option<[u8; 16]>,
}

const LISTS: [&str; 2] = ["s3cmd-attrs", "mc-attrs"];

pub(super) fn read<'a>(get: impl Fn(&str) -> Option<&'a str>) -> Found {
    let mut found = Found::default();
    for list in LISTS.iter().filter_map(|key| get(key)) {
        found.fill(from_list(list));
    }
    found.fill(Found {
        mtime_ns: get("goog-reserved-file-mtime").and_then(time::parse),
        mode: get("goog-reserved-posix-mode").and_then(|text| mode_in_base(text, 8)),
        uid: get("goog-reserved-posix-uid").and_then(id_of),
        gid: get("goog-reserved-posix-gid").and_then(id_of),
        md5: None,
    });
    found.fill(Found {
        mode: get("permissions").and_then(mode_of),
        uid: get("owner").and_then(id_of),
        gid: get("group").and_then(id_of),
        ..Found::default()
    });
    found.fill(Found {
        mtime_ns: get("file-mtime").and_then(time::from_ns),
        mode: get("file-permissions").and_then(|text| mode_in_base(text, 8)),
        uid: get("file-owner").and_then(id_of),
        gid: get("file-group").and_then(id_of),
        md5: None,
    });
    found.fill(Found { mtime_ns: get("s3sync_origin_last_modified").and_then(time::from_rfc3339), ..Found::default() });
    found
}

/// Whether a key holds a list of attributes.
pub(super) fn is_list(key: &str) -> bool {
    LISTS.contains(&key)
}

/// Whether one of these programs owns the key.
pub(super) fn is_known(key: &str) -> bool {
    const EXACT: &[&str] =
        &["owner", "group", "permissions", "file-mtime", "file-permissions", "file-owner", "file-group", "file-atime"];
    is_list(key)
        || EXACT.contains(&key)
        || ["goog-reserved-", "s3sync_origin_"].iter().any(|prefix| key.starts_with(prefix))
}

impl Found {
    /// Takes what is not known yet.
    fn fill(&mut self, other: Self) {
        self.mtime_ns = self.mtime_ns.or(other.mtime_ns);
        self.mode = self.mode.or(other.mode);
        self.uid = self.uid.or(other.uid);
        self.gid = self.gid.or(other.gid);
        self.md5 = self.md5.or(other.md5);
    }
}

/// `atime:1/ctime:2/gid:3/…`: what is before the first colon names what follows.
fn from_list(text: &str) -> Found {
    let mut found = Found::default();
    for (name, value) in text.split('/').filter_map(|pair| pair.split_once(':')) {
        match name {
            "mtime" => found.mtime_ns = time::from_hash(value),
            "mode" => found.mode = digits(value).and_then(mode_of),
            "uid" => found.uid = id_of(value),
            "gid" => found.gid = id_of(value),
            "md5" => found.md5 = escape::from_hex(value).and_then(|md5| md5.try_into().ok()),
            _ => {}
        }
    }
    found
}
