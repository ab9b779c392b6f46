//! The table as it stands in the design, cell by cell, and the laws it obeys.
use super::*;
use crate::policy::{Compare, Preset};
use Change::{Changed, Gone, Never, New, Same, Touched};

const TABLE: &str = "\
none + 0        | upload   | upload       | upload       | leave    | leave    | upload
none 0 +        | leave    | leave        | delete-there | download | download | download
none + + same   | adopt    | adopt        | adopt        | adopt    | adopt    | adopt
none + + differ | conflict | conflict     | upload       | conflict | download | keep-both
agreed = =      | nothing  | nothing      | nothing      | nothing  | nothing  | nothing
agreed ~ =      | upload   | upload       | upload       | leave    | download | upload
agreed = ~      | leave    | leave        | upload       | download | download | download
agreed - =      | leave    | delete-there | delete-there | download | download | delete-there
agreed = -      | upload   | upload       | upload       | leave    | leave    | delete-here
agreed ~ ~ same | adopt    | adopt        | adopt        | adopt    | adopt    | adopt
agreed ~ ~ differ | conflict | conflict   | upload       | conflict | download | keep-both
agreed ~ -      | upload   | upload       | upload       | leave    | leave    | upload
agreed - ~      | leave    | leave        | delete-there | download | download | download
agreed - -      | forget   | forget       | forget       | forget   | forget   | forget
known = 0       | nothing  | nothing      | nothing      | nothing  | nothing  | nothing
known - 0       | forget   | forget       | forget       | forget   | forget   | forget
known ~ 0       | upload   | upload       | upload       | leave    | leave    | upload
known = + differ | conflict | conflict    | upload       | conflict | download | keep-both
known = + same  | adopt    | adopt        | adopt        | adopt    | adopt    | adopt
pruned 0 =      | leave    | leave        | leave        | download | download | leave
pruned 0 ~      | leave    | leave        | leave        | download | download | leave
pruned 0 -      | forget   | forget       | forget       | forget   | forget   | forget
pruned + -      | upload   | upload       | upload       | leave    | leave    | upload
pruned + = differ | conflict | conflict   | upload       | conflict | download | keep-both
pruned + = same | adopt    | adopt        | adopt        | adopt    | adopt    | adopt
lapsed = -      | upload   | upload       | upload       | leave    | leave    | upload
lapsed - =      | leave    | leave        | delete-there | download | download | download
lapsed - -      | forget   | forget       | forget       | forget   | forget   | forget
lapsed = = same | adopt    | adopt        | adopt        | adopt    | adopt    | adopt
lapsed ~ =      | upload   | upload       | upload       | leave    | download | upload
lapsed = ~      | leave    | leave        | upload       | download | download | download
lapsed ~ ~ differ | conflict | conflict   | upload       | conflict | download | keep-both
lapsed ~ ~ same | adopt    | adopt        | adopt        | adopt    | adopt    | adopt
";

fn parse_row(text: &str) -> Row {
    let words: Vec<&str> = text.split_whitespace().collect();
    let standing = match words[0] {
        "none" => None,
        "agreed" => Some(Standing::Agreed),
        "known" => Some(Standing::Known),
        "pruned" => Some(Standing::Pruned),
        "lapsed" => Some(Standing::Lapsed),
        other => panic!("{other}"),
    };
    let change = |symbol: &str| match symbol {
        "0" => Never,
        "+" => New,
        "=" => Same,
        "~" => Changed,
        "-" => Gone,
        other => panic!("{other}"),
    };
    let same = match words.get(3) {
        Some(&"same") => Sameness::Same,
        Some(&"differ") => Sameness::Differ,
        _ => Sameness::Unknown,
    };
    Row { standing, here: change(words[1]), there: change(words[2]), same }
}

#[test]
fn the_table() {
    for line in TABLE.lines() {
        let mut cells = line.split('|').map(str::trim);
        let text = cells.next().expect("a row");
        let row = parse_row(text);
        assert_eq!(row.to_string(), text, "a row prints as the table has it");
        for (preset, wanted) in Preset::ALL.into_iter().zip(cells) {
            let decision = serde_json::to_value(decide(row, &preset.policy())).expect("plain");
            assert_eq!(decision, wanted, "{text} under {}", preset.name());
        }
    }
}

/// Contents are letters; the base, where there is one, holds `A`.
type Content = Option<char>;

fn change(base: Option<Content>, side: Content) -> Change {
    match (base.flatten(), side) {
        (None, None) => Never,
        (None, Some(_)) => New,
        (Some(_), None) => Gone,
        (Some(a), Some(b)) if a == b => Same,
        _ => Changed,
    }
}

fn row(base: Option<char>, here: Content, there: Content) -> Row {
    let same = match (here, there) {
        (Some(a), Some(b)) if a == b => Sameness::Same,
        (Some(_), Some(_)) => Sameness::Differ,
        _ => Sameness::Unknown,
    };
    let standing = base.map(|_| Standing::Agreed);
    Row { standing, here: change(Some(base), here), there: change(Some(base), there), same }
}

/// The world after a decision was carried out: base, here, there.
fn apply(base: Content, here: Content, there: Content, decision: Decision) -> (Content, Content, Content) {
    match decision {
        Decision::Adopt => (here, here, there),
        Decision::Forget => (None, here, there),
        Decision::Upload => (here, here, here),
        Decision::Download => (there, there, there),
        Decision::DeleteThere => (None, here, None),
        Decision::DeleteHere => (None, None, there),
        _ => (base, here, there),
    }
}

fn policies() -> impl Iterator<Item = Policy> {
    let mut all = Vec::new();
    for flow in [Flow::Up, Flow::Down, Flow::Both] {
        for deletes in [Deletes::Keep, Deletes::Propagate] {
            for drift in [Drift::Leave, Drift::Overwrite] {
                for conflict in
                    [OnConflict::Report, OnConflict::KeepBoth, OnConflict::Local, OnConflict::Remote, OnConflict::Newer]
                {
                    all.push(Policy { flow, deletes, drift, conflict, compare: Compare::Digest });
                }
            }
        }
    }
    all.into_iter()
}

fn cases() -> impl Iterator<Item = (Content, Content, Content, Policy)> {
    let contents = [None, Some('A'), Some('B'), Some('C')];
    policies().flat_map(move |policy| {
        [None, Some('A')].into_iter().flat_map(move |base| {
            contents
                .into_iter()
                .flat_map(move |here| contents.into_iter().map(move |there| (base, here, there, policy)))
        })
    })
}

fn swapped(policy: &Policy) -> Policy {
    let flow = match policy.flow {
        Flow::Up => Flow::Down,
        Flow::Down => Flow::Up,
        Flow::Both => Flow::Both,
    };
    let conflict = match policy.conflict {
        OnConflict::Local => OnConflict::Remote,
        OnConflict::Remote => OnConflict::Local,
        other => other,
    };
    Policy { flow, conflict, ..*policy }
}

fn mirrored(decision: Decision) -> Decision {
    match decision {
        Decision::Upload => Decision::Download,
        Decision::Download => Decision::Upload,
        Decision::DeleteThere => Decision::DeleteHere,
        Decision::DeleteHere => Decision::DeleteThere,
        other => other,
    }
}

#[test]
fn the_laws() {
    let mut count = 0;
    for (base, here, there, policy) in cases() {
        if here.is_none() && there.is_none() && base.is_none() {
            continue;
        }
        count += 1;
        let what = format!("{base:?} {here:?} {there:?} {policy:?}");
        let decision = decide(row(base, here, there), &policy);
        let (base_after, here_after, there_after) = apply(base, here, there, decision);

        let settled = [
            Decision::Nothing,
            Decision::Leave,
            Decision::Conflict,
            Decision::KeepBoth,
            Decision::Newer,
            Decision::Forget,
        ];
        if base_after.is_some() || here_after.is_some() || there_after.is_some() {
            let again = decide(row(base_after, here_after, there_after), &policy);
            assert!(settled.contains(&again), "a second pass does nothing: {what}: {decision:?} then {again:?}");
        }
        let swap = decide(row(base, there, here), &swapped(&policy));
        assert_eq!(mirrored(swap), decision, "swapping sides swaps the answer: {what}");
        match policy.flow {
            Flow::Up => assert_eq!(here_after, here, "a one-way flow never writes its source: {what}"),
            Flow::Down => assert_eq!(there_after, there, "a one-way flow never writes its source: {what}"),
            Flow::Both => {}
        }
        for content in [here, there].into_iter().flatten().filter(|content| Some(*content) != base) {
            let lives = here_after == Some(content) || there_after == Some(content);
            let allowed =
                policy.drift == Drift::Overwrite || matches!(policy.conflict, OnConflict::Local | OnConflict::Remote);
            assert!(lives || allowed, "changed content vanished: {what}: {decision:?}");
        }
        if policy.deletes == Deletes::Keep {
            let deletes = matches!(decision, Decision::DeleteHere | Decision::DeleteThere);
            assert!(!deletes, "keep never deletes: {what}");
        }
        if here == there && here.is_some() {
            assert_eq!(base_after, here, "agreement is recorded: {what}");
        }
        let (source, destination) = if policy.flow == Flow::Down { (there, here) } else { (here, there) };
        if policy.flow != Flow::Both && source.is_some() && destination.is_none() {
            assert_eq!(here_after, there_after, "what is missing is filled: {what}: {decision:?}");
        }
    }
    assert_eq!(count, 60 * 31);
}

/// No standing but `Agreed` lets an absence be read as a deletion, unless the
/// destination is to be exactly like the source.
#[test]
fn only_agreement_proves_a_deletion() {
    let changes = [Never, New, Same, Touched, Changed, Gone];
    for policy in policies().filter(|policy| policy.drift == Drift::Leave || policy.flow == Flow::Both) {
        for standing in [None, Some(Standing::Known), Some(Standing::Lapsed), Some(Standing::Pruned)] {
            for here in changes {
                for there in changes {
                    for same in [Sameness::Same, Sameness::Differ, Sameness::Unknown] {
                        let decision = decide(Row { standing, here, there, same }, &policy);
                        let deletes = matches!(decision, Decision::DeleteHere | Decision::DeleteThere);
                        assert!(!deletes, "{standing:?} {here:?} {there:?} {policy:?}");
                    }
                }
            }
        }
    }
}

/// What `prune` removed is never deleted there, whatever the policy.
#[test]
fn no_flow_reads_a_pruned_absence_as_a_deletion() {
    for policy in policies() {
        for here in [Never, Gone] {
            for there in [Same, Touched, Changed, New] {
                let row = Row { standing: Some(Standing::Pruned), here, there, same: Sameness::Unknown };
                assert_ne!(decide(row, &policy), Decision::DeleteThere, "{row} {policy:?}");
            }
        }
    }
}

#[test]
fn touched_bytes_are_looked_at_first() {
    for policy in policies() {
        for there in [Same, Changed, Gone] {
            let row = Row { standing: Some(Standing::Agreed), here: Touched, there, same: Sameness::Unknown };
            assert_eq!(decide(row, &policy), Decision::Compare, "{row}");
        }
    }
}

#[test]
fn metadata_follows_the_flow() {
    use MetaDecision::{Nothing, SetHere, SetThere};
    let table = [
        (Preset::Push, [SetThere, Nothing, Nothing]),
        (Preset::Mirror, [SetThere, SetThere, SetThere]),
        (Preset::Restore, [Nothing, SetHere, SetHere]),
        (Preset::RestoreOverwrite, [SetHere, SetHere, SetHere]),
        (Preset::TwoWay, [SetThere, SetHere, SetHere]),
    ];
    for (preset, [here, there, both]) in table {
        let policy = preset.policy();
        assert_eq!(decide_meta(true, false, &policy), here, "{preset:?} here");
        assert_eq!(decide_meta(false, true, &policy), there, "{preset:?} there");
        assert_eq!(decide_meta(true, true, &policy), both, "{preset:?} both");
        assert_eq!(decide_meta(false, false, &policy), Nothing);
    }
}
