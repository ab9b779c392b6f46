//! Reading a file once, for everything one may want to know of its bytes.
//!
//! BLAKE3 always; CRC64NVME and MD5s only where an object's evidence is of that
//! kind. The file is read through one open handle, whoever asks checks the handle's
//! stamp before and after.

use crate::disk::{ReadFile, Result};
use md5::{Digest as _, Md5};
use tidelock_core::entry::{Digest, RemoteStamp};
use tidelock_core::hex::hex;

/// How much is read at once.
const CHUNK_BYTES: usize = 1 << 20;

/// What to compute besides BLAKE3.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    /// CRC64NVME over the whole.
    pub crc64nvme: bool,
    /// MD5 over the whole.
    pub md5: bool,
    /// S3's ETag for an upload in parts of these many bytes each.
    pub part_sizes: Vec<u64>,
}

/// What a file's bytes amount to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fingerprint {
    /// BLAKE3.
    pub digest: Digest,
    /// How many bytes there were.
    pub size: u64,
    /// CRC64NVME, if wanted.
    pub crc64nvme: Option<u64>,
    /// ETags that S3 would give these bytes, in lower-case hexadecimal.
    pub etags: Vec<String>,
}

/// Reads the whole file.
pub async fn fingerprint(file: &dyn ReadFile, wanted: &Wanted) -> Result<Fingerprint> {
    let mut hashes = Hashes::new(wanted);
    loop {
        let bytes = file.read_at(hashes.size, CHUNK_BYTES).await?;
        if bytes.is_empty() {
            return Ok(hashes.finish());
        }
        hashes.update(&bytes);
    }
}

/// The same of bytes that are at hand, as a link's target.
pub fn fingerprint_of(bytes: &[u8], wanted: &Wanted) -> Fingerprint {
    let mut hashes = Hashes::new(wanted);
    hashes.update(bytes);
    hashes.finish()
}

struct Hashes {
    size: u64,
    blake: blake3::Hasher,
    crc: Option<crc_fast::Digest>,
    whole: Option<Md5>,
    parts: Vec<PartMd5>,
}

impl Hashes {
    fn new(wanted: &Wanted) -> Self {
        Self {
            size: 0,
            blake: blake3::Hasher::new(),
            crc: wanted.crc64nvme.then(|| crc_fast::Digest::new(crc_fast::CrcAlgorithm::Crc64Nvme)),
            whole: wanted.md5.then(Md5::new),
            parts: wanted.part_sizes.iter().map(|size| PartMd5::new(*size)).collect(),
        }
    }

    fn update(&mut self, bytes: &[u8]) {
        self.size += u64::try_from(bytes.len()).unwrap_or(0);
        self.blake.update(bytes);
        if let Some(crc) = &mut self.crc {
            crc.update(bytes);
        }
        if let Some(md5) = &mut self.whole {
            md5.update(bytes);
        }
        self.parts.iter_mut().for_each(|part| part.update(bytes));
    }

    fn finish(self) -> Fingerprint {
        let mut etags: Vec<String> = self.whole.map(|md5| hex(&md5.finalize())).into_iter().collect();
        etags.extend(self.parts.into_iter().map(PartMd5::etag));
        Fingerprint {
            digest: Digest(*self.blake.finalize().as_bytes()),
            size: self.size,
            crc64nvme: self.crc.map(|crc| crc.finalize()),
            etags,
        }
    }
}

/// The ETag S3 gives an upload in parts: the MD5 of the parts' MD5s, and their count.
struct PartMd5 {
    size: u64,
    left: u64,
    current: Md5,
    outer: Md5,
    count: u64,
}

impl PartMd5 {
    fn new(size: u64) -> Self {
        Self { size, left: size, current: Md5::new(), outer: Md5::new(), count: 0 }
    }

    fn update(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let take = usize::try_from(self.left).unwrap_or(usize::MAX).min(bytes.len());
            let (now, rest) = bytes.split_at(take);
            self.current.update(now);
            self.left -= u64::try_from(take).unwrap_or(0);
            if self.left == 0 {
                self.close();
            }
            bytes = rest;
        }
    }

    fn close(&mut self) {
        self.outer.update(std::mem::replace(&mut self.current, Md5::new()).finalize());
        self.count += 1;
        self.left = self.size;
    }

    fn etag(mut self) -> String {
        if self.left != self.size || self.count == 0 {
            self.close();
        }
        format!("{}-{}", hex(&self.outer.finalize()), self.count)
    }
}

/// Whether an ETag is a hash of the bytes, of the whole or part by part, as that of S3
/// or of the embedded store: then equal ones stand for equal bytes.
pub fn is_hash(stamp: &RemoteStamp) -> bool {
    let wanted = wanted_for(&stamp.etag, stamp.size);
    wanted.md5 || !wanted.part_sizes.is_empty() || stamp.etag.starts_with("b3-")
}

/// What an object's ETag asks for: an MD5 of the whole, or of parts of a size that
/// common tools use and that gives this number of parts.
pub fn wanted_for(etag: &str, size: u64) -> Wanted {
    const MIB: u64 = 1 << 20;
    const COMMON_MIB: [u64; 10] = [5, 8, 10, 15, 16, 20, 25, 32, 64, 100];
    let (hash, count) = etag.split_once('-').map_or((etag, None), |(hash, count)| (hash, count.parse::<u64>().ok()));
    if hash.len() != 32 || !hash.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Wanted::default();
    }
    let Some(count) = count.filter(|count| *count > 0) else {
        return Wanted { md5: !etag.contains('-'), ..Wanted::default() };
    };
    // The smallest whole number of MiB that gives so many parts, as tools compute it
    // that choose the part size from the file's.
    let fitted = size.div_ceil(count).div_ceil(MIB) * MIB;
    let mut part_sizes: Vec<u64> = COMMON_MIB.into_iter().map(|mib| mib * MIB).chain([fitted]).collect();
    part_sizes.retain(|part| *part > 0 && size.div_ceil(*part).max(1) == count);
    part_sizes.sort_unstable();
    part_sizes.dedup();
    part_sizes.truncate(3);
    Wanted { part_sizes, ..Wanted::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn etags_ask_for_what_they_are_made_of() {
        let md5 = "d41d8cd98f00b204e9800998ecf8427e";
        assert!(wanted_for(md5, 0).md5);
        assert_eq!(wanted_for(&format!("{md5}-2"), 16 << 20).part_sizes, [8 << 20, 10 << 20, 15 << 20]);
        assert_eq!(wanted_for(&format!("{md5}-3"), 500 << 20).part_sizes, [167 << 20]);
        assert_eq!(wanted_for("b3-0123", 5), Wanted::default());
        assert_eq!(wanted_for("abc", 5), Wanted::default());
    }

    #[test]
    fn an_etag_is_a_hash_or_just_a_name() {
        let hash = |etag: &str| is_hash(&RemoteStamp { etag: etag.to_owned(), size: 16 << 20, modified_s: None });
        let md5 = "d41d8cd98f00b204e9800998ecf8427e";
        assert!(hash(md5) && hash(&format!("{md5}-2")) && hash("b3-0123"));
        assert!(!hash("0x8D4BCC2E4835CD0") && !hash("1700000000") && !hash(""));
    }

    #[test]
    fn the_etag_of_parts() {
        let mut parts = PartMd5::new(5);
        parts.update(b"aaa");
        parts.update(b"aabb");
        let mut outer = Md5::new();
        outer.update(Md5::digest(b"aaaaa"));
        outer.update(Md5::digest(b"bb"));
        assert_eq!(parts.etag(), format!("{}-2", hex(&outer.finalize())));
    }
}
