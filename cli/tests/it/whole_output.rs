//! All that a command says, on both streams, and its exit code: when it succeeds, and when it is refused.
//!
//! What no two runs share is put out: times, lengths of time, the machine.

use otrace_server::testing::{TestProject, TestServer};

use crate::workspace::{Workspace, nowhere};

/// An exit code, standard output and standard error.
type Said = (i32, String, String);

async fn said(workspace: &Workspace, args: &[&str]) -> Said {
    let answer = workspace.otrace(args).await;
    (answer.code, answer.stdout, answer.stderr)
}

fn expected(code: i32, stdout: &str, stderr: &str) -> Said {
    (code, stdout.to_owned(), stderr.to_owned())
}

/// A text in which `…` stands for what follows one of these at the beginning of a line.
fn masked(text: &str, beginnings: &[&str]) -> String {
    let mut masked = String::new();
    for line in text.split_inclusive('\n') {
        match beginnings.iter().find(|beginning| line.starts_with(**beginning)) {
            Some(beginning) => {
                masked.push_str(beginning);
                masked.push_str("…\n");
            }
            None => masked.push_str(line),
        }
    }
    masked
}

/// A workspace of a new project.
async fn one() -> (TestServer, TestProject, Workspace) {
    let server = TestServer::start().await;
    let project = server.project("wake-word").await;
    let workspace = Workspace::with_key(&server, &project.key);
    (server, project, workspace)
}

/// The same, in a git repository with a config, dependencies, and outputs that git ignores. Gives its commit.
async fn one_in_git() -> (TestServer, TestProject, Workspace, String) {
    let (server, project, workspace) = one().await;
    workspace.write(".gitignore", "m.json\notrace_demo_runspec.yaml\n");
    workspace.write("c.yaml", "lr: 0.1\nseed: 7\n");
    workspace.write("requirements.txt", "numpy==1.26\n");
    workspace.git(&["init", "--quiet", "--initial-branch=main"]).await;
    workspace.git(&["add", "."]).await;
    workspace.git(&["commit", "--quiet", "-m", "first"]).await;
    let commit = workspace.git(&["rev-parse", "HEAD"]).await;
    (server, project, workspace, commit[..8].to_owned())
}

const SCRIPT: &str = "echo loud; echo quiet >&2; cp ../m.txt m.json; exit 3";

/// Records a run of a script that finds its outputs, with this accuracy, in `../m.txt`.
async fn record(workspace: &Workspace, accuracy: &str, options: &[&str], script: &str) -> Said {
    workspace.write("../m.txt", format!("{{\"accuracy\": {accuracy}, \"epochs\": 3}}\n"));
    let what =
        ["run", "--intent", "to see", "--setup", "as it is", "--config", "c.yaml", "--expect-artifact", "m.json"];
    said(workspace, &[&what[..], options, &["--", "sh", "-c", script]].concat()).await
}

fn refused_key(url: &str) -> String {
    format!(
        "The API key is not valid: it is mistyped, revoked or expired. Make a new one on the project's Keys page. \
         (code=unauthorized)\n\
         hint: Run `otrace login`, or make a new key at {url}/projects and set TRACE_API_KEY.\n"
    )
}

fn no_key(url: &str) -> String {
    format!(
        "error: no API key for {url}\nhint: Run `otrace login`, or make a key at {url}/projects and set TRACE_API_KEY.\n"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn all_that_init_says() {
    let (server, project, workspace) = one().await;
    let (url, root) = (server.url(), workspace.root().display().to_string());
    let TestProject { id, name, email, .. } = &project;
    let told = format!(
        "Authenticated as: {email}\n\
         Project: {name}\n\
         Workspace: demo\n\
         Runs are kept in: {root}/.trace\n\
         Guide for agents: {root}/TRACE_FOR_AGENTS.md\n\
         What is left out: {root}/.traceignore\n\
         \n\
         .env was not written, and .gitignore was not edited. To use this project in every\n\
         shell, add these lines to your shell's profile or to a .env that is not committed:\n\
         \n\
         TRACE_API_URL=\"{url}\"\n\
         TRACE_API_KEY=\"<the project's API key>\"\n\
         TRACE_PROJECT_ID=\"{id}\"\n\
         TRACE_PROJECT_NAME=\"{name}\"\n"
    );
    for args in [&["init"][..], &["init"], &["init", "--force"]] {
        assert_eq!(said(&workspace, args).await, expected(0, &told, ""), "{args:?}");
    }
    assert_eq!(said(&workspace, &["init", "--quiet"]).await, expected(0, &told, ""));

    let wrong = Workspace::with_key(&server, "trc_wrong");
    let error = format!("error: {}", refused_key(url));
    assert_eq!(said(&wrong, &["init"]).await, expected(1, "", &error));
    let none = Workspace::new().set("TRACE_API_URL", url);
    assert_eq!(said(&none, &["init"]).await, expected(1, "", &no_key(url)));
    assert!(!wrong.has(".trace") && !none.has(".trace"));
}

#[tokio::test(flavor = "multi_thread")]
async fn all_that_login_says() {
    let (server, project, _) = one().await;
    let (url, workspace) = (server.url(), Workspace::new());
    let told = format!(
        "Logged in to {url}\nAccount: {}\nProject: {}\nSaved in {}, readable by you only\n",
        project.email,
        project.name,
        workspace.saved_login().display()
    );
    let args = ["login", "--api-url", url, "--api-key", &project.key];
    assert_eq!(said(&workspace, &args).await, expected(0, &told, ""));
    assert!(workspace.saved_login().is_file());

    let wrong = ["login", "--api-url", url, "--api-key", "trc_wrong"];
    let error = format!("error: {}", refused_key(url));
    assert_eq!(said(&workspace, &wrong).await, expected(1, "", &error));
    let nobody = ["login", "--api-url", url, "--paste"];
    assert_eq!(said(&workspace, &nobody).await, expected(1, "", &no_key(url)));
}

#[tokio::test(flavor = "multi_thread")]
async fn all_that_run_says() {
    let (server, project, workspace, commit) = one_in_git().await;
    let (url, slug) = (server.url(), &project.slug);
    let spec = workspace.path("otrace_demo_runspec.yaml").display().to_string();
    let told = |number: u8, opening: &str, results: &str| {
        format!(
            "Using RunSpec: {spec}\n{opening}\
             Experiment exp00{number} started\n\
             \n\
             quiet\n\
             Experiment exp00{number} saved\n\
             \n\
             Intent: to see\n\
             Status: failed (exit code 3)\n\
             Command: sh -c 'echo loud; echo quiet >&2; cp ../m.txt m.json; exit 3'\n\
             Snapshot: commit {commit}\n\
             Stdout log: .trace/logs/exp00{number}.stdout.log\n\
             Stderr log: .trace/logs/exp00{number}.stderr.log\n\
             {results}\
             Open: {url}/projects/{slug}/runs/exp00{number}\n"
        )
    };
    let opening = format!("RunSpec will be saved after this run.\nRunSpec saved: {spec}\n");
    let all = "Observed paths: 2\nMissing paths: 0\nParsed results: 2\nParsed tables: 0\n";
    let first = record(&workspace, "0.8", &[], SCRIPT).await;
    assert_eq!(first, expected(3, "loud\n", &told(1, &opening, all)));
    let missing = "Observed paths: 2\nMissing paths: 1 (no.png)\nParsed results: 2\nParsed tables: 0\n";
    let second = record(&workspace, "0.9", &["--expect-artifact", "no.png"], SCRIPT).await;
    assert_eq!(second, expected(3, "loud\n", &told(2, "", missing)));

    let workspace = workspace.set("TRACE_API_KEY", "trc_wrong");
    let error = format!(
        "Using RunSpec: {spec}\nerror: could not create the run on the server; the command was not started. {}",
        refused_key(url)
    );
    assert_eq!(record(&workspace, "1", &[], "touch marker").await, expected(1, "", &error));
    assert!(!workspace.has("marker"));
}

#[tokio::test(flavor = "multi_thread")]
async fn all_that_is_said_of_an_offline_run_by_status_and_by_sync() {
    let (server, _project, workspace) = one().await;
    let script = "echo hello; echo 12345 > out.txt; exit 3";
    let answer = workspace.run_with(&["--offline", "--expect-artifact", "out.txt"], script).await;
    let name = answer.stderr.lines().find_map(|line| line.strip_prefix("Experiment ")?.strip_suffix(" started"));
    let name = name.expect("a name").to_owned();
    let spec = workspace.path("otrace_demo_runspec.yaml").display().to_string();
    let told = format!(
        "Using RunSpec: {spec}\n\
         RunSpec will be saved after this run.\n\
         RunSpec saved: {spec}\n\
         Experiment {name} started\n\
         \n\
         Experiment {name} kept on this machine\n\
         \n\
         Intent: to see\n\
         Status: failed (exit code 3)\n\
         Command: sh -c '{script}'\n\
         Snapshot: no git repository\n\
         Stdout log: .trace/logs/{name}.stdout.log\n\
         Stderr log: .trace/logs/{name}.stderr.log\n\
         Observed paths: 1\n\
         Missing paths: 0\n\
         Parsed results: 0\n\
         Parsed tables: 0\n\
         Recorded offline: `otrace sync` sends it.\n"
    );
    assert_eq!((answer.code, answer.stdout.as_str(), answer.stderr.as_str()), (3, "hello\n", told.as_str()));

    let (code, status, stderr) = said(&workspace, &["status"]).await;
    let told = format!(
        "{name}: sh -c '{script}'\n\
         \x20 Recorded: …\n\
         \x20 State: ended with exit code 3\n\
         \x20 Missing: the run itself, up to …\n\
         `otrace sync` sends what is missing.\n"
    );
    let status = masked(&status, &["  Recorded: ", "  Missing: the run itself, up to "]);
    assert_eq!((code, status, stderr), expected(0, &told, ""));

    let away = nowhere();
    let workspace = workspace.set("TRACE_API_URL", &away);
    let (code, stdout, stderr) = said(&workspace, &["sync"]).await;
    let unreached = format!("otrace: {name} was not sent completely: could not reach the Trace server at {away}: ");
    let told = format!(
        "{unreached}…\n\
         error: 1 run is not sent completely; what was captured is kept in .trace\n\
         hint: Run `otrace sync` again when the cause is gone.\n"
    );
    assert_eq!((code, stdout, masked(&stderr, &[&unreached])), expected(1, "", &told));

    let workspace = workspace.set("TRACE_API_URL", server.url());
    assert_eq!(said(&workspace, &["sync"]).await, expected(0, &format!("Sent: {name} (now exp001)\n"), ""));
    for command in ["sync", "status"] {
        assert_eq!(said(&workspace, &[command]).await, expected(0, "Everything is sent.\n", ""), "{command}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn all_that_show_says() {
    let (_server, _project, workspace, commit) = one_in_git().await;
    let options = ["--title", "First try", "--tag", "a", "--tag", "b", "--expect-artifact", "no.png"];
    record(&workspace, "0.8", &options, SCRIPT).await;
    let note = ["note", "exp001", "It diverges. #insight"];
    assert_eq!(said(&workspace, &note).await, expected(0, "", "Noted on exp001.\n"));
    let told = format!(
        "exp001  First try\n\
         Status: failed (exit code 3)\n\
         Tags: a, b\n\
         Recorded: …\n\
         Duration: …\n\
         Intent: to see\n\
         Setup: as it is\n\
         Command: sh -c 'echo loud; echo quiet >&2; cp ../m.txt m.json; exit 3'\n\
         Directory: {}\n\
         Code: commit {commit} on main\n\
         Machine: …\n\
         Reproducible: yes\n\
         \n\
         Results\n\
         accuracy\t0.8\tm.json\n\
         epochs\t3\tm.json\n\
         \n\
         Artifacts\n\
         c.yaml\tconfig\t16\n\
         m.json\tmetrics\t31\n\
         \n\
         Declared, and not there\n\
         no.png\n\
         \n\
         Logs\n\
         stdout\t5\n\
         stderr\t6\n\
         \n\
         Notes\n\
         test key, …\n\
         \x20 It diverges. #insight\n",
        workspace.root().display()
    );
    for name in ["exp001", "1", "EXP001"] {
        let (code, stdout, stderr) = said(&workspace, &["show", name]).await;
        let stdout = masked(&stdout, &["Recorded: ", "Duration: ", "Machine: ", "test key, "]);
        assert_eq!((code, stdout, stderr), expected(0, &told, ""), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn all_that_diff_says() {
    let (_server, _project, workspace, _commit) = one_in_git().await;
    record(&workspace, "0.8", &["--title", "First try", "--tag", "a"], SCRIPT).await;
    workspace.write("c.yaml", "lr: 0.2\nseed: 7\n");
    workspace.write("requirements.txt", "numpy==2.0\n");
    record(&workspace, "0.9", &[], "cp ../m.txt m.json").await;
    let told = "\
--- exp001  First try
+++ exp002

Run
- command: sh -c 'echo loud; echo quiet >&2; cp ../m.txt m.json; exit 3'
+ command: sh -c 'cp ../m.txt m.json'
- tags: a
- status: failed (exit code 3)
+ status: completed

Changes that are not committed
--- exp001/changes that are not staged
+++ exp002/changes that are not staged
@@ -0,0 +1,15 @@
+diff --git a/c.yaml b/c.yaml
+index c9ba4de..b405b94 100644
+--- a/c.yaml
++++ b/c.yaml
+@@ -1,2 +1,2 @@
+-lr: 0.1
++lr: 0.2
+ seed: 7
+diff --git a/requirements.txt b/requirements.txt
+index b939aee..168267d 100644
+--- a/requirements.txt
++++ b/requirements.txt
+@@ -1 +1 @@
+-numpy==1.26
++numpy==2.0

Configs
--- exp001/c.yaml
+++ exp002/c.yaml
@@ -1,2 +1,2 @@
-lr: 0.1
+lr: 0.2
 seed: 7

Dependency files
--- exp001/requirements.txt
+++ exp002/requirements.txt
@@ -1 +1 @@
-numpy==1.26
+numpy==2.0

Results
accuracy\t0.8\t0.9\t0.09999999999999998
1 result is the same
";
    assert_eq!(said(&workspace, &["diff", "exp001", "exp002"]).await, expected(0, told, ""));
    let same = "--- exp001  First try\n+++ exp001  First try\nNothing differs.\n";
    assert_eq!(said(&workspace, &["diff", "exp001", "1"]).await, expected(0, same, ""));
}

#[tokio::test(flavor = "multi_thread")]
async fn all_that_export_says() {
    let workspace = Workspace::new();
    workspace.write("a.txt", "1\n");
    workspace.write(".venv/bin/python", "");
    let shown = workspace.path("demo-trace-snapshot.zip").display().to_string();
    let exported = |files: &str| format!("Exported {files} to {shown} (");
    let (code, stdout, stderr) = said(&workspace, &["export"]).await;
    let one = exported("1 file");
    assert_eq!((code, masked(&stdout, &[&one]), stderr), expected(0, &format!("{one}…\n"), ""));

    let error = format!(
        "error: {shown} is there already\nhint: Choose another name with --output, or overwrite it with --force.\n"
    );
    assert_eq!(said(&workspace, &["export"]).await, expected(1, "", &error));
    let error =
        "error: invalid value 'tar' for '--format <FORMAT>' [possible values: zip]\nhint: See `otrace --help`.\n";
    assert_eq!(said(&workspace, &["export", "--format", "tar"]).await, expected(2, "", error));

    workspace.write(".env", "TRACE_API_KEY=trc_x\n");
    std::os::unix::fs::symlink("/etc", workspace.path("out")).expect("linked");
    let (code, stdout, stderr) = said(&workspace, &["export", "--force", "--no-default-excludes"]).await;
    let three = exported("3 files");
    let told = "otrace: the archive holds .env and what is secret in it; keep it to yourself\n\
        otrace: left out: out (it is a link that leads out, to /etc); the manifest lists all\n";
    assert_eq!((code, masked(&stdout, &[&three]), stderr), expected(0, &format!("{three}…\n"), told));
}
