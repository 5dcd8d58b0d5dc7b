//! What the former version asks of the database works on today's schema.
//!
//! Servers are replaced one after the other, so for a while the former version works beside the new one, on the schema
//! that the new one has migrated. `server/tests/data/former_version.json` is what it asks, kept by `scripts/keep-queries`
//! once a release is out: the SQL of the macros with the types that go in and come out, and the columns of each table.
//! Each statement is prepared and planned here, which finds what was taken away, renamed or changed. Trace is not
//! released yet: what is kept is 0.2.0 as it was when this test was written.
//!
//! `schema` finds what that does not show: columns of queries that are put together at run time, and what refuses rows.

mod schema;

use std::collections::BTreeMap;

use otrace_server::testing::TestDatabase;
use serde::Deserialize;
use sqlx::{AssertSqlSafe, Column, Either, Executor, PgConnection, SqlSafeStr, Statement, TypeInfo, raw_sql};

const KEPT: &str = include_str!("../../data/former_version.json");

/// Each column of the schema: its table, its name, whether it is never null, and whether it has a value of its own.
const COLUMNS: &str = "
    SELECT relname::text, attname::text, attnotnull, atthasdef OR attidentity <> ''
    FROM pg_attribute
    JOIN pg_class ON pg_class.oid = attrelid
    WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p') AND attnum > 0 AND NOT attisdropped
    ORDER BY 1, 2
";

/// What a version asks of the database.
#[derive(Deserialize)]
struct Former {
    version: String,
    /// Its last migration.
    migration: i64,
    /// Of each table the columns, and whether they are never null.
    tables: BTreeMap<String, BTreeMap<String, bool>>,
    queries: Vec<Query>,
}

/// A statement, with the names of the types that go in and come out.
#[derive(Deserialize)]
struct Query {
    sql: String,
    parameters: Vec<String>,
    columns: Vec<String>,
}

impl Former {
    fn read() -> Self {
        let former: Self = serde_json::from_str(KEPT).unwrap();
        assert!(former.queries.len() > 200 && former.tables.len() > 20, "what scripts/keep-queries kept is whole");
        former
    }

    /// What this version can't do on the schema of a connection.
    async fn complaints(&self, connection: &mut PgConnection) -> Vec<String> {
        // As the server has it: a plan for whatever comes.
        raw_sql("SET plan_cache_mode = force_generic_plan").execute(&mut *connection).await.unwrap();
        let mut complaints = Vec::new();
        for query in &self.queries {
            if let Err(complaint) = query.works(connection).await {
                complaints.push(format!("{complaint}: {}", query.sql));
            }
        }
        let columns: Vec<(String, String, bool, bool)> =
            sqlx::query_as(COLUMNS).fetch_all(&mut *connection).await.unwrap();
        complaints.extend(columns.iter().filter_map(|column| self.complaint_about(column)));
        complaints
    }

    fn complaint_about(&self, column: &(String, String, bool, bool)) -> Option<String> {
        let (table, name, is_never_null, has_value) = column;
        match self.tables.get(table)?.get(name) {
            None if *is_never_null && !has_value => Some(format!("inserts into {table} without {name}")),
            Some(true) if !is_never_null => Some(format!("reads {table}.{name}, which may be null now")),
            _ => None,
        }
    }
}

impl Query {
    async fn works(&self, connection: &mut PgConnection) -> Result<(), String> {
        let said = |error: sqlx::Error| error.to_string();
        let sql = AssertSqlSafe(self.sql.clone()).into_sql_str();
        let statement = (&mut *connection).prepare(sql).await.map_err(said)?;
        let Some(Either::Left(parameters)) = statement.parameters() else {
            return Err("PostgreSQL does not tell what it takes".to_owned());
        };
        let parameters: Vec<&str> = parameters.iter().map(TypeInfo::name).collect();
        let columns: Vec<&str> = statement.columns().iter().map(|column| column.type_info().name()).collect();
        if parameters != self.parameters || columns != self.columns {
            return Err(format!("takes {parameters:?} and gives {columns:?} now"));
        }
        self.is_planned(connection).await.map_err(said)
    }

    /// Planning finds what preparing does not, such as an ON CONFLICT without its index.
    async fn is_planned(&self, connection: &mut PgConnection) -> sqlx::Result<()> {
        let prepare = AssertSqlSafe(format!("PREPARE former AS {}", self.sql));
        raw_sql(prepare).execute(&mut *connection).await?;
        let nothing = vec!["NULL"; self.parameters.len()].join(", ");
        let given = if nothing.is_empty() { nothing } else { format!("({nothing})") };
        let planned = raw_sql(AssertSqlSafe(format!("EXPLAIN EXECUTE former{given}"))).execute(&mut *connection).await;
        raw_sql("DEALLOCATE former").execute(&mut *connection).await?;
        planned.map(drop)
    }
}

#[tokio::test]
async fn the_former_version_works_on_the_new_schema() {
    let former = Former::read();
    let database = TestDatabase::new().await;
    let mut connection = database.pool.acquire().await.unwrap();
    let complaints = former.complaints(&mut connection).await;
    assert!(
        complaints.is_empty(),
        "while servers are replaced, {} works on this schema too: expand first, and take away one release later \
         (migrations/README.md). It can't do this:\n{}",
        former.version,
        complaints.join("\n")
    );
}

#[tokio::test]
async fn a_migration_that_the_former_version_cannot_live_with_is_noticed() {
    let database = TestDatabase::new().await;
    let migration = "
        ALTER TABLE runs RENAME COLUMN intent TO purpose;
        ALTER TABLE runs ALTER COLUMN exit_code TYPE bigint;
        ALTER TABLE series_sources DROP CONSTRAINT series_sources_pkey;
        ALTER TABLE accounts ALTER COLUMN name DROP NOT NULL;
        ALTER TABLE saved_views ADD COLUMN shoe_size integer NOT NULL;
        ALTER TABLE projects ADD COLUMN shoe_size integer NOT NULL DEFAULT 42;
        CREATE TABLE shoes (size integer NOT NULL);
    ";
    raw_sql(migration).execute(&database.pool).await.unwrap();
    let mut connection = database.pool.acquire().await.unwrap();
    let complaints = Former::read().complaints(&mut connection).await.join("\n");
    for complaint in [
        r#"column "intent" does not exist"#,
        r#"column "intent" of relation "runs" does not exist"#,
        r#"takes ["UUID", "UUID", "TEXT", "INT8", "FLOAT8""#,
        "no unique or exclusion constraint matching the ON CONFLICT",
        "reads accounts.name, which may be null now",
        "inserts into saved_views without shoe_size",
    ] {
        assert!(complaints.contains(complaint), "{complaint} is not in:\n{complaints}");
    }
    for harmless in ["projects without", "shoes"] {
        assert!(!complaints.contains(harmless), "{harmless} is in:\n{complaints}");
    }
}
