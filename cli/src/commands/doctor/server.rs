//! What can be wrong with the server, the key for it, and the two clocks.

use otrace_doctor::clock;
use otrace_wire::version::Version;

use super::{Check, Report};
use crate::client::Client;
use crate::client::probe::Probe;
use crate::error::Result;
use crate::settings::Settings;

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
    report.add(match probe.behind {
        Some(behind) => clock("the server's", behind, "runs show wrong times"),
        None => {
            Check::warning("clock", "the server does not say what time it is, so that the clocks can't be compared")
        }
    });
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

#[cfg(test)]
mod tests {
    use super::super::Status;
    use super::*;

    #[test]
    fn a_server_that_is_too_old_is_told_from_one_that_says_nothing() {
        let of = |text: &str| version(Some(text.parse().expect("a version")), "http://a").status;
        assert_eq!(version(None, "http://a").status, Status::Warning);
        assert_eq!((of("0.1.9"), of("0.2.0"), of("9.0.0")), (Status::Failed, Status::Ok, Status::Ok));
    }
}
