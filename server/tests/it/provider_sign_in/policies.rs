//! Whom a provider may bring along: the rule of signing up, and invitations.

use otrace_server::auth::sessions::SessionHash;
use otrace_server::auth::{Client, ProjectMember, SignedIn};
use otrace_server::domain::{Project, Role, SignUpPolicy};
use otrace_server::services;
use otrace_server::services::invitations::NewInvitation;
use otrace_server::store;
use otrace_server::testing::TestApp;
use url::Url;

use super::{
    ADA, BOB, ROOT, Visitor, accounts, be_public, execute, linked, person, refusal, server, server_with, way_in,
};

const NOT_ADMITTED: &str = "has no account here. Ask somebody who has one for an invitation link.";

/// Chooses the rule of signing up, as an admin does.
async fn set_policy(app: &TestApp, policy: &SignUpPolicy) {
    let root = services::accounts::find(&app.app, ROOT).await.unwrap();
    let mut connection = app.app.pool.acquire().await.unwrap();
    store::sign_up_policy::set(&mut connection, policy, root.id, app.app.clock.now()).await.unwrap();
}

/// Invites somebody to the server alone; empty: whoever has the link. Returns the link's path.
async fn invite(app: &TestApp, email: &str) -> String {
    let root = SignedIn {
        account: services::accounts::find(&app.app, ROOT).await.unwrap(),
        session: SessionHash([0; 32]),
        authenticated_at: app.app.clock.now(),
        client: Client::default(),
    };
    let input = NewInvitation { email: email.to_owned(), days: None };
    path_of(&services::invitations::create_for_server(&app.app, &root, input).await.unwrap().link.unwrap())
}

/// Invites whoever has the link to a new project, to edit it. Returns the link's path.
async fn invite_to_project(app: &TestApp) -> (Project, String) {
    let wake_word = app.project("wake-word").await;
    let account = services::accounts::find(&app.app, &wake_word.email).await.unwrap();
    let (project, role) = services::projects::find_for(&app.app, &account, &wake_word.slug).await.unwrap().unwrap();
    let owner = ProjectMember { account, project: project.clone(), role, client: Client::default() };
    let made = services::invitations::create(&app.app, &owner, Role::Editor, NewInvitation::default()).await;
    (project, path_of(&made.unwrap().link.unwrap()))
}

fn path_of(link: &str) -> String {
    link.parse::<Url>().unwrap().path().to_owned()
}

/// The way to the provider that an invitation's page shows to who is not signed in.
async fn way_from(visitor: &mut Visitor<'_>, invitation: &str) -> String {
    let page = visitor.get(invitation).await.expect(200).text();
    way_in(&page, "/signin/with/sso")
}

#[tokio::test]
async fn each_rule_lets_in_whom_it_names() {
    let (app, _provider) = server().await;
    let at = |domain: &str| SignUpPolicy::Domains(vec![domain.to_owned()]);
    for (number, (policy, kind, lets_in)) in [
        (SignUpPolicy::Open, "", true),
        (SignUpPolicy::Open, "unverified-", false),
        (SignUpPolicy::Invitation, "", false),
        (at("example.org"), "", true),
        (SignUpPolicy::Domains(vec!["example.com".to_owned(), "example.org".to_owned()]), "", true),
        (at("example.org"), "unverified-", false),
        (at("example.org"), "silent-", false),
        (at("example.org"), "text-", false),
        (at("example.org"), "nomail-", false),
        (at("example.com"), "", false),
        (at("le.org"), "", false),
        (at("lab.example.org"), "", false),
        (SignUpPolicy::Off, "", false),
    ]
    .into_iter()
    .enumerate()
    {
        set_policy(&app, &policy).await;
        let mut visitor = Visitor::new(&app);
        let answer = visitor.sign_in(&format!("{kind}p{number}")).await;
        let what = format!("{policy:?} {kind}: {}", answer.status);
        assert_eq!(visitor.who().await.is_some(), lets_in, "{what}");
        let email = format!("p{number}@example.org");
        assert_eq!(accounts(&app).await.contains(&email), lets_in, "{what}");
    }
}

#[tokio::test]
async fn a_server_that_others_reach_lets_in_who_was_invited_unless_somebody_chose_otherwise() {
    let (app, _provider) = server_with(be_public).await;
    let text = refusal(&Visitor::new(&app).sign_in("ada").await);
    assert!(text.contains(NOT_ADMITTED), "{text}");
    assert_eq!(accounts(&app).await, [ROOT]);
    set_policy(&app, &SignUpPolicy::Open).await;
    let mut ada = Visitor::new(&app);
    ada.sign_in("ada").await.expect(303);
    assert_eq!(ada.who().await.as_deref(), Some(ADA));
}

#[tokio::test]
async fn the_rule_does_not_touch_who_has_an_account() {
    let (app, _provider) = server().await;
    let first = Visitor::new(&app);
    first.another().sign_in("ada").await.expect(303);
    for policy in [SignUpPolicy::Off, SignUpPolicy::Invitation, SignUpPolicy::Domains(vec!["example.com".to_owned()])] {
        set_policy(&app, &policy).await;
        let mut again = first.another();
        again.sign_in("ada").await.expect(303);
        assert_eq!(again.who().await.as_deref(), Some(ADA), "{policy:?}");
    }
}

#[tokio::test]
async fn who_was_invited_comes_through_a_provider_and_joins_the_project() {
    let (app, _provider) = server().await;
    let (project, invitation) = invite_to_project(&app).await;
    set_policy(&app, &SignUpPolicy::Invitation).await;
    let mut ada = Visitor::new(&app);
    refusal(&ada.sign_in("ada").await);

    let way = way_from(&mut ada, &invitation).await;
    ada.go(&way, "ada").await.expect(303);
    assert_eq!(ada.who().await.as_deref(), Some(ADA));
    // What the invitation's button sends, should there still be something to accept.
    ada.post(&invitation, &[]).await;
    let account = services::accounts::find(&app.app, ADA).await.unwrap();
    let found = services::projects::find_for(&app.app, &account, &project.slug).await.unwrap();
    assert_eq!(found.map(|(_, role)| role), Some(Role::Editor));
}

#[tokio::test]
async fn an_invitation_for_one_address_brings_nobody_else_an_account() {
    let (app, _provider) = server().await;
    set_policy(&app, &SignUpPolicy::Invitation).await;
    let invitation = invite(&app, BOB).await;
    let mut ada = Visitor::new(&app);
    let way = way_from(&mut ada, &invitation).await;
    refusal(&ada.go(&way, "ada").await);
    assert_eq!(accounts(&app).await, [ROOT]);

    let mut bob = ada.another();
    let way = way_from(&mut bob, &invitation).await;
    bob.go(&way, "bob").await.expect(303);
    assert_eq!(bob.who().await.as_deref(), Some(BOB));
}

#[tokio::test]
async fn one_invitation_brings_one_account() {
    let (app, _provider) = server().await;
    set_policy(&app, &SignUpPolicy::Invitation).await;
    let invitation = invite(&app, "").await;
    let mut ada = Visitor::new(&app);
    let mut bob = ada.another();
    // Both have the link, and both leave before either comes back.
    let ways = (way_from(&mut ada, &invitation).await, way_from(&mut bob, &invitation).await);
    let backs = (ada.vouched(&ways.0, "ada").await, bob.vouched(&ways.1, "bob").await);
    ada.come_back(&backs.0).await.expect(303);
    refusal(&bob.come_back(&backs.1).await);
    assert_eq!(accounts(&app).await, [ADA, ROOT]);
}

#[tokio::test]
async fn an_invitation_that_was_taken_back_or_has_ended_brings_no_account() {
    let (app, _provider) = server().await;
    set_policy(&app, &SignUpPolicy::Invitation).await;
    for ending in [
        "UPDATE invitations SET revoked_at = now()",
        "UPDATE invitations SET expires_at = expires_at - interval '7 days'",
    ] {
        let invitation = invite(&app, "").await;
        let mut ada = Visitor::new(&app);
        let way = way_from(&mut ada, &invitation).await;
        let back = ada.vouched(&way, "ada").await;
        execute(&app, ending).await;
        refusal(&ada.come_back(&back).await);
        assert_eq!(accounts(&app).await, [ROOT]);
        ada.get(&way).await.expect(404);
    }
    Visitor::new(&app).get("/signin/with/sso?invitation=tri_unknown").await.expect(404);
    assert_eq!(accounts(&app).await, [ROOT]);
}

#[tokio::test]
async fn an_invitation_brings_no_account_where_signing_up_is_switched_off() {
    let (app, _provider) = server().await;
    let invitation = invite(&app, "").await;
    set_policy(&app, &SignUpPolicy::Off).await;
    let mut ada = Visitor::new(&app);
    let way = way_from(&mut ada, &invitation).await;
    refusal(&ada.go(&way, "ada").await);
    assert_eq!(accounts(&app).await, [ROOT]);
}

#[tokio::test]
async fn an_invitation_does_not_let_anybody_into_an_account_by_its_address() {
    let (app, _provider) = server().await;
    person(&app, ADA).await;
    let invitation = invite(&app, ADA).await;
    let mut eve = Visitor::new(&app);
    let way = way_from(&mut eve, &invitation).await;
    eve.go(&way, "second-ada").await;
    assert_eq!(eve.who().await, None);
    assert_eq!(linked(&app).await, [""; 0]);
}
