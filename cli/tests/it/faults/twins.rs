//! Several `otrace sync` at once: of one workspace, and of two that are copies of each other, as a backup that was
//! brought back is. The locks of the second kind know nothing of each other; the server has to tell.

use std::process::Command;
use std::sync::Arc;

use otrace_server::testing::TestServer;
use serde_json::json;
use tokio::time::timeout;

use super::api::{Api, hex_digest};
use super::fsck;
use super::network::with_each;
use super::proxy::{Fault, Nth, Proxy};
use super::recording::PATIENCE;
use super::rich::write_large;
use crate::sync_harness::spooled;
use crate::workspace::Workspace;

/// So many runs are to be sent.
const RUNS: usize = 2;
/// More attempts than there are calls.
const ATTEMPTS: usize = 20;

/// Leaves runs that are not sent, which differ.
async fn record(workspace: &Workspace) {
    write_large(workspace, "made");
    for number in 1..=RUNS {
        let script = format!(
            "cp made large.bin; echo {number} >> large.bin; echo \"{{\\\"step\\\": 0, \\\"loss\\\": {number}.0}}\" \
             >> \"$TRACE_METRICS\"; echo run {number}; exit {number}"
        );
        let answer = workspace.run_with(&["--offline", "-q", "--expect-artifact", "large.bin"], &script).await;
        assert_eq!(answer.code, i32::try_from(number).expect("small"), "{}", answer.stderr);
    }
    assert_eq!(spooled(workspace), RUNS);
}

/// Another workspace with all that this one has.
fn copy_of(workspace: &Workspace, url: &str, key: &str) -> Workspace {
    let copy = Workspace::new().set("TRACE_API_URL", url).set("TRACE_API_KEY", key);
    let copied = Command::new("cp").arg("-a").arg(workspace.path(".")).arg(copy.root()).status().expect("cp runs");
    assert!(copied.success());
    copy
}

/// Each run is there once, and each of its bytes.
async fn has_each_once(api: &Api) {
    let runs = api.runs().await;
    let mut ends: Vec<_> = runs.iter().map(|run| (run["status"].clone(), run["exit_code"].clone())).collect();
    ends.sort_by_key(|(_, code)| code.as_i64());
    let expected: Vec<_> = (1..=RUNS).map(|code| (json!("failed"), json!(code))).collect();
    assert_eq!(ends, expected, "each run once");
    for listed in runs {
        let path = format!("/v1/runs/{}", listed["id"].as_str().expect("an id"));
        let run = api.json(&path).await["run"].clone();
        let expected = format!("run {}\n", run["exit_code"]);
        assert_eq!(api.get(&format!("{path}/logs/stdout?from=0")).await, expected.as_bytes());
        let artifacts = run["artifacts"].as_array().expect("a list");
        assert_eq!(artifacts.len(), 1, "{artifacts:?}");
        let content = api.content(artifacts[0]["hash"].as_str().expect("a hash")).await.expect("its content");
        assert!(content.ends_with(format!("{}\n", run["exit_code"]).as_bytes()), "{}", hex_digest(&content));
        let csv = String::from_utf8(api.get(&format!("{path}/series/loss?format=csv")).await).expect("text");
        assert_eq!(csv.lines().count(), 2, "a head and a point: {csv}");
    }
    assert_eq!(fsck::wrong(api).await, [""; 0]);
}

async fn synced_at_once(server: Arc<TestServer>, plan: Option<(Fault, Nth)>) {
    let project = server.project("twins").await;
    let api = Api::new(server.url(), &project.key);
    let proxy = Proxy::to(server.url());
    let first = Workspace::new().set("TRACE_API_URL", proxy.url()).set("TRACE_API_KEY", &project.key);
    record(&first).await;
    let second = copy_of(&first, proxy.url(), &project.key);
    if let Some((fault, nth)) = plan {
        proxy.break_every(nth, fault, &[]);
    }
    for attempt in 0.. {
        let sync = |workspace: &Workspace| timeout(PATIENCE, workspace.command(&["sync"]).output());
        let (one, two, three, four) = tokio::join!(sync(&first), sync(&second), sync(&first), sync(&second));
        for output in [one, two, three, four] {
            let output = output.expect("in time").expect("it runs");
            let stderr = String::from_utf8_lossy(&output.stderr);
            assert!(matches!(output.status.code(), Some(0 | 1)), "{stderr}");
            assert!(plan.is_some() || output.status.success(), "{stderr}");
        }
        if spooled(&first) + spooled(&second) == 0 {
            break;
        }
        assert!(plan.is_some() && attempt < ATTEMPTS, "{} and {} are left", spooled(&first), spooled(&second));
    }
    proxy.break_nothing();
    proxy.deliver_late().await;
    has_each_once(&api).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_many_send_at_once_through_a_network_that_loses_and_repeats_is_there_once() {
    let server = Arc::new(TestServer::start().await);
    let plans = [
        None,
        Some((Fault::LoseAnswer, Nth::EveryOther)),
        Some((Fault::LoseAnswer, Nth::EveryThird)),
        Some((Fault::Twice, Nth::Every)),
        Some((Fault::TwiceAtOnce, Nth::Every)),
        Some((Fault::Late, Nth::EveryOther)),
        Some((Fault::CutRequest, Nth::EveryOther)),
    ];
    with_each(plans, |plan| synced_at_once(Arc::clone(&server), plan)).await;
}
