//! Tables: as wide as the terminal at most; on a pipe a line a row, with tabs between the cells.

use std::io::{IsTerminal as _, stdout};

use anstyle::Style;
use rustix::termios::tcgetwinsize;
use unicode_width::UnicodeWidthChar as _;

use super::{PLAIN, STRONG, painted};

/// What stands between two columns.
const GAP: usize = 2;
/// No column gets narrower, and none that is as narrow shrinks.
const NARROWEST: usize = 8;
/// How wide a terminal is taken for that does not say.
const USUAL_WIDTH: usize = 80;

/// Rows of cells under titles.
#[derive(Clone, Debug)]
pub struct Table {
    columns: Vec<Heading>,
    rows: Vec<Vec<Cell>>,
}

/// What stands above a column, and how the column is set.
#[derive(Clone, Debug)]
pub struct Heading {
    title: String,
    is_right: bool,
    may_shrink: bool,
}

/// What stands in a table: for people, and for programs.
#[derive(Clone, Debug, Default)]
pub struct Cell {
    shown: String,
    plain: String,
    style: Style,
}

impl Heading {
    /// Of a column of short texts.
    pub fn new(title: impl Into<String>) -> Self {
        Self { title: title.into(), is_right: false, may_shrink: false }
    }

    /// Of numbers, which stand at the right.
    pub fn right(self) -> Self {
        Self { is_right: true, ..self }
    }

    /// Of long texts, which are cut where there is no room.
    pub fn shrinking(self) -> Self {
        Self { may_shrink: true, ..self }
    }
}

impl Cell {
    /// The same for both.
    pub fn new(text: impl Into<String>) -> Self {
        let text = text.into();
        Self { shown: text.clone(), plain: text, style: PLAIN }
    }

    /// One text for people, and one for programs.
    pub fn both(shown: impl Into<String>, plain: impl Into<String>) -> Self {
        Self { shown: shown.into(), plain: plain.into(), style: PLAIN }
    }

    /// The same with a look.
    pub fn styled(self, style: Style) -> Self {
        Self { style, ..self }
    }
}

impl Table {
    /// Without rows.
    pub fn new(columns: Vec<Heading>) -> Self {
        Self { columns, rows: Vec::new() }
    }

    /// Adds a row, which has a cell for each column.
    pub fn row(&mut self, cells: Vec<Cell>) {
        self.rows.push(cells);
    }

    /// Prints it. Titles are for people only.
    pub fn print(&self) {
        if !stdout().is_terminal() {
            for row in &self.rows {
                let cells: Vec<_> = row.iter().map(|cell| on_one_line(&cell.plain)).collect();
                painted(&[(PLAIN, &cells.join("\t"))]);
            }
            return;
        }
        let shown: Vec<Vec<String>> =
            self.rows.iter().map(|row| row.iter().map(|cell| on_one_line(&cell.shown)).collect()).collect();
        let widths = self.widths(&shown, terminal_width());
        let titles: Vec<_> = self.columns.iter().map(|column| column.title.clone()).collect();
        self.print_row(&titles, &widths, |_| STRONG);
        for (row, cells) in self.rows.iter().zip(&shown) {
            self.print_row(cells, &widths, |index| row.get(index).map_or(PLAIN, |cell| cell.style));
        }
    }

    fn print_row(&self, cells: &[String], widths: &[usize], style: impl Fn(usize) -> Style) {
        let last = widths.len().saturating_sub(1);
        let mut pieces = Vec::new();
        for (index, ((cell, &wanted), column)) in cells.iter().zip(widths).zip(&self.columns).enumerate() {
            let text = fitted(cell, wanted);
            let room = " ".repeat(wanted.saturating_sub(width(&text)));
            let gap = if index == last { String::new() } else { " ".repeat(GAP) };
            let (before, after) = match (column.is_right, index == last) {
                (true, _) => (room, gap),
                // Nothing stands behind it.
                (false, true) => (String::new(), gap),
                (false, false) => (String::new(), room + &gap),
            };
            pieces.extend([(PLAIN, before), (style(index), text), (PLAIN, after)]);
        }
        let pieces: Vec<_> = pieces.iter().map(|(style, text)| (*style, text.as_str())).collect();
        painted(&pieces);
    }

    fn widths(&self, shown: &[Vec<String>], room: usize) -> Vec<usize> {
        let natural = self.columns.iter().enumerate().map(|(index, column)| {
            let cells = shown.iter().filter_map(|row| row.get(index)).map(|cell| width(cell));
            cells.max().unwrap_or(0).max(width(&column.title))
        });
        let may_shrink: Vec<_> = self.columns.iter().map(|column| column.may_shrink).collect();
        shrunk(natural.collect(), &may_shrink, room)
    }
}

/// How many columns the terminal has.
fn terminal_width() -> usize {
    let size = tcgetwinsize(stdout()).map_or(0, |size| usize::from(size.ws_col));
    if size == 0 { USUAL_WIDTH } else { size }
}

/// Takes from the widest of the columns that may shrink until all of them fit; where that is not enough, from the
/// others.
fn shrunk(widths: Vec<usize>, may_shrink: &[bool], room: usize) -> Vec<usize> {
    let first = narrowed(widths, may_shrink, room);
    let all = vec![true; first.len()];
    narrowed(first, &all, room)
}

fn narrowed(mut widths: Vec<usize>, may_shrink: &[bool], room: usize) -> Vec<usize> {
    let gaps = GAP * widths.len().saturating_sub(1);
    let mut excess = (widths.iter().sum::<usize>() + gaps).saturating_sub(room);
    while excess > 0 {
        let shrinking = widths.iter_mut().zip(may_shrink).filter(|(width, may)| **may && **width > NARROWEST);
        let Some((widest, _)) = shrinking.max_by_key(|(width, _)| **width) else { break };
        *widest -= 1;
        excess -= 1;
    }
    widths
}

/// A text that is no wider; what is cut off is told by its last character.
fn fitted(text: &str, room: usize) -> String {
    if width(text) <= room {
        return text.to_owned();
    }
    let mut left = room.saturating_sub(1);
    let mut kept = String::new();
    for c in text.chars() {
        let taken = c.width().unwrap_or(0);
        if taken > left {
            break;
        }
        left -= taken;
        kept.push(c);
    }
    kept.push('…');
    kept
}

fn width(text: &str) -> usize {
    text.chars().map(|c| c.width().unwrap_or(0)).sum()
}

/// A cell has no lines and no tabs: these are what divides cells.
fn on_one_line(text: &str) -> String {
    super::clean(text).replace(['\n', '\t'], " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_widest_column_gives_way_first() {
        assert_eq!(shrunk(vec![6, 40, 20], &[false, true, true], 52), [6, 22, 20]);
        assert_eq!(shrunk(vec![6, 40, 20], &[false, true, true], 36), [6, 13, 13]);
        assert_eq!(shrunk(vec![6, 40, 20], &[false, true, true], 10), [6, 8, 8], "none gets too narrow to be read");
        assert_eq!(shrunk(vec![6, 4], &[true, true], 80), [6, 4]);
        assert_eq!(shrunk(vec![20, 9], &[false, true], 22), [12, 8], "then those that hold short texts");
    }

    #[test]
    fn what_is_cut_says_so_and_wide_characters_count_as_they_are_seen() {
        assert_eq!((fitted("learning", 8), fitted("learning", 6)), ("learning".to_owned(), "learn…".to_owned()));
        assert_eq!((width("学習"), fitted("学習率", 4)), (4, "学…".to_owned()));
    }

    #[test]
    fn a_cell_is_one_line_and_steers_nothing() {
        assert_eq!(on_one_line("a\tb\nc\x1b[2J"), "a b c\u{fffd}[2J");
    }
}
