//! What something is to be called where it goes.
//!
//! One rule for `upload`, `download` and `mv`: a destination that ends in a slash, or that
//! names a whole place, is a folder to go into, under the own name; any other is the new
//! name itself. No look at anything is taken here.

use crate::failure::Failure;

/// What a rename comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Renamed {
    /// One key becomes another.
    Object(String, String),
    /// What begins with the one begins with the other; both end in `/`.
    Below(String, String),
}

/// Whether what goes there keeps its own name.
pub(super) fn keeps_name(to: &str) -> bool {
    to.is_empty() || to.ends_with('/')
}

/// The last part of a name, whether that ends in a slash or not.
pub(super) fn last(name: &str) -> &str {
    let name = name.trim_end_matches('/');
    name.rsplit('/').next().unwrap_or(name)
}

/// What has the name `own` is called when it goes to `to`.
pub(super) fn placed(own: &str, to: &str) -> String {
    if keeps_name(to) { format!("{to}{own}") } else { to.to_owned() }
}

/// What becomes of the object, or of all that lies below the name, `from`. A name that ends
/// in a slash is that of a folder, also where an object has the same without.
pub(super) fn renamed(from: &str, to: &str, is_object: bool) -> Result<Renamed, Failure> {
    if from.is_empty() {
        let to = if to.is_empty() { "its root" } else { to };
        let what = format!("everything there and {to} lie in each other; name what is to be renamed");
        return Err(Failure::Misused(what));
    }
    let new = placed(last(from), to);
    if is_object && !keeps_name(from) {
        return Ok(Renamed::Object(from.to_owned(), new));
    }
    let slash = |name: &str| if name.ends_with('/') { name.to_owned() } else { format!("{name}/") };
    let (old, new) = (slash(from), slash(&new));
    if new.starts_with(&old) || old.starts_with(&new) {
        return Err(Failure::Misused(format!("{old} and {new} lie in each other; name a place beside it")));
    }
    Ok(Renamed::Below(old, new))
}

/// Whether what is fetched goes into `local`, as raw bytes: a file also into a folder that
/// is there. A folder's content goes into the named folder itself, so that fetching it
/// twice is the same as once.
pub(super) fn goes_in(local: &[u8], is_folder: bool, is_there: bool) -> bool {
    local.is_empty() || local.ends_with(b"/") || local == b"." || !is_folder && is_there
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_rename_comes_to() {
        let object = |old: &str, new: &str| Some(Renamed::Object(old.to_owned(), new.to_owned()));
        let below = |old: &str, new: &str| Some(Renamed::Below(old.to_owned(), new.to_owned()));
        for (from, to, is_object, expected) in [
            ("d/a", "b", true, object("d/a", "b")),
            ("d/a", "e/", true, object("d/a", "e/a")),
            ("d/a", "", true, object("d/a", "a")),
            ("d/a", "d/a/", true, object("d/a", "d/a/a")),
            ("d/a", "b", false, below("d/a/", "b/")),
            ("d/a", "e/", false, below("d/a/", "e/a/")),
            ("d/a", "", false, below("d/a/", "a/")),
            // The slash says that the folder is meant, whatever else there is.
            ("d/a/", "b", true, below("d/a/", "b/")),
            ("d/a/", "b", false, below("d/a/", "b/")),
            ("d/a/", "e/", true, below("d/a/", "e/a/")),
            ("a/", "a", false, None),
            ("a", "a/b", false, None),
            ("a/b", "a", false, None),
            ("a", "", false, None),
            ("", "b", false, None),
            ("", "b/", true, None),
            ("", "", false, None),
        ] {
            assert_eq!(renamed(from, to, is_object).ok(), expected, "{from} {to} {is_object}");
        }
    }

    #[test]
    fn what_is_sent_and_fetched_is_called() {
        for (own, to, expected) in
            [("f", "", "f"), ("f", "d/", "d/f"), ("f", "d/g", "d/g"), ("f", "g", "g"), ("f", "//", "//f")]
        {
            assert_eq!(placed(own, to), expected, "{own} {to}");
        }
        for (name, expected) in [("a/b", "b"), ("a/b/", "b"), ("b", "b"), ("", ""), ("/", "")] {
            assert_eq!(last(name), expected, "{name}");
        }
        for (local, is_folder, is_there, expected) in [
            ("d", false, true, true),
            ("d", true, true, false),
            ("d/", true, false, true),
            ("x", false, false, false),
            ("x/", false, false, true),
            (".", true, true, true),
        ] {
            assert_eq!(goes_in(local.as_bytes(), is_folder, is_there), expected, "{local} {is_folder} {is_there}");
        }
    }
}
