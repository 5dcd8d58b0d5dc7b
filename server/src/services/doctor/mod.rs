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

use std::fmt;

use serde::Serialize;
use time::Duration;

use crate::clock::Clock;
use crate::config::Config;
use crate::config::secret_files::SecretFile;

/// Clocks that differ by less make no difference to what is signed or shown.
const SKEW_MAX: Duration = Duration::seconds(5);

/// How a check went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// As it should be.
    Ok,
    /// The server works, though not as well as it could.
    Warning,
    /// The server does not start, or something that people need does not work.
    Failed,
}

/// What came of a check, in words that say what to do.
#[derive(Clone, Debug, Serialize)]
pub struct Check {
    /// What was looked at, in one word.
    pub name: &'static str,
    /// How it went.
    pub status: Status,
    /// What was found, and what to do about it.
    pub message: String,
}

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

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Failed => "failed",
        })
    }
}

impl Check {
    fn new(name: &'static str, status: Status, message: impl fmt::Display) -> Self {
        // What others say may have several lines.
        let message = message.to_string().lines().map(str::trim).collect::<Vec<_>>().join(" ");
        Self { name, status, message }
    }

    fn ok(name: &'static str, message: impl fmt::Display) -> Self {
        Self::new(name, Status::Ok, message)
    }

    fn warning(name: &'static str, message: impl fmt::Display) -> Self {
        Self::new(name, Status::Warning, message)
    }

    fn failed(name: &'static str, message: impl fmt::Display) -> Self {
        Self::new(name, Status::Failed, message)
    }
}

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

/// In whole units, of which there are enough to matter.
fn in_words(duration: Duration) -> String {
    let seconds = duration.whole_seconds();
    match seconds {
        ..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
}

/// A clock that is off, told with its direction. `behind`: how much this machine's is.
fn clock(whose: &str, behind: Duration) -> Check {
    if behind.abs() <= SKEW_MAX {
        return Check::ok("clock", format_args!("it agrees with {whose}"));
    }
    let direction = if behind.is_positive() { "behind" } else { "ahead of" };
    Check::warning(
        "clock",
        format_args!(
            "this machine's clock is {} {direction} {whose}, so that links and tokens end too soon or too late. Set \
             the one that is wrong; `timedatectl set-ntp true` keeps one right on Linux.",
            in_words(behind.abs())
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_is_off_is_told_with_its_direction() {
        for seconds in [-5, 0, 5] {
            assert_eq!(clock("it", Duration::seconds(seconds)).status, Status::Ok, "{seconds}");
        }
        let told = |seconds| clock("the database's", Duration::seconds(seconds)).message;
        assert!(told(90).starts_with("this machine's clock is 90 s behind the database's"), "{}", told(90));
        assert!(told(-600).starts_with("this machine's clock is 10 min ahead of the database's"), "{}", told(-600));
        assert!(told(7_200).contains(" 2 h ") && told(864_000).contains(" 10 days "));
    }

    #[test]
    fn what_others_say_in_several_lines_is_one() {
        assert_eq!(Check::failed("mail", "no\n  way\n").message, "no way");
    }
}
