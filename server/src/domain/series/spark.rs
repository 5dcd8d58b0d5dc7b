//! Sparks: of a run's series some values each, evenly spread, as small curves are drawn from.
//!
//! A spark has every point until there are [`POINTS_MAX`], then every second one, every fourth, and so on, and the last one.
//! So it hangs on the points and their order alone, and not on the requests in which they came. All sparks of a run are
//! one short block of bytes, which its row keeps.

use std::io;

use otrace_wire::series::Point;

use super::codec::{broken, take_bytes};

/// So many values a spark has at most, beside the last one.
pub const POINTS_MAX: u64 = 32;
/// So many series of a run have one: those with the shortest names, which lists are most likely to show.
pub const SERIES_MAX: usize = 16;
/// And none that is called longer than this, in bytes.
const NAME_MAX: usize = 64;
/// What a machine is busy with is no result of any run.
const SYSTEM: &str = "system/";
/// What stands between the parts of a plain name.
const SEPARATOR: char = '_';
/// The first byte, so that the form may change.
const VERSION: u8 = 1;

/// The sparks of one run, by the length of their names and then by name.
#[derive(Clone, Debug, Default)]
pub struct Sparks(Vec<Spark>);

/// Some values of a series.
#[derive(Clone, Debug)]
pub struct Spark {
    /// What the series is called.
    pub name: String,
    /// How many points it has.
    pub count: u64,
    /// The values of the points 0, `stride`, 2 `stride` and so on; what is not finite is NaN.
    kept: Vec<f32>,
    /// The value of the last point.
    last: f32,
}

/// The sparks that these bytes are, once these points have come. Bytes that are none begin anew: it is a picture.
pub fn grown(bytes: &[u8], points: &[&Point]) -> Vec<u8> {
    let mut sparks = Sparks::read(bytes).unwrap_or_default();
    sparks.extend(points.iter().map(|point| (point.name.as_str(), point.value)));
    sparks.bytes()
}

impl Sparks {
    /// Of a run without points.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Undoes [`Self::bytes`].
    pub fn read(bytes: &[u8]) -> io::Result<Self> {
        let Some((version, mut rest)) = bytes.split_first() else { return Ok(Self::new()) };
        if *version != VERSION {
            return Err(broken());
        }
        let mut sparks = Vec::new();
        while !rest.is_empty() {
            sparks.push(Spark::take(&mut rest)?);
        }
        if sparks.len() > SERIES_MAX { Err(broken()) } else { Ok(Self(sparks)) }
    }

    /// All of it in at most 4,096 bytes; without any spark there are none.
    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        if !self.0.is_empty() {
            bytes.push(VERSION);
        }
        for spark in &self.0 {
            spark.put(&mut bytes);
        }
        bytes
    }

    /// Takes the next points: what their series are called, and their values.
    pub fn extend<'a>(&mut self, points: impl Iterator<Item = (&'a str, f64)>) {
        // Series mostly come in turns: which one came after which.
        let mut after = [0; SERIES_MAX];
        let mut before = 0;
        for (name, value) in points {
            let expected = after[before];
            let place = if self.0.get(expected).is_some_and(|spark| spark.name == name) {
                expected
            } else {
                let Some(place) = self.place_of(name) else { continue };
                after[before] = place;
                place
            };
            self.0[place].add(value);
            before = place;
        }
    }

    /// The spark of a result: that of the series of the same name, else of the shortest name that ends so, as
    /// `val/accuracy` for `accuracy`.
    pub fn of(&self, result: &str) -> Option<&Spark> {
        let wanted = plain(result);
        let ends_so = |spark: &&Spark| {
            plain(&spark.name)
                .strip_suffix(wanted.as_str())
                .is_some_and(|before| before.is_empty() || before.ends_with(SEPARATOR))
        };
        let same = self.0.iter().find(|spark| spark.name == result);
        same.or_else(|| self.0.iter().find(ends_so))
    }

    /// Where the spark of a series is; it is begun if it shall have one.
    fn place_of(&mut self, name: &str) -> Option<usize> {
        let found = self.0.binary_search_by(|spark| (spark.name.len(), spark.name.as_str()).cmp(&(name.len(), name)));
        match found {
            Ok(place) => Some(place),
            Err(place) if place < SERIES_MAX && name.len() <= NAME_MAX && !name.starts_with(SYSTEM) => {
                self.0.insert(place, Spark { name: name.to_owned(), count: 0, kept: Vec::new(), last: f32::NAN });
                self.0.truncate(SERIES_MAX);
                Some(place)
            }
            Err(_) => None,
        }
    }
}

impl Spark {
    /// Its values, each with its place among the points of the series, from 0; `None`: one that is NaN or infinite.
    pub fn points(&self) -> Vec<(u64, Option<f32>)> {
        let stride = stride(self.count);
        let told = |place: u64, value: f32| (place, Some(value).filter(|value| value.is_finite()));
        let mut points: Vec<_> = (0..).zip(&self.kept).map(|(nth, value)| told(nth * stride, *value)).collect();
        let last = self.count.saturating_sub(1);
        if !last.is_multiple_of(stride) {
            points.push(told(last, self.last));
        }
        points
    }

    fn add(&mut self, value: f64) {
        let (place, before) = (self.count, stride(self.count));
        self.count = self.count.saturating_add(1);
        let stride = stride(self.count);
        if stride > before {
            let mut is_kept = false;
            self.kept.retain(|_| {
                is_kept = !is_kept;
                is_kept
            });
        }
        self.last = narrow(value);
        if place.is_multiple_of(stride) {
            self.kept.push(self.last);
        }
    }

    fn put(&self, out: &mut Vec<u8>) {
        out.push(u8::try_from(self.name.len()).unwrap_or_default());
        out.extend_from_slice(self.name.as_bytes());
        out.extend_from_slice(&self.count.to_le_bytes());
        for value in self.kept.iter().chain([&self.last]) {
            out.extend_from_slice(&value.to_le_bytes());
        }
    }

    fn take(rest: &mut &[u8]) -> io::Result<Self> {
        let [length] = take_array(rest)?;
        let name = std::str::from_utf8(take_bytes(rest, length.into())?).map_err(|_| broken())?.to_owned();
        let count = u64::from_le_bytes(take_array(rest)?);
        let kept = (0..count.div_ceil(stride(count)))
            .map(|_| take_array(rest).map(f32::from_le_bytes))
            .collect::<io::Result<Vec<f32>>>()?;
        Ok(Self { name, count, kept, last: f32::from_le_bytes(take_array(rest)?) })
    }
}

/// Every so manyth of so many points is kept: the lowest power of two that leaves no more than [`POINTS_MAX`].
const fn stride(count: u64) -> u64 {
    count.div_ceil(POINTS_MAX).next_power_of_two()
}

/// As exact as a curve is drawn: what is finite stays so.
#[expect(clippy::cast_possible_truncation, reason = "seven digits are more than an eye sees")]
fn narrow(value: f64) -> f32 {
    if value.is_finite() { value.clamp(f32::MIN.into(), f32::MAX.into()) as f32 } else { f32::NAN }
}

/// A name whatever its case, and by what its parts are joined.
fn plain(name: &str) -> String {
    name.to_lowercase().replace(['/', '.', '-', ' ', ':'], "_")
}

fn take_array<const N: usize>(rest: &mut &[u8]) -> io::Result<[u8; N]> {
    let (taken, after) = rest.split_first_chunk::<N>().ok_or_else(broken)?;
    *rest = after;
    Ok(*taken)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn point(name: &str, value: f64) -> Point {
        Point { name: name.to_owned(), step: None, time: None, value }
    }

    /// The bytes after these points.
    fn after(bytes: &[u8], points: &[Point]) -> Vec<u8> {
        grown(bytes, &points.iter().collect::<Vec<_>>())
    }

    /// The sparks of series with these names, a point each.
    fn named(names: &[&str]) -> Sparks {
        let points: Vec<Point> = names.iter().map(|name| point(name, 1.0)).collect();
        Sparks::read(&after(&[], &points)).unwrap()
    }

    /// All bits of a spark's points.
    fn bits(spark: &Spark) -> Vec<(u64, Option<u32>)> {
        spark.points().into_iter().map(|(place, value)| (place, value.map(f32::to_bits))).collect()
    }

    #[test]
    fn a_short_series_is_whole_and_of_a_long_one_every_so_manyth_point_and_the_last_stay() {
        let places = |count: u32| {
            let points: Vec<Point> = (0..count).map(|value| point("loss", value.into())).collect();
            let sparks = Sparks::read(&after(&[], &points)).unwrap();
            let spark = sparks.of("loss").unwrap();
            // Each value tells its place.
            assert!(
                spark
                    .points()
                    .iter()
                    .all(|(place, value)| value.map(f64::from) == u32::try_from(*place).ok().map(f64::from))
            );
            spark.points().iter().map(|(place, _)| *place).collect::<Vec<_>>()
        };
        assert_eq!(places(1), [0]);
        assert_eq!(places(32), (0..32).collect::<Vec<u64>>());
        assert_eq!(places(34), (0..17).map(|nth| nth * 2).chain([33]).collect::<Vec<u64>>());
        assert_eq!(places(1_000).last(), Some(&999));
        assert_eq!(places(1_000).len(), 33);
    }

    #[test]
    fn what_is_not_finite_is_a_gap_and_what_is_huge_is_none() {
        let values = [1.0, f64::NAN, f64::INFINITY, -1e300];
        let sparks = Sparks::read(&after(&[], &values.map(|value| point("loss", value)))).unwrap();
        let found: Vec<_> = sparks.of("loss").unwrap().points().into_iter().map(|(_, value)| value).collect();
        assert_eq!(found, [Some(1.0), None, None, Some(f32::MIN)]);
    }

    #[test]
    fn a_result_finds_the_series_that_it_is_the_end_of() {
        let sparks = named(&["train/accuracy", "val/accuracy", "val-loss", "inaccuracy", "system/accuracy"]);
        let found = |result: &str| sparks.of(result).map(|spark| spark.name.as_str());
        assert_eq!(found("accuracy"), Some("val/accuracy"));
        assert_eq!(found("train/accuracy"), Some("train/accuracy"));
        assert_eq!(found("VAL_loss"), Some("val-loss"));
        assert_eq!(found("f1"), None);
        assert_eq!(named(&["accuracy", "val/accuracy"]).of("accuracy").unwrap().name, "accuracy");
    }

    #[test]
    fn of_many_series_those_with_the_shortest_names_have_a_spark() {
        let names: Vec<String> =
            (0..100).map(|number| format!("grad/layer{number}")).chain(["loss".to_owned()]).collect();
        let sparks = named(&names.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!(sparks.0.len(), SERIES_MAX);
        assert!(
            sparks.of("loss").is_some() && sparks.of("grad/layer9").is_some() && sparks.of("grad/layer99").is_none()
        );
        let longest: Vec<String> = (10..40).map(|number| format!("{number}{}", "x".repeat(62))).collect();
        let full = (0..32).flat_map(|_| longest.iter().map(|name| point(name, 1.0))).collect::<Vec<_>>();
        assert!((3_000..4_096).contains(&after(&[], &full).len()));
    }

    proptest! {
        #[test]
        fn in_whatever_requests_points_come_each_series_has_the_same_spark(
            points in prop::collection::vec(("[a-c]{1,2}|system/[a-c]", prop_oneof![9 => any::<f64>(), 1 => Just(f64::NAN)]), 0..400),
            cuts in prop::collection::vec(0..400_usize, 0..8),
        ) {
            let points: Vec<Point> = points.iter().map(|(name, value)| point(name, *value)).collect();
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(points.len())).collect();
            cuts.extend([0, points.len()]);
            cuts.sort_unstable();
            let bytes = cuts.windows(2).fold(Vec::new(), |bytes, cut| after(&bytes, &points[cut[0]..cut[1]]));
            let sparks = Sparks::read(&bytes).unwrap();
            let mut names: Vec<&str> = points.iter().map(|point| point.name.as_str()).collect();
            names.retain(|name| !name.starts_with(SYSTEM));
            names.sort_unstable();
            names.dedup();
            prop_assert_eq!(sparks.0.len(), names.len().min(SERIES_MAX));
            for name in names {
                let values: Vec<f64> = points.iter().filter(|point| point.name == name).map(|point| point.value).collect();
                let every = stride(values.len() as u64);
                let is_kept = |place: u64| place.is_multiple_of(every) || place + 1 == values.len() as u64;
                let expected: Vec<(u64, Option<u32>)> = (0..)
                    .zip(&values)
                    .filter(|(place, _)| is_kept(*place))
                    .map(|(place, value)| (place, Some(narrow(*value)).filter(|value| value.is_finite()).map(f32::to_bits)))
                    .collect();
                prop_assert_eq!(sparks.0.iter().find(|spark| spark.name == name).map(bits), Some(expected));
            }
        }

        #[test]
        fn whatever_the_bytes_are_reading_them_ends(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            let _ = Sparks::read(&bytes);
            let _ = Sparks::read(&[&[VERSION][..], &bytes].concat()).map(|sparks| sparks.bytes());
        }
    }
}
