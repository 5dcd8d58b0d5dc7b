//! How far a transfer has come: a bar on a terminal, nothing on a pipe.

use std::io::{IsTerminal as _, stderr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender, TryRecvError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Less than this many bytes are not worth a bar.
const BYTES_MIN: u64 = 8 * 1024 * 1024;
/// What takes no longer than this has come and gone before anybody has read it.
const SHOWN_AFTER: Duration = Duration::from_secs(1);
/// How often it is drawn at least, so that a transfer that has come to a stop is seen to.
const DRAWN_EACH: Duration = Duration::from_millis(250);
/// How it looks, after a word for what is done.
const LOOK: &str = "[{bar:30}] {binary_bytes} of {binary_total_bytes}, {binary_bytes_per_sec}, {eta} left";
/// How an import looks.
const LOOK_OF_RUNS: &str = "Importing [{bar:30}] {human_pos} of {human_len} runs, {eta} left";

/// The bar that is on the terminal now, so that what else is printed comes above it.
static SHOWN: Mutex<Option<ProgressBar>> = Mutex::new(None);

/// The progress of one transfer. Its clones share it, and the bar goes with the last of them.
#[derive(Clone, Debug, Default)]
pub struct Progress(Option<Arc<Bar>>);

#[derive(Debug)]
struct Bar {
    bar: ProgressBar,
    /// Goes when the transfer is over.
    goes_on: Option<Sender<()>>,
}

/// How much of one request's body is on its way. An attempt that fails takes back what it has counted.
#[derive(Clone, Debug, Default)]
pub struct Meter {
    progress: Progress,
    counted: Arc<AtomicU64>,
}

impl Progress {
    /// Of no transfer that anybody wants to see.
    pub fn hidden() -> Self {
        Self::default()
    }

    /// Of so many bytes to send. It is shown if that takes a while, and if there is a terminal.
    pub fn of(bytes: u64) -> Self {
        Self::doing("Sending", bytes)
    }

    /// Of so many bytes to receive.
    pub fn receiving(bytes: u64) -> Self {
        Self::doing("Receiving", bytes)
    }

    /// Of so many runs to import.
    pub fn of_runs(runs: u64) -> Self {
        Self::looking(LOOK_OF_RUNS, runs)
    }

    fn doing(what: &str, bytes: u64) -> Self {
        if bytes < BYTES_MIN { Self::hidden() } else { Self::looking(&format!("{what} {LOOK}"), bytes) }
    }

    fn looking(look: &str, length: u64) -> Self {
        if super::is_quiet() || !stderr().is_terminal() {
            return Self::hidden();
        }
        let bar = ProgressBar::with_draw_target(Some(length), ProgressDrawTarget::hidden());
        if let Ok(style) = ProgressStyle::with_template(look) {
            bar.set_style(style.progress_chars("=> "));
        }
        let (goes_on, over) = mpsc::channel();
        let waiting = bar.clone();
        // Without the thread there is no bar, and nothing else amiss.
        let _ = thread::Builder::new().name("otrace-bar".to_owned()).spawn(move || show(&waiting, &over));
        Self(Some(Arc::new(Bar { bar, goes_on: Some(goes_on) })))
    }

    /// For the body of one request.
    pub fn meter(&self) -> Meter {
        Meter { progress: self.clone(), counted: Arc::default() }
    }
}

impl Meter {
    /// So many more bytes, or runs, are on their way.
    pub fn add(&self, bytes: u64) {
        self.counted.fetch_add(bytes, Ordering::Relaxed);
        if let Progress(Some(shown)) = &self.progress {
            shown.bar.inc(bytes);
        }
    }

    /// All of them are sent anew.
    pub fn take_back(&self) {
        let counted = self.counted.swap(0, Ordering::Relaxed);
        if let Progress(Some(shown)) = &self.progress {
            shown.bar.dec(counted);
        }
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        let mut shown = shown();
        // With this lock held, so that nobody shows it once it has gone.
        drop(self.goes_on.take());
        *shown = None;
        self.bar.finish_and_clear();
    }
}

/// Shows the bar of a transfer that goes on for long.
fn show(bar: &ProgressBar, over: &Receiver<()>) {
    if over.recv_timeout(SHOWN_AFTER) != Err(RecvTimeoutError::Timeout) {
        return;
    }
    let mut shown = shown();
    if over.try_recv() == Err(TryRecvError::Empty) {
        bar.set_draw_target(ProgressDrawTarget::stderr());
        bar.enable_steady_tick(DRAWN_EACH);
        *shown = Some(bar.clone());
    }
}

/// Prints something with the bar out of the way.
pub(super) fn beside(print: impl FnOnce()) {
    let shown = shown();
    match shown.as_ref() {
        Some(bar) => bar.suspend(print),
        None => print(),
    }
}

fn shown() -> MutexGuard<'static, Option<ProgressBar>> {
    SHOWN.lock().unwrap_or_else(PoisonError::into_inner)
}
