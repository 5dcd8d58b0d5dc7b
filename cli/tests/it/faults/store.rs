//! Contents that are put into the server's store directly: what breaks on the way there, and when the server is told.

use std::sync::Arc;

use otrace_server::config::StorageConfig;
use otrace_server::testing::{TestProject, TestServer};
use serde_json::json;

use super::api::{Api, hex_digest};
use super::network::{BROKEN, FULL, GARBAGE, PORTAL, TOO_MANY, with_each};
use super::proxy::{Fault, Nth, Proxy};
use crate::sync_harness::spooled;
use crate::workspace::Workspace;
use s3::{BUCKET, S3, SECRET_KEY};

// The S3 of the server's own tests.
#[expect(dead_code, clippy::unwrap_used, reason = "the server's tests use more of it, and say what they expect so")]
#[path = "../../../../server/tests/it/stores/s3.rs"]
mod s3;

/// So many files that the server is told of them in three requests.
const FILES: usize = 17;
/// Large enough to be put there directly.
const LENGTH: usize = 300 * 1024;
/// A client puts a content into the store.
const PUT: &str = "PUT /contents/trace/projects/{…}/incoming/{…}";
/// It says so.
const ARRIVED: &str = "POST /v1/contents/arrived";
/// More attempts to send a run than it has calls.
const SYNCS: usize = 20;

/// A server whose clients put contents into its store, which they get to through a proxy.
struct Direct {
    server: TestServer,
    door: Proxy,
    _s3: S3,
}

impl Direct {
    async fn start() -> Self {
        let s3 = S3::start().await;
        let door = Proxy::to(&s3.endpoint());
        let storage = s3::storage(&format!("s3://{BUCKET}/trace"), door.url(), SECRET_KEY);
        let storage = StorageConfig { direct_uploads: true, ..storage };
        let server = TestServer::with(|config| config.storage = storage).await;
        Self { server, door, _s3: s3 }
    }

    /// Records a command that leaves many files, and has all of them arrive.
    async fn records(&self, project: &TestProject, proxy: &Proxy) {
        let workspace = Workspace::new().set("TRACE_API_URL", proxy.url()).set("TRACE_API_KEY", &project.key);
        for number in 0..FILES {
            workspace.write(&format!("made/{number}"), number.to_string().repeat(LENGTH));
        }
        let answer = workspace.run_with(&["-q", "--expect-artifact", "out"], "cp -r made out; echo done; exit 3").await;
        assert_eq!((answer.code, answer.stdout.as_str()), (3, "done\n"), "{}", answer.stderr);
        for attempt in 0.. {
            if spooled(&workspace) == 0 {
                break;
            }
            let answer = workspace.otrace(&["sync"]).await;
            assert!(attempt < SYNCS, "{}{}", answer.stdout, answer.stderr);
        }
        self.has_all(project).await;
    }

    async fn has_all(&self, project: &TestProject) {
        let api = Api::new(self.server.url(), &project.key);
        let run = api.only_run().await;
        assert_eq!((&run["status"], &run["exit_code"]), (&json!("failed"), &json!(3)));
        let artifacts = run["artifacts"].as_array().expect("a list");
        assert_eq!(artifacts.len(), FILES);
        for artifact in artifacts {
            let path = artifact["original_path"].as_str().expect("text");
            let expected = path.trim_start_matches("out/").repeat(LENGTH).into_bytes();
            let hash = artifact["hash"].as_str().expect("a hash");
            assert_eq!(hash, format!("sha256:{}", hex_digest(&expected)), "{path}");
            assert!(api.content(hash).await.is_some_and(|found| found == expected), "{path}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_told_in_vain_what_is_in_its_store_has_it_all_the_same() {
    let direct = Arc::new(Direct::start().await);
    let faults = [
        Fault::Outage,
        Fault::Reset,
        Fault::CutRequest,
        Fault::LoseAnswer,
        Fault::CutBody,
        Fault::Silence,
        Fault::Twice,
        Fault::TwiceAtOnce,
        Fault::Answer(BROKEN),
        Fault::Answer(TOO_MANY),
        Fault::Answer(PORTAL),
    ];
    let cells = faults.iter().flat_map(|fault| [Nth::First, Nth::Second, Nth::EveryThird].map(|nth| (*fault, nth)));
    with_each(cells, |(fault, nth)| {
        let direct = Arc::clone(&direct);
        async move {
            let project = direct.server.project("direct").await;
            let proxy = Proxy::to(direct.server.url());
            proxy.break_some(ARRIVED, nth, fault);
            direct.records(&project, &proxy).await;
            assert!(proxy.broken(1).await.iter().all(|call| call == ARRIVED));
        }
    })
    .await;
    assert!(direct.door.calls().iter().any(|call| call == PUT), "the store was gone to directly");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_can_not_be_got_to_is_gone_round() {
    let direct = Direct::start().await;
    let project = direct.server.project("control").await;
    let proxy = Proxy::to(direct.server.url());
    direct.records(&project, &proxy).await;
    assert_eq!(proxy.answered("PUT /v1/contents/{…}"), 0, "nothing goes round where nothing is in the way");
    // One after the other: they all go through one door.
    for fault in [
        Fault::Reset,
        Fault::CutRequest,
        Fault::LoseAnswer,
        Fault::CutHead,
        Fault::Answer(FULL),
        Fault::Answer(GARBAGE),
        // It says that all is well, and has nothing.
        Fault::Answer(PORTAL),
    ] {
        for nth in [Nth::EveryThird, Nth::Every] {
            let project = direct.server.project("direct").await;
            let proxy = Proxy::to(direct.server.url());
            direct.door.break_some(PUT, nth, fault);
            direct.records(&project, &proxy).await;
            direct.door.break_nothing();
        }
    }
    assert!(direct.door.broken(1).await.iter().all(|call| call == PUT));
}
