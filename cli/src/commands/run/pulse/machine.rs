//! The machine's metrics: measured beside the command, on threads of their own, as some of it may take long.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::task::spawn_blocking;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::lock;
use crate::spool::series::Collector;
use crate::system_metrics::Sampler;

/// A command that ends sooner is not measured, and costs nothing.
const WARM_UP: Duration = Duration::from_millis(500);
/// From then until the first sample, so that runs of seconds have some.
const FIRST: Duration = Duration::from_millis(500);
/// Between two samples.
const EACH: Duration = Duration::from_secs(5);
/// A last sample that comes sooner after another one tells nothing new.
const LAST_AFTER: Duration = Duration::from_secs(1);

/// Measures from the start of the command on until it is told to stop, and then once more. `disk` is a path on the
/// disk that the command works on.
pub(super) async fn measure(
    collector: Arc<Mutex<Collector>>,
    mut command: watch::Receiver<Option<u32>>,
    disk: PathBuf,
    stop: CancellationToken,
) {
    let process = async { command.wait_for(Option::is_some).await.ok().and_then(|process| *process) };
    let Some(Some(process)) = stop.run_until_cancelled(process).await else { return };
    let started = Instant::now();
    if timeout(WARM_UP, stop.cancelled()).await.is_ok() {
        return;
    }
    // A mistake of ours in there ends the measuring, and nothing else.
    let prepared = spawn_blocking(move || Sampler::new(process, started, &disk)).await;
    let Ok(Some(mut sampler)) = prepared else { return };
    let (mut wait, mut measured) = (FIRST, started);
    loop {
        let is_last = timeout(wait, stop.cancelled()).await.is_ok();
        let is_wanted = !is_last || measured.elapsed() >= LAST_AFTER;
        let collector = Arc::clone(&collector);
        let taken = spawn_blocking(move || {
            if is_wanted {
                let points = sampler.sample();
                lock(&collector).add(points);
            }
            // The last one is let go of here: saying goodbye to a driver takes its time.
            (!is_last).then_some(sampler)
        });
        let Ok(Some(next)) = taken.await else { return };
        (sampler, wait, measured) = (next, EACH, Instant::now());
    }
}
