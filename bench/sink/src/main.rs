//! An S3 server in memory, to measure clients by.
//!
//! It is faster than they are, so that what is measured is they; it means what S3 means
//! by its operations, conditions and checksums, and counts requests and bytes. What costs
//! it time, MD5s above all, is asked for by option. Signatures are not looked at: do
//! not let it listen where others can reach it.

mod body;
mod counts;
mod digest;
mod face;
mod store;
mod xml;

use clap::{Parser, ValueEnum};
use digest::Checksums;
use face::{Behaviour, Sink};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tokio::net::TcpListener;

/// How entity tags are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Etag {
    /// The MD5 of the bytes.
    Md5,
    /// A number, in a form that nobody takes for an MD5.
    Fast,
}

/// An S3 server in memory, to measure clients by.
#[derive(Debug, Parser)]
struct Options {
    /// Where to listen; port 0 takes a free one, which is printed.
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// How entity tags are made.
    #[arg(long, value_enum, default_value = "md5")]
    etag: Etag,
    /// Which checksums are held against the bytes; the CRCs cost next to nothing.
    #[arg(long, value_enum, default_value = "crc")]
    checksums: Checksums,
    /// Forget the bytes of objects from 1 KiB on, and answer with zeros.
    #[arg(long)]
    discard: bool,
    /// What every request waits, in milliseconds.
    #[arg(long, default_value_t = 0)]
    latency_ms: u64,
    /// End when standard input ends, so that nobody is left behind by who started it.
    #[arg(long)]
    with_stdin: bool,
    /// A bucket to begin with.
    #[arg(long, default_value = "bench")]
    bucket: Vec<String>,
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let options = Options::parse();
    let behaviour =
        Behaviour { md5_etags: options.etag == Etag::Md5, checksums: options.checksums, discards: options.discard };
    let latency_ms = options.latency_ms.into();
    let sink =
        Arc::new(Sink { store: store::Store::default(), counts: counts::Counts::default(), behaviour, latency_ms });
    options.bucket.iter().for_each(|name| sink.store.make_bucket(name));
    if options.with_stdin {
        std::thread::spawn(|| {
            let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
            std::process::exit(0);
        });
    }
    let listener = TcpListener::bind(options.listen).await?;
    println!("http://{}", listener.local_addr()?);
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        sink.counts.connections.fetch_add(1, Ordering::Relaxed);
        let sink = Arc::clone(&sink);
        tokio::spawn(async move {
            let answer = service_fn(move |request| {
                let sink = Arc::clone(&sink);
                async move { Ok::<_, Infallible>(sink.answer(request).await) }
            });
            // A client that goes away is its own business.
            let _ = http1::Builder::new().max_buf_size(1 << 20).serve_connection(TokioIo::new(stream), answer).await;
        });
    }
}
