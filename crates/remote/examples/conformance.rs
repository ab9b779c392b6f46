//! The conformance suite on a bucket of the reader's own: `make conformance URL=s3://…`.
//!
//! Reads what was asked for and prints what was found; `testing/yours.rs` does it.

use std::process::ExitCode;
use tidelock_remote::s3::S3Options;
use tidelock_remote::testing::yours::{Found, Yours, run};
use tidelock_remote::url::RemoteUrl;
use tidelock_remote::world::World;

const USAGE: &str = "conformance s3://BUCKET[/PREFIX] [--endpoint URL] [--region NAME] [--provider NAME] \
                     [--profile NAME] [--path-style] [--concurrency N] [--only CASE] [--except CASE]…";

fn main() -> ExitCode {
    let yours = match asked(std::env::args().skip(1)) {
        Ok(yours) => yours,
        Err(why) => {
            eprintln!("{why}\nusage: {USAGE}");
            return ExitCode::from(2);
        }
    };
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("no runtime: {error}");
            return ExitCode::FAILURE;
        }
    };
    match runtime.block_on(run(yours, World::real(), |place| println!("{place}"))) {
        Ok(found) => told(&found),
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn asked(mut words: impl Iterator<Item = String>) -> Result<Yours, String> {
    let url = words.next().ok_or("which bucket?")?;
    let (bucket, prefix) = match RemoteUrl::parse(&url) {
        Ok(RemoteUrl::S3 { bucket, prefix }) => (bucket, prefix),
        Ok(_) => return Err(format!("{url} is no bucket")),
        Err(error) => return Err(error.to_string()),
    };
    let mut yours = Yours { bucket, prefix, s3: S3Options::default(), concurrency: 16, only: None, except: Vec::new() };
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or(format!("{word} needs a value"));
        match word.as_str() {
            "--endpoint" => yours.s3.endpoint = Some(value()?),
            "--region" => yours.s3.region = Some(value()?),
            "--provider" => yours.s3.provider = Some(value()?),
            "--profile" => yours.s3.profile = Some(value()?),
            "--path-style" => yours.s3.path_style = Some(true),
            "--concurrency" => yours.concurrency = value()?.parse().map_err(|_| "write a number".to_owned())?,
            "--only" => yours.only = Some(value()?),
            "--except" => yours.except.push(value()?),
            _ => return Err(format!("{word} is not known")),
        }
    }
    Ok(yours)
}

/// Prints what was found; success if everything that the service offers held.
fn told(found: &Found) -> ExitCode {
    let Found { report, requests, removed } = found;
    print!("{report}");
    let kinds =
        [requests.list, requests.head, requests.get, requests.put, requests.copy, requests.delete, requests.other];
    let total: u64 = kinds.iter().sum();
    println!("{total} requests, {} bytes up, {} bytes down", requests.bytes_up, requests.bytes_down);
    if *removed > 0 {
        println!("{removed} objects were left by cases that did not hold, and were removed");
    }
    if report.failed.is_empty() && !report.passed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
