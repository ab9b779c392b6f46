//! Conditions: whoever expects wrongly changes nothing, and of many who expect
//! the same, one wins.
//! What a place says that it cannot do is reported as not offered, never passed over.

use super::{Ctx, Verdict, copy_of, ensure, noise, refused, same};
use crate::{Ability, Condition, ErrorKind, Result, Stored, Unwatched};
use futures::future::join_all;
use tidelock_core::entry::RemoteStamp;

const LOST: &[ErrorKind] = &[ErrorKind::Precondition];
/// In a race, a place may also say that another write was under way.
const RACED: &[ErrorKind] = &[ErrorKind::Precondition, ErrorKind::Conflict];
/// Over what any place sends whole, in mebibytes.
const PARTS_MIB: usize = 17;

fn wrong() -> RemoteStamp {
    RemoteStamp { etag: "0123456789abcdef0123456789abcdef".to_owned(), size: 1, modified_s: None }
}

pub(super) async fn put_if_absent(ctx: Ctx) -> Verdict {
    ctx.needs(Ability::PutIfAbsent)?;
    ctx.create("a", "first").await?;
    refused(ctx.create("a", "second").await, LOST, "creating what exists")?;
    refused(ctx.create("a", "first").await, LOST, "creating the same again")?;
    same(&ctx.read("a").await?, b"first", "after a refused write")
}

pub(super) async fn put_if_absent_in_parts(ctx: Ctx) -> Verdict {
    ctx.needs(Ability::PutIfAbsent)?;
    ctx.create("a", "first").await?;
    let watch = super::Watch::default();
    let put = ctx.body("a", noise(1, PARTS_MIB * ctx.mib), Condition::Absent);
    refused(ctx.remote.put(&put, &watch).await, LOST, "creating what exists, in parts")?;
    watch.ensure_ended()?;
    same(&ctx.read("a").await?, b"first", "after a refused write")
}

fn ensure_one_winner(results: Vec<Result<Stored>>) -> std::result::Result<(usize, Stored), super::Why> {
    let mut winners = Vec::new();
    for (number, result) in results.into_iter().enumerate() {
        match result {
            Ok(stored) => winners.push((number, stored)),
            Err(error) => refused::<()>(Err(error), RACED, "losing a race")?,
        }
    }
    let count = winners.len();
    match winners.pop() {
        Some(winner) if count == 1 => Ok(winner),
        _ => Err(super::Why::Failed(format!("{count} of 16 won"))),
    }
}

pub(super) async fn one_of_many_wins(ctx: Ctx) -> Verdict {
    ctx.needs(Ability::PutIfAbsent)?;
    for round in 0..5 {
        let name = format!("a{round}");
        let bodies: Vec<String> = (0..16).map(|number| format!("writer {number}")).collect();
        let results = join_all(bodies.iter().map(|body| ctx.create(&name, body.clone()))).await;
        let (winner, stored) = ensure_one_winner(results)?;
        same(&ctx.read(&name).await?, bodies[winner].as_bytes(), "the winner's bytes")?;
        ensure(ctx.seen(&name).await?.stamp.etag == stored.stamp.etag, || "not the winner's ETag".to_owned())?;
    }
    Ok(())
}

pub(super) async fn one_of_many_replaces(ctx: Ctx) -> Verdict {
    ctx.needs(Ability::PutIfMatch)?;
    let mut stamp = ctx.create("a", "first").await?.stamp;
    for round in 0..5 {
        let bodies: Vec<String> = (0..16).map(|number| format!("round {round} writer {number}")).collect();
        let puts: Vec<_> =
            bodies.iter().map(|body| ctx.body("a", body.clone(), Condition::Matches(stamp.clone()))).collect();
        let results = join_all(puts.iter().map(|put| ctx.remote.put(put, &Unwatched))).await;
        let (winner, stored) = ensure_one_winner(results)?;
        same(&ctx.read("a").await?, bodies[winner].as_bytes(), "the winner's bytes")?;
        stamp = stored.stamp;
    }
    Ok(())
}

pub(super) async fn put_if_match(ctx: Ctx) -> Verdict {
    ctx.needs(Ability::PutIfMatch)?;
    let first = ctx.create("a", "first").await?.stamp;
    let refusal = ctx.remote.put(&ctx.body("a", "wrong", Condition::Matches(wrong())), &Unwatched).await;
    refused(refusal, LOST, "replacing another than expected")?;
    same(&ctx.read("a").await?, b"first", "after a refused write")?;
    let second = ctx.body("a", "second", Condition::Matches(first.clone()));
    ctx.remote.put(&second, &Unwatched).await?;
    same(&ctx.read("a").await?, b"second", "after a write")?;
    refused(ctx.remote.put(&second, &Unwatched).await, LOST, "replacing what was already replaced")
}

pub(super) async fn put_if_match_on_nothing(ctx: Ctx) -> Verdict {
    ctx.needs(Ability::PutIfMatch)?;
    let put = ctx.body("a", "body", Condition::Matches(wrong()));
    refused(ctx.remote.put(&put, &Unwatched).await, LOST, "replacing what is gone")?;
    ensure(ctx.remote.head(&ctx.key("a")).await?.is_none(), || "a refused write made an object".to_owned())
}

pub(super) async fn put_if_match_in_parts(ctx: Ctx) -> Verdict {
    ctx.needs(Ability::PutIfMatch)?;
    let first = ctx.create("a", "first").await?.stamp;
    let body = noise(2, PARTS_MIB * ctx.mib);
    let watch = super::Watch::default();
    let put = ctx.body("a", body.clone(), Condition::Matches(wrong()));
    refused(ctx.remote.put(&put, &watch).await, LOST, "replacing another than expected")?;
    same(&ctx.read("a").await?, b"first", "after a refused write")?;
    ctx.remote.put(&ctx.body("a", body.clone(), Condition::Matches(first)), &watch).await?;
    watch.ensure_ended()?;
    same(&ctx.read("a").await?, &body, "after a write")
}

pub(super) async fn delete_if_match(ctx: Ctx) -> Verdict {
    ctx.needs(Ability::DeleteIfMatch)?;
    let stamp = ctx.create("a", "body").await?.stamp;
    for answer in ctx.remote.delete(&[(ctx.key("a"), Condition::Matches(wrong()))]).await {
        refused(answer, LOST, "deleting another than expected")?;
    }
    same(&ctx.read("a").await?, b"body", "after a refused deletion")?;
    for answer in ctx.remote.delete(&[(ctx.key("a"), Condition::Matches(stamp))]).await {
        answer?;
    }
    ensure(ctx.remote.head(&ctx.key("a")).await?.is_none(), || "deleted and still there".to_owned())
}

pub(super) async fn batch_delete(ctx: Ctx) -> Verdict {
    // Over the thousand that one request may hold.
    let names: Vec<String> = (0..1_500).map(|number| format!("{number:04} & <x>")).collect();
    let mut items = Vec::new();
    for chunk in names.chunks(50) {
        for (name, stored) in chunk.iter().zip(join_all(chunk.iter().map(|name| ctx.create(name, "x"))).await) {
            items.push((ctx.key(name), Condition::Matches(stored?.stamp)));
        }
    }
    let kept = items.pop();
    let answers = ctx.remote.delete(&items).await;
    ensure(answers.len() == items.len(), || format!("{} answers to {} items", answers.len(), items.len()))?;
    for answer in answers {
        answer?;
    }
    let left = ctx.listed("").await?;
    ensure(kept.is_some() && left == [names[1_499].clone()], || format!("{} left", left.len()))
}

pub(super) async fn batch_delete_answers_each(ctx: Ctx) -> Verdict {
    ctx.needs(Ability::BatchDeleteIfMatch)?;
    let a = ctx.create("a", "a").await?.stamp;
    let b = ctx.create("b", "b").await?.stamp;
    let c = ctx.create("c", "c").await?.stamp;
    let items = [
        (ctx.key("a"), Condition::Matches(a.clone())),
        (ctx.key("b"), Condition::Matches(wrong())),
        (ctx.key("none"), Condition::Matches(b)),
        (ctx.key("c"), Condition::Matches(c)),
    ];
    let mut answers = ctx.remote.delete(&items).await;
    ensure(answers.len() == 4, || format!("{} answers to 4 items", answers.len()))?;
    for (number, answer) in answers.drain(..).enumerate() {
        match number {
            1 => refused(answer, LOST, "deleting another than expected")?,
            2 => refused(answer, &[ErrorKind::NotFound, ErrorKind::Precondition], "deleting what never was")?,
            _ => answer?,
        }
    }
    let left = ctx.listed("").await?;
    ensure(left == ["b"], || format!("left: {left:?}"))
}

pub(super) async fn copy_source_condition(ctx: Ctx) -> Verdict {
    ctx.needs(Ability::CopySourceIfMatch)?;
    let old = ctx.create("from", "12345").await?.stamp;
    ctx.remote.put(&ctx.body("from", "other", Condition::Matches(old.clone())), &Unwatched).await?;
    let put = ctx.recipe("to", vec![copy_of(ctx.key("from"), &old, 0, 5)], Condition::Absent);
    refused(ctx.remote.put(&put, &Unwatched).await, LOST, "copying what has changed")?;
    ensure(ctx.remote.head(&ctx.key("to")).await?.is_none(), || "a refused copy made an object".to_owned())
}

pub(super) async fn copy_destination_absent(ctx: Ctx) -> Verdict {
    ctx.needs(Ability::CopyIfMatch)?;
    let from = ctx.create("from", "12345").await?.stamp;
    ctx.create("to", "taken").await?;
    let put = ctx.recipe("to", vec![copy_of(ctx.key("from"), &from, 0, 5)], Condition::Absent);
    refused(ctx.remote.put(&put, &Unwatched).await, LOST, "copying onto what exists")?;
    same(&ctx.read("to").await?, b"taken", "after a refused copy")
}

pub(super) async fn copy_destination_match(ctx: Ctx) -> Verdict {
    ctx.needs(Ability::CopyIfMatch)?;
    let from = ctx.create("from", "12345").await?.stamp;
    let to = ctx.create("to", "old").await?.stamp;
    let copy = |condition| ctx.recipe("to", vec![copy_of(ctx.key("from"), &from, 0, 5)], condition);
    refused(ctx.remote.put(&copy(Condition::Matches(wrong())), &Unwatched).await, LOST, "copying onto another")?;
    same(&ctx.read("to").await?, b"old", "after a refused copy")?;
    ctx.remote.put(&copy(Condition::Matches(to)), &Unwatched).await?;
    same(&ctx.read("to").await?, b"12345", "after a copy")
}
