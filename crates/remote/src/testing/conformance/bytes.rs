//! Reading: exactly the bytes asked for, of exactly the object meant.
//! Each case writes under keys of its own and reads back what a stranger would see;
//! none of them knows which place it talks to.

use super::{Ctx, Verdict, collect, ensure, noise, refused, same};
use crate::{Condition, ErrorKind, Unwatched};
use futures::StreamExt as _;

pub(super) async fn whole_object_in_chunks(ctx: Ctx) -> Verdict {
    let body = noise(20, 3_000_001);
    ctx.create("a", body.clone()).await?;
    let download = ctx.remote.get(&ctx.key("a"), None, None).await?;
    ensure(download.object.stamp.size == body.len() as u64, || format!("size {}", download.object.stamp.size))?;
    same(&collect(download).await?, &body, "what was read")
}

pub(super) async fn ranges(ctx: Ctx) -> Verdict {
    let body = noise(21, 300_000);
    let stored = ctx.create("a", body.clone()).await?;
    for range in [0..1, 0..300_000, 299_999..300_000, 65_535..65_537, 7..200_003] {
        let download = ctx.remote.get(&ctx.key("a"), Some(range.clone()), Some(&stored.stamp)).await?;
        // The object told of is the whole one, whatever part of it is read.
        let size = download.object.stamp.size;
        ensure(size == 300_000, || format!("of {range:?}: the object's size is told as {size}"))?;
        let expected = &body[range.start as usize..range.end as usize];
        same(&collect(download).await?, expected, &format!("{range:?}"))?;
    }
    Ok(())
}

pub(super) async fn range_outside(ctx: Ctx) -> Verdict {
    ctx.create("a", "12345").await?;
    let opened = ctx.remote.get(&ctx.key("a"), Some(5..9), None).await;
    let read = match opened {
        Ok(download) => collect(download).await.map(|_| ()),
        Err(error) => Err(error),
    };
    ensure(read.is_err(), || "reading past the end succeeded".to_owned())
}

pub(super) async fn stale_stamp(ctx: Ctx) -> Verdict {
    let old = ctx.create("a", "first").await?.stamp;
    ctx.remote.put(&ctx.body("a", "other", Condition::Matches(old.clone())), &Unwatched).await?;
    let result = ctx.remote.get(&ctx.key("a"), None, Some(&old)).await;
    refused(result, &[ErrorKind::Precondition], "reading what has changed")?;
    let result = ctx.remote.get(&ctx.key("a"), Some(1..3), Some(&old)).await;
    refused(result, &[ErrorKind::Precondition], "reading a range of what has changed")
}

pub(super) async fn current_stamp(ctx: Ctx) -> Verdict {
    let stamp = ctx.create("a", "first").await?.stamp;
    let download = ctx.remote.get(&ctx.key("a"), None, Some(&stamp)).await?;
    ensure(download.object.stamp.unchanged(&stamp), || format!("read {:?}", download.object.stamp))?;
    same(&collect(download).await?, b"first", "what was read")
}

pub(super) async fn get_of_nothing(ctx: Ctx) -> Verdict {
    refused(ctx.remote.get(&ctx.key("a"), None, None).await, &[ErrorKind::NotFound], "reading nothing")?;
    refused(ctx.remote.get(&ctx.key("a"), Some(0..1), None).await, &[ErrorKind::NotFound], "reading a part of nothing")
}

pub(super) async fn dropping_a_body(ctx: Ctx) -> Verdict {
    ctx.create("a", noise(22, 2_000_000)).await?;
    for _ in 0..20 {
        let mut download = ctx.remote.get(&ctx.key("a"), None, None).await?;
        let first = download.body.next().await;
        ensure(matches!(first, Some(Ok(ref chunk)) if !chunk.is_empty()), || "nothing came".to_owned())?;
    }
    same(&ctx.read("a").await?, &noise(22, 2_000_000), "after closing others half-way")
}
