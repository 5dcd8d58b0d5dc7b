//! Answering with the bytes of a content: all of them, or the range that is asked for, so that a broken download
//! goes on where it stopped.

use std::ops::Range;

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use http_range_header::parse_range_header;
use otrace_wire::Sha256Digest;

use crate::app::AppState;
use crate::domain::ProjectId;
use crate::error::Result;
use crate::services;

/// The content, as the request's `Range`, `If-Range` and `If-None-Match` want it. What type it is, and whether it is
/// shown, is the caller's to say.
pub async fn content_response(
    app: &AppState,
    project_id: ProjectId,
    digest: &Sha256Digest,
    asked: &HeaderMap,
) -> Result<Response> {
    let size = services::contents::size(app, project_id, digest).await?;
    let tag = HeaderValue::try_from(format!("\"{}\"", digest.hex())).map_err(anyhow::Error::new)?;
    let mut headers = HeaderMap::new();
    headers.insert(header::ETAG, tag.clone());
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    if asked.get(header::IF_NONE_MATCH) == Some(&tag) {
        return Ok((StatusCode::NOT_MODIFIED, headers).into_response());
    }
    let (status, range) = match wanted(asked, &tag, size) {
        Wanted::All => (StatusCode::OK, 0..size),
        Wanted::Part(range) => {
            let told = format!("bytes {}-{}/{size}", range.start, range.end - 1);
            headers.insert(header::CONTENT_RANGE, HeaderValue::try_from(told).map_err(anyhow::Error::new)?);
            (StatusCode::PARTIAL_CONTENT, range)
        }
        Wanted::Beyond => {
            let told = HeaderValue::try_from(format!("bytes */{size}")).map_err(anyhow::Error::new)?;
            headers.insert(header::CONTENT_RANGE, told);
            return Ok((StatusCode::RANGE_NOT_SATISFIABLE, headers).into_response());
        }
    };
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(range.end - range.start));
    let content = services::contents::read(app, project_id, digest, Some(range)).await?;
    Ok((status, headers, Body::from_stream(content)).into_response())
}

#[derive(Debug, PartialEq, Eq)]
enum Wanted {
    All,
    Part(Range<u64>),
    Beyond,
}

/// What is not understood is answered with everything, and so are several ranges at once.
fn wanted(asked: &HeaderMap, tag: &HeaderValue, size: u64) -> Wanted {
    let is_of_another = asked.get(header::IF_RANGE).is_some_and(|condition| condition != tag);
    let range = asked.get(header::RANGE).filter(|_| !is_of_another).and_then(|range| range.to_str().ok());
    let Some(parsed) = range.and_then(|range| parse_range_header(range).ok()) else { return Wanted::All };
    match parsed.validate(size).as_deref() {
        Ok([range]) => Wanted::Part(*range.start()..range.end() + 1),
        Ok(_) => Wanted::All,
        Err(_) => Wanted::Beyond,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wants(range: &str, condition: Option<&'static str>) -> Wanted {
        let mut asked = HeaderMap::new();
        asked.insert(header::RANGE, HeaderValue::try_from(range).unwrap());
        if let Some(condition) = condition {
            asked.insert(header::IF_RANGE, HeaderValue::from_static(condition));
        }
        wanted(&asked, &HeaderValue::from_static("\"abc\""), 100)
    }

    #[test]
    fn a_range_is_what_it_says_within_the_content() {
        assert_eq!(wants("bytes=0-9", None), Wanted::Part(0..10));
        assert_eq!(wants("bytes=90-", None), Wanted::Part(90..100));
        assert_eq!(wants("bytes=-5", None), Wanted::Part(95..100));
        assert_eq!(wants("bytes=10-19", Some("\"abc\"")), Wanted::Part(10..20));
    }

    #[test]
    fn a_range_of_something_else_or_that_is_not_understood_gives_everything() {
        for range in ["lines=1-2", "bytes=", "bytes=x", "nonsense", "bytes=0-1,5-6"] {
            assert_eq!(wants(range, None), Wanted::All, "{range}");
        }
        assert_eq!(wants("bytes=0-9", Some("\"another\"")), Wanted::All);
    }

    #[test]
    fn a_range_beyond_the_end_is_refused() {
        assert_eq!(wants("bytes=100-", None), Wanted::Beyond);
        assert_eq!(wants("bytes=9-3", None), Wanted::Beyond);
    }
}
