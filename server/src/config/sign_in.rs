//! How people sign in: by password, and through which providers.

use anyhow::{Context as _, bail};
use clap::{ArgAction, Args};
use secrecy::{ExposeSecret as _, SecretString};
use url::Url;

use crate::providers::{ProviderKind, ProviderSettings, check_issuer};

const GOOGLE: &str = "https://accounts.google.com";
const DEFAULT_OIDC_NAME: &str = "SSO";

/// How people sign in. No provider is needed.
#[derive(Args, Clone, Debug)]
pub struct SignInConfig {
    /// Whether people may sign in with a password.
    #[arg(
        long,
        env = "OTRACE_PASSWORD_SIGN_IN",
        default_value_t = true,
        action = ArgAction::Set,
        value_name = "true|false"
    )]
    pub password_sign_in: bool,
    /// The client ID of this server at Google, for "Sign in with Google".
    #[arg(long, env = "OTRACE_GOOGLE_CLIENT_ID", value_name = "ID")]
    pub google_client_id: Option<String>,
    /// The client secret that belongs to it.
    #[arg(long, env = "OTRACE_GOOGLE_CLIENT_SECRET", hide_env_values = true, value_name = "SECRET")]
    pub google_client_secret: Option<SecretString>,
    /// The client ID of this server at GitHub (an OAuth app), for "Sign in with GitHub".
    #[arg(long, env = "OTRACE_GITHUB_CLIENT_ID", value_name = "ID")]
    pub github_client_id: Option<String>,
    /// The client secret that belongs to it.
    #[arg(long, env = "OTRACE_GITHUB_CLIENT_SECRET", hide_env_values = true, value_name = "SECRET")]
    pub github_client_secret: Option<SecretString>,
    /// The address of your own OpenID Connect issuer (Keycloak, Entra ID, Okta and others).
    #[arg(long, env = "OTRACE_OIDC_ISSUER", value_name = "URL")]
    pub oidc_issuer: Option<Url>,
    /// The client ID of this server at your issuer.
    #[arg(long, env = "OTRACE_OIDC_CLIENT_ID", value_name = "ID")]
    pub oidc_client_id: Option<String>,
    /// The client secret that belongs to it, unless the client is public.
    #[arg(long, env = "OTRACE_OIDC_CLIENT_SECRET", hide_env_values = true, value_name = "SECRET")]
    pub oidc_client_secret: Option<SecretString>,
    /// What people call your issuer: the button says "Sign in with NAME".
    #[arg(long, env = "OTRACE_OIDC_NAME", default_value = DEFAULT_OIDC_NAME, value_name = "NAME")]
    pub oidc_name: String,
    /// Whether your issuer's e-mail addresses count as verified where it does not say whether they are.
    #[arg(
        long,
        env = "OTRACE_OIDC_TRUST_EMAIL",
        default_value_t = false,
        action = ArgAction::Set,
        value_name = "true|false"
    )]
    pub oidc_trust_email: bool,
    /// Further providers: for tests, which need several issuers.
    #[arg(skip)]
    pub more_providers: Vec<ProviderSettings>,
}

impl Default for SignInConfig {
    fn default() -> Self {
        Self {
            password_sign_in: true,
            google_client_id: None,
            google_client_secret: None,
            github_client_id: None,
            github_client_secret: None,
            oidc_issuer: None,
            oidc_client_id: None,
            oidc_client_secret: None,
            oidc_name: DEFAULT_OIDC_NAME.to_owned(),
            oidc_trust_email: false,
            more_providers: Vec::new(),
        }
    }
}

impl SignInConfig {
    /// The providers that are set up, in the order in which pages offer them.
    pub fn providers(&self) -> anyhow::Result<Vec<ProviderSettings>> {
        let found = [self.google()?, self.github()?, self.oidc()?];
        let providers: Vec<_> = found.into_iter().flatten().chain(self.more_providers.iter().cloned()).collect();
        if providers.is_empty() && !self.password_sign_in {
            bail!(
                "Nobody could sign in: OTRACE_PASSWORD_SIGN_IN is false and no provider is set up. \
                 Set one up, or allow passwords."
            );
        }
        Ok(providers)
    }

    fn google(&self) -> anyhow::Result<Option<ProviderSettings>> {
        let pair = pair("GOOGLE", self.google_client_id.as_ref(), self.google_client_secret.as_ref())?;
        let kind = ProviderKind::Oidc { issuer: GOOGLE.parse().context("a literal URL parses")? };
        Ok(pair.map(|(id, secret)| of_the_world("google", "Google", kind, id, secret)))
    }

    fn github(&self) -> anyhow::Result<Option<ProviderSettings>> {
        let pair = pair("GITHUB", self.github_client_id.as_ref(), self.github_client_secret.as_ref())?;
        Ok(pair.map(|(id, secret)| of_the_world("github", "GitHub", ProviderKind::GitHub, id, secret)))
    }

    fn oidc(&self) -> anyhow::Result<Option<ProviderSettings>> {
        let client_id = some_text(self.oidc_client_id.as_ref());
        let client_secret = some_secret(self.oidc_client_secret.as_ref());
        let (issuer, client_id) = match (&self.oidc_issuer, client_id) {
            (Some(issuer), Some(client_id)) => (issuer.clone(), client_id),
            (None, None) if client_secret.is_none() => return Ok(None),
            (None, _) => bail!("OTRACE_OIDC_ISSUER is missing: set it to your issuer's address."),
            (Some(_), None) => bail!("OTRACE_OIDC_CLIENT_ID is missing: OTRACE_OIDC_ISSUER is set and needs it."),
        };
        check_issuer(&issuer).context("OTRACE_OIDC_ISSUER can't be used")?;
        let label = Some(self.oidc_name.trim()).filter(|name| !name.is_empty()).unwrap_or(DEFAULT_OIDC_NAME);
        Ok(Some(ProviderSettings {
            name: "sso".to_owned(),
            label: label.to_owned(),
            kind: ProviderKind::Oidc { issuer },
            client_id,
            client_secret,
            trust_email: self.oidc_trust_email,
        }))
    }
}

/// A provider that anybody may have an account at.
fn of_the_world(name: &str, label: &str, kind: ProviderKind, id: String, secret: SecretString) -> ProviderSettings {
    ProviderSettings {
        name: name.to_owned(),
        label: label.to_owned(),
        kind,
        client_id: id,
        client_secret: Some(secret),
        trust_email: false,
    }
}

/// Both halves of a provider's credentials, or none.
fn pair(
    provider: &str,
    id: Option<&String>,
    secret: Option<&SecretString>,
) -> anyhow::Result<Option<(String, SecretString)>> {
    match (some_text(id), some_secret(secret)) {
        (Some(id), Some(secret)) => Ok(Some((id, secret))),
        (None, None) => Ok(None),
        (Some(_), None) => {
            bail!("OTRACE_{provider}_CLIENT_SECRET is missing: OTRACE_{provider}_CLIENT_ID is set and needs it.")
        }
        (None, Some(_)) => {
            bail!("OTRACE_{provider}_CLIENT_ID is missing: OTRACE_{provider}_CLIENT_SECRET is set and needs it.")
        }
    }
}

/// A variable that is set to nothing is not set: compose files can't leave one out.
fn some_text(text: Option<&String>) -> Option<String> {
    text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
}

fn some_secret(secret: Option<&SecretString>) -> Option<SecretString> {
    secret.filter(|secret| !secret.expose_secret().trim().is_empty()).cloned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_issuer(issuer: &str) -> SignInConfig {
        SignInConfig {
            oidc_issuer: Some(issuer.parse().unwrap()),
            oidc_client_id: Some("trace".into()),
            ..SignInConfig::default()
        }
    }

    fn complaint(config: &SignInConfig) -> String {
        config.providers().unwrap_err().to_string()
    }

    #[test]
    fn no_provider_is_needed() {
        assert!(SignInConfig::default().providers().unwrap().is_empty());
        let empty = SignInConfig {
            google_client_id: Some(String::new()),
            google_client_secret: Some(String::new().into()),
            ..SignInConfig::default()
        };
        assert!(empty.providers().unwrap().is_empty());
    }

    #[test]
    fn half_of_a_pair_is_not_enough() {
        let id_only = SignInConfig { google_client_id: Some("id".into()), ..SignInConfig::default() };
        assert!(complaint(&id_only).starts_with("OTRACE_GOOGLE_CLIENT_SECRET is missing"));
        let secret_only = SignInConfig { github_client_secret: Some("s".into()), ..SignInConfig::default() };
        assert!(complaint(&secret_only).starts_with("OTRACE_GITHUB_CLIENT_ID is missing"));
        let nameless = SignInConfig { oidc_client_id: None, ..with_issuer("https://sso.example.org") };
        assert!(complaint(&nameless).starts_with("OTRACE_OIDC_CLIENT_ID is missing"));
        let nowhere = SignInConfig { oidc_client_secret: Some("s".into()), ..SignInConfig::default() };
        assert!(complaint(&nowhere).starts_with("OTRACE_OIDC_ISSUER is missing"));
    }

    #[test]
    fn an_issuer_is_reached_through_tls_unless_it_is_on_this_machine() {
        for issuer in
            ["https://sso.example.org/realms/x", "http://localhost:8080", "http://127.0.0.1:9", "http://[::1]"]
        {
            assert_eq!(with_issuer(issuer).providers().unwrap()[0].name, "sso", "{issuer}");
        }
        for issuer in [
            "http://sso.example.org",
            "http://10.0.0.1",
            "ftp://localhost",
            "https://a:b@sso.example.org",
            "https://x?y",
        ] {
            assert!(with_issuer(issuer).providers().is_err(), "{issuer}");
        }
    }

    #[test]
    fn somebody_can_always_sign_in() {
        let nobody = SignInConfig { password_sign_in: false, ..SignInConfig::default() };
        assert!(complaint(&nobody).starts_with("Nobody could sign in"));
        let through_issuer = SignInConfig { password_sign_in: false, ..with_issuer("https://sso.example.org") };
        assert_eq!(through_issuer.providers().unwrap().len(), 1);
    }
}
