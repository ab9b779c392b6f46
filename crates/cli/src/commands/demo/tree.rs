//! Folders as the demonstration compares them.
//!
//! Reads a whole tree through the standard library, knowing nothing of how the
//! engine looks at disks: what says that a restore was right must not be what
//! made it.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::hash::{DefaultHasher, Hasher};
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};

/// What is compared of an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// `file`, `folder` or `link`.
    pub kind: &'static str,
    /// A file's size.
    pub bytes: u64,
    /// A file's bytes or a link's target, as a fingerprint.
    content: u64,
    /// Permission bits.
    mode: u32,
    /// Modification time, but not a folder's: putting files into it changes that.
    mtime: Option<(i64, i64)>,
}

/// Everything in a folder by path, Tidelock's own apart.
pub fn read(root: &Path) -> io::Result<BTreeMap<PathBuf, Entry>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(folder) = folders.pop() {
        for item in fs::read_dir(root.join(&folder))? {
            let path = folder.join(item?.file_name());
            if path == Path::new(".tidelock") {
                continue;
            }
            if let Some(entry) = entry(&root.join(&path))? {
                if entry.kind == "folder" {
                    folders.push(path.clone());
                }
                found.insert(path, entry);
            }
        }
    }
    Ok(found)
}

fn entry(path: &Path) -> io::Result<Option<Entry>> {
    let meta = fs::symlink_metadata(path)?;
    let (kind, content) = if meta.is_dir() {
        ("folder", 0)
    } else if meta.is_symlink() {
        let mut hasher = DefaultHasher::new();
        hasher.write(fs::read_link(path)?.as_os_str().as_bytes());
        ("link", hasher.finish())
    } else if meta.is_file() {
        ("file", fingerprint(path)?)
    } else {
        return Ok(None);
    };
    let mtime = (kind != "folder").then(|| (meta.mtime(), meta.mtime_nsec()));
    let bytes = if kind == "file" { meta.len() } else { 0 };
    // Linux gives links a mode that means nothing.
    let mode = if kind == "link" { 0 } else { meta.mode() & 0o777 };
    Ok(Some(Entry { kind, bytes, content, mode, mtime }))
}

fn fingerprint(path: &Path) -> io::Result<u64> {
    let (mut file, mut hasher, mut buffer) = (File::open(path)?, DefaultHasher::new(), vec![0; 1 << 16]);
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hasher.finish()),
            size => hasher.write(&buffer[..size]),
        }
    }
}

/// What differs, in words.
pub fn differences(wanted: &BTreeMap<PathBuf, Entry>, found: &BTreeMap<PathBuf, Entry>) -> Vec<String> {
    let mut words = Vec::new();
    for (path, entry) in wanted {
        match found.get(path) {
            None => words.push(format!("{}: did not come back", path.display())),
            Some(other) if other != entry => {
                words.push(format!("{}: was {entry:?} and came back as {other:?}", path.display()));
            }
            Some(_) => {}
        }
    }
    let more = found.keys().filter(|path| !wanted.contains_key(*path));
    words.extend(more.map(|path| format!("{}: came from nowhere", path.display())));
    words
}

/// Copies a folder with what is compared of it; how much was left out, as no sync
/// takes it.
pub fn copy(from: &Path, to: &Path) -> io::Result<u64> {
    let mut left_out = 0;
    fs::create_dir(to)?;
    for item in fs::read_dir(from)? {
        let item = item?;
        if !is_suitable(&item.file_name()) {
            left_out += 1;
            continue;
        }
        let (source, target) = (item.path(), to.join(item.file_name()));
        let meta = fs::symlink_metadata(&source)?;
        if meta.is_symlink() {
            symlink(fs::read_link(&source)?, &target)?;
        } else if meta.is_dir() {
            left_out += copy(&source, &target)?;
        } else if meta.is_file() {
            fs::copy(&source, &target)?;
            let copied = File::options().append(true).open(&target).or_else(|_| File::open(&target))?;
            copied.set_modified(meta.modified()?)?;
        } else {
            left_out += 1;
        }
    }
    fs::set_permissions(to, fs::metadata(from)?.permissions())?;
    Ok(left_out)
}

/// Whether a name is none of those that docs/semantics.md leaves out.
fn is_suitable(name: &OsStr) -> bool {
    let own = |name: &str| name == ".tidelock" || name.starts_with(".tidelock-tmp-") || name.ends_with(".rclonelink");
    name.to_str().is_some_and(|name| !own(name))
}
