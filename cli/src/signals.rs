//! Signals while the wrapped command runs.
//!
//! The command is in our process group, so the terminal's Ctrl-C reaches it directly. We only have
//! to outlive it: a run that was interrupted is recorded like any other.

use std::io;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::signal::unix::{Signal as Stream, SignalKind, signal};

/// So long after the command has ended, a signal is still the one that ended it.
const SAME_KEY_PRESS: Duration = Duration::from_millis(500);

/// Catches the signals that would end us, from when it is made until we end.
///
/// To be made before the command is started, so that none slips through in between.
pub struct Guard {
    interrupt: Option<Stream>,
    quit: Option<Stream>,
    hang_up: Option<Stream>,
    terminate: Option<Stream>,
}

impl Guard {
    /// Starts to catch them.
    pub fn install() -> io::Result<Self> {
        let ignored = ignored_signals();
        // What we were told to ignore (`nohup`, a shell's background job) the command ignores too,
        // as it would without us. A handler would be reset to the default when it starts.
        let catch = |kind: SignalKind| {
            let bit = 1_u64 << (kind.as_raw_value() - 1);
            if ignored & bit == 0 { signal(kind).map(Some) } else { Ok(None) }
        };
        Ok(Self {
            interrupt: catch(SignalKind::interrupt())?,
            quit: catch(SignalKind::quit())?,
            hang_up: catch(SignalKind::hangup())?,
            terminate: catch(SignalKind::terminate())?,
        })
    }

    /// Waits until somebody wants us to stop, now that the command has ended.
    ///
    /// The key press that ended the command also reaches us, possibly a little later.
    pub async fn stop_wanted(&mut self) {
        let since = Instant::now();
        loop {
            self.caught().await;
            if since.elapsed() > SAME_KEY_PRESS {
                return;
            }
        }
    }

    /// Waits for the next of them.
    pub async fn caught(&mut self) -> SignalKind {
        tokio::select! {
            () = next(&mut self.interrupt) => SignalKind::interrupt(),
            () = next(&mut self.quit) => SignalKind::quit(),
            () = next(&mut self.hang_up) => SignalKind::hangup(),
            () = next(&mut self.terminate) => SignalKind::terminate(),
        }
    }
}

async fn next(stream: &mut Option<Stream>) {
    match stream {
        Some(stream) => {
            stream.recv().await;
        }
        None => std::future::pending().await,
    }
}

/// Passes a signal on to the command, if only we have received it.
///
/// `kill` reaches one process, so SIGTERM is passed on. The terminal's own signals reach the whole
/// group: passing them on would make the command see them twice.
pub fn pass_on(signal: SignalKind, process: Option<u32>) {
    if signal != SignalKind::terminate() {
        return;
    }
    if let Some(pid) = process.and_then(|id| i32::try_from(id).ok()) {
        // It may have ended by itself a moment ago.
        let _ = kill(Pid::from_raw(pid), Signal::SIGTERM);
    }
}

/// The signals that this process was started to ignore, one bit each. Only Linux tells; elsewhere
/// none are taken to be ignored.
fn ignored_signals() -> u64 {
    std::fs::read_to_string("/proc/self/status")
        .ok()
        .and_then(|status| {
            let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"))?;
            u64::from_str_radix(mask.trim(), 16).ok()
        })
        .unwrap_or(0)
}
