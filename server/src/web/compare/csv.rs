//! The comparison as CSV: a row for each thing, a column for each run.

use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};

use super::table;
use crate::domain::RunResult;
use crate::services::comparison::Compared;
use crate::web::{format, terminal};

/// The whole table, also what is the same everywhere.
pub(super) fn response(found: &Compared) -> Response {
    let mut response = text(found).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/csv; charset=utf-8"));
    headers.insert(header::CONTENT_DISPOSITION, HeaderValue::from_static("attachment; filename=\"comparison.csv\""));
    response
}

fn text(found: &Compared) -> String {
    let runs = found.columns.iter().map(|column| column.experiment().to_string());
    let mut csv = row(["section".to_owned(), "name".to_owned()].into_iter().chain(runs));
    for section in &found.sections {
        for one in &section.rows {
            let values = one.values.iter().map(|value| value.as_deref().map(terminal::clean).unwrap_or_default());
            csv.push_str(&row([table::title(section.kind).to_owned(), terminal::clean(&one.name)]
                .into_iter()
                .chain(values)));
        }
    }
    for one in &found.results {
        // Numbers in full, as programs read them.
        let value =
            |value: &RunResult| value.number.map_or_else(|| format::cell(&value.value), |number| number.to_string());
        let values = one.values.iter().map(|result| result.as_ref().map(value).unwrap_or_default());
        csv.push_str(&row(["Results".to_owned(), terminal::clean(&one.name)].into_iter().chain(values)));
    }
    csv
}

fn row(cells: impl Iterator<Item = String>) -> String {
    let cells: Vec<String> = cells.map(|cell| field(&cell)).collect();
    format!("{}\r\n", cells.join(","))
}

/// A field as RFC 4180 has it, and no formula.
fn field(text: &str) -> String {
    // A number is one, and no formula, also where it begins with a minus.
    let text = if text.parse::<f64>().is_ok() { text.to_owned() } else { format::no_formula(text) };
    if text.contains([',', '"', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_field_is_a_formula_and_numbers_stay_numbers() {
        assert_eq!(field("=HYPERLINK(\"http://evil\")"), "\"'=HYPERLINK(\"\"http://evil\"\")\"");
        for (text, expected) in [("-0.5", "-0.5"), ("--lr 1", "'--lr 1"), ("@a", "'@a"), ("+1e-4", "+1e-4"), ("a", "a")]
        {
            assert_eq!(field(text), expected);
        }
        assert_eq!(row(["a,b".to_owned(), "two\nlines".to_owned()].into_iter()), "\"a,b\",\"two\nlines\"\r\n");
    }
}
