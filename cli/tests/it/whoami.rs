//! `otrace whoami`, and the order in which settings are taken.

use otrace_server::testing::TestServer;
use serde_json::Value;

use crate::workspace::{Workspace, recorded, run_count};

/// What asks the server: the command, and what else it needs.
const ASKING: &[(&[&str], &[&str])] = &[
    (&["init"], &[]),
    (&["login"], &[]),
    (&["whoami"], &[]),
    (&["runs"], &[]),
    (&["show"], &["exp001"]),
    (&["artifacts"], &["exp001"]),
    (&["download"], &["exp001"]),
    (&["logs"], &["exp001"]),
    (&["diff"], &["exp001", "exp001"]),
    (&["open"], &["exp001"]),
    (&["checkout"], &["exp001"]),
    (&["ledger"], &[]),
    (&["notebook", "generate"], &[]),
    (&["ui"], &["--no-open"]),
    (&["sync"], &[]),
    (&["run"], &["--intent", "i", "--setup", "s", "--expect-log", "l", "--", "touch", "marker"]),
    (&["note"], &["exp001", "seen"]),
    (&["tag"], &["exp001"]),
    (&["tag"], &["exp001", "+new"]),
    (&["delete"], &["exp001", "--yes"]),
    (&["restore"], &["exp001"]),
    (&["import"], &["--spec", "import.json", "--yes"]),
];
/// Those of them that are tried by the project's name too.
const BY_NAME: [&str; 4] = ["init", "runs", "run", "tag"];

const MANIFEST: &str =
    r#"{"version": 1, "runs": [{"intent": "i", "setup": "s", "command": "true", "status": "completed"}]}"#;

#[tokio::test(flavor = "multi_thread")]
async fn whoami_names_account_project_key_and_server() {
    let server = TestServer::start().await;
    let project = server.project("wake-word").await;
    let workspace = Workspace::with_key(&server, &project.key);
    let answer = workspace.otrace(&["whoami"]).await.succeeded();
    let lines: Vec<_> = answer.stdout.lines().collect();
    assert_eq!(lines[0], format!("Account: {}", project.email));
    assert_eq!(lines[1], format!("Project: {}", project.name));
    let prefix = lines[2].strip_prefix("API key: ").and_then(|key| key.strip_suffix('…')).expect("a prefix");
    assert!(prefix.len() > 4 && project.key.starts_with(prefix), "{prefix}");
    assert_eq!(lines[3], format!("Server: {}", server.url()));
    assert!(!answer.stdout.contains(&project.key));
}

#[tokio::test(flavor = "multi_thread")]
async fn whoami_answers_scripts_in_json() {
    let server = TestServer::start().await;
    let project = server.project("wake-word").await;
    let workspace = Workspace::with_key(&server, &project.key);
    let answer = workspace.otrace(&["whoami", "--json"]).await.succeeded();
    let identity: Value = serde_json::from_str(&answer.stdout).expect("JSON");
    assert_eq!(identity["project"]["id"], project.id.to_string());
    assert_eq!(identity["account"]["email"], project.email);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flag_beats_the_environment_and_that_beats_the_env_file() {
    let server = TestServer::start().await;
    let by_flag = server.project("by-flag").await;
    let by_environment = server.project("by-environment").await;
    let by_file = server.project("by-file").await;
    let by_login = server.project("by-login").await;

    let workspace = Workspace::new();
    let login = ["login", "--api-url", server.url(), "--api-key", &by_login.key];
    workspace.otrace(&login).await.succeeded();
    let name = async |workspace: &Workspace, args: &[&str]| {
        let answer = workspace.otrace(args).await.succeeded();
        answer.stdout.lines().nth(1).expect("a line").to_owned()
    };
    assert_eq!(name(&workspace, &["whoami"]).await, format!("Project: {}", by_login.name));

    workspace.write(".env", format!("# mine\nexport TRACE_API_KEY=\"{}\"\n", by_file.key));
    assert_eq!(name(&workspace, &["whoami"]).await, format!("Project: {}", by_file.name));

    let workspace = workspace.set("TRACE_API_KEY", &by_environment.key);
    assert_eq!(name(&workspace, &["whoami"]).await, format!("Project: {}", by_environment.name));

    let flagged = ["whoami", "--api-key", &by_flag.key];
    assert_eq!(name(&workspace, &flagged).await, format!("Project: {}", by_flag.name));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_of_another_project_than_the_settings_say_is_told() {
    let server = TestServer::start().await;
    let project = server.project("wake-word").await;
    let other = server.project("other").await;
    let workspace = Workspace::with_key(&server, &project.key).set("TRACE_PROJECT_ID", &other.id.to_string());
    let answer = workspace.otrace(&["whoami"]).await.succeeded();
    assert!(answer.stderr.starts_with("otrace: TRACE_PROJECT_ID is "), "{}", answer.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flag_that_names_another_project_than_the_keys_is_refused_by_every_command() {
    let server = TestServer::start().await;
    let project = server.project("wake-word").await;
    let other = server.project("other").await;
    server.app.run(&project.key, "to see").await;
    let before = recorded(&server, &project.key, "exp001").await;
    let workspace = Workspace::with_key(&server, &project.key);
    workspace.write("import.json", MANIFEST);
    let (own_id, other_id) = (project.id.to_string(), other.id.to_string());
    let own = ["init", "--project-id", &own_id, "--project-name", &project.name];
    workspace.otrace(&own).await.succeeded();

    for (command, rest) in ASKING {
        let by_name = BY_NAME.contains(&command[0]).then_some(["--project-name", other.name.as_str()]);
        for flag in [["--project-id", other_id.as_str()]].into_iter().chain(by_name) {
            let answer = workspace.otrace(&[*command, flag.as_slice(), *rest].concat()).await;
            let [option, value] = flag;
            let told = format!("{option} is {value}, but the API key belongs to {} ({own_id})", project.name);
            assert!(answer.refusal().contains(&told), "{command:?}: {}", answer.stderr);
            assert_eq!(answer.stdout, "", "{command:?}");
        }
    }
    let answer = workspace.otrace(&["doctor", "--project-name", &other.name]).await;
    assert_eq!(answer.code, 1);
    assert!(answer.stdout.contains("--project-name is other, but "), "{}", answer.stdout);

    let after = recorded(&server, &project.key, "exp001").await;
    assert_eq!((&after["tags"], &after["notes"]), (&before["tags"], &before["notes"]));
    assert_eq!(run_count(&server, &project.key).await, 1);
    assert!(!workspace.has("marker") && !workspace.saved_login().exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flag_that_names_the_keys_project_beats_a_variable_that_names_another() {
    let server = TestServer::start().await;
    let project = server.project("wake-word").await;
    let other = server.project("other").await;
    server.app.run(&project.key, "to see").await;
    let workspace = Workspace::with_key(&server, &project.key).set("TRACE_PROJECT_ID", &other.id.to_string());
    workspace.otrace(&["runs"]).await.succeeded();
    let answer = workspace.otrace(&["note", "exp001", "seen"]).await;
    assert!(answer.refusal().starts_with("error: TRACE_PROJECT_ID is "), "{}", answer.stderr);
    workspace.otrace(&["note", "--project-id", &project.id.to_string(), "exp001", "seen"]).await.succeeded();
    let notes = recorded(&server, &project.key, "exp001").await["notes"].clone();
    assert_eq!(notes[0]["text"], "seen", "{notes}");
}
