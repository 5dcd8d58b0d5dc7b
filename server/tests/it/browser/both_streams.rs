//! Both streams of a run as one text, and both sides of a diff beside each other.

use otrace_server::testing::{TestProject, TestServer};
use otrace_wire::Sha256Digest;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::{Browser, View, site};

async fn print(server: &TestServer, project: &TestProject, stream: &str, offset: usize, text: &str) {
    let path = format!("/v1/runs/exp001/logs/{stream}?offset={offset}");
    server.app.api_raw(&project.key, "POST", &path, text.to_owned()).await.expect(200);
}

#[tokio::test]
async fn what_comes_on_either_stream_is_added_with_its_time_and_its_name() {
    let server = TestServer::start().await;
    let project = server.project("wake-word").await;
    server.app.run(&project.key, "prints").await;
    let running = json!({"status": "running"});
    server.app.api(&project.key, "PATCH", "/v1/runs/exp001", Some(running)).await.expect(200);
    print(&server, &project, "stdout", 0, "step 1\n").await;
    print(&server, &project, "stderr", 0, "<b>warned</b>\n").await;
    let site = site(&server);
    let browser = Browser::open(1440, 900, false).await;
    browser.visit(&format!("{site}/signin")).await;
    browser.be(&project.cookie).await;
    browser.visit(&format!("{site}/projects/wake-word/runs/exp001/logs?log=both")).await;
    browser.shows(&["step 1", "<b>warned</b>"]).await;
    print(&server, &project, "stdout", 7, "step 2\n").await;
    print(&server, &project, "stderr", 14, "\u{1b}[31mfailed\u{1b}[0m\n").await;
    browser.shows(&["step 2", "failed"]).await;

    let rows = "return [...document.querySelectorAll('.log li')].map((row) => [
        row.querySelector('small').textContent, row.querySelector('small + span').textContent])";
    let rows: Vec<(String, String)> = browser.script(rows, Vec::new()).await;
    let rows: Vec<(&str, &str)> = rows.iter().map(|(stream, text)| (stream.as_str(), text.as_str())).collect();
    assert_eq!(rows, [("", "step 1"), ("stderr", "<b>warned</b>"), ("", "step 2"), ("stderr", "failed")]);
    let clocks = "return [...document.querySelectorAll('.log time')].every((time) => /^\\d\\d:\\d\\d:\\d\\d$/.test(time.textContent) && time.title)";
    assert!(
        browser.script::<bool>(clocks, Vec::new()).await,
        "each line has its time, and the day when one points at it"
    );
    browser.script::<Value>("document.querySelector('.log').dataset.same = 'yes'", Vec::new()).await;
    print(&server, &project, "stdout", 14, "step 3\n").await;
    browser.shows(&["step 3"]).await;
    assert!(browser.script::<bool>("return document.querySelector('.log').dataset.same === 'yes'", Vec::new()).await);
    browser.expect_no_problems("both streams").await;
}

#[tokio::test]
async fn both_sides_of_a_diff_stand_beside_each_other_where_there_is_room_for_two() {
    const DIFF: &str = "--- a/a.py\n+++ b/a.py\n@@ -1,2 +1,2 @@\n same\n-one\n+two\n";
    let server = TestServer::start().await;
    let project = server.project("wake-word").await;
    server.app.run(&project.key, "changes").await;
    let hash = Sha256Digest::new(Sha256::digest(DIFF).into());
    server.app.api_raw(&project.key, "PUT", &format!("/v1/contents/{}", hash.hex()), DIFF).await.expect(200);
    let file = json!({"kind": "dirty_diff", "path": "a.diff", "hash": hash, "size_bytes": DIFF.len()});
    let details = json!({"snapshot": {"git_commit": "9f3c2e1", "git_dirty": true, "files": [file]}});
    server.app.api(&project.key, "PUT", "/v1/runs/exp001/details", Some(details)).await.expect(200);
    let site = site(&server);
    let browser = Browser::open(1440, 900, false).await;
    browser.visit(&format!("{site}/signin")).await;
    browser.be(&project.cookie).await;
    browser.visit(&format!("{site}/projects/wake-word/runs/exp001/code?view=split")).await;
    browser.shows(&["Before", "After", "+ two"]).await;
    let cells = "return [...document.querySelectorAll('.diff.sides tr:not(.h) td:not(.n)')]
        .filter((cell) => cell.getClientRects().length)
        .map((cell) => [cell.textContent, Math.round(cell.getBoundingClientRect().top)])";
    let wide: Vec<(String, f64)> = browser.script(cells, Vec::new()).await;
    let texts: Vec<&str> = wide.iter().map(|(text, _)| text.as_str()).collect();
    assert_eq!(texts, ["  same", "  same", "− one", "+ two"]);
    assert!((wide[2].1 - wide[3].1).abs() < 1.0, "beside each other: {wide:?}");

    browser.look_as(View { width: 390, height: 844, dark: true }).await;
    let narrow: Vec<(String, f64)> = browser.script(cells, Vec::new()).await;
    let texts: Vec<&str> = narrow.iter().map(|(text, _)| text.as_str()).collect();
    assert_eq!(texts, ["  same", "− one", "+ two"]);
    assert!(narrow.is_sorted_by(|(_, one), (_, other)| one < other), "below each other: {narrow:?}");
    let fits = "return document.documentElement.scrollWidth <= document.documentElement.clientWidth";
    assert!(browser.script::<bool>(fits, Vec::new()).await, "wider than a phone");
    browser.expect_no_problems("a diff side by side").await;
}
