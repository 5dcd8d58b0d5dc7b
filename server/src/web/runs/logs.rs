//! What a run printed: the start and the end of one of its logs, or of its two streams as one, a part of it, or what
//! stands around a byte or a text that is looked for. `log.js` shows any other part without a new page, and adds what
//! comes later.

mod came;
mod colours;
pub mod find;
pub mod lines;
mod window;

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use otrace_wire::LogStream;
use serde::Deserialize;
use url::form_urlencoded;

use self::came::Came;
use self::colours::Piece;
use self::find::Sought;
use self::window::{HEAD_BYTES, HEAD_LINES, Lines, TAIL_LINES, WINDOW_BYTES};
use super::{RunHeader, RunTab, open};
use crate::app::AppState;
use crate::auth::ProjectReader;
use crate::domain::{Log, ProjectId, RunId};
use crate::error::Result;
use crate::extract::{Path, Query};
use crate::services;
use crate::services::logs::both::Both;
use crate::services::logs::{RunLog, Text};
use crate::web::format;
use crate::web::shell::{Look, Shell};
use crate::web::{page, terminal};

/// What both streams as one are called in an address.
const BOTH: &str = "both";
/// How exact their order is, while they grow and afterwards.
const ARRIVED: &str = "In the order in which both arrived here, about a second at a time; exact once the run has ended";
const IN_ORDER: &str = "In the order in which both were printed";

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
    /// Of two streams as one, how they are ordered.
    order: Option<&'static str>,
    /// The name of the shown log in the address, as the fields of a form.
    fields: Vec<(String, String)>,
    sought: Sought,
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
    /// Where further lines are asked for, and texts are looked for.
    lines_url: String,
    find_url: String,
    /// Where a line is linked to: followed by its byte.
    line_url: String,
    /// How long it is, in bytes.
    bytes: i64,
    /// The byte at which the first lines end.
    first_end: i64,
    /// Its first lines, where others are left out after them.
    first_lines: Vec<Line>,
    gap: Option<Gap>,
    lines: Vec<Line>,
    /// The byte at which `lines` begin.
    start: i64,
    /// The byte at which they end, and what follows if it is not shown.
    end: i64,
    later: Option<Gap>,
    /// The byte from which on there is more to come; `None` where the end is not shown.
    next: Option<i64>,
    /// Where the end is shown, if it is not.
    end_url: Option<String>,
}

/// What is left out between two parts.
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
    /// The byte at which it begins.
    at: i64,
    text: String,
    /// The same in its colours; nothing where it has none.
    pieces: Vec<Piece>,
    /// On which stream it came and when, where two are read as one.
    came: Option<Came>,
    /// `err`, `wrn`, `sys` or nothing.
    class: &'static str,
    /// Whether its end has not come yet.
    is_open: bool,
}

/// `?log=1&wrap=1`, `?log=both`, `?log=stdout&at=4096`, `?log=log&path=train.log&before=4096`, `?q=loss&from=4096`. What can't be
/// read is not asked for.
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
    #[serde(default)]
    at: String,
    #[serde(default)]
    q: String,
    #[serde(default)]
    from: String,
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
    let ids = (member.project.id, view.full.run.id);
    let logs = services::logs::all(&app, ids.0, ids.1, view.full.logs).await?;
    let has_both = Both::is_there(&app, ids.0, ids.1, &logs).await?;
    let current = chosen(&app, ids, &logs, &choice).await?;
    let address = |query: &str, wrap: bool| format!("{}/logs?{query}{}", head.base, if wrap { "&wrap=1" } else { "" });
    let name = current.as_ref().map(name_of).unwrap_or_default();
    let (sought, shown) = match &current {
        Some(log) => read(&app, ids, log, &choice, &head.base, &address(&name, wrap)).await?,
        None => (Sought::default(), Shown::default()),
    };
    let is_both = matches!(current, Some(Text::Both(_)));
    let both = has_both.then(|| Stream::both(&logs, is_both, address(&format!("log={BOTH}"), wrap)));
    let stream = |log: &RunLog| Stream::new(&log.log, !is_both && query(log) == name, address(&query(log), wrap));
    Ok(page(&LogsPage {
        streams: both.into_iter().chain(logs.iter().map(stream)).collect(),
        wrap_url: if current.is_some() { address(&name, !wrap) } else { String::new() },
        raw_url: match &current {
            Some(Text::Log(log)) if log.is_whole => Some(format!("{}/logs/{}/raw", head.base, log.log.position)),
            _ => None,
        },
        order: match &current {
            Some(Text::Both(both)) => Some(if both.is_whole() { IN_ORDER } else { ARRIVED }),
            _ => None,
        },
        fields: if current.is_some() { fields(&name, wrap) } else { Vec::new() },
        sought,
        wrap,
        size: format::size(shown.bytes),
        log: shown,
        is_over: view.full.run.status.is_final(),
        shell,
        head,
    }))
}

/// What of a text is asked for, and what was looked for in it. `here` is where it is shown.
async fn read(
    app: &AppState,
    ids: (ProjectId, RunId),
    log: &Text,
    choice: &Choice,
    base: &str,
    here: &str,
) -> Result<(Sought, Shown)> {
    let sought = Sought::look(app, ids, log, &choice.q, choice.from.parse().ok(), here).await?;
    let shown = match sought.found.or_else(|| choice.at.parse().ok()) {
        Some(at) => Shown::around(app, ids, log, at, here).await?,
        None => Shown::load(app, ids, log, choice.before.parse().ok(), here).await?,
    };
    let name = name_of(log);
    // Once both streams have arrived all has another place in them: an open page is not to go on with what it has.
    let version = if matches!(log, Text::Both(_)) && !log.is_whole() { "&growing=1" } else { "" };
    let shown = Shown {
        lines_url: format!("{base}/logs/lines?{name}{version}"),
        find_url: format!("{base}/logs/find?{name}"),
        line_url: format!("{here}&at="),
        bytes: log.size_bytes(),
        ..shown
    };
    Ok((sought, shown))
}

/// What is asked for, if it is there; else the first log.
async fn chosen(
    app: &AppState,
    (project_id, run_id): (ProjectId, RunId),
    logs: &[RunLog],
    choice: &Choice,
) -> Result<Option<Text>> {
    if choice.log == BOTH
        && let Some(both) = Both::load(app, project_id, run_id, logs).await?
    {
        return Ok(Some(Text::Both(both)));
    }
    let place = asked(logs, &choice.log, &choice.path).or_else(|| first(logs));
    Ok(place.and_then(|place| logs.get(place)).cloned().map(Text::Log))
}

/// What names it in an address.
fn name_of(text: &Text) -> String {
    match text {
        Text::Log(log) => query(log),
        Text::Both(_) => format!("log={BOTH}"),
    }
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

/// The same for a form.
fn fields(query: &str, wrap: bool) -> Vec<(String, String)> {
    let named = form_urlencoded::parse(query.as_bytes()).into_owned();
    named.chain(wrap.then(|| ("wrap".to_owned(), "1".to_owned()))).collect()
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

    /// Both streams as one.
    fn both(logs: &[RunLog], is_current: bool, href: String) -> Self {
        let streams = logs.iter().filter(|log| log.log.stream != LogStream::Log);
        let size_bytes = streams.map(|log| log.log.size_bytes).sum();
        Self { href, label: "Both".to_owned(), size: format::size(size_bytes), is_current }
    }
}

impl Shown {
    /// The start and the end of a log, or of its part before a byte: never all of a long one.
    async fn load(
        app: &AppState,
        (project_id, run_id): (ProjectId, RunId),
        log: &Text,
        before: Option<i64>,
        here: &str,
    ) -> Result<Self> {
        let size = log.size_bytes();
        let to = before.unwrap_or(size).clamp(0, size);
        let from = (to - WINDOW_BYTES).max(0);
        let part = log.read(app, project_id, run_id, from..to).await?;
        let mut tail = Lines::read(&part, from == 0);
        let left_out = tail.keep_last(TAIL_LINES);
        let is_known_from_start = from == 0;
        // A line that grows is not counted among those that are here.
        let end = if to == size && !log.is_whole() { tail.next } else { to };
        let mut shown = Self {
            start: tail.start,
            end,
            later: Gap::after(end, if to == size { end } else { size }, here),
            next: (to == size && !log.is_whole()).then_some(tail.next),
            end_url: (to < size).then(|| here.to_owned()),
            ..Self::default()
        };
        if tail.start > 0 {
            let part = log.read(app, project_id, run_id, 0..tail.start.min(HEAD_BYTES)).await?;
            let mut first = Lines::read(&part, true);
            first.leave_open_line_out();
            first.keep_first(HEAD_LINES);
            shown.first_end = first.next;
            shown.gap = Gap::between(first.next, tail.start, here);
            shown.first_lines = first.into_shown(Some(1));
        }
        shown.lines = tail.into_shown(is_known_from_start.then_some(left_out + 1));
        // A log that has arrived ends where it ends.
        if log.is_whole() {
            shown.lines.iter_mut().for_each(|line| line.is_open = false);
        }
        Ok(shown)
    }

    /// What stands around a byte.
    async fn around(app: &AppState, ids: (ProjectId, RunId), log: &Text, at: i64, here: &str) -> Result<Self> {
        let size = log.size_bytes();
        let found = lines::around(app, ids, log, at).await?;
        let mut shown = Self {
            start: found.start,
            end: found.next,
            gap: Gap::between(0, found.start, here),
            later: Gap::after(found.next, if found.is_end { found.next } else { size }, here),
            next: (found.is_end && !log.is_whole()).then_some(found.next),
            end_url: (!found.is_end).then(|| here.to_owned()),
            lines: found.lines,
            ..Self::default()
        };
        if log.is_whole() {
            shown.lines.iter_mut().for_each(|line| line.is_open = false);
        }
        Ok(shown)
    }
}

impl Gap {
    /// What follows a part up to the end.
    fn after(start: i64, end: i64, here: &str) -> Option<Self> {
        let gap = Self::between(start, end, here)?;
        Some(Self { href: format!("{here}&at={start}"), ..gap })
    }

    fn between(start: i64, end: i64, here: &str) -> Option<Self> {
        (start < end).then(|| Self {
            size: format::size(end - start),
            start,
            end,
            href: format!("{here}&before={end}"),
        })
    }
}
