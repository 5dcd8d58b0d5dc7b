//! The lines of a diff, with the words marked that a changed line differs in. Pure.

use similar::{ChangeTag, TextDiff};

use crate::web::diff::DiffLine;
use crate::web::diff::view::{LineView, Part};

/// Longer lines are not compared word by word.
const LINE_MAX_BYTES: usize = 2_000;
/// Lines that share less than one part in so many are two lines, not one that was changed.
const SHARED_AT_LEAST: usize = 3;

/// The lines as they are shown. Where as many came as went, each is compared with the one in whose place it came.
pub fn lines(lines: &[DiffLine]) -> Vec<LineView> {
    let mut views: Vec<LineView> = lines.iter().map(LineView::plain).collect();
    let mut start = 0;
    while start < views.len() {
        let removed = views[start..].iter().take_while(|line| line.class == "d").count();
        let added = views[start + removed..].iter().take_while(|line| line.class == "a").count();
        if removed > 0 && removed == added {
            let (gone, come) = views[start..start + removed + added].split_at_mut(removed);
            for (old, new) in gone.iter_mut().zip(come) {
                mark(old, new);
            }
        }
        start += (removed + added).max(1);
    }
    views
}

fn mark(old: &mut LineView, new: &mut LineView) {
    let (before, after) = (old.text(), new.text());
    if before.len().max(after.len()) > LINE_MAX_BYTES {
        return;
    }
    let (mut gone, mut come, mut shared) = (Vec::new(), Vec::new(), 0);
    let compared = TextDiff::from_words(before.as_str(), after.as_str());
    for change in compared.iter_all_changes() {
        let word = change.value();
        match change.tag() {
            ChangeTag::Equal => {
                shared += word.trim().len();
                push(&mut gone, word, false);
                push(&mut come, word, false);
            }
            ChangeTag::Delete => push(&mut gone, word, true),
            ChangeTag::Insert => push(&mut come, word, true),
        }
    }
    if shared * SHARED_AT_LEAST >= before.trim().len().max(after.trim().len()) {
        (old.parts, new.parts) = (gone, come);
    }
}

/// Adds words, to the part before where that is of the same kind.
fn push(parts: &mut Vec<Part>, text: &str, is_changed: bool) {
    match parts.last_mut() {
        Some(last) if last.is_changed == is_changed => last.text.push_str(text),
        _ => parts.push(Part { text: text.to_owned(), is_changed }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::diff;

    fn marked(text: &str) -> Vec<String> {
        let views = lines(&diff::parse(text)[0].lines);
        let read = |part: &Part| if part.is_changed { format!("[{}]", part.text) } else { part.text.clone() };
        views.iter().skip(1).map(|line| line.parts.iter().map(read).collect()).collect()
    }

    #[test]
    fn each_word_that_differs_is_marked() {
        let text = "@@ -1 +1 @@\n-lr 3e-4 with batch 128 and seed 1\n+lr 1e-3 with batch 128 and seed 2\n";
        assert_eq!(marked(text), ["lr [3e-4] with batch 128 and seed [1]", "lr [1e-3] with batch 128 and seed [2]"]);
    }

    #[test]
    fn lines_that_share_little_are_left_as_they_are() {
        let text = "@@ -1 +1 @@\n-import os\n+def train(model, data):\n";
        assert_eq!(marked(text), ["import os", "def train(model, data):"]);
    }

    #[test]
    fn no_word_is_lost() {
        let text = "@@ -1,2 +1,2 @@\n-a  b\tc\n-x\n+a  d\tc\n+é x\n";
        let shown = marked(text);
        let shown: Vec<String> = shown.iter().map(|line| line.replace(['[', ']'], "")).collect();
        assert_eq!(shown, ["a  b\tc", "x", "a  d\tc", "é x"]);
    }
}
