//! Roles, handing over, removing and leaving, by the forms of the members page.

use otrace_server::domain::Role;
use otrace_server::error::AppError;
use otrace_server::services;
use otrace_server::services::api_keys::NewKeyInput;
use serde_json::json;
use time::Duration;

use super::{ADMIN, EDITOR, OWNER, STRANGER, Team, VIEWER, project_of, statuses};

#[tokio::test]
async fn who_is_no_owner_changes_nobody() {
    let team = Team::new().await;
    let before = team.roles().await;
    let mut forms = vec![("invitations".to_owned(), vec![("email", ""), ("role", "owner"), ("days", "7")])];
    for email in [OWNER, EDITOR, VIEWER] {
        let member = format!("members/{}", team.id(email).await);
        forms.push((format!("{member}/role"), vec![("role", "owner")]));
        forms.push((format!("{member}/transfer"), vec![]));
    }
    let owner = team.id(OWNER).await;
    forms.push((format!("members/{owner}/role"), vec![("role", "viewer")]));
    forms.push((format!("members/{owner}/remove"), vec![]));
    for (email, status) in [(EDITOR, 403), (VIEWER, 403), (STRANGER, 404), (ADMIN, 404)] {
        for (page, fields) in &forms {
            team.post(email, &team.path(page), fields).await.expect(status);
        }
    }
    assert_eq!(team.roles().await, before);
    assert_eq!(team.count("SELECT count(*) FROM invitations").await, 0);
}

#[tokio::test]
async fn an_owner_changes_roles_hands_over_and_removes() {
    let team = Team::new().await;
    let member = |id: &str, act: &str| team.path(&format!("members/{id}/{act}"));
    let (editor, viewer) = (team.id(EDITOR).await, team.id(VIEWER).await);
    team.post(OWNER, &member(&viewer, "role"), &[("role", "editor")]).await.expect(303);
    assert_eq!(team.roles().await[VIEWER], "editor");
    team.post(OWNER, &member(&editor, "remove"), &[]).await.expect(303);
    assert!(!team.roles().await.contains_key(EDITOR));
    team.post(OWNER, &member(&viewer, "transfer"), &[]).await.expect(303);
    let roles = team.roles().await;
    assert_eq!((roles[OWNER].as_str(), roles[VIEWER].as_str()), ("editor", "owner"));
    // Who handed it over runs it no more.
    team.post(OWNER, &member(&viewer, "remove"), &[]).await.expect(403);
    // A role that is none, and a member who is none.
    team.post(VIEWER, &member(&viewer, "role"), &[("role", "admin")]).await.expect(422);
    team.post(VIEWER, &member(&editor, "role"), &[("role", "viewer")]).await.expect(404);
    assert_eq!(team.roles().await, roles);
}

#[tokio::test]
async fn a_changed_role_holds_from_the_next_request_of_an_open_session_on() {
    let team = Team::new().await;
    let cookie = team.app.session(EDITOR).await;
    let keys = team.path("keys");
    let role = team.path(&format!("members/{}/role", team.id(EDITOR).await));
    team.app.post(&cookie, &keys, &[("name", "laptop")]).await.expect(200);
    team.post(OWNER, &role, &[("role", "viewer")]).await.expect(303);
    team.app.post(&cookie, &keys, &[("name", "laptop")]).await.expect(403);
    team.app.get(&cookie, &keys).await.expect(200);
    team.post(OWNER, &role, &[("role", "owner")]).await.expect(303);
    team.app.get(&cookie, &team.path("audit")).await.expect(200);
    let remove = team.path(&format!("members/{}/remove", team.id(EDITOR).await));
    team.post(OWNER, &remove, &[]).await.expect(303);
    team.app.get(&cookie, &keys).await.expect(404);
}

#[tokio::test]
async fn the_last_owner_can_not_leave_nor_step_down_nor_be_removed() {
    let team = Team::new().await;
    let before = team.roles().await;
    let owner = team.id(OWNER).await;
    let own = |act: &str| team.path(&format!("members/{owner}/{act}"));
    let forms = [
        (team.path("leave"), vec![]),
        (own("remove"), vec![]),
        (own("role"), vec![("role", "editor")]),
        (own("role"), vec![("role", "viewer")]),
    ];
    for (path, fields) in &forms {
        let refused = team.post(OWNER, path, fields).await.expect(422).text();
        assert!(refused.contains("A project keeps an owner"), "{path}: {refused}");
    }
    assert_eq!(team.roles().await, before);
    let editor = team.id(EDITOR).await;
    team.post(OWNER, &team.path(&format!("members/{editor}/role")), &[("role", "owner")]).await.expect(303);
    team.post(OWNER, &team.path("leave"), &[]).await.expect(303);
    assert_eq!(team.open_owners().await, 1);
    team.post(EDITOR, &team.path("leave"), &[]).await.expect(422);
}

#[tokio::test]
async fn of_two_owners_who_leave_at_once_one_stays() {
    let team = Team::new().await;
    let (one, other) = (team.app.session(OWNER).await, team.app.session(EDITOR).await);
    let leave = team.path("leave");
    for round in 0..10 {
        team.let_only(&[(OWNER, Role::Owner), (EDITOR, Role::Owner), (VIEWER, Role::Viewer)]).await;
        let (first, second) = tokio::join!(team.app.post(&one, &leave, &[]), team.app.post(&other, &leave, &[]));
        assert_eq!(statuses(&first, &second), [303, 422], "round {round}");
        assert_eq!(team.open_owners().await, 1, "round {round}");
    }
}

#[tokio::test]
async fn of_two_owners_who_put_each_other_out_at_once_one_stays() {
    let team = Team::new().await;
    let (one, other) = (team.app.session(OWNER).await, team.app.session(EDITOR).await);
    let (owner, editor) = (team.id(OWNER).await, team.id(EDITOR).await);
    for round in 0..10 {
        let (act, fields) = if round % 2 == 0 { ("remove", vec![]) } else { ("role", vec![("role", "viewer")]) };
        let member = |id: &str| team.path(&format!("members/{id}/{act}"));
        team.let_only(&[(OWNER, Role::Owner), (EDITOR, Role::Owner)]).await;
        let (to_editor, to_owner) = (member(&editor), member(&owner));
        let (first, second) =
            tokio::join!(team.app.post(&one, &to_editor, &fields), team.app.post(&other, &to_owner, &fields));
        let [done, refused] = statuses(&first, &second);
        // The other one is no owner any more, or no member.
        assert!(done == 303 && (refused == 403 || refused == 404), "{act}: {done}, {refused}");
        assert_eq!(team.open_owners().await, 1, "{act}");
    }
}

#[tokio::test]
async fn an_owner_whose_account_is_closed_does_not_count_as_the_one_who_stays() {
    let team = Team::new().await;
    team.let_only(&[(OWNER, Role::Owner), (EDITOR, Role::Owner)]).await;
    team.close(EDITOR).await;
    team.post(OWNER, &team.path("leave"), &[]).await.expect(422);
    let own_role = team.path(&format!("members/{}/role", team.id(OWNER).await));
    team.post(OWNER, &own_role, &[("role", "viewer")]).await.expect(422);
    assert_eq!(team.open_owners().await, 1);
}

#[tokio::test]
async fn a_project_is_not_handed_to_a_closed_account() {
    let team = Team::new().await;
    let transfer = team.path(&format!("members/{}/transfer", team.id(EDITOR).await));
    team.close(EDITOR).await;
    let answer = team.post(OWNER, &transfer, &[]).await;
    assert_eq!(team.open_owners().await, 1, "nobody who can sign in owns the project any more");
    assert!(answer.status.is_client_error(), "{}", answer.status);
    assert_eq!(team.roles().await[OWNER], "owner");
}

#[tokio::test]
async fn an_owner_who_was_demoted_meanwhile_does_not_make_themselves_one_again() {
    let team = Team::new().await;
    team.let_only(&[(OWNER, Role::Owner), (EDITOR, Role::Owner), (VIEWER, Role::Viewer)]).await;
    // As their request found them, before the other owner's was done.
    let stale = team.member(EDITOR).await;
    let (own_id, other_id) = (stale.account.id, team.account(VIEWER).await.id);
    let role = team.path(&format!("members/{own_id}/role"));
    team.post(OWNER, &role, &[("role", "viewer")]).await.expect(303);
    let app = &team.app.app;
    for refused in [
        services::members::change_role(app, &stale, other_id, Role::Owner).await,
        services::members::transfer(app, &stale, other_id).await,
        services::members::remove(app, &stale, other_id).await,
        services::members::change_role(app, &stale, own_id, Role::Owner).await,
    ] {
        assert!(matches!(refused, Err(AppError::Forbidden(_))), "{refused:?}");
    }
    let roles = team.roles().await;
    assert_eq!((roles[EDITOR].as_str(), roles[VIEWER].as_str()), ("viewer", "viewer"));
}

#[tokio::test]
async fn the_keys_of_who_is_removed_or_leaves_end_with_their_membership() {
    let team = Team::new().await;
    let editors = team.key_of(EDITOR, NewKeyInput::named("editor's")).await.key;
    let elsewhere = project_of(&team.app, EDITOR, "elsewhere").await;
    assert_eq!(team.status_of_key(&editors).await, 200);
    let remove = team.path(&format!("members/{}/remove", team.id(EDITOR).await));
    team.post(OWNER, &remove, &[]).await.expect(303);
    assert_eq!(team.status_of_key(&editors).await, 401);
    assert_eq!(team.status_of_key(&team.project.key).await, 200);
    assert_eq!(team.status_of_key(&elsewhere.key).await, 200);
    // They do not come back with their maker.
    team.app.join(&team.project, EDITOR, Role::Owner).await;
    assert_eq!(team.status_of_key(&editors).await, 401);

    team.post(OWNER, &team.path("leave"), &[]).await.expect(303);
    assert_eq!(team.status_of_key(&team.project.key).await, 401);
}

#[tokio::test]
async fn an_editor_who_becomes_a_viewer_writes_no_more_with_their_keys_either() {
    let team = Team::new().await;
    let key = team.key_of(EDITOR, NewKeyInput::named("editor's")).await.key;
    let run = json!({"intent": "i", "setup": "s", "command": "c"});
    team.app.api(&key, "POST", "/v1/runs", Some(run.clone())).await.expect(200);
    let role = team.path(&format!("members/{}/role", team.id(EDITOR).await));
    team.post(OWNER, &role, &[("role", "viewer")]).await.expect(303);
    // Keys are remembered for a second.
    team.app.app.clock.advance(Duration::seconds(1));
    let refused = team.app.api(&key, "POST", "/v1/runs", Some(run)).await;
    assert!([401, 403].contains(&refused.status.as_u16()), "{}: {}", refused.status, refused.text());
    assert_eq!(team.count("SELECT count(*) FROM runs").await, 1);
}
