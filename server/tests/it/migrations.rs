//! The schema: how it comes to be, and what it refuses whatever the code does.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

use futures_util::future::join_all;
use otrace_server::database;
use otrace_server::testing::{TestApp, TestProject};
use sqlx::error::DatabaseError;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{AssertSqlSafe, Connection, PgConnection, PgPool};
use time::PrimitiveDateTime;
use time::macros::format_description;
use tokio::time::timeout;
use uuid::Uuid;

/// The migration files, in the order in which they run.
fn migration_files() -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../migrations");
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = entries.filter(|name| name != "README.md").collect();
    names.sort();
    names
}

/// A schema in which nothing was migrated, as a server connects to it.
async fn empty_schema() -> PgConnectOptions {
    let url = std::env::var("OTRACE_TEST_DATABASE_URL").expect("tests need a PostgreSQL: run `make test`");
    let options = PgConnectOptions::from_str(&url).unwrap();
    let schema = format!("migrations_{}", Uuid::now_v7().simple());
    let mut connection = PgConnection::connect_with(&options).await.unwrap();
    sqlx::query(AssertSqlSafe(format!("CREATE SCHEMA {schema}"))).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    options.options([("search_path", schema.as_str())])
}

async fn connect(options: &PgConnectOptions) -> PgPool {
    PgPoolOptions::new().max_connections(1).connect_with(options.clone()).await.unwrap()
}

/// Every column, index and constraint of the schema, and which migrations were applied when.
async fn describe(pool: &PgPool) -> Vec<String> {
    let sql = "
        SELECT concat_ws(' ', 'column', table_name, column_name, data_type, is_nullable, column_default) AS line
        FROM information_schema.columns
        WHERE table_schema = current_schema()
        UNION ALL
        SELECT concat_ws(' ', 'index', indexdef) FROM pg_indexes WHERE schemaname = current_schema()
        UNION ALL
        SELECT concat_ws(' ', 'constraint', c.conname, pg_get_constraintdef(c.oid))
        FROM pg_constraint c
        JOIN pg_namespace n ON n.oid = c.connamespace
        WHERE n.nspname = current_schema()
        UNION ALL
        SELECT concat_ws(' ', 'migration', m::text) FROM _sqlx_migrations m
        ORDER BY line
    ";
    sqlx::query_scalar(sql).fetch_all(pool).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn eight_servers_that_start_together_migrate_an_empty_database_once() {
    let options = empty_schema().await;
    let pools = join_all((0..8).map(|_| connect(&options))).await;
    for migrated in join_all(pools.iter().map(database::migrate)).await {
        migrated.unwrap();
    }
    let applied: Vec<(i64, bool)> = sqlx::query_as("SELECT version, success FROM _sqlx_migrations ORDER BY version")
        .fetch_all(&pools[0])
        .await
        .unwrap();
    let expected: Vec<(i64, bool)> = migration_files().iter().map(|name| (name[..14].parse().unwrap(), true)).collect();
    assert_eq!(applied, expected);

    // Each of them can work now.
    for pool in &pools {
        let runs: i64 = sqlx::query_scalar("SELECT count(*) FROM runs").fetch_one(pool).await.unwrap();
        assert_eq!(runs, 0);
    }
}

#[tokio::test]
async fn migrating_once_more_changes_nothing() {
    let pool = connect(&empty_schema().await).await;
    database::migrate(&pool).await.unwrap();
    sqlx::query("INSERT INTO accounts (id, email, name, created_at) VALUES (gen_random_uuid(), 'ada@example.org', 'Ada', now())")
        .execute(&pool)
        .await
        .unwrap();
    let before = describe(&pool).await;
    assert!(before.len() > 100, "{before:#?}");
    database::migrate(&pool).await.unwrap();
    assert_eq!(describe(&pool).await, before);
    let accounts: i64 = sqlx::query_scalar("SELECT count(*) FROM accounts").fetch_one(&pool).await.unwrap();
    assert_eq!(accounts, 1);
}

#[tokio::test]
async fn a_server_that_migrated_leaves_no_lock_and_no_setting_behind() {
    let options = empty_schema().await;
    let with_timeout = options.clone().options([("statement_timeout", "10s")]);
    let (first, second) = (connect(&with_timeout).await, connect(&options).await);
    database::migrate(&first).await.unwrap();
    let limit: String = sqlx::query_scalar("SHOW statement_timeout").fetch_one(&first).await.unwrap();
    assert_eq!(limit, "10s", "only migrations take as long as they take");
    // The first one keeps its connection, and the second one does not wait for it.
    let again = timeout(Duration::from_mins(1), database::migrate(&second)).await;
    again.expect("the lock was given back").unwrap();
    assert!(!first.is_closed());
}

/// What belongs to a run, each with a row of the least that it needs: run `$1`, project `$2`.
const BELONGS_TO_A_RUN: [(&str, &str); 16] = [
    (
        "artifacts",
        "INSERT INTO artifacts (id, run_id, project_id, position, kind, size_bytes, content_type, sha256)
         VALUES (gen_random_uuid(), $1, $2, 0, 'other', 0, 'text/plain', decode(repeat('ab', 32), 'hex'))",
    ),
    (
        "log_chunks",
        "INSERT INTO log_chunks (run_id, project_id, stream, start_byte, end_byte, bytes)
         VALUES ($1, $2, 'stdout', 0, 1, 'x')",
    ),
    (
        "logs",
        "INSERT INTO logs (run_id, project_id, position, stream, size_bytes, sha256)
         VALUES ($1, $2, 0, 'stdout', 0, decode(repeat('ab', 32), 'hex'))",
    ),
    (
        "notes",
        "INSERT INTO notes (id, run_id, project_id, body, created_at) VALUES (gen_random_uuid(), $1, $2, 'note', now())",
    ),
    (
        "result_tables",
        "INSERT INTO result_tables (run_id, project_id, position, columns, row_count, column_count, first_rows, sha256)
         VALUES ($1, $2, 0, '{}', 0, 0, '[]', decode(repeat('ab', 32), 'hex'))",
    ),
    (
        "results",
        "INSERT INTO results (run_id, project_id, position, kind, name, value) VALUES ($1, $2, 0, 'scalar', 'loss', '1')",
    ),
    (
        "run_parameters",
        "INSERT INTO run_parameters (run_id, project_id, name, value) VALUES ($1, $2, 'lr', '0.1')",
    ),
    ("run_series", "INSERT INTO run_series (run_id, project_id) VALUES ($1, $2)"),
    ("series", "INSERT INTO series (run_id, project_id, name) VALUES ($1, $2, 'loss')"),
    (
        "series_chunks",
        "INSERT INTO series_chunks (run_id, project_id, name, number, point_count, points, summary)
         VALUES ($1, $2, 'loss', 0, 1, '', '')",
    ),
    ("series_sources", "INSERT INTO series_sources (run_id, project_id, source, next_index) VALUES ($1, $2, 'm', 0)"),
    ("series_tails", "INSERT INTO series_tails (run_id, project_id, points) VALUES ($1, $2, '')"),
    (
        "snapshot_files",
        "INSERT INTO snapshot_files (run_id, project_id, position, kind, path, size_bytes, sha256)
         VALUES ($1, $2, 0, 'dependency', 'requirements.txt', 0, decode(repeat('ab', 32), 'hex'))",
    ),
    ("snapshots", "INSERT INTO snapshots (run_id, project_id) VALUES ($1, $2)"),
    ("unread_configs", "INSERT INTO unread_configs (run_id, project_id) VALUES ($1, $2)"),
    (
        "webhook_deliveries",
        "WITH webhook AS (
             INSERT INTO webhooks (id, project_id, name, url, format, events, secret, created_at)
             VALUES (gen_random_uuid(), $2, 'w', 'https://example.org/', 'trace', '{}', decode(repeat('00', 32), 'hex'), now())
             RETURNING id
         )
         INSERT INTO webhook_deliveries (webhook_id, project_id, run_id, event, occurred_at, created_at)
         SELECT id, $2, $1, 'run.failed', now(), now() FROM webhook",
    ),
];

/// Two projects, each with a run. Returns them with the runs' ids.
async fn two_projects() -> (TestApp, [(TestProject, Uuid); 2]) {
    let app = TestApp::new().await;
    let (mine, theirs) = (app.project("mine").await, app.project("theirs").await);
    let my_run = app.run(&mine.key, "mine").await["id"].as_str().unwrap().parse().unwrap();
    let their_run = app.run(&theirs.key, "theirs").await["id"].as_str().unwrap().parse().unwrap();
    (app, [(mine, my_run), (theirs, their_run)])
}

/// Writes down a content of a project, of no bytes and with the hash `abab…`.
async fn insert_blob(app: &TestApp, project: &TestProject) {
    sqlx::query("INSERT INTO blobs (project_id, sha256, size_bytes, created_at, place) VALUES ($1, decode(repeat('ab', 32), 'hex'), 0, now(), 'named')")
        .bind(project.id)
        .execute(&app.app.pool)
        .await
        .unwrap();
}

/// Writes a row of a run in a project; fails unless it is written, or refused by a foreign key. Returns which of both.
async fn is_written(app: &TestApp, sql: &'static str, run: Uuid, project: &TestProject) -> bool {
    match sqlx::query(sql).bind(run).bind(project.id).execute(&app.app.pool).await {
        Ok(done) => done.rows_affected() == 1,
        Err(error) => {
            let refused = error.as_database_error().is_some_and(DatabaseError::is_foreign_key_violation);
            assert!(refused, "{sql}: {error}");
            false
        }
    }
}

#[tokio::test]
async fn no_row_of_a_run_points_into_another_project() {
    let (app, [(mine, my_run), (theirs, their_run)]) = two_projects().await;
    insert_blob(&app, &mine).await;
    insert_blob(&app, &theirs).await;
    for (table, sql) in BELONGS_TO_A_RUN {
        assert!(!is_written(&app, sql, their_run, &mine).await, "{table}: their run in my project");
        assert!(!is_written(&app, sql, my_run, &theirs).await, "{table}: my run in their project");
        assert!(!is_written(&app, sql, Uuid::now_v7(), &mine).await, "{table}: no run");
        assert!(is_written(&app, sql, my_run, &mine).await, "{table}: my run in my project");
    }

    let mut tables: Vec<String> = sqlx::query_scalar(
        "SELECT table_name::text FROM information_schema.columns
         JOIN information_schema.tables USING (table_schema, table_name)
         WHERE table_schema = current_schema() AND column_name = 'run_id' AND table_type = 'BASE TABLE'
         -- Only triggers write there, in the run's own project.
         AND table_name <> 'run_words'",
    )
    .fetch_all(&app.app.pool)
    .await
    .unwrap();
    tables.sort();
    assert_eq!(tables, BELONGS_TO_A_RUN.map(|(table, _)| table), "each table with a run_id is tested here");
}

#[tokio::test]
async fn a_run_goes_on_from_no_run_of_another_project() {
    let (app, [(mine, my_run), (_, their_run)]) = two_projects().await;
    let sql =
        "INSERT INTO runs (id, project_id, number, parent_id, intent, setup, command, status, created_at, updated_at)
               VALUES (gen_random_uuid(), $2, 99, $1, 'i', 's', 'c', 'created', now(), now())";
    assert!(!is_written(&app, sql, their_run, &mine).await);
    assert!(is_written(&app, sql, my_run, &mine).await);
}

#[tokio::test]
async fn no_row_names_a_content_of_another_project() {
    let (app, [(mine, my_run), (theirs, _)]) = two_projects().await;
    insert_blob(&app, &theirs).await;
    let with_content: Vec<_> = BELONGS_TO_A_RUN.into_iter().filter(|(_, sql)| sql.contains("sha256")).collect();
    assert_eq!(with_content.len(), 4);
    for &(table, sql) in &with_content {
        assert!(!is_written(&app, sql, my_run, &mine).await, "{table}");
    }
    insert_blob(&app, &mine).await;
    for &(table, sql) in &with_content {
        assert!(is_written(&app, sql, my_run, &mine).await, "{table}");
    }
    // And while a row names it, a content stays.
    let removed = sqlx::query("DELETE FROM blobs WHERE project_id = $1").bind(mine.id).execute(&app.app.pool).await;
    assert!(removed.unwrap_err().as_database_error().unwrap().is_foreign_key_violation());
}

#[test]
fn a_migration_is_named_by_its_time_and_by_what_it_does() {
    let names = migration_files();
    assert!(!names.is_empty());
    let format = format_description!("[year][month][day][hour][minute][second]");
    let mut times = BTreeSet::new();
    for name in &names {
        let stem = name.strip_suffix(".sql").unwrap_or_else(|| panic!("{name} is no migration"));
        let (time, what) = stem.split_once('_').unwrap_or_else(|| panic!("{name} does not say what it does"));
        assert_eq!(time.len(), 14, "{name}");
        assert!(PrimitiveDateTime::parse(time, format).is_ok(), "{name}");
        assert!(times.insert(time), "{name} has the time of another one");
        let words: Vec<&str> = what.split('_').collect();
        assert!(words.len() >= 2, "{name}: a verb and a noun");
        let is_word =
            |word: &&str| !word.is_empty() && word.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
        assert!(words.iter().all(is_word), "{name}");
    }
}
