//! What `otrace doctor` asks: who we are, and what the answer says of the server besides.

use otrace_wire::version::{self, Version};
use otrace_wire::{Whoami, paths};
use reqwest::header::{DATE, HeaderMap};
use reqwest::{Method, StatusCode};
use time::format_description::well_known::{Rfc2822, Rfc3339};
use time::{Duration, OffsetDateTime};

use super::Client;
use crate::clock;
use crate::error::Result;

/// A server's answer to whoever speaks, with or without a key.
#[derive(Debug)]
pub struct Probe {
    /// Its version, if it says one: older servers and those of another make say none.
    pub version: Option<Version>,
    /// How far our clock is behind the server's at least, or, below zero, ahead of it; nothing, if it does not
    /// say what time it is.
    pub behind: Option<Duration>,
    /// Whether it refuses the key, rather than failing.
    pub is_refused: bool,
    /// Who the key belongs to, or why that is not told.
    pub identity: Result<Whoami>,
}

impl Client {
    /// Asks once who we are. An error means that there was no answer.
    pub async fn probe(&self) -> Result<Probe> {
        let request = self.built(self.request(Method::GET, paths::WHOAMI))?;
        let asked = clock::now();
        let response = self.http.execute(request).await.map_err(|error| self.unreachable(&error))?;
        let (headers, answered) = (response.headers(), clock::now());
        let version = said(headers, version::HEADER).and_then(|version| version.parse().ok());
        let behind = said(headers, DATE.as_str()).and_then(|date| behind(date, &asked, &answered));
        let is_refused = matches!(response.status(), StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN);
        Ok(Probe { version, behind, is_refused, identity: self.read(response).await })
    }
}

fn said<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name)?.to_str().ok()
}

/// The server has read its clock at some time between our question and its answer, and tells whole seconds only.
fn behind(date: &str, asked: &str, answered: &str) -> Option<Duration> {
    let date = OffsetDateTime::parse(date, &Rfc2822).ok()?;
    let ours = |text| OffsetDateTime::parse(text, &Rfc3339).ok();
    let (least, most) = (date - ours(answered)?, date + Duration::SECOND - ours(asked)?);
    Some(if least.is_positive() { least } else { most.min(Duration::ZERO) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(asked: &str, answered: &str) -> i64 {
        let at = |second: &str| format!("2026-06-01T12:00:{second}Z");
        let behind = behind("Mon, 01 Jun 2026 12:00:30 GMT", &at(asked), &at(answered));
        behind.expect("a date").whole_seconds()
    }

    #[test]
    fn a_clock_is_wrong_only_as_far_as_the_answer_cannot_have_taken() {
        assert_eq!(seconds("29.9", "30.1"), 0);
        assert_eq!(seconds("30.999", "31.5"), 0, "the date says whole seconds");
        assert_eq!(seconds("10.0", "50.0"), 0, "it may have been read at any time in between");
        assert_eq!(seconds("09.0", "10.0"), 20);
        assert_eq!(seconds("50.0", "50.5"), -19);
    }

    #[test]
    fn a_date_that_is_none_says_nothing() {
        for date in ["", "now", "2026-06-01T12:00:30Z"] {
            assert_eq!(behind(date, "2026-06-01T12:00:30Z", "2026-06-01T12:00:30Z"), None, "{date}");
        }
    }
}
