//! Signals while a run is recorded.
//!
//! The command is in a process group of its own: what the terminal's keys and others send reaches us, and
//! [`crate::child`] passes it on. We outlive the command: a run that was interrupted is recorded like any
//! other.

use std::fs;
use std::future::poll_fn;
use std::io;
use std::task::Poll;
use std::time::{Duration, Instant};

use nix::sys::signal::{SigSet, SigmaskHow, Signal, raise};
use nix::unistd::{Pid, getpgid, getpgrp, getppid, getsid};
use tokio::signal::unix::{Signal as Stream, SignalKind, signal};

/// So long after the command has ended, a signal is still the one that ended it.
const SAME_KEY_PRESS: Duration = Duration::from_millis(500);

/// What asks for an end.
const FOR_AN_END: [Signal; 4] = [Signal::SIGTERM, Signal::SIGINT, Signal::SIGQUIT, Signal::SIGHUP];
/// What means to a command whatever it wants it to mean, such as "save your state".
const OF_THE_COMMAND: [Signal; 2] = [Signal::SIGUSR1, Signal::SIGUSR2];
/// What a terminal and its shell tell their jobs.
const OF_A_JOB: [Signal; 3] = [Signal::SIGTSTP, Signal::SIGCONT, Signal::SIGWINCH];

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
        for kind in FOR_AN_END.into_iter().chain(OF_THE_COMMAND).chain(OF_A_JOB) {
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

    /// Waits for the next signal that asks for an end, while there is no command that hears the others.
    pub async fn stop(&mut self) -> Signal {
        loop {
            let caught = self.caught().await;
            if FOR_AN_END.contains(&caught) {
                return caught;
            }
            if caught == Signal::SIGTSTP && !is_orphaned() {
                suspend();
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

/// Stops us until a shell lets us go on: what Ctrl-Z would do if we did not catch it.
pub fn suspend() {
    // It can be neither caught nor refused.
    let _ = raise(Signal::SIGSTOP);
}

/// Whether no shell would ever let us go on again. The system does not stop such a process for a terminal's
/// sake, so neither must we.
pub fn is_orphaned() -> bool {
    let group = getpgrp();
    let mut above = getppid();
    loop {
        // One that we can't see is in another container: at least another session.
        if above.as_raw() <= 0 {
            return true;
        }
        if getpgid(Some(above)) != Ok(group) {
            break;
        }
        // A script that started us stops with us. Who lets it go on?
        let Some(parent) = parent_of(above) else { break };
        above = parent;
    }
    !matches!((getsid(Some(above)), getsid(None)), (Ok(theirs), Ok(ours)) if theirs == ours)
}

/// The process that started this one. Only Linux tells.
fn parent_of(process: Pid) -> Option<Pid> {
    let text = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The second field is the program's name, in parentheses, and may hold anything.
    let parent = text.rsplit_once(')')?.1.split_ascii_whitespace().nth(1)?;
    Some(Pid::from_raw(parent.parse().ok()?))
}

/// Does what a terminal would stop a background process for, such as writing to one that is set to refuse
/// it: the command may have the terminal, and then we are in its background.
pub fn from_the_background<T>(action: impl FnOnce() -> T) -> T {
    let mut stop = SigSet::empty();
    stop.add(Signal::SIGTTOU);
    let before = stop.thread_swap_mask(SigmaskHow::SIG_BLOCK);
    let outcome = action();
    if let Ok(before) = before {
        let _ = before.thread_set_mask();
    }
    outcome
}

/// The signals that this process was started to ignore, one bit each. Only Linux tells; elsewhere
/// none are taken to be ignored.
fn ignored_signals() -> u64 {
    fs::read_to_string("/proc/self/status")
        .ok()
        .and_then(|status| {
            let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"))?;
            u64::from_str_radix(mask.trim(), 16).ok()
        })
        .unwrap_or(0)
}
