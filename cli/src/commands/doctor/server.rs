//! What can be wrong with the server, the key for it, and the two clocks.

use otrace_wire::version::Version;
use time::Duration;

use super::{Check, Report};
use crate::client::Client;
use crate::client::probe::Probe;
use crate::error::Result;
use crate::settings::Settings;

/// Clocks that differ by less than this make no difference to a person who compares runs.
const SKEW_MAX: Duration = Duration::seconds(5);

/// Asks the server. What can't be known without an answer is not told.
pub async fn check(settings: &Settings, report: &mut Report) {
    let server = &settings.api_url;
    let key = settings.api_key().map(|_| ());
    let probe = match ask(settings, key.is_ok()).await {
        Ok(probe) => probe,
        Err(error) => {
            report.add(Check::failed("server", error));
            if let Err(error) = key {
                report.add(Check::failed("key", error));
            }
            return;
        }
    };
    // Without a key it can only refuse; with one it fails where it does neither.
    report.add(match &probe.identity {
        Err(error) if !probe.is_refused => Check::failed("server", error),
        _ => Check::ok("server", format_args!("{server} answers")),
    });
    report.add(version(probe.version, server));
    check_key(settings, key, &probe, report);
    report.add(clock(probe.behind));
}

async fn ask(settings: &Settings, has_key: bool) -> Result<Probe> {
    let client = if has_key { Client::new(settings)? } else { Client::without_key(settings)? };
    client.probe().await
}

fn check_key(settings: &Settings, key: Result<()>, probe: &Probe, report: &mut Report) {
    if let Err(error) = key {
        report.add(Check::failed("key", error));
        return;
    }
    let identity = match &probe.identity {
        Ok(identity) => identity,
        Err(error) => {
            // Else it is the server that fails.
            if probe.is_refused {
                report.add(Check::failed("key", error));
            }
            return;
        }
    };
    let (prefix, email, project) = (&identity.api_key.prefix, &identity.account.email, &identity.project);
    report.add(Check::ok("key", format_args!("{prefix}… of {email}")));
    report.add(match (settings.other_project(project), settings.disagreement(project)) {
        // `otrace run` would not start the command.
        (Some(told), _) => Check::failed("project", told),
        (None, Some(told)) => Check::warning("project", told),
        (None, None) => Check::ok("project", &project.name),
    });
}

fn version(server: Option<Version>, address: &str) -> Check {
    let oldest = Version::OLDEST_SERVER;
    match server {
        None => Check::warning(
            "version",
            format_args!("{address} says no version: it is an older server, or one of another make"),
        ),
        Some(server) if server < oldest => Check::failed(
            "version",
            format_args!(
                "the server is version {server}, and this otrace needs {oldest} or newer. \
                 Update the server, or use an older otrace."
            ),
        ),
        Some(server) => Check::ok("version", format_args!("the server is version {server}")),
    }
}

fn clock(behind: Option<Duration>) -> Check {
    let Some(behind) = behind else {
        return Check::warning(
            "clock",
            "the server does not say what time it is, so that the clocks can't be compared",
        );
    };
    if behind.abs() <= SKEW_MAX {
        return Check::ok("clock", "it agrees with the server's");
    }
    let direction = if behind.is_positive() { "behind" } else { "ahead of" };
    let skew = in_words(behind.abs());
    Check::warning(
        "clock",
        format_args!(
            "this machine's clock is {skew} {direction} the server's, so that runs show wrong times. \
             Set the one that is wrong; `timedatectl set-ntp true` keeps one right on Linux."
        ),
    )
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

#[cfg(test)]
mod tests {
    use super::super::Status;
    use super::*;

    #[test]
    fn a_clock_that_is_off_is_told_with_its_direction() {
        assert_eq!(clock(None).status, Status::Warning);
        for seconds in [-5, 0, 5] {
            assert_eq!(clock(Some(Duration::seconds(seconds))).status, Status::Ok, "{seconds}");
        }
        let told = |seconds| clock(Some(Duration::seconds(seconds))).message;
        assert!(told(90).starts_with("this machine's clock is 90 s behind the server's"), "{}", told(90));
        assert!(told(-600).starts_with("this machine's clock is 10 min ahead of the server's"), "{}", told(-600));
        assert!(told(7_200).contains(" 2 h ") && told(864_000).contains(" 10 days "));
    }

    #[test]
    fn a_server_that_is_too_old_is_told_from_one_that_says_nothing() {
        let of = |text: &str| version(Some(text.parse().expect("a version")), "http://a").status;
        assert_eq!(version(None, "http://a").status, Status::Warning);
        assert_eq!((of("0.1.9"), of("0.2.0"), of("9.0.0")), (Status::Failed, Status::Ok, Status::Ok));
    }
}
