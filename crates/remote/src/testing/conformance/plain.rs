//! Writing, reading, looking and removing, without any condition in dispute.
//! Each case writes under keys of its own and reads back what a stranger would see;
//! none of them knows which place it talks to.

use super::{Ctx, Verdict, Why, copy_of, ensure, refused, same};
use crate::{Ability, Condition, Encryption, ErrorKind, ObjectMeta, Put, Unwatched};
use std::collections::BTreeMap;

pub(super) async fn round_trip(ctx: Ctx) -> Verdict {
    let stored = ctx.create("a", "hello").await?;
    same(&ctx.read("a").await?, b"hello", "what was read")?;
    let seen = ctx.seen("a").await?;
    ensure(seen.stamp.unchanged(&stored.stamp), || format!("stored {:?}, seen {:?}", stored.stamp, seen.stamp))?;
    ensure(seen.key == ctx.key("a"), || format!("asked for a, got {:?}", seen.key))?;
    ensure(seen.stamp.size == 5, || format!("size {}", seen.stamp.size))?;
    ensure(!seen.stamp.etag.contains('"') && !seen.stamp.etag.is_empty(), || format!("etag {}", seen.stamp.etag))?;
    ensure(seen.stamp.modified_s.is_some(), || "a HEAD tells no Last-Modified".to_owned())
}

pub(super) async fn empty_object(ctx: Ctx) -> Verdict {
    let stored = ctx.create("empty", "").await?;
    ensure(stored.stamp.size == 0, || format!("stored {} bytes", stored.stamp.size))?;
    same(&ctx.read("empty").await?, b"", "what was read")?;
    ensure(ctx.seen("empty").await?.stamp.size == 0, || "the empty object has a size".to_owned())
}

pub(super) async fn absent_is_none(ctx: Ctx) -> Verdict {
    let head = ctx.remote.head(&ctx.key("nothing")).await?;
    ensure(head.is_none(), || format!("found {head:?}"))?;
    let listed = ctx.listed("").await?;
    ensure(listed.is_empty(), || format!("listed {listed:?}"))
}

pub(super) async fn overwrite_replaces_whole(ctx: Ctx) -> Verdict {
    let first = ctx.create("a", "a longer first body").await?;
    let second = ctx.remote.put(&ctx.body("a", "short", Condition::Matches(first.stamp.clone())), &Unwatched).await?;
    ensure(second.stamp.etag != first.stamp.etag, || "other bytes have the same ETag".to_owned())?;
    same(&ctx.read("a").await?, b"short", "what was read")
}

pub(super) async fn metadata_round_trip(ctx: Ctx) -> Verdict {
    let pairs =
        [("mtime", "1700000000.123456789"), ("mode", "33188"), ("tidelock-attempt", "r1/7"), ("odd", "a b=c;%20")];
    let user = pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).into_iter().collect();
    let content_type = Some("text/x-tide; charset=utf-8".to_owned());
    let meta = ObjectMeta { content_type, user, ..ObjectMeta::default() };
    let mut put = ctx.body("a", "body", Condition::Absent);
    put.meta = meta.clone();
    ctx.remote.put(&put, &Unwatched).await?;
    let seen = ctx.seen("a").await?.meta;
    ensure(seen.as_ref() == Some(&meta), || format!("a HEAD shows {seen:?}"))?;
    let download = ctx.remote.get(&ctx.key("a"), None, None).await?;
    let with_body = download.object.meta;
    ensure(with_body.as_ref() == Some(&meta), || format!("a GET shows {with_body:?}"))?;
    // A write without metadata leaves none of the old.
    let stamp = ctx.seen("a").await?.stamp;
    let bare = Put { meta: ObjectMeta::default(), ..ctx.body("a", "other", Condition::Matches(stamp)) };
    ctx.remote.put(&bare, &Unwatched).await?;
    let left = ctx.seen("a").await?.meta.unwrap_or_default().user;
    ensure(left.is_empty(), || format!("old metadata lives on: {left:?}"))
}

/// What the web is told, and where the bytes lie, through a write, a copy onto itself
/// and a copy to another key, as a change of metadata and a rename make them.
pub(super) async fn headers_and_class_round_trip(ctx: Ctx) -> Verdict {
    let values =
        ["max-age=60", "attachment; filename=\"a b\"", "gzip", "de, en", "Wed, 21 Oct 2026 07:28:00 GMT"].into_iter();
    let headers: BTreeMap<_, _> =
        ObjectMeta::HEADERS.map(str::to_owned).into_iter().zip(values.map(str::to_owned)).collect();
    let mut put = ctx.body("a", "body", Condition::Absent);
    put.meta.headers = headers.clone();
    put.storage_class = Some("STANDARD_IA".to_owned());
    let stamp = ctx.remote.put(&put, &Unwatched).await?.stamp;
    let check = |object: crate::Object| {
        let seen = object.meta.unwrap_or_default().headers;
        ensure(seen == headers, || format!("a HEAD shows {seen:?}"))?;
        let class = object.storage_class;
        ensure(class.as_deref() == Some("STANDARD_IA"), || format!("its class is {class:?}"))
    };
    check(ctx.seen("a").await?)?;
    for (to, condition) in [("b", Condition::Absent), ("a", Condition::Matches(stamp.clone()))] {
        let mut copy = ctx.recipe(to, vec![copy_of(ctx.key("a"), &stamp, 0, stamp.size)], condition);
        copy.meta.user.insert("mode".to_owned(), "0100600".to_owned());
        (copy.meta.headers, copy.storage_class) = (headers.clone(), put.storage_class.clone());
        ctx.remote.put(&copy, &Unwatched).await?;
        check(ctx.seen(to).await?)?;
    }
    let bare = ctx.body("b", "other", Condition::Matches(ctx.seen("b").await?.stamp));
    ctx.remote.put(&bare, &Unwatched).await?;
    let left = ctx.seen("b").await?.meta.unwrap_or_default().headers;
    ensure(left.is_empty(), || format!("old headers live on: {left:?}"))
}

/// How an object is encrypted, where the place says so: what a HEAD shows and a copy asks
/// for again, the copy has too.
pub(super) async fn encryption_round_trips(ctx: Ctx) -> Verdict {
    let key = "arn:aws:kms:us-east-1:123456789012:key/00000000-0000-0000-0000-000000000001".to_owned();
    let asked = Encryption::kms(Some(key));
    let mut put = ctx.body("a", "body", Condition::Absent);
    put.meta.encryption = Some(asked.clone());
    let stamp = match ctx.remote.put(&put, &Unwatched).await {
        Ok(stored) => stored.stamp,
        Err(error) => return Err(Why::NotOffered(format!("a key of a key service: {error}"))),
    };
    let shown = |object: crate::Object| object.meta.unwrap_or_default().encryption;
    let Some(first) = shown(ctx.seen("a").await?) else {
        return Err(Why::NotOffered("a HEAD does not tell of encryption".to_owned()));
    };
    ensure(first == asked, || format!("a HEAD shows {first:?}"))?;
    for (to, condition) in [("b", Condition::Absent), ("a", Condition::Matches(stamp.clone()))] {
        let mut copy = ctx.recipe(to, vec![copy_of(ctx.key("a"), &stamp, 0, stamp.size)], condition);
        copy.meta.user.insert("mode".to_owned(), "0100600".to_owned());
        copy.meta.encryption = Some(first.clone());
        ctx.remote.put(&copy, &Unwatched).await?;
        let seen = shown(ctx.seen(to).await?);
        ensure(seen.as_ref() == Some(&asked), || format!("a HEAD of a copy shows {seen:?}"))?;
    }
    Ok(())
}

pub(super) async fn head_and_list_agree(ctx: Ctx) -> Verdict {
    ctx.create("a", "one").await?;
    ctx.create("b", "two words").await?;
    let listed = ctx.list("").await?;
    ensure(listed.len() == 2, || format!("listed {listed:?}"))?;
    for object in listed {
        let head = ctx.remote.head(&object.key).await?;
        let agree = head.as_ref().is_some_and(|head| head.stamp == object.stamp);
        ensure(agree, || format!("listed {:?}, HEAD shows {head:?}", object.stamp))?;
        ensure(object.stamp.modified_s.is_some(), || "a listing tells no Last-Modified".to_owned())?;
    }
    Ok(())
}

pub(super) async fn delete_removes(ctx: Ctx) -> Verdict {
    let stored = ctx.create("a", "body").await?;
    ctx.create("ab", "stays").await?;
    let answers = ctx.remote.delete(&[(ctx.key("a"), Condition::Matches(stored.stamp))]).await;
    ensure(answers.len() == 1, || format!("{} answers to one deletion", answers.len()))?;
    for answer in answers {
        answer?;
    }
    ensure(ctx.remote.head(&ctx.key("a")).await?.is_none(), || "deleted and still there".to_owned())?;
    let listed = ctx.listed("").await?;
    ensure(listed == ["ab"], || format!("listed {listed:?}"))?;
    // The name is free again.
    ctx.create("a", "again").await?;
    same(&ctx.read("a").await?, b"again", "what was read")
}

pub(super) async fn delete_of_nothing(ctx: Ctx) -> Verdict {
    ctx.needs(Ability::DeleteIfMatch)?;
    let gone = ctx.create("a", "body").await?.stamp;
    let item = [(ctx.key("a"), Condition::Matches(gone))];
    for answer in ctx.remote.delete(&item).await {
        answer?;
    }
    for answer in ctx.remote.delete(&item).await {
        refused(answer, &[ErrorKind::NotFound], "deleting what is gone")?;
    }
    Ok(())
}

pub(super) async fn abandon_unknown_upload(ctx: Ctx) -> Verdict {
    ctx.remote.abandon(&ctx.key("a"), "2f8b1d0c-no-such-upload").await?;
    Ok(())
}
