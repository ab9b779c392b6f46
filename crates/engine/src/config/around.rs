//! What surrounds a command: the environment, and the file that was named.
//!
//! Taken once, where the process begins, so that everything after it is a function
//! of values. What `~`, `${NAME}` and relative paths of a configuration mean is
//! said here too; no path is looked at.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Component, Path, PathBuf};

/// The environment, and what was said about the configuration.
#[derive(Clone, Default)]
pub struct Around {
    variables: BTreeMap<String, String>,
    named: Option<PathBuf>,
}

/// Variables may be secrets, so only how many there are is shown.
impl fmt::Debug for Around {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Around").field("variables", &self.variables.len()).field("named", &self.named).finish()
    }
}

impl Around {
    /// Of these variables, and the file of `--config`.
    pub fn new(variables: impl IntoIterator<Item = (String, String)>, named: Option<PathBuf>) -> Self {
        Self { variables: variables.into_iter().collect(), named }
    }

    /// The same where no file was named.
    pub(crate) fn unnamed(&self) -> Self {
        let mut unnamed = Self { named: None, ..self.clone() };
        unnamed.variables.remove("TIDELOCK_CONFIG");
        unnamed
    }

    /// A variable that says something.
    pub fn variable(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// Variables that begin so, without the beginning.
    pub(super) fn beginning<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
        let all = self.variables.iter();
        all.filter_map(move |(name, value)| Some((name.strip_prefix(prefix)?, value.as_str())))
    }

    /// Each variable that begins so, as if it were alone.
    pub(super) fn each<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = Self> + 'a {
        let those = self.variables.iter().filter(move |(name, _)| name.starts_with(prefix));
        those.map(|(name, value)| Self::new([(name.clone(), value.clone())], None))
    }

    /// The home folder.
    pub fn home(&self) -> Option<PathBuf> {
        self.absolute("HOME")
    }

    /// `$XDG_CONFIG_HOME/tidelock`, else `~/.config/tidelock`.
    pub fn config_dir(&self) -> Option<PathBuf> {
        let base = self.absolute("XDG_CONFIG_HOME").or_else(|| Some(self.home()?.join(".config")));
        Some(base?.join("tidelock"))
    }

    /// `$XDG_STATE_HOME/tidelock`, else `~/.local/state/tidelock`.
    pub fn state_dir(&self) -> Option<PathBuf> {
        let base = self.absolute("XDG_STATE_HOME").or_else(|| Some(self.home()?.join(".local/state")));
        Some(base?.join("tidelock"))
    }

    /// The file that was named, and by what.
    pub fn named_file(&self) -> Option<(&Path, &'static str)> {
        let option = self.named.as_deref().map(|file| (file, "--config"));
        option.or_else(|| Some((Path::new(self.variable("TIDELOCK_CONFIG")?), "TIDELOCK_CONFIG")))
    }

    fn absolute(&self, name: &str) -> Option<PathBuf> {
        self.variable(name).map(PathBuf::from).filter(|path| path.is_absolute())
    }

    /// `${NAME}` replaced by what the environment says.
    pub fn expand(&self, text: &str) -> Result<String, String> {
        let mut done = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("${") {
            let (name, after) = after
                .split_once('}')
                .ok_or_else(|| format!("`${{` has no `}}` after it in {text:?}; write ${{NAME}}"))?;
            let value = self.variable(name).ok_or_else(|| {
                format!("the environment has no {name}; set it, or write the value instead of ${{{name}}}")
            })?;
            done.push_str(before);
            done.push_str(value);
            rest = after;
        }
        Ok(done + rest)
    }

    /// A path of a file that lies in `base`, made absolute.
    pub fn path(&self, text: &str, base: &Path) -> Result<PathBuf, String> {
        if text.is_empty() {
            return Err("it is empty; write a path".to_owned());
        }
        let text = self.expand(text)?;
        let Some(rest) = text.strip_prefix('~') else { return Ok(base.join(text)) };
        match (rest, self.home()) {
            (_, None) => Err("`~` means nothing here: HOME names no folder; write the path out".to_owned()),
            ("", Some(home)) => Ok(home),
            (rest, Some(home)) if rest.starts_with('/') => Ok(home.join(rest.trim_start_matches('/'))),
            _ => Err(format!("the home folders of others are not known; write {text:?} out")),
        }
    }
}

/// The path without `.` and `..`, as far as its letters tell.
pub(super) fn plain(path: &Path) -> PathBuf {
    let mut parts = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => drop(parts.pop()),
            other => parts.push(other),
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_expanded() {
        let variables = [("HOME", "/home/me"), ("DISK", "/mnt/usb"), ("EMPTY", "")];
        let around = Around::new(variables.map(|(name, value)| (name.to_owned(), value.to_owned())), None);
        for (text, path) in [
            ("/a/b", "/a/b"),
            ("photos", "/etc/photos"),
            ("~", "/home/me"),
            ("~/photos", "/home/me/photos"),
            ("${DISK}/photos", "/mnt/usb/photos"),
            ("a~b/$x", "/etc/a~b/$x"),
        ] {
            assert_eq!(around.path(text, Path::new("/etc")), Ok(PathBuf::from(path)), "{text}");
        }
        for (text, says) in
            [("", "empty"), ("~you/x", "others"), ("${NONE}", "no NONE"), ("${EMPTY}", "no EMPTY"), ("${x", "no `}`")]
        {
            let why = around.path(text, Path::new("/etc")).expect_err(text);
            assert!(why.contains(says), "{text}: {why}");
        }
        assert!(!format!("{around:?}").contains("/mnt/usb"), "variables may be secrets");
        assert_eq!(around.config_dir(), Some(PathBuf::from("/home/me/.config/tidelock")));
        assert_eq!(plain(Path::new("/a/./b/../c")), PathBuf::from("/a/c"));
    }
}
