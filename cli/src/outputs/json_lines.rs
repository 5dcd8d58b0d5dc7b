//! `.jsonl`: each line is a row of one table. Lines that are no JSON are passed over: a run that was
//! killed leaves half a line at the end.

use std::io::BufRead;

use serde_json::Value;

use crate::outputs::Parsed;
use crate::outputs::finite_json::FiniteJson;
use crate::outputs::row_limit::Rows;

/// Reads JSON lines.
pub fn parse(mut reader: impl BufRead) -> Parsed {
    let mut rows = Rows::default();
    let mut line = Vec::new();
    while matches!(reader.read_until(b'\n', &mut line), Ok(length) if length > 0) {
        if line.trim_ascii().is_empty() {
            // Nothing stands here.
        } else if !rows.has_room() {
            rows.skip();
        } else if let Ok(row) = serde_json::from_reader::<_, Value>(FiniteJson::new(line.as_slice())) {
            rows.add_json(row);
        }
        line.clear();
    }
    let mut parsed = Parsed::default();
    parsed.add_table(rows.into_table("jsonl", None));
    parsed
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_line_is_a_row() {
        let text = "{\"step\": 1, \"loss\": NaN}\n\n{\"step\": 2, \"loss\": 0.5}\r\n{\"step\": 3, \"lo";
        let parsed = parse(text.as_bytes());
        assert_eq!(parsed.tables.len(), 1);
        let expected = [json!({"step": 1, "loss": "NaN"}), json!({"step": 2, "loss": 0.5})];
        assert_eq!(parsed.tables[0].rows, expected);
    }

    #[test]
    fn no_row_is_no_table() {
        assert!(parse(&b"plain text\n"[..]).tables.is_empty());
    }
}
