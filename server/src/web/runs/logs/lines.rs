//! Lines of a log by their place in it, for a page that has others already. A log is read in windows.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};

use super::colours::Piece;
use super::window::{Lines, TAIL_LINES, WINDOW_BYTES};
use super::{BOTH, Line, asked, first};
use crate::app::AppState;
use crate::auth::ProjectReader;
use crate::domain::{ProjectId, RunId, RunRef};
use crate::error::{AppError, Result};
use crate::extract::{Path, Query};
use crate::services;
use crate::services::logs::both::Both;
use crate::services::logs::{RunLog, Text};
use crate::web::format;

/// So much before a byte is read to show what stands around it.
const AROUND_BYTES: i64 = 64 * 1024;
/// Who is farther behind than this goes on at the end.
const BEHIND_MAX_BYTES: i64 = 1024 * 1024;

/// `?log=stdout&from=4096`: what is new from there on, and of much only the end; `&before=8192`: the last lines
/// between the two; `?after=4096`: the first lines from there on; `?around=4096`: what stands around that byte.
/// `&growing=1`: nothing, if all has arrived meanwhile.
#[derive(Default, Deserialize)]
pub struct Wanted {
    #[serde(default)]
    log: String,
    #[serde(default)]
    path: String,
    #[serde(default)]
    from: i64,
    before: Option<i64>,
    after: Option<i64>,
    around: Option<i64>,
    #[serde(default)]
    growing: String,
}

/// Lines as the page's script adds them.
#[derive(Serialize)]
pub struct Part {
    lines: Vec<Row>,
    /// The byte at which each begins.
    at: Vec<i64>,
    /// The byte at which the first begins.
    start: i64,
    /// The byte from which on to ask for more.
    next: i64,
    /// Whether the last line's end has not come yet: the next answer begins with that line.
    open: bool,
    /// Whether there is more at once.
    more: bool,
    /// How much is left out between the byte that was asked for and these lines, in words; nothing, if nothing is.
    left_out: Option<String>,
    /// How long the log is, in words.
    size: String,
    /// And in bytes.
    bytes: i64,
    /// Of two streams that are read as one: for each line whether it is of standard error, and when it came, in
    /// milliseconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    came: Option<Vec<(bool, i64)>>,
}

/// The text and the class of a line; where it has colours, how many UTF-16 units have which classes.
#[derive(Serialize)]
#[serde(untagged)]
enum Row {
    Plain(String, &'static str),
    Coloured(String, &'static str, Vec<(usize, String)>),
}

/// `GET /projects/{slug}/runs/{run}/logs/lines`
pub async fn show(
    State(app): State<AppState>,
    ProjectReader { member, .. }: ProjectReader,
    Path((_slug, run)): Path<(String, String)>,
    Query(wanted): Query<Wanted>,
) -> Result<Json<Part>> {
    let run: RunRef = run.parse().map_err(|_| AppError::NotFound("Run"))?;
    let project_id = member.project.id;
    let (run_id, logs) = services::logs::of_run(&app, project_id, run).await?;
    let log = named(&app, (project_id, run_id), &logs, &wanted.log, &wanted.path).await?;
    if log.is_whole() && wanted.growing == "1" {
        return Err(AppError::NotFound("Log"));
    }
    let size = log.size_bytes();
    let (from, to, end) = wanted.window(size);
    let part = log.read(&app, project_id, run_id, from..to).await?;
    let begins = wanted.after.unwrap_or(wanted.from).clamp(0, to);
    // Who asks for what follows asks from between two lines.
    let mut found = Lines::read(&part, from == 0 || (from == begins && wanted.around.is_none()));
    if to < size && end != End::Last {
        found.leave_unfinished_line_out(to);
    }
    match end {
        End::Last => {
            found.keep_last(TAIL_LINES);
        }
        End::First => found.keep_first(TAIL_LINES),
        End::Around(at) => found.keep_around(at),
    }
    let is_at_end = to == size && !found.was_cut;
    let left_out = if wanted.around.is_some() { 0 } else { found.start - begins };
    let (start, next, is_open, at) = (found.start, found.next, found.is_open, found.places());
    let lines = found.into_shown(None);
    let came = lines.iter().map(|line| line.came.as_ref().map(|came| (came.is_stderr, came.millis)));
    let came: Option<Vec<_>> = came.collect();
    Ok(Json(Part {
        start,
        // A log that has arrived ends where it ends.
        next: if is_at_end && log.is_whole() { size } else { next },
        open: is_open && !log.is_whole(),
        more: wanted.before.is_none() && !is_at_end,
        left_out: (left_out > 0).then(|| format::size(left_out)),
        size: format::size(size),
        bytes: size,
        at,
        came: came.filter(|came| !came.is_empty()),
        lines: lines.into_iter().map(Row::new).collect(),
    }))
}

/// The log that is named, or both streams as one; the first log where nothing is.
pub(super) async fn named(
    app: &AppState,
    (project_id, run_id): (ProjectId, RunId),
    logs: &[RunLog],
    name: &str,
    path: &str,
) -> Result<Text> {
    let found = if name == BOTH {
        Both::load(app, project_id, run_id, logs).await?.map(Text::Both)
    } else {
        let place = if name.is_empty() { first(logs) } else { asked(logs, name, path) };
        place.and_then(|place| logs.get(place)).cloned().map(Text::Log)
    };
    found.ok_or(AppError::NotFound("Log"))
}

/// What of a log stands around a byte.
pub(super) async fn around(
    app: &AppState,
    (project_id, run_id): (ProjectId, RunId),
    log: &Text,
    at: i64,
) -> Result<Around> {
    let size = log.size_bytes();
    let wanted = Wanted { around: Some(at), ..Wanted::default() };
    let (from, to, _) = wanted.window(size);
    let part = log.read(app, project_id, run_id, from..to).await?;
    let mut found = Lines::read(&part, from == 0);
    if to < size {
        found.leave_unfinished_line_out(to);
    }
    found.keep_around(at);
    let is_end = to == size && !found.was_cut;
    let next = if is_end && log.is_whole() { size } else { found.next };
    let start = found.start;
    Ok(Around { start, next, is_end, lines: found.into_shown((start == 0).then_some(1)) })
}

/// What stands around a byte.
pub(super) struct Around {
    /// The byte at which it begins.
    pub(super) start: i64,
    /// The byte at which its whole lines end.
    pub(super) next: i64,
    /// Whether the log ends there.
    pub(super) is_end: bool,
    pub(super) lines: Vec<Line>,
}

impl Row {
    fn new(line: Line) -> Self {
        if line.pieces.is_empty() {
            return Self::Plain(line.text, line.class);
        }
        let part = |piece: &Piece| (piece.text.encode_utf16().count(), piece.class());
        let parts = line.pieces.iter().map(part).collect();
        Self::Coloured(line.text, line.class, parts)
    }
}

/// Which of the lines that were read are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    First,
    Last,
    Around(i64),
}

impl Wanted {
    /// The bytes to read of a log that is so long, and which of their lines are wanted.
    fn window(&self, size: i64) -> (i64, i64, End) {
        if let Some(at) = self.around {
            let at = at.clamp(0, size);
            let from = (at - AROUND_BYTES).max(0);
            return (from, (from + WINDOW_BYTES).min(size), End::Around(at));
        }
        if let Some(from) = self.after {
            let from = from.clamp(0, size);
            return (from, (from + WINDOW_BYTES).min(size), End::First);
        }
        let to = self.before.unwrap_or(size).clamp(0, size);
        let from = self.from.clamp(0, to);
        let is_end = self.before.is_some() || to - from > BEHIND_MAX_BYTES;
        if is_end {
            ((to - WINDOW_BYTES).max(from), to, End::Last)
        } else {
            (from, (from + WINDOW_BYTES).min(to), End::First)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_far_behind_goes_on_at_the_end() {
        let wanted = |from: i64, before: Option<i64>| Wanted { from, before, ..Wanted::default() };
        assert_eq!(wanted(10, None).window(100), (10, 100, End::First));
        assert_eq!(wanted(10, None).window(500_000), (10, 10 + WINDOW_BYTES, End::First));
        assert_eq!(wanted(10, None).window(9_000_000), (9_000_000 - WINDOW_BYTES, 9_000_000, End::Last));
        assert_eq!(wanted(10, Some(5000)).window(9_000_000), (10, 5000, End::Last));
        assert_eq!(wanted(i64::MAX, Some(i64::MAX)).window(7), (7, 7, End::Last));
        assert_eq!(wanted(i64::MIN, Some(i64::MIN)).window(7), (0, 0, End::Last));
    }

    #[test]
    fn around_a_byte_is_read_on_both_sides_of_it() {
        let wanted = |around: i64| Wanted { around: Some(around), ..Wanted::default() };
        assert_eq!(wanted(50).window(100), (0, 100, End::Around(50)));
        assert_eq!(wanted(i64::MAX).window(100), (0, 100, End::Around(100)));
        assert_eq!(wanted(1_000_000).window(9_000_000).0, 1_000_000 - AROUND_BYTES);
    }
}
