//! SQL, one file per table, as functions of a connection.
//!
//! No decisions, no transactions: a service begins and commits. Not found is `Ok(None)`. What
//! belongs to a project takes the project's id, so that no row of another one can come back.
//! Queries are checked at compile time against `.sqlx/` (`make sqlx` refreshes it).

pub mod accounts;
pub mod api_keys;
pub mod archive;
pub mod artifacts;
pub mod audit_events;
pub mod blobs;
pub mod comparison;
pub mod contacts;
pub mod device_logins;
pub mod history;
pub mod identities;
pub mod imports;
pub mod invitations;
pub mod lineage;
pub mod log_chunks;
pub mod logs;
pub mod members;
pub mod notes;
pub mod one_time_links;
pub mod page_passes;
pub mod postgres;
pub mod projects;
pub mod rate_limits;
pub mod result_directions;
pub mod results;
pub mod retention;
pub mod run_creation;
pub mod run_edits;
pub mod run_list;
pub mod run_parameters;
pub mod run_query;
pub mod run_relations;
pub mod runs;
pub mod saved_views;
pub mod search;
pub mod series;
pub mod sessions;
pub mod sign_up_policy;
pub mod snapshots;
pub mod standings;
pub mod storage_use;
pub mod sweep;
pub mod tables;
pub mod webhooks;
pub mod workspaces;

use otrace_wire::Sha256Digest;

/// A text column that the schema limits to a fixed set of words held another one.
fn unknown_word(error: impl std::error::Error + Send + Sync + 'static) -> sqlx::Error {
    sqlx::Error::Decode(Box::new(error))
}

/// A digest from a `bytea` column, which the schema holds to 32 bytes.
fn digest(bytes: Option<Vec<u8>>) -> Option<Sha256Digest> {
    bytes.and_then(|bytes| <[u8; 32]>::try_from(bytes).ok()).map(Sha256Digest::new)
}

/// A JSON object from a `jsonb` column; anything else reads as an empty one.
fn object(value: serde_json::Value) -> serde_json::Map<String, serde_json::Value> {
    match value {
        serde_json::Value::Object(map) => map,
        _ => serde_json::Map::new(),
    }
}

/// A JSON array from a `jsonb` column; anything else reads as an empty one.
fn array(value: serde_json::Value) -> Vec<serde_json::Value> {
    match value {
        serde_json::Value::Array(items) => items,
        _ => Vec::new(),
    }
}
