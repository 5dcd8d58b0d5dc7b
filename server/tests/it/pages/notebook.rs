//! The notebook of a project: a page, and the same bytes that the command line writes.

use otrace_history::notebook::{Mode, Notebook};
use otrace_server::testing::{TestApp, TestProject};
use otrace_wire::{ExperimentId, Run};
use serde_json::{Value, json};
use time::Duration;

use super::{BAIT, text_of, with_run};

/// A project with sixty runs: three branches that go on from each other's first run, some of them learned from, some
/// deleted, and two at each moment.
async fn sixty_runs() -> (TestApp, TestProject) {
    let app = TestApp::new().await;
    let project = app.project("Wake word").await;
    for number in 1..=60_u32 {
        let parent = (number > 1).then(|| format!("exp{:03}", if number <= 4 { 1 } else { number - 3 }));
        let run = json!({"intent": format!("number {number}"), "setup": "s", "command": "true", "parent": parent});
        app.api(&project.key, "POST", "/v1/runs", Some(run)).await.expect(200);
        if number % 2 == 0 {
            app.app.clock.advance(Duration::seconds(1));
        }
    }
    for number in [1, 4, 7, 55] {
        let details = json!({
            "results": [{"kind": "scalar", "name": "accuracy", "value": 0.1 * f64::from(number)}],
            "artifacts": [{"original_path": "m.json", "type": "metrics", "size_bytes": 17}],
            "tables": [{"source_path": "t.csv", "columns": ["a"], "rows": [{"a": 1}]}],
        });
        app.api(&project.key, "PUT", &format!("/v1/runs/exp{number:03}/details"), Some(details)).await.expect(200);
        let note = json!({"text": format!("It helps. {}", if number == 7 { "#insights" } else { "#Insight" })});
        app.api(&project.key, "POST", &format!("/v1/runs/exp{number:03}/notes"), Some(note)).await.expect(200);
    }
    for gone in ["exp020", "exp055"] {
        app.api(&project.key, "DELETE", &format!("/v1/runs/{gone}"), None).await.expect(200);
    }
    (app, project)
}

/// The runs as the command line reads them.
async fn all_runs(app: &TestApp, project: &TestProject) -> Vec<Run> {
    let path = "/v1/runs?sort=number&limit=200&details=true";
    let answer = app.api(&project.key, "GET", path, None).await.expect(200).json();
    assert_eq!(answer["next_cursor"], Value::Null);
    serde_json::from_value(answer["runs"].clone()).unwrap()
}

/// The runs of a page, in their order.
fn sections(page: &str) -> Vec<String> {
    page.split("<section class=\"entry\" id=\"")
        .skip(1)
        .map(|rest| rest.split('"').next().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn the_download_is_byte_for_byte_what_the_command_line_writes() {
    let (app, project) = sixty_runs().await;
    let runs = all_runs(&app, &project).await;
    assert_eq!((runs.len(), runs[3].artifacts.len(), runs[3].tables[0].row_count), (58, 1, Some(1)));
    for (mode, active, expected) in [
        (Mode::Chronological, None, 58),
        (Mode::Insights, None, 2),
        // Up to where a deleted run parts the tree: exp001, then exp002, exp005 and so on up to exp017.
        (Mode::Branch, Some(5), 7),
        // From behind it: exp023 and so on up to exp059. The other deleted run is of another branch.
        (Mode::Branch, Some(59), 13),
    ] {
        let active = active.map(ExperimentId::new);
        let notebook = Notebook::new("Wake word", &runs, mode, active);
        assert_eq!(notebook.entries.len(), expected, "{mode} {active:?}");
        let run = active.map(|run| format!("&run={run}")).unwrap_or_default();
        let path = format!("/projects/wake-word/notebook.md?mode={mode}{run}");
        let answer = app.get(&project.cookie, &path).await.expect(200);
        assert_eq!(answer.header("content-type"), "text/markdown; charset=utf-8");
        assert_eq!(answer.text(), notebook.markdown(), "{mode} {active:?}");
    }
}

#[tokio::test]
async fn its_pages_follow_each_other_without_a_gap() {
    let (app, project) = sixty_runs().await;
    let numbers = |from: u32, to: u32| -> Vec<String> {
        (from..=to).filter(|number| ![20, 55].contains(number)).map(|number| format!("exp{number:03}")).collect()
    };
    let first = text_of(&app.get(&project.cookie, "/projects/wake-word/notebook").await.expect(200));
    assert_eq!(sections(&first), numbers(1, 51));
    assert!(first.contains("href=\"#exp051\"") && !first.contains("From the beginning"), "{first}");
    let (_, next) = first.split_once("Go on").map(|(before, _)| before.rsplit_once("href=\"").unwrap()).unwrap();
    let next = next.split('"').next().unwrap().replace("&#38;", "&");
    let second = text_of(&app.get(&project.cookie, &next).await.expect(200));
    assert_eq!(sections(&second), numbers(52, 60));
    assert!(second.contains("From the beginning") && !second.contains("Go on"), "{second}");
}

#[tokio::test]
async fn a_run_is_told_with_what_changed_against_its_parent() {
    let (app, project) = sixty_runs().await;
    let page = text_of(&app.get(&project.cookie, "/projects/wake-word/notebook?mode=insights").await.expect(200));
    assert_eq!(sections(&page), ["exp001", "exp004"]);
    for told in ["+0.3 (+300.0 %)", "goes on from <a", "<dt class=\"learned\">Learned</dt>", "t.csv: 1 row, 1 column"] {
        assert!(page.contains(told), "{told:?} is not in {page}");
    }
    let page = text_of(&app.get(&project.cookie, "/projects/wake-word/notebook?mode=branch").await.expect(200));
    assert!(page.contains("value=\"exp060\"") && page.contains("No metrics file was captured."), "{page}");
}

#[tokio::test]
async fn nothing_that_a_run_says_becomes_a_part_of_the_page() {
    let (app, project) = with_run().await;
    let note = json!({"text": format!("# {BAIT}\n\n<script>hit()</script> #insight")});
    app.api(&project.key, "POST", "/v1/runs/exp001/notes", Some(note)).await.expect(200);
    for path in ["notebook", "insights"] {
        let page = app.get(&project.cookie, &format!("/projects/wake-word/{path}")).await.expect(200).text();
        let elements = ["<script>hit", "<a href=https://evil", "<a href=\"https://evil"];
        assert!(!elements.iter().any(|element| page.contains(element)), "{path}: {page}");
    }
}

#[tokio::test]
async fn what_can_not_be_read_is_not_asked_for_and_an_unknown_run_is_not_found() {
    let app = TestApp::new().await;
    let project = app.project("Wake word").await;
    for asked in ["", "?mode=all&after=x", "?after=-9223372036854775808-1", "?mode=branch", "?mode=insights&run="] {
        let page = app.get(&project.cookie, &format!("/projects/wake-word/notebook{asked}")).await.expect(200).text();
        assert!(page.contains("Nothing here"), "{asked}: {page}");
    }
    for run in ["exp001", "nonsense", "%00"] {
        let path = format!("/projects/wake-word/notebook.md?mode=branch&run={run}");
        app.get(&project.cookie, &path).await.expect(404);
    }
}
