//! E-mail: letters in plain text, through SMTP.
//!
//! A letter is sent off the request path, so that the time of an answer does not tell whether one
//! was. The room touches lettre, askama and tokio; no database and no axum.

mod letter;
mod text;
mod transport;
mod words;

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, SinglePart};
use lettre::transport::smtp;
use lettre::{Address, AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};
use metrics::counter;
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};
use url::{Host, Url};
use uuid::Uuid;

use crate::config::MailConfig;

pub use letter::Letter;

/// How long one try may take, from the connection to the mail server's last word.
const TRY_WITHIN: Duration = Duration::from_secs(30);
/// How long to wait before the second try, and before the third.
const PAUSES: [Duration; 2] = [Duration::from_secs(2), Duration::from_secs(20)];
/// So many connections to the mail server at once.
const CONNECTIONS: usize = 4;
/// So many letters wait at most; what comes on top is dropped, so that a dead mail server costs no memory.
const WAITING_MAX: usize = 1000;

/// Sends letters; by default it has no mail server and sends none.
#[derive(Clone, Debug, Default)]
pub struct Mailer(Option<Arc<PostOffice>>);

#[derive(Debug)]
struct PostOffice {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    sender: Mailbox,
    connections: Semaphore,
    waiting: Arc<Semaphore>,
}

/// Why a letter was not sent.
struct Failure {
    why: String,
    /// Another try would end in the same way.
    is_final: bool,
}

impl Mailer {
    /// Reads the settings. It does not connect, so that the server starts while the mail server is away.
    pub fn new(config: &MailConfig, public_url: &Url) -> anyhow::Result<Self> {
        let Some(url) = &config.smtp_url else { return Ok(Self::default()) };
        let sender = match &config.mail_from {
            Some(sender) => sender.trim().parse::<Mailbox>().ok().with_context(|| {
                format!("the sender {sender:?} is none: write it as trace@example.org or Trace <trace@example.org>")
            })?,
            None => default_sender(public_url)?,
        };
        Ok(Self(Some(Arc::new(PostOffice {
            transport: transport::open(url)?,
            sender,
            connections: Semaphore::new(CONNECTIONS),
            waiting: Arc::new(Semaphore::new(WAITING_MAX)),
        }))))
    }

    /// Whether there is a mail server. Without one, an admin hands links over.
    pub const fn is_configured(&self) -> bool {
        self.0.is_some()
    }

    /// How many letters are on their way.
    pub fn waiting(&self) -> usize {
        self.0.as_ref().map_or(0, |office| WAITING_MAX - office.waiting.available_permits())
    }

    /// Connects to the mail server and signs in to it, as for a letter; says why that fails.
    pub async fn test(&self) -> Result<(), String> {
        let Some(office) = &self.0 else { return Ok(()) };
        match timeout(TRY_WITHIN, office.transport.test_connection()).await {
            Ok(Ok(true)) => Ok(()),
            Ok(Ok(false)) => Err("the mail server is not ready for letters".to_owned()),
            Ok(Err(error)) => Err(Failure::of(&error).why),
            Err(_) => Err("the mail server did not answer in time".to_owned()),
        }
    }

    /// Sends a letter in the background: returns at once, tries three times, and leaves a line in the log if all fail.
    pub fn send(&self, to: &str, letter: Letter) {
        let Some(office) = &self.0 else {
            tracing::debug!(letter = letter.kind(), "a letter was not sent: there is no mail server");
            return;
        };
        let Ok(place) = Arc::clone(&office.waiting).try_acquire_owned() else {
            tracing::warn!(letter = letter.kind(), "a letter was not sent: too many wait");
            counter!("otrace_mail_letters_total", "outcome" => "dropped").increment(1);
            return;
        };
        let (office, to) = (Arc::clone(office), to.to_owned());
        tokio::spawn(async move {
            // The log gets neither the address nor the link: who reads it could use both.
            let sent = office.deliver(&to, &letter).await;
            let outcome = if sent.is_ok() { "sent" } else { "failed" };
            counter!("otrace_mail_letters_total", "outcome" => outcome).increment(1);
            match sent {
                Ok(()) => tracing::debug!(letter = letter.kind(), "a letter was sent"),
                Err(why) => tracing::warn!(letter = letter.kind(), why, "a letter was not sent"),
            }
            drop(place);
        });
    }
}

impl PostOffice {
    /// Sends a letter, or says why it could not be sent.
    async fn deliver(&self, to: &str, letter: &Letter) -> Result<(), String> {
        let message = self.message(to, letter).map_err(|error| format!("{error:#}"))?;
        let mut pauses = PAUSES.into_iter();
        loop {
            let Err(failure) = self.try_once(&message).await else { return Ok(()) };
            match pauses.next() {
                Some(pause) if !failure.is_final => sleep(pause).await,
                _ => return Err(failure.why),
            }
        }
    }

    fn message(&self, to: &str, letter: &Letter) -> anyhow::Result<Message> {
        let to: Address = to.parse().context("nothing can be sent to its address")?;
        let id = format!("<{}@{}>", Uuid::now_v7().simple(), self.sender.email.domain());
        // So that holiday notes don't answer.
        let by_machine =
            HeaderValue::new(HeaderName::new_from_ascii_str("Auto-Submitted"), "auto-generated".to_owned());
        let message = Message::builder()
            .from(self.sender.clone())
            .to(Mailbox::new(None, to))
            .subject(letter.subject())
            .message_id(Some(id))
            .raw_header(by_machine)
            .singlepart(SinglePart::plain(letter.text()?));
        message.context("putting it together")
    }

    async fn try_once(&self, message: &Message) -> Result<(), Failure> {
        let _turn = self.connections.acquire().await;
        match timeout(TRY_WITHIN, self.transport.send(message.clone())).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(Failure::of(&error)),
            Err(_) => Err(Failure { why: "the mail server did not answer in time".to_owned(), is_final: false }),
        }
    }
}

impl Failure {
    /// The failure in words that never hold what the mail server said: it may have said the address.
    fn of(error: &smtp::Error) -> Self {
        let why = match error.status() {
            Some(code) => format!("the mail server answered {code}"),
            None if error.is_response() => "the mail server's answer was no SMTP".to_owned(),
            None => error.to_string(),
        };
        Self { why, is_final: error.is_permanent() }
    }
}

/// `Trace <trace@HOST>`, with the host that people know the server by.
fn default_sender(public_url: &Url) -> anyhow::Result<Mailbox> {
    let host = match public_url.host() {
        Some(Host::Ipv4(address)) => format!("[{address}]"),
        _ => public_url.host_str().unwrap_or("localhost").to_owned(),
    };
    let address = Address::new("trace", &host)
        .ok()
        .with_context(|| format!("{host} can't be the sender's host: say who e-mail comes from with --mail-from"))?;
    Ok(Mailbox::new(Some("Trace".to_owned()), address))
}
