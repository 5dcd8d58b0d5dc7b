//! Invitations: one link, one person, one role, for a while.

use futures_util::future::join;
use otrace_server::domain::Role;
use otrace_server::services;
use otrace_server::services::invitations::NewInvitation;
use otrace_server::store;
use otrace_server::testing::{PASSWORD, TestApp, TestResponse};
use sqlx::PgPool;
use time::Duration;
use uuid::Uuid;

use super::{ADMIN, EDITOR, OWNER, STRANGER, Team, VIEWER, project_of, secret_in, statuses};
use crate::mail::MailServer;

/// Whom a new account is made for.
const NEWCOMER: &str = "newcomer@example.org";

/// The path of a new invitation's page.
async fn invite(team: &Team, role: &str, email: &str) -> String {
    let fields = [("email", email), ("role", role), ("days", "1")];
    let made = team.post(OWNER, &team.path("invitations"), &fields).await.expect(200);
    assert_eq!(made.header("cache-control"), "no-store");
    format!("/invitations/{}", secret_in(&made, "tri_"))
}

/// Accepts as somebody who has no account.
async fn accept_as_newcomer(app: &TestApp, invitation: &str, email: &str) -> TestResponse {
    let fields = [("name", "New"), ("email", email), ("password", PASSWORD)];
    app.post("", &format!("{invitation}/account"), &fields).await
}

/// The id of the newest invitation.
async fn newest(team: &Team) -> Uuid {
    let sql = "SELECT id FROM invitations ORDER BY id DESC LIMIT 1";
    sqlx::query_scalar(sql).fetch_one(&team.app.app.pool).await.unwrap()
}

#[tokio::test]
async fn an_invitation_brings_one_person_in_once() {
    let team = Team::new().await;
    let invitation = invite(&team, "editor", "").await;
    let page = team.get(STRANGER, &invitation).await.expect(200);
    assert_eq!(page.header("referrer-policy"), "no-referrer");
    assert!(page.text().contains("wake-word"), "{}", page.text());
    team.app.post("", &invitation, &[]).await.expect(401);
    team.post(STRANGER, &invitation, &[]).await.expect(303);
    assert_eq!(team.roles().await[STRANGER], "editor");
    team.get(STRANGER, &team.path("keys")).await.expect(200);
    for email in [STRANGER, ADMIN] {
        team.post(email, &invitation, &[]).await.expect(404);
        team.get(email, &invitation).await.expect(404);
    }
    accept_as_newcomer(&team.app, &invitation, NEWCOMER).await.expect(404);
    assert!(!team.roles().await.contains_key(ADMIN));
    team.app.get("", "/invitations/tri_nothing").await.expect(404);
}

#[tokio::test]
async fn of_two_who_accept_at_once_one_comes_in() {
    let team = Team::new().await;
    let (one, other) = (team.app.session(STRANGER).await, team.app.session(ADMIN).await);
    let before = team.roles().await.len();
    let invitation = invite(&team, "viewer", "").await;
    let (first, second) = join(team.app.post(&one, &invitation, &[]), team.app.post(&other, &invitation, &[])).await;
    assert_eq!(statuses(&first, &second), [303, 404]);
    assert_eq!(team.roles().await.len(), before + 1);

    // Who finds the door shut has no account either.
    let accounts = team.count("SELECT count(*) FROM accounts").await;
    let invitation = invite(&team, "viewer", "").await;
    let first = accept_as_newcomer(&team.app, &invitation, "one@example.org");
    let second = accept_as_newcomer(&team.app, &invitation, "other@example.org");
    let (first, second) = join(first, second).await;
    assert_eq!(statuses(&first, &second), [303, 404]);
    assert_eq!(team.roles().await.len(), before + 2);
    assert_eq!(team.count("SELECT count(*) FROM accounts").await, accounts + 1);
}

#[tokio::test]
async fn an_invitation_to_an_address_is_of_use_to_that_account_alone() {
    let team = Team::new().await;
    let invitation = invite(&team, "owner", "Stranger@Example.ORG").await;
    let refused = team.post(ADMIN, &invitation, &[]).await.expect(403).text();
    assert!(refused.contains("This invitation is for stranger@example.org"), "{refused}");
    // A new account gets the invited address, whatever its form says; that one is taken.
    accept_as_newcomer(&team.app, &invitation, "eve@example.org").await.expect(422);
    assert_eq!(team.count("SELECT count(*) FROM accounts WHERE email LIKE 'eve@%'").await, 0);
    assert!(!team.roles().await.contains_key(ADMIN));
    team.post(STRANGER, &invitation, &[]).await.expect(303);
    assert_eq!(team.roles().await[STRANGER], "owner");

    let invitation = invite(&team, "viewer", NEWCOMER).await;
    accept_as_newcomer(&team.app, &invitation, "eve@example.org").await.expect(303);
    assert_eq!(team.roles().await[NEWCOMER], "viewer");
    assert_eq!(team.count("SELECT count(*) FROM accounts WHERE email LIKE 'eve@%'").await, 0);
}

#[tokio::test]
async fn an_invitation_ends_with_its_time() {
    let team = Team::new().await;
    let invitation = invite(&team, "viewer", "").await;
    team.app.app.clock.advance(Duration::days(1) - Duration::seconds(1));
    team.app.get("", &invitation).await.expect(200);
    team.app.app.clock.advance(Duration::seconds(1));
    team.app.get("", &invitation).await.expect(404);
    team.post(STRANGER, &invitation, &[]).await.expect(404);
    accept_as_newcomer(&team.app, &invitation, NEWCOMER).await.expect(404);
    assert!(!team.roles().await.contains_key(STRANGER));
}

#[tokio::test]
async fn an_invitation_that_was_taken_back_opens_nothing() {
    let team = Team::new().await;
    let invitation = invite(&team, "viewer", "").await;
    let id = newest(&team).await;
    let revoke = team.path(&format!("invitations/{id}/revoke"));
    // It is not there for the owner of another project.
    let other = project_of(&team.app, STRANGER, "other").await;
    team.post(STRANGER, &format!("/projects/{}/invitations/{id}/revoke", other.slug), &[]).await.expect(404);
    team.post(ADMIN, &format!("/admin/invitations/{id}/revoke"), &[]).await.expect(404);
    team.app.get("", &invitation).await.expect(200);
    team.post(OWNER, &revoke, &[]).await.expect(303);
    team.post(STRANGER, &invitation, &[]).await.expect(404);
    team.app.get("", &invitation).await.expect(404);
    team.post(OWNER, &revoke, &[]).await.expect(404);
    assert!(!team.roles().await.contains_key(STRANGER));
}

#[tokio::test]
async fn an_invitation_raises_a_role_and_never_lowers_one() {
    let team = Team::new().await;
    let to_view = invite(&team, "viewer", "").await;
    team.post(OWNER, &to_view, &[]).await.expect(303);
    let to_view = invite(&team, "viewer", "").await;
    team.post(EDITOR, &to_view, &[]).await.expect(303);
    let to_edit = invite(&team, "editor", "").await;
    team.post(VIEWER, &to_edit, &[]).await.expect(303);
    let roles = team.roles().await;
    assert_eq!([OWNER, EDITOR, VIEWER].map(|email| roles[email].as_str()), ["owner", "editor", "editor"]);
}

#[tokio::test]
async fn who_becomes_the_owner_while_they_accept_an_invitation_is_not_lowered_by_it() {
    let team = Team::new().await;
    let by = team.member(OWNER).await;
    let invitation = NewInvitation::default();
    let made = services::invitations::create(&team.app.app, &by, Role::Editor, invitation).await.unwrap();
    let token = made.link.unwrap().rsplit('/').next().unwrap().to_owned();
    let project_id = by.project.id;
    let (owner, viewer) = (team.account(OWNER).await.id, team.account(VIEWER).await.id);

    // The project is being handed over: its lock is held, and the role is about to be written.
    let pool = &team.app.app.pool;
    let mut transfer = pool.begin().await.unwrap();
    store::members::lock_owners(&mut transfer, project_id).await.unwrap();
    sqlx::query("SELECT role FROM members WHERE project_id = $1 AND account_id = $2 FOR UPDATE")
        .bind(project_id)
        .bind(viewer)
        .execute(&mut *transfer)
        .await
        .unwrap();
    let (app, guest) = (team.app.app.clone(), team.signed_in(VIEWER).await);
    let accepting = tokio::spawn(async move { services::invitations::accept(&app, &guest, &token).await });
    let pid: i32 = sqlx::query_scalar("SELECT pg_backend_pid()").fetch_one(&mut *transfer).await.unwrap();
    for _ in 0..10_000 {
        if accepting.is_finished() || is_waited_for(pool, pid).await {
            break;
        }
    }
    store::members::set_role(&mut transfer, project_id, viewer, Role::Owner).await.unwrap();
    store::members::set_role(&mut transfer, project_id, owner, Role::Editor).await.unwrap();
    transfer.commit().await.unwrap();

    accepting.await.unwrap().unwrap();
    assert_eq!(team.roles().await[VIEWER], "owner");
    assert_eq!(team.open_owners().await, 1);
}

/// Whether another connection waits for what this one holds.
async fn is_waited_for(pool: &PgPool, pid: i32) -> bool {
    let sql = "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE $1 = ANY (pg_blocking_pids(pid)))";
    sqlx::query_scalar(sql).bind(pid).fetch_one(pool).await.unwrap()
}

#[tokio::test]
async fn who_was_put_out_does_not_come_back_by_an_invitation_of_their_own() {
    let team = Team::new().await;
    team.let_only(&[(OWNER, Role::Owner), (EDITOR, Role::Owner)]).await;
    let fields = [("email", ""), ("role", "owner"), ("days", "90")];
    let made = team.post(EDITOR, &team.path("invitations"), &fields).await.expect(200);
    let remove = team.path(&format!("members/{}/remove", team.id(EDITOR).await));
    team.post(OWNER, &remove, &[]).await.expect(303);
    let answer = team.post(EDITOR, &format!("/invitations/{}", secret_in(&made, "tri_")), &[]).await;
    assert!(!team.roles().await.contains_key(EDITOR), "back again, with {}", answer.status);
}

#[tokio::test]
async fn where_sign_up_is_off_an_invitation_brings_members_and_no_accounts() {
    let team = Team::new().await;
    let invitation = invite(&team, "viewer", "").await;
    team.post(ADMIN, "/admin/sign-up", &[("policy", "off"), ("domains", "")]).await.expect(303);
    let accounts = team.count("SELECT count(*) FROM accounts").await;
    let answer = accept_as_newcomer(&team.app, &invitation, NEWCOMER).await;
    assert!(answer.status.is_client_error(), "{}", answer.status);
    assert_eq!(team.count("SELECT count(*) FROM accounts").await, accounts);
    team.post(STRANGER, &invitation, &[]).await.expect(303);
    assert_eq!(team.roles().await[STRANGER], "viewer");
}

#[tokio::test]
async fn a_newcomer_is_signed_in_and_sees_the_project() {
    let team = Team::new().await;
    team.post(ADMIN, "/admin/sign-up", &[("policy", "invitation"), ("domains", "")]).await.expect(303);
    let invitation = invite(&team, "viewer", "").await;
    // Without one, nobody gets an account.
    let fields = [("name", "New"), ("email", NEWCOMER), ("password", PASSWORD)];
    let refused = team.app.post("", "/signup", &fields).await;
    assert!(refused.status.is_client_error(), "{}", refused.status);
    let answer = accept_as_newcomer(&team.app, &invitation, NEWCOMER).await.expect(303);
    assert_eq!(answer.header("location"), "/projects/wake-word/runs");
    let cookie = TestApp::cookie_of(&answer);
    team.app.get(&cookie, "/projects/wake-word/runs").await.expect(200);
    assert_eq!(team.count("SELECT count(*) FROM accounts WHERE is_admin").await, 1);
}

#[tokio::test]
async fn an_invitation_to_the_server_brings_an_account_and_no_project() {
    let team = Team::new().await;
    team.post(ADMIN, "/admin/sign-up", &[("policy", "invitation"), ("domains", "")]).await.expect(303);
    let made = team.post(ADMIN, "/admin/invitations", &[("email", ""), ("days", "7")]).await.expect(200);
    let invitation = format!("/invitations/{}", secret_in(&made, "tri_"));
    let answer = accept_as_newcomer(&team.app, &invitation, NEWCOMER).await.expect(303);
    assert_eq!(answer.header("location"), "/");
    let sql = "SELECT count(*) FROM members m JOIN accounts a ON a.id = m.account_id WHERE a.email LIKE 'newcomer@%'";
    assert_eq!(team.count(sql).await, 0);
    accept_as_newcomer(&team.app, &invitation, "another@example.org").await.expect(404);
}

#[tokio::test]
async fn only_an_invitation_that_was_mailed_proves_the_address() {
    let mail = MailServer::start().await;
    let team = Team::with(|config| config.mail = mail.config()).await;
    let fields = [("email", NEWCOMER), ("role", "viewer"), ("days", "7")];
    let made = team.post(OWNER, &team.path("invitations"), &fields).await.expect(200).text();
    // Else whoever invites could claim the address.
    assert!(!made.contains("tri_"), "{made}");
    let letter = mail.next_to(NEWCOMER).await;
    let invitation = letter.link().strip_prefix("http://localhost:8000").expect("a link to this server").to_owned();
    accept_as_newcomer(&team.app, &invitation, NEWCOMER).await.expect(303);

    // A link for whoever has it was handed over, and so was this one, by somebody else than the server.
    let by_hand = invite(&team, "viewer", "").await;
    accept_as_newcomer(&team.app, &by_hand, "claims-to-be@example.org").await.expect(303);
    let sql = "SELECT email FROM accounts WHERE email_verified_at IS NOT NULL";
    let proved: Vec<String> = sqlx::query_scalar(sql).fetch_all(&team.app.app.pool).await.unwrap();
    assert_eq!(proved, [NEWCOMER]);
}

#[tokio::test]
async fn the_link_of_an_invitation_is_shown_once_and_not_stored() {
    let team = Team::new().await;
    let invitation = invite(&team, "viewer", "").await;
    let token = invitation.rsplit('/').next().unwrap();
    let stored: String = sqlx::query_scalar("SELECT string_agg(i::text, ' ') FROM invitations i")
        .fetch_one(&team.app.app.pool)
        .await
        .unwrap();
    assert!(stored.contains("viewer") && !stored.contains(token));
    for email in [OWNER, EDITOR] {
        let page = team.get(email, &team.path("members")).await.expect(200).text();
        assert!(!page.contains(token), "{email}");
    }
    // Members who may not invite do not see who is invited.
    invite(&team, "viewer", "secret-guest@example.org").await;
    let sees = async |email: &str| {
        team.get(email, &team.path("members")).await.expect(200).text().contains("secret-guest@example.org")
    };
    assert!(sees(OWNER).await && !sees(EDITOR).await && !sees(VIEWER).await);
}
