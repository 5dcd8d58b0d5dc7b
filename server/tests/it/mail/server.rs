//! A real mail server (`aiosmtpd`) that a test asks what has arrived. `make test` installs it into `target/mail-server`.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use otrace_server::config::MailConfig;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::sync::Mutex;
use tokio::time::timeout;

/// How long a test waits for a letter; longer than the pause before the second try.
const PATIENCE: Duration = Duration::from_secs(30);

/// A mail server of the test's own, until it is dropped.
#[derive(Debug)]
pub struct MailServer {
    port: u16,
    inbox: Mutex<Inbox>,
    /// Killed when it is dropped; should the test itself be killed, it ends because its input does.
    _process: Child,
}

#[derive(Debug)]
struct Inbox {
    lines: Lines<BufReader<ChildStdout>>,
    /// Arrived, and not asked for yet.
    waiting: Vec<ReceivedMail>,
}

/// A letter as it arrived.
#[derive(Clone, Debug, Deserialize)]
pub struct ReceivedMail {
    /// Whom the mail server was told to give it to.
    pub recipients: Vec<String>,
    /// The subject, decoded.
    pub subject: String,
    /// The text, decoded.
    pub text: String,
    /// All headers in their order, decoded.
    pub headers: Vec<(String, String)>,
    /// How often each address was tried until then.
    pub tries: HashMap<String, u32>,
}

#[derive(Deserialize)]
struct Started {
    port: u16,
}

impl MailServer {
    /// Starts it on a free port.
    pub async fn start() -> Self {
        let python = root().join("target/mail-server/bin/python");
        assert!(python.is_file(), "{} is missing: run `make test`, which installs it", python.display());
        let mut process = Command::new(python)
            .arg(root().join("server/tests/it/mail/server.py"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("the mail server starts");
        let mut lines = BufReader::new(process.stdout.take().expect("a pipe")).lines();
        let Started { port } = next(&mut lines).await;
        Self { port, inbox: Mutex::new(Inbox { lines, waiting: Vec::new() }), _process: process }
    }

    /// Its address, for `OTRACE_SMTP_URL`.
    pub fn url(&self) -> String {
        format!("smtp://127.0.0.1:{}", self.port)
    }

    /// Settings that send through it.
    pub fn config(&self) -> MailConfig {
        MailConfig { smtp_url: Some(self.url().into()), mail_from: None }
    }

    /// The first letter to this address that was not asked for before. Waits until it is there.
    pub async fn next_to(&self, address: &str) -> ReceivedMail {
        let mut inbox = self.inbox.lock().await;
        let is_wanted = |mail: &ReceivedMail| mail.recipients.iter().any(|recipient| recipient == address);
        if let Some(position) = inbox.waiting.iter().position(is_wanted) {
            return inbox.waiting.remove(position);
        }
        let arrives = async {
            loop {
                let mail: ReceivedMail = next(&mut inbox.lines).await;
                if is_wanted(&mail) {
                    break mail;
                }
                inbox.waiting.push(mail);
            }
        };
        timeout(PATIENCE, arrives).await.unwrap_or_else(|_| panic!("no letter to {address} arrived"))
    }
}

impl ReceivedMail {
    /// The first link in the text.
    pub fn link(&self) -> &str {
        let mut words = self.text.split_whitespace();
        words
            .find(|word| word.starts_with("https://") || word.starts_with("http://"))
            .unwrap_or_else(|| panic!("no link in {}", self.text))
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The next line of the mail server's, read as JSON.
async fn next<T: DeserializeOwned>(lines: &mut Lines<BufReader<ChildStdout>>) -> T {
    let line = lines.next_line().await.expect("a readable pipe").expect("the mail server is there");
    serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"))
}
