//! How well the state that a command ran on can be got back, and why not better.
//!
//! It is about code: commits, changes, files, submodules and packages. That data and services are as
//! they were, nobody can tell from a repository.

use std::path::Path;

use otrace_wire::details::{HowWell, LeftOut, Rebuild};

use crate::capture::bundle::Bundle;
use crate::capture::gathering::Gathered;
use crate::capture::git::{Diffs, GitFacts};
use crate::capture::untracked::Untracked;

/// So many files that were left out are told.
const LEFT_OUT_MAX: usize = 200;
/// So many of them are named in one reason.
const NAMED_MAX: usize = 3;

/// Judges what was captured. Without `gathered`, the recording has broken off.
pub fn judge(root: &Path, git: Option<&GitFacts>, diffs: &Diffs, gathered: Option<&Gathered>) -> Rebuild {
    let packages = gathered.and_then(|gathered| gathered.packages.as_ref());
    let interpreter = packages.map(|packages| packages.interpreter.clone());
    let told = Rebuild { interpreter, ..Rebuild::default() };
    let Some(git) = git else {
        let reason = "the command did not run in a git repository, or git could not be asked".to_owned();
        return Rebuild { how_well: HowWell::No, reasons: vec![reason], ..told };
    };
    let told = Rebuild { directory: directory(root, git), ..told };
    let Some(gathered) = gathered else {
        let reason = "the recording broke off before all of its code was kept".to_owned();
        return Rebuild { how_well: HowWell::Partly, reasons: vec![reason], ..told };
    };
    let mut reasons = Vec::new();
    let is_founded = base(git, &gathered.history.bundle, &mut reasons);
    changes(git, diffs, gathered, &mut reasons);
    files(gathered.untracked.as_ref(), &mut reasons);
    submodules(gathered, &mut reasons);
    environment(git, gathered, &mut reasons);
    let how_well = match (is_founded, reasons.is_empty()) {
        (false, _) => HowWell::No,
        (true, false) => HowWell::Partly,
        (true, true) => HowWell::Fully,
    };
    let untracked = gathered.untracked.iter();
    let is_executable = untracked.clone().flat_map(|untracked| &untracked.files).filter(|file| file.is_executable);
    Rebuild {
        how_well,
        reasons,
        executable: is_executable.map(|file| file.path.clone()).collect(),
        left_out: untracked.flat_map(|untracked| &untracked.left_out).take(LEFT_OUT_MAX).cloned().collect(),
        submodules: gathered.history.submodules.iter().map(|found| found.submodule.clone()).collect(),
        ..told
    }
}

/// The workspace's place in the repository, if it is not all of it.
fn directory(root: &Path, git: &GitFacts) -> Option<String> {
    let below = root.strip_prefix(git.top.as_ref()?).ok()?;
    (!below.as_os_str().is_empty()).then(|| below.to_string_lossy().into_owned())
}

/// Says whether the commit that everything stands on can be had.
fn base(git: &GitFacts, bundle: &Bundle, reasons: &mut Vec<String>) -> bool {
    let needs_remote = match bundle {
        Bundle::LeftOut(reason) => {
            reasons.push(format!("its last commits are on no remote and were not kept ({reason})"));
            return false;
        }
        Bundle::Made { is_whole, .. } => !is_whole,
        Bundle::NotNeeded => git.commit.is_some(),
    };
    match &git.remote_url {
        None if needs_remote => reasons.push("the address of its remote is not known".to_owned()),
        Some(url) if needs_remote && is_folder(url) => {
            reasons.push(format!("its remote is a folder, {url}, that other machines may not have"));
        }
        _ => {}
    }
    true
}

fn is_folder(url: &str) -> bool {
    ["/", "./", "../", "~", "file:"].iter().any(|start| url.starts_with(start))
}

fn changes(git: &GitFacts, diffs: &Diffs, gathered: &Gathered, reasons: &mut Vec<String>) {
    if diffs.is_incomplete {
        reasons.push("git could not write its uncommitted changes".to_owned());
    }
    if git.has_conflicts {
        reasons.push("a merge had left conflicts, which no patch can hold".to_owned());
    }
    if diffs.is_masked {
        reasons.push("a secret was masked in the diff".to_owned());
    }
    let has_own = diffs.dirty.is_some() || diffs.staged.is_some();
    if gathered.history.uses_lfs && (has_own || matches!(gathered.history.bundle, Bundle::Made { .. })) {
        reasons.push("of files that Git LFS keeps, only the pointers are in patches and bundles".to_owned());
    }
}

fn files(untracked: Option<&Untracked>, reasons: &mut Vec<String>) {
    let Some(untracked) = untracked else {
        reasons.push("its untracked files could not be listed in time".to_owned());
        return;
    };
    if untracked.is_cut {
        reasons.push("there are too many untracked files to list".to_owned());
    }
    let masked: Vec<_> = untracked.files.iter().filter(|file| file.is_masked).collect();
    match masked.as_slice() {
        [] => {}
        [one] => reasons.push(format!("a secret was masked in the untracked file {}", one.path)),
        all => reasons.push(format!("secrets were masked in {} untracked files", all.len())),
    }
    match untracked.left_out.as_slice() {
        [] => {}
        [one] => reasons.push(format!("the untracked file {} was left out: {}", one.path, one.reason)),
        all => reasons.push(format!("{} untracked files were left out, {}", all.len(), names(all))),
    }
}

/// `among them a, b and c`
fn names(files: &[LeftOut]) -> String {
    let named: Vec<_> = files.iter().take(NAMED_MAX).map(|file| file.path.as_str()).collect();
    let (last, others) = named.split_last().map_or(("", &[] as &[&str]), |(last, others)| (*last, others));
    let which = if files.len() > NAMED_MAX { "among them " } else { "" };
    format!("{which}{} and {last}", others.join(", "))
}

fn submodules(gathered: &Gathered, reasons: &mut Vec<String>) {
    for found in &gathered.history.submodules {
        let path = &found.submodule.path;
        if found.submodule.dirty {
            reasons.push(format!("the submodule {path} had changes that were not committed"));
        }
        if found.is_unpushed {
            reasons.push(format!("the commit of the submodule {path} is on no remote"));
        }
    }
}

fn environment(git: &GitFacts, gathered: &Gathered, reasons: &mut Vec<String>) {
    if !gathered.is_python_used {
        return;
    }
    let Some(packages) = &gathered.packages else {
        reasons.push("its Python did not say what is installed".to_owned());
        return;
    };
    for (name, folder) in &packages.folders {
        if git.top.as_ref().is_none_or(|top| !folder.starts_with(top)) {
            let folder = folder.display();
            reasons.push(format!("its package {name} is used from {folder}, outside of the repository"));
        }
    }
}

#[cfg(test)]
mod tests {
    use otrace_wire::details::Submodule;

    use super::*;
    use crate::capture::gathering::History;
    use crate::capture::stored::Measure;
    use crate::capture::submodules::Found;
    use crate::capture::untracked::UntrackedFile;

    fn git() -> GitFacts {
        GitFacts {
            commit: Some("abc".to_owned()),
            remote_url: Some("https://example.com/r.git".to_owned()),
            top: Some("/home/ada/digits".into()),
            ..GitFacts::default()
        }
    }

    fn gathered() -> Gathered {
        Gathered { untracked: Some(Untracked::default()), ..Gathered::default() }
    }

    fn judged(git: &GitFacts, gathered: &Gathered) -> Rebuild {
        judge(Path::new("/home/ada/digits/sub"), Some(git), &Diffs::default(), Some(gathered))
    }

    #[test]
    fn where_nothing_is_missing_it_is_fully() {
        let rebuild = judged(&git(), &gathered());
        assert_eq!((rebuild.how_well, rebuild.reasons), (HowWell::Fully, vec![]));
        assert_eq!(rebuild.directory.as_deref(), Some("sub"));
    }

    #[test]
    fn without_a_repository_or_its_commits_it_is_not() {
        let none = judge(Path::new("/work"), None, &Diffs::default(), Some(&gathered()));
        assert_eq!((none.how_well, none.reasons.len()), (HowWell::No, 1));
        let bundle = Bundle::LeftOut("they are larger than 100 MiB");
        let lost = judged(&git(), &Gathered { history: History { bundle, ..History::default() }, ..gathered() });
        assert_eq!(lost.how_well, HowWell::No);
        assert!(lost.reasons[0].contains("on no remote"), "{:?}", lost.reasons);
    }

    #[test]
    fn each_thing_that_is_missing_is_a_reason() {
        let submodule = Submodule { path: "lib".to_owned(), commit: "def".to_owned(), dirty: true };
        let history = History { submodules: vec![Found { submodule, is_unpushed: true }], ..History::default() };
        let rebuild = judged(&git(), &Gathered { history, is_python_used: true, untracked: None, ..gathered() });
        assert_eq!((rebuild.how_well, rebuild.reasons.len()), (HowWell::Partly, 4));
        assert_eq!(rebuild.submodules.len(), 1);
        let here = GitFacts { remote_url: Some("../r.git".to_owned()), has_conflicts: true, ..git() };
        assert_eq!(judged(&here, &gathered()).reasons.len(), 2);
        let broken_off = judge(Path::new("/home/ada/digits"), Some(&git()), &Diffs::default(), None);
        assert_eq!((broken_off.how_well, broken_off.directory), (HowWell::Partly, None));
    }

    #[test]
    fn what_was_masked_is_a_reason() {
        let file = |path: &str| UntrackedFile {
            path: path.to_owned(),
            is_executable: false,
            copy: Measure::default().of_file(path.into()),
            is_masked: true,
        };
        let masked = |paths: &[&str]| {
            let files = paths.iter().map(|path| file(path)).collect();
            let untracked = Some(Untracked { files, ..Untracked::default() });
            let diffs = Diffs { is_masked: true, ..Diffs::default() };
            judge(Path::new("/work"), Some(&git()), &diffs, Some(&Gathered { untracked, ..gathered() })).reasons
        };
        let diff = "a secret was masked in the diff";
        assert_eq!(masked(&["a"]), [diff, "a secret was masked in the untracked file a"]);
        assert_eq!(masked(&["a", "b"]), [diff, "secrets were masked in 2 untracked files"]);
    }

    #[test]
    fn files_that_were_left_out_are_named_up_to_three() {
        let left_out = |names: &[&str]| {
            let file = |name: &&str| LeftOut { path: (*name).to_owned(), size_bytes: None, reason: "why".to_owned() };
            let left_out = names.iter().map(file).collect();
            let untracked = Some(Untracked { left_out, ..Untracked::default() });
            judged(&git(), &Gathered { untracked, ..gathered() }).reasons.join("; ")
        };
        assert_eq!(left_out(&["a"]), "the untracked file a was left out: why");
        assert_eq!(left_out(&["a", "b"]), "2 untracked files were left out, a and b");
        assert_eq!(left_out(&["a", "b", "c", "d"]), "4 untracked files were left out, among them a, b and c");
    }
}
