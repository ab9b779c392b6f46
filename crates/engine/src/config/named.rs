//! Whether what a configuration names is there, and is what it is taken for.
//!
//! Folders and ignore files, looked at through `find.rs` and never made. A folder that is missing may be
//! made by a restore, or lie on a disk that is not mounted: that is worth a warning. What
//! every run would refuse is wrong.

use super::find::{Loaded, ignore_file, is_folder};
use super::problem::Problem;
use crate::place;
use std::io::ErrorKind;
use std::path::Path;
use tidelock_core::path::RESERVED_DIR;
use tidelock_remote::folder;

/// What came of the look.
#[derive(Debug, Default)]
pub struct Seen {
    /// What a run would refuse.
    pub problems: Vec<Problem>,
    /// What may be as it should.
    pub warnings: Vec<Problem>,
}

/// Looks at it.
pub fn look(loaded: &Loaded) -> Seen {
    let mut seen = Seen::default();
    ignored(loaded, &["defaults"], loaded.config.defaults.ignore_files.as_deref(), &mut seen);
    for (name, pair) in &loaded.config.pair {
        ignored(loaded, &["pair", name], pair.ignore_files.as_deref(), &mut seen);
        let Ok(local) = loaded.around.path(&pair.local, loaded.base()) else { continue };
        let problem = |what| loaded.problem(&["pair", name, "local"], what);
        match folder(&local) {
            Ok(None) => {}
            Ok(Some(what)) => seen.warnings.push(problem(what)),
            Err(what) => seen.problems.push(problem(what)),
        }
    }
    seen
}

/// Why a folder could not be synced; or what should be known of it.
fn folder(path: &Path) -> Result<Option<String>, String> {
    let shown = path.display();
    let whole = match place::canonical(path) {
        Ok(whole) => whole,
        Err(failure) => return Err(failure.to_string()),
    };
    if whole.components().any(|part| part.as_os_str() == RESERVED_DIR) {
        return Err(format!("{shown} is Tidelock's own; give a folder of yours"));
    }
    if let Some((store, _)) = folder::locate(&whole) {
        let store = store.display();
        return Err(format!("{shown} lies in the store {store}, whose files are no folder's; give another folder"));
    }
    match is_folder(&whole) {
        Ok(true) => Ok(None),
        Ok(false) => Err(format!("{shown} is no folder; give one")),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            Ok(Some(format!("there is no folder {shown} yet: is a disk not mounted, or the name misspelt?")))
        }
        Err(error) => Ok(Some(format!("{shown} cannot be looked at: {error}"))),
    }
}

/// The ignore files of one section.
fn ignored(loaded: &Loaded, section: &[&str], files: Option<&[String]>, seen: &mut Seen) {
    let path = [section, &["ignore_files"]].concat();
    for (number, file) in files.unwrap_or_default().iter().enumerate() {
        let Ok(file) = loaded.around.path(file, loaded.base()) else { continue };
        let Err(error) = ignore_file(&file) else { continue };
        let problem = loaded.problem(&path, format!("the ignore file {} cannot be read: {error}", file.display()));
        let line = loaded.item_line(&path, number).or(problem.line);
        seen.problems.push(Problem { line, ..problem });
    }
}
