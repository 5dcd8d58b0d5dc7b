//! The style, the fonts and the scripts, from the binary.
//!
//! Pages name them with the hash of their content, `/static/trace.css?v=…`, so a browser keeps them
//! for a year and still has the new ones after an update.

use crate::extract::{Path, Query};
use std::borrow::Cow;
use std::collections::HashMap;
use std::io::Write;
use std::sync::LazyLock;

use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use rust_embed::RustEmbed;
use serde::Deserialize;

const FOREVER: &str = "public, max-age=31536000, immutable";
const ONE_DAY: &str = "public, max-age=86400";
const ASK_AGAIN: &str = "no-cache";

#[derive(RustEmbed)]
#[folder = "../static"]
struct Files;

/// A file, ready to be sent.
struct Asset {
    content_type: &'static str,
    /// The first characters of its hash.
    version: String,
    plain: Bytes,
    /// The same, compressed; `None` where that would gain nothing.
    gzip: Option<Bytes>,
}

/// All files by their path. Made once, so that each is compressed once.
static ASSETS: LazyLock<HashMap<String, Asset>> = LazyLock::new(|| {
    let files = Files::iter().filter_map(|path| Some((path.to_string(), Asset::read(&path)?)));
    files.collect()
});

impl Asset {
    fn read(path: &str) -> Option<Self> {
        let file = Files::get(path)?;
        let head = file.metadata.sha256_hash().first_chunk::<8>().copied().unwrap_or_default();
        let version = format!("{:016x}", u64::from_be_bytes(head));
        let plain = match file.data {
            Cow::Borrowed(data) => Bytes::from_static(data),
            Cow::Owned(data) => Bytes::from(data),
        };
        let content_type = content_type(path);
        let gzip = if content_type.starts_with("font/") { None } else { compressed(&plain) };
        Some(Self { content_type, version, plain, gzip })
    }
}

fn compressed(plain: &[u8]) -> Option<Bytes> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(plain).ok()?;
    let packed = encoder.finish().ok()?;
    (packed.len() < plain.len()).then(|| Bytes::from(packed))
}

fn content_type(path: &str) -> &'static str {
    match path.rsplit_once('.').map_or("", |(_, extension)| extension) {
        "css" => "text/css; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "woff2" => "font/woff2",
        "txt" | "md" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

/// Where a page finds a file: `/static/trace.css?v=…`.
pub fn url(path: &str) -> String {
    match ASSETS.get(path) {
        Some(asset) => format!("/static/{path}?v={}", asset.version),
        None => format!("/static/{path}"),
    }
}

/// `?v=…`.
#[derive(Deserialize)]
pub struct Version {
    v: Option<String>,
}

/// `GET /static/{*path}`
pub async fn show(Path(path): Path<String>, Query(version): Query<Version>, request: HeaderMap) -> Response {
    let Some(asset) = ASSETS.get(&path) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let etag = format!("\"{}\"", asset.version);
    let cache = if version.v.as_ref() == Some(&asset.version) {
        FOREVER
    } else if asset.content_type.starts_with("font/") {
        // The style names fonts without a version.
        ONE_DAY
    } else {
        ASK_AGAIN
    };
    let known = names(&request, header::IF_NONE_MATCH, &etag);
    let headers = [(header::CACHE_CONTROL, cache), (header::VARY, "accept-encoding")];
    if known {
        return (StatusCode::NOT_MODIFIED, headers, [(header::ETAG, etag)]).into_response();
    }
    let mut response = (headers, [(header::ETAG, etag)], asset.plain.clone()).into_response();
    if let Some(gzip) = asset.gzip.clone().filter(|_| names(&request, header::ACCEPT_ENCODING, "gzip")) {
        *response.body_mut() = gzip.into();
        response.headers_mut().insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(asset.content_type));
    response
}

/// Whether a header that lists things names this one.
fn names(request: &HeaderMap, field: HeaderName, wanted: &str) -> bool {
    let values = request.get_all(field).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|list| list.split(',')).any(|item| {
        let (name, weight) = item.split_once(';').unwrap_or((item, ""));
        name.trim().trim_start_matches("W/") == wanted && weight.trim() != "q=0"
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_pages_name_is_there() {
        for path in [
            "trace.css",
            "trace-mark.svg",
            "address.js",
            "copy.js",
            "jump.js",
            "charts.js",
            "compare.js",
            "curves.js",
            "lineage.js",
            "live.js",
            "log.js",
            "vendor/uplot/uPlot.iife.min.js",
            "vendor/uplot/uPlot.min.css",
            "run.js",
            "runs.js",
            "strip.js",
            "draft.js",
            "filter.js",
            "times.js",
            "words.js",
            "fonts/newsreader.woff2",
        ] {
            assert!(url(path).contains("?v="), "{path}");
        }
        assert_eq!(url("nothing.css"), "/static/nothing.css");
    }

    #[test]
    fn text_is_compressed_and_fonts_are_not() {
        assert!(ASSETS["trace.css"].gzip.as_ref().is_some_and(|gzip| gzip.len() < ASSETS["trace.css"].plain.len() / 3));
        assert!(ASSETS["fonts/newsreader.woff2"].gzip.is_none());
    }

    #[tokio::test]
    async fn a_version_is_kept_for_ever_and_a_bare_name_is_asked_for_again() {
        let request = |version: Option<&str>| {
            show(Path("trace.css".to_owned()), Query(Version { v: version.map(str::to_owned) }), HeaderMap::new())
        };
        let kept = request(Some(&ASSETS["trace.css"].version)).await;
        assert_eq!(kept.headers()[header::CACHE_CONTROL], FOREVER);
        assert_eq!(kept.headers()[header::CONTENT_TYPE], "text/css; charset=utf-8");
        assert_eq!(request(Some("old")).await.headers()[header::CACHE_CONTROL], ASK_AGAIN);
        assert_eq!(request(None).await.headers()[header::CACHE_CONTROL], ASK_AGAIN);
    }

    #[tokio::test]
    async fn who_takes_gzip_gets_it_and_who_has_it_gets_nothing() {
        let version = &ASSETS["trace.css"].version;
        let ask = |name: HeaderName, value: String| {
            let headers = HeaderMap::from_iter([(name, HeaderValue::from_str(&value).unwrap())]);
            show(Path("trace.css".to_owned()), Query(Version { v: None }), headers)
        };
        let packed = ask(header::ACCEPT_ENCODING, "br, gzip;q=0.8".to_owned()).await;
        assert_eq!(packed.headers()[header::CONTENT_ENCODING], "gzip");
        let plain = ask(header::ACCEPT_ENCODING, "gzip;q=0".to_owned()).await;
        assert!(!plain.headers().contains_key(header::CONTENT_ENCODING));
        let known = ask(header::IF_NONE_MATCH, format!("\"{version}\"")).await;
        assert_eq!(known.status(), StatusCode::NOT_MODIFIED);
    }
}
