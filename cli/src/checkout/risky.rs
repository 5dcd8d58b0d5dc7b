//! Files that other programs run by themselves, as soon as somebody enters a folder, opens an editor or runs tests.
//!
//! A checkout brings them along where the run had them; whoever reads them first is the person who checks out.

use std::collections::BTreeSet;

/// Names, at any depth.
const NAMES: [&str; 18] = [
    ".bazelrc",
    ".devcontainer.json",
    ".envrc",
    ".gitattributes",
    ".gitmodules",
    ".lldbinit",
    ".gdbinit",
    ".mise.toml",
    ".npmrc",
    ".pre-commit-config.yaml",
    ".yarnrc",
    ".yarnrc.yml",
    "conftest.py",
    "gnumakefile",
    "makefile",
    "mise.toml",
    "sitecustomize.py",
    "usercustomize.py",
];
/// Folders, at any depth.
const FOLDERS: [&str; 9] =
    [".cargo", ".claude", ".cursor", ".devcontainer", ".direnv", ".husky", ".idea", ".mvn", ".vscode"];
/// Of so many, the names are told.
const NAMED_MAX: usize = 10;

/// Those of these paths that other programs run.
pub fn among<'a>(paths: impl IntoIterator<Item = &'a str>) -> BTreeSet<&'a str> {
    paths.into_iter().filter(|path| is_risky(path)).collect()
}

/// `a, b and 3 more`
pub fn list(paths: &BTreeSet<&str>) -> String {
    let named: Vec<_> = paths.iter().copied().take(NAMED_MAX).collect();
    let others = paths.len() - named.len();
    let named = named.join(", ");
    if others == 0 { named } else { format!("{named} and {others} more") }
}

fn is_risky(path: &str) -> bool {
    let path = path.to_lowercase();
    let mut parts = path.rsplit('/');
    let name = parts.next().unwrap_or_default();
    let is_run_by_python = name.rsplit_once('.').is_some_and(|(_, suffix)| suffix == "pth");
    is_run_by_python || NAMES.contains(&name) || parts.any(|folder| FOLDERS.contains(&folder))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_runs_by_itself_is_told_from_what_does_not() {
        let paths =
            ["train.py", "src/Conftest.py", ".vscode/tasks.json", "a/.envrc", "vscode/x", "x.pth", "Makefile.am"];
        assert_eq!(list(&among(paths)), ".vscode/tasks.json, a/.envrc, src/Conftest.py, x.pth");
    }

    #[test]
    fn a_long_list_is_cut() {
        let paths: Vec<_> = (10..25).map(|number| format!("{number}/.envrc")).collect();
        assert!(list(&among(paths.iter().map(String::as_str))).ends_with("19/.envrc and 5 more"));
    }
}
