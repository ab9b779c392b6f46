//! Ctrl-C and SIGTERM.
//!
//! The first one asks the run to end, and says so: what is in flight is finished and
//! recorded, and large uploads are given up. The second one ends the process at once; the next run heals whatever that
//! leaves. Which of the two signals came decides the exit code.

use crate::render::Face;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::signal::unix::{SignalKind, signal};

/// SIGXFSZ on Linux: a file would have become larger than `ulimit -f` allows.
const FILE_TOO_LARGE: i32 = 25;

/// What signals have said so far.
#[derive(Clone, Default)]
pub struct Interrupt {
    /// The run is to end.
    pub asked: Arc<AtomicBool>,
    code: Arc<AtomicI32>,
    face: Arc<Mutex<Option<Arc<dyn Face>>>>,
}

impl Interrupt {
    /// Listens from now on, and says so by this face, in place of an earlier one. Needs a runtime.
    pub fn listen(&self, face: &Arc<dyn Face>) {
        let earlier = self.face.lock().unwrap_or_else(PoisonError::into_inner).replace(Arc::clone(face));
        if earlier.is_some() {
            return;
        }
        for (kind, code) in [(SignalKind::interrupt(), 130), (SignalKind::terminate(), 143)] {
            // Without a handler the signal ends the process as it always did.
            let Ok(mut signals) = signal(kind) else { continue };
            let told = self.clone();
            tokio::spawn(async move {
                while signals.recv().await.is_some() {
                    told.code.store(code, Ordering::Relaxed);
                    if told.asked.swap(true, Ordering::Relaxed) {
                        let _shown = crate::prompt::show();
                        std::process::exit(code);
                    }
                    // Who reads nothing must not keep us from hearing the second one.
                    let face = told.face.lock().unwrap_or_else(PoisonError::into_inner).clone();
                    std::thread::spawn(move || face.map(|face| face.stopping()));
                }
            });
        }
        // Once somebody listens, the write that met the limit fails instead of the process.
        let _ = signal(SignalKind::from_raw(FILE_TOO_LARGE));
    }

    /// The exit code of an interrupted run.
    pub fn code(&self) -> i32 {
        match self.code.load(Ordering::Relaxed) {
            0 => 130,
            code => code,
        }
    }
}
