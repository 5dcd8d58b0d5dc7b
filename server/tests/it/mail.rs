//! E-mail, received by a real mail server.

mod server;

use std::io;
use std::net::TcpListener;
use std::time::{Duration, Instant};

use otrace_server::config::MailConfig;
use otrace_server::mail::{Letter, Mailer};
use tokio::sync::mpsc;
use tokio::time::timeout;
use url::Url;

pub use server::MailServer;
use server::ReceivedMail;

const LINK: &str = "https://trace.example.org/confirm?token=trv_0123456789abcdefghijklmnopqrstuvwxyzABCDEFG";
const RESET: &str = "https://trace.example.org/reset";
const SIGN_IN: &str = "https://trace.example.org/signin";

/// The headers of every letter, sorted.
const HEADERS: [&str; 9] = [
    "Auto-Submitted",
    "Content-Transfer-Encoding",
    "Content-Type",
    "Date",
    "From",
    "MIME-Version",
    "Message-ID",
    "Subject",
    "To",
];

fn public_url() -> Url {
    "https://trace.example.org".parse().unwrap()
}

fn mailer(server: &MailServer) -> Mailer {
    Mailer::new(&server.config(), &public_url()).unwrap()
}

/// What `Mailer` says to a mail server's URL.
fn opened(url: &str) -> Result<Mailer, String> {
    let config = MailConfig { smtp_url: Some(url.into()), mail_from: None };
    Mailer::new(&config, &public_url()).map_err(|error| format!("{error:#}"))
}

fn reset_password() -> Letter {
    Letter::ResetPassword { instance: "Halden Lab".to_owned(), link: LINK.to_owned() }
}

fn invitation(inviter: &str, project: &str) -> Letter {
    Letter::Invitation {
        instance: "Halden Lab".to_owned(),
        inviter: inviter.to_owned(),
        project: Some(project.to_owned()),
        role: Some("editor".to_owned()),
        link: LINK.to_owned(),
        expires: "7 March 2026, 12:00 UTC".to_owned(),
    }
}

/// A letter with its subject, its first link, and more that it says.
type Expected = (Letter, &'static str, Option<&'static str>, &'static str);

fn letters_with_a_link() -> [Expected; 4] {
    let (instance, link) = (|| "Halden Lab".to_owned(), || LINK.to_owned());
    let to_the_server = Letter::Invitation {
        instance: instance(),
        inviter: "Ada".to_owned(),
        project: None,
        role: None,
        link: link(),
        expires: "7 March 2026".to_owned(),
    };
    let sign_up = Letter::ConfirmSignUp { instance: instance(), link: link() };
    let change = Letter::EmailChange { instance: instance(), link: link() };
    [
        (sign_up, "Confirm your e-mail address for Halden Lab", Some(LINK), "within 24 hours"),
        (reset_password(), "Choose a new password for Halden Lab", Some(LINK), "within 30 minutes"),
        (change, "Confirm your new e-mail address for Halden Lab", Some(LINK), "within 30 minutes"),
        (to_the_server, "Ada invites you to Halden Lab", Some(LINK), "Ada invites you to Halden Lab. Trace is"),
    ]
}

fn letters_that_tell() -> [Expected; 5] {
    let (instance, reset) = (|| "Halden Lab".to_owned(), || RESET.to_owned());
    let (when, address) = ("28 February 2026, 12:00 UTC".to_owned(), Some("192.0.2.7".to_owned()));
    let signed_up = Letter::AlreadySignedUp { instance: instance(), sign_in: SIGN_IN.to_owned(), reset: reset() };
    let changed = Letter::PasswordChanged { instance: instance(), reset: reset(), when, address };
    let moved = Letter::EmailChanged { instance: instance(), new_email: "new@example.org".to_owned() };
    let linked = Letter::ProviderLinked { instance: instance(), provider: "GitHub".to_owned() };
    [
        (signed_up, "You have an account at Halden Lab already", Some(SIGN_IN), "https://trace.example.org/reset\n"),
        (
            changed,
            "Your password for Halden Lab was changed",
            Some(RESET),
            "on 28 February 2026, 12:00 UTC, from the address 192.0.2.7.",
        ),
        (
            moved,
            "Your e-mail address for Halden Lab was changed",
            None,
            "has another e-mail address now: new@example.org.",
        ),
        (
            invitation("Ada Lovelace", "wake-word v1.2"),
            "Ada Lovelace invites you to “wake-word v1.2” at Halden Lab",
            Some(LINK),
            "Ada Lovelace invites you to the project “wake-word v1.2” at Halden Lab, as editor. Trace is",
        ),
        (
            linked,
            "Sign-in with GitHub was added to your account at Halden Lab",
            None,
            "GitHub was added to your account",
        ),
    ]
}

#[tokio::test]
async fn each_letter_arrives_with_its_subject_and_its_link() {
    let server = MailServer::start().await;
    let mailer = mailer(&server);
    assert!(mailer.is_configured());
    for (number, (letter, subject, link, words)) in
        letters_with_a_link().into_iter().chain(letters_that_tell()).enumerate()
    {
        let to = format!("person{number}@example.org");
        mailer.send(&to, letter);
        let mail = server.next_to(&to).await;
        assert_eq!(mail.subject, subject);
        assert_eq!(mail.recipients, [to.as_str()]);
        assert!(mail.text.contains(words), "{}", mail.text);
        match link {
            Some(link) => assert_eq!(mail.link(), link),
            None => assert!(!mail.text.contains("http"), "{}", mail.text),
        }
        assert!(mail.text.starts_with("Hello,\n\n"), "{}", mail.text);
        assert!(mail.text.ends_with('.') || mail.text.ends_with(RESET), "{}", mail.text);
        assert!(!mail.text.contains(['{', '}', '<', '\r']) && !mail.text.contains("\n\n\n"), "{}", mail.text);
    }
}

#[tokio::test]
async fn a_letter_has_only_headers_of_ours() {
    let server = MailServer::start().await;
    mailer(&server).send("ada@example.org", reset_password());
    let mail = server.next_to("ada@example.org").await;
    assert_eq!(header_names(&mail), HEADERS);
    let value = |name: &str| mail.headers.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str());
    assert_eq!(value("From"), Some("Trace <trace@trace.example.org>"));
    assert_eq!(value("To"), Some("ada@example.org"));
    assert_eq!(value("Auto-Submitted"), Some("auto-generated"));
    assert_eq!(value("Content-Type"), Some("text/plain; charset=\"utf-8\""));
    assert!(value("Message-ID").is_some_and(|id| id.ends_with("@trace.example.org>")), "{:?}", mail.headers);
}

fn header_names(mail: &ReceivedMail) -> Vec<&str> {
    let mut names: Vec<&str> = mail.headers.iter().map(|(name, _)| name.as_str()).collect();
    names.sort_unstable();
    names
}

#[tokio::test]
async fn a_hostile_name_makes_no_header_no_line_and_no_link() {
    let server = MailServer::start().await;
    let mailer = mailer(&server);
    mailer.send("harmless@example.org", invitation("Ada", "wake-word"));
    let lines = server.next_to("harmless@example.org").await.text.lines().count();
    let long = "x".repeat(10_000);
    let long_words = "Bcc: mallory@evil.example ".repeat(400);
    let hostile = [
        "a\r\nBcc: mallory@evil.example",
        "a\nBcc: mallory@evil.example\n\nYour account is closed.",
        "a\rBcc: mallory@evil.example",
        "a\r\n.\r\nMAIL FROM:<mallory@evil.example>",
        "a\u{85}Bcc: b\u{2028}Bcc: c\u{b}Bcc: d\u{c}Bcc: e\u{0}",
        "\u{1b}[31mred\u{1b}[0m \u{1b}]0;title\u{7}",
        "\u{202e}elpmaxe.live\u{202c}\u{200b}",
        "=?utf-8?q?a=0d=0aBcc:_mallory@evil.example?=",
        "=?utf-8?b?YQ0KQmNjOiBtYWxsb3J5QGV2aWwuZXhhbXBsZQ==?= ü",
        "https://evil.example/sign-in",
        "www.evil.example",
        "\" <mallory@evil.example>, \"",
        "{{ link }}{% include \"x\" %}<b>&amp;</b>",
        &long,
        &long_words,
    ];
    for (number, name) in hostile.into_iter().enumerate() {
        let to = format!("person{number}@example.org");
        mailer.send(&to, invitation(name, name));
        let mail = server.next_to(&to).await;
        assert_eq!(header_names(&mail), HEADERS, "{name:?}");
        assert_eq!(mail.recipients, [to.as_str()], "{name:?}");
        assert_eq!(mail.text.lines().count(), lines, "{name:?}: {}", mail.text);
        assert_eq!(mail.link(), LINK, "{name:?}: {}", mail.text);
        assert!(!mail.text.contains("evil.example"), "{name:?}: {}", mail.text);
        assert!(!mail.subject.contains("evil.example"), "{name:?}: {}", mail.subject);
        assert!(mail.subject.chars().count() < 220 && mail.text.chars().count() < 900, "{name:?}: {}", mail.text);
        let moves = |c: char| c.is_control() && c != '\n' || ('\u{202a}'..='\u{202e}').contains(&c);
        assert!(!mail.subject.contains(|c| moves(c) || c == '\n'), "{name:?}: {:?}", mail.subject);
        assert!(!mail.text.contains(moves), "{name:?}: {:?}", mail.text);
    }
}

#[tokio::test]
async fn nothing_is_sent_to_what_is_no_address() {
    let server = MailServer::start().await;
    let mailer = mailer(&server);
    for to in ["", "ada", "ada@example.org\r\nRCPT TO:<mallory@evil.example>", "a@b.example, mallory@evil.example"] {
        mailer.send(to, reset_password());
    }
    mailer.send("a@example.org> NOTIFY=NEVER <b@evil.example", reset_password());
    mailer.send("ada@example.org", reset_password());
    let mail = server.next_to("ada@example.org").await;
    assert_eq!(mail.tries.keys().collect::<Vec<_>>(), ["ada@example.org"]);
}

#[tokio::test]
async fn who_is_refused_for_now_is_tried_again_and_who_is_refused_for_good_is_not() {
    let server = MailServer::start().await;
    let mailer = mailer(&server);
    mailer.send("never@example.org", reset_password());
    mailer.send("later@example.org", reset_password());
    let mail = server.next_to("later@example.org").await;
    assert_eq!(mail.link(), LINK);
    assert_eq!((mail.tries["later@example.org"], mail.tries["never@example.org"]), (2, 1));
}

#[tokio::test]
async fn a_mail_server_without_tls_gets_nothing_where_tls_is_required() {
    let server = MailServer::start().await;
    opened(&format!("{}?tls=required", server.url())).unwrap().send("secret@example.org", reset_password());
    mailer(&server).send("ada@example.org", reset_password());
    let mail = server.next_to("ada@example.org").await;
    assert!(!mail.tries.contains_key("secret@example.org"), "{:?}", mail.tries);
}

#[tokio::test]
async fn a_mail_server_that_is_away_or_silent_does_not_hold_the_caller_up() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for address in [silent.local_addr().unwrap(), closed] {
        let mailer = opened(&format!("smtp://{address}")).unwrap();
        let start = Instant::now();
        for number in 0..2000 {
            mailer.send(&format!("person{number}@example.org"), reset_password());
        }
        assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
    }
}

#[tokio::test]
async fn a_failure_is_one_line_in_the_log_without_the_address_and_the_link() {
    let server = MailServer::start().await;
    let mailer = mailer(&server);
    let (told, mut lines) = mpsc::unbounded_channel();
    let subscriber =
        tracing_subscriber::fmt().with_ansi(false).with_writer(move || Log(told.clone())).with_target(false).finish();
    let _listening = tracing::subscriber::set_default(subscriber);
    for (to, why) in [
        ("never@example.org", "the mail server answered 550"),
        ("ada lovelace@example.org", "nothing can be sent to its address"),
    ] {
        mailer.send(to, reset_password());
        let line: String = timeout(Duration::from_secs(30), lines.recv()).await.unwrap().unwrap();
        assert!(line.contains("WARN") && line.contains("reset_password") && line.contains(why), "{line}");
        assert_eq!(line.lines().count(), 1, "{line}");
        for secret in ["example.org", "never@", "lovelace", "trv_"] {
            assert!(!line.contains(secret), "{line}");
        }
    }
}

/// Passes each line of the log on.
struct Log(mpsc::UnboundedSender<String>);

impl io::Write for Log {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.send(String::from_utf8_lossy(line).into_owned()).map_err(io::Error::other)?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn without_a_mail_server_nothing_is_sent_and_nothing_fails() {
    let mailer = Mailer::new(&MailConfig::default(), &public_url()).unwrap();
    assert!(!mailer.is_configured() && !Mailer::default().is_configured());
    mailer.send("ada@example.org", reset_password());
}

#[test]
fn a_wrong_url_is_refused_with_a_sentence() {
    for (url, says) in [
        ("", "can't be read"),
        ("mail.example.org", "can't be read"),
        ("mail.example.org:587", "has to begin with"),
        ("https://mail.example.org", "has to begin with"),
        ("smtp:mail.example.org", "name a host"),
        ("smtps://", "name a host"),
        ("smtps://[::1]", "name a host"),
        ("smtps://trace:secret/word@mail.example.org", "can't be read"),
        ("smtps://trace:12/word@mail.example.org", "special character"),
        ("smtps://trace:12?word@mail.example.org", "special character"),
        ("smtps://trace:12#word@mail.example.org", "special character"),
        ("smtps://trace@mail.example.org", "both user and password"),
        ("smtps://:secret@mail.example.org", "both user and password"),
        ("smtp://trace:secret@mail.example.org", "in the clear"),
        ("smtp://trace:secret@mail.example.org?", "in the clear"),
        ("smtp://trace:secret@mail.example.org?&", "in the clear"),
        ("smtp://trace:secret@127.0.0.1.example.org", "in the clear"),
        ("smtp://trace:secret@localhost.example.org", "in the clear"),
        ("smtp://trace:secret@10.0.0.7:587", "in the clear"),
        ("smtp://trace:secret@mail.example.org?tls=opportunistic", "?tls=required"),
        ("smtp://trace:secret@mail.example.org?tls=none", "?tls=required"),
        ("smtp://trace:secret@mail.example.org?TLS=required", "?tls=required"),
    ] {
        let sentence = opened(url).expect_err(url);
        assert!(sentence.contains(says) && !sentence.contains('\n'), "{url}: {sentence}");
        assert!(!sentence.contains("secret"), "{url}: {sentence}");
    }
}

#[tokio::test]
async fn a_right_url_is_taken_and_its_password_is_never_shown() {
    for url in [
        "smtps://trace:s3c%2Fret@mail.example.org",
        "smtps://trace%40example.org:s3cret@mail.example.org:4465",
        "smtp://trace:s3cret@mail.example.org?tls=required",
        "smtp://trace:s3cret@mail.example.org:587?tls=required",
        "smtp://trace:s3cret@localhost:2525",
        "smtp://trace:s3cret@127.0.0.1",
        "smtp://mail",
    ] {
        let mailer = opened(url).unwrap_or_else(|sentence| panic!("{url}: {sentence}"));
        let shown = format!("{mailer:?}");
        assert!(!shown.contains("s3c"), "{shown}");
    }
}

#[test]
fn the_sender_is_the_one_that_was_set_or_trace_at_the_servers_host() {
    let sender = |mail_from: Option<&str>, public_url: &str| {
        let config =
            MailConfig { smtp_url: Some("smtp://localhost".into()), mail_from: mail_from.map(ToOwned::to_owned) };
        Mailer::new(&config, &public_url.parse().unwrap()).map(|mailer| format!("{mailer:?}"))
    };
    for public_url in ["http://localhost:8000", "http://127.0.0.1:8000", "http://[::1]:8000", "https://trace.example"] {
        let shown = sender(None, public_url).unwrap();
        assert!(shown.contains("\"trace@"), "{shown}");
    }
    let shown = sender(Some("Halden Lab <lab@example.org>"), "https://trace.example.org").unwrap();
    assert!(shown.contains("\"lab@example.org\"") && shown.contains("\"Halden Lab\""), "{shown}");
    for wrong in ["", "Halden Lab", "a@b@c", "Halden <lab@example.org", "a@example.org\r\nBcc: b@example.org"] {
        let sentence = format!("{:#}", sender(Some(wrong), "https://trace.example.org").unwrap_err());
        assert!(sentence.contains("write it as") && !sentence.contains('\n'), "{wrong}: {sentence}");
    }
}
