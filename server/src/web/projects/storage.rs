//! What a project takes, and for how long it keeps the contents of its artifacts. All members see it; owners settle it.

use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use otrace_wire::ExperimentId;
use serde::Deserialize;
use time::OffsetDateTime;
use uuid::Uuid;

use super::settings::refused_here;
use crate::app::AppState;
use crate::auth::ProjectMember;
use crate::domain::Role;
use crate::domain::retention::{self, NewRule, Rule};
use crate::error::{AppError, Result};
use crate::extract::{Form, Path, Query};
use crate::services;
use crate::services::storage_use::Counted;
use crate::store::storage_use::NamedRun;
use crate::web::format::{self, Moment};
use crate::web::shell::{Look, SettingsPage, Shell, project_url};
use crate::web::{page, terminal};

#[derive(Template)]
#[template(path = "projects/storage.html")]
struct StoragePage {
    shell: Shell,
    base: String,
    project: String,
    is_owner: bool,
    /// What the last form did.
    notice: Option<&'static str>,
    counted: Option<CountedView>,
    largest: Vec<LargestRun>,
    swept: Option<Moment>,
    rules: Vec<RuleRow>,
    /// The tags that spare a run, as their field has them.
    sparing: String,
    /// The same tags, as others see them.
    spared: Vec<String>,
    form: RuleForm,
    refused: Refused,
}

/// What was counted, in words.
struct CountedView {
    at: Moment,
    stored: String,
    kinds: Vec<(&'static str, String)>,
    /// How many runs the trash has; `None`: it is empty.
    trash: Option<String>,
    /// What the rules delete next; `None`: nothing.
    expiring: Option<String>,
}

/// One of the largest runs.
struct LargestRun {
    href: String,
    experiment: String,
    heading: String,
    size: String,
}

/// A rule.
struct RuleRow {
    remove_url: String,
    kind: String,
    path: String,
    after: String,
    /// From when on it deletes; `None`: it does already.
    begins: Option<Moment>,
}

/// Why a form was refused, at the field that it is about.
#[derive(Default)]
struct Refused {
    rule: Option<String>,
    tags: Option<String>,
    /// What is about no field.
    alert: Option<String>,
}

/// What the form of a rule sends.
#[derive(Default, Deserialize)]
pub struct RuleForm {
    #[serde(default)]
    kind: String,
    #[serde(default)]
    path: String,
    #[serde(default)]
    days: String,
}

/// What the form of the sparing tags sends.
#[derive(Deserialize)]
pub struct TagsForm {
    #[serde(default)]
    tags: String,
}

/// `?saved=rule`: what was done by the form that led here.
#[derive(Deserialize)]
pub struct Saved {
    #[serde(default)]
    saved: String,
}

impl CountedView {
    fn new(counted: &Counted, at: OffsetDateTime, now: OffsetDateTime) -> Self {
        let runs = counted.runs;
        let kind = |name, bytes| (name, format::size(bytes));
        let expiring = format::counted(counted.expiring_artifacts, "artifact", "artifacts");
        let expiring = format!("{expiring}, {} as they were sent", format::size(counted.expiring_bytes));
        let trash = format::counted(counted.trash_runs, "deleted run", "deleted runs");
        Self {
            at: Moment::new(at, now),
            stored: format::size(counted.stored_bytes),
            kinds: vec![
                kind("Artifacts", runs.artifacts),
                kind("Logs", runs.logs),
                kind("Series", runs.series),
                kind("Snapshots", runs.snapshots),
                kind("Tables", runs.tables),
            ],
            trash: (counted.trash_runs > 0).then(|| format!("{}, {trash}", format::size(counted.trash_bytes))),
            expiring: (counted.expiring_artifacts > 0).then_some(expiring),
        }
    }
}

impl LargestRun {
    fn new(base: &str, (run, bytes): (NamedRun, i64)) -> Self {
        let experiment = ExperimentId::new(run.number).to_string();
        Self {
            href: format!("{base}/runs/{experiment}"),
            experiment,
            heading: terminal::clean(&run.heading),
            size: format::size(bytes),
        }
    }
}

impl RuleRow {
    fn new(base: &str, rule: Rule, now: OffsetDateTime) -> Self {
        let begins = rule.begins_at();
        let Rule { id, rule, .. } = rule;
        Self {
            remove_url: format!("{base}/settings/storage/rules/{id}/delete"),
            kind: terminal::clean(&rule.kind),
            path: terminal::clean(&rule.path),
            after: format::counted(rule.after_days.into(), "day", "days"),
            begins: (begins > now).then(|| Moment::new(begins, now)),
        }
    }
}

impl StoragePage {
    async fn load(app: &AppState, look: Look, member: &ProjectMember) -> Result<Self> {
        let storage = services::storage_use::of_project(app, member).await?;
        let (now, base) = (app.clock.now(), project_url(&member.project));
        Ok(Self {
            shell: Shell::of_settings(app, look, member, SettingsPage::Storage).await?,
            project: terminal::clean(&member.project.name),
            is_owner: member.role >= Role::Owner,
            notice: None,
            counted: storage.counted.map(|(counted, at)| CountedView::new(&counted, at, now)),
            largest: storage.largest.into_iter().map(|run| LargestRun::new(&base, run)).collect(),
            swept: storage.swept_at.map(|at| Moment::new(at, now)),
            rules: storage.rules.into_iter().map(|rule| RuleRow::new(&base, rule, now)).collect(),
            sparing: storage.sparing_tags.join(", "),
            spared: storage.sparing_tags.iter().map(|tag| terminal::clean(tag)).collect(),
            form: RuleForm::default(),
            refused: Refused::default(),
            base,
        })
    }
}

/// `GET /projects/{slug}/settings/storage`
pub async fn show(
    State(app): State<AppState>,
    look: Look,
    member: ProjectMember,
    Query(Saved { saved }): Query<Saved>,
) -> Result<Response> {
    let notice = match saved.as_str() {
        "rule" => Some("The rule is made. It deletes nothing for a day."),
        "removed" => Some("The rule is removed."),
        "tags" => Some("The tags are saved."),
        _ => None,
    };
    let storage = StoragePage::load(&app, look, &member).await?;
    Ok(page(&StoragePage { notice, ..storage }))
}

/// Where to go after something was settled; or the page again, with what stood against it.
async fn answer(
    app: &AppState,
    look: Look,
    member: &ProjectMember,
    done: Result<()>,
    saved: &str,
    again: impl FnOnce(StoragePage, &AppError) -> StoragePage,
) -> Result<Response> {
    match done {
        Ok(()) => {
            let there = format!("{}/settings/storage?saved={saved}", project_url(&member.project));
            Ok(Redirect::to(&there).into_response())
        }
        Err(refused) => {
            let storage = StoragePage::load(app, look, member);
            refused_here(member, Role::Viewer, refused, storage, again).await
        }
    }
}

/// `POST /projects/{slug}/settings/storage/rules`
pub async fn add_rule(
    State(app): State<AppState>,
    look: Look,
    member: ProjectMember,
    Form(form): Form<RuleForm>,
) -> Result<Response> {
    member.require(Role::Owner)?;
    let done = match NewRule::typed(&form.kind, &form.path, &form.days) {
        Ok(rule) => services::retention::add_rule(&app, &member, rule).await,
        Err(invalid) => Err(invalid.into()),
    };
    let again = |storage: StoragePage, refused: &AppError| {
        let refused = Refused { rule: Some(refused.message()), ..Refused::default() };
        StoragePage { form, refused, ..storage }
    };
    answer(&app, look, &member, done, "rule", again).await
}

/// `POST /projects/{slug}/settings/storage/rules/{rule}/delete`
pub async fn remove_rule(
    State(app): State<AppState>,
    look: Look,
    member: ProjectMember,
    Path((_slug, rule)): Path<(String, String)>,
) -> Result<Response> {
    let id: Uuid = rule.parse().map_err(|_| AppError::NotFound("Rule"))?;
    let done = services::retention::remove_rule(&app, &member, id).await;
    let again = |storage: StoragePage, refused: &AppError| {
        let refused = Refused { alert: Some(refused.message()), ..Refused::default() };
        StoragePage { refused, ..storage }
    };
    answer(&app, look, &member, done, "removed", again).await
}

/// `POST /projects/{slug}/settings/storage/tags`
pub async fn set_tags(
    State(app): State<AppState>,
    look: Look,
    member: ProjectMember,
    Form(form): Form<TagsForm>,
) -> Result<Response> {
    member.require(Role::Owner)?;
    let done = match retention::typed_tags(&form.tags) {
        Ok(tags) => services::retention::set_sparing_tags(&app, &member, &tags).await,
        Err(invalid) => Err(invalid.into()),
    };
    let again = |storage: StoragePage, refused: &AppError| {
        let refused = Refused { tags: Some(refused.message()), ..Refused::default() };
        StoragePage { sparing: form.tags, refused, ..storage }
    };
    answer(&app, look, &member, done, "tags", again).await
}
