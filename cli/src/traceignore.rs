//! `.traceignore`: what globs and directories leave out.
//!
//! A subset of git's rules: one pattern a line, `#` for comments, a slash at the end for
//! directories, a slash elsewhere for paths from the workspace's root. A path that is declared by
//! name is never left out.

use std::path::Path;

use glob::{Pattern, PatternError};

use crate::small_files;
use crate::workspace::{IGNORE_FILE, TRACE_DIR, Workspace};

/// The rules of one workspace.
#[derive(Debug, Default)]
pub struct TraceIgnore {
    rules: Vec<Rule>,
}

/// What one pattern leaves out.
#[derive(Debug)]
pub struct Rule {
    pattern: Pattern,
    directories_only: bool,
    from_root: bool,
}

impl TraceIgnore {
    /// Reads the workspace's rules. Our own folder and git's are left out in any case.
    pub fn load(workspace: &Workspace) -> Self {
        let text = small_files::read(&workspace.root().join(IGNORE_FILE)).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let fixed = [TRACE_DIR, ".git"].map(|name| format!("{name}/"));
        Self { rules: fixed.iter().map(String::as_str).chain(text.lines()).filter_map(rule).collect() }
    }

    /// Whether a file is left out, given its path from the workspace's root.
    pub fn leaves_out(&self, path: &Path) -> bool {
        path.ancestors()
            .filter(|part| !part.as_os_str().is_empty())
            .any(|part| self.rules.iter().any(|rule| rule.matches(part, part != path)))
    }
}

impl Rule {
    /// Reads a pattern, which may have spaces around it.
    pub fn new(text: &str) -> Result<Self, PatternError> {
        let text = text.trim();
        let name = text.trim_end_matches('/');
        let pattern = Pattern::new(name.trim_start_matches('/'))?;
        Ok(Self { pattern, directories_only: text.ends_with('/'), from_root: name.contains('/') })
    }

    /// Whether it names nothing.
    pub fn is_empty(&self) -> bool {
        self.pattern.as_str().is_empty()
    }

    /// Whether it leaves out this file or folder itself, given its path from the root.
    pub fn matches(&self, path: &Path, is_directory: bool) -> bool {
        if self.directories_only && !is_directory {
            return false;
        }
        if self.from_root {
            return self.pattern.matches_path(path);
        }
        path.file_name().is_some_and(|name| self.pattern.matches_path(Path::new(name)))
    }
}

fn rule(line: &str) -> Option<Rule> {
    // What is no pattern leaves nothing out.
    Rule::new(line).ok().filter(|rule| !rule.is_empty() && !line.trim_start().starts_with('#'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(text: &str) -> TraceIgnore {
        TraceIgnore { rules: text.lines().filter_map(rule).collect() }
    }

    #[test]
    fn files_and_whole_directories_are_left_out() {
        let ignore = rules("# caches\n__pycache__/\n*.pyc\n/out/tmp\n");
        for path in ["a.pyc", "src/a.pyc", "src/__pycache__/x.bin", "out/tmp", "out/tmp/x"] {
            assert!(ignore.leaves_out(Path::new(path)), "{path}");
        }
        for path in ["a.py", "__pycache__", "src/out/tmp", "out/tmp2"] {
            assert!(!ignore.leaves_out(Path::new(path)), "{path}");
        }
    }
}
