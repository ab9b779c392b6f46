//! What a server's refusal means.
//!
//! Turns a status and an error code into an [`ErrorKind`] and a sentence that names
//! the thing and the remedy. Whether to try again is the caller's decision.

use super::xml::{Step, walk};
use crate::error::{Error, ErrorKind};
use http::{HeaderMap, StatusCode};
use std::time::Duration;

/// Whether a request can change anything, and so whether losing its reply matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    /// Sending it twice is the same as once.
    Harmless,
    /// It may have been applied though no reply came.
    Changes,
}

impl Effect {
    /// The kind of a reply that never came.
    pub(super) fn lost(self) -> ErrorKind {
        match self {
            Self::Harmless => ErrorKind::Transient,
            Self::Changes => ErrorKind::OutcomeUnknown,
        }
    }
}

/// The code for a storage class that is none, or none of this service.
const NO_CLASS: &str = "InvalidStorageClass";

/// An answer that is not a success.
#[derive(Debug, Default)]
pub(super) struct Refusal {
    pub(super) status: u16,
    pub(super) code: String,
    pub(super) message: String,
    /// The region that the body names.
    pub(super) region: Option<String>,
    pub(super) request_id: Option<String>,
    pub(super) retry_after: Option<Duration>,
}

/// What a person can do where something else answers.
pub(super) fn not_s3(place: &str) -> String {
    format!("; what answers at {place} does not look like an S3 service: check --endpoint, and any proxy on the way")
}

impl Refusal {
    /// Reads the reply's headers and as much of its body as is an S3 error.
    pub(super) fn read(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Self {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let mut refusal = Self {
            status: status.as_u16(),
            request_id: text("x-amz-request-id"),
            retry_after: text("retry-after").and_then(|value| value.parse().ok()).map(Duration::from_secs),
            ..Self::default()
        };
        // A proxy's page of HTML is not an error of S3: then the status must do.
        let _ = walk(body, |path, step| {
            if let Step::Close(text) = step {
                match path {
                    "Error/Code" => text.clone_into(&mut refusal.code),
                    "Error/Message" => text.clone_into(&mut refusal.message),
                    "Error/Region" => refusal.region = Some(text.to_owned()),
                    "Error/RequestId" => refusal.request_id = Some(text.to_owned()),
                    _ => {}
                }
            }
        });
        refusal
    }

    /// What the caller may do about it.
    pub(super) fn kind(&self, effect: Effect) -> ErrorKind {
        match self.code.as_str() {
            "PreconditionFailed" => ErrorKind::Precondition,
            "ConditionalRequestConflict" | "OperationAborted" => ErrorKind::Conflict,
            "NoSuchBucket" => ErrorKind::NoBucket,
            "NoSuchKey" | "NoSuchVersion" => ErrorKind::NotFound,
            "NoSuchUpload" => ErrorKind::NoUpload,
            "AccessDenied" | "AllAccessDisabled" | "AccountProblem" => ErrorKind::Denied,
            "InvalidAccessKeyId"
            | "SignatureDoesNotMatch"
            | "ExpiredToken"
            | "InvalidToken"
            | "TokenRefreshRequired"
            | "InvalidClientTokenId"
            | "AuthorizationHeaderMalformed"
            | "UnauthorizedAccess" => ErrorKind::Credentials,
            "RequestTimeTooSkewed" => ErrorKind::ClockSkew,
            "InvalidObjectState" => ErrorKind::Archived,
            NO_CLASS => ErrorKind::Config,
            "NotImplemented" | "MethodNotAllowed" => ErrorKind::Unsupported,
            "SlowDown"
            | "SlowDownRead"
            | "SlowDownWrite"
            | "ServiceUnavailable"
            | "Throttling"
            | "ThrottlingException"
            | "RequestLimitExceeded"
            | "TooManyRequests"
            | "BandwidthLimitExceeded" => ErrorKind::Busy(self.retry_after),
            "InternalError" | "RequestTimeout" => ErrorKind::Transient,
            "BadDigest"
            | "InvalidDigest"
            | "XAmzContentSHA256Mismatch"
            | "XAmzContentChecksumMismatch"
            | "IncompleteBody"
            | "InvalidRange"
            | "EntityTooSmall"
            | "InvalidPart" => ErrorKind::Corrupt,
            "KeyTooLongError" | "KeyTooLong" | "InvalidObjectName" | "XMinioInvalidObjectName" => ErrorKind::Name,
            "QuotaExceeded" | "XMinioStorageFull" | "InsufficientStorage" | "InsufficientCapacity" => ErrorKind::Full,
            _ => self.kind_by_status(effect),
        }
    }

    fn kind_by_status(&self, effect: Effect) -> ErrorKind {
        match self.status {
            401 => ErrorKind::Credentials,
            403 => ErrorKind::Denied,
            404 => ErrorKind::NotFound,
            405 | 501 => ErrorKind::Unsupported,
            407 => ErrorKind::Unreachable,
            408 => ErrorKind::Transient,
            409 => ErrorKind::Conflict,
            412 => ErrorKind::Precondition,
            416 => ErrorKind::Corrupt,
            429 | 503 => ErrorKind::Busy(self.retry_after),
            // Something between us and the place lost the reply.
            502 | 504 => effect.lost(),
            507 => ErrorKind::Full,
            500..=599 => ErrorKind::Transient,
            300..=399 => ErrorKind::Config,
            _ => ErrorKind::Other,
        }
    }

    /// The error. `permission` is the S3 permission the request needed, `bucket` and
    /// `place` are for people.
    pub(super) fn error(&self, op: &'static str, effect: Effect, permission: &str, bucket: &str, place: &str) -> Error {
        let kind = self.kind(effect);
        let mut text = match (self.code.as_str(), self.message.as_str()) {
            ("", _) => format!("the server answered {}", self.status),
            (code, "") => format!("{code} ({})", self.status),
            (code, message) => format!("{code}: {} ({})", message.trim_end_matches('.'), self.status),
        };
        let remedy = match kind {
            ErrorKind::Denied => format!("; the credentials need {permission} on the bucket {bucket:?}"),
            // Whoever speaks S3 says which of its errors it is.
            ErrorKind::NotFound | ErrorKind::Unsupported | ErrorKind::Other if op == "list" && self.code.is_empty() => {
                not_s3(place)
            }
            ErrorKind::NoBucket => {
                format!("; there is no bucket {bucket:?} at {place}: create it or correct its name")
            }
            ErrorKind::Credentials => "; check the access key, the profile and the region".to_owned(),
            ErrorKind::ClockSkew => "; set this machine's clock".to_owned(),
            ErrorKind::Archived => "; the object is archived and must be restored there first".to_owned(),
            ErrorKind::Unreachable => format!("; the proxy on the way to {place} wants other credentials"),
            ErrorKind::Config if self.code == NO_CLASS => {
                "; give --storage-class one that this service has: at Amazon \
                STANDARD, STANDARD_IA, ONEZONE_IA, INTELLIGENT_TIERING, GLACIER_IR, GLACIER or DEEP_ARCHIVE, elsewhere \
                often STANDARD alone"
                    .to_owned()
            }
            ErrorKind::Config => format!("; {place} is not where this bucket is: check --endpoint and --region"),
            _ => String::new(),
        };
        text.push_str(&remedy);
        if let Some(id) = &self.request_id
            && !matches!(kind, ErrorKind::Precondition | ErrorKind::NotFound)
        {
            text.push_str(&format!(" [request {id}]"));
        }
        Error::new(kind, op, text)
    }
}
