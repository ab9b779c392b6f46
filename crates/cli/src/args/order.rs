//! Options that were typed before their verb.
//!
//! `tidelock --profile work ls` can mean one thing alone, and is what fingers type that
//! know other tools. The parser takes before a verb only what all of them have, so what
//! is the verb's is moved behind it; everything else is left for the parser to judge.

use clap::{Arg, Command};
use std::ffi::OsString;

/// The words in the order in which the parser takes them.
pub fn in_order(command: &Command, words: Vec<OsString>) -> Vec<OsString> {
    // All verbs are looked through only for who typed something before one.
    if !words.get(1).and_then(|word| word.to_str()).is_some_and(|word| word.starts_with('-')) {
        return words;
    }
    let mut command = command.clone();
    command.build();
    sorted(&command, &words).unwrap_or(words)
}

/// The same, unless something is met that only the parser can tell the meaning of.
fn sorted(command: &Command, words: &[OsString]) -> Option<Vec<OsString>> {
    let (mut before, mut moved) = (words.get(..1)?.to_vec(), Vec::new());
    let mut rest = words.get(1..)?.iter();
    let verb = loop {
        let word = rest.next()?;
        let text = word.to_str()?;
        if !text.starts_with('-') {
            break word;
        }
        let everyones = command.get_arguments().find(|arg| is(arg, text));
        // What several verbs have takes a value in each of them, or in none.
        let arg =
            everyones.or_else(|| verbs(command).find_map(|verb| verb.get_arguments().find(|arg| is(arg, text))))?;
        let list = if everyones.is_some() { &mut before } else { &mut moved };
        list.push(word.clone());
        if arg.get_action().takes_values() && !text.contains('=') {
            list.push(rest.next()?.clone());
        }
    };
    let mut meant = command.find_subcommand(verb)?;
    before.push(verb.clone());
    let mut rest = rest.peekable();
    while let Some(inner) = rest.peek().and_then(|word| meant.find_subcommand(word)) {
        (before, meant) = (before.into_iter().chain(rest.next().cloned()).collect(), inner);
    }
    Some(before.into_iter().chain(moved).chain(rest.cloned()).collect())
}

/// All verbs, with those that lie in others.
fn verbs(command: &Command) -> Box<dyn Iterator<Item = &Command> + '_> {
    Box::new(command.get_subcommands().flat_map(|verb| std::iter::once(verb).chain(verbs(verb))))
}

/// Whether a word is this option.
fn is(arg: &Arg, word: &str) -> bool {
    match word.strip_prefix("--") {
        Some(long) => !long.is_empty() && arg.get_long() == long.split('=').next(),
        None => {
            let mut letters = word.chars().skip(1);
            arg.get_short().is_some() && arg.get_short() == letters.next() && letters.next().is_none()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::Cli;
    use clap::CommandFactory;
    use std::collections::BTreeMap;

    #[test]
    fn options_go_behind_their_verb() {
        for (typed, meant) in [
            ("--profile work ls s3://tide", "ls --profile work s3://tide"),
            ("--json --endpoint=https://h -n sync a b", "--json sync --endpoint=https://h -n a b"),
            ("--config ls --exclude ls sync a b", "--config ls sync --exclude ls a b"),
            ("--region x config profile list", "config profile list --region x"),
            ("ls --profile work", "ls --profile work"),
            ("--bogus ls", "--bogus ls"),
            ("--profile work", "--profile work"),
            ("--profile work bogus", "--profile work bogus"),
            ("-- ls", "-- ls"),
            ("--help", "--help"),
            ("", ""),
        ] {
            let words =
                |text: &str| std::iter::once("tidelock").chain(text.split_whitespace()).map(OsString::from).collect();
            assert_eq!(in_order(&Cli::command(), words(typed)), words(meant), "{typed}");
        }
    }

    #[test]
    fn what_several_verbs_have_is_read_alike() {
        let mut command = Cli::command();
        command.build();
        let mut known: BTreeMap<String, bool> = BTreeMap::new();
        for arg in verbs(&command).flat_map(Command::get_arguments) {
            let names = arg.get_long().map(str::to_owned).into_iter().chain(arg.get_short().map(String::from));
            for name in names {
                let takes = arg.get_action().takes_values();
                assert_eq!(*known.entry(name.clone()).or_insert(takes), takes, "{name}");
            }
        }
    }
}
