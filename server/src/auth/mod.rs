//! Who asks: extractors that a handler's signature names, so that none can forget to check.
//!
//! - [`SignedIn`]: a person with a session in their browser; [`MaybeSignedIn`] where both will do.
//! - [`ProjectMember`]: such a person in a project that is theirs. To strangers the project is not there.
//! - [`ProjectKey`]: a machine with a project's API key.
//! - [`Client`]: from where it asks, for the records.

pub mod api_keys;
mod client;
pub mod passwords;
mod project_key;
mod project_member;
pub mod sessions;
mod signed_in;

pub use client::Client;
pub use project_key::ProjectKey;
pub use project_member::ProjectMember;
pub use sessions::{ended_session_cookie, session_cookie};
pub use signed_in::{MaybeSignedIn, SignedIn};
