//! The decision table in words, held against `decide`.

use std::collections::BTreeSet;
use tidelock_core::decide::{Change, Decision, Row, Sameness, decide};
use tidelock_core::entry::Standing;
use tidelock_core::policy::Preset;

/// What is wrong with the page's table.
pub fn compare(page: &str) -> Vec<String> {
    let header =
        "| on record | here | there | push | --delete | --mirror | restore | restore --overwrite | --two-way |";
    let mut wrong = Vec::new();
    let mut told = BTreeSet::new();
    let lines = page.lines().skip_while(|line| *line != header).skip(2).take_while(|line| line.starts_with('|'));
    for line in lines {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let Some(row) = row(&cells) else {
            wrong.push(format!("not understood: {line}"));
            continue;
        };
        told.insert(format!("{row}"));
        for (preset, cell) in Preset::ALL.into_iter().zip(cells.iter().skip(3)) {
            let decided = words(decide(row, &preset.policy()));
            if *cell != decided {
                wrong.push(format!("{line}\n  says {cell:?} for {}, and it is {decided:?}", preset.name()));
            }
        }
    }
    wrong.extend(every_row().into_iter().filter(|row| !told.contains(row)).map(|row| format!("missing: {row}")));
    wrong
}

fn row(cells: &[&str]) -> Option<Row> {
    let [standing, here, there, rest @ ..] = cells else { return None };
    let standing = match *standing {
        "nothing" => None,
        "in step" => Some(Standing::Agreed),
        "known" => Some(Standing::Known),
        "pruned" => Some(Standing::Pruned),
        "lapsed" => Some(Standing::Lapsed),
        _ => return None,
    };
    let (there, same) = match there.split_once(", ") {
        Some((there, "the same")) => (there, Sameness::Same),
        Some((there, "different")) => (there, Sameness::Differ),
        Some(_) => return None,
        None => (*there, Sameness::Unknown),
    };
    let row = Row { standing, here: change(here)?, there: change(there)?, same };
    (rest.len() == Preset::ALL.len()).then_some(row)
}

fn change(word: &str) -> Option<Change> {
    Some(match word {
        "never there" => Change::Never,
        "new" => Change::New,
        "unchanged" => Change::Same,
        "changed" => Change::Changed,
        "deleted" => Change::Gone,
        _ => return None,
    })
}

fn words(decision: Decision) -> &'static str {
    match decision {
        Decision::Nothing => "nothing",
        Decision::Adopt => "record",
        Decision::Forget => "forget",
        Decision::Upload => "send",
        Decision::Download => "fetch",
        Decision::DeleteThere => "delete there",
        Decision::DeleteHere => "delete here",
        Decision::Conflict => "conflict",
        Decision::KeepBoth => "keep both",
        Decision::Newer => "the later",
        Decision::Leave => "leave",
        Decision::Compare => "compare",
    }
}

/// Every row that can be met without a record and with one in step.
fn every_row() -> Vec<String> {
    use Change::{Changed, Gone, Never, New, Same};
    let mut rows = Vec::new();
    let mut add = |standing, here, there, same| rows.push(Row { standing, here, there, same }.to_string());
    for (here, there) in [(New, Never), (Never, New)] {
        add(None, here, there, Sameness::Unknown);
    }
    for same in [Sameness::Same, Sameness::Differ] {
        add(None, New, New, same);
        add(Some(Standing::Agreed), Changed, Changed, same);
    }
    for here in [Same, Changed, Gone] {
        for there in [Same, Changed, Gone] {
            if (here, there) != (Changed, Changed) {
                add(Some(Standing::Agreed), here, there, Sameness::Unknown);
            }
        }
    }
    rows
}

#[test]
fn a_wrong_cell_is_found() {
    let header =
        "| on record | here | there | push | --delete | --mirror | restore | restore --overwrite | --two-way |";
    let line = "| in step | deleted | unchanged | leave | delete there | delete there | fetch | leave | delete there |";
    let wrong = compare(&format!("{header}\n|---|\n{line}\n"));
    assert!(wrong[0].contains("says \"leave\" for restore --overwrite, and it is \"fetch\""), "{wrong:?}");
    assert_eq!(wrong.iter().filter(|what| what.starts_with("missing")).count(), 14 - 1, "{wrong:?}");
}
