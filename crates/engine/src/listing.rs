//! The remote side: a listing in key order.
//!
//! Pages are drawn as they are needed. Keys that no disk can hold become problems;
//! Tidelock's own are passed over. A listing that goes back in order fails, and is
//! to be started anew as a sorted one, which is drawn whole into the spool and read
//! from there. It ends in `Ok(None)` only when the place said it was complete.

use crate::state::Spool;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tidelock_core::entry::RemoteEntry;
use tidelock_core::names::{Kind, LinkStyle, entry_of};
use tidelock_core::path::{Key, NameProblem, RelPath};
use tidelock_core::plan::{Problem, ProblemClass};
use tidelock_core::triple::Order;
use tidelock_remote::{Cursor, Object, Readiness, Remote};

/// An object that an entry can stand for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listed {
    /// What was listed.
    pub entry: RemoteEntry,
    /// Where it belongs on disk.
    pub path: RelPath,
    /// What its key says it is.
    pub kind: Kind,
}

/// A listing under way.
pub struct Listing<'a> {
    remote: Arc<dyn Remote>,
    /// What the listed keys begin with.
    prefix: &'a str,
    links: LinkStyle,
    spool: &'a Spool<'a>,
    interrupted: Arc<AtomicBool>,
    waiting: VecDeque<Listed>,
    next: Option<Cursor>,
    order: Order,
    /// Whether the place is not trusted to list in order.
    sorted: bool,
    /// Once the spool holds a sorted listing: after which key it goes on.
    sorted_after: Option<String>,
    /// Keys with problems, to be taken by whoever drives the listing.
    pub problems: Vec<Problem>,
    /// Keys that an entry here may have and that hold what no entry can.
    occupied: BTreeSet<Key>,
}

/// Why a listing cannot go on. Nothing is known of the keys after its last one.
#[derive(Debug, thiserror::Error)]
pub enum Failed {
    /// The remote said no.
    #[error(transparent)]
    Remote(#[from] tidelock_remote::Error),
    /// The folder's root cannot be read.
    #[error("{0}")]
    Root(Box<crate::disk::Error>),
    /// The root's ignore file cannot be read.
    #[error("{0}")]
    Ignore(Box<crate::disk::Error>),
    /// The spool did.
    #[error(transparent)]
    State(#[from] crate::state::Error),
    /// A person interrupted.
    #[error("interrupted")]
    Interrupted,
    /// The keys do not come in order.
    #[error("the listing is not in key order")]
    Unordered,
    /// The place repeats itself.
    #[error("the listing repeats itself and would never end")]
    Stuck,
}

impl<'a> Listing<'a> {
    /// Begins at the first key that begins with `prefix`.
    pub fn start(
        remote: Arc<dyn Remote>,
        prefix: &'a str,
        links: LinkStyle,
        spool: &'a Spool<'a>,
        sorted: bool,
        interrupted: Arc<AtomicBool>,
    ) -> Self {
        Self {
            remote,
            prefix,
            links,
            spool,
            interrupted,
            waiting: VecDeque::new(),
            next: Some(Cursor::start()),
            order: Order::default(),
            sorted,
            sorted_after: None,
            problems: Vec::new(),
            occupied: BTreeSet::new(),
        }
    }

    /// The next object; `None` at the complete end.
    pub async fn next(&mut self) -> Result<Option<Listed>, Failed> {
        loop {
            if let Some(listed) = self.waiting.pop_front() {
                return Ok(Some(listed));
            }
            if self.sorted_after.is_some() {
                if !self.draw_sorted()? {
                    return Ok(None);
                }
                continue;
            }
            if self.sorted {
                self.draw_unordered().await?;
                continue;
            }
            let Some(cursor) = self.next.take() else { return Ok(None) };
            self.draw(cursor).await?;
        }
    }

    /// Whether what is there under a key is none of ours to touch. To be asked in
    /// key order, of keys before the next listed one.
    pub fn is_occupied(&mut self, key: &Key) -> bool {
        while self.occupied.first().is_some_and(|first| first < key) {
            self.occupied.pop_first();
        }
        self.occupied.contains(key)
    }

    async fn draw(&mut self, cursor: Cursor) -> Result<(), Failed> {
        let page = self.remote.list(self.prefix, &cursor).await?;
        if page.next.as_ref() == Some(&cursor) {
            return Err(Failed::Stuck);
        }
        self.next = page.next;
        for object in page.objects {
            if !self.order.advance(&object.key) {
                return Err(Failed::Unordered);
            }
            if let Some(listed) = self.admit(object) {
                self.waiting.push_back(listed);
            }
        }
        Ok(())
    }

    /// Draws the whole listing into the spool.
    async fn draw_unordered(&mut self) -> Result<(), Failed> {
        let mut cursor = Some(Cursor::start());
        while let Some(at) = cursor {
            if self.interrupted.load(Ordering::Relaxed) {
                return Err(Failed::Interrupted);
            }
            let page = self.remote.list(self.prefix, &at).await?;
            if page.next.as_ref() == Some(&at) {
                return Err(Failed::Stuck);
            }
            cursor = page.next;
            let (mut kept, mut new) = (0_u64, 0_u64);
            for object in page.objects {
                let Some(listed) = self.admit(object) else { continue };
                let json =
                    serde_json::to_string(&listed).map_err(|error| crate::state::Error::Row(error.to_string()))?;
                kept += 1;
                new += u64::from(self.spool.keep_object(&listed.entry.key, &json)?);
            }
            // Without order there is no other sign of a place that starts over.
            if kept > 0 && new == 0 && cursor.is_some() {
                return Err(Failed::Stuck);
            }
        }
        self.sorted_after = Some(String::new());
        Ok(())
    }

    fn draw_sorted(&mut self) -> Result<bool, Failed> {
        let kept = self.spool.kept_objects(self.sorted_after.as_deref())?;
        for json in &kept {
            let listed: Listed =
                serde_json::from_str(json).map_err(|error| crate::state::Error::Row(error.to_string()))?;
            self.sorted_after = Some(listed.entry.key.as_str().to_owned());
            self.waiting.push_back(listed);
        }
        Ok(!kept.is_empty())
    }

    fn admit(&mut self, object: Object) -> Option<Listed> {
        let (path, kind) = match entry_of(&object.key, self.links) {
            Ok(found) => found,
            Err(NameProblem::Reserved) => return None,
            Err(problem) => {
                self.skip(&object, &problem.to_string());
                return None;
            }
        };
        if kind == Kind::Dir && object.stamp.size > 0 {
            self.occupied.insert(object.key.clone());
            self.skip(&object, "an object whose key ends in `/` has content, which no folder can hold");
            return None;
        }
        let archived = matches!(object.readiness, Readiness::Archived | Readiness::Thawing);
        let lost = object.readiness == Readiness::Lost;
        Some(Listed { entry: RemoteEntry { key: object.key, stamp: object.stamp, archived, lost }, path, kind })
    }

    fn skip(&mut self, object: &Object, what: &str) {
        let path = object.key.as_str().to_owned();
        self.problems.push(Problem { path, what: what.to_owned(), class: ProblemClass::Skipped });
    }
}
