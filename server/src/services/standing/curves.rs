//! Which of a run's series say most of it: the ones that its page draws.

use super::Surroundings;
use crate::app::AppState;
use crate::domain::Run;
use crate::domain::result::Direction;
use crate::error::Result;
use crate::store;

/// So many series are drawn.
const CURVES: usize = 2;
/// Among so many names they are chosen.
const NAMES: i64 = 1_000;
/// A word of these tells that values come from data that was not trained on.
const HELD_OUT: [&str; 7] = ["val", "valid", "validation", "eval", "test", "dev", "holdout"];

/// A series that a run's page draws.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Curve {
    /// Its name.
    pub name: String,
    /// Whether the parent has one of the same name.
    pub is_of_parent: bool,
    /// Which way it gets better.
    pub direction: Direction,
    /// Whether that is known, and not only guessed because nothing else was: learning rates and counters rise too.
    pub has_best: bool,
}

/// The main series of a run. Of their points none is read.
pub async fn curves(app: &AppState, run: &Run, around: &Surroundings) -> Result<Vec<Curve>> {
    let parent = around.ancestors.last().map(|parent| parent.id);
    let mut connection = app.pool.acquire().await?;
    let found = store::comparison::series_beside(&mut connection, run.project_id, run.id, parent, NAMES).await?;
    let main = around.main_result.as_deref().unwrap_or_default();
    let curve = |(name, is_of_parent): (String, bool)| {
        let direction = around.directions.of(&name);
        let has_best = direction == Direction::Lower || is_named_after(&name, main);
        Curve { name, is_of_parent, direction, has_best }
    };
    Ok(chosen(found, main).into_iter().map(curve).collect())
}

/// The series that measure the main result first, then losses; of each the values on data that was not trained on.
fn chosen(mut found: Vec<(String, bool)>, main: &str) -> Vec<(String, bool)> {
    found.sort_by_cached_key(|(name, _)| {
        let words = words(name);
        let kind = if is_named_after(name, main) {
            0
        } else if words.iter().any(|word| word == "loss") {
            1
        } else {
            2
        };
        let is_trained_on = !words.iter().any(|word| HELD_OUT.contains(&word.as_str()));
        (kind, is_trained_on, name.clone())
    });
    let mut left = found.into_iter();
    let Some(first) = left.next() else { return Vec::new() };
    // `train/loss` beside `val/loss` says less than another quantity does.
    let (same, others): (Vec<_>, Vec<_>) = left.partition(|(name, _)| words(name).last() == words(&first.0).last());
    std::iter::once(first).chain(others).chain(same).take(CURVES).collect()
}

/// Whether a series measures a result: `val/accuracy` the `accuracy`, `val/loss` the `val_loss`.
fn is_named_after(series: &str, result: &str) -> bool {
    let result = words(result);
    !result.is_empty() && words(series).ends_with(&result)
}

/// The words of a name, in small letters.
fn words(name: &str) -> Vec<String> {
    let words = name.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.map(str::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(found: &[&str], main: &str) -> Vec<String> {
        let found = found.iter().map(|name| ((*name).to_owned(), false)).collect();
        chosen(found, main).into_iter().map(|(name, _)| name).collect()
    }

    #[test]
    fn what_the_main_result_measures_comes_first_and_then_another_quantity() {
        let found = ["lr", "train/accuracy", "train/loss", "val/accuracy", "val/loss"];
        assert_eq!(names(&found, "accuracy"), ["val/accuracy", "val/loss"]);
        assert_eq!(names(&found, "val_loss"), ["val/loss", "val/accuracy"]);
        assert_eq!(names(&found, ""), ["val/loss", "val/accuracy"]);
    }

    #[test]
    fn of_one_quantity_the_values_on_data_that_was_not_trained_on_come_first() {
        assert_eq!(names(&["train/loss", "val/loss"], "accuracy"), ["val/loss", "train/loss"]);
        assert_eq!(names(&["loss"], "accuracy"), ["loss"]);
        assert_eq!(names(&[], "accuracy"), Vec::<String>::new());
    }

    #[test]
    fn a_series_is_named_after_a_result_by_its_last_words() {
        assert!(is_named_after("val/accuracy", "accuracy") && is_named_after("Val/Loss", "val_loss"));
        assert!(!is_named_after("val/accuracy", "") && !is_named_after("accuracy/top5", "accuracy"));
    }
}
