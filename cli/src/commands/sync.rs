//! `otrace sync`: sends what the server lacks of this workspace's runs.

use std::time::Duration;

use otrace_wire::ExperimentId;

use crate::args::SyncArgs;
use crate::commands::{connect, load_settings};
use crate::error::{Error, Result};
use crate::printer;
use crate::settings::Settings;
use crate::spool::finish::{Finished, Finisher};
use crate::spool::{Entry, Spool, bound};
use crate::workspace::{TRACE_DIR, Workspace};

/// How long a server that fails is waited for, for each run.
const PATIENCE: Duration = Duration::from_secs(10);
/// The same where it is not what somebody asked for.
const LITTLE_PATIENCE: Duration = Duration::from_secs(1);
/// How long other runs may hold up the end of one.
const BESIDE: Duration = Duration::from_secs(4);

/// Sends them all, and says what became of each.
pub async fn run(args: &SyncArgs) -> Result<()> {
    let workspace = Workspace::initialized()?;
    let settings = load_settings(&args.credentials, &workspace)?;
    if settings.has_project_flag() {
        connect(&settings).await?;
    }
    let finisher = Finisher { workspace: &workspace, settings: &settings, patience: PATIENCE, is_quiet: false };
    let entries = Spool::of(&workspace).entries();
    if entries.is_empty() {
        printer::line("Everything is sent.");
    }
    let mut unsent = 0;
    for entry in entries {
        let label = entry.label();
        if let Err(error) = finish_one(&finisher, &entry, &label).await {
            printer::warning(error.context(&format!("{label} was not sent completely:")));
            unsent += 1;
        }
    }
    make_room(&workspace).await;
    if unsent == 0 {
        return Ok(());
    }
    let runs = if unsent == 1 { "1 run is".to_owned() } else { format!("{unsent} runs are") };
    Err(Error::new(format!("{runs} not sent completely; what was captured is kept in {TRACE_DIR}"))
        .with_hint("Run `otrace sync` again when the cause is gone."))
}

/// What is confirmed by now need not stay.
async fn make_room(workspace: &Workspace) {
    if !workspace.trace_dir().is_dir() {
        return;
    }
    let workspace = workspace.clone();
    let _ = tokio::task::spawn_blocking(move || bound::make_room(&workspace)).await;
}

async fn finish_one(finisher: &Finisher<'_>, entry: &Entry, label: &str) -> Result<()> {
    let Some(run) = entry.lock()? else {
        printer::line(format_args!("{label} is being recorded or sent by another otrace."));
        return Ok(());
    };
    match finisher.finish(&run).await? {
        Finished::Sent(experiment) => printer::line(format_args!("Sent: {}", told(label, experiment))),
        Finished::NeverStarted => {
            printer::line(format_args!("{label}: its command was not started; there is nothing to send."));
        }
        Finished::StillRuns(pid) => printer::line(format_args!(
            "{label}: its otrace is gone, but its command still runs (process {pid}). \
             Run `otrace sync` again when it has ended."
        )),
        Finished::Gone => {}
    }
    Ok(())
}

/// What a run was called, and what it is called on the server where that is something else.
fn told(label: &str, experiment: ExperimentId) -> String {
    let experiment = experiment.to_string();
    if label == experiment { experiment } else { format!("{label} (now {experiment})") }
}

/// Sends what other runs lack, after one has ended: without a word, and not for long. Gives what became of
/// them, to be told in one line.
pub(super) async fn finish_others(workspace: &Workspace, settings: &Settings) -> Vec<String> {
    let finisher = Finisher { workspace, settings, patience: LITTLE_PATIENCE, is_quiet: true };
    let mut sent = Vec::new();
    let sending = async {
        for entry in Spool::of(workspace).entries() {
            // Another `otrace` works on it, or it can't be used: `otrace sync` and `otrace status` tell.
            let Ok(Some(run)) = entry.lock() else { continue };
            let label = entry.label();
            match finisher.finish(&run).await {
                Ok(Finished::Sent(experiment)) => sent.push(told(&label, experiment)),
                Err(error) if error.is_unreachable() => break,
                Ok(_) | Err(_) => {}
            }
        }
    };
    let _ = tokio::time::timeout(BESIDE, sending).await;
    sent
}
