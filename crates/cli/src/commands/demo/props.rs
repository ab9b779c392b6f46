//! What the demonstration plays with.
//!
//! A small folder with the things that sync tools stumble over, and the changes
//! that are made to it, or to the copy of a folder that was given.

use super::tree;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

/// Makes the folder.
pub fn make(root: &Path) -> io::Result<()> {
    fs::create_dir(root)?;
    for folder in ["documents/drafts", "photos/2025", "photos/2026", "an empty folder", "odd names"] {
        fs::create_dir_all(root.join(folder))?;
    }
    for (name, size) in [
        ("README.txt", 180),
        ("documents/report.txt", 40_000),
        ("documents/letter.txt", 3_000),
        ("documents/drafts/one.txt", 900),
        ("documents/drafts/two.txt", 1_100),
        ("documents/empty.txt", 0),
        ("photos/2025/beach.raw", 9_000_000),
        ("photos/2025/harbour.raw", 2_500_000),
        ("photos/2026/tide.raw", 4_000_000),
        ("odd names/naïve café ☂.txt", 300),
        ("odd names/-n", 20),
        ("odd names/two\nlines", 30),
        ("odd names/trailing space ", 40),
        ("odd names/'quotes' \"and\" \\backslash", 50),
        ("odd names/100% & #1?.txt", 60),
        (".hidden", 70),
        ("old.log", 5_000),
    ] {
        fs::write(root.join(name), content(name, size))?;
    }
    fs::set_permissions(root.join("documents/letter.txt"), PermissionsExt::from_mode(0o600))?;
    fs::set_permissions(root.join("README.txt"), PermissionsExt::from_mode(0o444))?;
    symlink("photos/2026/tide.raw", root.join("latest"))?;
    symlink("nowhere/at all", root.join("dangling"))
}

/// Bytes that look like none of the other files'.
fn content(name: &str, size: usize) -> Vec<u8> {
    let mut seed = name.bytes().fold(0x9e37_79b9_7f4a_7c15_u64, |seed, byte| (seed ^ u64::from(byte)).rotate_left(9));
    let mut bytes = Vec::with_capacity(size + 8);
    while bytes.len() < size {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        bytes.extend(seed.to_le_bytes());
    }
    bytes.truncate(size);
    bytes
}

/// Changes a folder in the ways that tell sync tools apart; what was done.
pub fn change(root: &Path) -> io::Result<Vec<String>> {
    let mut said = Vec::new();
    let files: Vec<(PathBuf, u64)> = tree::read(root)?
        .into_iter()
        .filter(|(_, entry)| entry.kind == "file" && entry.bytes > 0)
        .map(|(path, entry)| (path, entry.bytes))
        .collect();
    let mut files = files.into_iter();
    // Where there is enough to show the rest with, a file at the top goes.
    if files.len() > 4
        && let Some((path, _)) = files.clone().rfind(|(path, _)| path.components().count() == 1)
    {
        fs::remove_file(root.join(&path))?;
        said.push(format!("deleted: {}", path.display()));
        files = files.filter(|(other, _)| *other != path).collect::<Vec<_>>().into_iter();
    }
    let by_size = |a: &(PathBuf, u64), b: &(PathBuf, u64)| a.1.cmp(&b.1);
    let mut sorted: Vec<_> = files.collect();
    sorted.sort_by(by_size);
    if let [.., (small, _), (large, _)] = sorted.as_slice() {
        let aside = root.join(".swap");
        fs::rename(root.join(small), &aside)?;
        fs::rename(root.join(large), root.join(small))?;
        fs::rename(aside, root.join(large))?;
        said.push(format!("swapped: {} and {}", small.display(), large.display()));
    }
    if let Some((path, _)) = sorted.get(sorted.len() / 2) {
        let mut file = OpenOptions::new().append(true).open(root.join(path))?;
        file.write_all(b"one more line\n")?;
        said.push(format!("changed: {}", path.display()));
    }
    let folder = sorted.iter().rev().find_map(|(path, _)| path.parent().filter(|parent| *parent != Path::new("")));
    if let Some(folder) = folder {
        let renamed = folder.with_file_name(format!("{} (renamed)", folder.file_name().unwrap_or_default().display()));
        fs::rename(root.join(folder), root.join(&renamed))?;
        said.push(format!("renamed: {} to {}", folder.display(), renamed.display()));
    }
    Ok(said)
}
