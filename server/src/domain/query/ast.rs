//! What a query means.

use std::ops::Bound;

use otrace_wire::{ExperimentId, RunStatus};
use time::{Duration, OffsetDateTime};

/// Something that holds for a run or does not.
#[derive(Clone, Debug, PartialEq)]
pub enum Expr {
    /// All of these hold; there are at least two.
    All(Vec<Self>),
    /// Any of these holds; there are at least two.
    Any(Vec<Self>),
    /// It does not hold.
    Not(Box<Self>),
    /// One condition.
    Is(Clause),
}

/// One condition. What a run does not have fulfils none but `NOT`.
#[derive(Clone, Debug, PartialEq)]
pub enum Clause {
    /// It has these words, in this place or anywhere.
    Words(Option<TextPlace>, Words),
    /// It stands so.
    Status(RunStatus),
    /// It has this tag.
    Tag(String),
    /// This person's key recorded it.
    Author(Author),
    /// It ran on this branch.
    Branch(String),
    /// It ran on the commit that begins so, in lower-case hex digits.
    Commit(String),
    /// It goes on from this run.
    Parent(ExperimentId),
    /// It was then.
    Time(TimeField, Span<Moment>),
    /// It is as much.
    Number(NumberField, Span<f64>),
    /// It has a result of this name for which this holds.
    Metric(String, MetricTest),
    /// Its configs have a value of this name for which this holds.
    Config(String, ConfigTest),
    /// It has any such thing.
    Has(Presence),
}

/// Words that stand one after another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Words {
    /// The words as they were written.
    pub text: String,
    /// The last one is only the beginning of a word.
    pub is_prefix: bool,
}

impl Words {
    /// The words with spaces between them, as `words_of` of the database sees a text.
    pub fn plain(&self) -> String {
        self.text.chars().map(|c| if c.is_ascii_punctuation() { ' ' } else { c }).collect()
    }
}

/// Where words may stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TextPlace {
    /// The run's short name.
    Title,
    /// Why it was run.
    Intent,
    /// What it was run on.
    Setup,
    /// The command.
    Command,
    /// Its notes.
    Note,
}

/// Who recorded a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Author {
    /// Whoever asks.
    Me,
    /// Somebody's e-mail address or what stands before its `@`, or their name or one word of it.
    Named(String),
}

/// The times of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeField {
    /// When it was recorded.
    Created,
    /// When its command started.
    Started,
    /// When that ended.
    Finished,
    /// When anything about it last changed.
    Updated,
}

/// The numbers of a run that are no results.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NumberField {
    /// How long it ran, in seconds.
    Duration,
    /// Its exit code.
    Exit,
    /// Its number in the project.
    Number,
}

/// What lies between two ends, of which one may be open.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Span<T> {
    /// Where it begins.
    pub from: Bound<T>,
    /// Where it ends.
    pub to: Bound<T>,
}

/// A point in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// This one.
    At(OffsetDateTime),
    /// So many seconds before the query is asked.
    Ago(u32),
}

impl Moment {
    /// When it is.
    pub fn when(self, now: OffsetDateTime) -> OffsetDateTime {
        match self {
            Self::At(time) => time,
            Self::Ago(seconds) => now.saturating_sub(Duration::seconds(i64::from(seconds))),
        }
    }
}

/// What holds for a result.
#[derive(Clone, Debug, PartialEq)]
pub enum MetricTest {
    /// It is a number between these.
    Within(Span<f64>),
    /// It is NaN.
    NotANumber,
    /// It is this text, or with `true` and `false` this truth value.
    Text(String),
}

/// What holds for a value of a config.
#[derive(Clone, Debug, PartialEq)]
pub enum ConfigTest {
    /// It is a number between these.
    Within(Span<f64>),
    /// It is this text, whatever its case; a truth value is `true` or `false`.
    Text(String),
}

/// What a run may lack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Presence {
    /// A title.
    Title,
    /// A tag.
    Tag,
    /// A note.
    Note,
    /// A run that it goes on from.
    Parent,
    /// A known author.
    Author,
    /// A known branch.
    Branch,
    /// A known commit.
    Commit,
    /// A start.
    Started,
    /// An end.
    Finished,
    /// A duration.
    Duration,
    /// An exit code.
    Exit,
    /// A result of this name.
    Metric(String),
    /// A value of this name in its configs.
    Config(String),
}
