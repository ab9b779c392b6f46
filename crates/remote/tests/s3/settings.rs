//! Where settings come from, in an environment of each test's own: files, proxies,
//! certificates, credentials that expire.

use super::*;

#[test]
fn a_profile_that_is_nowhere_is_named() {
    let variables = [
        ("AWS_PROFILE", "nope".to_owned()),
        ("AWS_CONFIG_FILE", "/dev/null".to_owned()),
        ("AWS_SHARED_CREDENTIALS_FILE", "/dev/null".to_owned()),
        ("AWS_REGION", "eu-west-1".to_owned()),
    ];
    if in_child("settings::a_profile_that_is_nowhere_is_named", &variables) {
        block_on(async {
            let open = |options| s3::open(World::real(), "tide", options, None);
            let refused = open(S3Options::default()).await.err().expect("a refusal");
            assert_eq!(refused.kind, ErrorKind::Config, "{refused}");
            let text = refused.to_string();
            assert!(text.contains("\"nope\"") && text.contains("AWS_PROFILE"), "{text}");
            let other = S3Options { profile: Some("none".to_owned()), ..S3Options::default() };
            let text = open(other).await.err().expect("a refusal").to_string();
            assert!(text.contains("\"none\"") && text.contains("--profile"), "{text}");
        });
    }
}

#[test]
fn a_wrong_endpoint_is_traced_to_where_it_was_set() {
    let name = "settings::a_wrong_endpoint_is_traced_to_where_it_was_set";
    let variables = [
        ("AWS_CONFIG_FILE", "/dev/null".to_owned()),
        ("AWS_SHARED_CREDENTIALS_FILE", "/dev/null".to_owned()),
        ("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:99999".to_owned()),
        ("AWS_REGION", "eu-west-1".to_owned()),
    ];
    if in_child(name, &variables) {
        block_on(async {
            let open = |options| s3::open(World::real(), "tide", options, None);
            let refused = open(S3Options::default()).await.err().expect("a refusal");
            assert_eq!(refused.kind, ErrorKind::Config, "{refused}");
            let text = refused.message;
            assert!(text.contains("AWS_ENDPOINT_URL_S3") && text.contains(":99999"), "{text}");
            assert!(!text.contains("--endpoint"), "{text}");
            let said = S3Options { endpoint: Some("ftp://x".to_owned()), ..S3Options::default() };
            let text = open(said).await.err().expect("a refusal").message;
            assert!(text.contains("--endpoint"), "{text}");
        });
    }
}

#[test]
fn a_credentials_file_that_cannot_be_read_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("credentials");
    // Permissions hold not everyone back; nobody reads a folder.
    std::fs::create_dir(&path).expect("made");
    let path = path.display().to_string();
    let variables = [
        ("AWS_CONFIG_FILE", "/dev/null".to_owned()),
        ("AWS_SHARED_CREDENTIALS_FILE", path),
        ("AWS_REGION", "eu-west-1".to_owned()),
        ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
    ];
    if in_child("settings::a_credentials_file_that_cannot_be_read_is_named", &variables) {
        let path = std::env::var("AWS_SHARED_CREDENTIALS_FILE").expect("set");
        block_on(async {
            let open = |options| s3::open(World::real(), "tide", options, None);
            let refused = match open(S3Options::default()).await {
                Ok(remote) => remote.head(&key()).await.expect_err("no credentials"),
                Err(refused) => refused,
            };
            let text = refused.to_string();
            assert!(text.contains(&path) && text.contains("cannot be read") && !text.contains("metadata"), "{text}");
            let named = S3Options { profile: Some("sea".to_owned()), ..S3Options::default() };
            let text = open(named).await.err().expect("a refusal").to_string();
            assert!(text.contains(&path), "{text}");
        });
    }
}

#[test]
fn proxies_are_used() {
    let server = serve(|request| match request.is("CONNECT") {
        true => answer(407, &[], ""),
        false => answer(200, &[ETAG], ""),
    });
    let proxy = server.url.replace("http://", "http://user:pass@");
    let variables = [("HTTP_PROXY", proxy.clone()), ("HTTPS_PROXY", proxy)];
    if in_child("settings::proxies_are_used", &variables) {
        block_on(async {
            let open = |url| s3::open(World::real(), "tide", options(url), None);
            let remote = open("http://s3.invalid:81").await.expect("opens");
            remote.put(&bytes_put(5, Condition::Absent), &Unwatched).await.expect("stored");
            let remote = open("https://s3.invalid").await.expect("opens");
            let refused = remote.head(&key()).await.expect_err("the proxy refuses");
            assert_eq!(refused.kind, ErrorKind::Unreachable, "{refused}");
            assert!(!refused.to_string().contains("pass"), "{refused}");
        });
        return;
    }
    let seen = server.seen();
    assert!(seen[0].is("PUT http://s3.invalid:81/tide/some/key HTTP/1.1"), "{:?}", seen[0].line);
    assert_eq!(seen[0].header("proxy-authorization"), "Basic dXNlcjpwYXNz");
    let signed = blank_sha256(seen[0].header("x-amz-content-sha256"));
    assert!(signed, "in the clear to another host, the signature covers the body");
    assert!(seen[1].is("CONNECT s3.invalid:443"), "{:?}", seen[1].line);
}

fn blank_sha256(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[test]
fn settings_come_from_the_aws_files() {
    let server =
        serve(|_| Act::Say(raw(200, &[], "<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>")));
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).expect("written");
        path.display().to_string()
    };
    let config = format!(
        "[profile sea]\nregion = ap-sea-1\nservices = mine\ns3 =\n  addressing_style = virtual\n\
         [profile broken]\ns3 =\n  addressing_style = sideways\n\
         [services mine]\ns3 =\n  endpoint_url = {}\n",
        server.url.replace("127.0.0.1", "localhost")
    );
    let keys = "[sea]\naws_access_key_id = SEAKEY\naws_secret_access_key = s\n";
    let variables = [
        ("AWS_CONFIG_FILE", write("config", &config)),
        ("AWS_SHARED_CREDENTIALS_FILE", write("credentials", keys)),
        ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
    ];
    if in_child("settings::settings_come_from_the_aws_files", &variables) {
        block_on(async {
            let profile = |name: &str| S3Options { profile: Some(name.to_owned()), ..S3Options::default() };
            let open = |options| s3::open(World::real(), "tide", options, None);
            let error = open(profile("none")).await.err().expect("no such profile");
            assert!(error.kind == ErrorKind::Config && error.message.contains("--profile"), "{error}");
            let error = open(profile("broken")).await.err().expect("no region, and a wrong style");
            assert!(error.kind == ErrorKind::Config && error.message.contains("--region"), "{error}");
            let with_region = S3Options { region: Some("eu-west-1".to_owned()), ..profile("broken") };
            let error = open(with_region).await.err().expect("a wrong style");
            assert!(error.kind == ErrorKind::Config && error.message.contains("sideways"), "{error}");
            let bad = S3Options { endpoint: Some("example.org".to_owned()), ..S3Options::default() };
            assert_eq!(open(bad).await.err().expect("no scheme").kind, ErrorKind::Config);
            let nobody = S3Options { endpoint: Some("http://127.0.0.1:1".to_owned()), ..S3Options::default() };
            let error = open(nobody).await.expect("opens").head(&key()).await.expect_err("no credentials");
            assert_eq!(error.kind, ErrorKind::Credentials, "{error}");
            assert!(error.message.contains("AWS_ACCESS_KEY_ID"), "{error}");
            // This machine has no name for each bucket, whatever is said.
            open(profile("sea")).await.expect("opens").list("", &Cursor::start()).await.expect("lists");
        });
        return;
    }
    let seen = server.seen();
    let last = seen.last().expect("a request came");
    assert!(last.is("GET /tide?"), "{}", last.line);
    assert!(scope(last).starts_with("SEAKEY/") && scope(last).contains("/ap-sea-1/s3/"), "{}", scope(last));
}

/// Two answers of a `credential_process`: the first keys are refused as expired.
#[test]
fn expired_credentials_are_asked_for_again() {
    let server = serve(|request| match scope(request).starts_with("KEY2/") {
        true => answer(200, &[ETAG], ""),
        false => error(400, "ExpiredToken"),
    });
    let folder = tempfile::tempdir().expect("a folder");
    let count = folder.path().join("count").display().to_string();
    let script = folder.path().join("keys.sh");
    let text = format!(
        "echo x >> {count}\nn=$(wc -l < {count} | tr -d ' ')\n\
         echo '{{\"Version\":1,\"AccessKeyId\":\"KEY'$n'\",\"SecretAccessKey\":\"s\",\
         \"Expiration\":\"2099-01-01T00:00:00Z\"}}'\n"
    );
    std::fs::write(&script, text).expect("written");
    let config = folder.path().join("config");
    let text = format!("[default]\nregion = eu-west-1\ncredential_process = sh {}\n", script.display());
    std::fs::write(&config, text).expect("written");
    let variables = [
        ("AWS_CONFIG_FILE", config.display().to_string()),
        ("AWS_SHARED_CREDENTIALS_FILE", "/dev/null".to_owned()),
        ("AWS_ENDPOINT_URL", "http://127.0.0.1:1".to_owned()),
        ("AWS_ENDPOINT_URL_S3", server.url.clone()),
    ];
    if in_child("settings::expired_credentials_are_asked_for_again", &variables) {
        block_on(async {
            let remote = s3::open(World::real(), "tide", S3Options::default(), None).await.expect("opens");
            for _ in 0..2 {
                remote.put(&bytes_put(5, Condition::Absent), &Unwatched).await.expect("stored with the second keys");
            }
        });
        return;
    }
    let keys: Vec<String> = server.seen().iter().map(|request| scope(request)[..4].to_owned()).collect();
    assert_eq!(keys, ["KEY1", "KEY2", "KEY2"]);
}

#[test]
fn certificates_of_ones_own() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name).display().to_string();
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    std::fs::write(path("cert.pem"), made.cert.pem()).expect("written");
    std::fs::write(path("key.pem"), made.signing_key.serialize_pem()).expect("written");
    let variables = |bundle: bool| {
        let mut variables = vec![("TIDELOCK_TLS_URL", String::new())];
        variables.extend(bundle.then(|| ("AWS_CA_BUNDLE", path("cert.pem"))));
        variables
    };
    if std::env::var_os("TIDELOCK_CHILD").is_some() {
        let url = std::env::var("TIDELOCK_TLS_URL").expect("given");
        let keys = Keys { id: servers::KEY.0.to_owned(), secret: servers::KEY.1.to_owned(), token: None };
        block_on(async {
            let with_keys = S3Options { keys: Some(keys), ..options(&url) };
            let remote = s3::open(World::real(), "tide", with_keys, None).await.expect("opens");
            let put = remote.put(&bytes_put(5, Condition::Absent), &Unwatched).await;
            if std::env::var_os("AWS_CA_BUNDLE").is_some() {
                put.expect("stored");
                let read: Vec<Bytes> =
                    remote.get(&key(), None, None).await.expect("opens").body.try_collect().await.expect("readable");
                assert_eq!(read.concat(), [7; 5]);
                return;
            }
            let error = put.expect_err("the certificate is nobody's");
            assert_eq!(error.kind, ErrorKind::Unreachable, "{error}");
            assert!(error.message.contains("AWS_CA_BUNDLE"), "{error}");
        });
        return;
    }
    let server = servers::rclone_tls(&["tide"], &path("cert.pem"), &path("key.pem"));
    let tunnel = scripted::tunnel(server.url.strip_prefix("http://").expect("plain"));
    for (bundle, proxy) in [(false, false), (true, false), (true, true)] {
        let mut variables = variables(bundle);
        variables[0].1 = server.url.replace("http://127.0.0.1", "https://localhost");
        variables.extend(proxy.then(|| ("HTTPS_PROXY", tunnel.url.clone())));
        assert!(!in_child("settings::certificates_of_ones_own", &variables));
        assert_eq!(!tunnel.seen().is_empty(), proxy);
    }
    assert!(tunnel.seen()[0].is("CONNECT localhost:"));
}
