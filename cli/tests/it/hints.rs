//! What is told of an error, whole: a line that says why, and where it helps a hint below it. [`super::seed_errors`] has
//! those that are quoted in the first description.

use otrace_server::testing::TestServer;

use crate::workspace::{Workspace, nowhere};

/// Asserts exactly this on standard error, nothing on standard output, and the exit code.
async fn assert_told(workspace: &Workspace, args: &[&str], code: i32, told: &str) {
    let answer = workspace.otrace(args).await;
    assert_eq!((answer.code, answer.stderr.as_str(), answer.stdout.as_str()), (code, told, ""), "{args:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_server_refuses_is_told_with_its_code_and_what_to_do() {
    let server = TestServer::start().await;
    let project = server.project("wake-word").await;
    let url = server.url();
    let refused = format!(
        "error: The API key is not valid: it is mistyped, revoked or expired. Make a new one on the project's Keys page. \
         (code=unauthorized)\n\
         hint: Run `otrace login`, or make a new key at {url}/projects and set TRACE_API_KEY.\n"
    );
    let workspace = Workspace::with_key(&server, "trc_wrong");
    for command in ["whoami", "runs"] {
        assert_told(&workspace, &[command], 1, &refused).await;
    }
    let workspace = Workspace::with_key(&server, &project.key);
    let answer = workspace.otrace(&["runs", "--query", "status:faild"]).await;
    let told = answer.refusal();
    assert!(told.starts_with("error: At character 8 of the query: ") && told.contains(" (code=invalid)"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_line_that_is_not_understood_is_told_with_what_was_meant() {
    let workspace = Workspace::new();
    let told = "error: unrecognized subcommand 'stauts'\nhint: a similar subcommand exists: 'status'\n";
    assert_told(&workspace, &["stauts"], 2, told).await;
    let told = "error: unexpected argument '--jsn' found\nhint: a similar argument exists: '--json'\n";
    assert_told(&workspace, &["status", "--jsn"], 2, told).await;
    let told = "error: the following required arguments were not provided: <EXP_ID>\nhint: See `otrace --help`.\n";
    assert_told(&workspace, &["checkout"], 2, told).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_server_or_a_key_the_hint_says_how_to_get_one() {
    let url = nowhere();
    let workspace = Workspace::new().set("TRACE_API_URL", &url);
    let no_key = format!(
        "error: no API key for {url}\nhint: Run `otrace login`, or make a key at {url}/projects and set TRACE_API_KEY.\n"
    );
    assert_told(&workspace, &["whoami"], 1, &no_key).await;
    let workspace = workspace.set("TRACE_API_KEY", "trc_any");
    let answer = workspace.otrace(&["whoami"]).await;
    let (error, hint) = answer.refusal().split_once('\n').expect("a hint");
    assert!(error.starts_with(&format!("error: could not reach the Trace server at {url}: ")), "{error}");
    assert_eq!(hint, "hint: Start it with `otrace-server`, or set TRACE_API_URL to where it is.");
}
