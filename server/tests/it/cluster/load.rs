//! Clients that record runs through nginx, and read lists and pages, for as long as they are let.

use std::collections::{BTreeMap, BTreeSet};
use std::mem;
use std::sync::{Arc, Mutex};

use otrace_server::testing::{TestProject, TestResponse};
use otrace_wire::Sha256Digest;
use reqwest::RequestBuilder;
use reqwest::header::COOKIE;
use serde_json::json;
use sha2::{Digest, Sha256};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{interval, timeout};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{Api, Cluster, LOOK_EVERY, PATIENCE, ask};

/// So many record at the same time.
const CLIENTS: usize = 6;

/// What each run prints.
const PRINTED: [&str; 2] = ["epoch 1\n", "epoch 2: no end of line"];

/// What a client does when it is not answered as it should be.
#[derive(Clone, Copy, Debug)]
pub enum Manner {
    /// It says so, and stops.
    GivesUp,
    /// It sends the same again.
    Repeats,
}

/// The clients, which end when this is dropped.
pub struct Load {
    tally: Arc<Tally>,
    stop: CancellationToken,
    clients: JoinSet<()>,
}

/// What the clients were told.
#[derive(Debug, Default)]
pub struct Told {
    /// The runs that there are, by their ids, with their names.
    pub runs: BTreeMap<Uuid, String>,
    /// What failed.
    pub failures: Vec<String>,
}

struct Tally {
    told: Mutex<Told>,
    recorded: watch::Sender<usize>,
}

/// A client: a machine that records, and a person who looks.
#[derive(Clone)]
struct Recorder {
    api: Api,
    cookie: String,
    pages: String,
    manner: Manner,
    tally: Arc<Tally>,
}

impl Load {
    /// Lets the clients begin.
    pub fn on(cluster: &Cluster, project: &TestProject, manner: Manner) -> Self {
        let tally = Arc::new(Tally { told: Mutex::default(), recorded: watch::Sender::new(0) });
        let stop = CancellationToken::new();
        let recorder = Recorder {
            api: cluster.api(project),
            cookie: project.cookie.clone(),
            pages: format!("{}/projects/{}/runs", cluster.nginx.url(), project.slug),
            manner,
            tally: Arc::clone(&tally),
        };
        let mut clients = JoinSet::new();
        for _ in 0..CLIENTS {
            let (recorder, stop) = (recorder.clone(), stop.clone());
            clients.spawn(async move { while !stop.is_cancelled() && recorder.record().await.is_some() {} });
        }
        Self { tally, stop, clients }
    }

    /// Waits until twice as many runs as there are clients were recorded from now on.
    pub async fn goes_on(&self) {
        let mut recorded = self.tally.recorded.subscribe();
        let enough = *recorded.borrow() + 2 * CLIENTS;
        let is_recorded = timeout(PATIENCE, recorded.wait_for(|count| *count >= enough)).await.is_ok();
        assert!(is_recorded, "no more runs are recorded: {:#?}", self.tally.told.lock().unwrap().failures);
    }

    /// Lets each client end the run that it is at.
    pub async fn end(mut self) -> Told {
        self.stop.cancel();
        while let Some(ended) = self.clients.join_next().await {
            ended.unwrap();
        }
        mem::take(&mut *self.tally.told.lock().unwrap())
    }
}

impl Recorder {
    /// Records a run from its creation to its end, and looks at it. `None`: something failed.
    async fn record(&self) -> Option<()> {
        let id = Uuid::now_v7();
        let asked = json!({"id": id, "intent": "to be there afterwards", "setup": "as before", "command": "true"});
        let created = self.send("creating", || self.api.request("POST", "/v1/runs").json(&asked)).await?;
        let name = created.json()["run"]["experiment_id"].as_str().unwrap().to_owned();
        self.tally.told.lock().unwrap().runs.insert(id, name.clone());

        let run = format!("/v1/runs/{name}");
        let running = json!({"status": "running"});
        self.send("beginning", || self.api.request("PATCH", &run).json(&running)).await?;
        let mut offset = 0;
        for piece in PRINTED {
            let log = format!("{run}/logs/stdout?offset={offset}");
            self.send("printing", || self.api.request("POST", &log).body(piece)).await?;
            offset += piece.len();
        }
        let content = content_of(id);
        let (path, hash) = (content_path(&content), digest_of(&content));
        self.send("sending a content", || self.api.request("PUT", &path).body(content.clone())).await?;
        let details = json!({
            "artifacts": [{"original_path": "model.bin", "hash": hash, "size_bytes": content.len()}],
            "results": [{"name": "loss", "value": 0.5}],
        });
        let details_path = format!("{run}/details");
        self.send("describing", || self.api.request("PUT", &details_path).json(&details)).await?;
        let end = json!({"status": "completed", "exit_code": 0});
        self.send("ending", || self.api.request("PATCH", &run).json(&end)).await?;

        self.send("counting", || self.api.request("GET", "/v1/runs/count")).await?;
        self.send("reading", || self.api.request("GET", &run)).await?;
        for page in [self.pages.clone(), format!("{}/{name}", self.pages)] {
            self.send("looking", || self.api.http.get(&page).header(COOKIE, &self.cookie)).await?;
        }
        self.tally.recorded.send_modify(|count| *count += 1);
        Some(())
    }

    async fn send(&self, doing: &str, request: impl Fn() -> RequestBuilder) -> Option<TestResponse> {
        let attempts = match self.manner {
            Manner::GivesUp => 1,
            Manner::Repeats => 500,
        };
        let mut ticks = interval(LOOK_EVERY);
        let mut failure = String::new();
        for _ in 0..attempts {
            ticks.tick().await;
            failure = match ask(request()).await {
                Ok(answer) if answer.status.is_success() => return Some(answer),
                Ok(answer) => format!("{doing}: {} {}", answer.status, answer.text()),
                Err(error) => format!("{doing}: {error:?}"),
            };
        }
        self.tally.told.lock().unwrap().failures.push(failure);
        None
    }
}

impl Cluster {
    /// Fails unless the project has the runs that the clients were told of, each once, ended and whole, and no others.
    pub async fn has_each_once(&self, project: &TestProject, told: &Told) {
        let api = self.api(project);
        let listed = api.get("/v1/runs").await.expect(200).json();
        let mut found = BTreeMap::new();
        for run in listed["runs"].as_array().unwrap() {
            let (id, name) = (run["id"].as_str().unwrap(), run["experiment_id"].as_str().unwrap());
            assert_eq!((&run["status"], &run["exit_code"]), (&json!("completed"), &json!(0)), "{name}");
            assert_eq!(run["artifacts"].as_array().map(Vec::len), Some(1), "{name}");
            let before = found.insert(id.parse::<Uuid>().unwrap(), name.to_owned());
            assert_eq!(before, None, "{name} is there twice");
        }
        assert_eq!(found, told.runs);
        assert_eq!(found.values().collect::<BTreeSet<_>>().len(), found.len(), "each has a name of its own");
        for (id, name) in &found {
            let printed = api.get(&format!("/v1/runs/{name}/logs/stdout?from=0")).await.expect(200);
            assert_eq!(printed.text(), PRINTED.concat(), "{name}");
            let content = content_of(*id);
            let kept = api.get(&content_path(&content)).await.expect(200);
            assert!(kept.body == content, "{name}");
        }
    }
}

/// The artifact that a run leaves behind, like that of no other run.
fn content_of(run: Uuid) -> Vec<u8> {
    run.as_bytes().repeat(256)
}

fn digest_of(content: &[u8]) -> Sha256Digest {
    Sha256Digest::new(Sha256::digest(content).into())
}

fn content_path(content: &[u8]) -> String {
    format!("/v1/contents/{}", digest_of(content).hex())
}
