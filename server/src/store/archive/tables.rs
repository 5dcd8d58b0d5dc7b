//! Whole tables, in the text of PostgreSQL's COPY, and what has to be known and done around them.

use bytes::Bytes;
use futures_util::stream::BoxStream;
use sqlx::postgres::PgCopyIn;
use sqlx::{AssertSqlSafe, PgConnection};

use crate::domain::backup::Migration;

/// A table of the server's schema.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// Its name.
    pub name: String,
    /// Its columns, but for those that PostgreSQL works out.
    pub columns: Vec<String>,
    /// The tables that its foreign keys lead to.
    pub refers_to: Vec<String>,
    /// The columns that count by themselves.
    pub counting: Vec<String>,
}

/// Lets the statements of a transaction take as long as they need, and values look the same whatever the database's own
/// settings are.
pub async fn settle(connection: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::raw_sql(
        "
        SET LOCAL statement_timeout = 0;
        SET LOCAL idle_in_transaction_session_timeout = 0;
        SET LOCAL datestyle = 'ISO';
        SET LOCAL intervalstyle = 'postgres';
        SET LOCAL timezone = 'UTC';
        SET LOCAL extra_float_digits = 1;
        SET LOCAL bytea_output = 'hex';
        ",
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// The tables of the schema, by name: without the record of its migrations, and without those that a crash may empty,
/// of which nothing is worth keeping.
pub async fn list(connection: &mut PgConnection) -> sqlx::Result<Vec<Table>> {
    sqlx::query_as!(
        Table,
        r#"
        SELECT c.relname::text AS "name!",
               ARRAY(
                   SELECT a.attname::text FROM pg_attribute a
                   WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
                   ORDER BY a.attnum
               ) AS "columns!",
               ARRAY(
                   SELECT DISTINCT f.relname::text
                   FROM pg_constraint k JOIN pg_class f ON f.oid = k.confrelid
                   WHERE k.conrelid = c.oid AND k.contype = 'f'
               ) AS "refers_to!",
               ARRAY(
                   SELECT a.attname::text FROM pg_attribute a
                   WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attidentity <> ''
               ) AS "counting!"
        FROM pg_class c
        JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname = current_schema() AND c.relkind = 'r' AND c.relpersistence = 'p'
          AND c.relname <> '_sqlx_migrations'
          AND NOT EXISTS (
              SELECT FROM pg_depend d
              WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'
          )
        ORDER BY c.relname COLLATE "C"
        "#,
    )
    .fetch_all(connection)
    .await
}

/// The migrations that the database has seen, the first first; `None`, where none ever ran.
pub async fn migrations(connection: &mut PgConnection) -> sqlx::Result<Option<Vec<Migration>>> {
    let is_there = sqlx::query_scalar!(r#"SELECT to_regclass('_sqlx_migrations') IS NOT NULL AS "is_there!""#)
        .fetch_one(&mut *connection)
        .await?;
    if !is_there {
        return Ok(None);
    }
    // Not checked against the schema: the table is there only where the server has migrated.
    let seen: Vec<(i64, String)> =
        sqlx::query_as("SELECT version, encode(checksum, 'hex') FROM _sqlx_migrations WHERE success ORDER BY version")
            .fetch_all(connection)
            .await?;
    let seen = seen.into_iter().map(|(version, checksum)| Migration { version, checksum }).collect();
    Ok(Some(seen))
}

/// Keeps these tables as they are made until the transaction ends; others go on writing to them.
pub async fn hold(connection: &mut PgConnection, tables: &[Table]) -> sqlx::Result<()> {
    lock(connection, tables, "ACCESS SHARE").await
}

/// Lets nobody else write to these tables until the transaction ends.
pub async fn close(connection: &mut PgConnection, tables: &[Table]) -> sqlx::Result<()> {
    lock(connection, tables, "EXCLUSIVE").await
}

async fn lock(connection: &mut PgConnection, tables: &[Table], mode: &'static str) -> sqlx::Result<()> {
    if tables.is_empty() {
        return Ok(());
    }
    let names: Vec<String> = tables.iter().map(|table| quoted(&table.name)).collect();
    let statement = format!("LOCK TABLE {} IN {mode} MODE", names.join(", "));
    sqlx::raw_sql(AssertSqlSafe(statement)).execute(connection).await?;
    Ok(())
}

/// Whether a table has no row.
pub async fn is_empty(connection: &mut PgConnection, table: &str) -> sqlx::Result<bool> {
    let statement = format!("SELECT NOT EXISTS (SELECT FROM {})", quoted(table));
    sqlx::query_scalar(AssertSqlSafe(statement)).fetch_one(connection).await
}

/// Removes all rows of those of the tables that have one of these names.
pub async fn empty(connection: &mut PgConnection, tables: &[Table], names: &[&str]) -> sqlx::Result<()> {
    for table in tables.iter().filter(|table| names.contains(&table.name.as_str())) {
        let statement = format!("DELETE FROM {}", quoted(&table.name));
        sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut *connection).await?;
    }
    Ok(())
}

/// The rows of a table, a line each.
pub async fn copy_out<'c>(
    connection: &'c mut PgConnection,
    table: &Table,
) -> sqlx::Result<BoxStream<'c, sqlx::Result<Bytes>>> {
    let Table { name, columns, .. } = table;
    connection.copy_out_raw(&format!("COPY {} ({}) TO STDOUT", quoted(name), all_quoted(columns))).await
}

/// Takes rows into a table, as [`copy_out`] told them: end it with `finish`, which says how many there were.
pub async fn copy_in<'c>(
    connection: &'c mut PgConnection,
    table: &str,
    columns: &[String],
) -> sqlx::Result<PgCopyIn<&'c mut PgConnection>> {
    connection.copy_in_raw(&format!("COPY {} ({}) FROM STDIN", quoted(table), all_quoted(columns))).await
}

/// Lets rows come into a table as they are, or has its triggers add to them again.
pub async fn let_triggers_act(connection: &mut PgConnection, table: &str, may_act: bool) -> sqlx::Result<()> {
    let act = if may_act { "ENABLE" } else { "DISABLE" };
    // Foreign keys are looked after all the same: those triggers are the database's own.
    let statement = format!("ALTER TABLE {} {act} TRIGGER USER", quoted(table));
    sqlx::raw_sql(AssertSqlSafe(statement)).execute(connection).await?;
    Ok(())
}

/// Lets the columns of a table that count by themselves go on from where its rows end, and has PostgreSQL look at these
/// before it plans a query.
pub async fn take_over(connection: &mut PgConnection, table: &Table) -> sqlx::Result<()> {
    let name = quoted(&table.name);
    for column in &table.counting {
        let highest = format!("max({})", quoted(column));
        let statement = format!(
            "SELECT setval(pg_get_serial_sequence($1, $2), COALESCE({highest}, 1), {highest} IS NOT NULL) FROM {name}"
        );
        sqlx::query(AssertSqlSafe(statement)).bind(&name).bind(column).execute(&mut *connection).await?;
    }
    sqlx::raw_sql(AssertSqlSafe(format!("ANALYZE {name}"))).execute(connection).await?;
    Ok(())
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn all_quoted(names: &[String]) -> String {
    names.iter().map(|name| quoted(name)).collect::<Vec<_>>().join(", ")
}
