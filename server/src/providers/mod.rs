//! Sign-in through others: Google, GitHub, any OpenID Connect issuer.
//!
//! `flow` goes to the provider and back, `oidc` and `github` find out who came back, `http` is how providers are
//! asked. May touch reqwest, oauth2, jsonwebtoken; not the store, not axum. What a provider says is not believed
//! before it is checked; which account it belongs to, `services` decides. Tokens are never stored.

mod discovery;
mod flow;
mod github;
mod http;
mod id_token;
mod keys;
mod oidc;

use std::fmt;
use std::sync::Arc;

use anyhow::ensure;
use secrecy::SecretString;
use time::OffsetDateTime;
use url::{Host, Url};

use flow::Credentials;
use github::GitHub;
use oidc::Oidc;

/// A provider as it is set up.
#[derive(Clone, Debug)]
pub struct ProviderSettings {
    /// What it is called in URLs: `google`, `github`, `sso`.
    pub name: String,
    /// What people call it.
    pub label: String,
    /// How it is spoken to.
    pub kind: ProviderKind,
    /// What this server is called there.
    pub client_id: String,
    /// This server's password there; a public client has none.
    pub client_secret: Option<SecretString>,
    /// Whether an e-mail address counts as verified where the provider does not say.
    pub trust_email: bool,
}

/// How a provider is spoken to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProviderKind {
    /// OpenID Connect.
    Oidc {
        /// The issuer's address, which its discovery document is found under.
        issuer: Url,
    },
    /// GitHub's own way.
    GitHub,
}

/// All providers of this server. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Providers(Arc<[Provider]>);

impl Providers {
    /// Makes them ready. None is asked before somebody signs in.
    pub fn new(settings: Vec<ProviderSettings>) -> anyhow::Result<Self> {
        let providers = settings.into_iter().map(Provider::new).collect::<anyhow::Result<Vec<_>>>()?;
        Ok(Self(providers.into()))
    }

    /// All, in the order in which they are set up.
    pub fn all(&self) -> &[Provider] {
        &self.0
    }

    /// The one with this name in URLs.
    pub fn find(&self, name: &str) -> Option<&Provider> {
        self.0.iter().find(|provider| provider.name == name)
    }
}

/// A provider that people sign in through.
#[derive(Debug)]
pub struct Provider {
    name: String,
    label: String,
    speaks: Speaks,
}

#[derive(Debug)]
enum Speaks {
    Oidc(Box<Oidc>),
    GitHub(Box<GitHub>),
}

impl Provider {
    fn new(settings: ProviderSettings) -> anyhow::Result<Self> {
        let ProviderSettings { name, label, kind, client_id, client_secret, trust_email } = settings;
        let credentials = Credentials { client_id, client_secret };
        let speaks = match kind {
            ProviderKind::Oidc { issuer } => {
                check_issuer(&issuer)?;
                Speaks::Oidc(Box::new(Oidc::new(&issuer, credentials, trust_email)?))
            }
            ProviderKind::GitHub => Speaks::GitHub(Box::new(GitHub::new(credentials)?)),
        };
        Ok(Self { name, label, speaks })
    }

    /// What it is called in URLs.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What people call it.
    pub fn label(&self) -> &str {
        &self.label
    }

    /// What its identities are stored under.
    pub fn issuer(&self) -> &str {
        match &self.speaks {
            Speaks::Oidc(oidc) => oidc.issuer(),
            Speaks::GitHub(_) => github::ISSUER,
        }
    }

    /// Asks it for something, as the first sign-in would: whether it is there, and what it says it is.
    pub async fn check(&self) -> Result<(), ProviderError> {
        match &self.speaks {
            Speaks::Oidc(oidc) => oidc.check().await,
            Speaks::GitHub(github) => github.check().await,
        }
    }

    /// Begins an attempt: where the browser goes, and what must be known when it comes back to `redirect_url`.
    ///
    /// With `prompt_login` the provider is asked to have the person sign in again.
    pub async fn begin(&self, redirect_url: &Url, prompt_login: bool) -> Result<Begun, ProviderError> {
        match &self.speaks {
            Speaks::Oidc(oidc) => oidc.begin(redirect_url, prompt_login).await,
            Speaks::GitHub(github) => Ok(github.begin(redirect_url, prompt_login)),
        }
    }

    /// Ends an attempt whose state was found to be right: who came back.
    pub async fn finish(
        &self,
        redirect_url: &Url,
        secrets: &AttemptSecrets,
        callback: &Callback,
        now: OffsetDateTime,
    ) -> Result<ProviderIdentity, ProviderError> {
        match &self.speaks {
            Speaks::Oidc(oidc) => oidc.finish(redirect_url, secrets, callback, now).await,
            Speaks::GitHub(github) => github.finish(redirect_url, secrets, callback).await,
        }
    }
}

/// Whether an issuer may be at this address: reached through TLS, or on this machine.
pub fn check_issuer(issuer: &Url) -> anyhow::Result<()> {
    let is_local = match issuer.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    ensure!(
        issuer.scheme() == "https" || (issuer.scheme() == "http" && is_local),
        "The issuer {issuer} must begin with https://, unless it runs on this machine."
    );
    let is_plain = issuer.username().is_empty()
        && issuer.password().is_none()
        && issuer.query().is_none()
        && issuer.fragment().is_none();
    ensure!(is_plain, "The issuer {issuer} must be an address without a user, `?` or `#`.");
    Ok(())
}

/// An attempt that has begun.
#[derive(Debug)]
pub struct Begun {
    /// Where the browser goes.
    pub url: Url,
    /// What must be known when it comes back.
    pub secrets: AttemptSecrets,
}

/// What only one attempt knows. To be kept for ten minutes, and used once.
#[derive(Clone)]
pub struct AttemptSecrets {
    /// What the provider sends back with the browser.
    pub state: String,
    /// What the ID token repeats.
    pub nonce: String,
    /// What proves that the code comes back to who asked for it.
    pub pkce_verifier: String,
}

impl fmt::Debug for AttemptSecrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AttemptSecrets").finish_non_exhaustive()
    }
}

/// What the browser brought back, besides the state.
#[derive(Clone)]
pub struct Callback {
    /// What becomes tokens, once.
    pub code: String,
    /// Which issuer says so, where it does (RFC 9207).
    pub iss: Option<String>,
}

impl fmt::Debug for Callback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Callback").field("iss", &self.iss).finish_non_exhaustive()
    }
}

/// Who came back, as far as the provider can tell. Only issuer and subject say who it is: an address may change hands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProviderIdentity {
    /// Whose word it is.
    pub issuer: String,
    /// Who it is there.
    pub subject: String,
    /// The person's e-mail address.
    pub email: Option<String>,
    /// Whether the provider is sure that it is theirs.
    pub is_email_verified: bool,
    /// What the person is called.
    pub name: Option<String>,
}

/// Why a sign-in through a provider did not succeed. What is within is for the log.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProviderError {
    /// It does not answer; the same may pass later.
    #[error("the provider is out of reach: {0}")]
    Unreachable(String),
    /// It said no, or what it said is not to be believed.
    #[error("the provider did not confirm the sign-in: {0}")]
    Refused(String),
}

impl ProviderError {
    /// The sentence to show, where `label` is what people call the provider.
    pub fn message(&self, label: &str) -> String {
        match self {
            Self::Unreachable(_) => format!("{label} can't be reached at the moment. Try again in a few minutes."),
            Self::Refused(_) => format!(
                "{label} did not confirm who you are. Try again, and tell the server's administrator if it stays so."
            ),
        }
    }
}
