//! `otrace init`.

use otrace_server::testing::TestServer;

use crate::workspace::{Workspace, mode};

#[tokio::test(flavor = "multi_thread")]
async fn init_makes_a_workspace_and_says_what_to_set() {
    let server = TestServer::start().await;
    let project = server.project("wake-word").await;
    let workspace = Workspace::new();

    let args = ["init", "--api-url", server.url(), "--api-key", &project.key];
    let answer = workspace.otrace(&args).await.succeeded();

    for folder in ["checkouts", "logs", "notebook", "snapshots"] {
        assert!(workspace.path(".trace").join(folder).is_dir(), "{folder}");
    }
    assert!(workspace.has(".traceignore"));
    assert!(workspace.read("TRACE_FOR_AGENTS.md").contains("otrace run"));
    for line in [
        format!("Authenticated as: {}", project.email),
        format!("Project: {}", project.name),
        format!("TRACE_API_URL=\"{}\"", server.url()),
        format!("TRACE_PROJECT_ID=\"{}\"", project.id),
        format!("TRACE_PROJECT_NAME=\"{}\"", project.name),
    ] {
        assert!(answer.stdout.lines().any(|printed| printed == line), "{line} in {}", answer.stdout);
    }
    assert!(answer.stdout.contains(workspace.path(".trace").to_str().expect("text")));
    assert!(answer.stdout.contains("TRACE_API_KEY="));
    assert!(!answer.stdout.contains(&project.key), "the key must not be printed");
}

#[tokio::test(flavor = "multi_thread")]
async fn init_touches_neither_env_nor_gitignore() {
    let server = TestServer::start().await;
    let project = server.project("wake-word").await;
    let workspace = Workspace::with_key(&server, &project.key);
    workspace.otrace(&["init"]).await.succeeded();
    assert!(!workspace.has(".env") && !workspace.has(".gitignore"));

    workspace.write(".env", "SECRET=1\n");
    workspace.write(".gitignore", "build/\n");
    workspace.otrace(&["init", "--force", "--no-gitignore"]).await.succeeded();
    assert_eq!(workspace.read(".env"), "SECRET=1\n");
    assert_eq!(workspace.read(".gitignore"), "build/\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_trace_folder_is_for_its_owner_and_ignores_itself() {
    let server = TestServer::start().await;
    let project = server.project("wake-word").await;
    let workspace = Workspace::with_key(&server, &project.key);
    workspace.git(&["init", "--quiet"]).await;
    workspace.otrace(&["init"]).await.succeeded();

    assert_eq!(mode(&workspace.path(".trace")), 0o700);
    assert_eq!(workspace.read(".trace/.gitignore"), "*\n");
    let status = workspace.git(&["status", "--porcelain"]).await;
    assert!(!status.contains(".trace/"), "{status}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_edited_stays_unless_it_is_forced() {
    let server = TestServer::start().await;
    let project = server.project("wake-word").await;
    let workspace = Workspace::with_key(&server, &project.key);
    workspace.write("TRACE_FOR_AGENTS.md", "mine");
    workspace.write(".traceignore", "mine");

    workspace.otrace(&["init"]).await.succeeded();
    assert_eq!(workspace.read("TRACE_FOR_AGENTS.md"), "mine");
    assert_eq!(workspace.read(".traceignore"), "mine");

    workspace.otrace(&["init", "--force"]).await.succeeded();
    assert_ne!(workspace.read("TRACE_FOR_AGENTS.md"), "mine");
    assert_ne!(workspace.read(".traceignore"), "mine");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_key_leaves_the_directory_as_it_was() {
    let server = TestServer::start().await;
    let workspace = Workspace::with_key(&server, "trc_wrong");
    let answer = workspace.otrace(&["init"]).await;
    assert!(answer.refusal().contains("unauthorized"), "{}", answer.stderr);
    assert!(!workspace.has(".trace") && !workspace.has("TRACE_FOR_AGENTS.md"));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_key_init_says_where_to_make_one() {
    let server = TestServer::start().await;
    let workspace = Workspace::new().set("TRACE_API_URL", server.url());
    let answer = workspace.otrace(&["init"]).await;
    let line = answer.refusal();
    assert!(line.contains(&format!("{}/projects", server.url())), "{line}");
}
