//! OAuth's authorization code flow, as all providers have it: to the provider and back, always with PKCE.

use oauth2::basic::{
    BasicErrorResponse, BasicRevocationErrorResponse, BasicTokenIntrospectionResponse, BasicTokenType,
};
use oauth2::{
    AuthType, AuthUrl, AuthorizationCode, Client, ClientId, ClientSecret, CsrfToken, EndpointNotSet, EndpointSet,
    ExtraTokenFields, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, RequestTokenError, Scope,
    StandardRevocableToken, StandardTokenResponse, TokenResponse as _, TokenUrl,
};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use url::Url;

use super::http::Http;
use super::{AttemptSecrets, Begun, ProviderError};

/// 256 bits for what must not be guessed.
const SECRET_BYTES: u32 = 32;
/// So much of what a provider says about an error goes to the log.
const REASON_CHARS: usize = 300;

/// What this server is at a provider.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// Its name there.
    pub client_id: String,
    /// Its password there; a public client has none.
    pub client_secret: Option<SecretString>,
}

/// Where a provider's flow begins and ends.
#[derive(Debug)]
pub struct Endpoints {
    /// Where the browser goes.
    pub authorization: Url,
    /// Where a code becomes tokens.
    pub token: Url,
    /// Whether the secret goes into a header, not into the body.
    pub takes_basic_auth: bool,
}

/// What a code was exchanged for. Never stored.
pub struct Tokens {
    /// Opens what the provider tells about the person.
    pub access_token: String,
    /// What the provider says who it is, where it speaks OpenID Connect.
    pub id_token: Option<String>,
}

/// What OpenID Connect adds to the answer.
#[derive(Debug, Deserialize, Serialize)]
struct IdTokenField {
    id_token: Option<String>,
}

impl ExtraTokenFields for IdTokenField {}

type FlowClient = Client<
    BasicErrorResponse,
    StandardTokenResponse<IdTokenField, BasicTokenType>,
    BasicTokenIntrospectionResponse,
    StandardRevocableToken,
    BasicRevocationErrorResponse,
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointSet,
>;

fn client(credentials: &Credentials, endpoints: &Endpoints, redirect_url: &Url) -> FlowClient {
    let auth_type = if endpoints.takes_basic_auth { AuthType::BasicAuth } else { AuthType::RequestBody };
    let client = Client::new(ClientId::new(credentials.client_id.clone()))
        .set_auth_uri(AuthUrl::from_url(endpoints.authorization.clone()))
        .set_token_uri(TokenUrl::from_url(endpoints.token.clone()))
        .set_redirect_uri(RedirectUrl::from_url(redirect_url.clone()))
        .set_auth_type(auth_type);
    match &credentials.client_secret {
        Some(secret) => client.set_client_secret(ClientSecret::new(secret.expose_secret().to_owned())),
        None => client,
    }
}

/// Where the browser goes, and what only this attempt knows.
///
/// `extras` are further parameters. `sends_nonce`: only OpenID Connect repeats it.
pub fn begin(
    credentials: &Credentials,
    endpoints: &Endpoints,
    redirect_url: &Url,
    scopes: &[&str],
    extras: &[(&'static str, &'static str)],
    sends_nonce: bool,
) -> Begun {
    let client = client(credentials, endpoints, redirect_url);
    let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
    let nonce = CsrfToken::new_random_len(SECRET_BYTES).into_secret();
    let mut request = client
        .authorize_url(|| CsrfToken::new_random_len(SECRET_BYTES))
        .add_scopes(scopes.iter().map(|scope| Scope::new((*scope).to_owned())))
        .set_pkce_challenge(challenge);
    if sends_nonce {
        request = request.add_extra_param("nonce", nonce.clone());
    }
    for (name, value) in extras {
        request = request.add_extra_param(*name, *value);
    }
    let (url, state) = request.url();
    Begun { url, secrets: AttemptSecrets { state: state.into_secret(), nonce, pkce_verifier: verifier.into_secret() } }
}

/// Exchanges the code that the browser brought back.
pub async fn exchange(
    http: &Http,
    credentials: &Credentials,
    endpoints: &Endpoints,
    redirect_url: &Url,
    secrets: &AttemptSecrets,
    code: &str,
) -> Result<Tokens, ProviderError> {
    let client = client(credentials, endpoints, redirect_url);
    let answer = client
        .exchange_code(AuthorizationCode::new(code.to_owned()))
        .set_pkce_verifier(PkceCodeVerifier::new(secrets.pkce_verifier.clone()))
        .request_async(http)
        .await
        .map_err(|error| refusal(&endpoints.token, error))?;
    Ok(Tokens {
        access_token: answer.access_token().secret().clone(),
        id_token: answer.extra_fields().id_token.clone(),
    })
}

/// What the log gets to know. Never the answer itself, which may have tokens in it.
fn refusal(url: &Url, error: RequestTokenError<ProviderError, BasicErrorResponse>) -> ProviderError {
    let reason = match error {
        RequestTokenError::Request(error) => return error,
        RequestTokenError::ServerResponse(answer) => answer.to_string(),
        // GitHub says its errors with status 200.
        RequestTokenError::Parse(_, body) => serde_json::from_slice::<BasicErrorResponse>(&body)
            .map_or_else(|_| "its answer can't be read".to_owned(), |answer| answer.to_string()),
        RequestTokenError::Other(reason) => reason,
    };
    let reason: String = reason.chars().take(REASON_CHARS).collect();
    ProviderError::Refused(format!("{url} gives no tokens: {}", reason.escape_debug()))
}
