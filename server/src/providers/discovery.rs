//! What an issuer says about itself: where its pages, its keys and its tokens are.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::Deserialize;
use tokio::time::Instant;
use url::Url;

use super::ProviderError;
use super::http::Http;

const LIFETIME: Duration = Duration::from_hours(1);
const PATH: &str = "/.well-known/openid-configuration";

/// What an issuer says about itself, checked.
#[derive(Debug)]
pub struct Discovered {
    /// Its name, exactly as its tokens have it.
    pub issuer: String,
    /// Where the browser goes.
    pub authorization: Url,
    /// Where a code becomes tokens.
    pub token: Url,
    /// Where its public keys are.
    pub keys: Url,
    /// Where it tells about the person, if it does so outside of the ID token.
    pub user_info: Option<Url>,
    /// Whether the client shows its secret in a header, as it does unless told otherwise.
    pub takes_basic_auth: bool,
    /// Whether it always sends its name with the browser (RFC 9207).
    pub tells_issuer: bool,
}

/// The document as it is sent (OpenID Connect Discovery 1.0, section 3).
#[derive(Debug, Deserialize)]
struct Document {
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
    jwks_uri: String,
    userinfo_endpoint: Option<String>,
    token_endpoint_auth_methods_supported: Option<Vec<String>>,
    #[serde(default)]
    authorization_response_iss_parameter_supported: bool,
}

/// An issuer's document, asked for when it is needed and remembered for an hour.
#[derive(Debug)]
pub struct Discovery {
    issuer: String,
    /// Where the document is.
    address: Url,
    known: Mutex<Option<(Instant, Arc<Discovered>)>>,
}

impl Discovery {
    /// Of the issuer with this address.
    pub fn new(issuer: &Url) -> anyhow::Result<Self> {
        let address = format!("{}{PATH}", issuer.as_str().trim_end_matches('/')).parse()?;
        Ok(Self { issuer: issuer_name(issuer), address, known: Mutex::default() })
    }

    /// The issuer's name.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// What the issuer says about itself.
    pub async fn get(&self, http: &Http) -> Result<Arc<Discovered>, ProviderError> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some((at, discovered)) = known
            && at.elapsed() < LIFETIME
        {
            return Ok(discovered);
        }
        let document = http.get_json(&self.address, None).await?;
        let discovered = Arc::new(self.checked(http, document)?);
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), Arc::clone(&discovered)));
        Ok(discovered)
    }

    fn checked(&self, http: &Http, document: Document) -> Result<Discovered, ProviderError> {
        if !is_name_of(&self.issuer, &document.issuer) {
            let Document { issuer, .. } = document;
            return Err(ProviderError::Refused(format!("{} calls itself {issuer:?}", self.address)));
        }
        let url = |text: &str| {
            Url::parse(text)
                .map_err(|error| ProviderError::Refused(format!("{} names {text:?}: {error}", self.address)))
        };
        let authorization = url(&document.authorization_endpoint)?;
        if !http.is_for_browsers(&authorization) {
            return Err(ProviderError::Refused(format!("browsers are not sent to {authorization}")));
        }
        let methods = document.token_endpoint_auth_methods_supported;
        Ok(Discovered {
            issuer: document.issuer,
            authorization,
            token: url(&document.token_endpoint)?,
            keys: url(&document.jwks_uri)?,
            user_info: document.userinfo_endpoint.as_deref().map(url).transpose()?,
            takes_basic_auth: methods
                .is_none_or(|methods| methods.iter().any(|method| method == "client_secret_basic")),
            tells_issuer: document.authorization_response_iss_parameter_supported,
        })
    }
}

/// An issuer's address as its name, which identities are stored under.
///
/// A URL without a path always ends with a slash once it is parsed, and the name of such an issuer mostly does not.
pub fn issuer_name(issuer: &Url) -> String {
    let is_bare = issuer.path() == "/";
    if is_bare { issuer.as_str().trim_end_matches('/') } else { issuer.as_str() }.to_owned()
}

/// Whether an issuer calls itself what it is called here: exactly so, but for the slash of one without a path.
fn is_name_of(ours: &str, theirs: &str) -> bool {
    let has_path = Url::parse(ours).is_ok_and(|url| url.path() != "/");
    theirs == ours || (!has_path && theirs.strip_suffix('/') == Some(ours))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepts(configured: &str, told: &str) -> bool {
        is_name_of(&issuer_name(&configured.parse().unwrap()), told)
    }

    #[test]
    fn an_issuer_calls_itself_exactly_what_it_is_called_here() {
        for (configured, told) in [
            ("https://accounts.google.com", "https://accounts.google.com"),
            ("https://accounts.google.com/", "https://accounts.google.com"),
            ("https://team.auth0.com", "https://team.auth0.com/"),
            ("https://sso.example.org/realms/x", "https://sso.example.org/realms/x"),
            ("https://sso.example.org/realms/x/", "https://sso.example.org/realms/x/"),
        ] {
            assert!(accepts(configured, told), "{configured} {told}");
        }
        for (configured, told) in [
            ("https://sso.example.org/realms/x", "https://sso.example.org/realms/x/"),
            ("https://sso.example.org/realms/x/", "https://sso.example.org/realms/x"),
            ("https://sso.example.org/realms/x", "https://sso.example.org/realms/X"),
            ("https://sso.example.org", "https://sso.example.org//"),
            ("https://sso.example.org", "http://sso.example.org"),
            ("https://sso.example.org", "https://evil.example"),
            ("https://sso.example.org", ""),
        ] {
            assert!(!accepts(configured, told), "{configured} {told}");
        }
    }
}
