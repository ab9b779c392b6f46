//! Services that are busy, out of order, or something else; and what runs that are
//! killed in the midst of a request leave there.

use crate::home::{Home, Ran};
use crate::scripted::{Act, Scripted, Seen, answer, error, serve};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

fn command(home: &Home, server: &Scripted, args: &[&str]) -> Command {
    let mut command = home.command(&[args, &["--endpoint", &server.url, "--region", "us-east-1"]].concat());
    command.env("AWS_ACCESS_KEY_ID", "AKID").env("AWS_SECRET_ACCESS_KEY", "secret");
    command
}

fn sync(home: &Home, server: &Scripted) -> Ran {
    command(home, server, &["sync", "f", "s3://tide/x"]).output().expect("runs").into()
}

const NOTHING: &str = "<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>";

/// A bucket that takes everything and keeps nothing.
fn sink(request: &Seen) -> Act {
    let is_post = request.is("POST");
    match request.line.as_str() {
        line if line.starts_with("GET") && line.contains("list-type") => answer(200, &[], NOTHING),
        line if line.starts_with("GET") || line.starts_with("HEAD") => answer(404, &[], ""),
        line if is_post && line.contains("uploads") => {
            answer(200, &[], "<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>")
        }
        _ if is_post => {
            answer(200, &[], "<CompleteMultipartUploadResult><ETag>e</ETag></CompleteMultipartUploadResult>")
        }
        line if line.starts_with("DELETE") => answer(204, &[], ""),
        _ => answer(200, &[("ETag", "\"e\"")], ""),
    }
}

#[test]
fn a_service_that_wants_patience_is_a_passing_thing() {
    let writes = |request: &Seen| !request.is("GET") && !request.is("HEAD");
    let slow = serve(move |request| if writes(request) { error(503, "SlowDown") } else { sink(request) });
    let broken = serve(move |request| if writes(request) { error(500, "InternalError") } else { sink(request) });
    let cut = serve(move |request| if writes(request) { Act::SayAndClose(Vec::new()) } else { sink(request) });
    let dead = serve(|_| Act::SayAndClose(Vec::new()));
    let odd = serve(|request| match request.line.contains("list-type") {
        true => answer(200, &[], "<Error><Code>InternalError</Code><Message>so it is</Message></Error>"),
        false => sink(request),
    });
    std::thread::scope(|scope| {
        for (server, says) in [
            (slow, &["SlowDown", "finding out what this place can do", "patience", "run again later"][..]),
            (broken, &["InternalError", "run again later"]),
            (cut, &["run again later"]),
            (dead, &["list", "run again later"]),
            (odd, &["InternalError", "run again later"]),
        ] {
            scope.spawn(move || sync(&Home::furnished(), &server).expect(75).says(says));
        }
    });
}

#[test]
fn a_name_that_a_service_cannot_hold_is_told_as_that() {
    for (status, code) in [(404, ""), (400, "KeyTooLongError")] {
        let server = serve(move |request| match request.is("PUT") && request.line.contains("/b.txt") {
            true => error(status, code),
            false => sink(request),
        });
        let ran = sync(&Home::furnished(), &server).expect(3);
        let ran = ran.says(&["takes no object of this name: rename the file"]);
        let told: Vec<&str> = ran.err.lines().filter(|line| line.contains("sub/b.txt")).collect();
        assert!(told.len() == 1 && !told[0].contains("run again later"), "{told:?}");
    }
}

#[test]
fn what_is_no_s3_service_is_said_to_be_none() {
    let html = "<!DOCTYPE HTML><html><head><meta charset=\"utf-8\"><title>Error</title></head></html>";
    for (status, body, code) in [(404, html, 4), (200, html, 1), (200, "", 1), (501, html, 78)] {
        let server = serve(move |_| answer(status, &[], body));
        let home = Home::furnished();
        sync(&home, &server).expect(code).says(&["does not look like an S3 service", "--endpoint", &server.url]);
    }
    let home = Home::furnished();
    let wrong = ["sync", "f", "s3://tide/x", "--region", "us-east-1", "--endpoint", "http://127.0.0.1:99999"];
    home.run(&wrong).expect(78).says(&["127.0.0.1:99999", "names no port", "--endpoint"]);
}

/// Starts a sync, and kills it when the server says that the moment has come.
fn killed(home: &Home, server: &Scripted, come: impl Fn(&Seen) -> bool) {
    let mut command = command(home, server, &["sync", "f", "s3://tide/x"]);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("runs");
    let mut has_come = false;
    for _ in 0..3_000 {
        has_come = server.seen().iter().any(&come);
        if has_come {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    child.kill().expect("killed");
    child.wait().expect("ends");
    assert!(has_come, "the moment did not come: {:?}", server.seen());
}

/// The path of a request, without its query.
fn path(request: &Seen) -> String {
    request.line.split([' ', '?']).nth(1).unwrap_or_default().to_owned()
}

#[test]
fn what_a_killed_trial_left_is_cleared_away_by_the_next_run() {
    let written = Arc::new(Mutex::new(Vec::<String>::new()));
    let (keys, hangs) = (written.clone(), Arc::new(Mutex::new(true)));
    let hanging = hangs.clone();
    let server = serve(move |request| {
        let mut keys = keys.lock().expect("unpoisoned");
        let is_probe = path(request).contains(".tidelock/probe-");
        if request.is("GET") && request.line.contains("probe-") && request.line.contains("list-type") {
            let entry = |key: &String| {
                let key = key.trim_start_matches("/tide/");
                let when = "<LastModified>2999-01-01T00:00:00.000Z</LastModified>";
                format!("<Contents><Key>{key}</Key>{when}<ETag>e</ETag><Size>1</Size></Contents>")
            };
            let entries: String = keys.iter().filter(|key| request.line.contains(&token(key))).map(entry).collect();
            let text = format!("<ListBucketResult><IsTruncated>false</IsTruncated>{entries}</ListBucketResult>");
            return answer(200, &[], &text);
        }
        if is_probe && request.is("PUT") {
            keys.push(path(request));
            if *hanging.lock().expect("unpoisoned") {
                return Act::Hang;
            }
        }
        if is_probe && request.is("DELETE") {
            keys.retain(|key| *key != path(request));
        }
        sink(request)
    });
    let home = Home::furnished();
    killed(&home, &server, |_| !written.lock().expect("unpoisoned").is_empty());
    *hangs.lock().expect("unpoisoned") = false;
    let left = written.lock().expect("unpoisoned").clone();
    assert_eq!(left.len(), 1, "{left:?}");
    sync(&home, &server);
    let left = written.lock().expect("unpoisoned").clone();
    assert!(left.is_empty(), "{left:?}");
    // Nor is it on record any more.
    let trials = crate::home::bytes(&home.path("state/tidelock/endpoints"));
    assert!(trials.keys().all(|file| file.extension().is_some_and(|ending| ending == "json")), "{trials:?}");
}

/// What tells one trial's keys from another's.
fn token(key: &str) -> String {
    key.split("probe-").nth(1).and_then(|rest| rest.split('/').next()).unwrap_or_default().to_owned()
}

#[test]
fn an_upload_that_was_begun_as_the_run_was_killed_is_given_up() {
    let hangs = Arc::new(Mutex::new(true));
    let hanging = hangs.clone();
    let server = serve(move |request| {
        let is_ours = path(request).ends_with("/x/big");
        if is_ours && request.is("POST") && request.line.contains("uploads") && *hanging.lock().expect("unpoisoned") {
            return Act::Hang;
        }
        if request.is("GET") && request.line.contains("uploads=") && request.line.contains("prefix=x%2Fbig") {
            let now = jiff::Timestamp::now();
            let old = now - jiff::SignedDuration::from_hours(3);
            let entry = |key: &str, id: &str, when: jiff::Timestamp| {
                format!("<Upload><Key>{key}</Key><UploadId>{id}</UploadId><Initiated>{when}</Initiated></Upload>")
            };
            let uploads = [
                entry("x/big", "orphan", now),
                entry("x/big", "filled", now),
                entry("x/big", "old", old),
                entry("x/bigger", "other", now),
            ]
            .concat();
            return answer(200, &[], &format!("<ListMultipartUploadsResult>{uploads}</ListMultipartUploadsResult>"));
        }
        if request.is("GET") && request.line.contains("uploadId=") {
            let part = if request.line.contains("filled") { "<Part><PartNumber>1</PartNumber></Part>" } else { "" };
            return answer(200, &[], &format!("<ListPartsResult>{part}</ListPartsResult>"));
        }
        sink(request)
    });
    let home = Home::new();
    home.write("f/big", &"b".repeat(9 << 20));
    let is_begin = |request: &Seen| request.is("POST") && path(request).ends_with("/x/big");
    killed(&home, &server, is_begin);
    *hangs.lock().expect("unpoisoned") = false;
    let before = server.seen().len();
    sync(&home, &server);
    let given_up: Vec<String> = server.seen()[before..]
        .iter()
        .take_while(|request| !is_begin(request))
        .filter(|request| request.is("DELETE") && request.line.contains("/x/big"))
        .map(|request| request.line.clone())
        .collect();
    assert!(given_up.len() == 1 && given_up[0].contains("uploadId=orphan"), "{given_up:?}");
    // It is settled, and not asked again.
    let before = server.seen().len();
    sync(&home, &server);
    let asks =
        |request: &Seen| request.is("GET") && request.line.contains("uploads=") && !request.line.contains("probe-");
    assert!(!server.seen()[before..].iter().any(asks));
}
