//! The encrypted file's text: entries sealed one by one.
//!
//! Pure: from text, keys and random bytes to text and back. Each entry is sealed by
//! XChaCha20-Poly1305 under its own random nonce, with its name as associated data, so
//! that nobody who can write the file passes one profile's secret off as another's.
//! An entry sealed with no content tells a wrong key from a damaged entry. Where keys
//! come from is `key.rs`, where the text is kept is `file.rs`.

use super::{Error, ErrorKind, Result, Secret};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use zeroize::Zeroizing;

/// The form of the file that is written.
const VERSION: u32 = 1;
/// What the key is proved by: no profile's account is called so.
const CHECK: &str = "check";
/// Before every entry's name, so that nothing sealed for another purpose opens here.
const PURPOSE: &str = "tidelock secrets 1\0";

/// 256 bits that open every entry.
pub(super) type Key = Zeroizing<[u8; 32]>;
/// Random bytes that are used for one sealing and never again.
pub(super) type Nonce = [u8; 24];

/// What the file says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Sealed {
    version: u32,
    /// Where the key comes from.
    pub(super) key: Recipe,
    check: Entry,
    entries: BTreeMap<String, Entry>,
}

/// How the key is made again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "from", deny_unknown_fields)]
pub(super) enum Recipe {
    /// From a passphrase, by Argon2id.
    Passphrase {
        /// Random, so that equal passphrases give different keys.
        #[serde(with = "text")]
        salt: Vec<u8>,
        memory_kib: u32,
        passes: u32,
    },
    /// From a credential that a service manager provides.
    Service,
    /// From a file of random digits.
    KeyFile,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    #[serde(with = "text")]
    nonce: Vec<u8>,
    #[serde(with = "text")]
    sealed: Vec<u8>,
}

impl Sealed {
    /// A file without entries.
    pub(super) fn new(recipe: Recipe, key: &Key, nonce: &Nonce) -> Result<Self> {
        let check = seal(key, nonce, CHECK, "")?;
        Ok(Self { version: VERSION, key: recipe, check, entries: BTreeMap::new() })
    }

    /// Reads a file's text.
    pub(super) fn parse(text: &str) -> std::result::Result<Self, String> {
        // What serde would quote is ciphertext at worst, but a line and column are enough.
        let read: Self = serde_json::from_str(text)
            .map_err(|error| format!("line {}, column {}: not a file of secrets", error.line(), error.column()))?;
        match read.version {
            VERSION => Ok(read),
            other => Err(format!("it is of version {other}, and this Tidelock knows version {VERSION}")),
        }
    }

    /// The file's text.
    pub(super) fn text(&self) -> String {
        // Text, numbers and maps with text for keys: nothing that JSON could refuse.
        serde_json::to_string_pretty(self).unwrap_or_default() + "\n"
    }

    /// Whether this is the key that the file was made with.
    pub(super) fn fits(&self, key: &Key) -> bool {
        open(key, CHECK, &self.check).is_some()
    }

    /// Whether there is an entry of this name; its key is not needed to tell.
    pub(super) fn holds(&self, name: &str) -> bool {
        self.entries.contains_key(name)
    }

    /// Whether there is none at all.
    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The entry of this name, opened with a key that fits.
    pub(super) fn get(&self, key: &Key, name: &str) -> Result<Option<Secret>> {
        let Some(entry) = self.entries.get(name) else { return Ok(None) };
        open(key, name, entry).map(Some).ok_or_else(|| {
            let what = format!("the entry {name:?} of the encrypted file was altered; store that secret anew");
            Error::new(ErrorKind::Damaged, what)
        })
    }

    /// Seals an entry, in place of an earlier one.
    pub(super) fn set(&mut self, key: &Key, nonce: &Nonce, name: &str, secret: &Secret) -> Result<()> {
        let entry = seal(key, nonce, name, secret.expose())?;
        self.entries.insert(name.to_owned(), entry);
        Ok(())
    }

    /// Takes an entry out; whether there was one.
    pub(super) fn remove(&mut self, name: &str) -> bool {
        self.entries.remove(name).is_some()
    }
}

fn seal(key: &Key, nonce: &Nonce, name: &str, text: &str) -> Result<Entry> {
    let about = format!("{PURPOSE}{name}");
    let payload = Payload { msg: text.as_bytes(), aad: about.as_bytes() };
    let sealed = XChaCha20Poly1305::new((&**key).into())
        .encrypt(&XNonce::from(*nonce), payload)
        .map_err(|_| Error::new(ErrorKind::Damaged, "the secret is too long to be sealed"))?;
    Ok(Entry { nonce: nonce.to_vec(), sealed })
}

fn open(key: &Key, name: &str, entry: &Entry) -> Option<Secret> {
    let nonce: Nonce = entry.nonce.as_slice().try_into().ok()?;
    let about = format!("{PURPOSE}{name}");
    let payload = Payload { msg: &entry.sealed, aad: about.as_bytes() };
    let bytes = XChaCha20Poly1305::new((&**key).into()).decrypt(&XNonce::from(nonce), payload).ok()?;
    String::from_utf8(bytes).ok().map(Secret::new)
}

/// Bytes as base64 text.
mod text {
    use super::{Engine, STANDARD};
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&STANDARD.encode(bytes))
    }

    pub(super) fn deserialize<'a, D: Deserializer<'a>>(from: D) -> Result<Vec<u8>, D::Error> {
        let text = String::deserialize(from)?;
        STANDARD.decode(text).map_err(|_| D::Error::custom("not base64"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(byte: u8) -> Key {
        Zeroizing::new([byte; 32])
    }

    fn file() -> Sealed {
        let mut file = Sealed::new(Recipe::KeyFile, &key(1), &[1; 24]).expect("made");
        file.set(&key(1), &[2; 24], "profile/a", &Secret::new("of a".into())).expect("sealed");
        file.set(&key(1), &[3; 24], "profile/b", &Secret::new("of b".into())).expect("sealed");
        file
    }

    #[test]
    fn what_was_sealed_opens_from_its_text() {
        let read = Sealed::parse(&file().text()).expect("read");
        assert_eq!(read, file());
        assert!(read.fits(&key(1)));
        assert_eq!(read.get(&key(1), "profile/b").expect("opens").expect("there").expose(), "of b");
        assert_eq!(read.get(&key(1), "profile/c").expect("opens"), None);
    }

    #[test]
    fn a_name_is_part_of_its_entry() {
        let mut file = file();
        let of_b = file.entries.remove("profile/b").expect("there");
        file.entries.insert("profile/a".into(), of_b);
        assert_eq!(file.get(&key(1), "profile/a").expect_err("swapped").kind, ErrorKind::Damaged);
    }

    #[test]
    fn a_changed_bit_or_another_key_opens_nothing() {
        let whole = file();
        assert!(!whole.fits(&key(2)));
        assert_eq!(whole.get(&key(2), "profile/a").expect_err("another key").kind, ErrorKind::Damaged);
        for at in 0..whole.entries["profile/a"].sealed.len() {
            let mut file = whole.clone();
            file.entries.get_mut("profile/a").expect("there").sealed[at] ^= 1;
            file.get(&key(1), "profile/a").expect_err("altered");
        }
    }

    #[test]
    fn texts_that_are_no_such_file_are_refused_without_being_quoted() {
        let newer = file().text().replace("\"version\": 1", "\"version\": 2");
        for (text, wanted) in [("", "line 1"), ("{}", "line 1"), ("canary", "line 1"), (&newer, "version 2")] {
            let why = Sealed::parse(text).expect_err(text);
            assert!(why.contains(wanted) && !why.contains("canary"), "{why}");
        }
    }

    #[test]
    fn the_text_shows_no_secret() {
        assert!(!file().text().contains("of a"));
        assert!(!format!("{:?}", Secret::new("of a".into())).contains("of a"));
    }
}
