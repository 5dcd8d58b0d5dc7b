//! Who asks: extractors that a handler's signature names, so that none can forget to check.
//!
//! - [`SignedIn`]: a person with a session in their browser; [`MaybeSignedIn`] where both will do;
//!   [`Admin`]: such a person who runs the server.
//! - [`ProjectMember`]: such a person in a project that is theirs. To strangers the project is not there.
//! - [`ProjectReader`]: such a person, or a machine with a page pass, where a page is only read.
//! - [`ProjectKey`]: a machine with a project's API key; [`WriteKey`]: one that may write;
//!   [`RunWriter`]: such a key, or the token of the one run that it adds to.
//! - [`Client`]: from where it asks, for the records and the limits; [`Browser`]: what else its browser
//!   brings along.

pub mod api_keys;
mod browser;
mod client;
pub mod passwords;
mod project_key;
mod project_member;
mod project_reader;
mod run_writer;
pub mod sessions;
mod signed_in;

pub use browser::Browser;
pub use client::Client;
pub use project_key::{ProjectKey, WriteKey};
pub use project_member::ProjectMember;
pub use project_reader::{ProjectReader, ReadProof};
pub use run_writer::RunWriter;
pub use sessions::{RenewedToken, ended_session_cookie, provider_cookie, session_cookie, signed_in_cookies};
pub use signed_in::{Admin, MaybeSignedIn, SignedIn};
