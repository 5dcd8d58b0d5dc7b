//! Signing in through a provider, on its own pages as well.

use otrace_server::providers::{ProviderKind, ProviderSettings};
use otrace_server::testing::TestServer;
use tokio::net::TcpListener;
use url::Url;

use super::{Browser, site};
use crate::providers::oidc_provider::OidcProvider;

/// A server on which nobody has an account, and the provider that it trusts.
async fn start() -> (TestServer, OidcProvider) {
    // The provider is told where the server is before it starts.
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let back: Url = format!("http://localhost:{port}/signin/with/sso/callback").parse().unwrap();
    let provider = OidcProvider::start(&[back]).await;
    let settings = ProviderSettings {
        name: "sso".to_owned(),
        label: "SSO".to_owned(),
        kind: ProviderKind::Oidc { issuer: provider.issuer.clone() },
        client_id: provider.client_id.to_owned(),
        client_secret: Some(provider.client_secret.into()),
        trust_email: false,
    };
    let server = TestServer::on(listener, |config| config.sign_in.more_providers = vec![settings]).await;
    (server, provider)
}

#[tokio::test]
async fn a_newcomer_signs_in_at_the_provider_and_is_known_when_they_come_again() {
    let (server, _provider) = start().await;
    let site = site(&server);
    let browser = Browser::open(1440, 900, false).await;

    // Who turns back at the provider's door is told so, and may try again.
    browser.visit(&format!("{site}/signin")).await;
    browser.press("a[href^='/signin/with/sso']").await;
    browser.press(".login-help a").await;
    browser.shows(&["SSO did not sign you in: you declined"]).await;
    browser.expect_no_problems("the page after turning back").await;

    // Led to sign in, over the provider's two pages, and on to where one wanted to go.
    browser.visit(&format!("{site}/projects/new")).await;
    browser.wait_for_path("/signin").await;
    browser.press("a[href^='/signin/with/sso']").await;
    browser.fill("input[name=login]", "ada").await;
    browser.fill("input[name=password]", "any").await;
    browser.press("button[type=submit]").await;
    browser.press("input[value=consent] + button").await;
    browser.wait_for_path("/projects/new").await;
    browser.shows(&["Account, Ada"]).await;
    browser.visit(&format!("{site}/account")).await;
    browser.shows(&["ada@example.org confirmed", "Unlink SSO"]).await;

    // The provider remembers them: it asks nothing again.
    browser.press("main form[action='/signout'] button").await;
    browser.wait_for_path("/signin").await;
    browser.visit(&format!("{site}/signin?next=/account")).await;
    browser.press("a[href^='/signin/with/sso']").await;
    browser.wait_for_path("/account").await;
    browser.shows(&["ada@example.org confirmed"]).await;
    let accounts: i64 =
        sqlx::query_scalar("SELECT count(*) FROM accounts").fetch_one(&server.app.app.pool).await.unwrap();
    assert_eq!(accounts, 1);
}
