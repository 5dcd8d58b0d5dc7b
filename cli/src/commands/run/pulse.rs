//! What happens beside a command while it runs, each second: its logs are made to outlast a power cut, and
//! the server gets what is new in them and in its series, or a sign of life.
//!
//! The command never waits for any of it. Everything is read from files, so that little is in memory
//! however long the server is away, and a failure is only a reason to try again later.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use otrace_wire::{LogStream, RunOutcome, RunStatus};
use tokio::sync::oneshot;
use tokio::time::{sleep, timeout};
use tokio_util::task::AbortOnDropHandle;
use uuid::Uuid;

use super::Session;
use crate::client::{Client, backoff};
use crate::error::Result;
use crate::spool::series::{Collector, Sender};

/// How often.
const EACH: Duration = Duration::from_secs(1);
/// The most of a log that one request takes, in bytes.
const PIECE_MAX: u64 = 1024 * 1024;
/// So many requests of each kind at a time: a command that prints more than that is followed more slowly,
/// rather than have its machine busy with it. At its end the logs are sent whole.
const REQUESTS_MAX: usize = 4;
/// Before the server has said how often it wants to hear of the run.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// How long the server is given to take that the command runs.
const TELLING: Duration = Duration::from_secs(3);
/// How long that is waited for when the command has ended.
const STOPPING: Duration = Duration::from_millis(3500);
/// How long the last look at the series is waited for.
const LOOKING: Duration = Duration::from_secs(5);

/// The tasks of one run.
pub(super) struct Pulse {
    stop: oneshot::Sender<()>,
    live: Option<AbortOnDropHandle<()>>,
    collector: Arc<Mutex<Collector>>,
    series: Sender,
    looks: AbortOnDropHandle<()>,
    _durable: AbortOnDropHandle<()>,
}

/// What the server is told while the command runs.
struct Live {
    client: Client,
    run: Uuid,
    start: RunOutcome,
    is_start_told: bool,
    logs: [LiveLog; 2],
    series: Sender,
    heartbeat: Duration,
    last_contact: Instant,
    failures: u32,
    not_before: Instant,
    /// The server does not have the run any more, or is too old for this.
    is_refused: bool,
}

struct LiveLog {
    stream: LogStream,
    path: PathBuf,
    /// What the server has of it, in bytes.
    sent: u64,
}

impl Pulse {
    /// Starts them. The declared paths may hold series.
    pub(super) fn start(session: &Session, declared: &[String], started_at: &str) -> Self {
        let (workspace, name) = (&session.workspace, session.name.as_str());
        let kept = session.spooled.entry().series_file();
        let series = Sender::new(kept.clone());
        let collector = Collector::new(workspace, name, declared, kept.clone());
        let collector = Arc::new(Mutex::new(collector));
        let looks = AbortOnDropHandle::new(tokio::spawn(look_at_series(Arc::clone(&collector))));
        let (stop, stopped) = oneshot::channel();
        let [stdout, stderr] = [workspace.stdout_log(name), workspace.stderr_log(name)];
        let durable = tokio::spawn(keep_durable([stdout.clone(), stderr.clone(), kept]));
        let live = session.online.as_ref().map(|online| {
            let log = |stream, path| LiveLog { stream, path, sent: 0 };
            let live = Live {
                client: online.client.clone(),
                run: session.id,
                start: RunOutcome {
                    status: Some(RunStatus::Running),
                    started_at: Some(started_at.to_owned()),
                    ..RunOutcome::default()
                },
                is_start_told: false,
                logs: [log(LogStream::Stdout, stdout), log(LogStream::Stderr, stderr)],
                series: series.clone(),
                heartbeat: HEARTBEAT,
                last_contact: Instant::now(),
                failures: 0,
                not_before: Instant::now(),
                is_refused: false,
            };
            AbortOnDropHandle::new(tokio::spawn(live.go_on(stopped)))
        });
        Self { stop, live, collector, series, looks, _durable: AbortOnDropHandle::new(durable) }
    }

    /// Ends them, and gives the series that are still to be sent.
    pub(super) async fn stop(self) -> Sender {
        drop(self.stop);
        drop(self.looks);
        let live = async {
            if let Some(live) = self.live {
                let _ = timeout(STOPPING, live).await;
            }
        };
        let collector = self.collector;
        let finish = tokio::task::spawn_blocking(move || lock(&collector).finish());
        let _ = tokio::join!(live, timeout(LOOKING, finish));
        self.series
    }
}

impl Live {
    /// Goes on until it is stopped, which may break off any request: each can be repeated.
    async fn go_on(mut self, mut stop: oneshot::Receiver<()>) {
        while !self.is_refused {
            if !self.is_start_told {
                // Not broken off: a late "it runs" would overwrite the run's end.
                let told = timeout(TELLING, self.client.update_run(self.run, &self.start)).await;
                self.is_start_told = matches!(told, Ok(Ok(())));
            }
            tokio::select! {
                _ = &mut stop => return,
                () = sleep(EACH) => {}
            }
            tokio::select! {
                _ = &mut stop => return,
                () = self.beat() => {}
            }
        }
    }

    async fn beat(&mut self) {
        if Instant::now() < self.not_before {
            return;
        }
        if self.send().await.is_ok() {
            self.failures = 0;
        } else {
            self.not_before = Instant::now() + backoff::pause(self.failures);
            self.failures = self.failures.saturating_add(1);
        }
    }

    async fn send(&mut self) -> Result<()> {
        for index in 0..self.logs.len() {
            self.send_log(index).await?;
        }
        self.series.send(&self.client, self.run, REQUESTS_MAX).await?;
        if !self.is_refused && self.last_contact.elapsed() >= self.heartbeat {
            let answer = self.client.heartbeat(self.run).await?;
            self.is_refused = answer.is_none();
            self.heartbeat = answer.map_or(HEARTBEAT, |answer| Duration::from_secs(answer.interval_seconds.max(1)));
            self.last_contact = Instant::now();
        }
        Ok(())
    }

    async fn send_log(&mut self, index: usize) -> Result<()> {
        let log = &mut self.logs[index];
        for _ in 0..REQUESTS_MAX {
            let (path, from) = (log.path.clone(), log.sent);
            let read = tokio::task::spawn_blocking(move || piece(&path, from)).await;
            // A log that can't be read now is sent whole in the end.
            let Ok(Ok(piece)) = read else { return Ok(()) };
            if piece.is_empty() {
                return Ok(());
            }
            let Some(answer) = self.client.append_log(self.run, log.stream, from, piece).await? else {
                self.is_refused = true;
                return Ok(());
            };
            log.sent = answer.next_offset;
            self.last_contact = Instant::now();
        }
        Ok(())
    }
}

fn piece(path: &Path, from: u64) -> io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(from))?;
    let mut piece = Vec::new();
    file.take(PIECE_MAX).read_to_end(&mut piece)?;
    Ok(piece)
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
    fn a_piece_is_what_a_log_has_beyond_an_offset() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("log");
        assert!(piece(&path, 0).is_err());
        std::fs::write(&path, "hello").expect("written");
        assert_eq!(piece(&path, 0).expect("read"), b"hello");
        assert_eq!(piece(&path, 3).expect("read"), b"lo");
        assert_eq!(piece(&path, 9).expect("read"), b"");
        std::fs::write(&path, vec![b'x'; 3 << 20]).expect("written");
        assert_eq!(piece(&path, 1).expect("read").len(), 1 << 20);
    }

    #[test]
    fn logs_that_have_grown_are_synced() {
        let folder = tempfile::tempdir().expect("a folder");
        let logs = ["a", "b", "c"].map(|name| folder.path().join(name));
        std::fs::write(&logs[1], "hello").expect("written");
        assert_eq!(synced(&logs, [0, 0, 0]), [0, 5, 0]);
    }
}
