//! The runs that a query asks for, in an order, page by page.
//!
//! The one place where SQL is put together while the server runs: a query has any number of conditions, so no
//! statement could be checked when the server is compiled. Two rules keep it safe. What is written into the
//! statement by `push` is a literal of these files, chosen by a `match`; whatever anybody sent goes by `bind`.

mod conditions;
mod few;

pub use few::few;
use sqlx::{PgConnection, Postgres, QueryBuilder};
use time::OffsetDateTime;

use crate::domain::query::{Key, KeyKind, Place, Query, Sort, SortField};
use crate::domain::{ProjectId, RunId};

/// What is asked, by whom and when.
#[derive(Clone, Copy, Debug)]
pub struct RunQuery<'a> {
    /// The project whose runs are asked for.
    pub project_id: ProjectId,
    /// Which of them.
    pub query: &'a Query,
    /// In which order.
    pub sort: &'a Sort,
    /// The e-mail address of `author:me`.
    pub me: &'a str,
    /// The moment that `7d` is seen from.
    pub now: OffsetDateTime,
    /// Where it is known, the [`few`] runs that all of them are among.
    pub among: Option<&'a [RunId]>,
}

/// A run, where it stands in the order, and what it is sorted by.
type Row = (RunId, i32, Option<f64>, Option<OffsetDateTime>, Option<String>);

/// Begins a transaction that only reads, in which PostgreSQL plans each statement for the values that it comes with: how
/// many runs a condition leaves can't be told without them. Other statements get one plan each (`database`).
///
/// Compiling such a statement, or starting processes for it, takes longer than running it; and a list that is gone through
/// for each run takes forever where it is longer than PostgreSQL thought. What is given for memory lets it make a set of
/// a million runs; it takes as much as it needs.
pub const BEGIN: &str = "
    BEGIN READ ONLY;
    SET LOCAL plan_cache_mode = force_custom_plan;
    SET LOCAL jit = off;
    SET LOCAL max_parallel_workers_per_gather = 0;
    SET LOCAL enable_material = off;
    SET LOCAL work_mem = '64MB'
";

/// The first runs after a place, in their order. Those that lack what they are sorted by are left out: [`missing`]
/// has them, and they come last.
pub async fn page(
    connection: &mut PgConnection,
    asked: RunQuery<'_>,
    after: Option<&Place>,
    limit: i64,
) -> sqlx::Result<Vec<(RunId, Place)>> {
    let kind = asked.sort.field.kind();
    let mut sql = Statement::new(asked, column(&asked.sort.field), kind);
    sql.filter();
    if asked.sort.field.may_be_missing() && !matches!(asked.sort.field, SortField::Metric(_)) {
        sql.push(" AND ").push(column(&asked.sort.field)).push(" IS NOT NULL");
    }
    if let Some(place) = after {
        sql.after(place);
    }
    sql.order();
    sql.push(" LIMIT ").bind(limit);
    let rows: Vec<Row> = sql.builder.build_query_as().persistent(false).fetch_all(connection).await?;
    let found = |(id, number, count, time, text): Row| {
        let key = match kind {
            KeyKind::Own => Some(Key::Own),
            KeyKind::Number => count.map(Key::Number),
            KeyKind::Time => time.map(Key::Time),
            KeyKind::Text => text.map(Key::Text),
        };
        (id, Place { key: key.unwrap_or(Key::Missing), number })
    };
    Ok(rows.into_iter().map(found).collect())
}

/// The first runs with a number below `before` that lack what is sorted by, the newest first.
pub async fn missing(
    connection: &mut PgConnection,
    asked: RunQuery<'_>,
    before: Option<i32>,
    limit: i64,
) -> sqlx::Result<Vec<(RunId, Place)>> {
    let mut sql = Statement::of_missing(asked);
    if let Some(number) = before {
        sql.push(" AND r.number < ").bind(number);
    }
    sql.push(" ORDER BY r.number DESC LIMIT ").bind(limit);
    sql.fetch_missing(connection).await
}

/// The first runs with a number above `after` that lack what is sorted by, the oldest first: the way back.
pub async fn missing_above(
    connection: &mut PgConnection,
    asked: RunQuery<'_>,
    after: i32,
    limit: i64,
) -> sqlx::Result<Vec<(RunId, Place)>> {
    let mut sql = Statement::of_missing(asked);
    sql.push(" AND r.number > ").bind(after);
    sql.push(" ORDER BY r.number ASC LIMIT ").bind(limit);
    sql.fetch_missing(connection).await
}

/// What runs are sorted by. None of them lets a NaN through, which PostgreSQL takes for the largest number.
const fn column(field: &SortField) -> &'static str {
    match field {
        SortField::Created => "r.created_at",
        SortField::Started => "r.started_at",
        SortField::Finished => "r.finished_at",
        SortField::Updated => "r.updated_at",
        SortField::Number => "r.number",
        SortField::Duration => "r.duration_seconds",
        SortField::Status => "r.status",
        // A cursor has it in it.
        SortField::Title => "left(lower(r.title), 200)",
        SortField::Tag => "left(lower(r.tags[1]), 200)",
        SortField::Author => {
            "(SELECT left(lower(a.name), 200) FROM api_keys k JOIN accounts a ON a.id = k.created_by \
              WHERE k.id = r.api_key_id)"
        }
        SortField::Commit => "(SELECT left(c.git_commit, 64) FROM snapshots c WHERE c.run_id = r.id)",
        SortField::Metric(_) => "s.number",
        SortField::Config(_) => "q.number",
    }
}

/// A statement that is being written.
struct Statement<'a> {
    builder: QueryBuilder<Postgres>,
    asked: RunQuery<'a>,
    /// The run's id, from the table that gives the order: so what is no part of the answer is left out first.
    id: &'static str,
    /// Whether a condition is written as the set of runs that fulfil it.
    is_set: bool,
}

impl<'a> Statement<'a> {
    /// Begins with the run's id, number, and what it is sorted by, up to the conditions.
    fn new(asked: RunQuery<'a>, column: &'static str, kind: KeyKind) -> Self {
        let id = match asked.sort.field {
            SortField::Metric(_) => "s.run_id",
            SortField::Config(_) => "q.run_id",
            _ => "r.id",
        };
        let mut sql = Self { builder: QueryBuilder::new("SELECT r.id, r.number, "), asked, id, is_set: false };
        match kind {
            KeyKind::Own => sql.push("NULL::float8, NULL::timestamptz, NULL::text"),
            KeyKind::Number => sql.push(column).push(", NULL::timestamptz, NULL::text"),
            KeyKind::Time => sql.push("NULL::float8, ").push(column).push(", NULL::text"),
            KeyKind::Text => sql.push("NULL::float8, NULL::timestamptz, ").push(column),
        };
        if let SortField::Metric(name) = &asked.sort.field {
            // From the results, so that their index gives the order; each run once, by its first such result.
            sql.push(" FROM results s JOIN runs r ON r.id = s.run_id WHERE s.project_id = ").project();
            sql.push(" AND s.name_key = ").key_of(name);
            sql.push(
                " AND s.number <= 'Infinity'
                  AND NOT EXISTS (
                      SELECT FROM results e
                      WHERE e.run_id = s.run_id AND e.position < s.position
                        AND e.name_key = s.name_key AND e.number <= 'Infinity'
                  ) AND r.project_id = ",
            );
        } else if let SortField::Config(name) = &asked.sort.field {
            // A run has each name once.
            sql.push(" FROM run_parameters q JOIN runs r ON r.id = q.run_id WHERE q.project_id = ").project();
            sql.push(" AND q.name_key = ").key_of(name).push(" AND r.project_id = ");
        } else {
            sql.push(" FROM runs r WHERE r.project_id = ");
        }
        sql.project();
        sql
    }

    /// Begins with the id and number of the runs that lack what is sorted by, up to which of them.
    fn of_missing(asked: RunQuery<'a>) -> Self {
        let builder = QueryBuilder::new("SELECT r.id, r.number FROM runs r");
        let mut sql = Self { builder, asked, id: "r.id", is_set: false };
        sql.push(" WHERE r.project_id = ").project();
        sql.filter();
        if let SortField::Metric(name) = &asked.sort.field {
            sql.push(" AND NOT ").results(name).push(" AND s.number <= 'Infinity'").end();
        } else if let SortField::Config(name) = &asked.sort.field {
            sql.push(" AND NOT ").parameters(name).push(" AND q.number IS NOT NULL").end();
        } else {
            sql.push(" AND ").push(column(&asked.sort.field)).push(" IS NULL");
        }
        sql
    }

    async fn fetch_missing(mut self, connection: &mut PgConnection) -> sqlx::Result<Vec<(RunId, Place)>> {
        let rows: Vec<(RunId, i32)> = self.builder.build_query_as().persistent(false).fetch_all(connection).await?;
        Ok(rows.into_iter().map(|(id, number)| (id, Place { key: Key::Missing, number })).collect())
    }

    /// Writes a literal of these files.
    fn push(&mut self, sql: &'static str) -> &mut Self {
        self.builder.push(sql);
        self
    }

    /// Writes a place for a value that is sent apart.
    fn bind<'t, T: sqlx::Encode<'t, Postgres> + sqlx::Type<Postgres>>(&mut self, value: T) -> &mut Self {
        self.builder.push_bind(value);
        self
    }

    fn project(&mut self) -> &mut Self {
        let project_id = self.asked.project_id;
        self.bind(project_id)
    }

    /// The key that the database keeps of a name. Two names in 2^64 have the same.
    fn key_of(&mut self, name: &str) -> &mut Self {
        self.push("hashtextextended(").bind(name).push(", 0)")
    }

    fn filter(&mut self) {
        self.push(" AND r.deleted_at IS NULL");
        if let Some(few) = self.asked.among {
            let id = self.id;
            self.push(" AND ").push(id).push(" = ANY(").bind(few.to_vec()).push(")");
        }
        let query = self.asked.query;
        if let Some(expr) = &query.expr {
            self.push(" AND ").expr(expr);
        }
    }

    fn after(&mut self, place: &Place) {
        let Sort { field, is_descending } = self.asked.sort;
        let compare = if *is_descending { " < (" } else { " > (" };
        if place.key == Key::Own {
            let compare = if *is_descending { " AND r.number < " } else { " AND r.number > " };
            self.push(compare).bind(place.number);
            return;
        }
        // The comparison below is of two tables and can't be asked of the index of one.
        let bound = match (field, *is_descending) {
            (SortField::Metric(_), true) => Some(" AND s.number <= "),
            (SortField::Metric(_), false) => Some(" AND s.number >= "),
            (SortField::Config(_), true) => Some(" AND q.number <= "),
            (SortField::Config(_), false) => Some(" AND q.number >= "),
            _ => None,
        };
        if let Some(bound) = bound {
            self.push(bound).key(&place.key);
        }
        self.push(" AND (").push(column(field)).push(", r.number)").push(compare).key(&place.key);
        self.push(", ").bind(place.number).push(")");
    }

    fn key(&mut self, key: &Key) -> &mut Self {
        match key {
            Key::Number(number) => self.bind(*number),
            Key::Time(time) => self.bind(*time),
            Key::Text(text) => self.bind(text.as_str()),
            // They have places of their own.
            Key::Own | Key::Missing => self.push("NULL"),
        }
    }

    fn order(&mut self) {
        let Sort { field, is_descending } = self.asked.sort;
        let direction = if *is_descending { " DESC" } else { " ASC" };
        self.push(" ORDER BY ");
        if *field != SortField::Number {
            self.push(column(field)).push(direction).push(", ");
        }
        self.push("r.number").push(direction);
    }
}
