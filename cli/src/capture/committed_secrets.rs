//! Secrets in commits that are on no remote: looked for and told, as they go to the server in a bundle. That can't be
//! masked, because another content would be another commit.
//!
//! Git shows the commits as patches, of which only some are held at a time. All of them are blocking calls, on a
//! thread of their own.

use std::io::{self, BufRead, BufReader, Read as _};
use std::mem;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::capture::bundle::Ending;
use crate::capture::git;
use crate::secrets::{Masker, Surface};

/// So many bytes of patches are looked through.
const PATCHES_MAX: u64 = 64 * 1024 * 1024;
/// For so long.
const PATIENCE: Duration = Duration::from_secs(10);
/// The longest piece of a line that is read at once. The rest of a longer line is passed over.
const LINE_MAX: u64 = 128 * 1024;
/// So much is looked through at once.
const TEXT_MAX: usize = 512 * 1024;
/// What each commit begins with, as no text of git's holds it.
const COMMIT: u8 = 0;

/// Looks through what leads up to a commit and is on no remote. The masker tells what was found.
pub fn look_through(root: &Path, commit: &str, masker: &Masker) {
    let Ok(child) = showing(root, commit).spawn() else { return };
    let mut child = Ending(child);
    let Some(patches) = child.0.stdout.take() else { return };
    // What can't be read can't be looked through.
    let _ = Reader::new(masker).read(BufReader::new(patches.take(PATCHES_MAX)));
}

/// Merges are shown where they differ from all their parents.
fn showing(root: &Path, commit: &str) -> Command {
    let mut command = git::in_background(root);
    command.args(["-c", "core.quotePath=false", "log", "--patch", "--cc", "--unified=0", "--no-renames"]);
    command.args(["--no-color", "--no-ext-diff", "--no-textconv", "--no-show-signature", "--submodule=short"]);
    command.args(["--src-prefix=a/", "--dst-prefix=b/", "--format=format:%x00%h%n%B"]);
    command.args(["--not", "--remotes", "--not", "--end-of-options", commit]);
    command
}

/// Reads patches, line by line.
struct Reader<'a> {
    masker: &'a Masker,
    commit: String,
    /// The file's path, or what else of the commit is read.
    place: String,
    part: Part,
    text: Vec<u8>,
}

/// Which part of a commit is read.
enum Part {
    Message,
    /// What stands before the changes of a file.
    Head,
    /// The changes of a file. So many marks stand before each line: one for each parent.
    Changes(usize),
}

impl<'a> Reader<'a> {
    fn new(masker: &'a Masker) -> Self {
        Self { masker, commit: String::new(), place: String::new(), part: Part::Head, text: Vec::new() }
    }

    fn read(mut self, mut patches: impl BufRead) -> io::Result<()> {
        let begun = Instant::now();
        let (mut line, mut is_begun) = (Vec::new(), true);
        while begun.elapsed() < PATIENCE {
            line.clear();
            if patches.by_ref().take(LINE_MAX).read_until(b'\n', &mut line)? == 0 {
                break;
            }
            if is_begun {
                self.line(&line);
            }
            is_begun = line.ends_with(b"\n");
        }
        self.look();
        Ok(())
    }

    fn line(&mut self, line: &[u8]) {
        if let Some((COMMIT, commit)) = line.split_first().map(|(first, rest)| (*first, rest)) {
            self.look();
            self.commit = text(commit);
            "the message".clone_into(&mut self.place);
            self.part = Part::Message;
        } else if line.starts_with(b"diff --") {
            self.look();
            self.part = Part::Head;
        } else if line.starts_with(b"@@") && !matches!(self.part, Part::Message) {
            let signs = line.iter().take_while(|byte| **byte == b'@').count();
            self.part = Part::Changes(signs - 1);
        } else {
            match self.part {
                Part::Message => self.add(line),
                Part::Head => {
                    if let Some(path) = line.strip_prefix(b"+++ b/") {
                        self.place = text(path);
                    }
                }
                Part::Changes(marks) => {
                    if let Some((_, added)) = line.split_at_checked(marks).filter(|(marks, _)| marks.contains(&b'+')) {
                        self.add(added);
                    }
                }
            }
        }
    }

    fn add(&mut self, line: &[u8]) {
        if self.text.last().is_some_and(|last| *last != b'\n') {
            // The rest of a long line was passed over.
            self.text.push(b'\n');
        }
        self.text.extend_from_slice(line);
        if self.text.len() >= TEXT_MAX {
            self.look();
        }
    }

    /// Looks through what was read of one place.
    fn look(&mut self) {
        let text = mem::take(&mut self.text);
        if !text.is_empty() {
            let surface = Surface::Commit { place: self.place.clone(), commit: self.commit.clone() };
            self.masker.look_through(&surface, text.as_slice());
        }
    }
}

fn text(line: &[u8]) -> String {
    String::from_utf8_lossy(line).trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::Workspace;

    const TOKEN: &str = "ghp_0a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R";

    /// What is told of these patches.
    fn told(patches: &str) -> Vec<String> {
        let folder = tempfile::tempdir().expect("a folder");
        let masker = Masker::of(&Workspace::at(folder.path())).expect("a masker");
        Reader::new(&masker).read(patches.as_bytes()).expect("read");
        masker.report()
    }

    #[test]
    fn what_commits_have_added_and_said_is_told_with_its_place() {
        let patches = format!(
            "\0abc1234\nfirst\n\ndiff --git a/a b.py b/a b.py\nindex 1..2 100644\n--- a/a b.py\n+++ b/a b.py\n\
             @@ -0,0 +1,2 @@\n+import os\n+login('{TOKEN}')\n\0def5678\nwith {TOKEN}\n\n\
             diff --cc c.py\nindex 1,2..3\n--- a/c.py\n+++ b/c.py\n@@@ -1,1 -1,1 +1,1 @@@\n++key = '{TOKEN}'\n"
        );
        let told = told(&patches);
        assert_eq!(told.len(), 1, "{told:?}");
        for place in ["in a b.py of commit abc1234", "in the message of commit def5678", "in c.py of commit def5678"] {
            assert!(told[0].contains(&format!("github token {place}")), "{place}: {told:?}");
        }
        assert!(told[0].contains("3 secrets") && !told[0].contains(TOKEN), "{told:?}");
    }

    #[test]
    fn what_commits_have_removed_is_not_in_them() {
        let head = "\0abc1234\nfirst\n\ndiff --git a/a.py b/a.py\n--- a/a.py\n+++ b/a.py\n@@ -1,1 +1,1 @@\n";
        assert_eq!(told(&format!("{head}-login('{TOKEN}')\n+login()\n")), [""; 0]);
        let long = "x".repeat(200_000);
        assert_eq!(told(&format!("{head}+{long}\n+{TOKEN}\n")).len(), 1, "what follows a long line");
    }
}
