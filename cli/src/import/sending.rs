//! Runs on their way: staged on the server in requests of bounded size.

use otrace_wire::imports::{RUNS_AT_ONCE, StagedRun};
use otrace_wire::{Artifact, CreateRun, Log, RunDetails};
use serde::Serialize;
use uuid::Uuid;

use crate::capture::artifacts::{content_type, kind_of};
use crate::capture::expected::Declared;
use crate::client::Client;
use crate::error::{Error, Result};
use crate::import::files::Measured;
use crate::import::left_behind;
use crate::import::manifest::PlannedRun;
use crate::printer::progress::{Meter, Progress};
use crate::{clock, outputs};

/// A request ends with the run that makes it longer than this, in bytes.
const BATCH_BYTES: usize = 4 * 1024 * 1024;

/// Stages runs, whose contents the server has already. They get their numbers in this order.
pub async fn stage(client: &Client, import: Uuid, runs: Vec<PlannedRun>, measured: &Measured) -> Result<()> {
    let meter = Progress::of_runs(runs.len() as u64).meter();
    let mut batch = Batch::default();
    for (position, run) in (0..).zip(runs) {
        batch.add(&staged(position, run, measured)?)?;
        if batch.is_full() {
            batch.send(client, import, &meter).await?;
        }
    }
    batch.send(client, import, &meter).await
}

/// The runs of one request, written already.
#[derive(Default)]
struct Batch {
    runs: usize,
    /// The runs with commas between them.
    body: Vec<u8>,
}

impl Batch {
    fn add(&mut self, run: &impl Serialize) -> Result<()> {
        if self.runs > 0 {
            self.body.push(b',');
        }
        self.runs += 1;
        serde_json::to_writer(&mut self.body, run)
            .map_err(|error| Error::new(format!("could not write a run as JSON: {error}")))
    }

    fn is_full(&self) -> bool {
        self.runs >= RUNS_AT_ONCE || self.body.len() > BATCH_BYTES
    }

    async fn send(&mut self, client: &Client, import: Uuid, meter: &Meter) -> Result<()> {
        let Self { runs, body } = std::mem::take(self);
        if runs == 0 {
            return Ok(());
        }
        let body = [br#"{"runs":["#.as_slice(), body.as_slice(), b"]}".as_slice()].concat();
        client.stage_runs(import, body).await?;
        meter.add(runs as u64);
        Ok(())
    }
}

fn staged(position: u32, run: PlannedRun, measured: &Measured) -> Result<StagedRun> {
    let PlannedRun { create, outcome, left_behind } = run;
    let now = clock::now();
    let artifacts = left_behind.artifacts.iter().map(|kept| artifact(kept, measured, &now)).collect::<Result<_>>()?;
    let logs = left_behind.logs.iter().map(|kept| log(kept, measured, &now)).collect::<Result<_>>()?;
    let (mut results, mut tables) = (Vec::new(), Vec::new());
    for source in &left_behind.result_files {
        let parsed = outputs::parse(&source.path, &source.shown);
        results.extend(parsed.results);
        tables.extend(parsed.tables);
    }
    results.extend(left_behind.results);
    tables.extend(left_behind.tables);
    let details = RunDetails { artifacts, results, tables, logs, snapshot: left_behind.snapshot };
    Ok(StagedRun { position, run: CreateRun { id: Some(Uuid::now_v7()), ..create }, outcome, details })
}

fn artifact(kept: &left_behind::Artifact, measured: &Measured, now: &str) -> Result<Artifact> {
    let file = measured.get(&kept.source, kept.is_masked())?;
    let kind = kept.kind.clone().unwrap_or_else(|| kind_of(&kept.source.path, Declared::Artifact).to_owned());
    Ok(Artifact {
        local_artifact_id: Some(Uuid::now_v7().to_string()),
        original_path: Some(kept.source.shown.clone()),
        kind: Some(kind),
        size_bytes: Some(file.wire_size()),
        hash: Some(file.digest.to_string()),
        content_type: Some(content_type(&kept.source.path).to_owned()),
        created_at: Some(now.to_owned()),
        ..Artifact::default()
    })
}

fn log(kept: &left_behind::Log, measured: &Measured, now: &str) -> Result<Log> {
    let file = measured.get(&kept.source, true)?;
    Ok(Log {
        stream: kept.stream,
        path: Some(kept.source.shown.clone()),
        size_bytes: Some(file.wire_size()),
        text_content: None,
        hash: Some(file.digest),
        created_at: Some(now.to_owned()),
        times: None,
    })
}
