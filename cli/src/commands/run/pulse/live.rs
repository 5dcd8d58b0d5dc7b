//! What the server is told while the command runs: that it does, what it prints, what it measures.

use std::time::{Duration, Instant};

use otrace_wire::{LogStream, RunOutcome, RunStatus};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::declared_logs::DeclaredLogs;
use super::log_sender::{Log, LogSender, Sent};
use super::{EACH, REQUESTS_MAX, Session};
use crate::client::{Client, backoff};
use crate::error::Result;
use crate::spool::series::Sender;

/// Before the server has said how often it wants to hear of the run.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// How long the server is given to take that the command runs.
const TELLING: Duration = Duration::from_secs(3);

/// Tells it.
pub(super) struct Live {
    client: Client,
    run: Uuid,
    start: RunOutcome,
    is_start_told: bool,
    printed: [LogSender; 2],
    declared: Option<DeclaredLogs>,
    series: Sender,
    heartbeat: Duration,
    last_contact: Instant,
    pacing: Pacing,
    declared_pacing: Pacing,
    /// The server does not have the run any more, or is too old for this.
    is_refused: bool,
}

/// When to try again after failures.
struct Pacing {
    failures: u32,
    not_before: Instant,
}

impl Live {
    /// Tells it of this run, with the client that the run was made with.
    pub(super) fn new(
        session: &Session,
        client: Client,
        started_at: &str,
        declared: Option<DeclaredLogs>,
        series: Sender,
    ) -> Self {
        let (workspace, name) = (&session.workspace, session.name.as_str());
        let printed = |stream, file| LogSender::new(Log::Printed(stream), file);
        Self {
            client,
            run: session.id,
            start: RunOutcome {
                status: Some(RunStatus::Running),
                started_at: Some(started_at.to_owned()),
                ..RunOutcome::default()
            },
            is_start_told: false,
            printed: [
                printed(LogStream::Stdout, workspace.stdout_log(name)),
                printed(LogStream::Stderr, workspace.stderr_log(name)),
            ],
            declared,
            series,
            heartbeat: HEARTBEAT,
            last_contact: Instant::now(),
            pacing: Pacing::new(),
            declared_pacing: Pacing::new(),
            is_refused: false,
        }
    }

    /// Goes on until it is stopped, which may break off any request: each can be repeated.
    pub(super) async fn go_on(mut self, stop: CancellationToken) {
        while !self.is_refused {
            if !self.is_start_told {
                // Not broken off: a late "it runs" would overwrite the run's end.
                let told = timeout(TELLING, self.client.update_run(self.run, &self.start)).await;
                self.is_start_told = matches!(told, Ok(Ok(())));
            }
            let next = async {
                sleep(EACH).await;
                self.beat().await;
            };
            if stop.run_until_cancelled(next).await.is_none() {
                return;
            }
        }
    }

    async fn beat(&mut self) {
        if !self.pacing.is_due() {
            return;
        }
        let is_sent = self.send().await.is_ok();
        self.pacing.note(is_sent);
        // What a command prints does not wait for what it writes elsewhere.
        if is_sent && !self.is_refused && self.declared_pacing.is_due() {
            let is_sent = self.send_declared().await.is_ok();
            self.declared_pacing.note(is_sent);
        }
    }

    async fn send(&mut self) -> Result<()> {
        for log in &mut self.printed {
            match log.send(&self.client, self.run).await? {
                Sent::Nothing => {}
                Sent::Something => self.last_contact = Instant::now(),
                Sent::Refused => self.is_refused = true,
            }
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

    async fn send_declared(&mut self) -> Result<()> {
        let Some(mut declared) = self.declared.take() else { return Ok(()) };
        let read = move || {
            declared.read();
            declared
        };
        // Without them, the logs are sent whole in the end. A server may be too old for them, too.
        let Ok(mut declared) = tokio::task::spawn_blocking(read).await else { return Ok(()) };
        let sent = declared.send(&self.client, self.run).await;
        if matches!(sent, Ok(Sent::Something)) {
            self.last_contact = Instant::now();
        }
        self.declared = Some(declared).filter(|_| !matches!(sent, Ok(Sent::Refused)));
        sent.map(|_| ())
    }
}

impl Pacing {
    fn new() -> Self {
        Self { failures: 0, not_before: Instant::now() }
    }

    fn is_due(&self) -> bool {
        Instant::now() >= self.not_before
    }

    fn note(&mut self, is_sent: bool) {
        if is_sent {
            self.failures = 0;
        } else {
            self.not_before = Instant::now() + backoff::pause(self.failures);
            self.failures = self.failures.saturating_add(1);
        }
    }
}
