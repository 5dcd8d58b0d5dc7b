//! What was learned in a project: every note with `#insight`, the newest first, with its run.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use otrace_history::notebook::without_tag;
use otrace_wire::ExperimentId;
use serde::Deserialize;
use time::OffsetDateTime;
use uuid::Uuid;

use super::format::{self, Moment};
use super::people::Person;
use super::runs::StatusView;
use super::shell::{ProjectTab, Shell, project_url};
use super::{Look, markdown, page, terminal};
use crate::app::AppState;
use crate::auth::ProjectReader;
use crate::error::Result;
use crate::extract::Query;
use crate::services;
use crate::services::history::{Insight, NotePlace};

#[derive(Template)]
#[template(path = "insights/list.html")]
struct InsightsPage {
    shell: Shell,
    base: String,
    project: String,
    insights: Vec<InsightView>,
    range: String,
    newest: Option<String>,
    older: Option<String>,
}

/// Something that was learned.
struct InsightView {
    id: String,
    author: Person,
    at: Moment,
    /// Markdown that was made harmless.
    html: String,
    run: RunLink,
}

/// The run that it is about.
struct RunLink {
    href: String,
    experiment: String,
    heading: String,
    status: StatusView,
}

/// `?before=`. What can't be read is not asked for.
#[derive(Deserialize)]
pub struct Before {
    #[serde(default)]
    before: String,
}

/// `GET /projects/{slug}/insights`
pub async fn show(
    State(app): State<AppState>,
    look: Look,
    ProjectReader { member, .. }: ProjectReader,
    Query(Before { before }): Query<Before>,
) -> Result<Response> {
    let before = place(&before);
    let found = services::history::insights(&app, member.project.id, before).await?;
    let shell = Shell::of_project(&app, look, &member, ProjectTab::Insights).await?;
    let (base, now) = (project_url(&member.project), app.clock.now());
    let url = format!("{base}/insights");
    let count = i64::try_from(found.insights.len()).unwrap_or_default();
    Ok(page(&InsightsPage {
        shell,
        project: terminal::clean(&member.project.name),
        range: format::counted(count, "insight", "insights"),
        newest: before.map(|_| url.clone()),
        older: found.next.map(|place| format!("{url}?before={}", cursor(place))),
        insights: found.insights.into_iter().map(|insight| InsightView::new(&insight, &base, now)).collect(),
        base,
    }))
}

impl InsightView {
    fn new(insight: &Insight, base: &str, now: OffsetDateTime) -> Self {
        let experiment = ExperimentId::new(insight.number).to_string();
        Self {
            id: insight.id.to_string(),
            author: Person::new(&insight.author),
            at: Moment::new(insight.created_at, now),
            html: markdown::html(&without_tag(&insight.body), &format!("{base}/runs")),
            run: RunLink {
                href: format!("{base}/runs/{experiment}"),
                experiment,
                heading: terminal::clean(&insight.heading),
                status: StatusView::new(insight.status),
            },
        }
    }
}

/// A note's place as it stands in an address: microseconds since 1970, and its id.
fn cursor(place: NotePlace) -> String {
    format!("{}-{}", place.created_at.unix_timestamp_nanos() / 1000, place.id)
}

fn place(cursor: &str) -> Option<NotePlace> {
    let (micros, id) = cursor.split_once('-')?;
    let micros: u64 = micros.parse().ok()?;
    let created_at = OffsetDateTime::from_unix_timestamp_nanos(i128::from(micros) * 1000).ok()?;
    Some(NotePlace { created_at, id: Uuid::try_parse(id).ok()? })
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn a_place_reads_back_and_nonsense_is_none() {
        let told = NotePlace { created_at: datetime!(2026-06-01 12:00:00.123456 UTC), id: Uuid::from_u128(7) };
        assert_eq!(place(&cursor(told)), Some(told));
        for nonsense in ["", "-", "x-y", "-5-00000000-0000-0000-0000-000000000007", "99999999999999999999-1"] {
            assert_eq!(place(nonsense), None, "{nonsense}");
        }
    }
}
