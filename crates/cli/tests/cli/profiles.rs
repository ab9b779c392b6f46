//! Profiles and their secrets, from adding to removing, against a server that checks
//! signatures; and that no secret is ever anywhere it should not be.

use crate::home::{Home, Ran, bytes};
use crate::servers::{KEY, Server, rclone};
use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

const CONFIG: &str = "home/.config/tidelock/config.toml";
const VAULT: &str = "home/.config/tidelock/secrets.json";

impl Home {
    /// Runs with this on standard input.
    fn given(&self, args: &[&str], input: &str) -> Ran {
        give(&mut self.command(args), input)
    }

    /// A shell with the same environment, in which `$0` is the binary.
    pub fn shell(&self, script: &str) -> Command {
        let mut shell = Command::new("bash");
        shell.args(["-c", script]).arg(env!("CARGO_BIN_EXE_tidelock")).current_dir(self.dir.path());
        let plain = self.command(&[]);
        plain.get_envs().for_each(|(name, value)| {
            shell.env(name, value.unwrap_or_default());
        });
        shell
    }

    /// Adds a profile of the server's bucket `tide`, its secret in the encrypted file.
    fn add(&self, name: &str, server: &Server, secret: &str) -> Ran {
        let add = ["config", "profile", "add", name, "--endpoint", &server.url, "--bucket", "tide"];
        let keys = ["--access-key-id", KEY.0, "--credentials", "file", "--secret-stdin"];
        self.given(&[&add[..], &keys].concat(), secret)
    }
}

pub fn give(command: &mut Command, input: &str) -> Ran {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("runs");
    // One that ends without reading is no failure of the test's.
    let _ = child.stdin.take().expect("piped").write_all(input.as_bytes());
    child.wait_with_output().expect("ended").into()
}

/// Looks for a secret in everything that was said and in every file that there is.
#[track_caller]
pub fn nowhere(home: &Home, secret: &str, said: &[&Ran]) {
    for ran in said {
        assert!(!ran.out.contains(secret) && !ran.err.contains(secret), "it was said: {}\n{}", ran.out, ran.err);
    }
    for (path, bytes) in bytes(home.dir.path()) {
        let found = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
        assert!(!found, "it is in {}", path.display());
    }
}

#[test]
fn from_adding_to_removing() {
    let (home, server) = (Home::furnished(), rclone(&["tide"]));
    let added = home.add("work", &server, &format!("  {}\n", KEY.1)).expect(0).says(&["profile work", "it works"]);
    for (path, mode) in [(CONFIG, 0o600), (VAULT, 0o600), ("state/tidelock/key", 0o600)] {
        assert_eq!(fs::metadata(home.path(path)).expect(path).permissions().mode() & 0o777, mode, "{path}");
    }
    let listed =
        home.run(&["config", "profile", "list"]).expect(0).says(&["work", "bucket tide", KEY.0, "encrypted file"]);
    let tested =
        home.run(&["config", "profile", "test", "work"]).expect(0).says(&["connected:         yes", "yes (tide)"]);
    let used = home.run(&["config", "profile", "use", "work"]).expect(0);
    let synced = home.run(&["sync", "f", "work:notes", "--verbose"]).expect(0);
    let listing = home.run(&["ls", "s3://tide", "--json"]).expect(0).says(&["notes/a.txt"]);
    home.run(&["info", "work:none"]).expect(4).says(&["nothing at work:none", "`tidelock ls work:`"]);
    home.run(&["cat", "work:notes/none"]).expect(4).says(&["nothing at work:notes/none", "`tidelock ls work:notes`"]);
    let plan = home.run(&["plan", "f", "work:notes", "-o", "saved.plan"]).expect(0);
    let shown = home.run(&["config", "show"]).expect(0).says(&["file"]);
    let json = home.run(&["config", "profile", "test", "work", "--json"]).expect(0);
    let reply = &json.summary()["reply"];
    assert_eq!((&reply["connected"], &reply["bucket_accessible"]), (&true.into(), &true.into()), "{reply}");
    nowhere(&home, KEY.1, &[&added, &listed, &tested, &used, &synced, &listing, &plan, &shown, &json]);

    let text = home.read(CONFIG) + "\n[pair.notes]  # mine\nlocal = \"/notes\"\nremote = \"work:notes\"\n";
    home.write(CONFIG, &text);
    home.run(&["config", "profile", "remove", "work"]).expect(78).says(&["pair.notes (line", "left as it is"]);
    assert_eq!(home.read(CONFIG), text);
    home.write(CONFIG, &text[..text.find("\n[pair").expect("there")]);
    home.run(&["config", "profile", "remove", "work"])
        .expect(0)
        .says(&["removed", "it was the default, and there is none now"]);
    assert!(!home.read(CONFIG).contains("work") && !home.path(VAULT).exists());
    home.run(&["config", "profile", "remove", "work"]).expect(2).says(&["no profile"]);
}

#[test]
fn what_does_not_work_is_not_kept() {
    let (home, server) = (Home::new(), rclone(&["tide"]));
    let wrong = home
        .add("work", &server, "canary-wrong-secret\n")
        .expect(77)
        .says(&["connected:         yes", "check the access key"]);
    nowhere(&home, "canary-wrong-secret", &[&wrong]);
    home.add("work", &server, "\n").expect(78).says(&["empty"]);
    home.add("work", &server, "").expect(78).says(&["empty"]);
    home.add("no name", &server, "canary\n").expect(2).says(&["cannot be a name"]);
    home.add("s3", &server, "canary\n").expect(78).says(&["another name"]);
    assert!(!home.path(CONFIG).exists() && !home.path(VAULT).exists());
    home.add("work", &server, KEY.1).expect(0);
    let before = (home.read(CONFIG), home.read(VAULT));
    home.add("work", &server, "canary\n").expect(78).says(&["there already"]);
    assert_eq!((home.read(CONFIG), home.read(VAULT)), before);
}

#[test]
fn a_test_tells_what_is_wrong() {
    let (home, server) = (Home::new(), rclone(&["tide"]));
    home.add("work", &server, KEY.1).expect(0);
    let test = |more: &[&str]| home.run(&[&["config", "profile", "test", "work"], more].concat());
    test(&["--bucket", "none-such"]).expect(4).says(&["connected:         yes", "bucket_accessible: no (none-such)"]);
    home.given(&["config", "set-secret", "work", "--secret-stdin"], "canary-other\n")
        .expect(0)
        .says(&["encrypted file"]);
    let ran = test(&["--json"]).expect(77);
    let reply = ran.summary()["reply"].clone();
    assert_eq!((&reply["connected"], &reply["bucket_accessible"]), (&true.into(), &false.into()), "{reply}");
    assert!(reply["error"].as_str().is_some_and(|error| error.contains("access key")), "{reply}");
    nowhere(&home, "canary-other", &[&ran]);
    fs::remove_file(home.path(VAULT)).expect("gone");
    test(&[]).expect(77).says(&["connected:         no", "set-secret work"]);
    home.given(&["config", "set-secret", "work", "--secret-stdin"], KEY.1).expect(0);
    drop(server);
    test(&[]).expect(75).says(&["connected:         no", "bucket_accessible: no"]);
    home.run(&["config", "profile", "test", "wirk"]).expect(2).says(&["no profile", "work"]);
}

#[test]
fn a_secret_is_no_argument() {
    let home = Home::new();
    for args in [
        &["config", "profile", "add", "work", "--secret-access-key=canary-argument"][..],
        &["config", "profile", "add", "work", "--secret", "canary-argument"],
        &["config", "set-secret", "work", "--secret=canary-argument"],
    ] {
        let ran = home.run(args).expect(2);
        // What was typed in two words may be shown as a word too many; one is the option's.
        assert!(!args.iter().any(|arg| arg.contains("=canary")) || !ran.err.contains("canary"), "{}", ran.err);
    }
    let add = ["config", "profile", "add", "work", "--access-key-id", "AK", "--credentials", "file", "--no-test"];
    home.run(&add).expect(78).says(&["no terminal", "--secret-stdin"]);
}

#[test]
fn exposed_and_foreign_keys_are_refused() {
    let (home, server) = (Home::new(), rclone(&["tide"]));
    home.add("work", &server, KEY.1).expect(0);
    let key = home.path("state/tidelock/key");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).expect("set");
    home.run(&["ls", "work:"]).expect(77).says(&["may be read by others", "chmod 600"]);
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).expect("set");
    fs::write(&key, "another key than the one it was made with").expect("written");
    home.run(&["ls", "work:"]).expect(77).says(&["not the one it was sealed with"]);
}

#[test]
fn a_passphrase_opens_the_file() {
    let (home, server) = (Home::new(), rclone(&["tide"]));
    home.write("phrase", "correct horse battery\n");
    fs::set_permissions(home.path("phrase"), fs::Permissions::from_mode(0o600)).expect("set");
    let add = ["config", "profile", "add", "work", "--endpoint", &server.url, "--bucket", "tide"];
    let keys = ["--access-key-id", KEY.0, "--credentials", "file", "--key-from", "passphrase", "--secret-stdin"];
    let with = |args: &[&str], phrase: &str| {
        let mut command = home.command(args);
        command.env("TIDELOCK_PASSPHRASE_FILE", home.path(phrase));
        command
    };
    give(&mut with(&[&add[..], &keys].concat(), "phrase"), KEY.1).expect(0);
    assert!(!home.path("state/tidelock/key").exists());
    give(&mut with(&["ls", "work:"], "phrase"), "").expect(0);
    home.run(&["ls", "work:"]).expect(77).says(&["TIDELOCK_PASSPHRASE_FILE"]);
    home.write("other", "wrong horse battery");
    fs::set_permissions(home.path("other"), fs::Permissions::from_mode(0o600)).expect("set");
    give(&mut with(&["ls", "work:"], "other"), "").expect(77).says(&["the passphrase is wrong"]);
    // A descriptor, as a shell hands it over.
    let mut shell = home.shell("exec \"$0\" ls work: 3< phrase");
    shell.env("TIDELOCK_PASSPHRASE_FILE", "/dev/fd/3");
    Ran::from(shell.output().expect("runs")).expect(0);
}

#[test]
fn no_more_than_the_secrets_line_is_read() {
    let home = Home::new();
    home.write(CONFIG, "[profile.work]\naccess_key_id = \"AK\"\ncredentials = \"file\"\n");
    let mut shell = home.shell("\"$0\" config set-secret work --secret-stdin && cat");
    give(&mut shell, "canary\nwhat follows is another's\n").expect(0).says(&["what follows is another's"]);
    nowhere(&home, "canary", &[]);
}

#[test]
fn one_configuration_takes_nothing_from_another() {
    let (home, server) = (Home::new(), rclone(&["tide"]));
    home.add("work", &server, KEY.1).expect(0);
    let before = home.read(VAULT);
    let other = |file: &str, args: &[&str], secret: &str| {
        home.given(&[&["--config", file, "config", "profile"], args].concat(), secret)
    };
    let keys = ["--access-key-id", KEY.0, "--credentials", "file", "--secret-stdin"];
    let server = ["--endpoint", &server.url, "--bucket", "tide"];
    let add = [&["add", "work"][..], &server, &keys].concat();
    let untested = [&add[..], &["--no-test"]].concat();
    let refused = other("test.toml", &untested, "canary-of-another").expect(78);
    refused.says(&["another secret is kept", "perhaps of another configuration", "set-secret work"]);
    assert!(!home.path("test.toml").exists());
    // What was there before stays, also where the rest fails.
    assert_ne!(other("/proc/none/test.toml", &untested, KEY.1).code, 0);
    assert_eq!(home.read(VAULT), before);
    // The same secret may be shared, and the one who goes does not take it along.
    other("test.toml", &add, KEY.1).expect(0);
    other("test.toml", &["remove", "work"], "").expect(0).says(&["its secret stays", "tidelock/config.toml"]);
    assert_eq!(home.read(VAULT), before);
    home.run(&["config", "profile", "test", "work"]).expect(0);
    // A configuration that has it alone does.
    let alone = [&["add", "mine"][..], &server, &keys].concat();
    other("test.toml", &alone, KEY.1).expect(0);
    assert_ne!(home.read(VAULT), before);
    other("test.toml", &["remove", "mine"], "").expect(0);
    assert!(!home.read(VAULT).contains("profile/mine"));
}

/// A service that is known by its name is called so.
#[test]
fn a_list_calls_services_by_their_names() {
    let home = Home::new();
    let add = ["config", "profile", "add", "work", "--provider", "wasabi", "--bucket", "tide", "--no-test"];
    home.run(&add).expect(0);
    let listed = home.run(&["config", "profile", "list"]).expect(0).says(&["work", "wasabi · bucket tide"]);
    assert!(!listed.out.contains("Amazon"), "{}", listed.out);
    let pairs = "\n[profile.other]\nbucket = \"tide\"\n[pair.a]\nlocal = \"/a\"\nremote = \"work:\"\n[pair.b]\nlocal = \"/b\"\n\
                 remote = \"other:\"\n";
    home.write(CONFIG, &(home.read(CONFIG) + pairs));
    home.run(&["mv", "a/x", "b/x"]).expect(2).says(&["of different services", "upload it where it is to be"]);
}

#[test]
fn a_secret_that_could_not_be_removed_is_told() {
    let home = Home::new();
    let add = ["config", "profile", "add", "work", "--access-key-id", "AK", "--credentials", "file", "--no-test"];
    for quiet in [&[][..], &["--quiet"]] {
        home.given(&[&add[..], &["--secret-stdin"]].concat(), "canary").expect(0);
        let kept = home.read(VAULT);
        home.write(VAULT, "damaged");
        let args = [&["config", "profile", "remove", "work"], quiet].concat();
        let ran = home.run(&args).expect(3);
        assert!(ran.err.contains("still where it was") && ran.err.contains("secrets.json"), "{}", ran.err);
        assert!(!home.read(CONFIG).contains("work"));
        home.write(VAULT, &kept);
    }
}

#[test]
fn what_is_tried_is_what_would_be_used() {
    let (home, server) = (Home::new(), rclone(&["tide"]));
    let host = server.url.strip_prefix("http://").expect("an address");
    let add = ["config", "profile", "add", "work", "--endpoint", "http://${HOST}", "--bucket", "tide"];
    let keys = ["--access-key-id", KEY.0, "--credentials", "file", "--secret-stdin"];
    let mut command = home.command(&[&add[..], &keys].concat());
    give(command.env("HOST", host), KEY.1).expect(78).says(&["${HOST}"]);
    assert!(!home.path(CONFIG).exists() && !home.path(VAULT).exists());
}

#[test]
fn a_service_credential_opens_the_file() {
    let (home, server) = (Home::new(), rclone(&["tide"]));
    home.write("credentials/tidelock-key", "made by systemd-creds, and never shown\n");
    let add = ["config", "profile", "add", "work", "--endpoint", &server.url, "--bucket", "tide"];
    let keys = ["--access-key-id", KEY.0, "--credentials", "file", "--secret-stdin"];
    let mut command = home.command(&[&add[..], &keys].concat());
    give(command.env("CREDENTIALS_DIRECTORY", home.path("credentials")), KEY.1).expect(0);
    home.run(&["ls", "work:"]).expect(77).says(&["CREDENTIALS_DIRECTORY"]);
    let mut command = home.command(&["ls", "work:"]);
    give(command.env("CREDENTIALS_DIRECTORY", home.path("credentials")), "").expect(0);
}

#[test]
fn the_environment_is_asked_alone_where_the_profile_says_so() {
    let (home, server) = (Home::new(), rclone(&["tide"]));
    let text = format!("[profile.ci]\nendpoint = \"{}\"\nbucket = \"tide\"\ncredentials = \"env\"\n", server.url);
    home.write(CONFIG, &text);
    // The AWS files are there, and are not looked at.
    home.write(
        "home/.aws/credentials",
        &format!("[default]\naws_access_key_id={}\naws_secret_access_key={}\n", KEY.0, KEY.1),
    );
    home.run(&["ls", "ci:"]).expect(77).says(&["AWS_ACCESS_KEY_ID is not set"]);
    let mut command = home.command(&["ls", "ci:"]);
    command.env("AWS_ACCESS_KEY_ID", KEY.0).env("AWS_SECRET_ACCESS_KEY", KEY.1);
    Ran::from(command.output().expect("runs")).expect(0);
    home.run(&["config", "set-secret", "ci"]).expect(78).says(&["config.toml:", "not kept by Tidelock"]);
}

#[test]
fn a_profile_without_a_secret_takes_no_others() {
    let (home, server) = (Home::new(), rclone(&["tide"]));
    let text = format!(
        "[profile.work]\nendpoint = \"{}\"\nbucket = \"tide\"\ncredentials = \"file\"\naccess_key_id = \"{}\"\n",
        server.url, KEY.0
    );
    home.write(CONFIG, &text);
    let mut command = home.command(&["ls", "work:"]);
    command.env("AWS_ACCESS_KEY_ID", KEY.0).env("AWS_SECRET_ACCESS_KEY", KEY.1);
    Ran::from(command.output().expect("runs")).expect(77).says(&["set-secret work"]);
}

/// Runs a program that is told this, with the environment of the binary.
fn by_python(home: &Home, program: &str, told: &serde_json::Value) -> Ran {
    let plain = home.command(&[]);
    let mut python = Command::new("python3");
    python.args(["-c", program]).env_clear().current_dir(home.dir.path());
    plain.get_envs().for_each(|(name, value)| {
        python.env(name, value.unwrap_or_default());
    });
    give(&mut python, &told.to_string())
}

/// Runs in a terminal of its own, types an answer at each question, and gives all that
/// was to be seen there and the exit code.
fn at_a_terminal(home: &Home, args: &[&str], answers: &[(&str, &str)]) -> (String, i32) {
    const PROGRAM: &str = r#"
import json, os, pty, sys
binary, args, answers = json.load(sys.stdin)
pid, fd = pty.fork()
if pid == 0:
    os.execv(binary, [binary] + args)
seen = b""
def more():
    global seen
    try:
        data = os.read(fd, 4096)
    except OSError:
        data = b""
    seen += data
    return bool(data)
for question, answer in answers:
    at = len(seen)
    while question.encode() not in seen[max(0, at - 200):] and more():
        pass
    os.write(fd, answer.encode())
while more():
    pass
status = os.waitpid(pid, 0)[1]
print(json.dumps([seen.decode(), os.waitstatus_to_exitcode(status)]))
"#;
    let ran = by_python(home, PROGRAM, &serde_json::json!([env!("CARGO_BIN_EXE_tidelock"), args, answers]));
    serde_json::from_str(&ran.out).unwrap_or_else(|error| panic!("{error}: {}", ran.err))
}

#[test]
fn a_secret_is_asked_for_at_the_terminal_and_not_shown() {
    let (home, server) = (Home::new(), rclone(&["tide"]));
    let add = ["config", "profile", "add", "work", "--endpoint", &server.url, "--bucket", "tide"];
    let keys = ["--access-key-id", KEY.0, "--credentials", "file", "--key-from", "passphrase"];
    let args = [&add[..], &keys].concat();
    let secret = format!("{}\n", KEY.1);
    let asked = ("Secret access key of the profile work: ", secret.as_str());
    let phrase = ("New passphrase for the encrypted file: ", "correct horse\n");
    let (seen, code) = at_a_terminal(&home, &args, &[asked, phrase, ("The same again: ", "incorrect horse\n")]);
    assert!(code == 1 && seen.contains("the two passphrases differ"), "{code}: {seen}");
    assert!(!home.path(CONFIG).exists(), "{seen}");
    let (seen, code) = at_a_terminal(&home, &args, &[asked, phrase, ("The same again: ", "correct horse\n")]);
    assert_eq!(code, 0, "{seen}");
    assert!(!seen.contains(KEY.1) && !seen.contains("horse"), "{seen}");
    let (seen, code) =
        at_a_terminal(&home, &["ls", "work:"], &[("Passphrase of the encrypted file: ", "correct horse\n")]);
    assert_eq!(code, 0, "{seen}");
    let (seen, code) = at_a_terminal(&home, &["ls", "work:"], &[("Passphrase of the encrypted file: ", "\x03")]);
    assert_eq!(code, 130, "{seen}");
    nowhere(&home, KEY.1, &[]);
    nowhere(&home, "correct horse", &[]);
}

#[test]
fn a_terminal_shows_again_what_is_typed_however_it_ends() {
    const PROGRAM: &str = r#"
import json, os, pty, signal, sys, termios
binary, args = json.load(sys.stdin)
pid, fd = pty.fork()
if pid == 0:
    os.execv(binary, [binary] + args)
def shows():
    return bool(termios.tcgetattr(fd)[3] & termios.ECHO)
seen = b""
while b"profile work: " not in seen:
    seen += os.read(fd, 4096)
hidden = not shows()
# Two that are not taken for one, before anybody looks at the first.
os.kill(pid, signal.SIGINT)
os.kill(pid, signal.SIGTERM)
code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
print(json.dumps([hidden, shows(), code]))
"#;
    let home = Home::new();
    home.write(CONFIG, "[profile.work]\naccess_key_id = \"AK\"\ncredentials = \"file\"\n");
    for _ in 0..3 {
        let told = serde_json::json!([env!("CARGO_BIN_EXE_tidelock"), ["config", "set-secret", "work"]]);
        let ran = by_python(&home, PROGRAM, &told);
        let (hidden, shown, code): (bool, bool, i32) = serde_json::from_str(&ran.out).expect(&ran.err);
        assert!(hidden && shown && [130, 143].contains(&code), "{hidden} {shown} {code}");
    }
}

#[test]
fn names_of_others_do_not_act_at_the_terminal() {
    let home = Home::new();
    home.write("old.conf", "/srv/a\u{202e}b\u{61c} | tide | old | *.tmp\n");
    let args = ["config", "import", "old.conf", "--output", "-"];
    let (seen, code) = at_a_terminal(&home, &args, &[]);
    assert!(code == 0 && seen.contains("a\\u{202e}b\\u{61c}") && !seen.contains('\u{202e}'), "{code}: {seen}");
    assert!(home.run(&args).expect(0).out.contains("a\u{202e}b\u{61c}"), "what is piped is to be used");
}

#[test]
fn yaml_is_not_edited() {
    let home = Home::new();
    home.write("home/.config/tidelock/config.yaml", "profile: {}\n");
    let add = ["config", "profile", "add", "work", "--credentials", "aws", "--no-test"];
    home.run(&add).expect(78).says(&["config.yaml is YAML", "by hand"]);
    assert!(!Path::new(&home.path(CONFIG)).exists());
}

#[test]
fn what_is_looked_for_would_be_found() {
    let home = Home::new();
    home.write("state/deep/file", "before canary-planted after");
    let found = std::panic::catch_unwind(|| nowhere(&home, "canary-planted", &[]));
    assert!(found.is_err());
    let said = Ran { code: 0, out: String::new(), err: "error: canary-said".to_owned() };
    assert!(std::panic::catch_unwind(|| nowhere(&home, "canary-said", &[&said])).is_err());
}
