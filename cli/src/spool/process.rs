//! Whether a process that somebody else started is still the same, and still there.

use std::fs;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};

/// A process, known beyond its number, which another one gets sooner or later.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    /// Its number.
    pub pid: u32,
    /// When it started, in ticks since the machine did. Only Linux tells.
    start: Option<u64>,
    /// Which start of the machine that was. Only Linux tells.
    boot: Option<String>,
}

/// What Linux tells about a process.
#[derive(Debug, PartialEq, Eq)]
struct Stat {
    start: u64,
    is_over: bool,
}

impl Process {
    /// The process that has this number now.
    pub fn of(pid: u32) -> Self {
        Self { pid, start: stat(pid).map(|stat| stat.start), boot: boot() }
    }

    /// Whether it still runs.
    pub fn is_alive(&self) -> bool {
        if self.boot != boot() {
            return false;
        }
        if cfg!(target_os = "linux") {
            return stat(self.pid).is_some_and(|stat| Some(stat.start) == self.start && !stat.is_over);
        }
        i32::try_from(self.pid).is_ok_and(|pid| kill(Pid::from_raw(pid), None::<Signal>).is_ok())
    }

    /// Whether the machine has been started anew since.
    pub fn is_of_another_boot(&self) -> bool {
        self.boot != boot()
    }
}

fn boot() -> Option<String> {
    Some(fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?.trim().to_owned())
}

fn stat(pid: u32) -> Option<Stat> {
    parse(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

fn parse(text: &str) -> Option<Stat> {
    // The second field is the program's name, in parentheses, and may hold anything.
    let fields: Vec<_> = text.rsplit_once(')')?.1.split_ascii_whitespace().collect();
    // A zombie has ended; nobody has asked how.
    let is_over = matches!(*fields.first()?, "Z" | "X" | "x");
    Some(Stat { start: fields.get(19)?.parse().ok()?, is_over })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_alive_until_it_ends() {
        let mut child = std::process::Command::new("cat").stdin(std::process::Stdio::piped()).spawn().expect("cat");
        let process = Process::of(child.id());
        assert!(process.is_alive());
        let json = serde_json::to_string(&process).expect("written");
        assert_eq!(serde_json::from_str::<Process>(&json).expect("read"), process);
        drop(child.stdin.take());
        child.wait().expect("ended");
        assert!(!process.is_alive());
        assert!(!Process { boot: Some("another".to_owned()), ..Process::of(std::process::id()) }.is_alive());
    }

    #[test]
    fn a_name_with_a_parenthesis_confuses_nobody() {
        let text = "7 (a) Z (b)) S 1 7 7 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 123 4 5";
        assert_eq!(parse(text), Some(Stat { start: 123, is_over: false }));
        assert_eq!(parse(&text.replace(") S ", ") Z ")), Some(Stat { start: 123, is_over: true }));
        assert_eq!(parse("nonsense"), None);
    }
}
