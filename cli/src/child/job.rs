//! The command's process group: what it is told, how it fares, and whether it has the terminal.
//!
//! What a shell does for its jobs, we do for the command, and to our own shell we are the job: Ctrl-C, Ctrl-Z,
//! `fg` and `bg` do what they do without us. The terminal stays ours, so that we hear its keys, until the
//! command wants it: from then on it is the command's, as in a shell.

use std::fs::File;
use std::io;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, ExitStatus};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::{Pid, getpgrp, tcgetpgrp, tcsetpgrp};
use rustix::io::Errno as Failure;
use rustix::process::{WaitOptions, waitpid};

use crate::{printer, signals};

/// Ctrl-C that comes again so soon is the same: `timeout` and others that start us send it to us, and to our
/// whole process group. Nobody presses it twice as fast.
const SAME_KEY_PRESS: Duration = Duration::from_millis(200);

/// A command that runs, in a process group of its own that it leads.
#[derive(Debug)]
pub struct Job {
    child: Child,
    group: Pid,
    /// The terminal that its keys and ours come from.
    terminal: Option<File>,
    /// It has asked for the terminal: it reads from it, or sets how it works.
    wants_terminal: bool,
    is_stopped: bool,
    /// We have told it to stop, and stop when it does.
    is_stop_asked: bool,
    interrupted: Interrupted,
}

/// How often Ctrl-C has come.
#[derive(Clone, Copy, Debug)]
enum Interrupted {
    Never,
    Once(Instant),
    Again,
}

impl Job {
    /// The job that this process leads.
    pub fn new(child: Child) -> Self {
        let group = Pid::from_raw(child.id().cast_signed());
        Self {
            child,
            group,
            terminal: File::open("/dev/tty").ok(),
            wants_terminal: false,
            is_stopped: false,
            is_stop_asked: false,
            interrupted: Interrupted::Never,
        }
    }

    /// Tells it what we have been told.
    pub fn pass_on(&mut self, signal: Signal) {
        match signal {
            Signal::SIGINT => self.interrupt(),
            Signal::SIGTSTP => self.suspend(),
            Signal::SIGCONT => self.go_on(),
            // Processes that it has started would end by them, if they are not prepared as it is.
            Signal::SIGUSR1 | Signal::SIGUSR2 => {
                let _ = kill(self.group, signal);
            }
            _ => self.tell(signal),
        }
    }

    /// Whether the terminal's keys reach it rather than us.
    pub fn has_terminal(&self) -> bool {
        self.holder() == Some(self.group)
    }

    /// Looks how it fares, and gives how it has ended if it has. To be asked again after each SIGCHLD.
    pub fn status(&mut self) -> io::Result<Option<ExitStatus>> {
        let changes = WaitOptions::NOHANG | WaitOptions::UNTRACED | WaitOptions::CONTINUED;
        let child = rustix::process::Pid::from_child(&self.child);
        loop {
            let status = match waitpid(Some(child), changes) {
                Ok(Some((_, status))) => ExitStatus::from_raw(status.as_raw()),
                Ok(None) => return Ok(None),
                Err(Failure::INTR) => continue,
                Err(error) => return Err(error.into()),
            };
            if let Some(signal) = status.stopped_signal() {
                self.is_stopped = true;
                self.stopped(signal);
            } else if status.continued() {
                self.is_stopped = false;
            } else {
                self.take_terminal();
                return Ok(Some(status));
            }
        }
    }

    /// It may have ended by itself a moment ago: that is no failure.
    fn tell(&self, signal: Signal) {
        let _ = killpg(self.group, signal);
    }

    /// Ctrl-C: the first is the command's own, the second is ours.
    fn interrupt(&mut self) {
        match self.interrupted {
            Interrupted::Never => {
                self.interrupted = Interrupted::Once(Instant::now());
                self.tell(Signal::SIGINT);
            }
            Interrupted::Once(before) if before.elapsed() >= SAME_KEY_PRESS => {
                self.interrupted = Interrupted::Again;
                self.tell(Signal::SIGKILL);
                printer::warning("interrupted twice: killed the command");
            }
            Interrupted::Once(_) | Interrupted::Again => {}
        }
    }

    /// Ctrl-Z.
    fn suspend(&mut self) {
        if signals::is_orphaned() {
            return;
        }
        if self.is_stopped {
            signals::suspend();
        } else {
            self.is_stop_asked = true;
            self.tell(Signal::SIGTSTP);
        }
    }

    /// `fg` or `bg`.
    fn go_on(&mut self) {
        self.is_stop_asked = false;
        if self.wants_terminal && self.holder() == Some(getpgrp()) {
            self.lend_terminal();
        }
        self.wake();
    }

    fn wake(&mut self) {
        self.is_stopped = false;
        self.tell(Signal::SIGCONT);
    }

    fn stopped(&mut self, number: i32) {
        match Signal::try_from(number) {
            Ok(signal @ (Signal::SIGTTIN | Signal::SIGTTOU)) => self.stopped_for_terminal(signal),
            Ok(Signal::SIGTSTP) => self.stopped_with_us(),
            // Whoever has stopped the command alone will let it go on.
            _ => {}
        }
    }

    /// From the background it has read from the terminal, or has set how it works.
    fn stopped_for_terminal(&mut self, signal: Signal) {
        self.wants_terminal = true;
        let is_ready = match self.holder() {
            Some(holder) if holder == getpgrp() => self.lend_terminal(),
            Some(holder) if holder == self.group => true,
            // We are in the background ourselves: our whole job stops, and the shell says so.
            Some(_) if !signals::is_orphaned() => {
                let _ = killpg(getpgrp(), signal);
                return;
            }
            _ => false,
        };
        if !is_ready {
            // It would wait for ever. So the terminal is gone.
            self.tell(Signal::SIGHUP);
        }
        self.wake();
    }

    fn stopped_with_us(&mut self) {
        let had_terminal = self.has_terminal();
        self.take_terminal();
        if self.is_stop_asked {
            signals::suspend();
        } else if (had_terminal || self.holder() == Some(getpgrp())) && !signals::is_orphaned() {
            // Of the terminal's own doing, or like it: whoever else is in our group has not heard of it. We
            // hear it as well, and then stop.
            let _ = killpg(getpgrp(), Signal::SIGTSTP);
        }
    }

    /// The process group that the terminal's keys reach.
    fn holder(&self) -> Option<Pid> {
        tcgetpgrp(self.terminal.as_ref()?).ok()
    }

    fn lend_terminal(&self) -> bool {
        self.give_terminal(self.group)
    }

    /// Takes it back from the command and from what it has left behind, and from nobody else.
    fn take_terminal(&self) {
        let is_free = |holder| holder == self.group || killpg(holder, None::<Signal>) == Err(Errno::ESRCH);
        if self.wants_terminal && self.holder().is_some_and(is_free) {
            self.give_terminal(getpgrp());
        }
    }

    fn give_terminal(&self, group: Pid) -> bool {
        let Some(terminal) = &self.terminal else { return false };
        signals::from_the_background(|| tcsetpgrp(terminal, group).is_ok())
    }
}
