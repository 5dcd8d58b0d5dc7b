//! Creating runs: those that arrive together share one commit.
//!
//! A run's number comes from a counter in its project's row, which stays locked until the commit is
//! on disk. One commit a run would make a project's runs wait in line for the disk. So requests of
//! one project gather while the one before them commits, and go together in the next.

use std::collections::HashMap;
use std::mem;
use std::sync::{Arc, Mutex, PoisonError};

use otrace_wire::CreateRun;
use time::OffsetDateTime;
use tokio::sync::oneshot;

use crate::app::AppState;
use crate::auth::ProjectKey;
use crate::domain::text::{NAME_MAX_BYTES, RUN_TEXT_MAX_BYTES};
use crate::domain::{ApiKeyId, ProjectId, Run, RunId, timestamp};
use crate::error::{AppError, Result};
use crate::store;
use crate::store::run_creation::NewRun;

/// So many runs go in one commit at most.
const BATCH: usize = 256;
/// A batch ends with the run that makes it longer than this, in bytes.
const BATCH_BYTES: usize = 8 * 1024 * 1024;
/// So many tags, and paths of each kind, a run may have.
const LIST_MAX: usize = 1000;

/// The runs that wait to be created, by project. A project is in the map while one of its commits is under way.
#[derive(Debug, Default)]
pub struct RunCreation {
    waiting: Mutex<HashMap<ProjectId, Vec<Waiting>>>,
}

#[derive(Debug)]
struct Waiting {
    run: NewRun,
    answer: oneshot::Sender<Result<Run>>,
}

/// Creates a run in the key's project. A run whose id is there already is answered as it is.
pub async fn create(app: &AppState, key: &ProjectKey, input: CreateRun) -> Result<Run> {
    let run = check(app, key, input).await?;
    let (answer, created) = oneshot::channel();
    if app.run_creation.join(key.project.id, Waiting { run, answer }) {
        // A task of its own: the others in it must not fail because this request is given up.
        tokio::spawn(create_all_waiting(app.clone(), key.project.id));
    }
    let run = created.await.map_err(|_| anyhow::anyhow!("the task that creates runs broke off"))??;
    super::publish(app, &run, true);
    Ok(run)
}

impl RunCreation {
    /// Adds a run to its project's queue. `true`: nobody works on that queue yet.
    fn join(&self, project_id: ProjectId, run: Waiting) -> bool {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let is_first = !waiting.contains_key(&project_id);
        waiting.entry(project_id).or_default().push(run);
        is_first
    }

    /// Takes the next batch; `None` when the queue is empty, which ends the work on it.
    fn take(&self, project_id: ProjectId) -> Option<Vec<Waiting>> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let queue = waiting.get_mut(&project_id)?;
        if queue.is_empty() {
            // Under the same lock as `join`, so that no request falls between.
            waiting.remove(&project_id);
            return None;
        }
        let mut room = BATCH_BYTES;
        let fits = |waiting: &&Waiting| {
            let fits = room > 0;
            room = room.saturating_sub(waiting.run.length());
            fits
        };
        let count = queue.iter().take(BATCH).take_while(fits).count();
        let rest = queue.split_off(count);
        Some(mem::replace(queue, rest))
    }

    fn leave(&self, project_id: ProjectId) {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).remove(&project_id);
    }
}

/// Works on a project's queue. If that breaks off, the queue goes with it: whoever still waits in it is
/// answered, and the next request begins a new one.
struct Turn<'a> {
    creation: &'a RunCreation,
    project_id: ProjectId,
    /// The queue was empty and is gone. One that is there now is another request's.
    is_over: bool,
}

impl Turn<'_> {
    /// The next batch; `None` when the work is done.
    fn next(&mut self) -> Option<Vec<Waiting>> {
        let batch = self.creation.take(self.project_id);
        self.is_over = batch.is_none();
        batch
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if !self.is_over {
            self.creation.leave(self.project_id);
        }
    }
}

async fn create_all_waiting(app: AppState, project_id: ProjectId) {
    let mut turn = Turn { creation: &app.run_creation, project_id, is_over: false };
    while let Some(batch) = turn.next() {
        let (runs, answers): (Vec<NewRun>, Vec<_>) =
            batch.into_iter().map(|waiting| (waiting.run, waiting.answer)).unzip();
        let created = insert(&app, project_id, &runs).await.map_err(Arc::new);
        for (run, answer) in runs.iter().zip(answers) {
            let outcome = match &created {
                Ok(created) => created
                    .iter()
                    .find(|created| created.id == run.id)
                    .cloned()
                    // The id belongs to a deleted run or to another project, about which nothing is said.
                    .ok_or_else(|| AppError::Conflict("A run with this id exists already. Send a new id.".into())),
                Err(error) => Err(shared(error)),
            };
            // Who gave the request up does not hear of it; the run is there.
            let _ = answer.send(outcome);
        }
    }
}

async fn insert(app: &AppState, project_id: ProjectId, runs: &[NewRun]) -> Result<Vec<Run>> {
    let now = app.clock.now();
    let mut connection = app.pool.acquire().await?;
    let numbers = store::run_creation::insert(&mut connection, project_id, runs, now).await?;
    let number_of = |run: &NewRun| numbers.iter().find(|(id, _)| *id == run.id).map(|(_, number)| *number);
    let created = runs.iter().filter_map(|run| Some(run.clone().created(project_id, number_of(run)?, now)));
    let mut created: Vec<Run> = created.collect();
    // Repeated requests: these were created before.
    let repeated: Vec<RunId> = runs.iter().filter(|run| number_of(run).is_none()).map(|run| run.id).collect();
    if !repeated.is_empty() {
        created.extend(store::runs::load(&mut connection, project_id, &repeated).await?);
    }
    Ok(created)
}

/// One failure, told to each request of the batch.
fn shared(error: &Arc<AppError>) -> AppError {
    match &**error {
        AppError::Unavailable(message) => AppError::Unavailable(message.clone()),
        AppError::DiskFull => AppError::DiskFull,
        _ => AppError::Internal(anyhow::Error::new(Arc::clone(error)).context("creating runs")),
    }
}

/// What is written when this run is created, if it may be.
pub(in crate::services) async fn check(app: &AppState, key: &ProjectKey, input: CreateRun) -> Result<NewRun> {
    check_texts(&input)?;
    let created_at = match &input.created_at {
        Some(text) => timestamp::parse(text)?,
        None => app.clock.now(),
    };
    let parent_id = match input.parent.as_deref().and_then(|parent| parent.parse().ok()) {
        Some(parent) => store::runs::resolve(&mut *app.pool.acquire().await?, key.project.id, parent).await?,
        None => None,
    };
    Ok(new_run(input, parent_id, created_at, key.id))
}

/// A run as it is written: what is told of it, and what the caller has found out.
pub(in crate::services) fn new_run(
    input: CreateRun,
    parent_id: Option<RunId>,
    created_at: OffsetDateTime,
    api_key_id: ApiKeyId,
) -> NewRun {
    NewRun {
        id: input.id.map_or_else(RunId::new, RunId),
        parent_id,
        title: input.title.filter(|title| !title.trim().is_empty()),
        intent: input.intent,
        setup: input.setup,
        command: input.command,
        working_directory: input.working_directory,
        tags: input.tags,
        expected_artifact_paths: input.expected_artifact_paths,
        expected_log_paths: input.expected_log_paths,
        created_at,
        api_key_id,
        recorder: input.recorder,
    }
}

/// Whether the texts of a run are there, and none is too long.
pub(in crate::services) fn check_texts(input: &CreateRun) -> Result<()> {
    let missing: Vec<&str> = [("intent", &input.intent), ("setup", &input.setup), ("command", &input.command)]
        .into_iter()
        .filter(|(_, text)| text.trim().is_empty())
        .map(|(name, _)| name)
        .collect();
    if !missing.is_empty() {
        return Err(AppError::invalid(format!("Missing: {}. Send each as a text.", missing.join(", "))));
    }
    if [&input.intent, &input.setup, &input.command].iter().any(|text| text.len() > RUN_TEXT_MAX_BYTES) {
        return Err(AppError::invalid("intent, setup and command may each be 1 MiB long at most."));
    }
    let names = [&input.title, &input.working_directory, &input.recorder];
    if names.into_iter().flatten().any(|name| name.len() > NAME_MAX_BYTES) {
        return Err(AppError::invalid("title, working_directory and recorder may each be 4096 bytes long at most."));
    }
    for list in [&input.tags, &input.expected_artifact_paths, &input.expected_log_paths] {
        if list.len() > LIST_MAX || list.iter().any(|item| item.len() > NAME_MAX_BYTES) {
            return Err(AppError::invalid(
                "A run takes at most 1000 tags and 1000 paths of each kind, of 4096 bytes each.",
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waiting() -> (Waiting, oneshot::Receiver<Result<Run>>) {
        let (answer, created) = oneshot::channel();
        let run = NewRun {
            id: RunId::new(),
            parent_id: None,
            title: None,
            intent: "why".to_owned(),
            setup: "as before".to_owned(),
            command: "true".to_owned(),
            working_directory: None,
            tags: Vec::new(),
            expected_artifact_paths: Vec::new(),
            expected_log_paths: Vec::new(),
            created_at: OffsetDateTime::UNIX_EPOCH,
            api_key_id: ApiKeyId::new(),
            recorder: None,
        };
        (Waiting { run, answer }, created)
    }

    #[test]
    fn a_request_that_comes_as_the_work_ends_keeps_its_place() {
        let creation = RunCreation::default();
        let project_id = ProjectId::new();
        let mut turn = Turn { creation: &creation, project_id, is_over: false };
        assert!(creation.join(project_id, waiting().0), "the first begins the work");
        assert_eq!(turn.next().map(|batch| batch.len()), Some(1));
        assert!(turn.next().is_none());
        let (late, mut created) = waiting();
        assert!(creation.join(project_id, late), "nobody works on the queue any more");
        drop(turn);
        assert!(created.try_recv().is_err_and(|error| error == oneshot::error::TryRecvError::Empty));
        assert_eq!(creation.take(project_id).map(|batch| batch.len()), Some(1));
    }

    #[test]
    fn who_waits_is_answered_when_the_work_breaks_off() {
        let creation = RunCreation::default();
        let project_id = ProjectId::new();
        let (run, mut created) = waiting();
        creation.join(project_id, run);
        drop(Turn { creation: &creation, project_id, is_over: false });
        assert!(created.try_recv().is_err_and(|error| error == oneshot::error::TryRecvError::Closed));
        assert!(creation.join(project_id, waiting().0), "the next request begins anew");
    }
}
