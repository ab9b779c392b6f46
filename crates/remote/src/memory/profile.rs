//! Which of the world's S3 servers a memory remote behaves like.
//!
//! Endpoints differ in what they do with a condition (honour it, overlook it,
//! refuse it), in how they make ETags and in how they list. A profile is that
//! choice and nothing else; the abilities it implies are reported truthfully.

use crate::{Ability, Capabilities};
use std::collections::BTreeMap;

/// What a place does when asked for something beyond the basics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Support {
    /// It does it.
    #[default]
    Honoured,
    /// It answers as if it had, and does not.
    Ignored,
    /// It says that it cannot. Once [`crate::Remote::capabilities`] has found
    /// this out, a condition is no longer sent, as an S3 client would do.
    Refused,
}

/// How entity tags come about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Etags {
    /// MD5 of a body sent whole; MD5 of the parts' MD5s and their number for one
    /// sent in parts.
    #[default]
    Md5,
    /// The same for whole bodies, a fresh one for each upload in parts.
    RandomParts,
    /// A fresh one for each write, even of the same bytes.
    Opaque,
}

/// The behaviour of a memory remote.
#[derive(Debug, Clone)]
pub struct Profile {
    /// What is not honoured. Absent is [`Support::Honoured`].
    pub support: BTreeMap<Ability, Support>,
    /// How entity tags come about.
    pub etags: Etags,
    /// Objects per page of a listing, at least 1.
    pub page_size: usize,
    /// Bodies over this length are sent in parts.
    pub single_max_bytes: u64,
    /// How long the parts of one source are, at least 1.
    pub part_bytes: u64,
    /// No part but the last may be shorter.
    pub part_min_bytes: u64,
    /// Objects over this length are copied in parts.
    pub copy_max_bytes: u64,
    /// How long the chunks of a download are, at least 1.
    pub chunk_bytes: usize,
    /// The longest segment between slashes, where the place keeps keys as files.
    pub segment_max_bytes: Option<usize>,
    /// Whether the reply to a write tells its Last-Modified. S3's does not.
    pub tells_modified: bool,
}

impl Default for Profile {
    fn default() -> Self {
        Self {
            support: BTreeMap::new(),
            etags: Etags::Md5,
            page_size: 1000,
            single_max_bytes: 8 << 20,
            part_bytes: 8 << 20,
            part_min_bytes: 5 << 20,
            copy_max_bytes: 5 << 30,
            chunk_bytes: 64 << 10,
            segment_max_bytes: None,
            tells_modified: false,
        }
    }
}

const CONDITIONS: [Ability; 6] = [
    Ability::PutIfAbsent,
    Ability::PutIfMatch,
    Ability::DeleteIfMatch,
    Ability::BatchDeleteIfMatch,
    Ability::CopyIfMatch,
    Ability::CopySourceIfMatch,
];

impl Profile {
    /// AWS without versioning: everything else.
    pub fn aws() -> Self {
        Self::default().with(Ability::Versions, Support::Ignored)
    }

    /// AWS with versioning.
    pub fn versioned() -> Self {
        Self::default()
    }

    /// A server that overlooks every condition, as rclone's does, and copies no
    /// parts.
    pub fn ignoring() -> Self {
        let bare = Self::aws().with(Ability::PartCopy, Support::Refused).with(Ability::Crc64Nvme, Support::Ignored);
        CONDITIONS.into_iter().fold(bare, |profile, ability| profile.with(ability, Support::Ignored))
    }

    /// A server that refuses every condition on a destination.
    pub fn refusing() -> Self {
        CONDITIONS
            .into_iter()
            .filter(|ability| *ability != Ability::CopySourceIfMatch)
            .fold(Self::aws(), |profile, ability| profile.with(ability, Support::Refused))
    }

    /// A server with conditions and no fixed ETag for uploads in parts, as R2.
    pub fn random_parts() -> Self {
        let base = Self::aws().with(Ability::Crc64Nvme, Support::Ignored);
        Self { etags: Etags::RandomParts, ..base }
    }

    /// A server that lists in no order, as directory buckets do.
    pub fn unordered() -> Self {
        Self::aws().with(Ability::OrderedList, Support::Ignored)
    }

    /// The same with this instead.
    #[must_use]
    pub fn with(mut self, ability: Ability, support: Support) -> Self {
        self.support.insert(ability, support);
        self
    }

    /// The same with limits on parts as if a mebibyte were so many bytes.
    #[must_use]
    pub fn with_mib(mut self, mib: usize) -> Self {
        let mib = mib as u64;
        self.single_max_bytes = 8 * mib;
        self.part_bytes = 8 * mib;
        self.part_min_bytes = 5 * mib;
        self
    }

    /// The same with part and page sizes of a few bytes and keys, so that small
    /// simulated files go through every path.
    #[must_use]
    pub fn tiny(mut self) -> Self {
        self.page_size = 3;
        self.single_max_bytes = 32;
        self.part_bytes = 16;
        self.part_min_bytes = 8;
        self.copy_max_bytes = 48;
        self.chunk_bytes = 7;
        self
    }

    /// What is done with this.
    pub fn support(&self, ability: Ability) -> Support {
        self.support.get(&ability).copied().unwrap_or_default()
    }

    /// Whether this is really done.
    pub fn honours(&self, ability: Ability) -> bool {
        self.support(ability) == Support::Honoured
    }

    /// What may truthfully be said of `needed`.
    pub fn capabilities(&self, needed: &[Ability]) -> Capabilities {
        Capabilities(needed.iter().map(|ability| (*ability, self.honours(*ability))).collect())
    }
}
