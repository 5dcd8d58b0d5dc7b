//! Changes of code, line below line and side by side.

use otrace_server::testing::{TestApp, TestProject};
use otrace_wire::Sha256Digest;
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::with_run;

/// A run with an untracked file that says this.
async fn record(app: &TestApp, project: &TestProject, code: &str) {
    let created = app.run(&project.key, "does it help?").await;
    let path = format!("/v1/runs/{}/details", created["experiment_id"].as_str().unwrap());
    let hash = Sha256Digest::new(Sha256::digest(code).into());
    app.api_raw(&project.key, "PUT", &format!("/v1/contents/{}", hash.hex()), code.to_owned()).await.expect(200);
    let file = json!({"kind": "untracked", "path": "rate.py", "hash": hash, "size_bytes": code.len()});
    app.api(&project.key, "PUT", &path, Some(json!({"snapshot": {"files": [file]}}))).await.expect(200);
}

#[tokio::test]
async fn the_code_page_puts_what_was_beside_what_is_where_that_is_asked_for() {
    let (app, project) = with_run().await;
    let page = async |query: &str| {
        let path = format!("/projects/{}/runs/exp001/code{query}", project.slug);
        app.get(&project.cookie, &path).await.expect(200).text()
    };
    let unified = page("").await;
    assert!(
        unified.contains("<table class=\"diff\">") && unified.contains("code?view=split\">Side by side"),
        "{unified}"
    );
    let split = page("?view=split").await;
    let row = "<tr><td class=\"n d\">2</td><td class=\"d\">− loss = <mark>ce</mark></td>\
               <td class=\"n a\">2</td><td class=\"a\">+ loss = <mark>ce_kd</mark></td></tr>";
    assert!(split.contains(row), "{split}");
    assert!(split.contains("<td class=\"same\">  import torch</td>") && !split.contains("class=\"diff\">"), "{split}");
    assert!(page("?view=%22%3E%3Cb%3E").await.contains("<table class=\"diff\">"), "what is no view is not asked for");
}

#[tokio::test]
async fn the_comparison_does_likewise_and_its_other_links_keep_that() {
    let app = TestApp::new().await;
    let project = app.project("Wake word").await;
    record(&app, &project, "rate = 0.5 # <b>\nsteps = 1\n").await;
    record(&app, &project, "rate = 0.25 # <b>\nsteps = 1\n").await;
    let page = async |query: &str| {
        let path = format!("/projects/{}/compare?ids=exp001,exp002{query}", project.slug);
        app.get(&project.cookie, &path).await.expect(200).text()
    };
    let unified = page("").await;
    assert!(unified.contains("<table class=\"diff\">") && unified.contains("view=split#h-code"), "{unified}");
    let split = page("&view=split").await;
    for part in [
        "<table class=\"diff sides\">",
        "<td class=\"d\">− rate = 0.5 # &#60;b&#62;</td>",
        "<td class=\"a\">+ rate = 0.<mark>2</mark>5 # &#60;b&#62;</td>",
        "name=\"view\" value=\"split\"",
    ] {
        assert!(split.contains(part), "{part} in {split}");
    }
}
