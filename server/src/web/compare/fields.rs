//! The numbers by which runs can be placed: results, parameters, and how long they ran.

use crate::domain::query::RESULT_PREFIX;
use crate::services::comparison::{Column, Compared, SectionKind};
use crate::web::shell::Choice;
use crate::web::{format, plot, terminal};

/// So many fields are offered.
const FIELDS_MAX: usize = 200;
/// So many characters of their names are shown.
const LABEL_MAX_CHARS: usize = 60;

/// Beyond this no span of two values is a number.
const LARGEST: f64 = 1e300;

/// A number that at least two of the runs have.
#[derive(Debug)]
pub(super) struct Field {
    /// As addresses name it: `metrics.accuracy`, `config.train.lr`, `duration`.
    pub(super) name: String,
    /// As people read it.
    pub(super) label: String,
    /// What each column has of it; never NaN or infinite.
    pub(super) values: Vec<Option<f64>>,
    /// It came out of the runs, and did not go into them.
    pub(super) is_result: bool,
}

impl Field {
    /// Its lowest and its highest value.
    pub(super) fn ends(&self) -> Option<(f64, f64)> {
        plot::ends(self.values.iter().copied())
    }

    /// Whether the runs have different values.
    pub(super) fn differs(&self) -> bool {
        self.ends().is_some_and(|(low, high)| low < high)
    }

    /// What a form offers.
    pub(super) fn choice(&self, is_chosen: bool) -> Choice {
        Choice { value: self.name.clone(), label: self.label.clone(), is_chosen }
    }
}

/// All such numbers: what went in, then what came out.
pub(super) fn of(found: &Compared) -> Vec<Field> {
    let sections = found.sections.iter().filter(|section| section.kind == SectionKind::Parameters);
    let parameters = sections.flat_map(|section| &section.rows).map(|row| {
        let number = |value: &Option<String>| value.as_deref().and_then(|value| value.parse::<f64>().ok());
        (format!("config.{}", row.name), row.values.iter().map(number).collect::<Vec<_>>(), false)
    });
    let results = found.results.iter().map(|row| {
        let numbers = row.values.iter().map(|value| value.as_ref().and_then(|value| value.number));
        (format!("{RESULT_PREFIX}{}", row.name), numbers.collect::<Vec<_>>(), true)
    });
    let seconds = |column: &Column| column.run().and_then(|run| run.run.duration_seconds);
    let duration = ("duration".to_owned(), found.columns.iter().map(seconds).collect::<Vec<_>>(), true);
    let all = parameters.chain(results).chain([duration]);
    let fields = all.map(|(name, values, is_result)| Field {
        label: match name.as_str() {
            "duration" => "duration in s".to_owned(),
            name => format::short(&terminal::clean(name), LABEL_MAX_CHARS),
        },
        name,
        values: values.into_iter().map(|value| value.filter(|value| value.abs() <= LARGEST)).collect(),
        is_result,
    });
    fields.filter(|field| field.values.iter().flatten().count() > 1).take(FIELDS_MAX).collect()
}
