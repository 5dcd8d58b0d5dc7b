//! Which packages the command runs with: the files that say so, and what is installed.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde::Deserialize;
use tokio::io::AsyncReadExt as _;
use tokio::process::Command;

use crate::capture::stored::{self, StoredFile};
use crate::capture::{machine, masked};
use crate::secrets::{Masker, Surface};
use crate::{printer, private_files};

/// What is looked for in the workspace's root.
const NAMES: [&str; 8] = [
    "requirements.txt",
    "pyproject.toml",
    "environment.yml",
    "environment.yaml",
    "poetry.lock",
    "uv.lock",
    "Pipfile",
    "Pipfile.lock",
];

/// Lists the packages. It imports nothing of the workspace.
const LISTING: &str = include_str!("packages.py");
/// A Python that takes longer to list them is not waited for.
const PATIENCE: Duration = Duration::from_secs(5);
/// So much of its list is read.
const LIST_MAX: u64 = 1024 * 1024;
/// So much of a program is read to see which interpreter it is for.
const SHEBANG_MAX: u64 = 256;

/// One dependency file and our copy of it.
#[derive(Clone, Debug)]
pub struct Dependency {
    /// Its name in the workspace.
    pub name: &'static str,
    /// Our copy.
    pub copy: StoredFile,
}

/// Copies those that are there into `folder`.
pub fn capture(root: &Path, folder: &Path, masker: Option<&Masker>) -> Vec<Dependency> {
    NAMES.into_iter().filter_map(|name| keep(&root.join(name), folder, name, masker)).collect()
}

fn keep(source: &Path, folder: &Path, name: &'static str, masker: Option<&Masker>) -> Option<Dependency> {
    if !source.is_file() {
        return None;
    }
    let masking = masker.map(|masker| (masker, Surface::File(name.to_owned())));
    match masked::copy(source, folder.join(name), masking) {
        Ok(copied) => Some(Dependency { name, copy: copied.file }),
        Err(error) => {
            printer::warning(format_args!("could not keep {name} with the run: {error}"));
            None
        }
    }
}

/// `sha256:…` of `requirements.txt`, if it is among them.
pub fn requirements_hash(dependencies: &[Dependency]) -> Option<String> {
    dependencies
        .iter()
        .find(|dependency| dependency.name == "requirements.txt")
        .map(|dependency| dependency.copy.digest.to_string())
}

/// A Python, and whether it is the command's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interpreter {
    /// Where it is.
    pub path: PathBuf,
    /// Whether the command runs with it, as far as its first word tells.
    pub is_used: bool,
}

/// What is installed for an interpreter.
#[derive(Clone, Debug)]
pub struct Packages {
    /// The interpreter, as it names itself.
    pub interpreter: String,
    /// Its version.
    pub version: String,
    /// Name and folder of the packages that are used from where their code lies.
    pub folders: Vec<(String, PathBuf)>,
    /// The list, a package a line.
    pub list: StoredFile,
}

#[derive(Deserialize)]
struct Listed {
    executable: String,
    version: String,
    packages: Vec<String>,
    folders: Vec<(String, PathBuf)>,
}

/// The Python that a command runs with, or else the one that it would find; nothing where there is none.
pub fn interpreter(command: &[String], root: &Path) -> Option<Interpreter> {
    let program = command.first().and_then(|program| locate(program, root));
    if let Some(path) = program.and_then(|program| python_of(&program, root)) {
        return Some(Interpreter { path, is_used: true });
    }
    let environment = std::env::var_os("VIRTUAL_ENV").map(|folder| Path::new(&folder).join("bin/python"));
    let found = environment.filter(|path| path.is_file()).or_else(|| machine::on_path("python3"));
    found.map(|path| Interpreter { path, is_used: false })
}

fn locate(program: &str, root: &Path) -> Option<PathBuf> {
    if program.contains('/') { Some(root.join(program)) } else { machine::on_path(program) }
}

/// The Python that a program is, or is written for. Links are kept: a virtual environment is one.
fn python_of(program: &Path, root: &Path) -> Option<PathBuf> {
    let is_python = |name: Option<&OsStr>| name.is_some_and(|name| name.to_string_lossy().starts_with("python"));
    if is_python(program.file_name()) {
        return Some(program.to_path_buf());
    }
    if program.file_name() == Some(OsStr::new("uv")) {
        return Some(root.join(".venv/bin/python")).filter(|path| path.is_file());
    }
    let mut start = Vec::new();
    File::open(program).ok()?.take(SHEBANG_MAX).read_to_end(&mut start).ok()?;
    let start = String::from_utf8_lossy(&start);
    let mut words = start.strip_prefix("#!")?.lines().next()?.split_whitespace();
    let first = Path::new(words.next()?);
    let named = if first.file_name() == Some(OsStr::new("env")) { words.next()? } else { first.to_str()? };
    locate(named, root).filter(|path| is_python(path.file_name()))
}

/// Asks an interpreter what is installed for it, and writes the list to `target`.
pub async fn packages(interpreter: &Path, root: &Path, target: PathBuf, masker: Option<&Masker>) -> Option<Packages> {
    let listed = tokio::time::timeout(PATIENCE, list(interpreter, root)).await.ok()??;
    write(&listed, &target, masker).ok()?;
    let list = stored::measure(target).ok()?;
    Some(Packages { interpreter: listed.executable, version: listed.version, folders: listed.folders, list })
}

async fn list(interpreter: &Path, root: &Path) -> Option<Listed> {
    let mut command = Command::new(interpreter);
    // The current directory stays: some interpreters are chosen by it. Ctrl-C is for the command.
    command.args(["-B", "-W", "ignore", "-c", LISTING]).current_dir(root).process_group(0).kill_on_drop(true);
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().ok()?;
    let mut answer = Vec::new();
    child.stdout.take()?.take(LIST_MAX).read_to_end(&mut answer).await.ok()?;
    serde_json::from_slice(&answer).ok()
}

fn write(listed: &Listed, target: &Path, masker: Option<&Masker>) -> io::Result<()> {
    if let Some(folder) = target.parent() {
        private_files::folders(folder)?;
    }
    let mut text = format!("# Python {}, {}\n", listed.version, listed.executable);
    for package in &listed.packages {
        text.push_str(package);
        text.push('\n');
    }
    // An address that a package was installed from can hold a password.
    let text = masker.map_or_else(|| text.clone(), |masker| masker.mask_text(&Surface::Packages, &text));
    private_files::file(target)?.write_all(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn only_what_is_there_is_kept() {
        let root = tempfile::tempdir().expect("a folder");
        fs::write(root.path().join("requirements.txt"), "torch\n").expect("written");
        fs::write(root.path().join("uv.lock"), "").expect("written");
        fs::create_dir(root.path().join("Pipfile")).expect("made");
        let folder = root.path().join("copies");
        let kept = capture(root.path(), &folder, None);
        assert_eq!(kept.iter().map(|d| d.name).collect::<Vec<_>>(), ["requirements.txt", "uv.lock"]);
        assert_eq!(fs::read(folder.join("requirements.txt")).expect("read"), b"torch\n");
        assert_eq!(requirements_hash(&kept), Some(kept[0].copy.digest.to_string()));
        assert_eq!(requirements_hash(&kept[1..]), None);
    }

    #[test]
    fn the_interpreter_is_the_one_that_the_command_names() {
        let root = tempfile::tempdir().expect("a folder");
        let write = |name: &str, text: &str| {
            let path = root.path().join(name);
            fs::create_dir_all(path.parent().expect("a parent")).expect("made");
            fs::write(&path, text).expect("written");
            path
        };
        let python = write("venv/bin/python3.11", "");
        let tool = write("venv/bin/torchrun", &format!("#!{}\nimport torch\n", python.display()));
        let script = write("run.sh", "#!/bin/sh\n");
        let found = |program: &Path| python_of(program, root.path());
        assert_eq!(found(&python), Some(python.clone()));
        assert_eq!(found(&tool), Some(python.clone()));
        assert_eq!(found(&script), None);
        let command = ["venv/bin/torchrun".to_owned(), "train.py".to_owned()];
        assert_eq!(interpreter(&command, root.path()), Some(Interpreter { path: python, is_used: true }));
    }

    #[tokio::test]
    async fn the_list_holds_what_is_installed_and_imports_nothing_of_the_workspace() {
        // A machine without Python has nothing to list.
        let Some(python) = machine::on_path("python3") else { return };
        let root = tempfile::tempdir().expect("a folder");
        fs::write(root.path().join("json.py"), "open('spied', 'w')\n").expect("written");
        fs::create_dir(root.path().join("copies")).expect("made");
        let listed =
            packages(&python, root.path(), root.path().join("copies/packages.txt"), None).await.expect("a list");
        let text = fs::read_to_string(&listed.list.path).expect("read");
        assert!(text.starts_with(&format!("# Python {}, ", listed.version)), "{text}");
        assert!(!root.path().join("spied").exists());
    }

    #[tokio::test]
    async fn what_is_no_python_has_no_list() {
        let root = tempfile::tempdir().expect("a folder");
        assert!(packages(Path::new("/bin/true"), root.path(), root.path().join("list"), None).await.is_none());
        assert!(packages(Path::new("/nowhere/python"), root.path(), root.path().join("list"), None).await.is_none());
    }
}
