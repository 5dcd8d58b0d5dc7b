//! Bringing a run to its end whose `otrace` has gone, or could not send everything.
//!
//! It may be done again and again, and by several at once: each step is written down, and what the
//! server has already it passes over.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use otrace_wire::{ExperimentId, RunOutcome, RunStatus};
use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use uuid::Uuid;

use crate::capture::large::Arrived;
use crate::capture::snapshot;
use crate::capture::stored::StoredFile;
use crate::client::Client;
use crate::error::{Error, Result};
use crate::secrets::Masker;
use crate::settings::Settings;
use crate::spool::delivery::{self, Parcel};
use crate::spool::gather::{self, Outputs};
use crate::spool::records::{Asked, Captured, Content, Created, Started};
use crate::spool::series::{self, Sender};
use crate::spool::{Entry, Locked, files, kept};
use crate::stored_log::{StoredLog, gap};
use crate::workspace::Workspace;
use crate::{clock, printer, upload};

/// Who finishes a run, and where.
pub struct Finisher<'a> {
    /// Where the run was.
    pub workspace: &'a Workspace,
    /// Which server and key are in force.
    pub settings: &'a Settings,
    /// How long a server that fails is waited for.
    pub patience: Duration,
    /// Whether nothing is to be said about it.
    pub is_quiet: bool,
}

/// What became of a run.
#[derive(Debug, PartialEq, Eq)]
pub enum Finished {
    /// The server has all of it, as this run.
    Sent(ExperimentId),
    /// Its command had not been started. That is all there is to know.
    NeverStarted,
    /// Its command runs on as this process.
    StillRuns(u32),
    /// Somebody else has finished it meanwhile.
    Gone,
}

/// A run on the server, and who tells about it.
struct OnServer {
    client: Client,
    run: Uuid,
    experiment: ExperimentId,
}

impl Finisher<'_> {
    /// Does what is left to do for a run, and forgets it if that was all.
    pub async fn finish(&self, run: &Locked) -> Result<Finished> {
        let entry = run.entry();
        let Some(asked) = entry.asked()? else {
            // Or a power cut came before it was on the disk, and before its command started.
            run.remove();
            return Ok(Finished::Gone);
        };
        self.check_server(&asked)?;
        let Some(started) = entry.started()? else {
            self.end_what_never_started(&asked, entry).await?;
            snapshot::discard(self.workspace, entry.id);
            run.remove();
            return Ok(Finished::NeverStarted);
        };
        let ended = entry.ended()?;
        if ended.is_none()
            && let Some(pid) = entry.living_child()
        {
            return Ok(Finished::StillRuns(pid));
        }
        let on_server = self.on_server(run, &asked, &started).await?;
        let outcome = match &ended {
            Some(ended) => ended.outcome(&started.started_at),
            None => RunOutcome { started_at: Some(started.started_at.clone()), ..self.broken_off(&started.name) },
        };
        let captured_at = outcome.finished_at.clone().unwrap_or_else(clock::now);
        let cut_short = ended.map(|ended| ended.cut_short);
        let captured = self.captured(run, &asked, &started, captured_at, cut_short).await?;
        self.deliver(&on_server, &captured, Sender::new(entry.series_file()), &outcome).await?;
        kept::keep(self.workspace, entry);
        run.remove();
        Ok(Finished::Sent(on_server.experiment))
    }

    /// What belongs to one server is shown to no other.
    fn check_server(&self, asked: &Asked) -> Result<()> {
        let here = &self.settings.api_url;
        match &asked.server {
            Some(server) if server != here => {
                Err(Error::new(format!("it was recorded with {server}, and the server in force is {here}"))
                    .with_hint("Set TRACE_API_URL to the first to send it."))
            }
            _ => Ok(()),
        }
    }

    /// The server may have been asked for the run and have made it. Nobody else would ever end it.
    async fn end_what_never_started(&self, asked: &Asked, entry: &Entry) -> Result<()> {
        if asked.server.is_none() {
            return Ok(());
        }
        let client = Client::resuming(self.settings, None, self.is_quiet)?.patient(self.patience);
        let outcome = RunOutcome {
            status: Some(RunStatus::CaptureFailed),
            finished_at: Some(asked.recorded_at.clone()),
            ..RunOutcome::default()
        };
        client.update_if_known(entry.id, &outcome).await?;
        Ok(())
    }

    /// The run on the server, which is made now if it was recorded without one.
    async fn on_server(&self, run: &Locked, asked: &Asked, started: &Started) -> Result<OnServer> {
        let client = |run_token: Option<&str>| {
            let client = Client::resuming(self.settings, run_token, self.is_quiet)?;
            Ok::<_, Error>(client.patient(self.patience))
        };
        if let Some(Created { run, experiment, run_token }) = run.entry().created()? {
            return Ok(OnServer { client: client(run_token.as_deref())?, run, experiment });
        }
        if let Some(experiment) = started.experiment {
            return Ok(OnServer { client: client(started.run_token.as_deref())?, run: started.run, experiment });
        }
        let client = client(None)?;
        if let Some(meant) = &asked.project_id {
            check_project(meant, &client).await?;
        }
        let (made, client) = client.create_run(&asked.request).await?;
        let experiment = made.experiment_id;
        run.write_created(&Created { run: made.id, experiment, run_token: client.run_token() })?;
        if self.workspace.active_experiment() == Some(started.run) {
            self.workspace.set_active_experiment(&experiment.to_string(), made.id)?;
        }
        Ok(OnServer { client, run: made.id, experiment })
    }

    /// How the command ended is not known: it was last heard of when it last printed something.
    fn broken_off(&self, name: &str) -> RunOutcome {
        let logs = [self.workspace.stdout_log(name), self.workspace.stderr_log(name)];
        let last_sign = logs.iter().filter_map(|log| modified_at(log)).max();
        RunOutcome {
            status: Some(RunStatus::CaptureFailed),
            finished_at: last_sign.and_then(|at| at.format(&Rfc3339).ok()),
            ..RunOutcome::default()
        }
    }

    /// What there is to send. It is collected now, unless that was done already and nothing of it is torn or missing.
    async fn captured(
        &self,
        run: &Locked,
        asked: &Asked,
        started: &Started,
        captured_at: String,
        cut_short: Option<Vec<Value>>,
    ) -> Result<Captured> {
        let found = run.entry().captured()?;
        if let Some(captured) = found.as_ref().filter(|captured| captured.is_synced && !captured.lacks_series) {
            return Ok(captured.clone());
        }
        let (workspace, asked, started) = (self.workspace.clone(), asked.clone(), started.clone());
        let kept = run.entry().series_file();
        let is_torn = run.entry().is_from_before_a_restart();
        let collect = move || {
            let series_cut_short = series::rescue(&workspace, &started.name, &asked.declared_paths(), kept);
            match found {
                Some(captured) if captured.is_synced || captured.is_whole(&workspace) => {
                    if series_cut_short.is_none() {
                        with_series(&workspace, &started.name, captured)
                    } else {
                        Ok(captured)
                    }
                }
                _ => {
                    let lacking = Lacking { logs: cut_short, series: series_cut_short, is_torn };
                    collect(&workspace, &asked, started, &captured_at, lacking)
                }
            }
        };
        let mut captured = tokio::task::spawn_blocking(collect)
            .await
            .unwrap_or_else(|error| Err(Error::new(format!("a mistake in otrace ended it ({error})"))))?;
        run.write_captured(self.workspace, &mut captured)?;
        Ok(captured)
    }

    async fn deliver(
        &self,
        on_server: &OnServer,
        captured: &Captured,
        series: Sender,
        outcome: &RunOutcome,
    ) -> Result<()> {
        let mut details = captured.read_details(self.workspace)?;
        let mut lost = BTreeSet::new();
        let mut files: Vec<StoredFile> = Vec::new();
        for content in &captured.contents {
            if let Some(file) = content.to_file(self.workspace) {
                files.push(file);
            } else {
                printer::warning(format_args!("{} is gone, and is not sent", content.path));
                lost.insert(content.hash);
            }
        }
        upload::leave_out(&lost, &mut details);
        let _in_touch = delivery::keep_in_touch(&on_server.client, on_server.run);
        let parcel = Parcel { details, files: &files, series, outcome, is_shown: !self.is_quiet };
        delivery::deliver(&on_server.client, on_server.run, parcel).await
    }
}

/// A run in the wrong project can't be moved to the right one later.
async fn check_project(meant: &str, client: &Client) -> Result<()> {
    let project = client.whoami().await?.project;
    let (name, id) = (project.name, project.id.to_string());
    if meant == id {
        return Ok(());
    }
    Err(Error::new(format!("it was recorded for the project {meant}, and the API key belongs to {name} ({id})"))
        .with_hint("Set TRACE_API_KEY to a key of the first."))
}

/// What of a run is not whole.
struct Lacking {
    /// What its `otrace` has written down of the logs. Nothing, if it did not come to it.
    logs: Option<Vec<Value>>,
    /// Why its series are cut short, if they are.
    series: Option<String>,
    /// Whether a power cut may have torn the logs.
    is_torn: bool,
}

/// Takes back that series are missing which are kept by now.
fn with_series(workspace: &Workspace, name: &str, captured: Captured) -> Result<Captured> {
    if !captured.lacks_series {
        return Ok(captured);
    }
    let mut details = captured.read_details(workspace)?;
    gather::series_are_whole(&mut details);
    // In one step: whoever is killed at it leaves what was there.
    files::write(&workspace.trace_dir().join("snapshots"), &format!("{name}.details.json"), &details)?;
    Ok(Captured { lacks_series: false, ..captured })
}

/// Copies and reads the files of a run whose `otrace` did not come to it.
fn collect(
    workspace: &Workspace,
    asked: &Asked,
    started: Started,
    captured_at: &str,
    lacking: Lacking,
) -> Result<Captured> {
    let name = &started.name;
    let (artifacts, logs) = (&asked.request.expected_artifact_paths, &asked.request.expected_log_paths);
    let run = asked.request.id.unwrap_or_default();
    let masker = if asked.keeps_secrets { None } else { Some(Masker::of_run(workspace, run, &asked.secrets)?) };
    let outputs = Outputs { artifacts, unstored: &asked.unstored_paths, logs };
    let outputs = gather::keep_outputs(workspace, name, outputs, &Arrived::default(), masker.as_ref());
    let mut kept = started.configs.into_kept().merge(outputs);
    let logs = [workspace.stdout_log(name), workspace.stderr_log(name)];
    if lacking.is_torn {
        for log in &logs {
            StoredLog::cut_what_never_came(log).map_err(|error| Error::file("write", log, &error))?;
        }
    }
    let [stdout, stderr] = logs.map(|log| gather::log(log, masker.as_ref()));
    // Whoever went on with the logs has come to their end by now.
    let noted = || [&stdout, &stderr].map(|log| gather::lacking(workspace, &log.path, &gap::noted(&log.path))).concat();
    kept.missing.extend(lacking.logs.unwrap_or_else(noted));
    kept.missing.extend(lacking.series.as_ref().map(|reason| gather::lacking_series(workspace, name, reason)));
    for told in masker.iter().flat_map(Masker::report) {
        printer::warning(told);
    }
    let logs = [&stdout, &stderr];
    let mut contents = Content::all_of(workspace, gather::files(logs, &kept));
    // What was copied while the command ran may not have got to the disk before a power cut.
    let (whole, torn): (Vec<_>, Vec<_>) = started.contents.into_iter().partition(|content| content.is_whole(workspace));
    for Content { path, .. } in &torn {
        printer::warning(format_args!("{path} is not as it was captured, and is left out"));
    }
    contents.extend(whole);
    let mut details = gather::details(workspace, kept, started.snapshot, logs, captured_at);
    upload::leave_out(&torn.iter().map(|content| content.hash).collect(), &mut details);
    gather::write_details(workspace, name, &details)?;
    Ok(Captured { lacks_series: lacking.series.is_some(), ..Captured::of(workspace, name, contents) })
}

fn modified_at(path: &Path) -> Option<OffsetDateTime> {
    Some(path.metadata().ok()?.modified().ok()?.into())
}
