//! When the lines of a log came: beside the log, as `LOG.times`. By them the two streams of a command are read as one.
//!
//! Each entry is the place of a line in the log and the time at which that was written, of eight bytes each. They are
//! read when the command has ended, also by an `otrace` that finishes what another one began.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::time::Instant;

use crate::{clock, private_files};

/// An entry: two numbers of eight bytes.
const ENTRY: usize = 16;
/// So many entries a log gets as fast as it is written. After them it gets one a second.
const FAST_ENTRIES: u64 = 1_000_000;
/// So many entries of both streams are sent.
const SENT_MAX: usize = 20_000;
/// How many microseconds may pass within a stream before its time is told anew.
const SECOND: i64 = 1_000_000;
/// The first and the smallest distance of entries, in microseconds, where there are too many.
const GAP: i64 = 1_000;

/// The file, while the log is written.
pub(super) struct Times {
    file: File,
    entries: u64,
    is_line_start: bool,
    /// When it was opened, in microseconds since 1970, and on the clock that never goes back.
    began: (i64, Instant),
    last: i64,
}

/// An entry of one of two streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    /// In microseconds since 1970.
    came_at: i64,
    /// 0 or 1.
    stream: usize,
    /// The place of the line.
    byte: i64,
}

impl Times {
    /// Of a new log.
    pub(super) fn create(log: &Path) -> io::Result<Self> {
        Ok(Self::of(private_files::file(&beside(log))?, 0, true))
    }

    /// Of a log that somebody else began, if that has times. `is_line_start`: it ends with a whole line.
    pub(super) fn resume(log: &Path, is_line_start: bool) -> io::Result<Option<Self>> {
        let path = beside(log);
        if !path.exists() {
            return Ok(None);
        }
        let mut file = private_files::existing(&path)?;
        // Half an entry, which a kill may have left, would move all that follow.
        let entries = file.metadata()?.len() / ENTRY as u64;
        file.set_len(entries * ENTRY as u64)?;
        file.seek(SeekFrom::End(0))?;
        Ok(Some(Self::of(file, entries, is_line_start)))
    }

    fn of(file: File, entries: u64, is_line_start: bool) -> Self {
        Self { file, entries, is_line_start, began: (clock::unix_micros(), Instant::now()), last: 0 }
    }

    /// Takes note of bytes that were written at this place of the log: the first line that begins in them came now.
    pub(super) fn note(&mut self, at: u64, written: &[u8]) -> io::Result<()> {
        let Some(last) = written.last() else { return Ok(()) };
        let first_end = memchr::memchr(b'\n', written).map(|end| end as u64 + 1);
        let line = if self.is_line_start { Some(0) } else { first_end.filter(|start| *start < written.len() as u64) };
        self.is_line_start = *last == b'\n';
        let Some(line) = line else { return Ok(()) };
        let passed = i64::try_from(self.began.1.elapsed().as_micros()).unwrap_or(i64::MAX);
        let now = self.began.0.saturating_add(passed);
        if self.entries >= FAST_ENTRIES && now - self.last < SECOND {
            return Ok(());
        }
        let mut entry = [0; ENTRY];
        entry[..8].copy_from_slice(&(at + line).to_le_bytes());
        entry[8..].copy_from_slice(&now.to_le_bytes());
        self.file.write_all(&entry)?;
        self.entries += 1;
        self.last = now;
        Ok(())
    }
}

/// The times of two logs, as they are sent: of each entry, how many bytes after the one before it begins, and how many
/// microseconds later it came. Nothing, unless both have some: one stream needs no order.
pub fn of_both(logs: [(&Path, u64); 2]) -> [Option<Vec<[i64; 2]>>; 2] {
    let mut all = Vec::new();
    for (stream, (log, size)) in logs.into_iter().enumerate() {
        let own = read(log, size).unwrap_or_default();
        if own.is_empty() {
            return [None, None];
        }
        all.extend(own.into_iter().map(|(byte, came_at)| Entry { came_at, stream, byte }));
    }
    all.sort_unstable();
    let mut kept = worth_telling(&all);
    let mut gap = GAP;
    while kept.len() > SENT_MAX {
        gap *= 2;
        kept = apart(&kept, gap);
    }
    [0, 1].map(|stream| Some(told(&kept, stream)))
}

/// The entries that make sense for a log of this size.
fn read(log: &Path, size: u64) -> io::Result<Vec<(i64, i64)>> {
    let mut bytes = Vec::new();
    private_files::existing(&beside(log))?.read_to_end(&mut bytes)?;
    let number = |bytes: &[u8]| bytes.try_into().map(i64::from_le_bytes).unwrap_or_default();
    let size = i64::try_from(size).unwrap_or(i64::MAX);
    let mut entries: Vec<(i64, i64)> = Vec::new();
    for entry in bytes.chunks_exact(ENTRY) {
        let (byte, came_at) = entry.split_at(ENTRY / 2);
        let (byte, mut came_at) = (number(byte), number(came_at));
        let (byte_before, came_before) = entries.last().copied().unwrap_or((-1, 0));
        // What a power cut left is no entry, nor is what came after it.
        if byte <= byte_before || byte >= size || came_at <= 0 {
            break;
        }
        // Whoever went on with the log may have another clock.
        came_at = came_at.max(came_before);
        entries.push((byte, came_at));
    }
    Ok(entries)
}

/// Those where the streams take turns, and of each stream one a second.
fn worth_telling(all: &[Entry]) -> Vec<Entry> {
    let mut before = None;
    let mut told_at = [i64::MIN; 2];
    let is_worth_it = |entry: &&Entry| {
        let is_turn = before.replace(entry.stream) != Some(entry.stream);
        let is_worth_it = is_turn || entry.came_at.saturating_sub(told_at[entry.stream]) >= SECOND;
        if is_worth_it {
            told_at[entry.stream] = entry.came_at;
        }
        is_worth_it
    };
    all.iter().filter(is_worth_it).copied().collect()
}

/// Those of each stream that came so long after one another.
fn apart(all: &[Entry], gap: i64) -> Vec<Entry> {
    let mut told_at = [i64::MIN; 2];
    let is_apart = |entry: &&Entry| {
        let is_apart = entry.came_at.saturating_sub(told_at[entry.stream]) >= gap;
        if is_apart {
            told_at[entry.stream] = entry.came_at;
        }
        is_apart
    };
    all.iter().filter(is_apart).copied().collect()
}

fn told(all: &[Entry], stream: usize) -> Vec<[i64; 2]> {
    let mut before = (0, 0);
    let own = all.iter().filter(|entry| entry.stream == stream);
    let told = own.map(|entry| {
        let told = [entry.byte - before.0, entry.came_at - before.1];
        before = (entry.byte, entry.came_at);
        told
    });
    told.collect()
}

fn beside(log: &Path) -> PathBuf {
    let mut name = log.as_os_str().to_owned();
    name.push(".times");
    name.into()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn entries(path: &Path, entries: &[(i64, i64)]) {
        let bytes = entries.iter().flat_map(|(byte, at)| [byte.to_le_bytes(), at.to_le_bytes()].concat());
        fs::write(beside(path), bytes.collect::<Vec<u8>>()).expect("written");
    }

    #[test]
    fn each_line_that_begins_what_is_written_has_its_place() {
        let folder = tempfile::tempdir().expect("a folder");
        let log = folder.path().join("log");
        let mut times = Times::create(&log).expect("made");
        // The end of a line is no line, and neither is an unfinished one that goes on.
        let mut at = 0;
        for written in [&b"one\ntwo\n"[..], b"thr", b"ee", b"\n", b"four\nfi", b"ve\nsix\n"] {
            times.note(at, written).expect("noted");
            at += written.len() as u64;
        }
        drop(times);
        let places = |size| read(&log, size).expect("read").into_iter().map(|(byte, _)| byte).collect::<Vec<_>>();
        assert_eq!(places(at), [0, 8, 14, 24]);
        assert_eq!(places(14), [0, 8], "what the log lost has no times");
        fs::write(beside(&log), [&fs::read(beside(&log)).expect("read")[..], b"half"].concat()).expect("written");
        let mut again = Times::resume(&log, true).expect("opened").expect("it has times");
        again.note(at, b"seven\n").expect("noted");
        assert_eq!(places(at + 6), [0, 8, 14, 24, 28]);
    }

    #[test]
    fn what_is_told_is_where_the_streams_take_turns() {
        let folder = tempfile::tempdir().expect("a folder");
        let [out, err] = ["out", "err"].map(|name| folder.path().join(name));
        entries(&out, &[(0, 100), (10, 101), (20, 102), (30, 300), (40, 2_000_000)]);
        assert_eq!(of_both([(&out, 50), (&err, 0)]), [None, None], "one stream needs no order");
        entries(&err, &[(0, 200)]);
        let [out, err] = of_both([(&out, 50), (&err, 5)]);
        assert_eq!(out.expect("told"), [[0, 100], [30, 200], [10, 1_999_700]]);
        assert_eq!(err.expect("told"), [[0, 200]]);
    }

    #[test]
    fn of_too_many_turns_some_are_told() {
        let folder = tempfile::tempdir().expect("a folder");
        let [out, err] = ["out", "err"].map(|name| folder.path().join(name));
        let turns = |first: i64| (0..30_000).map(|turn| (turn, first + turn * 4_000)).collect::<Vec<_>>();
        entries(&out, &turns(1));
        entries(&err, &turns(2_001));
        let told = of_both([(&out, 30_000), (&err, 30_000)]).map(|told| told.expect("told"));
        assert!((5_000..=SENT_MAX).contains(&(told[0].len() + told[1].len())), "{}", told[0].len());
        assert_eq!(told.map(|told| told[0]), [[0, 1], [0, 2_001]]);
    }
}
