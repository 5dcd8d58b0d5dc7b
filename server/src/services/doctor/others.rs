//! What can be wrong with what others run: the mail server, and sign-in providers.

use super::{Check, Tell};
use crate::config::Config;
use crate::mail::Mailer;
use crate::providers::{ProviderError, Providers};

/// Connects to the mail server, and signs in to it.
pub async fn mail(config: &Config, tell: Tell<'_>) {
    if config.mail.smtp_url.is_none() {
        return tell(Check::ok("mail", "there is no mail server; admins hand links over"));
    }
    let mailer = match Mailer::new(&config.mail, config.http.public_url()) {
        Ok(mailer) => mailer,
        Err(error) => return tell(Check::failed("mail", format_args!("{error:#}"))),
    };
    tell(match mailer.test().await {
        Ok(()) => Check::ok("mail", "the mail server answers, and takes the server's name and password"),
        Err(why) => Check::failed("mail", format_args!("{why}. Check OTRACE_SMTP_URL, and that the mail server runs.")),
    });
}

/// Asks each provider as the first sign-in would. What is wrong with their settings is told with the settings.
pub async fn providers(config: &Config, tell: Tell<'_>) {
    let Ok(settings) = config.sign_in.providers() else { return };
    let providers = match Providers::new(settings) {
        Ok(providers) => providers,
        Err(error) => return tell(Check::failed("sign-in", format_args!("{error:#}"))),
    };
    for provider in providers.all() {
        let label = provider.label();
        tell(match provider.check().await {
            Ok(()) => Check::ok("sign-in", format_args!("{label} answers")),
            Err(ProviderError::Unreachable(why)) => Check::failed(
                "sign-in",
                format_args!("{label} is out of reach: {why}. Check its address, and that this machine may go there."),
            ),
            Err(ProviderError::Refused(why)) => {
                Check::failed("sign-in", format_args!("{label} can't be used: {why}. Check its settings."))
            }
        });
    }
}
