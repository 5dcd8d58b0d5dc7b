//! The wrapped command: started, listened to, outlived.
//!
//! It keeps what it would have without us: its arguments, its input, its directory, its place in the
//! process group, its exit code.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use tokio::process::Command;
use tokio::sync::oneshot;

use crate::capture::stored::{self, Measure};
use crate::error::{Error, Result};
use crate::log_tee::{Passed, Tee};
use crate::signals::{self, Guard};
use crate::{clock, printer, private_files};

/// What shells answer when a command is not there.
const NOT_FOUND: i32 = 127;
/// What they answer when it is there and can't be run.
const NOT_RUNNABLE: i32 = 126;

/// How long the streams are waited for that others hold open after the command has ended.
const PATIENCE: Duration = Duration::from_millis(4500);
/// How long they may take to come to their end when they have been told to: with it, five seconds.
const GRACE: Duration = Duration::from_millis(500);

/// A command to run, and where to log what it prints.
#[derive(Debug)]
pub struct Launch<'a> {
    /// The program and its arguments.
    pub command: &'a [String],
    /// Where it runs.
    pub directory: &'a Path,
    /// What its environment has besides ours, and, where there is no value, what it has not.
    pub environment: Vec<(&'static str, Option<String>)>,
    /// The log of its standard output.
    pub stdout_log: PathBuf,
    /// The log of its standard error.
    pub stderr_log: PathBuf,
}

/// How a command ended.
#[derive(Debug)]
pub struct Ended {
    /// Its exit code; 128 + n after signal n.
    pub exit_code: i32,
    /// How long it ran.
    pub duration: Duration,
    /// When it ended, RFC 3339.
    pub finished_at: String,
    /// What it printed.
    pub stdout: Passed,
    /// What it printed as errors.
    pub stderr: Passed,
    /// Why it could not be started, if it could not.
    pub not_started: Option<Error>,
}

/// Runs a command to its end, and tells the number of its process once it has one. An error means that it
/// has not been started, for a reason of ours: from its start on, nothing but its end counts.
pub async fn run(launch: Launch<'_>, guard: &mut Guard, started_as: impl FnOnce(u32)) -> Result<Ended> {
    let failed = |error: io::Error| Error::new(format!("could not prepare the command: {error}"));
    let (ended, still_running) = io::pipe().map_err(failed)?;
    let (enough, listening) = io::pipe().map_err(failed)?;
    let ends = [&ended, &enough];
    let (stdout, stdout_passed) = stream(&launch.stdout_log, &io::stdout(), ends).map_err(failed)?;
    let (stderr, stderr_passed) = stream(&launch.stderr_log, &io::stderr(), ends).map_err(failed)?;
    let mut command = Command::new(&launch.command[0]);
    command
        .args(&launch.command[1..])
        .current_dir(launch.directory)
        .stdin(Stdio::inherit())
        .stdout(stdout)
        .stderr(stderr);
    for (name, value) in launch.environment {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }

    let start = Instant::now();
    let started = command.spawn();
    // It holds our ends of the pipes: they have to go, or the streams would never end.
    drop(command);
    let (exit_code, not_started) = match started {
        Ok(mut child) => {
            let process = child.id();
            if let Some(pid) = process {
                started_as(pid);
            }
            let status = loop {
                tokio::select! {
                    status = child.wait() => break status,
                    signal = guard.caught() => signals::pass_on(signal, process),
                }
            };
            (status.map_or(NOT_RUNNABLE, exit_code), None)
        }
        Err(error) => refusal(&launch.command[0], &error),
    };
    let duration = start.elapsed();
    let finished_at = clock::now();
    drop(still_running);
    let (stdout, stderr) = last_words(stdout_passed, stderr_passed, listening, guard).await;
    let stdout = stdout.unwrap_or_else(|| as_logged(launch.stdout_log));
    let stderr = stderr.unwrap_or_else(|| as_logged(launch.stderr_log));
    Ok(Ended { exit_code, duration, finished_at, stdout, stderr, not_started })
}

/// Opens a pipe for the command to write to, and passes on what comes out of it.
fn stream(
    log_path: &Path,
    through: &impl AsFd,
    [ended, enough]: [&io::PipeReader; 2],
) -> io::Result<(io::PipeWriter, oneshot::Receiver<Passed>)> {
    let (source, writer) = io::pipe()?;
    let tee = Tee {
        source,
        ended: ended.try_clone()?,
        enough: enough.try_clone()?,
        // Straight to the descriptor: Rust's own `Stdout` would wait for lines.
        through: File::from(through.as_fd().try_clone_to_owned()?),
        log_path: log_path.to_path_buf(),
        log: private_files::file(log_path)?,
    };
    Ok((writer, tee.start()?))
}

/// Waits for the streams to close, but neither for long nor against anybody's will.
async fn last_words(
    stdout: oneshot::Receiver<Passed>,
    stderr: oneshot::Receiver<Passed>,
    listening: io::PipeWriter,
    guard: &mut Guard,
) -> (Option<Passed>, Option<Passed>) {
    let mut both = pin!(async {
        let (stdout, stderr) = tokio::join!(stdout, stderr);
        (stdout.ok(), stderr.ok())
    });
    tokio::select! {
        passed = &mut both => return passed,
        () = tokio::time::sleep(PATIENCE) => {}
        _ = guard.stop() => {}
    }
    drop(listening);
    tokio::time::timeout(GRACE, both).await.unwrap_or_default()
}

/// What a stream comes to whose thread does not answer, such as one that waits for a terminal that
/// is held: what stands in its log.
fn as_logged(path: PathBuf) -> Passed {
    let log = stored::measure(path.clone()).unwrap_or_else(|error| {
        printer::warning(Error::file("read", &path, &error));
        Measure::default().of_file(path)
    });
    Passed { log, in_mid_line: false }
}

fn exit_code(status: ExitStatus) -> i32 {
    status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap_or(NOT_RUNNABLE)
}

fn refusal(program: &str, error: &io::Error) -> (i32, Option<Error>) {
    let (code, reason) = match error.kind() {
        io::ErrorKind::NotFound => {
            let reason = "there is no such program; give its path, or add its folder to PATH";
            (NOT_FOUND, reason.to_owned())
        }
        io::ErrorKind::PermissionDenied => {
            let reason = "it may not be executed; make it executable with chmod +x";
            (NOT_RUNNABLE, reason.to_owned())
        }
        _ => (NOT_RUNNABLE, error.to_string()),
    };
    (code, Some(Error::new(format!("could not start {program}: {reason}"))))
}
