//! The patterns of one file, or of the options, in their order.
//!
//! A list knows the file it came from and finds its last matching pattern. It does
//! not know which folder it is rooted in, nor what other lists say.

use super::glob::Pattern;
use super::{FilterError, Origin, RuleLine, RuleRef, put_size};

#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct PatternList {
    /// The file; `None` for options.
    file: Option<Box<str>>,
    rules: Vec<Rule>,
}

#[derive(Debug, PartialEq, Eq)]
struct Rule {
    line: u32,
    /// Where an option is written, if it was not typed.
    written: Option<Box<str>>,
    text: Box<str>,
    pattern: Pattern,
}

impl PatternList {
    /// Reads the options, which are patterns already.
    pub(super) fn from_options(options: &[RuleLine]) -> Result<Self, FilterError> {
        let mut rules = Vec::new();
        // What was typed is counted, what is written elsewhere has its place.
        let mut line = 0;
        for option in options {
            line += u32::from(option.written.is_none());
            let text = if option.include { format!("!{}", option.pattern) } else { option.pattern.clone() };
            let written = option.written.clone();
            match Pattern::parse(&text) {
                Ok(pattern) => {
                    rules.push(Rule { line, written: written.map(Into::into), text: text.into(), pattern });
                }
                Err(why) => {
                    let line = if written.is_none() { line } else { 0 };
                    return Err(FilterError { file: written, line, pattern: text, why: why.into() });
                }
            }
        }
        Ok(Self { file: None, rules })
    }

    /// Reads a file. A line that cannot match is left out, as git does, and told.
    pub(super) fn from_file(path: &str, text: &str) -> (Self, Vec<FilterError>) {
        let (mut rules, mut problems) = (Vec::new(), Vec::new());
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        for (line, number) in text.split('\n').zip(1..) {
            let line = line.strip_suffix('\r').unwrap_or(line);
            match Pattern::parse_line(line) {
                None => {}
                Some((text, Ok(pattern))) => {
                    rules.push(Rule { line: number, written: None, text: text.into(), pattern })
                }
                Some((text, Err(why))) => problems.push(FilterError {
                    file: Some(path.into()),
                    line: number,
                    pattern: text.into(),
                    why: why.into(),
                }),
            }
        }
        (Self { file: Some(path.into()), rules }, problems)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// The last rule that matches, and whether it includes. `below` is the path
    /// below the folder the list is rooted in.
    pub(super) fn last_match(&self, below: &str, name: &str, is_dir: bool) -> Option<(RuleRef, bool)> {
        let rule = self.rules.iter().rev().find(|rule| rule.pattern.matches(below, name, is_dir))?;
        let origin = match (&self.file, &rule.written) {
            (Some(file), _) => Origin::File { path: file.to_string(), line: rule.line },
            (None, Some(place)) => Origin::Config(place.to_string()),
            (None, None) => Origin::Option(rule.line),
        };
        Some((RuleRef { origin, pattern: rule.text.to_string() }, rule.pattern.negated))
    }

    /// Appends what decides: the patterns, in order.
    pub(super) fn canonical(&self, out: &mut Vec<u8>) {
        put_size(out, self.rules.len());
        for rule in &self.rules {
            put_size(out, rule.text.len());
            out.extend(rule.text.as_bytes());
        }
    }

    /// The usable lines with their numbers.
    pub(super) fn lines(&self) -> Vec<(u32, String)> {
        self.rules.iter().map(|rule| (rule.line, rule.text.to_string())).collect()
    }

    /// Takes back what [`Self::lines`] gave.
    pub(super) fn from_lines(path: &str, lines: Vec<(u32, String)>) -> Result<Self, FilterError> {
        let mut rules = Vec::new();
        for (line, text) in lines {
            match Pattern::parse(&text) {
                Ok(pattern) => rules.push(Rule { line, written: None, text: text.into(), pattern }),
                Err(why) => {
                    return Err(FilterError { file: Some(path.into()), line, pattern: text, why: why.into() });
                }
            }
        }
        Ok(Self { file: Some(path.into()), rules })
    }
}
