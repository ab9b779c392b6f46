//! The server that everything is sent to, and what it counts.
//!
//! Starts the sink, asks it over plain HTTP for its counters and for what it holds, and
//! ends it. A fresh one for each workload: what an earlier one left in its memory does
//! not burden the next.

use crate::tree::{Manifest, Stored};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// How the sink is to behave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// MD5s as entity tags, as S3 has them; else numbers, which cost nothing.
    pub md5_etags: bool,
    /// Bodies are forgotten.
    pub discards: bool,
}

/// What the sink has counted.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Counts {
    pub requests: BTreeMap<String, u64>,
    pub bytes_in: u64,
    pub bytes_stored: u64,
    pub bytes_out: u64,
    pub connections: u64,
}

impl Counts {
    /// All requests.
    pub fn total(&self) -> u64 {
        self.requests.iter().filter(|(kind, _)| *kind != "refused").map(|(_, count)| count).sum()
    }
}

/// A running sink; dropping it ends it.
#[derive(Debug)]
pub struct Sink {
    child: Child,
    /// `http://127.0.0.1:PORT`.
    pub url: String,
}

impl Drop for Sink {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Sink {
    /// Starts one.
    pub fn start(program: &Path, settings: Settings) -> io::Result<Self> {
        let mut command = Command::new(program);
        command.args(["--etag", if settings.md5_etags { "md5" } else { "fast" }]);
        command.args(settings.discards.then_some("--discard")).arg("--with-stdin");
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let mut url = String::new();
        if let Some(stdout) = child.stdout.take() {
            BufReader::new(stdout).read_line(&mut url)?;
        }
        Ok(Self { child, url: url.trim().to_owned() })
    }

    /// Without `http://`.
    pub fn address(&self) -> &str {
        self.url.trim_start_matches("http://")
    }

    fn ask(&self, method: &str, path: &str) -> io::Result<String> {
        let mut stream = TcpStream::connect(self.address())?;
        write!(stream, "{method} {path} HTTP/1.1\r\nhost: sink\r\nconnection: close\r\ncontent-length: 0\r\n\r\n")?;
        let mut text = String::new();
        stream.read_to_string(&mut text)?;
        match text.split_once("\r\n\r\n") {
            Some((head, body)) if head.starts_with("HTTP/1.1 2") => Ok(body.to_owned()),
            _ => Err(io::Error::other(format!("the sink to {method} {path}: {}", text.lines().next().unwrap_or("")))),
        }
    }

    /// What it has counted since it was last asked.
    pub fn counts(&self) -> io::Result<Counts> {
        let mut counts: Counts = serde_json::from_str(&self.ask("POST", "/_sink")?)?;
        // The one that this was asked over.
        counts.connections = counts.connections.saturating_sub(1);
        Ok(counts)
    }

    /// Lets every request wait.
    pub fn set_latency_ms(&self, latency_ms: u64) -> io::Result<()> {
        self.ask("PUT", &format!("/_sink?latency_ms={latency_ms}")).map(drop)
    }

    /// A bucket with nothing in it.
    pub fn empty(&self, bucket: &str) -> io::Result<()> {
        self.ask("DELETE", &format!("/_sink/{bucket}")).map(drop)
    }

    /// What lies below a prefix of a bucket: sizes, and CRC64NVMEs where those are kept.
    pub fn inventory(&self, bucket: &str, prefix: &str) -> io::Result<BTreeMap<String, (u64, Option<u64>)>> {
        let text = self.ask("GET", &format!("/_sink/{bucket}"))?;
        text.lines().filter_map(|line| inventory_line(line, prefix).transpose()).collect()
    }

    /// The seconds of CPU that it has used.
    pub fn cpu_s(&self) -> f64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap_or_default();
        let after_name = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
        let ticks: f64 =
            after_name.split_whitespace().skip(11).take(2).filter_map(|text| text.parse::<f64>().ok()).sum();
        // Linux tells processes of hundredths, whatever its own clock is.
        ticks / 100.0
    }
}

type Line = (String, (u64, Option<u64>));

fn inventory_line(line: &str, prefix: &str) -> io::Result<Option<Line>> {
    let mut words = line.splitn(3, ' ');
    let (Some(bytes), Some(sum), Some(key)) = (words.next(), words.next(), words.next()) else {
        return Err(io::Error::other(format!("not a line of an inventory: {line}")));
    };
    let Some(name) = key.strip_prefix(prefix) else { return Ok(None) };
    let crc64 = sum.strip_prefix("CRC64NVME:").and_then(|text| BASE64_STANDARD.decode(text).ok());
    let crc64 = crc64.and_then(|bytes| bytes.try_into().ok()).map(u64::from_be_bytes);
    let bytes = bytes.parse().map_err(io::Error::other)?;
    Ok(Some((name.to_owned(), (bytes, crc64))))
}

/// Where objects are not what the files are; the tools' own objects and marks of
/// folders aside.
pub fn differs(found: &BTreeMap<String, (u64, Option<u64>)>, expected: &Manifest) -> Option<String> {
    let is_mark = |name: &str, bytes: u64| name.starts_with(".tidelock/") || bytes == 0 && name.ends_with('/');
    let mut count = 0;
    for (name, (bytes, crc64)) in found {
        match expected.get(name) {
            Some(Stored { bytes: size, .. }) if size != bytes => {
                return Some(format!("{name} has {bytes} bytes instead of {size}"));
            }
            Some(Stored { crc64: sum, .. }) if crc64.is_some_and(|crc64| crc64 != *sum) => {
                return Some(format!("{name} holds other bytes"));
            }
            Some(_) => count += 1,
            None if is_mark(name, *bytes) => {}
            None => return Some(format!("{name} should not be there")),
        }
    }
    (count != expected.len()).then(|| format!("{count} objects instead of {}", expected.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_inventory_is_held_against_the_files() {
        let line = |text: &str| inventory_line(text, "p/").expect("a line");
        assert_eq!(line("3 CRC64NVME:AAAAAAAAAAc= p/a b"), Some(("a b".to_owned(), (3, Some(7)))));
        assert_eq!(line("3 - q/a"), None);
        assert!(inventory_line("3", "").is_err());

        let expected = Manifest::from([("a".to_owned(), Stored { bytes: 3, crc64: 7 })]);
        let found = |items: &[(&str, u64, Option<u64>)]| {
            items.iter().map(|(name, bytes, sum)| ((*name).to_owned(), (*bytes, *sum))).collect()
        };
        for (items, differing) in [
            (&[("a", 3, Some(7)), (".tidelock/owner", 9, None), ("d/", 0, None)][..], false),
            (&[("a", 3, None)], false),
            (&[("a", 4, None)], true),
            (&[("a", 3, Some(8))], true),
            (&[("a", 3, None), ("b", 1, None)], true),
            (&[], true),
        ] {
            assert_eq!(differs(&found(items), &expected).is_some(), differing, "{items:?}");
        }
    }
}
