//! A project as its key reaches it: what the tools are told, through the same services as the API.

use otrace_history::compare::Comparison;
use otrace_mcp::{Download, FileOf, LogOf, Refusal, RunsPage, RunsQuery, Source};
use otrace_wire::{Artifact, Run, RunStatus, Sha256Digest};

use crate::app::AppState;
use crate::auth::{ProjectKey, RunWriter};
use crate::domain::query::{self, Clause, Expr, Place, Query};
use crate::domain::text::without_nul;
use crate::domain::{ArtifactId, LogName, RunId, RunRef, Scope};
use crate::error::{AppError, Result};
use crate::services;
use crate::services::runs::RunSearch;
use crate::services::runs::as_wire::summary;

/// How much of a file is read for one answer, in bytes: more than fits into one.
const PIECE_BYTES: u64 = 32 * 1024;
/// The longest text that is compared, in bytes.
const TEXT_MAX: u64 = 1024 * 1024;

/// The project of a key, and what that key may do in it.
#[derive(Clone, Debug)]
pub(super) struct ByKey {
    app: AppState,
    key: ProjectKey,
}

impl ByKey {
    pub(super) fn new(app: AppState, key: ProjectKey) -> Self {
        Self { app, key }
    }

    async fn page(&self, asked: &RunsQuery) -> Result<RunsPage> {
        let search = search(asked)?;
        let found = services::runs::search(&self.app, &self.key, &search).await?;
        let next_cursor = found.next.map(|place| place.to_cursor(&search.sort));
        Ok(RunsPage { runs: found.runs.into_iter().map(summary).collect(), next_cursor })
    }

    async fn whole(&self, run: RunRef) -> Result<Run> {
        let view = services::runs::show(&self.app, self.key.project.id, run).await?;
        Ok(summary(view.full))
    }

    /// The run that an artifact is kept with.
    async fn run_with(&self, artifact: &str) -> Result<Run> {
        let id = artifact.trim().parse().map(ArtifactId).map_err(|_| AppError::NotFound("Artifact"))?;
        let artifact = services::artifacts::find(&self.app, self.key.project.id, id).await?;
        self.whole(RunRef::Id(artifact.run_id)).await
    }

    /// A content's text, if it is short and is one.
    async fn short_text(&self, sha256: &Sha256Digest) -> Result<Option<String>> {
        let project_id = self.key.project.id;
        let size = match services::contents::size(&self.app, project_id, sha256).await {
            Err(AppError::NotFound(_)) => return Ok(None),
            size => size?,
        };
        if size > TEXT_MAX {
            return Ok(None);
        }
        let bytes = services::contents::read_part(&self.app, project_id, sha256, 0..size).await?;
        Ok(String::from_utf8(bytes).ok())
    }

    async fn compared(&self, before: Run, after: Run) -> Result<Comparison> {
        let (source, handle) = (self.clone(), tokio::runtime::Handle::current());
        // Looking for what differs in long texts takes a processor for a while.
        let compared =
            tokio::task::spawn_blocking(move || handle.block_on(otrace_mcp::compare(&source, &before, &after)));
        Ok(compared.await.map_err(anyhow::Error::new)?)
    }

    async fn log_piece(&self, run: &Run, log: &LogOf, from: u64) -> Result<Vec<u8>> {
        let project_id = self.key.project.id;
        let name = LogName::new(log.stream, log.path.clone())?;
        let (run_id, logs) = services::logs::of_run(&self.app, project_id, RunRef::Id(RunId(run.id))).await?;
        let Some(log) = logs.iter().find(|kept| name.names(&kept.log)) else {
            // A run may have printed nothing; a file that it has not is a mistake.
            return if log.path.is_none() { Ok(Vec::new()) } else { Err(AppError::NotFound("Log")) };
        };
        let from = i64::try_from(from).unwrap_or(i64::MAX);
        let to = from.saturating_add_unsigned(PIECE_BYTES);
        services::logs::read(&self.app, project_id, run_id, log, from..to).await
    }

    async fn file_piece(&self, run: &Run, FileOf { path, from, .. }: FileOf<'_>) -> Result<Download> {
        let project_id = self.key.project.id;
        let is_named = |artifact: &&Artifact| {
            [&artifact.original_path, &artifact.stored_path].into_iter().any(|name| name.as_deref() == Some(path))
        };
        let artifact = run.artifacts.iter().find(is_named);
        let id = artifact.and_then(|artifact| artifact.id).map(ArtifactId).ok_or(AppError::NotFound("Artifact"))?;
        let artifact = services::artifacts::find(&self.app, project_id, id).await?;
        let digest = services::artifacts::stored(&artifact)?;
        let size_bytes = services::contents::size(&self.app, project_id, &digest).await?;
        let range = from.min(size_bytes)..from.saturating_add(PIECE_BYTES).min(size_bytes);
        let bytes = services::contents::read_part(&self.app, project_id, &digest, range).await?;
        let (url, _) = services::artifacts::ticket(&self.app, project_id, id).await?;
        Ok(Download::Piece { bytes, size_bytes, url })
    }

    async fn write_note(&self, run: &str, text: &str) -> Result<()> {
        let writer = RunWriter { project_id: self.key.project.id, key_id: self.key.id };
        services::notes::add(&self.app, &writer, run_ref(run)?, None, text).await?;
        Ok(())
    }
}

impl Source for ByKey {
    const SAVES_FILES: bool = false;

    fn why_read_only(&self) -> Option<&'static str> {
        let reason = "This key may only read: ask for one that may write, from the project's Keys page.";
        (self.key.scope < Scope::Write).then_some(reason)
    }

    async fn project(&self) -> otrace_mcp::Result<String> {
        Ok(self.key.project.name.clone())
    }

    async fn runs(&self, query: &RunsQuery) -> otrace_mcp::Result<RunsPage> {
        Ok(self.page(query).await?)
    }

    async fn run(&self, name: &str) -> otrace_mcp::Result<Run> {
        Ok(self.whole(run_ref(name)?).await?)
    }

    async fn run_of(&self, artifact: &str) -> otrace_mcp::Result<Run> {
        Ok(self.run_with(artifact).await?)
    }

    async fn text(&self, sha256: &Sha256Digest) -> otrace_mcp::Result<Option<String>> {
        Ok(self.short_text(sha256).await?)
    }

    async fn compare(&self, before: Run, after: Run) -> otrace_mcp::Result<Comparison> {
        Ok(self.compared(before, after).await?)
    }

    async fn log(&self, run: &Run, log: &LogOf, from: u64) -> otrace_mcp::Result<Vec<u8>> {
        Ok(self.log_piece(run, log, from).await?)
    }

    async fn download(&self, run: &Run, file: FileOf<'_>) -> otrace_mcp::Result<Download> {
        Ok(self.file_piece(run, file).await?)
    }

    async fn add_note(&self, run: &str, text: &str) -> otrace_mcp::Result<()> {
        Ok(self.write_note(run, text).await?)
    }
}

fn search(asked: &RunsQuery) -> Result<RunSearch> {
    let mut search = RunSearch::default();
    let mut query = match &asked.query {
        Some(text) => query::parse(text).map_err(|error| AppError::invalid(error.to_string()))?,
        None => Query::default(),
    };
    if let Some(status) = &asked.status {
        let status = status.parse::<RunStatus>().map_err(|error| AppError::invalid(format!("{error}.")))?;
        query = query.and(Expr::Is(Clause::Status(status)));
    }
    for tag in &asked.tags {
        query = query.and(Expr::Is(Clause::Tag(without_nul(tag))));
    }
    search.query = query;
    if let Some(sort) = &asked.sort {
        search.sort = sort.parse()?;
    }
    if let Ok(limit) = u16::try_from(asked.limit) {
        search.limit = limit;
    }
    if let Some(cursor) = &asked.cursor {
        search.after = Some(Place::from_cursor(cursor, &search.sort)?);
    }
    Ok(search)
}

/// A run as agents write it: `exp042` or its UUID.
fn run_ref(name: &str) -> Result<RunRef> {
    name.trim().to_ascii_lowercase().parse().map_err(|_| AppError::NotFound("Run"))
}

/// How an agent is told of it: in one sentence, with what to do.
impl From<AppError> for Refusal {
    fn from(error: AppError) -> Self {
        if let AppError::Internal(cause) = &error {
            tracing::error!(error = format!("{cause:#}"), "a tool failed");
        }
        if let AppError::NotFound(what) = error {
            let instead = "trace_list_runs and trace_list_artifacts tell what there is.";
            return Self::new(format!("{what} not found in this project: {instead}"));
        }
        let sentence = error.message();
        Self::new(error.hint().map_or_else(|| sentence.clone(), |hint| format!("{sentence} {hint}.")))
    }
}
