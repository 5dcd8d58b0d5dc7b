//! A table as it is read, row by row, of which a bounded number is kept.

use std::collections::HashSet;

use otrace_wire::Table;
use serde_json::{Map, Value};

use crate::outputs::cells;

/// How many rows of a table are kept.
pub const MAX_ROWS: usize = 10_000;

/// Gathers rows, and counts those that it does not keep.
#[derive(Debug, Default)]
pub struct Rows {
    columns: Vec<String>,
    known: HashSet<String>,
    kept: Vec<Value>,
    total: usize,
}

impl Rows {
    /// Rows whose columns are told beforehand.
    pub fn with_columns(columns: &[String]) -> Self {
        let mut rows = Self::default();
        for column in columns {
            rows.column(column);
        }
        rows
    }

    /// Whether the next row would be kept: if not, it need not even be read.
    pub fn has_room(&self) -> bool {
        self.kept.len() < MAX_ROWS
    }

    /// Counts a row that is not kept.
    pub fn skip(&mut self) {
        self.total += 1;
    }

    /// Adds a row as JSON has it: an object, or a scalar, which stands in a column `value`.
    /// Anything else is no row.
    pub fn add_json(&mut self, row: Value) {
        match row {
            Value::Object(cells) => self.add(cells),
            scalar if cells::is_scalar(&scalar) => {
                self.add(Map::from_iter([("value".to_owned(), scalar)]));
            }
            _ => {}
        }
    }

    /// Adds a row.
    pub fn add(&mut self, mut row: Map<String, Value>) {
        self.total += 1;
        if !self.has_room() {
            return;
        }
        for (name, cell) in &mut row {
            self.column(name);
            if let Value::String(text) = cell {
                *cell = cells::from_text(text);
            }
        }
        self.kept.push(Value::Object(row));
    }

    fn column(&mut self, name: &str) {
        if !self.known.contains(name) {
            self.known.insert(name.to_owned());
            self.columns.push(name.to_owned());
        }
    }

    /// The table, if it has any column.
    pub fn into_table(self, format: &str, title: Option<String>) -> Option<Table> {
        if self.columns.is_empty() {
            return None;
        }
        let mut metadata = Map::from_iter([("format".to_owned(), format.into())]);
        if self.total > self.kept.len() {
            metadata.insert("truncated".to_owned(), true.into());
            metadata.insert("total_rows".to_owned(), self.total.into());
        }
        Some(Table {
            title,
            row_count: i64::try_from(self.kept.len()).ok(),
            column_count: i64::try_from(self.columns.len()).ok(),
            columns: self.columns,
            rows: self.kept,
            metadata: Some(metadata),
            ..Table::default()
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_the_first_rows_are_kept_and_it_says_so() {
        let mut rows = Rows::default();
        for number in 0..MAX_ROWS + 5 {
            rows.add_json(json!({ "step": number }));
        }
        let table = rows.into_table("json", None).expect("a table");
        assert_eq!(table.rows.len(), MAX_ROWS);
        let metadata = table.metadata.expect("metadata");
        assert_eq!(metadata["truncated"], json!(true));
        assert_eq!(metadata["total_rows"], json!(MAX_ROWS + 5));
    }

    #[test]
    fn columns_come_in_the_order_in_which_they_are_met() {
        let mut rows = Rows::default();
        rows.add_json(json!({"b": "1", "a": true}));
        rows.add_json(json!({"c": null, "b": 2}));
        rows.add_json(json!(7));
        rows.add_json(json!([1, 2]));
        let table = rows.into_table("json", None).expect("a table");
        assert_eq!(table.columns, ["b", "a", "c", "value"]);
        assert_eq!(table.rows[0], json!({"b": 1, "a": true}));
        assert_eq!((table.row_count, table.column_count), (Some(3), Some(4)));
    }
}
