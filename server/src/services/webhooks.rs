//! Webhooks: what a project tells to addresses of its owners' choice.
//!
//! `managing` is what owners do, `message` writes what is sent, `sending` sends it. What there is to tell is written by
//! whoever does it, in the same transaction, with [`store::webhooks::outbox`](crate::store::webhooks::outbox).

mod managing;
mod message;
mod sending;

pub use self::managing::{
    DELIVERIES_SHOWN, NewSecret, WebhookInput, change, create, delete, deliveries, find, list, replace_secret,
    send_again,
};
pub use self::sending::{deliver_due, keep_delivering, test};
pub use crate::store::webhooks::ListedWebhook;
