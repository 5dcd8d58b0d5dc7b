//! Those who run the server: accounts, the rule of signing up, and how they get into a project.

use otrace_server::domain::Role;
use otrace_server::services::api_keys::NewKeyInput;
use otrace_server::testing::{PASSWORD, TestApp};
use time::Duration;
use uuid::Uuid;

use super::{ADMIN, EDITOR, OWNER, STRANGER, Team, VIEWER, secret_in};

const NEW_PASSWORD: &str = "unrelated words in a row";

/// Everything that an admin does, to some account and a project.
fn acts(account: &str, slug: &str) -> Vec<(String, Vec<(&'static str, &'static str)>)> {
    let to_account = |act: &str| (format!("/admin/accounts/{account}/{act}"), vec![]);
    vec![
        to_account("disable"),
        to_account("enable"),
        to_account("grant-admin"),
        to_account("revoke-admin"),
        to_account("reset-link"),
        ("/admin/sign-up".to_owned(), vec![("policy", "off"), ("domains", "")]),
        (format!("/admin/projects/{slug}/enter"), vec![("role", "owner")]),
    ]
}

/// What an admin could have changed.
async fn state(team: &Team) -> String {
    let sql = "
        SELECT concat_ws(' ',
            (SELECT string_agg(a::text, ' ' ORDER BY a.id) FROM accounts a),
            (SELECT string_agg(m::text, ' ' ORDER BY m.account_id) FROM members m),
            (SELECT string_agg(p::text, ' ') FROM sign_up_policy p),
            (SELECT count(*) FROM one_time_links),
            (SELECT count(*) FROM invitations))
    ";
    sqlx::query_scalar(sql).fetch_one(&team.app.app.pool).await.unwrap()
}

async fn sign_in(team: &Team, email: &str, password: &str) -> u16 {
    let fields = [("email", email), ("password", password), ("next", "/")];
    team.app.post("", "/signin", &fields).await.status.as_u16()
}

#[tokio::test]
async fn to_all_others_the_servers_pages_are_not_there() {
    let team = Team::new().await;
    let before = state(&team).await;
    let mut acts = acts(&team.id(VIEWER).await, &team.project.slug);
    acts.push(("/admin/invitations".to_owned(), vec![("email", ""), ("days", "7")]));
    for email in [OWNER, STRANGER] {
        for (path, fields) in &acts {
            team.post(email, path, fields).await.expect(404);
        }
        for page in ["/admin", "/admin/accounts", "/admin/projects", "/admin/audit", "/admin/audit.json"] {
            let hidden = team.get(email, page).await.expect(404).text();
            assert!(!hidden.contains(ADMIN), "{page}");
        }
    }
    assert_eq!(state(&team).await, before);
}

#[tokio::test]
async fn an_admin_proves_who_they_are_before_each_act_that_matters() {
    let team = Team::new().await;
    let before = state(&team).await;
    let cookie = team.app.session(ADMIN).await;
    let acts = acts(&team.id(VIEWER).await, &team.project.slug);
    team.app.app.clock.advance(Duration::minutes(10) + Duration::seconds(1));
    for (path, fields) in &acts {
        let answer = team.app.post(&cookie, path, fields).await.expect(303);
        assert!(answer.header("location").starts_with("/confirm?next="), "{path}: {}", answer.header("location"));
    }
    assert_eq!(state(&team).await, before);
    let proof = [("password", PASSWORD), ("next", "/admin/accounts")];
    let confirmed = team.app.post(&cookie, "/confirm", &proof).await.expect(303);
    assert_eq!(confirmed.header("location"), "/admin/accounts");
    let cookie = TestApp::cookie_of(&confirmed);
    let (path, fields) = &acts[0];
    assert_eq!(team.app.post(&cookie, path, fields).await.expect(303).header("location"), "/admin/accounts");
    assert_ne!(state(&team).await, before);
}

#[tokio::test]
async fn a_closed_account_has_no_sessions_no_keys_and_no_links_from_that_moment_on() {
    let team = Team::new().await;
    let key = team.key_of(EDITOR, NewKeyInput::named("editor's")).await.key;
    let cookie = team.app.session(EDITOR).await;
    let account = format!("/admin/accounts/{}", team.id(EDITOR).await);
    let made = team.post(ADMIN, &format!("{account}/reset-link"), &[]).await.expect(200);
    let reset = format!("/reset/{}", secret_in(&made, "trr_"));
    team.app.get(&cookie, "/account").await.expect(200);
    team.app.get("", &reset).await.expect(200);
    assert_eq!(team.status_of_key(&key).await, 200);

    team.post(ADMIN, &format!("{account}/disable"), &[]).await.expect(303);
    team.app.get(&cookie, "/account").await.expect(303);
    assert_eq!(team.status_of_key(&key).await, 401);
    team.app.get("", &reset).await.expect(404);
    team.app.post("", &reset, &[("password", NEW_PASSWORD)]).await.expect(404);
    let refused = async |password: &str| {
        let fields = [("email", EDITOR), ("password", password), ("next", "/")];
        team.app.post("", "/signin", &fields).await.expect(422).text()
    };
    assert_eq!(refused(PASSWORD).await, refused(NEW_PASSWORD).await);
    team.post(ADMIN, &format!("{account}/reset-link"), &[]).await.expect(404);

    team.post(ADMIN, &format!("{account}/enable"), &[]).await.expect(303);
    assert_eq!(team.status_of_key(&key).await, 200);
    team.app.get(&cookie, "/account").await.expect(303);
    team.app.get("", &reset).await.expect(404);
    assert_eq!(sign_in(&team, EDITOR, PASSWORD).await, 303);
}

#[tokio::test]
async fn somebody_always_runs_the_server() {
    let team = Team::new().await;
    let admin = team.id(ADMIN).await;
    let own = |act: &str| format!("/admin/accounts/{admin}/{act}");
    for act in ["disable", "revoke-admin"] {
        let refused = team.post(ADMIN, &own(act), &[]).await.expect(422).text();
        assert!(refused.contains("Somebody has to run this server"), "{act}: {refused}");
    }
    // A closed account runs nothing.
    let closed = format!("/admin/accounts/{}", team.id(VIEWER).await);
    team.post(ADMIN, &format!("{closed}/disable"), &[]).await.expect(303);
    team.post(ADMIN, &format!("{closed}/grant-admin"), &[]).await.expect(303);
    for act in ["disable", "revoke-admin"] {
        team.post(ADMIN, &own(act), &[]).await.expect(422);
    }
    team.get(ADMIN, "/admin").await.expect(200);

    let owner = format!("/admin/accounts/{}", team.id(OWNER).await);
    team.post(ADMIN, &format!("{owner}/grant-admin"), &[]).await.expect(303);
    team.post(ADMIN, &own("revoke-admin"), &[]).await.expect(303);
    team.get(ADMIN, "/admin").await.expect(404);
    team.get(OWNER, "/admin").await.expect(200);
}

#[tokio::test]
async fn of_two_admins_who_put_each_other_out_at_once_one_stays() {
    let team = Team::new().await;
    let (admin, owner) = (team.id(ADMIN).await, team.id(OWNER).await);
    for round in 0..6 {
        let act = if round % 2 == 0 { "revoke-admin" } else { "disable" };
        sqlx::query("UPDATE accounts SET disabled_at = NULL, is_admin = email IN ($1, $2)")
            .bind(ADMIN)
            .bind(OWNER)
            .execute(&team.app.app.pool)
            .await
            .unwrap();
        let (one, other) = (team.app.session(ADMIN).await, team.app.session(OWNER).await);
        let (to_owner, to_admin) = (format!("/admin/accounts/{owner}/{act}"), format!("/admin/accounts/{admin}/{act}"));
        let (first, second) = tokio::join!(team.app.post(&one, &to_owner, &[]), team.app.post(&other, &to_admin, &[]));
        let done = [&first, &second].into_iter().filter(|answer| answer.status.as_u16() == 303).count();
        assert_eq!(done, 1, "{act}: {}, {}", first.status, second.status);
        let sql = "SELECT count(*) FROM accounts WHERE is_admin AND disabled_at IS NULL";
        assert_eq!(team.count(sql).await, 1, "{act}");
    }
}

#[tokio::test]
async fn an_admin_enters_a_project_in_everybodys_sight() {
    let team = Team::new().await;
    let enter = format!("/admin/projects/{}/enter", team.project.slug);
    team.get(ADMIN, &team.path("runs")).await.expect(404);
    team.post(ADMIN, &enter, &[("role", "admin")]).await.expect(422);
    team.post(ADMIN, &enter, &[("role", "viewer")]).await.expect(303);
    team.get(ADMIN, &team.path("runs")).await.expect(200);
    team.post(ADMIN, &team.path("keys"), &[("name", "x")]).await.expect(403);
    assert!(team.get(VIEWER, &team.path("members")).await.expect(200).text().contains(ADMIN));
    // Who is in already stays what they are.
    team.post(ADMIN, &enter, &[("role", "owner")]).await.expect(422);
    assert_eq!(team.roles().await[ADMIN], "viewer");

    let sql = "
        SELECT chain_id::text, actor, target, details->>'role' FROM audit_events WHERE action = 'project.admin_entered'
    ";
    let events: Vec<(String, String, String, String)> =
        sqlx::query_as(sql).fetch_all(&team.app.app.pool).await.unwrap();
    let mut chains: Vec<&str> = events.iter().map(|(chain, ..)| chain.as_str()).collect();
    chains.sort_unstable();
    assert_eq!(chains, [Uuid::nil().to_string(), team.project.id.to_string()]);
    for (_, actor, target, role) in &events {
        assert_eq!((actor.as_str(), target.as_str(), role.as_str()), (ADMIN, "wake-word", "viewer"));
    }
    let log = team.get(OWNER, &team.path("audit")).await.expect(200).text();
    assert!(log.contains("entered, as an admin, the project"), "{log}");
    team.post(ADMIN, "/admin/projects/nothing/enter", &[("role", "viewer")]).await.expect(404);
}

#[tokio::test]
async fn a_project_whose_only_owner_was_closed_gets_another() {
    let team = Team::new().await;
    team.close(OWNER).await;
    assert_eq!(team.open_owners().await, 0);
    team.post(ADMIN, "/admin/projects/wake-word/enter", &[("role", "owner")]).await.expect(303);
    let role = team.path(&format!("members/{}/role", team.id(EDITOR).await));
    team.post(ADMIN, &role, &[("role", "owner")]).await.expect(303);
    team.post(ADMIN, &team.path("leave"), &[]).await.expect(303);
    assert_eq!(team.roles().await[EDITOR], "owner");
}

#[tokio::test]
async fn a_link_for_a_new_password_works_once_and_ends_all_sessions() {
    let team = Team::new().await;
    let cookie = team.app.session(EDITOR).await;
    let page = format!("/admin/accounts/{}/reset-link", team.id(EDITOR).await);
    let made = team.post(ADMIN, &page, &[]).await.expect(200);
    assert_eq!(made.header("cache-control"), "no-store");
    let token = secret_in(&made, "trr_");
    assert!(made.text().contains(&format!("http://localhost:8000/reset/{token}")), "{}", made.text());
    let reset = format!("/reset/{token}");
    team.app.get(&cookie, "/account").await.expect(200);
    team.app.post("", &reset, &[("password", NEW_PASSWORD)]).await.expect(303);
    team.app.post("", &reset, &[("password", "some other unrelated words")]).await.expect(404);
    team.app.get(&cookie, "/account").await.expect(303);
    assert_eq!(sign_in(&team, EDITOR, PASSWORD).await, 422);
    assert_eq!(sign_in(&team, EDITOR, NEW_PASSWORD).await, 303);
}

#[tokio::test]
async fn who_is_an_admin_no_more_is_none_in_open_sessions_either() {
    let team = Team::new().await;
    let owner = format!("/admin/accounts/{}", team.id(OWNER).await);
    let cookie = team.app.session(OWNER).await;
    team.app.get(&cookie, "/admin").await.expect(404);
    team.post(ADMIN, &format!("{owner}/grant-admin"), &[]).await.expect(303);
    team.app.get(&cookie, "/admin").await.expect(200);
    team.post(ADMIN, &format!("{owner}/revoke-admin"), &[]).await.expect(303);
    team.app.get(&cookie, "/admin").await.expect(404);
    let victim = team.id(STRANGER).await;
    team.app.post(&cookie, &format!("/admin/accounts/{victim}/disable"), &[]).await.expect(404);
    // To be an admin gives no role in a project.
    team.let_only(&[(EDITOR, Role::Owner)]).await;
    team.get(ADMIN, &team.path("runs")).await.expect(404);
}

#[tokio::test]
async fn a_rule_of_signing_up_that_is_none_changes_nothing() {
    let team = Team::new().await;
    let before = state(&team).await;
    for (policy, domains) in
        [("", ""), ("everybody", ""), ("domains", ""), ("domains", "example"), ("domains", "*.org")]
    {
        team.post(ADMIN, "/admin/sign-up", &[("policy", policy), ("domains", domains)]).await.expect(422);
    }
    assert_eq!(state(&team).await, before);
    let fields = [("policy", "domains"), ("domains", "@Example.org, lab.example.com")];
    team.post(ADMIN, "/admin/sign-up", &fields).await.expect(303);
    let stored: Vec<String> =
        sqlx::query_scalar("SELECT domains FROM sign_up_policy").fetch_one(&team.app.app.pool).await.unwrap();
    assert_eq!(stored, ["example.org", "lab.example.com"]);
}
