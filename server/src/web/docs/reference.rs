//! The API's reference: every operation and every shape, as the server's own `OpenAPI` document tells of them.
//!
//! Nothing is written here, so nothing here can be out of date ([`crate::openapi`]).

use std::sync::LazyLock;

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use serde_json::{Map, Value};

use super::document::short;
use super::{REFERENCE, in_docs, pages};
use crate::app::AppState;
use crate::auth::MaybeSignedIn;
use crate::openapi;
use crate::web::shell::{Shell, SideLink};
use crate::web::{Look, page};

/// Where the document keeps its schemas.
const SCHEMAS: &str = "#/components/schemas/";

static REFERENCE_PAGE: LazyLock<Reference> = LazyLock::new(|| Reference::of(openapi::document()));

#[derive(Template)]
#[template(path = "docs/reference.html")]
struct ReferencePage {
    shell: Shell,
    pages: Vec<SideLink>,
    groups: &'static [Group],
    shapes: &'static [Shape],
}

struct Reference {
    groups: Vec<Group>,
    shapes: Vec<Shape>,
}

/// Operations about one thing.
struct Group {
    id: String,
    name: String,
    about: String,
    operations: Vec<Operation>,
}

struct Operation {
    id: String,
    method: String,
    path: String,
    summary: String,
    /// What else there is to say, as HTML.
    about: Option<String>,
    caller: String,
    parameters: Vec<Field>,
    sent: Option<Payload>,
    answered: Vec<Payload>,
}

/// What is sent or answered.
struct Payload {
    /// Its type, or its media type where it is no JSON.
    kind: Kind,
    fields: Vec<Field>,
    example: Option<String>,
}

/// A type that several others have in them.
struct Shape {
    name: String,
    about: Option<String>,
    /// What it is, where it has no fields.
    kind: Option<String>,
    fields: Vec<Field>,
}

/// A key of an object, or a parameter.
struct Field {
    name: String,
    kind: Kind,
    is_required: bool,
    about: Option<String>,
}

/// A type in words.
struct Kind {
    words: String,
    /// The shape that it is made of.
    shape: Option<String>,
}

/// `GET /docs/api-reference`
pub async fn show(State(app): State<AppState>, look: Look, MaybeSignedIn(signed_in): MaybeSignedIn) -> Response {
    let account = signed_in.as_ref().map(|person| &person.account);
    page(&ReferencePage {
        shell: in_docs(Shell::new(&app, look, account)),
        pages: pages(REFERENCE.0),
        groups: &REFERENCE_PAGE.groups,
        shapes: &REFERENCE_PAGE.shapes,
    })
}

impl Reference {
    fn of(document: &Value) -> Self {
        let mut groups: Vec<Group> = items(&document["tags"])
            .map(|tag| Group {
                id: text(&tag["name"]).to_lowercase().replace(' ', "-"),
                name: text(&tag["name"]),
                about: text(&tag["description"]),
                operations: Vec::new(),
            })
            .collect();
        for (path, methods) in keys(&document["paths"]) {
            for (method, told) in keys(methods) {
                let group = groups.iter_mut().find(|group| told["tags"][0] == group.name.as_str());
                if let Some(group) = group {
                    group.operations.push(Operation::of(document, path, method, told));
                }
            }
        }
        let shapes = keys(&document["components"]["schemas"]);
        Self { groups, shapes: shapes.map(|(name, schema)| Shape::of(document, name, schema)).collect() }
    }
}

impl Operation {
    fn of(document: &Value, path: &str, method: &str, told: &Value) -> Self {
        let parameter = |told: &Value| Field {
            name: text(&told["name"]),
            kind: Kind::of(&told["schema"]),
            is_required: told["required"] == true,
            about: about(told),
        };
        let content = &told["requestBody"]["content"];
        let sent = keys(content).next().map(|(media_type, body)| Payload::of(document, media_type, body));
        let answers = keys(&told["responses"]["200"]["content"]);
        Self {
            id: text(&told["operationId"]),
            method: method.to_uppercase(),
            path: path.to_owned(),
            summary: text(&told["summary"]),
            about: about(told),
            caller: text(&told["x-otrace-caller"]),
            parameters: items(&told["parameters"]).map(parameter).collect(),
            sent,
            answered: answers.map(|(media_type, body)| Payload::of(document, media_type, body)).collect(),
        }
    }
}

impl Payload {
    fn of(document: &Value, media_type: &str, told: &Value) -> Self {
        let schema = &told["schema"];
        let kind = if media_type == "application/json" && schema.as_object().is_some_and(|keys| !keys.is_empty()) {
            Kind::of(schema)
        } else {
            Kind { words: media_type.to_owned(), shape: None }
        };
        // A shape is told where all shapes are.
        let fields = if kind.shape.is_some() { Vec::new() } else { fields(document, schema) };
        let example = told.get("example").and_then(|example| serde_json::to_string_pretty(example).ok());
        Self { kind, fields, example }
    }
}

impl Shape {
    fn of(document: &Value, name: &str, schema: &Value) -> Self {
        let fields = fields(document, schema);
        let kind = fields.is_empty().then(|| Kind::of(schema).words);
        Self { name: name.to_owned(), about: about(schema), kind, fields }
    }
}

impl Kind {
    fn of(schema: &Value) -> Self {
        let mut shape = None;
        let words = words_of(schema, &mut shape);
        Self { words, shape }
    }
}

/// What a schema is, in words; the shape that it leads to is left in `shape`.
fn words_of(schema: &Value, shape: &mut Option<String>) -> String {
    if let Some(name) = schema["$ref"].as_str().and_then(|target| target.strip_prefix(SCHEMAS)) {
        *shape = Some(name.to_owned());
        return name.to_owned();
    }
    if let Some(value) = schema.get("const") {
        return value.to_string();
    }
    if let Some(values) = schema["enum"].as_array() {
        return one_of(values.iter().map(Value::to_string));
    }
    if schema.get("properties").is_some() {
        return "object".to_owned();
    }
    if let Some(variants) = schema["oneOf"].as_array().or_else(|| schema["anyOf"].as_array()) {
        return one_of(variants.iter().map(|variant| words_of(variant, shape)));
    }
    let types: Vec<&str> = match &schema["type"] {
        Value::String(name) => vec![name.as_str()],
        Value::Array(names) => names.iter().filter_map(Value::as_str).collect(),
        _ => return "any value".to_owned(),
    };
    one_of(types.into_iter().map(|name| match name {
        "array" if schema.get("items").is_some() => format!("list of {}", words_of(&schema["items"], shape)),
        "array" => "list".to_owned(),
        "string" => {
            schema["format"].as_str().map_or_else(|| "string".to_owned(), |format| format!("string ({format})"))
        }
        name => name.to_owned(),
    }))
}

fn one_of(words: impl Iterator<Item = String>) -> String {
    words.collect::<Vec<_>>().join(" or ")
}

/// The keys of an object, with those that only some of its variants have; `ok` is in every answer.
fn fields(document: &Value, schema: &Value) -> Vec<Field> {
    let mut found = Vec::new();
    collect(document, schema, true, &mut found);
    found.retain(|field| field.name != "ok");
    found
}

fn collect(document: &Value, schema: &Value, is_always_there: bool, found: &mut Vec<Field>) {
    for (name, told) in keys(&schema["properties"]) {
        if found.iter().any(|field| field.name == *name) {
            continue;
        }
        let is_required = is_always_there && items(&schema["required"]).any(|required| required == name.as_str());
        found.push(Field { name: name.clone(), kind: Kind::of(told), is_required, about: about(told) });
    }
    for variant in items(&schema["oneOf"]) {
        if let Some(name) = variant["$ref"].as_str().and_then(|target| target.strip_prefix(SCHEMAS)) {
            collect(document, &document["components"]["schemas"][name], false, found);
        }
        collect(document, variant, false, found);
    }
}

fn about(told: &Value) -> Option<String> {
    told["description"].as_str().filter(|text| !text.is_empty()).map(short)
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn items(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn keys(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flat_map(Map::iter)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn types_are_told_in_words() {
        let words = |schema: Value| Kind::of(&schema).words;
        assert_eq!(words(json!({"type": ["string", "null"]})), "string or null");
        assert_eq!(words(json!({"type": "array", "items": {"$ref": "#/components/schemas/Log"}})), "list of Log");
        assert_eq!(words(json!({"anyOf": [{"$ref": "#/components/schemas/Log"}, {"type": "null"}]})), "Log or null");
        assert_eq!(words(json!({"type": "string", "enum": ["a", "b"]})), r#""a" or "b""#);
        assert_eq!(words(json!({"oneOf": [{"const": "x"}, {"const": "y"}]})), r#""x" or "y""#);
        assert_eq!(words(json!({})), "any value");
        let log = Kind::of(&json!({"type": "array", "items": {"$ref": "#/components/schemas/Log"}}));
        assert_eq!(log.shape.as_deref(), Some("Log"));
    }

    #[test]
    fn every_operation_is_in_a_group_and_every_link_to_a_shape_leads_somewhere() {
        let reference = &*REFERENCE_PAGE;
        let document = openapi::document();
        let operations: usize = keys(&document["paths"]).map(|(_, methods)| keys(methods).count()).sum();
        assert_eq!(reference.groups.iter().map(|group| group.operations.len()).sum::<usize>(), operations);
        let shapes: Vec<&str> = reference.shapes.iter().map(|shape| shape.name.as_str()).collect();
        let all = reference.groups.iter().flat_map(|group| &group.operations);
        let payloads = all.flat_map(|operation| operation.sent.iter().chain(&operation.answered));
        let in_payloads =
            payloads.flat_map(|payload| payload.fields.iter().map(|field| &field.kind).chain([&payload.kind]));
        let in_shapes = reference.shapes.iter().flat_map(|shape| shape.fields.iter().map(|field| &field.kind));
        let links: Vec<&str> = in_payloads.chain(in_shapes).filter_map(|kind| kind.shape.as_deref()).collect();
        assert!(links.len() > 20 && links.iter().all(|name| shapes.contains(name)), "{links:?}");
    }
}
