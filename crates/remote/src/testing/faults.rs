//! A bad network in front of any remote.
//!
//! Before each operation a [`Chooser`] is asked which fault befalls it; the answer
//! 0 is always none, so that a list of choices is a schedule that can be replayed
//! and shrunk. Around each effect a [`Gate`] is awaited, so that a simulation can
//! let others run there, or never come back. No timer and no chance of its own.

mod choosers;
mod local;
mod parked;

pub use choosers::{Script, Seeded};
use local::detach;
use parked::{Parked, park};

use crate::{
    Ability, Capabilities, Condition, Cursor, Download, Error, ErrorKind, Object, Page, Piece, Progress, Put, Remote,
    Result, Stored, Unwatched,
};
use async_trait::async_trait;
use futures::{StreamExt as _, stream};
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tidelock_core::entry::RemoteStamp;
use tidelock_core::path::Key;

/// Who decides what goes wrong.
pub trait Chooser: Send + Sync {
    /// A number below `n`; 0 is the good case. `what` names the question.
    fn choose(&self, what: &str, n: u32) -> u32;
}

/// Where others may run, or all may end.
#[async_trait]
pub trait Gate: Send + Sync {
    /// Awaited before the effect of an operation, as "put", and after it, as
    /// "put.done".
    async fn pass(&self, what: &'static str);
}

/// A gate that is always open.
pub struct Ajar;

#[async_trait]
impl Gate for Ajar {
    async fn pass(&self, _what: &'static str) {}
}

/// What can happen to an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    None,
    /// No connection; nothing was sent.
    Unreachable,
    /// The place asks for patience.
    Busy,
    /// The place says it failed, perhaps in the body of a 200; nothing was done.
    Transient,
    /// Done, and the reply was lost.
    Lost,
    /// No reply, and nothing became of it. A write that had begun an upload in parts
    /// leaves it behind.
    Vanished,
    /// No reply; it is done later, its condition judged then.
    Late,
    /// Done and answered, and a copy of the request arrives later.
    Twice,
    /// Some keys of a batch fail, some of those after having been deleted.
    Items,
    /// A page with fewer objects than there would be, and more to come.
    ShortPage,
    /// The body breaks off.
    Cut,
    /// A bit of the body is another.
    Corrupt,
    /// Done, and the place says that it failed inside; nor does it free the parts of
    /// what it calls a failed upload.
    Broken,
}

impl Fault {
    /// What can happen to an operation of this name; a choice is an index.
    pub fn of(what: &str) -> &'static [Fault] {
        use Fault::{
            Broken, Busy, Corrupt, Cut, Items, Late, Lost, None, ShortPage, Transient, Twice, Unreachable, Vanished,
        };
        match what {
            "put" => &[None, Lost, Late, Transient, Busy, Unreachable, Vanished, Twice, Broken],
            "delete" => &[None, Lost, Late, Transient, Busy, Unreachable, Vanished, Twice, Broken, Items],
            "get" => &[None, Cut, Corrupt, Transient, Busy, Unreachable, Vanished],
            "list" => &[None, ShortPage, Transient, Busy, Unreachable, Vanished],
            "abandon" => &[None, Lost, Transient, Busy, Unreachable, Vanished],
            _ => &[None, Transient, Busy, Unreachable, Vanished],
        }
    }
}

/// A request the network still holds.
enum Late {
    /// A write at its last step.
    Parked(Parked),
    /// A write that has yet to do anything there.
    Put(Box<Put>),
    Delete(Vec<(Key, Condition)>),
}

/// A remote behind a bad network.
pub struct Faulty {
    remote: Arc<dyn Remote>,
    chooser: Arc<dyn Chooser>,
    gate: Arc<dyn Gate>,
    silent_corruption: bool,
    late: Mutex<Vec<Late>>,
}

impl Faulty {
    /// `remote` behind a network ruled by `chooser`, with `gate` around effects.
    pub fn new(remote: Arc<dyn Remote>, chooser: Arc<dyn Chooser>, gate: Arc<dyn Gate>) -> Self {
        Self { remote, chooser, gate, silent_corruption: false, late: Mutex::default() }
    }

    /// The same, hiding corruption from the reader where the object's checksum
    /// would show it: a test of whoever verifies above. Otherwise a corrupted body
    /// ends in [`ErrorKind::Corrupt`], as the trait promises.
    #[must_use]
    pub fn with_silent_corruption(mut self) -> Self {
        self.silent_corruption = true;
        self
    }

    /// How many requests the network still holds.
    pub fn late(&self) -> usize {
        self.held(|late| late.len())
    }

    /// Lets every request still held arrive, oldest first.
    pub async fn flush_late(&self) {
        for late in self.held(std::mem::take) {
            self.arrive(late).await;
        }
    }

    fn held<T>(&self, work: impl FnOnce(&mut Vec<Late>) -> T) -> T {
        work(&mut self.late.lock().unwrap_or_else(PoisonError::into_inner))
    }

    async fn arrive(&self, late: Late) {
        // Nobody waits for the answer any more.
        match late {
            Late::Parked(parked) => parked.arrive().await,
            Late::Put(put) => drop(self.remote.put(&put, &Unwatched).await),
            Late::Delete(items) => drop(self.remote.delete(&items).await),
        }
    }

    /// Which fault it is this time; late requests may arrive first.
    async fn fault(&self, what: &'static str) -> Fault {
        let arriving = self.held(|late| {
            let chosen = |_: &mut Late| self.chooser.choose("late", 2) == 1;
            late.extract_if(.., chosen).collect::<Vec<_>>()
        });
        for late in arriving {
            self.arrive(late).await;
        }
        let faults = Fault::of(what);
        // Never more than a few faults, so the length fits.
        let choice = self.chooser.choose(what, faults.len() as u32);
        faults.get(choice as usize).copied().unwrap_or(Fault::None)
    }

    /// The fault, and the error it is before anything was done.
    async fn before(&self, what: &'static str) -> Result<Fault> {
        let fault = self.fault(what).await;
        self.gate.pass(what).await;
        let kind = match fault {
            Fault::Unreachable => ErrorKind::Unreachable,
            Fault::Busy => ErrorKind::Busy((self.chooser.choose("busy", 2) == 1).then(|| Duration::from_secs(2))),
            Fault::Transient => ErrorKind::Transient,
            Fault::Vanished if what != "put" => return Err(lost(what)),
            _ => return Ok(fault),
        };
        Err(Error::new(kind, what, format!("injected: {fault:?}")))
    }

    /// A write whose reply does not come, because its end is yet to.
    async fn hold(&self, request: &Put, progress: &dyn Progress) -> Result<Stored> {
        let bytes = request.recipe.iter().any(|piece| matches!(piece, Piece::Bytes { .. }));
        let late = if bytes {
            park(self.remote.clone(), request, progress).await?.map(Late::Parked)
        } else {
            Some(Late::Put(Box::new(request.clone())))
        };
        self.held(|held| held.extend(late));
        Err(lost("put"))
    }

    /// A write that is sent up to its last step and no further.
    async fn vanish(&self, request: &Put, progress: &dyn Progress) -> Result<Stored> {
        if request.recipe.iter().any(|piece| matches!(piece, Piece::Bytes { .. })) {
            drop(park(self.remote.clone(), request, progress).await?);
        }
        Err(lost("put"))
    }

    /// A write of which the network keeps a copy.
    async fn double(&self, request: &Put, progress: &dyn Progress) -> Result<Stored> {
        let detached = detach(request, progress).await?;
        let stored = self.remote.put(&detached, &local::OnlyUploads(progress)).await;
        self.held(|held| held.push(Late::Put(Box::new(detached))));
        stored
    }

    async fn delete_some(&self, items: &[(Key, Condition)]) -> Vec<Result<()>> {
        let fates: Vec<u32> = items.iter().map(|_| self.chooser.choose("delete.item", 3)).collect();
        let arriving = items.iter().zip(&fates).filter(|(_, fate)| **fate != 1);
        let sent: Vec<_> = arriving.map(|(item, _)| item.clone()).collect();
        let mut answers = if sent.is_empty() { Vec::new() } else { self.remote.delete(&sent).await }.into_iter();
        let mut answer = |((key, _), fate): (&(Key, Condition), &u32)| match fate {
            1 => Err(Error::new(ErrorKind::Transient, "delete", "injected: this key failed").on(key)),
            fate => {
                let answer = answers.next().unwrap_or_else(|| Err(lost("delete").on(key)));
                if *fate == 2 { Err(lost("delete").on(key)) } else { answer }
            }
        };
        items.iter().zip(&fates).map(&mut answer).collect()
    }

    fn shorten(&self, mut page: Page) -> Page {
        let resumable = page.next.as_ref().is_none_or(|next| next.token.is_none());
        if !resumable || page.objects.len() < 2 || !page.objects.is_sorted_by_key(|object| &object.key) {
            return page;
        }
        let most = u32::try_from(page.objects.len() - 1).unwrap_or(u32::MAX);
        page.objects.truncate(1 + self.chooser.choose("list.cut", most) as usize);
        page.next = page.objects.last().map(|object| Cursor::after(&object.key));
        page
    }

    async fn damage(&self, download: Download, fault: Fault, whole: bool) -> Download {
        let Download { object, body } = download;
        let mut chunks: Vec<Result<bytes::Bytes>> = body.collect().await;
        let most = u32::try_from(chunks.len()).unwrap_or(u32::MAX);
        let at = self.chooser.choose("get.at", most.max(1)) as usize;
        let key = object.key.clone();
        if fault == Fault::Cut {
            chunks.truncate(at);
            chunks.push(Err(Error::new(ErrorKind::Transient, "get", "injected: the body broke off").on(&key)));
        } else if let Some(Ok(chunk)) = chunks.get_mut(at)
            && !chunk.is_empty()
        {
            let mut spoilt = chunk.to_vec();
            let place = self.chooser.choose("get.byte", u32::try_from(spoilt.len()).unwrap_or(u32::MAX)) as usize;
            spoilt[place] ^= 1;
            *chunk = spoilt.into();
            if !(self.silent_corruption && whole && object.crc64nvme.is_some()) {
                chunks.push(Err(Error::new(ErrorKind::Corrupt, "get", "injected: a bit was another").on(&key)));
            }
        }
        Download { object, body: stream::iter(chunks).boxed() }
    }
}

fn broken(what: &'static str) -> Error {
    Error::new(ErrorKind::Transient, what, "injected: done, and called failed")
}

fn lost(what: &'static str) -> Error {
    Error::new(ErrorKind::OutcomeUnknown, what, "injected: no reply came")
}

#[async_trait]
impl Remote for Faulty {
    async fn capabilities(&self, needed: &[Ability]) -> Result<Capabilities> {
        self.before("probe").await?;
        self.remote.capabilities(needed).await
    }

    fn contradicted(&self) {
        self.remote.contradicted();
    }

    async fn list(&self, prefix: &str, cursor: &Cursor) -> Result<Page> {
        let fault = self.before("list").await?;
        let page = self.remote.list(prefix, cursor).await;
        self.gate.pass("list.done").await;
        if fault == Fault::ShortPage { page.map(|page| self.shorten(page)) } else { page }
    }

    async fn head(&self, key: &Key) -> Result<Option<Object>> {
        self.before("head").await.map_err(|error| error.on(key))?;
        let found = self.remote.head(key).await;
        self.gate.pass("head.done").await;
        found
    }

    async fn get(&self, key: &Key, range: Option<Range<u64>>, stamp: Option<&RemoteStamp>) -> Result<Download> {
        let fault = self.before("get").await.map_err(|error| error.on(key))?;
        let whole = range.is_none();
        let opened = self.remote.get(key, range, stamp).await;
        self.gate.pass("get.done").await;
        match fault {
            Fault::Cut | Fault::Corrupt => Ok(self.damage(opened?, fault, whole).await),
            _ => opened,
        }
    }

    async fn put(&self, request: &Put, progress: &dyn Progress) -> Result<Stored> {
        let fault = self.before("put").await.map_err(|error| error.on(&request.key))?;
        if fault == Fault::None {
            let stored = self.remote.put(request, progress).await;
            self.gate.pass("put.done").await;
            return stored;
        }
        let answer = match fault {
            Fault::Late => self.hold(request, progress).await,
            Fault::Twice => self.double(request, progress).await,
            Fault::Vanished => self.vanish(request, progress).await,
            Fault::Broken => match self.remote.put(request, &local::Endless(progress)).await {
                Err(error) if parked::is_ours(&error) => Err(error),
                _ => Err(broken("put")),
            },
            // What fails on this side is told, whatever happens on the other.
            _ => match self.remote.put(request, progress).await {
                Err(error) if parked::is_ours(&error) => Err(error),
                _ => Err(lost("put")),
            },
        };
        self.gate.pass("put.done").await;
        answer.map_err(|error| if error.key.is_some() { error } else { error.on(&request.key) })
    }

    async fn delete(&self, items: &[(Key, Condition)]) -> Vec<Result<()>> {
        let each = |error: Error| items.iter().map(|(key, _)| Err(error.clone().on(key))).collect();
        let fault = match self.before("delete").await {
            Ok(fault) => fault,
            Err(error) => return each(error),
        };
        let answers = match fault {
            Fault::Late => each(lost("delete")),
            Fault::Items => self.delete_some(items).await,
            _ => self.remote.delete(items).await,
        };
        if matches!(fault, Fault::Late | Fault::Twice) {
            self.held(|late| late.push(Late::Delete(items.to_vec())));
        }
        self.gate.pass("delete.done").await;
        match fault {
            Fault::Lost => each(lost("delete")),
            Fault::Broken => each(broken("delete")),
            _ => answers,
        }
    }

    async fn abandon(&self, key: &Key, upload_id: &str) -> Result<()> {
        let fault = self.before("abandon").await.map_err(|error| error.on(key))?;
        let answer = self.remote.abandon(key, upload_id).await;
        self.gate.pass("abandon.done").await;
        if fault == Fault::Lost { Err(lost("abandon").on(key)) } else { answer }
    }

    async fn abandon_begun(&self, key: &Key, began_ms: Range<i64>) -> Result<()> {
        let fault = self.before("abandon").await.map_err(|error| error.on(key))?;
        let answer = self.remote.abandon_begun(key, began_ms).await;
        if fault == Fault::Lost { Err(lost("abandon").on(key)) } else { answer }
    }

    fn clock_skew_ms(&self) -> Option<i64> {
        self.remote.clock_skew_ms()
    }

    fn describe(&self) -> String {
        self.remote.describe()
    }
}

#[cfg(test)]
mod tests;
