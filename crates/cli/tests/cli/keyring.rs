//! The keyring: a real secret service on a bus of its own; unlocked, locked, absent.

use crate::bus::{Bus, Keyring, is_possible};
use crate::home::{Home, Ran};
use crate::profiles::{give, nowhere};
use crate::servers::{KEY, rclone};

fn on(bus: &Bus, home: &Home, args: &[&str], input: &str) -> Ran {
    give(bus.met_by(&mut home.command(args)), input)
}

#[test]
fn the_keyring_keeps_a_secret_over_sessions_and_locked_it_gives_none() {
    if !is_possible() {
        return;
    }
    let (home, server) = (Home::new(), rclone(&["tide"]));
    let add = ["config", "profile", "add", "work", "--endpoint", &server.url, "--bucket", "tide"];
    let keys = ["--access-key-id", KEY.0, "--secret-stdin"];
    let bus = Bus::start(&home, Keyring::Unlocked);
    let added = on(&bus, &home, &[&add[..], &keys].concat(), KEY.1).expect(0).says(&["it works"]);
    assert!(home.read("home/.config/tidelock/config.toml").contains("credentials = \"keyring\""));
    let tested = on(&bus, &home, &["config", "profile", "test", "work"], "").expect(0);
    let listed = on(&bus, &home, &["ls", "work:", "--json"], "").expect(0);
    nowhere(&home, KEY.1, &[&added, &tested, &listed]);
    drop(bus);

    let bus = Bus::start(&home, Keyring::Locked);
    let begun = std::time::Instant::now();
    let refused = on(&bus, &home, &["ls", "work:"], "").expect(77).says(&["locked", "--credentials file"]);
    println!("refused after {:?}", begun.elapsed());
    let kept = on(&bus, &home, &["config", "set-secret", "work", "--secret-stdin"], "canary-other").expect(77);
    nowhere(&home, "canary-other", &[&refused, &kept]);
    drop(bus);

    let bus = Bus::start(&home, Keyring::Unlocked);
    on(&bus, &home, &["ls", "work:"], "").expect(0);
    on(&bus, &home, &["config", "profile", "remove", "work"], "").expect(0);
    let again = ["config", "profile", "add", "work", "--access-key-id", KEY.0, "--no-test", "--secret-stdin"];
    on(&bus, &home, &again, "canary-other").expect(0);
    on(&bus, &home, &["config", "set-secret", "work", "--secret-stdin"], "canary-third").expect(0);
    on(&bus, &home, &["config", "profile", "remove", "work"], "").expect(0);
}

#[test]
fn without_a_keyring_the_remedy_is_told() {
    if !is_possible() {
        return;
    }
    let home = Home::new();
    let text = "[profile.work]\nbucket = \"tide\"\ncredentials = \"keyring\"\naccess_key_id = \"AK\"\n";
    home.write("home/.config/tidelock/config.toml", text);
    let remedies = ["no keyring", "--credentials file", "--credentials env"];
    // No bus at all, as in a cron job or over ssh.
    home.run(&["ls", "work:"]).expect(77).says(&remedies);
    let mut command = home.command(&["ls", "work:"]);
    command.env("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nonexistent/bus");
    Ran::from(command.output().expect("runs")).expect(77).says(&remedies);
    // A bus with nobody on it who keeps secrets.
    let bus = Bus::start(&home, Keyring::Absent);
    on(&bus, &home, &["ls", "work:"], "").expect(77).says(&remedies);
    let before = home.read("home/.config/tidelock/config.toml");
    let add = ["config", "profile", "add", "other", "--access-key-id", "AK", "--no-test", "--secret-stdin"];
    let ran = on(&bus, &home, &add, "canary-secret").expect(77).says(&remedies);
    assert_eq!(home.read("home/.config/tidelock/config.toml"), before);
    nowhere(&home, "canary-secret", &[&ran]);
}
