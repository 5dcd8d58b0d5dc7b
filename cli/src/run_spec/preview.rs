//! A `RunSpec` as `--verify-runspec` shows it, with all that will happen after a yes.

use std::fmt::Write as _;

use crate::run_spec::RunSpec;
use crate::workspace::Workspace;

/// The text to decide by.
pub fn render(spec: &RunSpec, workspace: &Workspace) -> String {
    let mut text = String::from("RunSpec preview\n\n");
    section(&mut text, "Intent", std::slice::from_ref(&spec.intent), "");
    section(&mut text, "Setup", std::slice::from_ref(&spec.setup), "");
    section(&mut text, "Command", &[spec.command_line()], "");
    section(&mut text, "Configs to keep", &spec.config_paths, "- ");
    section(&mut text, "Expected artifacts", &artifacts(spec), "- ");
    section(&mut text, "Expected logs", &spec.expected_log_paths, "- ");
    if let Some(title) = &spec.title {
        section(&mut text, "Title", std::slice::from_ref(title), "");
    }
    if !spec.tags.is_empty() {
        section(&mut text, "Tags", &[spec.tags.join(", ")], "");
    }
    let absent = absent_configs(spec, workspace);
    if !absent.is_empty() {
        section(&mut text, "Not there (will be recorded as missing)", &absent, "- ");
    }
    text.push_str(
        "After a yes:\n  \
         1. the workspace is synced and the run is created on the server\n  \
         2. the command is run here\n  \
         3. its logs, files, results and snapshot are sent to the server\n",
    );
    text
}

fn artifacts(spec: &RunSpec) -> Vec<String> {
    let told = |path: &String| {
        let is_unstored = spec.unstored_paths.contains(path);
        if is_unstored { format!("{path} (only its path, size and hash)") } else { path.clone() }
    };
    spec.expected_artifact_paths.iter().map(told).collect()
}

fn section(text: &mut String, title: &str, lines: &[String], bullet: &str) {
    let _ = writeln!(text, "{title}:");
    if lines.is_empty() {
        text.push_str("  none\n");
    }
    for line in lines.iter().flat_map(|line| line.lines()) {
        let _ = writeln!(text, "  {bullet}{line}");
    }
    text.push('\n');
}

/// Outputs may well not be there before the command has run; configs should be.
fn absent_configs(spec: &RunSpec, workspace: &Workspace) -> Vec<String> {
    let is_glob = |path: &str| path.contains(['*', '?', '[']);
    let absent = |path: &&String| !is_glob(path) && !workspace.root().join(path).exists();
    spec.config_paths.iter().filter(absent).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_that_will_happen_is_shown() {
        let folder = tempfile::tempdir().expect("a folder");
        let spec = RunSpec {
            intent: "Train".to_owned(),
            setup: "two\nlines".to_owned(),
            command: vec!["python".to_owned(), "a b.py".to_owned()],
            config_paths: vec!["absent.yaml".to_owned()],
            tags: vec!["x".to_owned(), "y".to_owned()],
            ..RunSpec::default()
        };
        let text = render(&spec, &Workspace::at(folder.path()));
        for part in [
            "Intent:\n  Train\n",
            "Setup:\n  two\n  lines\n",
            "Command:\n  python 'a b.py'\n",
            "Expected artifacts:\n  none\n",
            "Tags:\n  x, y\n",
            "missing):\n  - absent.yaml\n",
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
    }
}
