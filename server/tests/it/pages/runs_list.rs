//! The list of a project's runs: its pages, its rows, what it is narrowed to and sorted by.

mod acts;
mod configs;
mod curves;
mod files;

use otrace_server::testing::{TestApp, TestProject};
use serde_json::{Value, json};

use super::text_of;

async fn list(app: &TestApp, project: &TestProject, query: &str) -> String {
    text_of(&app.get(&project.cookie, &format!("/projects/{}/runs{query}", project.slug)).await.expect(200))
}

/// The runs in a list, in their order.
fn rows(page: &str) -> Vec<String> {
    page.split("<tr id=\"run-").skip(1).map(|row| row.split('"').next().unwrap().to_owned()).collect()
}

/// The numbers of these runs, newest first.
fn numbers(newest: u32, oldest: u32) -> Vec<String> {
    (oldest..=newest).rev().map(|number| format!("exp{number:03}")).collect()
}

/// Where the link with this relation leads, behind the list's address.
fn link(page: &str, rel: &str) -> Option<String> {
    let (before, _) = page.split_once(&format!("\" rel=\"{rel}\""))?;
    let href = before.rsplit("href=\"").next()?;
    Some(href.split_once("/runs")?.1.replace("&#38;", "&"))
}

/// A run with these results and tags, as it has ended.
async fn record(app: &TestApp, project: &TestProject, tags: &[&str], results: &Value) {
    let body = json!({"intent": "compare", "setup": "as before", "command": "true", "tags": tags});
    let run = app.api(&project.key, "POST", "/v1/runs", Some(body)).await.expect(200).json();
    let path = format!("/v1/runs/{}", run["run"]["experiment_id"].as_str().unwrap());
    let details = json!({"results": results, "snapshot": {"git_branch": "main"}});
    app.api(&project.key, "PUT", &format!("{path}/details"), Some(details)).await.expect(200);
    app.api(&project.key, "PATCH", &path, Some(json!({"status": "completed"}))).await.expect(200);
}

/// Four runs with an accuracy, but for the last one.
async fn four_runs() -> (TestApp, TestProject) {
    let app = TestApp::new().await;
    let project = app.project("Wake word").await;
    for (tags, accuracy) in [(&["baseline"][..], 0.91), (&["sweep", "wide"][..], 0.97), (&["sweep"][..], 0.95)] {
        let results = json!([{"name": "accuracy", "value": accuracy}, {"name": "val loss", "value": 1.0 - accuracy}]);
        record(&app, &project, tags, &results).await;
    }
    record(&app, &project, &[], &json!([{"name": "model", "value": "ResNet-50"}])).await;
    (app, project)
}

#[tokio::test]
async fn sixty_runs_are_two_pages_and_the_way_back_leads_to_the_same_rows() {
    let app = TestApp::new().await;
    let project = app.project("Wake word").await;
    for number in 1..=60 {
        app.run(&project.key, &format!("number {number}")).await;
    }
    let first = list(&app, &project, "").await;
    assert_eq!(rows(&first), numbers(60, 11));
    assert!(first.contains("50 of 60 runs") && !first.contains(">Newest</a>"), "{first}");
    assert_eq!(link(&first, "prev"), None);

    let older = link(&first, "next").unwrap();
    let second = list(&app, &project, &older).await;
    assert_eq!(rows(&second), numbers(10, 1));
    assert!(second.contains("10 of 60 runs") && second.contains(">Newest</a>"), "{second}");
    assert_eq!(link(&second, "next"), None);
    assert_eq!(rows(&list(&app, &project, &link(&second, "prev").unwrap()).await), numbers(60, 11));

    // Whatever comes and goes meanwhile.
    app.run(&project.key, "one more").await;
    app.api(&project.key, "DELETE", "/v1/runs/exp030", None).await.expect(200);
    assert_eq!(rows(&list(&app, &project, &older).await), numbers(10, 1));
    for nonsense in ["?before=x", "?after=-1&status=none", "?after=99999999999999", "?status=%00"] {
        app.get(&project.cookie, &format!("/projects/wake-word/runs{nonsense}")).await.expect(200);
    }
}

#[tokio::test]
async fn the_way_back_leads_from_runs_without_a_result_to_those_that_have_it() {
    let app = TestApp::new().await;
    let project = app.project("Wake word").await;
    for number in 1..=55 {
        if number % 5 == 0 {
            record(&app, &project, &[], &json!([{"name": "loss", "value": number}])).await;
        } else {
            app.run(&project.key, "no result").await;
        }
    }
    let first = list(&app, &project, "?sort=metrics.loss").await;
    let expected: Vec<String> = (1..=11).map(|fifth| format!("exp{:03}", fifth * 5)).collect();
    assert_eq!(rows(&first)[..11], expected, "what lacks it comes last");
    let second = list(&app, &project, &link(&first, "next").unwrap()).await;
    assert_eq!(rows(&second), ["exp006", "exp004", "exp003", "exp002", "exp001"]);
    let back = list(&app, &project, &link(&second, "prev").unwrap()).await;
    assert_eq!(rows(&back), rows(&first));
}

#[tokio::test]
async fn a_status_is_counted_and_filtered_by() {
    let app = TestApp::new().await;
    let project = app.project("Wake word").await;
    for status in ["completed", "failed", "completed", "capture_failed", "completed", "failed", "running", "created"] {
        let run = app.run(&project.key, status).await;
        let path = format!("/v1/runs/{}", run["experiment_id"].as_str().unwrap());
        app.api(&project.key, "PATCH", &path, Some(json!({"status": status}))).await.expect(200);
    }
    let all = list(&app, &project, "").await;
    for (label, count) in
        [("All runs", 8), ("Not started", 1), ("Running", 1), ("Completed", 3), ("Failed", 2), ("Capture failed", 1)]
    {
        assert!(all.contains(&format!("{label} <span class=\"count\">{count}</span>")), "{label}: {all}");
    }
    for (status, expected, range) in [
        ("completed", vec!["exp005", "exp003", "exp001"], "3 of 3 runs"),
        ("failed", vec!["exp006", "exp002"], "2 of 2 runs"),
        ("capture_failed", vec!["exp004"], "1 of 1 run"),
        ("created", vec!["exp008"], "1 of 1 run"),
    ] {
        let filtered = list(&app, &project, &format!("?status={status}")).await;
        assert_eq!(rows(&filtered), expected, "{status}");
        assert!(filtered.contains(range), "{status}: {filtered}");
        let current = format!("href=\"/projects/wake-word/runs?q=status%3A{status}\" aria-current=\"page\"");
        assert!(filtered.contains(&current), "{status}: {filtered}");
    }
    app.api(&project.key, "DELETE", "/v1/runs", None).await.expect(200);
    assert!(list(&app, &project, "?status=failed").await.contains("Nothing matches"));
    assert!(list(&app, &project, "").await.contains("No runs yet"));
}

#[tokio::test]
async fn a_query_narrows_the_list_and_each_condition_has_a_link_that_removes_it() {
    let (app, project) = four_runs().await;
    let page = list(&app, &project, "?q=tag%3Asweep+metrics.accuracy+%3E+0.96").await;
    assert_eq!(rows(&page), ["exp002"]);
    assert!(page.contains("1 of 4 runs"), "{page}");
    for (words, rest) in [("tagged sweep", "metrics.accuracy+%3E+0.96"), ("accuracy above 0.96", "tag%3Asweep")] {
        let chip = page.split("<a class=\"tag on\"").find(|chip| chip.contains(words)).unwrap();
        assert!(chip.contains(&format!("href=\"/projects/wake-word/runs?q={rest}\"")), "{words}: {chip}");
    }
    assert_eq!(rows(&list(&app, &project, "?q=tag%3Asweep+OR+model").await), ["exp004", "exp003", "exp002"]);
    assert!(list(&app, &project, "?q=nowhere").await.contains("Drop the last condition"));
}

#[tokio::test]
async fn a_query_that_can_not_be_understood_comes_back_with_the_place_where_it_is_wrong() {
    let (app, project) = four_runs().await;
    let path = "/projects/wake-word/runs?q=tag%3Asweep+stauts%3A%3Cb%3E&col=tags";
    let page = app.get(&project.cookie, path).await.expect(400).text();
    assert!(page.contains("At character 11 of the query") && page.contains("did you mean status?"), "{page}");
    assert!(page.contains("<code>tag:sweep <mark>stauts:&#60;b&#62;</mark></code>"), "{page}");
    assert!(page.contains("value=\"tag:sweep stauts:&#60;b&#62;\"") && page.contains("name=\"col\" value=\"tags\""));
    assert_eq!(rows(&page), [""; 0]);
}

#[tokio::test]
async fn columns_are_chosen_and_sorted_by() {
    let (app, project) = four_runs().await;
    let page = list(&app, &project, "?sort=-metrics.accuracy&col=metrics.val+loss&col=metrics.model&col=tags").await;
    assert_eq!(rows(&page), ["exp002", "exp003", "exp001", "exp004"]);
    let (head, body) = page.split_once("</thead>").unwrap();
    let head = head.split_once("<thead>").unwrap().1;
    assert!(head.contains("val loss") && head.contains("model") && head.contains("Tags"), "{head}");
    assert!(!head.contains("accuracy") && !head.contains("Commit") && !head.contains("Started"), "{head}");
    assert!(body.contains("ResNet-50"), "a result that is a text");
    // The first click on a head brings the best to the top, the second one turns it round.
    let usual = list(&app, &project, "").await;
    assert!(usual.contains("href=\"/projects/wake-word/runs?sort=-metrics.accuracy\""), "{usual}");
    assert!(usual.contains("href=\"/projects/wake-word/runs?sort=metrics.val+loss\""), "{usual}");
    let sorted = list(&app, &project, "?sort=-metrics.accuracy").await;
    assert!(sorted.contains("aria-sort=\"descending\"><a href=\"/projects/wake-word/runs?sort=metrics.accuracy\""));
    // A phone shows no heads: there the order is chosen by a name.
    assert!(usual.contains("<option value=\"\" selected>Newest first</option>"), "{usual}");
    assert!(usual.contains("<option value=\"metrics.val loss\">val loss, best first</option>"), "{usual}");
    assert!(sorted.contains("<option value=\"-metrics.accuracy\" selected>accuracy, best first</option>"), "{sorted}");
    let other = list(&app, &project, "?sort=-title").await;
    assert!(other.contains("<option value=\"-title\" selected>-title</option>"), "{other}");
    // So is each other column.
    for (sort, turned) in [("tag", "-tag"), ("author", "-author"), ("commit", "-commit")] {
        assert!(usual.contains(&format!("href=\"/projects/wake-word/runs?sort={sort}\"")), "{sort} in {usual}");
        let page = list(&app, &project, &format!("?sort={sort}")).await;
        let head = format!("aria-sort=\"ascending\"><a href=\"/projects/wake-word/runs?sort={turned}\"");
        assert!(page.contains(&head), "{head} in {page}");
    }
    assert_eq!(rows(&list(&app, &project, "?sort=tag").await), ["exp001", "exp002", "exp003", "exp004"]);
}

#[tokio::test]
async fn rows_stand_together_by_what_they_have_in_common() {
    let (app, project) = four_runs().await;
    let page = list(&app, &project, "?group=tag").await;
    let groups: Vec<&str> = page.split("scope=\"rowgroup\"").skip(1).collect();
    let firsts: Vec<_> =
        groups.iter().map(|group| group.split_once("<b>").unwrap().1.split_once("</b>").unwrap().0).collect();
    assert_eq!(firsts, ["No tag", "sweep", "baseline"]);
    assert_eq!(rows(groups[1]), ["exp003", "exp002"]);
    assert!(groups[1].contains("2 on this page") && groups[1].contains("/runs?q=tag%3Asweep\""), "{}", groups[1]);
    assert!(list(&app, &project, "?group=branch").await.contains("<b>main</b>"));
    assert!(list(&app, &project, "?group=parent").await.contains("<b>No parent</b>"));
}

#[tokio::test]
async fn some_rows_of_an_open_list_are_told_as_they_are_now() {
    let (app, project) = four_runs().await;
    let stranger = app.project("Another").await;
    app.run(&stranger.key, "not yours").await;
    let page = list(&app, &project, "").await;
    let (_, url) = page.split_once("data-live-rows=\"").unwrap();
    let url = url.split('"').next().unwrap().replace("&#38;", "&");
    app.api(&project.key, "DELETE", "/v1/runs/exp001", None).await.expect(200);
    let part = app.get(&project.cookie, &url).await.expect(200).text();
    assert_eq!(rows(&part), ["exp004", "exp003", "exp002"]);
    assert!(part.contains("<b class=\"best\"") && !part.contains("<main"), "{part}");
    let one = app.get(&project.cookie, "/projects/wake-word/runs/rows?ids=exp002,exp999,nonsense&col=tags").await;
    assert_eq!(rows(&one.expect(200).text()), ["exp002"]);
    app.get(&stranger.cookie, "/projects/wake-word/runs/rows?ids=exp002").await.expect(404);
}

/// What a query that ends so is completed with.
async fn words(app: &TestApp, project: &TestProject, begun: &str) -> Vec<String> {
    let begun: String = url::form_urlencoded::byte_serialize(begun.as_bytes()).collect();
    let path = format!("/projects/{}/runs/words?prefix={begun}", project.slug);
    let answer = app.get(&project.cookie, &path).await.expect(200).json();
    answer["words"].as_array().unwrap().iter().map(|word| word["text"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_query_is_completed_with_fields_and_with_what_the_runs_have() {
    let (app, project) = four_runs().await;
    let stranger = app.project("Another").await;
    for (prefix, expected) in [
        ("sta", vec!["status:", "started:"]),
        ("-status:f", vec!["-status:failed"]),
        ("tag:", vec!["tag:sweep", "tag:baseline", "tag:wide"]),
        ("tag:B", vec!["tag:baseline"]),
        ("metrics.", vec!["metrics.accuracy", "metrics.model", "metrics.\"val loss\""]),
        ("(has:metrics.los", vec!["(has:metrics.\"val loss\""]),
        ("branch:", vec!["branch:main"]),
        ("author:m", vec!["author:me"]),
        ("nothing", vec![]),
        ("tag:\0", vec![]),
    ] {
        assert_eq!(words(&app, &project, prefix).await, expected, "{prefix}");
    }
    assert_eq!(words(&app, &stranger, "tag:").await, [""; 0], "tags of another project");
}

#[tokio::test]
async fn a_row_says_what_needs_a_look_and_which_value_is_best() {
    let app = TestApp::new().await;
    let project = app.project("Wake word").await;
    for (accuracy, loss) in [(0.91, 0.30), (0.97, 0.15), (0.95, 0.12)] {
        let run = app.run(&project.key, "compare").await;
        let path = format!("/v1/runs/{}", run["experiment_id"].as_str().unwrap());
        let details = json!({
            "results": [{"name": "accuracy", "value": accuracy}, {"name": "val_loss", "value": loss}],
            "snapshot": {"git_commit": "9f3c2e1ab04d", "git_dirty": true, "missing_expected_paths": [{"path": "out/a.pt"}, {"path": "out/b.pt"}]},
        });
        app.api(&project.key, "PUT", &format!("{path}/details"), Some(details)).await.expect(200);
        app.api(&project.key, "PATCH", &path, Some(json!({"status": "completed"}))).await.expect(200);
    }
    app.run(&project.key, "killed").await;
    app.api(&project.key, "PATCH", "/v1/runs/exp004", Some(json!({"status": "failed"}))).await.expect(200);
    app.run(&project.key, "crashed").await;
    app.api(&project.key, "PATCH", "/v1/runs/exp005", Some(json!({"status": "failed", "exit_code": 2})))
        .await
        .expect(200);

    let page = list(&app, &project, "").await;
    let row = |run: &str| {
        page.split(&format!("<tr id=\"run-{run}\"")).nth(1).unwrap().split("</tr>").next().unwrap().to_owned()
    };
    let best = |value: &str| format!("<b class=\"best\" title=\"best in this list\">{value}</b>");
    assert_eq!(page.matches("class=\"best\"").count(), 2, "one of each result");
    assert!(row("exp002").contains(&best("0.97")) && row("exp003").contains(&best("0.12")), "{page}");
    assert!(row("exp001").contains("out/a.pt and 1 more not found") && row("exp001").contains("9f3c2e1<"), "{page}");
    assert!(row("exp004").contains(">failed<") && row("exp004").contains("not recorded"), "{page}");
    assert!(row("exp005").contains("exit 2"), "{page}");
    let (head, _) = page.split_once("</thead>").unwrap();
    for (name, direction) in [("accuracy", ", higher is better"), ("val_loss", ", lower is better")] {
        assert!(head.split("<th ").any(|cell| cell.contains(name) && cell.contains(direction)), "{name}: {head}");
    }
}
