//! Looking for a text or a line in a log: for the page's script as JSON, and for the page itself.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use url::form_urlencoded;

use super::lines::named;
use crate::app::AppState;
use crate::auth::ProjectReader;
use crate::domain::{ProjectId, RunId};
use crate::error::Result;
use crate::extract::{Path, Query};
use crate::services;
use crate::services::logs::Text;
use crate::services::logs::search::{self, Looked};
use crate::web::runs::run_ref;

/// No line is looked for by a longer text than this, in bytes.
const TEXT_MAX_BYTES: usize = 1000;

/// `?log=stdout&q=loss&from=4096`, `&back=1` for what is before; `?line=5000`, and to go on `&from=4096&counted=120`.
#[derive(Deserialize)]
pub struct Wanted {
    #[serde(default)]
    log: String,
    #[serde(default)]
    path: String,
    #[serde(default)]
    q: String,
    #[serde(default)]
    from: String,
    #[serde(default)]
    back: String,
    #[serde(default)]
    line: String,
    #[serde(default)]
    counted: String,
}

/// What a look came to.
#[derive(Debug, Default, Serialize)]
pub struct Answer {
    /// The byte at which the line begins.
    found: Option<i64>,
    /// From where to look for the next one.
    after: Option<i64>,
    /// Where to go on, where the look took too long.
    next: Option<i64>,
    /// The number of the line at `next`, where a line is looked for.
    counted: Option<u64>,
}

/// `GET /projects/{slug}/runs/{run}/logs/find`
pub async fn show(
    State(app): State<AppState>,
    ProjectReader { member, .. }: ProjectReader,
    Path((_slug, run)): Path<(String, String)>,
    Query(wanted): Query<Wanted>,
) -> Result<Json<Answer>> {
    let project_id = member.project.id;
    let (run_id, logs) = services::logs::of_run(&app, project_id, run_ref(&run)?).await?;
    let (ids, is_back) = ((project_id, run_id), wanted.back == "1");
    let log = &named(&app, ids, &logs, &wanted.log, &wanted.path).await?;
    let from = wanted.from.parse().unwrap_or(if is_back { i64::MAX } else { 0 });
    if let Ok(number) = wanted.line.parse::<u64>() {
        // Without a count that belongs to it a byte says nothing of lines.
        let known = wanted.counted.parse().map_or((1, 0), |counted| (counted, from));
        let (looked, counted) = search::line(&app, ids, log, number, known).await?;
        return Ok(Json(Answer { counted: Some(counted), ..Answer::of(looked) }));
    }
    Ok(Json(Answer::of(search::text(&app, ids, log, asked(&wanted.q), from, is_back).await?)))
}

/// The text as far as it is looked for.
fn asked(text: &str) -> &str {
    let end = (0..=text.len().min(TEXT_MAX_BYTES)).rev().find(|end| text.is_char_boundary(*end));
    &text[..end.unwrap_or_default()]
}

impl Answer {
    fn of(looked: Looked) -> Self {
        match looked {
            Looked::Found(line, after) => Self { found: Some(line), after: Some(after), ..Self::default() },
            Looked::NotYet(next) => Self { next: Some(next), ..Self::default() },
            Looked::Nowhere => Self::default(),
        }
    }
}

/// What was looked for without script, and what came of it.
#[derive(Debug, Default)]
pub(super) struct Sought {
    /// The text.
    pub(super) text: String,
    /// The byte at which a line with it begins.
    pub(super) found: Option<i64>,
    /// Where the next one is looked for.
    pub(super) next_url: Option<String>,
    /// Whether there is none between where one looked from and the end.
    pub(super) is_nowhere: bool,
}

impl Sought {
    /// Looks for a text from a byte on. A look that takes too long can be gone on with.
    pub(super) async fn look(
        app: &AppState,
        ids: (ProjectId, RunId),
        log: &Text,
        text: &str,
        from: Option<i64>,
        here: &str,
    ) -> Result<Self> {
        let text = asked(text);
        if text.is_empty() {
            return Ok(Self::default());
        }
        let looked = search::text(app, ids, log, text, from.unwrap_or_default(), false).await?;
        let sought = Self { text: text.to_owned(), is_nowhere: looked == Looked::Nowhere, ..Self::default() };
        let url = |from: i64| {
            let query = form_urlencoded::Serializer::new(String::new()).append_pair("q", text).finish();
            Some(format!("{here}&{query}&from={from}"))
        };
        Ok(match looked {
            Looked::Found(line, after) => Self { found: Some(line), next_url: url(after), ..sought },
            Looked::NotYet(next) => Self { next_url: url(next), ..sought },
            Looked::Nowhere => sought,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_very_long_text_is_cut_between_characters() {
        assert_eq!(asked("loss"), "loss");
        assert_eq!(asked(&"é".repeat(1000)).len(), 1000);
        assert_eq!(asked(&format!("a{}", "é".repeat(1000))).len(), 999);
    }
}
