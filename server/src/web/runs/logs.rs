//! What a run printed: the start and the end of one of its logs, or a part of it. `log.js` adds what comes later.

pub mod lines;

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use otrace_wire::LogStream;
use serde::Deserialize;
use url::form_urlencoded;

use self::lines::{HEAD_BYTES, HEAD_LINES, Lines, TAIL_LINES, WINDOW_BYTES};
use super::{RunHeader, RunTab, open};
use crate::app::AppState;
use crate::auth::ProjectReader;
use crate::domain::{Log, ProjectId, RunId};
use crate::error::Result;
use crate::extract::{Path, Query};
use crate::services;
use crate::services::logs::RunLog;
use crate::web::format;
use crate::web::shell::{Look, Shell};
use crate::web::{page, terminal};

#[derive(Template)]
#[template(path = "runs/logs.html")]
struct LogsPage {
    shell: Shell,
    head: RunHeader,
    streams: Vec<Stream>,
    wrap: bool,
    wrap_url: String,
    raw_url: Option<String>,
    log: Shown,
    size: String,
    is_over: bool,
}

/// A log to choose.
struct Stream {
    href: String,
    label: String,
    size: String,
    is_current: bool,
}

/// What is shown of a log.
#[derive(Default)]
struct Shown {
    /// Where further lines are asked for.
    lines_url: String,
    /// Its first lines, where others are left out after them.
    first_lines: Vec<Line>,
    gap: Option<Gap>,
    lines: Vec<Line>,
    /// The byte at which `lines` begin.
    start: i64,
    /// The byte from which on there is more to come; `None` where the end is not shown.
    next: Option<i64>,
    /// How many whole lines there are up to `next`, where that is known.
    count: Option<usize>,
    /// Where the end is shown, if it is not.
    end_url: Option<String>,
}

/// What is left out between the first lines and the others.
struct Gap {
    size: String,
    /// The byte at which it begins.
    start: i64,
    /// The byte at which it ends.
    end: i64,
    href: String,
}

/// A line of a log.
struct Line {
    /// Its number, where the log is known from its start.
    number: Option<usize>,
    text: String,
    /// `err`, `wrn`, `sys` or nothing.
    class: &'static str,
    /// Whether its end has not come yet.
    is_open: bool,
}

/// `?log=1&wrap=1`, `?log=stdout`, `?log=log&path=train.log&before=4096`. What can't be read is not asked for.
#[derive(Deserialize)]
pub struct Choice {
    #[serde(default)]
    log: String,
    #[serde(default)]
    path: String,
    #[serde(default)]
    wrap: String,
    #[serde(default)]
    before: String,
}

/// `GET /projects/{slug}/runs/{run}/logs`
pub async fn show(
    State(app): State<AppState>,
    look: Look,
    ProjectReader { member, .. }: ProjectReader,
    Path((_slug, run)): Path<(String, String)>,
    Query(choice): Query<Choice>,
) -> Result<Response> {
    let (shell, head, view) = open(&app, look, &member, &run, RunTab::Logs).await?;
    let wrap = choice.wrap == "1";
    let (project_id, run_id) = (member.project.id, view.full.run.id);
    let logs = services::logs::all(&app, project_id, run_id, view.full.logs).await?;
    let current = asked(&logs, &choice.log, &choice.path).or_else(|| first(&logs));
    let address =
        |log: &RunLog, wrap: bool| format!("{}/logs?{}{}", head.base, query(log), if wrap { "&wrap=1" } else { "" });
    let shown = match current.and_then(|index| logs.get(index)) {
        Some(log) => {
            let here = address(log, wrap);
            let shown = Shown::load(&app, (project_id, run_id), log, choice.before.parse().ok(), &here).await?;
            Shown { lines_url: format!("{}/logs/lines?{}", head.base, query(log)), ..shown }
        }
        None => Shown::default(),
    };
    let current_log = current.and_then(|index| logs.get(index));
    let stream = |(index, log): (usize, &RunLog)| Stream::new(&log.log, current == Some(index), address(log, wrap));
    Ok(page(&LogsPage {
        streams: logs.iter().enumerate().map(stream).collect(),
        wrap_url: current_log.map(|log| address(log, !wrap)).unwrap_or_default(),
        raw_url: current_log
            .filter(|log| log.is_whole)
            .map(|log| format!("{}/logs/{}/raw", head.base, log.log.position)),
        wrap,
        log: shown,
        size: format::size(current_log.map_or(0, |log| log.log.size_bytes)),
        is_over: view.full.run.status.is_final(),
        shell,
        head,
    }))
}

/// What names a log in an address: its place once it has arrived, until then its name.
fn query(log: &RunLog) -> String {
    if log.is_whole {
        return format!("log={}", log.log.position);
    }
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.append_pair("log", log.log.stream.as_str());
    if let Some(path) = &log.log.path {
        query.append_pair("path", path);
    }
    query.finish()
}

/// The place of the log that is named so.
fn asked(logs: &[RunLog], name: &str, path: &str) -> Option<usize> {
    let is_asked = |found: &RunLog| {
        if let Ok(position) = name.parse::<i32>() {
            return found.is_whole && found.log.position == position;
        }
        let is_file = found.log.stream == LogStream::Log;
        found.log.stream.as_str() == name && (!is_file || found.log.path.as_deref() == Some(path))
    };
    logs.iter().position(is_asked)
}

/// The place of the first log with anything in it, else of the first.
fn first(logs: &[RunLog]) -> Option<usize> {
    logs.iter().position(|found| found.log.size_bytes > 0).or((!logs.is_empty()).then_some(0))
}

impl Stream {
    fn new(log: &Log, is_current: bool, href: String) -> Self {
        let label = match (log.stream, log.path.as_deref()) {
            (LogStream::Log, Some(path)) => terminal::clean(path),
            (stream, _) => stream.as_str().to_owned(),
        };
        Self { href, label, size: format::size(log.size_bytes), is_current }
    }
}

impl Shown {
    /// The start and the end of a log, or of its part before a byte: never all of a long one.
    async fn load(
        app: &AppState,
        (project_id, run_id): (ProjectId, RunId),
        log: &RunLog,
        before: Option<i64>,
        here: &str,
    ) -> Result<Self> {
        let size = log.log.size_bytes;
        let to = before.unwrap_or(size).clamp(0, size);
        let from = (to - WINDOW_BYTES).max(0);
        let bytes = services::logs::read(app, project_id, run_id, log, from..to).await?;
        let mut tail = Lines::read(&bytes, from, from == 0);
        let left_out = tail.keep_last(TAIL_LINES);
        let is_known_from_start = from == 0;
        let mut shown = Self {
            start: tail.start,
            next: (to == size && !log.is_whole).then_some(tail.next),
            count: (is_known_from_start && to == size).then_some(left_out + tail.whole_lines()),
            end_url: (to < size).then(|| here.to_owned()),
            ..Self::default()
        };
        if tail.start > 0 {
            let bytes = services::logs::read(app, project_id, run_id, log, 0..tail.start.min(HEAD_BYTES)).await?;
            let mut first = Lines::read(&bytes, 0, true);
            first.leave_open_line_out();
            first.keep_first(HEAD_LINES);
            shown.gap = Gap::between(first.next, tail.start, here);
            shown.first_lines = first.into_shown(Some(1));
        }
        shown.lines = tail.into_shown(is_known_from_start.then_some(left_out + 1));
        // A log that has arrived ends where it ends.
        if log.is_whole {
            shown.lines.iter_mut().for_each(|line| line.is_open = false);
        }
        Ok(shown)
    }
}

impl Gap {
    fn between(start: i64, end: i64, here: &str) -> Option<Self> {
        (start < end).then(|| Self {
            size: format::size(end - start),
            start,
            end,
            href: format!("{here}&before={end}"),
        })
    }
}
