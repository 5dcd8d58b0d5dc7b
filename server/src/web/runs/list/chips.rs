//! The conditions of a query in words.

use std::fmt::Display;
use std::ops::Bound;

use time::OffsetDateTime;

use super::address::{View, conditions, without};
use crate::domain::query::{
    Author, Clause, ConfigTest, Expr, MetricTest, Moment, NumberField, Presence, Query, Span, TextPlace, TimeField,
};
use crate::web::format;
use crate::web::terminal;

/// A condition in words, and where the list is without it.
pub struct Chip {
    pub(super) text: String,
    pub(super) href: String,
}

/// Each condition that must hold.
pub(super) fn chips(base: &str, view: &View, query: &Query) -> Vec<Chip> {
    let chip = |(position, expr): (usize, &Expr)| Chip {
        text: terminal::clean(&in_words(expr)),
        href: view.asking(without(query, position)).url(base),
    };
    conditions(query).iter().enumerate().map(chip).collect()
}

fn in_words(expr: &Expr) -> String {
    match expr {
        Expr::All(all) => all.iter().map(in_words).collect::<Vec<_>>().join(" and "),
        Expr::Any(any) => any.iter().map(in_words).collect::<Vec<_>>().join(" or "),
        Expr::Not(inner) if matches!(**inner, Expr::All(_) | Expr::Any(_)) => format!("not ({})", in_words(inner)),
        Expr::Not(inner) => match &**inner {
            Expr::Is(Clause::Has(presence)) => format!("without {}", name_of(presence)),
            inner => format!("not {}", in_words(inner)),
        },
        Expr::Is(clause) => clause_in_words(clause),
    }
}

fn clause_in_words(clause: &Clause) -> String {
    match clause {
        Clause::Words(None, words) => format!("has “{}”", words.text),
        Clause::Words(Some(place), words) => format!("{} has “{}”", place_in_words(*place), words.text),
        Clause::Status(status) => status.as_str().replace('_', " "),
        Clause::Tag(tag) => format!("tagged {tag}"),
        Clause::Author(Author::Me) => "by me".to_owned(),
        Clause::Author(Author::Named(name)) => format!("by {name}"),
        Clause::Branch(branch) => format!("on branch {branch}"),
        Clause::Commit(commit) => format!("at commit {commit}"),
        Clause::Parent(run) => format!("goes on from {run}"),
        Clause::Time(field, span) => time_in_words(*field, span),
        Clause::Number(NumberField::Duration, span) => {
            format!("duration {}", span_in_words(span, |s| format::duration(*s)))
        }
        Clause::Number(NumberField::Exit, span) => format!("exit {}", span_in_words(span, |n| format::number(*n))),
        Clause::Number(NumberField::Number, span) => format!("number {}", span_in_words(span, |n| format::number(*n))),
        Clause::Metric(name, MetricTest::Within(span)) | Clause::Config(name, ConfigTest::Within(span)) => {
            format!("{name} {}", span_in_words(span, |number| format::number(*number)))
        }
        Clause::Metric(name, MetricTest::NotANumber) => format!("{name} is NaN"),
        Clause::Metric(name, MetricTest::Text(text)) | Clause::Config(name, ConfigTest::Text(text)) => {
            format!("{name} is {text}")
        }
        Clause::Has(presence) => format!("with {}", name_of(presence)),
    }
}

const fn place_in_words(place: TextPlace) -> &'static str {
    match place {
        TextPlace::Title => "title",
        TextPlace::Intent => "intent",
        TextPlace::Setup => "setup",
        TextPlace::Command => "command",
        TextPlace::Note => "a note",
    }
}

fn name_of(presence: &Presence) -> String {
    let name: &str = match presence {
        Presence::Title => "a title",
        Presence::Tag => "a tag",
        Presence::Note => "a note",
        Presence::Parent => "a parent",
        Presence::Author => "an author",
        Presence::Branch => "a branch",
        Presence::Commit => "a commit",
        Presence::Started => "a start",
        Presence::Finished => "an end",
        Presence::Duration => "a duration",
        Presence::Exit => "an exit code",
        Presence::Metric(name) | Presence::Config(name) => name,
    };
    name.to_owned()
}

fn span_in_words<T: PartialEq, D: Display>(span: &Span<T>, shown: impl Fn(&T) -> D) -> String {
    let (from, to) = (&span.from, &span.to);
    match (from, to) {
        (Bound::Included(from), Bound::Included(to)) if from == to => shown(from).to_string(),
        (Bound::Unbounded, Bound::Unbounded) => "any".to_owned(),
        (Bound::Included(from), Bound::Unbounded) => format!("at least {}", shown(from)),
        (Bound::Excluded(from), Bound::Unbounded) => format!("above {}", shown(from)),
        (Bound::Unbounded, Bound::Included(to)) => format!("at most {}", shown(to)),
        (Bound::Unbounded, Bound::Excluded(to)) => format!("below {}", shown(to)),
        (Bound::Included(from) | Bound::Excluded(from), Bound::Included(to) | Bound::Excluded(to)) => {
            format!("from {} to {}", shown(from), shown(to))
        }
    }
}

fn time_in_words(field: TimeField, span: &Span<Moment>) -> String {
    let verb = match field {
        TimeField::Created => "recorded",
        TimeField::Started => "started",
        TimeField::Finished => "ended",
        TimeField::Updated => "changed",
    };
    match (&span.from, &span.to) {
        (Bound::Included(Moment::Ago(ago)) | Bound::Excluded(Moment::Ago(ago)), Bound::Unbounded) => {
            format!("{verb} in the last {}", long(*ago))
        }
        (Bound::Unbounded, Bound::Included(Moment::Ago(ago)) | Bound::Excluded(Moment::Ago(ago))) => {
            format!("{verb} more than {} ago", long(*ago))
        }
        (Bound::Included(from) | Bound::Excluded(from), Bound::Unbounded) => format!("{verb} since {}", at(*from)),
        (Bound::Unbounded, Bound::Included(to) | Bound::Excluded(to)) => format!("{verb} before {}", at(*to)),
        _ => format!("{verb} {}", span_in_words(span, |moment| at(*moment))),
    }
}

/// `30 days`, or in units that leave nothing over.
fn long(seconds: u32) -> String {
    let counted = |unit: u32, one: &str, many: &str| format::counted(i64::from(seconds / unit), one, many);
    match seconds {
        _ if seconds >= 86_400 && seconds.is_multiple_of(86_400) => counted(86_400, "day", "days"),
        _ if seconds >= 3600 && seconds.is_multiple_of(3600) => counted(3600, "hour", "hours"),
        _ if seconds >= 60 && seconds.is_multiple_of(60) => counted(60, "minute", "minutes"),
        _ => counted(1, "second", "seconds"),
    }
}

fn at(moment: Moment) -> String {
    let exact = |time: OffsetDateTime| format::Moment::new(time, time).exact;
    match moment {
        Moment::At(time) => exact(time).replace(", 00:00 UTC", ""),
        Moment::Ago(seconds) => format!("{} ago", long(seconds)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::query::parse;

    #[test]
    fn each_condition_is_told_in_words() {
        for (query, words) in [
            ("-tag:scratch", "not tagged scratch"),
            ("status:capture_failed", "capture failed"),
            ("started:>30d", "started in the last 30 days"),
            ("created < 36h", "recorded more than 36 hours ago"),
            ("created >= 2026-06-01", "recorded since 1 Jun 2026"),
            ("metrics.accuracy > 0.9", "accuracy above 0.9"),
            ("metrics.lr:[1e-4 TO 1e-2]", "lr from 0.0001 to 0.01"),
            ("metrics.loss:nan", "loss is NaN"),
            ("config.lr:[1e-4 TO 1e-2]", "lr from 0.0001 to 0.01"),
            ("config.optimizer:adam", "optimizer is adam"),
            ("NOT has:config.lr", "without lr"),
            ("NOT has:metrics.loss", "without loss"),
            ("duration > 90m", "duration above 1 h 30 m"),
            ("author:me", "by me"),
            ("note:\"too slow\"", "a note has “too slow”"),
            ("status:failed OR tag:a", "failed or tagged a"),
            ("-(status:failed OR tag:a)", "not (failed or tagged a)"),
            ("parent:exp7", "goes on from exp007"),
        ] {
            let query = parse(query).unwrap();
            assert_eq!(in_words(query.expr.as_ref().unwrap()).replace('\u{a0}', " "), words);
        }
    }
}
