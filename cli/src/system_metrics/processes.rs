//! The processes of a command: which they are, and what they are busy with.
//!
//! All that descend from it, those in its process group whose parents are gone, and those that were known as such
//! before. What a process did between the last measurement and its end is not counted.

use std::collections::{HashMap, HashSet};
use std::time::Instant;

use nix::unistd::{Pid as GroupId, getpgid};
use sysinfo::{Pid, ProcessRefreshKind, ProcessesToUpdate, System};

use super::float;

/// The processes of one command.
pub struct Processes {
    /// The command itself, which is also the number of its group where it has one.
    root: Pid,
    /// When they were measured last.
    measured: Instant,
    known: HashMap<Pid, Counts>,
}

/// What they were busy with since the last time.
#[derive(Clone, Copy, Debug)]
pub struct Usage {
    /// Percent of one processor.
    pub cpu: f64,
    /// Bytes in memory. What several share counts for each.
    pub memory: u64,
    /// Bytes a second from disks.
    pub read: f64,
    /// Bytes a second to disks.
    pub written: f64,
}

/// What a process has used since it started.
#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    /// When it started: another process may get its number later.
    start: u64,
    cpu_milliseconds: u64,
    read: u64,
    written: u64,
}

/// A process of the machine.
struct Seen {
    pid: Pid,
    parent: Option<Pid>,
    start: u64,
}

impl Processes {
    /// Those of the command that started as this process at this moment.
    pub fn of_command(process: u32, started: Instant) -> Self {
        Self { root: Pid::from_u32(process), measured: started, known: HashMap::new() }
    }

    /// What they were busy with since the last time, or since the start. Nothing, if none is left.
    pub fn measure(&mut self, system: &mut System) -> Option<Usage> {
        // All are looked at, to know whose children they are; what they do is asked of ours only.
        let cheap = ProcessRefreshKind::nothing().without_tasks();
        system.refresh_processes_specifics(ProcessesToUpdate::All, true, cheap);
        let ours = self.ours(system);
        let all = cheap.with_cpu().with_memory().with_disk_usage();
        system.refresh_processes_specifics(ProcessesToUpdate::Some(&ours), true, all);
        let now = Instant::now();
        let seconds = now.duration_since(std::mem::replace(&mut self.measured, now)).as_secs_f64();
        let (mut memory, mut used, mut known) = (0, Counts::default(), HashMap::new());
        for process in ours.iter().filter_map(|pid| system.process(*pid)) {
            let disk = process.disk_usage();
            let counts = Counts {
                start: process.start_time(),
                cpu_milliseconds: process.accumulated_cpu_time(),
                read: disk.total_read_bytes,
                written: disk.total_written_bytes,
            };
            let before = self.known.get(&process.pid()).filter(|before| before.start == counts.start);
            used.add(counts, before.copied().unwrap_or_default());
            memory += process.memory();
            known.insert(process.pid(), counts);
        }
        self.known = known;
        let rate = |count| float(count) / seconds;
        (!self.known.is_empty() && seconds > 0.0).then(|| Usage {
            cpu: rate(used.cpu_milliseconds) / 10.0,
            memory,
            read: rate(used.read),
            written: rate(used.written),
        })
    }

    fn ours(&self, system: &System) -> Vec<Pid> {
        let seen = system.processes().values();
        let seen: Vec<Seen> = seen
            .map(|process| Seen { pid: process.pid(), parent: process.parent(), start: process.start_time() })
            .collect();
        let root = i32::try_from(self.root.as_u32()).ok().map(GroupId::from_raw);
        let is_in_group = |pid: Pid| {
            let pid = i32::try_from(pid.as_u32()).ok().map(GroupId::from_raw);
            pid.is_some_and(|pid| getpgid(Some(pid)).ok() == root)
        };
        self.among(&seen, is_in_group)
    }

    fn among(&self, seen: &[Seen], is_in_group: impl Fn(Pid) -> bool) -> Vec<Pid> {
        let mut children: HashMap<Pid, Vec<Pid>> = HashMap::new();
        for Seen { pid, parent, .. } in seen {
            if let Some(parent) = parent {
                children.entry(*parent).or_default().push(*pid);
            }
        }
        let is_known = |seen: &&Seen| match self.known.get(&seen.pid) {
            Some(before) => before.start == seen.start,
            None => (seen.pid == self.root && self.known.is_empty()) || is_in_group(seen.pid),
        };
        let mut next: Vec<Pid> = seen.iter().filter(is_known).map(|seen| seen.pid).collect();
        let (mut ours, mut found) = (Vec::new(), HashSet::new());
        while let Some(pid) = next.pop() {
            if found.insert(pid) {
                ours.push(pid);
                next.extend(children.get(&pid).into_iter().flatten());
            }
        }
        ours
    }
}

impl Counts {
    /// Adds what came to a process since it was measured before.
    fn add(&mut self, now: Self, before: Self) {
        self.cpu_milliseconds += now.cpu_milliseconds.saturating_sub(before.cpu_milliseconds);
        self.read += now.read.saturating_sub(before.read);
        self.written += now.written.saturating_sub(before.written);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whose processes these are, given as number, parent and start, with `group` in the command's group.
    fn ours(processes: &Processes, seen: &[(u32, u32, u64)], group: &[u32]) -> Vec<u32> {
        let seen: Vec<Seen> = seen
            .iter()
            .map(|(pid, parent, start)| Seen {
                pid: Pid::from_u32(*pid),
                parent: Some(Pid::from_u32(*parent)),
                start: *start,
            })
            .collect();
        let found = processes.among(&seen, |pid| group.contains(&pid.as_u32()));
        let mut found: Vec<u32> = found.into_iter().map(Pid::as_u32).collect();
        found.sort_unstable();
        found
    }

    fn knowing(known: &[(u32, u64)]) -> Processes {
        let mut processes = Processes::of_command(10, Instant::now());
        for (pid, start) in known {
            processes.known.insert(Pid::from_u32(*pid), Counts { start: *start, ..Counts::default() });
        }
        processes
    }

    #[test]
    fn descendants_count_and_others_do_not() {
        let all = [(1, 0, 1), (5, 1, 2), (10, 5, 3), (11, 10, 4), (12, 11, 5), (6, 5, 3)];
        assert_eq!(ours(&knowing(&[]), &all, &[]), [10, 11, 12]);
    }

    #[test]
    fn whoever_has_lost_its_parent_is_known_by_its_group_or_from_before() {
        let all = [(1, 0, 1), (12, 1, 5), (13, 1, 6), (14, 12, 7), (20, 1, 8)];
        assert_eq!(ours(&knowing(&[(10, 3), (11, 4), (12, 5)]), &all, &[13]), [12, 13, 14]);
    }

    #[test]
    fn another_process_with_a_number_of_ours_is_none_of_ours() {
        let all = [(1, 0, 1), (10, 1, 99), (11, 10, 100)];
        assert!(ours(&knowing(&[(10, 3), (11, 4)]), &all, &[]).is_empty());
        assert!(ours(&knowing(&[(12, 4)]), &all, &[]).is_empty());
    }
}
