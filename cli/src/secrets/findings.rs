//! What was found, and where: everything about a secret but the secret.

use std::collections::BTreeMap;
use std::fmt;

/// So many findings are named.
const NAMED_MAX: usize = 8;
/// So many lines of each.
const LINES_MAX: usize = 3;

/// A place in what is kept of a run.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Surface {
    /// The command line.
    Command,
    /// Why it is run.
    Intent,
    /// What it is run on.
    Setup,
    /// The short name, and the words to find it by.
    Title,
    /// The address of the repository.
    RemoteUrl,
    /// What is changed and not staged.
    DirtyDiff,
    /// What is staged.
    StagedDiff,
    /// What the command printed.
    Stdout,
    /// What it printed as errors.
    Stderr,
    /// The list of what is installed.
    Packages,
    /// A file, by its path.
    File(String),
    /// A commit: what it has added to a file, or said.
    Commit {
        /// The file's path, or what else of the commit.
        place: String,
        /// The commit, in short.
        commit: String,
    },
}

impl Surface {
    /// Whether a line's number helps to find the place.
    fn has_lines(&self) -> bool {
        !matches!(
            self,
            Self::Command | Self::Intent | Self::Setup | Self::Title | Self::RemoteUrl | Self::Commit { .. }
        )
    }
}

impl fmt::Display for Surface {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Command => "the command",
            Self::Intent => "the intent",
            Self::Setup => "the setup",
            Self::Title => "the title or the tags",
            Self::RemoteUrl => "the address of the repository",
            Self::DirtyDiff => "the diff",
            Self::StagedDiff => "the staged diff",
            Self::Stdout => "stdout",
            Self::Stderr => "stderr",
            Self::Packages => "the list of packages",
            Self::File(path) => path,
            Self::Commit { place, commit } => return write!(f, "{place} of commit {commit}"),
        })
    }
}

/// What was found so far.
#[derive(Debug, Default)]
pub struct Findings {
    masked: Found,
    /// What was found in artifacts, which are kept as they are.
    left: Found,
    /// What was found in commits, which are kept as they are too.
    committed: Found,
}

type Found = BTreeMap<(Surface, String), Seen>;

#[derive(Debug, Default)]
struct Seen {
    count: u64,
    last_line: u64,
    lines: Vec<u64>,
}

impl Findings {
    /// Takes note of a secret that was masked.
    pub fn masked(&mut self, surface: &Surface, kind: &str, line: u64) {
        note(&mut self.masked, surface, kind, line);
    }

    /// Takes note of one that was left where it is.
    pub fn left(&mut self, surface: &Surface, kind: &str, line: u64) {
        let found = if matches!(surface, Surface::Commit { .. }) { &mut self.committed } else { &mut self.left };
        note(found, surface, kind, line);
    }

    /// What people are told about it, a sentence or two for each warning.
    pub fn report(&self) -> Vec<String> {
        let masked = told(&self.masked).map(|(secrets, places)| {
            format!(
                "masked {secrets} in what is kept of this run: {places}. Pass --no-secret-masking to keep what is \
                 no secret."
            )
        });
        let left = told(&self.left).map(|(secrets, places)| {
            format!(
                "artifacts are kept as they are, and hold what looks like {secrets}: {places}. Have the command \
                 leave it out."
            )
        });
        let committed = told(&self.committed).map(|(secrets, places)| {
            format!(
                "commits that no remote has are sent as they are, and hold what looks like {secrets}: {places}. Make \
                 what is secret useless, and rewrite the commits before the next run."
            )
        });
        [masked, left, committed].into_iter().flatten().collect()
    }
}

fn note(found: &mut Found, surface: &Surface, kind: &str, line: u64) {
    let seen = found.entry((surface.clone(), kind.to_owned())).or_default();
    // One file can be kept twice, as a config and as one that git does not know.
    if surface.has_lines() && line <= seen.last_line {
        return;
    }
    seen.count += 1;
    seen.last_line = line;
    if seen.lines.len() < LINES_MAX {
        seen.lines.push(line);
    }
}

/// How many there are, and where.
fn told(found: &Found) -> Option<(String, String)> {
    let count: u64 = found.values().map(|seen| seen.count).sum();
    let secrets = match count {
        0 => return None,
        1 => "1 secret".to_owned(),
        count => format!("{count} secrets"),
    };
    let mut places: Vec<_> =
        found.iter().take(NAMED_MAX).map(|((surface, kind), seen)| place(surface, kind, seen)).collect();
    if found.len() > NAMED_MAX {
        places.push(format!("and in {} more places", found.len() - NAMED_MAX));
    }
    Some((secrets, places.join(", ")))
}

fn place(surface: &Surface, kind: &str, seen: &Seen) -> String {
    if !surface.has_lines() {
        return format!("{kind} in {surface}");
    }
    let lines: Vec<_> = seen.lines.iter().map(u64::to_string).collect();
    let word = if lines.len() == 1 { "line" } else { "lines" };
    let more = if seen.count > seen.lines.len() as u64 { " and on" } else { "" };
    format!("{kind} in {surface} ({word} {}{more})", lines.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_names_kinds_and_places() {
        let mut findings = Findings::default();
        assert!(findings.report().is_empty());
        findings.masked(&Surface::Command, "github token", 1);
        findings.masked(&Surface::Stdout, ".env value OPENAI_API_KEY", 12);
        let expected = "masked 2 secrets in what is kept of this run: github token in the command, \
                        .env value OPENAI_API_KEY in stdout (line 12). Pass --no-secret-masking to keep what is no secret.";
        assert_eq!(findings.report(), [expected]);
        for line in [12, 13, 14, 15, 16, 12, 13] {
            findings.masked(&Surface::Stdout, ".env value OPENAI_API_KEY", line);
        }
        assert!(findings.report()[0].starts_with("masked 6 secrets"), "{:?}", findings.report());
        assert!(findings.report()[0].contains("stdout (lines 12, 13, 14 and on)"), "{:?}", findings.report());
    }

    #[test]
    fn commits_have_a_warning_of_their_own() {
        let mut findings = Findings::default();
        let surface = Surface::Commit { place: "train.py".to_owned(), commit: "3f78685".to_owned() };
        findings.left(&surface, "openai key", 3);
        findings.left(&surface, "openai key", 3);
        let report = findings.report();
        assert_eq!(report.len(), 1);
        assert!(report[0].contains("2 secrets: openai key in train.py of commit 3f78685. Make"), "{report:?}");
    }

    #[test]
    fn artifacts_have_a_warning_of_their_own_and_many_places_are_counted() {
        let mut findings = Findings::default();
        for number in 0..10 {
            findings.left(&Surface::File(format!("out{number}.json")), "openai key", 3);
        }
        let report = findings.report();
        assert_eq!(report.len(), 1);
        assert!(report[0].contains("out0.json (line 3)") && report[0].contains("and in 2 more places"), "{report:?}");
    }
}
