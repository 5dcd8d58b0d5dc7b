//! A log that grows while somebody reads it.

use otrace_server::testing::{TestProject, TestServer};
use serde_json::{Value, json};

use super::{Browser, site};

/// Whether the log's last line is in sight.
const SEES_END: &str = "
    const log = document.querySelector('.log');
    return log.scrollHeight - log.scrollTop - log.clientHeight < 24";

async fn print(server: &TestServer, project: &TestProject, text: &str) {
    let end: u64 = {
        let answer = server.app.api_raw(&project.key, "POST", "/v1/runs/exp001/logs/stdout?offset=0", "").await;
        answer.expect(200).json()["next_offset"].as_u64().unwrap()
    };
    let path = format!("/v1/runs/exp001/logs/stdout?offset={end}");
    server.app.api_raw(&project.key, "POST", &path, text.to_owned()).await.expect(200);
}

async fn running(server: &TestServer) -> TestProject {
    let project = server.project("wake-word").await;
    server.app.run(&project.key, "prints").await;
    let running = json!({"status": "running"});
    server.app.api(&project.key, "PATCH", "/v1/runs/exp001", Some(running)).await.expect(200);
    project
}

fn numbered(lines: std::ops::RangeInclusive<u32>) -> String {
    lines.map(|line| format!("line {line}\n")).collect::<Vec<_>>().concat()
}

#[tokio::test]
async fn what_is_printed_appears_at_the_end_and_who_reads_further_up_is_left_there() {
    let server = TestServer::start().await;
    let project = running(&server).await;
    print(&server, &project, &numbered(1..=100)).await;
    let site = site(&server);
    let browser = Browser::open(1440, 900, false).await;
    browser.visit(&format!("{site}/signin")).await;
    browser.be(&project.cookie).await;
    browser.visit(&format!("{site}/projects/wake-word/runs/exp001/logs")).await;
    browser.wait_for("the log's end", SEES_END, &[]).await;
    browser.script::<Value>("document.querySelector('.log').dataset.same = 'yes'", Vec::new()).await;

    // A progress bar is one line that changes.
    print(&server, &project, " 10%\r 20%").await;
    browser.shows(&["20%"]).await;
    print(&server, &project, "\r100%\n\u{1b}[31mline 102\u{1b}[0m\n<b>no markup</b>\n").await;
    browser.shows(&["100%", "line 102", "<b>no markup</b>"]).await;
    let rows = "return [...document.querySelectorAll('.log li')].slice(-3).map((line) => line.textContent)";
    let rows: Vec<String> = browser.script(rows, Vec::new()).await;
    assert_eq!(rows, ["101100%", "102line 102", "103<b>no markup</b>"]);
    browser.wait_for("the log's end", SEES_END, &[]).await;

    browser.script::<Value>("document.querySelector('.log').scrollTop = 0", Vec::new()).await;
    browser.wait_for("the first line", "return document.querySelector('.log').scrollTop === 0", &[]).await;
    print(&server, &project, &numbered(104..=110)).await;
    browser.shows(&["line 110", "Jump to the last line (7 new)"]).await;
    let place: f64 = browser.script("return document.querySelector('.log').scrollTop", Vec::new()).await;
    assert!(place.abs() < 1.0, "the reader was moved to {place}");
    browser.press("[data-to-end]").await;
    browser.wait_for("the log's end", SEES_END, &[]).await;
    let same: bool = browser.script("return document.querySelector('.log').dataset.same === 'yes'", Vec::new()).await;
    assert!(same, "the log was made anew");
    browser.expect_no_problems("a log that grows").await;
}

#[tokio::test]
async fn what_is_left_out_of_a_long_log_comes_when_it_is_asked_for() {
    let server = TestServer::start().await;
    let project = running(&server).await;
    print(&server, &project, &numbered(1..=5000)).await;
    let site = site(&server);
    let browser = Browser::open(1440, 900, false).await;
    browser.visit(&format!("{site}/signin")).await;
    browser.be(&project.cookie).await;
    browser.visit(&format!("{site}/projects/wake-word/runs/exp001/logs")).await;
    browser.shows(&["line 200", "line 3001", "line 5000", "between are not shown"]).await;
    let count = "return document.querySelectorAll('.log li').length === arguments[0]";
    browser.wait_for("the first lines and the last", count, &[json!(2200)]).await;
    browser.script::<Value>("document.querySelector('[data-before]').click()", Vec::new()).await;
    browser.wait_for("earlier lines", count, &[json!(4200)]).await;
    browser.script::<Value>("document.querySelector('[data-before]').click()", Vec::new()).await;
    browser.wait_for("all lines", count, &[json!(5000)]).await;
    let gap: bool = browser.script("return document.querySelector('.log .gap') === null", Vec::new()).await;
    assert!(gap, "something is still left out");
    let rows = "return [...document.querySelectorAll('.log li span')].every((line, index) => line.textContent === `line ${index + 1}`)";
    assert!(browser.script::<bool>(rows, Vec::new()).await, "all lines in their order");
    browser.expect_no_problems("a long log").await;
}
