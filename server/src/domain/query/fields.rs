//! What can be asked for by name, and which values each field takes.

use std::ops::Bound;

use otrace_wire::{ExperimentId, RunStatus};

use super::ast::{
    Author, Clause, ConfigTest, Expr, MetricTest, Moment, NumberField, Presence, Span, TextPlace, TimeField,
};
use super::parser::words;
use super::reader::{Fault, Result, Word};
use super::values::{self, Stretch};
use super::{CONFIG_PREFIX, RESULT_PREFIX};

/// What stands behind a field.
#[derive(Clone, Debug)]
pub(super) enum Given {
    /// Any of these.
    Words(Vec<Word>),
    /// What lies between; one end may be open.
    Between(Bound<Word>, Bound<Word>),
    /// `*`: it only has to be there.
    Anything,
}

/// What can be asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Field {
    Words(TextPlace),
    Status,
    Tag,
    Author,
    Branch,
    Commit,
    Parent,
    Time(TimeField),
    Number(NumberField),
    Has,
    Metric(String),
    Config(String),
}

/// By which names; results and values of configs come besides.
static FIELDS: [(&str, Field); 19] = [
    ("status", Field::Status),
    ("tag", Field::Tag),
    ("title", Field::Words(TextPlace::Title)),
    ("intent", Field::Words(TextPlace::Intent)),
    ("setup", Field::Words(TextPlace::Setup)),
    ("command", Field::Words(TextPlace::Command)),
    ("note", Field::Words(TextPlace::Note)),
    ("author", Field::Author),
    ("branch", Field::Branch),
    ("commit", Field::Commit),
    ("parent", Field::Parent),
    ("created", Field::Time(TimeField::Created)),
    ("started", Field::Time(TimeField::Started)),
    ("finished", Field::Time(TimeField::Finished)),
    ("updated", Field::Time(TimeField::Updated)),
    ("duration", Field::Number(NumberField::Duration)),
    ("exit", Field::Number(NumberField::Exit)),
    ("number", Field::Number(NumberField::Number)),
    ("has", Field::Has),
];

/// The name under which a field is asked for.
pub(super) fn name_of(field: &Field) -> &'static str {
    FIELDS.iter().find(|(_, known)| known == field).map_or("metrics", |(name, _)| *name)
}

/// The field of this name.
pub(super) fn find(name: &Word) -> Result<Field> {
    named(&name.text).ok_or_else(|| unknown(name))
}

fn named(text: &str) -> Option<Field> {
    let behind = |prefix: &str| text.strip_prefix(prefix).filter(|name| !name.is_empty()).map(str::to_owned);
    let known = || FIELDS.iter().find(|(known, _)| *known == text).map(|(_, field)| field.clone());
    behind(RESULT_PREFIX).map(Field::Metric).or_else(|| behind(CONFIG_PREFIX).map(Field::Config)).or_else(known)
}

fn unknown(name: &Word) -> Fault {
    let text = name.shown();
    let known = FIELDS.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
    let nearest = FIELDS.iter().map(|(name, _)| (distance(name, &text), *name)).min();
    let suggestion = match nearest {
        Some((0..=2, nearest)) => format!("; did you mean {nearest}?"),
        _ => String::new(),
    };
    name.fault(format!(
        "\"{text}\" is no field{suggestion} (there are {known}, metrics.NAME and config.NAME; put what is only text in \
         quotes)"
    ))
}

/// In how many characters two words differ, by Levenshtein.
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (above, c) in one.chars().enumerate() {
        let mut diagonal = above;
        let mut left = above + 1;
        for (cell, d) in row.iter_mut().skip(1).zip(&other) {
            let here = (diagonal + usize::from(c != *d)).min(*cell + 1).min(left + 1);
            diagonal = *cell;
            *cell = here;
            left = here;
        }
        row[0] = above + 1;
    }
    row.last().copied().unwrap_or_default()
}

/// What is asked of a field.
pub(super) fn condition(name: &Word, field: &Field, given: Given) -> Result<Expr> {
    match given {
        Given::Anything => presence(name, field).map(|presence| Expr::Is(Clause::Has(presence))),
        Given::Between(from, to) => between(name, field, from, to).map(Expr::Is),
        Given::Words(words) => {
            let mut clauses = Vec::with_capacity(words.len());
            for word in words {
                clauses.push(Expr::Is(equal(field, word)?));
            }
            Ok(match (clauses.pop(), clauses.is_empty()) {
                (Some(only), true) => only,
                (last, _) => {
                    clauses.extend(last);
                    Expr::Any(clauses)
                }
            })
        }
    }
}

fn between(name: &Word, field: &Field, from: Bound<Word>, to: Bound<Word>) -> Result<Clause> {
    Ok(match field {
        Field::Time(time) => Clause::Time(*time, values::span(from, to, values::moment)?),
        Field::Number(number) => Clause::Number(*number, values::span(from, to, |word| read(*number, word))?),
        Field::Metric(metric) => {
            Clause::Metric(metric.clone(), MetricTest::Within(values::span(from, to, values::number)?))
        }
        Field::Config(config) => {
            Clause::Config(config.clone(), ConfigTest::Within(values::span(from, to, values::number)?))
        }
        _ => {
            let message = format!("{} takes words; only times and numbers are compared", name.shown());
            return Err(name.fault(message));
        }
    })
}

fn read(field: NumberField, word: &Word) -> Result<Stretch<f64>> {
    match field {
        NumberField::Duration => values::duration(word),
        NumberField::Exit => values::whole(word),
        NumberField::Number => match word.text.parse::<ExperimentId>() {
            Ok(experiment) => Ok(f64::from(experiment.number()).into()),
            Err(_) => values::whole(word),
        },
    }
}

fn equal(field: &Field, word: Word) -> Result<Clause> {
    Ok(match field {
        Field::Words(place) => Clause::Words(Some(*place), words(word)?),
        Field::Status => {
            let statuses = RunStatus::ALL.map(RunStatus::as_str).join(", ");
            let message = format!("\"{}\" is no status; there are {statuses}", word.shown());
            Clause::Status(word.text.parse().map_err(|_| word.fault(message))?)
        }
        Field::Tag => Clause::Tag(word.text),
        Field::Author if word.text == "me" && !word.is_quoted => Clause::Author(Author::Me),
        Field::Author => Clause::Author(Author::Named(word.text)),
        Field::Branch => Clause::Branch(word.text),
        Field::Commit => {
            let is_hex = word.text.len() <= 64 && word.text.bytes().all(|byte| byte.is_ascii_hexdigit());
            if !is_hex {
                return Err(word.fault("a commit is asked for by up to 64 hex digits that it begins with"));
            }
            Clause::Commit(word.text.to_ascii_lowercase())
        }
        Field::Parent => {
            let message = format!("\"{}\" is no run; write one as exp042", word.shown());
            Clause::Parent(word.text.parse().map_err(|_| word.fault(message))?)
        }
        Field::Time(time) => Clause::Time(*time, at(&word)?),
        Field::Number(number) => Clause::Number(*number, point(read(*number, &word)?.from)),
        Field::Metric(metric) => Clause::Metric(metric.clone(), metric_test(&word)),
        Field::Config(config) => Clause::Config(config.clone(), config_test(word)),
        Field::Has => Clause::Has(presence_named(&word)?),
    })
}

/// The whole day, that moment, or since then.
fn at(word: &Word) -> Result<Span<Moment>> {
    let Stretch { from, end } = values::moment(word)?;
    let to = match (from, end) {
        (_, Some(end)) => Bound::Excluded(end),
        (Moment::Ago(_), None) => Bound::Unbounded,
        (Moment::At(_), None) => Bound::Included(from),
    };
    Ok(Span { from: Bound::Included(from), to })
}

const fn point(number: f64) -> Span<f64> {
    Span { from: Bound::Included(number), to: Bound::Included(number) }
}

fn metric_test(word: &Word) -> MetricTest {
    match word.text.parse::<f64>() {
        Ok(number) if number.is_nan() && !word.is_quoted => MetricTest::NotANumber,
        Ok(number) if !word.is_quoted => MetricTest::Within(point(number)),
        _ => MetricTest::Text(word.text.clone()),
    }
}

/// What is written without quotes and is a number is asked for as one; NaN is a word like any other.
fn config_test(word: Word) -> ConfigTest {
    let number = word.text.parse::<f64>().ok().filter(|number| number.is_finite() && !word.is_quoted);
    number.map_or(ConfigTest::Text(word.text), |number| ConfigTest::Within(point(number)))
}

fn presence_named(word: &Word) -> Result<Presence> {
    match named(&word.text) {
        Some(field) => presence(word, &field),
        None => Err(word.fault(lacking(word))),
    }
}

fn presence(name: &Word, field: &Field) -> Result<Presence> {
    Ok(match field {
        Field::Words(TextPlace::Title) => Presence::Title,
        Field::Words(TextPlace::Note) => Presence::Note,
        Field::Tag => Presence::Tag,
        Field::Author => Presence::Author,
        Field::Branch => Presence::Branch,
        Field::Commit => Presence::Commit,
        Field::Parent => Presence::Parent,
        Field::Time(TimeField::Started) => Presence::Started,
        Field::Time(TimeField::Finished) => Presence::Finished,
        Field::Number(NumberField::Duration) => Presence::Duration,
        Field::Number(NumberField::Exit) => Presence::Exit,
        Field::Metric(metric) => Presence::Metric(metric.clone()),
        Field::Config(config) => Presence::Config(config.clone()),
        _ => return Err(name.fault(lacking(name))),
    })
}

fn lacking(word: &Word) -> String {
    format!(
        "\"{}\" is nothing that a run may lack; there are title, tag, note, parent, author, branch, commit, started, \
         finished, duration, exit, metrics.NAME and config.NAME",
        word.shown()
    )
}
