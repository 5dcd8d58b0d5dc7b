//! The runs that a query asks for, page by page. Series and contents are never touched.

use std::collections::HashMap;

use sqlx::PgConnection;

use super::reading::FullRun;
use crate::app::AppState;
use crate::auth::ProjectKey;
use crate::domain::query::{Key, Place, Query, Sort};
use crate::domain::{ProjectId, RunId};
use crate::error::Result;
use crate::store;
use crate::store::run_query::RunQuery;

/// So many runs a page has, unless told.
pub const SEARCH_PAGE: u16 = 50;
/// So many it has at most.
pub const SEARCH_PAGE_MAX: u16 = 200;

/// Which runs to list, and from where on.
#[derive(Clone, Debug)]
pub struct RunSearch {
    /// Which runs.
    pub query: Query,
    /// In which order.
    pub sort: Sort,
    /// The place of the last run of the page before.
    pub after: Option<Place>,
    /// So many of them at most.
    pub limit: u16,
}

impl Default for RunSearch {
    fn default() -> Self {
        Self { query: Query::default(), sort: Sort::default(), after: None, limit: SEARCH_PAGE }
    }
}

/// One page of runs.
#[derive(Debug)]
pub struct FoundRuns {
    /// The runs with their results, snapshots and notes, in the order that was asked for.
    pub runs: Vec<FullRun>,
    /// Where the next page begins; `None`: this is the last one.
    pub next: Option<Place>,
}

/// The runs of the key's project that a query asks for.
pub async fn search(app: &AppState, key: &ProjectKey, search: &RunSearch) -> Result<FoundRuns> {
    let project_id = key.project.id;
    let asked = RunQuery {
        project_id,
        query: &search.query,
        sort: &search.sort,
        me: &key.account_email,
        now: app.clock.now(),
        among: None,
    };
    let from = search.after.clone().map_or(Window::Start, Window::After);
    let found = look(app, asked, &from, search.limit).await?;
    Ok(FoundRuns { runs: load(app, project_id, &found.ids).await?, next: found.older })
}

/// From where on a page of a list is read.
#[derive(Clone, Debug, Default)]
pub enum Window {
    /// From the beginning.
    #[default]
    Start,
    /// What comes after a run.
    After(Place),
    /// What comes before a run, up to it.
    Before(Place),
}

/// The runs of one page, in their order, and where the pages beside it begin.
#[derive(Debug)]
pub(super) struct FoundPage {
    /// The runs.
    pub ids: Vec<RunId>,
    /// What the page before is read up to; `None`: this is the first one.
    pub newer: Option<Place>,
    /// What the next page is read from; `None`: this is the last one.
    pub older: Option<Place>,
}

/// One page of the runs that a query asks for.
pub(super) async fn look(app: &AppState, asked: RunQuery<'_>, from: &Window, limit: u16) -> Result<FoundPage> {
    let mut transaction = app.pool.begin_with(store::run_query::BEGIN).await?;
    let few = store::run_query::few(&mut transaction, asked).await?;
    let asked = RunQuery { among: few.as_deref(), ..asked };
    // One more than is shown tells whether there is another page.
    let wanted = i64::from(limit) + 1;
    let mut found = match from {
        Window::Start => find(&mut transaction, asked, None, wanted).await?,
        Window::After(place) => find(&mut transaction, asked, Some(place), wanted).await?,
        Window::Before(place) => find_back(&mut transaction, asked, place, wanted).await?,
    };
    drop(transaction);

    let has_more = found.len() > usize::from(limit);
    found.truncate(limit.into());
    if matches!(from, Window::Before(_)) {
        found.reverse();
    }
    let (has_newer, has_older) = match from {
        Window::Start => (false, has_more),
        Window::After(_) => (true, has_more),
        Window::Before(_) => (has_more, true),
    };
    Ok(FoundPage {
        newer: found.first().filter(|_| has_newer).map(|(_, place)| place.clone()),
        older: found.last().filter(|_| has_older).map(|(_, place)| place.clone()),
        ids: found.into_iter().map(|(id, _)| id).collect(),
    })
}

/// The runs that have what they are sorted by, and after the last of them those that lack it.
async fn find(
    connection: &mut PgConnection,
    asked: RunQuery<'_>,
    after: Option<&Place>,
    limit: i64,
) -> Result<Vec<(RunId, Place)>> {
    let before = after.filter(|place| place.key == Key::Missing).map(|place| place.number);
    let mut found = match before {
        Some(_) => Vec::new(),
        None => store::run_query::page(connection, asked, after, limit).await?,
    };
    let room = limit - i64::try_from(found.len()).unwrap_or(limit);
    if room > 0 && asked.sort.field.may_be_missing() {
        found.extend(store::run_query::missing(connection, asked, before, room).await?);
    }
    Ok(found)
}

/// The runs before a place, the nearest first: the same order, gone through backwards.
async fn find_back(
    connection: &mut PgConnection,
    asked: RunQuery<'_>,
    before: &Place,
    limit: i64,
) -> Result<Vec<(RunId, Place)>> {
    let backwards = Sort { field: asked.sort.field.clone(), is_descending: !asked.sort.is_descending };
    let asked = RunQuery { sort: &backwards, ..asked };
    if before.key != Key::Missing {
        return Ok(store::run_query::page(connection, asked, Some(before), limit).await?);
    }
    let mut found = store::run_query::missing_above(connection, asked, before.number, limit).await?;
    let room = limit - i64::try_from(found.len()).unwrap_or(limit);
    if room > 0 {
        found.extend(store::run_query::page(connection, asked, None, room).await?);
    }
    Ok(found)
}

async fn load(app: &AppState, project_id: ProjectId, ids: &[RunId]) -> Result<Vec<FullRun>> {
    let mut connection = app.pool.acquire().await?;
    let loaded = store::runs::load(&mut connection, project_id, ids).await?;
    let mut runs: HashMap<RunId, FullRun> =
        loaded.into_iter().map(|run| (run.id, FullRun::without_details(run))).collect();
    for (id, result) in store::results::list(&mut connection, project_id, ids).await? {
        if let Some(run) = runs.get_mut(&id) {
            run.results.push(result);
        }
    }
    for (id, snapshot) in store::snapshots::list(&mut connection, project_id, ids).await? {
        if let Some(run) = runs.get_mut(&id) {
            run.snapshot = Some(snapshot);
        }
    }
    for (id, note) in store::notes::list(&mut connection, project_id, ids).await? {
        if let Some(run) = runs.get_mut(&id) {
            run.notes.push(note);
        }
    }
    // In the order of the ids; a run that was deleted at this moment is left out.
    Ok(ids.iter().filter_map(|id| runs.remove(id)).collect())
}
