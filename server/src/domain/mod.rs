//! Nouns and rules: what Trace is about, without a database, a network or a clock.
//!
//! Everything here is pure; time is a parameter. Rows become these types in `store`, rules are
//! applied by `services`, pages and JSON are made of them in `web` and `api`.

pub mod account;
pub mod api_key;
pub mod archive;
pub mod artifact;
pub mod audit;
pub mod backup;
pub mod blob;
pub mod chance;
pub mod device_login;
pub mod id;
pub mod import;
pub mod invitation;
pub mod lineage;
pub mod log;
pub mod log_times;
pub mod member;
pub mod note;
pub mod one_time_link;
pub mod parameters;
pub mod project;
pub mod query;
pub mod result;
pub mod retention;
pub mod run;
pub mod secret_token;
pub mod series;
pub mod sign_up_policy;
pub mod snapshot;
pub mod table;
pub mod text;
pub mod timestamp;
pub mod webhook;

pub use account::Account;
pub use api_key::{ApiKey, Scope};
pub use artifact::Artifact;
pub use audit::{Actor, AuditEvent};
pub use device_login::DeviceLogin;
pub use id::{AccountId, ApiKeyId, ArtifactId, DeliveryId, InvitationId, ProjectId, RunId, SessionId, WebhookId};
pub use invitation::Invitation;
pub use log::{Log, LogName};
pub use member::Role;
pub use note::Note;
pub use project::Project;
pub use result::RunResult;
pub use run::{Run, RunRef};
pub use sign_up_policy::SignUpPolicy;
pub use snapshot::Snapshot;
pub use table::Table;
pub use webhook::Webhook;
