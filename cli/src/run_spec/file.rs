//! `RunSpec` files: where the default one is, how one is read, and how one is written.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::error::{Error, Result};
use crate::run_spec::RunSpec;
use crate::workspace::Workspace;

/// `otrace_<directory>_runspec.yaml` in the workspace.
pub fn default_path(workspace: &Workspace) -> PathBuf {
    workspace.root().join(format!("otrace_{}_runspec.yaml", sanitized(&workspace.name())))
}

/// Lower case, with what is awkward in a file name turned into single dashes.
fn sanitized(name: &str) -> String {
    let mut clean = String::with_capacity(name.len());
    let mut in_gap = false;
    for c in name.trim().to_lowercase().chars() {
        let is_plain = c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        if is_plain {
            clean.push(c);
        } else if !in_gap {
            clean.push('-');
        }
        in_gap = !is_plain;
    }
    let clean = clean.trim_matches(['-', '.', '_']);
    if clean.is_empty() { "project".to_owned() } else { clean.to_owned() }
}

/// Reads a file: YAML if it is named so, JSON otherwise.
pub fn load(path: &Path) -> Result<RunSpec> {
    let text = fs::read_to_string(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => Error::new(format!("RunSpec file not found: {}", path.display())),
        _ => Error::file("read", path, &error),
    })?;
    RunSpec::from_value(&parse(&text, path)?).map_err(|error| {
        let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy();
        error.with_hint(format!("Correct {name}."))
    })
}

fn parse(text: &str, path: &Path) -> Result<Value> {
    let is_yaml = path
        .extension()
        .is_some_and(|suffix| suffix.eq_ignore_ascii_case("yaml") || suffix.eq_ignore_ascii_case("yml"));
    let invalid = |kind: &str, reason: String| {
        Error::new(format!("RunSpec file is not valid {kind}: {}: {reason}", path.display()))
    };
    if is_yaml {
        // The excerpt of the file that the parser would draw takes several lines.
        serde_saphyr::from_str(text).map_err(|error| invalid("YAML", error.without_snippet().to_string()))
    } else {
        serde_json::from_str(text).map_err(|error| invalid("JSON", error.to_string()))
    }
}

/// Writes a new file. One that is there already is somebody's own, and stays.
pub fn save_new(path: &Path, spec: &RunSpec) -> Result<()> {
    let written =
        fs::File::create_new(path).and_then(|mut file| io::Write::write_all(&mut file, render(spec).as_bytes()));
    written.map_err(|error| Error::file("write", path, &error))
}

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
    fn the_default_file_is_named_after_the_directory() {
        for (directory, name) in
            [("my-project", "my-project"), ("My Project (2)", "my-project-2"), ("..", "project"), ("größe_1", "gr-e_1")]
        {
            assert_eq!(sanitized(directory), name, "{directory}");
        }
    }

    #[test]
    fn what_is_written_reads_back_the_same() {
        let spec = RunSpec {
            intent: "Does it: \"help\"?\n# no comment\t\u{7f}\u{85}!".to_owned(),
            setup: "yes".to_owned(),
            command: ["sh", "-c", "echo $HOME && exit 1 \\", "", "größe 😀", "- x", "null"].map(str::to_owned).to_vec(),
            expected_artifact_paths: ["out/*.json", "big.pt"].map(str::to_owned).to_vec(),
            unstored_paths: vec!["big.pt".to_owned()],
            title: Some("~".to_owned()),
            tags: vec!["1".to_owned()],
            ..RunSpec::default()
        };
        let yaml = render(&spec);
        let value = parse(&yaml, Path::new("x.yaml")).expect("valid YAML");
        assert_eq!(RunSpec::from_value(&value).expect("a spec"), spec, "{yaml}");
    }

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

    #[test]
    fn a_file_that_is_no_yaml_or_json_says_where() {
        let yaml = parse("intent: [", Path::new("a.yml")).expect_err("no YAML").to_string();
        assert!(yaml.starts_with("RunSpec file is not valid YAML: a.yml: "), "{yaml}");
        let json = parse("{", Path::new("a.json")).expect_err("no JSON").to_string();
        assert!(json.starts_with("RunSpec file is not valid JSON: a.json: "), "{json}");
    }
}
