//! Rows parsed from an output of a run.

use otrace_wire::Sha256Digest;
use serde_json::{Map, Value};

/// How many rows of a table are kept in the database, to be shown at once; all rows are a blob.
pub const FIRST_ROWS: usize = 100;
/// How large those rows may be together, as JSON in bytes.
pub const FIRST_ROWS_MAX_BYTES: usize = 64 * 1024;

/// Rows parsed from an output of a run.
#[derive(Clone, Debug)]
pub struct Table {
    /// Its place among the run's tables, from 0; names it within the run.
    pub position: i32,
    /// The file that it was read from.
    pub source_path: Option<String>,
    /// Which table of that file it is, from 1.
    pub table_index: Option<i64>,
    /// A name to show.
    pub title: Option<String>,
    /// The columns' names, in order.
    pub columns: Vec<String>,
    /// How many rows the table has.
    pub row_count: i64,
    /// How many columns it has.
    pub column_count: i64,
    /// Whatever else the client wanted kept.
    pub metadata: Map<String, Value>,
    /// The rows to show at once, each an object from column to value.
    pub first_rows: Vec<Value>,
    /// All rows as a JSON array in the store; `None` where `first_rows` are all.
    pub sha256: Option<Sha256Digest>,
}
