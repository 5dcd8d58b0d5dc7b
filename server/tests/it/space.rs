//! What is removed for good, when, and what never is: the trash, contents that nothing needs, retention.

mod command;
mod contents;
mod page;
mod races;
mod rehearsal;
mod retention;
mod trash;

use std::fs::{self, File};
use std::path::PathBuf;
use std::time::SystemTime;

use futures_util::TryStreamExt;
use otrace_server::domain::ProjectId;
use otrace_server::services;
use otrace_server::services::api_keys::NewKeyInput;
use otrace_server::services::sweep::{Line, Reason, Report};
use otrace_server::testing::{TestApp, TestProject};
use otrace_wire::Sha256Digest;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use sqlx::AssertSqlSafe;
use time::Duration;

fn digest_of(bytes: &[u8]) -> Sha256Digest {
    Sha256Digest::new(Sha256::digest(bytes).into())
}

/// Bytes that do not shrink, other ones for each seed.
fn noise(seed: u8, length: usize) -> Vec<u8> {
    let mut state = u64::from(seed) + 1;
    let next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state.to_be_bytes()[0]
    };
    std::iter::repeat_with(next).take(length).collect()
}

/// The app with one project, and what a machine with its key does.
struct Space {
    app: TestApp,
    project: TestProject,
}

impl Space {
    async fn new() -> Self {
        let app = TestApp::new().await;
        let mut project = app.project("wake-word").await;
        // The tests let years pass.
        let for_ever = NewKeyInput { lifetime_days: None, ..NewKeyInput::named("for ever") };
        project.key = app.another_key(&project, for_ever).await.key;
        Self { app, project }
    }

    /// A new session of the project's owner: the one of last week has ended.
    async fn cookie(&self) -> String {
        self.app.session(&self.project.email).await
    }

    fn later(&self, by: Duration) {
        self.app.app.clock.advance(by);
    }

    async fn put(&self, content: &[u8]) -> Sha256Digest {
        let digest = digest_of(content);
        let path = format!("/v1/contents/{}", digest.hex());
        self.app.api_raw(&self.project.key, "PUT", &path, content.to_vec()).await.expect(200);
        digest
    }

    /// Whether the project says that a client need not send a content.
    async fn has(&self, digest: Sha256Digest, size: usize) -> bool {
        let body = json!({"contents": [{"hash": digest.to_string(), "size_bytes": size}]});
        let answer =
            self.app.api(&self.project.key, "POST", "/v1/contents/lacking", Some(body)).await.expect(200).json();
        answer["lacking"].as_array().unwrap().is_empty()
    }

    /// Tells what a run left behind.
    async fn tell(&self, run: &str, details: Value) {
        let path = format!("/v1/runs/{run}/details");
        self.app.api(&self.project.key, "PUT", &path, Some(details)).await.expect(200);
    }

    /// A run that has ended, with these artifacts; its experiment id.
    async fn run(&self, artifacts: &[Value]) -> String {
        let run = self.app.run(&self.project.key, "lower the loss").await;
        let run = run["experiment_id"].as_str().unwrap().to_owned();
        self.tell(&run, json!({"artifacts": artifacts})).await;
        let path = format!("/v1/runs/{run}");
        self.app.api(&self.project.key, "PATCH", &path, Some(json!({"status": "completed"}))).await.expect(200);
        run
    }

    async fn delete(&self, run: &str) {
        self.app.api(&self.project.key, "DELETE", &format!("/v1/runs/{run}"), None).await.expect(200);
    }

    async fn restore(&self, run: &str) -> u16 {
        let path = format!("/v1/runs/{run}/restore");
        self.app.api(&self.project.key, "POST", &path, None).await.status.as_u16()
    }

    async fn sweep(&self) -> Report {
        let report = Box::pin(services::sweep::sweep(&self.app.app)).await.unwrap().unwrap();
        assert_eq!(report.failed(), [""; 0]);
        report
    }

    /// A content, if the project has it.
    async fn read(&self, digest: Sha256Digest) -> Option<Vec<u8>> {
        let found = services::contents::read(&self.app.app, ProjectId(self.project.id), &digest, None).await.ok()?;
        let pieces: Vec<_> = found.try_collect().await.unwrap();
        Some(pieces.concat())
    }

    async fn count(&self, table: &str) -> i64 {
        let sql = AssertSqlSafe(format!("SELECT count(*) FROM {table}"));
        sqlx::query_scalar(sql).fetch_one(&self.app.app.pool).await.unwrap()
    }

    /// All files of the store.
    fn files(&self) -> Vec<PathBuf> {
        let (mut files, mut folders) = (Vec::new(), vec![self.app.contents_folder().to_owned()]);
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() { folders.push(path) } else { files.push(path) }
            }
        }
        files
    }

    /// What the store takes, in bytes.
    fn stored_bytes(&self) -> u64 {
        self.files().iter().map(|file| fs::metadata(file).unwrap().len()).sum()
    }

    /// Makes all files of the store as old as this, by the test's clock.
    fn age_files(&self, by: Duration) {
        let modified = SystemTime::from(self.app.app.clock.now() - by);
        for file in self.files() {
            File::options().write(true).open(file).unwrap().set_modified(modified).unwrap();
        }
    }
}

/// An artifact whose content was sent before.
fn artifact(path: &str, kind: &str, content: Sha256Digest) -> Value {
    json!({"original_path": path, "type": kind, "hash": content.to_string()})
}

/// How many of what went for this reason, and how many bytes that gave back.
fn of(report: &Report, reason: Reason) -> (u64, u64) {
    let lines: Vec<Line> = report.lines().filter(|line| line.reason == reason).collect();
    (lines.iter().map(|line| line.count).sum(), lines.iter().map(|line| line.bytes).sum())
}
