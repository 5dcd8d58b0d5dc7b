//! What `/v1` takes and answers, as an `OpenAPI` document that machines read.
//!
//! Two things make it: tables of operations (`access`, `runs`, `live`, `contents`, `imports`), and JSON Schemas that
//! come from the very types that are read and written, in `otrace_wire` and in [`crate::api`]. Tests hold it to the URL
//! table, to who may ask what, and to what the server really answers. Knows no request, no database, no page.

mod access;
mod contents;
mod imports;
mod live;
mod operation;
mod runs;
mod schemas;

use std::sync::LazyLock;

use bytes::Bytes;
use otrace_wire::ApiError;
use serde_json::{Map, Value, json};

use operation::{Group, REFUSALS};
use schemas::Schemas;

/// The operations, as they are told of.
const GROUPS: [Group; 5] = [access::GROUP, runs::GROUP, live::GROUP, contents::GROUP, imports::GROUP];

static DOCUMENT: LazyLock<Value> = LazyLock::new(build);
static JSON: LazyLock<Bytes> = LazyLock::new(|| Bytes::from(DOCUMENT.to_string()));

/// The document. Made once.
pub fn document() -> &'static Value {
    &DOCUMENT
}

/// The document as it is sent.
pub fn json() -> Bytes {
    JSON.clone()
}

/// A path as `OpenAPI` writes it: a name that may have slashes in it has no sign of its own.
pub fn template_of(route: &str) -> String {
    route.replace("{*", "{")
}

fn build() -> Value {
    let mut schemas = Schemas::new();
    let mut paths = Map::new();
    for group in GROUPS {
        for operation in group.operations {
            let path = paths.entry(template_of(operation.route)).or_insert_with(|| json!({}));
            path[operation.method.to_lowercase()] = operation.describe(group.name, &mut schemas);
        }
    }
    let refusal = schemas.answered::<ApiError>();
    let refused =
        |description: &str| json!({"description": description, "content": {"application/json": {"schema": &refusal}}});
    let responses: Map<String, Value> =
        REFUSALS.iter().map(|(status, description)| ((*status).to_owned(), refused(description))).collect();
    let tags: Vec<Value> =
        GROUPS.iter().map(|group| json!({"name": group.name, "description": group.description})).collect();
    let mut document = json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Trace",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "The HTTP API of a Trace server. Bodies are JSON objects; an answer below 400 has \
                `ok: true` beside its keys, and from 400 on `ok: false`, `error` and `code`.",
            "license": {"name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "tags": tags,
        "paths": paths,
        "components": {"responses": responses, "securitySchemes": {
            "key": {
                "type": "http", "scheme": "bearer",
                "description": "A project's API key, `trc_…`. What it may do depends on its scope, read or write.",
            },
            "run_token": {
                "type": "http", "scheme": "bearer",
                "description": "The `run_token` of a run: for what is told of that run, and nothing else.",
            },
        }},
    });
    schemas.finish(&mut document);
    document
}
