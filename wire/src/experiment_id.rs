//! `exp001`: a run's number in its project, as people write it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A run's number in its project, written `exp001`, `exp042`, `exp1234`.
///
/// The server gives it out when the run is created; it is never reused, not even after a deletion.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(into = "String", try_from = "String")]
pub struct ExperimentId(i32);

/// The text is not an experiment id such as `exp042`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotAnExperimentId;

impl ExperimentId {
    /// The id of run `number`, which counts from 1 in each project.
    pub const fn new(number: i32) -> Self {
        Self(number)
    }

    /// The run's number in its project, from 1.
    pub const fn number(self) -> i32 {
        self.0
    }
}

impl fmt::Display for ExperimentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "exp{:03}", self.0)
    }
}

impl FromStr for ExperimentId {
    type Err = NotAnExperimentId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits = text.strip_prefix("exp").ok_or(NotAnExperimentId)?;
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(NotAnExperimentId);
        }
        match digits.parse() {
            Ok(number) if number > 0 => Ok(Self(number)),
            _ => Err(NotAnExperimentId),
        }
    }
}

impl From<ExperimentId> for String {
    fn from(id: ExperimentId) -> Self {
        id.to_string()
    }
}

impl TryFrom<String> for ExperimentId {
    type Error = NotAnExperimentId;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl fmt::Display for NotAnExperimentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not an experiment id such as exp042")
    }
}

impl std::error::Error for NotAnExperimentId {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_experiment_id_reads_back_as_it_was_written() {
        for (number, text) in [(1, "exp001"), (42, "exp042"), (1234, "exp1234")] {
            assert_eq!(ExperimentId::new(number).to_string(), text);
            assert_eq!(text.parse(), Ok(ExperimentId::new(number)));
        }
    }

    #[test]
    fn other_text_is_no_experiment_id() {
        for text in ["", "exp", "exp0", "exp-1", "exp+1", "EXP001", "run001", "exp99999999999"] {
            assert_eq!(text.parse::<ExperimentId>(), Err(NotAnExperimentId), "{text}");
        }
    }
}
