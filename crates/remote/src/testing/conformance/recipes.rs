//! Recipes: objects made of bytes and of other objects, whole or not at all.
//! The finished object is compared byte for byte with what its pieces should give,
//! and what is left behind by a failed one is looked for.

use super::{Ctx, Flawed, Verdict, Watch, copy_of, ensure, noise, piece, refused, same};
use crate::{Ability, Condition, ErrorKind, ObjectMeta, Piece, Unwatched};
use std::sync::Arc;

pub(super) async fn copy_keeps_bytes_and_replaces_metadata(ctx: Ctx) -> Verdict {
    let user = |value: &str| [("mtime".to_owned(), value.to_owned())].into_iter().collect();
    let mut put = ctx.body("from", "the bytes", Condition::Absent);
    put.meta = ObjectMeta { content_type: Some("text/plain".to_owned()), user: user("1"), ..ObjectMeta::default() };
    let from = ctx.remote.put(&put, &Unwatched).await?.stamp;
    let mut copy = ctx.recipe("to ü+%/x", vec![copy_of(ctx.key("from"), &from, 0, from.size)], Condition::Absent);
    copy.meta = ObjectMeta { content_type: Some("text/css".to_owned()), user: user("2"), ..ObjectMeta::default() };
    let stored = ctx.remote.put(&copy, &Unwatched).await?;
    let seen = ctx.seen("to ü+%/x").await?;
    ensure(seen.stamp.etag == stored.stamp.etag, || "the copy has another ETag than was told".to_owned())?;
    ensure(seen.meta.as_ref() == Some(&copy.meta), || format!("the copy carries {:?}", seen.meta))?;
    same(&ctx.read("to ü+%/x").await?, b"the bytes", "the copy")?;
    same(&ctx.read("from").await?, b"the bytes", "the original")?;
    let left = ctx.seen("from").await?.meta;
    ensure(left == Some(put.meta), || format!("the original carries {left:?}"))
}

pub(super) async fn copy_of_nothing(ctx: Ctx) -> Verdict {
    let stamp = ctx.create("from", "gone soon").await?.stamp;
    for answer in ctx.remote.delete(&[(ctx.key("from"), Condition::Matches(stamp.clone()))]).await {
        answer?;
    }
    let put = ctx.recipe("to", vec![copy_of(ctx.key("from"), &stamp, 0, stamp.size)], Condition::Absent);
    let kinds = [ErrorKind::NotFound, ErrorKind::Precondition];
    refused(ctx.remote.put(&put, &Unwatched).await, &kinds, "copying what is gone")?;
    ensure(ctx.remote.head(&ctx.key("to")).await?.is_none(), || "a refused copy made an object".to_owned())
}

pub(super) async fn copy_onto_itself(ctx: Ctx) -> Verdict {
    let stamp = ctx.create("a", "the bytes").await?.stamp;
    let mut put =
        ctx.recipe("a", vec![copy_of(ctx.key("a"), &stamp, 0, stamp.size)], Condition::Matches(stamp.clone()));
    put.meta.user.insert("mode".to_owned(), "33188".to_owned());
    ctx.remote.put(&put, &Unwatched).await?;
    let seen = ctx.seen("a").await?.meta.unwrap_or_default().user;
    ensure(seen == put.meta.user, || format!("it carries {seen:?}"))?;
    same(&ctx.read("a").await?, b"the bytes", "after a change of metadata")
}

pub(super) async fn copy_of_empty(ctx: Ctx) -> Verdict {
    let stamp = ctx.create("from", "").await?.stamp;
    let put = ctx.recipe("to", vec![copy_of(ctx.key("from"), &stamp, 0, 0)], Condition::Absent);
    ctx.remote.put(&put, &Unwatched).await?;
    same(&ctx.read("to").await?, b"", "the copy")
}

pub(super) async fn mixed_recipe(ctx: Ctx) -> Verdict {
    let mib = ctx.mib;
    ctx.needs(Ability::PartCopy)?;
    let old = noise(3, 12 * mib);
    let stamp = ctx.create("old", old.clone()).await?.stamp;
    let (middle, tail) = (noise(4, 5 * mib + 3), noise(5, 17));
    let from = ctx.key("old");
    let recipe = vec![
        copy_of(from.clone(), &stamp, 1, 5 * mib as u64 + 1),
        piece(middle.clone()),
        copy_of(from, &stamp, 6 * mib as u64, 6 * mib as u64),
        piece(tail.clone()),
    ];
    let expected = [&old[1..5 * mib + 2], &middle[..], &old[6 * mib..], &tail[..]].concat();
    let watch = Watch::default();
    let stored = ctx.remote.put(&ctx.recipe("new", recipe.clone(), Condition::Absent), &watch).await?;
    watch.ensure_ended()?;
    ensure(stored.stamp.size == expected.len() as u64, || format!("stored {} bytes", stored.stamp.size))?;
    same(&ctx.read("new").await?, &expected, "the assembly")?;
    // The same onto one of its own sources: the old bytes are read before they go.
    ctx.remote.put(&ctx.recipe("old", recipe, Condition::Matches(stamp)), &watch).await?;
    same(&ctx.read("old").await?, &expected, "the assembly onto its source")
}

pub(super) async fn part_copy_of_changed_source(ctx: Ctx) -> Verdict {
    let mib = ctx.mib;
    ctx.needs(Ability::PartCopy)?;
    ctx.needs(Ability::CopySourceIfMatch)?;
    let old = ctx.create("from", noise(6, 6 * mib)).await?.stamp;
    ctx.remote.put(&ctx.body("from", noise(7, 6 * mib), Condition::Matches(old.clone())), &Unwatched).await?;
    let recipe = vec![copy_of(ctx.key("from"), &old, 0, 5 * mib as u64), piece("tail")];
    let watch = Watch::default();
    let result = ctx.remote.put(&ctx.recipe("to", recipe, Condition::Absent), &watch).await;
    refused(result, &[ErrorKind::Precondition], "copying a part of what has changed")?;
    watch.ensure_ended()?;
    ensure(ctx.remote.head(&ctx.key("to")).await?.is_none(), || "a refused assembly made an object".to_owned())
}

pub(super) async fn large_stream(ctx: Ctx) -> Verdict {
    let mib = ctx.mib;
    let body = noise(8, 20 * mib + 1);
    let mut put = ctx.body("a", body.clone(), Condition::Absent);
    put.meta.user.insert("mtime".to_owned(), "1".to_owned());
    let watch = Watch::default();
    let stored = ctx.remote.put(&put, &watch).await?;
    watch.ensure_ended()?;
    let sent = watch.told().2;
    ensure(sent == body.len() as u64, || format!("told of {sent} bytes sent"))?;
    let seen = ctx.seen("a").await?;
    ensure(seen.stamp.unchanged(&stored.stamp), || format!("stored {:?}, seen {:?}", stored.stamp, seen.stamp))?;
    ensure(seen.meta.is_some_and(|meta| meta.user == put.meta.user), || "its metadata is lost".to_owned())?;
    same(&ctx.read("a").await?, &body, "what was read")
}

async fn failing(ctx: &Ctx, size: usize, readable: u64, seals: bool) -> Verdict {
    let stamp = ctx.create("a", "as it was").await?.stamp;
    for (name, condition) in [("a", Condition::Matches(stamp)), ("new", Condition::Absent)] {
        let source = Arc::new(Flawed { bytes: noise(9, size), readable, seals });
        let recipe = vec![Piece::Bytes { source, offset: 0, size: size as u64 }];
        let watch = Watch::default();
        let result = ctx.remote.put(&ctx.recipe(name, recipe, condition), &watch).await;
        refused(result, &[ErrorKind::Source], "a source that fails")?;
        watch.ensure_ended()?;
    }
    same(&ctx.read("a").await?, b"as it was", "after a failed write")?;
    let listed = ctx.listed("").await?;
    ensure(listed == ["a"], || format!("a failed write left {listed:?}"))
}

pub(super) async fn failing_seal_whole(ctx: Ctx) -> Verdict {
    failing(&ctx, 1000, 1000, false).await
}

pub(super) async fn failing_seal_in_parts(ctx: Ctx) -> Verdict {
    failing(&ctx, 17 * ctx.mib, 17 * ctx.mib as u64, false).await
}

pub(super) async fn short_source_whole(ctx: Ctx) -> Verdict {
    failing(&ctx, 1000, 999, true).await
}

pub(super) async fn short_source_in_parts(ctx: Ctx) -> Verdict {
    failing(&ctx, 17 * ctx.mib, 16 * ctx.mib as u64 + 5, true).await
}

pub(super) async fn checksum_is_kept(ctx: Ctx) -> Verdict {
    let mib = ctx.mib;
    ctx.needs(Ability::Crc64Nvme)?;
    for (name, size) in [("empty", 0), ("small", 9), ("large", 17 * mib)] {
        let body = noise(10, size);
        let expected = crc_fast::checksum(crc_fast::CrcAlgorithm::Crc64Nvme, &body);
        ctx.create(name, body).await?;
        let kept = ctx.seen(name).await?.crc64nvme;
        ensure(kept == Some(expected), || format!("{name}: kept {kept:?}, and {expected} was due"))?;
    }
    Ok(())
}
