//! The test kit, also for the CLI's tests: a real PostgreSQL, a fresh schema for each test, and the
//! server's own router, called in process ([`TestApp`]) or over a real socket ([`TestServer`]).
//!
//! One PostgreSQL serves the whole test run: `OTRACE_TEST_DATABASE_URL`, set by `scripts/test-postgres`,
//! which nextest calls by itself (`.config/nextest.toml`).

#![expect(
    clippy::missing_panics_doc,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test kit panics: that is how tests fail"
)]

mod app;
mod database;
mod response;
mod server;

pub use app::{TestApp, TestProject};
pub use database::TestDatabase;
pub use response::TestResponse;
pub use server::TestServer;

/// The password of every account that the kit makes.
pub const PASSWORD: &str = "correct horse battery";
