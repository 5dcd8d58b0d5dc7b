//! Series, read from what the command writes while it runs: no library is needed in it.
//!
//! Three kinds of files are followed as they grow ([`tail`]): the file that `TRACE_METRICS` names, the declared
//! CSV, TSV and JSON lines ([`rows`]), and declared logs, of which a line counts that names its step ([`words`]).
//! [`finder`] tells which files there are, and [`starts`] where in them the run begins. What can't be read is
//! passed over: following files can't spoil a run, and holds less than 1 MiB at any time.
//!
//! The points of a file are counted as they stand in it. Whoever reads it anew, after a break or when the run is
//! sent later, gives them the same numbers.

mod finder;
mod rows;
mod sink;
mod starts;
mod tail;
mod words;

use std::path::Path;
use std::time::{Duration, Instant};

use otrace_wire::series::SeriesBatch;

use crate::series::finder::Finder;
use crate::series::rows::Kind;
use crate::series::sink::Sink;
use crate::series::starts::Starts;
pub use crate::series::starts::is_latest_run;
use crate::series::tail::Tail;

/// The source of the points in the file that `TRACE_METRICS` names.
const METRICS_SOURCE: &str = "metrics";
/// So much of all files together is read in one turn, so that a turn is short.
const TURN_BYTES: usize = 8 * 1024 * 1024;
/// When the command has ended there is no other turn to wait for, but somebody.
const LAST_TURN: Duration = Duration::from_secs(1);

/// Follows the files of one run.
#[derive(Debug)]
pub struct Tailers {
    finder: Finder,
    starts: Starts,
    tails: Vec<Tail>,
    sink: Sink,
    /// Which file is read first in the next turn.
    first: usize,
}

impl Tailers {
    /// Follows the declared paths and globs of a run, which count from the workspace's root, and its metrics file.
    ///
    /// What declared files hold when this is called for the first time, before the command starts, is an earlier
    /// run's. That is written down beside the metrics file, for those who begin later.
    pub fn new(root: &Path, declared: &[String], metrics_file: &Path) -> Self {
        let metrics = Tail::new(metrics_file.to_path_buf(), METRICS_SOURCE.to_owned(), Kind::JsonLines, None);
        let mut finder = Finder::new(root, declared);
        let found = finder.look();
        let starts = Starts::of_run(metrics_file, found.iter().map(|found| found.path.as_path()));
        let mut tailers = Self { finder, starts, tails: vec![metrics], sink: Sink::default(), first: 0 };
        tailers.follow(found);
        tailers
    }

    /// What is new since the last time, at most as much as one request takes.
    pub fn poll(&mut self) -> Vec<SeriesBatch> {
        self.turn(false, |left| left > 0)
    }

    /// What is new when the command has ended: then a last line is whole also without its line break. To be called
    /// until there is nothing new.
    pub fn end(&mut self) -> Vec<SeriesBatch> {
        let begun = Instant::now();
        self.turn(true, |_| begun.elapsed() < LAST_TURN)
    }

    fn follow(&mut self, found: Vec<finder::Found>) {
        for finder::Found { path, source, kind, prefix } in found {
            let start = self.starts.of(&path);
            let mut tail = Tail::new(path, source, kind, prefix);
            if let Some(start) = start {
                tail.begin_at(start);
            }
            self.tails.push(tail);
        }
    }

    /// Reads each file as far as there is room, a different one first each time. `goes_on` is told how many bytes of
    /// the turn are left.
    fn turn(&mut self, is_end: bool, goes_on: impl Fn(usize) -> bool) -> Vec<SeriesBatch> {
        let found = self.finder.look();
        self.follow(found);
        let mut batches = Vec::new();
        let mut left = TURN_BYTES;
        self.sink.begin();
        let count = self.tails.len();
        for place in 0..count {
            let tail = &mut self.tails[(self.first + place) % count];
            while !self.sink.is_full() && goes_on(left) {
                let read = tail.step(&mut self.sink, is_end);
                if read == 0 {
                    break;
                }
                left = left.saturating_sub(read);
            }
            batches.extend(tail.batch(self.sink.take()));
        }
        self.first = (self.first + 1) % count.max(1);
        batches
    }
}

#[cfg(test)]
mod tests;
