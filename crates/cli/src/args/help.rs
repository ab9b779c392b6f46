//! Help that teaches: what follows a verb's options.
//!
//! Examples first of what people do most; every one of them is tried by a test.

pub const REMOTES: &str = "\
Remotes:
    s3://BUCKET[/PREFIX]  a bucket; credentials from the standard AWS places
    folder:PATH           an embedded store in a folder on this machine; what follows
                          the folder of a store is a prefix in it
    PROFILE:PREFIX        in the bucket of a configured profile";

pub const SYNC: &str = "\
Without a mode nothing is ever deleted, and what others changed there stays.

Examples:
    tidelock sync ~/photos s3://my-photos/2026
        sends what is new or changed
    tidelock sync ~/photos s3://my-photos/2026 --delete --dry-run
        shows what would be sent, renamed and deleted
    tidelock sync ~/notes folder:/mnt/usb/notes --two-way
        passes changes on both ways; of a file changed on both sides, both stay
    tidelock sync . s3://site --mirror --exclude '*.tmp' --include keep.tmp
        makes the bucket exactly like the folder; the last matching pattern wins
    tidelock sync photos
        a pair of the configuration, in its own mode

Remotes:
    s3://BUCKET[/PREFIX]  a bucket; credentials from the standard AWS places
    folder:PATH           an embedded store in a folder on this machine; what follows
                          the folder of a store is a prefix in it
    PROFILE:PREFIX        in the bucket of a configured profile";

pub const STATUS: &str = "\
Looks at both sides as a sync in the pair's own mode would, and stops there.

Examples:
    tidelock status ~/photos s3://my-photos/2026
    tidelock status photos";

pub const MOVES: &str = "\
Files and folders renamed here are renamed there by copies on the remote, without
sending them. Everything else waits for a sync.

Example:
    tidelock moves ~/photos s3://my-photos/2026 --dry-run";

pub const RESTORE: &str = "\
Missing files come back. Files that differ here stay, are listed, and make the exit
code 3; with --overwrite they are replaced and the old ones go to .tidelock/trash.

Examples:
    tidelock restore s3://my-photos/2026 ~/photos
    tidelock restore folder:/mnt/usb/notes /tmp/notes --exclude drafts/
    tidelock restore s3://my-photos ~/photos --overwrite --dry-run
    tidelock restore s3://my-photos/2026/june ~/june
        what lies below a name, into a folder of its own
    tidelock restore photos
        into the folder of the configured pair; another folder may be given too
    tidelock restore photos --path 2026/june
        one folder of the pair, or one file, back to its place";

pub const LS: &str = "\
All that is there is listed, also what a pair leaves out of its syncs.

Examples:
    tidelock ls s3://my-photos
    tidelock ls folder:/mnt/usb/notes --path drafts/ --long
    tidelock ls photos/2026
        below a name in the remote of the configured pair photos
    tidelock ls s3://my-photos --search '2026*.jpg' --limit 20
    tidelock ls s3://my-photos --json | jq -r 'select(.event == \"object\").key'";

pub const PLAN: &str = "\
A plan is NDJSON: a header, one line per step, a footer with a digest. It may be read,
kept and applied; edited, it is refused. It changes nothing.

Examples:
    tidelock plan ~/photos s3://my-photos/2026 --delete -o photos.plan
    tidelock plan ~/photos s3://my-photos/2026 -o - | jq -r 'select(.action).key'";

pub const APPLY: &str = "\
Refused if the pair was synced since. A step that no longer finds what it expects is
skipped, listed, and makes the exit code 3.

Example:
    tidelock apply photos.plan";

pub const WHY: &str = "\
Examples:
    tidelock why ~/photos s3://my-photos/2026 raw/0001.dng
    tidelock why . s3://site build/index.html --exclude build/
    tidelock why photos raw/0001.dng";

pub const DEMO: &str = "\
Makes a folder (or takes a copy of yours), syncs it into an embedded store, changes,
renames and deletes files, syncs again, restores and compares, and says what was sent
and what was not. All of it in a temporary folder that is removed at the end.

Examples:
    tidelock demo
    tidelock demo ~/documents --keep";

pub const BATCH: &str = "\
Each pair is synced as `tidelock sync PAIR` would: its renames, then what is new or
changed, then the deletions that its mode passes on. What goes wrong with one does not
stop the next; the exit code is that of the worst.

Examples:
    tidelock batch
    tidelock batch photos notes --dry-run
    tidelock batch --config ~/backup.toml --delete";

pub const CONFIG: &str = "\
docs/config.md explains every key. No secret is in a configuration, so none is shown.

Examples:
    tidelock config show photos
        every setting of the pair, and where each was said
    tidelock config check
    tidelock config path
    tidelock config schema";

pub const INIT: &str = "\
Every line of it is a comment, to be made use of as wanted. Nothing is ever overwritten.

Examples:
    tidelock init
    tidelock init ~/backup.toml
    tidelock init - | less";
pub const NAMES: &str = "\
Names:
    s3://BUCKET/KEY   an object in a bucket, or a name that objects lie below
    folder:STORE/KEY  the same in an embedded store
    PROFILE:KEY       the same in the bucket of a configured profile
    PAIR/PATH         the same in the remote of a configured pair";

pub const UPLOAD: &str = "\
Without a slash at its end, REMOTE is the new name; with one, names are kept. What is
there under the same name is replaced as it was seen, or left with --conflict report.
What is the same already is not sent again.

Examples:
    tidelock upload report.pdf s3://my-bucket/reports/2026.pdf
    tidelock upload a.jpg b.jpg ~/photos/2026 s3://my-bucket/photos/
    tidelock upload - s3://my-bucket/dump.sql --storage-class STANDARD_IA
        sends what comes from standard input
    tidelock upload index.html s3://site/ --content-type 'text/html; charset=utf-8' --meta release=7";

pub const DOWNLOAD: &str = "\
An object goes into a folder that is there, or becomes the file that is named, as with cp.
What lies below a name goes into the folder that is named, and into one of its own name
below that if LOCAL ends in / or is left out. Files that differ here stay, are listed,
and make the exit code 3; with --overwrite they go to .tidelock/trash.

Examples:
    tidelock download s3://my-bucket/reports/2026.pdf
    tidelock download s3://my-bucket/photos ~/photos --exclude raw/
    tidelock download photos/2026/june.jpg ~/Desktop
        of the remote of the configured pair photos
    tidelock download folder:/mnt/usb/notes/todo.txt /tmp/ --overwrite
    tidelock download s3://my-bucket/dump.sql - | psql";

pub const INFO: &str = "\
Examples:
    tidelock info s3://my-bucket/reports/2026.pdf
    tidelock info folder:/mnt/usb/notes/todo.txt --json | jq .reply.user";

pub const CAT: &str = "\
Examples:
    tidelock cat s3://my-bucket/notes/todo.txt
    tidelock cat s3://my-bucket/log.txt --range -1000
    tidelock cat s3://my-bucket/film.mp4 --range 0-1048575 --bwlimit 5MiB/s";

pub const RM: &str = "\
Each object goes as it was seen: what somebody writes in between stays. Deletions on a
remote have no trash; where the bucket keeps versions, the old one is there.

Examples:
    tidelock rm s3://my-bucket/old.txt folder:/mnt/usb/notes/old.txt
    tidelock rm s3://my-bucket/tmp/ --recursive --dry-run
    tidelock rm s3://my-bucket/tmp/ --recursive --max-delete 500";

pub const MV: &str = "\
Copies on the remote and removes the old objects; metadata stays as it is. Both names
are in the same bucket or store.

Examples:
    tidelock mv s3://my-bucket/draft.txt s3://my-bucket/final.txt
    tidelock mv s3://my-bucket/2025/ s3://my-bucket/archive/ --recursive --dry-run
        everything below 2025/ is then below archive/2025/";

pub const BUCKETS: &str = "\
Examples:
    tidelock buckets
    tidelock buckets --long --endpoint https://s3.example.org --profile work";

pub const RUNS: &str = "\
Every run that changed something, or tried to, of every pair; a number stays what it is.

Examples:
    tidelock runs
    tidelock runs photos
        of the configured pair photos; of a folder: ~/photos
    tidelock runs --limit 100
    tidelock runs show 7";

pub const DOCTOR: &str = "\
Looks at credentials, clock, bucket, each permission by its name, what the service can do,
and uploads that nobody finished; says what to do about each. To try permissions it writes
an object below .tidelock/ and removes it, unless --read-only is given.

Examples:
    tidelock doctor
    tidelock doctor s3://my-bucket/photos
    tidelock doctor s3://my-bucket --abandon-uploads";

pub const COMPLETIONS: &str = "\
Examples:
    tidelock completions bash > ~/.local/share/bash-completion/completions/tidelock
    tidelock completions zsh > ~/.zfunc/_tidelock
    tidelock completions fish > ~/.config/fish/completions/tidelock.fish";

pub const MAN: &str = "\
Examples:
    tidelock man | man -l -
    tidelock man ~/.local/share/man/man1";

pub const PROFILE_ADD: &str = "\
The secret is asked for and not shown; then the bucket is asked, and only what works is
kept: the settings in the configuration, the secret in the keyring or the encrypted file.
docs/secrets.md says what each of them protects against.

Examples:
    tidelock config profile add work --endpoint https://s3.example.org --bucket work --access-key-id AKIAEXAMPLE
    tidelock config profile add server --bucket backup --access-key-id AKIAEXAMPLE --credentials file --secret-stdin
    tidelock config profile add aws --bucket my-photos --aws-profile private";

pub const SET_SECRET: &str = "\
Where it is kept stands in the profile: `credentials = \"keyring\"` or `\"file\"`.

Examples:
    tidelock config set-secret work
    tidelock config set-secret work --secret-stdin";

pub const IMPORT: &str = "\
Reads rclone.conf, ~/.s3cfg, lines of `local | bucket | prefix | excludes`, and two more
(docs/coming-from.md). Nothing that is configured is changed. Secrets go to the keyring or
the encrypted file, never into the configuration.

Examples:
    tidelock config import ~/.config/rclone/rclone.conf
    tidelock config import ~/.s3cfg --credentials file
    tidelock config import ~/.s3-smart-sync.conf --output -";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::Cli;
    use clap::Parser;

    /// The words of a line, as a shell takes them: quotes kept together, pipes cut.
    fn words(line: &str) -> Vec<String> {
        let (mut words, mut quoted) = (vec![String::new()], false);
        for c in line.chars() {
            match c {
                '\'' => quoted = !quoted,
                '|' | '>' if !quoted => break,
                ' ' if !quoted => words.push(String::new()),
                c => words.last_mut().expect("never empty").push(c),
            }
        }
        words.retain(|word| !word.is_empty());
        words
    }

    #[test]
    fn every_example_is_a_command_line() {
        let mut tried = 0;
        for help in [
            SYNC,
            STATUS,
            PLAN,
            APPLY,
            MOVES,
            RESTORE,
            LS,
            WHY,
            DEMO,
            UPLOAD,
            DOWNLOAD,
            INFO,
            CAT,
            RM,
            MV,
            BUCKETS,
            RUNS,
            DOCTOR,
            COMPLETIONS,
            MAN,
            BATCH,
            CONFIG,
            INIT,
            PROFILE_ADD,
            SET_SECRET,
            IMPORT,
        ] {
            for line in help.lines().map(str::trim).filter(|line| line.starts_with("tidelock ")) {
                if let Err(error) = Cli::try_parse_from(words(line)) {
                    panic!("{line}: {error}");
                }
                tried += 1;
            }
        }
        assert!(tried >= 44, "{tried}");
    }

    /// What stands between backticks and begins with our name; `…` stands for a bucket
    /// behind `s3://`, and elsewhere for more that may follow.
    #[test]
    fn every_command_of_the_docs_is_a_command_line() {
        let docs = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs");
        let mut tried = 0;
        for page in ["coming-from.md", "secrets.md"] {
            let text = std::fs::read_to_string(docs.join(page)).expect(page);
            let blocks = text.lines().filter(|line| line.starts_with("tidelock "));
            for line in text.split('`').filter(|code| code.starts_with("tidelock ")).chain(blocks) {
                let line = line.lines().next().unwrap_or_default();
                let line = line.split(['#', '<']).next().unwrap_or_default().trim_end();
                let line = line.replace("BUCKET", "bucket").replace("s3://…", "s3://bucket/key").replace(" …", "");
                let error = Cli::try_parse_from(words(&line)).err().map(|error| error.kind());
                // A row of verbs alone says no more.
                let is_good = error.is_none_or(|kind| kind == clap::error::ErrorKind::MissingRequiredArgument);
                assert!(is_good, "{page}: {line}: {error:?}");
                tried += 1;
            }
        }
        assert!(tried >= 70, "{tried}");
    }
}
