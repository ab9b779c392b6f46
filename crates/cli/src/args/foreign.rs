//! Verbs of other tools, for people whose fingers know them.
//!
//! What somebody types who comes from rclone, aws s3, s3cmd, s5cmd or mc, and what it is
//! here. A hint never guesses: a word that none of them has gets none.

use super::Cli;
use crate::render;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use tidelock_engine::config::words::nearest;
use tidelock_remote::url::{setting, shown, word};

/// What a foreign verb is here.
fn here(verb: &str) -> Option<&'static str> {
    Some(match verb {
        "cp" | "copyto" => "`upload FILE REMOTE` and `download REMOTE FILE`; on one remote: `mv`",
        "copy" => "`sync LOCAL REMOTE` or `upload`, and `restore REMOTE LOCAL` or `download`",
        "put" | "push" | "rcat" | "pipe" => "`upload FILE… REMOTE`; `upload - REMOTE` sends standard input",
        "get" | "pull" | "fetch" => "`download REMOTE [LOCAL]`",
        "move" | "moveto" | "rename" => "`mv FROM TO` on a remote; `moves` for files renamed here",
        "delete" | "del" | "deletefile" | "purge" | "remove" => "`rm REMOTE…`, with --recursive for all below a name",
        "lsf" | "lsl" | "lsjson" | "la" | "list" | "tree" | "find" => "`ls REMOTE`, with --long, --search or --json",
        "lsd" | "lb" => "`buckets`, and `ls REMOTE`",
        "stat" | "head" | "head-object" => "`info REMOTE`",
        "mirror" | "bisync" => "`sync LOCAL REMOTE --mirror`, or --two-way",
        "check" | "diff" | "cryptcheck" | "compare" => "`status LOCAL REMOTE`, and `why` for one path",
        "size" | "du" | "ncdu" => "`ls REMOTE --long`, whose last line counts",
        "history" | "log" | "logs" => "`runs`, and `runs show N`",
        "completion" | "genautocomplete" => "`completions SHELL`",
        _ => return None,
    })
}

/// The same error: no secret in it is shown, and no tip guesses. The parser's own tips do;
/// one is given where the verb is another tool's, or where one known word comes close.
pub fn with_hint(mut error: clap::Error) -> clap::Error {
    let said = |error: &clap::Error, kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.clone()),
        _ => None,
    };
    error.remove(ContextKind::Suggested);
    let (mut command, names) = command_of_line();
    if let Some(typed) = said(&error, ContextKind::InvalidSubcommand) {
        error.remove(ContextKind::SuggestedSubcommand);
        if let Some(ours) = here(&typed) {
            let tip = format!("that is {ours} here");
            error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip.into()]));
        } else if let Some(meant) = nearest(&typed, command.get_subcommands().map(clap::Command::get_name)) {
            error.insert(ContextKind::SuggestedSubcommand, ContextValue::Strings(vec![meant.to_owned()]));
        }
    }
    if let Some(typed) = said(&error, ContextKind::InvalidArg).filter(|_| error.kind() == ErrorKind::UnknownArgument) {
        error.remove(ContextKind::SuggestedArg);
        // The parser's has an option in it that it takes for the one that was meant.
        error.insert(ContextKind::Usage, ContextValue::StyledStr(command.render_usage()));
        let is_option = typed.starts_with('-');
        if !is_option && SECRETIVE.contains(&names.as_str()) {
            let tip = "a secret is no argument; it is asked for, or read from standard input with --secret-stdin";
            error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip.into()]));
        }
        let typed = typed.split('=').next().unwrap_or_default();
        let options = command.get_arguments().filter(|arg| !arg.is_hide_set()).filter_map(clap::Arg::get_long);
        if let Some(meant) = typed.strip_prefix("--").and_then(|typed| nearest(typed, options)) {
            error.insert(ContextKind::SuggestedArg, ContextValue::String(format!("--{meant}")));
        }
    }
    if let (Some(typed), Some(ContextValue::Strings(known))) =
        (said(&error, ContextKind::InvalidValue), error.get(ContextKind::ValidValue).cloned())
    {
        error.remove(ContextKind::SuggestedValue);
        if let Some(meant) = nearest(&typed, known.iter().map(String::as_str)) {
            error.insert(ContextKind::SuggestedValue, ContextValue::String(meant.to_owned()));
        }
    }
    make_safe(&mut error, &names);
    error
}

/// Where people are about to give a secret.
const SECRETIVE: [&str; 2] = ["config profile add", "config set-secret"];

/// What was typed is shown, but for what may be a secret, and so that it cannot move the
/// cursor. Where a secret is about to be given, nothing is that has no place there.
fn make_safe(error: &mut clap::Error, verb: &str) {
    let whole = |text: &str| {
        render::shown(&match text.split_once('=') {
            Some((option, value)) if option.starts_with('-') => format!("{option}={}", shown(value)),
            _ => shown(text).into_owned(),
        })
    };
    let is_unknown = error.kind() == ErrorKind::UnknownArgument;
    let safe = |kind: ContextKind, text: &str| {
        let is_typed = match kind {
            ContextKind::InvalidValue | ContextKind::InvalidSubcommand => true,
            ContextKind::InvalidArg => is_unknown && !text.starts_with('-'),
            _ => false,
        };
        // A verb that is none is told, or nobody would see the slip.
        let is_slip = kind == ContextKind::InvalidSubcommand && !SECRETIVE.contains(&verb);
        match (is_typed, text.strip_prefix("--").filter(|_| is_unknown)) {
            (true, _) if verb.starts_with("config") && !is_slip => "…".to_owned(),
            (true, _) => render::shown(&word(text)),
            (false, Some(option)) if !option.contains('=') => format!("--{}", render::shown(&setting(option))),
            (false, _) => whole(text),
        }
    };
    let texts = error.context().filter_map(|(kind, value)| match value {
        ContextValue::String(text) => Some((kind, ContextValue::String(safe(kind, text)))),
        ContextValue::Strings(texts) => {
            Some((kind, ContextValue::Strings(texts.iter().map(|text| safe(kind, text)).collect())))
        }
        _ => None,
    });
    for (kind, value) in texts.collect::<Vec<_>>() {
        error.insert(kind, value);
    }
}

/// The verb that was typed, as far as it is known, and its name with those it lies in.
fn command_of_line() -> (clap::Command, String) {
    let (mut command, mut names) = (Cli::shown_command(), Vec::new());
    command.build();
    for word in std::env::args_os().skip(1).filter_map(|word| word.into_string().ok()) {
        if let Some(verb) = command.find_subcommand(&word) {
            command = verb.clone();
            names.push(word);
        }
    }
    (command, names.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::{CommandFactory, Parser};

    #[test]
    fn hints_name_verbs_that_there_are() {
        let command = Cli::command();
        for foreign in
            ["cp", "copy", "put", "get", "move", "delete", "lsf", "lsd", "stat", "mirror", "check", "size", "log"]
        {
            let hint = here(foreign).expect(foreign);
            assert!(command.find_subcommand(foreign).is_none(), "{foreign} is a verb of ours");
            for quoted in hint.split('`').skip(1).step_by(2) {
                let verb = quoted.split(' ').next().expect("a word");
                assert!(command.find_subcommand(verb).is_some(), "{verb}");
            }
        }
        assert_eq!(here("frobnicate"), None);
    }

    #[test]
    fn the_tip_is_shown() {
        let error = Cli::try_parse_from(["tidelock", "cp", "a", "s3://b/c"]).expect_err("no verb of ours");
        let text = with_hint(error).to_string();
        assert!(text.contains("tip: that is `upload FILE REMOTE`"), "{text}");
        let near = Cli::try_parse_from(["tidelock", "synk", "a", "s3://bucket"]).expect_err("no verb of ours");
        assert!(with_hint(near).to_string().contains("'sync'"));
    }
}
