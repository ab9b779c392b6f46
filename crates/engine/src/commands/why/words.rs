//! What was found of a path, in plain words.
//!
//! Pure text: it says what it is handed and looks at nothing itself.

use tidelock_core::decide::{Change, Row, Sameness};
use tidelock_core::entry::{BaseRow, LocalEntry, Standing};
use tidelock_core::filter::Verdict;
use tidelock_core::names::Kind;
use tidelock_core::plan::{Action, Step};
use tidelock_core::policy::{Compare, Policy};
use tidelock_remote::{Object, Readiness};

pub(super) fn rule(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Excluded(rule) => format!("excluded by {rule}"),
        Verdict::Included(Some(rule)) => format!("included by {rule}"),
        Verdict::Included(None) => "included: no rule matches it".to_owned(),
    }
}

pub(super) fn base(row: Option<&BaseRow>) -> String {
    let Some(row) = row else { return "nothing on record: it was never in step".to_owned() };
    let standing = match row.standing {
        Standing::Agreed => "in step",
        Standing::Known => "known here since before the first sync",
        Standing::Lapsed => "in step once, under other settings: proves sameness, never absence",
        Standing::Pruned => "in step, and then removed here to save space",
    };
    let size = row.here.as_ref().map_or(String::new(), |half| format!(", {} bytes here", half.stamp.size));
    let etag = row.there.as_ref().map_or(String::new(), |half| format!(", ETag {} there", half.stamp.etag));
    let digest = row.digest.map_or(String::new(), |digest| format!(", BLAKE3 {}", digest.short()));
    let racy = row.here.as_ref().is_some_and(|half| half.racy);
    let racy = if racy { ", written so shortly before that it is read once more" } else { "" };
    let moved = row.moved_to.as_ref().map_or(String::new(), |key| format!(", its bytes now live under {key}"));
    format!("{standing}{size}{etag}{digest}{racy}{moved}")
}

pub(super) fn here(entry: Option<&LocalEntry>) -> String {
    let Some(entry) = entry else { return "nothing".to_owned() };
    match entry.kind {
        Kind::Dir if entry.needs_marker => "a folder that is empty, or whose mode or owner is unusual".to_owned(),
        Kind::Dir => "a folder".to_owned(),
        kind => {
            let stamp = &entry.stamp;
            let what = if kind == Kind::Link { "a link" } else { "a file" };
            format!("{what} of {} bytes, file {}", stamp.size, stamp.file_id.inode)
        }
    }
}

pub(super) fn there(object: Option<&Object>, below: bool) -> String {
    match object {
        None if below => "no object of its own, but objects below it".to_owned(),
        None => "nothing".to_owned(),
        Some(object) => {
            let state = match object.readiness {
                Readiness::Ready => "",
                Readiness::Archived | Readiness::Thawing => ", archived",
                Readiness::Lost => ", whose bytes the store has lost",
            };
            format!("an object of {} bytes, ETag {}{state}", object.stamp.size, object.stamp.etag)
        }
    }
}

pub(super) fn step(step: &Step, policy: &Policy) -> String {
    let noun = match step.kind {
        Kind::File => "the file here",
        Kind::Dir => "the folder here",
        Kind::Link => "the link here",
    };
    format!("{}; so {}", changes(&step.row), action(&step.action, policy).replace("the file here", noun))
}

/// The row of the table.
fn changes(row: &Row) -> String {
    let side = |change: Change, place: &str| match change {
        Change::Never => format!("it is not {place} and never was"),
        Change::New => format!("it is new {place}"),
        Change::Same => format!("it is unchanged {place}"),
        Change::Touched => format!("its stamp changed {place}, its bytes perhaps not"),
        Change::Changed => format!("it changed {place}"),
        Change::Gone => format!("it is gone {place}"),
    };
    let same = match (row.here.is_present() && row.there.is_present(), row.same) {
        (true, Sameness::Same) => ", and both hold the same",
        (true, Sameness::Differ) => ", and they differ",
        _ => "",
    };
    format!("{}, {}{same}", side(row.here, "here"), side(row.there, "there"))
}

fn action(action: &Action, policy: &Policy) -> &'static str {
    match action {
        Action::Upload => "the file here is sent",
        Action::Move { .. } => "the object is copied to its new name there, and nothing is sent",
        Action::Download => "the object is fetched",
        Action::MetaThere => "its metadata is set there, without sending the bytes",
        Action::MetaHere => "its metadata is set here",
        Action::DeleteThere => "the object is deleted, if it still is the one on record",
        Action::DeleteMoved => "the object is deleted, as its bytes live on under a new name",
        Action::DeleteHere => "the file here goes to the trash",
        Action::Compare if policy.compare == Compare::Stamp => "sizes and times are compared, and it is decided again",
        Action::Compare => "the bytes are compared, by digest or checksum, and it is decided again",
        Action::Adopt => "it is recorded as in step, and nothing is sent",
        Action::Forget => "its record is dropped",
        Action::Refresh => "what was learnt of it is recorded",
        Action::Lapse => "its record proves sameness only from now on",
        Action::Conflict => "nothing is written: it is a conflict for a person, or for --conflict, to settle",
        Action::KeepBoth => "both are kept, one of them under a conflict name",
        Action::Newer => "the one that was modified later is kept",
        Action::Leave => "it is left alone: this mode does not act on it",
    }
}
