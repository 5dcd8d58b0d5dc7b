//! How the server says no.

use serde::{Deserialize, Serialize};

/// The body of every answer from 400 on: `{"ok": false, "error": "…", "code": "…", "hint": "…"}`.
///
/// Published clients print `error (code=…; details=…; hint=…)`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ApiError {
    /// Always `false`.
    #[serde(default)]
    pub ok: bool,
    /// One sentence that a person can act on.
    pub error: String,
    /// What kind of refusal it is; see [`ErrorCode`]. A string, so that a newer server's codes still read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// What exactly was wrong, where that helps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub details: Option<String>,
    /// What to do next, where that helps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

/// The kinds of refusal, in the `code` of an [`ApiError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorCode {
    /// The caller is not signed in, or its key is unknown, revoked or expired.
    Unauthorized,
    /// The caller is known and may not do this.
    Forbidden,
    /// It is not there, or the caller may not know that it is.
    NotFound,
    /// The request can't be understood or breaks a rule.
    Invalid,
    /// It contradicts what the server holds.
    Conflict,
    /// The body is larger than the server takes.
    TooLarge,
    /// The CLI is older than the server speaks with.
    ClientTooOld,
    /// Too many requests; `Retry-After` says when to come back.
    RateLimited,
    /// A part that the server needs is away; the same request may pass later.
    Unavailable,
    /// The server's own fault; the request id leads to its log.
    Internal,
}

impl ErrorCode {
    /// The code as it is written in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unauthorized => "unauthorized",
            Self::Forbidden => "forbidden",
            Self::NotFound => "not_found",
            Self::Invalid => "invalid",
            Self::Conflict => "conflict",
            Self::TooLarge => "too_large",
            Self::ClientTooOld => "client_too_old",
            Self::RateLimited => "rate_limited",
            Self::Unavailable => "unavailable",
            Self::Internal => "internal",
        }
    }
}
