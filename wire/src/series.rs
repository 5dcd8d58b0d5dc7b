//! Series: named values over steps, such as a loss. Our own CLI's addition.
//!
//! A client reads them from files that grow. Each file is a *source*, whose points are counted from 0:
//! a batch says which is its first, so that repeated and reordered batches do no harm.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The most points that one request takes.
pub const POINTS_MAX: usize = 10_000;
/// The longest name of a series, or of a source, in bytes.
pub const NAME_MAX_BYTES: usize = 255;
/// The most series that a run has.
pub const NAMES_MAX: usize = 10_000;

/// `POST /v1/runs/{id}/series`: points that a run has written.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AddSeries {
    /// They are taken in this order.
    pub batches: Vec<SeriesBatch>,
}

/// Points of one source that follow each other.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SeriesBatch {
    /// What they were read from: unique in the run, such as a file's path.
    pub source: String,
    /// Which of the source's points the first one is, from 0.
    pub first: u64,
    /// The points, of any series.
    pub points: Vec<Point>,
}

/// One value of one series.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Point {
    /// The series, such as `val/loss`.
    pub name: String,
    /// At which step; where it is not told, the points of a series are counted from 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<i64>,
    /// When, in seconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<f64>,
    /// The value. JSON has no number for some: those are `"NaN"`, `"Infinity"` and `"-Infinity"`.
    #[serde(with = "number")]
    #[cfg_attr(feature = "schema", schemars(with = "Number"))]
    pub value: f64,
}

/// The answer: what the server wants to hear next.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SeriesAdded {
    /// For each source of the request, how many of its points the server has: the client goes on from there.
    pub next: BTreeMap<String, u64>,
}

/// A series in the list of a run's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SeriesSummary {
    /// Its name.
    pub name: String,
    /// How many points it has.
    pub count: u64,
    /// How many of them are NaN or infinite.
    pub not_finite: u64,
    /// The step of the last point.
    pub last_step: i64,
    /// When the last point was written, in seconds since 1970, where that is known.
    pub last_time: Option<f64>,
    /// The value of the last point.
    pub last: Number,
    /// The lowest finite value.
    pub min: Option<f64>,
    /// The highest finite value.
    pub max: Option<f64>,
}

/// A number that may be one that JSON can't write.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Number(#[serde(with = "number")] pub f64);

#[cfg(feature = "schema")]
impl schemars::JsonSchema for Number {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Number".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": "A number, or the word for one that JSON can't write.",
            "anyOf": [{"type": "number"}, {"type": "string", "enum": ["NaN", "Infinity", "-Infinity"]}],
        })
    }
}

/// Numbers, and the words for those that JSON can't write.
mod number {
    use super::{Deserializer, NumberVisitor, Serializer};

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands out references")]
    pub(super) fn serialize<S: Serializer>(number: &f64, serializer: S) -> Result<S::Ok, S::Error> {
        match *number {
            f64::INFINITY => serializer.serialize_str("Infinity"),
            f64::NEG_INFINITY => serializer.serialize_str("-Infinity"),
            number if number.is_nan() => serializer.serialize_str("NaN"),
            number => serializer.serialize_f64(number),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
        deserializer.deserialize_any(NumberVisitor)
    }
}

struct NumberVisitor;

#[expect(clippy::cast_precision_loss, reason = "a value is the number of 64 bits that is nearest to what was sent")]
impl Visitor<'_> for NumberVisitor {
    type Value = f64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number, \"NaN\", \"Infinity\" or \"-Infinity\"")
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<f64, E> {
        Ok(number)
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<f64, E> {
        Ok(number as f64)
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<f64, E> {
        Ok(number as f64)
    }

    fn visit_str<E: de::Error>(self, word: &str) -> Result<f64, E> {
        match word {
            "NaN" => Ok(f64::NAN),
            "Infinity" => Ok(f64::INFINITY),
            "-Infinity" => Ok(f64::NEG_INFINITY),
            _ => Err(E::invalid_value(de::Unexpected::Str(word), &self)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<Number, serde_json::Error> {
        serde_json::from_str(json)
    }

    #[test]
    fn numbers_come_through_also_those_that_json_can_not_write() {
        for value in [0.0, -0.0, 1.0, -2.5, 1e300, 5e-324, 0.1 + 0.2, f64::MAX, f64::INFINITY, f64::NEG_INFINITY] {
            let json = serde_json::to_string(&Number(value)).expect("written");
            assert_eq!(read(&json).expect("read").0.to_bits(), value.to_bits(), "{json}");
        }
        assert_eq!(serde_json::to_string(&Number(f64::NAN)).expect("written"), "\"NaN\"");
        assert!(read("\"NaN\"").expect("read").0.is_nan());
        assert_eq!(read("3").expect("read"), Number(3.0));
        assert_eq!(read("-3").expect("read"), Number(-3.0));
    }

    #[test]
    fn words_and_nothing_are_no_numbers() {
        for json in ["null", "\"nan\"", "\"1\"", "true", "[1]", "{}"] {
            assert!(read(json).is_err(), "{json}");
        }
    }

    #[test]
    fn a_batch_says_no_more_than_it_knows() {
        let point = Point { name: "loss".to_owned(), step: None, time: None, value: f64::NEG_INFINITY };
        let batch = SeriesBatch { source: "metrics".to_owned(), first: 7, points: vec![point] };
        let json = serde_json::to_string(&batch).expect("written");
        assert_eq!(json, r#"{"source":"metrics","first":7,"points":[{"name":"loss","value":"-Infinity"}]}"#);
        assert_eq!(serde_json::from_str::<SeriesBatch>(&json).expect("read"), batch);
    }
}
