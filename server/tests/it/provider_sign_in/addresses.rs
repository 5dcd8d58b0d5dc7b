//! An address is not a person: whoever a provider says has an account's address does not enter that account by it.

use otrace_server::testing::PASSWORD;
use url::Url;

use super::{ADA, BOB, ROOT, Visitor, accounts, linked, person, refusal, server, server_with};
use crate::mail::MailServer;

const NEW_PASSWORD: &str = "seven quiet lighthouses";
const NOT_YOURS: &str = "SSO does not say that your address is yours.";

#[tokio::test]
async fn nobody_enters_an_account_by_its_address() {
    let (app, _provider) = server().await;
    person(&app, ADA).await;
    for login in ["ada", "second-ada", "ADA", "unverified-ada", "silent-ada", "text-ada", "nomail-ada"] {
        let mut visitor = Visitor::new(&app);
        let answer = visitor.sign_in(login).await;
        assert_eq!(visitor.session(), None, "{login}: {}", answer.status);
        visitor.get("/account").await.expect(303);
        assert_eq!(linked(&app).await, [""; 0], "{login}");
    }
    assert_eq!(accounts(&app).await, [ADA, ROOT]);
}

#[tokio::test]
async fn an_address_that_changed_hands_does_not_bring_its_old_account_along() {
    let (app, _provider) = server().await;
    let mut first = Visitor::new(&app);
    first.sign_in("ada").await.expect(303);
    let mut second = first.another();
    second.sign_in("second-ada").await;
    assert_eq!(second.who().await, None);
    assert_eq!(linked(&app).await, ["ada@example.org ada"]);
}

#[tokio::test]
async fn an_address_that_is_not_verified_is_refused_whether_it_has_an_account_or_not() {
    let (app, _provider) = server().await;
    let logins = ["unverified-ada", "silent-ada", "text-ada", "nomail-ada"];
    let mut without_account = Vec::new();
    for login in logins {
        let text = refusal(&Visitor::new(&app).sign_in(login).await);
        assert!(text.contains(NOT_YOURS), "{login}: {text}");
        without_account.push(text);
    }
    assert_eq!(accounts(&app).await, [ROOT]);

    person(&app, ADA).await;
    for (login, expected) in logins.into_iter().zip(without_account) {
        assert_eq!(refusal(&Visitor::new(&app).sign_in(login).await), expected, "{login}");
    }
}

#[tokio::test]
async fn trust_in_an_issuer_fills_in_for_its_silence_only() {
    let (app, _provider) = server_with(|config| config.sign_in.more_providers[0].trust_email = true).await;
    for login in ["unverified-ada", "text-ada", "nomail-ada"] {
        let text = refusal(&Visitor::new(&app).sign_in(login).await);
        assert!(text.contains(NOT_YOURS), "{login}: {text}");
    }
    assert_eq!(accounts(&app).await, [ROOT]);
    person(&app, BOB).await;
    let mut silent = Visitor::new(&app);
    silent.sign_in("silent-bob").await.expect(303);
    assert_eq!(silent.who().await, None, "trusted, and still not the account's owner");
    silent.sign_in("silent-ada").await.expect(303);
    assert_eq!(silent.who().await.as_deref(), Some(ADA));
}

/// Somebody makes an account with an address that is not theirs and links an identity of their own to it. (Where mail
/// is sent, such accounts come of invitations, or are older than the mail server's settings.)
#[tokio::test]
async fn who_took_an_address_ahead_of_its_owner_is_out_once_the_owner_proves_it() {
    let mail = MailServer::start().await;
    let (app, _provider) = server_with(|config| config.mail = mail.config()).await;
    person(&app, ADA).await;
    let mut intruder = Visitor::new(&app);
    intruder.sign_in_with(ADA, PASSWORD).await.expect(303);
    intruder.link("eve").await.expect(303);
    mail.next_to(ADA).await;
    assert_eq!(linked(&app).await, ["ada@example.org eve"]);

    let mut owner = intruder.another();
    owner.post("/forgot", &[("email", ADA)]).await.expect(303);
    let link: Url = mail.next_to(ADA).await.link().parse().unwrap();
    owner.post(link.path(), &[("password", NEW_PASSWORD)]).await.expect(303);
    owner.sign_in_with(ADA, NEW_PASSWORD).await.expect(303);

    assert_eq!(intruder.who().await, None, "the session");
    let mut again = intruder.another();
    refusal(&again.sign_in_with(ADA, PASSWORD).await);
    again.sign_in("eve").await;
    assert_ne!(again.who().await.as_deref(), Some(ADA), "the identity");
    assert_eq!(owner.who().await.as_deref(), Some(ADA));
}
