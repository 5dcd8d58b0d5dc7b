//! How long a server that has too much to do asks us to wait.

use std::time::Duration;

use reqwest::StatusCode;
use reqwest::header::{HeaderMap, RETRY_AFTER};

/// How often one request is put off before it counts as failed: with [`LONGEST`], two minutes.
pub const WAITS_MAX: u32 = 2;

/// What nobody need be told of.
pub const SHORT: Duration = Duration::from_secs(2);

/// Nobody is made to wait longer than this at a time.
const LONGEST: Duration = Duration::from_mins(1);
/// A wait of no time at all would be no relief.
const SHORTEST: Duration = Duration::from_secs(1);
/// For an answer that does not say how long, or says it as a date.
const UNTOLD: Duration = Duration::from_secs(5);

/// How long to wait before the same request is sent again, if it is to be.
pub fn wanted(status: StatusCode, headers: &HeaderMap) -> Option<Duration> {
    let told = headers.get(RETRY_AFTER);
    let is_asked = match status {
        StatusCode::TOO_MANY_REQUESTS => true,
        // Without the header it is down, not busy.
        StatusCode::SERVICE_UNAVAILABLE => told.is_some(),
        _ => false,
    };
    let seconds = told.and_then(|told| told.to_str().ok()?.trim().parse().ok());
    is_asked.then(|| seconds.map_or(UNTOLD, Duration::from_secs).clamp(SHORTEST, LONGEST))
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderValue;

    use super::*;

    fn wait(status: u16, told: Option<&'static str>) -> Option<u64> {
        let mut headers = HeaderMap::new();
        if let Some(told) = told {
            headers.insert(RETRY_AFTER, HeaderValue::from_static(told));
        }
        wanted(StatusCode::from_u16(status).expect("a status"), &headers).map(|wait| wait.as_secs())
    }

    #[test]
    fn a_busy_server_is_waited_for_but_not_for_ever() {
        assert_eq!(wait(429, Some("7")), Some(7));
        assert_eq!(wait(503, Some(" 7 ")), Some(7));
        assert_eq!(wait(429, Some("0")), Some(1));
        assert_eq!(wait(429, Some("86400")), Some(60));
        assert_eq!(wait(429, Some("18446744073709551616")), Some(5));
        assert_eq!(wait(429, Some("Wed, 21 Oct 2026 07:28:00 GMT")), Some(5));
        assert_eq!(wait(429, None), Some(5));
    }

    #[test]
    fn an_answer_that_asks_for_nothing_is_final() {
        for (status, told) in [(200, Some("7")), (401, None), (500, Some("7")), (503, None)] {
            assert_eq!(wait(status, told), None, "{status}");
        }
    }
}
