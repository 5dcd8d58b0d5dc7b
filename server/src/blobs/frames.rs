//! Compressed contents that can be read from anywhere: Zstandard frames, one after the other.
//!
//! Each frame holds [`FRAME_BYTES`] of the content, so that a part of a log is read without what comes before it.
//! The frames of an object are together what `zstd` makes of a file, and `zstd -d` reads them back.

use std::ops::Range;

use anyhow::Context;
use bytes::Bytes;

/// How much of the content each frame holds, in bytes; the last may hold less.
pub const FRAME_BYTES: usize = 256 * 1024;
/// What is shorter is stored as it is: it would hardly shrink.
const SHORT: usize = 512;
/// So much of a content tells whether it shrinks.
const PROBE_BYTES: usize = 64 * 1024;
/// Fast, and within a few percent of what slower ones make of logs and tables.
const LEVEL: i32 = 3;

/// A compressed content.
#[derive(Debug)]
pub struct Compressed {
    /// Its frames.
    pub bytes: Vec<u8>,
    /// Where each of them ends.
    pub ends: Vec<u32>,
}

/// Compresses a content, where that makes it at least a tenth shorter.
pub fn compress(content: &[u8]) -> Option<Compressed> {
    if content.len() < SHORT {
        return None;
    }
    let probe = &content[..content.len().min(PROBE_BYTES)];
    if !is_shorter(zstd::bulk::compress(probe, LEVEL).ok()?.len(), probe.len()) {
        return None;
    }
    let mut compressor = zstd::bulk::Compressor::new(LEVEL).ok()?;
    let mut compressed = Compressed { bytes: Vec::new(), ends: Vec::new() };
    for piece in content.chunks(FRAME_BYTES) {
        compressed.bytes.extend_from_slice(&compressor.compress(piece).ok()?);
        compressed.ends.push(u32::try_from(compressed.bytes.len()).ok()?);
    }
    is_shorter(compressed.bytes.len(), content.len()).then_some(compressed)
}

fn is_shorter(compressed: usize, plain: usize) -> bool {
    compressed <= plain / 10 * 9
}

/// The frames that hold a range of a content.
#[derive(Debug, PartialEq, Eq)]
pub struct Frames {
    /// Where they are among all frames, in bytes.
    pub place: Range<u64>,
    /// Where each of them ends, from the first one's beginning on.
    ends: Vec<usize>,
    /// What is to be left out of the first.
    skip: usize,
    /// What is wanted, in bytes.
    length: usize,
}

impl Frames {
    /// Those that hold `range`, which is within the content and not empty.
    pub fn of(ends: &[u32], range: &Range<u64>) -> anyhow::Result<Self> {
        let (start, end) = (usize::try_from(range.start)?, usize::try_from(range.end)?);
        let (first, last) = (start / FRAME_BYTES, (end - 1) / FRAME_BYTES);
        let wanted = ends.get(first..=last).context("a row has too few frames")?;
        let before = first.checked_sub(1).and_then(|before| ends.get(before)).copied().unwrap_or(0);
        let till = wanted.last().copied().unwrap_or(before);
        Ok(Self {
            place: u64::from(before)..u64::from(till),
            ends: wanted.iter().map(|end| end.saturating_sub(before) as usize).collect(),
            skip: start - first * FRAME_BYTES,
            length: end - start,
        })
    }

    /// The pieces of the range, one a frame, from the bytes of its frames.
    pub fn decompress(self, frames: Bytes) -> impl Iterator<Item = anyhow::Result<Bytes>> + Send {
        let (mut begin, mut skip, mut rest) = (0, self.skip, self.length);
        self.ends.into_iter().map(move |end| {
            let frame = frames.get(begin..end).context("an object is cut short")?;
            let piece = zstd::bulk::decompress(frame, FRAME_BYTES).context("reading a compressed content")?;
            let till = piece.len().min(skip + rest);
            let wanted = Bytes::from(piece).slice(skip.min(till)..till);
            (begin, skip, rest) = (end, 0, rest - wanted.len());
            Ok(wanted)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(length: usize) -> Vec<u8> {
        let lines = (0..).flat_map(|line| format!("step {line} loss 0.{}\n", line * 7919 % 1000).into_bytes());
        lines.take(length).collect()
    }

    #[test]
    fn any_part_of_a_compressed_content_reads_back() {
        for length in [SHORT, FRAME_BYTES - 1, FRAME_BYTES, FRAME_BYTES + 1, 3 * FRAME_BYTES + 17] {
            let content = log(length);
            let compressed = compress(&content).expect("a log shrinks");
            assert!(compressed.bytes.len() < length / 2);
            let edges = [0, 1, FRAME_BYTES - 1, FRAME_BYTES, FRAME_BYTES + 1, length - 1, length];
            for start in edges.into_iter().filter(|start| *start < length) {
                for end in edges.into_iter().filter(|end| *end > start && *end <= length) {
                    let frames = Frames::of(&compressed.ends, &(start as u64..end as u64)).unwrap();
                    let place =
                        usize::try_from(frames.place.start).unwrap()..usize::try_from(frames.place.end).unwrap();
                    let read: Vec<u8> = frames
                        .decompress(Bytes::copy_from_slice(&compressed.bytes[place]))
                        .flat_map(|piece| piece.unwrap().to_vec())
                        .collect();
                    assert!(read == content[start..end], "{start}..{end} of {length}");
                }
            }
            assert_eq!(zstd::stream::decode_all(&compressed.bytes[..]).unwrap(), content, "zstd itself reads it");
        }
    }

    #[test]
    fn what_does_not_shrink_is_left_as_it_is() {
        assert!(compress(&log(SHORT - 1)).is_none());
        let mut state = 1_u64;
        let noise = std::iter::repeat_with(|| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            state.to_be_bytes()[0]
        });
        let noise = noise.take(1_000_000).collect::<Vec<_>>();
        assert!(compress(&noise).is_none());
    }

    #[test]
    fn an_object_that_is_cut_or_damaged_is_an_error() {
        let content = log(FRAME_BYTES * 2);
        let compressed = compress(&content).unwrap();
        let whole = 0..content.len() as u64;
        let cut = compressed.bytes.len() - 1;
        let is_read = |bytes: &[u8]| {
            let frames = Frames::of(&compressed.ends, &whole).unwrap();
            frames.decompress(Bytes::copy_from_slice(bytes)).all(|piece| piece.is_ok())
        };
        assert!(is_read(&compressed.bytes));
        assert!(!is_read(&compressed.bytes[..cut]));
        let mut damaged = compressed.bytes.clone();
        damaged[0] ^= 0xff;
        assert!(!is_read(&damaged));
        assert!(Frames::of(&[], &whole).is_err());
    }
}
