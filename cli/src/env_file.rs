//! `.env` in the workspace: read, never written, and only for the settings that are ours.

use std::collections::HashMap;
use std::path::Path;

use crate::small_files;

/// The `TRACE_*` settings of this file; none if it is not there.
pub fn read(path: &Path) -> HashMap<String, String> {
    small_files::read(path).map_or_else(|_| HashMap::new(), |bytes| parse(&String::from_utf8_lossy(&bytes)))
}

fn parse(text: &str) -> HashMap<String, String> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    text.lines().filter_map(setting).collect()
}

fn setting(line: &str) -> Option<(String, String)> {
    let line = line.trim();
    let line = line.strip_prefix("export ").unwrap_or(line);
    let (name, value) = line.split_once('=')?;
    let name = name.trim();
    name.starts_with("TRACE_").then(|| (name.to_owned(), unquote(value.trim())))
}

fn unquote(value: &str) -> String {
    let inner = |quote: char| value.strip_prefix(quote)?.strip_suffix(quote);
    if let Some(literal) = inner('\'') {
        return literal.to_owned();
    }
    let Some(escaped) = inner('"') else {
        // As shells do, a comment needs a space before it: keys and URLs may hold a `#`.
        return value.split(" #").next().unwrap_or_default().trim_end().to_owned();
    };
    let mut text = String::with_capacity(escaped.len());
    let mut chars = escaped.chars();
    while let Some(c) = chars.next() {
        text.push(if c == '\\' { chars.next().unwrap_or(c) } else { c });
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_read_with_and_without_quotes() {
        let settings = parse(concat!(
            "# TRACE_API_URL=commented\n",
            "TRACE_API_URL = \"http://h:1\"\n",
            "export TRACE_API_KEY='trc_#1'\n",
            "TRACE_PROJECT_NAME=\"a \\\"b\\\"\"\r\n",
            "TRACE_PROJECT_ID=1 # which\n",
            "OTHER=x\nnonsense\n",
        ));
        assert_eq!(settings["TRACE_API_URL"], "http://h:1");
        assert_eq!(settings["TRACE_API_KEY"], "trc_#1");
        assert_eq!(settings["TRACE_PROJECT_NAME"], "a \"b\"");
        assert_eq!(settings["TRACE_PROJECT_ID"], "1");
        assert_eq!(settings.len(), 4);
    }
}
