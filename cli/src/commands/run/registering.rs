//! The run, recorded before its command starts: in the spool, and on the server.

use std::process::ExitCode;
use std::time::Duration;

use nix::sys::signal::Signal;
use otrace_wire::{CreateRun, RunOutcome, RunStatus};
use uuid::Uuid;

use super::Online;
use crate::capture::snapshot::{self, Beginning};
use crate::client::Client;
use crate::error::{Error, Result};
use crate::run_spec::RunSpec;
use crate::secrets::Masker;
use crate::settings::Settings;
use crate::spool::Locked;
use crate::spool::records::Asked;
use crate::workspace::Workspace;
use crate::{clock, printer};

/// How long the server is waited for once somebody has interrupted us.
const LAST_REQUEST: Duration = Duration::from_secs(2);

/// A run that is on record.
pub(super) struct Registered {
    /// Nothing where no server was asked.
    pub(super) online: Option<Online>,
    /// The run's id, as the server has it.
    pub(super) id: Uuid,
    /// What it will run on.
    pub(super) beginning: Beginning,
}

/// The request for the run. One that is sent later says when it was made.
pub(super) fn ask(
    spec: &RunSpec,
    workspace: &Workspace,
    settings: &Settings,
    id: Uuid,
    is_offline: bool,
    masker: Option<&Masker>,
) -> Asked {
    let recorded_at = clock::now();
    let shown = masker.map_or_else(|| spec.clone(), |masker| masker.mask_spec(spec));
    let request = CreateRun {
        id: Some(id),
        working_directory: Some(workspace.path_text()),
        parent: workspace.active_experiment().map(|run| run.to_string()),
        recorder: Some(concat!("otrace ", env!("CARGO_PKG_VERSION")).to_owned()),
        created_at: is_offline.then(|| recorded_at.clone()),
        ..shown.to_wire()
    };
    let server = (!is_offline).then(|| settings.api_url.clone());
    Asked {
        request,
        recorded_at,
        server,
        project_id: settings.project_id().map(str::to_owned),
        keeps_secrets: masker.is_none(),
        unstored_paths: spec.unstored_paths.clone(),
        secrets: masker.map(|masker| masker.remembered(id)).unwrap_or_default(),
    }
}

/// Has the server record the run, while git is asked what it will run on. The client that it gives is
/// the run's own.
pub(super) async fn register(
    client: Option<&Client>,
    settings: &Settings,
    workspace: &Workspace,
    asked: &Asked,
    masker: Option<&Masker>,
) -> Result<Registered> {
    let id = asked.request.id.unwrap_or_default();
    let Some(client) = client else {
        return Ok(Registered { online: None, id, beginning: snapshot::begin(workspace, id, masker).await });
    };
    let create = async {
        check_project(client, settings).await?;
        client.create_run(&asked.request).await
    };
    let (created, beginning) = tokio::join!(create, snapshot::begin(workspace, id, masker));
    match created {
        Ok((run, client)) => {
            let online = Some(Online { client, experiment: run.experiment_id });
            Ok(Registered { online, id: run.id, beginning })
        }
        Err(error) => {
            beginning.discard();
            let offline = "Start it with `otrace-server`, set TRACE_API_URL to where it is, \
                           or add --offline to `otrace run`: then `otrace sync` sends the run later.";
            let error = if error.is_unreachable() { error.with_hint(offline) } else { error };
            Err(error.context("could not create the run on the server; the command was not started."))
        }
    }
}

/// Ends it before the command has started, as the signal would have ended us.
pub(super) async fn interrupted(
    client: Option<&Client>,
    workspace: &Workspace,
    spooled: &Locked,
    signal: Signal,
) -> ExitCode {
    printer::error(&Error::new("interrupted; the command was not started"));
    snapshot::discard(workspace, spooled.entry().id);
    withdraw(client, spooled).await;
    u8::try_from(128 + signal as i32).map_or(ExitCode::FAILURE, ExitCode::from)
}

/// Ends a run whose command does not start: the server may have recorded it all the same. If that can't be told,
/// the run stays in the spool, and `otrace sync` tells it.
pub(super) async fn withdraw(client: Option<&Client>, spooled: &Locked) {
    let is_told = match client {
        Some(client) => {
            let end = broken_off();
            let told = client.update_if_known(spooled.entry().id, &end);
            matches!(tokio::time::timeout(LAST_REQUEST, told).await, Ok(Ok(_)))
        }
        None => true,
    };
    if is_told {
        spooled.remove();
    }
}

/// The recording broke off for a reason of ours.
pub(super) fn broken_off() -> RunOutcome {
    RunOutcome { status: Some(RunStatus::CaptureFailed), finished_at: Some(clock::now()), ..RunOutcome::default() }
}

/// A run in the wrong project can't be moved to the right one later.
async fn check_project(client: &Client, settings: &Settings) -> Result<()> {
    if !settings.guards_changes() {
        return Ok(());
    }
    settings.check_project(&client.whoami().await?.project)
}
