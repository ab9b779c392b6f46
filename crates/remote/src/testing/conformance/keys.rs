//! Names and listings: any key a bucket can hold, each key once, in order, to the
//! end.
//! A key that a place refuses must be refused with a clear error and change nothing.

use super::{Ctx, Verdict, ensure, same};
use crate::{Ability, Cursor};
use futures::future::join;
use tidelock_core::path::Key;

pub(super) async fn list_in_order(ctx: Ctx) -> Verdict {
    ctx.needs(Ability::OrderedList)?;
    // By bytes: `-` < `.` < `/` < `0`, upper before lower, ASCII before the rest.
    for name in ["b", "a0", "a/b", "a-b", "a", "a.b", "B", "é", "z", "𐀀", "\u{ffee}"] {
        ctx.create(name, name.to_owned()).await?;
    }
    let keys: Vec<Key> = ctx.list("").await?.into_iter().map(|object| object.key).collect();
    ensure(keys.len() == 11 && keys.is_sorted(), || format!("listed {keys:?}"))
}

pub(super) async fn list_by_prefix(ctx: Ctx) -> Verdict {
    for name in ["dir", "dir/", "dir/a", "dir/b/c", "dir.txt", "dirt", "other"] {
        ctx.create(name, "x").await?;
    }
    for (prefix, expected) in [
        ("dir/", vec!["dir/", "dir/a", "dir/b/c"]),
        ("dir", vec!["dir", "dir.txt", "dir/", "dir/a", "dir/b/c", "dirt"]),
        ("none", vec![]),
        ("other", vec!["other"]),
    ] {
        let listed = ctx.listed(prefix).await?;
        ensure(listed == expected, || format!("below {prefix:?} listed {listed:?}"))?;
    }
    Ok(())
}

pub(super) async fn list_after_a_key(ctx: Ctx) -> Verdict {
    ctx.needs(Ability::OrderedList)?;
    for name in ["a", "a/b", "b", "c d", "e"] {
        ctx.create(name, "x").await?;
    }
    // After one that exists, one that does not, one in another listing's past.
    for (after, expected) in [("a", 4), ("a0", 3), ("c d", 1), ("e", 0)] {
        let found = ctx.list_from("", Cursor::after(&ctx.key(after))).await?.len();
        ensure(found == expected, || format!("after {after:?} listed {found}, and {expected} were due"))?;
    }
    Ok(())
}

pub(super) async fn list_pages_and_ends(ctx: Ctx) -> Verdict {
    // More than one page of any place, so that going on is tried.
    let expected: Vec<String> = (0..1_100).map(|number| format!("{number:04} x+y%2F")).collect();
    for chunk in expected.chunks(50) {
        for created in futures::future::join_all(chunk.iter().map(|name| ctx.create(name, "x"))).await {
            created?;
        }
    }
    let listed = ctx.listed("").await?;
    ensure(listed == expected, || format!("listed {} of {}", listed.len(), expected.len()))
}

pub(super) async fn list_while_writing(ctx: Ctx) -> Verdict {
    let steady: Vec<String> = (0..40).map(|number| format!("s{number:02}")).collect();
    for name in &steady {
        ctx.create(name, "steady").await?;
    }
    let writer = async {
        for number in 0..40 {
            ctx.create(&format!("s{number:02}-new"), "new").await?;
        }
        Ok::<_, crate::Error>(())
    };
    let (written, listed) = join(writer, ctx.listed("")).await;
    written?;
    // What was there all along is seen; what came meanwhile may be.
    let listed = listed?;
    let missing: Vec<_> = steady.iter().filter(|name| !listed.contains(name)).collect();
    ensure(missing.is_empty(), || format!("not listed: {missing:?}"))
}

async fn each_name(ctx: &Ctx, names: &[&str]) -> Verdict {
    for name in names {
        ctx.create(name, format!("body of {name}")).await?;
    }
    let mut expected: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
    expected.sort();
    let listed = ctx.listed("").await?;
    ensure(listed == expected, || format!("listed {listed:?}, and {expected:?} was due"))?;
    for name in names {
        same(&ctx.read(name).await?, format!("body of {name}").as_bytes(), name)?;
        ctx.seen(name).await?;
    }
    Ok(())
}

pub(super) async fn ordinary_names(ctx: Ctx) -> Verdict {
    each_name(&ctx, &["a b", " lead", "trail ", "a+b", "a%b", "a%2Fb", "ü", "日本/語.txt", "🦀"]).await
}

/// One letter spelt in two ways is two keys: nothing is normalised.
pub(super) async fn spelling_twins(ctx: Ctx) -> Verdict {
    each_name(&ctx, &["e\u{301}", "\u{e9}", "E", "e"]).await
}

pub(super) async fn difficult_names(ctx: Ctx) -> Verdict {
    let names =
        ["q?x=1&y", "h#frag", "a;b:c@d", "quo\"te'", "<tag>&amp;", "back\\slash", "~!$()*,=[]^`{|}", "a&b", "&#10;"];
    each_name(&ctx, &names).await
}

pub(super) async fn control_characters(ctx: Ctx) -> Verdict {
    each_name(&ctx, &["line\nfeed", "carriage\rreturn", "tab\there", "bell\u{7}", "del\u{7f}", "\u{1}"]).await
}

pub(super) async fn folder_marker_beside_children(ctx: Ctx) -> Verdict {
    each_name(&ctx, &["a", "a/", "a/b", "a/b/", "a/b/c", "empty/"]).await
}

pub(super) async fn longest_key(ctx: Ctx) -> Verdict {
    // Segments of 200 bytes, so that places which keep files can hold it.
    let room = ctx.key_max_bytes;
    let long: String = (0..room).map(|at| if at % 201 == 200 && at + 1 < room { '/' } else { 'k' }).collect();
    each_name(&ctx, &[&long, "short"]).await
}
