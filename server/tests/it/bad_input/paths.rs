//! Paths and methods that the API does not have.

use super::{DETAILS, EVIDENCE, RUN, RUNS, WORKSPACE, World, refusal};

#[tokio::test]
async fn an_unknown_path_of_the_api_is_told_in_the_contracts_form() {
    let world = World::new().await;
    for path in [
        "/v1/nothing",
        "/v1/runs/exp001/nothing",
        "/v1/auth",
        "/v1/runs/",
        "/v1/projects/current",
        "/v1/%00",
        "/v1/a/b/c/d",
    ] {
        for method in ["GET", "POST", "PUT", "PATCH", "DELETE", "BREW"] {
            for key in [world.project.key.as_str(), "trc_junk"] {
                let answer = world.app.api(key, method, path, None).await;
                let what = format!("{method} {path}");
                refusal(&answer, &what);
                assert!(matches!(answer.status.as_u16(), 404 | 405), "{what}: {}", answer.status);
                assert!(method != "GET" || answer.status == 404, "{what}: {}", answer.status);
            }
        }
    }
}

#[tokio::test]
async fn a_method_that_a_path_does_not_take_is_told_in_the_contracts_form() {
    let world = World::new().await;
    for (method, path) in [
        ("DELETE", "/v1/auth/whoami"),
        ("GET", WORKSPACE),
        ("PUT", RUNS),
        ("BREW", RUNS),
        ("POST", "/v1/runs/count"),
        ("POST", RUN),
        ("GET", DETAILS),
        ("POST", DETAILS),
        ("GET", EVIDENCE),
        ("POST", "/v1/runs/exp001/artifacts"),
        ("DELETE", "/v1/artifacts/x/download"),
        ("DELETE", "/v1/contents/0000"),
        ("GET", "/v1/contents/lacking/parts"),
    ] {
        let answer = world.app.api(&world.project.key, method, path, None).await.expect(405);
        refusal(&answer, path);
    }
}

#[tokio::test]
async fn a_name_that_can_be_none_is_not_found_by_the_api() {
    let world = World::new().await;
    for name in [
        "exp0",
        "exp002",
        "exp-1",
        "EXP001",
        "exp99999999999",
        "%00",
        "exp001%00",
        "%20",
        "..%2f..",
        "%F0%9F%92%A9",
        "00000000-0000-0000-0000-000000000000",
    ] {
        for (method, path, body) in [
            ("GET", format!("/v1/runs/{name}"), ""),
            ("GET", format!("/v1/runs/{name}/artifacts"), ""),
            ("DELETE", format!("/v1/runs/{name}"), ""),
            ("PATCH", format!("/v1/runs/{name}"), r#"{"status": "completed"}"#),
            ("PUT", format!("/v1/runs/{name}/details"), "{}"),
            ("POST", format!("/v1/runs/{name}/evidence"), "{}"),
        ] {
            assert_eq!(world.refuse(method, &path, body.as_bytes()).await, "Run not found", "{method} {path}");
        }
        let path = format!("/v1/artifacts/{name}/download");
        assert_eq!(world.refuse("GET", &path, b"").await, "Artifact not found", "{path}");
    }
}

#[tokio::test]
async fn a_path_that_is_no_text_is_refused_in_the_contracts_form() {
    let world = World::new().await;
    for (method, path, body) in [
        ("GET", "/v1/runs/%ff", ""),
        ("GET", "/v1/runs/%ff/artifacts", ""),
        ("DELETE", "/v1/runs/%ff", ""),
        ("PATCH", "/v1/runs/%ff", "{}"),
        ("PUT", "/v1/runs/%ff/details", "{}"),
        ("POST", "/v1/runs/%ff/evidence", "{}"),
        ("GET", "/v1/artifacts/%ff/download", ""),
        ("PUT", "/v1/contents/%ff", "content"),
        ("GET", "/v1/%ff", ""),
    ] {
        world.refuse(method, path, body.as_bytes()).await;
    }
}
