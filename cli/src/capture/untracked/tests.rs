//! What is kept of files that git does not know, without git.

use std::fs::{self, File};
use std::os::unix::fs::{PermissionsExt as _, symlink};

use tempfile::TempDir;

use super::*;

struct Trial {
    folder: TempDir,
    workspace: Workspace,
}

impl Trial {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let workspace = Workspace::at(folder.path());
        Self { folder, workspace }
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.folder.path().join(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("made");
        fs::write(&path, content).expect("written");
        path
    }

    fn look(&self, names: &[&str]) -> Listed {
        let bytes = names.join("\0").into_bytes();
        look(&self.workspace, self.folder.path(), &Names { bytes, is_cut: false })
    }

    fn copy(&self, listed: Listed) -> Untracked {
        listed.copy(&self.contents(), &Arc::default(), None)
    }

    fn contents(&self) -> PathBuf {
        self.folder.path().join("contents")
    }
}

fn reason<'a>(untracked: &'a Untracked, path: &str) -> &'a str {
    let found = untracked.left_out.iter().find(|file| file.path == path);
    &found.unwrap_or_else(|| panic!("{path} is not in {:?}", untracked.left_out)).reason
}

#[test]
fn files_are_kept_byte_for_byte_under_their_contents_hash() {
    let trial = Trial::new();
    trial.write("a/train.py", "print(1)\n");
    let script = trial.write("run.sh", b"\xff\x00");
    trial.write("copy.sh", b"\xff\x00");
    fs::set_permissions(script, fs::Permissions::from_mode(0o755)).expect("changed");
    let kept = trial.copy(trial.look(&["a/train.py", "run.sh", "copy.sh"]));
    assert_eq!(
        kept.files.iter().map(|file| file.path.as_str()).collect::<Vec<_>>(),
        ["a/train.py", "copy.sh", "run.sh"]
    );
    assert!(kept.files[2].is_executable && !kept.files[0].is_executable);
    assert_eq!(fs::read(&kept.files[0].copy.path).expect("read"), b"print(1)\n");
    assert_eq!(kept.files[1].copy, kept.files[2].copy);
    assert_eq!(fs::read_dir(trial.contents()).expect("read").count(), 2);
    let mode = fs::metadata(&kept.files[0].copy.path).expect("it is there").permissions().mode();
    assert_eq!((mode & 0o777, kept.left_out), (0o600, vec![]));
}

#[test]
fn what_is_left_out_is_told_with_its_reason() {
    let trial = Trial::new();
    trial.write(".env", "KEY=1");
    trial.write("large.bin", vec![0; 10 * 1024 * 1024 + 1]);
    trial.write("cache/x", "1");
    trial.write(".traceignore", "cache/\n");
    symlink("/etc/passwd", trial.folder.path().join("link")).expect("linked");
    let names =
        [".env", "large.bin", "cache/x", "link", "nested/", "gone", "a/__pycache__/x.pyc", "TRACE_FOR_AGENTS.md"];
    let kept = trial.copy(trial.look(&names));
    assert!(kept.files.is_empty());
    assert_eq!(reason(&kept, ".env"), "its name says that it may hold secrets");
    assert_eq!(reason(&kept, "large.bin"), "it is larger than 10 MiB");
    assert_eq!(reason(&kept, "cache/x"), "`.traceignore` leaves it out");
    assert_eq!(reason(&kept, "link"), "it is a symbolic link");
    assert_eq!(reason(&kept, "nested/"), "it is a repository of its own");
    assert_eq!(reason(&kept, "gone"), "it was gone before it could be copied");
    assert_eq!(kept.left_out.len(), 6);
}

#[test]
fn a_file_that_the_command_changes_first_is_left_out() {
    let trial = Trial::new();
    let (changed, replaced) = (trial.write("changed", "before"), trial.write("replaced", "before"));
    let listed = trial.look(&["changed", "replaced"]);
    trial.write("changed", "after, and longer");
    fs::remove_file(&replaced).expect("removed");
    symlink("/etc/passwd", replaced).expect("linked");
    let kept = trial.copy(listed);
    assert!(kept.files.is_empty());
    assert_eq!(reason(&kept, "changed"), "it was changed before it could be copied");
    assert_eq!(reason(&kept, "replaced"), "it could not be read and copied");
    assert_eq!(fs::read(changed).expect("read"), b"after, and longer");
}

#[test]
fn many_files_and_large_ones_are_bounded_and_the_smallest_come_first() {
    let trial = Trial::new();
    let names: Vec<_> = (0..=FILES_MAX).map(|number| format!("{number}.txt")).collect();
    for name in &names {
        trial.write(name, "1");
    }
    let listed = trial.look(&names.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!((listed.files.len(), listed.left_out.len()), (FILES_MAX, 1));

    let trial = Trial::new();
    let names: Vec<_> = (0..11).map(|number| format!("{number}.bin")).collect();
    for name in &names {
        let file = File::create(trial.folder.path().join(name)).expect("made");
        file.set_len(FILE_MAX).expect("sparse");
    }
    trial.write("small", "1");
    let names: Vec<_> = names.iter().map(String::as_str).chain(["small"]).collect();
    let listed = trial.look(&names);
    assert_eq!(listed.files[0].path, "small");
    assert_eq!((listed.files.len(), listed.left_out.len()), (10, 2));
}

#[test]
fn once_told_to_stop_nothing_more_is_copied() {
    let trial = Trial::new();
    trial.write("a", "1");
    let kept = trial.look(&["a"]).copy(&trial.contents(), &Arc::new(AtomicBool::new(true)), None);
    assert_eq!(reason(&kept, "a"), "there was no time to copy it");
}
