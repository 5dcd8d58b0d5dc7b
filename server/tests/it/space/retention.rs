//! Rules that delete the contents of artifacts.

use super::*;

impl Space {
    fn storage_url(&self) -> String {
        format!("/projects/{}/settings/storage", self.project.slug)
    }

    async fn rule(&self, kind: &str, path: &str, days: &str) {
        let fields = [("kind", kind), ("path", path), ("days", days)];
        self.app.post(&self.cookie().await, &format!("{}/rules", self.storage_url()), &fields).await.expect(303);
    }

    async fn tag(&self, run: &str, tag: &str) {
        let path = format!("/v1/runs/{run}/tags");
        self.app.api(&self.project.key, "PATCH", &path, Some(json!({"add": [tag]}))).await.expect(200);
    }

    /// The artifacts of a run as the API tells them.
    async fn artifacts(&self, run: &str) -> Vec<Value> {
        let run = self.app.api(&self.project.key, "GET", &format!("/v1/runs/{run}"), None).await.expect(200).json();
        run["run"]["artifacts"].as_array().unwrap().clone()
    }

    /// The paths of the artifacts of a run whose contents were deleted.
    async fn deleted(&self, run: &str) -> Vec<String> {
        let artifacts = self.artifacts(run).await;
        let deleted = artifacts.iter().filter(|artifact| artifact["content_deleted_at"].is_string());
        deleted.map(|artifact| artifact["original_path"].as_str().unwrap().to_owned()).collect()
    }
}

#[tokio::test]
async fn a_rule_deletes_by_kind_path_and_age_and_spares_what_is_tagged() {
    let space = Space::new().await;
    space.rule("checkpoint", "outputs/*.ckpt", "30").await;
    let mut runs = Vec::new();
    for seed in 0..4 {
        let model = space.put(&noise(seed, 10_000)).await;
        let other = space.put(&noise(seed + 10, 100)).await;
        let artifacts = [
            artifact("outputs/step_1.ckpt", "checkpoint", model),
            artifact("outputs/step_1.ckpt", "figure", other),
            artifact("outputs/step_1.ckpt.json", "checkpoint", other),
        ];
        runs.push(space.run(&artifacts).await);
    }
    let [plain, good, pinned, young] = runs.as_slice() else { panic!() };
    space.tag(good, "good").await;
    space.tag(pinned, "keep").await;
    space.later(Duration::days(20));
    // Whatever changes a run begins its time anew.
    space.tag(young, "x").await;
    let untag = json!({"remove": ["x"]});
    space.app.api(&space.project.key, "PATCH", &format!("/v1/runs/{young}/tags"), Some(untag)).await.expect(200);
    space.later(Duration::days(11));

    assert_eq!(of(&space.sweep().await, Reason::Retention), (1, 10_000));
    assert_eq!(space.deleted(plain).await, ["outputs/step_1.ckpt"]);
    for run in [good, pinned, young] {
        assert_eq!(space.deleted(run).await, [""; 0]);
    }
    let tags = format!("{}/tags", space.storage_url());
    space.app.post(&space.cookie().await, &tags, &[("tags", "paper, best")]).await.expect(303);
    assert_eq!(of(&space.sweep().await, Reason::Retention), (1, 10_000), "only those tags spare now, and `keep`");
    assert_eq!((space.deleted(good).await.len(), space.deleted(pinned).await.len()), (1, 0));
    space.later(Duration::days(20));
    assert_eq!(of(&space.sweep().await, Reason::Retention), (1, 10_000));
    assert_eq!(space.deleted(young).await.len(), 1);
}

#[tokio::test]
async fn a_new_rule_waits_a_day_and_a_removed_one_deletes_nothing() {
    let space = Space::new().await;
    let content = space.put(&noise(1, 1_000)).await;
    space.run(&[artifact("a.ckpt", "checkpoint", content)]).await;
    space.later(Duration::days(400));
    space.rule("", "", "1").await;
    space.later(Duration::hours(23));
    assert_eq!(space.sweep().await.freed_bytes(), 0);
    let page = space.app.get(&space.cookie().await, &space.storage_url()).await.expect(200).text();
    let remove = page.split("action=\"").find(|rest| rest.contains("/delete\"") && rest.contains("/rules/")).unwrap();
    space.app.post(&space.cookie().await, remove.split('"').next().unwrap(), &[]).await.expect(303);
    space.later(Duration::days(30));
    assert_eq!(space.sweep().await.freed_bytes(), 0);
    assert!(space.read(content).await.is_some());
}

#[tokio::test]
async fn a_deleted_content_is_said_to_be_and_its_name_size_and_hash_stay() {
    let space = Space::new().await;
    let content = noise(1, 12_000);
    let digest = space.put(&content).await;
    let run = space.run(&[artifact("model.ckpt", "checkpoint", digest)]).await;
    space.rule("checkpoint", "", "30").await;
    space.later(Duration::days(31));
    assert_eq!(space.sweep().await.freed_bytes(), 12_000);

    let told = space.artifacts(&run).await.remove(0);
    assert_eq!(told["content_deleted_at"], "2026-07-02T12:00:00Z");
    assert_eq!(told["content_deleted_by"], "checkpoint after 30 days");
    assert_eq!((&told["original_path"], &told["size_bytes"]), (&json!("model.ckpt"), &json!(12_000)));
    assert_eq!(told["hash"], digest.to_string());
    let id = told["id"].as_str().unwrap();
    for (method, what) in [("GET", "download"), ("POST", "ticket")] {
        let gone = space.app.api(&space.project.key, method, &format!("/v1/artifacts/{id}/{what}"), None).await;
        let told = gone.expect(410).json();
        let sentence = told["error"].as_str().unwrap();
        assert!(sentence.contains("deleted on 2026-07-02") && sentence.contains("checkpoint after 30 days"), "{told}");
    }
    let tab = format!("/projects/{}/runs/{run}/artifacts", space.project.slug);
    let list = space.app.get(&space.cookie().await, &tab).await.expect(200).text();
    assert!(list.contains(">deleted</span>"), "{list}");
    let page = space.app.get(&space.cookie().await, &format!("{tab}/{id}")).await.expect(200).text();
    assert!(page.contains("by a rule of the project") && page.contains(&digest.to_string()), "{page}");
    space.app.get(&space.cookie().await, &format!("{tab}/{id}/raw")).await.expect(410);
    space.app.get(&space.cookie().await, &format!("{tab}.zip")).await.expect(200);

    // Sent again, it is there again.
    space.put(&content).await;
    space.tell(&run, json!({"artifacts": [artifact("model.ckpt", "checkpoint", digest)]})).await;
    assert_eq!(space.deleted(&run).await, [""; 0]);
}
