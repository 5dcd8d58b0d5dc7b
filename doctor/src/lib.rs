//! What `otrace doctor` and `otrace-server doctor` tell: checks in words, and those that both make.
//!
//! Pure, so that what is wrong is called the same by both: no files, no network, no clock.

use std::fmt;

use serde::Serialize;
use time::Duration;

/// Clocks that differ by less make no difference to what is signed, shown or compared.
const SKEW_MAX: Duration = Duration::seconds(5);

/// How a check went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// As it should be.
    Ok,
    /// It works, though not as well as it could.
    Warning,
    /// What people need does not work.
    Failed,
}

/// What came of a check, in words that say what to do.
#[derive(Clone, Debug, Serialize)]
pub struct Check {
    /// What was looked at, in one word.
    pub name: &'static str,
    /// How it went.
    pub status: Status,
    /// What was found, and what to do about it. One line.
    pub message: String,
}

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
    /// A check that went so.
    pub fn new(name: &'static str, status: Status, message: impl fmt::Display) -> Self {
        // What others say may have several lines.
        let message = message.to_string().lines().map(str::trim).collect::<Vec<_>>().join(" ");
        Self { name, status, message }
    }

    /// One that went well.
    pub fn ok(name: &'static str, message: impl fmt::Display) -> Self {
        Self::new(name, Status::Ok, message)
    }

    /// One that found what could be better.
    pub fn warning(name: &'static str, message: impl fmt::Display) -> Self {
        Self::new(name, Status::Warning, message)
    }

    /// One that found what does not work.
    pub fn failed(name: &'static str, message: impl fmt::Display) -> Self {
        Self::new(name, Status::Failed, message)
    }
}

/// This machine's clock beside another. `whose`: the other one, such as "the server's"; `behind`: how much this
/// machine's is; `so_that`: what comes of clocks that differ.
pub fn clock(whose: &str, behind: Duration, so_that: &str) -> Check {
    if behind.abs() <= SKEW_MAX {
        return Check::ok("clock", format_args!("it agrees with {whose}"));
    }
    let direction = if behind.is_positive() { "behind" } else { "ahead of" };
    Check::warning(
        "clock",
        format_args!(
            "this machine's clock is {} {direction} {whose}, so that {so_that}. Set the one that is wrong; \
             `timedatectl set-ntp true` keeps one right on Linux.",
            in_words(behind.abs())
        ),
    )
}

/// In whole units, of which there are enough to matter.
pub fn in_words(duration: Duration) -> String {
    let seconds = duration.whole_seconds();
    match seconds {
        ..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_is_off_is_told_with_its_direction() {
        let of = |seconds| clock("the server's", Duration::seconds(seconds), "times are wrong");
        for seconds in [-5, 0, 5] {
            assert_eq!(of(seconds).status, Status::Ok, "{seconds}");
        }
        let told = |seconds| of(seconds).message;
        let behind = "this machine's clock is 90 s behind the server's, so that times are wrong. ";
        assert!(told(90).starts_with(behind), "{}", told(90));
        assert!(told(-600).starts_with("this machine's clock is 10 min ahead of the server's"), "{}", told(-600));
        assert!(told(7_200).contains(" 2 h ") && told(864_000).contains(" 10 days "));
    }

    #[test]
    fn what_others_say_in_several_lines_is_one() {
        assert_eq!(Check::failed("mail", "no\n  way\n").message, "no way");
    }
}
