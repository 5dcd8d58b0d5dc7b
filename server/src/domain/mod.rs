//! Nouns and rules: what Trace is about, without a database, a network or a clock.
//!
//! Everything here is pure; time is a parameter. Rows become these types in `store`, rules are
//! applied by `services`, pages and JSON are made of them in `web` and `api`.

pub mod account;
pub mod api_key;
pub mod artifact;
pub mod id;
pub mod log;
pub mod member;
pub mod note;
pub mod project;
pub mod result;
pub mod run;
pub mod secret_token;
pub mod snapshot;
pub mod table;
pub mod text;
pub mod timestamp;

pub use account::Account;
pub use api_key::ApiKey;
pub use artifact::Artifact;
pub use id::{AccountId, ApiKeyId, ArtifactId, ProjectId, RunId};
pub use log::Log;
pub use member::Role;
pub use note::Note;
pub use project::Project;
pub use result::RunResult;
pub use run::{Run, RunRef};
pub use snapshot::Snapshot;
pub use table::Table;
