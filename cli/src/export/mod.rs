//! `otrace export`: the workspace as one zip file, to go on with on another machine.
//!
//! Links are kept as links, and left out where they lead out of the tree ([`links`]); nothing is read through one
//! ([`walk`]). The file gets its name when it is complete.

mod archive;
mod excludes;
pub mod links;
mod walk;

use std::collections::HashSet;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use serde_json::json;
use tempfile::NamedTempFile;

use self::archive::{Archive, Listed};
use self::excludes::{DEFAULTS, Excludes};
use self::walk::{Found, LeftOut, Walk};
use crate::capture::git::{self, GitFacts};
use crate::clock;
use crate::error::{Error, Result};
use crate::workspace::Workspace;

/// What the archive says of itself, for programs.
const MANIFEST: &str = "trace-export-manifest.json";
/// The same, for people.
const README: &str = "TRACE_EXPORT_README.txt";
const README_TEXT: &str = include_str!("readme.txt");

/// What is wanted.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// Where the archive goes.
    pub output: Option<String>,
    /// Whether it may take the place of a file.
    pub force: bool,
    /// What is left out besides.
    pub excludes: Vec<String>,
    /// Whether what can be made again is packed too.
    pub no_default_excludes: bool,
}

/// What was made.
#[derive(Debug)]
pub struct Exported {
    /// The archive.
    pub path: PathBuf,
    /// How large it is.
    pub size_bytes: u64,
    /// How many files are in it.
    pub files: usize,
    /// What could not be packed, though nobody wanted to leave it out.
    pub left_out: Vec<LeftOut>,
    /// What else there is to say.
    pub notes: Vec<String>,
}

/// Why there is no archive.
struct Failed {
    /// What was being packed, if it was that.
    path: Option<PathBuf>,
    error: io::Error,
}

impl From<io::Error> for Failed {
    fn from(error: io::Error) -> Self {
        Self { path: None, error }
    }
}

/// Writes the archive.
pub async fn export(workspace: &Workspace, wanted: &Wanted) -> Result<Exported> {
    let target = target(workspace, wanted)?;
    let excludes = Excludes::new(&wanted.excludes, !wanted.no_default_excludes)?;
    let git = git::facts(workspace.root(), None).await;
    let failed = |error: io::Error| Error::file("write", &target, &error);
    let folder = target.parent().unwrap_or(workspace.root());
    let unfinished = tempfile::Builder::new().prefix(".otrace-export-").suffix(".part").tempfile_in(folder);
    let mut unfinished = unfinished.map_err(failed)?;
    let skipped = [unfinished.path(), target.as_path()].into_iter().filter_map(identity).collect();
    let packed = pack(workspace, wanted, git.as_ref(), excludes, skipped, unfinished.as_file_mut());
    let (listed, left_out) = packed.map_err(|Failed { path, error }| match path {
        Some(path) => Error::file("pack", &path, &error),
        None => failed(error),
    })?;
    let size_bytes = unfinished.as_file().metadata().map_err(failed)?.len();
    keep(unfinished, &target, wanted.force)?;
    let notes = notes(workspace, &listed);
    // What somebody wanted to leave out is in the manifest; the rest is news.
    let left_out = left_out.into_iter().filter(|left_out| left_out.reason != walk::UNWANTED).collect();
    let files = listed.iter().filter(|listed| listed.link_to.is_none()).count();
    Ok(Exported { path: target, size_bytes, files, left_out, notes })
}

/// Where the archive goes, if it may.
fn target(workspace: &Workspace, wanted: &Wanted) -> Result<PathBuf> {
    let usual = format!("{}-trace-snapshot.zip", workspace.name().trim_matches('/'));
    let target = workspace.root().join(wanted.output.as_deref().unwrap_or(&usual));
    let shown = target.display();
    match target.symlink_metadata() {
        Ok(found) if found.is_dir() => {
            Err(Error::new(format!("{shown} is a directory")).with_hint("Name a file with --output."))
        }
        Ok(_) if !wanted.force => Err(Error::new(format!("{shown} is there already"))
            .with_hint("Choose another name with --output, or overwrite it with --force.")),
        _ if target.file_name().is_none() => {
            Err(Error::new(format!("{shown} is no file's name")).with_hint("Name a file with --output."))
        }
        _ => Ok(target),
    }
}

fn pack(
    workspace: &Workspace,
    wanted: &Wanted,
    git: Option<&GitFacts>,
    excludes: Excludes,
    skipped: HashSet<(u64, u64)>,
    file: &mut File,
) -> Result<(Vec<Listed>, Vec<LeftOut>), Failed> {
    let (mut archive, mut listed, mut nameless) = (Archive::begin(file), Vec::new(), Vec::new());
    let walked = Walk::through(workspace.root(), excludes, skipped)?.each(|path, found| {
        // Of an archive that was unpacked here.
        if path == Path::new(MANIFEST) || path == Path::new(README) {
            return Ok::<(), Failed>(());
        }
        let at = |error: io::Error| Failed { path: Some(path.to_path_buf()), error };
        match found {
            Found::Folder(about) => archive.add_folder(path, &about).map_err(at)?,
            Found::File(file, about) => listed.push(archive.add_file(path, file, &about).map_err(at)?),
            Found::Link(target) => match archive.add_link(path, &target).map_err(at)? {
                Some(link) => listed.push(link),
                None => nameless.push(path.to_path_buf()),
            },
        }
        Ok(())
    });
    let mut left_out = walked?;
    left_out.extend(nameless.iter().map(|path| LeftOut {
        path: path.to_string_lossy().into_owned(),
        reason: "it is a link whose name or target is not UTF-8".to_owned(),
    }));
    let manifest = manifest(workspace, wanted, git, &listed, &left_out);
    archive.add_text(MANIFEST, &manifest)?;
    archive.add_text(README, README_TEXT)?;
    archive.finish()?;
    Ok((listed, left_out))
}

fn manifest(
    workspace: &Workspace,
    wanted: &Wanted,
    git: Option<&GitFacts>,
    listed: &[Listed],
    left_out: &[LeftOut],
) -> String {
    let defaults: &[&str] = if wanted.no_default_excludes { &[] } else { &DEFAULTS };
    let manifest = json!({
        "version": 1,
        "format": "zip",
        "created_at": clock::now(),
        "created_by": concat!("otrace ", env!("CARGO_PKG_VERSION")),
        "project_name": workspace.name(),
        "working_directory": workspace.path_text(),
        "active_experiment": workspace.active_experiment(),
        "git": git.map(|git| json!({
            "commit": git.commit,
            "branch": git.branch,
            "remote_url": git.remote_url,
            "dirty": git.dirty,
        })),
        "default_excludes": defaults,
        "excludes": wanted.excludes,
        "file_count": listed.len(),
        "files": listed,
        "left_out": left_out,
    });
    format!("{manifest:#}\n")
}

/// Gives the finished archive its name.
fn keep(unfinished: NamedTempFile, target: &Path, force: bool) -> Result<()> {
    let failed = |error: io::Error| Error::file("write", target, &error);
    unfinished.as_file().sync_all().map_err(failed)?;
    let kept = if force { unfinished.persist(target) } else { unfinished.persist_noclobber(target) };
    kept.map_err(|error| failed(error.error))?;
    Ok(())
}

fn notes(workspace: &Workspace, listed: &[Listed]) -> Vec<String> {
    let mut notes = Vec::new();
    let git = workspace.root().join(".git");
    if git.symlink_metadata().is_ok_and(|found| !found.is_dir()) {
        notes.push("this is a worktree: the repository itself lies elsewhere and is not in the archive".to_owned());
    } else if !git.exists() && workspace.root().ancestors().skip(1).any(|above| above.join(".git").exists()) {
        notes.push("the repository begins above this directory, and is not in the archive".to_owned());
    }
    if listed.iter().any(|listed| listed.path == ".env") {
        notes.push("the archive holds .env and what is secret in it; keep it to yourself".to_owned());
    }
    notes
}

fn identity(path: &Path) -> Option<(u64, u64)> {
    let found = fs::symlink_metadata(path).ok()?;
    Some((found.dev(), found.ino()))
}
