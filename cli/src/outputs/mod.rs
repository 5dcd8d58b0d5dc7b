//! Results and tables, read from the files that a command left behind.
//!
//! A *result* is a named value at the end of a run, a *table* is rows. What a file holds is told by
//! its suffix; a file that is not what its suffix says yields nothing, and never an error: reading
//! outputs must not be able to spoil a run. Files are streamed, and what is kept of them is bounded.

mod cells;
mod delimited;
pub mod finite_json;
mod json;
mod json_lines;
mod row_limit;
mod text;

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use otrace_wire::{ResultValue, Table};
use serde_json::Value;

/// Larger files are kept, but not read. In bytes.
pub const MAX_FILE_SIZE: u64 = 64 * 1024 * 1024;
/// A log with a value on each line is a series; its first values stand for it.
const MAX_RESULTS: usize = 10_000;

/// What was read from one file.
#[derive(Debug, Default)]
pub struct Parsed {
    /// Named values.
    pub results: Vec<ResultValue>,
    /// Rows.
    pub tables: Vec<Table>,
}

impl Parsed {
    fn add_result(&mut self, name: &str, value: &Value, line: Option<i64>) {
        if self.results.len() < MAX_RESULTS {
            self.results.push(ResultValue {
                kind: Some("scalar".to_owned()),
                name: Some(name.to_owned()),
                value: cells::coerce(value),
                line,
                ..ResultValue::default()
            });
        }
    }

    fn add_table(&mut self, table: Option<Table>) {
        if let Some(mut table) = table {
            table.table_index = i64::try_from(self.tables.len() + 1).ok();
            self.tables.push(table);
        }
    }
}

/// Reads what there is in a file, which is known to people as `source_path`.
pub fn parse(file: &Path, source_path: &str) -> Parsed {
    let Ok(open) = File::open(file) else {
        return Parsed::default();
    };
    if !open.metadata().is_ok_and(|found| found.len() <= MAX_FILE_SIZE) {
        return Parsed::default();
    }
    let reader = BufReader::with_capacity(64 * 1024, open);
    let suffix = file.extension().map(|suffix| suffix.to_string_lossy().to_lowercase());
    let mut parsed = match suffix.as_deref() {
        Some("json") => json::parse(reader),
        Some("jsonl" | "ndjson") => json_lines::parse(reader),
        Some("csv") => delimited::parse(reader, b',', "csv"),
        Some("tsv") => delimited::parse(reader, b'\t', "tsv"),
        _ => text::parse(reader),
    };
    for result in &mut parsed.results {
        result.source_path = Some(source_path.to_owned());
    }
    for table in &mut parsed.tables {
        table.source_path = Some(source_path.to_owned());
    }
    parsed
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(name: &str, content: &str) -> Parsed {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join(name);
        std::fs::write(&path, content).expect("written");
        parse(&path, "outputs/x")
    }

    #[test]
    fn the_suffix_decides_how_a_file_is_read() {
        assert_eq!(parsed("m.json", r#"{"a": 1}"#).results.len(), 1);
        assert_eq!(parsed("m.CSV", "a,b\n1,2\n").tables.len(), 1);
        assert_eq!(parsed("m.tsv", "a\tb\n1\t2\n").tables.len(), 1);
        assert_eq!(parsed("m.jsonl", "{\"a\":1}\n").tables.len(), 1);
        assert_eq!(parsed("m.log", "accuracy: 0.9\n").results.len(), 1);
    }

    #[test]
    fn everything_names_its_source() {
        let parsed = parsed("m.json", r#"{"a": 1, "rows": [{"x": 1}]}"#);
        assert_eq!(parsed.results[0].source_path.as_deref(), Some("outputs/x"));
        assert_eq!(parsed.tables[0].source_path.as_deref(), Some("outputs/x"));
        assert_eq!(parsed.tables[0].table_index, Some(1));
    }

    #[test]
    fn a_file_that_is_not_what_it_says_yields_nothing() {
        for name in ["m.json", "m.jsonl"] {
            let parsed = parsed(name, "{\"a\": ");
            assert!(parsed.results.is_empty() && parsed.tables.is_empty(), "{name}");
        }
        assert!(parse(Path::new("/nowhere"), "x").results.is_empty());
    }
}
