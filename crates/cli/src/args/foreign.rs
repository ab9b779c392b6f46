//! Verbs of other tools, for people whose fingers know them.
//!
//! What somebody types who comes from rclone, aws s3, s3cmd, s5cmd or mc, and what it is
//! here. A hint never guesses: a word that none of them has gets none.

use super::Cli;
use clap::CommandFactory;
use clap::error::{ContextKind, ContextValue, ErrorKind};

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

/// The same error, with a tip where the verb is another tool's.
pub fn with_hint(mut error: clap::Error) -> clap::Error {
    if error.kind() != ErrorKind::InvalidSubcommand {
        return error;
    }
    let Some(ContextValue::String(typed)) = error.get(ContextKind::InvalidSubcommand) else { return error };
    let Some(ours) = here(typed) else { return error };
    let tip = format!("that is {ours} here");
    error.remove(ContextKind::SuggestedSubcommand);
    error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip.into()]));
    error.with_cmd(&Cli::command())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

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
