//! `otrace logs`: what a run printed, to the byte, and what it prints.

use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use otrace_wire::{LogStream, Run};
use tokio::time::sleep;

use crate::args::CredentialArgs;
use crate::client::Client;
use crate::commands::{connect, load_settings};
use crate::error::{Error, Result};
use crate::printer;
use crate::printer::raw::Raw;
use crate::workspace::Workspace;

/// How often a run that goes on is asked for what it has printed.
const EACH: Duration = Duration::from_secs(1);
/// After so many answers without anything new, the run is asked whether it has ended.
const QUIET_MAX: u32 = 3;
/// So often an ended run's log is asked for that has not arrived whole: its machine may have gone.
const LATE_MAX: u32 = 10;
/// How long a server that fails is waited for, each time.
const PATIENCE: Duration = Duration::from_mins(2);

/// `otrace logs`.
#[derive(Debug, Args)]
pub struct LogsArgs {
    /// Which server, and with which key.
    #[command(flatten)]
    pub credentials: CredentialArgs,

    /// The run, such as exp042
    #[arg(value_name = "EXP_ID")]
    pub experiment: String,

    /// Show what it printed as errors, rather than its standard output
    #[arg(long)]
    pub stderr: bool,

    /// Show the log file at this path, rather than its standard output
    #[arg(long, value_name = "PATH", conflicts_with = "stderr")]
    pub log: Option<String>,

    /// Go on until the run has ended
    #[arg(long, short)]
    pub follow: bool,
}

/// One log on its way.
struct Reader<'a> {
    client: Client,
    run: String,
    stream: LogStream,
    path: Option<&'a str>,
    from: u64,
    out: Raw,
}

/// Asks the server and prints it.
pub async fn run(args: &LogsArgs) -> Result<ExitCode> {
    let client = connect(&load_settings(&args.credentials, &Workspace::current()?)?).await?;
    let run = client.run(&args.experiment).await?;
    let stream = match (&args.log, args.stderr) {
        (Some(_), _) => LogStream::Log,
        (None, true) => LogStream::Stderr,
        (None, false) => LogStream::Stdout,
    };
    let (path, out) = (args.log.as_deref(), Raw::new());
    let mut reader = Reader { client, run: run.id.to_string(), stream, path, from: 0, out };
    let goes_on = reader.drain().await?;
    if reader.from == 0 && run.status.is_final() && !reader.is_whole(&run) {
        return no_log(&run, args);
    }
    if goes_on && args.follow && !(run.status.is_final() && reader.is_whole(&run)) {
        reader.follow().await?;
    }
    reader.out.end()?;
    Ok(ExitCode::SUCCESS)
}

impl Reader<'_> {
    /// Prints all that there is. Says whether anybody reads on.
    async fn drain(&mut self) -> Result<bool> {
        loop {
            let client = self.client.patient(PATIENCE);
            let bytes = client.log(&self.run, self.stream, self.path, self.from).await?;
            if bytes.is_empty() {
                return Ok(true);
            }
            self.from += bytes.len() as u64;
            if !self.out.write(&bytes)? {
                return Ok(false);
            }
        }
    }

    /// Prints what comes, until the run has ended and all of it is there.
    async fn follow(&mut self) -> Result<()> {
        let (mut quiet, mut late) = (0, 0);
        loop {
            sleep(EACH).await;
            let before = self.from;
            if !self.drain().await? {
                return Ok(());
            }
            quiet = if self.from == before { quiet + 1 } else { 0 };
            if quiet < QUIET_MAX {
                continue;
            }
            quiet = 0;
            let run = self.client.patient(PATIENCE).run(&self.run).await?;
            if !run.status.is_final() {
                continue;
            }
            late += 1;
            if self.is_whole(&run) || late == LATE_MAX {
                // What came between the two last answers.
                return self.drain().await.map(|_| ());
            }
        }
    }

    /// Whether the whole log has taken the place of its pieces.
    fn is_whole(&self, run: &Run) -> bool {
        run.logs
            .iter()
            .any(|log| log.stream == self.stream && (self.path.is_none() || log.path.as_deref() == self.path))
    }
}

/// That there is none is an error only where somebody asked for a file.
fn no_log(run: &Run, args: &LogsArgs) -> Result<ExitCode> {
    let experiment = run.experiment_id;
    let Some(path) = &args.log else {
        printer::note(format_args!("{experiment} has no such log."));
        return Ok(ExitCode::SUCCESS);
    };
    let files = run.logs.iter().filter(|log| log.stream == LogStream::Log).filter_map(|log| log.path.as_deref());
    let files: Vec<_> = files.collect();
    let error = Error::new(format!("{experiment} has no log {path}"));
    Err(if files.is_empty() {
        error.with_hint(format!("`otrace artifacts {experiment}` lists its files."))
    } else {
        error.with_hint(format!("It has {}.", files.join(", ")))
    })
}
