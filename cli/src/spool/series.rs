//! Points of series on their way from the files that they are read from to the server.
//!
//! They are written into the spool before they are sent, a batch a line, and read from there: so a run
//! that goes on without its server needs no more memory, and nothing is read differently a second time.
//! The server passes over what it has, so that all of it may be sent again.

mod known;

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use nix::libc::O_NOFOLLOW;
use otrace_wire::series::{AddSeries, POINTS_MAX, Point, SeriesAdded, SeriesBatch};
use uuid::Uuid;

use crate::client::Client;
use crate::error::{Error, Result};
use crate::printer;
use crate::series::{Tailers, is_latest_run};
use crate::workspace::Workspace;
use known::Known;

/// The source of the points that are measured of the machine.
const SYSTEM_SOURCE: &str = "system";
/// How often all is sent again because the server has lost some of it.
const RESTARTS_MAX: u32 = 3;
/// How long the files are read when the command has ended. What it left behind may write to them for ever.
const LAST_LOOKS: Duration = Duration::from_secs(4);
/// The same where all of them are read anew, or sent from where they are.
const LONG_LOOKS: Duration = Duration::from_mins(1);
/// More requests than what was kept of a run's series needs.
pub const REQUESTS_MAX: usize = 100_000;

/// Reads points from the files that they are written to, and keeps them, beside those of the machine.
pub struct Collector {
    tailers: Tailers,
    /// Where they are kept.
    path: PathBuf,
    /// What the disk did not take. Nothing more is read until it does.
    unwritten: Vec<SeriesBatch>,
    /// How many points of the machine are kept.
    measured: u64,
    /// What was kept by somebody else, and is not kept again.
    known: Known,
}

/// Sends what was kept. Its clones go on from where it has come to.
#[derive(Clone, Debug)]
pub struct Sender {
    path: PathBuf,
    /// Up to which byte of the file the server has it.
    confirmed: Arc<AtomicU64>,
    restarts: u32,
}

impl Collector {
    /// Begins to follow the declared paths of a run, and what its command writes for us.
    pub fn new(workspace: &Workspace, name: &str, declared: &[String], path: PathBuf) -> Self {
        let tailers = Tailers::new(workspace.root(), declared, &workspace.metrics_file(name));
        Self { tailers, path, unwritten: Vec::new(), measured: 0, known: Known::default() }
    }

    /// Keeps what is new.
    pub fn look(&mut self) {
        if self.unwritten.is_empty() {
            self.unwritten = self.tailers.poll();
        }
        if append(&self.path, &self.unwritten).is_ok() {
            self.unwritten.clear();
        }
    }

    /// Keeps what was measured of the machine. Where the disk does not take it, the next measurement is as good.
    pub fn add(&mut self, points: Vec<Point>) {
        if points.is_empty() {
            return;
        }
        let count = points.len() as u64;
        let batch = SeriesBatch { source: SYSTEM_SOURCE.to_owned(), first: self.measured, points };
        if append(&self.path, &[batch]).is_ok() {
            self.measured += count;
        }
    }

    /// Keeps the rest, now that the command has ended. Gives why it is cut short, if it is.
    pub fn finish(&mut self) -> Option<String> {
        self.finish_within(LAST_LOOKS)
    }

    fn finish_within(&mut self, patience: Duration) -> Option<String> {
        let begun = Instant::now();
        while begun.elapsed() < patience {
            if self.unwritten.is_empty() {
                let found = self.tailers.end();
                if found.is_empty() {
                    return None;
                }
                self.unwritten = self.known.without(found);
            }
            if let Err(error) = append(&self.path, &self.unwritten) {
                printer::warning(Error::file("write", &self.path, &error));
                return Some(error.to_string());
            }
            self.unwritten.clear();
        }
        None
    }

    /// What there was no room for, as much as one request takes: first what was read already. Nothing, when all of the
    /// files is read.
    fn rest(&mut self) -> Vec<SeriesBatch> {
        if self.unwritten.is_empty() { self.tailers.end() } else { std::mem::take(&mut self.unwritten) }
    }
}

/// Keeps what a command measured whose `otrace` did not come to it: what it wrote for us, and what stands in the
/// declared files, unless they may be a later run's by now. Gives why it is cut short, if it is.
pub fn rescue(workspace: &Workspace, name: &str, declared: &[String], path: PathBuf) -> Option<String> {
    let declared: &[String] = if is_latest_run(&workspace.metrics_file(name)) { declared } else { &[] };
    let known = Known::of(&path);
    let collector = Collector::new(workspace, name, declared, path);
    Collector { known, ..collector }.finish_within(LONG_LOOKS)
}

fn append(path: &Path, batches: &[SeriesBatch]) -> io::Result<()> {
    if batches.is_empty() {
        return Ok(());
    }
    let mut options = OpenOptions::new();
    let mut file = options.append(true).create(true).mode(0o600).custom_flags(O_NOFOLLOW).open(path)?;
    let before = file.metadata()?.len();
    // A line that was cut short by the end of its writer is ended.
    let mut lines = vec![b'\n'];
    for batch in batches {
        serde_json::to_writer(&mut lines, batch)?;
        lines.push(b'\n');
    }
    // All of it or nothing: it is tried again.
    file.write_all(&lines).inspect_err(|_| drop(file.set_len(before)))
}

impl Sender {
    /// One that has sent nothing yet.
    pub fn new(path: PathBuf) -> Self {
        Self { path, confirmed: Arc::default(), restarts: 0 }
    }

    /// Sends what there is, in so many requests at most. A server that takes no series is no failure.
    pub async fn send(&mut self, client: &Client, run: Uuid, requests: usize) -> Result<()> {
        for _ in 0..requests {
            let (path, from) = (self.path.clone(), self.confirmed.load(Ordering::Relaxed));
            // Files are read beside the network's thread.
            let read = tokio::task::spawn_blocking(move || read(&path, from)).await;
            let (batches, to) = match read {
                Ok(Ok(read)) => read,
                Ok(Err(error)) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
                Ok(Err(error)) => return Err(Error::file("read", &self.path, &error)),
                Err(error) => return Err(Error::new(format!("a mistake in otrace ended it ({error})"))),
            };
            if batches.is_empty() {
                return Ok(());
            }
            let sent = AddSeries { batches };
            let Some(added) = client.add_series(run, &sent).await? else { return Ok(()) };
            self.confirm(&sent.batches, &added, to)?;
        }
        Ok(())
    }

    /// Sends what there was no room to keep, from the files that it still stands in, after what was kept.
    pub async fn send_rest(&mut self, of: &Arc<Mutex<Collector>>, client: &Client, run: Uuid) -> Result<()> {
        self.send(client, run, REQUESTS_MAX).await?;
        let begun = Instant::now();
        while begun.elapsed() < LONG_LOOKS {
            let collector = Arc::clone(of);
            let read = move || collector.lock().unwrap_or_else(PoisonError::into_inner).rest();
            let batches = tokio::task::spawn_blocking(read)
                .await
                .map_err(|error| Error::new(format!("a mistake in otrace ended it ({error})")))?;
            if batches.is_empty() {
                return Ok(());
            }
            let sent = AddSeries { batches };
            let Some(added) = client.add_series(run, &sent).await? else { return Ok(()) };
            if !has_all(&added, &sent.batches) {
                return Err(not_taken());
            }
        }
        Err(Error::new("there are too many series to be sent"))
    }

    /// Goes on after what has arrived, or begins anew if the server has lost what had.
    fn confirm(&mut self, sent: &[SeriesBatch], added: &SeriesAdded, to: u64) -> Result<()> {
        if has_all(added, sent) {
            self.confirmed.store(to, Ordering::Relaxed);
            return Ok(());
        }
        if sent.iter().any(|batch| next(added, batch) < batch.first) && self.restarts < RESTARTS_MAX {
            self.restarts += 1;
            self.confirmed.store(0, Ordering::Relaxed);
            return Ok(());
        }
        Err(not_taken())
    }
}

/// The number of the next point that the server wants of a batch's source.
fn next(added: &SeriesAdded, batch: &SeriesBatch) -> u64 {
    added.next.get(&batch.source).copied().unwrap_or_default()
}

fn has_all(added: &SeriesAdded, sent: &[SeriesBatch]) -> bool {
    sent.iter().all(|batch| next(added, batch) >= batch.first + batch.points.len() as u64)
}

fn not_taken() -> Error {
    Error::new("the server does not take the series")
}

/// The batches from a place in the file on, as many as one request takes, and where they end.
fn read(path: &Path, from: u64) -> io::Result<(Vec<SeriesBatch>, u64)> {
    let mut file = BufReader::new(File::open(path)?);
    file.seek(SeekFrom::Start(from))?;
    let (mut batches, mut to, mut points) = (Vec::new(), from, 0);
    let mut line = Vec::new();
    loop {
        line.clear();
        let length = file.read_until(b'\n', &mut line)?;
        if !line.ends_with(b"\n") {
            return Ok((batches, to));
        }
        // What is no batch was cut short by the end of its writer.
        if let Ok(batch) = serde_json::from_slice::<SeriesBatch>(&line) {
            points += batch.points.len();
            if points > POINTS_MAX && !batches.is_empty() {
                return Ok((batches, to));
            }
            batches.push(batch);
        }
        to += length as u64;
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn batch(source: &str, first: u64, count: usize) -> SeriesBatch {
        let points = vec![json!({"name": "loss", "step": 1, "time": 0.5, "value": 0.25}); count];
        serde_json::from_value(json!({"source": source, "first": first, "points": points})).expect("a batch")
    }

    fn file() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("series.jsonl");
        (folder, path)
    }

    #[test]
    fn what_is_kept_is_read_in_requests_that_are_not_too_large() {
        let (_folder, path) = file();
        let kept = [batch("a", 0, 6000), batch("a", 6000, 4000), batch("b", 0, 1)];
        append(&path, &kept[..1]).expect("kept");
        append(&path, &kept[1..]).expect("kept");
        let (first, to) = read(&path, 0).expect("read");
        assert_eq!(first, kept[..2]);
        let (second, end) = read(&path, to).expect("read");
        assert_eq!(second, kept[2..]);
        assert_eq!(read(&path, end).expect("read"), (Vec::new(), end));
    }

    #[test]
    fn a_line_that_was_cut_short_spoils_no_other() {
        let (_folder, path) = file();
        append(&path, &[batch("a", 0, 1)]).expect("kept");
        let mut file = OpenOptions::new().append(true).open(&path).expect("opened");
        file.write_all(b"{\"source\": \"a\", \"fir").expect("cut short");
        assert_eq!(read(&path, 0).expect("read").0.len(), 1);
        append(&path, &[batch("a", 1, 1)]).expect("kept");
        assert_eq!(read(&path, 0).expect("read").0, [batch("a", 0, 1), batch("a", 1, 1)]);
    }

    #[test]
    fn what_is_measured_has_no_gap_where_the_disk_did_not_take_it() {
        let (folder, path) = file();
        let workspace = Workspace::at(folder.path());
        workspace.prepare().expect("prepared");
        let mut collector = Collector::new(&workspace, "exp001", &[], path.clone());
        let points = |count| batch("", 0, count).points;
        collector.add(points(2));
        std::fs::rename(&path, folder.path().join("kept")).expect("put aside");
        std::fs::create_dir(&path).expect("in its way");
        collector.add(points(1));
        std::fs::remove_dir(&path).expect("out of the way");
        std::fs::rename(folder.path().join("kept"), &path).expect("put back");
        collector.add(points(3));
        collector.add(Vec::new());
        assert_eq!(read(&path, 0).expect("read").0, [batch("system", 0, 2), batch("system", 2, 3)]);
    }

    #[test]
    fn a_server_that_lost_points_gets_all_of_them_again_but_not_for_ever() {
        let (_folder, path) = file();
        let mut sender = Sender::new(path);
        let added = |next| SeriesAdded { next: [("a".to_owned(), next)].into() };
        sender.confirm(&[batch("a", 5, 2)], &added(7), 99).expect("confirmed");
        assert_eq!(sender.clone().confirmed.load(Ordering::Relaxed), 99);
        for _ in 0..RESTARTS_MAX {
            sender.confirm(&[batch("a", 7, 1)], &added(2), 120).expect("begun anew");
            assert_eq!(sender.confirmed.load(Ordering::Relaxed), 0);
        }
        sender.confirm(&[batch("a", 7, 1)], &added(2), 120).expect_err("enough");
        sender.confirm(&[batch("a", 7, 1)], &added(7), 120).expect_err("nothing was taken");
    }
}
