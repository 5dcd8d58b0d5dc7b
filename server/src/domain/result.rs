//! A named value at the end of a run, and which direction is better.

use std::collections::HashMap;

use serde_json::{Map, Value};

/// The longest name of a result of which it is said which way it gets better, in characters.
pub const NAME_MAX_CHARS: usize = 500;

/// A named value at the end of a run.
#[derive(Clone, Debug)]
pub struct RunResult {
    /// `scalar`.
    pub kind: String,
    /// What it measures, such as `accuracy`.
    pub name: String,
    /// Any JSON scalar; numbers that JSON can't write are `"NaN"`, `"Infinity"` and `"-Infinity"`.
    pub value: Value,
    /// The value where it is a number.
    pub number: Option<f64>,
    /// The file that it was read from.
    pub source_path: Option<String>,
    /// The line that it was read from, from 1.
    pub line: Option<i64>,
    /// The row that it was read from.
    pub row_index: Option<i64>,
    /// The column that it was read from.
    pub column_name: Option<String>,
    /// The table that it was read from.
    pub table_index: Option<i64>,
    /// Whatever else the client wanted kept.
    pub metadata: Map<String, Value>,
}

/// The number that a value is: JSON numbers, and the three that JSON can't write.
pub fn number_of(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => match text.as_str() {
            "NaN" => Some(f64::NAN),
            "Infinity" => Some(f64::INFINITY),
            "-Infinity" => Some(f64::NEG_INFINITY),
            _ => None,
        },
        _ => None,
    }
}

/// Which way a result gets better.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// A higher value is better.
    Higher,
    /// A lower value is better.
    Lower,
}

impl Direction {
    /// Guessed from a result's name: losses, errors, times and sizes are better when lower.
    pub fn of(name: &str) -> Self {
        const LOWER: [&str; 29] = [
            "loss", "error", "err", "latency", "size", "time", "seconds", "minutes", "hours", "ms", "duration",
            "memory", "mem", "rmse", "mse", "mae", "mape", "perplexity", "ppl", "wer", "cer", "ece", "fid", "params",
            "parameters", "flops", "cost", "nll", "bytes",
        ];
        let name = name.to_lowercase();
        let lower = name.split(|c: char| !c.is_ascii_alphanumeric()).any(|word| LOWER.contains(&word));
        if lower { Self::Lower } else { Self::Higher }
    }
}

/// Which way the results of a project get better: as its owners say, else as their names do.
#[derive(Clone, Debug, Default)]
pub struct Directions(HashMap<String, Direction>);

impl Directions {
    /// Which way this result gets better.
    pub fn of(&self, name: &str) -> Direction {
        self.0.get(name).copied().unwrap_or_else(|| Direction::of(name))
    }
}

impl FromIterator<(String, Direction)> for Directions {
    fn from_iter<I: IntoIterator<Item = (String, Direction)>>(said: I) -> Self {
        Self(said.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_direction_follows_from_the_words_of_a_name() {
        for name in ["loss", "val_loss", "metrics/val.loss", "latency_ms", "size_kb", "WER", "test-error"] {
            assert_eq!(Direction::of(name), Direction::Lower, "{name}");
        }
        for name in ["accuracy", "f1", "lossless_ratio", "timestep_reward", "mAP"] {
            assert_eq!(Direction::of(name), Direction::Higher, "{name}");
        }
    }

    #[test]
    fn nan_is_a_number_and_a_word_is_none() {
        let nan = number_of(&Value::from("NaN")).unwrap();
        assert!(nan.is_nan());
        assert_eq!(number_of(&Value::from(3)), Some(3.0));
        assert_eq!(number_of(&Value::from("three")), None);
    }
}
