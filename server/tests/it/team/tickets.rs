//! Links of a few minutes to one artifact's content, for tools that can send no key.

use otrace_server::domain::{ApiKeyId, ArtifactId, ProjectId, RunId};
use otrace_server::tokens::Tokens;
use serde_json::json;
use time::format_description::well_known::Rfc3339;
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use super::{STRANGER, Team, project_of};

/// A run with two artifacts whose content is stored, and one whose content is not.
async fn artifacts(team: &Team) -> [Uuid; 3] {
    team.app.run(&team.project.key, "keeps files").await;
    let details = json!({"artifacts": [
        {"original_path": "out/one.txt", "text_content": "content of one"},
        {"original_path": "out/two.html", "text_content": "<script>content of two</script>"},
        {"original_path": "out/large.bin", "size_bytes": 5_000_000},
    ]});
    team.app.api(&team.project.key, "PUT", "/v1/runs/exp001/details", Some(details)).await.expect(200);
    let listed = team.app.api(&team.project.key, "GET", "/v1/runs/exp001/artifacts", None).await.expect(200).json();
    [0, 1, 2].map(|number| listed["artifacts"][number]["id"].as_str().unwrap().parse().unwrap())
}

/// The path of a new ticket for an artifact.
async fn ticket(team: &Team, artifact: Uuid) -> String {
    let answer = team.app.api(&team.project.key, "POST", &format!("/v1/artifacts/{artifact}/ticket"), None).await;
    let answer = answer.expect(200).json();
    let expires_at = OffsetDateTime::parse(answer["expires_at"].as_str().unwrap(), &Rfc3339).unwrap();
    assert_eq!(expires_at, team.app.app.clock.now() + Duration::minutes(5));
    answer["url"].as_str().unwrap().strip_prefix("http://localhost:8000").unwrap().to_owned()
}

#[tokio::test]
async fn a_ticket_brings_one_artifact_without_a_key() {
    let team = Team::new().await;
    let [one, two, _] = artifacts(&team).await;
    let (to_one, to_two) = (ticket(&team, one).await, ticket(&team, two).await);
    // As often as it is wanted, and with or without a session.
    for cookie in ["", "otrace_session=junk", team.project.cookie.as_str()] {
        let answer = team.app.get(cookie, &to_one).await.expect(200);
        assert_eq!(answer.text(), "content of one");
    }
    let answer = team.app.get("", &to_two).await.expect(200);
    assert_eq!(answer.text(), "<script>content of two</script>");
    // Nothing that it brings runs here.
    assert_eq!(answer.header("content-type"), "application/octet-stream");
    assert!(answer.header("content-disposition").starts_with("attachment; filename=\"two.html\""));
    assert!(answer.header("content-security-policy").contains("sandbox"));
    assert_eq!(answer.header("set-cookie"), "");
}

#[tokio::test]
async fn a_ticket_ends_after_five_minutes() {
    let team = Team::new().await;
    let [one, ..] = artifacts(&team).await;
    let path = ticket(&team, one).await;
    team.app.app.clock.advance(Duration::minutes(5) - Duration::seconds(1));
    team.app.get("", &path).await.expect(200);
    // Servers' clocks may be five seconds apart.
    team.app.app.clock.advance(Duration::seconds(6));
    team.app.get("", &path).await.expect(404);
}

#[tokio::test]
async fn a_ticket_in_which_one_character_is_another_opens_nothing() {
    let team = Team::new().await;
    let [one, ..] = artifacts(&team).await;
    let path = ticket(&team, one).await;
    let start = "/download/".len();
    for position in start..path.len() {
        let replacement = if path.as_bytes()[position] == b'A' { "B" } else { "A" };
        let mut mutated = path.clone();
        mutated.replace_range(position..=position, replacement);
        team.app.get("", &mutated).await.expect(404);
    }
    let cut = &path[..path.len() - 1];
    for other in [cut, &format!("{path}A"), &format!("{path}="), "/download/x", "/download/e30.e30.e30"] {
        team.app.get("", other).await.expect(404);
    }
    team.app.get("", &path).await.expect(200);
}

#[tokio::test]
async fn a_ticket_dies_with_the_run() {
    let team = Team::new().await;
    let [one, ..] = artifacts(&team).await;
    let path = ticket(&team, one).await;
    team.app.api(&team.project.key, "DELETE", "/v1/runs/exp001", None).await.expect(200);
    let gone = team.app.get("", &path).await.expect(404).text();
    assert!(!gone.contains("content of one"));
    let again = format!("/v1/artifacts/{one}/ticket");
    team.app.api(&team.project.key, "POST", &again, None).await.expect(404);
}

#[tokio::test]
async fn only_a_ticket_of_this_server_for_what_is_there_opens_anything() {
    let team = Team::new().await;
    let app = &team.app.app;
    let [one, _, not_stored] = artifacts(&team).await;
    let foreign = project_of(&team.app, STRANGER, "foreign").await;
    let (artifact, project, now) = (ArtifactId(one), ProjectId(team.project.id), app.clock.now());
    let elsewhere = Tokens::with_new_key(app.config.public_url_str(), now).unwrap();
    for ticket in [
        elsewhere.download_ticket(artifact, project, now).unwrap(),
        app.tokens.download_ticket(artifact, ProjectId(foreign.id), now).unwrap(),
        app.tokens.download_ticket(ArtifactId::new(), project, now).unwrap(),
        app.tokens.download_ticket(artifact, project, now + Duration::minutes(1)).unwrap(),
        app.tokens.run_token(RunId(one), project, ApiKeyId(team.project.key_id), now).unwrap(),
        team.project.key.clone(),
    ] {
        team.app.get("", &format!("/download/{ticket}")).await.expect(404);
    }
    // What was not sent to the server can't be fetched from it.
    let path = format!("/v1/artifacts/{not_stored}/ticket");
    team.app.api(&team.project.key, "POST", &path, None).await.expect(404);
    team.app.api(&foreign.key, "POST", &format!("/v1/artifacts/{one}/ticket"), None).await.expect(404);
    // A ticket is no key.
    let ticket = ticket(&team, one).await.replace("/download/", "");
    for path in ["/v1/runs", "/v1/runs/exp001", &format!("/v1/artifacts/{one}/download")] {
        team.app.api(&ticket, "GET", path, None).await.expect(401);
    }
    team.app.api(&ticket, "PATCH", "/v1/runs/exp001", Some(json!({"status": "failed"}))).await.expect(401);
}
