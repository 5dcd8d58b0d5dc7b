//! How providers are asked: without redirects, within seconds, and nothing that leads into the server's own network.

use std::pin::Pin;

use anyhow::Context;
use oauth2::{AsyncHttpClient, HttpRequest, HttpResponse};
use reqwest::header::ACCEPT;
use reqwest::{Client, Request};
use serde::de::DeserializeOwned;
use url::{Host, Url};

use super::ProviderError;
use crate::outbound::{GlobalOnly, client_builder};

/// Documents, keys and tokens have a few kilobytes.
const ANSWER_BYTES_MAX: usize = 1024 * 1024;

/// A client for one provider.
#[derive(Debug)]
pub struct Http {
    client: Client,
    own: Url,
}

impl Http {
    /// For the provider at `own`, the only one that may be at a private address.
    pub fn new(own: &Url) -> anyhow::Result<Self> {
        let own_host = own.host_str().unwrap_or_default().to_owned();
        let client = client_builder()
            .dns_resolver(GlobalOnly::except([own_host]))
            .build()
            .context("making the HTTP client for a sign-in provider")?;
        Ok(Self { client, own: own.clone() })
    }

    /// Whether a browser may be sent there: through TLS, or to the provider itself.
    pub fn is_for_browsers(&self, url: &Url) -> bool {
        url.scheme() == "https" || url.origin() == self.own.origin()
    }

    /// Whether the server may ask there: the provider itself, or another host by its public name, through TLS.
    ///
    /// Not another port of the provider's host: that may be anything. What a name resolves to, [`GlobalOnly`] checks.
    fn is_askable(&self, url: &Url) -> bool {
        let is_elsewhere = url.scheme() == "https"
            && matches!(url.host(), Some(Host::Domain(_)))
            && url.host_str() != self.own.host_str();
        let has_login = !url.username().is_empty() || url.password().is_some();
        !has_login && (is_elsewhere || url.origin() == self.own.origin())
    }

    /// What a GET answers, as JSON.
    pub async fn get_json<T: DeserializeOwned>(&self, url: &Url, bearer: Option<&str>) -> Result<T, ProviderError> {
        let mut request = self.client.get(url.clone()).header(ACCEPT, "application/json");
        if let Some(token) = bearer {
            request = request.bearer_auth(token);
        }
        let request = request.build().map_err(|error| ProviderError::Refused(format!("asking {url}: {error}")))?;
        let answer = self.execute(request).await?;
        let status = answer.status();
        if status.is_server_error() {
            return Err(ProviderError::Unreachable(format!("{url} answers {status}")));
        }
        if !status.is_success() {
            return Err(ProviderError::Refused(format!("{url} answers {status}")));
        }
        serde_json::from_slice(answer.body())
            .map_err(|error| ProviderError::Refused(format!("{url} answers what can't be read: {error}")))
    }

    /// Sends a request and reads its answer, as far as that is allowed.
    async fn execute(&self, request: Request) -> Result<HttpResponse, ProviderError> {
        let url = request.url().clone();
        if !self.is_askable(&url) {
            return Err(ProviderError::Refused(format!("{url} is not an address that a provider may have")));
        }
        let failed = |error: reqwest::Error| {
            let causes = anyhow::Error::new(error.without_url());
            ProviderError::Unreachable(format!("{url}: {causes:#}"))
        };
        let mut answer = self.client.execute(request).await.map_err(failed)?;
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(failed)? {
            if body.len() + chunk.len() > ANSWER_BYTES_MAX {
                return Err(ProviderError::Refused(format!("{url} answers more than {ANSWER_BYTES_MAX} bytes")));
            }
            body.extend_from_slice(&chunk);
        }
        let mut response = HttpResponse::new(body);
        *response.status_mut() = answer.status();
        *response.headers_mut() = answer.headers().clone();
        Ok(response)
    }
}

impl<'c> AsyncHttpClient<'c> for Http {
    type Error = ProviderError;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, ProviderError>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(async move {
            let request = Request::try_from(request)
                .map_err(|error| ProviderError::Refused(format!("asking for tokens: {error}")))?;
            self.execute(request).await
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_askable(own: &str, url: &str) -> bool {
        Http::new(&own.parse().unwrap()).unwrap().is_askable(&url.parse().unwrap())
    }

    #[test]
    fn a_provider_may_name_itself_and_public_names() {
        for (own, url) in [
            ("https://sso.example.org/realms/x", "https://sso.example.org/realms/x/keys"),
            ("https://sso.example.org:8443", "https://sso.example.org:8443/keys"),
            ("https://10.0.0.7:8443", "https://10.0.0.7:8443/keys"),
            ("https://accounts.google.com", "https://www.googleapis.com/oauth2/v3/certs"),
            ("http://127.0.0.1:9000", "http://127.0.0.1:9000/keys"),
            ("http://localhost:9000", "http://localhost:9000/keys"),
        ] {
            assert!(is_askable(own, url), "{own} {url}");
        }
    }

    #[test]
    fn a_provider_may_name_nothing_else() {
        for (own, url) in [
            ("https://sso.example.org", "http://sso.example.org/keys"),
            ("https://sso.example.org", "https://sso.example.org:9443/keys"),
            ("https://sso.example.org", "https://10.0.0.1/keys"),
            ("https://sso.example.org", "https://0x7f.1/keys"),
            ("https://sso.example.org", "https://[::1]/keys"),
            ("https://sso.example.org", "http://other.example.org/keys"),
            ("https://sso.example.org", "https://me:secret@sso.example.org/keys"),
            ("https://sso.example.org", "file:///etc/passwd"),
            ("http://127.0.0.1:9000", "http://127.0.0.1:9001/keys"),
            ("http://127.0.0.1:9000", "https://127.0.0.1:9000/keys"),
            ("http://127.0.0.1:9000", "http://169.254.169.254/latest/meta-data"),
            ("http://127.0.0.1:9000", "http://localhost:9000/keys"),
        ] {
            assert!(!is_askable(own, url), "{own} {url}");
        }
    }
}
