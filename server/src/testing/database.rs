//! A fresh schema for each test, in the one PostgreSQL of the test run.

use std::str::FromStr;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, PgPool};
use uuid::Uuid;

use crate::database;

/// A migrated, empty schema. It is left behind: the PostgreSQL of a test run is thrown away as a whole.
#[derive(Debug)]
pub struct TestDatabase {
    /// Connections that see only this schema.
    pub pool: PgPool,
}

impl TestDatabase {
    /// Makes a schema and brings it up to date.
    pub async fn new() -> Self {
        let url = std::env::var("OTRACE_TEST_DATABASE_URL")
            .expect("tests need a PostgreSQL: run `make test`, or `cargo nextest run`, which start one");
        let options = PgConnectOptions::from_str(&url).unwrap().disable_statement_logging();
        let schema = format!("test_{}", Uuid::now_v7().simple());
        let mut connection = sqlx::PgConnection::connect_with(&options).await.unwrap();
        sqlx::query(AssertSqlSafe(format!("CREATE SCHEMA {schema}"))).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();

        let options = options.options([("search_path", schema.as_str())]);
        let pool = PgPoolOptions::new().max_connections(8).connect_with(options).await.unwrap();
        let mut connection = pool.acquire().await.unwrap();
        database::migrate_unlocked(&mut connection).await.unwrap();
        drop(connection);
        Self { pool }
    }
}
