//! What a run ran on, and how it is got back.

use otrace_server::testing::{TestApp, TestProject};
use otrace_wire::Sha256Digest;
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::text_of;

const PACKAGES: &str = "numpy==2.3.1\ntorch==2.7.1\ntorchaudio==2.7.1\n";

async fn with_state() -> (TestApp, TestProject) {
    let app = TestApp::new().await;
    let project = app.project("Wake word").await;
    app.run(&project.key, "is it the driver?").await;
    let hash = Sha256Digest::new(Sha256::digest(PACKAGES).into());
    app.api_raw(&project.key, "PUT", &format!("/v1/contents/{}", hash.hex()), PACKAGES).await.expect(200);
    let snapshot = json!({
        "git_commit": "9f3c2e1ab04d77c1e5f8a2b6d9034c17e8fb5521", "git_dirty": false,
        "git_remote_url": "git@github.com:halden/kws-edge.git", "python_version": "3.12.4", "platform": "Linux-6.8",
        "files": [{"kind": "packages", "path": "packages.txt", "hash": hash, "size_bytes": PACKAGES.len()}],
        "rebuild": {"how_well": "partly", "reasons": ["data.bin is larger than what is kept"], "interpreter": "/opt/venv/bin/python3"},
        "hardware": {"cpu": "EPYC", "cpu_count": 64, "memory_bytes": 512_000_000_000_i64, "gpus": [{"name": "L40S", "memory_bytes": 48_000_000_000_i64, "driver": "550.1"}]},
    });
    app.api(&project.key, "PUT", "/v1/runs/exp001/details", Some(json!({"snapshot": snapshot}))).await.expect(200);
    (app, project)
}

async fn page(app: &TestApp, project: &TestProject, tab: &str) -> String {
    text_of(&app.get(&project.cookie, &format!("/projects/{}/runs/exp001/{tab}", project.slug)).await.expect(200))
}

#[tokio::test]
async fn the_environment_lists_the_machine_and_its_packages_which_can_be_filtered() {
    let (app, project) = with_state().await;
    let all = page(&app, &project, "environment").await;
    for fact in [
        "3.12.4",
        "/opt/venv/bin/python3",
        "Linux-6.8",
        "64 × EPYC",
        "512 GB",
        "L40S, 48 GB, driver 550.1",
        "3 packages",
        "numpy",
    ] {
        assert!(all.contains(fact), "{fact} in {all}");
    }
    let some = page(&app, &project, "environment?q=TORCH").await;
    assert!(some.contains("2 of 3 packages") && some.contains("torchaudio") && !some.contains("numpy"), "{some}");
    assert!(page(&app, &project, "environment?q=%22%3E%3Cb%3E").await.contains("No package is called so"));
}

#[tokio::test]
async fn where_no_packages_were_listed_none_are_counted() {
    let (app, project) = super::with_run().await;
    let page = page(&app, &project, "environment").await;
    assert!(page.contains("No list of packages") && page.contains("gpu-node-04"), "{page}");
    assert!(!page.contains("0 packages") && !page.contains("Filter packages"), "{page}");
}

#[tokio::test]
async fn a_run_says_how_well_it_is_got_back_why_and_with_which_command() {
    let (app, project) = with_state().await;
    let reproduce = page(&app, &project, "reproduce").await;
    for part in [
        "Can be rebuilt partly, because data.bin is larger than what is kept.",
        "otrace checkout exp001",
        "There were none.",
    ] {
        assert!(reproduce.contains(part), "{part} in {reproduce}");
    }
    let code = page(&app, &project, "code").await;
    let commit = "https://github.com/halden/kws-edge/commit/9f3c2e1ab04d77c1e5f8a2b6d9034c17e8fb5521";
    assert!(code.contains(&format!("href=\"{commit}\" rel=\"nofollow noopener noreferrer\"")), "{code}");
}
