//! The fields of a JSON object, taken out one by one. What is wrong is gathered, each mistake with its place.

use std::fmt::Display;

use serde_json::{Map, Value};
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;
use time::{Date, OffsetDateTime, PrimitiveDateTime, UtcOffset};

/// Fields of earlier drafts: whoever writes them had something else in mind than a typing error.
const STALE: [&str; 9] = [
    "expected_outputs",
    "local_experiment_id",
    "next_actions",
    "parent",
    "parent_id",
    "run_summary",
    "summary-hook",
    "summary_hook",
    "validity",
];

/// What is wrong, a line each.
#[derive(Debug, Default)]
pub struct Mistakes(Vec<String>);

/// An object, and where it stands.
#[derive(Debug)]
pub struct Fields {
    /// Such as `runs[3].artifacts[0]`; empty for the document itself.
    place: String,
    left: Map<String, Value>,
}

impl Mistakes {
    /// Something is wrong at a place.
    pub fn add(&mut self, place: &str, what: impl Display) {
        self.0.push(format!("{place} {what}"));
    }

    /// Whether nothing is.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// They, in the order in which they were found.
    pub fn into_lines(self) -> Vec<String> {
        self.0
    }
}

impl Fields {
    /// A value that has to be an object.
    pub fn of(value: Value, place: String, mistakes: &mut Mistakes) -> Option<Self> {
        if let Value::Object(left) = value {
            return Some(Self { place, left });
        }
        mistakes.add(&place, "must be an object");
        None
    }

    /// Where a field stands.
    pub fn place(&self, name: &str) -> String {
        if self.place.is_empty() { name.to_owned() } else { format!("{}.{name}", self.place) }
    }

    /// Whether a field is there, if only as null.
    pub fn has(&self, name: &str) -> bool {
        self.left.contains_key(name)
    }

    /// A field as it is. Null is as good as none.
    pub fn take(&mut self, name: &str) -> Option<Value> {
        self.left.shift_remove(name).filter(|value| !value.is_null())
    }

    /// A field that has to be `wanted`, if it is there.
    pub fn read<T>(
        &mut self,
        name: &str,
        wanted: &str,
        mistakes: &mut Mistakes,
        read: impl FnOnce(Value) -> Option<T>,
    ) -> Option<T> {
        let found = read(self.take(name)?);
        if found.is_none() {
            mistakes.add(&self.place(name), format_args!("must be {wanted}"));
        }
        found
    }

    /// A text.
    pub fn text(&mut self, name: &str, mistakes: &mut Mistakes) -> Option<String> {
        self.read(name, "a string", mistakes, text)
    }

    /// A text of at most so many bytes.
    pub fn short_text(&mut self, name: &str, max_bytes: usize, mistakes: &mut Mistakes) -> Option<String> {
        let found = self.text(name, mistakes)?;
        if found.len() > max_bytes {
            mistakes.add(&self.place(name), format_args!("must be at most {max_bytes} bytes long"));
            return None;
        }
        Some(found)
    }

    /// A field that has to be there.
    pub fn require(&self, name: &str, mistakes: &mut Mistakes) {
        let is_there = match self.left.get(name) {
            None | Some(Value::Null) => false,
            Some(Value::String(text)) => !text.trim().is_empty(),
            Some(Value::Array(items)) => !items.is_empty(),
            Some(_) => true,
        };
        if !is_there {
            mistakes.add(&self.place(name), "is required");
        }
    }

    /// A whole number that has room in a `T`.
    pub fn whole<T: TryFrom<i64>>(&mut self, name: &str, mistakes: &mut Mistakes) -> Option<T> {
        self.read(name, "a whole number", mistakes, |value| T::try_from(value.as_i64()?).ok())
    }

    /// True or false.
    pub fn flag(&mut self, name: &str, mistakes: &mut Mistakes) -> Option<bool> {
        self.read(name, "true or false", mistakes, |value| value.as_bool())
    }

    /// A time as the server reads it.
    pub fn time(&mut self, name: &str, mistakes: &mut Mistakes) -> Option<String> {
        let wanted = "a time between 1970 and 2199, such as 2026-06-01T12:00:00Z";
        self.read(name, wanted, mistakes, |value| text(value).filter(|text| is_time(text)))
    }

    /// An object whose fields are nobody's business.
    pub fn object(&mut self, name: &str, mistakes: &mut Mistakes) -> Option<Map<String, Value>> {
        self.read(name, "an object", mistakes, |value| match value {
            Value::Object(object) => Some(object),
            _ => None,
        })
    }

    /// The items of a list, each with its place.
    pub fn list(&mut self, name: &str, mistakes: &mut Mistakes) -> Vec<(String, Value)> {
        let items = self.read(name, "a list", mistakes, |value| match value {
            Value::Array(items) => Some(items),
            _ => None,
        });
        let place = self.place(name);
        let items = items.unwrap_or_default().into_iter().enumerate();
        items.map(|(index, item)| (format!("{place}[{index}]"), item)).collect()
    }

    /// The items of a list of texts.
    pub fn texts(&mut self, name: &str, mistakes: &mut Mistakes) -> Vec<String> {
        let mut texts = Vec::new();
        for (place, item) in self.list(name, mistakes) {
            match text(item) {
                Some(text) => texts.push(text),
                None => mistakes.add(&place, "must be a string"),
            }
        }
        texts
    }

    /// The items of a list of objects, to be looked into.
    pub fn objects(&mut self, name: &str, mistakes: &mut Mistakes) -> Vec<Self> {
        let items = self.list(name, mistakes);
        items.into_iter().filter_map(|(place, item)| Self::of(item, place, mistakes)).collect()
    }

    /// The items of a list of objects, whose fields are nobody's business.
    pub fn plain_objects(&mut self, name: &str, mistakes: &mut Mistakes) -> Vec<Value> {
        let mut objects = Vec::new();
        for (place, item) in self.list(name, mistakes) {
            if item.is_object() {
                objects.push(item);
            } else {
                mistakes.add(&place, "must be an object");
            }
        }
        objects
    }

    /// Whatever was not taken is no field.
    pub fn end(self, mistakes: &mut Mistakes) {
        for name in self.left.keys() {
            let what = if STALE.contains(&name.as_str()) {
                "is not part of the import manifest any more: leave it out"
            } else {
                "is no field of the import manifest"
            };
            mistakes.add(&self.place(name), what);
        }
    }
}

fn text(value: Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text),
        _ => None,
    }
}

/// Whether the server reads a text as a time: RFC 3339, or the same without its zone or its time of day.
fn is_time(text: &str) -> bool {
    let text = text.trim().replacen(' ', "T", 1);
    let local = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second][optional [.[subsecond]]]");
    let day = format_description!("[year]-[month]-[day]");
    let year = OffsetDateTime::parse(&text, &Rfc3339)
        .ok()
        .and_then(|time| time.checked_to_offset(UtcOffset::UTC))
        .map(OffsetDateTime::year)
        .or_else(|| PrimitiveDateTime::parse(&text, local).ok().map(PrimitiveDateTime::year))
        .or_else(|| Date::parse(&text, day).ok().map(Date::year));
    year.is_some_and(|year| (1970..2200).contains(&year))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn mistakes(value: Value, read: impl FnOnce(&mut Fields, &mut Mistakes)) -> Vec<String> {
        let mut mistakes = Mistakes::default();
        if let Some(mut fields) = Fields::of(value, "runs[2]".to_owned(), &mut mistakes) {
            read(&mut fields, &mut mistakes);
            fields.end(&mut mistakes);
        }
        mistakes.into_lines()
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        let value =
            json!({"title": 3, "tags": ["a", 1], "exit_code": 0.5, "titel": "x", "parent_id": "exp001", "code": 2});
        let told = mistakes(value, |fields, mistakes| {
            fields.require("intent", mistakes);
            fields.text("title", mistakes);
            assert_eq!(fields.texts("tags", mistakes), ["a"]);
            assert_eq!(fields.whole::<i32>("exit_code", mistakes), None);
            assert_eq!(fields.whole::<i32>("code", mistakes), Some(2));
        });
        let expected = [
            "runs[2].intent is required",
            "runs[2].title must be a string",
            "runs[2].tags[1] must be a string",
            "runs[2].exit_code must be a whole number",
            "runs[2].titel is no field of the import manifest",
            "runs[2].parent_id is not part of the import manifest any more: leave it out",
        ];
        assert_eq!(told, expected);
        assert_eq!(mistakes(json!([]), |_, _| {}), ["runs[2] must be an object"]);
    }

    #[test]
    fn times_are_those_that_the_server_reads() {
        for time in ["2026-06-01T12:00:00Z", "2026-06-01 12:00:00.5", "2026-06-01T14:00:00+02:00", "2026-06-01"] {
            assert!(is_time(time), "{time}");
        }
        for time in ["", "yesterday", "1969-12-31T23:59:59Z", "2026-13-01", "0000-01-01T00:00:00+23:59"] {
            assert!(!is_time(time), "{time}");
        }
    }
}
