//! The one place that sends.
//!
//! A [`Request`] goes out signed and comes back as a [`Reply`] or an error of a
//! known kind. What can be put right without guessing is put right once and sent
//! again, because the server refused and did nothing: the bucket's region, our
//! clock, expired credentials. No other redirect is followed and nothing else is
//! retried: that is the retry layer's business. Nothing secret leaves in errors.

use super::address::{Address, Endpoint};
use super::config::{Settings, chain};
use super::connect::{Dialer, dialer, proxies, proxy_authorization};
use super::credentials::Keyring;
use super::headers;
use super::provider::Provider;
use super::refusal::{Effect, Refusal};
use super::reply::{Parcel, Reply, watched};
use super::sign::{Occasion, Signable, Signer, UNSIGNED, payload_hash};
use crate::Encryption;
use crate::bandwidth::Bandwidth;
use crate::error::{Error, ErrorKind, Result};
use crate::world::World;
use aws_credential_types::Credentials;
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_LENGTH, HOST, PROXY_AUTHORIZATION, USER_AGENT};
use http::{HeaderName, HeaderValue, Method, Uri};
use hyper_util::client::legacy::Client as Http;
use hyper_util::client::proxy::matcher::Matcher;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use jiff::Timestamp;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;
use tidelock_core::path::Key;

/// How long nothing may move before a request is given up.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);
/// The same for bodies that a slow line may take long to carry after the last of
/// their bytes went into the socket's buffer.
const BODY_PATIENCE: Duration = Duration::from_secs(180);
const LONG_BODY_BYTES: usize = 1 << 20;
/// The same for requests that make the server move many bytes before it answers.
pub(super) const LONG_PATIENCE: Duration = Duration::from_secs(600);
/// A clock this far off is taken for the reason of a bare 403.
const SKEW_LIMIT_MS: i64 = 10 * 60 * 1000;
const UNKNOWN_SKEW: i64 = i64::MIN;

/// One request to the bucket, or to a key in it.
pub(super) struct Request<'a> {
    pub(super) op: &'static str,
    pub(super) method: Method,
    pub(super) key: Option<&'a Key>,
    pub(super) query: Vec<(&'a str, &'a str)>,
    pub(super) headers: Vec<(HeaderName, HeaderValue)>,
    pub(super) body: Bytes,
    pub(super) effect: Effect,
    /// The S3 permission it needs, for whoever lacks it.
    pub(super) permission: &'static str,
    pub(super) patience: Duration,
}

impl<'a> Request<'a> {
    /// A request that changes nothing.
    pub(super) fn reading(op: &'static str, method: Method, key: Option<&'a Key>, permission: &'static str) -> Self {
        Self {
            op,
            method,
            key,
            query: Vec::new(),
            headers: Vec::new(),
            body: Bytes::new(),
            effect: Effect::Harmless,
            permission,
            patience: PATIENCE,
        }
    }

    /// A request that changes something.
    pub(super) fn changing(op: &'static str, method: Method, key: Option<&'a Key>, permission: &'static str) -> Self {
        Self { effect: Effect::Changes, ..Self::reading(op, method, key, permission) }
    }

    /// Adds a header. Values with characters that no header can hold are errors.
    pub(super) fn header(&mut self, name: &str, value: &str) -> Result<()> {
        let wrong = |what: &str| Error::new(ErrorKind::Config, self.op, format!("{what}: {name:?}"));
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| wrong("not a header name"))?;
        if !value.is_ascii() {
            return Err(wrong("a metadata value must be ASCII"));
        }
        let value = HeaderValue::from_str(value).map_err(|_| wrong("a value that no header can hold"))?;
        self.headers.push((name, value));
        Ok(())
    }
}

/// Where the bucket is, as far as is known.
#[derive(Clone)]
struct Place {
    endpoint: Endpoint,
    region: String,
}

/// Sends requests to one bucket.
pub(super) struct Client {
    pub(super) world: World,
    pub(super) bucket: String,
    http: Http<Dialer, Parcel>,
    proxies: Arc<Matcher>,
    settings: Settings,
    place: RwLock<Arc<Place>>,
    keyring: Keyring,
    signer: Signer,
    /// How far the server's clock is ahead, in milliseconds.
    skew_ms: AtomicI64,
    /// What signatures add to our clock: nothing until a server complained.
    correction_ms: AtomicI64,
    /// The bucket was seen to exist.
    pub(super) seen: AtomicBool,
    /// What the server last called itself.
    server: Mutex<Option<String>>,
    /// How fast bodies leave.
    pub(super) bandwidth: Option<Arc<Bandwidth>>,
}

/// Which corrections a request has already had.
#[derive(Default)]
struct Corrected {
    region: bool,
    clock: bool,
    credentials: bool,
}

impl Client {
    pub(super) fn new(world: World, bucket: &str, settings: Settings) -> Result<Self> {
        let proxies = proxies();
        let connector = dialer(settings.endpoint.tls, settings.ca_bundle.as_deref(), proxies.clone())?;
        let http = Http::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(Duration::from_secs(15))
            .pool_max_idle_per_host(256)
            .build(connector);
        let place = Place { endpoint: settings.endpoint.clone(), region: settings.region.clone() };
        Ok(Self {
            keyring: Keyring::new(world.clone(), settings.credentials.clone(), settings.source.clone()),
            world,
            bucket: bucket.to_owned(),
            http,
            proxies,
            settings,
            place: RwLock::new(Arc::new(place)),
            signer: Signer::default(),
            skew_ms: AtomicI64::new(UNKNOWN_SKEW),
            correction_ms: AtomicI64::new(0),
            seen: AtomicBool::new(false),
            server: Mutex::default(),
            bandwidth: None,
        })
    }

    /// Sends, and returns the reply if it is a success.
    pub(super) async fn send(&self, request: &Request<'_>) -> Result<Reply> {
        let mut corrected = Corrected::default();
        loop {
            let place = self.place();
            let reply = self.once(request, &place).await.map_err(|error| about(error, request.key))?;
            if reply.status.is_success() {
                self.seen.store(true, Ordering::Relaxed);
                return Ok(reply);
            }
            let bodiless = request.method == Method::HEAD;
            let (status, headers) = (reply.status, reply.headers.clone());
            // A refusal whose text does not arrive is still a refusal.
            let body = if bodiless { Bytes::new() } else { reply.bytes().await.unwrap_or_default() };
            let refusal = Refusal::read(status, &headers, &body);
            let region = headers.get("x-amz-bucket-region").and_then(|value| value.to_str().ok());
            if self.correct(&refusal, region, &place, &mut corrected).await {
                continue;
            }
            let error = self.refused(&refusal, request.op, request.effect, request.permission);
            return Err(about(error, request.key));
        }
    }

    /// The error for a refusal, also for one that came inside a success.
    pub(super) fn refused(&self, refusal: &Refusal, op: &'static str, effect: Effect, permission: &str) -> Error {
        refusal.error(op, effect, permission, &self.bucket, &self.place().endpoint.url())
    }

    /// How far the server's clock is ahead of ours, if it told.
    pub(super) fn clock_skew_ms(&self) -> Option<i64> {
        Some(self.skew_ms.load(Ordering::Relaxed)).filter(|skew| *skew != UNKNOWN_SKEW)
    }

    /// What the server calls itself, version and all, once it has answered.
    pub(super) fn server(&self) -> Option<String> {
        self.server.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How what is written is to be encrypted there.
    pub(super) fn encryption(&self) -> Option<&Encryption> {
        self.settings.encryption.as_ref()
    }

    /// The place's habits.
    pub(super) fn provider(&self) -> &'static Provider {
        self.settings.provider
    }

    /// Whether Amazon runs the place.
    pub(super) fn is_amazon(&self) -> bool {
        self.place().endpoint.amazon
    }

    /// `https://host/`, for people and as a name for what is known of the place.
    pub(super) fn url(&self) -> String {
        self.settings.endpoint.url()
    }

    fn place(&self) -> Arc<Place> {
        self.place.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn once(&self, request: &Request<'_>, place: &Place) -> Result<Reply> {
        let credentials = self.keyring.current().await?;
        let moved = Arc::new(AtomicU64::new(0));
        let outgoing = self.prepare(request, place, &credentials, &moved)?;
        let (scheme, host) = (outgoing.uri().scheme_str(), outgoing.uri().authority());
        let url = format!("{}://{}", scheme.unwrap_or_default(), host.map_or("", |host| host.as_str()));
        let long = request.body.len() >= LONG_BODY_BYTES;
        let patience = if long { request.patience.max(BODY_PATIENCE) } else { request.patience };
        let answer = watched(&self.world, patience, &moved, self.http.request(outgoing)).await;
        let response = match answer {
            Some(Ok(response)) => response,
            Some(Err(error)) => return Err(failed(&error, request, &url)),
            None => {
                // A body that was never asked for never left.
                let unsent = !request.body.is_empty() && moved.load(Ordering::Relaxed) == 0;
                let kind = if unsent { ErrorKind::Transient } else { request.effect.lost() };
                let text = format!("{url} said nothing for {} s", patience.as_secs());
                return Err(Error::new(kind, request.op, text));
            }
        };
        self.learn_time(response.headers());
        if let Some(name) = headers::text(response.headers(), "server") {
            let mut server = self.server.lock().unwrap_or_else(PoisonError::into_inner);
            if server.as_deref() != Some(name) {
                *server = Some(name.to_owned());
            }
        }
        Ok(Reply::new(response, self.world.clone(), request))
    }

    /// Signs the request and makes it what hyper sends.
    fn prepare(
        &self,
        request: &Request<'_>,
        place: &Place,
        credentials: &Credentials,
        moved: &Arc<AtomicU64>,
    ) -> Result<http::Request<Parcel>> {
        let key = request.key.map(Key::as_str);
        let address = Address::of(&place.endpoint, self.settings.path_style, &self.bucket, key, &request.query);
        let impossible = |what: &str| Error::new(ErrorKind::Config, request.op, format!("{what} cannot be sent"));
        let value = |text: &str| HeaderValue::from_str(text).map_err(|_| impossible("a header"));
        let stamp = self.stamp();
        let plain_body = place.endpoint.tls || place.endpoint.is_loopback();
        let payload = if plain_body && !self.settings.sign_payload && !request.body.is_empty() {
            UNSIGNED.to_owned()
        } else {
            payload_hash(&request.body)
        };
        let mut headers = request.headers.clone();
        headers.push((HOST, value(&address.host)?));
        headers.push((HeaderName::from_static("x-amz-date"), value(&stamp)?));
        headers.push((HeaderName::from_static("x-amz-content-sha256"), value(&payload)?));
        if let Some(token) = credentials.session_token() {
            let mut token = value(token)?;
            token.set_sensitive(true);
            headers.push((HeaderName::from_static("x-amz-security-token"), token));
        }
        let method = request.method.as_str();
        let mut what =
            Signable { method, path: &address.path, query: &address.query, headers: &mut headers, payload: &payload };
        let when = Occasion {
            key_id: credentials.access_key_id(),
            secret: credentials.secret_access_key(),
            region: &place.region,
            stamp: &stamp,
        };
        let mut authorization = value(&self.signer.authorize(&mut what, &when))?;
        authorization.set_sensitive(true);
        let scheme = if place.endpoint.tls { "https" } else { "http" };
        let question = if address.query.is_empty() { "" } else { "?" };
        let uri: Uri = format!("{scheme}://{}{}{question}{}", address.host, address.path, address.query)
            .parse()
            .map_err(|_| impossible("the address"))?;
        let proxy = proxy_authorization(&self.proxies, &uri);
        let mut outgoing = http::Request::new(Parcel::new(request.body.clone(), moved.clone(), self.bandwidth.clone()));
        *outgoing.method_mut() = request.method.clone();
        *outgoing.uri_mut() = uri;
        let map = outgoing.headers_mut();
        map.extend(headers);
        map.insert(AUTHORIZATION, authorization);
        if request.method == Method::PUT || request.method == Method::POST {
            // Also of nothing, which some servers insist on being told.
            map.insert(CONTENT_LENGTH, HeaderValue::from(request.body.len()));
        }
        map.insert(USER_AGENT, HeaderValue::from_static(concat!("tidelock/", env!("CARGO_PKG_VERSION"))));
        if let Some(proxy) = proxy {
            map.insert(PROXY_AUTHORIZATION, proxy);
        }
        Ok(outgoing)
    }

    /// Now, as signatures write it.
    fn stamp(&self) -> String {
        let now_ms = self.world.clock.wall_ns() / 1_000_000 + self.correction_ms.load(Ordering::Relaxed);
        let now = Timestamp::from_millisecond(now_ms).unwrap_or_default().to_zoned(jiff::tz::TimeZone::UTC);
        let (date, time) = (now.date(), now.time());
        format!(
            "{:04}{:02}{:02}T{:02}{:02}{:02}Z",
            date.year(),
            date.month(),
            date.day(),
            time.hour(),
            time.minute(),
            time.second()
        )
    }

    fn learn_time(&self, headers: &http::HeaderMap) {
        if let Some(there_s) = super::headers::http_date(headers, "date") {
            // The header is cut to whole seconds: half of one is its middle.
            let skew = there_s * 1000 + 500 - self.world.clock.wall_ns() / 1_000_000;
            self.skew_ms.store(skew, Ordering::Relaxed);
        }
    }

    /// Puts right what a refusal tells, once each; `true` if the request may go
    /// again. A refused request changed nothing.
    async fn correct(&self, refusal: &Refusal, region: Option<&str>, place: &Place, had: &mut Corrected) -> bool {
        let bare = refusal.code.is_empty();
        let region = region.or(refusal.region.as_deref()).filter(|region| is_region(region) && *region != place.region);
        if let Some(region) = region
            && matches!(refusal.status, 301 | 307 | 400 | 403)
            && !std::mem::replace(&mut had.region, true)
        {
            self.move_to(region, place);
            return true;
        }
        let skew = self.clock_skew_ms().unwrap_or(0);
        let off = skew - self.correction_ms.load(Ordering::Relaxed);
        let late =
            refusal.code == "RequestTimeTooSkewed" || (bare && refusal.status == 403 && off.abs() > SKEW_LIMIT_MS);
        if late && off != 0 && !std::mem::replace(&mut had.clock, true) {
            self.correction_ms.store(skew, Ordering::Relaxed);
            return true;
        }
        let expired = matches!(refusal.code.as_str(), "ExpiredToken" | "InvalidToken" | "TokenRefreshRequired");
        if expired && !std::mem::replace(&mut had.credentials, true) {
            self.keyring.forget().await;
            self.signer.forget();
            return true;
        }
        false
    }

    /// Remembers the bucket's region. Only Amazon's public hosts follow it; any
    /// other endpoint stays the only one that ever sees a signature.
    fn move_to(&self, region: &str, from: &Place) {
        let public = |region: &str| Endpoint::amazon(region, self.settings.fips, self.settings.dual_stack);
        let global = from.endpoint.tls && from.endpoint.authority == "s3.amazonaws.com";
        let follows = global || from.endpoint == public(&from.region);
        let endpoint = if follows { public(region) } else { from.endpoint.clone() };
        let place = Place { endpoint, region: region.to_owned() };
        *self.place.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(place);
    }
}

/// Whether a server's word may become part of a host name.
fn is_region(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 32
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

fn about(error: Error, key: Option<&Key>) -> Error {
    match key {
        Some(key) => error.on(key),
        None => error,
    }
}

/// What a failure below HTTP means: whether anything was sent decides.
fn failed(error: &hyper_util::client::legacy::Error, request: &Request<'_>, url: &str) -> Error {
    let text = chain(error);
    if error.is_connect() {
        let mut message = format!("{url} cannot be reached: {text}");
        if text.contains("UnknownIssuer") {
            message.push_str("; if its certificate is your own, name it in AWS_CA_BUNDLE");
        }
        return Error::new(ErrorKind::Unreachable, request.op, message);
    }
    let below = std::error::Error::source(error).and_then(|source| source.downcast_ref::<hyper::Error>());
    if below.is_some_and(hyper::Error::is_canceled) {
        return Error::new(
            ErrorKind::Transient,
            request.op,
            format!("the connection to {url} closed before it was used"),
        );
    }
    Error::new(request.effect.lost(), request.op, format!("no reply from {url}: {text}"))
}
