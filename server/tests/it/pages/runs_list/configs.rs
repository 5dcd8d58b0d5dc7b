//! Values of configs in the list: columns, order, groups, files, and what a query is completed with.

use otrace_server::services::parameters;
use otrace_server::testing::{TestApp, TestProject};
use serde_json::json;

use super::{list, rows, words};

/// Three runs with a config each, and one without.
async fn four_runs() -> (TestApp, TestProject) {
    let app = TestApp::new().await;
    let project = app.project("Wake word").await;
    let first = "lr: 0.001\nopt: AdamW\narch: cnn\n";
    let second = "lr: 0.1\nopt: '=sum()'\narch: cnn\n";
    for config in [first, second, "lr: 1.0e-3\nopt: '<b>'\n", ""] {
        let run = app.run(&project.key, "compare").await;
        let config = json!({"original_path": "a.yaml", "type": "config", "text_content": config});
        let details = json!({"artifacts": [config], "results": [{"name": "lr", "value": 7}]});
        let path = format!("/v1/runs/{}/details", run["experiment_id"].as_str().unwrap());
        app.api(&project.key, "PUT", &path, Some(details)).await.expect(200);
    }
    assert_eq!(parameters::read_due(&app.app).await.unwrap(), 4);
    (app, project)
}

#[tokio::test]
async fn a_value_of_the_configs_is_a_column_to_sort_and_to_group_by() {
    let (app, project) = four_runs().await;
    let page = list(&app, &project, "?col=config.lr&col=config.opt&sort=-config.lr").await;
    assert_eq!(rows(&page), ["exp002", "exp003", "exp001", "exp004"]);
    let (head, body) = page.split_once("</thead>").unwrap();
    assert!(head.contains("sort=config.lr&#38;") && head.contains("of the configs"), "{head}");
    assert!(body.contains(">0.1<") && body.contains(">&#60;b&#62;<") && !body.contains("class=\"best\""), "{body}");
    // Those that differ are offered first; results of the same name are something else.
    let usual = list(&app, &project, "").await;
    let offered = |name: &str| usual.find(&format!("name=\"col\" value=\"config.{name}\"")).unwrap();
    assert!(offered("lr") < offered("opt") && offered("opt") < offered("arch"), "{usual}");
    assert!(
        page.contains("name=\"col\" value=\"config.lr\" checked") && page.contains("value=\"metrics.lr\">"),
        "{page}"
    );

    let grouped = list(&app, &project, "?group=config.lr&sort=number").await;
    let groups: Vec<&str> = grouped.split("scope=\"rowgroup\"").skip(1).collect();
    assert_eq!(groups.iter().map(|group| rows(group).len()).collect::<Vec<_>>(), [2, 1, 1]);
    assert!(groups[0].contains("<b>lr: 0.001</b>") && groups[0].contains("/runs?q=config.lr%3A0.001"), "{}", groups[0]);
    assert!(groups[2].contains("<b>No lr</b>") && groups[2].contains("NOT+has%3Aconfig.lr"), "{}", groups[2]);
    assert!(grouped.contains("<option value=\"config.lr\" selected>"), "{grouped}");
    let by_text = list(&app, &project, "?group=config.opt").await;
    assert!(by_text.contains("<b>opt: &#60;b&#62;</b>"), "{by_text}");
    let chosen = list(&app, &project, "?q=config.lr%3A%5B1e-4+TO+1e-2%5D").await;
    assert_eq!(rows(&chosen), ["exp003", "exp001"]);
    assert!(chosen.contains("lr from 0.0001 to 0.01"), "{chosen}");

    // Rows that come anew have the same columns.
    let (_, url) = page.split_once("data-live-rows=\"").unwrap();
    let url = url.split('"').next().unwrap().replace("&#38;", "&");
    let part = app.get(&project.cookie, &url).await.expect(200).text();
    assert!(rows(&part).len() == 4 && part.contains(">0.1<"), "{part}");
}

#[tokio::test]
async fn files_of_the_list_have_the_values_of_configs_that_it_shows() {
    let (app, project) = four_runs().await;
    let query = "sort=number&col=config.lr&col=config.opt&col=metrics.lr";
    let file = app.get(&project.cookie, &format!("/projects/wake-word/runs.csv?{query}")).await.expect(200).text();
    let lines: Vec<&str> = file.split_terminator("\r\n").collect();
    assert_eq!(lines[0], "experiment,status,title,intent,lr,config.lr,config.opt");
    assert_eq!(lines[2], "exp002,created,,compare,7,0.1,'=sum()");
    assert_eq!(lines[4], "exp004,created,,compare,7,,");
    let runs = app.get(&project.cookie, &format!("/projects/wake-word/runs.json?{query}")).await.expect(200).json();
    assert_eq!(runs[0]["config"], json!({"lr": 0.001, "opt": "AdamW"}));
    assert_eq!(runs[3]["config"], json!({"lr": null, "opt": null}));
    assert_eq!(runs[0]["metrics"], json!({"lr": 7}));
}

#[tokio::test]
async fn a_query_is_completed_with_what_the_configs_have() {
    let (app, project) = four_runs().await;
    for (prefix, expected) in [
        ("conf", vec!["config."]),
        ("config.", vec!["config.arch", "config.lr", "config.opt"]),
        ("-config.A", vec!["-config.arch"]),
        ("has:config.o", vec!["has:config.opt"]),
        ("config.opt:A", vec!["config.opt:adamw"]),
        ("config.arch:", vec!["config.arch:cnn"]),
        ("config.nothing:", vec![]),
        ("config.a\0:", vec![]),
    ] {
        assert_eq!(words(&app, &project, prefix).await, expected, "{prefix}");
    }
}
