//! A `RunSpec` as YAML.

use std::fmt::Write as _;

use crate::RunSpec;

/// YAML as a person would write it, to be edited and committed.
pub fn render(spec: &RunSpec) -> String {
    let mut yaml = String::from("version: 1\n");
    field(&mut yaml, "intent", &spec.intent);
    field(&mut yaml, "setup", &spec.setup);
    list(&mut yaml, "command", &spec.command);
    list(&mut yaml, "config_paths", &spec.config_paths);
    artifacts(&mut yaml, spec);
    list(&mut yaml, "expected_log_paths", &spec.expected_log_paths);
    if let Some(title) = &spec.title {
        field(&mut yaml, "title", title);
    }
    if !spec.tags.is_empty() {
        list(&mut yaml, "tags", &spec.tags);
    }
    yaml
}

fn field(yaml: &mut String, name: &str, value: &str) {
    let _ = writeln!(yaml, "{name}: {}", quoted(value));
}

fn list(yaml: &mut String, name: &str, values: &[String]) {
    if values.is_empty() {
        let _ = writeln!(yaml, "{name}: []");
        return;
    }
    let _ = writeln!(yaml, "{name}:");
    for value in values {
        let _ = writeln!(yaml, "  - {}", quoted(value));
    }
}

fn artifacts(yaml: &mut String, spec: &RunSpec) {
    let (name, paths) = ("expected_artifact_paths", &spec.expected_artifact_paths);
    if spec.unstored_paths.is_empty() {
        return list(yaml, name, paths);
    }
    let _ = writeln!(yaml, "{name}:");
    for path in paths {
        let quoted = quoted(path);
        let _ = if spec.unstored_paths.contains(path) {
            writeln!(yaml, "  - path: {quoted}\n    store_content: false")
        } else {
            writeln!(yaml, "  - {quoted}")
        };
    }
}

/// A double-quoted scalar: JSON's escapes are YAML's, so that no text means something else.
fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            '\r' => quoted.push_str("\\r"),
            c if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}') => {
                let _ = write!(quoted, "\\u{:04x}", u32::from(c));
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_easy_to_read() {
        let spec = RunSpec {
            intent: "Train baseline".to_owned(),
            setup: "Default config".to_owned(),
            command: vec!["python".to_owned(), "train.py".to_owned()],
            expected_log_paths: vec!["outputs/train.log".to_owned()],
            ..RunSpec::default()
        };
        let expected = "version: 1\nintent: \"Train baseline\"\nsetup: \"Default config\"\n\
            command:\n  - \"python\"\n  - \"train.py\"\nconfig_paths: []\n\
            expected_artifact_paths: []\nexpected_log_paths:\n  - \"outputs/train.log\"\n";
        assert_eq!(render(&spec), expected);
    }
}
