//! What is seen of the server from outside: `/metrics` on its own listener, and what is made of it elsewhere.

mod log;
#[cfg(feature = "otlp")]
mod traces;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use otrace_server::telemetry::metrics::{ALL, Kind, Metric};
use serde_json::Value;

use crate::settings::binary::{Machine, Running};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// The number that a name belongs to: that of a histogram's part is the histogram.
fn metric(name: &str) -> Option<&'static Metric> {
    let whole = ["_bucket", "_sum", "_count"].into_iter().find_map(|part| name.strip_suffix(part));
    ALL.iter().find(|metric| match metric.kind {
        Kind::Histogram => Some(metric.name) == whole,
        Kind::Counter | Kind::Gauge => metric.name == name,
    })
}

/// Where a server that writes its log as JSON serves its metrics.
fn metrics_url(server: &Running) -> String {
    let events = server.events();
    let told = events.iter().find(|event| event["message"] == "metrics are served at /metrics").unwrap();
    format!("http://{}/metrics", told["address"].as_str().unwrap())
}

async fn text(url: &str) -> String {
    reqwest::get(url).await.unwrap().error_for_status().unwrap().text().await.unwrap()
}

/// The value of the one sample that has all these words.
fn value(text: &str, words: &[&str]) -> f64 {
    let mut samples =
        text.lines().filter(|line| !line.starts_with('#') && words.iter().all(|word| line.contains(word)));
    let sample = samples.next().unwrap_or_else(|| panic!("{words:?}: {text}"));
    assert_eq!(samples.next(), None, "{words:?}");
    sample.rsplit(' ').next().unwrap().parse().unwrap()
}

#[tokio::test]
async fn what_happens_is_counted_by_route_and_never_by_what_was_asked_for() {
    let machine = Machine::new().await;
    let server = machine.serve(&[("OTRACE_METRICS_LISTEN", "127.0.0.1:0"), ("OTRACE_LOG_FORMAT", "json")]);
    for _ in 0..3 {
        assert_eq!(server.get("/health/ready").await.status(), 200);
    }
    for path in ["/projects/planted-slug/runs?q=planted-query", "/planted-path", "/v1/runs/planted-run", "/metrics"] {
        server.get(path).await;
    }
    let method = reqwest::Method::from_bytes(b"PLANTED").unwrap();
    reqwest::Client::new().request(method, server.url("/health/live")).send().await.unwrap();

    let url = metrics_url(&server);
    let text = text(&url).await;
    assert!(!text.to_lowercase().contains("planted"), "{text}");
    let ready = r#"route="/health/ready""#;
    assert!(value(&text, &["otrace_http_requests_total{", ready, r#"status="2xx""#]) >= 3.0);
    assert!(value(&text, &["otrace_http_request_duration_seconds_count{", ready]) >= 3.0);
    assert!(value(&text, &["otrace_http_requests_total{", r#"route="/v1/runs/{run}""#, r#"status="4xx""#]) >= 1.0);
    let nowhere = ["otrace_http_requests_total{", r#"route="none""#, r#"method="GET""#, r#"status="4xx""#];
    assert!(value(&text, &nowhere) >= 2.0);
    assert!(value(&text, &["otrace_database_up "]) > 0.5);
    assert!(value(&text, &["otrace_database_connections "]) >= 1.0);
    assert!(value(&text, &["otrace_build_info{", env!("CARGO_PKG_VERSION")]) > 0.0);
    if cfg!(target_os = "linux") {
        assert!(value(&text, &["process_resident_memory_bytes "]) > 1e6);
    }

    // What has no labels is there from the start, and nothing is told that the list does not have.
    for Metric { name, labels, .. } in ALL {
        assert!(!labels.is_empty() || text.contains(&format!("\n{name} ")), "{name}: {text}");
    }
    let samples = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    for name in samples.map(|line| line.split(['{', ' ']).next().unwrap()) {
        assert!(metric(name).is_some(), "{name}");
    }

    let elsewhere = url.replace("/metrics", "/");
    assert_eq!(reqwest::get(elsewhere).await.unwrap().status(), 404);
    assert_eq!(server.get("/metrics").await.status(), 404, "the public port has none");
    server.stop();
}

#[tokio::test]
async fn nothing_is_measured_unless_somebody_wants_to_know() {
    let machine = Machine::new().await;
    let server = machine.serve(&[("OTRACE_LOG_FORMAT", "json")]);
    assert_eq!(server.get("/health/live").await.status(), 200);
    assert!(!server.log().contains("metrics"), "{}", server.log());
    server.stop();
}

/// The names of numbers in a text.
fn names_in(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !(c.is_ascii_lowercase() || c == '_'));
    words.filter(|word| word.starts_with("otrace_") || word.starts_with("process_")).map(str::to_owned).collect()
}

#[test]
fn the_dashboard_asks_for_nothing_that_the_server_does_not_tell() {
    let text = fs::read_to_string(root().join("deploy/grafana/trace.json")).unwrap();
    let dashboard: Value = serde_json::from_str(&text).unwrap();
    let variables = dashboard["templating"]["list"].as_array().unwrap();
    let source = variables.iter().find(|variable| variable["type"] == "datasource").unwrap();
    let source = format!("${{{}}}", source["name"].as_str().unwrap());

    let panels = dashboard["panels"].as_array().unwrap();
    let ids: BTreeSet<u64> = panels.iter().map(|panel| panel["id"].as_u64().unwrap()).collect();
    assert_eq!(ids.len(), panels.len(), "each panel has an id of its own");
    let (mut asked, mut places) = (BTreeSet::new(), BTreeSet::new());
    for panel in panels {
        let place = &panel["gridPos"];
        assert!(places.insert((place["x"].as_u64(), place["y"].as_u64())), "two panels in one place: {panel}");
        for target in panel["targets"].as_array().into_iter().flatten() {
            assert_eq!(target["datasource"]["uid"], source, "{target}");
            asked.extend(names_in(target["expr"].as_str().unwrap()));
        }
    }
    for variable in variables {
        asked.extend(names_in(variable["query"]["query"].as_str().unwrap_or_default()));
    }
    let unknown: Vec<&String> = asked.iter().filter(|name| metric(name).is_none()).collect();
    assert!(unknown.is_empty(), "{unknown:?}");
    let shown: BTreeSet<&str> = asked.iter().filter_map(|name| metric(name)).map(|metric| metric.name).collect();
    let hidden: Vec<&str> = ALL.iter().map(|metric| metric.name).filter(|name| !shown.contains(name)).collect();
    assert!(hidden.is_empty(), "no panel shows {hidden:?}");
}

#[test]
fn every_number_is_documented_and_no_other() {
    let text = fs::read_to_string(root().join("docs/operations.md")).unwrap();
    let rows = text.lines().filter(|line| line.starts_with("| `otrace_") || line.starts_with("| `process_"));
    let documented: BTreeSet<String> = rows.flat_map(|row| names_in(row.split('|').nth(1).unwrap())).collect();
    let told: BTreeSet<String> = ALL.iter().map(|metric| metric.name.to_owned()).collect();
    let missing: Vec<&String> = told.difference(&documented).collect();
    let foreign: Vec<&String> = documented.difference(&told).collect();
    assert!(missing.is_empty() && foreign.is_empty(), "missing: {missing:?}; unknown: {foreign:?}");
}

#[test]
fn whatever_the_code_counts_is_in_the_list_and_nothing_else() {
    let mut folders = vec![root().join("server/src")];
    let mut unknown = Vec::new();
    let mut uncounted: BTreeSet<&str> = ALL.iter().map(|metric| metric.name).collect();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let source = fs::read_to_string(&path).unwrap_or_default();
            if !path.ends_with("telemetry/metrics.rs") {
                uncounted.retain(|name| !source.contains(&format!("\"{name}\"")));
            }
            for counted in ["counter!(", "gauge!(", "histogram!("] {
                let calls = source.split(counted).skip(1);
                let names = calls.filter_map(|call| call.trim_start().strip_prefix('"')?.split('"').next());
                unknown.extend(names.filter(|name| !ALL.iter().any(|metric| metric.name == *name)).map(str::to_owned));
            }
        }
    }
    assert!(unknown.is_empty(), "add them to telemetry/metrics.rs: {unknown:?}");
    assert!(uncounted.is_empty(), "nobody counts {uncounted:?}");
}
