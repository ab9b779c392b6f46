//! The habits of known services, as pure data.
//!
//! Where they listen, how buckets are named, which checksums they know and what
//! parts they take: from their documentation and from what other tools had to learn
//! (docs/providers.md, which a test holds against this table). What a service can do
//! beyond that is never assumed: it is probed by writing.

/// What `other` means, and everything that is not said: S3 as Amazon has it.
const USUAL: Provider = Provider {
    name: "other",
    title: "any other service",
    endpoint: None,
    region: Some("us-east-1"),
    path_style: None,
    crc64nvme: true,
    parts: PartRules { max: 10_000, copy_max_bytes: 5 << 30, equal: false },
    tested: true,
};

/// One service.
#[derive(Debug, PartialEq, Eq)]
pub struct Provider {
    /// What `--provider` and the config call it.
    pub name: &'static str,
    /// What people call it.
    pub title: &'static str,
    /// Where it listens, with `{region}` in place of the region; none if that is the
    /// user's own.
    pub endpoint: Option<&'static str>,
    /// The region where none is said; none if one must be.
    pub region: Option<&'static str>,
    /// Whether buckets are named in the path; none for the usual choice.
    pub path_style: Option<bool>,
    /// Whether CRC64NVME may be sent. Where not, `Content-MD5` is.
    pub crc64nvme: bool,
    /// What it asks of parts and copies.
    pub parts: PartRules,
    /// Whether our own tests run against it.
    pub tested: bool,
}

/// What a service asks of uploads in parts, and of copies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PartRules {
    /// How many parts there may be.
    pub max: u64,
    /// The largest object that one request copies.
    pub copy_max_bytes: u64,
    /// Whether all parts but the last must be equally large.
    pub equal: bool,
}

/// Copies of any size are one request.
const COPIES_ALL: PartRules = PartRules { copy_max_bytes: u64::MAX, ..USUAL.parts };

/// A service of which only names and addresses are known.
const fn named(name: &'static str, title: &'static str, path_style: Option<bool>) -> Provider {
    Provider { name, title, path_style, tested: false, ..USUAL }
}

/// A service that listens at a host for each region.
const fn regional(name: &'static str, title: &'static str, endpoint: &'static str, path_style: bool) -> Provider {
    Provider { endpoint: Some(endpoint), region: None, ..named(name, title, Some(path_style)) }
}

/// All that are known.
pub const PROVIDERS: &[Provider] = &[
    Provider { region: None, ..named("aws", "Amazon S3", None) },
    Provider {
        parts: PartRules { copy_max_bytes: 1 << 30, ..USUAL.parts },
        ..regional("alibaba", "Alibaba Cloud OSS", "https://oss-{region}.aliyuncs.com", false)
    },
    regional("b2", "Backblaze B2", "https://s3.{region}.backblazeb2.com", true),
    named("ceph", "Ceph RGW", Some(true)),
    regional("digitalocean", "DigitalOcean Spaces", "https://{region}.digitaloceanspaces.com", false),
    Provider { region: Some("garage"), ..named("garage", "Garage", Some(true)) },
    Provider {
        endpoint: Some("https://storage.googleapis.com"),
        region: Some("auto"),
        crc64nvme: false,
        parts: COPIES_ALL,
        ..named("gcs", "Google Cloud Storage", Some(true))
    },
    regional("hetzner", "Hetzner Object Storage", "https://{region}.your-objectstorage.com", false),
    named("idrive", "IDrive e2", Some(true)),
    regional("ionos", "IONOS Cloud", "https://s3.{region}.ionoscloud.com", true),
    regional("linode", "Linode Object Storage", "https://{region}.linodeobjects.com", false),
    named("minio", "MinIO", Some(true)),
    regional("ovh", "OVHcloud", "https://s3.{region}.io.cloud.ovh.net", false),
    Provider {
        region: Some("auto"),
        parts: PartRules { equal: true, ..USUAL.parts },
        ..named("r2", "Cloudflare R2", Some(true))
    },
    Provider { parts: COPIES_ALL, tested: true, ..named("rclone", "rclone serve s3", Some(true)) },
    Provider {
        parts: PartRules { max: 1_000, ..USUAL.parts },
        ..regional("scaleway", "Scaleway", "https://s3.{region}.scw.cloud", false)
    },
    named("seaweedfs", "SeaweedFS", Some(true)),
    Provider {
        endpoint: Some("https://gateway.storjshare.io"),
        parts: COPIES_ALL,
        ..named("storj", "Storj", Some(true))
    },
    regional("tencent", "Tencent COS", "https://cos.{region}.myqcloud.com", false),
    regional("wasabi", "Wasabi", "https://s3.{region}.wasabisys.com", true),
    USUAL,
];

impl Provider {
    /// The one of this name.
    pub fn named(name: &str) -> Option<&'static Self> {
        PROVIDERS.iter().find(|provider| provider.name == name)
    }

    /// What holds where nobody named one.
    pub(super) fn usual() -> &'static Self {
        &USUAL
    }

    /// All names, for people.
    pub fn names() -> String {
        PROVIDERS.iter().map(|provider| provider.name).collect::<Vec<_>>().join(", ")
    }

    /// Whether its address depends on the region.
    pub(super) fn is_regional(&self) -> bool {
        self.endpoint.is_some_and(|endpoint| endpoint.contains("{region}"))
    }

    /// Where it listens for a region.
    pub(super) fn address(&self, region: &str) -> Option<String> {
        self.endpoint.map(|endpoint| endpoint.replace("{region}", region))
    }
}

#[cfg(test)]
mod tests {
    use super::super::address::Endpoint;
    use super::*;

    #[test]
    fn every_address_is_one() {
        for provider in PROVIDERS {
            assert_eq!(Provider::named(provider.name), Some(provider), "one of each name");
            let Some(address) = provider.address("eu-west-1") else { continue };
            let endpoint = Endpoint::parse(&address).expect("usable");
            assert!(endpoint.tls && endpoint.base.is_empty() && !address.contains('{'), "{address}");
            assert_eq!(provider.is_regional(), address.contains("eu-west-1"));
            assert!(provider.is_regional() != provider.region.is_some(), "{}: one or the other", provider.name);
        }
        assert_eq!(Provider::named("nobody"), None);
    }

    /// The rows of docs/providers.md say what the table does.
    #[test]
    fn the_page_is_true() {
        let page = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/providers.md");
        let page = std::fs::read_to_string(page).expect("docs/providers.md");
        let rows: Vec<&str> = page.lines().filter(|line| line.starts_with("| `")).collect();
        let expected: Vec<String> = PROVIDERS.iter().map(row).collect();
        for (row, expected) in rows.iter().zip(&expected) {
            assert_eq!(row, expected);
        }
        assert_eq!(rows.len(), expected.len(), "a row for each");
    }

    fn row(provider: &Provider) -> String {
        let endpoint = match (provider.name, provider.endpoint) {
            ("aws", _) => "`https://s3.{region}.amazonaws.com`".to_owned(),
            (_, Some(endpoint)) => format!("`{endpoint}`"),
            (_, None) => "yours".to_owned(),
        };
        let region = provider.region.map_or("yours".to_owned(), |region| format!("`{region}`"));
        let addressing = match provider.path_style {
            Some(true) => "in the path",
            Some(false) => "in the host",
            None if provider.name == "aws" => "in the host",
            None => "in the path",
        };
        let checksum = if provider.crc64nvme { "CRC64NVME, MD5" } else { "MD5" };
        let PartRules { max, copy_max_bytes, equal } = provider.parts;
        let mut parts = format!("{max}{}", if equal { ", equal" } else { "" });
        if copy_max_bytes != USUAL.parts.copy_max_bytes {
            let limit = match copy_max_bytes {
                u64::MAX => "of any size".to_owned(),
                bytes => format!("to {} GiB", bytes >> 30),
            };
            parts.push_str(&format!("; copies {limit}"));
        }
        let tested = if provider.tested { "*tested by us*" } else { "*not tested*" };
        format!(
            "| `{}` | {} | {endpoint} | {region} | {addressing} | {checksum} | {parts} | {tested} |",
            provider.name, provider.title
        )
    }
}
