//! What is wrong with a server after whatever has happened to it: all that it says it has is read back, and compared.

use std::collections::BTreeSet;
use std::fs;

use serde_json::Value;

use super::api::Api;
use super::real_server::Data;

/// Reads all that the project's runs name; gives what is not there or is something else, a line each.
pub async fn wrong(api: &Api) -> Vec<String> {
    let mut wrong = Vec::new();
    for listed in api.runs().await {
        let id = listed["id"].as_str().expect("an id").to_owned();
        let run = api.json(&format!("/v1/runs/{id}")).await["run"].clone();
        for (what, path) in [("an artifact", "artifacts"), ("a log", "logs")] {
            for named in run[path].as_array().into_iter().flatten() {
                wrong.extend(of_content(api, named).await.map(|told| format!("{id}: {what} {told}: {named}")));
            }
        }
        for named in run["snapshot"]["files"].as_array().into_iter().flatten() {
            wrong.extend(of_content(api, named).await.map(|told| format!("{id}: a file of its state {told}: {named}")));
        }
        for stream in ["stdout", "stderr"] {
            let path = format!("/v1/runs/{id}/logs/{stream}");
            if !matches!(api.answer(&path).await.0, 200 | 206 | 404) {
                wrong.push(format!("{path} can't be read"));
            }
        }
        for series in api.json(&format!("/v1/runs/{id}/series")).await["series"].as_array().into_iter().flatten() {
            let name = series["name"].as_str().expect("a name");
            let csv = api.try_bytes(&format!("/v1/runs/{id}/series/{name}?format=csv")).await.unwrap_or_default();
            let points = String::from_utf8_lossy(&csv).lines().count().saturating_sub(1) as u64;
            if series["count"].as_u64() != Some(points) {
                wrong.push(format!("{id}: {points} points of {series}"));
            }
        }
    }
    wrong
}

/// What is wrong with the content that something names, if it names one.
async fn of_content(api: &Api, named: &Value) -> Option<String> {
    let hash = named["hash"].as_str()?;
    let Some(content) = api.content(hash).await else { return Some("has no content, or another one".to_owned()) };
    let is_so_long = named["size_bytes"].as_u64().is_none_or(|size| size == content.len() as u64);
    (!is_so_long).then(|| format!("has {} bytes", content.len()))
}

/// Reads every content of the only project that has any, whether a run names it or not; gives those that are not what
/// they are called.
pub async fn torn(data: &Data, api: &Api) -> Vec<String> {
    let mut torn = Vec::new();
    for hash in data.sql("SELECT encode(sha256, 'hex') FROM blobs").await {
        if api.content(&hash).await.is_none() {
            torn.push(hash);
        }
    }
    torn
}

/// The objects that the database names and the folder has not.
pub async fn dangling(data: &Data) -> Vec<String> {
    let named =
        data.sql("SELECT DISTINCT project_id || '/objects/' || object_id FROM blobs WHERE object_id IS NOT NULL");
    let mut there = BTreeSet::new();
    let projects = data.folder.join("blobs/projects");
    for project in fs::read_dir(&projects).into_iter().flatten().flatten() {
        for object in fs::read_dir(project.path().join("objects")).into_iter().flatten().flatten() {
            let path = object.path();
            there.insert(path.strip_prefix(&projects).expect("below").to_str().expect("text").to_owned());
        }
    }
    named.await.into_iter().filter(|object| !there.contains(object)).collect()
}
