//! What the process itself takes: memory, processors, open files.

use std::fs;

use metrics::gauge;
use nix::sys::resource::{Resource, UsageWho, getrlimit, getrusage};
use nix::sys::time::TimeValLike;
use nix::unistd::{SysconfVar, sysconf};

use super::exporter::number;

/// Looks at the process, and tells what it takes. What the system does not say stays as it is.
pub fn look() {
    if let Ok(usage) = getrusage(UsageWho::RUSAGE_SELF) {
        let micros = usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
        gauge!("process_cpu_seconds_total").set(number(micros.unsigned_abs()) / 1e6);
    }
    if let Some(bytes) = resident_bytes() {
        gauge!("process_resident_memory_bytes").set(number(bytes));
    }
    if let Ok(open) = fs::read_dir("/proc/self/fd") {
        // One of them is the folder that is looked at.
        gauge!("process_open_fds").set(number((open.count() as u64).saturating_sub(1)));
    }
    if let Ok((most, _)) = getrlimit(Resource::RLIMIT_NOFILE) {
        gauge!("process_max_fds").set(number(most));
    }
}

/// The second number of `/proc/self/statm`, which counts pages.
fn resident_bytes() -> Option<u64> {
    let pages: u64 = fs::read_to_string("/proc/self/statm").ok()?.split_whitespace().nth(1)?.parse().ok()?;
    let page = sysconf(SysconfVar::PAGE_SIZE).ok()??;
    pages.checked_mul(page.unsigned_abs())
}
