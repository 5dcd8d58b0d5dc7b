//! `otrace run`: records why a command is run, runs it, and records what came of it.
//!
//! The order is the point. Nothing happens before the run is known and, where asked for, approved
//! ([`requested`]); the command does not start before the spool and the server have a record of it
//! ([`registering`]), while it runs nothing waits for the network ([`pulse`]), and once it has ended,
//! nothing that goes wrong on our side changes its exit code ([`sending`]).

mod pulse;
mod registering;
mod requested;
mod sending;
mod summary;

use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::process::ExitCode;

use futures_util::FutureExt as _;
use futures_util::future::maybe_done;
use otrace_wire::{ExperimentId, Snapshot};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use uuid::Uuid;

use crate::args::RunArgs;
use crate::capture::artifacts::Kept;
use crate::capture::machine;
use crate::capture::snapshot::{Beginning, State};
use crate::child::{self, Ended, Launch};
use crate::client::Client;
use crate::commands::load_settings;
use crate::error::{Error, Result};
use crate::run_spec::{RunSpec, file, preview};
use crate::secrets::Masker;
use crate::settings::Settings;
use crate::signals::Guard;
use crate::spool::records::{Asked, Configs, Content, Started};
use crate::spool::{Locked, Spool, gather};
use crate::workspace::{TRACE_DIR, Workspace};
use crate::{clock, printer, prompts};
use registering::Registered;
use requested::Requested;
use sending::Background;

/// A run whose command is about to start.
struct Session {
    settings: Settings,
    workspace: Workspace,
    spec: RunSpec,
    /// The run's id. The spool's, unless the server is of another make.
    id: Uuid,
    /// What its files in `.trace/` are called: after the experiment, if no other run has that name.
    name: String,
    /// Nothing where no server was asked.
    online: Option<Online>,
    /// What `otrace sync` goes on from, should we come to no end.
    spooled: Locked,
    /// Masks secrets in what is kept; nothing where they are to stay.
    masker: Option<Masker>,
    /// Whether the command gets terminals where we have them.
    with_terminals: bool,
    /// Whether the machine's metrics are wanted.
    is_measured: bool,
    /// Which process the command is, once it is one.
    process: watch::Sender<Option<u32>>,
}

/// A run that the server has a record of.
struct Online {
    client: Client,
    experiment: ExperimentId,
}

/// Does all of it, and answers with the command's own exit code.
pub async fn run(args: &RunArgs) -> Result<ExitCode> {
    let workspace = Workspace::current()?;
    let requested = requested::resolve(args, &workspace)?;
    announce(&requested);
    if args.verify_runspec {
        approve(&requested.spec, &workspace)?;
    }
    let settings = load_settings(&args.credentials, &workspace)?;
    let client = if args.offline { None } else { Some(Client::new(&settings)?) };
    workspace.prepare()?;
    let masker = if args.no_secret_masking { None } else { Some(Masker::of(&workspace)?) };
    let python = tokio::spawn(machine::python_version());
    let id = Uuid::now_v7();
    let mut guard = Guard::install().map_err(|error| Error::new(format!("could not prepare for signals: {error}")))?;
    let asked = registering::ask(&requested.spec, &workspace, &settings, id, args.offline, masker.as_ref());
    let spooled = Spool::of(&workspace).begin(id, &asked)?;
    let registered = tokio::select! {
        registered = registering::register(client.as_ref(), &settings, &workspace, &asked, masker.as_ref()) => registered,
        signal = guard.stop() => {
            return Ok(registering::interrupted(client.as_ref(), &workspace, &spooled, signal).await);
        }
    };
    let Registered { online, id, beginning } = match registered {
        Ok(registered) => registered,
        Err(error) => {
            // Of what was not sent, the server knows nothing; an answer may have been lost.
            let asked = client.as_ref().filter(|_| !error.is_unsent());
            registering::withdraw(asked, &spooled).await;
            return Err(error);
        }
    };
    save_spec(&requested);
    let label = label(online.as_ref(), id);
    let claimed = workspace.claim_name(&label, id);
    let name = claimed.as_ref().map_or_else(|_| label, Clone::clone);
    let session = Session {
        settings,
        workspace,
        spec: requested.spec,
        id,
        name,
        online,
        spooled,
        masker,
        with_terminals: !args.no_tty,
        is_measured: !args.no_system_metrics,
        process: watch::Sender::new(None),
    };
    let recorded = match claimed {
        Ok(_) => session.record(beginning, python, &asked, &mut guard).await,
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
    printer::note(format_args!("Using RunSpec: {}", requested.path.display()));
    if requested.is_new {
        printer::note("RunSpec will be saved after this run.");
    }
}

fn approve(spec: &RunSpec, workspace: &Workspace) -> Result<()> {
    let preview = preview::render(spec, workspace);
    if prompts::confirmed(&format!("\n{preview}\nGo ahead with this RunSpec? Y/N"))? {
        return Ok(());
    }
    Err(Error::new("run cancelled."))
}

fn save_spec(requested: &Requested) {
    if !requested.is_new {
        return;
    }
    match file::save_new(&requested.path, &requested.spec) {
        Ok(()) => printer::note(format_args!("RunSpec saved: {}", requested.path.display())),
        Err(error) => printer::warning(error),
    }
}

/// What a run is called: by its number, or, before it has one, by the end of its id, as the beginning is
/// the time and the same for all runs of a minute.
fn label(online: Option<&Online>, id: Uuid) -> String {
    let Some(online) = online else {
        let id = id.simple().to_string();
        return format!("offline-{}", &id[id.len() - 8..]);
    };
    online.experiment.to_string()
}

impl Session {
    /// From the record on the server to its completion.
    async fn record(
        &self,
        beginning: Beginning,
        python: JoinHandle<Option<String>>,
        asked: &Asked,
        guard: &mut Guard,
    ) -> Result<ExitCode> {
        let state = beginning.of_command(&self.spec.command).complete(&self.workspace, &self.name)?;
        // The command may well change its own configuration.
        let configs = gather::keep_configs(&self.workspace, &self.name, &self.spec.config_paths, self.masker.as_ref());
        let started = self.started(&configs);
        self.keep_started(&state, &started)?;
        let background = Background::start(self, &state, python, &asked.declared_paths(), &started.started_at);
        printer::note(format_args!("Experiment {} started\n", self.label()));
        let mut gathering = pin!(maybe_done(state.settle()));
        let ended = self.run_command(guard, &state, &started, gathering.as_mut()).await?;
        state.command_ended();
        if ended.stdout.in_mid_line || ended.stderr.in_mid_line {
            printer::note("");
        }
        if let Some(error) = &ended.not_started {
            printer::error(error);
        }
        self.keep_end(&ended);
        // Whatever happens to us from here on, the command has ended as it has.
        let sending = self.send(&state, configs, &ended, &started.started_at, background, gathering.as_mut());
        let sending = AssertUnwindSafe(Box::pin(sending)).catch_unwind();
        let (label, kept) = (self.label(), format!("what was captured is kept in {TRACE_DIR}"));
        tokio::select! {
            sent = sending => {
                if sent.is_err() {
                    printer::warning(format_args!(
                        "a mistake in otrace: {label} was not sent completely; {kept}"
                    ));
                }
            }
            () = guard.stop_wanted() => printer::warning(format_args!(
                "interrupted: {label} was not sent completely; {kept}, and `otrace sync` sends the rest"
            )),
        }
        for told in self.masker.iter().flat_map(Masker::report) {
            printer::warning(told);
        }
        Ok(exit_code(&ended))
    }

    /// What is known of it before the command starts, besides what it runs on.
    fn started(&self, configs: &Kept) -> Started {
        Started {
            run: self.id,
            name: self.name.clone(),
            experiment: self.online.as_ref().map(|online| online.experiment),
            run_token: self.online.as_ref().and_then(|online| online.client.run_token()),
            started_at: clock::now(),
            snapshot: Snapshot::default(),
            configs: Configs::of(configs),
            contents: Content::all_of(&self.workspace, &configs.copies),
        }
    }

    /// Keeps that, and what is known by now of what it runs on.
    fn keep_started(&self, state: &State, started: &Started) -> Result<()> {
        let mut started = started.clone();
        started.snapshot = state.to_wire(&self.workspace, None);
        started.contents.extend(Content::all_of(&self.workspace, &state.files()));
        self.spooled.write_started(&started)
    }

    /// Runs the command, and keeps what is captured beside it, should we not see its end.
    async fn run_command(
        &self,
        guard: &mut Guard,
        state: &State,
        started: &Started,
        gathering: impl Future<Output = ()>,
    ) -> Result<Ended> {
        let started_as = |pid| {
            self.spooled.note_child(pid);
            self.process.send_replace(Some(pid));
        };
        let mut running = pin!(child::run(self.launch(), guard, started_as));
        tokio::select! {
            ended = &mut running => return ended,
            () = gathering => {}
        }
        if let Err(error) = self.keep_started(state, started) {
            printer::warning(error);
        }
        running.await
    }

    fn launch(&self) -> Launch<'_> {
        let experiment = self.online.as_ref().map(|online| online.experiment.to_string());
        let metrics = self.workspace.metrics_file(&self.name).to_string_lossy().into_owned();
        Launch {
            command: &self.spec.command,
            directory: self.workspace.root(),
            environment: vec![
                ("TRACE_RUN_ID", Some(self.id.to_string())),
                ("TRACE_EXPERIMENT_ID", experiment),
                ("TRACE_METRICS", Some(metrics)),
            ],
            stdout_log: self.workspace.stdout_log(&self.name),
            stderr_log: self.workspace.stderr_log(&self.name),
            masker: self.masker.clone(),
            with_terminals: self.with_terminals,
        }
    }

    /// What the run is called for people.
    fn label(&self) -> String {
        self.online.as_ref().map_or_else(|| self.name.clone(), |online| online.experiment.to_string())
    }

    /// The server should not wait for more.
    async fn give_up(&self) {
        let told = match &self.online {
            Some(online) => online.client.update_run(self.id, &registering::broken_off()).await,
            None => Ok(()),
        };
        match told {
            Ok(()) => self.spooled.remove(),
            Err(error) => printer::warning(error),
        }
    }
}

fn exit_code(ended: &Ended) -> ExitCode {
    u8::try_from(ended.exit_code).map_or(ExitCode::FAILURE, ExitCode::from)
}
