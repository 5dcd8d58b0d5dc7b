//! Points as bytes: by column, each column as what changes from point to point, then deflated.
//!
//! Steps and times are told by how their distance changes, which is mostly not at all; values by the bits
//! that differ from the value before, the same byte of all of them side by side. Every bit comes back, also
//! those of NaN, -0 and infinity. zlib's checksum finds what has rotten.

use std::io::{self, Read, Write};

use flate2::Compression;
use flate2::read::ZlibDecoder;
use flate2::write::ZlibEncoder;

use super::{CHUNK_POINTS, Sample};

/// The first byte of each block, so that the form may change.
const VERSION: u8 = 1;
/// The most that one point takes before it is deflated: two numbers of ten bytes, and the value.
const POINT_MAX_BYTES: usize = 28;
const CHUNK_MAX_BYTES: usize = CHUNK_POINTS * POINT_MAX_BYTES + 10;
const VALUE_BYTES: usize = 8;

/// Some points as bytes.
pub fn encode(samples: &[Sample]) -> io::Result<Vec<u8>> {
    let mut raw = Vec::with_capacity(samples.len() * 12);
    put_samples(&mut raw, samples);
    deflate(&raw)
}

/// The points of a chunk, or of its summary.
pub fn decode(bytes: &[u8]) -> io::Result<Vec<Sample>> {
    let raw = inflate(bytes, CHUNK_MAX_BYTES)?;
    let mut rest = raw.as_slice();
    let samples = take_samples(&mut rest)?;
    if rest.is_empty() { Ok(samples) } else { Err(broken()) }
}

pub(super) fn deflate(raw: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = ZlibEncoder::new(vec![VERSION], Compression::fast());
    encoder.write_all(raw)?;
    encoder.finish()
}

/// Undoes [`deflate`], where that gives no more than `max_bytes`.
pub(super) fn inflate(bytes: &[u8], max_bytes: usize) -> io::Result<Vec<u8>> {
    let deflated = bytes.strip_prefix(&[VERSION]).ok_or_else(broken)?;
    let mut raw = Vec::new();
    ZlibDecoder::new(deflated).take(max_bytes as u64 + 1).read_to_end(&mut raw)?;
    if raw.len() > max_bytes { Err(broken()) } else { Ok(raw) }
}

pub(super) fn put_samples(out: &mut Vec<u8>, samples: &[Sample]) {
    put_varint(out, samples.len() as u64);
    put_integers(out, samples.iter().map(|sample| sample.step));
    put_integers(out, samples.iter().map(|sample| sample.time.to_bits().cast_signed()));
    put_values(out, samples.iter().map(|sample| sample.value));
}

pub(super) fn take_samples(rest: &mut &[u8]) -> io::Result<Vec<Sample>> {
    let count = take_count(rest)?;
    let steps = take_integers(rest, count)?;
    let times = take_integers(rest, count)?;
    let values = take_values(rest, count)?;
    let columns = steps.into_iter().zip(times).zip(values);
    let sample =
        |((step, time), value): ((i64, i64), f64)| Sample { step, time: f64::from_bits(time.cast_unsigned()), value };
    Ok(columns.map(sample).collect())
}

/// How many things follow; never more than there are bytes for.
pub(super) fn take_count(rest: &mut &[u8]) -> io::Result<usize> {
    let count = usize::try_from(take_varint(rest)?).map_err(|_| broken())?;
    if count > rest.len() { Err(broken()) } else { Ok(count) }
}

pub(super) fn take_bytes<'a>(rest: &mut &'a [u8], length: usize) -> io::Result<&'a [u8]> {
    let (taken, after) = rest.split_at_checked(length).ok_or_else(broken)?;
    *rest = after;
    Ok(taken)
}

/// Seven bits a byte, the lowest first; the eighth says that more follow.
pub(super) fn put_varint(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number.to_le_bytes()[0] | 0x80);
        number >>= 7;
    }
    out.push(number.to_le_bytes()[0]);
}

fn take_varint(rest: &mut &[u8]) -> io::Result<u64> {
    let mut number = 0;
    for shift in (0..64_u32).step_by(7) {
        let byte = take_bytes(rest, 1)?[0];
        number |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Ok(number);
        }
    }
    Err(broken())
}

/// Numbers that mostly change by the same distance.
fn put_integers(out: &mut Vec<u8>, numbers: impl Iterator<Item = i64>) {
    let (mut before, mut distance) = (0_i64, 0_i64);
    for number in numbers {
        let change = number.wrapping_sub(before).wrapping_sub(distance);
        // Small ones become small, whatever their sign.
        put_varint(out, ((change << 1) ^ (change >> 63)).cast_unsigned());
        (before, distance) = (number, number.wrapping_sub(before));
    }
}

fn take_integers(rest: &mut &[u8], count: usize) -> io::Result<Vec<i64>> {
    let (mut before, mut distance) = (0_i64, 0_i64);
    let mut numbers = Vec::with_capacity(count);
    for _ in 0..count {
        let folded = take_varint(rest)?;
        let change = (folded >> 1).cast_signed() ^ -(folded & 1).cast_signed();
        distance = distance.wrapping_add(change);
        before = before.wrapping_add(distance);
        numbers.push(before);
    }
    Ok(numbers)
}

fn put_values(out: &mut Vec<u8>, values: impl Iterator<Item = f64>) {
    let mut before = 0;
    let difference = |value: f64| {
        let bits = value.to_bits();
        (bits ^ std::mem::replace(&mut before, bits)).to_be_bytes()
    };
    let differences: Vec<[u8; VALUE_BYTES]> = values.map(difference).collect();
    for place in 0..VALUE_BYTES {
        out.extend(differences.iter().map(|bytes| bytes[place]));
    }
}

fn take_values(rest: &mut &[u8], count: usize) -> io::Result<Vec<f64>> {
    let bytes = take_bytes(rest, count.checked_mul(VALUE_BYTES).ok_or_else(broken)?)?;
    let mut before = 0;
    let value = |index: usize| {
        before ^= u64::from_be_bytes(std::array::from_fn(|place| bytes[place * count + index]));
        f64::from_bits(before)
    };
    Ok((0..count).map(value).collect())
}

pub(super) fn broken() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "a stored block of points is broken")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// All bits of some points.
    fn bits(samples: &[Sample]) -> Vec<(i64, u64, u64)> {
        samples.iter().map(|sample| (sample.step, sample.time.to_bits(), sample.value.to_bits())).collect()
    }

    fn sample((step, time, value): (i64, u64, u64)) -> Sample {
        Sample { step, time: f64::from_bits(time), value: f64::from_bits(value) }
    }

    fn training(length: u16) -> Vec<Sample> {
        let point = |step: u16| Sample {
            step: i64::from(step) * 10,
            time: 1_780_000_000.0 + f64::from(step) * 0.5,
            value: 2.5 / (1.0 + f64::from(step)),
        };
        (0..length).map(point).collect()
    }

    #[test]
    fn every_bit_of_the_odd_ones_comes_back() {
        let odd = [
            f64::NAN,
            -f64::NAN,
            f64::from_bits(0x7ff0_0000_0000_0001),
            f64::INFINITY,
            f64::NEG_INFINITY,
            0.0,
            -0.0,
            5e-324,
            f64::MIN,
            f64::MAX,
        ];
        let steps = [i64::MIN, i64::MAX, 0, -1, i64::MAX, i64::MIN, 1, 2, 3, 3];
        let samples: Vec<Sample> =
            steps.into_iter().zip(odd).map(|(step, value)| Sample { step, time: value, value }).collect();
        assert_eq!(bits(&decode(&encode(&samples).unwrap()).unwrap()), bits(&samples));
        assert!(decode(&encode(&[]).unwrap()).unwrap().is_empty());
    }

    #[test]
    fn points_of_a_training_take_a_few_bytes_each() {
        let samples = training(2048);
        let bytes = encode(&samples).unwrap();
        assert!(bytes.len() < samples.len() * 12, "{} bytes", bytes.len());
    }

    #[test]
    fn what_is_cut_off_or_changed_is_an_error_and_nothing_else() {
        let bytes = encode(&training(300)).unwrap();
        let expected = bits(&training(300));
        // The end of a block may say no more than that it ends; then the points are all there.
        let is_right = |bytes: &[u8]| decode(bytes).ok().is_none_or(|read| bits(&read) == expected);
        assert!(decode(&bytes[..bytes.len() / 2]).is_err());
        for length in 0..bytes.len() {
            assert!(is_right(&bytes[..length]), "cut off after {length} bytes");
        }
        for index in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[index] ^= 0x10;
            assert!(is_right(&changed), "byte {index}");
        }
    }

    proptest! {
        #[test]
        fn points_come_back_as_they_were(points in prop::collection::vec(any::<(i64, u64, u64)>(), 0..=2048)) {
            let samples: Vec<Sample> = points.into_iter().map(sample).collect();
            let bytes = encode(&samples).unwrap();
            prop_assert!(bytes.len() <= 65_536, "{} bytes", bytes.len());
            prop_assert_eq!(bits(&decode(&bytes).unwrap()), bits(&samples));
        }

        #[test]
        fn whatever_the_bytes_are_reading_them_ends(mut bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            let _ = decode(&bytes);
            if let Some(first) = bytes.first_mut() {
                *first = VERSION;
            }
            let _ = decode(&bytes);
            let _ = take_samples(&mut bytes.as_slice());
        }
    }
}
