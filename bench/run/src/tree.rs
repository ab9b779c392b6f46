//! The trees of files that are sent: the same on every machine.
//!
//! A tree is a shape, and its names, sizes and bytes follow from that alone, by integer
//! arithmetic, so that what was measured here can be measured elsewhere. No download is
//! needed. What was written is remembered with its checksums, to hold a server's objects
//! or a folder's files against it.

use crc_fast::{CrcAlgorithm, Digest};
use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::path::Path;

/// How a tree looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// So many files of so many bytes each, evenly in so many folders.
    Even { files: u64, bytes: u64, folders: u64 },
    /// The sizes and depths of the Linux kernel's sources: 78,579 files in 5,097 folders,
    /// 1.3 GB.
    Kernel,
}

/// A file to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Below the root, with slashes.
    pub path: String,
    /// Its size.
    pub bytes: u64,
}

/// A file that was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stored {
    pub bytes: u64,
    /// CRC64NVME of its bytes.
    pub crc64: u64,
}

/// Everything in a tree, by path.
pub type Manifest = BTreeMap<String, Stored>;

const KERNEL_FILES: u64 = 78_579;
const KERNEL_FOLDERS: u64 = 5_097;
const KERNEL_BYTES: u64 = 1_300_000_000;

/// Of a thousand files, how many are at most how large, before they are scaled to the
/// whole: few bytes in most, most bytes in few.
const KERNEL_SIZES: [(u64, u64); 12] = [
    (0, 0),
    (5, 120),
    (50, 500),
    (100, 800),
    (250, 2_000),
    (500, 5_000),
    (750, 13_000),
    (900, 35_000),
    (970, 90_000),
    (990, 200_000),
    (998, 300_000),
    (1000, 2_000_000),
];

/// Numbers that look like chance, and are the same every time (xorshift64*).
#[derive(Debug, Clone)]
pub struct Chance(u64);

impl Chance {
    /// A sequence of its own for each seed.
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// The next one.
    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// One below `end`.
    pub fn below(&mut self, end: u64) -> u64 {
        (self.next() >> 16) % end.max(1)
    }
}

impl Shape {
    /// All files of the tree.
    pub fn entries(self) -> Vec<Entry> {
        match self {
            Self::Even { files, bytes, folders } => {
                let path = |n: u64| format!("d{:04}/f{n:07}", n * folders.max(1) / files.max(1));
                (0..files).map(|n| Entry { path: path(n), bytes }).collect()
            }
            Self::Kernel => kernel(),
        }
    }

    /// How many files.
    pub fn files(self) -> u64 {
        match self {
            Self::Even { files, .. } => files,
            Self::Kernel => KERNEL_FILES,
        }
    }

    /// How many bytes in all.
    pub fn bytes(self) -> u64 {
        match self {
            Self::Even { files, bytes, .. } => files * bytes,
            Self::Kernel => KERNEL_BYTES,
        }
    }
}

fn kernel() -> Vec<Entry> {
    let mut chance = Chance::new(6_1);
    let mut folders = vec![(String::new(), 0_u32)];
    while folders.len() as u64 <= KERNEL_FOLDERS {
        let at = usize::try_from(chance.below(folders.len() as u64)).unwrap_or(0);
        let (parent, depth) = folders[at].clone();
        if depth < 7 {
            folders.push((format!("{parent}d{:04}/", folders.len()), depth + 1));
        }
    }
    let sizes: Vec<u64> = (0..KERNEL_FILES).map(|_| kernel_size(chance.below(1_000_000))).collect();
    let sum: u64 = sizes.iter().sum();
    let mut left = KERNEL_BYTES;
    let mut entries = Vec::new();
    for (n, size) in (0_u64..).zip(sizes) {
        // Every folder holds a file, and the rest lie anywhere.
        let folder = if n < KERNEL_FOLDERS { n + 1 } else { chance.below(KERNEL_FOLDERS + 1) };
        let folder = &folders[usize::try_from(folder).unwrap_or(0)].0;
        let scaled = u64::try_from(u128::from(size) * u128::from(KERNEL_BYTES) / u128::from(sum)).unwrap_or(0);
        let bytes = if n + 1 == KERNEL_FILES { left } else { scaled };
        left -= bytes;
        entries.push(Entry { path: format!("{folder}f{n:05}.c"), bytes });
    }
    entries
}

/// The size at so many millionths of all files.
fn kernel_size(millionth: u64) -> u64 {
    let upper = KERNEL_SIZES.iter().position(|(permille, _)| permille * 1000 > millionth);
    let upper = upper.unwrap_or(KERNEL_SIZES.len() - 1);
    let ((from, small), (to, large)) = (KERNEL_SIZES[upper - 1], KERNEL_SIZES[upper]);
    small + (large - small) * (millionth - from * 1000) / ((to - from) * 1000)
}

/// Writes these files below a folder.
pub fn build(root: &Path, entries: &[Entry]) -> io::Result<Manifest> {
    let (mut manifest, mut folder) = (Manifest::new(), None);
    let mut buffer = vec![0_u8; 1 << 20];
    for (n, entry) in (0..).zip(entries) {
        let path = root.join(&entry.path);
        if path.parent() != folder.as_deref() {
            folder = path.parent().map(Path::to_owned);
            folder.as_ref().map_or(Ok(()), fs::create_dir_all)?;
        }
        let mut file = fs::File::create(&path)?;
        let (mut chance, mut digest) = (Chance::new(n), Digest::new(CrcAlgorithm::Crc64Nvme));
        let mut left = entry.bytes;
        while left > 0 {
            let len = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
            fill(&mut buffer[..len], &mut chance);
            digest.update(&buffer[..len]);
            file.write_all(&buffer[..len])?;
            left -= len as u64;
        }
        manifest.insert(entry.path.clone(), Stored { bytes: entry.bytes, crc64: digest.finalize() });
    }
    Ok(manifest)
}

/// Bytes that no compression shortens.
pub fn fill(bytes: &mut [u8], chance: &mut Chance) {
    for eight in bytes.chunks_mut(8) {
        eight.copy_from_slice(&chance.next().to_le_bytes()[..eight.len()]);
    }
}

/// A file that is there, with its checksum.
pub fn read(path: &Path) -> io::Result<Stored> {
    let mut file = fs::File::open(path)?;
    let (mut digest, mut bytes) = (Digest::new(CrcAlgorithm::Crc64Nvme), 0);
    let mut buffer = vec![0_u8; 256 << 10];
    loop {
        match io::Read::read(&mut file, &mut buffer)? {
            0 => return Ok(Stored { bytes, crc64: digest.finalize() }),
            len => {
                digest.update(&buffer[..len]);
                bytes += len as u64;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_like_tree_is_what_it_says() {
        let entries = Shape::Kernel.entries();
        assert_eq!(entries.len() as u64, Shape::Kernel.files());
        assert_eq!(entries.iter().map(|entry| entry.bytes).sum::<u64>(), Shape::Kernel.bytes());
        let paths: std::collections::BTreeSet<_> = entries.iter().map(|entry| &entry.path).collect();
        assert_eq!(paths.len(), entries.len());
        let folders: std::collections::BTreeSet<_> =
            paths.iter().filter_map(|path| path.rsplit_once('/').map(|(folder, _)| folder)).collect();
        assert_eq!(folders.len() as u64, KERNEL_FOLDERS);
        let mut sizes: Vec<u64> = entries.iter().map(|entry| entry.bytes).collect();
        sizes.sort_unstable();
        assert!((3_000..8_000).contains(&sizes[sizes.len() / 2]), "median {}", sizes[sizes.len() / 2]);
        assert!(sizes[sizes.len() - 1] < 3_000_000, "largest {}", sizes[sizes.len() - 1]);
    }

    /// Another shape, order or generator would make results incomparable with older ones.
    #[test]
    fn the_same_tree_is_made_every_time() {
        let text: String = Shape::Kernel.entries().iter().fold(String::new(), |mut text, entry| {
            std::fmt::Write::write_fmt(&mut text, format_args!("{} {}\n", entry.path, entry.bytes)).expect("memory");
            text
        });
        let sum = crc_fast::checksum(CrcAlgorithm::Crc64Nvme, text.as_bytes());
        assert_eq!(sum, KERNEL_SUM, "{sum:#x}");
        let root = tempfile::tempdir().expect("a folder");
        let shape = Shape::Even { files: 6, bytes: 3000, folders: 2 };
        let built = build(root.path(), &shape.entries()).expect("room");
        let paths: Vec<&str> = built.keys().map(String::as_str).collect();
        assert_eq!(paths[2..4], ["d0000/f0000002", "d0001/f0000003"]);
        let again = read(&root.path().join("d0001/f0000003")).expect("there");
        assert_eq!((built["d0001/f0000003"], again.crc64), (again, SMALL_SUM), "{:#x}", again.crc64);
    }

    const KERNEL_SUM: u64 = 0x6ec9_700f_2158_afb0;
    const SMALL_SUM: u64 = 0x9d48_eef6_4cb4_9c78;
}
