//! In which order runs come, and where in that order a page begins.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use time::OffsetDateTime;

use super::{CONFIG_PREFIX, RESULT_PREFIX};
use crate::domain::text::{Invalid, NAME_MAX_BYTES};

/// In which order runs come. Runs that lack what they are sorted by come last, the newest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sort {
    /// By what.
    pub field: SortField,
    /// The highest, latest or last first.
    pub is_descending: bool,
}

impl Default for Sort {
    fn default() -> Self {
        Self { field: SortField::Created, is_descending: true }
    }
}

/// By what runs are sorted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SortField {
    /// When it was recorded.
    Created,
    /// When its command started.
    Started,
    /// When that ended.
    Finished,
    /// When anything about it last changed.
    Updated,
    /// Its number in the project.
    Number,
    /// How long it ran.
    Duration,
    /// Where it stands, by the word for it.
    Status,
    /// Its short name, without regard to case.
    Title,
    /// Its first tag, without regard to case.
    Tag,
    /// Who recorded it, by their name.
    Author,
    /// The commit that it ran on.
    Commit,
    /// Its first result of this name that is a number and not NaN.
    Metric(String),
    /// The value of this name in its configs, where that is a number.
    Config(String),
}

const NAMES: [(&str, SortField); 11] = [
    ("created", SortField::Created),
    ("started", SortField::Started),
    ("finished", SortField::Finished),
    ("updated", SortField::Updated),
    ("number", SortField::Number),
    ("duration", SortField::Duration),
    ("status", SortField::Status),
    ("title", SortField::Title),
    ("tag", SortField::Tag),
    ("author", SortField::Author),
    ("commit", SortField::Commit),
];

impl fmt::Display for Sort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.is_descending { "-" } else { "" };
        match &self.field {
            SortField::Metric(name) => write!(f, "{sign}{RESULT_PREFIX}{name}"),
            SortField::Config(name) => write!(f, "{sign}{CONFIG_PREFIX}{name}"),
            field => {
                let name = NAMES.into_iter().find(|(_, known)| known == field).map_or("", |(name, _)| name);
                write!(f, "{sign}{name}")
            }
        }
    }
}

impl FromStr for Sort {
    type Err = Invalid;

    /// `duration`, or `-duration` for the longest first.
    fn from_str(text: &str) -> Result<Self, Invalid> {
        let (name, is_descending) = text.strip_prefix('-').map_or((text, false), |name| (name, true));
        let is_name = |name: &&str| (1..=NAME_MAX_BYTES).contains(&name.len()) && !name.contains('\0');
        let behind = |prefix: &str| name.strip_prefix(prefix).filter(is_name).map(str::to_owned);
        let known = || NAMES.into_iter().find(|(known, _)| *known == name).map(|(_, field)| field);
        let field = behind(RESULT_PREFIX)
            .map(SortField::Metric)
            .or_else(|| behind(CONFIG_PREFIX).map(SortField::Config))
            .or_else(known)
            .ok_or(Invalid(
                "Sort by created, started, finished, updated, number, duration, status, title, tag, author, commit, \
                 metrics.NAME or config.NAME; with - before it, the highest come first.",
            ))?;
        Ok(Self { field, is_descending })
    }
}

/// What the places in an order are made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyKind {
    /// The run's number alone.
    Own,
    /// A number.
    Number,
    /// A time.
    Time,
    /// A text.
    Text,
}

impl SortField {
    /// What the places in this order are made of.
    pub const fn kind(&self) -> KeyKind {
        match self {
            Self::Number => KeyKind::Own,
            Self::Created | Self::Started | Self::Finished | Self::Updated => KeyKind::Time,
            Self::Duration | Self::Metric(_) | Self::Config(_) => KeyKind::Number,
            Self::Status | Self::Title | Self::Tag | Self::Author | Self::Commit => KeyKind::Text,
        }
    }

    /// Whether a run may lack it.
    pub const fn may_be_missing(&self) -> bool {
        match self {
            Self::Created | Self::Updated | Self::Number | Self::Status => false,
            Self::Started
            | Self::Finished
            | Self::Duration
            | Self::Title
            | Self::Tag
            | Self::Author
            | Self::Commit
            | Self::Metric(_)
            | Self::Config(_) => true,
        }
    }
}

/// Where a run stands in an order: pages go on after a place, and never count from the beginning.
#[derive(Clone, Debug, PartialEq)]
pub struct Place {
    /// What it is sorted by.
    pub key: Key,
    /// Its number, which tells apart those that have the same.
    pub number: i32,
}

/// What a run is sorted by.
#[derive(Clone, Debug, PartialEq)]
pub enum Key {
    /// Its number alone.
    Own,
    /// It lacks what is sorted by.
    Missing,
    /// A number.
    Number(f64),
    /// A time.
    Time(OffsetDateTime),
    /// A text.
    Text(String),
}

/// Between the parts of a cursor; the last part is the only one that may have it in it.
const BETWEEN: char = '\n';

impl Place {
    /// The place as clients carry it about, in this order.
    pub fn to_cursor(&self, sort: &Sort) -> String {
        let (kind, key) = match &self.key {
            Key::Own => ("own", String::new()),
            Key::Missing => ("missing", String::new()),
            // By its bits, so that each number comes back as itself.
            Key::Number(number) => ("number", format!("{:016x}", number.to_bits())),
            Key::Time(time) => ("time", time.unix_timestamp_nanos().to_string()),
            Key::Text(text) => ("text", text.clone()),
        };
        let order = URL_SAFE_NO_PAD.encode(sort.to_string());
        URL_SAFE_NO_PAD.encode(format!("{order}{BETWEEN}{}{BETWEEN}{kind}{BETWEEN}{key}", self.number))
    }

    /// The place that a cursor tells, if it is one of this order.
    pub fn from_cursor(cursor: &str, sort: &Sort) -> Result<Self, Invalid> {
        let none = Invalid("This cursor belongs to no such list. Ask for the first page again, without a cursor.");
        Self::read(cursor, sort).ok_or(none)
    }

    fn read(cursor: &str, sort: &Sort) -> Option<Self> {
        let text = String::from_utf8(URL_SAFE_NO_PAD.decode(cursor).ok()?).ok()?;
        let mut parts = text.splitn(4, BETWEEN);
        let (order, number, kind, key) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        if order != URL_SAFE_NO_PAD.encode(sort.to_string()) {
            return None;
        }
        let key = match (kind, sort.field.kind()) {
            ("own", KeyKind::Own) => Key::Own,
            ("missing", _) if sort.field.may_be_missing() => Key::Missing,
            ("number", KeyKind::Number) => Key::Number(f64::from_bits(u64::from_str_radix(key, 16).ok()?)),
            ("time", KeyKind::Time) => {
                let time = OffsetDateTime::from_unix_timestamp_nanos(key.parse().ok()?).ok()?;
                // PostgreSQL does not know all other years.
                Key::Time(Some(time).filter(|time| (0..=9999).contains(&time.year()))?)
            }
            // No text of the database has a NUL, and it could not be asked for one.
            ("text", KeyKind::Text) if !key.contains('\0') => Key::Text(key.to_owned()),
            _ => return None,
        };
        Some(Self { key, number: number.parse().ok()? })
    }
}
