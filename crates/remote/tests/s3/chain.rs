//! Credentials that are fetched: from a container's endpoint, the metadata service
//! of a machine, STS and SSO, each played by a scripted server. What they hand out
//! must sign the next request to S3, and what they refuse must be told with its
//! remedy.

use super::*;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

/// The SHA-1 of "tide", the name of the session: where its token is cached.
const CACHED: &str = ".aws/sso/cache/17c772d62d6f108c21dedfe0d2ae7f495a8598fa.json";
const SESSION: &str = "[profile sea]\nregion = eu-west-1\nsso_session = tide\nsso_account_id = 123456789012\n\
     sso_role_name = Keeper\n[sso-session tide]\nsso_region = eu-west-1\nsso_start_url = https://tide.awsapps.com/start\n";
const FAR: &str = "2099-01-01T00:00:00Z";

/// What the sources hand out.
const KEYS: (&str, &str, &str) = ("ASIAHANDEDOUT", "the+secret/handed+out", "the//session+token==");

fn hmac(key: &[u8], text: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("any length");
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The request is signed with exactly the keys that were handed out, token and all.
fn assert_signed(request: &Seen) {
    let scope = scope(request);
    let (id, scope) = scope.split_once('/').expect("a scope");
    assert_eq!((id, request.header("x-amz-security-token")), (KEYS.0, KEYS.2));
    let authorization = request.header("authorization");
    let part = |name: &str| authorization.split(name).nth(1).expect("given").split(',').next().expect("given");
    let signed = part("SignedHeaders=");
    assert!(signed.split(';').any(|name| name == "x-amz-security-token"), "{signed}");
    let mut line = request.line.split(' ');
    let (method, target) = (line.next().expect("a method"), line.next().expect("a target"));
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let headers: String = signed.split(';').map(|name| format!("{name}:{}\n", request.header(name))).collect();
    let payload = request.header("x-amz-content-sha256");
    let canonical = format!("{method}\n{path}\n{query}\n{headers}\n{signed}\n{payload}");
    let digest = hex(&Sha256::digest(canonical));
    let text = format!("AWS4-HMAC-SHA256\n{}\n{scope}\n{digest}", request.header("x-amz-date"));
    let key = scope.split('/').fold(format!("AWS4{}", KEYS.1).into_bytes(), |key, step| hmac(&key, step));
    assert_eq!(part("Signature="), hex(&hmac(&key, &text)), "another secret signed");
}

/// What the bucket answers, whoever asks.
fn bucket() -> Scripted {
    serve(|_| answer(200, &[ETAG], ""))
}

/// What every test of these sets.
fn variables<'a>(bucket: &Scripted, more: &[(&'a str, String)]) -> Vec<(&'a str, String)> {
    let mut all = vec![
        ("AWS_CONFIG_FILE", "/dev/null".to_owned()),
        ("AWS_SHARED_CREDENTIALS_FILE", "/dev/null".to_owned()),
        ("AWS_ENDPOINT_URL_S3", bucket.url.clone()),
        ("AWS_REGION", "eu-west-1".to_owned()),
    ];
    for (name, value) in more {
        all.retain(|(there, _)| there != name);
        all.push((name, value.clone()));
    }
    all
}

/// Puts an object with whatever the environment gives.
async fn put_in(world: World) -> Result<()> {
    let remote = s3::open(world, "tide", S3Options::default(), None).await.expect("opens");
    remote.put(&bytes_put(5, Condition::Absent), &Unwatched).await.map(|_| ())
}

/// The refusal, which must come by itself.
async fn refusal_in(world: World) -> String {
    let put = tokio::time::timeout(Duration::from_secs(90), put_in(world));
    let error = put.await.expect("it does not hang").expect_err("no credentials");
    assert_eq!(error.kind, ErrorKind::Credentials, "{error}");
    let text = error.to_string();
    assert!(!text.contains('\n') && !text.contains(KEYS.1) && !text.contains(KEYS.2), "{text}");
    text
}

fn in_json(id: &str, secret: &str, token: &str) -> String {
    let (key, hidden, session) = KEYS;
    format!(
        "{{\"Code\":\"Success\",\"Type\":\"AWS-HMAC\",\"LastUpdated\":\"2026-01-01T00:00:00Z\",\
         \"{id}\":\"{key}\",\"{secret}\":\"{hidden}\",\"{token}\":\"{session}\",\"Expiration\":\"{FAR}\"}}"
    )
}

#[test]
fn a_container_hands_out_keys() {
    let bucket = bucket();
    let source = serve(|request| match request.header("authorization") {
        "Bearer of-the-task" => answer(200, &[], &in_json("AccessKeyId", "SecretAccessKey", "Token")),
        _ => answer(403, &[], "{\"code\":\"Nope\",\"message\":\"who are you\"}"),
    });
    let full = ("AWS_CONTAINER_CREDENTIALS_FULL_URI", format!("{}/role/keeper?x=1", source.url));
    let token = ("AWS_CONTAINER_AUTHORIZATION_TOKEN", "Bearer of-the-task".to_owned());
    if !in_child("chain::a_container_hands_out_keys", &variables(&bucket, &[full, token])) {
        assert!(source.seen()[0].is("GET /role/keeper?x=1 "), "{:?}", source.seen());
        let seen = bucket.seen();
        assert_eq!((source.seen().len(), seen.len()), (1, 2), "asked once, used twice");
        seen.iter().for_each(assert_signed);
        return;
    }
    block_on(async {
        let remote = s3::open(World::real(), "tide", S3Options::default(), None).await.expect("opens");
        for _ in 0..2 {
            remote.put(&bytes_put(5, Condition::Absent), &Unwatched).await.expect("stored");
        }
    });
}

#[test]
fn a_container_that_refuses_is_named() {
    let bucket = bucket();
    let source = serve(|_| answer(403, &[], "{\"code\":\"AccessDenied\",\"message\":\"not this task\"}"));
    let full = ("AWS_CONTAINER_CREDENTIALS_FULL_URI", format!("{}/role", source.url));
    if in_child("chain::a_container_that_refuses_is_named", &variables(&bucket, &[full])) {
        let text = block_on(refusal_in(World::real()));
        assert!(text.contains("403") && text.contains("AWS_CONTAINER_CREDENTIALS_FULL_URI"), "{text}");
    } else {
        assert!(bucket.seen().is_empty(), "nothing goes out unsigned");
    }
}

const ROLES: &str = "/latest/meta-data/iam/security-credentials/";

#[test]
fn a_machine_hands_out_keys_of_its_role() {
    let bucket = bucket();
    let source = serve(|request| {
        let known = request.header("x-aws-ec2-metadata-token") == "metadata-token";
        if request.is("PUT /latest/api/token ") {
            return answer(200, &[("x-aws-ec2-metadata-token-ttl-seconds", "21600")], "metadata-token");
        }
        match request.line.split(' ').nth(1) {
            Some(ROLES) if known => answer(200, &[], "keeper"),
            Some(path) if known && path == format!("{ROLES}keeper") => {
                answer(200, &[], &in_json("AccessKeyId", "SecretAccessKey", "Token"))
            }
            _ => answer(401, &[], ""),
        }
    });
    let endpoint = ("AWS_EC2_METADATA_SERVICE_ENDPOINT", source.url.clone());
    if in_child("chain::a_machine_hands_out_keys_of_its_role", &variables(&bucket, &[endpoint])) {
        block_on(put_in(World::real())).expect("stored");
        return;
    }
    let asked: Vec<String> = source.seen().iter().map(|request| request.line.clone()).collect();
    assert!(asked[0].starts_with("PUT ") && asked.last().is_some_and(|line| line.contains("/keeper ")), "{asked:?}");
    assert_eq!(bucket.seen().len(), 1);
    assert_signed(&bucket.seen()[0]);
}

#[test]
fn a_metadata_service_that_is_not_there_is_named() {
    let bucket = bucket();
    let silent = serve(|_| Act::Hang);
    // Nobody listens there; somebody listens and says nothing.
    for url in ["http://127.0.0.1:1".to_owned(), silent.url.clone()] {
        let endpoint = ("AWS_EC2_METADATA_SERVICE_ENDPOINT", url);
        if in_child("chain::a_metadata_service_that_is_not_there_is_named", &variables(&bucket, &[endpoint])) {
            let text = block_on(refusal_in(World::real()));
            let url = std::env::var("AWS_EC2_METADATA_SERVICE_ENDPOINT").expect("set");
            assert!(text.contains(&url) && text.contains("AWS_EC2_METADATA_DISABLED=true"), "{text}");
            return;
        }
    }
    assert!(bucket.seen().is_empty() && !silent.seen().is_empty());
}

fn role_variables(bucket: &Scripted, sts: &Scripted, folder: &tempfile::TempDir) -> Vec<(&'static str, String)> {
    let file = folder.path().join("web-token");
    std::fs::write(&file, "the.web.token").expect("written");
    let more = [
        ("AWS_WEB_IDENTITY_TOKEN_FILE", file.display().to_string()),
        ("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/keeper".to_owned()),
        ("AWS_ROLE_SESSION_NAME", "tide-session".to_owned()),
        ("AWS_ENDPOINT_URL_STS", sts.url.clone()),
        ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
    ];
    variables(bucket, &more)
}

#[test]
fn a_web_identity_becomes_a_role() {
    let bucket = bucket();
    let sts = serve(|request| {
        let body = String::from_utf8_lossy(&request.body).into_owned();
        let asked = body.contains("Action=AssumeRoleWithWebIdentity")
            && body.contains("WebIdentityToken=the.web.token")
            && body.contains("RoleArn=arn%3Aaws%3Aiam%3A%3A123456789012%3Arole%2Fkeeper")
            && body.contains("RoleSessionName=tide-session");
        if !asked {
            return answer(400, &[], "<ErrorResponse><Error><Code>What</Code></Error></ErrorResponse>");
        }
        let (id, secret, token) = KEYS;
        let text = format!(
            "<AssumeRoleWithWebIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\
             <AssumeRoleWithWebIdentityResult><Credentials><AccessKeyId>{id}</AccessKeyId>\
             <SecretAccessKey>{secret}</SecretAccessKey><SessionToken>{token}</SessionToken>\
             <Expiration>{FAR}</Expiration></Credentials></AssumeRoleWithWebIdentityResult>\
             </AssumeRoleWithWebIdentityResponse>"
        );
        answer(200, &[("Content-Type", "text/xml")], &text)
    });
    let folder = tempfile::tempdir().expect("a folder");
    if in_child("chain::a_web_identity_becomes_a_role", &role_variables(&bucket, &sts, &folder)) {
        block_on(put_in(World::real())).expect("stored");
        return;
    }
    assert_eq!((sts.seen().len(), bucket.seen().len()), (1, 1));
    assert_signed(&bucket.seen()[0]);
}

#[test]
fn a_web_identity_that_is_refused_names_its_token() {
    let bucket = bucket();
    let sts = serve(|_| {
        let text = "<ErrorResponse><Error><Type>Sender</Type><Code>ExpiredTokenException</Code>\
                    <Message>Token expired long ago</Message></Error></ErrorResponse>";
        answer(400, &[("Content-Type", "text/xml")], text)
    });
    let folder = tempfile::tempdir().expect("a folder");
    if in_child("chain::a_web_identity_that_is_refused_names_its_token", &role_variables(&bucket, &sts, &folder)) {
        let text = block_on(refusal_in(World::real()));
        assert!(text.contains("Token expired long ago") && text.contains("web-token"), "{text}");
    } else {
        assert!(bucket.seen().is_empty());
    }
}

/// STS takes the connection and never answers: patience ends, here after a
/// thousandth of it.
#[test]
fn a_source_that_says_nothing_is_given_up() {
    let bucket = bucket();
    let sts = serve(|_| Act::Hang);
    let folder = tempfile::tempdir().expect("a folder");
    if in_child("chain::a_source_that_says_nothing_is_given_up", &role_variables(&bucket, &sts, &folder)) {
        let text = block_on(refusal_in(hasty()));
        assert!(text.contains("said nothing for 120 s") && text.contains("web-token"), "{text}");
    } else {
        assert!(bucket.seen().is_empty());
    }
}

/// A home with a profile that signs in by SSO, and the token of its last login.
fn sso_home(token: Option<&str>) -> tempfile::TempDir {
    let home = tempfile::tempdir().expect("a home");
    let cached = home.path().join(CACHED);
    std::fs::create_dir_all(cached.parent().expect("a folder")).expect("made");
    std::fs::write(home.path().join(".aws/config"), SESSION).expect("written");
    if let Some(token) = token {
        std::fs::write(cached, token).expect("written");
    }
    home
}

fn sso_variables(bucket: &Scripted, portal: &Scripted, home: &tempfile::TempDir) -> Vec<(&'static str, String)> {
    let more = [
        ("HOME", home.path().display().to_string()),
        ("AWS_CONFIG_FILE", home.path().join(".aws/config").display().to_string()),
        ("AWS_PROFILE", "sea".to_owned()),
        ("AWS_ENDPOINT_URL_SSO", portal.url.clone()),
        ("AWS_ENDPOINT_URL_SSO_OIDC", portal.url.clone()),
        ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
    ];
    variables(bucket, &more)
}

fn token(value: &str, until: &str, more: &str) -> String {
    format!(
        "{{\"accessToken\":\"{value}\",\"expiresAt\":\"{until}\",\"region\":\"eu-west-1\",\
         \"startUrl\":\"https://tide.awsapps.com/start\"{more}}}"
    )
}

/// The portal of a login whose token this is.
fn portal(valid: &'static str) -> Scripted {
    serve(move |request| {
        if request.is("POST /token ") {
            let body = String::from_utf8_lossy(&request.body).into_owned();
            assert!(body.contains("\"refreshToken\":\"refresh\""), "{body}");
            return answer(200, &[], &format!("{{\"accessToken\":\"{valid}\",\"expiresIn\":28800}}"));
        }
        let role = request.line.contains("account_id=123456789012") && request.line.contains("role_name=Keeper");
        if !request.is("GET /federation/credentials?") || !role || request.header("x-amz-sso_bearer_token") != valid {
            let kind = [("x-amzn-ErrorType", "UnauthorizedException")];
            return answer(401, &kind, "{\"message\":\"Session token not found or invalid\"}");
        }
        let (id, secret, token) = KEYS;
        let text = format!(
            "{{\"roleCredentials\":{{\"accessKeyId\":\"{id}\",\"secretAccessKey\":\"{secret}\",\
             \"sessionToken\":\"{token}\",\"expiration\":4070908800000}}}}"
        );
        answer(200, &[], &text)
    })
}

#[test]
fn an_sso_login_hands_out_keys() {
    let (bucket, portal) = (bucket(), portal("sso-token"));
    let home = sso_home(Some(&token("sso-token", FAR, "")));
    if in_child("chain::an_sso_login_hands_out_keys", &sso_variables(&bucket, &portal, &home)) {
        block_on(put_in(World::real())).expect("stored");
        return;
    }
    assert_eq!((portal.seen().len(), bucket.seen().len()), (1, 1));
    assert_signed(&bucket.seen()[0]);
}

#[test]
fn an_sso_login_that_may_be_renewed_is() {
    let (bucket, portal) = (bucket(), portal("renewed-token"));
    let more = format!(
        ",\"clientId\":\"id\",\"clientSecret\":\"secret\",\"refreshToken\":\"refresh\",\
         \"registrationExpiresAt\":\"{FAR}\""
    );
    let home = sso_home(Some(&token("old-token", "2020-01-01T00:00:00Z", &more)));
    if in_child("chain::an_sso_login_that_may_be_renewed_is", &sso_variables(&bucket, &portal, &home)) {
        block_on(put_in(World::real())).expect("stored");
        return;
    }
    assert!(portal.seen()[0].is("POST /token "));
    assert_signed(&bucket.seen()[0]);
    let kept = std::fs::read_to_string(home.path().join(CACHED)).expect("readable");
    assert!(kept.contains("renewed-token"), "{kept}");
}

#[test]
fn an_sso_login_that_is_over_names_the_command() {
    let bucket = bucket();
    let portal = portal("another-token");
    let expired = token("another-token", "2020-01-01T00:00:00Z", "");
    let withdrawn = token("withdrawn", FAR, "");
    for cached in [Some(expired.as_str()), Some(withdrawn.as_str()), None] {
        let home = sso_home(cached);
        let variables = sso_variables(&bucket, &portal, &home);
        if in_child("chain::an_sso_login_that_is_over_names_the_command", &variables) {
            let text = block_on(refusal_in(World::real()));
            assert!(text.contains("run `aws sso login --profile sea`"), "{text}");
            assert!(!text.contains("withdrawn"), "{text}");
            return;
        }
    }
    assert_eq!((bucket.seen().len(), portal.seen().len()), (0, 1), "only the one that looked valid was tried");
}
