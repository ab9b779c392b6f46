//! Ctrl-C and SIGTERM.
//!
//! The first one asks the run to end, and says so: what is in flight is finished and
//! recorded, and large uploads are given up. The second one ends the process at once; the next run heals whatever that
//! leaves. Which of the two signals came decides the exit code.

use crate::render::Face;
use futures::future::join_all;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// SIGXFSZ on Linux: a file would have become larger than `ulimit -f` allows.
const FILE_TOO_LARGE: i32 = 25;

/// What signals have said so far.
#[derive(Debug, Clone, Default)]
pub struct Interrupt {
    /// The run is to end.
    pub asked: Arc<AtomicBool>,
    code: Arc<AtomicI32>,
}

impl Interrupt {
    /// Listens from now on, on a thread of its own: what a run does between two waits may
    /// take long.
    pub fn listen(&self, face: &Arc<dyn Face>) {
        let (told, face) = (self.clone(), Arc::clone(face));
        let (ready, is_ready) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            // Without a handler a signal ends the process as it always did.
            let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_io().build() else { return };
            runtime.block_on(async {
                let heard = [(SignalKind::interrupt(), 130), (SignalKind::terminate(), 143)]
                    .map(|(kind, code)| signal(kind).ok().map(|signals| told.hear(signals, code, &face)));
                // Once somebody listens, the write that met the limit fails instead of the process.
                let _too_large = signal(SignalKind::from_raw(FILE_TOO_LARGE));
                let _ = ready.send(());
                join_all(heard.into_iter().flatten()).await;
            });
        });
        // A signal that comes as soon as this returns is heard.
        let _ = is_ready.recv();
    }

    async fn hear(&self, mut signals: Signal, code: i32, face: &Arc<dyn Face>) {
        while signals.recv().await.is_some() {
            self.code.store(code, Ordering::Relaxed);
            if self.asked.swap(true, Ordering::Relaxed) {
                let _shown = crate::prompt::show();
                std::process::exit(code);
            }
            // Who reads nothing must not keep us from hearing the second one.
            let face = Arc::clone(face);
            std::thread::spawn(move || face.stopping());
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
