//! A log as a page: its colours, its parts by links, and what is found in it.

use otrace_server::testing::{TestApp, TestProject};
use serde_json::{Value, json};

/// A run whose log is this.
async fn printed(text: &str) -> (TestApp, TestProject) {
    let app = TestApp::new().await;
    let project = app.project("Wake word").await;
    app.run(&project.key, "prints").await;
    let details = json!({"logs": [{"stream": "stdout", "text_content": text}]});
    app.api(&project.key, "PUT", "/v1/runs/exp001/details", Some(details)).await.expect(200);
    (app, project)
}

async fn page(app: &TestApp, project: &TestProject, query: &str) -> String {
    app.get(&project.cookie, &format!("/projects/{}/runs/exp001/logs{query}", project.slug)).await.expect(200).text()
}

async fn answer(app: &TestApp, project: &TestProject, query: &str) -> Value {
    app.get(&project.cookie, &format!("/projects/{}/runs/exp001/logs/{query}", project.slug)).await.expect(200).json()
}

/// Looks until it is found, or nowhere.
async fn look(app: &TestApp, project: &TestProject, query: &str) -> Value {
    let mut go_on = String::new();
    loop {
        let looked = answer(app, project, &format!("find?{query}{go_on}")).await;
        let Some(next) = looked["next"].as_i64() else { return looked };
        let counted = looked["counted"].as_i64().map(|counted| format!("&counted={counted}")).unwrap_or_default();
        go_on = format!("&from={next}{counted}");
    }
}

/// Lines of six digits, so that line `n` begins at byte `7 * (n - 1)`.
fn numbered(count: usize) -> String {
    (1..=count).map(|number| format!("{number:06}\n")).collect::<Vec<_>>().concat()
}

#[tokio::test]
async fn colours_are_classes_and_what_hides_is_seen() {
    let (app, project) = printed("\u{1b}[31mred\u{1b}[0m \u{1b}[8mhidden\u{1b}]0;<b>\u{7}\u{1b}[0m <i>\n").await;
    let shown = page(&app, &project, "").await;
    assert!(
        shown.contains("<span><span class=\"t-red\">red</span><span class=\"\"> hidden &#60;i&#62;</span></span>"),
        "{shown}"
    );
    let lines = answer(&app, &project, "lines?after=0").await;
    assert_eq!(lines["lines"], json!([["red hidden <i>", "", [[3, "t-red"], [11, ""]]]]));
    assert_eq!((&lines["at"], &lines["bytes"]), (&json!([0]), &lines["next"]));
}

#[tokio::test]
async fn a_long_log_is_read_from_any_byte_on_without_a_line_twice() {
    let (app, project) = printed(&numbered(100_000)).await;
    let mut from = 0;
    for _ in 0..3 {
        let part = answer(&app, &project, &format!("lines?after={from}")).await;
        let at: Vec<u64> = part["at"].as_array().unwrap().iter().map(|at| at.as_u64().unwrap()).collect();
        assert_eq!((at.len(), at[0], at[1999]), (2000, from, from + 7 * 1999));
        from = part["next"].as_u64().unwrap();
    }
    let around = answer(&app, &project, "lines?around=350003").await;
    assert_eq!((&around["start"], &around["lines"][500]), (&json!(350_000 - 3500), &json!(["050001", ""])));
    let shown = page(&app, &project, "?at=350003").await;
    assert!(
        shown.contains("id=\"b350000\"") && shown.contains("Show earlier lines") && shown.contains("Show later lines")
    );
}

#[tokio::test]
async fn a_text_and_a_line_are_found_wherever_they_are() {
    let mut text = numbered(400_000);
    text.push_str("Loss is NaN\n");
    let (app, project) = printed(&text).await;
    let found = look(&app, &project, "q=loss%20IS").await;
    assert_eq!((&found["found"], &found["after"]), (&json!(2_800_000), &json!(2_800_012)));
    assert_eq!(answer(&app, &project, "find?q=000002&from=2799999").await["found"], Value::Null);
    assert_eq!(answer(&app, &project, "find?q=000002&from=700&back=1").await["found"], 7);
    assert_eq!(look(&app, &project, "line=300000").await["found"], 7 * 299_999);
    assert_eq!(look(&app, &project, "line=500000").await["found"], Value::Null);
    assert_eq!(look(&app, &project, "q=").await, json!({"found": null, "after": null, "next": null, "counted": null}));

    // The same without script.
    let shown = page(&app, &project, "?q=loss+is").await;
    assert!(shown.contains("<span>Loss is NaN</span>") && shown.contains("Next match"), "{shown}");
    assert!(page(&app, &project, "?q=nothing+like+it").await.contains("Not found"));
}
