//! What the document says of one route.

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Map, Value, json};

use super::schemas::Schemas;

/// Makes a schema; what it refers to is kept by the generator.
pub(super) type SchemaOf = fn(&mut SchemaGenerator) -> Schema;

/// What an operation may be refused with, told once for all of them.
pub(super) const REFUSALS: [(&str, &str); 9] = [
    ("400", "The request can't be understood or breaks a rule."),
    ("401", "No key, or one that is unknown, revoked or expired."),
    ("403", "The key is good, and its scope does not allow this."),
    ("404", "It is not there, or is not the caller's."),
    ("409", "It contradicts what the server holds."),
    ("410", "The content was deleted by a rule of the project."),
    ("413", "The body is larger than the server takes."),
    ("429", "Too many requests: send the same one again after `Retry-After` seconds."),
    (
        "default",
        "Another refusal: a client that is too old (426), a part that is away (503), a fault of the server (500).",
    ),
];

/// Operations about one thing.
pub(super) struct Group {
    pub(super) name: &'static str,
    pub(super) description: &'static str,
    pub(super) operations: &'static [Operation],
}

/// Who may ask.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Caller {
    /// Whoever reaches the server.
    Anybody,
    /// Any live key.
    Reader,
    /// A key that may write.
    Writer,
    /// Such a key, or the token of the run.
    RunWriter,
}

impl Caller {
    /// As the document says it, in `x-otrace-caller`.
    const fn name(self) -> &'static str {
        match self {
            Self::Anybody => "anybody",
            Self::Reader => "a key",
            Self::Writer => "a key that may write",
            Self::RunWriter => "a key that may write, or the run's token",
        }
    }

    fn security(self) -> Value {
        match self {
            Self::Anybody => json!([]),
            Self::Reader | Self::Writer => json!([{"key": []}]),
            Self::RunWriter => json!([{"key": []}, {"run_token": []}]),
        }
    }
}

/// What is sent.
#[derive(Clone, Copy)]
enum Body {
    Nothing,
    Json(SchemaOf),
    /// Bytes as they are, and what they are.
    Bytes(&'static str),
}

/// What is answered.
#[derive(Clone, Copy)]
pub(super) enum Reply {
    /// An object with `ok` and other keys.
    Json(SchemaOf),
    /// Bytes of this media type.
    Raw(&'static str),
}

/// A value in the address, behind the `?`.
#[derive(Clone, Copy)]
pub(super) struct Parameter {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) description: &'static str,
}

/// Which values a parameter takes.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    Text,
    Number {
        least: u32,
        most: Option<u32>,
    },
    /// A number from 0 that has to be given.
    Offset,
    OneOf(&'static [&'static str]),
}

/// One route with one method.
#[derive(Clone, Copy)]
pub(super) struct Operation {
    pub(super) method: &'static str,
    pub(super) route: &'static str,
    id: &'static str,
    summary: &'static str,
    description: &'static str,
    caller: Caller,
    query: &'static [Parameter],
    body: Body,
    example: &'static str,
    replies: &'static [Reply],
    can_conflict: bool,
    can_be_unknown: bool,
}

impl Operation {
    /// A route as it stands in the URL table, what programs call the operation, and a line on what it does.
    pub(super) const fn new(
        method: &'static str,
        route: &'static str,
        id: &'static str,
        summary: &'static str,
        caller: Caller,
    ) -> Self {
        Self {
            method,
            route,
            id,
            summary,
            description: "",
            caller,
            query: &[],
            body: Body::Nothing,
            example: "",
            replies: &[],
            can_conflict: false,
            can_be_unknown: false,
        }
    }

    /// What the summary leaves open, in Markdown.
    pub(super) const fn about(mut self, description: &'static str) -> Self {
        self.description = description;
        self
    }

    /// The parameters behind the `?`.
    pub(super) const fn asks(mut self, query: &'static [Parameter]) -> Self {
        self.query = query;
        self
    }

    /// A JSON body, and one that a reader learns from.
    pub(super) const fn takes(mut self, body: SchemaOf, example: &'static str) -> Self {
        self.body = Body::Json(body);
        self.example = example;
        self
    }

    /// A body of bytes as they are.
    pub(super) const fn takes_bytes(mut self, what: &'static str) -> Self {
        self.body = Body::Bytes(what);
        self
    }

    /// What it is answered with.
    pub(super) const fn gives(mut self, replies: &'static [Reply]) -> Self {
        self.replies = replies;
        self
    }

    /// What its body names may not be there.
    pub(super) const fn can_be_unknown(mut self) -> Self {
        self.can_be_unknown = true;
        self
    }

    /// That it may contradict what the server holds.
    pub(super) const fn can_conflict(mut self) -> Self {
        self.can_conflict = true;
        self
    }

    /// The operation in the document.
    pub(super) fn describe(&self, group: &str, schemas: &mut Schemas) -> Value {
        let mut told = json!({
            "operationId": self.id,
            "summary": self.summary,
            "tags": [group],
            "security": self.caller.security(),
            "x-otrace-caller": self.caller.name(),
            "responses": self.responses(schemas),
        });
        if !self.description.is_empty() {
            told["description"] = self.description.into();
        }
        let parameters: Vec<Value> =
            places(self.route).map(in_path).chain(self.query.iter().map(Parameter::describe)).collect();
        if !parameters.is_empty() {
            told["parameters"] = parameters.into();
        }
        let content = match self.body {
            Body::Nothing => return told,
            Body::Bytes(what) => json!({"application/octet-stream": {"schema": {"description": what}}}),
            Body::Json(schema) => {
                let mut body = json!({"schema": schema(schemas.of_bodies()).to_value()});
                if let Ok(example) = serde_json::from_str::<Value>(self.example) {
                    body["example"] = example;
                }
                json!({"application/json": body})
            }
        };
        told["requestBody"] = json!({"required": true, "content": content});
        told
    }

    fn responses(&self, schemas: &mut Schemas) -> Value {
        let mut content = Map::new();
        for reply in self.replies {
            match reply {
                Reply::Json(schema) => {
                    let schema = schema(schemas.of_answers()).to_value();
                    content.insert("application/json".to_owned(), json!({"schema": schema}));
                }
                Reply::Raw(media_type) => {
                    content.insert((*media_type).to_owned(), json!({"schema": {}}));
                }
            }
        }
        let mut responses = Map::new();
        responses.insert("200".to_owned(), json!({"description": "It is done.", "content": content}));
        for (status, _) in REFUSALS.iter().filter(|(status, _)| self.may_answer(status)) {
            responses.insert((*status).to_owned(), json!({"$ref": format!("#/components/responses/{status}")}));
        }
        responses.into()
    }

    fn may_answer(&self, status: &str) -> bool {
        let has_body = !matches!(self.body, Body::Nothing);
        match status {
            "400" => has_body || !self.query.is_empty(),
            "401" => self.caller != Caller::Anybody,
            "403" => matches!(self.caller, Caller::Writer | Caller::RunWriter),
            "404" => self.can_be_unknown || self.route.contains('{'),
            "409" => self.can_conflict,
            "410" => self.route.contains("{artifact}"),
            "413" => has_body,
            _ => true,
        }
    }
}

impl Parameter {
    fn describe(&self) -> Value {
        let schema = match self.kind {
            Kind::Text => json!({"type": "string"}),
            Kind::Offset => json!({"type": "integer", "minimum": 0}),
            Kind::Number { least, most: None } => json!({"type": "integer", "minimum": least}),
            Kind::Number { least, most: Some(most) } => json!({"type": "integer", "minimum": least, "maximum": most}),
            Kind::OneOf(words) => json!({"type": "string", "enum": words}),
        };
        json!({
            "name": self.name, "in": "query", "required": matches!(self.kind, Kind::Offset),
            "description": self.description, "schema": schema,
        })
    }
}

/// The names in braces of a route.
fn places(route: &'static str) -> impl Iterator<Item = &'static str> {
    route.split('{').skip(1).filter_map(|rest| rest.split('}').next()).map(|name| name.trim_start_matches('*'))
}

fn in_path(name: &str) -> Value {
    let text = json!({"type": "string"});
    let uuid = json!({"type": "string", "format": "uuid"});
    let (description, schema) = match name {
        "run" => ("The run's UUID, or its experiment id: `exp042`.", text),
        "stream" => (
            "Which of its logs: what the command printed, or with `path` a log file.",
            json!({"type": "string", "enum": ["stdout", "stderr", "log"]}),
        ),
        "name" => ("The series' name, such as `val/loss`. Slashes stay as they are.", text),
        "sha256" => ("64 hex digits, with or without `sha256:` before them.", text),
        "artifact" => ("The artifact's id.", uuid),
        "import" => ("The import's id.", uuid),
        _ => ("", text),
    };
    json!({"name": name, "in": "path", "required": true, "description": description, "schema": schema})
}

/// A body that has a definition of its own.
pub(super) fn body<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<T>()
}

/// An answer: `ok` beside the keys of a type.
pub(super) fn answer<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    with_ok(T::json_schema(generator))
}

/// An answer of one key: `ok` beside it.
pub(super) fn answer_of<T: JsonSchema>(generator: &mut SchemaGenerator, key: &str) -> Schema {
    let mut object = Map::new();
    object.insert("type".to_owned(), "object".into());
    object.insert("properties".to_owned(), json!({key: generator.subschema_for::<T>().to_value()}));
    object.insert("required".to_owned(), json!([key]));
    with_ok(object.into())
}

fn with_ok(mut schema: Schema) -> Schema {
    let object = schema.ensure_object();
    if let Value::Object(properties) = object.entry("properties").or_insert_with(|| json!({})) {
        properties.insert("ok".to_owned(), json!({"const": true}));
    }
    if let Value::Array(required) = object.entry("required").or_insert_with(|| json!([])) {
        required.push("ok".into());
    }
    schema
}
