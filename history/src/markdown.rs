//! Markdown, with the tables of GitHub, around texts that may hold anything.

use crate::text::clean;

/// A text on one line, none of whose characters means anything in Markdown.
pub(crate) fn inline(text: &str) -> String {
    let text = clean(text);
    let mut plain = String::with_capacity(text.len());
    for word in text.split_whitespace() {
        if !plain.is_empty() {
            plain.push(' ');
        }
        for c in word.chars() {
            if matches!(c, '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '#' | '|' | '&' | '~' | '!') {
                plain.push('\\');
            }
            plain.push(c);
        }
    }
    plain
}

/// A text as code on one line: a path, a number, a commit.
pub(crate) fn code(text: &str) -> String {
    let text = clean(text).replace('\n', " ");
    let ticks = "`".repeat(longest_run(&text) + 1);
    // Without the spaces, its own ticks would be taken for the ends.
    let space = if text.starts_with(['`', ' ']) || text.ends_with(['`', ' ']) { " " } else { "" };
    format!("{ticks}{space}{text}{space}{ticks}")
}

/// The same in a table, where a bar ends the cell even in code.
pub(crate) fn code_cell(text: &str) -> String {
    if text.is_empty() { String::new() } else { code(text).replace('|', "\\|") }
}

/// Lines of code, in a fence that is longer than any in them.
pub(crate) fn fenced(language: &str, text: &str) -> String {
    let text = clean(text);
    let fence = "`".repeat((longest_run(&text) + 1).max(3));
    format!("{fence}{language}\n{}\n{fence}\n", text.trim_end())
}

/// Markdown that somebody wrote, quoted: whatever it opens ends with the quotation.
pub(crate) fn quoted(text: &str) -> String {
    let text = clean(text);
    let line = |line: &str| if line.trim().is_empty() { ">\n".to_owned() } else { format!("> {line}\n") };
    text.trim_matches('\n').lines().map(line).collect()
}

fn longest_run(text: &str) -> usize {
    text.split(|c: char| c != '`').map(str::len).max().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_title_is_no_markdown() {
        assert_eq!(inline("# *Big*\n<b>|`x`"), "\\# \\*Big\\* \\<b\\>\\|\\`x\\`");
    }

    #[test]
    fn no_text_ends_its_code() {
        assert_eq!(code("a`b``c"), "```a`b``c```");
        assert_eq!(code("`a"), "`` `a ``");
        assert_eq!(code_cell("a|b"), "`a\\|b`");
        assert_eq!(fenced("sh", "echo '```'\n````\n"), "`````sh\necho '```'\n````\n`````\n");
    }

    #[test]
    fn a_quotation_holds_what_it_opens() {
        assert_eq!(quoted("# Heading\r\n\n```\nnever closed\n"), "> # Heading\n>\n> ```\n> never closed\n");
    }
}
