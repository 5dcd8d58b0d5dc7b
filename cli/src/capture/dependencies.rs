//! The files that say which packages the command runs with.

use std::path::Path;

use crate::capture::stored::{self, StoredFile};
use crate::printer;

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

/// One dependency file and our copy of it.
#[derive(Clone, Debug)]
pub struct Dependency {
    /// Its name in the workspace.
    pub name: &'static str,
    /// Our copy.
    pub copy: StoredFile,
}

/// Copies those that are there into `folder`.
pub fn capture(root: &Path, folder: &Path) -> Vec<Dependency> {
    NAMES.into_iter().filter_map(|name| keep(&root.join(name), folder, name)).collect()
}

fn keep(source: &Path, folder: &Path, name: &'static str) -> Option<Dependency> {
    if !source.is_file() {
        return None;
    }
    match stored::copy(source, folder.join(name)) {
        Ok(copy) => Some(Dependency { name, copy }),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_there_is_kept() {
        let root = tempfile::tempdir().expect("a folder");
        std::fs::write(root.path().join("requirements.txt"), "torch\n").expect("written");
        std::fs::write(root.path().join("uv.lock"), "").expect("written");
        std::fs::create_dir(root.path().join("Pipfile")).expect("made");
        let folder = root.path().join("copies");
        let kept = capture(root.path(), &folder);
        assert_eq!(kept.iter().map(|d| d.name).collect::<Vec<_>>(), ["requirements.txt", "uv.lock"]);
        assert_eq!(std::fs::read(folder.join("requirements.txt")).expect("read"), b"torch\n");
        assert_eq!(requirements_hash(&kept), Some(kept[0].copy.digest.to_string()));
        assert_eq!(requirements_hash(&kept[1..]), None);
    }
}
