//! Run records: created before the command starts, changed as it goes, read as pages and lists.

mod creation;
mod listing;
mod outcome;
mod reading;
mod restoring;
mod search;

pub use creation::{RunCreation, create};
pub use listing::{ResultColumn, RunRow, RunsPage, RunsPageRequest, StatusCounts, changed_since, page};
pub use outcome::{delete, delete_all, update};
pub use reading::{FullRun, RunView, full_page, resolve, show};
pub use restoring::restore;
pub use search::{FoundRuns, RunSearch, SEARCH_PAGE, SEARCH_PAGE_MAX, search};

use crate::app::AppState;
use crate::domain::Run;
use crate::live::RunEvent;

/// Tells open pages where a run stands. Call it after the commit.
pub(super) fn publish(app: &AppState, run: &Run, is_new: bool) {
    app.live.publish(RunEvent {
        project_id: run.project_id,
        number: run.number,
        status: run.status,
        is_new,
        is_output: false,
        updated_at: run.updated_at,
    });
}
