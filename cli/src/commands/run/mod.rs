//! `otrace run`: records why a command is run, runs it, and records what came of it.
//!
//! The order is the point. Nothing happens before the run is known and, where asked for, approved
//! ([`requested`]); the command does not start before the server has a record of it; and once it has
//! ended, nothing that goes wrong on our side changes its exit code ([`sending`]).

mod requested;
mod sending;
mod summary;

use std::panic::AssertUnwindSafe;
use std::process::ExitCode;
use std::time::Duration;

use futures_util::FutureExt as _;
use nix::sys::signal::Signal;
use otrace_wire::{CreateRun, ExperimentId, Run, RunOutcome, RunStatus};
use tokio::task::JoinHandle;
use uuid::Uuid;

use crate::args::{CredentialArgs, RunArgs};
use crate::capture::artifacts::Kept;
use crate::capture::expected::{self, Declared};
use crate::capture::machine;
use crate::capture::snapshot::{self, Beginning};
use crate::child::{self, Ended, Launch};
use crate::client::Client;
use crate::error::{Error, Result};
use crate::run_spec::{RunSpec, file, preview};
use crate::settings::Settings;
use crate::signals::Guard;
use crate::workspace::{TRACE_DIR, Workspace};
use crate::{clock, printer, prompts};
use requested::Requested;
use sending::Background;

/// How long the server is waited for once somebody has interrupted us.
const LAST_REQUEST: Duration = Duration::from_secs(2);

/// A run that the server has a record of.
#[derive(Clone)]
struct Session {
    client: Client,
    settings: Settings,
    workspace: Workspace,
    spec: RunSpec,
    id: Uuid,
    experiment: ExperimentId,
    /// What its files in `.trace/` are called: after the experiment, if no other run has that name.
    name: String,
}

/// Does all of it, and answers with the command's own exit code.
pub async fn run(args: &RunArgs) -> Result<ExitCode> {
    let workspace = Workspace::current()?;
    let requested = requested::resolve(args, &workspace)?;
    announce(&requested);
    if args.verify_runspec {
        approve(&requested.spec, &workspace)?;
    }
    let settings = Settings::load(&CredentialArgs::default(), &workspace)?;
    let client = Client::new(&settings)?;
    workspace.prepare()?;
    let python = tokio::spawn(machine::python_version());
    let id = Uuid::now_v7();
    let mut guard = Guard::install().map_err(|error| Error::new(format!("could not prepare for signals: {error}")))?;
    let (run, client, beginning) = tokio::select! {
        registered = register(&client, &settings, &workspace, &requested.spec, id) => registered?,
        signal = guard.stop() => return Ok(interrupted(&client, &workspace, id, signal).await),
    };
    save_spec(&requested);
    let experiment = run.experiment_id;
    let claimed = workspace.claim_name(experiment, run.id);
    let name = claimed.as_ref().map_or_else(|_| experiment.to_string(), Clone::clone);
    let session = Session { client, settings, workspace, spec: requested.spec, id: run.id, experiment, name };
    let recorded = match claimed {
        Ok(_) => session.record(beginning, python, &mut guard).await,
        Err(error) => {
            beginning.discard();
            Err(error)
        }
    };
    if recorded.is_err() {
        session.give_up().await;
    }
    recorded
}

fn announce(requested: &Requested) {
    printer::line(format_args!("Using RunSpec: {}", requested.path.display()));
    if requested.is_new {
        printer::line("RunSpec will be saved after this run.");
    }
}

fn approve(spec: &RunSpec, workspace: &Workspace) -> Result<()> {
    printer::line("");
    printer::line(preview::render(spec, workspace));
    if prompts::confirmed("Go ahead with this RunSpec? Y/N")? {
        return Ok(());
    }
    Err(Error::new("run cancelled."))
}

/// Has the server record the run, while git is asked what it will run on. The client that it gives is
/// the run's own.
async fn register(
    client: &Client,
    settings: &Settings,
    workspace: &Workspace,
    spec: &RunSpec,
    id: Uuid,
) -> Result<(Run, Client, Beginning)> {
    let request = CreateRun {
        id: Some(id),
        working_directory: Some(workspace.path_text()),
        parent: workspace.active_experiment().map(|run| run.to_string()),
        recorder: Some(concat!("otrace ", env!("CARGO_PKG_VERSION")).to_owned()),
        ..spec.to_wire()
    };
    let create = async {
        check_project(client, settings).await?;
        client.create_run(&request).await
    };
    let (created, beginning) = tokio::join!(create, snapshot::begin(workspace, id));
    match created {
        Ok((run, client)) => Ok((run, client, beginning)),
        Err(error) => {
            beginning.discard();
            Err(error.context("could not create the run on the server; the command was not started."))
        }
    }
}

/// Ends it before the command has started, as the signal would have ended us.
async fn interrupted(client: &Client, workspace: &Workspace, id: Uuid, signal: Signal) -> ExitCode {
    printer::error(&Error::new("interrupted; the command was not started"));
    snapshot::discard(workspace, id);
    // The server may have recorded the run all the same; if it has not, there is nothing to end.
    let _ = tokio::time::timeout(LAST_REQUEST, client.update_run(id, &broken_off())).await;
    u8::try_from(128 + signal as i32).map_or(ExitCode::FAILURE, ExitCode::from)
}

/// The recording broke off for a reason of ours.
fn broken_off() -> RunOutcome {
    RunOutcome { status: Some(RunStatus::CaptureFailed), finished_at: Some(clock::now()), ..RunOutcome::default() }
}

/// A run in the wrong project can't be moved to the right one later.
async fn check_project(client: &Client, settings: &Settings) -> Result<()> {
    if settings.project_id.is_none() {
        return Ok(());
    }
    let project = client.whoami().await?.project;
    settings.other_project(&project).map_or(Ok(()), |told| Err(Error::new(told)))
}

fn save_spec(requested: &Requested) {
    if !requested.is_new {
        return;
    }
    match file::save_new(&requested.path, &requested.spec) {
        Ok(()) => printer::line(format_args!("RunSpec saved: {}", requested.path.display())),
        Err(error) => printer::warning(error),
    }
}

impl Session {
    /// From the record on the server to its completion.
    async fn record(
        &self,
        beginning: Beginning,
        python: JoinHandle<Option<String>>,
        guard: &mut Guard,
    ) -> Result<ExitCode> {
        let state = beginning.complete(&self.workspace, &self.name)?;
        // The command may well change its own configuration.
        let configs = self.keep(&[(Declared::Config, self.spec.config_paths.as_slice())]);
        let background = Background::start(self, &state, python);
        printer::line(format_args!("Experiment {} started\n", self.experiment));
        let ended = child::run(self.launch(), guard).await?;
        if ended.stdout.in_mid_line {
            printer::line("");
        }
        if let Some(error) = &ended.not_started {
            printer::error(error);
        }
        // Whatever happens to us from here on, the command has ended as it has.
        let sending = AssertUnwindSafe(Box::pin(self.send(&state, configs, &ended, background))).catch_unwind();
        tokio::select! {
            sent = sending => {
                if sent.is_err() {
                    printer::warning(format_args!(
                        "a mistake in otrace: {} was not sent completely; what was captured is kept in {TRACE_DIR}",
                        self.experiment
                    ));
                }
            }
            () = guard.stop_wanted() => printer::warning(format_args!(
                "interrupted: {} was not sent completely; what was captured is kept in {TRACE_DIR}",
                self.experiment
            )),
        }
        Ok(exit_code(&ended))
    }

    fn launch(&self) -> Launch<'_> {
        let logs = self.workspace.trace_dir().join("logs");
        Launch {
            command: &self.spec.command,
            directory: self.workspace.root(),
            environment: [("TRACE_RUN_ID", self.id.to_string()), ("TRACE_EXPERIMENT_ID", self.experiment.to_string())],
            stdout_log: self.workspace.stdout_log(&self.name),
            stderr_log: logs.join(format!("{}.stderr.log", self.name)),
        }
    }

    /// Copies the files that declared paths come to.
    fn keep(&self, declared: &[(Declared, &[String])]) -> Kept {
        let folder = self.workspace.trace_dir().join("artifacts").join(&self.name);
        declared.iter().fold(Kept::default(), |kept, (declared, paths)| {
            let found = expected::expand(&self.workspace, *declared, paths);
            kept.merge(Kept::keep(&self.workspace, &folder, found))
        })
    }

    /// The server should not wait for more.
    async fn give_up(&self) {
        if let Err(error) = self.client.update_run(self.id, &broken_off()).await {
            printer::warning(error);
        }
    }
}

fn exit_code(ended: &Ended) -> ExitCode {
    u8::try_from(ended.exit_code).map_or(ExitCode::FAILURE, ExitCode::from)
}
