//! The files of the private PostgreSQL: made once, taken over after a server that was killed.

use std::fs::{self, File};
use std::path::Path;
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

/// Makes sure that there is a cluster at `data`, that only we may enter it, and that nothing runs on it.
pub async fn prepare(binaries: &Binaries, owner: &Owner, home: &Path, data: &Path) -> anyhow::Result<()> {
    if major_version(data)?.is_none() {
        create(binaries, owner, home, data).await?;
    } else if data.join("postmaster.pid").exists() {
        stop_leftover(binaries, owner, home, data).await;
    }
    allow_only_us(owner, data)
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

/// Lets in the user that runs the server, and nobody else, over the socket only. Written at every
/// start, because another user may run the server from now on.
fn allow_only_us(owner: &Owner, data: &Path) -> anyhow::Result<()> {
    let us = User::from_uid(Uid::effective())?
        .with_context(|| format!("the user id {} has no name on this machine; PostgreSQL needs one", Uid::effective()))?
        .name;
    for (file, text) in [
        ("pg_hba.conf", "local all all peer map=otrace\n".to_owned()),
        ("pg_ident.conf", format!("otrace \"{us}\" {ROLE}\n")),
    ] {
        let path = data.join(file);
        fs::write(&path, text).with_context(|| format!("writing {}", path.display()))?;
        owner.take(&path)?;
    }
    Ok(())
}
