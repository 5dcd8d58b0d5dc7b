//! Who takes over when `otrace` is killed: else the command would die of its next print, as nobody would read it.
//!
//! A process of its own, in a session of its own, holds the command's streams too. It reads nothing from them while
//! we live. When we are gone it reads on, and what comes is added to the logs, for `otrace sync` to send.

use std::env;
use std::fs::File;
use std::io::{self, PipeWriter, Read, Write as _};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use nix::unistd::{dup2_stderr, dup2_stdout, setsid};

use crate::error::Result;
use crate::private_files;
use crate::secrets::Masker;
use crate::stored_log::StoredLog;
use crate::workspace::Workspace;

/// How much is read at a time.
const BUFFER: usize = 64 * 1024;
/// How long an heir is waited for.
const PATIENCE: Duration = Duration::from_secs(5);

/// What it is told of a stream, in a byte: twice one of these, and the stream's number.
const LET_GO: u8 = 0;
/// From here on there is no room for its log.
const HAS_GAP: u8 = 1;
/// There is again.
const GOES_ON: u8 = 2;

/// What `otrace heir` is told. Nobody types it.
#[derive(Debug, clap::Args)]
pub struct HeirArgs {
    /// The log of standard output
    stdout_log: PathBuf,
    /// The log of standard error
    stderr_log: PathBuf,
    /// Leave secrets in the logs
    #[arg(long)]
    no_secret_masking: bool,
}

/// The heir, as we know it: it ends with us, unless we end without a word.
#[derive(Debug)]
pub struct Heir {
    /// Nothing, if there is none: a machine that has no room for one more process still runs the command.
    tell: Option<PipeWriter>,
}

impl Heir {
    /// Gives it the streams, standard output first, and their logs.
    pub fn appoint(streams: [&File; 2], logs: [&Path; 2], masks_secrets: bool) -> Self {
        Self { tell: Self::start(streams, logs, masks_secrets).ok() }
    }

    fn start(streams: [&File; 2], logs: [&Path; 2], masks_secrets: bool) -> io::Result<PipeWriter> {
        let (listen, tell) = io::pipe()?;
        let [stdout, stderr] = streams;
        let mut heir = Command::new(env::current_exe()?);
        heir.arg("heir").args(logs).stdin(listen).stdout(stdout.try_clone()?).stderr(stderr.try_clone()?);
        if !masks_secrets {
            heir.arg("--no-secret-masking");
        }
        heir.spawn()?;
        Ok(tell)
    }

    /// We hold a stream no longer, and neither shall it: who writes there is to notice. 0 is standard output.
    pub fn let_go_of(&self, stream: u8) {
        self.say(LET_GO, stream);
    }

    /// Whether there is no room for a stream's log from here on, so that what it would add comes behind a gap.
    pub fn note_gap(&self, stream: u8, has_gap: bool) {
        self.say(if has_gap { HAS_GAP } else { GOES_ON }, stream);
    }

    fn say(&self, what: u8, stream: u8) {
        if let Some(mut tell) = self.tell.as_ref() {
            // Where it has gone, it holds nothing.
            let _ = tell.write_all(&[2 * what + stream]);
        }
    }
}

/// What the heir does.
pub fn run(args: &HeirArgs) -> Result<()> {
    // What is typed at the terminal, and its closing, are not meant for it.
    let _ = setsid();
    let logs = [&args.stdout_log, &args.stderr_log];
    // Held for as long as it may write there.
    let _locks = logs.map(|log| private_files::existing(log).and_then(|log| log.lock().map(|()| log)));
    let (mut streams, mut have_gaps) = (streams().unwrap_or_default(), [false; 2]);
    let mut told = [0];
    while streams.iter().any(Option::is_some) {
        match io::stdin().lock().read(&mut told) {
            Ok(0) => return inherit(streams, have_gaps, args),
            Ok(_) => {
                let (what, stream) = (told[0] / 2, usize::from(told[0] % 2));
                match what {
                    LET_GO => streams[stream] = None,
                    HAS_GAP => have_gaps[stream] = true,
                    GOES_ON => have_gaps[stream] = false,
                    _ => {}
                }
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return Ok(()),
        }
    }
    Ok(())
}

/// The streams that it was given, as files of its own that it can close.
fn streams() -> io::Result<[Option<File>; 2]> {
    let streams = [
        Some(File::from(io::stdout().as_fd().try_clone_to_owned()?)),
        Some(File::from(io::stderr().as_fd().try_clone_to_owned()?)),
    ];
    let nothing = File::options().write(true).open("/dev/null")?;
    dup2_stdout(&nothing)?;
    dup2_stderr(&nothing)?;
    Ok(streams)
}

/// Waits until an heir has written what it still may to this log, though not for ever: what has outlived its command may
/// hold a stream for days.
pub fn wait_for(log: &Path) {
    let log = log.to_path_buf();
    let (done, told) = mpsc::channel();
    // On a thread of its own: nobody can be made to wait for a lock for just so long.
    let _ = thread::Builder::new().name("otrace-heir".to_owned()).spawn(move || {
        let _ = private_files::existing(&log).and_then(|log| log.lock());
        let _ = done.send(());
    });
    let _ = told.recv_timeout(PATIENCE);
}

fn inherit(streams: [Option<File>; 2], have_gaps: [bool; 2], args: &HeirArgs) -> Result<()> {
    let masker = if args.no_secret_masking {
        Ok(None)
    } else {
        Workspace::current().and_then(|workspace| Masker::of(&workspace)).map(Some)
    };
    thread::scope(|scope| {
        let logs = [&args.stdout_log, &args.stderr_log].into_iter().zip(have_gaps);
        for (stream, (log, has_gap)) in streams.into_iter().zip(logs) {
            // What can't be masked is not logged; but it is read, or the command would wait for it.
            let log = masker.as_ref().ok().and_then(|masker| StoredLog::resume(log, masker.clone(), has_gap).ok());
            if let Some(stream) = stream {
                scope.spawn(move || read_on(stream, log));
            }
        }
    });
    masker.map(drop)
}

/// Reads a stream to its end.
fn read_on(mut stream: File, mut log: Option<StoredLog>) {
    let mut buffer = vec![0; BUFFER];
    loop {
        match stream.read(&mut buffer) {
            Ok(length @ 1..) => {
                if let Some(log) = &mut log {
                    // A full disk must not stop the command. The log says what is missing.
                    let _ = log.write(&buffer[..length]);
                }
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            // A terminal ends with an error.
            Ok(_) | Err(_) => break,
        }
    }
    if let Some(log) = log {
        // What it could not write is still held back beside the log.
        let _ = log.finish();
    }
}
