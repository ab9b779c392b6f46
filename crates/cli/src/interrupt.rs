//! Ctrl-C and SIGTERM.
//!
//! The first one asks the run to end, and says so: what is in flight is finished and
//! recorded, and large uploads are given up. The second one ends the process at once; the next run heals whatever that
//! leaves. Which of the two signals came decides the exit code.

use crate::render::Face;
use futures::future::join_all;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::signal::unix::{Signal, SignalKind, signal};

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
    /// Listens from now on, and says so by this face, in place of an earlier one. It does so
    /// on a thread of its own: what a run does between two waits may take long.
    pub fn listen(&self, face: &Arc<dyn Face>) {
        let earlier = self.face.lock().unwrap_or_else(PoisonError::into_inner).replace(Arc::clone(face));
        if earlier.is_some() {
            return;
        }
        let told = self.clone();
        let (ready, is_ready) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            // Without a handler a signal ends the process as it always did.
            let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_io().build() else { return };
            runtime.block_on(async {
                let heard = [(SignalKind::interrupt(), 130), (SignalKind::terminate(), 143)]
                    .map(|(kind, code)| signal(kind).ok().map(|signals| told.hear(signals, code)));
                // Once somebody listens, the write that met the limit fails instead of the process.
                let _too_large = signal(SignalKind::from_raw(FILE_TOO_LARGE));
                let _ = ready.send(());
                join_all(heard.into_iter().flatten()).await;
            });
        });
        // A signal that comes as soon as this returns is heard.
        let _ = is_ready.recv();
    }

    async fn hear(&self, mut signals: Signal, code: i32) {
        while signals.recv().await.is_some() {
            self.code.store(code, Ordering::Relaxed);
            if self.asked.swap(true, Ordering::Relaxed) {
                let _shown = crate::prompt::show();
                std::process::exit(code);
            }
            // Who reads nothing must not keep us from hearing the second one.
            let face = self.face.lock().unwrap_or_else(PoisonError::into_inner).clone();
            std::thread::spawn(move || face.map(|face| face.stopping()));
        }
    }

    /// The exit code of an interrupted run.
    pub fn code(&self) -> i32 {
        match self.code.load(Ordering::Relaxed) {
            0 => 130,
            code => code,
        }
    }
}
