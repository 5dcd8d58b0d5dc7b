//! What every page is sent with, and what none of them holds.

use axum::body::Body;
use axum::http::Request;
use otrace_server::testing::{TestApp, TestResponse};

use super::{PAGE_POLICY, project_pages, with_run};

#[track_caller]
fn expect_protected(page: &TestResponse, path: &str) {
    for (name, value) in [
        ("content-security-policy", PAGE_POLICY),
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "DENY"),
        ("cache-control", "no-store"),
        ("referrer-policy", "same-origin"),
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
    ] {
        assert_eq!(page.header(name), value, "{path}: {name}");
    }
    assert_eq!(page.headers.get_all("content-security-policy").iter().count(), 1, "{path}: one policy");
}

#[tokio::test]
async fn every_page_is_sent_with_what_protects_it() {
    let (app, project) = with_run().await;
    let mut pages = project_pages(&app, &project).await;
    pages.extend(["/", "/projects/new", "/account"].map(str::to_owned));
    for path in pages {
        let page = app.get(&project.cookie, &path).await.expect(200);
        assert_eq!(page.header("content-type"), "text/html; charset=utf-8", "{path}");
        expect_protected(&page, &path);
    }
    for path in ["/", "/signin", "/signup", "/signin?next=%2Faccount"] {
        expect_protected(&app.get("", path).await.expect(200), path);
    }
    let keys = format!("/projects/{}/keys", project.slug);
    expect_protected(&app.post(&project.cookie, &keys, &[("name", "gpu-node-04")]).await.expect(200), "a new key");
    expect_protected(&app.post(&project.cookie, "/projects", &[("name", "Digits")]).await.expect(200), "a new project");
}

#[tokio::test]
async fn what_is_no_page_is_protected_as_well() {
    let (app, project) = with_run().await;
    let cookie = &project.cookie;
    let long = "x".repeat(1024 * 1024);
    for (what, status, answer) in [
        ("an unknown page", 404, app.get(cookie, "/no/such/page").await),
        ("an unknown page, for a stranger", 404, app.get("", "/no/such/page").await),
        ("an unknown run", 404, app.get(cookie, &format!("/projects/{}/runs/exp999", project.slug)).await),
        ("a run by no name of a run", 404, app.get(cookie, &format!("/projects/{}/runs/x", project.slug)).await),
        ("the way to the sign-in", 303, app.get("", "/account").await),
        ("a form with a mistake", 422, app.post("", "/signup", &[("email", "ada")]).await),
        ("a form that is too large", 413, app.post(cookie, "/projects", &[("name", &long)]).await),
        ("a method that a page does not take", 405, app.post(cookie, "/account", &[]).await),
    ] {
        let answer = answer.expect(status);
        expect_protected(&answer, what);
        assert!(!answer.text().contains("<script>"), "{what}");
    }
}

/// The tags of a page, without their brackets. Within attributes, brackets are escaped.
fn tags(html: &str) -> impl Iterator<Item = &str> {
    html.split('<').skip(1).filter_map(|rest| rest.split('>').next())
}

/// The attributes of a tag that have a value.
fn attributes(tag: &str) -> Vec<(&str, &str)> {
    let mut found = Vec::new();
    let mut rest = tag;
    while let Some((before, after)) = rest.split_once("=\"") {
        let name = before.rsplit(char::is_whitespace).next().unwrap_or_default();
        let (value, further) = after.split_once('"').unwrap_or((after, ""));
        found.push((name, value));
        rest = further;
    }
    found
}

/// Why a page would need more than its policy allows.
fn objections(html: &str) -> Vec<String> {
    let mut objections = Vec::new();
    for tag in tags(html) {
        let attributes = attributes(tag);
        let outside_of_values: String = tag.split('"').step_by(2).flat_map(|part| [part, " "]).collect();
        for (name, value) in &attributes {
            let leads =
                matches!(*name, "src" | "href" | "action" | "formaction" | "srcset" | "poster" | "data" | "xlink:href");
            let is_local = value.starts_with('#') || (value.starts_with('/') && !value.starts_with("//"));
            if name.starts_with("on") || *name == "style" || (leads && !is_local) {
                objections.push(format!("<{tag}>"));
            }
        }
        let is_script = tag.starts_with("script");
        if tag.starts_with("style") || (is_script && !attributes.iter().any(|(name, _)| *name == "src")) {
            objections.push(format!("<{tag}>"));
        }
        if outside_of_values.split_whitespace().skip(1).any(|word| word.contains('=') && !word.ends_with('=')) {
            objections.push(format!("a value without quotes: <{tag}>"));
        }
    }
    if html.matches("<script").count() != html.matches("\"></script>").count() {
        objections.push("a script within the page".to_owned());
    }
    objections
}

#[test]
fn the_search_for_what_a_page_must_not_hold_finds_it() {
    for html in [
        "<p style=\"color: red\">",
        "<a href=\"https://example.org/\">",
        "<img src=\"//example.org/x\">",
        "<b onclick=\"x()\">",
        "<b onclick=x()>",
        "<script>x()</script>",
        "<style>p {}</style>",
        "<script src=\"/a.js\">x()</script>",
        "<form action=\"javascript:x()\">",
    ] {
        assert!(!objections(html).is_empty(), "{html}");
    }
    assert_eq!(
        objections("<script type=\"module\" src=\"/static/a.js?v=1\"></script><a href=\"#x\" hidden>style= on</a>"),
        [""; 0]
    );
}

#[tokio::test]
async fn no_page_holds_a_script_a_style_or_anything_of_another_site() {
    let (app, project) = with_run().await;
    let mut pages = project_pages(&app, &project).await;
    pages.extend(["/", "/projects/new", "/account", "/no/such/page"].map(str::to_owned));
    for path in pages {
        let page = app.get(&project.cookie, &path).await.text();
        assert_eq!(objections(&page), [""; 0], "{path}");
    }
    for path in ["/", "/signin", "/signup", "/no/such/page"] {
        assert_eq!(objections(&app.get("", path).await.text()), [""; 0], "{path}");
    }
}

#[tokio::test]
async fn an_error_page_does_not_say_the_path_again() {
    let (app, project) = with_run().await;
    for path in
        ["/marker-7%3Cb%3E", "/projects/marker-7/runs", "/projects/current-marker-7", "/static2/marker-7?marker-7"]
    {
        let stranger = app.get("", path).await;
        assert!(!stranger.text().contains("marker-7"), "{path}");
        // The theme's form has to know where to come back to; nothing else does.
        let page = app.get(&project.cookie, path).await.expect(404).text();
        let (before, after) = page.split_once("name=\"next\" value=\"").unwrap();
        let (next, after) = after.split_once('"').unwrap();
        assert!(!before.contains("marker-7") && !after.contains("marker-7"), "{path}: {page}");
        assert!(next.starts_with('/') && !next.contains(['<', '>']), "{next}");
    }
}

#[tokio::test]
async fn a_refused_form_of_another_site_is_answered_with_a_page_that_says_so() {
    let app = TestApp::new().await;
    let cookie = app.account("ada@example.org").await;
    let request = Request::post("/signout")
        .header("cookie", &cookie)
        .header("sec-fetch-site", "cross-site")
        .body(Body::empty())
        .unwrap();
    let answer = app.send(request).await.expect(403);
    expect_protected(&answer, "a refused form");
    assert!(answer.text().contains("The form came from another site."));
}
