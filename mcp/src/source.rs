//! Where the tools get what they tell: a project, as the machine or the server that offers them reaches it.

use std::fmt;

use otrace_history::compare::Comparison;
use otrace_wire::{LogStream, Run, Sha256Digest};
use serde::Serialize;

use crate::difference;

/// What everything returns that an agent may be refused.
pub type Result<T, E = Refusal> = std::result::Result<T, E>;

/// Why a tool did not do what it was asked for: one sentence that says what to do. Agents read it as the tool's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal(String);

impl Refusal {
    /// A refusal in words that an agent can act on.
    pub fn new(sentence: impl Into<String>) -> Self {
        Self(sentence.into())
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Refusal {}

/// Which runs to list, and how; as in `GET /v1/runs`.
#[derive(Clone, Debug, Default)]
pub struct RunsQuery {
    /// Such as `status:failed metrics.accuracy > 0.9`.
    pub query: Option<String>,
    /// Only runs with this status.
    pub status: Option<String>,
    /// Only runs with all of these tags.
    pub tags: Vec<String>,
    /// What they are ordered by, such as `-created` or `metrics.accuracy`.
    pub sort: Option<String>,
    /// So many at most, from 1 to 200.
    pub limit: u32,
    /// Where the page before has ended.
    pub cursor: Option<String>,
}

/// Some of a project's runs.
#[derive(Clone, Debug)]
pub struct RunsPage {
    /// They, in the order that was asked for, with their results, snapshots and notes.
    pub runs: Vec<Run>,
    /// Where the next page begins, if there is one.
    pub next_cursor: Option<String>,
}

/// One of a run's logs.
#[derive(Clone, Debug)]
pub struct LogOf {
    /// Which stream it is.
    pub stream: LogStream,
    /// Which file, where it is one.
    pub path: Option<String>,
}

/// One of a run's files, and what is wanted of it.
#[derive(Clone, Copy, Debug)]
pub struct FileOf<'a> {
    /// What the run calls it.
    pub path: &'a str,
    /// The byte to begin with, where no file is written.
    pub from: u64,
    /// Which file of the agent's machine to write it to, if the agent says so; only where files are written.
    pub output: Option<&'a str>,
}

/// What came of a download.
#[derive(Clone, Debug)]
pub enum Download {
    /// The files are on this machine.
    Saved(Vec<SavedFile>),
    /// Some of the bytes of one file.
    Piece {
        /// They.
        bytes: Vec<u8>,
        /// How many the file has in all.
        size_bytes: u64,
        /// Where the whole file can be fetched for some minutes, without a key.
        url: String,
    },
}

/// A file that was downloaded.
#[derive(Clone, Debug, Serialize)]
pub struct SavedFile {
    /// What the run calls it.
    pub artifact: String,
    /// Where it is, relative to the workspace.
    pub path: String,
    /// Its size in bytes.
    pub size_bytes: u64,
}

/// One project, to be read, and to be written to where that is allowed.
pub trait Source: Sized + Send + Sync + 'static {
    /// Whether [`Source::download`] writes files on the agent's machine, rather than giving their bytes.
    const SAVES_FILES: bool;

    /// Why nothing may be written, in one sentence that says what to do; nothing, where it may.
    fn why_read_only(&self) -> Option<&'static str>;

    /// What the project is called.
    fn project(&self) -> impl Future<Output = Result<String>> + Send;

    /// A page of its runs.
    fn runs(&self, query: &RunsQuery) -> impl Future<Output = Result<RunsPage>> + Send;

    /// One run with all that it left behind, by `exp042` or its UUID. The texts of its files may be missing.
    fn run(&self, name: &str) -> impl Future<Output = Result<Run>> + Send;

    /// The same by a file that is kept with it: the artifact's id.
    fn run_of(&self, artifact: &str) -> impl Future<Output = Result<Run>> + Send;

    /// The text of a content; `None`: it is not there, too long, or no text.
    fn text(&self, sha256: &Sha256Digest) -> impl Future<Output = Result<Option<String>>> + Send;

    /// What differs between two runs. It takes a processor for a while: whoever serves others meanwhile does it aside.
    fn compare(&self, before: Run, after: Run) -> impl Future<Output = Result<Comparison>> + Send {
        async move { Ok(difference::compare(self, &before, &after).await) }
    }

    /// What a run printed from some byte on: as much as one answer holds, and nothing at its end.
    fn log(&self, run: &Run, log: &LogOf, from: u64) -> impl Future<Output = Result<Vec<u8>>> + Send;

    /// A file that is kept with a run; some bytes of it, where no file is written.
    fn download(&self, run: &Run, file: FileOf<'_>) -> impl Future<Output = Result<Download>> + Send;

    /// Writes a note on a run, once.
    fn add_note(&self, run: &str, text: &str) -> impl Future<Output = Result<()>> + Send;
}
