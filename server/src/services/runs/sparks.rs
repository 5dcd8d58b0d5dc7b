//! The curve of each run in a list: what is kept of the series that a result is the end of. No chunk of it is read.

use std::collections::HashMap;

use crate::app::AppState;
use crate::domain::series::spark::{Spark, Sparks};
use crate::domain::{ProjectId, RunId};
use crate::error::Result;
use crate::store;

/// The curves of these runs for a result, where they have one.
pub async fn sparks(
    app: &AppState,
    project_id: ProjectId,
    runs: &[RunId],
    result: &str,
) -> Result<HashMap<RunId, Spark>> {
    let kept = store::run_list::sparks::of(&mut *app.pool.acquire().await?, project_id, runs).await?;
    // A picture that can't be read is left out.
    let spark = |(run, bytes): (RunId, Vec<u8>)| Some((run, Sparks::read(&bytes).ok()?.of(result)?.clone()));
    Ok(kept.into_iter().filter_map(spark).collect())
}
