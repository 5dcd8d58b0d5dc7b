//! Two providers: what one says is never taken for the other's word.

use otrace_server::testing::TestApp;

use super::{
    ADA, NOT_BEGUN_HERE, NOT_CONFIRMED, ROOT, Visitor, WAY, accounts, as_provider, changed, linked, parameter, refusal,
    server_with, start_provider,
};
use crate::providers::oidc_provider::OidcProvider;

const OTHER_WAY: &str = "/signin/with/other?next=%2Fprojects%2Fnew";

/// A server with `sso` and `other`.
async fn server_with_two() -> (TestApp, OidcProvider, OidcProvider) {
    let other = start_provider().await;
    let (app, sso) = server_with(|config| config.sign_in.more_providers.push(as_provider("other", &other))).await;
    (app, sso, other)
}

#[tokio::test]
async fn an_answer_of_one_provider_does_not_end_an_attempt_at_the_other() {
    let (app, _sso, _other) = server_with_two().await;
    let mut ada = Visitor::new(&app);
    for (way, elsewhere) in [(WAY, "/signin/with/other/callback"), (OTHER_WAY, "/signin/with/sso/callback")] {
        let back = ada.vouched(way, "ada").await;
        let mut misled = back.clone();
        misled.set_path(elsewhere);
        let text = refusal(&ada.come_back(&misled).await);
        assert!(text.contains(NOT_BEGUN_HERE), "{elsewhere}: {text}");
        assert_eq!(ada.who().await, None);
        assert_eq!(accounts(&app).await, [ROOT]);
    }
    let back = ada.vouched(WAY, "ada").await;
    ada.come_back(&back).await.expect(303);
    assert_eq!(ada.who().await.as_deref(), Some(ADA));
}

#[tokio::test]
async fn an_answer_says_which_provider_it_is_from() {
    let (app, sso, other) = server_with_two().await;
    let others = other.issuer.as_str().trim_end_matches('/').to_owned();
    let ours_with_a_slash = sso.issuer.as_str().to_owned();
    assert!(ours_with_a_slash.ends_with('/'), "{ours_with_a_slash}");
    for iss in [None, Some(""), Some(others.as_str()), Some(ours_with_a_slash.as_str())] {
        let mut ada = Visitor::new(&app);
        let back = ada.vouched(WAY, "ada").await;
        let text = refusal(&ada.come_back(&changed(&back, "iss", iss)).await);
        assert!(text.contains(NOT_CONFIRMED), "{iss:?}: {text}");
        assert_eq!(ada.who().await, None);
    }
}

#[tokio::test]
async fn a_code_of_one_provider_is_worth_nothing_at_the_other() {
    let (app, _sso, _other) = server_with_two().await;
    let mut ada = Visitor::new(&app);
    let ours = ada.vouched(WAY, "ada").await;
    let others = ada.vouched(OTHER_WAY, "ada").await;
    let text = refusal(&ada.come_back(&changed(&ours, "code", parameter(&others, "code").as_deref())).await);
    assert!(text.contains(NOT_CONFIRMED), "{text}");
    assert_eq!(accounts(&app).await, [ROOT]);
}

#[tokio::test]
async fn the_same_name_at_two_providers_is_two_people() {
    let (app, _sso, _other) = server_with_two().await;
    let mut ada = Visitor::new(&app);
    ada.sign_in("ada").await.expect(303);

    let mut namesake = ada.another();
    let answer = namesake.go(OTHER_WAY, "ada").await.expect(303);
    assert!(answer.header("location").starts_with("/signin?"), "{}", answer.header("location"));
    assert_eq!(namesake.who().await, None);
    assert_eq!(linked(&app).await, ["ada@example.org ada"]);
}
