//! `.json`: the scalars of an object are results, its lists are tables, and the scalars of an object
//! in it are results named `outer.inner`. A list at the top is a table.
//!
//! The file is read in one pass, straight into results and rows: a list of a million rows costs no
//! more memory than the rows that are kept.

use std::fmt;
use std::io::{BufRead, BufReader};

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use crate::outputs::finite_json::FiniteJson;
use crate::outputs::row_limit::Rows;
use crate::outputs::{Parsed, cells};

/// Reads a JSON document.
pub fn parse(reader: impl BufRead) -> Parsed {
    let mut parsed = Parsed::default();
    let mut deserializer = serde_json::Deserializer::from_reader(BufReader::new(FiniteJson::new(reader)));
    let read = Top(&mut parsed).deserialize(&mut deserializer).and_then(|()| deserializer.end());
    // Half a document would be half the truth.
    if read.is_ok() { parsed } else { Parsed::default() }
}

/// The document itself.
struct Top<'a>(&'a mut Parsed);

impl<'de> DeserializeSeed<'de> for Top<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        let Self(parsed) = self;
        if let Part::Rows(rows) = deserializer.deserialize_any(Node { members_of: Some(&mut *parsed) })? {
            parsed.add_table(rows.into_table("json", None));
        }
        Ok(())
    }
}

/// What a node turned out to be.
enum Part {
    Scalar(Value),
    Rows(Rows),
    Object(Map<String, Value>),
    /// The top object, whose members are in place already.
    Members,
}

/// Any node. The members of the top object go straight into what was parsed.
struct Node<'a> {
    members_of: Option<&'a mut Parsed>,
}

impl<'de> DeserializeSeed<'de> for Node<'_> {
    type Value = Part;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Part, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Node<'_> {
    type Value = Part;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E: Error>(self) -> Result<Part, E> {
        Ok(Part::Scalar(Value::Null))
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Part, E> {
        Ok(Part::Scalar(value.into()))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Part, E> {
        Ok(Part::Scalar(value.into()))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Part, E> {
        Ok(Part::Scalar(value.into()))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Part, E> {
        Ok(Part::Scalar(Number::from_f64(value).map_or(Value::Null, Value::Number)))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Part, E> {
        Ok(Part::Scalar(value.into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Part, A::Error> {
        let mut rows = Rows::default();
        loop {
            if rows.has_room() {
                let Some(row) = items.next_element::<Value>()? else { break };
                rows.add_json(row);
            } else {
                if items.next_element::<IgnoredAny>()?.is_none() {
                    break;
                }
                rows.skip();
            }
        }
        Ok(Part::Rows(rows))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Part, A::Error> {
        let Some(parsed) = self.members_of else {
            let mut object = Map::new();
            while let Some((name, value)) = members.next_entry::<String, Value>()? {
                object.insert(name, value);
            }
            return Ok(Part::Object(object));
        };
        while let Some(name) = members.next_key::<String>()? {
            match members.next_value_seed(Node { members_of: None })? {
                Part::Scalar(value) => parsed.add_result(&name, &value, None),
                Part::Rows(rows) => parsed.add_table(rows.into_table("json", Some(name))),
                Part::Object(object) => {
                    for (inner, value) in object.iter().filter(|(_, value)| cells::is_scalar(value)) {
                        parsed.add_result(&format!("{name}.{inner}"), value, None);
                    }
                }
                Part::Members => {}
            }
        }
        Ok(Part::Members)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn results(text: &str) -> Vec<(String, Value)> {
        let parsed = parse(text.as_bytes());
        parsed.results.into_iter().map(|r| (r.name.unwrap_or_default(), r.value)).collect()
    }

    #[test]
    fn scalars_are_results_and_nested_ones_are_named_by_their_path() {
        let text = r#"{"acc": 0.9, "n": 7, "tag": "0.5", "none": null, "ok": true,
                       "test": {"loss": 1.5, "deep": {"x": 1}, "list": [1]}}"#;
        let expected = [
            ("acc", json!(0.9)),
            ("n", json!(7)),
            ("tag", json!(0.5)),
            ("none", json!(null)),
            ("ok", json!(true)),
            ("test.loss", json!(1.5)),
        ];
        assert_eq!(results(text), expected.map(|(name, value)| (name.to_owned(), value)));
    }

    #[test]
    fn lists_are_tables() {
        let parsed = parse(&br#"{"epochs": [{"loss": 2}, {"loss": 1, "acc": 0.5}], "seeds": [1, 2], "none": []}"#[..]);
        assert_eq!(parsed.tables.len(), 2);
        assert_eq!(parsed.tables[0].title.as_deref(), Some("epochs"));
        assert_eq!(parsed.tables[0].columns, ["loss", "acc"]);
        assert_eq!(parsed.tables[0].rows, [json!({"loss": 2}), json!({"loss": 1, "acc": 0.5})]);
        assert_eq!(parsed.tables[1].table_index, Some(2));
        assert_eq!(parsed.tables[1].rows, [json!({"value": 1}), json!({"value": 2})]);
        let top = parse(&b"[{\"x\": 1}]"[..]);
        assert_eq!((top.tables.len(), top.tables[0].title.as_deref()), (1, None));
    }

    #[test]
    fn what_python_writes_for_not_a_number_is_read() {
        let expected = [("loss", json!("NaN")), ("bound", json!("-Infinity"))];
        let expected = expected.map(|(name, value)| (name.to_owned(), value));
        assert_eq!(results(r#"{"loss": NaN, "bound": -Infinity}"#), expected);
    }

    #[test]
    fn half_a_document_is_nothing() {
        for text in [r#"{"a": 1"#, r#"{"a": 1} x"#, "", r#"{"a": 1e400}"#] {
            assert!(results(text).is_empty(), "{text}");
        }
        assert!(results("3").is_empty());
    }
}
