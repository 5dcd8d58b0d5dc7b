//! Results of a run by their names, and how much a number has changed.

use std::collections::BTreeSet;

use otrace_wire::ResultValue;
use serde_json::Value;

/// How a number has changed; nothing where one of the two is none.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Change {
    /// How much more it is.
    pub(crate) difference: Option<f64>,
    /// The same in percent of what it was.
    pub(crate) percent: Option<f64>,
}

impl Change {
    pub(crate) fn of(was: &Value, is: &Value) -> Self {
        let numbers = was.as_f64().zip(is.as_f64());
        let finite = |number: &f64| number.is_finite();
        let difference = numbers.map(|(was, is)| is - was).filter(finite);
        let percent = numbers.filter(|(was, _)| *was != 0.0).map(|(was, is)| (is - was) / was.abs() * 100.0);
        Self { difference, percent: percent.filter(finite) }
    }
}

/// Results by their names, in their order; where several have one name, by the files that they come from too.
pub(crate) fn named(results: &[ResultValue]) -> Vec<(String, &Value)> {
    let mut taken = BTreeSet::new();
    let mut named = Vec::with_capacity(results.len());
    for result in results {
        let name = result.name.clone().unwrap_or_default();
        let full = format!("{name} ({})", result.source_path.as_deref().unwrap_or("elsewhere"));
        let name = if taken.contains(&name) { full } else { name };
        if taken.insert(name.clone()) {
            named.push((name, &result.value));
        }
    }
    named
}
