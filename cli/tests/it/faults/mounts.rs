//! Small file systems: one that is soon full, and one whose power can be cut.
//!
//! They need root, and a machine that lets root mount. Where that is not so, the test says that it was not run; on CI
//! it fails then, as it would say so to nobody.

use std::env;
use std::fs::{self, File, Permissions};
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::unistd::geteuid;
use tempfile::TempDir;

/// A file system that lasts as long as this value.
pub struct Mount {
    at: PathBuf,
}

/// A disk in a file.
pub struct Disk {
    home: TempDir,
    copies: usize,
    mount: Mount,
}

/// Says that a test was not run for want of this. On CI, that is a failure.
#[expect(clippy::print_stderr, reason = "a test that was not run has to say so")]
pub fn not_run(wanted: &str) {
    let is_ci = env::var("CI").is_ok_and(|ci| ci == "true");
    assert!(!is_ci, "On CI every test has to run, and this one needs {wanted}.");
    eprintln!("NOT RUN: this test needs {wanted}");
}

/// Whether this user may mount. If not, says that the test was not run.
pub fn may_mount() -> bool {
    let folder = tempfile::tempdir().expect("a folder");
    let may = geteuid().is_root() && Mount::small(folder.path(), 1).is_some();
    if !may {
        not_run("small disks: root, and a machine that lets it mount");
    }
    may
}

fn run(program: &str, arguments: &[&Path]) -> bool {
    let output = Command::new(program).args(arguments).output().expect("it runs");
    output.status.success()
}

impl Mount {
    /// An empty file system in memory of so many megabytes, over a folder. Nothing, if this user may not.
    pub fn small(at: &Path, megabytes: u32) -> Option<Self> {
        let options = format!("size={megabytes}m,mode=755");
        let arguments = ["-t", "tmpfs", "-o", &options, "tmpfs"].map(Path::new);
        run("mount", &[&arguments, &[at][..]].concat()).then(|| Self { at: at.to_path_buf() })
    }

    /// The same with room for so few files.
    pub fn of_few_files(at: &Path, files: u32) -> Self {
        let options = format!("size=8m,mode=755,nr_inodes={files}");
        let arguments = ["-t", "tmpfs", "-o", &options, "tmpfs"].map(Path::new);
        assert!(run("mount", &[&arguments, &[at][..]].concat()), "it is mounted");
        Self { at: at.to_path_buf() }
    }

    fn of_image(image: &Path, at: &Path) -> Self {
        assert!(run("mount", &[Path::new("-o"), Path::new("loop"), image, at]), "{} is mounted", image.display());
        Self { at: at.to_path_buf() }
    }

    /// Makes it so large, for any number of files.
    pub fn grow(&self, megabytes: u32) {
        let options = format!("remount,size={megabytes}m,nr_inodes=100000");
        assert!(run("mount", &[Path::new("-o"), Path::new(&options), &self.at]), "it grows");
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        // Whoever still has a file open on it keeps it until then.
        run("umount", &[Path::new("-l"), &self.at]);
    }
}

/// Fills the file system that a folder is on up to the last byte, with a file that can be removed again.
pub fn fill(folder: &Path) -> PathBuf {
    let path = folder.join("ballast");
    let mut ballast = File::create(&path).expect("a file");
    for size in [1 << 20, 4096, 1] {
        let block = vec![0; size];
        while ballast.write_all(&block).is_ok() {}
    }
    path
}

impl Disk {
    /// A new one of so many megabytes, mounted over a folder.
    pub fn new(megabytes: u64, at: &Path) -> Self {
        let home = tempfile::tempdir().expect("a folder");
        let image = home.path().join("image");
        File::create(&image).and_then(|image| image.set_len(megabytes << 20)).expect("an image");
        assert!(run("mkfs.ext4", &[Path::new("-q"), Path::new("-F"), &image]), "mkfs.ext4 makes a file system");
        let mount = Mount::of_image(&image, at);
        fs::set_permissions(at, Permissions::from_mode(0o755)).expect("opened");
        Self { home, copies: 0, mount }
    }

    /// What a power cut at this moment leaves on it, mounted over another folder: all that was synced, and of the rest
    /// what the kernel has written by itself.
    pub fn cut(&mut self, at: &Path) -> Mount {
        self.copies += 1;
        let (image, copy) = (self.home.path().join("image"), self.home.path().join(format!("copy-{}", self.copies)));
        assert!(run("cp", &[Path::new("--sparse=always"), &image, &copy]), "the image is copied");
        let mount = Mount::of_image(&copy, at);
        // The mount keeps it.
        fs::remove_file(&copy).expect("removed");
        mount
    }

    /// Puts on disk what was written so far.
    pub fn sync(&self) {
        let synced = Command::new("sync").arg("-f").arg(&self.mount.at).status();
        assert!(synced.expect("sync runs").success());
    }

    /// Writes one file that is on disk when this returns, and one that need not be.
    pub fn write_both(&self) {
        let unsynced = self.mount.at.join("unsynced");
        // A file that is written anew is flushed as it is closed: some programs rely on that.
        let _ = fs::remove_file(&unsynced);
        fs::write(unsynced, "gone").expect("written");
        let mut synced = File::create(self.mount.at.join("synced")).expect("a file");
        synced.write_all(b"kept").and_then(|()| synced.sync_all()).expect("synced");
        File::open(&self.mount.at).and_then(|folder| folder.sync_all()).expect("synced");
    }
}

/// The control: a copy that had what was never synced would show nothing.
pub fn only_what_was_synced_is_there(at: &Path) {
    assert_eq!(fs::read(at.join("synced")).expect("it is there"), b"kept");
    assert_eq!(fs::read(at.join("unsynced")).unwrap_or_default(), b"", "what was not synced is lost");
}
