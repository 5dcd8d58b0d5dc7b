//! The machine: its system, its name, its hardware, and the Python on it.

use std::env;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use nix::sys::utsname;
use otrace_wire::details::{Gpu, Hardware};
use tokio::process::Command;

/// A Python that takes longer to say its version is not waited for.
const PATIENCE: Duration = Duration::from_secs(5);

/// A driver that takes longer to answer is not waited for.
const DRIVER_PATIENCE: Duration = Duration::from_secs(2);

/// The operating system and the machine's name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Machine {
    /// Such as `Linux-6.8.0-x86_64`.
    pub platform: Option<String>,
    /// The machine's name in its network.
    pub hostname: Option<String>,
}

/// What this machine is.
pub fn describe() -> Machine {
    let Ok(names) = utsname::uname() else {
        return Machine::default();
    };
    let platform =
        [names.sysname(), names.release(), names.machine()].map(|part| part.to_string_lossy().into_owned()).join("-");
    Machine { platform: Some(platform), hostname: Some(names.nodename().to_string_lossy().into_owned()) }
}

/// The version of what `python3` is here, such as `3.11.2`; nothing where there is none.
pub async fn python_version() -> Option<String> {
    let asked = Command::new("python3").arg("--version").stdin(Stdio::null()).kill_on_drop(true).output();
    let answer = tokio::time::timeout(PATIENCE, asked).await.ok()?.ok()?;
    let text = String::from_utf8_lossy(&answer.stdout);
    let version = text.trim().strip_prefix("Python ")?;
    (answer.status.success() && !version.is_empty()).then(|| version.to_owned())
}

/// Where a program is that is looked for by its name. Places that depend on the current directory don't count.
pub fn on_path(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    let is_program =
        |path: &PathBuf| path.metadata().is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0);
    env::split_paths(&path).filter(|folder| folder.is_absolute()).map(|folder| folder.join(program)).find(is_program)
}

/// What the machine has to compute with, as far as it says.
pub async fn hardware() -> Hardware {
    let (cpu, memory_bytes) =
        if cfg!(target_os = "macos") { tokio::join!(told_cpu(), told_memory()) } else { (cpu(), memory()) };
    let cpu_count = std::thread::available_parallelism().ok().and_then(|count| i64::try_from(count.get()).ok());
    Hardware { cpu, cpu_count, memory_bytes, gpus: gpus().await }
}

fn cpu() -> Option<String> {
    let text = fs::read_to_string("/proc/cpuinfo").ok()?;
    let (_, name) = text.lines().find(|line| line.starts_with("model name"))?.split_once(':')?;
    Some(name.trim().to_owned())
}

fn memory() -> Option<i64> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kib: i64 = line.split_whitespace().next()?.parse().ok()?;
    kib.checked_mul(1024)
}

async fn told_cpu() -> Option<String> {
    answer("sysctl", &["-n", "machdep.cpu.brand_string"]).await.map(|text| text.trim().to_owned())
}

async fn told_memory() -> Option<i64> {
    answer("sysctl", &["-n", "hw.memsize"]).await?.trim().parse().ok()
}

async fn gpus() -> Vec<Gpu> {
    let question = ["--query-gpu=name,driver_version,memory.total", "--format=csv,noheader,nounits"];
    answer("nvidia-smi", &question).await.map(|text| text.lines().filter_map(gpu).collect()).unwrap_or_default()
}

/// `NVIDIA A100-SXM4-40GB, 535.54.03, 40960`, the memory in MiB.
fn gpu(line: &str) -> Option<Gpu> {
    let mut fields = line.rsplitn(3, ',').map(str::trim);
    let memory = fields.next()?.parse::<i64>().ok();
    let driver = fields.next()?.to_owned();
    let name = fields.next()?.to_owned();
    Some(Gpu { name, driver: Some(driver), memory_bytes: memory.and_then(|mib| mib.checked_mul(1024 * 1024)) })
}

/// What a program of the system answers; nothing where it is not there, fails, or takes its time.
async fn answer(program: &str, question: &[&str]) -> Option<String> {
    let mut command = Command::new(on_path(program)?);
    command.args(question).stdin(Stdio::null()).process_group(0).kill_on_drop(true);
    let answer = tokio::time::timeout(DRIVER_PATIENCE, command.output()).await.ok()?.ok()?;
    answer.status.success().then(|| String::from_utf8_lossy(&answer.stdout).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_has_a_system_and_an_architecture() {
        let platform = describe().platform.expect("a platform");
        assert!(platform.split('-').count() >= 3, "{platform}");
    }

    #[tokio::test]
    async fn a_machine_has_processors_and_memory() {
        let hardware = hardware().await;
        assert!(hardware.cpu_count.is_some_and(|count| count > 0), "{hardware:?}");
        assert!(hardware.memory_bytes.is_some_and(|bytes| bytes > 64 * 1024 * 1024), "{hardware:?}");
    }

    #[test]
    fn a_graphics_card_is_read_from_its_drivers_line() {
        let card = gpu("NVIDIA A100-SXM4-40GB, 535.54.03, 40960").expect("a card");
        assert_eq!((card.name.as_str(), card.driver.as_deref()), ("NVIDIA A100-SXM4-40GB", Some("535.54.03")));
        assert_eq!(card.memory_bytes, Some(40_960 * 1024 * 1024));
        assert_eq!(gpu("Cards, Inc. X1, 1.2, [N/A]").and_then(|card| card.memory_bytes), None);
        assert_eq!(gpu("No devices were found"), None);
    }

    #[test]
    fn a_program_is_found_by_its_name() {
        assert!(on_path("sh").is_some_and(|path| path.is_absolute()));
        assert_eq!(on_path("no-such-program-at-all"), None);
    }
}
