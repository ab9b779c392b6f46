//! Which of the known words was probably meant.
//!
//! Compares by edits: letters added, left out, changed or swapped. A word is only
//! suggested if most of it is right and no other comes close: a hint never guesses.

/// The one known word that comes close to one that is not known.
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let plain = |text: &str| text.to_lowercase().replace(['-', '_'], "");
    let meant = plain(word);
    let distances = known.into_iter().map(|other| (edits(&meant, &plain(other)), other));
    let mut close: Vec<_> = distances.filter(|(distance, _)| *distance <= meant.chars().count() / 3).collect();
    close.sort_by_key(|(distance, _)| *distance);
    match close.as_slice() {
        // Only hyphens, underscores or the size of letters are otherwise.
        [(0, other)] | [(0, other), (1.., _), ..] => Some(other),
        [(_, other)] => Some(other),
        _ => None,
    }
}

/// `"a", "b" or "c"`.
pub(super) fn listed<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    let words: Vec<String> = words.into_iter().map(|word| format!("{word:?}")).collect();
    match words.as_slice() {
        [] => "nothing".to_owned(),
        [one] => one.clone(),
        [most @ .., last] => format!("{} or {last}", most.join(", ")),
    }
}

/// How many edits lead from one to the other.
fn edits(from: &str, to: &str) -> usize {
    let (from, to): (Vec<char>, Vec<char>) = (from.chars().collect(), to.chars().collect());
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=to.len()).collect();
    for (i, a) in from.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, b) in to.iter().enumerate() {
            let mut least = (last[j] + usize::from(a != b)).min(last[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && *a == to[j - 1] && from[i - 1] == *b {
                least = least.min(before_last[j - 1] + 1);
            }
            row.push(least);
        }
        before_last = std::mem::replace(&mut last, row);
    }
    last.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn misspelt_words_are_recognised() {
        const KNOWN: [&str; 9] =
            ["local", "remote", "bwlimit", "ignore_files", "mode", "photos2", "photos3", "pair-a", "pair-b"];
        for (word, meant) in [
            ("remtoe", Some("remote")),
            ("ignore-files", Some("ignore_files")),
            ("Local", Some("local")),
            ("bw_limits", Some("bwlimit")),
            ("mod", Some("mode")),
            ("schedule", None),
            ("photos1", None),
            ("pair_a", Some("pair-a")),
            ("x", None),
            ("", None),
        ] {
            assert_eq!(nearest(word, KNOWN), meant, "{word}");
        }
        assert_eq!(listed(["a", "b", "c"]), "\"a\", \"b\" or \"c\"");
    }
}
