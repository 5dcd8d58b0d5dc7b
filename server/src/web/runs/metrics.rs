//! The series of a run, a chart each. Drawn here, as SVG; `charts.js` draws them anew, so that one can zoom into them.

mod drawing;
pub mod points;

use std::collections::BTreeMap;

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use time::OffsetDateTime;
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
    groups: Vec<Group>,
    /// What the names of the shown series hold.
    filter: String,
    /// What the charts are drawn over, in the address.
    x: &'static str,
    axes: Vec<AxisLink>,
    smoothing: String,
    is_log: bool,
    /// Changes when charts come or go.
    charts_key: String,
    /// When the run began, in seconds since 1970.
    start: Option<f64>,
    /// `25 to 48 of 120 series`, where they do not fit on a page.
    shown: Option<String>,
    previous_url: Option<String>,
    next_url: Option<String>,
    has_series: bool,
    is_over: bool,
}

/// What charts are drawn over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum X {
    Step,
    /// The time of day.
    Clock,
    /// The time since the run began.
    Since,
}

impl X {
    const ALL: [Self; 3] = [Self::Step, Self::Clock, Self::Since];

    /// By its name in the address; whatever else it is, it is the step.
    fn named(name: &str) -> Self {
        Self::ALL.into_iter().find(|x| x.name() == name).unwrap_or(Self::Step)
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Step => "step",
            Self::Clock => "time",
            Self::Since => "relative",
        }
    }

    const fn label(self) -> &'static str {
        match self {
            Self::Step => "Step",
            Self::Clock => "Time",
            Self::Since => "Relative",
        }
    }

    const fn is_time(self) -> bool {
        !matches!(self, Self::Step)
    }
}

/// A way to draw the charts over something else.
struct AxisLink {
    href: String,
    name: &'static str,
    label: &'static str,
    is_current: bool,
}

/// Series whose names begin alike, up to a slash.
struct Group {
    /// Empty where names have no slash.
    name: String,
    charts: Vec<ChartView>,
}

/// A series, drawn.
struct ChartView {
    /// The name by which it is asked for.
    series: String,
    name: String,
    /// `lower is better`, where the name or the project says so.
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

/// `?q=val&x=time&page=2`; the script keeps the rest there: `&smoothing=0.6&log=1`.
#[derive(Deserialize)]
pub struct Choice {
    #[serde(default)]
    q: String,
    #[serde(default)]
    x: String,
    #[serde(default)]
    page: String,
    #[serde(default)]
    smoothing: String,
    #[serde(default)]
    log: String,
}

impl Choice {
    /// How much of the past a smoothed line remembers: from 0, which is nothing, to 0.99.
    fn smoothing(&self) -> f64 {
        self.smoothing.parse::<f64>().ok().filter(|part| part.is_finite()).unwrap_or_default().clamp(0.0, 0.99)
    }

    fn url(&self, base: &str, x: X, page: usize) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        if !self.q.is_empty() {
            query.append_pair("q", &self.q);
        }
        if x != X::Step {
            query.append_pair("x", x.name());
        }
        for (name, value) in [("smoothing", &self.smoothing), ("log", &self.log)] {
            if !value.is_empty() {
                query.append_pair(name, value);
            }
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
    let x = X::named(&choice.x);
    let start = view.full.run.started_at.map(|start| (start - OffsetDateTime::UNIX_EPOCH).as_seconds_f64());
    let shown = (pages > 1).then(|| {
        let (last, all) = (format::count(count(first + on_page.len())), format::count(count(names.len())));
        format!("{} to {last} of {all} series", format::count(count(first + 1)))
    });
    let beside = |number: usize| (1..=pages).contains(&number).then(|| choice.url(&head.base, x, number));
    let axis = |other: X| AxisLink {
        href: choice.url(&head.base, other, page_number),
        name: other.name(),
        label: other.label(),
        is_current: other == x,
    };
    let directions = services::projects::directions(&app, member.project.id).await?;
    let view_of = |chart| ChartView::new(chart, directions.of(&chart.series.name), x, start);
    let charts: Vec<ChartView> = charts.iter().map(view_of).collect();
    let drawn = charts.iter().filter(|chart| chart.is_drawn).count();
    Ok(page(&MetricsPage {
        charts_key: format!("{}/metrics {} {drawn}", head.base, all.len()),
        groups: grouped(charts),
        filter: choice.q.clone(),
        x: x.name(),
        axes: X::ALL.map(axis).into(),
        smoothing: choice.smoothing().to_string(),
        is_log: choice.log == "1",
        start,
        shown,
        previous_url: beside(page_number - 1),
        next_url: beside(page_number + 1),
        has_series: !all.is_empty(),
        is_over: view.full.run.status.is_final(),
        shell,
        head,
    }))
}

/// Charts by what their names begin with; those without a slash first.
fn grouped(charts: Vec<ChartView>) -> Vec<Group> {
    let mut groups = BTreeMap::<String, Vec<ChartView>>::new();
    for chart in charts {
        let name = chart.name.split_once('/').map_or("", |(group, _)| group).to_owned();
        groups.entry(name).or_default().push(chart);
    }
    groups.into_iter().map(|(name, charts)| Group { name, charts }).collect()
}

/// The names that hold a text, whatever its case.
fn matching(all: &[Series], text: &str) -> Vec<String> {
    let text = text.trim().to_lowercase();
    let names = all.iter().map(|series| &series.name);
    names.filter(|name| name.to_lowercase().contains(&text)).cloned().collect()
}

impl ChartView {
    fn new(chart: &Chart, direction: Direction, x: X, start: Option<f64>) -> Self {
        let stats = &chart.series.stats;
        let name = terminal::clean(&chart.series.name);
        let drawing = Drawing::new(&chart.samples, x, start);
        let last = format::number(stats.last_value.unwrap_or(f64::NAN));
        let facts = facts(stats);
        let over = if x.is_time() { "time" } else { "step" };
        Self {
            series: chart.series.name.clone(),
            better: match direction {
                Direction::Lower => Some("lower is better"),
                // That is what is guessed of all that nobody spoke of, learning rates and counters among them.
                Direction::Higher => None,
            },
            label: format!("{name} by {over}: {facts}, last {last}"),
            is_drawn: drawing.is_some(),
            drawing: drawing.unwrap_or_default(),
            left_out: left_out(chart, x),
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
fn left_out(chart: &Chart, x: X) -> Option<String> {
    let odd = match chart.series.stats.not_finite {
        0 => None,
        1 => Some("1 value is NaN or infinite, and a gap in the line.".to_owned()),
        many => Some(format!("{} values are NaN or infinite, and gaps in the line.", format::count(many))),
    };
    let timeless = x.is_time() && chart.samples.iter().any(|sample| sample.known_time().is_none());
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
        let view = ChartView::new(&chart(&[2.0, f64::NAN, 0.5, f64::INFINITY]), Direction::Lower, X::Step, None);
        assert_eq!(view.label, "val/loss by step: 4 points, lowest 0.5, highest 2, last Infinity");
        assert_eq!(view.left_out.unwrap(), "2 values are NaN or infinite, and gaps in the line.");
        assert_eq!(view.better, Some("lower is better"));
        assert!(view.is_drawn);
        assert_eq!(ChartView::new(&chart(&[1.0]), Direction::Higher, X::Step, None).left_out, None);
    }

    #[test]
    fn what_can_not_be_drawn_is_told() {
        let view = ChartView::new(&chart(&[f64::NAN]), Direction::Higher, X::Step, None);
        assert!(!view.is_drawn);
        assert_eq!((view.last.as_str(), view.facts.as_str()), ("NaN", "1 point"));
        let view = ChartView::new(&chart(&[1.0, 2.0]), Direction::Higher, X::Clock, None);
        assert!(!view.is_drawn);
        assert_eq!(view.left_out.unwrap(), "Points of which no time is known are left out.");
    }

    fn choice(fields: [&str; 5]) -> Choice {
        let [q, x, page, smoothing, log] = fields.map(str::to_owned);
        Choice { q, x, page, smoothing, log }
    }

    #[test]
    fn addresses_keep_what_was_chosen() {
        let chosen = choice(["a&b", "time", "3", "0.6", "1"]);
        let url = chosen.url("/runs/exp001", X::Clock, 1);
        assert_eq!(url, "/runs/exp001/metrics?q=a%26b&x=time&smoothing=0.6&log=1");
        let nothing = choice([""; 5]);
        assert_eq!(nothing.url("/runs/exp001", X::Step, 2), "/runs/exp001/metrics?page=2");
        assert_eq!(nothing.url("/runs/exp001", X::Step, 1), "/runs/exp001/metrics");
        assert_eq!(nothing.url("/runs/exp001", X::Since, 1), "/runs/exp001/metrics?x=relative");
    }

    #[test]
    fn smoothing_stays_within_reason() {
        let smoothing = |text: &str| choice(["", "", "", text, ""]).smoothing().to_string();
        assert_eq!(["", "0.6", "7", "-1", "NaN", "<b>"].map(smoothing), ["0", "0.6", "0.99", "0", "0", "0"]);
    }

    #[test]
    fn series_are_grouped_by_what_their_names_begin_with() {
        let named = |name: &str| {
            let mut chart = chart(&[1.0]);
            chart.series.name = name.to_owned();
            ChartView::new(&chart, Direction::Higher, X::Step, None)
        };
        let groups = grouped(["a", "train/loss", "val/acc", "val/loss", "z"].map(named).into());
        let told: Vec<(&str, usize)> = groups.iter().map(|group| (group.name.as_str(), group.charts.len())).collect();
        assert_eq!(told, [("", 2), ("train", 1), ("val", 2)]);
    }

    #[test]
    fn names_are_found_by_any_part_of_them() {
        let all = ["train/Loss", "val/acc"].map(|name| Series { name: name.to_owned(), stats: Stats::default() });
        assert_eq!(matching(&all, " loss "), ["train/Loss"]);
        assert_eq!(matching(&all, "").len(), 2);
    }
}
