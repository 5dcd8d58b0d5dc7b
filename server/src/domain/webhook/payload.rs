//! What is sent: what happened, and of the run so much as one wants to know at once. Bounded, whatever a run says.

use otrace_wire::RunStatus;
use serde_json::{Map, Value, json};
use time::format_description::well_known::Rfc3339;
use time::{OffsetDateTime, UtcOffset};

use super::{Event, Format, slack};
use crate::domain::query::RESULT_PREFIX;
use crate::domain::{Project, Run, RunResult};

/// So many results are told.
const RESULTS_MAX: usize = 20;
const TITLE_MAX_CHARS: usize = 500;
const INTENT_MAX_CHARS: usize = 2000;
/// The longest name or value of a result, and of a person, in characters.
const WORD_MAX_CHARS: usize = 200;

/// What happened, with all that is told of it.
#[derive(Clone, Copy, Debug)]
pub struct Told<'a> {
    /// What happened.
    pub event: Event,
    /// When.
    pub occurred_at: OffsetDateTime,
    /// The server's address, without a slash at the end.
    pub public_url: &'a str,
    /// In which project.
    pub project: &'a Project,
    /// What the webhook is called.
    pub webhook: &'a str,
    /// With which run; a test tells of none.
    pub run: Option<&'a Run>,
    /// What of its results is told, as [`chosen`] chose it.
    pub results: &'a [&'a RunResult],
}

/// The results that are told of a run: first those that are columns of its project's list, then as the run tells them.
pub fn chosen<'r>(results: &'r [RunResult], columns: &[String]) -> Vec<&'r RunResult> {
    let names: Vec<&str> = columns.iter().filter_map(|column| column.strip_prefix(RESULT_PREFIX)).collect();
    let place = |result: &&RunResult| names.iter().position(|name| *name == result.name).unwrap_or(names.len());
    let mut all: Vec<&RunResult> = results.iter().collect();
    // A stable sort: those of one place stay in the run's order.
    all.sort_by_key(place);
    all.truncate(RESULTS_MAX);
    all
}

impl Told<'_> {
    /// What is sent, as JSON.
    pub fn body(&self, format: Format) -> String {
        let message = match format {
            Format::Trace => self.as_json(),
            Format::Slack => slack::message(self),
        };
        message.to_string()
    }

    /// Where the run stands, as the event says it.
    fn status(&self) -> Option<RunStatus> {
        self.event.status().or_else(|| self.run.map(|run| run.status))
    }

    /// Where the project's pages are.
    pub(super) fn project_url(&self) -> String {
        format!("{}/projects/{}", self.public_url, self.project.slug)
    }

    fn as_json(&self) -> Value {
        let mut data = Map::new();
        data.insert("project".to_owned(), json!(self.project.slug));
        data.insert("project_name".to_owned(), json!(self.project.name));
        if let Some(run) = self.run {
            self.tell_run(run, &mut data);
        } else {
            data.insert("url".to_owned(), json!(self.project_url()));
            data.insert("webhook".to_owned(), json!(self.webhook));
        }
        json!({"type": self.event.as_str(), "timestamp": rfc3339(self.occurred_at), "data": data})
    }

    fn tell_run(&self, run: &Run, data: &mut Map<String, Value>) {
        let results = self.results.iter().map(|result| {
            let value = match &result.value {
                Value::String(text) => json!(cut(text, WORD_MAX_CHARS)),
                // Objects and lists are no results; whoever sends them is told so much of them.
                Value::Object(_) | Value::Array(_) => json!(cut(&result.value.to_string(), WORD_MAX_CHARS)),
                scalar => scalar.clone(),
            };
            json!({"name": cut(&result.name, WORD_MAX_CHARS), "value": value})
        });
        let fields = [
            ("id", json!(run.id)),
            ("experiment_id", json!(run.experiment_id().to_string())),
            ("title", json!(run.title.as_deref().map(|title| cut(title, TITLE_MAX_CHARS)))),
            ("intent", json!(cut(&run.intent, INTENT_MAX_CHARS))),
            ("status", json!(self.status().map(RunStatus::as_str))),
            ("url", json!(format!("{}/runs/{}", self.project_url(), run.experiment_id()))),
            ("author", json!(run.author.as_deref().map(|name| cut(name, WORD_MAX_CHARS)))),
            ("exit_code", json!(run.exit_code)),
            ("signal", json!(run.signal)),
            ("duration_seconds", json!(run.duration_seconds)),
            ("created_at", json!(rfc3339(run.created_at))),
            ("started_at", json!(run.started_at.map(rfc3339))),
            ("finished_at", json!(run.finished_at.map(rfc3339))),
            ("last_contact_at", json!(run.last_contact_at.map(rfc3339))),
            ("results", results.collect()),
        ];
        data.extend(fields.map(|(name, value)| (name.to_owned(), value)));
    }
}

fn rfc3339(at: OffsetDateTime) -> String {
    at.to_offset(UtcOffset::UTC).format(&Rfc3339).unwrap_or_default()
}

/// The beginning of a text, with `…` where it was cut.
pub(super) fn cut(text: &str, max_chars: usize) -> String {
    match text.char_indices().nth(max_chars) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use time::macros::datetime;

    use super::*;
    use crate::domain::{ProjectId, RunId};

    pub fn project() -> Project {
        Project {
            id: ProjectId::new(),
            slug: "wake-word".to_owned(),
            name: "Wake word".to_owned(),
            description: String::new(),
            created_at: datetime!(2026-06-01 12:00 UTC),
        }
    }

    pub fn run() -> Run {
        let at = datetime!(2026-06-01 12:00 UTC);
        Run {
            id: RunId::new(),
            project_id: ProjectId::new(),
            number: 42,
            parent_number: None,
            title: Some("Distilled".to_owned()),
            intent: "A teacher should help.".to_owned(),
            setup: String::new(),
            command: "python3 distill.py".to_owned(),
            working_directory: None,
            status: RunStatus::Running,
            tags: Vec::new(),
            expected_artifact_paths: Vec::new(),
            expected_log_paths: Vec::new(),
            exit_code: Some(1),
            signal: None,
            duration_seconds: Some(4344.0),
            created_at: at,
            updated_at: at,
            started_at: Some(at),
            finished_at: None,
            last_contact_at: None,
            recorder: None,
            key_name: None,
            author: Some("Mira".to_owned()),
        }
    }

    pub fn result(name: &str, value: impl Into<Value>) -> RunResult {
        let value = value.into();
        RunResult {
            kind: "scalar".to_owned(),
            name: name.to_owned(),
            number: value.as_f64(),
            value,
            source_path: None,
            line: None,
            row_index: None,
            column_name: None,
            table_index: None,
            metadata: Map::new(),
        }
    }

    pub fn told<'a>(run: Option<&'a Run>, results: &'a [&'a RunResult], project: &'a Project) -> Told<'a> {
        Told {
            event: if run.is_some() { Event::Failed } else { Event::Test },
            occurred_at: datetime!(2026-06-01 14:00 +2),
            public_url: "https://trace.example.org",
            project,
            webhook: "CI",
            run,
            results,
        }
    }

    #[test]
    fn an_end_is_told_with_what_one_wants_to_know_at_once() {
        let (project, run, accuracy) = (project(), run(), result("accuracy", 0.97));
        let body: Value = serde_json::from_str(&told(Some(&run), &[&accuracy], &project).body(Format::Trace)).unwrap();
        assert_eq!((&body["type"], &body["timestamp"]), (&json!("run.failed"), &json!("2026-06-01T12:00:00Z")));
        let data = &body["data"];
        assert_eq!(data["url"], "https://trace.example.org/projects/wake-word/runs/exp042");
        assert_eq!((&data["status"], &data["exit_code"]), (&json!("failed"), &json!(1)), "as the event says it");
        assert_eq!((&data["experiment_id"], &data["author"]), (&json!("exp042"), &json!("Mira")));
        assert_eq!(data["results"], json!([{"name": "accuracy", "value": 0.97}]));
    }

    #[test]
    fn a_project_s_columns_come_first_and_twenty_are_told() {
        let results: Vec<RunResult> = (0..30).map(|number| result(&format!("r{number}"), number)).collect();
        let columns = ["tags", "metrics.r25", "metrics.absent", "metrics.r3"].map(str::to_owned);
        let names: Vec<&str> = chosen(&results, &columns).iter().map(|result| result.name.as_str()).collect();
        assert_eq!((names.len(), &names[..4]), (20, ["r25", "r3", "r0", "r1"].as_slice()));
    }

    #[test]
    fn whatever_a_run_says_the_message_stays_small() {
        let long = "\u{1}".repeat(1_000_000);
        let run = Run { title: Some(long.clone()), intent: long.clone(), author: Some(long.clone()), ..run() };
        let results: Vec<RunResult> = (0..30).map(|_| result(&long, long.as_str())).collect();
        let results = chosen(&results, &[]);
        let project = project();
        let told = told(Some(&run), &results, &project);
        for format in Format::ALL {
            assert!(told.body(format).len() < 80_000, "{format:?}: {}", told.body(format).len());
        }
    }
}
