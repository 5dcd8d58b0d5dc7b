//! How anything in the server says no.
//!
//! A handler returns [`AppError`]; its `IntoResponse` gives the status and carries the error in the
//! response's extensions, and the router it is mounted under renders it: JSON in [`crate::api`], a
//! page in [`crate::web`]. An internal error shows only its request id; the log has its chain.

use std::borrow::Cow;
use std::convert::Infallible;
use std::sync::Arc;

use axum::http::StatusCode;
use axum::http::header::RETRY_AFTER;
use axum::response::{IntoResponse, Response};
use metrics::counter;
use otrace_wire::ErrorCode;
use otrace_wire::version::Version;

use crate::domain::text::Invalid;

/// The result of anything that may say no to its caller.
pub type Result<T, E = AppError> = std::result::Result<T, E>;

/// Why a request is refused. Messages are one sentence that says what to do.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// Nobody is signed in, or the key is unknown, revoked or expired.
    #[error("{0}")]
    SignedOut(Cow<'static, str>),
    /// The caller is signed in, and has to prove once more who they are before they may do this.
    #[error("Confirm that it is you, then do it again.")]
    Unconfirmed,
    /// The caller is known and may not do this.
    #[error("{0}")]
    Forbidden(Cow<'static, str>),
    /// It is not there, or the caller may not know that it is: `Run not found`.
    #[error("{0} not found")]
    NotFound(&'static str),
    /// It was there, and was deleted for good.
    #[error("{0}")]
    Gone(Cow<'static, str>),
    /// The request can't be understood or breaks a rule.
    #[error("{0}")]
    Invalid(Cow<'static, str>),
    /// It contradicts what the server holds.
    #[error("{0}")]
    Conflict(Cow<'static, str>),
    /// The body is larger than the server takes.
    #[error("The request is larger than {limit_bytes} bytes, which is the most this server takes.")]
    TooLarge {
        /// The most that is taken, in bytes.
        limit_bytes: u64,
        /// What to do instead.
        hint: &'static str,
    },
    /// The CLI is older than this server speaks with.
    #[error("This otrace is version {0}, and the server needs {oldest} or newer.", oldest = Version::OLDEST_CLIENT)]
    ClientTooOld(Version),
    /// Too many requests.
    #[error("Too many requests. Try again in {retry_after_seconds} s.")]
    RateLimited {
        /// When to come back, in seconds.
        retry_after_seconds: u64,
    },
    /// There is no room for what is sent.
    #[error("The server's disk is full. What is stored is safe; whoever runs the server has to make room.")]
    DiskFull,
    /// A part that the server needs is away; the same request may pass later.
    #[error("{0}")]
    Unavailable(Cow<'static, str>),
    /// The server's own fault.
    #[error("The server failed to answer. Its log has the details under this request's id.")]
    Internal(#[source] anyhow::Error),
}

/// The error of a response, for the layers around the handler: one renders it, one logs it.
#[derive(Clone, Debug)]
pub struct ResponseError(pub Arc<AppError>);

impl AppError {
    /// A refusal because of a rule, in one sentence.
    pub fn invalid(message: impl Into<Cow<'static, str>>) -> Self {
        Self::Invalid(message.into())
    }

    /// What kind of refusal it is.
    pub const fn code(&self) -> ErrorCode {
        match self {
            Self::SignedOut(_) | Self::Unconfirmed => ErrorCode::Unauthorized,
            Self::Forbidden(_) => ErrorCode::Forbidden,
            Self::NotFound(_) | Self::Gone(_) => ErrorCode::NotFound,
            Self::Invalid(_) => ErrorCode::Invalid,
            Self::Conflict(_) => ErrorCode::Conflict,
            Self::TooLarge { .. } => ErrorCode::TooLarge,
            Self::ClientTooOld(_) => ErrorCode::ClientTooOld,
            Self::RateLimited { .. } => ErrorCode::RateLimited,
            Self::DiskFull | Self::Unavailable(_) => ErrorCode::Unavailable,
            Self::Internal(_) => ErrorCode::Internal,
        }
    }

    /// The HTTP status that tells it.
    pub const fn status(&self) -> StatusCode {
        match self {
            Self::SignedOut(_) | Self::Unconfirmed => StatusCode::UNAUTHORIZED,
            Self::Forbidden(_) => StatusCode::FORBIDDEN,
            Self::NotFound(_) => StatusCode::NOT_FOUND,
            Self::Gone(_) => StatusCode::GONE,
            Self::Invalid(_) => StatusCode::BAD_REQUEST,
            Self::Conflict(_) => StatusCode::CONFLICT,
            Self::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::ClientTooOld(_) => StatusCode::UPGRADE_REQUIRED,
            Self::RateLimited { .. } => StatusCode::TOO_MANY_REQUESTS,
            Self::DiskFull => StatusCode::INSUFFICIENT_STORAGE,
            Self::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// The sentence to show.
    pub fn message(&self) -> String {
        self.to_string()
    }

    /// What to do next, where the sentence alone does not say it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::TooLarge { hint, .. } => Some((*hint).to_owned()),
            Self::ClientTooOld(_) => Some("Install the otrace that came with the server".to_owned()),
            _ => None,
        }
    }

    /// When to come back, in seconds, for `Retry-After`.
    pub const fn retry_after_seconds(&self) -> Option<u64> {
        match self {
            Self::RateLimited { retry_after_seconds } => Some(*retry_after_seconds),
            Self::DiskFull => Some(60),
            Self::Unavailable(_) => Some(5),
            _ => None,
        }
    }
}

impl IntoResponse for AppError {
    fn into_response(self) -> Response {
        let mut response = self.status().into_response();
        if let Some(seconds) = self.retry_after_seconds() {
            response.headers_mut().insert(RETRY_AFTER, seconds.into());
        }
        response.extensions_mut().insert(ResponseError(Arc::new(self)));
        response
    }
}

/// Of extractors that always find something.
impl From<Infallible> for AppError {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

impl From<Invalid> for AppError {
    fn from(Invalid(sentence): Invalid) -> Self {
        Self::Invalid(sentence.into())
    }
}

impl From<anyhow::Error> for AppError {
    fn from(error: anyhow::Error) -> Self {
        Self::Internal(error)
    }
}

impl From<sqlx::Error> for AppError {
    fn from(error: sqlx::Error) -> Self {
        match error {
            // No connection was free, or the database is away: nothing was done, so the caller may repeat it.
            sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed | sqlx::Error::Io(_) => {
                let kind = if matches!(error, sqlx::Error::PoolTimedOut) { "pool" } else { "unreachable" };
                counter!("otrace_database_failures_total", "kind" => kind).increment(1);
                tracing::warn!(error = %error, "the database is out of reach");
                Self::Unavailable("The server's database is out of reach. Try again in a moment.".into())
            }
            sqlx::Error::Database(error) if error.code().as_deref() == Some("53100") => {
                counter!("otrace_database_failures_total", "kind" => "full").increment(1);
                tracing::error!(%error, "the database's disk is full");
                Self::DiskFull
            }
            sqlx::Error::Database(error) if error.code().is_some_and(|code| is_passing(&code)) => {
                counter!("otrace_database_failures_total", "kind" => "busy").increment(1);
                tracing::warn!(%error, "the database could not answer now");
                Self::Unavailable("The server's database is busy or restarting. Try again in a moment.".into())
            }
            other => Self::Internal(anyhow::Error::new(other).context("querying the database")),
        }
    }
}

/// Whether an SQLSTATE tells of a state that passes: no resources, shutting down, locked, timed out, deadlocked.
fn is_passing(code: &str) -> bool {
    code.starts_with("53") || code.starts_with("57P") || ["25P03", "55P03", "57014", "40P01", "40001"].contains(&code)
}

impl From<object_store::Error> for AppError {
    fn from(error: object_store::Error) -> Self {
        crate::blobs::refusal(error)
    }
}
