//! Python's `fnmatch` patterns as lines of gitignore that match the same files.
//!
//! The two differ in one thing above all: to `fnmatch` a slash is a character like any
//! other, so `*`, `?` and `[!a]` run across folders, and a pattern is compared with the
//! whole path of a file. Here each wildcard that may meet a slash becomes several
//! lines: one where it does not, one where it does. A pattern that ends in `*` matches
//! all there is in a folder that it matches, so the folder may be left out; any other
//! is followed by a line that takes folders of such names in again.

/// So many lines one pattern may become.
const LINES_MAX: usize = 64;

/// The lines that one pattern becomes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Lines {
    /// They leave out files, and take folders in again.
    pub(super) files: Vec<String>,
    /// They leave out files, and folders with all they hold.
    pub(super) folders: Vec<String>,
}

/// Translates a pattern; no lines if it matches nothing that could be a path.
pub(super) fn translate(pattern: &str) -> Result<Lines, String> {
    let mut pieces = parse(pattern);
    let mut lines = Lines::default();
    if pieces.last() == Some(&Piece::Star) {
        pieces.pop();
        let below = pieces.last() == Some(&Piece::Char('/'));
        match pieces.as_slice() {
            // Everything.
            [] => lines.folders.push("*".to_owned()),
            [above @ .., _] if below => {
                lines.folders = bodies(above)?.into_iter().map(|body| anchored(&body) + "/").collect();
            }
            all => {
                let bodies = bodies_before(all, "*")?;
                lines.folders = bodies.iter().map(|body| anchored(body)).collect();
            }
        }
        return Ok(lines);
    }
    for body in bodies(&pieces)? {
        let line = anchored(&body);
        lines.files.extend([line.clone(), format!("!{line}/")]);
    }
    Ok(lines)
}

/// A part of a pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Char(char),
    /// `*`: any characters.
    Star,
    /// `?`: any one character.
    One,
    Class {
        negated: bool,
        ranges: Vec<(char, char)>,
    },
}

fn parse(pattern: &str) -> Vec<Piece> {
    let chars: Vec<char> = pattern.chars().collect();
    let mut pieces = Vec::new();
    let mut rest = chars.as_slice();
    while let [c, after @ ..] = rest {
        rest = after;
        let piece = match c {
            '*' => Piece::Star,
            '?' => Piece::One,
            '[' => match class(after) {
                Some((class, behind)) => {
                    rest = behind;
                    class
                }
                None => Piece::Char('['),
            },
            c => Piece::Char(*c),
        };
        // Two stars in a row are one.
        if piece != Piece::Star || pieces.last() != Some(&Piece::Star) {
            pieces.push(piece);
        }
    }
    pieces
}

/// A class from behind its `[`, and what follows it; none if it is never closed.
fn class(from: &[char]) -> Option<(Piece, &[char])> {
    let (negated, body) = match from {
        ['!', body @ ..] => (true, body),
        body => (false, body),
    };
    // A `]` that comes first is itself.
    let end = 1 + body.get(1..)?.iter().position(|c| *c == ']')?;
    let (mut inside, behind) = (body.get(..end)?, body.get(end + 1..)?);
    let mut ranges = Vec::new();
    while let [low, after @ ..] = inside {
        match after {
            ['-', high, after @ ..] => {
                inside = after;
                // A range that runs backwards holds nothing.
                ranges.extend((low <= high).then_some((*low, *high)));
            }
            after => {
                inside = after;
                ranges.push((*low, *low));
            }
        }
    }
    Some((Piece::Class { negated, ranges }, behind))
}

/// What a piece may be written as: each text stands for some of what it matches, all
/// of them together for all of it. A star beside a slash needs one alone, as what it
/// takes of other folders has its own place there.
fn ways(piece: &Piece, before: Option<&Piece>, after: Option<&Piece>) -> Vec<String> {
    let is_slash = |beside: Option<&Piece>| beside == Some(&Piece::Char('/'));
    match piece {
        Piece::Char(c) => vec![literal(*c)],
        Piece::Star if is_slash(after) => vec!["*/**".to_owned()],
        Piece::Star if before.is_none() || is_slash(before) => vec!["**/*".to_owned()],
        Piece::Star => vec!["*".to_owned(), "*/**/*".to_owned()],
        Piece::One => vec!["?".to_owned(), "/".to_owned()],
        Piece::Class { negated, ranges } => {
            let holds_slash = ranges.iter().any(|(low, high)| (*low..=*high).contains(&'/')) != *negated;
            let others: Vec<_> = ranges.iter().filter(|range| **range != ('/', '/')).collect();
            let text: String = others.iter().map(|(low, high)| range(*low, *high)).collect();
            let mut ways = Vec::new();
            match (text.is_empty(), negated) {
                (true, true) => ways.push("?".to_owned()),
                (true, false) => {}
                (false, true) => ways.push(format!("[!{text}]")),
                (false, false) => ways.push(format!("[{text}]")),
            }
            ways.extend(holds_slash.then(|| "/".to_owned()));
            ways
        }
    }
}

fn literal(c: char) -> String {
    // A space would be lost at the end of a line, were it one of a file.
    if matches!(c, '\\' | '*' | '?' | '[' | ' ') { format!("\\{c}") } else { c.to_string() }
}

fn range(low: char, high: char) -> String {
    let shown =
        |c: char| if matches!(c, '\\' | '[' | ']' | '!' | '^' | '-') { format!("\\{c}") } else { c.to_string() };
    if low == high { shown(low) } else { format!("{}-{}", shown(low), shown(high)) }
}

fn bodies(pieces: &[Piece]) -> Result<Vec<String>, String> {
    bodies_before(pieces, "")
}

/// All that the pieces may be written as, with an ending; what cannot be a path left out.
fn bodies_before(pieces: &[Piece], ending: &str) -> Result<Vec<String>, String> {
    let mut bodies = vec![String::new()];
    for (at, piece) in pieces.iter().enumerate() {
        let before = at.checked_sub(1).and_then(|at| pieces.get(at));
        let ways = ways(piece, before, pieces.get(at + 1));
        if bodies.len() * ways.len() > LINES_MAX {
            return Err(format!(
                "its wildcards run across folders, for which it would need more than {LINES_MAX} lines"
            ));
        }
        bodies = bodies.iter().flat_map(|body| ways.iter().map(move |way| format!("{body}{way}"))).collect();
    }
    bodies.iter_mut().for_each(|body| *body = format!("{body}{ending}").replace("/**/**/", "/**/"));
    bodies.retain(|body| !body.is_empty() && !body.starts_with('/') && !body.ends_with('/') && !body.contains("//"));
    Ok(bodies)
}

/// A line that is compared with the whole path.
fn anchored(body: &str) -> String {
    match body.strip_prefix("**/") {
        // A line without a slash is compared with names at any depth.
        Some(name) if !name.contains('/') => name.to_owned(),
        Some(_) => body.to_owned(),
        None => format!("/{body}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn is(pattern: &str, files: &[&str], folders: &[&str]) {
        let lines = translate(pattern).expect("translated");
        assert_eq!(
            (lines.files, lines.folders),
            (files.iter().map(ToString::to_string).collect(), folders.iter().map(ToString::to_string).collect()),
            "{pattern}"
        );
    }

    #[test]
    fn common_patterns_become_the_lines_one_would_write() {
        is("*.tmp", &["*.tmp", "!*.tmp/"], &[]);
        is("node_modules/*", &[], &["/node_modules/"]);
        is("*/node_modules/*", &[], &["/*/**/node_modules/"]);
        is(".git*", &[], &["/.git*"]);
        is("*cache*", &[], &["*cache*"]);
        is("*", &[], &["*"]);
        is("notes.txt", &["/notes.txt", "!/notes.txt/"], &[]);
        is("raw/*/*.xmp", &["/raw/*/**/*.xmp", "!/raw/*/**/*.xmp/"], &[]);
        is("a*b", &["/a*b", "!/a*b/", "/a*/**/*b", "!/a*/**/*b/"], &[]);
    }

    #[test]
    fn what_matches_no_path_becomes_no_line() {
        for pattern in ["/abs", "dir/", "a//b", "/*", "[]"] {
            let lines = translate(pattern).expect("translated");
            let wanted = if pattern == "[]" { 2 } else { 0 };
            assert_eq!(lines.files.len() + lines.folders.len(), wanted, "{pattern}: {lines:?}");
        }
    }

    #[test]
    fn a_pattern_with_too_many_ways_is_refused() {
        assert!(translate("a*b*c*d*e*f*g*h").expect_err("refused").contains("64 lines"));
    }
}
