//! Webhooks: whom a project tells when its runs end or fall silent, in which words, and how often it is tried.
//!
//! `payload` and `slack` write what is sent. `signing` signs it, as the
//! [Standard Webhooks](https://www.standardwebhooks.com) have it.

pub mod payload;
mod signing;
mod slack;

use std::str::FromStr;

use otrace_wire::RunStatus;
use time::{Duration, OffsetDateTime};
use url::Url;

use super::text::Invalid;
use super::{DeliveryId, ProjectId, WebhookId};

pub use signing::{Signature, SigningSecret, message_id};

/// So many webhooks a project may have.
pub const WEBHOOKS_MAX: usize = 20;
/// The longest address, in bytes.
const URL_MAX_BYTES: usize = 2048;
/// How long a secret that was replaced signs along, so that the receiver can be told of the new one.
pub const SECRET_OVERLAP: Duration = Duration::hours(24);
/// How long a server has for one try, before another takes it up.
pub const LEASE: Duration = Duration::minutes(1);
/// How long messages are kept.
pub const KEPT: Duration = Duration::days(14);
/// A run that fell silent so long ago is not told of any more.
pub const SILENCE_TOLD_WITHIN: Duration = Duration::days(1);
/// How long after each try the next one follows.
const RETRY_AFTER: [Duration; 6] = [
    Duration::seconds(5),
    Duration::seconds(30),
    Duration::minutes(5),
    Duration::hours(1),
    Duration::hours(6),
    Duration::hours(24),
];
/// The longest that a receiver may put the next try off.
const PUT_OFF_MAX: Duration = Duration::hours(24);
/// By so much of it the time between two tries is made longer, so that what failed together is not tried together.
const JITTER: f64 = 0.2;

/// Whom a project tells, and of what. Its secret is not in it: it was shown once.
#[derive(Clone, Debug)]
pub struct Webhook {
    /// Its id.
    pub id: WebhookId,
    /// The project that it belongs to.
    pub project_id: ProjectId,
    /// What it is called.
    pub name: String,
    /// Where it goes.
    pub url: String,
    /// How what it says is written.
    pub format: Format,
    /// What it tells.
    pub events: Vec<Event>,
    /// Who made it, as shown to people.
    pub created_by: Option<String>,
    /// When it was made.
    pub created_at: OffsetDateTime,
    /// Until when the secret before its present one signs along.
    pub former_secret_until: Option<OffsetDateTime>,
    /// Since when it is off; `None`: it is on.
    pub turned_off_at: Option<OffsetDateTime>,
    /// Why the server turned it off; `None`: a person did.
    pub off_reason: Option<String>,
}

impl Webhook {
    /// The host that it goes to, which is all of its address that should be shown around: the rest may be a secret.
    pub fn host(&self) -> String {
        host_of(&self.url)
    }
}

/// The host and port in an address.
pub fn host_of(url: &str) -> String {
    url.parse::<Url>().map(|url| url.authority().to_owned()).unwrap_or_default()
}

/// Reads an address that somebody typed.
pub fn read_url(text: &str) -> Result<Url, Invalid> {
    let text = text.trim();
    if text.is_empty() {
        return Err(Invalid("Enter the address."));
    }
    let not_an_address = Invalid("Enter an address such as https://hooks.example.org/trace.");
    let mut url: Url = text.parse().map_err(|_| not_an_address)?;
    if !url.has_host() {
        return Err(not_an_address);
    }
    url.set_fragment(None);
    if url.as_str().len() > URL_MAX_BYTES {
        return Err(Invalid("Use an address of at most 2048 characters."));
    }
    Ok(url)
}

/// How what a webhook says is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// As JSON with everything that one may want to know.
    #[default]
    Trace,
    /// As a message that Slack shows, and whatever takes the same.
    Slack,
}

impl Format {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Trace, Self::Slack];

    /// The format as it is written in the database and in forms.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Trace => "trace",
            Self::Slack => "slack",
        }
    }
}

/// The text is no format, or no event, of webhooks.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("nothing that a webhook knows: {0}")]
pub struct UnknownWord(String);

impl FromStr for Format {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|format| format.as_str() == text).ok_or_else(|| UnknownWord(text.to_owned()))
    }
}

/// What a webhook tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// A run's command ended with exit code 0.
    Completed,
    /// A run's command ended in another way.
    Failed,
    /// How a run's command ended is not known: its recording broke off, or it was silent for too long.
    CaptureFailed,
    /// Nothing is heard of a run's machine.
    OutOfContact,
    /// It is heard of again.
    BackInContact,
    /// Somebody tries whether the webhook works.
    Test,
}

impl Event {
    /// What one can choose to be told. A test is always told.
    pub const CHOICES: [Self; 5] =
        [Self::Completed, Self::Failed, Self::CaptureFailed, Self::OutOfContact, Self::BackInContact];

    /// The event as it is written in the database, in forms and in what is sent.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Completed => "run.completed",
            Self::Failed => "run.failed",
            Self::CaptureFailed => "run.capture_failed",
            Self::OutOfContact => "run.out_of_contact",
            Self::BackInContact => "run.back_in_contact",
            Self::Test => "test",
        }
    }

    /// What a run that has come to this status tells; nothing where it goes on.
    pub const fn of_status(status: RunStatus) -> Option<Self> {
        match status {
            RunStatus::Completed => Some(Self::Completed),
            RunStatus::Failed => Some(Self::Failed),
            RunStatus::CaptureFailed => Some(Self::CaptureFailed),
            RunStatus::Created | RunStatus::Running => None,
        }
    }

    /// Where the run stands of whose end this tells, whatever became of it since.
    pub const fn status(self) -> Option<RunStatus> {
        match self {
            Self::Completed => Some(RunStatus::Completed),
            Self::Failed => Some(RunStatus::Failed),
            Self::CaptureFailed => Some(RunStatus::CaptureFailed),
            Self::OutOfContact | Self::BackInContact | Self::Test => None,
        }
    }
}

impl FromStr for Event {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::CHOICES.into_iter().chain([Self::Test]).find(|event| event.as_str() == text);
        found.ok_or_else(|| UnknownWord(text.to_owned()))
    }
}

/// A message: what is told, and how far that is.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// What the receiver knows it by.
    pub id: DeliveryId,
    /// What it tells.
    pub event: Event,
    /// The number of the run that it tells of, unless that is deleted.
    pub run_number: Option<i32>,
    /// When it was written down.
    pub created_at: OffsetDateTime,
    /// How often it was tried.
    pub attempts: i32,
    /// How far it is.
    pub state: DeliveryState,
    /// When it was last tried.
    pub attempted_at: Option<OffsetDateTime>,
    /// How long that took, in milliseconds.
    pub took_ms: Option<i32>,
    /// The status that was answered.
    pub status: Option<i32>,
    /// The beginning of that answer.
    pub answer: Option<String>,
    /// Why there was none, or why it is not tried again.
    pub error: Option<String>,
}

/// How far a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeliveryState {
    /// It was taken.
    Delivered,
    /// It is tried again then.
    Waiting(OffsetDateTime),
    /// It is not tried again.
    GivenUp,
}

impl DeliveryState {
    /// From when it was taken, and when it is tried again.
    pub const fn new(delivered_at: Option<OffsetDateTime>, next_attempt_at: Option<OffsetDateTime>) -> Self {
        match (next_attempt_at, delivered_at) {
            (Some(at), _) => Self::Waiting(at),
            (None, Some(_)) => Self::Delivered,
            (None, None) => Self::GivenUp,
        }
    }
}

/// How long to wait after so many tries; `None`: no more. `chance`, from 0 to 1, spreads out what failed together,
/// and a receiver may ask to be left alone for longer.
pub fn retry_after(attempts: i32, chance: f64, asked_seconds: Option<u64>) -> Option<Duration> {
    let index = usize::try_from(attempts.checked_sub(1)?).ok()?;
    let planned = *RETRY_AFTER.get(index)? * (1.0 + JITTER * chance.clamp(0.0, 1.0));
    let asked = i64::try_from(asked_seconds.unwrap_or_default()).map_or(PUT_OFF_MAX, Duration::seconds);
    Some(planned.max(asked.min(PUT_OFF_MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tries_come_ever_later_until_there_are_no_more() {
        let planned: Vec<_> = (1..=7).map(|attempts| retry_after(attempts, 0.0, None)).collect();
        let seconds = [5, 30, 300, 3600, 21_600, 86_400].map(|seconds| Some(Duration::seconds(seconds)));
        assert_eq!(planned[..6], seconds);
        assert_eq!((planned[6], retry_after(0, 0.0, None)), (None, None));
        assert_eq!(retry_after(2, 1.0, None), Some(Duration::seconds(36)));
        assert_eq!(retry_after(1, 0.0, Some(60)), Some(Duration::seconds(60)), "as the receiver asks");
        assert_eq!(retry_after(1, 0.0, Some(u64::MAX)), Some(PUT_OFF_MAX));
        assert_eq!(retry_after(7, 0.0, Some(60)), None);
    }

    #[test]
    fn what_is_no_address_is_refused_with_a_sentence() {
        for text in ["", " ", "hooks.example.org", "mailto:a@example.org", "https://", "/x"] {
            assert!(read_url(text).is_err(), "{text}");
        }
        assert!(read_url(&format!("https://example.org/{}", "x".repeat(2048))).is_err());
        let url = read_url(" https://hooks.slack.example/services/T0/B0/secret#x ").unwrap();
        assert_eq!(url.as_str(), "https://hooks.slack.example/services/T0/B0/secret");
        assert_eq!(host_of("https://hooks.example.org:8443/secret?x"), "hooks.example.org:8443");
    }

    #[test]
    fn words_are_read_back_as_they_are_written() {
        for event in Event::CHOICES.into_iter().chain([Event::Test]) {
            assert_eq!(event.as_str().parse(), Ok(event));
        }
        for status in RunStatus::ALL.into_iter().filter(|status| status.is_final()) {
            assert_eq!(Event::of_status(status).and_then(Event::status), Some(status));
        }
        assert!("run.deleted".parse::<Event>().is_err() && "teams".parse::<Format>().is_err());
    }
}
