//! Bytes on their way in and out.
//!
//! A request's body is kept in the buffers that it came in, without copying; one that
//! is framed in aws-chunks is taken out of its frames in the same way. An answer's body
//! is sent from the buffers that an object is made of.

use crate::store::Body;
use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

/// An answer's body.
#[derive(Debug, Default)]
pub struct Answer {
    pieces: VecDeque<Bytes>,
    left: u64,
}

impl From<Body> for Answer {
    fn from(body: Body) -> Self {
        Self { left: body.len, pieces: body.pieces.into() }
    }
}

impl From<String> for Answer {
    fn from(text: String) -> Self {
        let mut body = Body::default();
        body.push(Bytes::from(text));
        body.into()
    }
}

impl HttpBody for Answer {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let next = self.pieces.pop_front();
        self.left -= next.as_ref().map_or(0, |piece| piece.len() as u64);
        Poll::Ready(next.map(|piece| Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.pieces.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

/// Takes a body out of aws-chunks: `SIZE[;chunk-signature=…]\r\n`, that many bytes,
/// `\r\n`, and after the chunk of size 0 the trailers, where checksums may be.
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html>
#[derive(Debug, Default)]
pub struct Unframe {
    /// Bytes of the chunk still to come.
    left: u64,
    /// What has come of the line that tells the next chunk's size.
    line: Vec<u8>,
    ended: bool,
    /// The bytes themselves.
    pub body: Body,
    /// Names and values that came behind them.
    pub trailers: Vec<(String, String)>,
}

impl Unframe {
    /// Takes a buffer in; `None` if it is not framed as it should be.
    pub fn take(&mut self, mut bytes: Bytes) -> Option<()> {
        while !bytes.is_empty() {
            if self.left > 0 {
                let len = bytes.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
                self.body.push(bytes.split_to(len));
                self.left -= len as u64;
                continue;
            }
            let Some(end) = bytes.iter().position(|byte| *byte == b'\n') else {
                self.line.extend_from_slice(&bytes);
                return Some(());
            };
            self.line.extend_from_slice(&bytes.split_to(end + 1));
            let line = std::mem::take(&mut self.line);
            let line = std::str::from_utf8(&line).ok()?.trim_end();
            if self.ended {
                let trailer =
                    line.split_once(':').map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned()));
                self.trailers.extend(trailer);
                continue;
            }
            // The end of the chunk before.
            if line.is_empty() {
                continue;
            }
            self.left = u64::from_str_radix(line.split(';').next().unwrap_or_default(), 16).ok()?;
            self.ended = self.left == 0;
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_are_taken_out_of_their_frames_however_they_are_cut() {
        let framed = b"5;chunk-signature=ab\r\nhello\r\n1\r\n!\r\n0\r\nx-amz-checksum-crc32:AA==\r\n\r\n";
        for cut in 1..framed.len() {
            let mut unframe = Unframe::default();
            for part in framed.chunks(cut) {
                unframe.take(Bytes::copy_from_slice(part)).expect("framed");
            }
            assert_eq!((unframe.body.pieces.concat(), unframe.body.len, unframe.ended), (b"hello!".to_vec(), 6, true));
            assert_eq!(unframe.trailers, [("x-amz-checksum-crc32".to_owned(), "AA==".to_owned())]);
        }
        assert!(Unframe::default().take(Bytes::from_static(b"what\r\n")).is_none());
    }
}
