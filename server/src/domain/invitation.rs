//! Invitations: a link by which somebody joins a project, or only gets an account.

use time::{Duration, OffsetDateTime};

use super::{InvitationId, ProjectId, Role};

/// What an invitation's token begins with.
pub const TOKEN_PREFIX: &str = "tri_";
/// How many days an invitation may be open, as forms offer it.
pub const LIFETIME_DAYS: [u16; 4] = [1, 7, 30, 90];
/// How many days an invitation is open unless its maker says otherwise.
pub const DEFAULT_DAYS: u16 = 7;

/// An open or past invitation. Its link is not known: it was shown, or sent, once.
#[derive(Clone, Debug)]
pub struct Invitation {
    /// The invitation's id.
    pub id: InvitationId,
    /// What it leads into; `None`: only to an account.
    pub into: Option<(ProjectId, Role)>,
    /// The one address that may accept it; `None`: whoever has the link.
    pub email: Option<String>,
    /// Whether the link went to that address by mail.
    pub was_mailed: bool,
    /// Who invites, as shown to people.
    pub inviter: Option<String>,
    /// When it was made.
    pub created_at: OffsetDateTime,
    /// When it ends.
    pub expires_at: OffsetDateTime,
}

/// How long an invitation is open that was made with this choice.
pub fn lifetime(days: Option<u16>) -> Duration {
    let days = days.filter(|days| LIFETIME_DAYS.contains(days)).unwrap_or(DEFAULT_DAYS);
    Duration::days(days.into())
}
