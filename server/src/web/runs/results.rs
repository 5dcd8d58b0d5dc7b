//! A run's results: each beside its parent's, with what changed, and where it stands in the project.

use std::collections::HashMap;

use crate::domain::RunResult;
use crate::domain::result::Direction;
use crate::services::standing::{RANK_LIMIT, Surroundings};
use crate::store::standings::Standing;
use crate::web::{format, terminal};

/// A named value.
pub(super) struct ResultRow {
    pub(super) name: String,
    pub(super) value: String,
    /// `higher` or `lower` is better; `None` where the value is no number.
    pub(super) better: Option<&'static str>,
    pub(super) is_lower_better: bool,
    /// Whether no other run has a better one, and some have one.
    pub(super) is_best: bool,
    /// The parent's value, or nothing.
    pub(super) before: String,
    pub(super) change: Option<Change>,
    /// `2nd of 26`, or nothing.
    pub(super) rank: String,
    pub(super) source: String,
}

/// What changed against the parent.
pub(super) struct Change {
    pub(super) text: String,
    /// The class of its colour.
    pub(super) class: &'static str,
    /// `better` or `worse`, for who sees no colours; nothing where it is the same.
    pub(super) verdict: &'static str,
}

/// The rows of all results, in their order.
pub(super) fn rows(results: &[RunResult], around: &Surroundings) -> Vec<ResultRow> {
    let mut before: HashMap<&str, &RunResult> = HashMap::new();
    for result in &around.parent_results {
        before.entry(result.name.as_str()).or_insert(result);
    }
    results.iter().map(|result| ResultRow::new(result, before.get(result.name.as_str()).copied(), around)).collect()
}

impl ResultRow {
    fn new(result: &RunResult, before: Option<&RunResult>, around: &Surroundings) -> Self {
        let direction = around.directions.of(&result.name);
        let is_lower_better = direction == Direction::Lower;
        let standing = result.number.and_then(|_| around.standings.get(&result.name));
        let mut source = terminal::clean(result.source_path.as_deref().unwrap_or_default());
        if let (Some(line), false) = (result.line, source.is_empty()) {
            source = format!("{source}:{line}");
        }
        Self {
            name: terminal::clean(&result.name),
            value: format::result(result),
            better: result.number.map(|_| if is_lower_better { "lower" } else { "higher" }),
            is_lower_better,
            is_best: standing.is_some_and(|standing| standing.better == 0 && standing.all > 1),
            before: before.map(format::result).unwrap_or_default(),
            change: before.and_then(|before| Change::new(before.number?, result.number?, direction)),
            rank: standing.map(|standing| rank(*standing)).unwrap_or_default(),
            source,
        }
    }
}

impl Change {
    fn new(before: f64, after: f64, direction: Direction) -> Option<Self> {
        let difference = after - before;
        if !difference.is_finite() {
            return None;
        }
        if difference == 0.0 {
            return Some(Self { text: "same".to_owned(), class: "dim", verdict: "" });
        }
        let is_better = (difference > 0.0) == (direction == Direction::Higher);
        let sign = if difference > 0.0 { '+' } else { '\u{2212}' };
        Some(Self {
            text: format!("{sign}{}", format::number(difference.abs())),
            class: if is_better { "ok" } else { "bad" },
            verdict: if is_better { "better" } else { "worse" },
        })
    }
}

/// `2nd of 26`. Beyond what is counted, that much is said; of a value that no other run has, nothing.
fn rank(standing: Standing) -> String {
    let all = if standing.all >= RANK_LIMIT { format!("{RANK_LIMIT}+") } else { standing.all.to_string() };
    match standing {
        Standing { all: ..=1, .. } => String::new(),
        Standing { better, .. } if better >= RANK_LIMIT => format!("beyond {}", ordinal(RANK_LIMIT)),
        Standing { better, .. } => format!("{} of {all}", ordinal(better + 1)),
    }
}

fn ordinal(number: i64) -> String {
    let ending = match (number % 10, number % 100) {
        (_, 11..=13) => "th",
        (1, _) => "st",
        (2, _) => "nd",
        (3, _) => "rd",
        _ => "th",
    };
    format!("{number}{ending}")
}

/// The file that all results come from, if it is one.
pub(super) fn common_source(results: &[ResultRow]) -> Option<String> {
    let (first, rest) = results.split_first()?;
    let is_common = !first.source.is_empty() && rest.iter().all(|result| result.source == first.source);
    is_common.then(|| first.source.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_better_or_worse_as_the_result_goes() {
        let read = |before, after, direction| {
            let change = Change::new(before, after, direction).unwrap();
            (change.text, change.verdict)
        };
        assert_eq!(read(0.9718, 0.9803, Direction::Higher), ("+0.0085".to_owned(), "better"));
        assert_eq!(read(0.0184, 0.0121, Direction::Lower), ("−0.0063".to_owned(), "better"));
        assert_eq!(read(58.1, 72.4, Direction::Lower), ("+14.3".to_owned(), "worse"));
        assert_eq!(read(1.0, 1.0, Direction::Lower), ("same".to_owned(), ""));
        assert!(Change::new(f64::NAN, 1.0, Direction::Higher).is_none());
        assert!(Change::new(1.0, f64::INFINITY, Direction::Higher).is_none());
    }

    #[test]
    fn a_rank_says_no_more_than_was_counted() {
        let read = |better, all| rank(Standing { better, all });
        assert_eq!(read(0, 26), "1st of 26");
        assert_eq!(read(1, 26), "2nd of 26");
        assert_eq!(read(11, 26), "12th of 26");
        assert_eq!(read(20, 26), "21st of 26");
        assert_eq!(read(3, 100), "4th of 100+");
        assert_eq!(read(100, 100), "beyond 100th");
        assert_eq!(read(0, 1), "");
    }
}
