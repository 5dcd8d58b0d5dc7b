//! What is captured while the command runs: whatever would delay its start, and does not change by it.
//!
//! Each part has an end of its own, so that a slow disk or a Python that hangs costs that part alone.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use otrace_wire::details::Hardware;
use tokio::sync::oneshot;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::capture::bundle::{self, Bundle};
use crate::capture::committed_secrets;
use crate::capture::dependencies::{self, Packages};
use crate::capture::git::GitFacts;
use crate::capture::machine;
use crate::capture::submodules::{self, Found};
use crate::capture::untracked::{Listed, Untracked};
use crate::secrets::Masker;
use crate::workspace::Workspace;

/// Once the command has ended, so long is waited for what is not there yet.
const PATIENCE: Duration = Duration::from_secs(15);
/// How long a copy that was told to stop is waited for.
const LAST_COPY: Duration = Duration::from_secs(1);
/// How long it is waited for whether there are secrets in commits, which only a new bundle is asked of.
const SEARCHING: Duration = Duration::from_secs(5);

/// All of it.
#[derive(Debug, Default)]
pub struct Gathered {
    /// What the repository's remotes don't have.
    pub history: History,
    /// The files that git does not know; nothing where they could not be listed.
    pub untracked: Option<Untracked>,
    /// Whether the command runs with the Python whose packages are listed.
    pub is_python_used: bool,
    /// What is installed; nothing where there is no Python, or it did not tell.
    pub packages: Option<Packages>,
    /// What the machine has to compute with.
    pub hardware: Hardware,
}

/// What the repository's remotes don't have.
#[derive(Debug, Default)]
pub struct History {
    /// Its own commits.
    pub bundle: Bundle,
    /// Its submodules.
    pub submodules: Vec<Found>,
    /// Whether it keeps files elsewhere, with Git LFS.
    pub uses_lfs: bool,
}

/// It, being gathered. Dropped, it stops.
#[derive(Debug)]
pub struct Gathering {
    history: oneshot::Receiver<History>,
    /// Whether its commits have been looked through.
    searched: oneshot::Receiver<()>,
    untracked: Option<oneshot::Receiver<Untracked>>,
    is_python_used: bool,
    packages: AbortOnDropHandle<Option<Packages>>,
    hardware: AbortOnDropHandle<Hardware>,
    stop: Stop,
    ended: CancellationToken,
}

/// Tells the copying to stop when nobody wants it any more.
#[derive(Debug, Default)]
struct Stop(Arc<AtomicBool>);

impl Drop for Stop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Gathering {
    /// Starts all of it. `folder` is the run's own, below the one that runs share.
    pub fn start(
        workspace: &Workspace,
        command: &[String],
        git: Option<&GitFacts>,
        listed: Option<Listed>,
        folder: &Path,
        masker: Option<&Masker>,
    ) -> Self {
        let shared = workspace.trace_dir().join("snapshots");
        let stop = Stop::default();
        let (history, searched) = of_history(workspace.root(), git, shared.join("bundles"), masker);
        let untracked = listed.map(|listed| {
            let (contents, stop, masker) = (shared.join("contents"), Arc::clone(&stop.0), masker.cloned());
            on_a_thread("untracked", move || listed.copy(&contents, &stop, masker.as_ref()))
        });
        let interpreter = dependencies::interpreter(command, workspace.root());
        let is_python_used = interpreter.as_ref().is_some_and(|interpreter| interpreter.is_used);
        let (root, target) = (workspace.root().to_path_buf(), folder.join("packages.txt"));
        let ended = CancellationToken::new();
        let (no_use, masker) = (ended.clone(), masker.cloned());
        let packages = async move {
            let path = interpreter?.path;
            let listed = dependencies::packages(&path, &root, target, masker.as_ref());
            // A short command is not held up for the packages of a Python that it may not even know.
            if is_python_used { listed.await } else { no_use.run_until_cancelled(listed).await.flatten() }
        };
        Self {
            history,
            searched,
            untracked,
            is_python_used,
            packages: AbortOnDropHandle::new(tokio::spawn(packages)),
            hardware: AbortOnDropHandle::new(tokio::spawn(machine::hardware())),
            stop,
            ended,
        }
    }

    /// What tells it that the command has ended: cancel it then.
    pub fn ended(&self) -> CancellationToken {
        self.ended.clone()
    }

    /// Waits for all of it, though not for ever.
    pub async fn finish(self) -> Gathered {
        let Self { history, searched, untracked, is_python_used, packages, hardware, stop, ended: _ } = self;
        let untracked = async {
            let mut copying = untracked?;
            if let Ok(copied) = timeout(PATIENCE, &mut copying).await {
                return copied.ok();
            }
            stop.0.store(true, Ordering::Relaxed);
            timeout(LAST_COPY, copying).await.ok()?.ok()
        };
        let history = async {
            let history = timeout(PATIENCE, history).await;
            // What is found is told in the end, and holds up nothing else.
            let _ = timeout(SEARCHING, searched).await;
            history
        };
        let (history, untracked, packages, hardware) =
            tokio::join!(history, untracked, timeout(PATIENCE, packages), timeout(PATIENCE, hardware));
        Gathered {
            history: history.ok().and_then(Result::ok).unwrap_or_else(History::unfinished),
            untracked,
            is_python_used,
            packages: packages.ok().and_then(Result::ok).flatten(),
            hardware: hardware.ok().and_then(Result::ok).unwrap_or_default(),
        }
    }
}

impl History {
    fn unfinished() -> Self {
        Self { bundle: Bundle::LeftOut("there was no time to pack them"), ..Self::default() }
    }
}

/// Finds out about a repository's history, and then looks through what it sends of it for the first time.
fn of_history(
    root: &Path,
    git: Option<&GitFacts>,
    bundles: PathBuf,
    masker: Option<&Masker>,
) -> (oneshot::Receiver<History>, oneshot::Receiver<()>) {
    let (root, facts, masker) = (root.to_path_buf(), git.cloned(), masker.cloned());
    let (tell, told) = oneshot::channel();
    let searched = on_a_thread("git", move || {
        let history = facts.as_ref().map(|facts| history(&root, facts, &bundles)).unwrap_or_default();
        let is_new = matches!(history.bundle, Bundle::Made { is_new: true, .. });
        // Nobody waits for it any more, if it took too long.
        let _ = tell.send(history);
        if let (true, Some(commit), Some(masker)) = (is_new, facts.and_then(|facts| facts.commit), masker) {
            committed_secrets::look_through(&root, &commit, &masker);
        }
    });
    (told, searched)
}

fn history(root: &Path, facts: &GitFacts, bundles: &Path) -> History {
    let bundle = match &facts.commit {
        Some(commit) => bundle::make(root, commit, facts.branch.as_deref(), bundles),
        None => Bundle::NotNeeded,
    };
    let top: PathBuf = facts.top.clone().unwrap_or_else(|| root.to_path_buf());
    let attributes = std::fs::read_to_string(top.join(".gitattributes")).unwrap_or_default();
    let submodules = submodules::list(&top, &facts.changed_submodules);
    History { bundle, submodules, uses_lfs: attributes.contains("filter=lfs") }
}

/// What does not come back, because there is no thread for it, is as good as what takes too long.
fn on_a_thread<T: Send + 'static>(name: &str, work: impl FnOnce() -> T + Send + 'static) -> oneshot::Receiver<T> {
    let (done, outcome) = oneshot::channel();
    // Not one of the runtime's threads: those are waited for, and hold the file system for the others.
    let _ = thread::Builder::new().name(name.to_owned()).spawn(move || done.send(work()).ok());
    outcome
}
