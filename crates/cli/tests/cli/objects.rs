//! Verbs that work with names, on bad days and with odd names.

use crate::home::{Home, Ran, tree};
use std::fs;
use std::io::Read;
use std::process::Stdio;

/// Names that could do harm on a terminal, or in a shell.
const ODD: [&str; 5] = ["with space", "new\nline", "esc\x1b[31m", "-n", "ü ☃"];

#[test]
fn odd_names_go_there_and_back_and_print_safely() {
    let home = Home::new();
    for name in ODD {
        home.write(&format!("f/{name}"), name);
    }
    let files: Vec<String> = ODD.iter().map(|name| format!("f/{name}")).collect();
    let args: Vec<&str> = ["upload", "-v"].into_iter().chain(files.iter().map(String::as_str)).collect();
    let ran = home.run(&[&args[..], &["folder:store/"]].concat()).expect(0);
    assert!(!ran.out.contains('\x1b') && ran.out.contains("$'new\\nline'"), "{:?}", ran.out);
    let listed = home.run(&["ls", "folder:store"]).expect(0).out;
    assert_eq!(listed.lines().count(), ODD.len(), "{listed:?}");
    for name in ODD {
        let remote = format!("folder:store/{name}");
        assert_eq!(home.run(&["cat", &remote]).expect(0).out, *name);
        let ran = home.run(&["info", &remote]).expect(0);
        assert!(!ran.out.contains('\x1b'), "{:?}", ran.out);
        home.run(&["download", &remote, "got/"]).expect(0);
        assert_eq!(home.read(&format!("got/{name}")), *name);
        home.run(&["mv", &remote, &format!("{remote}2")]).expect(0);
        let ran = home.run(&["rm", "-v", &format!("{remote}2")]).expect(0);
        assert!(!ran.out.contains('\x1b'), "{:?}", ran.out);
    }
    assert_eq!(home.run(&["ls", "folder:store"]).expect(0).out, "");
}

#[test]
fn only_what_is_named_takes_part() {
    let home = Home::furnished();
    home.write("f/.tidelockignore", "a.txt\nsub/\n");
    home.write("f/sub/.tidelockignore", "b.txt\n");
    // What is named goes; an ignore file inside of it holds.
    home.run(&["upload", "f/a.txt", "f/sub", "folder:store/"]).expect(0).says(&["3 entries sent"]);
    let listed = home.run(&["ls", "folder:store"]).expect(0).out;
    assert_eq!(listed, "a.txt\nsub/.tidelockignore\nsub/deep/c.txt\n");
    // Nothing of the folder that is fetched into takes part either.
    home.write("g/other.txt", "other");
    let before = tree(&home.path("g"));
    home.run(&["download", "folder:store/sub/deep/c.txt", "g"]).expect(0).says(&["1 entry fetched"]);
    let mut after = tree(&home.path("g"));
    assert!(after.remove("c.txt").is_some());
    assert_eq!(before, after);
    // A link is followed to what it leads to, and keeps its name.
    home.run(&["upload", "f/link", "folder:store/"]).expect(0);
    assert_eq!(home.run(&["cat", "folder:store/link"]).expect(0).out, "beta");
    home.run(&["upload", "f/hollow", "folder:store/"]).expect(0).says(&["1 entry sent"]);
}

#[test]
fn an_upload_replaces_and_a_download_does_not() {
    let home = Home::furnished();
    home.run(&["upload", "f/a.txt", "folder:store/x"]).expect(4).says(&["no store at", "folder:STORE/"]);
    home.run(&["upload", "f/a.txt", "folder:store/"]).expect(0);
    home.write("f/a.txt", "alpha two");
    home.run(&["upload", "f/a.txt", "folder:store/", "--conflict", "report"]).expect(6);
    home.run(&["upload", "f/a.txt", "folder:store/", "-n"]).expect(0).says(&["upload would: send 1 entry"]);
    assert_eq!(home.run(&["cat", "folder:store/a.txt"]).expect(0).out, "alpha");
    home.run(&["upload", "f/a.txt", "folder:store/"]).expect(0).says(&["1 entry sent"]);
    assert_eq!(home.run(&["cat", "folder:store/a.txt"]).expect(0).out, "alpha two");
    home.write("g/a.txt", "mine");
    home.run(&["download", "folder:store/a.txt", "g/a.txt"]).expect(3).says(&["--overwrite"]);
    assert_eq!(home.read("g/a.txt"), "mine");
    home.run(&["download", "folder:store/a.txt", "g/a.txt", "--overwrite"]).expect(0);
    assert_eq!(home.read("g/a.txt"), "alpha two");
    assert!(tree_holds(&home, "g/.tidelock/trash", "mine"), "what was replaced is in the trash");
    home.run(&["download", "folder:store/a.txt", "new/place/", "-n"]).expect(0);
    assert!(!home.path("new").exists(), "a dry run makes no folder");
}

fn tree_holds(home: &Home, folder: &str, text: &str) -> bool {
    crate::home::bytes(&home.path(folder)).values().any(|bytes| bytes == text.as_bytes())
}

#[test]
fn nothing_is_left_behind_of_what_ended_well() {
    let home = Home::stored();
    home.run(&["download", "folder:store/a.txt", "g/"]).expect(0);
    home.run(&["upload", "f/a.txt", "folder:store/", "--meta", "mtime=1"]).expect(2).says(&["mtime"]);
    let states = fs::read_dir(home.path("state/tidelock/pairs")).expect("there");
    let names = states.map(|item| item.expect("an entry").file_name().into_string().expect("UTF-8"));
    let states: Vec<String> = names.filter(|name| name.ends_with(".sqlite")).collect();
    assert_eq!(states, ["loose.sqlite"], "the history, and no state");
    assert!(!home.path("g/.tidelock").exists() && !home.path("f/.tidelock").exists());
}

#[test]
fn many_below_a_name_want_to_be_confirmed() {
    let home = Home::new();
    for number in 0..21 {
        home.write(&format!("f/{number}"), "x");
    }
    home.run(&["upload", "f", "folder:store/"]).expect(0);
    home.run(&["rm", "folder:store/f"]).expect(4).says(&["--recursive"]);
    home.run(&["rm", "folder:store/f", "-r"]).expect(5).says(&["21 items", "--confirm-deletes"]);
    home.run(&["rm", "folder:store/f", "-r", "-n"]).expect(5).says(&["delete 21 there"]);
    home.run(&["rm", "folder:store/f", "-r", "--max-delete", "20"]).expect(5).says(&["--max-delete 20"]);
    home.run(&["mv", "folder:store/f", "folder:store/g"]).expect(4).says(&["--recursive"]);
    home.run(&["mv", "folder:store/f", "folder:store/g", "-r"]).expect(5).says(&["21 items", "--confirm-deletes"]);
    home.run(&["mv", "folder:store/f", "folder:store/g", "-r", "-n"]).expect(5).says(&["rename 21 there"]);
    home.run(&["mv", "folder:store/f", "folder:store/g", "-r", "--max-delete", "20"])
        .expect(5)
        .says(&["--max-delete 20"]);
    home.run(&["mv", "folder:store/f", "folder:store/g", "-r", "--max-delete", "21"]).expect(0).says(&["21 renamed"]);
    home.run(&["mv", "folder:store/g", "folder:store/f", "-r", "--confirm-deletes"]).expect(0).says(&["21 renamed"]);
    home.run(&["rm", "folder:store/f/7", "folder:store/f/7"]).expect(0).says(&["1 deleted there"]);
    home.run(&["rm", "folder:store/f", "-r"]).expect(0).says(&["20 deleted there"]);
    home.run(&["rm", "folder:store/f", "-r"]).expect(4).says(&["nothing at"]);
}

#[test]
fn places_that_lie_in_each_other_are_refused() {
    let home = Home::stored();
    for args in [
        &["upload", "store", "folder:store/"][..],
        &["download", "folder:store/a.txt", "store/"],
        &["upload", "state", "folder:store/"],
    ] {
        home.run(args).expect(78);
    }
    home.run(&["upload", "f", "folder:store/"]).expect(0);
    home.run(&["mv", "folder:store/f", "folder:store/f/g", "-r"]).expect(2).says(&["lie in each other"]);
}

#[test]
fn whoever_reads_an_object_may_leave_and_a_full_disk_is_told() {
    let home = Home::new();
    home.write("f/large", &"tide".repeat(2_000_000));
    home.run(&["upload", "f/large", "folder:store/"]).expect(0);
    let mut child = home.command(&["cat", "folder:store/large"]).stdout(Stdio::piped()).spawn().expect("runs");
    let mut first = [0; 4];
    child.stdout.take().expect("piped").read_exact(&mut first).expect("read");
    assert_eq!(child.wait().expect("ends").code(), Some(0), "whoever leaves has seen enough");
    for args in [&["cat", "folder:store/large"][..], &["download", "folder:store/large", "-"]] {
        let full = fs::OpenOptions::new().write(true).open("/dev/full").expect("there");
        let ran = Ran::from(home.command(args).stdout(full).stderr(Stdio::piped()).output().expect("runs"));
        ran.expect(75).says(&["standard output", "No space left"]);
    }
    for args in [&["info", "folder:store/large"][..], &["runs"], &["runs", "--json"], &["doctor", "folder:store"]] {
        let full = fs::OpenOptions::new().write(true).open("/dev/full").expect("there");
        let ran = Ran::from(home.command(args).stdout(full).stderr(Stdio::piped()).output().expect("runs"));
        ran.expect(1).says(&["could not be written"]);
    }
    home.run(&["cat", "folder:store/large", "--json"]).expect(2).says(&["standard output"]);
    home.run(&["cat", "folder:store/large", "--range", "-4"]).expect(0).says(&["tide"]);
    home.run(&["cat", "folder:store/large", "--range", "9-1"]).expect(2);
}

#[test]
fn verbs_of_other_tools_are_known() {
    let home = Home::furnished();
    home.run(&["copyto", "f", "s3://bucket"]).expect(2).says(&["tip: that is `upload FILE REMOTE`"]);
    home.run(&["uplaod", "f", "s3://bucket"]).expect(2).says(&["'upload'"]);
    home.run(&["upload", "f", "folder:store/", "--storage-clas", "X"]).expect(2).says(&["'--storage-class'"]);
    home.run(&["upload", "f", "folder:store/", "--bwlimit", "10"]).expect(2).says(&["10 MiB/s"]);
    home.run(&["upload", "f", "folder:store/", "--sse-kms-key", "k"]).expect(2).says(&["--sse"]);
    let s3 = ["upload", "f", "s3://tide/", "--region", "x", "--sse", "AES256"];
    home.run(&[&s3[..], &["--sse-kms-key", "k"]].concat()).expect(2).says(&["aws:kms"]);
    for verb in
        [&["upload", "f", "folder:store/"][..], &["sync", "f", "folder:store"], &["mv", "folder:s/a", "folder:s/b"]]
    {
        home.run(&[verb, &["--sse", "AES256"]].concat()).expect(2).says(&["no keys", "--sse"]);
    }
}

#[test]
fn the_tool_explains_itself() {
    let home = Home::new();
    for (shell, says) in [("bash", "complete -F"), ("zsh", "#compdef tidelock"), ("fish", "complete -c tidelock")] {
        home.run(&["completions", shell]).expect(0).says(&[says, "upload"]);
    }
    home.run(&["man"]).expect(0).says(&[".TH tidelock 1"]);
    home.run(&["man", "pages"]).expect(0);
    let help = home.run(&["--help"]).expect(0).out;
    let verbs = help.split("Commands:").nth(1).expect("commands").split("Options:").next().expect("cut");
    let verbs: Vec<&str> =
        verbs.lines().filter(|line| line.starts_with("  ")).filter_map(|line| line.split_whitespace().next()).collect();
    assert!(verbs.contains(&"doctor") && verbs.len() >= 20, "{verbs:?}");
    for verb in verbs.iter().filter(|verb| **verb != "help" && help.contains(&format!("\n  {verb} "))) {
        let page = home.path(&format!("pages/tidelock-{verb}.1"));
        assert!(page.is_file(), "{verb} has no page");
        assert!(fs::read_to_string(page).expect("readable").contains(&format!("tidelock\\-{verb}")), "{verb}");
    }
    let full = fs::OpenOptions::new().write(true).open("/dev/full").expect("there");
    let ran = Ran::from(home.command(&["man"]).stdout(full).stderr(Stdio::piped()).output().expect("runs"));
    ran.expect(1).says(&["could not be written"]);
}

#[test]
fn the_history_counts_every_run() {
    let home = Home::furnished();
    home.run(&["runs"]).expect(0).says(&["nothing was run yet"]);
    home.sync(&[]).expect(0);
    home.run(&["upload", "f/a.txt", "folder:store/more/"]).expect(0);
    home.sync(&["-n"]).expect(0);
    home.run(&["runs", "show", "1"]).expect(0).says(&["sync", "upload        sub/b.txt", "6 entries sent"]);
    home.run(&["runs", "show", "2"]).expect(0).says(&["upload", "/store/more/", "a.txt"]);
    home.run(&["runs", "show", "3"]).expect(4).says(&["no run 3"]);
    let told = home.run(&["runs", "--json", "--limit", "1"]).expect(0).summary();
    let runs = told["reply"]["runs"].as_array().expect("runs");
    assert_eq!((runs.len(), &runs[0]["number"], &runs[0]["command"]), (1, &2.into(), &"upload".into()));
    assert_eq!(runs[0]["report"]["uploaded"], 1);
}

#[test]
fn a_doctor_names_what_is_wrong() {
    let home = Home::furnished();
    home.run(&["doctor", "folder:none"]).expect(4).says(&["BAD", "no store"]);
    home.run(&["doctor", "folder:none", "--quiet"]).expect(4).says(&["settings: "]);
    home.run(&["upload", "f/a.txt", "folder:store/"]).expect(0);
    home.run(&["doctor", "folder:store", "--read-only"]).expect(0).says(&["nothing was written", "s3:GetObject"]);
    let told = home.run(&["doctor", "folder:store", "--json"]).expect(0).summary();
    let findings = told["reply"]["findings"].as_array().expect("findings");
    assert!(findings.iter().any(|finding| finding["check"] == "clock" && finding["verdict"] == "good"));
    assert_eq!(home.run(&["ls", "folder:store", "--path", ".tidelock/"]).expect(0).out, "", "what was tried is gone");
    home.run(&["doctor", "s3://tide", "--endpoint", "http://127.0.0.1:9", "--region", "x"]).expect(77).says(&[
        "BAD",
        "AWS_ACCESS_KEY_ID",
        "->",
    ]);
}

/// A copy that is kept lies beside the object, also where that has another name than the
/// file, and the output tells its name.
#[test]
fn what_an_upload_keeps_lies_beside_the_object() {
    let home = Home::stored();
    home.run(&["upload", "f/sub/b.txt", "folder:store/docs/c.md"]).expect(0);
    let args = ["upload", "f/a.txt", "folder:store/docs/c.md", "--conflict", "keep-both"];
    home.run(&args).expect(0).says(&["is kept as \"c (conflict "]);
    let listed = home.run(&["ls", "folder:store"]).expect(0).out;
    let lines: Vec<&str> = listed.lines().collect();
    assert!(matches!(lines[..], ["a.txt", aside, "docs/c.md"] if aside.contains("docs/c (conflict ")), "{listed}");
    assert_eq!(home.run(&["cat", "folder:store/docs/c.md"]).expect(0).out, "alpha");
}

#[test]
fn names_that_no_folder_could_hold_are_refused() {
    let home = Home::stored();
    for (key, why) in [("a/../b", "`..` segment"), ("/abs", "empty segment"), ("a//b", "empty segment")] {
        let remote = format!("s3://tide/{key}");
        home.run(&["upload", "f/a.txt", &remote, "--region", "x"]).expect(78).says(&[why]);
    }
    home.run(&["upload", "f/a.txt", "folder:store/x.rclonelink"]).expect(78).says(&["rclonelink"]);
    home.run(&["upload", "f/a.txt", "folder:store/.tidelock/x"]).expect(78).says(&["Tidelock's own"]);
}

/// An object may have a name that ends in a slash: it is taken where one object is meant, and
/// removed alone.
#[test]
fn an_object_with_a_slash_at_its_end_can_be_named() {
    let home = Home::synced();
    home.run(&["sync", "f", "folder:store/pre"]).expect(0);
    home.run(&["upload", "f/a.txt", "folder:store/pre/hollow/x"]).expect(0);
    let info = home.run(&["info", "folder:store/pre/hollow/", "--json"]).expect(0).summary();
    assert_eq!((&info["reply"]["key"], &info["reply"]["kind"]), (&"hollow/".into(), &"folder".into()));
    assert_eq!(home.run(&["cat", "folder:store/pre/hollow/"]).expect(0).out, "");
    assert_eq!(home.run(&["download", "folder:store/pre/hollow/", "-"]).expect(0).out, "");
    home.run(&["cat", "folder:store/pre/sub/"]).expect(4).says(&["is no object"]);
    home.run(&["rm", "folder:store/pre/sub/"]).expect(4).says(&["--recursive"]);
    home.run(&["rm", "folder:store/pre/hollow/"]).expect(0).says(&["1 deleted there"]);
    home.run(&["rm", "folder:store/pre/hollow/"]).expect(4).says(&["--recursive"]);
    assert_eq!(home.run(&["ls", "folder:store/pre/hollow"]).expect(0).out, "x\n");
    // Alone, and with all that lies below it.
    home.run(&["sync", "f", "folder:store/one"]).expect(0);
    home.run(&["rm", "folder:store/one/hollow/"]).expect(0).says(&["1 deleted there"]);
    home.run(&["rm", "folder:store/one/hollow/"]).expect(4).says(&["there is nothing at"]);
    home.run(&["sync", "f", "folder:store/two"]).expect(0);
    home.run(&["rm", "-r", "folder:store/two/hollow/"]).expect(0).says(&["1 deleted there"]);
}

/// What is typed of an object that is there already with the same content is not passed over
/// in silence.
#[test]
fn what_stays_as_it_is_is_told() {
    let home = Home::stored();
    for more in [["--content-type", "text/html"], ["--meta", "a=b"], ["--storage-class", "STANDARD_IA"]] {
        let ran = home.run(&[&["upload", "f/a.txt", "folder:store/"][..], &more].concat()).expect(0);
        assert!(ran.err.contains("left as it is") && ran.err.contains("tidelock mv"), "{more:?}: {}", ran.err);
    }
    assert_eq!(home.run(&["upload", "f/a.txt", "folder:store/"]).expect(0).err, "");
    let ran = home.run(&["ls", "folder:store", "--limit", "1"]).expect(0);
    assert_eq!(ran.err, "");
    home.run(&["upload", "f/sub", "folder:store/"]).expect(0);
    home.run(&["ls", "folder:store", "--limit", "1"]).expect(0).says(&["note: there is more"]);
}

/// A slash at the end of a name says that the folder is meant.
#[test]
fn a_slash_tells_a_folder_from_an_object() {
    let home = Home::stored();
    home.run(&["upload", "f/sub/b.txt", "folder:store/a.txt/below"]).expect(0);
    home.run(&["mv", "folder:store/a.txt/", "folder:store/c"]).expect(4).says(&["--recursive"]);
    home.run(&["mv", "folder:store/a.txt/", "folder:store/c", "-r"]).expect(0).says(&["1 renamed"]);
    assert_eq!(home.run(&["ls", "folder:store"]).expect(0).out, "a.txt\nc/below\n");
    home.run(&["mv", "folder:store/a.txt", "folder:store/c"]).expect(0).says(&["1 renamed"]);
    home.run(&["mv", "folder:store/c/", "folder:store", "-r"]).expect(2).says(&["lie in each other"]);
    home.run(&["mv", "folder:store/none/", "folder:store/d", "-r"]).expect(4).says(&["nothing at"]);
    home.run(&["mv", "folder:store/c", "folder:store/d/"]).expect(0);
    assert_eq!(home.run(&["ls", "folder:store"]).expect(0).out, "c/below\nd/c\n");
    for whole in ["folder:store", "folder:store/"] {
        home.run(&["mv", whole, "folder:store/zz", "-r"]).expect(2).says(&["lie in each other"]);
    }
    let states = fs::read_dir(home.path("state/tidelock/pairs")).expect("there");
    let names = states.map(|item| item.expect("an entry").file_name().into_string().expect("UTF-8"));
    assert_eq!(names.filter(|name| name.ends_with(".sqlite")).collect::<Vec<_>>(), ["loose.sqlite"]);
}

/// One command is one guard, in however many stores its names are.
#[test]
fn many_places_are_one_command() {
    let home = Home::new();
    for number in 0..11 {
        home.write(&format!("f/{number}"), "x");
    }
    for store in ["folder:one", "folder:two"] {
        home.run(&["upload", "f/0", &format!("{store}/")]).expect(0);
        home.run(&["rm", &format!("{store}/0")]).expect(0);
    }
    for remote in ["folder:one/x/", "folder:one/y/", "folder:two/z/"] {
        home.run(&["upload", "f", remote]).expect(0);
    }
    let rm = ["rm", "-r", "folder:one/x/", "folder:one/y/", "folder:two/z/"];
    home.run(&rm).expect(5).says(&["33 items", "--confirm-deletes"]);
    home.run(&[&rm[..], &["--max-delete", "32"]].concat()).expect(5).says(&["--max-delete 32"]);
    home.run(&["rm", "-r", "folder:one/x/", "folder:two/none/"]).expect(4);
    assert_eq!(home.run(&["ls", "folder:one"]).expect(0).out.lines().count(), 22);
    home.run(&[&rm[..], &["--max-delete", "33"]].concat()).expect(0).says(&["33 deleted there"]);
    assert_eq!(home.run(&["ls", "folder:two"]).expect(0).out, "");
}

/// Whatever is named is sent, or it is said that it was not.
#[test]
fn nothing_that_is_named_is_passed_over_in_silence() {
    let home = Home::furnished();
    for link in ["l1", "l2"] {
        std::os::unix::fs::symlink("f/a.txt", home.path(link)).expect("made");
    }
    home.run(&["upload", "f/a.txt", "l1", "l2", "f/a.txt", "folder:store/"]).expect(0).says(&["3 entries sent"]);
    assert_eq!(home.run(&["ls", "folder:store"]).expect(0).out, "a.txt\nl1\nl2\n");
    home.write("a.tmp", "x");
    home.write(".dot", "x");
    home.write(".tidelock-tmp-abc", "x");
    home.write("tmp/b.tmp", "x");
    home.run(&["upload", "--exclude=*.tmp", "a.tmp", "l1", "folder:store/x/"])
        .expect(3)
        .says(&["a.tmp", "excludes it"]);
    home.run(&["upload", "--no-hidden", ".dot", "folder:store/x/"]).expect(3).says(&[".dot", "excludes it"]);
    home.run(&["upload", ".tidelock-tmp-abc", "folder:store/y"]).expect(78).says(&["Tidelock's own"]);
    home.run(&["download", "folder:store/a.txt", ".tidelock-tmp-x"]).expect(3).says(&["temporary files"]);
    home.run(&["upload", "--exclude=tmp/", "-n", "tmp", "folder:store/y/"]).expect(3).says(&["excludes it"]);
    // Below what is named, patterns do as they do elsewhere.
    home.run(&["upload", "--exclude=*.tmp", "tmp", "folder:store/y/"]).expect(0);
    home.run(&["upload", "--exclude=*.tmp", "--include=a.tmp", "a.tmp", "folder:store/z/"]).expect(0);
    assert_eq!(home.run(&["ls", "folder:store", "--search", "tmp"]).expect(0).out, "y/tmp/\nz/a.tmp\n");
    home.run(&["download", "folder:store/z/a.tmp", "g/", "--exclude=*.tmp"]).expect(3).says(&["excludes it"]);
    assert_eq!((home.read("a.tmp"), home.path("g/a.tmp").exists()), ("x".to_owned(), false));
}
