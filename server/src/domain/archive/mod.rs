//! A project in one file, to be taken from one server to another.
//!
//! It is a tar with these files in this order: `archive.json` says what it is; `contents/` has each content under its
//! hash; `runs.jsonl` and `series.jsonl` have a run, and some points of a series, on each line; `end.json` says how much
//! there was. Nothing in it is compressed, so that it takes no more to unpack than it takes itself.

pub mod tar;

use std::collections::BTreeMap;

use otrace_wire::series::Number;
use otrace_wire::{ExperimentId, LogStream, Run, Sha256Digest};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

/// How archives are written today. One that is written otherwise is not read.
pub const FORMAT: u32 = 1;

/// What the files are called.
pub const HEADING: &str = "archive.json";
/// The folder of contents.
pub const CONTENTS: &str = "contents/";
/// The runs, the oldest first.
pub const RUNS: &str = "runs.jsonl";
/// Their series.
pub const SERIES: &str = "series.jsonl";
/// How much there was.
pub const END: &str = "end.json";

/// What an archive is of.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Heading {
    /// [`FORMAT`], when it was written.
    pub format: u32,
    /// The moment that it shows.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    /// The version of the server that made it.
    pub server: String,
    /// The project.
    pub project: ArchivedProject,
}

/// A project without its runs.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ArchivedProject {
    /// Its name in URLs.
    pub slug: String,
    /// Its name.
    pub name: String,
    /// What is researched in it.
    pub description: String,
    /// When it was created.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    /// The highest run number that was given out.
    pub last_run_number: i32,
    /// The columns of its list of runs; none: the usual ones.
    #[serde(default)]
    pub list_columns: Vec<String>,
    /// Of results of which it was said, whether lower is better.
    #[serde(default)]
    pub lower_is_better: BTreeMap<String, bool>,
}

/// A run, as clients read it, and what that does not say.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ArchivedRun {
    /// The run. Of a long table it has the first rows.
    pub run: Run,
    /// Who recorded it.
    #[serde(default)]
    pub recorder: Option<String>,
    /// For each of its artifacts the content, where that is stored.
    pub artifacts: Vec<Option<Sha256Digest>>,
    /// For each of its tables all rows, where the first ones are not all.
    pub tables: Vec<Option<Sha256Digest>>,
    /// Logs that had not come to their end.
    #[serde(default)]
    pub growing: Vec<GrowingLog>,
}

/// What there is of a log that has not come to its end.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct GrowingLog {
    /// Which stream it is.
    pub stream: LogStream,
    /// The log file's path; nothing for the two streams.
    #[serde(default)]
    pub path: Option<String>,
    /// What there is of it.
    pub content: Sha256Digest,
}

/// Something of a run's series. All of one run's come together, and all points of one series after one another.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "line", rename_all = "snake_case")]
pub enum SeriesLine {
    /// The next points of a series.
    Points {
        /// The run.
        run: ExperimentId,
        /// The series.
        name: String,
        /// For each the step, the time in seconds since 1970 where it is known, and the value.
        points: Vec<(i64, Option<f64>, Number)>,
    },
    /// What points were read from, and how many of each source's are here. Comes last of its run.
    Sources {
        /// The run.
        run: ExperimentId,
        /// The counts, by source.
        next: BTreeMap<String, i64>,
    },
}

/// How much there was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct End {
    /// How many contents.
    pub contents: u64,
    /// How many bytes in them.
    pub bytes: u64,
    /// How many runs.
    pub runs: u64,
    /// How many points in their series.
    pub points: u64,
}

/// Whether a project may be called so in URLs.
pub fn is_slug(text: &str) -> bool {
    let is_of_one = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=64).contains(&text.len())
        && text.bytes().all(is_of_one)
        && !text.starts_with('-')
        && !text.ends_with('-')
        && !["current", "new"].contains(&text)
}

/// Where in an archive a content is.
pub fn name_of(content: &Sha256Digest) -> String {
    format!("{CONTENTS}{}", content.hex())
}

/// The content that is there.
pub fn content_named(name: &str) -> Option<Sha256Digest> {
    let digest = name.strip_prefix(CONTENTS)?.parse().ok()?;
    (name_of(&digest) == name).then_some(digest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_content_has_one_name_and_no_other() {
        let name = name_of(&Sha256Digest::new([0xab; 32]));
        assert_eq!(content_named(&name), Some(Sha256Digest::new([0xab; 32])));
        for other in
            ["contents/../x".to_owned(), name.to_uppercase(), format!("{name}0"), name.replace("contents/", "")]
        {
            assert_eq!(content_named(&other), None, "{other}");
        }
    }

    #[test]
    fn only_what_the_database_takes_is_a_slug() {
        assert!(is_slug("wake-word-2") && is_slug("x"));
        for other in ["", "-x", "x-", "Wake", "a/b", "..", "current", "new", &"x".repeat(65)] {
            assert!(!is_slug(other), "{other}");
        }
    }
}
