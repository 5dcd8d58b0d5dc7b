//! What is told to the server about a run whose command has ended.
//!
//! From here on nothing may change how the command ends for whoever called it: what cannot be sent is
//! a warning, and stays in the spool for `otrace sync`.

use std::time::Duration;

use otrace_wire::{RunDetails, RunOutcome};
use tokio::sync::oneshot;
use tokio::task::{JoinError, JoinHandle};

use super::pulse::{Pulse, Unkept};
use super::summary::{self, Arrival};
use super::{Online, Session};
use crate::capture::artifacts::Kept;
use crate::capture::large::{Arrived, Large};
use crate::capture::snapshot::State;
use crate::capture::stored::StoredFile;
use crate::capture::workspace_sync;
use crate::child::Ended;
use crate::client::SyncedWorkspace;
use crate::commands::sync;
use crate::error::{Error, Result};
use crate::printer;
use crate::run_spec::RunSpec;
use crate::spool::delivery::{self, Parcel};
use crate::spool::durable::Persisting;
use crate::spool::gather::{self, Outputs};
use crate::spool::records::{self, Captured, Content};
use crate::spool::series::Sender;
use crate::spool::{bound, kept};
use crate::upload;

/// How long a server that fails is waited for in all, now that somebody waits for us.
const PATIENCE: Duration = Duration::from_secs(3);
/// The same while the command runs.
const PATIENCE_BESIDE: Duration = Duration::from_secs(30);
/// How long the workspace's name is waited for.
const SYNCING: Duration = Duration::from_secs(5);

/// What is found out and told beside the command.
pub(super) struct Background {
    python_version: oneshot::Receiver<Option<String>>,
    sync: JoinHandle<Result<Option<SyncedWorkspace>>>,
    pulse: Pulse,
}

/// What came of the background.
struct Told {
    python_version: Option<String>,
    workspace: Option<SyncedWorkspace>,
    /// What is still to be sent of them.
    series: Sender,
    /// Those that there was no room for, if there are any.
    unkept: Option<Unkept>,
}

impl Background {
    /// Begins to tell that the command runs, what it prints and from which workspace. The declared paths
    /// may hold series.
    pub(super) fn start(
        session: &Session,
        state: &State,
        python: JoinHandle<Option<String>>,
        declared: &[String],
        started_at: &str,
    ) -> Self {
        let (tell, python_version) = oneshot::channel();
        let client = session.online.as_ref().map(|Online { client, .. }| client.patient(PATIENCE_BESIDE));
        let mut workspace = workspace_sync::describe(&session.workspace, state.git.as_ref());
        workspace.project_id = session.settings.project_id().map(str::to_owned);
        let sync = async move {
            workspace.python_version = python.await.unwrap_or_default();
            // Nobody is left to be told if the run was given up meanwhile.
            let _ = tell.send(workspace.python_version.clone());
            match client {
                Some(client) => client.sync_workspace(&workspace).await.map(Some),
                None => Ok(None),
            }
        };
        let pulse = Pulse::start(session, declared, started_at);
        Self { python_version, sync: tokio::spawn(sync), pulse }
    }

    /// Waits for all of it, though not for long.
    async fn settle(self) -> Told {
        let (python_version, synced, (series, unkept)) =
            tokio::join!(self.python_version, tokio::time::timeout(SYNCING, self.sync), self.pulse.stop());
        let workspace = match synced {
            Ok(synced) => synced.unwrap_or_else(|error| Err(lost(&error))),
            Err(_) => Ok(None),
        };
        let workspace = workspace.unwrap_or_else(|error| {
            // That the server is not there is told when what counts can't be sent.
            if !error.is_unreachable() {
                printer::warning(error.context("could not sync the workspace:"));
            }
            None
        });
        Told { python_version: python_version.unwrap_or_default(), workspace, series, unkept }
    }
}

impl Session {
    /// Keeps how the command ended, and what it printed until then, before anything else can go wrong.
    pub(super) fn keep_end(&self, ended: &Ended) {
        let logs = [&ended.stdout.log, &ended.stderr.log].map(|log| log.path.clone());
        if let Err(error) = self.spooled.write_ended(&self.to_keep(ended), logs.into()) {
            printer::warning(error);
        }
    }

    fn to_keep(&self, ended: &Ended) -> records::Ended {
        records::Ended {
            exit_code: ended.exit_code,
            signal: ended.signal_name().map(str::to_owned),
            duration_seconds: ended.duration.as_secs_f64(),
            finished_at: ended.finished_at.clone(),
            cut_short: [&ended.stdout, &ended.stderr]
                .map(|passed| gather::lacking(&self.workspace, &passed.log.path, &passed.gaps))
                .concat(),
        }
    }

    /// Collects what the command left behind, sends everything, and says what came of it.
    pub(super) async fn send(
        &self,
        state: &State,
        configs: Kept,
        ended: &Ended,
        started_at: &str,
        background: Background,
        gathering: impl Future<Output = ()>,
    ) {
        let in_touch = self.online.as_ref().map(|online| delivery::keep_in_touch(&online.client, self.id));
        let (mut told, kept, ()) = tokio::join!(background.settle(), self.collect(), gathering);
        let series_cut_short = self.send_unkept(&mut told.series, told.unkept.take()).await;
        let end = self.to_keep(ended);
        let mut kept = configs.merge(kept);
        kept.missing.extend(end.cut_short.iter().cloned());
        let lacks_series = series_cut_short.is_some();
        kept.missing
            .extend(series_cut_short.map(|reason| gather::lacking_series(&self.workspace, &self.name, &reason)));
        let logs = [&ended.stdout.log, &ended.stderr.log];
        let files: Vec<StoredFile> = gather::files(logs, &kept).cloned().chain(state.files()).collect();
        let snapshot = state.to_wire(&self.workspace, told.python_version);
        let details = gather::details(&self.workspace, kept, snapshot, logs, &ended.finished_at);
        let persisting = self.keep_captured(&details, &files, lacks_series);
        if let Err(error) = self.workspace.set_active_experiment(&self.label(), self.id) {
            printer::warning(error);
        }
        let is_sent = self.transmit(details.clone(), &files, told.series, &end.outcome(started_at)).await;
        drop(in_touch);
        self.settle(persisting, is_sent).await;
        let others = if is_sent { sync::finish_others(&self.workspace, &self.settings).await } else { Vec::new() };
        let project_slug = told.workspace.map(|workspace| workspace.project.slug);
        summary::print(self, &state.summary(), ended, &details, &Arrival { is_sent, project_slug, others });
        self.make_room(files.iter().map(|file| file.size).sum()).await;
    }

    /// Sends the series that there was no room for, from the files that they stand in. Gives why they are cut short, if
    /// they are.
    async fn send_unkept(&self, series: &mut Sender, unkept: Option<Unkept>) -> Option<String> {
        let Unkept { reason, collector } = unkept?;
        let Some(Online { client, .. }) = &self.online else { return Some(reason) };
        let sent = series.send_rest(&collector, &client.patient(PATIENCE), self.id).await;
        sent.is_err().then_some(reason)
    }

    /// Reads and copies files beside the network's thread: there may be many gigabytes of them.
    async fn collect(&self) -> Kept {
        let arrived = self.send_large().await;
        let (workspace, name, spec) = (self.workspace.clone(), self.name.clone(), self.spec.clone());
        let masker = self.masker.clone();
        beside(move || gather::keep_outputs(&workspace, &name, outputs(&spec), &arrived, masker.as_ref())).await
    }

    /// Sends large outputs from where they are. What fails is tried again from a copy, and told then.
    async fn send_large(&self) -> Arrived {
        let Some(Online { client, .. }) = &self.online else { return Arrived::default() };
        let (workspace, (stored, _)) = (self.workspace.clone(), outputs(&self.spec).by_storage());
        let large: Large = beside(move || Large::measure(&workspace, &stored)).await;
        let files = large.files();
        if files.is_empty() {
            return Arrived::default();
        }
        let unsent = upload::contents(&client.patient(PATIENCE), &files, true).await;
        large.arrived(|digest| !unsent.has(digest))
    }

    /// Everything that was captured is on this machine before it is sent, and on its disk soon.
    fn keep_captured(&self, details: &RunDetails, files: &[StoredFile], lacks_series: bool) -> Option<Persisting> {
        if !files.iter().all(|file| file.path.starts_with(self.workspace.trace_dir())) {
            // There was no room for some of it: should it not arrive now, `otrace sync` collects it anew.
            return None;
        }
        let contents = Content::all_of(&self.workspace, files);
        let captured = Captured { lacks_series, ..Captured::of(&self.workspace, &self.name, contents) };
        let kept = gather::write_details(&self.workspace, &self.name, details);
        let persisting = kept.and_then(|()| self.spooled.persist(&self.workspace, captured));
        persisting.inspect_err(|error| printer::warning(error)).ok()
    }

    /// The spool need not keep a run that has arrived. Of any other, all has to be on the disk.
    async fn settle(&self, persisting: Option<Persisting>, is_sent: bool) {
        match persisting {
            Some(persisting) if is_sent => persisting.give_up(),
            Some(persisting) => {
                if let Err(error) = persisting.wait().await {
                    printer::warning(error);
                }
            }
            None => {}
        }
        if is_sent {
            kept::keep(&self.workspace, self.spooled.entry());
            self.spooled.remove();
        }
    }

    /// Removes copies of older runs where this one has left so many bytes that there are too many.
    async fn make_room(&self, bytes: u64) {
        let workspace = self.workspace.clone();
        let _ = tokio::task::spawn_blocking(move || bound::after_run(&workspace, bytes)).await;
    }

    /// Says whether everything has arrived.
    async fn transmit(&self, details: RunDetails, files: &[StoredFile], series: Sender, outcome: &RunOutcome) -> bool {
        let Some(Online { client, experiment }) = &self.online else { return false };
        let parcel = Parcel { details, files, series, outcome, is_shown: true };
        let Err(error) = delivery::deliver(&client.patient(PATIENCE), self.id, parcel).await else { return true };
        let (name, error) = (&self.name, error.to_string());
        let stop = if error.ends_with(['.', '!', '?']) { "" } else { "." };
        printer::warning(format_args!(
            "{experiment} was not sent completely: {error}{stop} `otrace sync` sends the rest; its logs, files, \
             diffs and results are kept in .trace/logs/{name}.*, .trace/artifacts/{name}/, \
             .trace/snapshots/{name}.* and .trace/snapshots/{name}/"
        ));
        false
    }
}

fn outputs(spec: &RunSpec) -> Outputs<'_> {
    let RunSpec { expected_artifact_paths, unstored_paths, expected_log_paths, .. } = spec;
    Outputs { artifacts: expected_artifact_paths, unstored: unstored_paths, logs: expected_log_paths }
}

/// What is done on a thread of its own.
async fn beside<T: Default + Send + 'static>(collect: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(collect).await.unwrap_or_else(|error| {
        printer::warning(lost(&error).context("could not collect the outputs:"));
        T::default()
    })
}

/// A task of ours that has not come to its end.
fn lost(error: &JoinError) -> Error {
    Error::new(format!("a mistake in otrace ended it ({error})"))
}
