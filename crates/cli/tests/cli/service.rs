//! S3 services that say no: what a person is told, with which code, and that no
//! secret is ever among it.

use crate::home::{Home, Ran};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;

pub const CANARY: &str = "canary+secret/of=the+user";

/// A service that answers everything alike; its address.
pub fn service(status: &'static str, code: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let mut reader = BufReader::new(stream);
            let (mut line, mut length) = (String::new(), 0);
            while reader.read_line(&mut line).is_ok_and(|read| read > 2) {
                if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
                    length = value.trim().parse().unwrap_or(0);
                }
                line.clear();
            }
            let _ = reader.read_exact(&mut vec![0; length]);
            let body = format!("<Error><Code>{code}</Code><Message>so it is</Message></Error>");
            let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
            let _ = reader.get_mut().write_all(format!("{head}{body}").as_bytes());
        }
    });
    format!("http://{address}")
}

fn ask(home: &Home, args: &[&str], endpoint: &str) -> Ran {
    let args = [args, &["--endpoint", endpoint, "--region", "us-east-1"]].concat();
    let mut command = home.command(&args);
    command.env("AWS_ACCESS_KEY_ID", "AKIDCANARY").env("AWS_SECRET_ACCESS_KEY", CANARY);
    command.env("AWS_SESSION_TOKEN", format!("{CANARY}-token"));
    command.output().expect("runs").into()
}

#[test]
fn refusals_are_told_apart() {
    let home = Home::furnished();
    let cases = [
        ("404 Not Found", "NoSuchBucket", 4, "no bucket \"tide\""),
        ("403 Forbidden", "AccessDenied", 77, "s3:ListBucket"),
        ("403 Forbidden", "SignatureDoesNotMatch", 77, "check the access key"),
        ("403 Forbidden", "RequestTimeTooSkewed", 75, "clock"),
        ("501 Not Implemented", "NotImplemented", 78, "so it is"),
        ("407 Proxy Authentication Required", "", 75, "proxy"),
    ];
    // Some of them are tried again for seconds before they are believed.
    std::thread::scope(|scope| {
        for (status, code, exit, says) in cases {
            scope.spawn(move || {
                let (home, endpoint) = (Home::furnished(), service(status, code));
                ask(&home, &["sync", "f", "s3://tide/x"], &endpoint).expect(exit).says(&[says]);
                ask(&home, &["ls", "s3://tide/x"], &endpoint).expect(exit).says(&[says]);
            });
        }
    });
    let ran = home.run(&["sync", "f", "s3://tide/x", "--region", "us-east-1", "--endpoint", "http://127.0.0.1:9"]);
    ran.expect(77).says(&["AWS_ACCESS_KEY_ID"]);
    home.run(&["sync", "f", "s3://tide/x"]).expect(78).says(&["--region"]);
}

#[test]
fn no_output_holds_a_secret() {
    let home = Home::furnished();
    let closed = {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        format!("http://{}", listener.local_addr().expect("an address"))
    };
    let refusing = service("403 Forbidden", "SignatureDoesNotMatch");
    std::thread::scope(|scope| {
        for (endpoint, code) in [(&closed, 75), (&refusing, 77)] {
            for format in [&[][..], &["--json"], &["--quiet"], &["--verbose"]] {
                for verb in [&["sync", "f", "s3://tide/x"][..], &["status", "f", "s3://tide/x"], &["ls", "s3://tide/x"]]
                {
                    let home = &home;
                    scope.spawn(move || {
                        let more = ["--lock-timeout", "10m"];
                        let more = if verb[0] == "sync" { &more[..] } else { &[] };
                        let ran = ask(home, &[verb, format, more].concat(), endpoint).expect(code);
                        let all = format!("{}{}", ran.out, ran.err);
                        assert!(!all.contains("canary") && !all.contains("AWS4-HMAC"), "{verb:?} {format:?}: {all}");
                        assert!(!all.is_empty(), "{verb:?} {format:?} says nothing");
                    });
                }
            }
        }
    });
    let kept = crate::home::bytes(&home.path("state"));
    let found = kept.iter().find(|(_, bytes)| bytes.windows(6).any(|window| window == b"canary"));
    assert!(found.is_none(), "the state holds a secret: {:?}", found.map(|(path, _)| path));
}
