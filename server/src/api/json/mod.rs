//! JSON bodies: cleaned while they are read, so that what the database can't hold never gets far.
//!
//! Clients send what JSON allows and PostgreSQL does not (`\u0000`, lone surrogates), and what Python
//! writes and JSON does not allow (`NaN`, `Infinity`). [`cleaner`] turns the former into U+FFFD and the
//! latter into the strings `"NaN"`, `"Infinity"` and `"-Infinity"`. Long contents go to a temporary
//! file on the way, so that a body of hundreds of megabytes takes little memory.

mod cleaner;

use axum::body::Body;
use axum::extract::{FromRequest, Request};
use futures_util::StreamExt;
use serde::de::DeserializeOwned;

use crate::app::AppState;
use crate::blobs::Spill;
use crate::error::{AppError, Result};
use cleaner::{Cleaner, LongStrings};

/// The largest body of an ordinary request, in bytes: a run's intent, setup and command at their longest.
const BODY_MAX_BYTES: u64 = 8 * 1024 * 1024;
/// Where the contents are in a run's details.
const CONTENTS: LongStrings = LongStrings { lists: &["artifacts", "logs"], keys: &["content_base64", "text_content"] };
/// What to do with details that are too large.
const LARGE_DETAILS: &str = "Record large files with \"store_content\": false, send them to /v1/contents as our own \
    otrace does, or ask who runs the server to raise OTRACE_MAX_BODY_BYTES";
/// A refusal repeats at most this much of what was wrong, in characters.
const REASON_MAX_CHARS: usize = 200;
/// The most of a body that is held in memory, long contents apart.
const DOCUMENT_MAX_BYTES: usize = 64 * 1024 * 1024;

/// The JSON body of an ordinary request.
#[derive(Debug)]
pub struct CleanJson<T>(pub T);

impl<T: DeserializeOwned> FromRequest<AppState> for CleanJson<T> {
    type Rejection = AppError;

    async fn from_request(request: Request, _: &AppState) -> Result<Self> {
        let (document, _) = read(request.into_body(), BODY_MAX_BYTES, LongStrings::NONE).await?;
        Ok(Self(parse(&document)?))
    }
}

/// Reads a run's details of at most `max_bytes`; long contents of artifacts and logs are put aside.
pub async fn read_with_contents<T: DeserializeOwned>(body: Body, max_bytes: u64) -> Result<(T, Spill)> {
    let (document, spill) = read(body, max_bytes, CONTENTS).await?;
    Ok((parse(&document)?, spill))
}

async fn read(body: Body, limit_bytes: u64, long_strings: LongStrings) -> Result<(Vec<u8>, Spill)> {
    let mut cleaner = Cleaner::new(long_strings);
    let mut length = 0;
    let mut stream = body.into_data_stream();
    while let Some(chunk) = stream.next().await {
        let chunk = chunk.map_err(|_| AppError::invalid("The request broke off before its end. Send it again."))?;
        length += chunk.len() as u64;
        if length > limit_bytes {
            let hint = if long_strings.lists.is_empty() { "Shorten its texts" } else { LARGE_DETAILS };
            return Err(AppError::TooLarge { limit_bytes, hint });
        }
        cleaner.feed(&chunk)?;
        if cleaner.document_len() > DOCUMENT_MAX_BYTES || cleaner.has_too_many_values() {
            let hint = "Send fewer results and table rows; contents of artifacts and logs do not count";
            return Err(AppError::TooLarge { limit_bytes: DOCUMENT_MAX_BYTES as u64, hint });
        }
    }
    cleaner.finish()
}

fn parse<T: DeserializeOwned>(document: &[u8]) -> Result<T> {
    // serde would take an array for a struct, by the order of its fields.
    if document.iter().find(|byte| !byte.is_ascii_whitespace()).is_some_and(|byte| *byte == b'[') {
        return Err(AppError::invalid("The request must be a JSON object, not an array."));
    }
    serde_json::from_slice(document).map_err(|error| {
        use serde_json::error::Category;
        let reason: String = error.to_string().chars().take(REASON_MAX_CHARS).collect();
        AppError::invalid(match error.classify() {
            Category::Data => format!("The request does not have the form this server takes: {reason}"),
            Category::Syntax | Category::Eof | Category::Io => format!("The request is not JSON: {reason}"),
        })
    })
}
