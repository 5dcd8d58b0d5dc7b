//! The files that git does not know and was not told to ignore.
//!
//! They are listed before the command starts, and copied while it runs: nothing may delay it. What
//! the command changes before its turn comes is left out, and said to be. The copies are named after
//! their contents, so that a file that stays the same is copied for a hundred runs but once.

mod secrets;

use std::fs::OpenOptions;
use std::io::{self, Read as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use nix::libc::{O_NOFOLLOW, O_NONBLOCK};
use otrace_wire::details::LeftOut;
use tempfile::NamedTempFile;
use tokio::io::AsyncReadExt as _;

use crate::capture::git;
use crate::capture::mark::Mark;
use crate::capture::masked::{self, Masked};
use crate::capture::stored::StoredFile;
use crate::private_files;
use crate::secrets::{Masker, Surface};
use crate::traceignore::TraceIgnore;
use crate::workspace::Workspace;

/// What is larger is left out.
const FILE_MAX: u64 = 10 * 1024 * 1024;
/// All of them together.
const ALL_MAX: u64 = 100 * 1024 * 1024;
/// So many are kept. A run takes 1,000 files besides its artifacts.
const FILES_MAX: usize = 800;
/// So many are looked at, to take the smallest of them.
const LOOKED_AT_MAX: usize = 2_000;
const TOO_MANY: &str = "there are more than 800 untracked files";
/// So much of git's list is read.
const LIST_MAX: u64 = 1024 * 1024;

/// What was there when the command started.
#[derive(Debug, Default)]
pub struct Listed {
    files: Vec<Seen>,
    left_out: Vec<LeftOut>,
    /// Whether there are more files than were listed.
    is_cut: bool,
}

/// What was kept of it.
#[derive(Debug, Default)]
pub struct Untracked {
    /// The files.
    pub files: Vec<UntrackedFile>,
    /// Those that are not kept.
    pub left_out: Vec<LeftOut>,
    /// Whether there are more files than were listed.
    pub is_cut: bool,
}

/// A file and our copy of it.
#[derive(Clone, Debug)]
pub struct UntrackedFile {
    /// Its path from the repository's top.
    pub path: String,
    /// Whether it can be executed.
    pub is_executable: bool,
    /// Our copy.
    pub copy: StoredFile,
    /// Whether a secret was masked in it.
    pub is_masked: bool,
}

/// A file as it was when it was listed.
#[derive(Debug)]
struct Seen {
    path: String,
    place: PathBuf,
    mark: Mark,
    is_executable: bool,
}

/// The names that git lists, from the repository's top.
#[derive(Debug, Default)]
pub struct Names {
    bytes: Vec<u8>,
    is_cut: bool,
}

/// Asks git for the names; nothing if it does not tell.
pub async fn names(root: &Path) -> Option<Names> {
    let mut git = git::asking(root);
    git.args(["ls-files", "--others", "--exclude-standard", "--full-name", "-z", "--", ":/"]);
    let mut child = git.stderr(std::process::Stdio::null()).spawn().ok()?;
    let mut bytes = Vec::new();
    child.stdout.take()?.take(LIST_MAX).read_to_end(&mut bytes).await.ok()?;
    let is_cut = bytes.len() as u64 == LIST_MAX;
    if is_cut {
        // The last name may be half of one.
        let whole = bytes.iter().rposition(|byte| *byte == 0).map_or(0, |end| end + 1);
        bytes.truncate(whole);
    } else if !child.wait().await.ok()?.success() {
        return None;
    }
    Some(Names { bytes, is_cut })
}

/// Looks at the files with these names, and decides which of them are kept.
pub fn look(workspace: &Workspace, top: &Path, names: &Names) -> Listed {
    let ignore = TraceIgnore::load(workspace);
    let mut listed = Listed { is_cut: names.is_cut, ..Listed::default() };
    for name in names.bytes.split(|byte| *byte == 0).filter(|name| !name.is_empty()) {
        let Ok(path) = std::str::from_utf8(name) else {
            listed.leave_out(&String::from_utf8_lossy(name), None, "its name is not UTF-8");
            continue;
        };
        if git::is_ours(path) || is_generated(path) {
            continue;
        }
        let place = top.join(path);
        let in_workspace = place.strip_prefix(workspace.root());
        if in_workspace.is_ok_and(|path| ignore.leaves_out(path)) {
            listed.leave_out(path, None, "`.traceignore` leaves it out");
        } else if secrets::is_likely(path) {
            listed.leave_out(path, None, "its name says that it may hold secrets");
        } else if path.ends_with('/') {
            listed.leave_out(path, None, "it is a repository of its own");
        } else if listed.files.len() >= LOOKED_AT_MAX {
            listed.leave_out(path, None, TOO_MANY);
        } else {
            listed.look_at(path, place);
        }
    }
    listed.choose();
    listed
}

/// What Python leaves behind follows from the rest.
fn is_generated(path: &str) -> bool {
    Path::new(path).extension().is_some_and(|extension| extension == "pyc")
        || path.split('/').any(|part| part == "__pycache__")
}

impl Listed {
    fn leave_out(&mut self, path: &str, size: Option<u64>, reason: &str) {
        self.left_out.push(left_out(path, size, reason));
    }

    fn look_at(&mut self, path: &str, place: PathBuf) {
        let Ok(found) = place.symlink_metadata() else {
            self.leave_out(path, None, "it was gone before it could be copied");
            return;
        };
        if found.is_symlink() {
            self.leave_out(path, None, "it is a symbolic link");
        } else if !found.is_file() {
            self.leave_out(path, None, "it is no regular file");
        } else if found.len() > FILE_MAX {
            self.leave_out(path, Some(found.len()), "it is larger than 10 MiB");
        } else {
            let (mark, is_executable) = (Mark::of(&found), found.mode() & 0o100 != 0);
            self.files.push(Seen { path: path.to_owned(), place, mark, is_executable });
        }
    }

    /// The smallest come first: code is small.
    fn choose(&mut self) {
        self.files.sort_by_key(|file| file.mark.size);
        let mut room = ALL_MAX;
        let fits = |file: &&Seen| {
            let fits = file.mark.size <= room;
            room = room.saturating_sub(file.mark.size);
            fits
        };
        let kept = self.files.iter().take(FILES_MAX).take_while(fits).count();
        let reason = if kept == FILES_MAX { TOO_MANY } else { "all untracked files together are larger than 100 MiB" };
        for file in self.files.split_off(kept) {
            self.leave_out(&file.path, Some(file.mark.size), reason);
        }
    }

    /// Copies them into `contents`, one after another, until it is told to stop.
    pub fn copy(self, contents: &Path, stop: &Arc<AtomicBool>, masker: Option<&Masker>) -> Untracked {
        let mut kept = Untracked { files: Vec::new(), left_out: self.left_out, is_cut: self.is_cut };
        for file in self.files {
            if stop.load(Ordering::Relaxed) {
                kept.left_out.push(left_out(&file.path, Some(file.mark.size), "there was no time to copy it"));
                continue;
            }
            match keep(&file, contents, masker) {
                Ok(Some(Masked { file: copy, is_masked })) => {
                    let Seen { path, is_executable, .. } = file;
                    kept.files.push(UntrackedFile { path, is_executable, copy, is_masked });
                }
                Ok(None) => {
                    let reason = "it was changed before it could be copied";
                    kept.left_out.push(left_out(&file.path, Some(file.mark.size), reason));
                }
                Err(_) => {
                    kept.left_out.push(left_out(&file.path, Some(file.mark.size), "it could not be read and copied"));
                }
            }
        }
        kept.files.sort_by(|one, other| one.path.cmp(&other.path));
        kept
    }
}

fn left_out(path: &str, size: Option<u64>, reason: &str) -> LeftOut {
    let size_bytes = size.and_then(|size| i64::try_from(size).ok());
    LeftOut { path: path.to_owned(), size_bytes, reason: reason.to_owned() }
}

/// `None`: it is no longer what it was.
fn keep(seen: &Seen, contents: &Path, masker: Option<&Masker>) -> io::Result<Option<Masked>> {
    // Neither a link nor a pipe that has taken the file's place is followed or waited for.
    let mut file = OpenOptions::new().read(true).custom_flags(O_NOFOLLOW | O_NONBLOCK).open(&seen.place)?;
    if Mark::of(&file.metadata()?) != seen.mark {
        return Ok(None);
    }
    private_files::folder(contents).map_err(|error| io::Error::other(error.to_string()))?;
    let mut copy = NamedTempFile::new_in(contents)?;
    // Never more than the file had: one that grows would be read without end.
    let from = (&mut file).take(seen.mark.size + 1);
    let masking = masker.map(|masker| (masker, Surface::File(seen.path.clone())));
    let (measure, is_masked) = masked::pass(from, copy.as_file_mut(), masking, true)?;
    if Mark::of(&file.metadata()?) != seen.mark {
        return Ok(None);
    }
    let stored = measure.of_file(PathBuf::new());
    let path = contents.join(stored.digest.hex());
    let is_there = path.symlink_metadata().is_ok_and(|found| found.is_file() && found.len() == stored.size);
    if !is_there {
        copy.as_file().sync_data()?;
        copy.persist(&path).map_err(|error| error.error)?;
    }
    Ok(Some(Masked { file: StoredFile { path, ..stored }, is_masked }))
}

#[cfg(test)]
mod tests;
