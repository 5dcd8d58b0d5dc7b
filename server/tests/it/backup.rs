//! Backups of a whole server, and archives of one project: made while others write, and brought back elsewhere.

mod archive;
mod command;
mod damage;
mod hostile;
pub mod server;
mod whole;

use std::collections::BTreeMap;

use futures_util::TryStreamExt;
use otrace_server::blobs::Blobs;
use otrace_server::domain::ProjectId;
use otrace_server::services;
use otrace_server::services::backup::Stores;
use otrace_server::testing::TestApp;
use otrace_wire::Sha256Digest;
use sqlx::{AssertSqlSafe, PgConnection};
use tempfile::TempDir;
use uuid::Uuid;

/// Where backups go.
struct Place {
    folder: TempDir,
    store: Blobs,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Blobs::in_folder(folder.path()).unwrap();
        Self { folder, store }
    }

    /// The keys of all that is in it, in order.
    async fn keys(&self) -> Vec<String> {
        keys(&self.store).await
    }
}

async fn keys(store: &Blobs) -> Vec<String> {
    let mut keys: Vec<String> = store.objects("").map_ok(|object| object.key).try_collect().await.unwrap();
    keys.sort();
    keys
}

fn stores(app: &TestApp) -> Stores<'_> {
    Stores { pool: &app.app.pool, contents: &app.app.blobs }
}

/// Every row of every table as text, but for those that a crash may empty.
async fn rows(connection: &mut PgConnection) -> BTreeMap<String, Vec<String>> {
    let select = "
        SELECT c.relname::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname = current_schema() AND c.relkind = 'r' AND c.relpersistence = 'p' AND c.relname <> '_sqlx_migrations'
    ";
    let tables: Vec<String> = sqlx::query_scalar(select).fetch_all(&mut *connection).await.unwrap();
    let mut rows = BTreeMap::new();
    for table in tables {
        let select = format!(r#"SELECT t::text FROM "{table}" t ORDER BY t::text COLLATE "C""#);
        rows.insert(table, sqlx::query_scalar(AssertSqlSafe(select)).fetch_all(&mut *connection).await.unwrap());
    }
    rows
}

async fn rows_of(app: &TestApp) -> BTreeMap<String, Vec<String>> {
    rows(&mut app.app.pool.acquire().await.unwrap()).await
}

fn count(rows: &BTreeMap<String, Vec<String>>) -> u64 {
    rows.values().map(|rows| rows.len() as u64).sum()
}

/// Fails with the first table whose rows are not the same.
#[track_caller]
fn assert_same_rows(found: &BTreeMap<String, Vec<String>>, expected: &BTreeMap<String, Vec<String>>) {
    assert_eq!(found.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>());
    for (table, rows) in expected {
        assert_eq!(&found[table], rows, "{table}");
    }
}

async fn read(app: &TestApp, project: Uuid, digest: &Sha256Digest) -> Vec<u8> {
    let content = services::contents::read(&app.app, ProjectId(project), digest, None).await.unwrap();
    let pieces: Vec<_> = content.try_collect().await.unwrap();
    pieces.concat()
}

/// Whose contents a server has.
async fn contents_of(app: &TestApp) -> Vec<(Uuid, Sha256Digest)> {
    let select = "SELECT project_id, sha256 FROM blobs ORDER BY project_id, sha256";
    let found: Vec<(Uuid, Vec<u8>)> = sqlx::query_as(select).fetch_all(&app.app.pool).await.unwrap();
    found.into_iter().map(|(project, digest)| (project, Sha256Digest::new(digest.try_into().unwrap()))).collect()
}

/// Bytes that don't shrink, others for each seed.
fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let next = std::iter::repeat_with(move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state.to_be_bytes()[0]
    });
    next.take(length).collect()
}
