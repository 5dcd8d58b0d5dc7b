//! Secrets of a run: masked in all that is kept and sent of it, and in nothing that people see.

use otrace_server::testing::{TestProject, TestServer};
use serde_json::Value;

use crate::workspace::{Answer, Workspace, recorded};

/// Of the shape of a GitHub token; made up.
const TOKEN: &str = "ghp_0a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R";
/// What only `.env` says is a secret.
const VALUE: &str = "correct-horse-of-ada";

/// A workspace with secrets in all places.
struct Trial {
    server: TestServer,
    project: TestProject,
    workspace: Workspace,
}

impl Trial {
    async fn new() -> Self {
        let server = TestServer::start().await;
        let project = server.project("wake-word").await;
        let workspace = Workspace::with_key(&server, &project.key);
        workspace.git(&["init", "--quiet", "--initial-branch=main"]).await;
        workspace.write(".gitignore", ".env\n");
        workspace.write(".env", format!("OPENAI_API_KEY={VALUE}\n"));
        workspace.write("train.py", "print(1)\n");
        workspace.git(&["add", "."]).await;
        workspace.git(&["commit", "--quiet", "-m", "first"]).await;
        workspace.write("train.py", format!("print(1)\nlogin('{TOKEN}')\n"));
        workspace.write("notes.txt", format!("the key is {VALUE}\n"));
        workspace.write("base.yaml", format!("lr: 0.1\ntoken: {TOKEN}\n"));
        Self { server, project, workspace }
    }

    /// A command with a secret in it, which prints it and writes it into a log. It fails with 3.
    async fn run(&self, options: &[&str]) -> Answer {
        let script = format!("echo {TOKEN}; echo {VALUE} >&2; echo 'token: {TOKEN}' > train.log; exit 3");
        let options = [&["--config", "base.yaml", "--expect-log", "train.log"], options].concat();
        self.workspace.run_with(&options, &script).await
    }

    async fn recorded(&self) -> Value {
        recorded(&self.server, &self.project.key, "exp001").await
    }

    /// All that was sent in files: our copies are what was sent, and the run names them by their hashes.
    fn copies(&self) -> String {
        let mut text = String::new();
        let mut folders = vec![self.workspace.path(".trace")];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
                let path = entry.path();
                if path.is_dir() {
                    folders.push(path);
                } else if !path.to_string_lossy().contains("/bundles/") {
                    text += &String::from_utf8_lossy(&std::fs::read(path).expect("a file"));
                }
            }
        }
        text
    }
}

fn log(run: &Value, stream: &str) -> Value {
    let logs = run["logs"].as_array().expect("logs");
    logs.iter().find(|log| log["stream"] == stream).expect("the stream")["text_content"].clone()
}

fn snapshot_file<'a>(run: &'a Value, kind: &str) -> &'a Value {
    let files = run["snapshot"]["files"].as_array().expect("files");
    files.iter().find(|file| file["kind"] == kind).unwrap_or_else(|| panic!("no {kind} in {files:?}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_are_masked_in_all_that_is_kept_and_sent() {
    let trial = Trial::new().await;
    let answer = trial.run(&[]).await;
    let run = trial.recorded().await;
    let (sent, copies) = (run.to_string(), trial.copies());
    for secret in [TOKEN, VALUE] {
        assert!(!sent.contains(secret), "{sent}");
        assert!(!copies.contains(secret), "{secret} is in .trace");
    }
    let command = run["command"].as_str().expect("a command");
    assert!(command.contains("echo [masked: github token]"), "{command}");
    assert_eq!(log(&run, "stdout"), "[masked: github token]\n");
    assert_eq!(log(&run, "stderr"), "[masked: .env value OPENAI_API_KEY]\n");
    let config = trial.workspace.read(".trace/artifacts/exp001/configs/base.yaml");
    assert_eq!(config, "lr: 0.1\ntoken: [masked: github token]\n");
    assert_eq!(trial.workspace.read(".trace/artifacts/exp001/outputs/train.log"), "token: [masked: github token]\n");
    assert!(trial.workspace.read(".trace/snapshots/exp001.diff").contains("+login('[masked: github token]')"));
    assert_eq!(snapshot_file(&run, "untracked")["path"], "base.yaml");
    let reasons = run["snapshot"]["rebuild"]["reasons"].to_string();
    assert!(reasons.contains("a secret was masked in the diff"), "{reasons}");
    assert!(reasons.contains("secrets were masked in 2 untracked files"), "{reasons}");
    assert_eq!(answer.code, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn people_see_what_the_command_prints_and_are_told_what_was_masked() {
    let trial = Trial::new().await;
    let answer = trial.run(&[]).await;
    assert_eq!(answer.stdout, format!("{TOKEN}\n"));
    assert!(answer.stderr.contains(&format!("{VALUE}\n")), "{}", answer.stderr);
    let told = answer.stderr.lines().find(|line| line.starts_with("otrace: masked ")).expect("a warning");
    for place in [
        "github token in the command",
        "github token in stdout (line 1)",
        ".env value OPENAI_API_KEY in stderr (line 1)",
        "github token in the diff",
        "github token in base.yaml (line 2)",
        ".env value OPENAI_API_KEY in notes.txt (line 1)",
        "github token in train.log (line 1)",
        "Pass --no-secret-masking",
    ] {
        assert!(told.contains(place), "{place}: {told}");
    }
    assert!(!told.contains(TOKEN) && !told.contains(VALUE), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_flag_turns_it_off() {
    let trial = Trial::new().await;
    let answer = trial.run(&["--no-secret-masking"]).await;
    assert_eq!(answer.code, 3);
    assert!(!answer.stderr.contains("masked"), "{}", answer.stderr);
    let run = trial.recorded().await;
    assert!(run["command"].as_str().is_some_and(|command| command.contains(TOKEN)));
    assert_eq!(log(&run, "stdout"), format!("{TOKEN}\n"));
    assert!(trial.workspace.read(".trace/snapshots/exp001.diff").contains(TOKEN));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_sent_later_is_masked_as_well() {
    let trial = Trial::new().await;
    let answer = trial.run(&["--offline"]).await;
    assert_eq!(answer.code, 3);
    trial.workspace.otrace(&["sync"]).await.succeeded();
    let sent = trial.recorded().await.to_string();
    assert!(!sent.contains(TOKEN) && !sent.contains(VALUE), "{sent}");
    assert!(sent.contains("[masked: github token]"), "{sent}");
}

#[tokio::test(flavor = "multi_thread")]
async fn artifacts_stay_as_they_are_and_people_are_warned() {
    let server = TestServer::start().await;
    let project = server.project("wake-word").await;
    let workspace = Workspace::with_key(&server, &project.key);
    workspace.write("made.json", format!("{{\"loss\": 1, \"note\": \"{TOKEN}\"}}\n"));
    let answer = workspace.run_with(&["--expect-artifact", "out.json"], "cp made.json out.json").await.succeeded();
    let kept = workspace.read(".trace/artifacts/exp001/outputs/out.json");
    assert!(kept.contains(TOKEN), "{kept}");
    assert!(answer.stderr.contains("github token in out.json (line 1)"), "{}", answer.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_in_commits_that_no_remote_has_are_named_when_they_are_first_sent() {
    let trial = Trial::new().await;
    trial.workspace.write("old.py", format!("login('{TOKEN}')\n"));
    trial.workspace.git(&["add", "old.py"]).await;
    trial.workspace.git(&["commit", "--quiet", "-m", "by mistake"]).await;
    let commit = trial.workspace.git(&["rev-parse", "--short", "HEAD"]).await;
    let told =
        |answer: &Answer| answer.stderr.lines().find(|line| line.contains("commits that no remote")).map(str::to_owned);
    let first = told(&trial.run(&[]).await).expect("a warning");
    assert!(first.contains(&format!("1 secret: github token in old.py of commit {commit}.")), "{first}");
    assert!(!first.contains(TOKEN), "{first}");
    assert_eq!(
        snapshot_file(&trial.recorded().await, "git_bundle")["path"],
        "commits.bundle",
        "it is sent all the same"
    );
    assert_eq!(told(&trial.run(&[]).await), None, "the server has it by now");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_progress_bar_the_last_state_is_kept() {
    let server = TestServer::start().await;
    let project = server.project("wake-word").await;
    let workspace = Workspace::with_key(&server, &project.key);
    let answer = workspace.run("printf ' 0%%\\r 50%%\\r100%%\\nsaved\\n'").await.succeeded();
    assert_eq!(answer.stdout, " 0%\r 50%\r100%\nsaved\n");
    let run = recorded(&server, &project.key, "exp001").await;
    assert_eq!(log(&run, "stdout"), "100%\nsaved\n");
}
