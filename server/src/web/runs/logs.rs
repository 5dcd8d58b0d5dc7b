//! What a run printed: the end of one of its logs.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use otrace_wire::LogStream;
use serde::Deserialize;

use super::{RunHeader, RunTab, open};
use crate::app::AppState;
use crate::auth::ProjectMember;
use crate::domain::{Log, Run};
use crate::error::Result;
use crate::extract::{Path, Query};
use crate::services;
use crate::services::logs::LogTail;
use crate::web::format;
use crate::web::shell::{Look, Shell};
use crate::web::{page, terminal};

/// How much of a log's end is read.
const TAIL_BYTES: u64 = 256 * 1024;
/// How many lines of it are shown.
const TAIL_LINES: usize = 2000;

#[derive(Template)]
#[template(path = "runs/logs.html")]
struct LogsPage {
    shell: Shell,
    head: RunHeader,
    streams: Vec<Stream>,
    wrap: bool,
    wrap_url: String,
    raw_url: Option<String>,
    lines: Vec<Line>,
    /// What is not shown, in words.
    cut: Option<String>,
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

/// A line of a log.
struct Line {
    /// Its number, where the log is known from its start.
    number: Option<usize>,
    text: String,
    /// `err`, `wrn`, `sys` or nothing.
    class: &'static str,
}

/// `?log=1&wrap=1`
#[derive(Deserialize)]
pub struct Choice {
    #[serde(default)]
    log: String,
    #[serde(default)]
    wrap: String,
}

/// `GET /projects/{slug}/runs/{run}/logs`
pub async fn show(
    State(app): State<AppState>,
    look: Look,
    member: ProjectMember,
    Path((_slug, run)): Path<(String, String)>,
    Query(choice): Query<Choice>,
) -> Result<Response> {
    let (shell, head, view) = open(&app, look, &member, &run, RunTab::Logs).await?;
    let wrap = choice.wrap == "1";
    let project_id = member.project.id;
    let is_live = view.full.logs.is_empty();
    let logs = if is_live { live(&app, &view.full.run).await? } else { view.full.logs };
    let current = chosen(&logs, choice.log.parse().ok());
    let tail = match current {
        Some(log) if is_live => Some(services::live_logs::tail(&app, project_id, view.full.run.id, log.stream).await?),
        Some(log) => Some(services::logs::tail(&app, project_id, log, TAIL_BYTES).await?),
        None => None,
    };
    let position = current.map(|log| log.position);
    let address =
        |position: i32, wrap: bool| format!("{}/logs?log={position}{}", head.base, if wrap { "&wrap=1" } else { "" });
    let (lines, cut) = tail.map(|tail| read(&tail)).unwrap_or_default();
    Ok(page(&LogsPage {
        streams: logs.iter().map(|log| Stream::new(log, position, address(log.position, wrap))).collect(),
        wrap_url: address(position.unwrap_or_default(), !wrap),
        raw_url: position.filter(|_| !is_live).map(|position| format!("{}/logs/{position}/raw", head.base)),
        wrap,
        lines,
        cut,
        size: format::size(current.map_or(0, |log| log.size_bytes)),
        is_over: view.full.run.status.is_final(),
        shell,
        head,
    }))
}

/// What the run has printed so far, as if its logs had arrived.
async fn live(app: &AppState, run: &Run) -> Result<Vec<Log>> {
    let ends = services::live_logs::ends(app, run.project_id, run.id).await?;
    let log = |(position, (stream, size_bytes)): (i32, (LogStream, i64))| Log {
        position,
        stream,
        path: None,
        size_bytes,
        sha256: None,
        captured_at: None,
    };
    Ok((0..).zip(ends).map(log).collect())
}

/// The log that was asked for, else the first with anything in it, else the first.
fn chosen(logs: &[Log], position: Option<i32>) -> Option<&Log> {
    let asked = logs.iter().find(|log| Some(log.position) == position);
    asked.or_else(|| logs.iter().find(|log| log.size_bytes > 0)).or_else(|| logs.first())
}

impl Stream {
    fn new(log: &Log, current: Option<i32>, href: String) -> Self {
        let label = match (log.stream, log.path.as_deref()) {
            (LogStream::Log, Some(path)) => terminal::clean(path),
            (stream, _) => stream.as_str().to_owned(),
        };
        Self { href, label, size: format::size(log.size_bytes), is_current: current == Some(log.position) }
    }
}

/// The lines to show, and in words what is left out before them.
fn read(tail: &LogTail) -> (Vec<Line>, Option<String>) {
    let mut texts = terminal::lines(&tail.text);
    if tail.first_line_is_cut && texts.len() > 1 {
        texts.remove(0);
    }
    let first = texts.len().saturating_sub(TAIL_LINES);
    let is_from_start = tail.bytes_before == 0;
    let cut = (first > 0 || !is_from_start).then(|| {
        let shown = i64::try_from(texts.len() - first).unwrap_or_default();
        format!(
            "Only the last {} are shown. Download the log to read all of it.",
            format::counted(shown, "line", "lines")
        )
    });
    let lines = texts.into_iter().enumerate().skip(first).map(|(index, text)| Line {
        number: is_from_start.then_some(index + 1),
        class: class_of(&text),
        text,
    });
    (lines.collect(), cut)
}

/// What kind of line it is, by the words that loggers and Python use.
fn class_of(text: &str) -> &'static str {
    const ERRORS: [&str; 7] =
        ["Error:", "ERROR", "Exception:", "Traceback (most recent call last)", "CRITICAL", "FATAL", "[E]"];
    const WARNINGS: [&str; 4] = ["Warning:", "WARNING", "WARN ", "[W]"];
    if text.starts_with("otrace: ") {
        "sys"
    } else if ERRORS.iter().any(|word| text.contains(word)) {
        "err"
    } else if WARNINGS.iter().any(|word| text.contains(word)) {
        "wrn"
    } else {
        ""
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tail(text: &str, bytes_before: u64) -> LogTail {
        LogTail { text: text.to_owned(), first_line_is_cut: bytes_before > 0, bytes_before }
    }

    #[test]
    fn a_whole_log_has_numbered_lines() {
        let (lines, cut) = read(&tail("one\n\u{1b}[31mValueError: two\u{1b}[0m\n", 0));
        assert_eq!(cut, None);
        assert_eq!(lines.len(), 2);
        assert_eq!((lines[1].number, lines[1].text.as_str(), lines[1].class), (Some(2), "ValueError: two", "err"));
    }

    #[test]
    fn the_end_of_a_long_log_begins_with_a_whole_line() {
        let (lines, cut) = read(&tail("ken line\nwhole line\n", 4096));
        assert_eq!(lines.len(), 1);
        assert_eq!((lines[0].number, lines[0].text.as_str()), (None, "whole line"));
        assert!(cut.unwrap().contains("1 line "));
    }

    #[test]
    fn a_metric_named_error_is_no_error() {
        assert_eq!(class_of("val error 0.12 error_rate 0.1"), "");
        assert_eq!(class_of("a.py:3: UserWarning: x"), "wrn");
        assert_eq!(class_of("otrace: recorded exp001"), "sys");
    }
}
