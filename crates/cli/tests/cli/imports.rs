//! `config import` and the batch file as it is.

use crate::home::Home;
use crate::profiles::nowhere;
use crate::servers::{KEY, rclone};
use std::path::PathBuf;

const CONFIG: &str = "home/.config/tidelock/config.toml";

fn fixture(name: &str) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../engine/tests/fixtures/import").join(name);
    path.display().to_string()
}

#[test]
fn every_format_is_added_to_the_configuration_and_its_secrets_to_the_vault() {
    let home = Home::new();
    home.write(CONFIG, "# mine\n[profile.home]\nbucket = \"tide\"\n");
    let mut said = Vec::new();
    for (name, says) in [
        ("smart-sync.conf", &["4 pairs"][..]),
        ("rclone.conf", &["3 profiles", "1 secret kept", "type drive"]),
        ("s3cfg-amazon", &["1 profile", "1 secret kept", "encrypt"]),
        ("eigen.json", &["1 profile", "1 secret kept", "path_prefix"]),
    ] {
        let file = fixture(name);
        said.push(home.run(&["config", "import", &file, "--credentials", "file"]).expect(0).says(says));
    }
    home.run(&["config", "check"]).expect(0);
    let text = home.read(CONFIG);
    assert!(text.starts_with("# mine\n[profile.home]"), "{text}");
    nowhere(&home, "canary", &said.iter().collect::<Vec<_>>());
    let file = fixture("eigen.json");
    home.run(&["config", "import", &file, "--credentials", "file"])
        .expect(78)
        .says(&["profile.eigen is there already"]);
    assert_eq!(home.read(CONFIG), text);
}

#[test]
fn what_rclone_was_configured_with_works_at_once() {
    let (home, server) = (Home::furnished(), rclone(&["tide"]));
    let text = format!(
        "[old]\ntype = s3\nprovider = Rclone\naccess_key_id = {}\nsecret_access_key = {}\nendpoint = {}\n",
        KEY.0, KEY.1, server.url
    );
    home.write("rclone.conf", &text);
    home.run(&["config", "import", "rclone.conf", "--credentials", "file"]).expect(0);
    home.run(&["config", "profile", "test", "old", "--bucket", "tide"]).expect(0);
    std::fs::remove_file(home.path("rclone.conf")).expect("gone");
    home.run(&["sync", "f", "s3://tide/f", "--profile", "old"]).expect(0);
    nowhere(&home, KEY.1, &[]);
}

#[test]
fn an_import_may_be_shown_or_written_elsewhere() {
    let home = Home::new();
    let file = fixture("rclone.conf");
    let shown = home.run(&["config", "import", &file, "--output", "-"]).expect(0).says(&["[profile.minio]"]);
    assert!(!home.path(CONFIG).exists());
    let args = ["config", "import", &file, "--output", "new.toml", "--credentials", "env"];
    let written = home.run(&args).expect(0).says(&["stay where they are"]);
    assert!(home.read("new.toml").contains("credentials = \"env\""));
    home.run(&args).expect(78).says(&["there already"]);
    home.run(&["config", "check", "--config", "new.toml"]).expect(0);
    let json = home.run(&["config", "import", &file, "--output", "-", "--json"]).expect(0);
    assert!(json.summary()["reply"]["notes"].as_array().is_some_and(|notes| notes.len() > 5));
    nowhere(&home, "canary", &[&shown, &written, &json]);
}

#[test]
fn no_keyring_no_import() {
    let home = Home::new();
    home.run(&["config", "import", &fixture("rclone.conf")]).expect(77).says(&["no keyring", "--credentials file"]);
    assert!(!home.path(CONFIG).exists());
    home.run(&["config", "import", "none"]).expect(4).says(&["none: there is no such file"]);
    std::fs::write(home.path("binary"), [0xff, 0xfe, b'=']).expect("written");
    home.run(&["config", "import", "binary"]).expect(78).says(&["binary: it is no text"]);
    let rclones = ["config", "import", "--from", "s3cmd", &fixture("rclone.conf")];
    home.run(&rclones).expect(78).says(&["it is an rclone.conf", "--from"]);
    home.write("strange", "what is this\n");
    home.run(&["config", "import", "strange"]).expect(78).says(&["strange", "--from"]);
}

#[test]
fn the_gateways_client_is_told_to_wait() {
    let home = Home::new();
    for name in ["s3ec.toml", "s3ec.json"] {
        let ran =
            home.run(&["config", "import", &fixture(name)]).expect(0).says(&["nothing that could be", "yet to come"]);
        nowhere(&home, "canary", &[&ran]);
    }
}

/// One bad line does not make another tool's file of it; nothing is taken of it.
#[test]
fn a_bad_line_of_a_batch_file_is_told_by_its_number() {
    let home = Home::furnished();
    home.write("pipe", "# mine\n/a | bucket | |\nno target\n/b | bucket | b |\n");
    home.run(&["config", "import", "pipe"]).expect(78).says(&["pipe: line 3: a target is `local | bucket"]);
    home.run(&["batch", "--config", "pipe"]).expect(78).says(&["pipe:3: a target is `local | bucket"]);
    assert!(!home.path("home/.config/tidelock/config.toml").exists());
}

#[test]
fn a_batch_file_runs_as_it_is() {
    let home = Home::furnished();
    let server = rclone(&["tide"]);
    home.write("f/sub/x.tmp", "temporary");
    home.write("f/x.tmp/kept.txt", "in a folder of that name");
    home.write("f/cache/a/b", "cached");
    let folder = home.path("f").display().to_string();
    home.write("old.conf", &format!("# old\n{folder} | tide | old | *.tmp, cache/*\n"));
    let run = |args: &[&str]| {
        let mut command = home.command(args);
        command
            .env("AWS_ACCESS_KEY_ID", KEY.0)
            .env("AWS_SECRET_ACCESS_KEY", KEY.1)
            .env("AWS_ENDPOINT_URL", &server.url);
        crate::home::Ran::from(command.output().expect("runs"))
    };
    run(&["batch", "--config", "old.conf"]).expect(0);
    let listed = run(&["ls", "s3://tide/old"]).expect(0).out;
    assert!(listed.contains("a.txt\n") && listed.contains("x.tmp/kept.txt"), "{listed}");
    assert!(!listed.contains("sub/x.tmp") && !listed.contains("cache"), "{listed}");
    // An exclude that cannot be kept stops it: more would be sent than was meant.
    home.write("bad.conf", &format!("{folder} | tide\n\n{folder} | tide | other | a*b*c*d*e*f*g*h\n"));
    run(&["batch", "--config", "bad.conf"]).expect(78).says(&["bad.conf:3: ", "cannot be kept"]);
    assert!(!run(&["ls", "s3://tide"]).expect(0).out.contains("other/"));
}
