//! Where a hostile issuer would like the server to go: nowhere near what only the server can reach.

use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener};

use jsonwebtoken::Algorithm;
use otrace_server::providers::{Callback, ProviderError, ProviderIdentity};
use serde_json::json;
use time::OffsetDateTime;
use time::macros::datetime;

use super::hostile_issuer::{Answer, Issuer};
use super::signing::{EC, Signature, token};
use super::{client_of, only, redirect_url};

const NOW: OffsetDateTime = datetime!(2026-11-22 12:00 UTC);

/// Something private on this machine that nobody must connect to.
struct Private(TcpListener);

impl Private {
    fn listen() -> Self {
        let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        listener.set_nonblocking(true).unwrap();
        Self(listener)
    }

    fn port(&self) -> u16 {
        self.0.local_addr().unwrap().port()
    }

    /// Addresses that lead to it, or to what clouds tell their own machines.
    fn addresses(&self) -> Vec<String> {
        let port = self.port();
        let mut addresses = vec![
            "http://169.254.169.254/latest/meta-data".to_owned(),
            "https://169.254.169.254/latest/meta-data".to_owned(),
            format!("http://2130706433:{port}/"),
            format!("https://0x7f.1:{port}/"),
            format!("https://[::ffff:127.0.0.1]:{port}/"),
            format!("https://me@localhost:{port}/"),
            "file:///etc/passwd".to_owned(),
            "no address".to_owned(),
        ];
        for scheme in ["http", "https"] {
            addresses.extend(["127.0.0.1", "localhost"].map(|host| format!("{scheme}://{host}:{port}/keys")));
        }
        addresses
    }

    fn assert_untouched(&self, what: &str) {
        let connected = self.0.accept().map(|_| ()).map_err(|error| error.kind());
        assert_eq!(connected, Err(ErrorKind::WouldBlock), "{what}");
    }
}

/// Signs in at an issuer whose tokens are right; the e-mail address must be asked for.
async fn sign_in(issuer: &Issuer) -> Result<ProviderIdentity, ProviderError> {
    let providers = client_of(&issuer.url, None, false);
    let begun = only(&providers).begin(&redirect_url(), false).await?;
    let now = NOW.unix_timestamp();
    let claims = json!({
        "iss": issuer.name(), "sub": "42", "aud": "trace", "nonce": begun.secrets.nonce, "iat": now, "exp": now + 300,
    });
    issuer.give(&token(&json!({"alg": "ES256"}), &claims, &Signature::By(&EC, Algorithm::ES256)));
    let callback = Callback { code: "code".into(), iss: None };
    only(&providers).finish(&redirect_url(), &begun.secrets, &callback, NOW).await
}

#[tokio::test]
async fn an_issuer_leads_to_no_private_address() {
    let issuer = Issuer::start().await;
    issuer.say("/me", Answer::Json(json!({"sub": "42"})));
    sign_in(&issuer).await.unwrap();
    let private = Private::listen();
    for address in private.addresses() {
        for endpoint in ["jwks_uri", "token_endpoint", "userinfo_endpoint"] {
            issuer.say_of_itself(endpoint, &address);
            let got = sign_in(&issuer).await;
            assert!(got.is_err(), "{endpoint} {address}: {got:?}");
            private.assert_untouched(&format!("{endpoint} {address}"));
        }
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let private = Private::listen();
    for path in ["/keys", "/me", "/.well-known/openid-configuration"] {
        let issuer = Issuer::start().await;
        issuer.say("/me", Answer::Json(json!({"sub": "42"})));
        issuer.say(path, Answer::Redirect(format!("http://127.0.0.1:{}/", private.port())));
        assert!(matches!(sign_in(&issuer).await, Err(ProviderError::Refused(_))), "{path}");
        private.assert_untouched(path);
    }
}

#[tokio::test]
async fn a_browser_is_sent_nowhere_without_tls() {
    let issuer = Issuer::start().await;
    for address in ["http://evil.example/authorize", "javascript:alert(1)", "file:///etc/passwd", "/authorize"] {
        issuer.say_of_itself("authorization_endpoint", address);
        assert!(matches!(sign_in(&issuer).await, Err(ProviderError::Refused(_))), "{address}");
    }
}

#[tokio::test]
async fn an_endless_answer_is_cut_off() {
    let issuer = Issuer::start().await;
    issuer.say("/keys", Answer::Bytes(1024 * 1024 + 1));
    assert!(matches!(sign_in(&issuer).await, Err(ProviderError::Refused(why)) if why.contains("more than")));
}

#[tokio::test]
async fn an_issuer_with_another_name_is_refused() {
    let issuer = Issuer::start().await;
    for name in ["https://accounts.google.com", "", &issuer.name().to_uppercase(), &(issuer.name() + "/x")] {
        issuer.say_of_itself("issuer", name);
        assert!(matches!(sign_in(&issuer).await, Err(ProviderError::Refused(_))), "{name}");
    }
}

#[tokio::test]
async fn an_issuer_that_is_away_is_said_to_be_out_of_reach() {
    let issuer = Issuer::start().await;
    let address = issuer.url.clone();
    drop(issuer);
    let closed = Private::listen();
    let mut gone = address;
    gone.set_port(Some(closed.port())).unwrap();
    drop(closed);
    let error = only(&client_of(&gone, None, false)).begin(&redirect_url(), false).await.unwrap_err();
    assert!(matches!(error, ProviderError::Unreachable(_)), "{error}");
    assert_eq!(error.message("SSO"), "SSO can't be reached at the moment. Try again in a few minutes.");
}
