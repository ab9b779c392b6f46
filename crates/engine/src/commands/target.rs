//! What a person means by the name of an object.
//!
//! `s3://BUCKET/KEY` and `folder:STORE/KEY` name one object, or everything below one
//! name; which of them it is, only a look tells. An embedded store has no bucket's name
//! to end it: it is the nearest folder on the way that is one. Keys are taken as they
//! are, however odd: what somebody put there can be looked at and removed.

use super::open::{Store, parse};
use crate::api::{Context, Options, Service};
use crate::failure::Failure;
use std::path::Path;
use std::sync::Arc;
use tidelock_core::names::LINK_SUFFIX;
use tidelock_core::path::{Key, RESERVED_DIR, TEMP_PREFIX, is_reserved_key};
use tidelock_remote::layer::Scope;
use tidelock_remote::open::Opened;
use tidelock_remote::url::RemoteUrl;
use tidelock_remote::{Cursor, ErrorKind, Object, Remote, folder};

/// A name in a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    /// The place, as far as it can be opened by itself.
    pub(crate) url: RemoteUrl,
    /// In it: empty, or ending in `/`.
    pub(crate) inside: String,
    /// The last part of the name; empty if a folder, or the whole place, is named.
    pub(crate) name: String,
}

/// What is there under a name.
pub(crate) enum Found {
    /// One object.
    One(Box<Object>),
    /// None, but others below the name.
    Below,
    /// Nothing.
    Nothing,
}

impl Found {
    /// That what is there under this name is not what was wanted.
    pub(crate) fn missing(&self, name: &str) -> Failure {
        Failure::Missing(match self {
            Self::One(_) => format!(
                "{name} is an object, and nothing lies below it; to fetch the object itself: \
                 tidelock download {name} FOLDER"
            ),
            Self::Below => format!(
                "{name} is no object, but others lie below it: `tidelock ls {name}` lists them, \
                 `tidelock download {name} FOLDER` fetches them"
            ),
            Self::Nothing => {
                let above = name.trim_end_matches('/').rsplit_once('/').map(|(above, _)| above);
                let hint = above.filter(|above| above.contains(':') && !above.ends_with(":/"));
                let hint = hint.map_or_else(String::new, |above| format!(" `tidelock ls {above}` shows what there is"));
                format!("there is nothing at {name}; is the name misspelt?{hint}")
            }
        })
    }
}

impl Target {
    /// Takes a name apart.
    pub(crate) fn of(text: &str) -> Result<Self, Failure> {
        if let Some(rest) = text.strip_prefix("s3://") {
            let (bucket, key) = rest.split_once('/').unwrap_or((rest, ""));
            let RemoteUrl::S3 { bucket, .. } = parse(&format!("s3://{bucket}"))? else {
                return Err(Failure::Unable(format!("{text} names no bucket")));
            };
            let (prefix, name) = split(key);
            return Ok(Self { url: RemoteUrl::S3 { bucket, prefix }, inside: String::new(), name });
        }
        let url = parse(text)?;
        let RemoteUrl::Folder(path) = &url else {
            return Ok(Self { url, inside: String::new(), name: String::new() });
        };
        let Some((store, below)) = folder::locate(path) else {
            return Ok(Self { url, inside: String::new(), name: String::new() });
        };
        let slash = if text.ends_with('/') && !below.is_empty() { "/" } else { "" };
        let (inside, name) = split(&format!("{}{slash}", below.trim_end_matches('/')));
        Ok(Self { url: RemoteUrl::Folder(store), inside, name })
    }

    /// Its whole key in the place.
    pub(crate) fn key(&self) -> String {
        match &self.url {
            RemoteUrl::S3 { prefix, .. } => format!("{prefix}{}", self.name),
            _ => format!("{}{}", self.inside, self.name),
        }
    }

    /// The same place, and what is called `name` in the folder that this one names.
    pub(crate) fn join(&self, name: &str) -> Self {
        let folder = if self.name.is_empty() { String::new() } else { format!("{}/", self.name) };
        match &self.url {
            RemoteUrl::S3 { bucket, prefix } => {
                let prefix = format!("{prefix}{folder}");
                Self {
                    url: RemoteUrl::S3 { bucket: bucket.clone(), prefix },
                    inside: String::new(),
                    name: name.to_owned(),
                }
            }
            other => Self { url: other.clone(), inside: format!("{}{folder}", self.inside), name: name.to_owned() },
        }
    }

    /// The same name in a place that holds this one's, if that does.
    pub(crate) fn seen_from(&self, place: &RemoteUrl) -> Option<Self> {
        let inside = match (&self.url, place) {
            (mine, other) if mine == other => self.inside.clone(),
            (RemoteUrl::S3 { bucket, prefix }, RemoteUrl::S3 { bucket: other, prefix: above }) if bucket == other => {
                format!("{}{}", prefix.strip_prefix(above.as_str())?, self.inside)
            }
            _ => return None,
        };
        Some(Self { url: place.clone(), inside, name: self.name.clone() })
    }

    /// The same name as a folder, whose whole content is meant.
    pub(crate) fn whole(&self) -> Self {
        self.join("")
    }

    /// The folder that holds the name, in the bucket or store: empty, or ending in `/`.
    pub(crate) fn folder(&self) -> &str {
        match &self.url {
            RemoteUrl::S3 { prefix, .. } => prefix,
            _ => &self.inside,
        }
    }

    /// Whether it names the whole place, or everything in a folder.
    pub(crate) fn is_folder(&self) -> bool {
        self.name.is_empty()
    }

    /// Opens the place, and looks at it from the folder that holds the name.
    pub(crate) async fn open(
        &self,
        context: &Context,
        service: &Service,
        options: &Options,
        access: Access,
    ) -> Result<Opened, Failure> {
        let usual = if matches!(self.url, RemoteUrl::S3 { .. }) { 32 } else { 16 };
        let concurrency = options.concurrency.unwrap_or(usual);
        let store = Store { context, url: &self.url, service, options, concurrency };
        let patience = std::time::Duration::from_millis(options.lock_timeout_ms);
        let opened = store.open_patiently(access == Access::Read, access != Access::Make, patience).await;
        let opened = opened.map_err(|failure| match (failure, &self.url) {
            (Failure::Remote(error), RemoteUrl::Folder(path)) if error.kind == ErrorKind::NoBucket => {
                Failure::Missing(no_store(path))
            }
            (failure, _) => failure,
        })?;
        let remote: Arc<dyn Remote> = match self.inside.as_str() {
            "" => opened.remote,
            inside => Arc::new(Scope::new(opened.remote, inside)),
        };
        Ok(Opened { remote, ..opened })
    }

    /// What is there, asked of what was opened. What is Tidelock's own has to be named.
    pub(crate) async fn find(&self, remote: &dyn Remote) -> Result<Found, Failure> {
        self.look(remote, false).await
    }

    /// The same, also where nothing but what is Tidelock's own lies below the name.
    pub(crate) async fn find_all(&self, remote: &dyn Remote) -> Result<Found, Failure> {
        self.look(remote, true).await
    }

    async fn look(&self, remote: &dyn Remote, also_ours: bool) -> Result<Found, Failure> {
        if !self.is_folder()
            && let Some(object) = remote.head(&Key::new(self.name.as_str())).await?
        {
            return Ok(Found::One(Box::new(object)));
        }
        Ok(if self.holds(remote, "", also_ours).await? { Found::Below } else { Found::Nothing })
    }

    /// The same, where a name that ends in a slash is first that of one object, which some
    /// tools make for a folder.
    pub(crate) async fn find_exactly(&self, remote: &dyn Remote) -> Result<Found, Failure> {
        match self.marker(remote).await? {
            Some(object) => Ok(Found::One(object)),
            None => self.find(remote).await,
        }
    }

    /// The object of this very name, where that ends in a slash.
    pub(crate) async fn marker(&self, remote: &dyn Remote) -> Result<Option<Box<Object>>, Failure> {
        if !self.is_folder() || self.folder().is_empty() && self.inside.is_empty() {
            return Ok(None);
        }
        Ok(remote.head(&Key::new("")).await?.map(Box::new))
    }

    /// The last part of the name, with the slash that it may end in.
    pub(crate) fn last(&self) -> String {
        match self.name.as_str() {
            "" => self.folder().rsplit_terminator('/').next().map_or_else(String::new, |last| format!("{last}/")),
            name => name.to_owned(),
        }
    }

    /// The same name; where all of a place in a bucket is named, seen from above that.
    pub(crate) fn above(self) -> Self {
        match &self.url {
            RemoteUrl::S3 { bucket, prefix } if self.is_folder() && !prefix.is_empty() && self.inside.is_empty() => {
                let (above, last) = split(prefix.trim_end_matches('/'));
                let url = RemoteUrl::S3 { bucket: bucket.clone(), prefix: above };
                Self { url, inside: format!("{last}/"), name: String::new() }
            }
            _ => self,
        }
    }

    /// Whether objects lie below it that are anybody's own; `path` says where there, if
    /// not anywhere, and may name one of them.
    pub(crate) async fn holds_any(&self, remote: &dyn Remote, path: &str) -> Result<bool, Failure> {
        self.holds(remote, path, false).await
    }

    async fn holds(&self, remote: &dyn Remote, path: &str, also_ours: bool) -> Result<bool, Failure> {
        let below = if self.is_folder() { String::new() } else { format!("{}/", self.name) };
        let begin = format!("{below}{path}");
        let is_meant = |key: &str| {
            let Some(rest) = key.strip_prefix(&begin) else { return false };
            let is_there = path.is_empty() || rest.is_empty() || rest.starts_with('/') || rest == LINK_SUFFIX;
            is_there && (also_ours || !is_reserved_key(rest))
        };
        let mut cursor = Some(Cursor::start());
        while let Some(at) = cursor {
            let page = remote.list(&begin, &at).await?;
            if page.objects.iter().any(|object| is_meant(object.key.as_str())) {
                return Ok(true);
            }
            cursor = page.next;
        }
        Ok(false)
    }
}

/// Refuses a name under which nothing of a person's own would ever be seen again by a
/// sync or a restore.
pub(crate) fn refuse_reserved(name: &str) -> Result<(), Failure> {
    if !is_reserved_key(name) {
        return Ok(());
    }
    let what =
        format!("the name {name:?} is Tidelock's own (what is called {RESERVED_DIR}, or begins with {TEMP_PREFIX})");
    Err(Failure::Unable(format!("{what}, which no sync or restore takes; give another name")))
}

/// What a place is opened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// To look.
    Read,
    /// To write; it must be there.
    Write,
    /// To write; an embedded store is made if there is none.
    Make,
}

fn no_store(path: &Path) -> String {
    format!(
        "there is no store at {}, nor in a folder above it: is a disk not mounted, or the name misspelt? A first \
         `tidelock sync` makes one, and so does an upload to folder:STORE/",
        path.display()
    )
}

/// The folder of a key, ending in `/` unless it is none, and the rest.
fn split(key: &str) -> (String, String) {
    let at = key.rfind('/').map_or(0, |slash| slash + 1);
    (key[..at].to_owned(), key[at..].to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_buckets() {
        for (text, prefix, name) in [
            ("s3://tide", "", ""),
            ("s3://tide/", "", ""),
            ("s3://tide/a", "", "a"),
            ("s3://tide/a/b c", "a/", "b c"),
            ("s3://tide/a/", "a/", ""),
            ("s3://tide/a//../b", "a//../", "b"),
        ] {
            let target = Target::of(text).expect("valid");
            assert_eq!(target.url, RemoteUrl::S3 { bucket: "tide".into(), prefix: prefix.into() }, "{text}");
            assert_eq!(target.name, name, "{text}");
        }
        let joined = Target::of("s3://tide/a/b").expect("valid").join("c");
        assert_eq!(joined, Target::of("s3://tide/a/b/c").expect("valid"));
        assert_eq!(Target::of("s3://tide/a/").expect("valid").join("c"), Target::of("s3://tide/a/c").expect("valid"));
        assert!(Target::of("s3://T/a").is_err() && Target::of("/a").is_err());
    }

    #[test]
    fn names_in_stores() {
        let dir = tempfile::tempdir().expect("a folder");
        let store = dir.path().join("store");
        std::fs::create_dir(&store).expect("made");
        std::fs::write(store.join("store.sqlite"), "").expect("written");
        let text = |below: &str| format!("folder:{}{below}", store.display());
        for (below, inside, name) in
            [("", "", ""), ("/", "", ""), ("/a", "", "a"), ("/a/b", "a/", "b"), ("/a/b/", "a/b/", "")]
        {
            let target = Target::of(&text(below)).expect("valid");
            assert_eq!(target.url, RemoteUrl::Folder(store.clone()), "{below}");
            assert_eq!((target.inside.as_str(), target.name.as_str()), (inside, name), "{below}");
        }
        let new = format!("folder:{}", dir.path().join("new").display());
        assert_eq!(Target::of(&new).expect("valid").url, RemoteUrl::Folder(dir.path().join("new")));
    }
}
