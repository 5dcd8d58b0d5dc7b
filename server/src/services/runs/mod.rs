//! Run records: created before the command starts, changed as it goes, read as pages and lists.

pub mod as_wire;
mod creation;
mod listing;
mod outcome;
mod reading;
mod restoring;
mod search;
mod selection;
mod sparks;
mod strip;
mod words;

pub use creation::{RunCreation, create};
pub use listing::{
    COUNTED_MAX, LIST_PAGE, ListedRuns, ListedValue, ResultColumn, RunRow, RunsPageRequest, StatusCounts,
    changed_since, count_up_to_max, counts, page, some_rows,
};
pub use outcome::{delete, delete_all, update};
pub use reading::{FullRun, RunView, full_page, resolve, show};
pub use restoring::restore;
pub use search::{FoundRuns, RunSearch, SEARCH_PAGE, SEARCH_PAGE_MAX, Window, search};
pub use selection::{DeletedRun, delete_selected, restore_selected, tag_selected, trash};
pub use sparks::sparks;
pub use strip::{StripRun, StripState, strip, strip_state};
pub use words::{Completion, complete};

pub(super) use creation::{check, check_texts, new_run};
pub(super) use outcome::check_outcome;
pub(super) use reading::{load_full, load_one, lock, resolve_in};

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
