//! What is told to the server about a run once it exists.
//!
//! From here on nothing may change how the command ends for whoever called it: what cannot be sent is
//! a warning, and stays in `.trace/`.

use std::io::{BufWriter, Write as _};
use std::path::PathBuf;

use otrace_wire::{Log, LogStream, RunDetails, RunOutcome, RunStatus, Snapshot};
use tokio::task::{JoinError, JoinHandle};

use super::{Session, summary};
use crate::capture::artifacts::Kept;
use crate::capture::expected::Declared;
use crate::capture::snapshot::State;
use crate::capture::stored::StoredFile;
use crate::capture::workspace_sync;
use crate::child::Ended;
use crate::client::SyncedWorkspace;
use crate::error::{Error, Result};
use crate::{clock, printer, private_files, upload};

/// What is told while the command runs: it never waits for the network.
pub(super) struct Background {
    running: JoinHandle<Result<()>>,
    sync: JoinHandle<(Option<String>, Result<SyncedWorkspace>)>,
}

/// What came of the background.
struct Told {
    python_version: Option<String>,
    workspace: Option<SyncedWorkspace>,
}

impl Background {
    /// Says that the command starts now, and from which workspace.
    pub(super) fn start(session: &Session, state: &State, python: JoinHandle<Option<String>>) -> Self {
        let outcome =
            RunOutcome { status: Some(RunStatus::Running), started_at: Some(clock::now()), ..RunOutcome::default() };
        let (client, id) = (session.client.clone(), session.id);
        let running = tokio::spawn(async move { client.update_run(id, &outcome).await });
        let client = session.client.clone();
        let mut workspace = workspace_sync::describe(&session.workspace, state.git.as_ref());
        workspace.project_id.clone_from(&session.settings.project_id);
        let sync = tokio::spawn(async move {
            workspace.python_version = python.await.unwrap_or_default();
            let synced = client.sync_workspace(&workspace).await;
            (workspace.python_version, synced)
        });
        Self { running, sync }
    }

    /// Waits for both. They have to be through before the run's end is told: a late "it runs" would
    /// overwrite it.
    async fn settle(self) -> Told {
        if let Err(error) = self.running.await.unwrap_or_else(|error| Err(lost(&error))) {
            printer::warning(error.context("could not tell the server that the command started:"));
        }
        let (python_version, synced) = self.sync.await.unwrap_or_else(|error| (None, Err(lost(&error))));
        let workspace = synced.map_err(|error| printer::warning(error.context("could not sync the workspace:"))).ok();
        Told { python_version, workspace }
    }
}

impl Session {
    /// Collects what the command left behind, sends everything, and says what came of it.
    pub(super) async fn send(&self, state: &State, configs: Kept, ended: &Ended, background: Background) {
        let (told, kept) = tokio::join!(background.settle(), self.collect());
        let kept = configs.merge(kept);
        let snapshot = self.snapshot(state, &kept, ended, told.python_version);
        let files = files(state, &kept, ended);
        let details = self.details(kept, ended, snapshot);
        self.keep_details(&details);
        if let Err(error) = self.workspace.set_active_experiment(self.experiment, self.id) {
            printer::warning(error);
        }
        let sent = self.transmit(details.clone(), &files, ended).await;
        let slug = told.workspace.map(|workspace| workspace.project.slug);
        summary::print(self, &state.summary(), ended, &details, slug.as_deref(), sent);
    }

    /// Reads and copies files beside the network's thread: there may be many gigabytes of them.
    async fn collect(&self) -> Kept {
        let session = self.clone();
        tokio::task::spawn_blocking(move || {
            session.keep(&[
                (Declared::Artifact, session.spec.expected_artifact_paths.as_slice()),
                (Declared::Log, session.spec.expected_log_paths.as_slice()),
            ])
        })
        .await
        .unwrap_or_else(|error| {
            printer::warning(lost(&error).context("could not collect the outputs:"));
            Kept::default()
        })
    }

    fn snapshot(&self, state: &State, kept: &Kept, ended: &Ended, python_version: Option<String>) -> Snapshot {
        Snapshot {
            stdout_log_path: Some(self.workspace.relative(&ended.stdout.log.path)),
            stderr_log_path: Some(self.workspace.relative(&ended.stderr.log.path)),
            observed_artifacts: kept.observed.clone(),
            missing_expected_paths: kept.missing.clone(),
            evidence: kept.evidence.clone(),
            ..state.to_wire(&self.workspace, python_version)
        }
    }

    fn details(&self, kept: Kept, ended: &Ended, snapshot: Snapshot) -> RunDetails {
        let log = |stream, log: &StoredFile| Log {
            stream,
            path: Some(self.workspace.relative(&log.path)),
            size_bytes: Some(log.wire_size()),
            // What is empty need not be fetched by its hash.
            text_content: (log.size == 0).then(String::new),
            hash: (log.size > 0).then_some(log.digest),
            created_at: Some(ended.finished_at.clone()),
        };
        RunDetails {
            artifacts: kept.artifacts,
            results: kept.results,
            tables: kept.tables,
            logs: vec![log(LogStream::Stdout, &ended.stdout.log), log(LogStream::Stderr, &ended.stderr.log)],
            snapshot: Some(snapshot),
        }
    }

    /// Everything that was captured is on this machine before it is sent.
    fn keep_details(&self, details: &RunDetails) {
        let path = self.details_path();
        let written = private_files::file(&path).map(BufWriter::new).and_then(|mut file| {
            serde_json::to_writer(&mut file, details)?;
            file.flush()
        });
        if let Err(error) = written {
            printer::warning(Error::file("write", &path, &error));
        }
    }

    fn details_path(&self) -> PathBuf {
        let snapshots = self.workspace.trace_dir().join("snapshots");
        snapshots.join(format!("{}.details.json", self.name))
    }

    /// Contents first, then the details that name them, then the end of the run: whoever sees that
    /// it has ended sees all of it. Says whether everything has arrived.
    async fn transmit(&self, mut details: RunDetails, files: &[StoredFile], ended: &Ended) -> bool {
        let unsent = upload::contents(&self.client, files).await;
        unsent.leave_out_of(&mut details);
        let detailed = self.client.put_details(self.id, &details).await;
        let status = if ended.exit_code == 0 { RunStatus::Completed } else { RunStatus::Failed };
        let outcome = RunOutcome {
            status: Some(status),
            exit_code: Some(ended.exit_code),
            duration_seconds: Some(ended.duration.as_secs_f64()),
            finished_at: Some(ended.finished_at.clone()),
            ..RunOutcome::default()
        };
        let updated = self.client.update_run(self.id, &outcome).await;
        let Some(error) = unsent.reason.or(detailed.err()).or(updated.err()) else { return true };
        let (experiment, name) = (self.experiment, &self.name);
        printer::warning(error.context(&format!("{experiment} was not sent completely:")));
        printer::warning(format_args!(
            "its logs, files, diffs and results are kept in .trace/logs/{name}.*, \
             .trace/artifacts/{name}/, .trace/snapshots/{name}.* and .trace/snapshots/{name}/"
        ));
        false
    }
}

/// A task of ours that has not come to its end.
fn lost(error: &JoinError) -> Error {
    Error::new(format!("a mistake in otrace ended it ({error})"))
}

fn files(state: &State, kept: &Kept, ended: &Ended) -> Vec<StoredFile> {
    let logs = [&ended.stdout.log, &ended.stderr.log].into_iter().filter(|log| log.size > 0);
    logs.cloned().chain(kept.copies.iter().cloned()).chain(state.files()).collect()
}
