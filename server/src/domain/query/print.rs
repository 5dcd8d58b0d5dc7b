//! A query as text: what is printed reads as the same query.

use std::fmt;
use std::ops::Bound;

use super::ast::{Author, Clause, ConfigTest, Expr, MetricTest, Moment, Presence, Span, Words};
use super::fields::{Field, name_of};
use super::values::rfc3339;
use super::{CONFIG_PREFIX, Query, RESULT_PREFIX};

impl fmt::Display for Query {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.expr.as_ref().map_or(Ok(()), |expr| expr.fmt(f))
    }
}

impl fmt::Display for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let listed = |f: &mut fmt::Formatter<'_>, all: &[Self], between: &str| {
            for (index, expr) in all.iter().enumerate() {
                if index > 0 {
                    f.write_str(between)?;
                }
                expr.fmt_inside(f)?;
            }
            Ok(())
        };
        match self {
            Self::All(all) => listed(f, all, " "),
            Self::Any(all) => listed(f, all, " OR "),
            Self::Not(expr) => {
                f.write_str("NOT ")?;
                expr.fmt_inside(f)
            }
            Self::Is(clause) => clause.fmt(f),
        }
    }
}

impl Expr {
    /// As a part of another one.
    fn fmt_inside(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All(_) | Self::Any(_) => write!(f, "({self})"),
            Self::Not(_) | Self::Is(_) => write!(f, "{self}"),
        }
    }
}

impl fmt::Display for Clause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Words(None, words) => words.fmt(f),
            Self::Words(Some(place), words) => write!(f, "{}:{words}", name_of(&Field::Words(*place))),
            Self::Status(status) => write!(f, "status:{status}"),
            Self::Tag(tag) => write!(f, "tag:{}", Value(tag)),
            Self::Author(Author::Me) => f.write_str("author:me"),
            Self::Author(Author::Named(name)) => write!(f, "author:{}", Quoted(name)),
            Self::Branch(branch) => write!(f, "branch:{}", Value(branch)),
            Self::Commit(commit) => write!(f, "commit:{commit}"),
            Self::Parent(run) => write!(f, "parent:{run}"),
            Self::Time(field, Span { from, to }) => {
                let span = Span { from: from.map(written), to: to.map(written) };
                range(f, name_of(&Field::Time(*field)), &span)
            }
            Self::Number(field, span) => number(f, name_of(&Field::Number(*field)), span),
            Self::Metric(name, MetricTest::Within(span)) => number(f, &metric(name), span),
            Self::Metric(name, MetricTest::NotANumber) => write!(f, "{}:nan", metric(name)),
            Self::Metric(name, MetricTest::Text(text)) => write!(f, "{}:{}", metric(name), Quoted(text)),
            Self::Config(name, ConfigTest::Within(span)) => number(f, &config(name), span),
            Self::Config(name, ConfigTest::Text(text)) => write!(f, "{}:{}", config(name), Quoted(text)),
            Self::Has(Presence::Metric(name)) => write!(f, "has:{}", metric(name)),
            Self::Has(Presence::Config(name)) => write!(f, "has:{}", config(name)),
            Self::Has(presence) => write!(f, "has:{}", word_of(presence)),
        }
    }
}

impl fmt::Display for Words {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_keyword = ["AND", "OR", "NOT"].contains(&self.text.as_str());
        match (self.is_prefix, is_plain(&self.text) && !self.text.starts_with('-') && !is_keyword) {
            (true, true) => f.write_str(&self.text),
            (true, false) => write!(f, "{}*", Quoted(&self.text)),
            (false, _) => write!(f, "{}", Quoted(&self.text)),
        }
    }
}

fn written(moment: Moment) -> String {
    match moment {
        Moment::At(time) => rfc3339(time),
        Moment::Ago(seconds) => format!("{seconds}s"),
    }
}

/// A number so that it reads as itself: whole where it is, otherwise with as many digits as it takes.
fn digits(number: f64) -> String {
    if number.fract() == 0.0 && number.abs() < 1e15 { format!("{number}") } else { format!("{number:?}") }
}

fn number(f: &mut fmt::Formatter<'_>, name: &str, span: &Span<f64>) -> fmt::Result {
    match (span.from, span.to) {
        (Bound::Included(from), Bound::Included(to)) if from.total_cmp(&to).is_eq() => {
            write!(f, "{name}:{}", digits(from))
        }
        (from, to) => range(f, name, &Span { from: from.map(digits), to: to.map(digits) }),
    }
}

fn range(f: &mut fmt::Formatter<'_>, name: &str, span: &Span<String>) -> fmt::Result {
    let (open, from) = match &span.from {
        Bound::Unbounded => ('[', "*"),
        Bound::Included(from) => ('[', from.as_str()),
        Bound::Excluded(from) => ('{', from.as_str()),
    };
    let (close, to) = match &span.to {
        Bound::Unbounded => (']', "*"),
        Bound::Included(to) => (']', to.as_str()),
        Bound::Excluded(to) => ('}', to.as_str()),
    };
    match (&span.from, &span.to) {
        (Bound::Included(_), Bound::Unbounded) => write!(f, "{name} >= {from}"),
        (Bound::Excluded(_), Bound::Unbounded) => write!(f, "{name} > {from}"),
        (Bound::Unbounded, Bound::Included(_)) => write!(f, "{name} <= {to}"),
        (Bound::Unbounded, Bound::Excluded(_)) => write!(f, "{name} < {to}"),
        _ => write!(f, "{name}:{open}{from} TO {to}{close}"),
    }
}

const fn word_of(presence: &Presence) -> &'static str {
    match presence {
        Presence::Title => "title",
        Presence::Tag => "tag",
        Presence::Note => "note",
        Presence::Parent => "parent",
        Presence::Author => "author",
        Presence::Branch => "branch",
        Presence::Commit => "commit",
        Presence::Started => "started",
        Presence::Finished => "finished",
        Presence::Duration => "duration",
        Presence::Exit => "exit",
        Presence::Metric(_) => "metrics",
        Presence::Config(_) => "config",
    }
}

/// `metrics.accuracy`, `metrics."val loss"`.
fn metric(name: &str) -> String {
    behind(RESULT_PREFIX, name)
}

/// `config.optimizer.lr`, `config."batch size"`.
fn config(name: &str) -> String {
    behind(CONFIG_PREFIX, name)
}

fn behind(prefix: &str, name: &str) -> String {
    if is_plain(name) && !name.ends_with('.') { format!("{prefix}{name}") } else { format!("{prefix}{}", Quoted(name)) }
}

/// Nothing in it means anything to the one who reads it.
fn is_plain(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '/' | '@' | '+'))
}

/// A value, in quotes where it needs them.
struct Value<'a>(&'a str);

impl fmt::Display for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if is_plain(self.0) { f.write_str(self.0) } else { Quoted(self.0).fmt(f) }
    }
}

/// A text in quotes.
struct Quoted<'a>(&'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.0.replace('\\', "\\\\").replace('"', "\\\""))
    }
}
