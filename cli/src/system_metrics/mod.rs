//! What a command and its machine are busy with, as series under `system/`.
//!
//! Measured beside the command, never before it starts: a [`Sampler`] asks the system when it is told to, of the
//! command's own processes ([`processes`]) and of the whole machine. Graphics cards are asked through the driver's
//! own library ([`gpus`]), which need not be there. What the system does not tell is left out.

mod gpus;
mod processes;

use std::path::{Path, PathBuf};
use std::time::Instant;

use nix::sys::statvfs::statvfs;
use otrace_wire::series::Point;
use sysinfo::{MemoryRefreshKind, System};

use crate::clock;
use gpus::Gpus;
use processes::{Processes, Usage};

/// Measures, again and again.
pub struct Sampler {
    system: System,
    processes: Processes,
    gpus: Gpus,
    /// A path on the disk that the command works on.
    disk: PathBuf,
}

/// Points of one moment.
struct Moment {
    time: f64,
    points: Vec<Point>,
}

impl Sampler {
    /// Measures the command that started as this process at this moment. To be made some time before the first
    /// sample, which tells how busy the machine was in between. Nothing, where the system tells nothing.
    pub fn new(process: u32, started: Instant, disk: &Path) -> Option<Self> {
        let mut system = System::new().ok()?;
        system.refresh_cpu_usage();
        let processes = Processes::of_command(process, started);
        Some(Self { system, processes, gpus: Gpus::find(), disk: disk.to_path_buf() })
    }

    /// What there is to be measured now.
    pub fn sample(&mut self) -> Vec<Point> {
        let mut moment = Moment { time: clock::unix_seconds(), points: Vec::new() };
        self.system.refresh_cpu_usage();
        moment.put("machine_cpu", self.system.global_cpu_usage().into());
        self.system.refresh_memory_specifics(MemoryRefreshKind::nothing().with_ram());
        moment.put("machine_memory_used", float(self.system.used_memory()));
        if let Ok(free) = disk_free(&self.disk) {
            moment.put("disk_free", float(free));
        }
        if let Some(usage) = self.processes.measure(&mut self.system) {
            let Usage { cpu, memory, read, written } = usage;
            for (name, value) in
                [("cpu", cpu), ("memory", float(memory)), ("disk_read", read), ("disk_written", written)]
            {
                moment.put(name, value);
            }
        }
        self.gpus.measure(|name, value| moment.put(name, value));
        moment.points
    }
}

impl Moment {
    fn put(&mut self, name: &str, value: f64) {
        self.points.push(Point { name: format!("system/{name}"), step: None, time: Some(self.time), value });
    }
}

/// How many bytes are free on the disk that a path is on.
pub fn disk_free(path: &Path) -> nix::Result<u64> {
    let found = statvfs(path)?;
    Ok(bytes(found.fragment_size(), found.blocks_available()))
}

/// What blocks come to. How systems count them differs.
fn bytes(block: impl Into<u64>, blocks: impl Into<u64>) -> u64 {
    block.into().saturating_mul(blocks.into())
}

#[expect(clippy::cast_precision_loss, reason = "a chart shows no more digits than a float has")]
fn float(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::io::{BufRead as _, BufReader};
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn a_command_and_its_machine_are_measured_until_the_command_ends() {
        let script = "import sys\nx = b'x' * (64 << 20)\nfor i in range(3_000_000): pass\nprint('busy', flush=True)\nsys.stdin.read()";
        let mut command = Command::new("python3");
        command.args(["-c", script]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let started = Instant::now();
        let mut child = command.spawn().expect("python3");
        let folder = tempfile::tempdir().expect("a folder");
        let mut sampler = Sampler::new(child.id(), started, folder.path()).expect("a system that tells");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("an output")).read_line(&mut line).expect("read");

        let names = |points: &[Point]| -> BTreeMap<String, f64> {
            assert!(points.iter().all(|point| point.step.is_none() && point.time.is_some_and(|time| time > 1e9)));
            points.iter().map(|point| (point.name.clone(), point.value)).collect()
        };
        let values = names(&sampler.sample());
        assert!(values["system/cpu"] > 0.0, "{values:?}");
        assert!(values["system/memory"] > f64::from(64 << 20), "{values:?}");
        assert!(values["system/machine_memory_used"] > 0.0, "{values:?}");
        assert!((0.0..=100.0).contains(&values["system/machine_cpu"]), "{values:?}");
        assert!(values["system/disk_free"] > 0.0, "{values:?}");
        assert!(values.contains_key("system/disk_read") && values.contains_key("system/disk_written"), "{values:?}");

        drop(child.stdin.take());
        child.wait().expect("ended");
        let values = names(&sampler.sample());
        assert!(values.contains_key("system/machine_cpu") && !values.contains_key("system/cpu"), "{values:?}");
    }
}
