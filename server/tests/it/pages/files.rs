//! The server's own files, and those that runs left behind.

use std::io::Read as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::read::GzDecoder;
use otrace_server::testing::{TestApp, TestProject, TestResponse};
use serde_json::{Value, json};

use super::{artifacts, get_with, with_run};

/// What content from outside is sent with.
const CONTENT_POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; sandbox; frame-ancestors 'self'";

const TEXT: &str = "text/plain; charset=utf-8";
const BYTES: &str = "application/octet-stream";

#[tokio::test]
async fn the_files_that_a_page_names_are_there_and_stay_with_the_browser() {
    let (app, project) = with_run().await;
    let page = app.get(&project.cookie, &format!("/projects/{}/connect", project.slug)).await.expect(200).text();
    let mut named = 0;
    for rest in page.split("=\"/static/").skip(1) {
        let path = format!("/static/{}", rest.split('"').next().unwrap());
        let file = app.get("", &path).await.expect(200);
        let content_type = match path.split('?').next().unwrap().rsplit('.').next().unwrap() {
            "css" => "text/css; charset=utf-8",
            "js" => "text/javascript; charset=utf-8",
            "svg" => "image/svg+xml",
            _ => "font/woff2",
        };
        assert_eq!(file.header("content-type"), content_type, "{path}");
        assert_eq!(file.header("x-content-type-options"), "nosniff", "{path}");
        let kept = if path.contains("?v=") { "public, max-age=31536000, immutable" } else { "public, max-age=86400" };
        assert_eq!(file.header("cache-control"), kept, "{path}");
        named += 1;
    }
    assert!(named >= 6, "the style, a font, a mark and scripts, not {named}");
}

#[tokio::test]
async fn a_file_without_its_version_is_asked_for_again_and_not_sent_twice() {
    let app = TestApp::new().await;
    let file = app.get("", "/static/trace.css").await.expect(200);
    assert_eq!(file.header("cache-control"), "no-cache");
    let known = get_with(&app, "", "/static/trace.css", ("if-none-match", file.header("etag"))).await.expect(304);
    assert!(known.body.is_empty());
    assert_eq!(known.header("etag"), file.header("etag"));
    let old =
        get_with(&app, "", "/static/trace.css?v=0123456789abcdef", ("if-none-match", "\"old\"")).await.expect(200);
    assert_eq!((old.header("cache-control"), &old.body), ("no-cache", &file.body));
}

#[tokio::test]
async fn who_takes_gzip_gets_the_same_file_smaller() {
    let app = TestApp::new().await;
    for path in ["/static/trace.css", "/static/live.js"] {
        let plain = app.get("", path).await.expect(200);
        assert_eq!(plain.header("content-encoding"), "", "{path}");
        let packed = get_with(&app, "", path, ("accept-encoding", "gzip, deflate, br")).await.expect(200);
        assert_eq!(packed.header("content-encoding"), "gzip", "{path}");
        assert!(packed.body.len() < plain.body.len(), "{path}");
        let mut unpacked = Vec::new();
        GzDecoder::new(packed.body.as_slice()).read_to_end(&mut unpacked).unwrap();
        assert!(unpacked == plain.body, "{path}");
        assert!(packed.header("vary").to_lowercase().contains("accept-encoding"), "{path}");
    }
}

#[tokio::test]
async fn no_path_leads_out_of_the_files() {
    let app = TestApp::new().await;
    for path in [
        "/static/",
        "/static/nothing.css",
        "/static/../Cargo.toml",
        "/static/%2e%2e/Cargo.toml",
        "/static/..%2fCargo.toml",
        "/static/..%5cCargo.toml",
        "/static/fonts/../../Cargo.toml",
        "/static/./trace.css",
        "/static//etc/passwd",
        "/static/%2fetc%2fpasswd",
        "/static/trace.css%00.js",
        "/static/fonts",
    ] {
        let answer = app.get("", path).await.expect(404);
        let text = answer.text();
        assert!(!text.contains("[workspace]") && !text.contains("root:") && !text.contains("[package]"), "{path}");
    }
}

/// Records one more run, with one artifact.
async fn keep(app: &TestApp, project: &TestProject, path: &str, content_type: &str, content: &[u8]) -> String {
    let run = app.run(&project.key, "keeps a file").await;
    let run = run["experiment_id"].as_str().unwrap();
    let file = json!({"original_path": path, "content_type": content_type, "content_base64": STANDARD.encode(content)});
    let details = json!({"artifacts": [file]});
    app.api(&project.key, "PUT", &format!("/v1/runs/{run}/details"), Some(details)).await.expect(200);
    let ids = artifacts(app, project, run).await;
    format!("/projects/{}/runs/{run}/artifacts/{}/raw", project.slug, ids[0])
}

#[track_caller]
fn expect_content(answer: &TestResponse, content_type: &str, disposition: &str, content: &[u8], what: &str) {
    assert_eq!(answer.header("content-type"), content_type, "{what}");
    assert!(answer.header("content-disposition").starts_with(&format!("{disposition}; filename=\"")), "{what}");
    assert_eq!(answer.header("content-security-policy"), CONTENT_POLICY, "{what}");
    assert_eq!(answer.header("x-content-type-options"), "nosniff", "{what}");
    assert_eq!(answer.header("cache-control"), "private, no-cache", "{what}");
    assert_eq!(answer.header("content-length"), content.len().to_string(), "{what}");
    assert!(answer.body == content, "{what}");
}

#[tokio::test]
async fn what_a_run_left_behind_is_never_sent_as_something_that_runs() {
    let app = TestApp::new().await;
    let project = app.project("Wake word").await;
    let script = b"<html><svg onload=alert(1)><script>alert(1)</script>";
    for (path, content_type, inline_as) in [
        ("out/page.html", "text/html", Some(TEXT)),
        ("out/PAGE.HTML", "text/html; charset=utf-8", Some(TEXT)),
        ("drawing.svg", "image/svg+xml", Some(TEXT)),
        ("code.js", "text/javascript", Some(TEXT)),
        ("style.css", "text/css", Some(TEXT)),
        ("feed.xml", "application/xml", Some(TEXT)),
        ("without an ending", "text/html", Some(TEXT)),
        ("page.xhtml", "application/xhtml+xml", None),
        ("page.htm", "image/svg+xml", None),
        ("model.bin", "text\r\n/html", None),
        // An image by its name: a browser that may not guess shows no image, and no page either.
        ("fake.png", "text/html", Some("image/png")),
        ("fake.JPG", "image/svg+xml", Some("image/jpeg")),
    ] {
        let url = keep(&app, &project, path, content_type, script).await;
        let download = app.get(&project.cookie, &url).await.expect(200);
        expect_content(&download, BYTES, "attachment", script, path);
        let shown = app.get(&project.cookie, &format!("{url}?inline")).await.expect(200);
        let disposition = if inline_as.is_some() { "inline" } else { "attachment" };
        expect_content(&shown, inline_as.unwrap_or(BYTES), disposition, script, path);
    }
}

#[tokio::test]
async fn no_name_of_a_file_breaks_its_header() {
    let app = TestApp::new().await;
    let project = app.project("Wake word").await;
    for (path, disposition) in [
        ("out/metrics.json", "attachment; filename=\"metrics.json\"; filename*=UTF-8''metrics.json"),
        (
            "we\"ird\r\nSet-Cookie: a.txt",
            "attachment; filename=\"we_ird__Set-Cookie__a.txt\"; filename*=UTF-8''we%22ird%0D%0ASet-Cookie%3A%20a.txt",
        ),
        ("数据 é.csv", "attachment; filename=\"____.csv\"; filename*=UTF-8''%E6%95%B0%E6%8D%AE%20%C3%A9.csv"),
        ("..\\..\\evil.exe", "attachment; filename=\"evil.exe\"; filename*=UTF-8''evil.exe"),
        ("a/b/", "attachment; filename=\"b\"; filename*=UTF-8''b"),
    ] {
        let url = keep(&app, &project, path, "application/octet-stream", b"x").await;
        let answer = app.get(&project.cookie, &url).await.expect(200);
        assert_eq!(answer.header("content-disposition"), disposition, "{path:?}");
        assert_eq!(answer.header("set-cookie"), "", "{path:?}");
    }
}

#[tokio::test]
async fn logs_and_captured_files_are_sent_as_they_are() {
    let (app, project) = with_run().await;
    let run = format!("/projects/{}/runs/exp001", project.slug);
    let log = app.get(&project.cookie, &format!("{run}/logs/1/raw")).await.expect(200);
    expect_content(&log, "text/plain; charset=utf-8", "inline", b"UserWarning: short clip\n", "a log");
    let diff = app.get(&project.cookie, &format!("{run}/code/0/raw")).await.expect(200);
    expect_content(&diff, "application/octet-stream", "attachment", super::DIFF.as_bytes(), "a diff");
    for path in ["logs/2/raw", "code/1/raw", "logs/-1/raw"] {
        app.get(&project.cookie, &format!("{run}/{path}")).await.expect(404);
    }
}

#[tokio::test]
async fn an_artifact_is_found_only_below_its_own_run() {
    let (app, project) = with_run().await;
    super::record(&app, &project).await;
    let ids = artifacts(&app, &project, "exp001").await;
    let base = format!("/projects/{}/runs", project.slug);
    for end in ["", "/raw"] {
        app.get(&project.cookie, &format!("{base}/exp001/artifacts/{}{end}", ids[0])).await.expect(200);
        app.get(&project.cookie, &format!("{base}/exp002/artifacts/{}{end}", ids[0])).await.expect(404);
        app.get(&project.cookie, &format!("{base}/exp001/artifacts/{}{end}", uuid::Uuid::now_v7())).await.expect(404);
        app.get(&project.cookie, &format!("{base}/exp001/artifacts/x{end}")).await.expect(404);
    }
    // Only the record of this one was sent.
    let page = app.get(&project.cookie, &format!("{base}/exp001/artifacts/{}", ids[2])).await.expect(200).text();
    assert!(page.contains("Its content was not sent to this server"), "{page}");
    app.get(&project.cookie, &format!("{base}/exp001/artifacts/{}/raw", ids[2])).await.expect(404);
    // The list of a run names each of them.
    let listed: Value = app.api(&project.key, "GET", "/v1/runs/exp001", None).await.expect(200).json();
    assert_eq!(listed["run"]["artifacts"].as_array().unwrap().len(), 3);
}
