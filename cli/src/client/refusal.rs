//! How a refusal of the server is told: what it says, and what to do about it.

use otrace_wire::ApiError;
use reqwest::StatusCode;

use crate::error::Error;

/// A refusal of the server at `base`, for people. What to do is what the server says, or else what usually helps
/// against a refusal of that kind.
pub(super) fn told(base: &str, status: StatusCode, refusal: ApiError) -> Error {
    let hint = refusal.hint.clone().or_else(|| usual_hint(base, status));
    let error = Error::new(if status == StatusCode::UPGRADE_REQUIRED {
        // It was written for this very reader.
        refusal.error
    } else {
        describe(&refusal)
    });
    match hint {
        Some(hint) => error.with_hint(hint),
        None => error,
    }
}

fn usual_hint(base: &str, status: StatusCode) -> Option<String> {
    match status {
        StatusCode::UNAUTHORIZED => {
            Some(format!("Run `otrace login`, or make a new key at {base}/projects and set TRACE_API_KEY."))
        }
        StatusCode::FORBIDDEN => {
            Some(format!("Use a key that may write: {base}/projects leads to the project's keys."))
        }
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => Some("Try again in a minute.".to_owned()),
        StatusCode::INTERNAL_SERVER_ERROR => Some("Whoever runs the server finds the reason in its log.".to_owned()),
        _ => None,
    }
}

/// `error (code=…; details=…)`: agents go by the code.
fn describe(refusal: &ApiError) -> String {
    let parts = [("code", &refusal.code), ("details", &refusal.details)];
    let said: Vec<_> =
        parts.into_iter().filter_map(|(name, value)| value.as_ref().map(|value| format!("{name}={value}"))).collect();
    if said.is_empty() {
        return refusal.error.clone();
    }
    format!("{} ({})", refusal.error, said.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(hint: Option<&str>) -> ApiError {
        ApiError {
            ok: false,
            error: "The file is too large.".to_owned(),
            code: Some("too_large".to_owned()),
            details: Some("limit_bytes=1".to_owned()),
            hint: hint.map(str::to_owned),
        }
    }

    #[test]
    fn what_the_server_advises_is_the_hint() {
        let error = told("http://localhost:8000", StatusCode::UNAUTHORIZED, refusal(Some("Send less.")));
        assert_eq!(error.message(), "The file is too large. (code=too_large; details=limit_bytes=1)");
        assert_eq!(error.hint(), Some("Send less."));
    }

    #[test]
    fn without_advice_the_kind_of_refusal_tells_what_to_do() {
        let hint = |status| told("http://localhost:8000", status, refusal(None)).hint().map(str::to_owned);
        assert!(hint(StatusCode::UNAUTHORIZED).is_some_and(|hint| hint.starts_with("Run `otrace login`")));
        assert!(hint(StatusCode::FORBIDDEN).is_some_and(|hint| hint.contains("http://localhost:8000/projects")));
        assert_eq!(hint(StatusCode::NOT_FOUND), None);
    }
}
