//! The files of the private PostgreSQL: made once, taken over after a server that was killed.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, bail};
use nix::unistd::{Uid, User};

use super::ROLE;
use super::binaries::Binaries;
use super::owner::Owner;

/// The major version that made the data, such as 15; `None` where there is no data yet.
pub fn major_version(data: &Path) -> anyhow::Result<Option<u32>> {
    match fs::read_to_string(data.join("PG_VERSION")) {
        Ok(text) => text.trim().parse().map(Some).with_context(|| format!("reading PG_VERSION in {}", data.display())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("reading {}", data.display())),
    }
}

/// Makes sure that there is a cluster at `data`, and that nothing runs on it.
pub async fn prepare(binaries: &Binaries, owner: &Owner, home: &Path, data: &Path) -> anyhow::Result<()> {
    if major_version(data)?.is_none() {
        create(binaries, owner, home, data).await?;
    } else if leftover_runs(data) {
        stop_leftover(binaries, owner, home, data).await;
    }
    Ok(())
}

/// Whether a PostgreSQL that a killed server left behind still runs on `data`.
///
/// A pid file alone says nothing: after a power cut its number may be another process's. PostgreSQL
/// deals with a stale one by itself.
fn leftover_runs(data: &Path) -> bool {
    let Ok(pid_file) = fs::read_to_string(data.join("postmaster.pid")) else { return false };
    let pid = pid_file.lines().next().unwrap_or_default().trim();
    if !cfg!(target_os = "linux") {
        return true;
    }
    let command_line = fs::read(Path::new("/proc").join(pid).join("cmdline")).unwrap_or_default();
    let data = data.as_os_str().as_encoded_bytes();
    !pid.is_empty() && command_line.split(|byte| *byte == 0).any(|argument| argument == data)
}

/// `initdb` into a folder beside, which then takes its name: killed half-way, it leaves nothing that counts.
async fn create(binaries: &Binaries, owner: &Owner, home: &Path, data: &Path) -> anyhow::Result<()> {
    let unfinished = home.join("data.new");
    if unfinished.exists() {
        fs::remove_dir_all(&unfinished)?;
    }
    let output = owner
        .command(&binaries.program("initdb"), home)
        .arg("-D")
        .arg(&unfinished)
        .args(["-U", ROLE, "-E", "UTF8", "--locale=C", "--auth-local=peer", "--auth-host=reject", "--data-checksums"])
        .output()
        .await
        .context("running initdb")?;
    if !output.status.success() {
        bail!("initdb failed: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    fs::rename(&unfinished, data)?;
    File::open(home)?.sync_all()?;
    Ok(())
}

/// Ends a PostgreSQL that a killed server left behind. Nothing is lost: it shuts down after a
/// checkpoint, and where only its pid file is left, PostgreSQL itself recovers from its log.
async fn stop_leftover(binaries: &Binaries, owner: &Owner, home: &Path, data: &Path) {
    tracing::info!("a former PostgreSQL is still here; stopping it");
    let stopped = owner
        .command(&binaries.program("pg_ctl"), home)
        .args(["stop", "--silent", "--wait", "--mode=fast", "--timeout=60", "-D"])
        .arg(data)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .await;
    if let Err(error) = stopped {
        tracing::warn!(%error, "could not ask the former PostgreSQL to stop");
    }
}

/// Who may connect, in files that only the server's own user writes.
#[derive(Debug)]
pub struct AccessFiles {
    /// `pg_hba.conf`: over the socket only.
    pub hba: PathBuf,
    /// `pg_ident.conf`: only the user that runs the server.
    pub ident: PathBuf,
}

/// Lets in the user that runs the server, and nobody else, over the socket only. Written at every
/// start, because another user may run the server from now on.
///
/// The files lie outside of what is handed over to PostgreSQL's user: root would follow a link there.
pub fn allow_only_us(data_dir: &Path) -> anyhow::Result<AccessFiles> {
    let us = User::from_uid(Uid::effective())?
        .with_context(|| format!("the user id {} has no name on this machine; PostgreSQL needs one", Uid::effective()))?
        .name;
    let files = AccessFiles { hba: data_dir.join("pg_hba.conf"), ident: data_dir.join("pg_ident.conf") };
    for (path, text) in [
        (&files.hba, "local all all peer map=otrace\n".to_owned()),
        (&files.ident, format!("otrace \"{us}\" {ROLE}\n")),
    ] {
        fs::write(path, text).with_context(|| format!("writing {}", path.display()))?;
        fs::set_permissions(path, Permissions::from_mode(0o644))?;
    }
    Ok(files)
}
