//! The runs of a project as a tree, and the numbers that came of them along the way.

mod chart;
mod tree;

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use otrace_wire::ExperimentId;
use serde::Deserialize;
use url::form_urlencoded;

use super::shell::{Choice, Look, ProjectTab, Shell, project_url};
use super::{format, page, terminal, with_status};
use crate::app::AppState;
use crate::auth::{ProjectMember, ProjectReader};
use crate::domain::lineage::{self, Link};
use crate::domain::query;
use crate::error::Result;
use crate::extract;
use crate::services;
use crate::services::lineage::{Lineage, RUNS_MAX};
use chart::LineageChart;
use tree::{Rail, RowView};

#[derive(Template)]
#[template(path = "lineage/show.html")]
struct LineagePage {
    shell: Shell,
    base: String,
    project: String,
    filter: String,
    /// Why the filter could not be read.
    error: Option<String>,
    /// `3 of 48 runs match`
    matched: Option<String>,
    /// `The newest 2 000 of 5 120 runs.`
    cut: Option<String>,
    heights: Vec<Choice>,
    /// The active run, where one was chosen.
    active: Option<String>,
    is_branch_only: bool,
    all_url: String,
    branch_url: String,
    chart: Option<LineageChart>,
    rail: Rail,
    rows: Vec<RowView>,
    has_runs: bool,
}

/// `?active=exp042&q=status:failed&height=accuracy&show=branch`
#[derive(Clone, Deserialize)]
pub struct Asked {
    #[serde(default)]
    active: String,
    #[serde(default)]
    q: String,
    #[serde(default)]
    height: String,
    #[serde(default)]
    show: String,
}

impl Asked {
    /// The address that asks for the same, of all runs or of the active branch.
    fn url(&self, base: &str, show: &str) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        for (name, value) in
            [("active", self.active.as_str()), ("q", self.q.as_str()), ("height", self.height.as_str()), ("show", show)]
        {
            if !value.is_empty() {
                query.append_pair(name, value);
            }
        }
        match query.finish().as_str() {
            "" => format!("{base}/lineage"),
            query => format!("{base}/lineage?{query}"),
        }
    }
}

/// `GET /projects/{slug}/lineage`
pub async fn show(
    State(app): State<AppState>,
    look: Look,
    ProjectReader { member, .. }: ProjectReader,
    extract::Query(asked): extract::Query<Asked>,
) -> Result<Response> {
    let (query, error) = match query::parse(&asked.q) {
        Ok(query) => (query, None),
        Err(error) => (query::Query::default(), Some(error.to_string())),
    };
    let metric = Some(asked.height.as_str()).filter(|name| !name.is_empty() && !name.contains('\0'));
    let found = services::lineage::show(&app, &member, &query, metric).await?;
    let all = services::projects::run_count(&app, member.project.id).await?;
    let shell = Shell::of_project(&app, look, &member, ProjectTab::Lineage).await?;
    let template = LineagePage::new(shell, &member, &asked, &found, all, error);
    let is_wrong = template.error.is_some();
    Ok(if is_wrong { with_status(StatusCode::BAD_REQUEST, &template) } else { page(&template) })
}

impl LineagePage {
    fn new(
        shell: Shell,
        member: &ProjectMember,
        asked: &Asked,
        found: &Lineage,
        all: i64,
        error: Option<String>,
    ) -> Self {
        let base = project_url(&member.project);
        let links: Vec<Link> = found.runs.iter().map(|run| Link { number: run.number, parent: run.parent }).collect();
        let chosen = asked.active.parse::<ExperimentId>().ok().map(ExperimentId::number);
        // Without any that was chosen, the newest run is where the work is.
        let active = chosen.filter(|number| links.iter().any(|link| link.number == *number));
        let active = active.or_else(|| links.first().map(|link| link.number));
        let is_branch_only = asked.show == "branch";
        let placed = lineage::rows(&links, active);
        let placed: Vec<lineage::Row> = placed.into_iter().filter(|row| row.is_active || !is_branch_only).collect();
        let matched = found.matching.as_ref().map(|matching| {
            let shown = found.runs.len();
            format!("{} of {} match", number(matching.len()), format::counted(whole(shown), "run", "runs"))
        });
        Self {
            shell,
            project: terminal::clean(&member.project.name),
            filter: asked.q.clone(),
            error,
            matched,
            cut: (all > RUNS_MAX)
                .then(|| format!("These are the newest {} of {} runs.", format::count(RUNS_MAX), format::count(all))),
            heights: heights(found),
            active: chosen.map(|number| ExperimentId::new(number).to_string()),
            is_branch_only,
            all_url: asked.url(&base, ""),
            branch_url: asked.url(&base, "branch"),
            chart: chart::draw(found, &placed, &base),
            rail: Rail::of(&placed),
            rows: tree::rows(found, &placed, active, &base, asked),
            has_runs: !found.runs.is_empty(),
            base,
        }
    }
}

/// The results by which the chart can be drawn; also one that was asked for and no run has.
fn heights(found: &Lineage) -> Vec<Choice> {
    let chosen = found.metric.as_ref().map(|(name, _)| name);
    let asked = chosen.filter(|name| !found.metrics.contains(name));
    let choice =
        |name: &String| Choice { value: name.clone(), label: terminal::clean(name), is_chosen: Some(name) == chosen };
    asked.into_iter().chain(&found.metrics).map(choice).collect()
}

fn number(count: usize) -> String {
    format::count(whole(count))
}

fn whole(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
