//! How the server sends e-mail.

use clap::Args;
use secrecy::SecretString;

/// How the server sends e-mail. Without a mail server it sends none, and the pages say what to do instead.
#[derive(Args, Clone, Debug, Default)]
pub struct MailConfig {
    /// The mail server to send through: `smtps://user:password@mail.example.org`, or with STARTTLS
    /// `smtp://user:password@mail.example.org:587?tls=required` [default: none, no e-mail is sent].
    #[arg(long, env = "OTRACE_SMTP_URL", hide_env_values = true, value_name = "URL")]
    pub smtp_url: Option<SecretString>,
    /// Who e-mail comes from, such as `Trace <trace@example.org>`
    /// [default: trace at the host of the public URL].
    #[arg(long, env = "OTRACE_MAIL_FROM", value_name = "SENDER")]
    pub mail_from: Option<String>,
}
