//! Bodies going out and coming back, and the watch over both.
//!
//! Knows that a transfer which stops moving is over, whatever TCP thinks, and that
//! a document is read whole and only up to a size. It waits through the world's
//! clock alone and knows nothing of S3's meanings.

use super::client::Request;
use super::refusal::Effect;
use crate::bandwidth::{Bandwidth, Direction};
use crate::error::{Error, ErrorKind, Result};
use crate::world::World;
use bytes::{Buf, Bytes, BytesMut};
use futures::future::{BoxFuture, Either, select};
use futures::{FutureExt as _, ready};
use http::{HeaderMap, Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use std::convert::Infallible;
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

/// The longest document that is read.
pub(super) const DOCUMENT_MAX_BYTES: usize = 8 << 20;
/// Bodies go out in steps of this size, each a sign of life.
const STEP_BYTES: usize = 256 << 10;

/// A body in memory that tells how far it has got, and may have to take its time.
pub(super) struct Parcel {
    left: Bytes,
    moved: Arc<AtomicU64>,
    bandwidth: Option<Arc<Bandwidth>>,
    /// The next step, and the wait before it.
    waiting: Option<(usize, BoxFuture<'static, ()>)>,
}

impl Parcel {
    pub(super) fn new(bytes: Bytes, moved: Arc<AtomicU64>, bandwidth: Option<Arc<Bandwidth>>) -> Self {
        Self { left: bytes, moved, bandwidth, waiting: None }
    }

    /// How many bytes go next, once they may.
    fn poll_step(&mut self, context: &mut Context<'_>) -> Poll<usize> {
        let Some(bandwidth) = &self.bandwidth else { return Poll::Ready(self.left.len().min(STEP_BYTES)) };
        let (step, wait) = self.waiting.get_or_insert_with(|| {
            let step = self.left.len().min(bandwidth.step_bytes());
            let (bandwidth, moved) = (bandwidth.clone(), self.moved.clone());
            let bytes = u64::try_from(step).unwrap_or(u64::MAX);
            // A wait of our own making is no sign of a connection that stands still.
            let alive = move || {
                moved.fetch_add(1, Ordering::Relaxed);
            };
            (step, async move { bandwidth.pass(Direction::Up, bytes, alive).await }.boxed())
        });
        ready!(wait.as_mut().poll(context));
        let step = *step;
        self.waiting = None;
        Poll::Ready(step)
    }
}

impl Body for Parcel {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<std::result::Result<Frame<Bytes>, Infallible>>> {
        if self.left.is_empty() {
            return Poll::Ready(None);
        }
        let step = ready!(self.poll_step(context));
        let next = self.left.split_to(step);
        self.moved.fetch_add(1, Ordering::Relaxed);
        Poll::Ready(Some(Ok(Frame::data(next))))
    }

    fn is_end_stream(&self) -> bool {
        self.left.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left.remaining() as u64)
    }
}

/// Runs `work` as long as `moved` grows within every `patience`; `None` when it
/// stood still that long.
pub(super) async fn watched<T>(
    world: &World,
    patience: Duration,
    moved: &AtomicU64,
    work: impl Future<Output = T>,
) -> Option<T> {
    let mut work = pin!(work);
    loop {
        let before = moved.load(Ordering::Relaxed);
        let sleep = pin!(world.sleep.sleep(patience));
        match select(work.as_mut(), sleep).await {
            Either::Left((done, _)) => return Some(done),
            Either::Right(_) if moved.load(Ordering::Relaxed) == before => return None,
            Either::Right(_) => {}
        }
    }
}

/// An answer: its head, and its body still on the way.
pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    body: Incoming,
    world: World,
    op: &'static str,
    effect: Effect,
    patience: Duration,
}

impl Reply {
    pub(super) fn new(response: Response<Incoming>, world: World, request: &Request<'_>) -> Self {
        let (head, body) = response.into_parts();
        Self {
            status: head.status,
            headers: head.headers,
            body,
            world,
            op: request.op,
            effect: request.effect,
            patience: request.patience,
        }
    }

    /// A header as text.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The next bytes; `None` at the end.
    pub(super) async fn chunk(&mut self) -> Result<Option<Bytes>> {
        let still = AtomicU64::new(0);
        loop {
            match watched(&self.world, self.patience, &still, self.body.frame()).await {
                Some(None) => return Ok(None),
                Some(Some(Ok(frame))) => {
                    if let Ok(data) = frame.into_data() {
                        return Ok(Some(data));
                    }
                }
                Some(Some(Err(error))) => {
                    let text = format!("the reply broke off: {}", super::config::chain(&error));
                    return Err(Error::new(self.effect.lost(), self.op, text));
                }
                None => {
                    let text = format!("the reply stood still for {} s", self.patience.as_secs());
                    return Err(Error::new(self.effect.lost(), self.op, text));
                }
            }
        }
    }

    /// The whole body, which is a document.
    pub(super) async fn bytes(mut self) -> Result<Bytes> {
        let mut whole = BytesMut::new();
        while let Some(chunk) = self.chunk().await? {
            if whole.len() + chunk.len() > DOCUMENT_MAX_BYTES {
                return Err(Error::new(ErrorKind::Other, self.op, "the reply is larger than 8 MiB, which is refused"));
            }
            whole.extend_from_slice(&chunk);
        }
        Ok(whole.freeze())
    }
}
