//! The texts of a project's files, as far as a comparison may read them.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, PoisonError};

use otrace_history::compare::Texts;
use otrace_wire::{ExperimentId, Sha256Digest};

use crate::app::AppState;
use crate::domain::ProjectId;
use crate::services::contents;

/// A file up to this size is read, in bytes; longer ones are compared by their hashes.
const TEXT_MAX_BYTES: u64 = 1024 * 1024;
/// All files together up to this size, in bytes.
const TEXTS_MAX_BYTES: u64 = 8 * 1024 * 1024;

/// Texts by their hashes. Each is read once.
pub(super) struct ProjectTexts<'a> {
    app: &'a AppState,
    project_id: ProjectId,
    /// The files that are asked for; `None`: all are.
    wanted: Option<HashSet<Sha256Digest>>,
    read: Mutex<Read>,
}

/// What was read, and how much more may be.
struct Read {
    texts: HashMap<Sha256Digest, Option<String>>,
    room: u64,
}

impl<'a> ProjectTexts<'a> {
    /// The texts of all files.
    pub(super) fn of_all(app: &'a AppState, project_id: ProjectId) -> Self {
        let read = Mutex::new(Read { texts: HashMap::new(), room: TEXTS_MAX_BYTES });
        Self { app, project_id, wanted: None, read }
    }

    /// The texts of these files; all others are not to be had.
    pub(super) fn only(app: &'a AppState, project_id: ProjectId, wanted: HashSet<Sha256Digest>) -> Self {
        Self { wanted: Some(wanted), ..Self::of_all(app, project_id) }
    }

    /// A text; `None`: it is not there, too long, no text, or one too many.
    pub(super) async fn read(&self, digest: &Sha256Digest) -> Option<String> {
        if let Some(known) = self.with(|read| read.texts.get(digest).cloned()) {
            return known;
        }
        let text = self.fetch(digest).await;
        self.with(|read| read.texts.insert(*digest, text.clone()));
        text
    }

    async fn fetch(&self, digest: &Sha256Digest) -> Option<String> {
        let size = contents::size(self.app, self.project_id, digest).await.ok()?;
        let has_room = size <= TEXT_MAX_BYTES && self.with(|read| read.take(size));
        if !has_room {
            return None;
        }
        let bytes = contents::read_part(self.app, self.project_id, digest, 0..size).await.ok()?;
        String::from_utf8(bytes).ok().filter(|text| !text.contains('\0'))
    }

    fn with<T>(&self, act: impl FnOnce(&mut Read) -> T) -> T {
        act(&mut self.read.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Read {
    /// Whether so much more may be read.
    fn take(&mut self, bytes: u64) -> bool {
        let left = self.room.checked_sub(bytes);
        self.room = left.unwrap_or(self.room);
        left.is_some()
    }
}

impl Texts for ProjectTexts<'_> {
    async fn text(&self, _run: ExperimentId, sha256: &Sha256Digest) -> Option<String> {
        if self.wanted.as_ref().is_some_and(|wanted| !wanted.contains(sha256)) {
            return None;
        }
        self.read(sha256).await
    }
}
