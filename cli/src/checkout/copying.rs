//! The code without git: a copy of the workspace as it is now.

use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, symlink};
use std::path::{Path, PathBuf};

use nix::libc::{O_NOFOLLOW, O_NONBLOCK};

use super::destination::MARKER;

/// What is left out, wherever it is.
const LEFT_OUT: [&str; 3] = [".trace", ".git", "__pycache__"];

/// Copies what is in `from` to `to`, but for `skipped`, which `to` may lie in. Links stay links; pipes and devices
/// are left out.
pub fn copy(from: &Path, to: &Path, skipped: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    let mut folders = vec![PathBuf::new()];
    while let Some(folder) = folders.pop() {
        for entry in from.join(&folder).read_dir()? {
            let entry = entry?;
            let (source, name) = (entry.path(), entry.file_name());
            if source == skipped || LEFT_OUT.iter().any(|left_out| name == *left_out) || name == MARKER {
                continue;
            }
            let place = folder.join(&name);
            let (kind, target) = (entry.file_type()?, to.join(&place));
            if kind.is_dir() {
                fs::DirBuilder::new().mode(0o755).create(&target)?;
                folders.push(place);
            } else if kind.is_symlink() {
                symlink(fs::read_link(&source)?, &target)?;
            } else if kind.is_file() {
                copy_file(&source, &target)?;
            }
        }
    }
    Ok(())
}

fn copy_file(source: &Path, target: &Path) -> io::Result<()> {
    // Neither a link nor a pipe that has taken the file's place is followed or waited for.
    let mut file = OpenOptions::new().read(true).custom_flags(O_NOFOLLOW | O_NONBLOCK).open(source)?;
    let is_executable = file.metadata()?.mode() & 0o100 != 0;
    let mode = if is_executable { 0o755 } else { 0o644 };
    let mut copy = OpenOptions::new().write(true).create_new(true).mode(mode).open(target)?;
    io::copy(&mut file, &mut copy)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_but_ours_and_gits_is_copied_also_into_itself() {
        let folder = tempfile::tempdir().expect("a folder");
        let from = folder.path();
        for name in ["src/a.py", "src/__pycache__/a.pyc", ".git/HEAD", ".trace/active_experiment", "run.sh"] {
            let path = from.join(name);
            fs::create_dir_all(path.parent().expect("a parent")).expect("made");
            fs::write(&path, name).expect("written");
        }
        symlink("/etc/hostname", from.join("link")).expect("linked");
        let to = from.join("checkouts/exp001");
        copy(from, &to.join("sub"), &to).expect("copied");
        let to = to.join("sub");
        assert_eq!(fs::read(to.join("src/a.py")).expect("read"), b"src/a.py");
        assert_eq!(fs::read_link(to.join("link")).expect("read"), Path::new("/etc/hostname"));
        for name in ["src/__pycache__", ".git", ".trace", "checkouts/exp001"] {
            assert!(!to.join(name).exists(), "{name}");
        }
    }
}
