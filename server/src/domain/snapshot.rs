//! The state that a command ran on.

use otrace_wire::Sha256Digest;
use otrace_wire::details::{Hardware, Rebuild};
use serde_json::Value;

/// The state that a command ran on.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// The commit that was checked out; `None` outside a git repository or before its first commit.
    pub git_commit: Option<String>,
    /// The branch that was checked out.
    pub git_branch: Option<String>,
    /// `remote.origin.url`.
    pub git_remote_url: Option<String>,
    /// Whether anything was changed and not committed; `None` where the client did not say.
    pub git_dirty: Option<bool>,
    /// Where the client keeps the diff of what was not staged.
    pub dirty_diff_path: Option<String>,
    /// Where it keeps the diff of what was staged.
    pub staged_diff_path: Option<String>,
    /// The dependency files that were there.
    pub dependency_files: Vec<String>,
    /// Where the client keeps its copies of them.
    pub dependency_file_copies: Vec<String>,
    /// The version of the Python that `python3` is.
    pub python_version: Option<String>,
    /// The machine, such as `Linux-6.8-x86_64`.
    pub platform: Option<String>,
    /// The machine's name.
    pub hostname: Option<String>,
    /// `sha256:…` of `requirements.txt`.
    pub requirements_hash: Option<String>,
    /// Where the client keeps what the command printed.
    pub stdout_log_path: Option<String>,
    /// Where it keeps what the command printed as errors.
    pub stderr_log_path: Option<String>,
    /// The files that were there at the end, as the client told it.
    pub observed_artifacts: Vec<Value>,
    /// The paths that were declared and not there: `[{path, type}]`.
    pub missing_expected_paths: Vec<Value>,
    /// The beginnings of its outputs: `[{source_path, type, snippet}]`.
    pub evidence: Vec<Value>,
    /// The diffs, bundles and other files themselves.
    pub files: Vec<SnapshotFile>,
    /// How well this state can be got back; `None` where the client did not say.
    pub rebuild: Option<Rebuild>,
    /// The machine's processors, memory and graphics cards; `None` where the client did not say.
    pub hardware: Option<Hardware>,
}

/// A file that belongs to the state that a command ran on. Its content is a blob.
#[derive(Clone, Debug)]
pub struct SnapshotFile {
    /// Its place among the snapshot's files, from 0; names it within the run.
    pub position: i32,
    /// What it is.
    pub kind: SnapshotFileKind,
    /// Its path in the workspace; of an untracked file, from the repository's top.
    pub path: String,
    /// Its size in bytes.
    pub size_bytes: i64,
    /// The hash of its content in the store.
    pub sha256: Sha256Digest,
}

/// What a file of a snapshot is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SnapshotFileKind {
    /// What was changed and not staged.
    DirtyDiff,
    /// What was staged and not committed.
    StagedDiff,
    /// The commits that were on no remote, as a bundle that `git fetch` takes.
    GitBundle,
    /// A file that git did not know, and was not told to ignore.
    Untracked,
    /// A dependency file, such as `requirements.txt`.
    Dependency,
    /// What was installed for the interpreter, a package a line.
    Packages,
}

impl SnapshotFileKind {
    /// The kind as it is written in JSON and in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::DirtyDiff => "dirty_diff",
            Self::StagedDiff => "staged_diff",
            Self::GitBundle => "git_bundle",
            Self::Untracked => "untracked",
            Self::Dependency => "dependency",
            Self::Packages => "packages",
        }
    }
}

/// The text is no kind of snapshot file.
#[derive(Debug, thiserror::Error)]
#[error(
    "snapshot file kind must be one of dirty_diff, staged_diff, git_bundle, untracked, dependency, packages, not {0}"
)]
pub struct UnknownKind(String);

impl std::str::FromStr for SnapshotFileKind {
    type Err = UnknownKind;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "dirty_diff" => Ok(Self::DirtyDiff),
            "staged_diff" => Ok(Self::StagedDiff),
            "git_bundle" => Ok(Self::GitBundle),
            "untracked" => Ok(Self::Untracked),
            "dependency" => Ok(Self::Dependency),
            "packages" => Ok(Self::Packages),
            _ => Err(UnknownKind(text.to_owned())),
        }
    }
}
