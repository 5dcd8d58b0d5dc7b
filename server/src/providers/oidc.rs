//! Sign-in through an OpenID Connect issuer.

use serde_json::Value;
use time::OffsetDateTime;
use url::Url;

use super::discovery::{Discovered, Discovery};
use super::flow::{self, Credentials, Endpoints, Tokens};
use super::http::Http;
use super::id_token::{self, Claims, Expected};
use super::keys::KeyCache;
use super::{AttemptSecrets, Begun, Callback, ProviderError, ProviderIdentity};

const SCOPES: [&str; 3] = ["openid", "email", "profile"];

/// An OpenID Connect issuer.
#[derive(Debug)]
pub struct Oidc {
    http: Http,
    discovery: Discovery,
    keys: KeyCache,
    credentials: Credentials,
    trust_email: bool,
}

impl Oidc {
    /// The issuer at this address. It is not asked before somebody signs in.
    pub fn new(issuer: &Url, credentials: Credentials, trust_email: bool) -> anyhow::Result<Self> {
        let http = Http::new(issuer)?;
        Ok(Self { http, discovery: Discovery::new(issuer)?, keys: KeyCache::default(), credentials, trust_email })
    }

    /// The issuer's name.
    pub fn issuer(&self) -> &str {
        self.discovery.issuer()
    }

    /// Whether the issuer tells about itself, and is the one that is meant.
    pub async fn check(&self) -> Result<(), ProviderError> {
        self.discovery.get(&self.http).await.map(|_| ())
    }

    /// Where the browser goes.
    pub async fn begin(&self, redirect_url: &Url, prompt_login: bool) -> Result<Begun, ProviderError> {
        let discovered = self.discovery.get(&self.http).await?;
        let extras: &[_] = if prompt_login { &[("prompt", "login")] } else { &[] };
        Ok(flow::begin(&self.credentials, &endpoints(&discovered), redirect_url, &SCOPES, extras, true))
    }

    /// Who came back.
    pub async fn finish(
        &self,
        redirect_url: &Url,
        secrets: &AttemptSecrets,
        callback: &Callback,
        now: OffsetDateTime,
    ) -> Result<ProviderIdentity, ProviderError> {
        let discovered = self.discovery.get(&self.http).await?;
        check_sender(&discovered, callback)?;
        let endpoints = endpoints(&discovered);
        let tokens =
            flow::exchange(&self.http, &self.credentials, &endpoints, redirect_url, secrets, &callback.code).await?;
        let claims = self.verified(&discovered, &tokens, &secrets.nonce, now).await?;
        let subject = id_token::subject(&claims).ok_or_else(|| ProviderError::Refused("no `sub`".into()))?;
        if claims.contains_key("email") {
            return Ok(self.identity(subject, &claims));
        }
        let Some(address) = &discovered.user_info else { return Ok(self.identity(subject, &claims)) };
        let mut told: Claims = self.http.get_json(address, Some(&tokens.access_token)).await?;
        // An access token may have been swapped for another person's.
        if id_token::text(&told, "sub") != Some(subject) {
            return Err(ProviderError::Refused(format!("{address} tells about somebody else")));
        }
        // The name may be in either. Whether the address is verified is believed only from where the address is.
        for name in ["name", "preferred_username"] {
            if let Some(value) = claims.get(name) {
                told.entry(name).or_insert_with(|| value.clone());
            }
        }
        Ok(self.identity(subject, &told))
    }

    /// What the ID token says, once it is found to be genuine.
    async fn verified(
        &self,
        discovered: &Discovered,
        tokens: &Tokens,
        nonce: &str,
        now: OffsetDateTime,
    ) -> Result<Claims, ProviderError> {
        let refused = ProviderError::Refused;
        let token = tokens.id_token.as_deref().ok_or_else(|| refused("it sent no ID token".into()))?;
        let header = id_token::header(token).map_err(refused)?;
        let key = self.keys.find(&self.http, &discovered.keys, &header).await?;
        let client_id = &self.credentials.client_id;
        id_token::verify(token, &header, &key, &Expected { issuer: &discovered.issuer, client_id, nonce, now })
            .map_err(refused)
    }

    fn identity(&self, subject: &str, claims: &Claims) -> ProviderIdentity {
        let some = |name| id_token::text(claims, name).map(str::trim).filter(|text| !text.is_empty());
        let email = some("email").map(str::to_owned);
        let is_email_verified = email.is_some() && is_verified(claims.get("email_verified"), self.trust_email);
        ProviderIdentity {
            issuer: self.issuer().to_owned(),
            subject: subject.to_owned(),
            email,
            is_email_verified,
            name: some("name").or_else(|| some("preferred_username")).map(str::to_owned),
        }
    }
}

fn endpoints(discovered: &Discovered) -> Endpoints {
    Endpoints {
        authorization: discovered.authorization.clone(),
        token: discovered.token.clone(),
        takes_basic_auth: discovered.takes_basic_auth,
    }
}

/// Whether this issuer sent the browser back: another one's answer must not be taken for its (RFC 9207).
fn check_sender(discovered: &Discovered, callback: &Callback) -> Result<(), ProviderError> {
    match &callback.iss {
        Some(iss) if *iss != discovered.issuer => {
            Err(ProviderError::Refused(format!("the answer is of another issuer: {iss:?}")))
        }
        None if discovered.tells_issuer => Err(ProviderError::Refused("the answer does not tell its issuer".into())),
        _ => Ok(()),
    }
}

/// Whether an address counts as the person's own: only JSON's `true` says so. Trust fills in for an issuer that
/// says nothing, never for one that says something else.
fn is_verified(told: Option<&Value>, trust_email: bool) -> bool {
    match told {
        Some(value) => *value == Value::Bool(true),
        None => trust_email,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_true_verifies_an_address() {
        assert!(is_verified(Some(&json!(true)), false));
        for told in [json!("true"), json!(1), json!("yes"), json!(null), json!(false), json!([true])] {
            assert!(!is_verified(Some(&told), false) && !is_verified(Some(&told), true), "{told}");
        }
        assert!(!is_verified(None, false));
        assert!(is_verified(None, true));
    }
}
