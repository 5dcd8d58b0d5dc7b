//! The points of one series as JSON, for the page's script: as many as a chart is wide, of all of it or of the part
//! that one has zoomed into.

use axum::Json;
use axum::extract::State;
use otrace_wire::series::Number;
use serde::{Deserialize, Serialize};

use super::{POINTS, X, facts, left_out};
use crate::app::AppState;
use crate::auth::ProjectReader;
use crate::domain::series::Sample;
use crate::error::{AppError, Result};
use crate::extract::{Path, Query};
use crate::services;
use crate::services::series::part::Span;
use crate::web::format;
use crate::web::runs::run_ref;

/// Fewer points than this make no line.
const POINTS_MIN: usize = 10;
/// No screen is wider than this many points.
const POINTS_MAX: usize = 4_000;

/// `?name=val/loss&x=time&from=1780000000&to=1780003600&points=1000`. What can't be read is not asked for.
#[derive(Deserialize)]
pub struct Wanted {
    #[serde(default)]
    name: String,
    #[serde(default)]
    x: String,
    #[serde(default)]
    from: String,
    #[serde(default)]
    to: String,
    #[serde(default)]
    points: String,
}

/// What the script draws, and what stands beside it.
#[derive(Serialize)]
pub struct Points {
    /// Where each point stands: steps, or seconds since 1970.
    x: Vec<f64>,
    /// The value of each; none where it is NaN or infinite.
    y: Vec<Option<f64>>,
    /// Where values are that are no numbers, and what they are.
    odd: Vec<(usize, Number)>,
    /// The value of the last point, in words.
    last: String,
    /// What is known of all points, in words.
    facts: String,
    /// What the line leaves out, in words.
    left_out: Option<String>,
}

/// `GET /projects/{slug}/runs/{run}/metrics/points`
pub async fn show(
    State(app): State<AppState>,
    ProjectReader { member, .. }: ProjectReader,
    Path((_slug, run)): Path<(String, String)>,
    Query(wanted): Query<Wanted>,
) -> Result<Json<Points>> {
    // No series has such a name, and the database could not be asked for one.
    if wanted.name.is_empty() || wanted.name.contains('\0') {
        return Err(AppError::NotFound("Series"));
    }
    let (project_id, run) = (member.project.id, run_ref(&run)?);
    let (x, most) = (X::named(&wanted.x), wanted.most());
    let chart = match wanted.span(x) {
        Some(span) => services::series::part::part(&app, project_id, run, &wanted.name, span, most).await?,
        None => services::series::chart(&app, project_id, run, &wanted.name, most).await?,
    };
    let placed: Vec<(f64, f64)> =
        chart.samples.iter().filter_map(|sample| Some((place(sample, x)?, sample.value))).collect();
    Ok(Json(Points {
        x: placed.iter().map(|(x, _)| *x).collect(),
        y: placed.iter().map(|(_, value)| Some(*value).filter(|value| value.is_finite())).collect(),
        odd: placed
            .iter()
            .enumerate()
            .filter(|(_, (_, value))| !value.is_finite())
            .map(|(index, (_, value))| (index, Number(*value)))
            .collect(),
        last: format::number(chart.series.stats.last_value.unwrap_or(f64::NAN)),
        facts: facts(&chart.series.stats),
        left_out: left_out(&chart, x),
    }))
}

impl Wanted {
    fn most(&self) -> usize {
        self.points.parse().unwrap_or(POINTS).clamp(POINTS_MIN, POINTS_MAX)
    }

    /// The part that is asked for; `None`: all of it.
    fn span(&self, x: X) -> Option<Span> {
        let number = |text: &str| text.parse::<f64>().ok().filter(|number| number.is_finite());
        let (from, to) = (number(&self.from), number(&self.to));
        if from.is_none() && to.is_none() {
            return None;
        }
        let (from, to) = (from.unwrap_or(f64::NEG_INFINITY), to.unwrap_or(f64::INFINITY));
        Some(Span { by_time: x.is_time(), from, to })
    }
}

#[expect(clippy::cast_precision_loss, reason = "the script's numbers are no finer")]
fn place(sample: &Sample, x: X) -> Option<f64> {
    if x.is_time() { sample.known_time() } else { Some(sample.step as f64) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(from: &str, to: &str, points: &str) -> Wanted {
        let [name, x, from, to, points] = ["loss", "time", from, to, points].map(str::to_owned);
        Wanted { name, x, from, to, points }
    }

    #[test]
    fn a_part_may_have_one_end_and_what_is_no_number_is_not_asked_for() {
        let span = |from: &str, to: &str| wanted(from, to, "").span(X::Clock).map(|span| (span.from, span.to));
        assert_eq!(span("1.5", "9"), Some((1.5, 9.0)));
        assert_eq!(span("7", ""), Some((7.0, f64::INFINITY)));
        assert_eq!(span("", ""), None);
        assert_eq!(span("NaN", "inf"), None);
    }

    #[test]
    fn how_many_points_stays_within_reason() {
        let most = |points: &str| wanted("", "", points).most();
        assert_eq!((most("1200"), most("1"), most("99999999"), most("x")), (1_200, 10, 4_000, POINTS));
    }
}
