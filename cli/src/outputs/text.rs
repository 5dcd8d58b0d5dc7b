//! Text and logs: `name: value` and `name = value` lines are results, markdown tables are tables.

use std::io::BufRead;

use serde_json::{Map, Value};

use crate::outputs::row_limit::Rows;
use crate::outputs::{Parsed, cells};

/// Reads text line by line. A zero byte means that it is no text, and that nothing is in it.
pub fn parse(mut reader: impl BufRead) -> Parsed {
    let mut scan = Scan::default();
    let mut bytes = Vec::new();
    while matches!(reader.read_until(b'\n', &mut bytes), Ok(length) if length > 0) {
        if bytes.contains(&0) {
            return Parsed::default();
        }
        let text = String::from_utf8_lossy(&bytes);
        let text = text.strip_suffix('\n').unwrap_or(&text);
        // Progress bars write line over line, with a carriage return between them.
        for line in text.strip_suffix('\r').unwrap_or(text).split('\r') {
            scan.line(line);
        }
        bytes.clear();
    }
    scan.end_table();
    scan.parsed
}

#[derive(Default)]
struct Scan {
    parsed: Parsed,
    number: i64,
    /// The cells of the line before: a header, if a separator follows.
    header: Option<Vec<String>>,
    table: Option<OpenTable>,
}

struct OpenTable {
    columns: Vec<String>,
    rows: Rows,
    start_line: i64,
}

impl Scan {
    fn line(&mut self, line: &str) {
        self.number += 1;
        if let Some((name, value)) = metric(line) {
            self.parsed.add_result(name, &value, Some(self.number));
        }
        let Some(cells) = table_cells(line) else {
            self.end_table();
            self.header = None;
            return;
        };
        if let Some(table) = &mut self.table {
            table.add(cells);
        } else {
            self.maybe_begin_table(cells);
        }
    }

    fn maybe_begin_table(&mut self, cells: Vec<String>) {
        match self.header.take() {
            Some(columns) if cells.iter().all(|cell| is_rule(cell)) => {
                let rows = Rows::with_columns(&columns);
                self.table = Some(OpenTable { columns, rows, start_line: self.number - 1 });
            }
            _ => self.header = Some(cells),
        }
    }

    fn end_table(&mut self) {
        let Some(table) = self.table.take() else { return };
        let mut ended = table.rows.into_table("markdown", None);
        if let Some(metadata) = ended.as_mut().and_then(|table| table.metadata.as_mut()) {
            metadata.insert("start_line".to_owned(), table.start_line.into());
        }
        self.parsed.add_table(ended);
    }
}

impl OpenTable {
    fn add(&mut self, cells: Vec<String>) {
        if !self.rows.has_room() {
            self.rows.skip();
            return;
        }
        let cells = cells.into_iter().chain(std::iter::repeat(String::new()));
        let row: Map<_, _> = self.columns.iter().cloned().zip(cells.map(Value::String)).collect();
        self.rows.add(row);
    }
}

/// `| a | b |` as its cells.
fn table_cells(line: &str) -> Option<Vec<String>> {
    let inner = line.trim().strip_prefix('|')?.strip_suffix('|')?;
    Some(inner.split('|').map(|cell| cell.trim().to_owned()).collect())
}

/// `---`, `:--:` and the like, below a header.
fn is_rule(cell: &str) -> bool {
    let dashes = cell.strip_prefix(':').unwrap_or(cell);
    let dashes = dashes.strip_suffix(':').unwrap_or(dashes);
    dashes.len() >= 3 && dashes.bytes().all(|byte| byte == b'-')
}

/// The name and number of a `name: value` or `name = value` line.
fn metric(line: &str) -> Option<(&str, Value)> {
    let line = line.trim();
    if !line.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') {
        return None;
    }
    for (at, separator) in line.match_indices([':', '=']) {
        let (name, value) = (line[..at].trim_end(), line[at + 1..].trim_start());
        if is_number(value) {
            return name.chars().all(is_name_char).then(|| (name, cells::from_text(value)));
        }
        if separator == "=" {
            // A name can hold a colon (`top: 5: 0.9`), but no equals sign.
            return None;
        }
    }
    None
}

fn is_name_char(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | ' ' | '.' | '/' | ':' | '-')
}

/// A plain decimal number: `-1`, `0.5`, `1e-4`. Words such as `nan`, and units, are none.
fn is_number(text: &str) -> bool {
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (unsigned, None),
    };
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let whole = match mantissa.split_once('.') {
        Some((whole, fraction)) => digits(whole) && digits(fraction),
        None => digits(mantissa),
    };
    whole && exponent.is_none_or(|text| digits(text.strip_prefix(['+', '-']).unwrap_or(text)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn results(text: &str) -> Vec<(String, Value, Option<i64>)> {
        let parsed = parse(text.as_bytes());
        parsed.results.into_iter().map(|r| (r.name.unwrap_or_default(), r.value, r.line)).collect()
    }

    #[test]
    fn lines_that_name_a_number_are_results() {
        let text = "epoch 3\naccuracy: 0.91\r\n  val/loss = 1e-4\nstep: 1: 7\nx = y = 3\nloss: nan\n\
                    time: 3 s\n12: 5\n_n=-2\n";
        let expected = [
            ("accuracy", json!(0.91), 2),
            ("val/loss", json!(1e-4), 3),
            ("step: 1", json!(7), 4),
            ("_n", json!(-2), 9),
        ];
        let expected = expected.map(|(name, value, line)| (name.to_owned(), value, Some(line)));
        assert_eq!(results(text), expected);
    }

    #[test]
    fn what_a_progress_bar_wrote_over_is_read_too() {
        assert_eq!(results("loss: 2\rloss: 1\n").len(), 2);
    }

    #[test]
    fn markdown_tables_are_tables() {
        let text = "# Report\n\n| model | acc |\n|---|:---:|\n| a | 0.5 |\n| b |\n\ntext\n\
                    | not | a table |\n| no | rule |\n";
        let parsed = parse(text.as_bytes());
        assert_eq!(parsed.tables.len(), 1);
        let table = &parsed.tables[0];
        assert_eq!(table.columns, ["model", "acc"]);
        assert_eq!(table.rows, [json!({"model": "a", "acc": 0.5}), json!({"model": "b", "acc": ""})]);
        assert_eq!(table.metadata.as_ref().map(|m| &m["start_line"]), Some(&json!(3)));
    }

    #[test]
    fn binary_files_hold_nothing() {
        let parsed = parse(&b"loss: 1\n\x00\x01"[..]);
        assert!(parsed.results.is_empty());
    }
}
