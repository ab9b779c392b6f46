//! The encrypted file with its three keys, in folders of a test's own. The keyring is
//! tested against a real secret service, by the binary's tests.

use super::*;
use futures::executor::block_on;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Mutex;
use tempfile::TempDir;
use tidelock_remote::testing::world::world;

/// Says the same whenever it is asked, and notes what it was asked.
struct Parrot(&'static str, Mutex<Vec<Question>>);

impl Asker for Parrot {
    fn ask(&self, question: &Question) -> std::io::Result<Option<Secret>> {
        self.1.lock().expect("sound").push(question.clone());
        Ok(Some(Secret::new(self.0.to_owned())))
    }
}

struct Home {
    dir: TempDir,
    world: World,
    secrets: Secrets,
}

impl Home {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let secrets = Secrets::standard(Some(dir.path().join("config")), dir.path().join("state"), Arc::new(Nobody));
        Self { dir, world: world(7).0, secrets }
    }

    fn asking(answer: &'static str) -> (Self, Arc<Parrot>) {
        let parrot = Arc::new(Parrot(answer, Mutex::default()));
        let mut home = Self::new();
        home.secrets.asker = parrot.clone();
        (home, parrot)
    }

    /// Another process, which knows nothing of what this one was told.
    fn anew(&mut self) {
        self.secrets.known_key = Arc::default();
    }

    fn with<T>(&self, act: impl AsyncFnOnce(&Secrets, &Asking<'_>) -> T) -> T {
        let ask = Asking { world: &self.world, interrupted: &AtomicBool::new(false) };
        block_on(act(&self.secrets, &ask))
    }

    fn get(&self, profile: &str) -> Result<Secret> {
        self.with(async |secrets, ask| secrets.get(ask, Vault::File, profile).await)
    }

    fn set(&self, profile: &str, text: &str, key: Option<KeyFrom>) -> Result<()> {
        let secret = Secret::new(text.to_owned());
        let put = Put { vault: Vault::File, profile, secret: &secret, key };
        self.with(async |secrets, ask| secrets.set(ask, &put).await)
    }

    fn remove(&self, profile: &str) -> Result<bool> {
        self.with(async |secrets, ask| secrets.remove(ask, Vault::File, profile).await)
    }

    fn write(&self, name: &str, text: &str, mode: u32) -> PathBuf {
        let path = self.dir.path().join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        fs::write(&path, text).expect("written");
        fs::set_permissions(&path, Permissions::from_mode(mode)).expect("set");
        path
    }
}

#[track_caller]
fn refused<T: fmt::Debug>(answer: Result<T>, kind: ErrorKind, words: &[&str]) {
    let error = answer.expect_err("refused");
    assert_eq!(error.kind, kind, "{error}");
    for word in words {
        assert!(error.message.contains(word), "{word:?}: {error}");
    }
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("there").permissions().mode() & 0o777
}

#[test]
fn the_key_file_is_made_when_it_is_first_needed_and_for_nobody_else() {
    let home = Home::new();
    refused(home.get("work"), ErrorKind::Missing, &["config set-secret work"]);
    assert!(!home.secrets.key_file.exists(), "looking makes nothing");
    home.set("work", "canary-1", None).expect("kept");
    home.set("home", "canary-2", None).expect("kept");
    assert_eq!(home.get("work").expect("there").expose(), "canary-1");
    assert_eq!(home.get("home").expect("there").expose(), "canary-2");
    for path in [&home.secrets.file, &home.secrets.key_file] {
        assert_eq!(mode(path), 0o600, "{path:?}");
        assert_eq!(mode(path.parent().expect("a folder")), 0o700, "{path:?}");
        assert!(!fs::read_to_string(path).expect("text").contains("canary"), "{path:?}");
    }
    let names = fs::read_dir(home.secrets.file.parent().expect("a folder")).expect("there").count();
    assert_eq!(names, 2, "the file and its lock, no temporary file");
}

#[test]
fn two_key_files_are_never_the_same_and_neither_are_two_nonces() {
    let (first, mut second) = (Home::new(), Home::new());
    second.world = first.world.clone();
    let (mut keys, mut nonces) = (Vec::new(), Vec::new());
    for home in [&first, &second] {
        for _ in 0..3 {
            home.set("work", "canary", None).expect("kept");
            let text = fs::read_to_string(&home.secrets.file).expect("text");
            let file: serde_json::Value = serde_json::from_str(&text).expect("JSON");
            nonces.push(file["entries"]["profile/work"]["nonce"].as_str().expect("a nonce").to_owned());
        }
        let file: serde_json::Value =
            serde_json::from_str(&fs::read_to_string(&home.secrets.file).expect("text")).expect("JSON");
        nonces.push(file["check"]["nonce"].as_str().expect("a nonce").to_owned());
        keys.push(fs::read_to_string(&home.secrets.key_file).expect("a key"));
    }
    nonces.sort();
    nonces.dedup();
    assert_eq!(nonces.len(), 8, "{nonces:?}");
    assert_ne!(keys[0], keys[1]);
    // 256 bits, of which no two parts are the same.
    let digits = keys[0].trim();
    let mut parts: Vec<&str> = (0..4).map(|part| &digits[part * 16..part * 16 + 16]).collect();
    parts.sort_unstable();
    parts.dedup();
    assert_eq!((digits.len(), parts.len()), (64, 4), "{digits}");
}

#[test]
fn what_others_may_read_is_refused() {
    let home = Home::new();
    home.set("work", "canary", None).expect("kept");
    for path in [&home.secrets.key_file, &home.secrets.file] {
        fs::set_permissions(path, Permissions::from_mode(0o640)).expect("set");
        refused(home.get("work"), ErrorKind::Exposed, &["mode 640", "chmod 600"]);
        refused(home.set("work", "other", None), ErrorKind::Exposed, &[]);
        fs::set_permissions(path, Permissions::from_mode(0o600)).expect("set");
    }
    assert_eq!(home.get("work").expect("there").expose(), "canary");
}

#[test]
fn a_lost_or_foreign_key_file_is_told_and_never_replaced() {
    let home = Home::new();
    home.set("work", "canary", None).expect("kept");
    let key = fs::read(&home.secrets.key_file).expect("a key");
    fs::remove_file(&home.secrets.key_file).expect("gone");
    refused(home.get("work"), ErrorKind::Locked, &["is missing", "stays shut"]);
    refused(home.set("other", "more", None), ErrorKind::Locked, &["is missing"]);
    assert!(!home.secrets.key_file.exists(), "a new key would open nothing");
    home.write("state/key", "another key than the one that was", 0o600);
    refused(home.get("work"), ErrorKind::Locked, &["not the one it was sealed with"]);
    home.write("state/key", "short", 0o600);
    refused(home.get("work"), ErrorKind::Damaged, &["16 characters"]);
    fs::write(&home.secrets.key_file, key).expect("back");
    assert_eq!(home.get("work").expect("there").expose(), "canary");
}

#[test]
fn no_key_lies_beside_what_it_opens() {
    let mut home = Home::new();
    for key_file in ["config/key", "config/below/key"] {
        home.secrets.key_file = home.dir.path().join(key_file);
        refused(home.set("work", "canary", None), ErrorKind::Damaged, &["beside what it opens"]);
    }
    assert!(!home.secrets.file.exists());
}

#[test]
fn a_passphrase_is_asked_for_and_a_wrong_one_opens_nothing() {
    let (mut home, parrot) = Home::asking("correct horse");
    home.set("work", "canary", Some(KeyFrom::Passphrase)).expect("kept");
    assert!(!home.secrets.key_file.exists());
    home.anew();
    assert_eq!(home.get("work").expect("there").expose(), "canary");
    assert_eq!(*parrot.1.lock().expect("sound"), [Question::NewPassphrase, Question::Passphrase]);
    home.anew();
    let asked_before = parrot.1.lock().expect("sound").len();
    refused(home.get("nobody"), ErrorKind::Missing, &[]);
    assert_eq!(parrot.1.lock().expect("sound").len(), asked_before, "what is not there needs no passphrase");
    home.secrets.asker = Arc::new(Parrot("battery staple", Mutex::default()));
    refused(home.get("work"), ErrorKind::Locked, &["the passphrase is wrong"]);
    refused(home.set("work", "other", None), ErrorKind::Locked, &["the passphrase is wrong"]);
    home.secrets.asker = Arc::new(Nobody);
    refused(home.get("work"), ErrorKind::Locked, &["TIDELOCK_PASSPHRASE_FILE"]);
}

#[test]
fn a_passphrase_is_asked_for_once_in_a_process() {
    let (mut home, parrot) = Home::asking("correct horse");
    home.set("work", "canary-1", Some(KeyFrom::Passphrase)).expect("kept");
    home.set("home", "canary-2", None).expect("kept");
    assert_eq!(home.get("work").expect("there").expose(), "canary-1");
    assert_eq!(*parrot.1.lock().expect("sound"), [Question::NewPassphrase]);
    home.anew();
    for _ in 0..3 {
        assert_eq!(home.get("home").expect("there").expose(), "canary-2");
    }
    assert_eq!(*parrot.1.lock().expect("sound"), [Question::NewPassphrase, Question::Passphrase]);
    // Another file, though of the same passphrase, has another key.
    for profile in ["work", "home"] {
        assert!(home.remove(profile).expect("removed"));
    }
    home.set("work", "canary-3", Some(KeyFrom::Passphrase)).expect("kept");
    assert_eq!(home.get("work").expect("there").expose(), "canary-3");
    assert_eq!(parrot.1.lock().expect("sound").last(), Some(&Question::NewPassphrase));
}

#[test]
fn a_passphrase_may_be_read_from_a_private_file() {
    let mut home = Home::new();
    home.secrets.passphrase_file = Some(home.write("phrase", "correct horse\nand no more\n", 0o600));
    home.set("work", "canary", None).expect("kept");
    assert!(fs::read_to_string(&home.secrets.file).expect("text").contains("\"from\": \"passphrase\""));
    home.anew();
    assert_eq!(home.get("work").expect("there").expose(), "canary");
    home.anew();
    home.write("phrase", "correct horse", 0o600);
    assert_eq!(home.get("work").expect("there").expose(), "canary");
    home.anew();
    home.write("phrase", "correct horse", 0o644);
    refused(home.get("work"), ErrorKind::Exposed, &["phrase", "mode 644"]);
    home.write("phrase", "short", 0o600);
    refused(home.get("work"), ErrorKind::Locked, &["wrong"]);
    fs::remove_file(home.dir.path().join("phrase")).expect("gone");
    refused(home.get("work"), ErrorKind::Locked, &["TIDELOCK_PASSPHRASE_FILE"]);
}

#[test]
fn a_short_passphrase_makes_no_file() {
    let (home, _) = Home::asking("seven 7");
    refused(home.set("work", "canary", Some(KeyFrom::Passphrase)), ErrorKind::Damaged, &["8 characters"]);
    assert!(!home.secrets.file.exists());
}

#[test]
fn a_service_credential_is_the_key_where_there_is_one() {
    let mut home = Home::new();
    let path = home.write("credentials/tidelock-key", "a key drawn by the service manager", 0o440);
    home.secrets.credentials_dir = path.parent().map(Path::to_owned);
    home.set("work", "canary", None).expect("kept");
    assert_eq!(home.get("work").expect("there").expose(), "canary");
    assert!(!home.secrets.key_file.exists());
    home.secrets.credentials_dir = None;
    refused(home.get("work"), ErrorKind::Locked, &["CREDENTIALS_DIRECTORY", "LoadCredentialEncrypted"]);
    home.secrets.credentials_dir = Some(home.dir.path().join("elsewhere"));
    refused(home.get("work"), ErrorKind::Locked, &["does not exist"]);
}

#[test]
fn one_file_has_one_key_until_it_is_empty() {
    let (home, _) = Home::asking("correct horse");
    home.set("work", "canary", Some(KeyFrom::KeyFile)).expect("kept");
    let wish = Some(KeyFrom::Passphrase);
    refused(home.set("home", "canary", wish), ErrorKind::Damaged, &["opens with the key file", "--key-from"]);
    assert!(home.remove("work").expect("removed"));
    assert!(!home.remove("work").expect("looked"));
    home.set("home", "canary", wish).expect("kept");
    assert_eq!(home.get("home").expect("there").expose(), "canary");
}

#[test]
fn a_removed_secret_is_gone_and_the_others_stay() {
    let home = Home::new();
    assert!(!home.remove("work").expect("looked"));
    home.set("work", "canary-1", None).expect("kept");
    home.set("home", "canary-2", None).expect("kept");
    assert!(home.remove("work").expect("removed"));
    refused(home.get("work"), ErrorKind::Missing, &[]);
    assert_eq!(home.get("home").expect("there").expose(), "canary-2");
}

#[test]
fn a_file_that_is_none_is_refused_and_kept() {
    let home = Home::new();
    for text in ["", "not even json", "{\"version\": 9}"] {
        home.write("config/secrets.json", text, 0o600);
        refused(home.get("work"), ErrorKind::Damaged, &["secrets.json", "bring back an earlier one"]);
        refused(home.set("work", "canary", None), ErrorKind::Damaged, &[]);
        assert_eq!(fs::read_to_string(&home.secrets.file).expect("text"), text);
    }
}

#[test]
fn a_file_cannot_ask_for_a_stretching_without_end() {
    let (mut home, _) = Home::asking("correct horse");
    home.set("work", "canary", Some(KeyFrom::Passphrase)).expect("kept");
    home.anew();
    let text = fs::read_to_string(&home.secrets.file).expect("text");
    home.write("config/secrets.json", &text.replace("\"memory_kib\": 65536", "\"memory_kib\": 4294967295"), 0o600);
    refused(home.get("work"), ErrorKind::Damaged, &["makes no sense"]);
    home.write("config/secrets.json", &text.replace("\"passes\": 3", "\"passes\": 4000000"), 0o600);
    refused(home.get("work"), ErrorKind::Damaged, &["makes no sense"]);
}

#[test]
fn a_linked_file_stays_a_link() {
    let home = Home::new();
    home.set("work", "canary-1", None).expect("kept");
    let kept = home.dir.path().join("dotfiles.json");
    fs::rename(&home.secrets.file, &kept).expect("moved");
    std::os::unix::fs::symlink(&kept, &home.secrets.file).expect("linked");
    home.set("home", "canary-2", None).expect("kept");
    assert!(fs::symlink_metadata(&home.secrets.file).expect("there").is_symlink());
    // Whoever comes by another link to the same file waits for the same turn.
    let lock = fs::File::open(kept.with_extension("lock")).expect("the lock");
    lock.lock().expect("held");
    refused(home.set("home", "canary-3", None), ErrorKind::Busy, &["another command"]);
    lock.unlock().expect("let go");
    assert_eq!(home.get("work").expect("there").expose(), "canary-1");
    assert!(home.remove("work").expect("removed") && home.remove("home").expect("removed"));
    assert!(!kept.exists(), "what was in the file is to be gone, not only the way to it");
    refused(home.get("work"), ErrorKind::Missing, &[]);
}

#[test]
fn nobody_waits_for_ever_for_a_turn() {
    let home = Home::new();
    home.set("work", "canary-1", None).expect("kept");
    let text = fs::read(&home.secrets.file).expect("there");
    let lock = fs::File::open(home.secrets.file.with_extension("lock")).expect("the lock");
    lock.lock().expect("held");
    refused(home.set("work", "canary-2", None), ErrorKind::Busy, &["secrets.json", "another command", "try again"]);
    refused(home.remove("work"), ErrorKind::Busy, &["10 s"]);
    // Whoever wants to end does not wait, and does nothing after it either.
    lock.unlock().expect("let go");
    let ask = Asking { world: &home.world, interrupted: &AtomicBool::new(true) };
    let secret = Secret::new("canary-2".to_owned());
    let put = Put { vault: Vault::File, profile: "work", secret: &secret, key: None };
    refused(block_on(home.secrets.set(&ask, &put)), ErrorKind::Interrupted, &[]);
    refused(block_on(home.secrets.remove(&ask, Vault::File, "work")), ErrorKind::Interrupted, &[]);
    assert_eq!(fs::read(&home.secrets.file).expect("there"), text);
}

/// Waits that take their time, while the clock stands still.
struct Nap;

#[async_trait::async_trait]
impl tidelock_remote::world::Sleep for Nap {
    async fn sleep(&self, _duration: std::time::Duration) {
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
}

#[test]
fn many_at_once_lose_nothing() {
    let mut home = Home::new();
    home.world.sleep = Arc::new(Nap);
    let home = home;
    std::thread::scope(|scope| {
        for number in 0..8 {
            let home = &home;
            scope.spawn(move || home.set(&format!("p{number}"), &format!("secret {number}"), None).expect("kept"));
        }
    });
    for number in 0..8 {
        assert_eq!(home.get(&format!("p{number}")).expect("there").expose(), format!("secret {number}"));
    }
}
