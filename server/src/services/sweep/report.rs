//! What a sweep came to, or would come to: by project and reason.

use std::collections::BTreeMap;

use serde::Serialize;

/// Why something is removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// The project was deleted over 30 days ago.
    DeletedProject,
    /// Nothing refers to the contents.
    Unneeded,
    /// The runs were deleted over 30 days ago.
    Trash,
    /// The artifacts expired by a rule of the project.
    Retention,
    /// No row names the objects.
    Unnamed,
    /// What was written or sent never became an object.
    Unfinished,
    /// The objects are of a project that the database never had.
    UnknownProject,
}

impl Reason {
    /// Those for which contents go, in the order in which a sweep comes to them.
    pub(super) const OF_CONTENTS: [Self; 3] = [Self::Unneeded, Self::Trash, Self::Retention];

    /// The reason as it is written in JSON and in metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::DeletedProject => "deleted_project",
            Self::Unneeded => "unneeded",
            Self::Trash => "trash",
            Self::Retention => "retention",
            Self::Unnamed => "unnamed",
            Self::Unfinished => "unfinished",
            Self::UnknownProject => "unknown_project",
        }
    }

    /// What is counted, one and many.
    pub const fn nouns(self) -> (&'static str, &'static str) {
        match self {
            Self::DeletedProject => ("deleted project", "deleted projects"),
            Self::Unneeded => ("content that nothing refers to", "contents that nothing refers to"),
            Self::Trash => ("run in the trash for over 30 days", "runs in the trash for over 30 days"),
            Self::Retention => ("artifact that a rule deletes", "artifacts that a rule deletes"),
            Self::Unnamed => ("object that no row names", "objects that no row names"),
            Self::Unfinished => ("unfinished upload", "unfinished uploads"),
            Self::UnknownProject => (
                "object of a project that this database never had",
                "objects of a project that this database never had",
            ),
        }
    }
}

/// What the store gave back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Freed {
    /// How many objects or files.
    pub objects: u64,
    /// How long they were, in bytes.
    pub bytes: u64,
}

impl Freed {
    /// One object of so many bytes.
    pub const fn one(bytes: u64) -> Self {
        Self { objects: 1, bytes }
    }

    /// Both together.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self { objects: self.objects + other.objects, bytes: self.bytes + other.bytes }
    }
}

/// What was removed of one project for one reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Line {
    /// The project's name in URLs; its id, where there is no such project any more.
    pub project: String,
    /// Why.
    pub reason: Reason,
    /// How many of what the reason is about.
    pub count: u64,
    /// How many objects or files went with it.
    pub objects: u64,
    /// How long those were, in bytes.
    pub bytes: u64,
}

/// What a sweep came to, or would come to.
#[derive(Clone, Debug)]
pub struct Report {
    is_dry_run: bool,
    tallies: BTreeMap<(String, Reason), (u64, Freed)>,
    failed: Vec<String>,
}

impl Report {
    pub(super) const fn new(is_dry_run: bool) -> Self {
        Self { is_dry_run, tallies: BTreeMap::new(), failed: Vec::new() }
    }

    /// Adds what went. Where that is nothing, nothing is said of it.
    pub(super) fn add(&mut self, project: &str, reason: Reason, count: u64, freed: Freed) {
        if count == 0 && freed == Freed::default() {
            return;
        }
        let (counted, so_far) = self.tallies.entry((project.to_owned(), reason)).or_default();
        *counted += count;
        *so_far = so_far.plus(freed);
    }

    /// Notes that a project could not be swept.
    pub(super) fn fail(&mut self, project: &str) {
        self.failed.push(project.to_owned());
    }

    /// Whether nothing was removed: this is what a sweep would come to.
    pub const fn is_dry_run(&self) -> bool {
        self.is_dry_run
    }

    /// What went, by project and then by reason.
    pub fn lines(&self) -> impl Iterator<Item = Line> {
        self.tallies.iter().map(|((project, reason), (count, freed))| Line {
            project: project.clone(),
            reason: *reason,
            count: *count,
            objects: freed.objects,
            bytes: freed.bytes,
        })
    }

    /// What the store gave back altogether, in bytes.
    pub fn freed_bytes(&self) -> u64 {
        self.tallies.values().map(|(_, freed)| freed.bytes).sum()
    }

    /// The projects that could not be swept; the log says why.
    pub fn failed(&self) -> &[String] {
        &self.failed
    }

    /// Counts it for whoever watches the server.
    pub(super) fn count(&self) {
        for ((_, reason), (count, freed)) in &self.tallies {
            metrics::counter!("otrace_sweep_removed_total", "reason" => reason.as_str()).increment(*count);
            metrics::counter!("otrace_sweep_freed_bytes_total", "reason" => reason.as_str()).increment(freed.bytes);
        }
        metrics::counter!("otrace_sweep_failed_projects_total").increment(self.failed.len() as u64);
    }
}
