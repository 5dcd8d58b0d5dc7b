//! The tables that were read from a run's outputs.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use serde_json::Value;

use super::{RunHeader, RunTab, open};
use crate::app::AppState;
use crate::auth::ProjectReader;
use crate::domain::Table;
use crate::error::Result;
use crate::extract::Path;
use crate::web::format;
use crate::web::shell::{Look, Shell};
use crate::web::{page, terminal};

/// What stands where a row has nothing in a column.
static NOTHING: Value = Value::Null;

#[derive(Template)]
#[template(path = "runs/tables.html")]
struct TablesPage {
    shell: Shell,
    head: RunHeader,
    tables: Vec<TableView>,
    is_over: bool,
}

/// A table with its first rows.
struct TableView {
    anchor: String,
    title: String,
    source: Option<String>,
    shown: String,
    columns: Vec<Column>,
    rows: Vec<Vec<Cell>>,
}

/// The head of a column.
struct Column {
    name: String,
    is_number: bool,
}

/// A value in a row.
struct Cell {
    text: String,
    is_number: bool,
}

/// `GET /projects/{slug}/runs/{run}/tables`
pub async fn show(
    State(app): State<AppState>,
    look: Look,
    ProjectReader { member, .. }: ProjectReader,
    Path((_slug, run)): Path<(String, String)>,
) -> Result<Response> {
    let (shell, head, view) = open(&app, look, &member, &run, RunTab::Tables).await?;
    let tables = view.full.tables.iter().map(TableView::new).collect();
    Ok(page(&TablesPage { shell, head, tables, is_over: view.full.run.status.is_final() }))
}

impl TableView {
    fn new(table: &Table) -> Self {
        let source = table.source_path.as_deref().map(terminal::clean);
        let title = table.title.as_deref().map(terminal::clean).filter(|title| !title.is_empty());
        let shown = i64::try_from(table.first_rows.len()).unwrap_or_default();
        let rows = format::counted(table.row_count, "row", "rows");
        let column = |name: &String| Column { name: terminal::clean(name), is_number: is_number(table, name) };
        let columns: Vec<Column> = table.columns.iter().map(column).collect();
        let cells = |row: &Value| -> Vec<Cell> {
            let values = table.columns.iter().map(|name| row.get(name).unwrap_or(&NOTHING));
            let pairs = values.zip(&columns);
            pairs.map(|(value, column)| Cell { text: format::cell(value), is_number: column.is_number }).collect()
        };
        Self {
            anchor: format!("table-{}", table.position),
            rows: table.first_rows.iter().map(cells).collect(),
            source: source.clone().filter(|source| title.as_ref().is_some_and(|title| title != source)),
            title: title.or(source).unwrap_or_else(|| format!("Table {}", table.position + 1)),
            shown: if shown < table.row_count { format!("first {} of {rows}", format::count(shown)) } else { rows },
            columns,
        }
    }
}

/// Whether a column holds numbers, and nothing else that is anything.
fn is_number(table: &Table, name: &str) -> bool {
    let mut values =
        table.first_rows.iter().filter_map(|row| row.get(name)).filter(|value| !value.is_null()).peekable();
    values.peek().is_some() && values.all(Value::is_number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Map, json};

    #[test]
    fn a_table_shows_its_rows_in_the_order_of_its_columns() {
        let table = Table {
            position: 0,
            source_path: Some("outputs/per_class.csv".to_owned()),
            table_index: Some(1),
            title: None,
            columns: vec!["word".to_owned(), "f1".to_owned()],
            row_count: 312,
            column_count: 2,
            metadata: Map::new(),
            first_rows: vec![json!({"f1": 0.991, "word": "yes"}), json!({"word": "no"})],
            sha256: None,
        };
        let view = TableView::new(&table);
        assert_eq!(view.title, "outputs/per_class.csv");
        assert_eq!(view.source, None);
        assert_eq!(view.shown, "first 2 of 312 rows");
        let cells: Vec<_> = view.rows.iter().flatten().map(|cell| cell.text.as_str()).collect();
        assert_eq!(cells, ["yes", "0.991", "no", ""]);
        assert!(!view.columns[0].is_number && view.columns[1].is_number);
    }
}
