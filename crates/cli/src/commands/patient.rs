//! Streams that may keep us waiting, and that Ctrl-C ends.
//!
//! A pipe that nobody writes, or reads, would hold a blocking call for as long as it
//! likes, and the word that the run is to end would not be seen. So a stream is asked
//! whether it is ready first, and between two such looks whether anybody wants to go.

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// How often it is seen whether the person wants to end, in nanoseconds.
const LOOK_EVERY_NS: i64 = 50_000_000;
/// A pipe that is ready takes as much as this without a wait.
const PIPE_BYTES: usize = 4096;

/// A stream under the person's eyes.
pub struct Patient {
    stream: File,
    is_file: bool,
    interrupted: Arc<AtomicBool>,
}

impl Patient {
    /// Over standard input or output.
    pub fn new(stream: &impl AsFd, interrupted: &Arc<AtomicBool>) -> io::Result<Self> {
        let stream = File::from(stream.as_fd().try_clone_to_owned()?);
        let is_file = stream.metadata()?.is_file();
        Ok(Self { stream, is_file, interrupted: Arc::clone(interrupted) })
    }

    /// Until the stream is ready, or the run is to end.
    fn wait(&self, what: PollFlags) -> io::Result<()> {
        let pause = Timespec { tv_sec: 0, tv_nsec: LOOK_EVERY_NS };
        loop {
            if self.interrupted.load(Ordering::Relaxed) {
                // No `ErrorKind::Interrupted`: that is tried again by whoever gets it.
                return Err(io::Error::other("interrupted"));
            }
            match poll(&mut [PollFd::new(&self.stream, what)], Some(&pause)) {
                Ok(0) | Err(rustix::io::Errno::INTR) => {}
                Ok(_) => return Ok(()),
                Err(error) => return Err(error.into()),
            }
        }
    }
}

impl Read for Patient {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.wait(PollFlags::IN)?;
        self.stream.read(buffer)
    }
}

impl Write for Patient {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.wait(PollFlags::OUT)?;
        let at_once = if self.is_file { bytes.len() } else { bytes.len().min(PIPE_BYTES) };
        self.stream.write(&bytes[..at_once])
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}
