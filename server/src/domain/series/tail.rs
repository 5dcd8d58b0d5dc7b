//! The newest points of a run, of all its series, a block for each request that brought some.

use std::collections::BTreeMap;
use std::io;

use otrace_wire::series::{NAME_MAX_BYTES, POINTS_MAX, Point};

use super::codec::{broken, deflate, inflate, put_samples, put_varint, take_bytes, take_count, take_samples};
use super::{Fresh, Sample};

/// The most that the points of one request take before they are deflated: each may be the only one of its series.
const MAX_BYTES: usize = POINTS_MAX * (NAME_MAX_BYTES + 40) + 10;
const BITS: usize = 8;

/// The points of one request as bytes.
pub fn encode(points: &[&Point]) -> io::Result<Vec<u8>> {
    let mut by_name: BTreeMap<&str, Vec<Fresh>> = BTreeMap::new();
    for point in points {
        let fresh = Fresh { step: point.step, time: point.time.unwrap_or(f64::NAN), value: point.value };
        by_name.entry(&point.name).or_default().push(fresh);
    }
    let mut raw = Vec::new();
    put_varint(&mut raw, by_name.len() as u64);
    for (name, fresh) in by_name {
        put_varint(&mut raw, name.len() as u64);
        raw.extend_from_slice(name.as_bytes());
        let as_sample =
            |point: &Fresh| Sample { step: point.step.unwrap_or_default(), time: point.time, value: point.value };
        put_samples(&mut raw, &fresh.iter().map(as_sample).collect::<Vec<_>>());
        put_flags(&mut raw, &fresh);
    }
    deflate(&raw)
}

/// The points of some blocks, by their series, in the order in which they came; only of series that are wanted.
pub fn gather(blocks: &[Vec<u8>], is_wanted: impl Fn(&str) -> bool) -> io::Result<BTreeMap<String, Vec<Fresh>>> {
    let mut gathered = BTreeMap::<String, Vec<Fresh>>::new();
    for block in blocks {
        let raw = inflate(block, MAX_BYTES)?;
        let mut rest = raw.as_slice();
        for _ in 0..take_count(&mut rest)? {
            let length = take_count(&mut rest)?;
            let name = std::str::from_utf8(take_bytes(&mut rest, length)?).map_err(|_| broken())?;
            let samples = take_samples(&mut rest)?;
            let flags = take_bytes(&mut rest, samples.len().div_ceil(BITS))?;
            if is_wanted(name) {
                let fresh = samples.iter().enumerate().map(|(index, sample)| Fresh {
                    step: Some(sample.step).filter(|_| (flags[index / BITS] >> (index % BITS)) & 1 == 1),
                    time: sample.time,
                    value: sample.value,
                });
                gathered.entry(name.to_owned()).or_default().extend(fresh);
            }
        }
        if !rest.is_empty() {
            return Err(broken());
        }
    }
    Ok(gathered)
}

/// A bit for each point that has a step.
fn put_flags(out: &mut Vec<u8>, fresh: &[Fresh]) {
    let byte = |points: &[Fresh]| {
        points.iter().enumerate().fold(0, |byte, (bit, point)| byte | (u8::from(point.step.is_some()) << bit))
    };
    out.extend(fresh.chunks(BITS).map(byte));
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// All bits of what was gathered.
    fn bits(gathered: &BTreeMap<String, Vec<Fresh>>) -> Vec<(&str, Option<i64>, u64, u64)> {
        let all = gathered.iter().flat_map(|(name, fresh)| fresh.iter().map(move |point| (name, point)));
        all.map(|(name, point)| (name.as_str(), point.step, point.time.to_bits(), point.value.to_bits())).collect()
    }

    fn point((name, step, time, value): (String, Option<i64>, Option<u64>, u64)) -> Point {
        Point { name, step, time: time.map(f64::from_bits), value: f64::from_bits(value) }
    }

    #[test]
    fn only_what_is_wanted_is_gathered() {
        let points = ["loss", "acc", "loss"].map(|name| point((name.to_owned(), None, None, 0)));
        let points: Vec<&Point> = points.iter().collect();
        let blocks = [encode(&points).unwrap(), encode(&points[..1]).unwrap()];
        let gathered = gather(&blocks, |name| name == "loss").unwrap();
        let counts: Vec<_> = gathered.iter().map(|(name, fresh)| (name.as_str(), fresh.len())).collect();
        assert_eq!(counts, [("loss", 3)]);
    }

    #[test]
    fn ten_thousand_series_in_one_request_fit() {
        let name = |index: usize| format!("{index:0>255}");
        let points: Vec<Point> =
            (0..POINTS_MAX).map(|index| point((name(index), Some(i64::MIN), Some(u64::MAX), u64::MAX))).collect();
        let gathered = gather(&[encode(&points.iter().collect::<Vec<_>>()).unwrap()], |_| true).unwrap();
        assert_eq!(gathered.len(), POINTS_MAX);
    }

    proptest! {
        #[test]
        fn points_come_back_by_their_series_as_they_were(
            points in prop::collection::vec(
                ("[a-c]{1,2}", any::<Option<i64>>(), any::<Option<u64>>(), any::<u64>()),
                0..300,
            ),
            cut in 0..300_usize,
        ) {
            let points: Vec<Point> = points.into_iter().map(point).collect();
            let sent: Vec<&Point> = points.iter().collect();
            let (first, second) = sent.split_at(cut.min(sent.len()));
            let gathered = gather(&[encode(first).unwrap(), encode(second).unwrap()], |_| true).unwrap();
            let mut expected = BTreeMap::<String, Vec<Fresh>>::new();
            for point in &points {
                let fresh = Fresh { step: point.step, time: point.time.unwrap_or(f64::NAN), value: point.value };
                expected.entry(point.name.clone()).or_default().push(fresh);
            }
            prop_assert_eq!(bits(&gathered), bits(&expected));
        }

        #[test]
        fn whatever_the_bytes_are_reading_them_ends(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            let _ = gather(&[deflate(&bytes).unwrap(), bytes], |_| true);
        }
    }
}
