//! From what was seen of one key to a row of the table, and to a step.
//!
//! Here stamps are compared with the base's halves, folders and markers get their
//! own rules, and unreadable places are kept from being read as deletions. The
//! table itself is `decide.rs`; what a closer look found comes back in through
//! [`resolve`]. Nothing here looks at a disk or a bucket.

use crate::decide::{Change, Decision, MetaDecision, Row, Sameness, decide, decide_meta};
use crate::entry::{BaseRow, LocalEntry, Meta, RemoteEntry, Standing};
use crate::names::Kind;
use crate::path::{Key, RelPath};
use crate::plan::{Action, HereSeen, Step, ThereSeen};
use crate::policy::{Flow, Policy};

/// The local side of one key.
#[derive(Debug, Clone, Copy)]
pub enum Here<'a> {
    /// Nothing is there, and the folder that would hold it was read.
    Absent,
    /// An entry.
    Present(&'a LocalEntry),
    /// It cannot be told: the place could not be read.
    Hidden,
}

/// Everything that was seen of one key.
#[derive(Debug, Clone, Copy)]
pub struct Seen<'a> {
    /// The key.
    pub key: &'a Key,
    /// Where it is on disk.
    pub path: &'a RelPath,
    /// What the key says it is.
    pub kind: Kind,
    /// What was agreed.
    pub base: Option<&'a BaseRow>,
    /// The local side.
    pub here: Here<'a>,
    /// The remote side.
    pub there: Option<&'a RemoteEntry>,
    /// For a folder: whether the remote has any key below it.
    pub there_below: bool,
}

/// What is to be done about a key, if anything. `None` is: as agreed.
pub fn look(seen: &Seen<'_>, policy: &Policy) -> Option<Step> {
    let here = match seen.here {
        Here::Hidden => {
            let row = Row {
                standing: standing(seen),
                here: Change::Same,
                there: there_change(seen),
                same: Sameness::Unknown,
            };
            return (seen.there.is_some() || seen.base.is_some()).then(|| step(seen, row, Action::Leave, None));
        }
        Here::Absent => None,
        Here::Present(entry) => Some(entry),
    };
    if seen.kind == Kind::Dir && is_plain_folder(seen, here, policy) {
        return None;
    }
    let row = row(seen, here);
    let action = match decide(row, policy) {
        decision if seen.there.is_some_and(|there| there.lost) => refill(decision, row, here, policy),
        Decision::Nothing => return unchanged(seen, here, row, policy),
        Decision::Adopt if is_unmarked(seen, here, policy) => Action::Download,
        decision => action(decision),
    };
    let forgetting_nothing = action == Action::Forget && seen.base.is_none();
    (!forgetting_nothing).then(|| step(seen, row, owed(seen, here, action, policy), here))
}

/// A move whose old object still waits to be deleted: the bytes live, proved,
/// under the new key, so the old one goes whatever the policy says of deletions.
/// A flow that may not write there leaves it, and does not bring the old name back.
fn owed(seen: &Seen<'_>, here: Option<&LocalEntry>, action: Action, policy: &Policy) -> Action {
    let Some(BaseRow { moved_to: Some(_), there: Some(agreed), .. }) = seen.base else { return action };
    match seen.there {
        Some(there) if here.is_none() && there.stamp.same_content(&agreed.stamp) => {
            if policy.writes_there() {
                Action::DeleteMoved
            } else {
                Action::Leave
            }
        }
        _ => action,
    }
}

/// A folder like any other here, to which the remote has just learnt that there is
/// more: it gets the marker's metadata. One that would need a marker of its own was
/// set up by somebody, and is adopted as it is.
fn is_unmarked(seen: &Seen<'_>, here: Option<&LocalEntry>, policy: &Policy) -> bool {
    seen.kind == Kind::Dir
        && seen.base.is_none()
        && policy.flow != Flow::Up
        && here.is_some_and(|entry| !entry.needs_marker)
}

/// What is done about an object whose bytes the place has lost. It never counts as
/// absent. Where this flow writes there and the file here is, or came after, the one
/// that was agreed on, it is sent again; else nobody may act on what nobody can read.
fn refill(decision: Decision, row: Row, here: Option<&LocalEntry>, policy: &Policy) -> Action {
    let may = policy.writes_there() && here.is_some();
    let vouched = row.standing == Some(Standing::Agreed) && matches!(row.there, Change::Same | Change::Touched);
    match decision {
        Decision::Adopt if may => Action::Upload,
        Decision::Nothing | Decision::Compare if may && vouched => Action::Upload,
        Decision::Compare if may => Action::Compare,
        Decision::Nothing | Decision::Adopt | Decision::Compare => Action::Leave,
        decision => action(decision),
    }
}

/// A folder that exists here, has no marker and needs none, or one that this flow
/// may not write: nobody tracks it.
fn is_plain_folder(seen: &Seen<'_>, here: Option<&LocalEntry>, policy: &Policy) -> bool {
    let Some(entry) = here.filter(|_| seen.there.is_none()) else { return false };
    let implied = seen.there_below && (!entry.needs_marker || !policy.writes_there());
    implied || !entry.needs_marker && seen.base.is_none()
}

fn standing(seen: &Seen<'_>) -> Option<Standing> {
    seen.base.map(|base| base.standing)
}

fn row(seen: &Seen<'_>, here: Option<&LocalEntry>) -> Row {
    let row = |here, there, same| Row { standing: standing(seen), here, there, same };
    let (here_change, there_change) = (here_change(seen, here), there_change(seen));
    let (Some(here), Some(there)) = (here, seen.there) else {
        return row(here_change, there_change, Sameness::Unknown);
    };
    if seen.kind == Kind::Dir {
        return row(here_change, there_change, Sameness::Same);
    }
    let by_size = if here.stamp.size == there.stamp.size { Sameness::Unknown } else { Sameness::Differ };
    let moved = |change: Change| matches!(change, Change::New | Change::Changed);
    let as_agreed = here_change == Change::Same && there_change == Change::Same;
    let as_it_was = |change: Change| matches!(change, Change::Same | Change::Touched);
    match standing(seen) {
        // Both were called the same unread, and too soon to be sure of either.
        Some(Standing::Agreed) if is_unproved(seen, here) => row(Change::Changed, Change::Changed, by_size),
        Some(Standing::Agreed) if moved(here_change) && moved(there_change) => row(here_change, there_change, by_size),
        Some(Standing::Agreed) => row(here_change, there_change, Sameness::Unknown),
        Some(Standing::Lapsed) if as_agreed => row(here_change, there_change, Sameness::Same),
        Some(Standing::Lapsed) if as_it_was(there_change) => row(here_change, there_change, Sameness::Unknown),
        // Written again there, perhaps with the same bytes: then a look settles it.
        Some(Standing::Lapsed) if as_it_was(here_change) => match by_size {
            Sameness::Differ => row(here_change, there_change, by_size),
            _ => row(Change::Touched, there_change, by_size),
        },
        // Nobody vouches for either side: both are looked at as if they were new.
        _ => row(Change::New, Change::New, by_size),
    }
}

/// Whether nobody knows what is here although its stamp is as it was: it was taken
/// without a digest, and may have been changed since within the grain of its time.
fn is_unproved(seen: &Seen<'_>, here: &LocalEntry) -> bool {
    seen.base.is_some_and(|base| {
        let half = base.here.as_ref();
        base.digest.is_none() && half.is_some_and(|half| half.racy && half.stamp == here.stamp)
    })
}

fn here_change(seen: &Seen<'_>, here: Option<&LocalEntry>) -> Change {
    let agreed = seen.base.and_then(|base| base.here.as_ref().map(|half| (base, half)));
    let Some(entry) = here else {
        return if agreed.is_some() { Change::Gone } else { Change::Never };
    };
    let Some((base, half)) = agreed else { return Change::New };
    if entry.kind == Kind::Dir && base.kind == Kind::Dir {
        return Change::Same;
    }
    if entry.kind != base.kind || entry.stamp.size != half.stamp.size {
        return Change::Changed;
    }
    let (now, then) = (&entry.stamp, &half.stamp);
    if now == then && !half.racy {
        Change::Same
    } else if base.digest.is_some() || standing(seen) == Some(Standing::Known) {
        Change::Touched
    } else {
        Change::Changed
    }
}

fn there_change(seen: &Seen<'_>) -> Change {
    let agreed = seen.base.and_then(|base| base.there.as_ref());
    let Some(there) = seen.there else {
        let implied = seen.kind == Kind::Dir
            && seen.there_below
            && standing(seen) == Some(Standing::Agreed)
            && matches!(seen.here, Here::Present(_));
        return match agreed {
            Some(_) if implied => Change::Same,
            Some(_) => Change::Gone,
            None => Change::Never,
        };
    };
    match agreed {
        None => Change::New,
        Some(half) if half.stamp.unchanged(&there.stamp) => Change::Same,
        Some(half) if half.stamp.same_content(&there.stamp) => Change::Touched,
        Some(_) => Change::Changed,
    }
}

/// Content is as agreed on both sides: what remains is metadata and bookkeeping.
fn unchanged(seen: &Seen<'_>, here: Option<&LocalEntry>, row: Row, policy: &Policy) -> Option<Step> {
    let (base, entry) = (seen.base?, here?);
    let agreed = base.here.as_ref()?;
    if row.standing == Some(Standing::Agreed) && seen.there.is_some() {
        let changed = has_changed(&entry.meta, &agreed.meta, entry.kind);
        match decide_meta(changed, false, policy) {
            MetaDecision::SetThere => return Some(step(seen, row, Action::MetaThere, here)),
            MetaDecision::SetHere => return Some(step(seen, row, Action::MetaHere, here)),
            MetaDecision::Nothing => {}
        }
    }
    let there = seen.there?;
    let learnt = base.there.as_ref().is_some_and(|half| half.stamp != there.stamp);
    (learnt || base.moved_to.is_some()).then(|| step(seen, row, Action::Refresh, here))
}

/// Whether metadata here is another than was agreed. Attributes that nobody looked at
/// then, because they did not take part yet, are new.
pub fn has_changed(now: &Meta, then: &Meta, kind: Kind) -> bool {
    let joined = then.xattrs.is_none() && now.xattrs.as_ref().is_some_and(|xattrs| !xattrs.is_empty());
    joined || comparable(now, kind).differs(&comparable(then, kind))
}

/// Whether an object that nothing is on record of may be a write of ours that was cut
/// off before it could be: all those are younger than our first run here. Times are in
/// milliseconds since 1970, by our clock; `skew_ms` is how far the place's is ahead.
pub fn may_be_our_write(modified_s: Option<i64>, first_run_ms: Option<i64>, skew_ms: Option<i64>) -> bool {
    const GRACE_MS: i64 = 60_000;
    let (Some(modified_s), Some(first_run_ms), Some(skew_ms)) = (modified_s, first_run_ms, skew_ms) else {
        return true;
    };
    let modified_ms = modified_s.saturating_mul(1000).saturating_sub(skew_ms);
    modified_ms >= first_run_ms.saturating_sub(GRACE_MS)
}

/// Where both sides have come to hold the same bytes since they were agreed on: on
/// which side what they still differ in was changed, if they differ. What both changed
/// alike is no difference: our own write whose reply was lost looks so.
pub fn changed_apart(here: (&Meta, &Meta), there: (&Meta, &Meta), kind: Kind) -> (bool, bool) {
    let apart = |now: &Meta, other: &Meta| comparable(now, kind).apart_from(&comparable(other, kind));
    (
        has_changed(&apart(here.0, there.0), here.1, kind),
        comparable(&apart(there.0, here.0), kind).differs(&comparable(there.1, kind)),
    )
}

/// Metadata as far as a change of it counts: a folder's time changes with its
/// content, a link's mode and time mean nothing.
pub fn comparable(meta: &Meta, kind: Kind) -> Meta {
    match kind {
        Kind::File => meta.clone(),
        Kind::Dir => Meta { mtime_ns: None, ..meta.clone() },
        Kind::Link => Meta { mtime_ns: None, mode: None, ..meta.clone() },
    }
}

fn action(decision: Decision) -> Action {
    match decision {
        Decision::Adopt => Action::Adopt,
        Decision::Forget => Action::Forget,
        Decision::Upload => Action::Upload,
        Decision::Download => Action::Download,
        Decision::DeleteThere => Action::DeleteThere,
        Decision::DeleteHere => Action::DeleteHere,
        Decision::Conflict => Action::Conflict,
        Decision::KeepBoth => Action::KeepBoth,
        Decision::Newer => Action::Newer,
        Decision::Nothing | Decision::Leave => Action::Leave,
        Decision::Compare => Action::Compare,
    }
}

fn step(seen: &Seen<'_>, row: Row, action: Action, here: Option<&LocalEntry>) -> Step {
    Step {
        key: seen.key.clone(),
        path: seen.path.clone(),
        kind: here.map_or(seen.base.map_or(seen.kind, |base| base.kind), |entry| entry.kind),
        action,
        row,
        here: here.map(|entry| HereSeen { stamp: entry.stamp, meta: entry.meta.clone() }),
        there: seen.there.map(|there| ThereSeen {
            stamp: there.stamp.clone(),
            archived: there.archived,
            lost: there.lost,
        }),
    }
}

/// What a closer look found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Found {
    /// Whether the bytes here are those agreed, if they were read.
    pub here_as_agreed: Option<bool>,
    /// Whether the bytes there are those agreed, if that was found out.
    pub there_as_agreed: Option<bool>,
    /// Whether both sides hold the same bytes.
    pub same: Sameness,
}

/// The row again, with what was found; no fact in it is unknown any more, except
/// where nothing proved sameness, which counts as different.
pub fn resolve(row: Row, found: &Found) -> Row {
    let settle = |change: Change, as_agreed: Option<bool>| match (change, as_agreed) {
        (Change::Touched | Change::Changed, Some(true)) => Change::Same,
        (Change::Touched, _) => Change::Changed,
        (other, _) => other,
    };
    let same = if found.same == Sameness::Unknown { Sameness::Differ } else { found.same };
    Row { here: settle(row.here, found.here_as_agreed), there: settle(row.there, found.there_as_agreed), same, ..row }
}

/// The second decision for a key, after a closer look. Never a deletion: what
/// would be one waits for the next plan, which counts it and guards it.
pub fn decide_again(row: Row, policy: &Policy) -> Decision {
    match decide(row, policy) {
        Decision::DeleteThere | Decision::DeleteHere | Decision::Compare => Decision::Leave,
        decision => decision,
    }
}

/// Whether a flow may pair departed and arrived entries into moves.
pub fn follows_moves(policy: &Policy) -> bool {
    policy.flow != Flow::Down
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meta(mtime_ns: i64, mode: u32) -> Meta {
        Meta { mtime_ns: Some(mtime_ns), mode: Some(mode), ..Meta::default() }
    }

    /// Our write landed, its reply did not, and then somebody changed the mode here.
    #[test]
    fn what_both_sides_changed_alike_is_no_difference() {
        let (then, landed, now) = (meta(1, 0o644), meta(2, 0o644), meta(2, 0o600));
        assert_eq!(changed_apart((&now, &then), (&landed, &then), Kind::File), (true, false));
        assert_eq!(changed_apart((&landed, &then), (&now, &then), Kind::File), (false, true));
        assert_eq!(changed_apart((&now, &then), (&now, &then), Kind::File), (false, false));
        assert_eq!(changed_apart((&now, &then), (&meta(2, 0o640), &then), Kind::File), (true, true));
        // What one side does not know is no difference.
        let bare = Meta { mode: None, ..landed };
        assert_eq!(changed_apart((&now, &then), (&bare, &then), Kind::File), (false, false));
    }

    #[test]
    fn what_is_older_than_our_first_run_is_not_ours() {
        let (first_run_ms, skew_ms) = (Some(1_000_000), Some(-5_000));
        let young = |modified_s| may_be_our_write(modified_s, first_run_ms, skew_ms);
        assert!(young(Some(1_000)) && young(Some(936)) && !young(Some(934)));
        assert!(young(None), "nobody knows how old it is");
        assert!(may_be_our_write(Some(0), None, skew_ms) && may_be_our_write(Some(0), first_run_ms, None));
    }
}
