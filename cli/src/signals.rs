//! Signals while a run is recorded.
//!
//! The command is in our process group, so the terminal's Ctrl-C reaches it directly. We only have
//! to outlive it: a run that was interrupted is recorded like any other. Signals that have reached
//! us alone are passed on.

use std::fs::File;
use std::future::poll_fn;
use std::io;
use std::task::Poll;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, getpgrp, tcgetpgrp};
use tokio::signal::unix::{Signal as Stream, SignalKind, signal};

/// So long after the command has ended, a signal is still the one that ended it.
const SAME_KEY_PRESS: Duration = Duration::from_millis(500);

/// What a terminal sends to the whole process group in its foreground.
const OF_A_TERMINAL: [Signal; 3] = [Signal::SIGINT, Signal::SIGQUIT, Signal::SIGHUP];
/// What means to a command whatever it wants it to mean, such as "save your state".
const OF_THE_COMMAND: [Signal; 2] = [Signal::SIGUSR1, Signal::SIGUSR2];

/// Catches the signals that would end us, from when it is made until we end.
///
/// To be made before the run is registered, so that none slips through and leaves it without an end.
pub struct Guard {
    streams: Vec<(Signal, Stream)>,
}

impl Guard {
    /// Starts to catch them.
    pub fn install() -> io::Result<Self> {
        let ignored = ignored_signals();
        let mut streams = Vec::new();
        for kind in [Signal::SIGTERM].into_iter().chain(OF_A_TERMINAL).chain(OF_THE_COMMAND) {
            let number = kind as i32;
            // What we were told to ignore (`nohup`, a shell's background job) the command ignores
            // too, as it would without us. A handler would be reset to the default when it starts.
            if ignored & (1_u64 << (number - 1)) == 0 {
                streams.push((kind, signal(SignalKind::from_raw(number))?));
            }
        }
        Ok(Self { streams })
    }

    /// Waits until somebody wants us to stop, now that the command has ended.
    ///
    /// The key press that ended the command also reaches us, possibly a little later.
    pub async fn stop_wanted(&mut self) {
        let since = Instant::now();
        loop {
            self.stop().await;
            if since.elapsed() > SAME_KEY_PRESS {
                return;
            }
        }
    }

    /// Waits for the next signal that asks for an end.
    pub async fn stop(&mut self) -> Signal {
        loop {
            let caught = self.caught().await;
            if !OF_THE_COMMAND.contains(&caught) {
                return caught;
            }
        }
    }

    /// Waits for the next of them.
    pub async fn caught(&mut self) -> Signal {
        poll_fn(|context| {
            for (kind, stream) in &mut self.streams {
                if stream.poll_recv(context).is_ready() {
                    return Poll::Ready(*kind);
                }
            }
            Poll::Pending
        })
        .await
    }
}

/// Passes a signal on to the command, if only we have received it.
///
/// `kill` reaches one process. A terminal reaches the whole group: passing on what it sends would
/// make the command see it twice.
pub fn pass_on(signal: Signal, process: Option<u32>) {
    if OF_A_TERMINAL.contains(&signal) && is_in_foreground() {
        return;
    }
    if let Some(pid) = process.and_then(|id| i32::try_from(id).ok()) {
        // It may have ended by itself a moment ago.
        let _ = kill(Pid::from_raw(pid), signal);
    }
}

/// Whether our process group is the one that the terminal's keys reach.
fn is_in_foreground() -> bool {
    File::open("/dev/tty").is_ok_and(|terminal| tcgetpgrp(&terminal).is_ok_and(|group| group == getpgrp()))
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
