//! What a list shows, as a file: all its pages, written as they are read.

use axum::body::Body;
use axum::extract::State;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use serde_json::{Map, Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::View;
use super::address::{CURVE, config_column};
use crate::app::AppState;
use crate::auth::{ProjectMember, ProjectReader};
use crate::domain::query;
use crate::error::{AppError, Result};
use crate::extract::Query;
use crate::services;
use crate::services::runs::{ListedRuns, ResultColumn, RunRow, RunsPageRequest, Window};
use crate::web::format::no_formula;

/// So many runs are in memory at once.
const CHUNK: u16 = 200;
/// What every run has before the columns that are chosen, and what stands behind them.
const FIRST: [&str; 4] = ["experiment", "status", "title", "intent"];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Format {
    Csv,
    Json,
}

/// A file on its way.
struct Export {
    app: AppState,
    member: ProjectMember,
    request: RunsPageRequest,
    /// The columns that are no results.
    record_columns: Vec<&'static str>,
    format: Format,
    /// What was read and not written yet: the first page, so that a failure still has its status.
    read: Option<ListedRuns>,
    is_first: bool,
    has_ended: bool,
}

/// `GET /projects/{slug}/runs.csv`
pub async fn as_csv(
    State(app): State<AppState>,
    ProjectReader { member, .. }: ProjectReader,
    Query(parameters): Query<Vec<(String, String)>>,
) -> Result<Response> {
    export(app, member, &parameters, Format::Csv).await
}

/// `GET /projects/{slug}/runs.json`
pub async fn as_json(
    State(app): State<AppState>,
    ProjectReader { member, .. }: ProjectReader,
    Query(parameters): Query<Vec<(String, String)>>,
) -> Result<Response> {
    export(app, member, &parameters, Format::Json).await
}

async fn export(
    app: AppState,
    member: ProjectMember,
    parameters: &[(String, String)],
    format: Format,
) -> Result<Response> {
    let usual = services::projects::list_columns(&app, member.project.id).await?;
    let view = View { usual, ..View::read(parameters) };
    let query = query::parse(&view.q).map_err(|error| AppError::invalid(error.to_string()))?;
    let columns = view.results();
    // A file has no pictures.
    let record_columns = view.record_columns().into_iter().filter(|column| *column != CURVE).collect();
    let parameters = view.configs();
    let mut request = RunsPageRequest { query, sort: view.sort, from: Window::Start, columns, parameters };
    let first = services::runs::page(&app, &member, &request, CHUNK).await?;
    // The results that most of the first runs have are the columns of all.
    request.columns = Some(first.columns.iter().map(|column| column.name.clone()).collect());

    let (content_type, ending) = match format {
        Format::Csv => ("text/csv; charset=utf-8", "csv"),
        Format::Json => ("application/json", "json"),
    };
    let disposition = format!("attachment; filename=\"{}-runs.{ending}\"", member.project.slug);
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CONTENT_DISPOSITION, HeaderValue::try_from(disposition).map_err(anyhow::Error::new)?);
    let read = Some(first);
    let begun = Export { app, member, request, record_columns, format, read, is_first: true, has_ended: false };
    Ok((headers, Body::from_stream(stream::try_unfold(begun, next_part))).into_response())
}

/// The next part of a file, and what is left of it.
async fn next_part(mut export: Export) -> Result<Option<(String, Export)>> {
    if export.has_ended {
        return Ok(None);
    }
    let page = match export.read.take() {
        Some(page) => page,
        None => services::runs::page(&export.app, &export.member, &export.request, CHUNK).await?,
    };
    let text = match export.format {
        Format::Csv => csv_part(&export, &page),
        Format::Json => json_part(&export, &page),
    };
    export.is_first = false;
    match page.older {
        Some(place) => export.request.from = Window::After(place),
        None => export.has_ended = true,
    }
    Ok(Some((text, export)))
}

fn csv_part(export: &Export, page: &ListedRuns) -> String {
    let mut text = String::new();
    if export.is_first {
        let results = page.columns.iter().map(|column| no_formula(&column.name));
        let configs = export.request.parameters.iter().map(|name| no_formula(&config_column(name)));
        let first = FIRST.into_iter().map(str::to_owned).chain(results).chain(configs);
        line(&mut text, first.chain(export.record_columns.iter().map(|name| (*name).to_owned())));
    }
    for row in &page.rows {
        let title = row.run.title.as_deref().unwrap_or_default();
        let (experiment, status) = (row.run.experiment_id().to_string(), row.run.status.as_str().to_owned());
        let first = [experiment, status, no_formula(title), no_formula(&row.run.intent)];
        let results = row.values.iter().map(|value| match value {
            None => String::new(),
            // A number is one, and no formula, also where it begins with a minus.
            Some(value) if value.value.is_number() => value.value.to_string(),
            Some(value) => no_formula(value.value.as_str().unwrap_or(&value.value.to_string())),
        });
        let configs = export.request.parameters.iter().map(|name| match row.parameters.get(name) {
            None => String::new(),
            Some(parameter) if parameter.number.is_some() => parameter.value.clone(),
            Some(parameter) => no_formula(&parameter.value),
        });
        let record = export.record_columns.iter().map(|name| match recorded(row, name) {
            Value::Null => String::new(),
            Value::String(text) => no_formula(&text),
            Value::Array(tags) => no_formula(&tags.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", ")),
            other => other.to_string(),
        });
        line(&mut text, first.into_iter().chain(results).chain(configs).chain(record));
    }
    text
}

/// Writes a line as RFC 4180 has it.
fn line(text: &mut String, cells: impl Iterator<Item = String>) {
    for (position, cell) in cells.enumerate() {
        if position > 0 {
            text.push(',');
        }
        if cell.contains(['"', ',', '\r', '\n']) {
            text.push('"');
            text.push_str(&cell.replace('"', "\"\""));
            text.push('"');
        } else {
            text.push_str(&cell);
        }
    }
    text.push_str("\r\n");
}

fn json_part(export: &Export, page: &ListedRuns) -> String {
    let mut text = String::from(if export.is_first { "[" } else { "" });
    for (position, row) in page.rows.iter().enumerate() {
        text.push_str(if position == 0 && export.is_first { "\n" } else { ",\n" });
        text.push_str(&object(row, &page.columns, export).to_string());
    }
    if page.older.is_none() {
        text.push_str("\n]\n");
    }
    text
}

fn object(row: &RunRow, columns: &[ResultColumn], export: &Export) -> Value {
    let run = &row.run;
    let mut object = Map::new();
    let first =
        [json!(run.experiment_id().to_string()), json!(run.status.as_str()), json!(run.title), json!(run.intent)];
    object.extend(FIRST.into_iter().map(str::to_owned).zip(first));
    let values = row.values.iter().map(|value| value.as_ref().map_or(Value::Null, |value| value.value.clone()));
    let metrics: Map<String, Value> = columns.iter().map(|column| column.name.clone()).zip(values).collect();
    object.insert("metrics".to_owned(), Value::Object(metrics));
    let configs = &export.request.parameters;
    if !configs.is_empty() {
        let config: Map<String, Value> = configs.iter().map(|name| (name.clone(), configured(row, name))).collect();
        object.insert("config".to_owned(), Value::Object(config));
    }
    object.extend(export.record_columns.iter().map(|name| ((*name).to_owned(), recorded(row, name))));
    Value::Object(object)
}

/// What a run has of this name in its configs: a number or a truth value as one, all else as text.
fn configured(row: &RunRow, name: &str) -> Value {
    let Some(parameter) = row.parameters.get(name) else { return Value::Null };
    let value = serde_json::from_str::<Value>(&parameter.value).ok();
    let value = value.filter(|value| value.is_number() || value.is_boolean());
    value.unwrap_or_else(|| Value::String(parameter.value.clone()))
}

/// What a run has in a column that is no result.
fn recorded(row: &RunRow, column: &str) -> Value {
    match column {
        "tags" => json!(row.run.tags),
        "author" => json!(row.run.author),
        "commit" => json!(row.git_commit),
        "duration" => json!(row.run.duration_seconds),
        "created" => json!(rfc3339(row.run.created_at)),
        _ => Value::Null,
    }
}

fn rfc3339(time: OffsetDateTime) -> String {
    time.format(&Rfc3339).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cell_ends_its_line() {
        let mut text = String::new();
        line(&mut text, ["a", "b, \"c\"", "d\ne", ""].into_iter().map(str::to_owned));
        assert_eq!(text, "a,\"b, \"\"c\"\"\",\"d\ne\",\r\n");
    }
}
