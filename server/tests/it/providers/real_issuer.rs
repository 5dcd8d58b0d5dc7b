//! The whole way through a real provider: its pages, its tokens, its keys.

use otrace_server::providers::{AttemptSecrets, Callback, ProviderError, ProviderIdentity, Providers};
use time::OffsetDateTime;
use url::Url;

use super::oidc_provider::{OidcProvider, deny_at_provider, sign_in_at_provider, stepwise_client};
use super::{client_of, only, redirect_url};

/// A provider's tokens have the machine's time in them.
#[expect(clippy::disallowed_methods, reason = "a real provider does not stop its clock")]
fn now() -> OffsetDateTime {
    OffsetDateTime::now_utc()
}

fn parameter(url: &Url, name: &str) -> Option<String> {
    url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}

async fn sign_in(providers: &Providers, login: &str) -> ProviderIdentity {
    let begun = only(providers).begin(&redirect_url(), false).await.unwrap();
    let back = sign_in_at_provider(&stepwise_client(), &begun.url, login).await;
    assert!(back.as_str().starts_with(redirect_url().as_str()), "{back}");
    assert_eq!(parameter(&back, "state"), Some(begun.secrets.state.clone()));
    let callback = Callback { code: parameter(&back, "code").unwrap(), iss: parameter(&back, "iss") };
    only(providers).finish(&redirect_url(), &begun.secrets, &callback, now()).await.unwrap()
}

#[tokio::test]
async fn a_person_who_signs_in_at_a_provider_is_who_it_says() {
    let provider = OidcProvider::start(&[redirect_url()]).await;
    let providers = client_of(&provider.issuer, Some(provider.client_secret), false);
    let expected = |subject: &str, is_email_verified| ProviderIdentity {
        issuer: provider.issuer.as_str().trim_end_matches('/').to_owned(),
        subject: subject.to_owned(),
        email: Some("ada@example.org".to_owned()),
        is_email_verified,
        name: Some("Ada".to_owned()),
    };
    assert_eq!(provider.client_id, "trace");
    assert_eq!(sign_in(&providers, "ada").await, expected("ada", true));
    assert_eq!(sign_in(&providers, "second-ada").await, expected("second-ada", true));
    for login in ["unverified-ada", "silent-ada", "text-ada"] {
        assert_eq!(sign_in(&providers, login).await, expected(login, false));
    }
    assert_eq!(sign_in(&providers, "nomail-ada").await.email, None);
}

#[tokio::test]
async fn a_person_who_does_not_agree_comes_back_without_a_code() {
    let provider = OidcProvider::start(&[redirect_url()]).await;
    let providers = client_of(&provider.issuer, Some(provider.client_secret), false);
    let begun = only(&providers).begin(&redirect_url(), true).await.unwrap();
    assert_eq!(parameter(&begun.url, "prompt").as_deref(), Some("login"));
    let back = deny_at_provider(&stepwise_client(), &begun.url, "ada").await;
    assert_eq!(parameter(&back, "error").as_deref(), Some("access_denied"));
    assert_eq!(parameter(&back, "code"), None);
}

#[tokio::test]
async fn a_code_is_good_once_and_for_who_asked() {
    let provider = OidcProvider::start(&[redirect_url()]).await;
    let providers = client_of(&provider.issuer, Some(provider.client_secret), false);
    let begun = only(&providers).begin(&redirect_url(), false).await.unwrap();
    let another = only(&providers).begin(&redirect_url(), false).await.unwrap();
    let code_for = async |authorize_url: &Url| {
        let back = sign_in_at_provider(&stepwise_client(), authorize_url, "ada").await;
        Callback { code: parameter(&back, "code").unwrap(), iss: parameter(&back, "iss") }
    };
    let finish = async |secrets: &AttemptSecrets, callback: &Callback| {
        only(&providers).finish(&redirect_url(), secrets, callback, now()).await
    };
    let stolen = finish(&another.secrets, &code_for(&begun.url).await).await;
    assert!(matches!(stolen, Err(ProviderError::Refused(_))), "{stolen:?}");

    let callback = code_for(&another.url).await;
    finish(&another.secrets, &callback).await.unwrap();
    let again = finish(&another.secrets, &callback).await;
    assert!(matches!(again, Err(ProviderError::Refused(_))), "{again:?}");
}

#[tokio::test]
async fn a_wrong_client_secret_is_refused() {
    let provider = OidcProvider::start(&[redirect_url()]).await;
    let providers = client_of(&provider.issuer, Some("another secret"), false);
    let begun = only(&providers).begin(&redirect_url(), false).await.unwrap();
    let back = sign_in_at_provider(&stepwise_client(), &begun.url, "ada").await;
    let callback = Callback { code: parameter(&back, "code").unwrap(), iss: parameter(&back, "iss") };
    let got = only(&providers).finish(&redirect_url(), &begun.secrets, &callback, now()).await;
    assert!(matches!(&got, Err(ProviderError::Refused(why)) if why.contains("invalid_client")), "{got:?}");
}
