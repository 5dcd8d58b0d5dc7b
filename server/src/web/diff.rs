//! A unified diff as files and lines, for the code page.
//!
//! Pure and tolerant: whatever the text is, every line of it is shown; what is no diff shows as
//! context of a file without a name.

pub mod view;

use std::iter::Peekable;
use std::str::Lines;

use super::terminal;

/// The changes of one file.
#[derive(Clone, Debug, Default)]
pub struct FileDiff {
    /// Its path, without git's `a/` and `b/`.
    pub path: String,
    /// What happened to it beside its lines, such as `new file` or `binary`.
    pub notes: Vec<String>,
    /// How many lines came.
    pub added: usize,
    /// How many lines went.
    pub removed: usize,
    /// The lines, in order.
    pub lines: Vec<DiffLine>,
}

/// One line of a diff.
#[derive(Clone, Debug, Default)]
pub struct DiffLine {
    /// The class of its row: `a` added, `d` removed, `h` a heading, or nothing.
    pub class: &'static str,
    /// Its number before.
    pub old: Option<u32>,
    /// Its number after.
    pub new: Option<u32>,
    /// `+ `, `− `, two spaces, or nothing before a heading.
    pub sign: &'static str,
    /// What stands before the changed words.
    pub text: String,
    /// The changed words.
    pub changed: String,
    /// What stands after them.
    pub rest: String,
}

/// Reads a diff.
pub fn parse(text: &str) -> Vec<FileDiff> {
    let mut files: Vec<FileDiff> = Vec::new();
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        if let Some(paths) = line.strip_prefix("diff --git ") {
            files.push(FileDiff { path: path_of_git_header(paths), ..FileDiff::default() });
        } else if let Some(old) = line.strip_prefix("--- ")
            && let Some(new) = lines.peek().copied().and_then(|next| next.strip_prefix("+++ "))
        {
            let path = clean_path(if is_no_file(new) { old } else { new });
            lines.next();
            // After `diff --git` this only tells the path again, surely.
            if files.last().is_none_or(|file| !file.lines.is_empty()) {
                files.push(FileDiff::default());
            }
            current(&mut files).path = path;
        } else if let Some((old, new)) = Hunk::starts(line) {
            let file = current(&mut files);
            file.lines.push(DiffLine { class: "h", text: terminal::clean(line), ..DiffLine::default() });
            read_hunk(file, &mut lines, old, new);
        } else {
            read_other(current(&mut files), line);
        }
    }
    for file in &mut files {
        mark_changed_words(&mut file.lines);
    }
    files
}

fn current(files: &mut Vec<FileDiff>) -> &mut FileDiff {
    if files.is_empty() {
        files.push(FileDiff::default());
    }
    let last = files.len() - 1;
    &mut files[last]
}

/// A side of a hunk: the number of its next line, and how many are left.
#[derive(Clone, Copy)]
struct Hunk {
    next: u32,
    left: u32,
}

impl Hunk {
    /// Both sides, from `@@ -4,6 +4,11 @@ …`.
    fn starts(line: &str) -> Option<(Self, Self)> {
        let (ranges, _) = line.strip_prefix("@@ -")?.split_once(" @@")?;
        let (old, new) = ranges.split_once(" +")?;
        Some((Self::read(old)?, Self::read(new)?))
    }

    fn read(range: &str) -> Option<Self> {
        let (next, left) = range.split_once(',').unwrap_or((range, "1"));
        Some(Self { next: next.parse().ok()?, left: left.parse().ok()? })
    }

    /// The number of this line; the next one is one higher.
    fn take(&mut self) -> u32 {
        let number = self.next;
        self.next = self.next.saturating_add(1);
        self.left = self.left.saturating_sub(1);
        number
    }
}

fn read_hunk(file: &mut FileDiff, lines: &mut Peekable<Lines<'_>>, mut old: Hunk, mut new: Hunk) {
    while old.left > 0 || new.left > 0 {
        let Some(line) = lines.next_if(|line| !line.starts_with("diff --git ") && Hunk::starts(line).is_none()) else {
            return;
        };
        let (sign, text) = line.split_at_checked(1).unwrap_or((" ", line));
        let text = terminal::clean(text);
        file.lines.push(match sign {
            "+" => {
                file.added += 1;
                DiffLine { class: "a", new: Some(new.take()), sign: "+ ", text, ..DiffLine::default() }
            }
            "-" => {
                file.removed += 1;
                DiffLine { class: "d", old: Some(old.take()), sign: "− ", text, ..DiffLine::default() }
            }
            "\\" => DiffLine { class: "h", text: terminal::clean(line), ..DiffLine::default() },
            _ => DiffLine { old: Some(old.take()), new: Some(new.take()), sign: "  ", text, ..DiffLine::default() },
        });
    }
}

/// Lines outside of hunks: what git says of the file, or text that is no diff at all.
fn read_other(file: &mut FileDiff, line: &str) {
    let note = match line.split_once(' ').unwrap_or((line, "")) {
        ("index" | "similarity" | "dissimilarity", _) | ("", "") => return,
        ("new", rest) if rest.starts_with("file") => Some("new file".to_owned()),
        ("deleted", rest) if rest.starts_with("file") => Some("deleted".to_owned()),
        ("rename", rest) => rest.strip_prefix("from ").map(|from| format!("was {}", clean_path(from))),
        ("old" | "new", rest) => rest.strip_prefix("mode ").map(|mode| format!("mode {mode}")),
        ("Binary" | "GIT", _) => Some("binary".to_owned()),
        ("\\", _) => None,
        _ => {
            file.lines.push(DiffLine { sign: "  ", text: terminal::clean(line), ..DiffLine::default() });
            return;
        }
    };
    file.notes.extend(note);
}

fn is_no_file(path: &str) -> bool {
    path.trim_end() == "/dev/null"
}

/// `b/kws/losses.py` and `"b/a b"` as people write them; what follows a tab is a date.
fn clean_path(path: &str) -> String {
    let path = path.split('\t').next().unwrap_or(path).trim().trim_matches('"');
    terminal::clean(path.strip_prefix("a/").or_else(|| path.strip_prefix("b/")).unwrap_or(path))
}

/// The path in `a/x b/x`, which is all there is for a file without changed lines.
fn path_of_git_header(paths: &str) -> String {
    paths.rsplit_once(" b/").map_or_else(|| clean_path(paths), |(_, path)| clean_path(path))
}

/// Marks what differs, where as many lines came as went and each is still like the other.
fn mark_changed_words(lines: &mut [DiffLine]) {
    let mut start = 0;
    while start < lines.len() {
        let removed = lines[start..].iter().take_while(|line| line.class == "d").count();
        let added = lines[start + removed..].iter().take_while(|line| line.class == "a").count();
        if removed > 0 && removed == added {
            let (gone, come) = lines[start..start + removed + added].split_at_mut(removed);
            for (old, new) in gone.iter_mut().zip(come) {
                mark_pair(old, new);
            }
        }
        start += (removed + added).max(1);
    }
}

fn mark_pair(old: &mut DiffLine, new: &mut DiffLine) {
    let same_start = common(old.text.chars(), new.text.chars());
    let (old_tail, new_tail) = (&old.text[same_start..], &new.text[same_start..]);
    let same_end = common(old_tail.chars().rev(), new_tail.chars().rev());
    // Lines that share little are two lines, not one that was changed.
    if (same_start + same_end) * 3 < old.text.trim_start().len().max(new.text.trim_start().len()) {
        return;
    }
    for line in [old, new] {
        line.rest = line.text.split_off(line.text.len() - same_end);
        line.changed = line.text.split_off(same_start);
    }
}

/// How many bytes two texts share, in whole characters.
fn common(one: impl Iterator<Item = char>, other: impl Iterator<Item = char>) -> usize {
    one.zip(other).take_while(|(a, b)| a == b).map(|(c, _)| c.len_utf8()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIFF: &str = "\
diff --git a/conf.yaml b/conf.yaml
index 1..2 100644
--- a/conf.yaml
+++ b/conf.yaml
@@ -4,3 +4,4 @@ model:
 model: bcres8
-loss: ce
+loss: ce_kd
+kd: 4
 seed: 1
diff --git a/old.txt b/old.txt
deleted file mode 100644
--- a/old.txt
+++ /dev/null
@@ -1 +0,0 @@
--- a line that begins with dashes
\\ No newline at end of file
";

    #[test]
    fn a_diff_has_files_with_numbered_lines() {
        let files = parse(DIFF);
        assert_eq!(files.len(), 2);
        let file = &files[0];
        assert_eq!((file.path.as_str(), file.added, file.removed), ("conf.yaml", 2, 1));
        let numbers: Vec<_> = file.lines.iter().map(|line| (line.class, line.old, line.new)).collect();
        assert_eq!(
            numbers,
            [
                ("h", None, None),
                ("", Some(4), Some(4)),
                ("d", Some(5), None),
                ("a", None, Some(5)),
                ("a", None, Some(6)),
                ("", Some(6), Some(7)),
            ]
        );
    }

    #[test]
    fn a_removed_line_of_dashes_is_no_header() {
        let file = &parse(DIFF)[1];
        assert_eq!((file.path.as_str(), file.added, file.removed), ("old.txt", 0, 1));
        assert_eq!(file.notes, ["deleted"]);
        assert_eq!(file.lines[1].text, "-- a line that begins with dashes");
    }

    #[test]
    fn changed_words_are_marked() {
        let lines = &parse("@@ -1 +1 @@\n-loss: ce # plain\n+loss: kd # plain\n")[0].lines;
        assert_eq!(
            (lines[1].text.as_str(), lines[1].changed.as_str(), lines[1].rest.as_str()),
            ("loss: ", "ce", " # plain")
        );
        assert_eq!(lines[2].changed, "kd");
    }

    #[test]
    fn several_files_without_git_headers() {
        let files = parse("--- a/x\n+++ b/x\n@@ -1 +1 @@\n-1\n+2\n--- a/y\n+++ b/y\n@@ -1 +1 @@\n-1\n+2\n");
        let paths: Vec<_> = files.iter().map(|file| file.path.as_str()).collect();
        assert_eq!(paths, ["x", "y"]);
    }

    #[test]
    fn whatever_comes_is_shown() {
        for text in ["", "\n\n", "no diff", "@@ -x +y @@", "@@ -1,999 +1,999 @@\n a", "diff --git ", "é\n+ü", "--- "]
        {
            let shown: usize = parse(text).iter().map(|file| file.lines.len()).sum();
            assert!(shown <= text.lines().count(), "{text:?}");
        }
        assert_eq!(parse("no diff")[0].lines[0].text, "no diff");
        assert_eq!(parse("diff --git a/a.bin b/a.bin\nBinary files differ\n")[0].notes, ["binary"]);
    }
}
