//! Who did what, from where: events that are only ever added, each bound to the one before by its hash.
//!
//! Every project has a chain of its own, so that its owners can check theirs without seeing others';
//! one more is the server's. `docs/security.md` tells how to check an exported chain.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::Serialize;
use sha2::{Digest, Sha256};
use time::OffsetDateTime;
use uuid::Uuid;

use super::{Account, AccountId, ApiKeyId, ProjectId};

/// What stands before the first event of a chain.
pub const FIRST_PREVIOUS: [u8; 32] = [0; 32];

/// Which chain an event belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chain {
    /// What happened in a project.
    Project(ProjectId),
    /// What happened to the server: accounts, its settings, and admins who look into projects.
    Server,
}

impl Chain {
    /// The chain's id in the database.
    pub const fn id(self) -> Uuid {
        match self {
            Self::Project(ProjectId(id)) => id,
            Self::Server => Uuid::nil(),
        }
    }
}

/// Who did it.
#[derive(Clone, Debug)]
pub struct Actor {
    /// What kind of actor it is.
    pub kind: ActorKind,
    /// The account's or key's id.
    pub id: Option<Uuid>,
    /// What it is called: an e-mail address, or a key's name and prefix.
    pub label: String,
    /// From where it asked.
    pub address: Option<IpAddr>,
}

/// The kinds of actors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ActorKind {
    /// A person who is signed in.
    Account,
    /// A machine with a key.
    Key,
    /// Somebody at the server's own command line.
    Command,
    /// Somebody who is not signed in, such as one who tries a password.
    Nobody,
}

impl ActorKind {
    /// The kind as it is written in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Account => "account",
            Self::Key => "key",
            Self::Command => "command",
            Self::Nobody => "nobody",
        }
    }
}

impl Actor {
    /// A person, asking from `address`.
    pub fn account(account: &Account, address: Option<IpAddr>) -> Self {
        let AccountId(id) = account.id;
        Self { kind: ActorKind::Account, id: Some(id), label: account.email.clone(), address }
    }

    /// A machine with a key, asking from `address`.
    pub fn key(ApiKeyId(id): ApiKeyId, prefix: &str, address: Option<IpAddr>) -> Self {
        Self { kind: ActorKind::Key, id: Some(id), label: format!("{prefix}…"), address }
    }

    /// Somebody at the server's own command line.
    pub fn command() -> Self {
        Self { kind: ActorKind::Command, id: None, label: "otrace-server".to_owned(), address: None }
    }

    /// Somebody who is not signed in and claims to be `label`.
    pub fn nobody(label: &str, address: Option<IpAddr>) -> Self {
        Self { kind: ActorKind::Nobody, id: None, label: label.to_owned(), address }
    }
}

macro_rules! actions {
    ($($(#[$doc:meta])* $name:ident = $text:literal;)+) => {
        /// What was done.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Action {
            $($(#[$doc])* $name,)+
        }

        impl Action {
            /// Every action, for pages that filter by them.
            pub const ALL: &[Self] = &[$(Self::$name,)+];

            /// The action as it is written in the database and in exports.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)+
                }
            }
        }
    };
}

actions! {
    /// An account was created.
    AccountCreated = "account.created";
    /// Somebody signed in.
    SignedIn = "account.signed_in";
    /// Somebody signed out.
    SignedOut = "account.signed_out";
    /// One or all sessions of an account were ended from its page.
    SessionsEnded = "account.sessions_ended";
    /// A password was changed by its owner.
    PasswordChanged = "account.password_changed";
    /// A password was chosen anew through a link.
    PasswordReset = "account.password_reset";
    /// An admin made a link that resets a password.
    ResetLinkMade = "account.reset_link_made";
    /// An account moved to another address.
    EmailChanged = "account.email_changed";
    /// A provider's identity was linked to an account.
    IdentityLinked = "account.identity_linked";
    /// A provider's identity was taken off an account.
    IdentityUnlinked = "account.identity_unlinked";
    /// An admin closed an account.
    AccountDisabled = "account.disabled";
    /// An admin opened a closed account.
    AccountEnabled = "account.enabled";
    /// An account was made an admin.
    AdminGranted = "account.admin_granted";
    /// An account is an admin no more.
    AdminRevoked = "account.admin_revoked";
    /// The rule by which people sign up was changed.
    SignUpPolicyChanged = "server.sign_up_policy_changed";
    /// A project was created.
    ProjectCreated = "project.created";
    /// An owner settled something of a project.
    ProjectChanged = "project.changed";
    /// A project was deleted.
    ProjectDeleted = "project.deleted";
    /// A deleted project was brought back.
    ProjectRestored = "project.restored";
    /// A deleted project was removed for good, with all that was in it.
    ProjectRemoved = "project.removed";
    /// An admin let themselves into a project.
    AdminEntered = "project.admin_entered";
    /// Somebody was invited.
    InvitationMade = "invitation.made";
    /// An invitation was taken back.
    InvitationRevoked = "invitation.revoked";
    /// Somebody joined.
    MemberJoined = "member.joined";
    /// A member's role was changed.
    MemberRoleChanged = "member.role_changed";
    /// A member was removed.
    MemberRemoved = "member.removed";
    /// A member left.
    MemberLeft = "member.left";
    /// A project was handed to another owner.
    OwnershipTransferred = "member.ownership_transferred";
    /// A key was made.
    KeyCreated = "key.created";
    /// A key was made to replace another.
    KeyRotated = "key.rotated";
    /// A key was revoked.
    KeyRevoked = "key.revoked";
    /// A webhook was made.
    WebhookCreated = "webhook.created";
    /// A webhook was changed, or turned off because its receiver is gone.
    WebhookChanged = "webhook.changed";
    /// A webhook got another secret.
    WebhookSecretReplaced = "webhook.secret_replaced";
    /// A webhook was deleted.
    WebhookDeleted = "webhook.deleted";
    /// A run was deleted.
    RunDeleted = "run.deleted";
    /// A deleted run was brought back.
    RunRestored = "run.restored";
    /// All runs of a project were deleted, as an import does before it begins.
    AllRunsDeleted = "run.all_deleted";
    /// Runs from elsewhere came into a project, in place of those that were there or after them.
    RunsImported = "run.imported";
    /// A list of audit events left the server.
    AuditExported = "audit.exported";
}

/// What is to be recorded.
#[derive(Clone, Debug)]
pub struct NewEvent {
    /// What was done.
    pub action: Action,
    /// To what, as people call it: an address, a key's name, a run.
    pub target: String,
    /// What else is worth knowing, such as the old and the new role.
    pub details: BTreeMap<&'static str, String>,
}

impl NewEvent {
    /// An event without details.
    pub fn new(action: Action, target: impl Into<String>) -> Self {
        Self { action, target: target.into(), details: BTreeMap::new() }
    }

    /// Adds a detail.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.details.insert(name, value.into());
        self
    }
}

/// An event as it is kept, shown and exported. Its fields, in this order and as JSON without spaces,
/// are what its hash is made of, except for `hash` itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AuditEvent {
    /// The project's id, or the nil UUID for the server.
    pub chain: Uuid,
    /// Its place in the chain, from 1.
    pub number: i64,
    /// When it happened.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    /// `account`, `key`, `command` or `nobody`.
    pub actor_kind: String,
    /// The account's or key's id.
    pub actor_id: Option<Uuid>,
    /// What the actor was called then.
    pub actor: String,
    /// What was done, such as `key.revoked`.
    pub action: String,
    /// To what.
    pub target: String,
    /// What else is worth knowing.
    pub details: BTreeMap<String, String>,
    /// From where.
    pub address: Option<String>,
    /// The hash of the event before, in hex; 64 zeros for the first.
    #[serde(serialize_with = "hex")]
    pub previous_hash: [u8; 32],
}

fn hex<S: serde::Serializer>(hash: &[u8; 32], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&to_hex(hash))
}

/// A hash as people and exports write it.
pub fn to_hex(hash: &[u8; 32]) -> String {
    use std::fmt::Write as _;
    hash.iter().fold(String::with_capacity(64), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

impl AuditEvent {
    /// SHA-256 over the event, the hash before it included.
    pub fn hash(&self) -> [u8; 32] {
        // Texts, numbers and a map of texts always become JSON.
        Sha256::digest(serde_json::to_vec(self).unwrap_or_default()).into()
    }
}

/// Where a chain is broken, if it is: the first event whose number or hash does not follow.
///
/// `before` is the number and hash of the event before the first of these; `None`: the chain begins here.
pub fn first_break<'a>(
    before: Option<(i64, [u8; 32])>,
    events: impl IntoIterator<Item = (&'a AuditEvent, [u8; 32])>,
) -> Option<i64> {
    let (mut number, mut previous) = before.unwrap_or((0, FIRST_PREVIOUS));
    for (event, hash) in events {
        number += 1;
        if event.number != number || event.previous_hash != previous || event.hash() != hash {
            return Some(number);
        }
        previous = hash;
    }
    None
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    fn chain(length: i64) -> Vec<(AuditEvent, [u8; 32])> {
        let mut previous_hash = FIRST_PREVIOUS;
        (1..=length)
            .map(|number| {
                let event = AuditEvent {
                    chain: Uuid::nil(),
                    number,
                    at: datetime!(2026-06-01 12:00:00.000001 UTC),
                    actor_kind: "account".to_owned(),
                    actor_id: None,
                    actor: "ada@example.org".to_owned(),
                    action: "key.revoked".to_owned(),
                    target: format!("key {number}"),
                    details: BTreeMap::from([("scope".to_owned(), "write".to_owned())]),
                    address: Some("203.0.113.9".to_owned()),
                    previous_hash,
                };
                previous_hash = event.hash();
                (event, previous_hash)
            })
            .collect()
    }

    fn broken(events: &[(AuditEvent, [u8; 32])]) -> Option<i64> {
        first_break(None, events.iter().map(|(event, hash)| (event, *hash)))
    }

    #[test]
    fn a_chain_that_nobody_touched_holds() {
        assert_eq!(broken(&chain(5)), None);
        assert_eq!(broken(&[]), None);
    }

    #[test]
    fn a_changed_a_missing_and_a_moved_event_break_it() {
        let mut changed = chain(5);
        changed[2].0.actor = "eve@example.org".to_owned();
        assert_eq!(broken(&changed), Some(3));
        let mut missing = chain(5);
        missing.remove(1);
        assert_eq!(broken(&missing), Some(2));
        let mut moved = chain(5);
        moved.swap(3, 4);
        assert_eq!(broken(&moved), Some(4));
        let mut resealed = chain(5);
        resealed[2].0.target = "another".to_owned();
        resealed[2].1 = resealed[2].0.hash();
        assert_eq!(broken(&resealed), Some(4), "the next event still names the old hash");
    }
}
