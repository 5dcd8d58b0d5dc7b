//! Text from outside is text, whatever it looks like.

use otrace_server::testing::{PASSWORD, TestApp, TestServer};
use serde_json::{Value, json};

use super::contents::sha256;
use super::demo::{Message, message, new_project, rule, webhook};
use super::{Browser, site};

/// Runs wherever markup is believed, and ends attributes, elements and comments on the way.
const BAIT: &str = r#"--></pre></title>"'><script>window.__hit=1</script><img src=x onerror="window.__hit=2"><svg onload=window.__hit=3>"#;

/// An address, as far as anyone can tell.
const EMAIL: &str = "<script>window.__hit=1</script>@example.org";

/// What of it must be seen, as text.
const SEEN: &str = "<script>window.__hit=1</script>";

/// The bait behind what a terminal would act on: a colour, a title, a link, a clipboard write; and a turn of direction.
fn hostile(name: &str) -> String {
    format!(
        "\u{1b}[31m\u{1b}]0;title\u{7}\u{1b}]8;;javascript:window.__hit=4\u{1b}\\\u{1b}]52;c;ZXZpbA==\u{7}\u{202e}{name} {BAIT}\u{2066}"
    )
}

/// What is wrong with a page: something ran, something of the bait became an element, or a control is left.
const CAUGHT: &str = "
    const caught = [];
    if (window.__hit !== undefined) caught.push(`something ran: ${window.__hit}`);
    if (document.querySelector('script:not([src]), img[src=x], svg[onload], [onerror]')) caught.push('the bait is an element');
    if ([...document.links].some((link) => !link.href.startsWith(location.origin))) caught.push('a link leads away');
    const text = document.title + document.body.textContent;
    if (/[\\u0000-\\u0008\\u000b-\\u001f\\u007f-\\u009f\\u202a-\\u202e\\u2066-\\u2069]/.test(text)) caught.push('a control is left');
    const words = text.replace(/\\s+/g, ' ');
    caught.push(...arguments[0].filter((wanted) => !words.includes(wanted)).map((wanted) => `missing: ${wanted}`));
    if (!text.includes('<script>window.__hit=1</script>')) caught.push('the project is missing');
    return caught;
";

#[tokio::test]
async fn text_from_outside_runs_nothing_and_is_shown_as_it_is() {
    let server = TestServer::start().await;
    let person = [("name", "<img src=x onerror=window.__hit=1>"), ("email", EMAIL), ("password", PASSWORD)];
    let cookie = TestApp::cookie_of(&server.app.post("", "/signup", &person).await.expect(303));
    let name = "<script>window.__hit=1</script>\u{202e}";
    let (base, key) = new_project(&server.app, &cookie, name, &hostile("description")).await;
    server.app.post(&cookie, &format!("{base}/keys"), &[("name", "<script>window.__hit=1</script>")]).await.expect(200);
    record(&server.app, &key).await;
    rule(&server.app, &cookie, &base, &format!("\u{202e}rule {BAIT}"), &format!("\u{202e}path {BAIT}\u{2066}"), 30)
        .await;
    let hook = webhook(&server.app, &base, SEEN, "https://hooks.example.org/", None).await;
    let (answer, error) = (hostile("answer"), hostile("error"));
    let told = Message {
        event: "run.failed",
        run: 1,
        hours_ago: 1,
        attempts: 1,
        status: Some(500),
        answer: Some(&answer),
        error: Some(&error),
        waits: false,
    };
    message(&server.app, hook, told).await;
    let artifacts = server.get_json(&key, "/v1/runs/exp001/artifacts").await["artifacts"].clone();
    let artifacts: Vec<&str> = artifacts.as_array().unwrap().iter().map(|file| file["id"].as_str().unwrap()).collect();

    let browser = Browser::open(1440, 900, false).await;
    browser.visit(&format!("{}/signin", site(&server))).await;
    browser.be(&cookie).await;
    let hook = (format!("{base}/settings/webhooks/{hook}"), "answer error");
    for (page, wanted) in pages(&base, &artifacts).into_iter().chain([hook]) {
        browser.visit(&format!("{}{page}", site(&server))).await;
        let wanted: Vec<String> = wanted.split_whitespace().map(|name| format!("{name} {BAIT}")).collect();
        let caught: Vec<String> = browser.script(CAUGHT, vec![json!(wanted)]).await;
        assert!(caught.is_empty(), "{page}: {caught:?}\n{}", browser.driver.source().await.unwrap());
        browser.expect_no_problems(&page).await;
    }

    // A page or a drawing that someone kept is read, not run, even when it is opened by its own address.
    for id in &artifacts {
        browser.visit(&format!("{}{base}/runs/exp001/artifacts/{id}/raw?inline", site(&server))).await;
        let read: (String, Option<i64>, String) = browser
            .script("return [document.contentType, window.__hit ?? null, document.body.textContent]", Vec::new())
            .await;
        assert_eq!((read.0.as_str(), read.1), ("text/plain", None));
        assert!(read.2.contains(SEEN), "{}", read.2);
    }
}

/// The pages of the run and of its project, and which texts each of them shows.
fn pages(base: &str, artifacts: &[&str]) -> Vec<(String, &'static str)> {
    let run = format!("{base}/runs/exp001");
    let overview = "title intent setup command tag directory expected log metric value source kind branch remote \
        dependency python platform host";
    let mut pages = vec![
        ("/".to_owned(), "title"),
        ("/account".to_owned(), ""),
        (format!("{base}/runs"), "title intent tag description"),
        (format!("{base}/runs?status=created"), "title"),
        (format!("{base}/connect"), ""),
        (format!("{base}/keys"), ""),
        (format!("{base}/members"), ""),
        (format!("{base}/audit"), ""),
        (format!("{base}/settings/storage"), "title rule path"),
        (format!("{base}/settings/webhooks"), ""),
        ("/admin/accounts".to_owned(), ""),
        ("/admin/projects".to_owned(), ""),
        ("/admin/audit".to_owned(), ""),
        (run.clone(), overview),
        (format!("{run}/logs"), "title line file"),
        (format!("{run}/logs?log=1&wrap=1"), "line file"),
        (format!("{run}/artifacts"), "kind missing"),
        (format!("{run}/tables"), "table rows column cell"),
        (format!("{run}/code"), "branch remote changed dependency"),
    ];
    pages.extend(artifacts.iter().map(|id| (format!("{run}/artifacts/{id}"), "kind")));
    pages
}

#[tokio::test]
async fn an_address_from_outside_is_not_repeated_as_markup() {
    let server = TestServer::start().await;
    let browser = Browser::open(390, 844, false).await;
    for path in [
        "/%3Cscript%3Ewindow.__hit=1%3C/script%3E",
        "/signin?next=%22%3E%3Cscript%3Ewindow.__hit=1%3C/script%3E",
        "/signin?next=javascript:window.__hit=1",
        "/projects/%3Cimg%20src=x%20onerror=window.__hit=1%3E/runs",
    ] {
        browser.visit(&format!("{}{path}", site(&server))).await;
        let hit: Value = browser.script("return window.__hit ?? null", Vec::new()).await;
        let found: bool =
            browser.script("return document.querySelector('script:not([src]), img[src=x]') !== null", Vec::new()).await;
        assert!(hit.is_null() && !found, "{path}");
        browser.expect_no_problems(path).await;
    }
}

/// Records a run in which every text is hostile.
async fn record(app: &TestApp, key: &str) {
    let creation = json!({
        "title": hostile("title"), "intent": hostile("intent"), "setup": hostile("setup"), "command": hostile("command"),
        "tags": [hostile("tag")], "working_directory": hostile("directory"), "recorder": hostile("recorder"),
        "expected_artifact_paths": [hostile("expected")], "expected_log_paths": [hostile("log")],
    });
    app.api(key, "POST", "/v1/runs", Some(creation)).await.expect(200);
    let bait = hostile("changed");
    let diff = format!("--- a/{bait}\n+++ b/{bait}\n@@ -1,2 +1,2 @@ {bait}\n {bait}\n-{bait}\n+{bait} more\n{bait}\n");
    let hash = sha256(&diff);
    app.api_raw(key, "PUT", &format!("/v1/contents/{hash}"), diff.clone()).await.expect(200);
    let page = format!("<!doctype html><html><body>{BAIT}</body></html>");
    let drawing = format!("<svg xmlns=\"http://www.w3.org/2000/svg\"><script>window.__hit=1</script>{BAIT}</svg>");
    let file = |name: &str, content_type: &str, text: &str| json!({"original_path": format!("{BAIT}/{name}"), "content_type": content_type, "text_content": text, "type": hostile("kind")});
    let details = json!({
        "artifacts": [
            file("page.html", "text/html", &page),
            file("drawing.svg", "image/svg+xml", &drawing),
            file("script.js", "text/javascript", &format!("window.__hit = 1 // {SEEN}")),
            file("unnamed", "text/html; charset=utf-8", &page),
        ],
        "results": [{"name": hostile("metric"), "value": hostile("value"), "source_path": hostile("source")}],
        "tables": [{"title": hostile("table"), "source_path": hostile("rows"), "columns": [hostile("column")], "rows": [{(hostile("column")): hostile("cell")}]}],
        "logs": [
            {"stream": "stdout", "text_content": format!("{}\nError: {}\n", hostile("line"), hostile("line"))},
            {"stream": "log", "path": hostile("file"), "text_content": hostile("line")},
        ],
        "snapshot": {
            "git_commit": hostile("commit"), "git_branch": hostile("branch"), "git_remote_url": hostile("remote"), "git_dirty": true,
            "dependency_files": [hostile("dependency")], "python_version": hostile("python"), "platform": hostile("platform"),
            "hostname": hostile("host"), "missing_expected_paths": [{"path": hostile("missing"), "type": "artifact"}],
            "files": [{"kind": "dirty_diff", "path": hostile("diff"), "hash": format!("sha256:{hash}"), "size_bytes": diff.len()}],
        },
    });
    app.api(key, "PUT", "/v1/runs/exp001/details", Some(details)).await.expect(200);
}
