//! Series: points in, and out again as a list, for a chart, or whole as CSV.

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use futures_util::{StreamExt, stream};
use otrace_wire::series::{AddSeries, Number, SeriesAdded, SeriesSummary};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::answer::Answer;
use super::json::CleanJson;
use super::runs::run_ref;
use crate::app::AppState;
use crate::auth::{ProjectKey, RunWriter};
use crate::domain::series::{Sample, Series};
use crate::error::{AppError, Result};
use crate::extract::{Path, Query};
use crate::services;

/// So many points a chart gets where it does not say how many.
const POINTS: usize = 1_000;
/// And so many at most.
const POINTS_MAX: usize = 10_000;

/// `POST /v1/runs/{run}/series`.
pub async fn add(
    State(app): State<AppState>,
    writer: RunWriter,
    Path(run): Path<String>,
    CleanJson(input): CleanJson<AddSeries>,
) -> Result<Answer<SeriesAdded>> {
    let next = services::series::add(&app, writer.project_id, run_ref(&run)?, &input.batches).await?;
    Ok(Answer(SeriesAdded { next }))
}

/// `{"series": […]}`.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ListAnswer {
    series: Vec<SeriesSummary>,
}

/// `GET /v1/runs/{run}/series`.
pub async fn list(State(app): State<AppState>, key: ProjectKey, Path(run): Path<String>) -> Result<Answer<ListAnswer>> {
    let all = services::series::list(&app, key.project.id, run_ref(&run)?).await?;
    Ok(Answer(ListAnswer { series: all.into_iter().map(summary).collect() }))
}

/// `?points=1000&x=step`, or `?format=csv` for all of it.
#[derive(Debug, Deserialize)]
pub struct How {
    points: Option<String>,
    x: Option<String>,
    format: Option<String>,
}

/// One series with some of its points.
#[derive(Debug, Serialize, JsonSchema)]
pub struct PointsAnswer {
    series: SeriesSummary,
    x: &'static str,
    points: Vec<(X, Number)>,
}

/// Where a point stands.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(untagged)]
#[schemars(inline)]
enum X {
    Step(i64),
    Time(f64),
}

/// `GET /v1/runs/{run}/series/{*name}`.
pub async fn show(
    State(app): State<AppState>,
    key: ProjectKey,
    Path((run, name)): Path<(String, String)>,
    Query(how): Query<How>,
) -> Result<Response> {
    // No series has a name with a NUL, and the database could not be asked for one.
    if name.contains('\0') {
        return Err(AppError::NotFound("Series"));
    }
    let (project_id, run) = (key.project.id, run_ref(&run)?);
    match how.format.as_deref() {
        Some("csv") => {
            let points = services::series::whole(&app, project_id, run, name).await?;
            let header = stream::iter([Ok(Bytes::from_static(b"step,time,value\n"))]);
            let body = Body::from_stream(header.chain(points.map(|points| points.map(|points| csv(&points)))));
            return Ok(([(CONTENT_TYPE, "text/csv; charset=utf-8")], body).into_response());
        }
        None | Some("json") => {}
        Some(_) => return Err(AppError::invalid("format is json or csv.")),
    }
    let by_time = match how.x.as_deref() {
        None | Some("step") => false,
        Some("time") => true,
        Some(_) => return Err(AppError::invalid("x is step or time.")),
    };
    let found = services::series::chart(&app, project_id, run, &name, most(how.points.as_deref())?).await?;
    let point = |sample: &Sample| {
        let x = if by_time { sample.known_time().map(X::Time) } else { Some(X::Step(sample.step)) };
        x.map(|x| (x, Number(sample.value)))
    };
    let points = found.samples.iter().filter_map(point).collect();
    let x = if by_time { "time" } else { "step" };
    Ok(Answer(PointsAnswer { series: summary(found.series), x, points }).into_response())
}

fn most(points: Option<&str>) -> Result<usize> {
    let most = points.map_or(Ok(POINTS), str::parse);
    most.ok()
        .filter(|most| (10..=POINTS_MAX).contains(most))
        .ok_or_else(|| AppError::invalid("points is a number from 10 to 10000; format=csv gives all of them."))
}

fn summary(series: Series) -> SeriesSummary {
    let stats = series.stats;
    SeriesSummary {
        name: series.name,
        count: stats.count.cast_unsigned(),
        not_finite: stats.not_finite.cast_unsigned(),
        last_step: stats.last_step.unwrap_or_default(),
        last_time: stats.last_time,
        last: Number(stats.last_value.unwrap_or(f64::NAN)),
        min: stats.lowest,
        max: stats.highest,
    }
}

/// A line for each point. What is not known is left empty.
fn csv(points: &[Sample]) -> Bytes {
    use std::fmt::Write as _;
    let mut lines = String::with_capacity(points.len() * 40);
    for point in points {
        let _ = write!(lines, "{},", point.step);
        if let Some(time) = point.known_time() {
            let _ = write!(lines, "{time}");
        }
        let _ = match point.value {
            f64::INFINITY => writeln!(lines, ",Infinity"),
            f64::NEG_INFINITY => writeln!(lines, ",-Infinity"),
            value => writeln!(lines, ",{value:?}"),
        };
    }
    lines.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn csv_has_every_value_as_it_is() {
        let line = |step, time, value| String::from_utf8(csv(&[Sample { step, time, value }]).to_vec()).unwrap();
        assert_eq!(line(3, 1_780_000_000.25, 0.1 + 0.2), "3,1780000000.25,0.30000000000000004\n");
        assert_eq!(line(-1, f64::NAN, f64::NAN), "-1,,NaN\n");
        assert_eq!(line(i64::MAX, f64::NAN, f64::NEG_INFINITY), "9223372036854775807,,-Infinity\n");
        assert_eq!(line(0, 0.0, -0.0), "0,0,-0.0\n");
        assert_eq!(line(0, f64::INFINITY, 1e300), "0,,1e300\n");
    }

    #[test]
    fn how_many_points_is_asked_for_within_reason() {
        assert_eq!(most(None).ok(), Some(1_000));
        assert_eq!(most(Some("10")).ok(), Some(10));
        for wrong in ["", "9", "10001", "-1", "1e3", "many"] {
            assert!(most(Some(wrong)).is_err(), "{wrong}");
        }
    }
}
