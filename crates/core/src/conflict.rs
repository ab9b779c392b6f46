//! What the loser of a conflict is called.
//!
//! `report.txt` becomes `report (conflict laptop 1a2b3c4d).txt`: a pure function of
//! path, content and device, so that every run and every device that settles the
//! same conflict gives the same name, and a crash between two steps is harmless.
//! Whether the name is free is not known here.

use crate::entry::Digest;
use crate::path::{KEY_MAX_BYTES, NameProblem, RelPath, SEGMENT_MAX_BYTES};

const MARK: &str = " (conflict ";
const DEVICE_MAX_BYTES: usize = 40;
const EXTENSION_MAX_BYTES: usize = 16;
const DIGITS: usize = 8;

/// The name under which these bytes live on when another version keeps `path`. It
/// never is `path` itself. The copy of a conflict copy takes the place of the mark,
/// so that names do not grow. Fails only where the folder's own path leaves no
/// room below it.
pub fn conflict_path(path: &RelPath, content: &Digest, device: &str) -> Result<RelPath, NameProblem> {
    let folder = path.parent().unwrap_or_else(RelPath::root);
    let (stem, extension) = split_extension(path.name());
    let stem = unmarked(stem).unwrap_or(stem);
    let room = SEGMENT_MAX_BYTES.min(KEY_MAX_BYTES.saturating_sub(folder.as_str().len() + 1));
    let device = sanitised(device);
    let digits = content.to_string();
    let named = |digits: &str| {
        let tail = format!("{MARK}{device} {digits}){extension}");
        let stem = cut(stem, room.checked_sub(tail.len()).ok_or(NameProblem::KeyTooLong)?);
        folder.join(&format!("{stem}{tail}"))
    };
    match named(digits.get(..DIGITS).unwrap_or(&digits)) {
        // These very bytes lost under this very name before.
        Ok(same) if same == *path => named(digits.get(..2 * DIGITS).unwrap_or(&digits)),
        other => other,
    }
}

/// Whether a file of this name is a conflict copy.
pub fn is_conflict_name(name: &str) -> bool {
    unmarked(split_extension(name).0).is_some()
}

/// The stem without the mark it ends in.
fn unmarked(stem: &str) -> Option<&str> {
    let at = stem.rfind(MARK)?;
    let (device, digits) = stem.get(at + MARK.len()..)?.strip_suffix(')')?.rsplit_once(' ')?;
    let is_mark = !device.is_empty()
        && digits.len() >= DIGITS
        && digits.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    if is_mark { stem.get(..at) } else { None }
}

/// Splits `a.tar.gz` before `.tar.gz` and `a.txt` before `.txt`. What is long or
/// holds odd characters is part of a sentence rather than an extension, and a
/// leading dot begins none.
fn split_extension(name: &str) -> (&str, &str) {
    let Some(dot) = extension_at(name) else { return (name, "") };
    let (stem, _) = name.split_at(dot);
    let at = if stem.len() > 4 && stem.ends_with(".tar") { dot - 4 } else { dot };
    name.split_at(at)
}

fn extension_at(name: &str) -> Option<usize> {
    let dot = name.rfind('.').filter(|&dot| dot > 0)?;
    let extension = name.get(dot + 1..)?;
    let is_plain = |c: char| c.is_alphanumeric() || c == '_' || c == '-' || c == '~';
    let fits = !extension.is_empty() && extension.len() <= EXTENSION_MAX_BYTES && extension.chars().all(is_plain);
    fits.then_some(dot)
}

/// A device name that is safe in a file name anywhere and cannot be mistaken for
/// the mark's own brackets.
fn sanitised(device: &str) -> String {
    let odd = |c: char| c.is_control() || c.is_whitespace() || r#"/\()<>:"|?*."#.contains(c);
    let words: Vec<&str> = device.split(odd).filter(|word| !word.is_empty()).collect();
    match cut(&words.join("-"), DEVICE_MAX_BYTES) {
        "" => "unknown".into(),
        name => name.into(),
    }
}

/// At most `size` bytes from the front, ending between two characters.
fn cut(text: &str, size: usize) -> &str {
    let mut end = size.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or(text)
}

#[cfg(test)]
mod tests;
