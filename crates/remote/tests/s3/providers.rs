//! What naming a provider changes: the address, the region, how the bucket is
//! named, which checksums are sent.

use super::*;

fn of(provider: &str) -> S3Options {
    let keys = Keys { id: "AKIA".to_owned(), secret: SECRET.to_owned(), token: None };
    S3Options { provider: Some(provider.to_owned()), keys: Some(keys), ..S3Options::default() }
}

async fn opened(options: S3Options) -> String {
    s3::open(World::real(), "tide", options, None).await.map_or_else(|error| error.to_string(), |s3| s3.describe())
}

#[test]
fn a_provider_brings_its_address_and_region() {
    let variables = [("AWS_CONFIG_FILE", "/dev/null".to_owned()), ("AWS_EC2_METADATA_DISABLED", "true".to_owned())];
    if !in_child("providers::a_provider_brings_its_address_and_region", &variables) {
        return;
    }
    block_on(async {
        let region = |name: &str, region: &str| S3Options { region: Some(region.to_owned()), ..of(name) };
        let wasabi = opened(region("wasabi", "eu-central-1")).await;
        assert_eq!(wasabi, "s3://tide at https://s3.eu-central-1.wasabisys.com");
        assert_eq!(opened(of("gcs")).await, "s3://tide at https://storage.googleapis.com");
        assert_eq!(opened(region("aws", "eu-west-3")).await, "s3://tide at https://s3.eu-west-3.amazonaws.com");
        let text = opened(of("wasabi")).await;
        assert!(text.contains("--region") && text.contains("Wasabi"), "{text}");
        let text = opened(of("r2")).await;
        assert!(text.contains("--endpoint") && text.contains("Cloudflare R2"), "{text}");
        let text = opened(of("wasaby")).await;
        assert!(text.contains("\"wasaby\"") && text.contains("wasabi"), "{text}");
        let text = opened(region("wasabi", "no region")).await;
        assert!(text.contains("no region"), "{text}");
        let own = S3Options { endpoint: Some("http://127.0.0.1:9".to_owned()), ..of("wasabi") };
        assert_eq!(opened(own).await, "s3://tide at http://127.0.0.1:9", "what is said wins");
    });
}

/// The region of a provider that has one of its own, and no checksum that it would
/// refuse.
#[test]
fn a_provider_brings_its_habits() {
    let server = serve(|_| answer(200, &[ETAG], ""));
    let variables = [("AWS_CONFIG_FILE", "/dev/null".to_owned())];
    if in_child("providers::a_provider_brings_its_habits", &[&variables[..], &[("URL", server.url.clone())]].concat()) {
        block_on(async {
            let endpoint = Some(std::env::var("URL").expect("given"));
            for name in ["gcs", "garage"] {
                let options = S3Options { endpoint: endpoint.clone(), ..of(name) };
                let remote = s3::open(World::real(), "tide", options, None).await.expect("opens");
                remote.put(&bytes_put(5, Condition::Absent), &Unwatched).await.expect("stored");
            }
            // Their buckets are part of the host, which no address of numbers has room for.
            for name in ["digitalocean", "hetzner", "alibaba"] {
                let options = S3Options { endpoint: endpoint.clone(), region: Some("r-1".to_owned()), ..of(name) };
                let remote = s3::open(World::real(), "tide", options, None).await.expect("opens");
                remote.put(&bytes_put(5, Condition::Absent), &Unwatched).await.expect("stored by path");
            }
        });
        return;
    }
    let seen = server.seen();
    assert!(seen[0].is("PUT /tide/some/key ") && scope(&seen[0]).contains("/auto/s3/"), "{}", scope(&seen[0]));
    assert!(seen[0].header("x-amz-checksum-crc64nvme").is_empty() && !seen[0].header("content-md5").is_empty());
    assert!(scope(&seen[1]).contains("/garage/s3/") && !seen[1].header("x-amz-checksum-crc64nvme").is_empty());
    assert_eq!(seen.len(), 5);
    assert!(seen.iter().all(|request| request.is("PUT /tide/some/key ")), "by path");
}
