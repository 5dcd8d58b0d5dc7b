//! A file's diff as a page shows it: line below line, or before and after side by side. Pure.

use super::DiffLine;

/// How an address asks for before and after side by side: `?view=split`.
pub const SPLIT: &str = "split";

/// The lines of a diff, ready to be shown.
#[derive(Debug, Default)]
pub struct DiffView {
    /// Whether `rows` are shown; else `lines` are.
    pub is_split: bool,
    /// All lines, below each other.
    pub lines: Vec<LineView>,
    /// The same, side by side.
    pub rows: Vec<SplitRow>,
}

/// A line of a diff.
#[derive(Clone, Debug)]
pub struct LineView {
    /// The class of its row: `a` added, `d` removed, `h` a heading, or nothing.
    pub class: &'static str,
    /// Its number before.
    pub old: Option<u32>,
    /// Its number after.
    pub new: Option<u32>,
    /// `+ `, `− `, two spaces, or nothing before a heading.
    pub sign: &'static str,
    /// Its text.
    pub parts: Vec<Part>,
}

/// Some words of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// The words.
    pub text: String,
    /// Whether the other line has others in their place.
    pub is_changed: bool,
}

/// A line before, and what stands in its place after.
#[derive(Debug, Default)]
pub struct SplitRow {
    /// A heading across both; then there is nothing else.
    pub heading: Option<String>,
    /// The line before; `None` where one came.
    pub before: Option<LineView>,
    /// The line after; `None` where one went.
    pub after: Option<LineView>,
    /// Whether nothing changed in it.
    pub is_same: bool,
}

impl DiffView {
    /// These lines, side by side or below each other.
    pub fn new(lines: Vec<LineView>, is_split: bool) -> Self {
        if is_split {
            return Self { is_split, lines: Vec::new(), rows: rows(lines) };
        }
        Self { is_split, lines, rows: Vec::new() }
    }

    /// Whether there is nothing to show.
    pub const fn is_empty(&self) -> bool {
        self.lines.is_empty() && self.rows.is_empty()
    }
}

impl LineView {
    /// A line with the changed words that the diff itself marks.
    pub fn marked(line: &DiffLine) -> Self {
        let parts = [(&line.text, false), (&line.changed, true), (&line.rest, false)];
        let parts = parts.into_iter().filter(|(text, _)| !text.is_empty());
        let parts = parts.map(|(text, is_changed)| Part { text: text.clone(), is_changed }).collect();
        Self { class: line.class, old: line.old, new: line.new, sign: line.sign, parts }
    }

    /// A line without marks.
    pub fn plain(line: &DiffLine) -> Self {
        let text = format!("{}{}{}", line.text, line.changed, line.rest);
        Self { parts: vec![Part { text, is_changed: false }], ..Self::marked(line) }
    }

    /// What it says.
    pub fn text(&self) -> String {
        self.parts.iter().map(|part| part.text.as_str()).collect()
    }
}

/// Puts what went beside what came in its place, in the order in which both stand.
fn rows(lines: Vec<LineView>) -> Vec<SplitRow> {
    let mut rows = Vec::new();
    let mut lines = lines.into_iter().peekable();
    while let Some(line) = lines.next() {
        match line.class {
            "h" => rows.push(SplitRow { heading: Some(line.text()), ..SplitRow::default() }),
            "d" | "a" => {
                let (mut gone, mut come) = (Vec::new(), Vec::new());
                let is_gone = line.class == "d";
                if is_gone {
                    gone.push(line);
                } else {
                    come.push(line);
                }
                while let Some(next) = lines.next_if(|next| is_gone && next.class == "d") {
                    gone.push(next);
                }
                while let Some(next) = lines.next_if(|next| next.class == "a") {
                    come.push(next);
                }
                let (mut gone, mut come) = (gone.into_iter(), come.into_iter());
                for _ in 0..gone.len().max(come.len()) {
                    rows.push(SplitRow { before: gone.next(), after: come.next(), ..SplitRow::default() });
                }
            }
            _ => {
                let before = Some(line.clone());
                rows.push(SplitRow { before, after: Some(line), is_same: true, heading: None });
            }
        }
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::super::parse;
    use super::*;

    /// The number and the text of both sides of each row; a heading stands on both.
    fn sides(text: &str) -> Vec<[Option<String>; 2]> {
        let lines = parse(text)[0].lines.iter().map(LineView::marked).collect();
        let told = |line: Option<LineView>, number: fn(&LineView) -> Option<u32>| {
            line.map(|line| format!("{} {}", number(&line).unwrap_or_default(), line.text()))
        };
        let rows = DiffView::new(lines, true).rows.into_iter().filter(|row| row.heading.is_none());
        rows.map(|row| [told(row.before, |line| line.old), told(row.after, |line| line.new)]).collect()
    }

    #[test]
    fn what_went_stands_beside_what_came_in_its_place() {
        let text = "@@ -4,4 +4,4 @@\n same\n-loss: ce\n-kd: 1\n+loss: kd\n end\n+more\n";
        assert_eq!(
            sides(text),
            [
                [Some("4 same".to_owned()), Some("4 same".to_owned())],
                [Some("5 loss: ce".to_owned()), Some("5 loss: kd".to_owned())],
                [Some("6 kd: 1".to_owned()), None],
                [Some("7 end".to_owned()), Some("6 end".to_owned())],
                [None, Some("7 more".to_owned())],
            ]
        );
    }

    #[test]
    fn no_line_is_lost_whatever_the_order() {
        for text in ["@@ -1,2 +1,3 @@\n+a\n-b\n+c\n+d\n-e\n", "no diff", "@@ -1 +1 @@\n-a\n\\ No newline\n+b\n"] {
            let file = &parse(text)[0];
            let count = |class: &str| file.lines.iter().filter(|line| line.class == class).count();
            let rows = DiffView::new(file.lines.iter().map(LineView::plain).collect(), true).rows;
            let shown = |side: fn(&SplitRow) -> Option<&LineView>, class: &str| {
                rows.iter().filter_map(side).filter(|line| line.class == class).count()
            };
            assert_eq!(shown(|row| row.before.as_ref(), "d"), count("d"), "{text}");
            assert_eq!(shown(|row| row.after.as_ref(), "a"), count("a"), "{text}");
            assert_eq!(rows.iter().filter(|row| row.heading.is_some()).count(), count("h"), "{text}");
            assert_eq!(rows.iter().filter(|row| row.is_same).count(), count(""), "{text}");
        }
    }
}
