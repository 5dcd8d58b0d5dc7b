//! Reading logs: of runs that have ended, and of those that go on.

pub mod both;
pub mod search;

use std::ops::Range;

use both::Both;

use crate::app::AppState;
use crate::domain::log_times::Stretch;
use crate::domain::{Log, LogName, ProjectId, RunId, RunRef};
use crate::error::Result;
use crate::services::{contents, live_logs, runs};
use crate::store;

/// A log as its readers find it.
#[derive(Clone, Debug)]
pub struct RunLog {
    /// The log, with the size that there is of it.
    pub log: Log,
    /// Whether all of it has arrived; else it grows, and `position` means nothing.
    pub is_whole: bool,
}

/// What is read from its start to its end.
#[derive(Clone, Debug)]
pub enum Text {
    /// A log.
    Log(RunLog),
    /// The two streams of a run as one.
    Both(Both),
}

/// What was read of a text.
#[derive(Clone, Debug, Default)]
pub struct Part {
    /// The place of its first byte.
    pub start: i64,
    /// What it says.
    pub bytes: Vec<u8>,
    /// Where the text is of two streams, what of it came from which, and when. These leave nothing out.
    pub stretches: Vec<Stretch>,
}

impl Text {
    /// How long it is, in bytes.
    pub fn size_bytes(&self) -> i64 {
        match self {
            Self::Log(log) => log.log.size_bytes,
            Self::Both(both) => both.size_bytes(),
        }
    }

    /// Whether all of it has arrived; else it grows.
    pub const fn is_whole(&self) -> bool {
        match self {
            Self::Log(log) => log.is_whole,
            Self::Both(both) => both.is_whole(),
        }
    }

    /// The bytes in `range`, which the caller keeps small. Nothing of what is not stored.
    pub async fn read(&self, app: &AppState, project_id: ProjectId, run_id: RunId, range: Range<i64>) -> Result<Part> {
        match self {
            Self::Log(log) => {
                let start = range.start.clamp(0, log.log.size_bytes);
                let bytes = read(app, project_id, run_id, log, range).await?;
                Ok(Part { start, bytes, stretches: Vec::new() })
            }
            Self::Both(both) => both.read(app, project_id, run_id, range).await,
        }
    }
}

impl Part {
    /// The places in `bytes` at which another stream goes on: a line ends there, finished or not.
    pub fn breaks(&self) -> Vec<usize> {
        let changes = self.stretches.windows(2).filter(|pair| pair[0].stream != pair[1].stream);
        changes.filter_map(|pair| usize::try_from(pair[1].at - self.start).ok()).collect()
    }
}

/// All logs of a run: those that have arrived, then those of which there are pieces only.
pub async fn all(app: &AppState, project_id: ProjectId, run_id: RunId, arrived: Vec<Log>) -> Result<Vec<RunLog>> {
    let ends = store::log_chunks::ends(&mut *app.pool.acquire().await?, project_id, run_id).await?;
    let mut logs: Vec<RunLog> = arrived.into_iter().map(|log| RunLog { log, is_whole: true }).collect();
    for (name, end) in ends {
        if !logs.iter().any(|found| name.names(&found.log)) {
            logs.push(RunLog { log: name.growing(end), is_whole: false });
        }
    }
    Ok(logs)
}

/// The id of a run, and all its logs.
pub async fn of_run(app: &AppState, project_id: ProjectId, run: RunRef) -> Result<(RunId, Vec<RunLog>)> {
    let run_id = runs::resolve(app, project_id, run).await?;
    let arrived = store::logs::list(&mut *app.pool.acquire().await?, project_id, &[run_id]).await?;
    let arrived = arrived.into_iter().map(|(_, log)| log).collect();
    Ok((run_id, all(app, project_id, run_id, arrived).await?))
}

/// The bytes of a log that are in `range`, which the caller keeps small. Nothing of one that is not stored.
pub async fn read(
    app: &AppState,
    project_id: ProjectId,
    run_id: RunId,
    log: &RunLog,
    range: Range<i64>,
) -> Result<Vec<u8>> {
    let size = log.log.size_bytes;
    let (start, end) = (range.start.clamp(0, size), range.end.clamp(0, size));
    if start >= end {
        return Ok(Vec::new());
    }
    if !log.is_whole {
        return live_logs::part(app, project_id, run_id, &LogName::of(&log.log), start, end).await;
    }
    let Some(digest) = log.log.sha256 else { return Ok(Vec::new()) };
    contents::read_part(app, project_id, &digest, start.cast_unsigned()..end.cast_unsigned()).await
}

/// The first `max_bytes` bytes of a log as text; `None` where its content is not stored.
pub async fn head(app: &AppState, project_id: ProjectId, log: &Log, max_bytes: u64) -> Result<Option<String>> {
    let Some(digest) = log.sha256 else { return Ok(None) };
    let end = log.size_bytes.cast_unsigned().min(max_bytes);
    let bytes = contents::read_part(app, project_id, &digest, 0..end).await?;
    Ok(Some(String::from_utf8_lossy(&bytes).into_owned()))
}
