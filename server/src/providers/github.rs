//! Sign-in through GitHub, which speaks OAuth without OpenID Connect: its API tells who it is.

use serde::Deserialize;
use url::Url;

use super::flow::{self, Credentials, Endpoints};
use super::http::Http;
use super::{AttemptSecrets, Begun, Callback, ProviderError, ProviderIdentity};

/// What GitHub's identities are stored under.
pub const ISSUER: &str = "https://github.com";
/// What GitHub calls itself where it says so (RFC 9207).
const OAUTH_ISSUER: &str = "https://github.com/login/oauth";
const AUTHORIZATION: &str = "https://github.com/login/oauth/authorize";
const TOKEN: &str = "https://github.com/login/oauth/access_token";
const USER: &str = "https://api.github.com/user";
const EMAILS: &str = "https://api.github.com/user/emails";
const SCOPES: [&str; 2] = ["read:user", "user:email"];

/// GitHub.
#[derive(Debug)]
pub struct GitHub {
    http: Http,
    endpoints: Endpoints,
    user: Url,
    emails: Url,
    credentials: Credentials,
}

/// What it tells about the person. A login may be given away to somebody else, a number never is.
#[derive(Debug, Deserialize)]
struct User {
    id: u64,
    login: String,
    name: Option<String>,
}

/// One of the person's addresses.
#[derive(Debug, Deserialize)]
struct Address {
    email: String,
    primary: bool,
    verified: bool,
}

impl GitHub {
    /// GitHub, where this server is known by these credentials.
    pub fn new(credentials: Credentials) -> anyhow::Result<Self> {
        let endpoints =
            Endpoints { authorization: AUTHORIZATION.parse()?, token: TOKEN.parse()?, takes_basic_auth: false };
        let http = Http::new(&ISSUER.parse()?)?;
        Ok(Self { http, endpoints, user: USER.parse()?, emails: EMAILS.parse()?, credentials })
    }

    /// Whether GitHub is there.
    pub async fn check(&self) -> Result<(), ProviderError> {
        match self.http.get_json::<serde_json::Value>(&self.user, None).await {
            // Who asks without a token is refused.
            Ok(_) | Err(ProviderError::Refused(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Where the browser goes. GitHub has no `prompt=login`; the nearest is to ask which account it is.
    pub fn begin(&self, redirect_url: &Url, prompt_login: bool) -> Begun {
        let extras: &[_] = if prompt_login { &[("prompt", "select_account")] } else { &[] };
        flow::begin(&self.credentials, &self.endpoints, redirect_url, &SCOPES, extras, false)
    }

    /// Who came back.
    pub async fn finish(
        &self,
        redirect_url: &Url,
        secrets: &AttemptSecrets,
        callback: &Callback,
    ) -> Result<ProviderIdentity, ProviderError> {
        if callback.iss.as_ref().is_some_and(|iss| ![ISSUER, OAUTH_ISSUER].contains(&iss.as_str())) {
            return Err(ProviderError::Refused(format!("the answer is of another issuer: {:?}", callback.iss)));
        }
        let tokens =
            flow::exchange(&self.http, &self.credentials, &self.endpoints, redirect_url, secrets, &callback.code)
                .await?;
        let bearer = Some(tokens.access_token.as_str());
        let user: User = self.http.get_json(&self.user, bearer).await?;
        let emails: Vec<Address> = self.http.get_json(&self.emails, bearer).await?;
        Ok(identity(user, emails))
    }
}

/// The person by number, and the address only if it is the main one and known to be theirs.
fn identity(user: User, emails: Vec<Address>) -> ProviderIdentity {
    let email = emails.into_iter().find(|email| email.primary && email.verified).map(|email| email.email);
    ProviderIdentity {
        issuer: ISSUER.to_owned(),
        subject: user.id.to_string(),
        is_email_verified: email.is_some(),
        email,
        name: user.name.filter(|name| !name.trim().is_empty()).or(Some(user.login)),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn of(user: Value, emails: Value) -> ProviderIdentity {
        identity(serde_json::from_value(user).unwrap(), serde_json::from_value(emails).unwrap())
    }

    #[test]
    fn a_person_is_their_number_and_their_main_verified_address() {
        let ada = of(
            json!({"id": 7, "login": "ada", "name": "Ada Lovelace", "email": "shown@example.org"}),
            json!([
                {"email": "old@example.org", "primary": false, "verified": true, "visibility": null},
                {"email": "ada@example.org", "primary": true, "verified": true, "visibility": "private"},
            ]),
        );
        assert_eq!((ada.issuer.as_str(), ada.subject.as_str()), ("https://github.com", "7"));
        assert_eq!((ada.email.as_deref(), ada.is_email_verified), (Some("ada@example.org"), true));
        assert_eq!(ada.name.as_deref(), Some("Ada Lovelace"));
    }

    #[test]
    fn an_address_that_is_not_verified_is_none() {
        let ada = of(
            json!({"id": 7, "login": "ada", "name": null}),
            json!([
                {"email": "ada@example.org", "primary": true, "verified": false},
                {"email": "other@example.org", "primary": false, "verified": true},
            ]),
        );
        assert_eq!((ada.email, ada.is_email_verified), (None, false));
        assert_eq!(ada.name.as_deref(), Some("ada"));
    }
}
