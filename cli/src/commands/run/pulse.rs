//! What happens beside a command while it runs, each second: its logs are made to outlast a power cut, and
//! the server gets what is new in them and in its series, or a sign of life ([`live`]). Now and then, what the
//! machine is busy with is measured ([`machine`]).
//!
//! The command never waits for any of it. Everything is read from files, so that little is in memory
//! however long the server is away, and a failure is only a reason to try again later.

mod declared_logs;
mod followed_log;
mod live;
mod log_sender;
mod machine;

use std::fs::File;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::Session;
use crate::secrets::Masker;
use crate::spool::series::{Collector, Sender};
use declared_logs::DeclaredLogs;
use live::Live;

/// How often.
const EACH: Duration = Duration::from_secs(1);
/// So many requests of each kind at a time: a command that prints more than that is followed more slowly,
/// rather than have its machine busy with it. At its end the logs are sent whole.
const REQUESTS_MAX: usize = 4;
/// How long what is told is waited for when the command has ended.
const STOPPING: Duration = Duration::from_millis(3500);
/// How long the last measurement is waited for.
const MEASURING: Duration = Duration::from_secs(1);
/// How long the last look at the series is waited for.
const LOOKING: Duration = Duration::from_secs(5);

/// The tasks of one run.
pub(super) struct Pulse {
    stop: CancellationToken,
    live: Option<AbortOnDropHandle<()>>,
    /// Where the copies of declared logs are, by which they are sent.
    copies: PathBuf,
    machine: Option<AbortOnDropHandle<()>>,
    collector: Arc<Mutex<Collector>>,
    series: Sender,
    looks: AbortOnDropHandle<()>,
    _durable: AbortOnDropHandle<()>,
}

/// Series that there was no room for. They may still stand in the files that they are read from.
pub(super) struct Unkept {
    /// Why there was none.
    pub(super) reason: String,
    /// Who has read them up to there.
    pub(super) collector: Arc<Mutex<Collector>>,
}

impl Pulse {
    /// Starts them. The declared paths may hold series.
    pub(super) fn start(session: &Session, declared: &[String], started_at: &str) -> Self {
        let (workspace, name) = (&session.workspace, session.name.as_str());
        let kept = session.spooled.entry().series_file();
        // In the spool, so that they go with the run if we can't remove them.
        let copies = kept.with_file_name("live");
        let stop = CancellationToken::new();
        let series = Sender::new(kept.clone());
        let collector = Collector::new(workspace, name, declared, kept.clone());
        let collector = Arc::new(Mutex::new(collector));
        let live = session.online.as_ref().map(|online| {
            // What is masked is told of once, when the whole log is kept.
            let (root, masker) = (workspace.root(), session.masker.as_ref().map(Masker::on_trial));
            let logs = DeclaredLogs::new(root, &session.spec.expected_log_paths, copies.clone(), masker);
            let live = Live::new(session, online.client.clone(), started_at, logs, series.clone());
            AbortOnDropHandle::new(tokio::spawn(live.go_on(stop.clone())))
        });
        let machine = session.is_measured.then(|| {
            let (collector, command) = (Arc::clone(&collector), session.process.subscribe());
            let measuring = machine::measure(collector, command, workspace.root().to_path_buf(), stop.clone());
            AbortOnDropHandle::new(tokio::spawn(measuring))
        });
        let looks = AbortOnDropHandle::new(tokio::spawn(look_at_series(Arc::clone(&collector))));
        let durable = tokio::spawn(keep_durable([workspace.stdout_log(name), workspace.stderr_log(name), kept]));
        let durable = AbortOnDropHandle::new(durable);
        Self { stop, live, copies, machine, collector, series, looks, _durable: durable }
    }

    /// Ends them, and gives the series that are still to be sent, and those that there was no room for, if there are any.
    pub(super) async fn stop(self) -> (Sender, Option<Unkept>) {
        self.stop.cancel();
        drop(self.looks);
        let collector = Arc::clone(&self.collector);
        let finish = tokio::task::spawn_blocking(move || lock(&collector).finish());
        let (live, machine) = (ended(self.live, STOPPING), ended(self.machine, MEASURING));
        let ((), (), finished) = tokio::join!(live, machine, timeout(LOOKING, finish));
        // The whole logs are kept elsewhere now.
        let _ = tokio::fs::remove_dir_all(&self.copies).await;
        let reason = finished.ok().and_then(Result::ok).flatten();
        (self.series, reason.map(|reason| Unkept { reason, collector: self.collector }))
    }
}

/// Waits for a task's end, though not for long.
async fn ended(task: Option<AbortOnDropHandle<()>>, patience: Duration) {
    if let Some(task) = task {
        let _ = timeout(patience, task).await;
    }
}

/// Keeps what the command measures, also where there is no server to tell it to.
async fn look_at_series(collector: Arc<Mutex<Collector>>) {
    loop {
        sleep(EACH).await;
        let collector = Arc::clone(&collector);
        // One that has failed to look once may look again.
        let _ = tokio::task::spawn_blocking(move || lock(&collector).look()).await;
    }
}

fn lock(collector: &Mutex<Collector>) -> MutexGuard<'_, Collector> {
    collector.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Has what the files have grown by written to the disk, beside the threads that write it.
async fn keep_durable(logs: [PathBuf; 3]) {
    let mut sizes = [0; 3];
    loop {
        sleep(EACH).await;
        let logs = logs.clone();
        sizes = tokio::task::spawn_blocking(move || synced(&logs, sizes)).await.unwrap_or(sizes);
    }
}

fn synced(logs: &[PathBuf; 3], mut sizes: [u64; 3]) -> [u64; 3] {
    for (log, size) in logs.iter().zip(&mut sizes) {
        let Ok(file) = File::open(log) else { continue };
        let now = file.metadata().map_or(*size, |found| found.len());
        // What can't be synced is tried again in a second.
        if now != *size && file.sync_data().is_ok() {
            *size = now;
        }
    }
    sizes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logs_that_have_grown_are_synced() {
        let folder = tempfile::tempdir().expect("a folder");
        let logs = ["a", "b", "c"].map(|name| folder.path().join(name));
        std::fs::write(&logs[1], "hello").expect("written");
        assert_eq!(synced(&logs, [0, 0, 0]), [0, 5, 0]);
    }
}
