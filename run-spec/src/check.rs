//! Going through a description: each field by its name, and every mistake gathered.

use serde_json::{Map, Value};

use crate::{Mistakes, RunSpec};

const FIELDS: [&str; 9] = [
    "version",
    "intent",
    "setup",
    "command",
    "config_paths",
    "expected_artifact_paths",
    "expected_log_paths",
    "title",
    "tags",
];

/// Fields of earlier drafts: whoever writes them had something else in mind than a typing error.
const STALE_FIELDS: [&str; 9] = [
    "expected_outputs",
    "parent_id",
    "parent",
    "summary_hook",
    "summary-hook",
    "run_summary",
    "validity",
    "next_actions",
    "local_experiment_id",
];

/// Reads a description, or tells all that is wrong with it.
pub(crate) fn read(value: &Value) -> Result<RunSpec, Mistakes> {
    let Value::Object(fields) = value else {
        return Err(Mistakes(vec!["RunSpec must be an object".to_owned()]));
    };
    let mut check = Check { fields, mistakes: Vec::new() };
    check.names();
    check.version();
    let (expected_artifact_paths, unstored_paths) = check.artifacts();
    let spec = RunSpec {
        intent: check.text("intent").unwrap_or_default(),
        setup: check.text("setup").unwrap_or_default(),
        title: check.text("title"),
        command: check.command(),
        config_paths: check.list("config_paths"),
        expected_artifact_paths,
        unstored_paths,
        expected_log_paths: check.list("expected_log_paths"),
        tags: check.list("tags"),
    };
    check.completeness(&spec);
    if check.mistakes.is_empty() { Ok(spec) } else { Err(Mistakes(check.mistakes)) }
}

/// An expected artifact: its path, and whether its content is stored.
fn artifact(item: &Value) -> Option<(&str, bool)> {
    let Value::Object(fields) = item else { return Some((item.as_str()?.trim(), true)) };
    if fields.keys().any(|name| name != "path" && name != "store_content") {
        return None;
    }
    let is_stored = fields.get("store_content").map_or(Some(true), Value::as_bool)?;
    Some((fields.get("path")?.as_str()?.trim(), is_stored))
}

/// Goes through the fields of one object and gathers what is wrong with them.
struct Check<'a> {
    fields: &'a Map<String, Value>,
    mistakes: Vec<String>,
}

impl Check<'_> {
    fn names(&mut self) {
        let mut names: Vec<_> = self.fields.keys().map(String::as_str).collect();
        names.sort_unstable();
        let (stale, others): (Vec<_>, Vec<_>) = names.into_iter().partition(|name| STALE_FIELDS.contains(name));
        self.mistakes.extend(stale.iter().map(|name| format!("{name} is not part of RunSpec v1")));
        let unknown = others.into_iter().filter(|name| !FIELDS.contains(name));
        self.mistakes.extend(unknown.map(|name| format!("unknown RunSpec field: {name}")));
    }

    fn version(&mut self) {
        let version = self.fields.get("version");
        if version.is_some_and(|version| version.as_f64() != Some(1.0)) {
            self.mistakes.push("version must be 1".to_owned());
        }
    }

    fn value(&self, field: &str) -> Option<&Value> {
        self.fields.get(field).filter(|value| !value.is_null())
    }

    fn text(&mut self, field: &str) -> Option<String> {
        match self.value(field) {
            Some(Value::String(text)) => {
                let text = text.trim().to_owned();
                (!text.is_empty()).then_some(text)
            }
            Some(_) => {
                self.mistakes.push(format!("{field} must be a string"));
                None
            }
            None => None,
        }
    }

    fn command(&mut self) -> Vec<String> {
        let items = match self.value("command") {
            Some(Value::Array(items)) => items.clone(),
            Some(Value::String(_)) => {
                let mistake = "command must be an argv array, not a shell string";
                self.mistakes.push(mistake.to_owned());
                return Vec::new();
            }
            Some(_) => {
                self.mistakes.push("command must be an argv array".to_owned());
                return Vec::new();
            }
            None => return Vec::new(),
        };
        let mut command = Vec::with_capacity(items.len());
        for (index, item) in items.into_iter().enumerate() {
            match item {
                Value::String(word) if word.contains('\0') => {
                    self.mistakes.push(format!("command[{index}] must not hold a zero byte"));
                }
                // `sh -c ''` is a fair command; a program without a name is not.
                Value::String(word) if index > 0 || !word.is_empty() => command.push(word),
                _ => self.mistakes.push(format!("command[{index}] must be a non-empty string")),
            }
        }
        command
    }

    /// The expected artifacts, and those of them that say `store_content: false`.
    fn artifacts(&mut self) -> (Vec<String>, Vec<String>) {
        let field = "expected_artifact_paths";
        let items = match self.value(field) {
            Some(Value::Array(items)) => items.clone(),
            _ => return (self.list(field), Vec::new()),
        };
        let (mut paths, mut unstored) = (Vec::new(), Vec::new());
        for (index, item) in items.iter().enumerate() {
            let Some((path, is_stored)) = artifact(item) else {
                self.mistakes
                    .push(format!("{field}[{index}] must be a string, or an object of path and store_content"));
                continue;
            };
            if path.is_empty() {
                continue;
            }
            if !is_stored {
                unstored.push(path.to_owned());
            }
            paths.push(path.to_owned());
        }
        (paths, unstored)
    }

    fn list(&mut self, field: &str) -> Vec<String> {
        let items = match self.value(field) {
            Some(Value::Array(items)) => items.clone(),
            Some(_) => {
                self.mistakes.push(format!("{field} must be an array of strings"));
                return Vec::new();
            }
            None => return Vec::new(),
        };
        let mut texts = Vec::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            match item.as_str().map(str::trim) {
                Some("") => {}
                Some(text) => texts.push(text.to_owned()),
                None => self.mistakes.push(format!("{field}[{index}] must be a string")),
            }
        }
        texts
    }

    fn completeness(&mut self, spec: &RunSpec) {
        let required = [
            (spec.intent.is_empty(), "intent is required"),
            (spec.setup.is_empty(), "setup is required"),
            (spec.command.is_empty(), "command is required"),
            (!spec.declares_paths(), "at least one config, expected artifact, or expected log path is required"),
        ];
        let missing = required.into_iter().filter(|(missing, _)| *missing);
        self.mistakes.extend(missing.map(|(_, mistake)| mistake.to_owned()));
    }
}
