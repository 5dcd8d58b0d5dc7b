//! The series of a run, a chart each.

mod drawing;

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use url::form_urlencoded;

use super::{RunHeader, RunTab, open};
use crate::app::AppState;
use crate::auth::ProjectReader;
use crate::domain::RunRef;
use crate::domain::result::Direction;
use crate::domain::series::{Series, Stats};
use crate::error::Result;
use crate::extract::{Path, Query};
use crate::services;
use crate::services::series::Chart;
use crate::web::format;
use crate::web::shell::{Look, Shell};
use crate::web::{page, terminal};
use drawing::Drawing;

/// So many charts a page has.
const CHARTS: usize = 24;
/// So many points a chart has, which is about as many as it is pixels wide.
const POINTS: usize = 500;

#[derive(Template)]
#[template(path = "runs/metrics.html")]
struct MetricsPage {
    shell: Shell,
    head: RunHeader,
    charts: Vec<ChartView>,
    /// What the names of the shown series hold.
    filter: String,
    by_time: bool,
    step_url: String,
    time_url: String,
    /// `25 to 48 of 120 series`, where they do not fit on a page.
    shown: Option<String>,
    previous_url: Option<String>,
    next_url: Option<String>,
    has_series: bool,
    is_over: bool,
}

/// A series, drawn.
struct ChartView {
    name: String,
    /// `lower is better`, where the name says so.
    better: Option<&'static str>,
    /// What a reader who does not see it is told.
    label: String,
    drawing: Drawing,
    is_drawn: bool,
    last: String,
    /// `2 000 points, lowest 0.31, highest 2.3`
    facts: String,
    /// What the line leaves out.
    left_out: Option<String>,
}

/// `?q=val&x=time&page=2`
#[derive(Deserialize)]
pub struct Choice {
    #[serde(default)]
    q: String,
    #[serde(default)]
    x: String,
    #[serde(default)]
    page: String,
}

impl Choice {
    fn by_time(&self) -> bool {
        self.x == "time"
    }

    fn url(&self, base: &str, by_time: bool, page: usize) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        if !self.q.is_empty() {
            query.append_pair("q", &self.q);
        }
        if by_time {
            query.append_pair("x", "time");
        }
        if page > 1 {
            query.append_pair("page", &page.to_string());
        }
        let query = query.finish();
        if query.is_empty() { format!("{base}/metrics") } else { format!("{base}/metrics?{query}") }
    }
}

/// `GET /projects/{slug}/runs/{run}/metrics`
pub async fn show(
    State(app): State<AppState>,
    look: Look,
    ProjectReader { member, .. }: ProjectReader,
    Path((_slug, run)): Path<(String, String)>,
    Query(choice): Query<Choice>,
) -> Result<Response> {
    let (shell, head, view) = open(&app, look, &member, &run, RunTab::Metrics).await?;
    let (project_id, run) = (member.project.id, RunRef::Id(view.full.run.id));
    let all = services::series::list(&app, project_id, run).await?;
    let names = matching(&all, &choice.q);
    let pages = names.len().div_ceil(CHARTS).max(1);
    let page_number = choice.page.parse::<usize>().unwrap_or(1).clamp(1, pages);
    let first = (page_number - 1) * CHARTS;
    let on_page: Vec<String> = names.iter().skip(first).take(CHARTS).cloned().collect();
    let charts = services::series::charts(&app, project_id, run, &on_page, POINTS).await?;
    let by_time = choice.by_time();
    let shown = (pages > 1).then(|| {
        let (last, all) = (format::count(count(first + on_page.len())), format::count(count(names.len())));
        format!("{} to {last} of {all} series", format::count(count(first + 1)))
    });
    let beside = |number: usize| (1..=pages).contains(&number).then(|| choice.url(&head.base, by_time, number));
    Ok(page(&MetricsPage {
        charts: charts.iter().map(|chart| ChartView::new(chart, by_time)).collect(),
        filter: choice.q.clone(),
        by_time,
        step_url: choice.url(&head.base, false, page_number),
        time_url: choice.url(&head.base, true, page_number),
        shown,
        previous_url: beside(page_number - 1),
        next_url: beside(page_number + 1),
        has_series: !all.is_empty(),
        is_over: view.full.run.status.is_final(),
        shell,
        head,
    }))
}

/// The names that hold a text, whatever its case.
fn matching(all: &[Series], text: &str) -> Vec<String> {
    let text = text.trim().to_lowercase();
    let names = all.iter().map(|series| &series.name);
    names.filter(|name| name.to_lowercase().contains(&text)).cloned().collect()
}

impl ChartView {
    fn new(chart: &Chart, by_time: bool) -> Self {
        let stats = &chart.series.stats;
        let name = terminal::clean(&chart.series.name);
        let drawing = Drawing::new(&chart.samples, by_time);
        let last = format::number(stats.last_value.unwrap_or(f64::NAN));
        let facts = facts(stats);
        let over = if by_time { "time" } else { "step" };
        Self {
            better: match Direction::of(&chart.series.name) {
                Direction::Lower => Some("lower is better"),
                // That is what is guessed of all others, learning rates and counters among them.
                Direction::Higher => None,
            },
            label: format!("{name} by {over}: {facts}, last {last}"),
            is_drawn: drawing.is_some(),
            drawing: drawing.unwrap_or_default(),
            left_out: left_out(chart, by_time),
            name,
            last,
            facts,
        }
    }
}

fn facts(stats: &Stats) -> String {
    let points = format::counted(stats.count, "point", "points");
    match (stats.lowest, stats.highest) {
        (Some(lowest), Some(highest)) => {
            format!("{points}, lowest {}, highest {}", format::number(lowest), format::number(highest))
        }
        _ => points,
    }
}

/// What the line leaves out, in words.
fn left_out(chart: &Chart, by_time: bool) -> Option<String> {
    let odd = match chart.series.stats.not_finite {
        0 => None,
        1 => Some("1 value is NaN or infinite, and a gap in the line.".to_owned()),
        many => Some(format!("{} values are NaN or infinite, and gaps in the line.", format::count(many))),
    };
    let timeless = by_time && chart.samples.iter().any(|sample| sample.known_time().is_none());
    let timeless = timeless.then(|| "Points of which no time is known are left out.".to_owned());
    let sentences: Vec<String> = [odd, timeless].into_iter().flatten().collect();
    (!sentences.is_empty()).then(|| sentences.join(" "))
}

fn count(things: usize) -> i64 {
    i64::try_from(things).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::series::Sample;

    fn chart(values: &[f64]) -> Chart {
        let mut series = Series { name: "val/loss".to_owned(), stats: Stats::default() };
        let sample = |(step, value): (i64, &f64)| Sample { step, time: f64::NAN, value: *value };
        let samples: Vec<Sample> = (0_i64..).zip(values).map(sample).collect();
        for sample in &samples {
            series.stats.add(sample);
        }
        Chart { series, samples }
    }

    #[test]
    fn a_chart_says_in_words_what_it_shows() {
        let view = ChartView::new(&chart(&[2.0, f64::NAN, 0.5, f64::INFINITY]), false);
        assert_eq!(view.label, "val/loss by step: 4 points, lowest 0.5, highest 2, last Infinity");
        assert_eq!(view.left_out.unwrap(), "2 values are NaN or infinite, and gaps in the line.");
        assert_eq!(view.better, Some("lower is better"));
        assert!(view.is_drawn);
        assert_eq!(ChartView::new(&chart(&[1.0]), false).left_out, None);
    }

    #[test]
    fn what_can_not_be_drawn_is_told() {
        let view = ChartView::new(&chart(&[f64::NAN]), false);
        assert!(!view.is_drawn);
        assert_eq!((view.last.as_str(), view.facts.as_str()), ("NaN", "1 point"));
        let view = ChartView::new(&chart(&[1.0, 2.0]), true);
        assert!(!view.is_drawn);
        assert_eq!(view.left_out.unwrap(), "Points of which no time is known are left out.");
    }

    #[test]
    fn addresses_keep_what_was_chosen() {
        let choice = Choice { q: "a&b".to_owned(), x: "time".to_owned(), page: "3".to_owned() };
        assert_eq!(choice.url("/runs/exp001", true, 1), "/runs/exp001/metrics?q=a%26b&x=time");
        let choice = Choice { q: String::new(), x: String::new(), page: String::new() };
        assert_eq!(choice.url("/runs/exp001", false, 2), "/runs/exp001/metrics?page=2");
        assert_eq!(choice.url("/runs/exp001", false, 1), "/runs/exp001/metrics");
    }

    #[test]
    fn names_are_found_by_any_part_of_them() {
        let all = ["train/Loss", "val/acc"].map(|name| Series { name: name.to_owned(), stats: Stats::default() });
        assert_eq!(matching(&all, " loss "), ["train/Loss"]);
        assert_eq!(matching(&all, "").len(), 2);
    }
}
