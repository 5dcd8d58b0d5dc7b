//! The machine: its system, its name, and the Python on it.

use std::process::Stdio;
use std::time::Duration;

use nix::sys::utsname;
use tokio::process::Command;

/// A Python that takes longer to say its version is not waited for.
const PATIENCE: Duration = Duration::from_secs(5);

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_has_a_system_and_an_architecture() {
        let platform = describe().platform.expect("a platform");
        assert!(platform.split('-').count() >= 3, "{platform}");
    }
}
