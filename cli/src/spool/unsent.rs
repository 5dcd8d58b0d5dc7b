//! The runs that the server lacks something of, as people and programs are told of them.

use otrace_wire::ExperimentId;
use serde::Serialize;
use uuid::Uuid;

use super::records::{Asked, Captured, Started};
use super::{Entry, Spool};
use crate::error::{Error, Result};
use crate::workspace::Workspace;

/// A run that is not confirmed.
#[derive(Clone, Debug, Serialize)]
pub struct Unsent {
    /// The run's id.
    pub run_id: Uuid,
    /// What it is called.
    pub name: String,
    /// Its number on the server, once it has one.
    pub experiment_id: Option<ExperimentId>,
    /// What was run.
    pub command: String,
    /// When it was recorded, RFC 3339.
    pub recorded_at: String,
    /// `recording`, `running`, `ended` or `broken_off`.
    pub state: &'static str,
    /// The command's process, where its `otrace` has gone.
    pub process: Option<u32>,
    /// How the command ended, if that is known.
    pub exit_code: Option<i32>,
    /// What the server has not confirmed.
    pub missing: Vec<String>,
    /// How much there is to send at most.
    pub bytes: u64,
}

/// All of them, the oldest first, and what could not be read of others.
pub fn read(workspace: &Workspace) -> (Vec<Unsent>, Vec<Error>) {
    let (mut unsent, mut problems) = (Vec::new(), Vec::new());
    for entry in Spool::of(workspace).entries() {
        match describe(workspace, &entry) {
            Ok(run) => unsent.extend(run),
            Err(error) => problems.push(error),
        }
    }
    (unsent, problems)
}

impl Unsent {
    /// Where it stands, in words.
    pub fn state_in_words(&self) -> String {
        match (self.state, self.process, self.exit_code) {
            ("recording", ..) => "is being recorded or sent by another otrace".to_owned(),
            ("running", Some(pid), _) => format!("its otrace is gone, its command still runs (process {pid})"),
            ("ended", _, Some(code)) => format!("ended with exit code {code}"),
            _ => "broken off".to_owned(),
        }
    }
}

/// Nothing, if it has been confirmed at this moment.
fn describe(workspace: &Workspace, entry: &Entry) -> Result<Option<Unsent>> {
    let is_busy = entry.lock()?.is_none();
    let Some(Asked { request, recorded_at, .. }) = entry.asked()? else { return Ok(None) };
    let (started, ended, captured) = (entry.started()?, entry.ended()?, entry.captured()?);
    let created = entry.created()?.map(|created| created.experiment);
    let experiment_id = created.or_else(|| started.as_ref().and_then(|started| started.experiment));
    let process = if ended.is_none() && !is_busy { entry.living_child() } else { None };
    let state = match (is_busy, &ended, process) {
        (true, ..) => "recording",
        (_, Some(_), _) => "ended",
        (_, None, Some(_)) => "running",
        (_, None, None) => "broken_off",
    };
    Ok(Some(Unsent {
        run_id: entry.id,
        name: entry.label(),
        experiment_id,
        command: request.command,
        recorded_at,
        state,
        process,
        exit_code: ended.map(|ended| ended.exit_code),
        missing: missing(experiment_id, started.as_ref(), captured.as_ref()),
        bytes: bytes(workspace, started.as_ref(), captured.as_ref()),
    }))
}

fn missing(experiment: Option<ExperimentId>, started: Option<&Started>, captured: Option<&Captured>) -> Vec<String> {
    let mut missing = Vec::new();
    if experiment.is_none() {
        missing.push("the run itself".to_owned());
    }
    match (started, captured) {
        (_, Some(captured)) => missing.push(format!("up to {} files and logs", captured.contents.len())),
        (Some(_), None) => missing.push("its logs and files".to_owned()),
        (None, None) => {}
    }
    missing.push("how it ended".to_owned());
    missing
}

/// How much there is to send at most. What the server has already of it is not sent again.
fn bytes(workspace: &Workspace, started: Option<&Started>, captured: Option<&Captured>) -> u64 {
    if let Some(captured) = captured {
        return captured.contents.iter().map(|content| content.size_bytes).sum();
    }
    let Some(started) = started else { return 0 };
    let logs = [workspace.stdout_log(&started.name), workspace.stderr_log(&started.name)];
    let logs = logs.iter().filter_map(|log| Some(log.metadata().ok()?.len()));
    started.contents.iter().map(|content| content.size_bytes).chain(logs).sum()
}
