//! A session bus of a test's own, and a real secret service on it.
//!
//! gnome-keyring's daemon, with its files in the test's folder. Nothing on this bus is
//! started on demand, so that nobody can be asked to unlock anything: a locked keyring
//! stays locked. What is missing is told to whoever counts the tests.

use crate::home::Home;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// How the keyring is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keyring {
    Unlocked,
    Locked,
    /// A bus without a secret service.
    Absent,
}

/// A running bus; dropping it ends it and the service.
pub struct Bus {
    children: Vec<Child>,
    pub address: String,
}

impl Drop for Bus {
    fn drop(&mut self) {
        for child in self.children.iter_mut().rev() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Whether the programs are there; if not, that is told.
pub fn is_possible() -> bool {
    let runs = |program: &str| Command::new(program).arg("--version").output().is_ok_and(|ran| ran.status.success());
    let missing = ["dbus-daemon", "gnome-keyring-daemon"].into_iter().find(|program| !runs(program));
    let Some(program) = missing else { return true };
    let what = format!("the keyring: there is no {program}; `apt-get install dbus gnome-keyring`");
    println!("{what}");
    if let Ok(file) = std::env::var("TIDELOCK_SKIPPED") {
        fs::write(file, what).expect("writes");
    }
    false
}

impl Bus {
    /// Starts a bus in a home, and on it the home's keyring.
    pub fn start(home: &Home, keyring: Keyring) -> Self {
        let run = home.path("run");
        fs::create_dir_all(&run).expect("made");
        fs::create_dir_all(home.path("home")).expect("made");
        let socket = run.join("bus");
        let _ = fs::remove_file(&socket);
        let config = run.join("bus.conf");
        fs::write(&config, config_for(&socket)).expect("written");
        let mut bus = Self { children: Vec::new(), address: format!("unix:path={}", socket.display()) };
        let mut daemon = Command::new("dbus-daemon");
        daemon.arg("--nofork").arg("--config-file").arg(&config);
        bus.spawn(home, daemon, "");
        wait_for(|| socket.exists(), "the bus");
        if keyring != Keyring::Absent {
            let mut service = Command::new("gnome-keyring-daemon");
            service.args(["--foreground", "--components=secrets", "--control-directory"]).arg(run.join("keyring"));
            if keyring == Keyring::Unlocked {
                service.arg("--unlock");
            }
            bus.spawn(home, service, "password of the keyring");
            wait_for(|| bus.has_service(home), "the secret service");
        }
        bus
    }

    /// Lets a command of the home meet this bus.
    pub fn met_by<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command.env("DBUS_SESSION_BUS_ADDRESS", &self.address)
    }

    fn spawn(&mut self, home: &Home, mut command: Command, input: &str) {
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("HOME", home.path("home")).env("XDG_RUNTIME_DIR", home.path("run"));
        self.met_by(&mut command);
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.spawn().expect("it starts");
        let mut to = child.stdin.take().expect("piped");
        to.write_all(input.as_bytes()).expect("read");
        self.children.push(child);
    }

    /// Whether somebody answers to the service's name.
    fn has_service(&self, home: &Home) -> bool {
        let mut ask = Command::new("dbus-send");
        ask.args([
            "--session",
            "--print-reply",
            "--dest=org.freedesktop.DBus",
            "/",
            "org.freedesktop.DBus.NameHasOwner",
        ]);
        ask.arg("string:org.freedesktop.secrets").env("HOME", home.path("home"));
        let ran = self.met_by(&mut ask).output().expect("dbus-send runs");
        String::from_utf8_lossy(&ran.stdout).contains("boolean true")
    }
}

fn config_for(socket: &Path) -> String {
    format!(
        r#"<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>unix:path={}</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/>
    <allow eavesdrop="true"/>
    <allow own="*"/>
  </policy>
</busconfig>
"#,
        socket.display()
    )
}

fn wait_for(is_up: impl Fn() -> bool, what: &str) {
    for _ in 0..600 {
        if is_up() {
            return;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("{what} did not come up within 30 s");
}
