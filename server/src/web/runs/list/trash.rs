//! The deleted runs of a project, which can be brought back.

use askama::Template;
use axum::response::Response;
use otrace_wire::ExperimentId;
use time::OffsetDateTime;

use crate::app::AppState;
use crate::auth::ProjectMember;
use crate::error::Result;
use crate::services;
use crate::services::runs::DeletedRun;
use crate::web::format::Moment;
use crate::web::shell::{Look, ProjectTab, Shell, may_edit, project_url};
use crate::web::{page, terminal};

#[derive(Template)]
#[template(path = "runs/trash.html")]
struct TrashPage {
    shell: Shell,
    base: String,
    project: String,
    may_edit: bool,
    rows: Vec<Row>,
    newest: Option<String>,
    older: Option<String>,
}

/// A deleted run.
struct Row {
    experiment: String,
    heading: String,
    intent: String,
    recorded: Moment,
    deleted: Moment,
}

impl Row {
    fn new(run: &DeletedRun, now: OffsetDateTime) -> Self {
        let intent = terminal::clean(run.intent.lines().next().unwrap_or_default());
        let title = run.title.as_deref().filter(|title| !title.is_empty()).map(terminal::clean);
        Self {
            experiment: ExperimentId::new(run.number).to_string(),
            intent: if title.is_some() { intent.clone() } else { String::new() },
            heading: title.unwrap_or(intent),
            recorded: Moment::new(run.created_at, now),
            deleted: Moment::new(run.deleted_at, now),
        }
    }
}

/// `GET /projects/{slug}/runs?deleted=1`
pub(super) async fn show(
    app: &AppState,
    look: Look,
    member: &ProjectMember,
    parameters: &[(String, String)],
) -> Result<Response> {
    let after = parameters.iter().find(|(name, _)| name == "after").and_then(|(_, place)| read(place));
    let (runs, has_more) = services::runs::trash(app, member, after).await?;
    let (base, now) = (project_url(&member.project), app.clock.now());
    let here = format!("{base}/runs?deleted=1");
    Ok(page(&TrashPage {
        shell: Shell::of_project(app, look, member, ProjectTab::Runs).await?,
        project: terminal::clean(&member.project.name),
        may_edit: may_edit(member),
        newest: after.map(|_| here.clone()),
        older: runs.last().filter(|_| has_more).map(|run| format!("{here}&after={}", written(run))),
        rows: runs.iter().map(|run| Row::new(run, now)).collect(),
        base,
    }))
}

/// A place in the trash: when the run was deleted, in microseconds as the database keeps it, and its number.
fn written(run: &DeletedRun) -> String {
    format!("{}.{}", run.deleted_at.unix_timestamp_nanos() / 1000, run.number)
}

fn read(place: &str) -> Option<(OffsetDateTime, i32)> {
    let (micros, number) = place.split_once('.')?;
    let micros = micros.parse::<i64>().ok()?;
    let deleted_at = OffsetDateTime::from_unix_timestamp_nanos(i128::from(micros) * 1000).ok()?;
    // PostgreSQL does not know all other years.
    (1970..2200).contains(&deleted_at.year()).then_some((deleted_at, number.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn a_place_is_read_as_it_was_written() {
        let run = DeletedRun {
            number: 42,
            title: None,
            intent: String::new(),
            created_at: datetime!(2026-06-01 12:00 UTC),
            deleted_at: datetime!(2026-06-01 12:00:00.000_007 UTC),
        };
        assert_eq!(read(&written(&run)), Some((run.deleted_at, 42)));
        for nonsense in ["", "1", "x.1", "1.x", "9223372036854775807.1", "-9999999999999999.1"] {
            assert_eq!(read(nonsense), None, "{nonsense}");
        }
    }
}
