//! S3 services that say no: what a person is told, with which code, and that no
//! secret is ever among it.

use crate::home::{Home, Ran};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

pub const CANARY: &str = "canary+secret/of=the+user";

/// A service that answers everything alike; its address.
pub fn service(status: &'static str, code: &'static str) -> String {
    serving(move |_| (status.to_owned(), format!("<Error><Code>{code}</Code><Message>so it is</Message></Error>")))
}

/// A service whose every bucket is empty, until `is_gone`: then there is none.
pub fn vanishing_service(is_gone: &Arc<AtomicBool>) -> String {
    let is_gone = Arc::clone(is_gone);
    let list = "<ListBucketResult><IsTruncated>false</IsTruncated><KeyCount>0</KeyCount></ListBucketResult>";
    serving(move |_| match is_gone.load(Ordering::Relaxed) {
        false => ("200 OK".to_owned(), list.to_owned()),
        true => ("404 Not Found".to_owned(), "<Error><Code>NoSuchBucket</Code></Error>".to_owned()),
    })
}

/// A service that answers what it is told, by the request's head: a status with
/// what headers go with it, and a body.
fn serving(answer: impl Fn(&str) -> (String, String) + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let mut reader = BufReader::new(stream);
            let (mut line, mut head, mut length) = (String::new(), String::new(), 0);
            while reader.read_line(&mut line).is_ok_and(|read| read > 2) {
                if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
                    length = value.trim().parse().unwrap_or(0);
                }
                head.push_str(&line);
                line.clear();
            }
            let _ = reader.read_exact(&mut vec![0; length]);
            let (status, body) = answer(&head);
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
        ("400 Bad Request", "InvalidStorageClass", 78, "STANDARD_IA"),
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

/// A profile whose SSO login is long over: the command that helps is named, whatever
/// is asked for, and nothing is sent.
#[test]
fn an_sso_login_that_is_over_names_its_command() {
    let home = Home::furnished();
    let config = "[profile work]\nregion = eu-west-1\nsso_session = office\nsso_account_id = 123456789012\n\
                  sso_role_name = Keeper\n[sso-session office]\nsso_region = eu-west-1\n\
                  sso_start_url = https://office.awsapps.com/start\n";
    home.write("home/.aws/config", config);
    // The SHA-1 of the session's name.
    let token = "{\"accessToken\":\"canary\",\"expiresAt\":\"2020-01-01T00:00:00Z\",\"region\":\"eu-west-1\",\
                 \"startUrl\":\"https://office.awsapps.com/start\"}";
    home.write("home/.aws/sso/cache/e6427457497fe0f4f93a7334d2203b8e17ee82df.json", token);
    let endpoint = service("403 Forbidden", "NobodyShouldAsk");
    for verb in [&["sync", "f", "s3://tide/x"][..], &["ls", "s3://tide/x"]] {
        for json in [false, true] {
            let more = ["--profile", "work", "--endpoint", &endpoint];
            let json: &[&str] = if json { &["--json"] } else { &[] };
            let ran = home.run(&[verb, &more, json].concat()).expect(77);
            let all = format!("{}{}", ran.out, ran.err);
            assert!(all.contains("aws sso login --profile work") && all.contains("expired"), "{all}");
            assert!(!all.contains("canary") && !all.contains("NobodyShouldAsk"), "{all}");
        }
    }
}

#[test]
fn providers_are_known_by_name() {
    let home = Home::furnished();
    let sync = ["sync", "f", "s3://tide/x", "--region", "eu-central-1", "--provider"];
    home.run(&[&sync[..], &["wasaby"]].concat()).expect(2).says(&["wasaby", "did you mean \"wasabi\"?"]);
    home.run(&[&sync[..], &["minio"]].concat()).expect(78).says(&["MinIO", "--endpoint"]);
    let endpoint = service("403 Forbidden", "AccessDenied");
    ask(&home, &["ls", "s3://tide/x", "--provider", "r2"], &endpoint).expect(77).says(&["s3:ListBucket"]);
}

/// A bucket that lives elsewhere: asked again as that region wants it, once; where
/// there is no going on, that is said.
#[test]
fn a_bucket_in_another_region_is_followed() {
    let home = Home::furnished();
    let asked = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let record = asked.clone();
    let endpoint = serving(move |head| {
        let region = head.split("Credential=").nth(1).and_then(|text| text.split('/').nth(2)).unwrap_or("").to_owned();
        record.lock().expect("unpoisoned").push(region.clone());
        if region == "eu-west-3" {
            let body = "<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>";
            return ("200 OK\r\nx-amz-bucket-region: eu-west-3".to_owned(), body.to_owned());
        }
        let body = "<Error><Code>PermanentRedirect</Code><Message>elsewhere</Message></Error>".to_owned();
        ("301 Moved Permanently\r\nx-amz-bucket-region: eu-west-3".to_owned(), body)
    });
    ask(&home, &["ls", "s3://tide"], &endpoint).expect(0);
    assert_eq!(*asked.lock().expect("unpoisoned"), ["us-east-1", "eu-west-3"]);
    let lost = service("301 Moved Permanently", "PermanentRedirect");
    ask(&home, &["ls", "s3://tide/x"], &lost).expect(78).says(&["--endpoint", "--region"]);
}

/// How objects are to be encrypted is configured once, and holds for every verb that writes.
#[test]
fn what_is_configured_of_encryption_holds_for_copies_and_trials() {
    let home = Home::furnished();
    let heads: Arc<Mutex<Vec<String>>> = Arc::default();
    let heard = Arc::clone(&heads);
    let endpoint = serving(move |head| {
        heard.lock().expect("no panics").push(head.to_lowercase());
        let listing = "<ListBucketResult><Name>tide</Name><IsTruncated>false</IsTruncated></ListBucketResult>";
        let found = "200 OK\r\nETag: \"0123456789abcdef0123456789abcdef\"\r\n\
                     Last-Modified: Mon, 02 Jan 2023 03:04:05 GMT";
        let no = "<Error><Code>AccessDenied</Code><Message>no</Message></Error>";
        match head.split(' ').take(2).collect::<Vec<_>>()[..] {
            // What is found out about the service itself is no object of the person's.
            ["PUT" | "GET" | "HEAD", path] if path.contains("/probe-") => (found.to_owned(), String::new()),
            ["HEAD", path] if path.ends_with("/a") => (found.to_owned(), String::new()),
            ["HEAD", _] => ("404 Not Found".to_owned(), String::new()),
            ["GET", path] if path.contains("list-type") => ("200 OK".to_owned(), listing.to_owned()),
            _ => ("403 Forbidden".to_owned(), no.to_owned()),
        }
    });
    let config = format!(
        "[profile.work]\nendpoint = \"{endpoint}\"\nregion = \"us-east-1\"\ncredentials = \"aws\"\n\
         [defaults]\nsse = \"aws:kms\"\nsse_kms_key = \"the-key\"\n"
    );
    home.write("tidelock.toml", &config);
    for args in [&["mv", "s3://tide/a", "s3://tide/b"][..], &["doctor", "s3://tide"]] {
        heads.lock().expect("no panics").clear();
        let mut command = home.command(&[args, &["--config", "tidelock.toml", "--profile", "work"]].concat());
        command.env("AWS_ACCESS_KEY_ID", "AKIDCANARY").env("AWS_SECRET_ACCESS_KEY", CANARY);
        let ran = Ran::from(command.output().expect("runs"));
        let heads = heads.lock().expect("no panics");
        let mut puts = heads.iter().filter(|head| head.starts_with("put ") && !head.contains("/probe-")).peekable();
        assert!(puts.peek().is_some(), "{args:?} writes nothing: {}{}", ran.out, ran.err);
        for put in puts {
            assert!(put.contains("x-amz-server-side-encryption: aws:kms"), "{args:?}: {put}");
            assert!(put.contains("x-amz-server-side-encryption-aws-kms-key-id: the-key"), "{args:?}: {put}");
        }
    }
}
