//! A library that makes a disk misbehave for the program that it is loaded into: `disk.c`, built here.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use super::mounts::not_run;
use crate::workspace::Workspace;

/// What it is built of.
const SOURCE: &str = include_str!("disk.c");

/// The library, as long as this value lives.
pub struct Shim {
    home: TempDir,
}

/// Which writes find no room. The first is 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Full {
    /// This one alone.
    At(usize),
    /// This one, and all that follow it.
    From(usize),
}

impl Shim {
    /// Builds it; nothing, if that can't be done here, which is said.
    pub fn built() -> Option<Self> {
        let home = tempfile::tempdir().expect("a folder");
        let source = home.path().join("disk.c");
        fs::write(&source, SOURCE).expect("written");
        let shim = Self { home };
        let options = ["-shared", "-fPIC", "-Wall", "-Wextra", "-Werror", "-o"];
        let mut compiler = Command::new("cc");
        let built = compiler.args(options).args([&shim.library(), &source]).arg("-ldl").output();
        match built {
            _ if !cfg!(target_os = "linux") => not_run("Linux"),
            Ok(output) => {
                assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
                return Some(shim);
            }
            Err(_) => not_run("a C compiler"),
        }
        None
    }

    /// The library.
    pub fn library(&self) -> PathBuf {
        self.home.path().join("disk.so")
    }

    /// A workspace in which `otrace` finds no room for these of its own writes, and what is told of that.
    pub fn on_full_disk(&self, workspace: Workspace, full: Full) -> (Workspace, PathBuf) {
        let told = workspace.path("../told");
        let (from, to) = match full {
            Full::At(number) => (number, Some(number)),
            Full::From(number) => (number, None),
        };
        let workspace = self.below(workspace, ".trace").set("DISK_FULL_FROM", &from.to_string());
        let workspace = workspace.set("DISK_TOLD", text(&told));
        let workspace = match to {
            Some(to) => workspace.set("DISK_FULL_TO", &to.to_string()),
            None => workspace,
        };
        (workspace, told)
    }

    /// A workspace in which what `otrace` has synced is not on the disk.
    pub fn on_lying_disk(&self, workspace: Workspace) -> Workspace {
        self.below(workspace, ".trace").set("DISK_LIES", "1")
    }

    fn below(&self, workspace: Workspace, folder: &str) -> Workspace {
        let below = workspace.path(folder);
        let workspace = workspace.set("LD_PRELOAD", text(&self.library())).set("DISK_PROGRAM", "otrace");
        workspace.set("DISK_BELOW", text(&below))
    }
}

fn text(path: &Path) -> &str {
    path.to_str().expect("text")
}
