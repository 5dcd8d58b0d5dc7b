//! The commits that are on no remote, as a bundle that `git clone` and `git fetch` take.
//!
//! `git bundle` bundles refs, which may move while the command runs. So the file is put together
//! here, of a header and the pack that git makes: it always holds the commit that was checked out at
//! the beginning. All of it are blocking calls, on a thread of its own.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use otrace_wire::Sha256Digest;
use sha2::{Digest as _, Sha256};
use tempfile::NamedTempFile;

use crate::capture::git;
use crate::capture::stored::{self, Measure, StoredFile};
use crate::private_files;

/// What is larger is left out.
const BUNDLE_MAX: u64 = 100 * 1024 * 1024;
/// A history that touches the remotes' in more places than this is nobody's.
const BOUNDARY_MAX: usize = 10_000;
const BUFFER: usize = 64 * 1024;

/// What became of the commits that are on no remote.
#[derive(Clone, Debug, Default)]
pub enum Bundle {
    /// There are none.
    #[default]
    NotNeeded,
    /// They are in this file; it may stand on commits that a remote has.
    Made {
        /// The bundle.
        file: StoredFile,
        /// Whether it needs nothing else.
        is_whole: bool,
        /// Whether no earlier run has made it.
        is_new: bool,
    },
    /// They are not kept; a clause says why.
    LeftOut(&'static str),
}

/// The commits that lead up to the one that was checked out.
struct Unpushed {
    count: u64,
    /// The commits on remotes that they stand on.
    boundary: Vec<String>,
}

/// Bundles what the remotes lack of `commit`'s history, into a file below `folder`. A bundle that an
/// earlier run has made is used again.
pub fn make(root: &Path, commit: &str, branch: Option<&str>, folder: &Path) -> Bundle {
    if !is_commit(commit) {
        return Bundle::LeftOut("git named a commit that is none");
    }
    let Some(unpushed) = unpushed(root, commit) else {
        return Bundle::LeftOut("git could not list them");
    };
    if unpushed.count == 0 {
        return Bundle::NotNeeded;
    }
    if unpushed.boundary.len() > BOUNDARY_MAX {
        return Bundle::LeftOut("they are larger than 100 MiB");
    }
    let header = header(commit, branch, &unpushed.boundary);
    let path = place(folder, commit, &header);
    let is_whole = unpushed.boundary.is_empty();
    // Before anything else is asked: most runs are on the commit of the one before.
    if let Ok(file) = stored::measure(path.clone()) {
        return Bundle::Made { file, is_whole, is_new: false };
    }
    if is_whole && is_shallow(root) {
        return Bundle::LeftOut("the repository is a shallow clone");
    }
    if size_on_disk(root, commit).is_some_and(|size| size > BUNDLE_MAX) {
        return Bundle::LeftOut("they are larger than 100 MiB");
    }
    match write(root, commit, &unpushed.boundary, &header, &path) {
        Ok(Some(file)) => Bundle::Made { file, is_whole, is_new: true },
        Ok(None) => Bundle::LeftOut("they are larger than 100 MiB"),
        Err(_) => Bundle::LeftOut("git could not pack them"),
    }
}

/// Whether this is a commit's full name, and no option.
fn is_commit(commit: &str) -> bool {
    matches!(commit.len(), 40 | 64) && commit.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn unpushed(root: &Path, commit: &str) -> Option<Unpushed> {
    let mut child = on_no_remote(root, &["--boundary"], commit).spawn().ok()?;
    let mut unpushed = Unpushed { count: 0, boundary: Vec::new() };
    for line in BufReader::new(child.stdout.take()?).lines() {
        let Ok(line) = line else { break };
        match line.strip_prefix('-') {
            Some(commit) if unpushed.boundary.len() <= BOUNDARY_MAX => unpushed.boundary.push(commit.to_owned()),
            Some(_) => {}
            None => unpushed.count += 1,
        }
    }
    child.wait().ok()?.success().then_some(unpushed)
}

fn is_shallow(root: &Path) -> bool {
    let answer = git::in_background(root).args(["rev-parse", "--is-shallow-repository"]).output();
    answer.is_ok_and(|answer| answer.stdout.starts_with(b"true"))
}

/// About how large the bundle will be; nothing where git is too old to say.
fn size_on_disk(root: &Path, commit: &str) -> Option<u64> {
    let answer = on_no_remote(root, &["--disk-usage", "--objects"], commit).output().ok()?;
    String::from_utf8(answer.stdout).ok()?.trim().parse().ok()
}

fn on_no_remote(root: &Path, options: &[&str], commit: &str) -> Command {
    let mut command = git::in_background(root);
    command.arg("rev-list").args(options).args(["--not", "--remotes", "--not", "--end-of-options", commit]);
    command
}

/// The bundle's own name for what is in it: the same commits on the same base are the same file.
fn place(folder: &Path, commit: &str, header: &str) -> PathBuf {
    let base = Sha256Digest::new(Sha256::digest(header.as_bytes()).into()).hex();
    let short = |text: &str| text.chars().take(12).collect::<String>();
    folder.join(format!("{}-{}.bundle", short(commit), short(&base)))
}

/// What `gitformat-bundle` asks for in front of the pack.
fn header(commit: &str, branch: Option<&str>, boundary: &[String]) -> String {
    // 64 digits are SHA-256, which only the third version can say.
    let version = if commit.len() == 64 { "# v3 git bundle\n@object-format=sha256\n" } else { "# v2 git bundle\n" };
    let boundary = boundary.iter().map(|commit| format!("-{commit} \n"));
    let branch = branch.filter(|branch| !branch.contains(['\n', '\r', ' ']));
    let branch = branch.map(|branch| format!("{commit} refs/heads/{branch}\n"));
    let head = format!("{commit} HEAD\n");
    let lines = boundary.chain([head]).chain(branch).chain(["\n".to_owned()]);
    format!("{version}{}", lines.collect::<String>())
}

/// `None`: it became too large.
fn write(root: &Path, commit: &str, boundary: &[String], header: &str, path: &Path) -> io::Result<Option<StoredFile>> {
    let folder = path.parent().unwrap_or(root);
    private_files::folder(folder).map_err(|error| io::Error::other(error.to_string()))?;
    let mut file = NamedTempFile::new_in(folder)?;
    let mut measure = Measure::default();
    measure.add(header.as_bytes());
    file.write_all(header.as_bytes())?;
    let mut child = Ending(packing(root).spawn()?);
    ask(&mut child.0, commit, boundary)?;
    let mut pack = child.0.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?.take(BUNDLE_MAX + 1);
    let packed = pass(&mut pack, file.as_file_mut(), &mut measure)?;
    if packed > BUNDLE_MAX {
        return Ok(None);
    }
    if packed == 0 || !child.0.wait()?.success() {
        return Err(io::Error::other("git pack-objects failed"));
    }
    file.as_file().sync_data()?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(Some(measure.of_file(path.to_path_buf())))
}

fn packing(root: &Path) -> Command {
    let mut command = git::in_background(root);
    // One thread: the others are the command's.
    command.args(["-c", "pack.threads=1"]);
    command.args(["pack-objects", "--stdout", "--revs", "--thin", "--delta-base-offset", "--quiet"]);
    command.stdin(Stdio::piped());
    command
}

/// Says what to pack. Git reads all of it before it writes.
fn ask(child: &mut Child, commit: &str, boundary: &[String]) -> io::Result<()> {
    let mut question = child.stdin.take().ok_or(io::ErrorKind::BrokenPipe)?;
    writeln!(question, "{commit}")?;
    boundary.iter().try_for_each(|commit| writeln!(question, "^{commit}"))
}

fn pass(from: &mut impl Read, to: &mut File, measure: &mut Measure) -> io::Result<u64> {
    let mut buffer = vec![0; BUFFER];
    let mut passed = 0;
    loop {
        match from.read(&mut buffer) {
            Ok(0) => return Ok(passed),
            Ok(length) => {
                to.write_all(&buffer[..length])?;
                measure.add(&buffer[..length]);
                passed += length as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// A process that does not outlive the interest in it.
pub(super) struct Ending(pub(super) Child);

impl Drop for Ending {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMMIT: &str = "6e23037f689865c4625148ec3199ac55ff657fd4";

    #[test]
    fn an_option_is_no_commit() {
        assert!(is_commit(COMMIT));
        assert!(!is_commit("--upload-pack=touch spied") && !is_commit("HEAD") && !is_commit(""));
        assert!(matches!(make(Path::new("/"), "--all", None, Path::new("/nowhere")), Bundle::LeftOut(_)));
    }

    #[test]
    fn the_header_names_what_it_stands_on_and_what_it_holds() {
        let base = "98e6f5a903348556c11542b99e11d26a34df9a7a";
        assert_eq!(
            header(COMMIT, Some("main"), &[base.to_owned()]),
            format!("# v2 git bundle\n-{base} \n{COMMIT} HEAD\n{COMMIT} refs/heads/main\n\n")
        );
        assert!(header(&"a".repeat(64), None, &[]).starts_with("# v3 git bundle\n@object-format=sha256\n"));
        assert_eq!(header(COMMIT, Some("a\nb"), &[]).lines().count(), 3);
    }
}
