//! The two files that tell how to repeat the run: one for a shell, one for people.

use std::fmt::Write as _;

use otrace_wire::{Artifact, ExperimentId, Run, Snapshot};

use crate::printer::{clean, steers};

/// What is told about a checkout.
pub struct Told<'a> {
    /// The run.
    pub run: &'a Run,
    /// How well its state was got back, in a sentence.
    pub verdict: &'a str,
    /// Why not better.
    pub reasons: &'a [String],
    /// Where the code comes from, in a sentence.
    pub base: &'a str,
    /// What else there is to say.
    pub notes: &'a [String],
    /// Each artifact that is there, and its path in the checkout.
    pub artifacts: &'a [(String, &'a Artifact)],
    /// Where the list of installed packages is, if there is one.
    pub packages: Option<&'a str>,
    /// What the script is called.
    pub script: &'a str,
}

/// The script that runs the command again, in the folder that it ran in.
pub fn script(experiment: ExperimentId, directory: Option<&str>, command: &str) -> String {
    let directory = directory.map(|directory| format!("/{}", quoted(directory))).unwrap_or_default();
    let mut text =
        format!("#!/usr/bin/env bash\n# Runs the command of {experiment} again. Written by `otrace checkout`.\n");
    text.push_str("set -e\n");
    let _ = writeln!(text, "cd -- \"$(dirname -- \"${{BASH_SOURCE[0]}}\")\"{directory}");
    if command.contains(steers) {
        // Whoever prints the script sees what it does.
        let _ = writeln!(text, "eval {}", escaped(command));
    } else {
        let _ = writeln!(text, "{command}");
    }
    text
}

/// What people read first.
pub fn page(told: &Told<'_>) -> String {
    let run = told.run;
    let title = run.title.as_deref().filter(|title| !title.trim().is_empty());
    let heading =
        title.map_or_else(|| run.experiment_id.to_string(), |title| format!("{}: {title}", run.experiment_id));
    let mut text = format!("# {}\n\n", line(&heading));
    let _ = writeln!(text, "Run the command again:\n\n```sh\nbash {}\n```\n", told.script);
    let _ = writeln!(text, "- Intent: {}", line(&run.intent));
    let _ = writeln!(text, "- Setup: {}", line(&run.setup));
    let _ = writeln!(text, "- Status: {}{}", run.status.as_str(), exit_code(run));
    let _ = writeln!(text, "\nThe command, as it was run:\n\n{}", fenced(&run.command));
    let _ = writeln!(text, "## How faithful this is\n\n{}\n\n{}\n", told.verdict, told.base);
    list(&mut text, told.reasons);
    list(&mut text, told.notes);
    if let Some(snapshot) = &run.snapshot {
        environment(&mut text, snapshot, told.packages);
    }
    artifacts(&mut text, told.artifacts);
    text
}

fn exit_code(run: &Run) -> String {
    run.exit_code.map(|code| format!(" (exit code {code})")).unwrap_or_default()
}

fn environment(text: &mut String, snapshot: &Snapshot, packages: Option<&str>) {
    text.push_str("## What it ran on\n\n");
    let facts = [
        ("Commit", snapshot.git_commit.as_ref()),
        ("Branch", snapshot.git_branch.as_ref()),
        ("Remote", snapshot.git_remote_url.as_ref()),
        ("Python", snapshot.python_version.as_ref()),
        ("Machine", snapshot.platform.as_ref()),
    ];
    for (name, fact) in facts {
        if let Some(fact) = fact {
            let _ = writeln!(text, "- {name}: {}", line(fact));
        }
    }
    let submodules = snapshot.rebuild.iter().flat_map(|rebuild| &rebuild.submodules);
    for submodule in submodules {
        let (path, commit) = (line(&submodule.path), line(&submodule.commit));
        let _ = writeln!(text, "- Submodule {path}: {commit}");
    }
    if let Some(packages) = packages {
        let _ = writeln!(text, "- Packages: {packages} lists what was installed. In an environment of its own:");
        let _ = writeln!(text, "  `python3 -m venv .venv && .venv/bin/pip install -r {packages}`");
    }
    text.push('\n');
}

fn artifacts(text: &mut String, artifacts: &[(String, &Artifact)]) {
    if artifacts.is_empty() {
        return;
    }
    text.push_str("## What it left behind\n\n");
    for (path, artifact) in artifacts {
        let hash = artifact.hash.as_deref().unwrap_or_default();
        let _ = writeln!(text, "- {} {}", line(path), line(hash));
    }
}

fn list(text: &mut String, clauses: &[String]) {
    for clause in clauses {
        let _ = writeln!(text, "- {}", line(clause));
    }
    if !clauses.is_empty() {
        text.push('\n');
    }
}

/// A code block that nothing in it can end.
fn fenced(code: &str) -> String {
    let mut longest = 2;
    let mut length = 0;
    for c in code.chars() {
        length = if c == '`' { length + 1 } else { 0 };
        longest = longest.max(length);
    }
    let fence = "`".repeat(longest + 1);
    format!("{fence}sh\n{}\n{fence}\n", clean(code))
}

/// Text from the server, on one line and without what steers a terminal.
fn line(text: &str) -> String {
    let words: Vec<_> = text.split_whitespace().collect();
    clean(&words.join(" ")).into_owned()
}

/// A word for the shell, whatever is in it.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// A word for bash, in which nothing is hidden.
fn escaped(text: &str) -> String {
    let mut word = "$'".to_owned();
    for c in text.chars() {
        match c {
            '\'' => word.push_str(r"\'"),
            '\\' => word.push_str(r"\\"),
            '\n' => word.push_str(r"\n"),
            c if steers(c) => {
                let _ = write!(word, "\\u{:04x}", u32::from(c));
            }
            c => word.push(c),
        }
    }
    word.push('\'');
    word
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_script_runs_the_command_in_its_folder() {
        let expected = "#!/usr/bin/env bash\n# Runs the command of exp042 again. Written by `otrace checkout`.\n\
            set -e\ncd -- \"$(dirname -- \"${BASH_SOURCE[0]}\")\"/'it'\\''s here'\npython3 train.py --lr 1e-4\n";
        assert_eq!(script(ExperimentId::new(42), Some("it's here"), "python3 train.py --lr 1e-4"), expected);
        let at_top = script(ExperimentId::new(42), None, "true");
        assert!(at_top.ends_with("cd -- \"$(dirname -- \"${BASH_SOURCE[0]}\")\"\ntrue\n"), "{at_top}");
    }

    #[test]
    fn a_command_that_would_hide_itself_is_spelled_out() {
        let text = script(ExperimentId::new(1), None, "rm x # \x1b[1A\x1b[2K'");
        assert!(text.ends_with("eval $'rm x # \\u001b[1A\\u001b[2K\\''\n"), "{text}");
        // It would be read in another order than it is run.
        let text = script(ExperimentId::new(1), None, "rm x # \u{202e}txt.x ohce");
        assert!(text.ends_with("eval $'rm x # \\u202etxt.x ohce'\n"), "{text}");
    }

    #[test]
    fn a_block_of_code_can_not_be_left() {
        assert_eq!(fenced("a"), "```sh\na\n```\n");
        assert_eq!(fenced("a\n```\n# b"), "````sh\na\n```\n# b\n````\n");
    }

    #[test]
    fn text_from_the_server_stays_on_its_line() {
        assert_eq!(line("a\n# b\x1b[31m\tc"), "a # b\u{fffd}[31m c");
    }
}
