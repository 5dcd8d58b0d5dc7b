//! Ids that can't be mistaken for one another.

use std::fmt;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident;)+) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, sqlx::Type)]
        #[serde(transparent)]
        #[sqlx(transparent)]
        pub struct $name(pub Uuid);

        impl $name {
            /// A new id: a UUIDv7, so that ids sort by the time they were made.
            pub fn new() -> Self {
                Self(Uuid::now_v7())
            }
        }

        impl Default for $name {
            fn default() -> Self {
                Self::new()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    )+};
}

ids! {
    /// The id of an [`Account`](super::Account).
    AccountId;
    /// The id of a [`Project`](super::Project).
    ProjectId;
    /// The id of an [`ApiKey`](super::ApiKey).
    ApiKeyId;
    /// The id of an [`Invitation`](super::Invitation).
    InvitationId;
    /// The id of a session, which is not its token.
    SessionId;
    /// The id of a [`Run`](super::Run).
    RunId;
    /// The id of an [`Artifact`](super::Artifact).
    ArtifactId;
    /// The id of a [`Webhook`](super::Webhook).
    WebhookId;
    /// The id of a [`Delivery`](super::webhook::Delivery): what its receiver knows a message by.
    DeliveryId;
}
