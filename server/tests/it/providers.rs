//! Sign-in through providers, without the rest of the server: what is believed of a provider, and what is not.
//!
//! `hostile_issuer` says whatever a test wants it to; `oidc_provider` is a real one, for these tests and for those of
//! the whole server.

mod addresses;
mod hostile_issuer;
mod id_tokens;
pub mod oidc_provider;
mod real_issuer;
mod signing;

use otrace_server::providers::{Provider, ProviderKind, ProviderSettings, Providers};
use url::Url;

/// The server as a client of one issuer.
fn client_of(issuer: &Url, client_secret: Option<&str>, trust_email: bool) -> Providers {
    let settings = ProviderSettings {
        name: "sso".to_owned(),
        label: "SSO".to_owned(),
        kind: ProviderKind::Oidc { issuer: issuer.clone() },
        client_id: "trace".to_owned(),
        client_secret: client_secret.map(Into::into),
        trust_email,
    };
    Providers::new(vec![settings]).unwrap()
}

fn only(providers: &Providers) -> &Provider {
    providers.find("sso").unwrap()
}

/// Where the browser comes back to. Nobody listens there: the tests read the address.
fn redirect_url() -> Url {
    "http://127.0.0.1:1/sign-in/sso/callback".parse().unwrap()
}
