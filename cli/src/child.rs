//! The wrapped command: started, listened to, outlived.
//!
//! It keeps what it would have without us: its arguments, its input, its directory, terminals where we have
//! them, the signals and keys that are meant for it, its exit code. It is in a process group of its own
//! ([`job`]), so that all of these reach it once, and through us.

pub mod heir;
mod job;

use std::fs::File;
use std::io::{self, IsTerminal};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use tokio::signal::unix::{Signal as Stream, SignalKind, signal};
use tokio::sync::oneshot;
use tokio::time::{MissedTickBehavior, interval};

use crate::capture::stored::{self, Measure};
use crate::error::{Error, Result};
use crate::log_tee::{self, Passed};
use crate::secrets::Masker;
use crate::signals::Guard;
use crate::stored_log::StoredLog;
use crate::terminal::{self, Size};
use crate::{clock, printer};
use heir::Heir;
use job::Job;

/// What shells answer when a command is not there.
const NOT_FOUND: i32 = 127;
/// What they answer when it is there and can't be run.
const NOT_RUNNABLE: i32 = 126;

/// How long the streams are waited for that others hold open after the command has ended.
const PATIENCE: Duration = Duration::from_millis(4500);
/// How long they may take to come to their end when they have been told to: with it, five seconds.
const GRACE: Duration = Duration::from_millis(500);
/// How often the sizes of terminals are compared. Whoever has the terminal hears of a change, and for once that
/// is the command rather than us.
const LOOK_EVERY: Duration = Duration::from_secs(1);

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
    /// What masks secrets in the logs; without it nothing is masked.
    pub masker: Option<Masker>,
    /// Whether it gets a terminal for each stream that we have one for. Otherwise it gets pipes.
    pub with_terminals: bool,
}

/// How a command ended.
#[derive(Debug)]
pub struct Ended {
    /// Its exit code; 128 + n after signal n.
    pub exit_code: i32,
    /// The signal that ended it, if one did.
    pub signal: Option<i32>,
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

impl Ended {
    /// What the signal that ended it is called, such as `SIGKILL`.
    pub fn signal_name(&self) -> Option<&'static str> {
        let number = self.signal?;
        Some(Signal::try_from(number).map_or("a real-time signal", Signal::as_str))
    }
}

/// One of the command's streams.
struct Opened {
    /// Where the command writes.
    end: OwnedFd,
    /// The size of its terminal, if it is one.
    size: Option<Size>,
    /// What the command has written on its way to us.
    stream: log_tee::Stream,
    /// What has passed through, once it has ended.
    passed: oneshot::Receiver<Passed>,
}

/// Runs a command to its end, and tells the number of its process once it has one. An error means that it
/// has not been started, for a reason of ours: from its start on, nothing but its end counts.
pub async fn run(launch: Launch<'_>, guard: &mut Guard, started_as: impl FnOnce(u32)) -> Result<Ended> {
    let failed = |error: io::Error| Error::new(format!("could not prepare the command: {error}"));
    let (ended, still_running) = io::pipe().map_err(failed)?;
    let (enough, listening) = io::pipe().map_err(failed)?;
    // Before it starts, so that no change of its is missed. It also undoes that a parent of ours does not care
    // how its children end, which would keep us from hearing how the command does.
    let mut changes = signal(SignalKind::child()).map_err(failed)?;
    let stdout = open(&launch, &launch.stdout_log, &io::stdout()).map_err(failed)?;
    let stderr = open(&launch, &launch.stderr_log, &io::stderr()).map_err(failed)?;
    let logs = [launch.stdout_log.as_path(), launch.stderr_log.as_path()];
    let heir = Heir::appoint([&stdout.stream.source, &stderr.stream.source], logs, launch.masker.is_some());
    let heir = Arc::new(heir);
    pass_through([stdout.stream, stderr.stream], &heir, [&ended, &enough]).map_err(failed)?;
    let sizes = [stdout.size, stderr.size];
    let mut command = command(&launch, stdout.end, stderr.end);

    let start = Instant::now();
    let started = command.spawn();
    // It holds our ends of the streams: they have to go, or the streams would never end.
    drop(command);
    let (exit_code, signal, not_started) = match started {
        Ok(child) => {
            started_as(child.id());
            let status = outlive(Job::new(child), &sizes, guard, &mut changes).await;
            let signal = status.as_ref().ok().and_then(ExitStatus::signal);
            (status.map_or(NOT_RUNNABLE, exit_code), signal, None)
        }
        Err(error) => {
            let (exit_code, error) = refusal(&launch.command[0], &error);
            (exit_code, None, Some(error))
        }
    };
    let duration = start.elapsed();
    let finished_at = clock::now();
    drop(still_running);
    let (stdout, stderr) = last_words(stdout.passed, stderr.passed, listening, guard).await;
    let stdout = stdout.unwrap_or_else(|| as_logged(launch.stdout_log));
    let stderr = stderr.unwrap_or_else(|| as_logged(launch.stderr_log));
    Ok(Ended { exit_code, signal, duration, finished_at, stdout, stderr, not_started })
}

fn command(launch: &Launch<'_>, stdout: OwnedFd, stderr: OwnedFd) -> Command {
    let mut command = Command::new(&launch.command[0]);
    command
        .args(&launch.command[1..])
        .current_dir(launch.directory)
        .stdin(Stdio::inherit())
        .stdout(stdout)
        .stderr(stderr)
        .process_group(0);
    for (name, value) in &launch.environment {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command
}

/// Opens what the command writes to, and its log.
fn open(launch: &Launch<'_>, log_path: &Path, through: &(impl AsFd + IsTerminal)) -> io::Result<Opened> {
    let is_terminal = launch.with_terminals && through.is_terminal();
    // A machine without terminals to give away, such as a bare container, has pipes.
    let opened = if is_terminal { terminal::open(through).ok() } else { None };
    let (source, end) = if let Some(opened) = opened {
        opened
    } else {
        let (source, end) = io::pipe()?;
        (OwnedFd::from(source).into(), end.into())
    };
    let source = Arc::new(source);
    let size = if is_terminal { Some(Size::new(through, &source)?) } else { None };
    let (done, passed) = oneshot::channel();
    let stream = log_tee::Stream {
        source,
        // Straight to the descriptor: Rust's own `Stdout` would wait for lines.
        through: File::from(through.as_fd().try_clone_to_owned()?),
        log_path: log_path.to_path_buf(),
        log: StoredLog::create(log_path, launch.masker.clone())?.with_times(),
        done,
    };
    Ok(Opened { end, size, stream, passed })
}

/// Starts to pass both streams through.
fn pass_through(
    [stdout, stderr]: [log_tee::Stream; 2],
    heir: &Arc<Heir>,
    ends: [&io::PipeReader; 2],
) -> io::Result<()> {
    let place = |stream: &log_tee::Stream| stream.through.metadata().map(|place| (place.dev(), place.ino()));
    let is_one_place = place(&stdout)? == place(&stderr)?;
    let stdout = (stdout, Arc::clone(heir), 0);
    let stderr = (stderr, Arc::clone(heir), 1);
    if is_one_place {
        return log_tee::start(vec![stdout, stderr], ends);
    }
    log_tee::start(vec![stdout], ends)?;
    log_tee::start(vec![stderr], ends)
}

/// Passes on to a command what is meant for it, until it ends.
async fn outlive(
    mut job: Job,
    sizes: &[Option<Size>],
    guard: &mut Guard,
    changes: &mut Stream,
) -> io::Result<ExitStatus> {
    let update = || sizes.iter().flatten().filter(|size| size.update()).count() > 0;
    let mut looks = interval(LOOK_EVERY);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        if let Some(status) = job.status()? {
            return Ok(status);
        }
        tokio::select! {
            _ = changes.recv() => {}
            signal = guard.caught() => {
                if matches!(signal, Signal::SIGWINCH | Signal::SIGCONT) {
                    update();
                }
                job.pass_on(signal);
            }
            _ = looks.tick() => {
                // The command has heard of the change before we knew.
                if update() && job.has_terminal() {
                    job.pass_on(Signal::SIGWINCH);
                }
            }
        }
    }
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
    Passed { log, in_mid_line: false, gaps: Vec::new() }
}

fn exit_code(status: ExitStatus) -> i32 {
    status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap_or(NOT_RUNNABLE)
}

fn refusal(program: &str, error: &io::Error) -> (i32, Error) {
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
    (code, Error::new(format!("could not start {program}: {reason}")))
}
