//! The schemas that the operations refer to, gathered from the types.
//!
//! One type is often both sent and answered, and not with the same keys required: what may be left out when it is sent
//! is always there when it is answered. So there are two generators, and a definition in which they differ has two
//! names.

use std::collections::BTreeMap;

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Map, Value};

/// Where the document keeps its schemas.
const ANSWERED: &str = "#/components/schemas/";
/// Where those of what is sent stand until it is known what they are called.
const SENT: &str = "#/sent/";

/// The schemas, while the document is made.
pub(super) struct Schemas {
    sent: SchemaGenerator,
    answered: SchemaGenerator,
}

impl Schemas {
    pub(super) fn new() -> Self {
        let generator = |settings: SchemaSettings, path: &'static str| {
            let settings = settings.with(|settings| {
                settings.definitions_path = path.into();
                settings.meta_schema = None;
            });
            settings.into_generator()
        };
        Self {
            sent: generator(SchemaSettings::draft2020_12().for_deserialize(), "/sent"),
            answered: generator(SchemaSettings::draft2020_12().for_serialize(), "/components/schemas"),
        }
    }

    /// What makes the schemas of what is sent.
    pub(super) const fn of_bodies(&mut self) -> &mut SchemaGenerator {
        &mut self.sent
    }

    /// What makes the schemas of what is answered.
    pub(super) const fn of_answers(&mut self) -> &mut SchemaGenerator {
        &mut self.answered
    }

    /// A type that is answered.
    pub(super) fn answered<T: JsonSchema>(&mut self) -> Value {
        self.answered.subschema_for::<T>().to_value()
    }

    /// Puts all that was referred to into the document, each under a name of its own.
    pub(super) fn finish(mut self, document: &mut Value) {
        let mut all = self.answered.take_definitions(true);
        let sent = self.sent.take_definitions(true);
        let name_of = |name: &String, schema: &Value| {
            let is_free = all.get(name).is_none_or(|answered| answered == schema);
            (name.clone(), if is_free { name.clone() } else { format!("Sent{name}") })
        };
        let names: BTreeMap<String, String> = sent.iter().map(|(name, schema)| name_of(name, schema)).collect();
        for (name, schema) in sent {
            all.insert(names[&name].clone(), schema);
        }
        let mut sorted: Vec<(String, Value)> = all.into_iter().collect();
        sorted.sort_by(|(a, _), (b, _)| a.cmp(b));
        document["components"]["schemas"] = Value::Object(sorted.into_iter().collect::<Map<String, Value>>());
        settle(document, &names);
    }
}

/// Leads each reference to where its definition is now, and takes the marks of rustdoc's links out of the descriptions.
fn settle(value: &mut Value, names: &BTreeMap<String, String>) {
    match value {
        Value::Object(keys) => {
            for (key, value) in keys {
                match value {
                    Value::String(target) if key == "$ref" => {
                        if let Some(name) = target.strip_prefix(SENT).and_then(|name| names.get(name)) {
                            *target = format!("{ANSWERED}{name}");
                        }
                    }
                    Value::String(text) if key == "description" => {
                        *text = text.replace("[`", "`").replace("`]", "`");
                    }
                    value => settle(value, names),
                }
            }
        }
        Value::Array(values) => {
            for value in values {
                settle(value, names);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde::{Deserialize, Serialize};
    use serde_json::json;

    use super::*;

    #[derive(Serialize, Deserialize, JsonSchema)]
    struct Whole {
        #[serde(default)]
        part: Part,
    }

    /// See [`Whole`].
    #[derive(Default, Serialize, Deserialize, JsonSchema)]
    struct Part {
        #[serde(default)]
        text: String,
    }

    #[test]
    fn what_may_be_left_out_when_it_is_sent_is_there_when_it_is_answered() {
        let mut schemas = Schemas::new();
        let sent = schemas.of_bodies().subschema_for::<Whole>().to_value();
        let answered = schemas.answered::<Whole>();
        let mut document = json!({"components": {}, "sent": sent, "answered": answered});
        schemas.finish(&mut document);
        assert_eq!(document["sent"]["$ref"], "#/components/schemas/SentWhole");
        assert_eq!(document["answered"]["$ref"], "#/components/schemas/Whole");
        let all = &document["components"]["schemas"];
        assert_eq!(all["Part"]["required"], json!(["text"]));
        assert_eq!(all["Part"]["description"], "See `Whole`.");
        assert_eq!(all["SentPart"]["required"], Value::Null);
        assert!(all["SentWhole"]["properties"]["part"].to_string().contains("#/components/schemas/SentPart"));
    }
}
