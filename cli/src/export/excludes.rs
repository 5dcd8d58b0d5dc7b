//! What an export leaves out: what can be made again, and what somebody names.

use std::path::{Component, Path};

use crate::error::{Error, Result};
use crate::traceignore;

/// What is left out unless somebody wants it: environments, caches, builds. Each is a folder, at any depth.
pub const DEFAULTS: [&str; 14] = [
    ".venv/",
    "venv/",
    "env/",
    "node_modules/",
    "__pycache__/",
    ".pytest_cache/",
    ".mypy_cache/",
    ".ruff_cache/",
    ".hypothesis/",
    ".ipynb_checkpoints/",
    ".tox/",
    ".nox/",
    "build/",
    "dist/",
];
/// What an export that was killed leaves behind.
const UNFINISHED: &str = ".otrace-export-*.part";

/// What is left out.
#[derive(Debug)]
pub struct Excludes {
    rules: Vec<Rule>,
}

#[derive(Debug)]
struct Rule {
    rule: traceignore::Rule,
    /// The folders in which it says nothing. A branch may be called `build`.
    silent_in: &'static [&'static str],
}

impl Excludes {
    /// The rules of one export.
    pub fn new(patterns: &[String], with_defaults: bool) -> Result<Self> {
        let defaults = DEFAULTS.iter().filter(|_| with_defaults).map(|text| rule(text, &[".git", ".trace"]));
        let unfinished = [rule(UNFINISHED, &[".git"])];
        let given = patterns.iter().map(|text| rule(text, if text.starts_with(".git") { &[] } else { &[".git"] }));
        let rules = defaults.chain(unfinished).chain(given).collect::<Result<_>>()?;
        Ok(Self { rules })
    }

    /// Whether this file or folder is left out, given its path from the workspace.
    pub fn leaves_out(&self, path: &Path, is_directory: bool) -> bool {
        self.rules.iter().any(|rule| rule.matches(path, is_directory))
    }
}

impl Rule {
    fn matches(&self, path: &Path, is_directory: bool) -> bool {
        let is_silent = |part: Component<'_>| self.silent_in.iter().any(|folder| part.as_os_str() == *folder);
        !path.components().any(is_silent) && self.rule.matches(path, is_directory)
    }
}

/// The same rules as `.traceignore` has.
fn rule(text: &str, silent_in: &'static [&'static str]) -> Result<Rule> {
    let text = text.trim().trim_start_matches("./");
    let rule =
        traceignore::Rule::new(text).map_err(|error| Error::new(format!("--exclude {text} is no pattern: {error}")))?;
    if rule.is_empty() {
        return Err(Error::new("--exclude needs a name or a pattern, such as examples or \"*.pt\""));
    }
    Ok(Rule { rule, silent_in })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leaves_out(patterns: &[&str], path: &str, is_directory: bool) -> bool {
        let patterns: Vec<_> = patterns.iter().map(|pattern| (*pattern).to_owned()).collect();
        Excludes::new(&patterns, true).expect("rules").leaves_out(Path::new(path), is_directory)
    }

    #[test]
    fn what_can_be_made_again_is_left_out_but_not_of_git() {
        assert!(leaves_out(&[], ".venv", true) && leaves_out(&[], "src/build", true));
        assert!(!leaves_out(&[], "build", false) && !leaves_out(&[], "src", true));
        assert!(!leaves_out(&[], ".git/refs/heads/build", true) && !leaves_out(&[], ".trace/artifacts/dist", true));
        assert!(!Excludes::new(&[], false).expect("rules").leaves_out(Path::new("build"), true));
    }

    #[test]
    fn names_paths_and_patterns_can_be_given() {
        assert!(leaves_out(&["examples"], "examples", true) && leaves_out(&["examples/"], "a/examples", true));
        assert!(leaves_out(&["*.pt"], "models/a.pt", false) && leaves_out(&["./data/raw"], "data/raw", true));
        assert!(!leaves_out(&["data/raw"], "other/data/raw", true));
        assert!(!leaves_out(&["main"], ".git/refs/heads/main", false) && leaves_out(&[".git"], ".git", true));
    }

    #[test]
    fn what_is_no_pattern_is_told() {
        for pattern in ["", "/", "a***"] {
            assert!(Excludes::new(&[pattern.to_owned()], true).is_err(), "{pattern}");
        }
    }
}
