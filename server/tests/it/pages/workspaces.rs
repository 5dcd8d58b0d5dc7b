//! What speaks with a project.

use otrace_server::testing::TestApp;
use serde_json::json;

use super::{BAIT, text_of};

#[tokio::test]
async fn a_workspace_is_listed_as_it_last_told_itself() {
    let app = TestApp::new().await;
    let project = app.project("Wake word").await;
    let path = "/projects/wake-word/workspaces";
    assert!(app.get(&project.cookie, path).await.expect(200).text().contains("No workspace yet"));
    for commit in ["1111111111111111111111111111111111111111", "9f3c2e1ab04d77c1e5f8a2b6d9034c17e8fb5521"] {
        let told = json!({
            "workspace_name": BAIT, "working_directory": "/home/mira/kws", "cli_version": "0.2.0",
            "platform": "Linux-6.8-x86_64", "git_commit": commit, "git_dirty": true,
            "git_remote_url": "https://mira:hunter2@git.example/kws.git",
        });
        app.api(&project.key, "PATCH", "/v1/projects/current/workspace", Some(told)).await.expect(200);
    }
    let page = text_of(&app.get(&project.cookie, path).await.expect(200));
    for wanted in
        ["/home/mira/kws", "Linux-6.8-x86_64", "otrace 0.2.0", "9f3c2e1ab", "with changes", "test key", "1 workspace"]
    {
        assert!(page.contains(wanted), "{wanted}\n{page}");
    }
    for hidden in ["<script>hit", "hunter2", "111111111"] {
        assert!(!page.contains(hidden), "{hidden}\n{page}");
    }
}
