//! A write that the network holds at its last step.
//!
//! Everything before that happens now: its upload has an id and is told, its bytes
//! are read, its sources sealed. What is left is the moment it becomes visible,
//! under its condition, if its upload is still there then. It relies on the
//! promise that sources are sealed after all reading and before that moment.

use crate::{Error, ErrorKind, Piece, Progress, Put, Remote, Result, Source, Stored};
use async_trait::async_trait;
use bytes::Bytes;
use futures::channel::{mpsc, oneshot};
use futures::future::{BoxFuture, Shared, poll_fn};
use futures::{FutureExt as _, StreamExt as _};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;

/// The rest of a write.
pub(super) struct Parked {
    work: BoxFuture<'static, Result<Stored>>,
    release: oneshot::Sender<()>,
}

impl Parked {
    /// Lets it arrive. Nobody is told what came of it.
    pub(super) async fn arrive(self) {
        let _ = self.release.send(());
        let _ = self.work.await;
    }
}

/// What the far side of a write says to the near one.
enum Told {
    Started(String, oneshot::Sender<Result<()>>),
    Ended(String, oneshot::Sender<Result<()>>),
    Sent(u64),
}

enum Event {
    Told(Told),
    Sealed,
    Over(Result<Stored>),
}

/// Carries a write to its last step. `None`: it was over before, one way or the
/// other, and the reply is lost. Errors are of this side alone.
pub(super) async fn park(remote: Arc<dyn Remote>, request: &Put, progress: &dyn Progress) -> Result<Option<Parked>> {
    let (tell, mut told) = mpsc::unbounded();
    let (sealed, mut at_end) = oneshot::channel();
    let (release, released) = oneshot::channel();
    let held = hold(request, sealed, released);
    let mut work: BoxFuture<'static, Result<Stored>> = async move { remote.put(&held, &Handoff(tell)).await }.boxed();
    loop {
        let event = poll_fn(|context| {
            // Twice, for what the work says while it is being polled.
            for _ in 0..2 {
                if let Poll::Ready(Some(said)) = told.poll_next_unpin(context) {
                    return Poll::Ready(Event::Told(said));
                }
                if let Poll::Ready(Ok(())) = at_end.poll_unpin(context) {
                    return Poll::Ready(Event::Sealed);
                }
                if let Poll::Ready(result) = work.poll_unpin(context) {
                    return Poll::Ready(Event::Over(result));
                }
            }
            Poll::Pending
        });
        match event.await {
            Event::Told(Told::Sent(bytes)) => progress.sent(bytes),
            // A sender that has gone needs no answer.
            Event::Told(Told::Started(id, answer)) => drop(answer.send(progress.started(&id).await)),
            Event::Told(Told::Ended(id, answer)) => drop(answer.send(progress.ended(&id).await)),
            Event::Sealed => return Ok(Some(Parked { work, release })),
            Event::Over(Err(error)) if is_ours(&error) => return Err(error),
            Event::Over(_) => return Ok(None),
        }
    }
}

/// The request with sources that stop at the last seal.
/// Whether an error came from this side: it is told, whatever happens on the other.
pub(super) fn is_ours(error: &Error) -> bool {
    matches!(error.kind, ErrorKind::Source | ErrorKind::SourceMoved | ErrorKind::Other)
}

fn hold(request: &Put, sealed: oneshot::Sender<()>, released: oneshot::Receiver<()>) -> Put {
    let mut originals: Vec<Arc<dyn Source>> = Vec::new();
    for piece in &request.recipe {
        if let Piece::Bytes { source, .. } = piece
            && !originals.iter().any(|known| Arc::ptr_eq(known, source))
        {
            originals.push(source.clone());
        }
    }
    let barrier = Arc::new(Barrier {
        open: Mutex::new(((0..originals.len()).collect(), Some(sealed))),
        released: released.map(|_| ()).boxed().shared(),
    });
    let held: Vec<Arc<dyn Source>> = originals
        .iter()
        .enumerate()
        .map(|(number, source)| {
            let held: Arc<dyn Source> = Arc::new(Held { source: source.clone(), number, barrier: barrier.clone() });
            held
        })
        .collect();
    let recipe = request.recipe.iter().map(|piece| match piece {
        Piece::Bytes { source, offset, size } => {
            // Every source was collected above.
            let place = originals.iter().position(|known| Arc::ptr_eq(known, source)).unwrap_or_default();
            Piece::Bytes { source: held[place].clone(), offset: *offset, size: *size }
        }
        copy @ Piece::CopyOf { .. } => copy.clone(),
    });
    Put { recipe: recipe.collect(), ..request.clone() }
}

/// Where the last source to be sealed stops.
struct Barrier {
    /// Sources not sealed yet, and whom to tell when there are none.
    open: Mutex<(Vec<usize>, Option<oneshot::Sender<()>>)>,
    released: Shared<BoxFuture<'static, ()>>,
}

struct Held {
    source: Arc<dyn Source>,
    number: usize,
    barrier: Arc<Barrier>,
}

#[async_trait]
impl Source for Held {
    async fn read(&self, offset: u64, size: usize) -> Result<Bytes> {
        self.source.read(offset, size).await
    }

    async fn seal(&self) -> Result<()> {
        self.source.seal().await?;
        let last = {
            let mut open = self.barrier.open.lock().unwrap_or_else(PoisonError::into_inner);
            open.0.retain(|number| *number != self.number);
            if open.0.is_empty() { open.1.take() } else { None }
        };
        if let Some(tell) = last {
            let _ = tell.send(());
            self.barrier.released.clone().await;
        }
        Ok(())
    }
}

/// Hands what a write says to whoever began it, while they are there.
struct Handoff(mpsc::UnboundedSender<Told>);

impl Handoff {
    async fn ask(&self, question: impl FnOnce(oneshot::Sender<Result<()>>) -> Told + Send) -> Result<()> {
        let (answer, answered) = oneshot::channel();
        if self.0.unbounded_send(question(answer)).is_err() {
            return Ok(());
        }
        answered.await.unwrap_or_else(|_| Err(Error::new(ErrorKind::Other, "put", "the sender is gone")))
    }
}

#[async_trait]
impl Progress for Handoff {
    async fn started(&self, upload_id: &str) -> Result<()> {
        self.ask(|answer| Told::Started(upload_id.to_owned(), answer)).await
    }

    async fn ended(&self, upload_id: &str) -> Result<()> {
        self.ask(|answer| Told::Ended(upload_id.to_owned(), answer)).await
    }

    fn sent(&self, bytes: u64) {
        let _ = self.0.unbounded_send(Told::Sent(bytes));
    }
}
