//! Downloads that break, and go on where they broke.

use super::*;
use tidelock_remote::open::{OpenOptions, stack};

const BODY: &str = "0123456789";

/// A server whose first reply ends after four bytes, and whose object says it has
/// this checksum.
fn breaking(sum: &'static str) -> Scripted {
    let mut broken = false;
    serve(move |request| {
        let length = if request.header("range").is_empty() { 10 } else { 6 };
        let head = format!(
            "HTTP/1.1 200 Said\r\nETag: \"x\"\r\nx-amz-checksum-crc64nvme: {sum}\r\nContent-Length: {length}\r\n"
        );
        if !std::mem::replace(&mut broken, true) {
            return Act::SayAndClose(format!("{head}\r\n{}", &BODY[..4]).into_bytes());
        }
        Act::Say(format!("{head}Content-Range: bytes 4-9/10\r\n\r\n{}", &BODY[4..]).into_bytes())
    })
}

async fn read(server: &Scripted) -> Result<Vec<Bytes>> {
    let place = Arc::new(open_hasty(server).await);
    let opened = stack(place, "", tidelock_remote::Capabilities::default(), &OpenOptions::default(), hasty());
    opened.remote.get(&key(), None, None).await?.body.try_collect().await
}

#[tokio::test]
async fn only_the_rest_is_asked_for_and_all_of_it_is_checked() {
    use base64::Engine;
    let sum = crc_fast::checksum(crc_fast::CrcAlgorithm::Crc64Nvme, BODY.as_bytes());
    let sum: &'static str = base64::engine::general_purpose::STANDARD.encode(sum.to_be_bytes()).leak();
    let server = breaking(sum);
    assert_eq!(read(&server).await.expect("arrives").concat(), BODY.as_bytes());
    let seen = server.seen();
    assert_eq!(seen.len(), 2);
    assert_eq!((seen[1].header("range"), seen[1].header("if-match")), ("bytes=4-9", "\"x\""));
    let wrong = read(&breaking("AAAAAAAAAAE=")).await.expect_err("the whole does not fit");
    assert_eq!(wrong.kind, ErrorKind::Corrupt, "{wrong}");
}
