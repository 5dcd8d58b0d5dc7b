//! Something that a person or an agent wrote on a run.

use time::OffsetDateTime;
use uuid::Uuid;

use super::AccountId;

/// The longest note, in bytes.
pub const NOTE_MAX_BYTES: usize = 64 * 1024;
/// So many notes a run may have.
pub const NOTES_MAX: u64 = 1_000;
/// So long they may be together, in bytes: all of them are read with each run.
pub const NOTES_MAX_BYTES: u64 = 1024 * 1024;

/// Something that a person or an agent wrote on a run. `#insight` in it makes it *Learned*.
#[derive(Clone, Debug)]
pub struct Note {
    /// The note's id.
    pub id: Uuid,
    /// Who wrote it; `None`: a machine, with a key.
    pub account_id: Option<AccountId>,
    /// Who wrote it, as shown to people.
    pub author: String,
    /// Markdown.
    pub body: String,
    /// When it was written.
    pub created_at: OffsetDateTime,
}
