//! What one server took, ended or counted holds on the other.

use std::fs;
use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

use futures_util::future::{join, join_all};
use otrace_server::testing::{PASSWORD, TestApp, TestProject};
use otrace_wire::Sha256Digest;
use reqwest::Response;
use reqwest::header::COOKIE;
use serde_json::json;
use sha2::{Digest, Sha256};
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use tokio::time::timeout;
use uuid::Uuid;

use super::server::{Server, Settings};
use super::{Api, Cluster, PATIENCE, free_addresses, start_at_once, until};
use crate::stores::s3::S3;

/// So large that it is stored in two parts.
const LARGE: usize = 8 * 1024 * 1024 + 7;

const RUN: &str = "/v1/runs/exp001";
const STDOUT: &str = "/v1/runs/exp001/logs/stdout";

/// So soon everybody knows what was ended.
const SOON: Duration = Duration::from_secs(2);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_each_server_took_a_part_of_is_whole_on_both() {
    let cluster = Cluster::start().await;
    let project = cluster.app.project("wake-word").await;
    let (here, there) = (cluster.api_of(0, &project), cluster.api_of(1, &project));

    let created = here.tell("POST", "/v1/runs", &json!({"intent": "i", "setup": "s", "command": "c"})).await;
    // Signed by one server, believed by the other: their keys are one file, which both made at the same moment.
    let token = Api { key: created["run_token"].as_str().unwrap().to_owned(), ..there.clone() };
    token.tell("PATCH", RUN, &json!({"status": "running"})).await;
    here.send("POST", &format!("{STDOUT}?offset=0"), b"epoch 1\n").await;
    there.send("POST", &format!("{STDOUT}?offset=8"), b"no end \xff of line").await;
    let mut artifacts = Vec::new();
    let contents = [b"\x00weights\xff".to_vec(), (0..=250).cycle().take(LARGE).collect()];
    for (api, content) in [&here, &there].into_iter().zip(&contents) {
        let digest = digest_of(content);
        api.send("PUT", &content_path(&digest), content).await;
        artifacts.push(json!({"original_path": digest.hex(), "hash": digest, "size_bytes": content.len()}));
    }
    here.tell("PUT", &format!("{RUN}/details"), &json!({"artifacts": artifacts})).await;
    there.tell("PATCH", RUN, &json!({"status": "completed", "exit_code": 0})).await;

    let run = here.get(RUN).await.expect(200).json();
    assert_eq!(run["run"]["status"], "completed");
    assert_eq!(run["run"]["artifacts"][1]["size_bytes"], LARGE);
    assert_eq!(there.get(RUN).await.expect(200).json(), run);
    for api in [&here, &there] {
        assert_eq!(api.get(&format!("{STDOUT}?from=0")).await.expect(200).body, b"epoch 1\nno end \xff of line");
        for content in &contents {
            let kept = api.get(&content_path(&digest_of(content))).await.expect(200);
            assert!(kept.body == *content, "{} of {} bytes", kept.body.len(), content.len());
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_server_ends_has_ended_on_the_other_two_seconds_later() {
    let cluster = Cluster::start().await;
    let project = cluster.app.project("wake-word").await;
    let [here, there] = cluster.servers.each_ref().map(Server::url);
    let fields = [("email", project.email.as_str()), ("password", PASSWORD)];
    let cookie = TestApp::cookie_of(&cluster.submit(&here, "", "/signin", &fields).await.expect(303));
    let runs = format!("/projects/{}/runs", project.slug);
    for url in [&here, &there] {
        cluster.page(url, &cookie, &runs).await.expect(200);
    }

    let keyed = cluster.api_of(0, &project);
    keyed.get("/v1/auth/whoami").await.expect(200);
    let revoke = format!("/projects/{}/keys/{}/revoke", project.slug, project.key_id);
    cluster.submit(&there, &cookie, &revoke, &[]).await.expect(303);
    let is_refused = async || keyed.get("/v1/auth/whoami").await.status.as_u16() == 401;
    timeout(SOON, until("the key opens nothing", is_refused)).await.expect("in time");

    cluster.submit(&there, &cookie, "/signout", &[]).await.expect(303);
    let is_signed_out = async || cluster.page(&here, &cookie, &runs).await.status.as_u16() == 303;
    timeout(SOON, until("nobody is signed in", is_signed_out)).await.expect("in time");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn passwords_that_are_tried_on_both_servers_are_counted_together() {
    let cluster = Cluster::start().await;
    let urls = cluster.servers.each_ref().map(Server::url);
    let wrong = [("email", "eve@example.org"), ("password", "a wrong guess of it")];
    let tries = urls.iter().cycle().take(14).map(|url| cluster.submit(url, "", "/signin", &wrong));
    let mut statuses: Vec<u16> = join_all(tries).await.iter().map(|answer| answer.status.as_u16()).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [vec![422; 10], vec![429; 4]].concat(), "ten at once from one address");
}

/// A page that listens.
struct Page {
    response: Response,
    text: String,
}

impl Page {
    async fn open(cluster: &Cluster, url: &str, project: &TestProject) -> Self {
        let now = cluster.app.app.clock.now().unix_timestamp_nanos() / 1000;
        let stream = format!("{url}/projects/{}/live?since={now}", project.slug);
        let response = cluster.http.get(stream).header(COOKIE, &project.cookie).send().await.unwrap();
        assert_eq!(response.status().as_u16(), 200);
        Self { response, text: String::new() }
    }

    /// Returns once it has heard of a run.
    async fn hears_of(&mut self, run: &str) {
        while !self.text.contains(&format!(r#""experiment_id":"{run}""#)) {
            let chunk = self.response.chunk().await.unwrap().expect("the stream goes on");
            self.text.push_str(str::from_utf8(&chunk).unwrap());
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_open_page_hears_within_a_second_what_the_other_server_took() {
    let cluster = Cluster::start().await;
    let project = cluster.app.project("wake-word").await;
    let mut page = Page::open(&cluster, &cluster.servers[0].url(), &project).await;
    // And through nginx, which must not hold it back.
    let mut page_behind_nginx = Page::open(&cluster, cluster.nginx.url(), &project).await;
    let other = cluster.api_of(1, &project);
    let mut hears_a_run_at_once = async || {
        let created = other.tell("POST", "/v1/runs", &json!({"intent": "i", "setup": "s", "command": "c"})).await;
        let run = created["run"]["experiment_id"].as_str().unwrap();
        let hearing = join(page.hears_of(run), page_behind_nginx.hears_of(run));
        timeout(Duration::from_secs(1), hearing).await.is_ok()
    };
    // The first may be told with what happened before, or come before the servers listen to each other. And where the
    // machine is busy with other tests, more than one may take longer.
    for _ in 0..2 {
        let trying = async { while !hears_a_run_at_once().await {} };
        timeout(PATIENCE, trying).await.expect("one run is heard of within a second");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_servers_that_start_at_once_on_an_empty_database_migrate_it_once() {
    let (folder, s3) = (tempfile::tempdir().unwrap(), S3::start().await);
    let url = std::env::var("OTRACE_TEST_DATABASE_URL").expect("tests need a PostgreSQL: run `make test`");
    let mut database = PgConnection::connect_with(&PgConnectOptions::from_str(&url).unwrap()).await.unwrap();
    let schema = format!("cluster_{}", Uuid::now_v7().simple());
    sqlx::query(AssertSqlSafe(format!("CREATE SCHEMA {schema}"))).execute(&mut database).await.unwrap();

    let settings = Settings::new(folder.path(), &schema, &s3, "http://127.0.0.1:8000");
    let mut servers = free_addresses::<2>().map(|address| Server::new(address, settings.clone()));
    start_at_once(&mut servers).await;
    let applied = AssertSqlSafe(format!("SELECT count(*) FROM {schema}._sqlx_migrations WHERE success"));
    let applied: i64 = sqlx::query_scalar(applied).fetch_one(&mut database).await.unwrap();
    let migrations = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../migrations")).unwrap();
    let is_migration = |name: &str| Path::new(name).extension().is_some_and(|ending| ending == "sql");
    let migrations = migrations.filter(|file| is_migration(file.as_ref().unwrap().file_name().to_str().unwrap()));
    assert_eq!(usize::try_from(applied).unwrap(), migrations.count());
    for server in &servers {
        assert!(!server.log().contains("ERROR"), "{}", server.log());
    }
}

fn digest_of(content: &[u8]) -> Sha256Digest {
    Sha256Digest::new(Sha256::digest(content).into())
}

fn content_path(digest: &Sha256Digest) -> String {
    format!("/v1/contents/{}", digest.hex())
}
