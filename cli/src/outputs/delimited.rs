//! `.csv` and `.tsv`: one table, whose columns are in the first line.

use std::io::Read;

use csv::{ByteRecord, ReaderBuilder};
use serde_json::{Map, Value};

use crate::outputs::Parsed;
use crate::outputs::row_limit::Rows;

/// Reads lines of values with this byte between them.
pub fn parse(reader: impl Read, delimiter: u8, format: &str) -> Parsed {
    let mut reader = ReaderBuilder::new().delimiter(delimiter).flexible(true).from_reader(reader);
    let columns: Vec<_> = match reader.byte_headers() {
        Ok(headers) => headers.iter().map(text).collect(),
        Err(_) => return Parsed::default(),
    };
    let mut rows = Rows::with_columns(&columns);
    let mut record = ByteRecord::new();
    while let Ok(true) = reader.read_byte_record(&mut record) {
        if rows.has_room() {
            rows.add(row(&columns, &record));
        } else {
            rows.skip();
        }
    }
    let mut parsed = Parsed::default();
    parsed.add_table(rows.into_table(format, None));
    parsed
}

/// A short row lacks its last values; what goes beyond the columns has no name and is dropped.
fn row(columns: &[String], record: &ByteRecord) -> Map<String, Value> {
    let values = record.iter().map(|value| Value::String(text(value)));
    let values = values.chain(std::iter::repeat(Value::Null));
    columns.iter().cloned().zip(values).collect()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_table_is_read_with_its_quotes_and_gaps() {
        let text = "name,acc,ok\n\"a, \"\"b\"\"\",0.5,true\n\nshort\nlong,1,false,extra\n";
        let parsed = parse(text.as_bytes(), b',', "csv");
        let table = &parsed.tables[0];
        assert_eq!(table.columns, ["name", "acc", "ok"]);
        let expected = [
            json!({"name": "a, \"b\"", "acc": 0.5, "ok": true}),
            json!({"name": "short", "acc": null, "ok": null}),
            json!({"name": "long", "acc": 1, "ok": false}),
        ];
        assert_eq!(table.rows, expected);
        assert_eq!(table.metadata.as_ref().map(|m| &m["format"]), Some(&json!("csv")));
    }

    #[test]
    fn a_header_alone_is_an_empty_table_and_nothing_is_none() {
        let parsed = parse(&b"a\tb\n"[..], b'\t', "tsv");
        assert_eq!((parsed.tables[0].row_count, parsed.tables[0].column_count), (Some(0), Some(2)));
        assert!(parse(&b""[..], b',', "csv").tables.is_empty());
    }

    #[test]
    fn bytes_that_are_no_text_do_not_stop_it() {
        let parsed = parse(&b"a\n\xff\n"[..], b',', "csv");
        assert_eq!(parsed.tables[0].rows, [json!({"a": "\u{fffd}"})]);
    }
}
