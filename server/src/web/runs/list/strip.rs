//! The strip above the list: one result of the newest runs in the order of their start, and the best one so far.
//!
//! It is a part of the page that `static/strip.js` asks for once the list is there, and again while runs change: as long
//! as nothing did, the browser keeps what it has.

use std::fmt::Write as _;

use askama::Template;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use otrace_wire::{ExperimentId, Sha256Digest};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use time::OffsetDateTime;

use crate::app::AppState;
use crate::auth::{ProjectMember, ProjectReader};
use crate::domain::lineage::best_so_far;
use crate::domain::query;
use crate::domain::result::Direction;
use crate::domain::text::NAME_MAX_BYTES;
use crate::error::{AppError, Result};
use crate::extract::Query;
use crate::services;
use crate::services::runs::{StripRun, StripState};
use crate::web::format;
use crate::web::shell::project_url;
use crate::web::{page, terminal};

/// From the first start to now, in a drawing that is 460 wide and 60 high.
const LEFT: f64 = 4.0;
const RIGHT: f64 = 456.0;
const TOP: f64 = 6.0;
const BOTTOM: f64 = 42.0;
/// One of so many values may lie outside: a run that went wrong must not press the others into a line.
const OUTLIERS: usize = 10;
/// So many characters of what a run and a result are called.
const HEADING_CHARS: usize = 60;
const RESULT_CHARS: usize = 24;

/// `?q=tag:baseline&result=accuracy`
#[derive(Debug, Deserialize)]
pub struct Asked {
    #[serde(default)]
    q: String,
    #[serde(default)]
    result: String,
}

#[derive(Template)]
#[template(path = "runs/_strip.html")]
struct Strip {
    /// All of it in words.
    says: String,
    result: String,
    since: String,
    /// The best value so far, from the first run until now.
    best: String,
    dots: Vec<Dot>,
}

/// A run.
struct Dot {
    href: String,
    /// `exp042, Distil, 0.9803`
    says: String,
    class: &'static str,
    x: String,
    y: String,
    is_best: bool,
}

/// `GET /projects/{slug}/runs/strip`: nothing where there are fewer than two runs to draw.
pub async fn show(
    State(app): State<AppState>,
    ProjectReader { member, .. }: ProjectReader,
    Query(asked): Query<Asked>,
    request: HeaderMap,
) -> Result<Response> {
    let now = app.clock.now();
    let query = query::parse(&asked.q).map_err(|fault| AppError::invalid(fault.to_string()))?;
    let result = asked.result.as_str();
    if result.is_empty() || result.len() > NAME_MAX_BYTES || result.contains('\0') {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let state = services::runs::strip_state(&app, &member, result).await?;
    let tag = tag(&member, &asked, state, now)?;
    let mut response = if request.get(header::IF_NONE_MATCH) == Some(&tag) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        let runs = services::runs::strip(&app, &member, &query, result).await?;
        let drawn = draw(&project_url(&member.project), result, state.direction, &runs, now);
        drawn.map_or_else(|| StatusCode::NO_CONTENT.into_response(), |strip| page(&strip))
    };
    response.headers_mut().insert(header::ETAG, tag);
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    Ok(response)
}

/// What a drawing is known by: what it hangs on, whose it is, and the hour, as it ends now.
fn tag(member: &ProjectMember, asked: &Asked, state: StripState, now: OffsetDateTime) -> Result<HeaderValue> {
    let (version, hour) = (env!("CARGO_PKG_VERSION"), now.unix_timestamp() / 3600);
    let all = format!("{version} {hour} {:?} {:?} {asked:?} {state:?}", member.project.id, member.account.email);
    let digest = Sha256Digest::new(Sha256::digest(all.as_bytes()).into());
    Ok(HeaderValue::try_from(format!("\"{}\"", digest.hex())).map_err(anyhow::Error::new)?)
}

/// Draws runs that have a finite value, the first to start first; `None`: they are fewer than two.
fn draw(base: &str, result: &str, direction: Direction, runs: &[StripRun], now: OffsetDateTime) -> Option<Strip> {
    let [first, .., last] = runs else { return None };
    let lower_is_better = direction == Direction::Lower;
    let values: Vec<Option<f64>> = runs.iter().map(|run| Some(run.value)).collect();
    let so_far: Vec<f64> = best_so_far(&values, lower_is_better).into_iter().flatten().collect();
    let (begin, best) = (*so_far.first()?, *so_far.last()?);
    let span = (now.max(last.started_at) - first.started_at).as_seconds_f64().max(1.0);
    let across = |at: OffsetDateTime| LEFT + (RIGHT - LEFT) * ((at - first.started_at).as_seconds_f64() / span);
    let (low, high) = ends(runs, lower_is_better);
    let up = |value: f64| {
        // By halves, as the distance of two large numbers may be infinite.
        let from_low = |value: f64| value / 2.0 - low / 2.0;
        let share = if high > low { (from_low(value) / from_low(high)).clamp(0.0, 1.0) } else { 0.5 };
        BOTTOM - share * (BOTTOM - TOP)
    };
    let mut path = format!("M{:.1} {:.1}", across(first.started_at), up(begin));
    for (pair, run) in so_far.windows(2).zip(&runs[1..]) {
        if pair[0].total_cmp(&pair[1]).is_ne() {
            let _ = write!(path, "H{:.1}V{:.1}", across(run.started_at), up(pair[1]));
        }
    }
    let _ = write!(path, "H{RIGHT}");
    let winner = runs.iter().find(|run| run.value.total_cmp(&best).is_eq())?;
    let dot = |run: &StripRun| Dot {
        href: format!("{base}/runs/{}", ExperimentId::new(run.number)),
        says: format!("{}, {}, {}", ExperimentId::new(run.number), heading(run), format::number(run.value)),
        class: run.status.as_str(),
        x: format!("{:.1}", across(run.started_at)),
        y: format!("{:.1}", up(run.value)),
        is_best: run.number == winner.number,
    };
    let result = shortened(&terminal::clean(result), RESULT_CHARS);
    let since = format::date(first.started_at);
    let (begin, best) = (format::number(begin), format::number(best));
    let count = format::counted(runs.len().try_into().unwrap_or(i64::MAX), "run", "runs");
    let winner = ExperimentId::new(winner.number);
    Some(Strip {
        says: format!("{result} of {count} since {since}: the best went from {begin} to {best}, by {winner}"),
        dots: runs.iter().map(dot).collect(),
        best: path,
        result,
        since,
    })
}

/// The lowest and the highest value that have a place of their own: the best, and the worst but for outliers.
fn ends(runs: &[StripRun], lower_is_better: bool) -> (f64, f64) {
    let mut values: Vec<f64> = runs.iter().map(|run| run.value).collect();
    values.sort_by(f64::total_cmp);
    let outliers = values.len() / OUTLIERS;
    let inner = if lower_is_better { &values[..values.len() - outliers] } else { &values[outliers..] };
    (inner.first().copied().unwrap_or_default(), inner.last().copied().unwrap_or_default())
}

fn heading(run: &StripRun) -> String {
    let title = run.title.as_deref().filter(|title| !title.is_empty());
    let heading = terminal::clean(title.unwrap_or_else(|| run.intent.lines().next().unwrap_or_default()));
    shortened(&heading, HEADING_CHARS)
}

/// At most so many characters of a text.
fn shortened(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        text.to_owned()
    } else {
        format!("{}…", format::short(text, most - 1).trim_end())
    }
}

#[cfg(test)]
mod tests {
    use otrace_wire::RunStatus;
    use time::Duration;
    use time::macros::datetime;

    use super::*;

    const START: OffsetDateTime = datetime!(2026-06-01 12:00 UTC);

    fn runs(values: &[f64]) -> Vec<StripRun> {
        let run = |(number, value): (i32, &f64)| StripRun {
            number,
            title: None,
            intent: "Try <b>\nmore".to_owned(),
            status: RunStatus::Completed,
            started_at: START + Duration::hours((number - 1).into()),
            value: *value,
        };
        (1..).zip(values).map(run).collect()
    }

    fn drawn(values: &[f64], direction: Direction) -> Strip {
        let runs = runs(values);
        let hours = i64::try_from(values.len()).unwrap() - 1;
        draw("/p", "acc", direction, &runs, START + Duration::hours(hours)).unwrap()
    }

    #[test]
    fn the_line_follows_the_best_run_and_only_that_one_stands_out() {
        let strip = drawn(&[0.5, 0.25, 1.0, 1.0, 0.75], Direction::Higher);
        assert_eq!(strip.best, "M4.0 30.0H230.0V6.0H456");
        let best: Vec<&str> = strip.dots.iter().filter(|dot| dot.is_best).map(|dot| dot.says.as_str()).collect();
        assert_eq!(best, ["exp003, Try <b>, 1"]);
        assert_eq!((strip.dots[1].x.as_str(), strip.dots[1].y.as_str()), ("117.0", "42.0"));
        assert_eq!(strip.says, "acc of 5 runs since 1 Jun 2026: the best went from 0.5 to 1, by exp003");
    }

    #[test]
    fn what_is_lower_may_be_better_and_one_run_that_went_wrong_presses_nothing_flat() {
        let mut values = vec![3.0; 9];
        values[4] = 1.0;
        values.insert(2, 1e30);
        let strip = drawn(&values, Direction::Lower);
        assert!(strip.best.starts_with("M4.0 6.0H") && strip.best.ends_with("V42.0H456"), "{}", strip.best);
        assert_eq!(strip.dots[2].y, "6.0", "it stays in the drawing");
        assert!(strip.says.ends_with("from 3 to 1, by exp006"), "{}", strip.says);
    }

    #[test]
    fn values_as_far_apart_as_they_can_be_have_a_place() {
        assert_eq!(drawn(&[f64::MIN, f64::MAX], Direction::Higher).best, "M4.0 42.0H456.0V6.0H456");
    }

    #[test]
    fn fewer_than_two_runs_are_nothing_to_draw_and_runs_of_one_moment_are() {
        assert!(draw("/p", "acc", Direction::Higher, &runs(&[1.0]), START).is_none());
        let mut together = runs(&[1.0, 1.0]);
        together[1].started_at = START;
        let strip = draw("/p", "acc", Direction::Higher, &together, START).unwrap();
        assert_eq!((strip.best.as_str(), strip.dots[1].x.as_str()), ("M4.0 24.0H456", "4.0"));
    }
}
