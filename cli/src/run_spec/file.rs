//! `RunSpec` files: where the default one is, how one is read, and how a new one is kept.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use otrace_run_spec::yaml;
use serde_json::Value;

use crate::error::{Error, Result};
use crate::run_spec::RunSpec;
use crate::small_files;
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
    let text = small_files::read(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => Error::new(format!("RunSpec file not found: {}", path.display())),
        _ => Error::file("read", path, &error),
    })?;
    let text = String::from_utf8(text)
        .map_err(|_| Error::new(format!("RunSpec file is not valid UTF-8: {}", path.display())))?;
    RunSpec::from_value(&parse(&text, path)?).map_err(|mistakes| {
        let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy();
        Error::from(mistakes).with_hint(format!("Correct {name}."))
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
        fs::File::create_new(path).and_then(|mut file| io::Write::write_all(&mut file, yaml::render(spec).as_bytes()));
    written.map_err(|error| Error::file("write", path, &error))
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
        let written = yaml::render(&spec);
        let value = parse(&written, Path::new("x.yaml")).expect("valid YAML");
        assert_eq!(RunSpec::from_value(&value).expect("a spec"), spec, "{written}");
    }

    #[test]
    fn a_file_that_is_no_yaml_or_json_says_where() {
        let yaml = parse("intent: [", Path::new("a.yml")).expect_err("no YAML").to_string();
        assert!(yaml.starts_with("RunSpec file is not valid YAML: a.yml: "), "{yaml}");
        let json = parse("{", Path::new("a.json")).expect_err("no JSON").to_string();
        assert!(json.starts_with("RunSpec file is not valid JSON: a.json: "), "{json}");
    }
}
