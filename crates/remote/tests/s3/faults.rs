//! Bad days: refusals, lost replies, broken bodies, redirects, wrong clocks.

use super::*;

#[tokio::test]
async fn refusals_have_kinds() {
    for (status, code, kind) in [
        (412, "PreconditionFailed", ErrorKind::Precondition),
        (409, "ConditionalRequestConflict", ErrorKind::Conflict),
        (404, "NoSuchBucket", ErrorKind::NoBucket),
        (403, "AccessDenied", ErrorKind::Denied),
        (403, "InvalidAccessKeyId", ErrorKind::Credentials),
        (403, "SignatureDoesNotMatch", ErrorKind::Credentials),
        (400, "ExpiredToken", ErrorKind::Credentials),
        (403, "RequestTimeTooSkewed", ErrorKind::ClockSkew),
        (403, "InvalidObjectState", ErrorKind::Archived),
        (501, "NotImplemented", ErrorKind::Unsupported),
        (503, "SlowDown", ErrorKind::Busy(None)),
        (429, "TooManyRequests", ErrorKind::Busy(None)),
        (500, "InternalError", ErrorKind::Transient),
        (400, "RequestTimeout", ErrorKind::Transient),
        (400, "BadDigest", ErrorKind::Corrupt),
        (507, "InsufficientStorage", ErrorKind::Full),
        (502, "", ErrorKind::OutcomeUnknown),
        (504, "", ErrorKind::OutcomeUnknown),
        (418, "Teapot", ErrorKind::Other),
        (400, "KeyTooLongError", ErrorKind::Name),
        // Who knows not even the bucket says nothing of the name.
        (404, "", ErrorKind::NoBucket),
    ] {
        let server = serve(move |_| error(status, code));
        assert_eq!(kind_of_put(&server, &bytes_put(5, Condition::Absent)).await, kind, "{status} {code}");
    }
}

/// Bytes of ours need nothing to be there: where the bucket is, it is the name that finds no
/// place.
#[tokio::test]
async fn a_name_that_finds_no_place_is_told_from_a_place_that_is_none() {
    let server = serve(|request| match request.is("PUT") {
        true => error(404, ""),
        false => answer(200, &[], "<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>"),
    });
    assert_eq!(kind_of_put(&server, &bytes_put(5, Condition::Absent)).await, ErrorKind::Name);
    // A page of somebody on the way, for this one request.
    let server = serve(|request| match request.is("PUT") {
        true => answer(404, &[], "<html>not here</html>"),
        false => error(503, ""),
    });
    assert_eq!(kind_of_put(&server, &bytes_put(5, Condition::Absent)).await, ErrorKind::Busy(None));
}

#[tokio::test]
async fn a_refusal_names_the_permission_and_the_bucket() {
    let server = serve(|_| error(403, "AccessDenied"));
    let remote = open(&server).await;
    let put = remote.put(&bytes_put(5, Condition::Absent), &Unwatched).await.expect_err("refused").to_string();
    assert!(put.contains("s3:PutObject") && put.contains("\"tide\"") && put.contains("some/key"), "{put}");
    let list = remote.list("", &Cursor::start()).await.expect_err("refused").to_string();
    assert!(list.contains("s3:ListBucket"), "{list}");
    let server = serve(|_| error(404, "NoSuchBucket"));
    let gone = open(&server).await.list("", &Cursor::start()).await.expect_err("refused");
    assert_eq!(gone.kind, ErrorKind::NoBucket);
    assert!(gone.message.contains(&server.url) && gone.message.contains("create it"), "{gone}");
}

#[tokio::test]
async fn slow_down_tells_how_long() {
    let server = serve(|_| answer(503, &[("Retry-After", "7")], "<Error><Code>SlowDown</Code></Error>"));
    let kind = kind_of_put(&server, &bytes_put(5, Condition::Absent)).await;
    assert_eq!(kind, ErrorKind::Busy(Some(Duration::from_secs(7))));
    assert_eq!(server.seen().len(), 1, "the client itself retries no write");
}

#[tokio::test]
async fn replacing_what_is_gone_is_a_precondition() {
    let server = serve(|_| error(404, "NoSuchKey"));
    let kind = kind_of_put(&server, &bytes_put(5, Condition::Matches(stamp()))).await;
    assert_eq!(kind, ErrorKind::Precondition);
    assert_eq!(server.seen()[0].header("if-match"), "\"0123\"");
}

#[tokio::test]
async fn a_success_may_be_an_error() {
    let text = "<?xml version=\"1.0\"?>\n   <Error><Code>InternalError</Code><Message>x</Message></Error>";
    let server = serve(move |_| answer(200, &[], text));
    assert_eq!(kind_of_put(&server, &copy_put()).await, ErrorKind::Transient);
    let server = serve(|_| answer(200, &[], "<Error><Code>PreconditionFailed</Code></Error>"));
    assert_eq!(kind_of_put(&server, &copy_put()).await, ErrorKind::Precondition);
    let server = serve(|_| answer(200, &[], "<CopyObjectResult><ETag>"));
    assert_eq!(kind_of_put(&server, &copy_put()).await, ErrorKind::OutcomeUnknown);
    let server = serve(|_| answer(200, &[], "<Error><Code>AccessDenied</Code></Error>"));
    let items = deletions(&server, true).await;
    assert!(items[..3].iter().all(|item| item.as_ref().is_err_and(|error| error.kind == ErrorKind::Denied)));
}

#[tokio::test]
async fn lost_replies() {
    let server = serve(|_| Act::SayAndClose(Vec::new()));
    let remote = open(&server).await;
    for put in [bytes_put(5, Condition::Absent), copy_put()] {
        let error = remote.put(&put, &Unwatched).await.expect_err("lost");
        assert_eq!(error.kind, ErrorKind::OutcomeUnknown, "{error}");
    }
    let deleted = remote.delete(&[(key(), Condition::Matches(stamp()))]).await.remove(0).expect_err("lost");
    assert_eq!(deleted.kind, ErrorKind::OutcomeUnknown);
    assert_eq!(remote.head(&key()).await.expect_err("lost").kind, ErrorKind::Transient);
    assert_eq!(remote.list("", &Cursor::start()).await.expect_err("lost").kind, ErrorKind::Transient);
    assert_eq!(remote.get(&key(), None, None).await.err().expect("lost").kind, ErrorKind::Transient);
}

#[tokio::test]
async fn silence_ends() {
    let server = serve(|_| Act::Hang);
    let remote = open_hasty(&server).await;
    let put = remote.put(&bytes_put(5, Condition::Absent), &Unwatched).await.expect_err("silence");
    assert_eq!(put.kind, ErrorKind::OutcomeUnknown);
    assert_eq!(remote.head(&key()).await.expect_err("silence").kind, ErrorKind::Transient);
    let begun = serve(|_| Act::Say(b"HTTP/1.1 200 Said\r\nETag: \"x\"\r\nContent-Length: 9\r\n\r\nhalf".to_vec()));
    let body = open_hasty(&begun).await.get(&key(), None, None).await.expect("begins").body;
    assert_eq!(body.try_collect::<Vec<_>>().await.expect_err("stalls").kind, ErrorKind::Transient);
}

#[tokio::test]
async fn nobody_there_is_unreachable() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").and_then(|held| held.local_addr()).expect("free").port();
    let remote =
        s3::open(World::real(), "tide", options(&format!("http://127.0.0.1:{port}")), None).await.expect("opens");
    let error = remote.put(&bytes_put(5, Condition::Absent), &Unwatched).await.expect_err("nobody");
    assert_eq!(error.kind, ErrorKind::Unreachable, "{error}");
    let remote = s3::open(World::real(), "tide", options("http://no-such-host.invalid"), None).await.expect("opens");
    assert_eq!(remote.head(&key()).await.expect_err("nobody").kind, ErrorKind::Unreachable);
}

async fn read_all(remote: &S3) -> Result<Vec<Bytes>> {
    remote.get(&key(), None, None).await?.body.try_collect().await
}

#[tokio::test]
async fn bodies_are_checked() {
    let cut = || Act::SayAndClose(b"HTTP/1.1 200 Said\r\nETag: \"x\"\r\nContent-Length: 9\r\n\r\nhalf".to_vec());
    let server = serve(move |_| cut());
    assert_eq!(read_all(&open(&server).await).await.expect_err("cut").kind, ErrorKind::Transient);
    let server = serve(|_| answer(200, &[ETAG, ("x-amz-checksum-crc64nvme", "AAAAAAAAAAE=")], "bytes"));
    assert_eq!(read_all(&open(&server).await).await.expect_err("wrong").kind, ErrorKind::Corrupt);
    let server = serve(|_| answer(200, &[ETAG], "bytes"));
    let remote = open(&server).await;
    assert_eq!(read_all(&remote).await.expect("right").concat(), b"bytes");
    let other = RemoteStamp { etag: "other".to_owned(), ..stamp() };
    let changed = remote.get(&key(), None, Some(&other)).await.err().expect("an ignored If-Match is found out");
    assert_eq!(changed.kind, ErrorKind::Precondition);
    let ranged = remote.get(&key(), Some(1..3), None).await.err().expect("an ignored Range is found out");
    assert_eq!(ranged.kind, ErrorKind::Corrupt);
}

#[tokio::test]
async fn listings_are_checked() {
    let page = |text: &str| format!("<ListBucketResult>{text}</ListBucketResult>");
    let last = |text: &str| page(&format!("{text}<IsTruncated>false</IsTruncated>"));
    let entry = |key: &str| format!("<Contents><Key>{key}</Key><Size>1</Size><ETag>e</ETag></Contents>");
    let more = "<IsTruncated>true</IsTruncated><NextContinuationToken>t</NextContinuationToken>";
    let text = page(&format!("{}{more}", entry("a")));
    let server = serve(move |_| answer(200, &[], &text));
    let remote = open(&server).await;
    let first = remote.list("", &Cursor::start()).await.expect("a page");
    let again = remote.list("", &first.next.expect("there is more")).await.expect_err("the same page again");
    assert_eq!(again.kind, ErrorKind::Corrupt);
    let cut = last(&entry("in/b"))[..40].to_owned();
    for bad in [cut, "<html/>".to_owned(), String::new(), last(&entry("outside")), page(&entry("in/b"))] {
        let server = serve(move |_| answer(200, &[], &bad));
        let error = open(&server).await.list("in/", &Cursor::start()).await.expect_err("no listing");
        assert_eq!(error.kind, ErrorKind::Corrupt);
    }
}

#[tokio::test]
async fn what_is_no_listing_is_told_apart() {
    let html = "<html><body>It works!</body></html>";
    let cases = [
        (404, html, ErrorKind::NoBucket, "does not look like an S3 service"),
        (404, "", ErrorKind::NoBucket, "does not look like an S3 service"),
        (200, html, ErrorKind::Corrupt, "does not look like an S3 service"),
        (200, "<meta charset=x><br>", ErrorKind::Corrupt, "does not look like an S3 service"),
        (200, "", ErrorKind::Corrupt, "does not look like an S3 service"),
        (200, "<Error><Code>InternalError</Code></Error>", ErrorKind::Transient, "InternalError"),
        (200, "<Error><Code>SlowDown</Code></Error>", ErrorKind::Busy(None), "SlowDown"),
        (404, "<Error><Code>NoSuchBucket</Code></Error>", ErrorKind::NoBucket, "create it"),
    ];
    for (status, body, kind, says) in cases {
        let server = serve(move |_| answer(status, &[], body));
        let error = open(&server).await.list("", &Cursor::start()).await.expect_err("no listing");
        assert_eq!(error.kind, kind, "{status} {body}");
        assert!(error.message.contains(says), "{error}");
        assert!(says.len() < 20 || error.message.contains(&server.url), "{error}");
    }
}

#[tokio::test]
async fn a_listing_without_order_is_read_as_one() {
    let entry = |key: &str| format!("<Contents><Key>{key}</Key><Size>1</Size><ETag>e</ETag></Contents>");
    let page = |keys: [&str; 2], tail: &str| {
        let entries = keys.map(entry).concat();
        format!("<ListBucketResult>{entries}{tail}</ListBucketResult>")
    };
    let more = "<IsTruncated>true</IsTruncated><NextContinuationToken>t</NextContinuationToken>";
    // Each page is sorted; together they are not.
    let (first, second) = (page(["c", "d"], more), page(["a", "b"], "<IsTruncated>false</IsTruncated>"));
    let server = serve(move |request| match request.line.contains("continuation-token") {
        true => answer(200, &[], &second),
        false => answer(200, &[], &first),
    });
    let remote = open(&server).await;
    let page = remote.list("", &Cursor::start()).await.expect("a page");
    let rest = remote.list("", &page.next.expect("there is more")).await.expect("the rest");
    let keys = |page: &[tidelock_remote::Object]| page.iter().map(|object| object.key.to_string()).collect::<Vec<_>>();
    assert_eq!(
        (keys(&page.objects), keys(&rest.objects)),
        (vec!["c".into(), "d".into()], vec!["a".into(), "b".into()])
    );
    assert_eq!(rest.next, None);
    let known = remote.capabilities(&[Ability::OrderedList]).await.expect("known");
    assert_eq!(known.0.get(&Ability::OrderedList), Some(&false));
    assert_eq!(server.seen().len(), 2, "it was not asked: it was seen");
}

#[tokio::test]
async fn the_buckets_region_is_learnt_once() {
    let server = serve(|request| match scope(request).contains("/eu-west-3/s3/") {
        true => answer(200, &[ETAG], ""),
        false => answer(
            301,
            &[("x-amz-bucket-region", "eu-west-3"), ("Location", "http://elsewhere.invalid/")],
            "<Error><Code>PermanentRedirect</Code></Error>",
        ),
    });
    let remote = open(&server).await;
    for _ in 0..2 {
        remote.put(&bytes_put(5, Condition::Absent), &Unwatched).await.expect("stored in the end");
    }
    assert_eq!(server.seen().len(), 3);
    assert!(server.seen().iter().all(|request| request.body == [7; 5]));
}

#[tokio::test]
async fn no_other_redirect_is_followed() {
    let other = serve(|_| answer(200, &[ETAG], ""));
    let location = format!("{}/tide/some/key", other.url);
    for status in [301, 302, 307, 308] {
        let location = location.clone();
        let server = serve(move |_| answer(status, &[("Location", &location)], ""));
        assert_eq!(kind_of_put(&server, &bytes_put(5, Condition::Absent)).await, ErrorKind::Config);
        assert_eq!(server.seen().len(), 1);
    }
    let looping = serve(|_| answer(301, &[("x-amz-bucket-region", "eu-west-3")], ""));
    assert_eq!(kind_of_put(&looping, &bytes_put(5, Condition::Absent)).await, ErrorKind::Config);
    assert_eq!(looping.seen().len(), 2);
    let evil = serve(|_| answer(301, &[("x-amz-bucket-region", "x.evil.org/")], ""));
    assert_eq!(kind_of_put(&evil, &bytes_put(5, Condition::Absent)).await, ErrorKind::Config);
    assert_eq!(evil.seen().len(), 1);
    assert!(other.seen().is_empty(), "a signature went to another host");
}

#[tokio::test]
async fn a_wrong_clock_is_corrected_once() {
    const THEIRS: (&str, &str) = ("Date", "Wed, 21 Oct 2015 07:28:00 GMT");
    let skewed = |request: &Seen| !request.header("x-amz-date").starts_with("20151021T07");
    let server = serve(move |request| match skewed(request) {
        true => answer(403, &[THEIRS], "<Error><Code>RequestTimeTooSkewed</Code></Error>"),
        false => answer(200, &[THEIRS, ETAG], ""),
    });
    let remote = open(&server).await;
    remote.put(&bytes_put(5, Condition::Absent), &Unwatched).await.expect("stored with the right time");
    assert_eq!(server.seen().len(), 2);
    assert!(remote.clock_skew_ms().is_some_and(|skew| skew < -1000 * 3600 * 24 * 365));
    // A HEAD has no body to say why.
    let bare = serve(move |request| match skewed(request) {
        true => answer(403, &[THEIRS], ""),
        false => Act::Say(b"HTTP/1.1 200 Said\r\nETag: \"x\"\r\nContent-Length: 9\r\n\r\n".to_vec()),
    });
    assert!(open(&bare).await.head(&key()).await.expect("answers").is_some());
}

#[tokio::test]
async fn a_missing_bucket_is_not_a_missing_object() {
    let server = serve(|request| match request.is("HEAD") {
        true => Act::Say(b"HTTP/1.1 404 Said\r\nContent-Length: 0\r\n\r\n".to_vec()),
        false => error(404, "NoSuchBucket"),
    });
    assert_eq!(open(&server).await.head(&key()).await.expect_err("no bucket").kind, ErrorKind::NoBucket);
}

async fn deletions(server: &Scripted, conditional: bool) -> Vec<Result<()>> {
    let given = match conditional {
        true => r#"{"found_s":NOW,"abilities":{"batch-delete-if-match":true}}"#,
        false => r#"{"found_s":NOW,"abilities":{"batch-delete-if-match":false,"delete-if-match":false}}"#,
    };
    let store = Arc::new(Given(given));
    let remote = s3::open(World::real(), "tide", options(&server.url), Some(store)).await.expect("opens");
    let items: Vec<_> =
        ["a", "b", "c", "d\u{1}"].map(|name| (Key::new(name), Condition::Matches(stamp()))).into_iter().collect();
    remote.delete(&items).await
}

#[tokio::test]
async fn a_batch_answers_for_each_key() {
    let server = serve(|request| match request.is("POST") {
        true => answer(
            200,
            &[],
            "<DeleteResult><Deleted><Key>a</Key></Deleted><Error><Key>b</Key><Code>PreconditionFailed</Code>\
             <Message>m</Message></Error></DeleteResult>",
        ),
        false => answer(204, &[], ""),
    });
    for conditional in [true, false] {
        let answers = deletions(&server, conditional).await;
        let kinds: Vec<_> = answers.into_iter().map(|answer| answer.map_err(|error| error.kind)).collect();
        let expected = [Ok(()), Err(ErrorKind::Precondition), Err(ErrorKind::OutcomeUnknown), Ok(())];
        assert_eq!(kinds, expected, "c is not mentioned, and d cannot be named in XML");
    }
    let bodies: Vec<String> = server
        .seen()
        .iter()
        .filter(|request| request.is("POST"))
        .map(|request| String::from_utf8_lossy(&request.body).into_owned())
        .collect();
    assert!(bodies[0].contains("<ETag>&quot;0123&quot;</ETag>") && !bodies[1].contains("ETag"));
    assert!(server.seen().iter().all(|request| request.is("DELETE") || !request.header("content-md5").is_empty()));
}

#[tokio::test]
async fn deleting_what_is_absent_makes_no_sense() {
    let server = serve(|_| answer(204, &[], ""));
    let refused = open(&server).await.delete(&[(key(), Condition::Absent)]).await.remove(0).expect_err("refused");
    assert_eq!(refused.kind, ErrorKind::Precondition);
    assert!(server.seen().is_empty());
}

#[tokio::test]
async fn metadata_must_be_ascii() {
    let server = serve(|_| answer(200, &[ETAG], ""));
    let mut put = bytes_put(5, Condition::Absent);
    put.meta.user.insert("name".to_owned(), "é".to_owned());
    assert_eq!(kind_of_put(&server, &put).await, ErrorKind::Config);
    assert!(server.seen().is_empty());
}

#[tokio::test]
async fn what_is_sent_is_signed_and_checked() {
    let server = serve(|_| answer(200, &[ETAG], ""));
    let remote = open(&server).await;
    remote.put(&bytes_put(5, Condition::Absent), &Unwatched).await.expect("stored");
    let seen = &server.seen()[0];
    assert_eq!(seen.header("x-amz-content-sha256"), "UNSIGNED-PAYLOAD", "on loopback");
    assert_eq!(seen.header("x-amz-security-token"), "token");
    assert!(!seen.header("x-amz-checksum-crc64nvme").is_empty());
    let signed = seen.header("authorization").split("SignedHeaders=").nth(1).expect("signed").to_owned();
    for name in ["host", "if-none-match", "x-amz-checksum-crc64nvme", "x-amz-security-token"] {
        assert!(signed.contains(name), "{name} is not signed: {signed}");
    }
    assert!(remote.describe().contains("s3://tide"));
    assert!(!format!("{:?}", options("http://x")).contains(SECRET));
}

#[tokio::test]
async fn what_a_place_refuses_to_hear_is_not_said() {
    let known = r#"{"found_s":NOW,"abilities":{"put-if-absent":false,"crc64-nvme":false},"refused":["put-if-absent"]}"#;
    let server = serve(|_| answer(200, &[ETAG], ""));
    let open = s3::open(World::real(), "tide", options(&server.url), Some(Arc::new(Given(known))));
    let remote = open.await.expect("opens");
    remote.put(&bytes_put(5, Condition::Absent), &Unwatched).await.expect("stored");
    remote.put(&bytes_put(5, Condition::Matches(stamp())), &Unwatched).await.expect("stored");
    let seen = server.seen();
    assert_eq!((seen[0].header("if-none-match"), seen[1].header("if-match")), ("", "\"0123\""));
    assert!(seen[0].header("x-amz-checksum-crc64nvme").is_empty() && !seen[0].header("content-md5").is_empty());
    let known = remote.capabilities(&[Ability::PutIfAbsent]).await.expect("known");
    assert_eq!((known.has(Ability::PutIfAbsent), server.seen().len()), (false, 2), "what is known is free");
}
