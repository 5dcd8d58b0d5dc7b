//! The runs that the server has not confirmed yet, each a folder in `.trace/spool/`.
//!
//! Everything about a run is in files before it is sent: small ones ([`records`]), each written in whole
//! ([`files`]), beside the logs and copies that lie elsewhere in `.trace/`. They get to the disk while the work
//! goes on ([`durable`]). The folder goes when the server has confirmed all of it ([`delivery`]); the copies may
//! stay, as far as there is room for them ([`bound`]). Whoever works on a run holds the lock in its
//! folder, so that a run that is being recorded is told from one whose `otrace` was killed, which
//! [`finish`] brings to its end.

pub mod bound;
pub mod delivery;
pub mod durable;
mod files;
pub mod finish;
pub mod gather;
pub mod kept;
mod process;
pub mod records;
pub mod series;

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use nix::libc::O_NOFOLLOW;
use serde::Serialize;
use uuid::Uuid;

use crate::error::{Error, Result};
use crate::workspace::Workspace;
use crate::{printer, private_files};
use durable::Persisting;
use process::Process;
use records::{Asked, Captured, Created, Ended, Started};

const LOCK: &str = "lock";
const ASKED: &str = "run.json";
const STARTED: &str = "started.json";
const CHILD: &str = "child.json";
const CREATED: &str = "created.json";
const ENDED: &str = "ended.json";
const CAPTURED: &str = "captured.json";
const SERIES: &str = "series.jsonl";
/// Room for how the command ended, should its output fill the disk.
const RESERVE: &str = "reserve";
/// So much of it, in bytes.
const RESERVE_BYTES: usize = 16 * 1024;

/// What the name of a folder begins with that is being made.
const NEW: &str = ".new-";
/// Longer than anybody takes to make one.
const MAKING: Duration = Duration::from_mins(1);
/// What the name of one begins with that is being removed.
const SENT: &str = ".sent-";

/// A workspace's unconfirmed runs.
#[derive(Clone, Debug)]
pub struct Spool {
    folder: PathBuf,
}

/// One of them.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The run's id.
    pub id: Uuid,
    folder: PathBuf,
}

/// One of them, which nobody else works on meanwhile.
#[derive(Debug)]
pub struct Locked {
    entry: Entry,
    /// Let go of by closing it, also by the kernel when we are killed.
    _lock: Option<File>,
}

impl Spool {
    /// The spool of a workspace.
    pub fn of(workspace: &Workspace) -> Self {
        Self { folder: workspace.trace_dir().join("spool") }
    }

    /// Takes a new run in. It outlives us when this returns, and the machine a moment later.
    pub fn begin(&self, id: Uuid, asked: &Asked) -> Result<Locked> {
        let (new, folder) = (self.folder.join(format!("{NEW}{id}")), self.folder.join(id.to_string()));
        let failed = |error: io::Error| Error::file("write", &folder, &error);
        DirBuilder::new().mode(0o700).create(&new).map_err(failed)?;
        let fill = || -> io::Result<_> {
            // Some network file systems have no locks: then no other `otrace` can take the run either.
            let lock = open_lock(&new)?;
            let lock = lock.try_lock().is_ok().then_some(lock);
            private_files::file(&new.join(RESERVE))?.write_all(&[0; RESERVE_BYTES])?;
            files::write_quickly(&new, ASKED, asked)?;
            fs::rename(&new, &folder)?;
            Ok(lock)
        };
        let lock = fill().inspect_err(|_| drop(fs::remove_dir_all(&new))).map_err(failed)?;
        durable::sync_beside(&folder, Vec::new());
        Ok(Locked { entry: Entry { id, folder }, _lock: lock })
    }

    /// The runs in it, the oldest first.
    pub fn entries(&self) -> Vec<Entry> {
        let mut ids: Vec<Uuid> = Vec::new();
        for entry in fs::read_dir(&self.folder).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let name = name.to_str().unwrap_or_default();
            if name.starts_with(SENT) {
                // Whoever began to remove it was killed.
                let _ = fs::remove_dir_all(entry.path());
            } else if name.starts_with(NEW) {
                remove_if_abandoned(&entry.path());
            }
            ids.extend(name.parse::<Uuid>());
        }
        // They begin with their time.
        ids.sort_unstable();
        ids.into_iter().map(|id| Entry { id, folder: self.folder.join(id.to_string()) }).collect()
    }
}

impl Entry {
    /// Takes the run for oneself; nothing, if somebody else works on it, or has just confirmed it.
    pub fn lock(&self) -> Result<Option<Locked>> {
        match self.try_lock() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            locked => locked.map_err(|error| Error::file("use", &self.folder, &error)),
        }
    }

    fn try_lock(&self) -> io::Result<Option<Locked>> {
        let found = self.folder.symlink_metadata()?;
        if !found.is_dir() {
            return Err(io::ErrorKind::NotADirectory.into());
        }
        files::check_private(&self.folder, &found).map_err(io::Error::other)?;
        let lock = open_lock(&self.folder)?;
        match lock.try_lock() {
            Ok(()) => Ok(Some(Locked { entry: self.clone(), _lock: Some(lock) })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    /// What the run is called: by its number, once it has one.
    pub fn label(&self) -> String {
        let created = self.created().ok().flatten().map(|created| created.experiment.to_string());
        created.unwrap_or_else(|| match self.started() {
            Ok(Some(started)) => started.label(),
            _ => self.id.to_string(),
        })
    }

    /// The run as it was asked for; nothing, if it has been confirmed meanwhile.
    pub fn asked(&self) -> Result<Option<Asked>> {
        files::read(&self.folder, ASKED)
    }

    /// How it started; nothing, if it has not.
    pub fn started(&self) -> Result<Option<Started>> {
        let started: Option<Started> = files::read(&self.folder, STARTED)?;
        // It becomes a part of paths. One that leads elsewhere is none of ours.
        let is_name =
            |name: &str| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        match &started {
            Some(started) if !is_name(&started.name) => {
                Err(Error::new(format!("{} is damaged", self.folder.join(STARTED).display())))
            }
            _ => Ok(started),
        }
    }

    /// What the server made of it later; nothing, if it had it from the beginning or still has not.
    pub fn created(&self) -> Result<Option<Created>> {
        files::read(&self.folder, CREATED)
    }

    /// How it ended; nothing, if that is not known.
    pub fn ended(&self) -> Result<Option<Ended>> {
        files::read(&self.folder, ENDED)
    }

    /// What there is to send; nothing, if it has not been collected.
    pub fn captured(&self) -> Result<Option<Captured>> {
        files::read(&self.folder, CAPTURED)
    }

    /// Where points of series are kept until they are confirmed.
    pub fn series_file(&self) -> PathBuf {
        self.folder.join(SERIES)
    }

    /// Whether the machine went down while the command ran, as far as that can be told.
    pub fn is_from_before_a_restart(&self) -> bool {
        let child: Option<Process> = files::read(&self.folder, CHILD).ok().flatten();
        child.is_some_and(|child| child.is_of_another_boot())
    }

    /// The number of the command's process, if it still runs.
    pub fn living_child(&self) -> Option<u32> {
        // One that was cut short by a power cut has no process either.
        let child: Process = files::read(&self.folder, CHILD).ok()??;
        child.is_alive().then_some(child.pid)
    }
}

impl Locked {
    /// What can be read of it.
    pub fn entry(&self) -> &Entry {
        &self.entry
    }

    /// Keeps how the run starts, before it does. The command does not wait for the disk.
    pub fn write_started(&self, started: &Started) -> Result<()> {
        self.write_quickly(STARTED, started)?;
        durable::sync_beside(&self.entry.folder, Vec::new());
        Ok(())
    }

    /// Keeps which process the command is. It costs the command nothing.
    pub fn note_child(&self, pid: u32) {
        if let Err(error) = self.write_quickly(CHILD, &Process::of(pid)) {
            printer::warning(error);
        }
    }

    /// Keeps what the server made of the run.
    pub fn write_created(&self, created: &Created) -> Result<()> {
        files::write(&self.entry.folder, CREATED, created)
    }

    /// Keeps how the command ended, and has it and these logs written to the disk.
    pub fn write_ended(&self, ended: &Ended, logs: Vec<PathBuf>) -> Result<()> {
        // This is what it is for.
        let _ = fs::remove_file(self.entry.folder.join(RESERVE));
        let written = self.write_quickly(ENDED, ended);
        durable::sync_beside(&self.entry.folder, logs);
        written
    }

    /// Keeps what there is to send, and begins to have all of it written to the disk.
    pub fn persist(&self, workspace: &Workspace, captured: Captured) -> Result<Persisting> {
        self.write_quickly(CAPTURED, &captured)?;
        Ok(Persisting::start(workspace, &self.entry, captured))
    }

    /// Has all that there is to send written to the disk, and keeps that it is.
    pub fn write_captured(&self, workspace: &Workspace, captured: &mut Captured) -> Result<()> {
        durable::sync_captured(workspace, captured)?;
        captured.is_synced = true;
        files::write(&self.entry.folder, CAPTURED, captured)
    }

    fn write_quickly(&self, name: &str, value: &impl Serialize) -> Result<()> {
        let folder = &self.entry.folder;
        files::write_quickly(folder, name, value).map_err(|error| Error::file("write", folder, &error))
    }

    /// Forgets the run: all of it is confirmed, or there is none.
    pub fn remove(&self) {
        let Entry { id, folder } = &self.entry;
        let gone = folder.with_file_name(format!("{SENT}{id}"));
        // In one step, so that no half of it is ever taken for a run.
        let removed = fs::rename(folder, &gone).and_then(|()| fs::remove_dir_all(&gone));
        if let Err(error) = removed
            && error.kind() != io::ErrorKind::NotFound
        {
            printer::warning(Error::file("remove", folder, &error));
        }
    }
}

/// Removes a folder whose maker was killed before it was a run's: its command has not been started.
fn remove_if_abandoned(new: &Path) {
    let is_old = |made: SystemTime| made.elapsed().is_ok_and(|age| age >= MAKING);
    let is_left = new.symlink_metadata().is_ok_and(|found| found.is_dir() && found.modified().is_ok_and(is_old));
    if !is_left {
        return;
    }
    let lock = open_lock(new);
    let is_held = lock.as_ref().is_ok_and(|lock| matches!(lock.try_lock(), Err(TryLockError::WouldBlock)));
    if !is_held {
        let _ = fs::remove_dir_all(new);
    }
}

fn open_lock(folder: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(0o600).custom_flags(O_NOFOLLOW);
    options.open(folder.join(LOCK))
}

#[cfg(test)]
mod tests;
pub mod unsent;
