//! What this workspace knows of its runs without a server: those that are not confirmed, from the spool, and those that
//! are, from a small record that is kept of each beside its details.

use std::collections::{HashMap, HashSet};
use std::fs;

use otrace_wire::{CreateRun, ExperimentId, Run, RunDetails, RunOutcome, RunStatus};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use uuid::Uuid;

use super::{Entry, Spool, files};
use crate::error::{Error, Result};
use crate::printer;
use crate::workspace::Workspace;

/// What the names of the records end with.
const ENDING: &str = ".run.json";

/// `snapshots/{name}.run.json`: a run, without what it left behind.
#[derive(Serialize, Deserialize)]
struct Kept {
    /// Its id on the server.
    run: Uuid,
    /// Its number there. Nothing where none was given.
    experiment: Option<ExperimentId>,
    request: CreateRun,
    recorded_at: String,
    outcome: RunOutcome,
}

/// A run, and what it left behind.
struct Found {
    kept: Kept,
    details: RunDetails,
}

/// Keeps a record of a run that the server has confirmed, before the spool forgets it. Without one, the run is only
/// missing from what is made without a server.
pub fn keep(workspace: &Workspace, entry: &Entry) {
    let keep = || -> Result<()> {
        let (Some(kept), Some(started)) = (Kept::of(entry)?, entry.started()?) else { return Ok(()) };
        let (folder, name) = (workspace.trace_dir().join("snapshots"), format!("{}{ENDING}", started.name));
        files::write_quickly(&folder, &name, &kept).map_err(|error| Error::file("write", &folder.join(name), &error))
    };
    if let Err(error) = keep() {
        printer::warning(error);
    }
}

/// The runs of this workspace, as far as it knows them. What others wrote on them is not here. One that has no number
/// yet, or one that another run of this workspace has too, gets one below 0 for the while.
pub fn runs(workspace: &Workspace) -> Vec<Run> {
    let mut found = Vec::new();
    for entry in Spool::of(workspace).entries() {
        match unconfirmed(workspace, &entry) {
            Ok(run) => found.extend(run),
            Err(error) => printer::warning(error),
        }
    }
    found.extend(confirmed(workspace));
    numbered(found)
}

fn confirmed(workspace: &Workspace) -> Vec<Found> {
    let folder = workspace.trace_dir().join("snapshots");
    let mut found = Vec::new();
    for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
        let file = entry.file_name();
        let Some(name) = file.to_str().and_then(|file| file.strip_suffix(ENDING)) else { continue };
        let kept = files::read::<Kept>(&folder, &format!("{name}{ENDING}"));
        let details = || files::read::<RunDetails>(&folder, &format!("{name}.details.json"));
        match kept.and_then(|kept| Ok((kept, details()?))) {
            Ok((Some(kept), details)) => found.push(Found { kept, details: details.unwrap_or_default() }),
            Ok((None, _)) => {}
            Err(error) => printer::warning(error),
        }
    }
    found
}

fn unconfirmed(workspace: &Workspace, entry: &Entry) -> Result<Option<Found>> {
    let Some(mut kept) = Kept::of(entry)? else { return Ok(None) };
    let captured = entry.captured()?.map(|captured| captured.read_details(workspace)).transpose()?;
    let snapshot = entry.started()?.map(|started| started.snapshot);
    let details = captured.unwrap_or_else(|| RunDetails { snapshot, ..RunDetails::default() });
    if kept.outcome.status.is_none() && kept.outcome.started_at.is_some() {
        let goes_on = entry.lock()?.is_none() || entry.living_child().is_some();
        kept.outcome.status = Some(if goes_on { RunStatus::Running } else { RunStatus::CaptureFailed });
    }
    Ok(Some(Found { kept, details }))
}

impl Kept {
    /// The run, as far as the spool knows it; nothing, if it has been confirmed meanwhile.
    fn of(entry: &Entry) -> Result<Option<Self>> {
        let Some(asked) = entry.asked()? else { return Ok(None) };
        let (started, created, ended) = (entry.started()?, entry.created()?, entry.ended()?);
        let started_at = started.as_ref().map(|started| started.started_at.clone());
        let outcome = match (&ended, &started_at) {
            (Some(ended), Some(started_at)) => ended.outcome(started_at),
            _ => RunOutcome { started_at: started_at.clone(), ..RunOutcome::default() },
        };
        let ids = created.map(|created| (created.run, Some(created.experiment)));
        let ids = ids.or_else(|| started.map(|started| (started.run, started.experiment)));
        let (run, experiment) = ids.unwrap_or((entry.id, None));
        Ok(Some(Self { run, experiment, request: asked.request, recorded_at: asked.recorded_at, outcome }))
    }
}

/// Gives each run a number of its own, and to each its parent's.
fn numbered(mut found: Vec<Found>) -> Vec<Run> {
    // A run whose confirmation was cut short is found twice.
    let mut ids = HashSet::new();
    found.retain(|found| ids.insert(found.kept.run));
    found.sort_by(|a, b| (&a.kept.recorded_at, a.kept.run).cmp(&(&b.kept.recorded_at, b.kept.run)));
    let (mut taken, mut numbers, mut provisional) = (HashSet::new(), HashMap::new(), 0);
    for Found { kept, .. } in &found {
        let number = kept.experiment.filter(|experiment| taken.insert(*experiment)).unwrap_or_else(|| {
            provisional -= 1;
            ExperimentId::new(provisional)
        });
        numbers.insert(kept.run, number);
    }
    found.into_iter().filter_map(|found| found.into_run(&numbers)).collect()
}

impl Found {
    fn into_run(self, numbers: &HashMap<Uuid, ExperimentId>) -> Option<Run> {
        let Self { kept: Kept { run, request, recorded_at, outcome, .. }, details } = self;
        let parent = request.parent.as_deref().and_then(|parent| {
            let id = parent.parse::<Uuid>().ok();
            id.and_then(|id| numbers.get(&id).copied()).or_else(|| parent.parse().ok())
        });
        let created_at = moment(&recorded_at)?;
        Some(Run {
            id: run,
            experiment_id: *numbers.get(&run)?,
            parent,
            title: request.title,
            intent: request.intent,
            setup: request.setup,
            command: request.command,
            status: outcome.status.unwrap_or(RunStatus::Created),
            tags: request.tags,
            created_at,
            updated_at: created_at,
            started_at: outcome.started_at.as_deref().and_then(moment),
            finished_at: outcome.finished_at.as_deref().and_then(moment),
            exit_code: outcome.exit_code,
            signal: outcome.signal,
            duration_seconds: outcome.duration_seconds,
            working_directory: request.working_directory,
            expected_artifact_paths: request.expected_artifact_paths,
            expected_log_paths: request.expected_log_paths,
            results: details.results,
            tables: details.tables,
            logs: details.logs,
            artifacts: details.artifacts,
            snapshot: details.snapshot,
            notes: Vec::new(),
        })
    }
}

fn moment(text: &str) -> Option<OffsetDateTime> {
    OffsetDateTime::parse(text, &Rfc3339).ok()
}
