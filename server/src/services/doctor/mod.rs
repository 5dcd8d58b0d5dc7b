//! `otrace-server doctor`: looks at everything that the server needs, and says what to do about what is wrong.
//!
//! It changes nothing but for an object in the store that it writes and removes again. It starts the private
//! PostgreSQL of a stopped server for as long as it looks, and makes none.

mod address;
mod certificate;
mod database;
mod machine;
mod others;
mod settings;
mod storage;

pub use otrace_doctor::{Check, Status};
use time::Duration;

use crate::clock::Clock;
use crate::config::Config;
use crate::config::secret_files::SecretFile;

/// Who is looked at.
#[derive(Clone, Debug)]
pub struct Patient {
    /// The settings that the server would start with.
    pub config: Config,
    /// The files that its secrets come from.
    pub files: Vec<SecretFile>,
    /// The flags of secrets on the command line.
    pub flags: Vec<String>,
    /// The machine's clock.
    pub clock: Clock,
}

/// Takes each check as soon as it is known.
pub type Tell<'a> = &'a mut (dyn FnMut(Check) + Send);

/// Looks at everything.
pub async fn examine(patient: &Patient, tell: Tell<'_>) {
    tell(Check::ok("version", env!("CARGO_PKG_VERSION")));
    settings::check(patient, tell);
    machine::check(&patient.config, tell);
    database::check(patient, tell).await;
    storage::check(&patient.config, tell).await;
    address::check(patient, tell).await;
    others::mail(&patient.config, tell).await;
    others::providers(&patient.config, tell).await;
}

/// The machine's clock beside another. `behind`: how much the machine's is.
fn clock(whose: &str, behind: Duration) -> Check {
    otrace_doctor::clock(whose, behind, "links and tokens end too soon or too late")
}
