//! Making what is in the spool outlast a power cut, beside all else: no command and no request waits for the disk.
//!
//! What is written outlives us at once. What a power cut can take is what has not got to the disk yet: a moment's
//! worth while the command starts, a second's worth while it runs.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use tokio::sync::oneshot;

use super::records::Captured;
use super::{ASKED, CAPTURED, CREATED, ENDED, Entry, SERIES, STARTED, files};
use crate::error::{Error, Result};
use crate::workspace::Workspace;

/// How many files are synced at once: they share the commits of the file system's journal.
const AT_ONCE: usize = 4;

/// All that was captured of a run, on its way to the disk.
pub struct Persisting {
    is_over: Arc<Mutex<bool>>,
    done: oneshot::Receiver<Result<()>>,
}

impl Persisting {
    /// Begins. When the files are on the disk, the run's record says so.
    pub(super) fn start(workspace: &Workspace, entry: &Entry, captured: Captured) -> Self {
        let (done, outcome) = oneshot::channel();
        let is_over = Arc::new(Mutex::new(false));
        let (workspace, folder, over) = (workspace.clone(), entry.folder.clone(), Arc::clone(&is_over));
        // Not one of the runtime's threads: once the server has confirmed all of it, nobody waits for the disk.
        let _ = thread::Builder::new().name("otrace-disk".to_owned()).spawn(move || {
            let _ = done.send(persist(&workspace, &folder, captured, &over));
        });
        Self { is_over, done: outcome }
    }

    /// Waits until all of it is there.
    pub async fn wait(self) -> Result<()> {
        self.done.await.unwrap_or_else(|_| Err(Error::new("could not see to it that the disk has what was captured")))
    }

    /// The server has all of it: the record is not touched any more.
    pub fn give_up(self) {
        *self.is_over.lock().unwrap_or_else(PoisonError::into_inner) = true;
    }
}

fn persist(workspace: &Workspace, folder: &Path, captured: Captured, is_over: &Mutex<bool>) -> Result<()> {
    sync_captured(workspace, &captured)?;
    sync_records(folder).map_err(|error| Error::file("write", folder, &error))?;
    let is_over = is_over.lock().unwrap_or_else(PoisonError::into_inner);
    if *is_over {
        return Ok(());
    }
    files::write(folder, CAPTURED, &Captured { is_synced: true, ..captured })
}

/// Has all that was captured of a run written to the disk.
pub(super) fn sync_captured(workspace: &Workspace, captured: &Captured) -> Result<()> {
    let contents = captured.contents.iter().map(|content| &content.path);
    let paths = contents.chain([&captured.details]).map(|path| workspace.root().join(path));
    sync_files(&workspace.trace_dir(), &paths.collect::<Vec<_>>())
}

/// Has files below a folder written to the disk, and their names. One that is gone is told elsewhere.
fn sync_files(top: &Path, paths: &[PathBuf]) -> Result<()> {
    let shares = paths.chunks(paths.len().div_ceil(AT_ONCE).max(1));
    let synced = thread::scope(|scope| {
        let threads: Vec<_> =
            shares.map(|share| scope.spawn(move || share.iter().try_for_each(|path| sync(path)))).collect();
        let broken_off = || Err(Error::new("a mistake in otrace ended it"));
        threads.into_iter().map(|thread| thread.join().unwrap_or_else(|_| broken_off())).collect::<Result<Vec<()>>>()
    });
    synced?;
    let above = |path: &PathBuf| -> Vec<PathBuf> {
        path.ancestors().skip(1).take_while(|folder| folder.starts_with(top)).map(Path::to_path_buf).collect()
    };
    let folders: BTreeSet<_> = paths.iter().flat_map(above).collect();
    folders.iter().try_for_each(|folder| sync(folder))
}

fn sync(path: &Path) -> Result<()> {
    match File::open(path).and_then(|file| file.sync_data()) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(Error::file("write", path, &error)),
        _ => Ok(()),
    }
}

/// Has a run's records written to the disk, after these files, while the caller goes on. A disk that fails is
/// told by whoever writes to it next.
pub(super) fn sync_beside(folder: &Path, first: Vec<PathBuf>) {
    let folder = folder.to_path_buf();
    let _ = thread::Builder::new().name("otrace-disk".to_owned()).spawn(move || {
        let _ = first.iter().try_for_each(|path| sync(path));
        let _ = sync_records(&folder);
    });
}

fn sync_records(folder: &Path) -> io::Result<()> {
    for name in [ASKED, STARTED, CREATED, ENDED, SERIES] {
        match File::open(folder.join(name)) {
            Ok(file) => file.sync_all()?,
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    files::sync_folder(folder)?;
    folder.parent().map_or(Ok(()), files::sync_folder)
}

#[cfg(test)]
mod tests {
    use otrace_wire::CreateRun;
    use uuid::Uuid;

    use super::*;
    use crate::spool::Spool;
    use crate::spool::records::{Asked, Content};

    fn captured(workspace: &Workspace) -> Captured {
        let copy = workspace.artifacts_folder("exp001").join("outputs/a/b.txt");
        std::fs::create_dir_all(copy.parent().expect("a parent")).expect("made");
        std::fs::write(&copy, "b").expect("written");
        let file = crate::capture::stored::measure(copy).expect("measured");
        std::fs::write(workspace.details_file("exp001"), "{}").expect("written");
        Captured::of(workspace, "exp001", Content::all_of(workspace, [&file]))
    }

    #[tokio::test]
    async fn the_record_says_when_all_is_on_the_disk_and_not_once_the_run_is_confirmed() {
        let folder = tempfile::tempdir().expect("a folder");
        let workspace = Workspace::at(&folder.path().canonicalize().expect("a path"));
        workspace.prepare().expect("prepared");
        let asked = Asked {
            request: CreateRun::default(),
            recorded_at: "2026-06-01T12:00:00Z".to_owned(),
            server: None,
            project_id: None,
            keeps_secrets: false,
            unstored_paths: Vec::new(),
            secrets: Vec::new(),
        };
        let run = Spool::of(&workspace).begin(Uuid::now_v7(), &asked).expect("begun");
        let captured = captured(&workspace);
        assert!(!captured.is_synced && captured.is_whole(&workspace));
        run.persist(&workspace, captured.clone()).expect("kept").wait().await.expect("synced");
        let read = run.entry().captured().expect("read").expect("it is there");
        assert!(read.is_synced);

        let persisting = run.persist(&workspace, captured).expect("kept");
        persisting.give_up();
        run.remove();
        assert!(run.entry().captured().expect("read").is_none());
    }

    #[test]
    fn a_copy_that_a_power_cut_has_torn_is_noticed() {
        let folder = tempfile::tempdir().expect("a folder");
        let workspace = Workspace::at(&folder.path().canonicalize().expect("a path"));
        workspace.prepare().expect("prepared");
        let captured = captured(&workspace);
        std::fs::write(workspace.artifacts_folder("exp001").join("outputs/a/b.txt"), "\0").expect("torn");
        assert!(!captured.is_whole(&workspace));
    }
}
