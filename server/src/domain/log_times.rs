//! When what a run printed came, and its two streams read as one by that. Pure.

use std::ops::Range;

use otrace_wire::LogStream;
use serde::{Deserialize, Serialize};

/// So many times are kept of one log.
const TIMES_MAX: usize = 100_000;
/// The end of 2199, in microseconds since 1970.
const MICROS_END: i64 = 7_258_118_400_000_000;

/// When the parts of a log came: of each, how many bytes after the one before it begins, and how many microseconds later
/// it came. The first counts from byte 0 and from 1970 on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LogTimes(Vec<[i64; 2]>);

/// A part of one of a run's two streams, at its place in both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stretch {
    /// Which stream it is of.
    pub stream: LogStream,
    /// The place of its first byte where both streams are one.
    pub at: i64,
    /// The same in its own stream.
    pub start: i64,
    /// How long it is, in bytes.
    pub length: i64,
    /// When it came, in microseconds since 1970.
    pub came_at: i64,
}

impl LogTimes {
    /// What a client told of a log that is so long. `None`: it makes no sense, and the log is as good without it.
    pub fn read(told: Vec<[i64; 2]>, size_bytes: i64) -> Option<Self> {
        let (mut byte, mut micros) = (0_i64, 0_i64);
        for [further, later] in &told {
            if *further < 0 || *later < 0 {
                return None;
            }
            byte = byte.checked_add(*further)?;
            micros = micros.checked_add(*later)?;
        }
        let fits = byte <= size_bytes && micros < MICROS_END && (1..=TIMES_MAX).contains(&told.len());
        fits.then_some(Self(told))
    }

    /// The same as it was told.
    pub fn into_told(self) -> Vec<[i64; 2]> {
        self.0
    }

    /// The parts of a stream that is so long.
    fn stretches(&self, stream: LogStream, size_bytes: i64) -> Vec<Stretch> {
        let places = self.0.iter().scan((0, 0), |(byte, micros), [further, later]| {
            *byte += further;
            *micros += later;
            Some((*byte, *micros))
        });
        let mut places: Vec<(i64, i64)> = places.collect();
        // What stands before the first time came with it.
        if let Some((byte, _)) = places.first_mut() {
            *byte = 0;
        }
        let ends: Vec<i64> = places.iter().skip(1).map(|(byte, _)| *byte).chain([size_bytes]).collect();
        let stretches = places.into_iter().zip(ends).map(|((start, came_at), end)| Stretch {
            stream,
            at: start,
            start,
            length: end - start,
            came_at,
        });
        stretches.filter(|stretch| stretch.length > 0).collect()
    }
}

impl Stretch {
    /// What of it lies within these bytes of both streams.
    pub fn within(&self, range: &Range<i64>) -> Option<Self> {
        let at = self.at.max(range.start);
        let length = (self.at + self.length).min(range.end) - at;
        (length > 0).then_some(Self { at, start: self.start + (at - self.at), length, ..*self })
    }
}

/// Both streams, each with its length in bytes, as one: by the time at which their parts came. What came at the same
/// microsecond begins with standard output.
pub fn in_order(stdout: (&LogTimes, i64), stderr: (&LogTimes, i64)) -> Vec<Stretch> {
    let mut order = stdout.0.stretches(LogStream::Stdout, stdout.1);
    order.extend(stderr.0.stretches(LogStream::Stderr, stderr.1));
    order.sort_by_key(|stretch| stretch.came_at);
    let mut at = 0;
    for stretch in &mut order {
        stretch.at = at;
        at += stretch.length;
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times(told: &[[i64; 2]], size_bytes: i64) -> LogTimes {
        LogTimes::read(told.to_vec(), size_bytes).unwrap()
    }

    #[test]
    fn two_streams_are_one_in_the_order_in_which_they_came() {
        // "one\nthree\n" at 10 and 30, "two\nfour\n" at 20 and 30.
        let order = in_order((&times(&[[0, 10], [4, 20]], 10), 10), (&times(&[[0, 20], [4, 10]], 9), 9));
        let told: Vec<_> = order.iter().map(|part| (part.stream, part.at, part.start, part.length)).collect();
        let (out, err) = (LogStream::Stdout, LogStream::Stderr);
        assert_eq!(told, [(out, 0, 0, 4), (err, 4, 0, 4), (out, 8, 4, 6), (err, 14, 4, 5)]);
    }

    #[test]
    fn every_byte_is_in_one_stretch_whatever_was_told() {
        for (out, err) in [
            (vec![[3, 10]], vec![[0, 5]]),
            (vec![[0, 1], [0, 0], [0, 0]], vec![[9, 9], [0, 0]]),
            (vec![[10, 7]], vec![[9, 7]]),
        ] {
            let order = in_order((&times(&out, 10), 10), (&times(&err, 9), 9));
            let ends = order.iter().scan(0, |end, part| {
                let is_next = part.at == *end;
                *end += part.length;
                Some(is_next.then_some(*end))
            });
            assert_eq!(ends.last().flatten(), Some(19), "{out:?} {err:?}");
        }
    }

    #[test]
    fn a_stretch_is_cut_to_what_is_asked_for() {
        let whole = Stretch { stream: LogStream::Stderr, at: 100, start: 7, length: 10, came_at: 3 };
        assert_eq!(whole.within(&(0..1000)), Some(whole));
        assert_eq!(whole.within(&(104..106)), Some(Stretch { at: 104, start: 11, length: 2, ..whole }));
        assert_eq!((whole.within(&(0..100)), whole.within(&(110..200))), (None, None));
    }

    #[test]
    fn what_makes_no_sense_is_left_out() {
        let max = i64::MAX;
        for told in [
            vec![],
            vec![[-1, 5]],
            vec![[0, 5], [1, -1]],
            vec![[11, 5]],
            vec![[0, max]],
            vec![[max, 0], [max, 0]],
            vec![[0, 0]; TIMES_MAX + 1],
        ] {
            assert_eq!(LogTimes::read(told.clone(), 10), None, "{:?}", told.first());
        }
    }
}
