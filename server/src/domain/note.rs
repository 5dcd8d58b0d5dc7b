//! Something that a person or an agent wrote on a run.

use time::OffsetDateTime;
use uuid::Uuid;

use super::AccountId;

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
