//! Globs, directories, links and what is left out, in a workspace of its own.

use std::os::unix::fs::symlink;

use super::*;

fn workspace(files: &[&str]) -> (tempfile::TempDir, Workspace) {
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path().canonicalize().expect("a path");
    for file in files {
        let path = root.join(file);
        fs::create_dir_all(path.parent().expect("a parent")).expect("made");
        fs::write(path, file).expect("written");
    }
    let workspace = Workspace::at(&root);
    (folder, workspace)
}

fn found(workspace: &Workspace, patterns: &[&str]) -> (Vec<String>, Vec<String>) {
    let patterns: Vec<_> = patterns.iter().map(|pattern| (*pattern).to_owned()).collect();
    let found = expand(workspace, Declared::Artifact, &patterns);
    let files = found.files.iter().map(|(path, _)| workspace.relative(path)).collect();
    let missing = found.missing.iter().map(|m| m["path"].as_str().unwrap_or("").to_owned());
    (files, missing.collect())
}

#[test]
fn globs_find_files_in_order_and_each_once() {
    let (_folder, workspace) = workspace(&["out/b.json", "out/a.json", "out/c.txt", "out/.h.json"]);
    let (files, missing) = found(&workspace, &["out/*.json", "out/a.json", "nothing/*.csv"]);
    assert_eq!(files, ["out/a.json", "out/b.json"]);
    assert_eq!(missing, ["nothing/*.csv"]);
}

#[test]
fn a_directory_stands_for_the_files_in_it() {
    let (_folder, workspace) = workspace(&["out/deep/a.bin", "out/b.bin", "out/__pycache__/x"]);
    fs::write(workspace.root().join(".traceignore"), "__pycache__/\n").expect("written");
    fs::create_dir(workspace.root().join("empty")).expect("made");
    let (files, missing) = found(&workspace, &["out", "empty"]);
    assert_eq!(files, ["out/b.bin", "out/deep/a.bin"]);
    assert_eq!(missing, ["empty"]);
}

#[test]
fn a_link_out_of_the_workspace_is_not_followed() {
    let (_folder, workspace) = workspace(&["out/real.txt"]);
    let outside = tempfile::NamedTempFile::new().expect("a file");
    symlink(outside.path(), workspace.root().join("out/secret.txt")).expect("linked");
    symlink("real.txt", workspace.root().join("out/alias.txt")).expect("linked");
    let (files, _) = found(&workspace, &["out/*.txt"]);
    assert_eq!(files, ["out/alias.txt", "out/real.txt"]);
    let (files, missing) = found(&workspace, &["out/secret.txt"]);
    assert!(files.is_empty());
    assert_eq!(missing, ["out/secret.txt"]);
}

#[test]
fn a_path_outside_can_be_declared_by_name() {
    let (_folder, workspace) = workspace(&[]);
    let outside = tempfile::NamedTempFile::new().expect("a file");
    let path = outside.path().to_str().expect("text");
    let (files, missing) = found(&workspace, &[path]);
    assert_eq!((files.len(), missing.len()), (1, 0));
}

#[test]
fn a_link_out_of_a_directory_elsewhere_is_not_followed() {
    let (_folder, workspace) = workspace(&[]);
    let (elsewhere, secret) = (tempfile::tempdir().expect("a folder"), tempfile::NamedTempFile::new().expect("a file"));
    fs::create_dir(elsewhere.path().join("deep")).expect("made");
    fs::write(elsewhere.path().join("real.txt"), "real").expect("written");
    symlink("../real.txt", elsewhere.path().join("deep/alias.txt")).expect("linked");
    symlink(secret.path(), elsewhere.path().join("deep/secret.txt")).expect("linked");
    let (files, _) = found(&workspace, &[elsewhere.path().to_str().expect("text")]);
    let names: Vec<_> = files.iter().filter_map(|file| Path::new(file).file_name()).collect();
    assert_eq!(names, ["alias.txt", "real.txt"]);
}

#[test]
fn a_name_with_brackets_is_a_name_first() {
    let (_folder, workspace) = workspace(&["loss[1].csv"]);
    assert_eq!(found(&workspace, &["loss[1].csv"]).0, ["loss[1].csv"]);
    assert_eq!(found(&workspace, &["a["]).1, ["a["]);
}
