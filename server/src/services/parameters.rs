//! Parameters of runs, to find and sort them by: read from their configs after these have come.
//!
//! Triggers note which runs have new configs (`unread_configs`), whatever way they came: with a run's details, by an
//! import or an archive, or through the former version of the server. Servers take such runs a few at a time, read and
//! write. No transaction is open while contents move; what changes meanwhile is read again.

use std::time::Duration;

use otrace_wire::Sha256Digest;

use crate::app::AppState;
use crate::domain::{ProjectId, parameters};
use crate::error::{AppError, Result};
use crate::services::contents;
use crate::store;
use crate::store::run_parameters::{KeptConfig, UnreadConfigs};

/// So many configs of a run are read.
const CONFIGS_MAX: i64 = 20;
/// A config up to this size is read, in bytes.
const CONFIG_MAX_BYTES: i64 = 256 * 1024;
/// So many runs are taken at once.
const RUNS_AT_ONCE: usize = 16;
/// How often it is looked for configs that are to be read, while there were none.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How long to wait before the database is asked again that could not be.
const TRY_AGAIN_AFTER: Duration = Duration::from_secs(10);

/// Reads the configs of some runs that wait for it. Returns how many runs there were.
///
/// A run whose configs are out of reach is told in the log, and taken again later.
pub async fn read_due(app: &AppState) -> Result<usize> {
    let limit = i64::try_from(RUNS_AT_ONCE).unwrap_or(i64::MAX);
    let claimed = store::run_parameters::claim(&mut *app.pool.acquire().await?, app.clock.now(), limit).await?;
    for run in &claimed {
        if let Err(error) = read_configs(app, run).await {
            tracing::warn!(?error, run = %run.run_id, "could not read a run's configs; trying again later");
        }
    }
    Ok(claimed.len())
}

/// Reads the configs of runs that come to have some, until the server stops.
pub async fn keep_reading(app: AppState) {
    let closed = app.live.closed();
    let reading = async {
        loop {
            let wait = match read_due(&app).await {
                Ok(RUNS_AT_ONCE) => Duration::ZERO,
                Ok(_) => LOOK_EVERY,
                Err(error) => {
                    tracing::warn!(%error, "could not look for configs that are to be read; trying again");
                    TRY_AGAIN_AFTER
                }
            };
            tokio::time::sleep(wait).await;
        }
    };
    tokio::select! {
        () = closed => {}
        () = reading => {}
    }
}

async fn read_configs(app: &AppState, run: &UnreadConfigs) -> Result<()> {
    let UnreadConfigs { project_id, run_id, .. } = *run;
    let mut connection = app.pool.acquire().await?;
    let configs =
        store::run_parameters::configs(&mut connection, project_id, run_id, CONFIG_MAX_BYTES, CONFIGS_MAX).await?;
    drop(connection);
    let mut files = Vec::with_capacity(configs.len());
    for KeptConfig { path, sha256, size_bytes } in configs {
        if let Some(text) = text(app, project_id, &sha256, size_bytes).await? {
            files.push((path, text));
        }
    }
    // A hostile one takes a processor for a while.
    let kept = tokio::task::spawn_blocking(move || {
        parameters::kept(files.iter().filter_map(|(path, text)| parameters::read(path, text)))
    });
    let kept = kept.await.map_err(anyhow::Error::new)?;

    let mut transaction = app.pool.begin().await?;
    if store::run_parameters::end(&mut transaction, run).await? {
        store::run_parameters::replace(&mut transaction, project_id, run_id, &kept).await?;
        transaction.commit().await?;
    }
    Ok(())
}

/// A text; `None`: it is none, or is not there any more.
async fn text(app: &AppState, project_id: ProjectId, digest: &Sha256Digest, size_bytes: u64) -> Result<Option<String>> {
    match contents::read_part(app, project_id, digest, 0..size_bytes).await {
        Ok(bytes) => Ok(String::from_utf8(bytes).ok()),
        Err(AppError::NotFound(_)) => Ok(None),
        Err(error) => Err(error),
    }
}
