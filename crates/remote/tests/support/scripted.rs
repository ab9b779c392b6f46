//! A server that does as a test tells it, to the byte.
//!
//! Speaks just enough HTTP to read a request whole; what it answers, or whether it
//! answers at all, is the script's. It knows nothing of S3.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// A request as it arrived.
#[derive(Debug, Clone)]
pub struct Seen {
    /// `PUT /bucket/key?query HTTP/1.1`.
    pub line: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Seen {
    pub fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(found, _)| found == name).map_or("", |(_, value)| value)
    }

    pub fn is(&self, start: &str) -> bool {
        self.line.starts_with(start)
    }
}

/// What the server does with a request.
pub enum Act {
    /// Sends these bytes and waits for the next request.
    Say(Vec<u8>),
    /// Sends these bytes and closes.
    SayAndClose(Vec<u8>),
    /// Says nothing, and keeps the connection open.
    Hang,
}

type Script = Box<dyn FnMut(&Seen) -> Act + Send>;

/// A running scripted server.
pub struct Scripted {
    /// `http://127.0.0.1:port`.
    pub url: String,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Scripted {
    /// All requests so far.
    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().expect("unpoisoned").clone()
    }
}

/// Starts a server; it lives as long as the test process.
pub fn serve(script: impl FnMut(&Seen) -> Act + Send + 'static) -> Scripted {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("bound"));
    let seen = Arc::new(Mutex::new(Vec::new()));
    let script: Arc<Mutex<Script>> = Arc::new(Mutex::new(Box::new(script)));
    let record = seen.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (script, record) = (script.clone(), record.clone());
            let Ok(stream) = stream else { return };
            std::thread::spawn(move || converse(stream, &script, &record));
        }
    });
    Scripted { url, seen }
}

/// A proxy that connects whoever says CONNECT with `target`, whatever they ask for.
pub fn tunnel(target: &str) -> Scripted {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("bound"));
    let seen = Arc::new(Mutex::new(Vec::new()));
    let (record, target) = (seen.clone(), target.to_owned());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut here) = stream else { return };
            let request = read(&mut BufReader::new(here.try_clone().expect("cloned"))).expect("a request");
            record.lock().expect("unpoisoned").push(request);
            let mut there = TcpStream::connect(&target).expect("the target is up");
            here.write_all(b"HTTP/1.1 200 Connected\r\n\r\n").expect("answered");
            let (mut from, mut to) = (here.try_clone().expect("cloned"), there.try_clone().expect("cloned"));
            std::thread::spawn(move || std::io::copy(&mut from, &mut to));
            std::thread::spawn(move || std::io::copy(&mut there, &mut here));
        }
    });
    Scripted { url, seen }
}

fn converse(stream: TcpStream, script: &Mutex<Script>, record: &Mutex<Vec<Seen>>) {
    let mut writer = stream.try_clone().expect("cloned");
    let mut reader = BufReader::new(stream);
    while let Some(request) = read(&mut reader) {
        record.lock().expect("unpoisoned").push(request.clone());
        let act = (script.lock().expect("unpoisoned"))(&request);
        match act {
            Act::Say(bytes) => {
                if writer.write_all(&bytes).is_err() {
                    return;
                }
            }
            Act::SayAndClose(bytes) => {
                let _ = writer.write_all(&bytes);
                return;
            }
            Act::Hang => {}
        }
    }
}

fn read(reader: &mut BufReader<TcpStream>) -> Option<Seen> {
    let mut line = String::new();
    if reader.read_line(&mut line).ok()? == 0 {
        return None;
    }
    let mut headers = Vec::new();
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).ok()?;
        match header.trim_end().split_once(": ") {
            Some((name, value)) => headers.push((name.to_lowercase(), value.to_owned())),
            None => break,
        }
    }
    let length = headers
        .iter()
        .find(|(name, _)| name == "content-length")
        .map_or(0, |(_, value)| value.parse().expect("a length"));
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(Seen { line: line.trim_end().to_owned(), headers, body })
}

/// A whole answer.
pub fn answer(status: u16, headers: &[(&str, &str)], body: &str) -> Act {
    Act::Say(raw(status, headers, body))
}

/// An answer that is an S3 error.
pub fn error(status: u16, code: &str) -> Act {
    answer(status, &[], &format!("<Error><Code>{code}</Code><Message>said so.</Message></Error>"))
}

/// The bytes of an answer.
pub fn raw(status: u16, headers: &[(&str, &str)], body: &str) -> Vec<u8> {
    let mut text = format!("HTTP/1.1 {status} Said\r\nContent-Length: {}\r\n", body.len());
    headers.iter().for_each(|(name, value)| text.push_str(&format!("{name}: {value}\r\n")));
    text.push_str("\r\n");
    text.push_str(body);
    text.into_bytes()
}
