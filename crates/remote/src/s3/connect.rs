//! Connections: TCP, proxies, TLS.
//!
//! Knows which proxy stands between us and a host (`HTTP_PROXY`, `HTTPS_PROXY`,
//! `ALL_PROXY`, `NO_PROXY`), how to tunnel through it, and which certificates are
//! trusted. It knows nothing of S3, and everything that fails here failed before a
//! request was sent.

use crate::error::{Error, ErrorKind, Result};
use http::{HeaderValue, Uri};
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::client::legacy::connect::{Connected, Connection, HttpConnector};
use hyper_util::client::proxy::matcher::Matcher;
use hyper_util::rt::TokioIo;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use std::future::Future;
use std::io;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::net::TcpStream;
use tower_service::Service;

/// How long a connection may take to be made.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// What the client dials with.
pub(super) type Dialer = HttpsConnector<Route>;

/// The proxies that the environment names.
pub(super) fn proxies() -> Arc<Matcher> {
    Arc::new(Matcher::from_env())
}

/// A dialer that trusts `ca_bundle`, or what the system trusts. Certificates are
/// read only if TLS is wanted.
pub(super) fn dialer(tls: bool, ca_bundle: Option<&Path>, proxies: Arc<Matcher>) -> Result<Dialer> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    // Others that build a configuration without naming a provider find one. It may
    // be installed already, which is as good.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let roots = if tls { roots(ca_bundle)? } else { RootCertStore::empty() };
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::new(ErrorKind::Config, "connect", format!("TLS cannot be set up: {error}")))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(HttpsConnectorBuilder::new()
        .with_tls_config(config)
        .https_or_http()
        .enable_http1()
        .wrap_connector(Route::new(proxies)))
}

fn roots(ca_bundle: Option<&Path>) -> Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    let Some(path) = ca_bundle else {
        let found = rustls_native_certs::load_native_certs();
        roots.add_parsable_certificates(found.certs);
        return Ok(roots);
    };
    let wrong = |why: String| {
        Error::new(ErrorKind::Config, "connect", format!("the CA bundle {} cannot be read: {why}", path.display()))
    };
    let found = CertificateDer::pem_file_iter(path).map_err(|error| wrong(error.to_string()))?;
    let found: Vec<_> = found.collect::<std::result::Result<_, _>>().map_err(|error| wrong(error.to_string()))?;
    // As with the system's own, a certificate of an unknown kind helps nobody and
    // harms nobody.
    roots.add_parsable_certificates(found);
    if roots.is_empty() {
        return Err(wrong("it holds no certificate".to_owned()));
    }
    Ok(roots)
}

/// Opens TCP connections, by way of a proxy where one is set.
#[derive(Clone)]
pub(super) struct Route {
    tcp: HttpConnector,
    proxies: Arc<Matcher>,
}

impl Route {
    fn new(proxies: Arc<Matcher>) -> Self {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(CONNECT_TIMEOUT));
        tcp.set_keepalive(Some(Duration::from_secs(60)));
        Self { tcp, proxies }
    }
}

/// What a request in the clear must carry to be let through by its proxy; a tunnel
/// is let through once.
pub(super) fn proxy_authorization(proxies: &Matcher, uri: &Uri) -> Option<HeaderValue> {
    (uri.scheme_str() == Some("http")).then(|| proxies.intercept(uri))??.basic_auth().cloned()
}

impl Service<Uri> for Route {
    type Response = Link;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = std::result::Result<Link, BoxError>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<std::result::Result<(), BoxError>> {
        Service::poll_ready(&mut self.tcp, context).map_err(Into::into)
    }

    fn call(&mut self, to: Uri) -> Self::Future {
        let Some(proxy) = self.proxies.intercept(&to) else {
            let dialing = self.tcp.call(to);
            return Box::pin(async move { Ok(Link { io: dialing.await?, proxied: false }) });
        };
        if proxy.uri().scheme_str() != Some("http") {
            let scheme = proxy.uri().scheme_str().unwrap_or("none").to_owned();
            return Box::pin(async move {
                Err(format!("the proxy's scheme is {scheme}, and only http:// proxies are supported").into())
            });
        }
        let name = proxy.uri().authority().map_or("the proxy", |found| found.as_str()).to_owned();
        let failed = move |error: BoxError| -> BoxError { format!("the proxy {name} failed: {error}").into() };
        if to.scheme_str() == Some("https") {
            let mut tunnel = Tunnel::new(proxy.uri().clone(), self.tcp.clone());
            if let Some(authorization) = proxy.basic_auth() {
                tunnel = tunnel.with_auth(authorization.clone());
            }
            return Box::pin(async move {
                let io = tunnel.call(to).await.map_err(|error| failed(Box::new(error)))?;
                Ok(Link { io, proxied: true })
            });
        }
        let dialing = self.tcp.call(proxy.uri().clone());
        Box::pin(async move {
            let io = dialing.await.map_err(|error| failed(Box::new(error)))?;
            Ok(Link { io, proxied: true })
        })
    }
}

/// A connection that knows whether a proxy is at its other end.
pub(super) struct Link {
    io: TokioIo<TcpStream>,
    proxied: bool,
}

impl Connection for Link {
    fn connected(&self) -> Connected {
        self.io.inner().connected().proxy(self.proxied)
    }
}

impl Read for Link {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(cx, buf)
    }
}

impl Write for Link {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(cx, bufs)
    }
}
