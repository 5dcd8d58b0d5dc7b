//! Runs side by side.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use otrace_server::testing::{TestApp, TestProject};
use otrace_wire::Sha256Digest;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::text_of;

/// Records a run with a config, an untracked file, a series and a result; its number is the project's next.
async fn record(app: &TestApp, project: &TestProject, title: &str, lr: &str, accuracy: f64) {
    let creation =
        json!({"title": title, "intent": "Which is best?", "setup": "as before", "command": "python3 train.py"});
    let created = app.api(&project.key, "POST", "/v1/runs", Some(creation)).await.expect(200).json();
    let path = format!("/v1/runs/{}", created["run"]["experiment_id"].as_str().unwrap());
    let code = format!("rate = {lr}\n");
    let hash = Sha256Digest::new(Sha256::digest(&code).into());
    app.api_raw(&project.key, "PUT", &format!("/v1/contents/{}", hash.hex()), code.clone()).await.expect(200);
    let details = json!({
        "artifacts": [{
            "original_path": "configs/base.yaml", "type": "config", "content_type": "text/yaml",
            "text_content": format!("seed: 1\noptimizer:\n  lr: {lr}\n"),
        }],
        "results": [
            {"kind": "scalar", "name": "accuracy", "value": accuracy},
            {"kind": "scalar", "name": "=cmd()", "value": "-x"},
        ],
        "snapshot": {
            "git_commit": "9f3c2e1ab04d77c1e5f8a2b6d9034c17e8fb5521", "python_version": "3.12.4",
            "files": [{"kind": "untracked", "path": "rate.py", "hash": hash, "size_bytes": code.len()}],
        },
    });
    app.api(&project.key, "PUT", &format!("{path}/details"), Some(details)).await.expect(200);
    let points: Vec<Value> = (0..3).map(|step| json!({"name": "val/loss", "step": step, "value": accuracy})).collect();
    let batch = json!({"batches": [{"source": "metrics", "first": 0, "points": points}]});
    app.api(&project.key, "POST", &format!("{path}/series"), Some(batch)).await.expect(200);
}

async fn with_two() -> (TestApp, TestProject) {
    let app = TestApp::new().await;
    let project = app.project("Wake word").await;
    record(&app, &project, "Baseline", "0.5", 0.5).await;
    record(&app, &project, "Slower", "0.25", 0.75).await;
    (app, project)
}

async fn compare(app: &TestApp, project: &TestProject, query: &str) -> String {
    text_of(&app.get(&project.cookie, &format!("/projects/{}/compare?{query}", project.slug)).await.expect(200))
}

#[tokio::test]
async fn what_differs_stands_side_by_side_with_the_best_result_marked() {
    let (app, project) = with_two().await;
    let page = compare(&app, &project, "ids=exp001,exp002").await;
    let row = "optimizer.lr</th><td class=\"mono\">0.5</td><td class=\"mono\"><span class=\"hl\">0.25</span></td>";
    assert!(page.contains(row), "{page}");
    assert!(page.contains("1 of 2 differ") && !page.contains(">seed</th>"), "{page}");
    assert!(page.contains("From exp001 to exp002: 1 parameter, the code."), "{page}");
    // What came out stands before what went in, and what is the same in a line.
    let place = |text: &str| page.find(text).unwrap_or_else(|| panic!("{text} is missing in {page}"));
    assert!(place(">Why<") < place("<b>Results</b>") && place("<b>Results</b>") < place("<b>Parameters</b>"), "{page}");
    assert!(page.contains("Nothing differs in: command (2), environment (1)."), "{page}");
    assert!(page.contains("class=\"table cmp fits\"") && !page.contains("<b>Environment</b>"), "{page}");
    assert!(
        page.contains("title=\"best of these\">0.75</b>") && page.contains("<span class=\"ok\">+0.25</span>"),
        "{page}"
    );
    assert!(page.contains("val/loss by step: exp001 0.5, exp002 0.75"), "{page}");
    assert!(page.contains("metrics.accuracy by config.optimizer.lr: exp001 0.5 at 0.5, exp002 0.75 at 0.25"), "{page}");

    // Two runs have one difference in their code, which is shown without being asked for.
    assert!(page.contains("exp001 to exp002</span>") && page.contains("rate = 0.<mark>2</mark>5"), "{page}");

    let other = compare(&app, &project, "ids=exp001,exp002&baseline=exp002&hide=nothing").await;
    assert!(other.contains("<span class=\"bad\">−0.25</span>") && other.contains(">seed</th>"), "{other}");
    assert!(other.contains("<b>Environment</b>") && !other.contains("Nothing differs in"), "{other}");
    // A commit is cut by the style alone: whoever copies it has all of it.
    let commit = "9f3c2e1ab04d77c1e5f8a2b6d9034c17e8fb5521";
    assert!(other.contains(&format!("<span class=\"commit\" title=\"{commit}\">{commit}</span>")), "{other}");
}

#[tokio::test]
async fn points_and_axes_are_of_any_fields_and_pictures_stand_side_by_side() {
    let app = TestApp::new().await;
    let project = app.project("Wake word").await;
    for (size, loss) in [(3, json!("NaN")), (2, json!(0.125)), (1, json!(0.5))] {
        let run = app.run(&project.key, "Which is best?").await;
        let config = json!({"size": size, "lr": 0.5}).to_string();
        let details = json!({
            "artifacts": [
                {"original_path": "configs/base.json", "type": "config", "content_type": "application/json", "text_content": config},
                {"original_path": "outputs/curve.png", "type": "figure", "content_type": "image/png", "content_base64": STANDARD.encode(config)},
            ],
            "results": [{"kind": "scalar", "name": "loss", "value": loss}],
        });
        let path = format!("/v1/runs/{}/details", run["id"].as_str().unwrap());
        app.api(&project.key, "PUT", &path, Some(details)).await.expect(200);
    }
    let chosen = "x=config.size&y=metrics.loss&axes=config.size&axes=metrics.loss";
    let page = compare(&app, &project, &format!("ids=exp001,exp002,exp003&{chosen}")).await;
    // What is no number has no point, and a gap in its line.
    assert!(page.contains("\"metrics.loss by config.size: exp002 0.125 at 2, exp003 0.5 at 1\""), "{page}");
    assert!(page.contains("\"Runs over config.size, metrics.loss\"") && page.contains("3, none"), "{page}");
    let turned = compare(&app, &project, "ids=exp001,exp002,exp003&x=metrics.loss&y=config.size").await;
    assert!(turned.contains("\"config.size by metrics.loss: exp002 2 at 0.125, exp003 1 at 0.5\""), "{turned}");

    let (_, pictures) = page.split_once("outputs/curve.png</h3>").unwrap();
    for run in ["exp001", "exp002", "exp003"] {
        assert!(pictures.contains(&format!("alt=\"outputs/curve.png of {run}\"")), "{run} in {pictures}");
    }
    let (_, image) = pictures.split_once("<img src=\"").unwrap();
    let image = app.get(&project.cookie, image.split('"').next().unwrap()).await.expect(200);
    assert_eq!(image.header("content-type"), "image/png");
}

#[tokio::test]
async fn a_deleted_run_keeps_its_column_and_what_never_was_is_named() {
    let (app, project) = with_two().await;
    app.api(&project.key, "DELETE", "/v1/runs/exp002", None).await.expect(200);
    let page = compare(&app, &project, "ids=exp001&ids=exp002&ids=exp009&ids=foo").await;
    assert!(page.contains("<s>Slower</s>") && page.contains("Leave out exp002"), "{page}");
    assert!(page.contains("This project has no run exp009, “foo”."), "{page}");

    // Another project's runs have the same names, and are not found.
    let stranger = app.project("Digits").await;
    let page = compare(&app, &stranger, "ids=exp001,exp002").await;
    assert!(page.contains("This project has no run exp001, exp002.") && !page.contains("Baseline"), "{page}");
}

#[tokio::test]
async fn fewer_than_two_runs_are_chosen_from_a_list_and_more_than_twenty_are_refused() {
    let (app, project) = with_two().await;
    let page = compare(&app, &project, "ids=exp002").await;
    assert!(page.contains("name=\"ids\" value=\"exp002\" checked") && page.contains("value=\"exp001\">"), "{page}");
    let many: Vec<String> = (1..=21).map(|number| format!("exp{number:03}")).collect();
    let address = format!("/projects/{}/compare?ids={}", project.slug, many.join(","));
    let refused = app.get(&project.cookie, &address).await.expect(400).text();
    assert!(refused.contains("At most 20 runs stand side by side, and these are 21."), "{refused}");
    for nonsense in [
        "ids=%00,exp001,exp002&series=%00&skip=99999999999999999999&x=%FF",
        "ids=exp001,exp002&code=exp001..exp001&axes=a&axes=b",
    ] {
        compare(&app, &project, nonsense).await;
    }
}

#[tokio::test]
async fn the_table_as_csv_holds_no_formulas() {
    let (app, project) = with_two().await;
    let address = format!("/projects/{}/compare.csv?ids=exp001,exp002", project.slug);
    let csv = app.get(&project.cookie, &address).await.expect(200);
    assert_eq!(csv.header("content-type"), "text/csv; charset=utf-8");
    let csv = csv.text();
    assert!(csv.starts_with("section,name,exp001,exp002\r\nParameters,optimizer.lr,0.5,0.25\r\n"), "{csv}");
    assert!(csv.contains("Results,accuracy,0.5,0.75\r\n") && csv.contains("Results,'=cmd(),'-x,'-x\r\n"), "{csv}");
}
