//! Addresses, queries and forms that no page of ours makes, and runs that are hard to show.

use axum::body::Body;
use axum::http::Request;
use serde_json::json;
use uuid::Uuid;

use super::{DETAILS, RUN, World, shown};

/// The cookie it is sent with, where to, and its fields.
type Form<'a> = (&'a str, &'a str, &'a [(&'a str, &'a str)]);

#[tokio::test]
async fn a_run_that_can_be_none_has_no_page() {
    let world = World::new().await;
    for run in [
        "exp",
        "exp0",
        "exp002",
        "exp-1",
        "exp+1",
        "EXP001",
        "exp99999999999",
        "exp001%00",
        "exp001%20",
        "%00",
        "%20",
        "%ff",
        "0",
        "latest",
        "..%2f..%2fetc%2fpasswd",
        "%3Cscript%3E",
        "%27%20OR%201=1--",
        "exp%D9%A1",
        "00000000-0000-0000-0000-000000000000",
    ] {
        for tab in [
            "",
            "/logs",
            "/artifacts",
            "/tables",
            "/code",
            "/nothing",
            "/logs/0/raw",
            "/code/0/raw",
            "/artifacts/x",
            "/artifacts/x/raw",
        ] {
            world.open_nothing(&format!("/projects/wake-word/runs/{run}{tab}")).await;
        }
    }
}

#[tokio::test]
async fn a_project_that_can_be_none_has_no_page() {
    let world = World::new().await;
    let long = "a".repeat(5000);
    for slug in ["nothing", "WAKE-WORD", "wake-word%20", "..", "%2e%2e", "%20", "%ff", "%F0%9F%92%A9", "%27--", &long] {
        for page in ["", "/runs", "/runs/exp001", "/connect", "/keys", "/live", "/nothing"] {
            world.open_nothing(&format!("/projects/{slug}{page}")).await;
        }
    }
}

#[tokio::test]
async fn a_project_with_a_nul_in_its_name_has_no_page() {
    let world = World::new().await;
    for slug in ["%00", "wake-word%00", "wake%00word"] {
        for page in ["", "/runs", "/runs/exp001", "/connect", "/keys", "/live"] {
            world.open_nothing(&format!("/projects/{slug}{page}")).await;
        }
        let posted = world.app.post(&world.project.cookie, &format!("/projects/{slug}/keys"), &[("name", "x")]).await;
        assert_eq!(posted.status.as_u16(), 404, "{slug}");
    }
}

#[tokio::test]
async fn an_artifact_or_a_key_that_can_be_none_has_no_page() {
    let world = World::new().await;
    for id in ["x", "0", "%00", "%ff", "%20", "exp001", "..%2f", &"f".repeat(5000), &Uuid::now_v7().to_string()] {
        world.open_nothing(&format!("/projects/wake-word/runs/exp001/artifacts/{id}")).await;
        world.open_nothing(&format!("/projects/wake-word/runs/exp001/artifacts/{id}/raw")).await;
        let revoke = format!("/projects/wake-word/keys/{id}/revoke");
        let answer = world.app.post(&world.project.cookie, &revoke, &[]).await;
        assert_eq!(answer.status.as_u16(), 404, "{revoke}");
    }
}

#[tokio::test]
async fn a_log_or_a_file_at_a_place_that_can_be_none_has_no_page() {
    let world = World::new().await;
    world.open("/projects/wake-word/runs/exp001/logs/0/raw").await.expect(200);
    for position in ["1", "-1", "2147483647", "x", "%00", "0x0", "1.0", "99999999999999999999"] {
        world.open_nothing(&format!("/projects/wake-word/runs/exp001/logs/{position}/raw")).await;
        world.open_nothing(&format!("/projects/wake-word/runs/exp001/code/{position}/raw")).await;
    }
}

#[tokio::test]
async fn a_query_that_says_nothing_breaks_no_page() {
    let world = World::new().await;
    for query in [
        "/runs?before=x&status=done",
        "/runs?before=99999999999999&status=",
        "/runs?before=-2147483648",
        "/runs?before=%00",
        "/runs?status=%00",
        "/runs?before=1&before=2",
        "/runs?%",
        "/runs?=&&&=",
        "/runs/exp001/logs?log=x&wrap=%00",
        "/runs/exp001/logs?log=-1",
        "/runs/exp001/logs?log=99999999999",
        "/runs/exp001/logs?log=log&path=%00&before=%00",
        "/runs/exp001/logs?before=-9223372036854775808",
        "/runs/exp001/logs?before=9223372036854775807",
        "/runs/exp001/logs/lines?from=9223372036854775807&before=9223372036854775807",
        "/runs/exp001/logs/lines?around=-9223372036854775808",
        "/runs/exp001/logs/lines?after=9223372036854775807",
        "/runs/exp001/logs/find?q=%00&from=-9223372036854775808",
        "/runs/exp001/logs/find?q=x&back=1&from=9223372036854775807",
        "/runs/exp001/logs/find?line=18446744073709551615&counted=x",
        "/runs/exp001/logs?at=-9223372036854775808&q=%ff",
        "/runs/exp001/metrics/points?name=%00&from=NaN&to=x&points=-1",
        "/runs/exp001/logs/lines?from=-9223372036854775808&before=-9223372036854775808",
        "/runs/exp001/logs/lines?log=%00&path=%ff&from=x",
        "/runs/exp001/tables?table=x&page=-1&q=%ff",
        "/runs/exp001/logs/0/raw?inline=%00",
    ] {
        let answer = world.open(&format!("/projects/wake-word{query}")).await;
        assert!(answer.status.as_u16() < 500, "{query}: {} {}", answer.status, shown(&answer.body));
    }
    for page in [
        "/signin?next=%00",
        "/signin?next=%ff",
        "/signin?next=a&next=b",
        "/static/%00",
        "/static/..%2f..%2fCargo.toml",
        "/static/%ff",
    ] {
        let answer = world.app.get("", page).await;
        assert!(answer.status.as_u16() < 500, "{page}: {} {}", answer.status, shown(&answer.body));
    }
}

#[tokio::test]
async fn a_page_that_asks_since_a_time_that_never_was_breaks_nothing() {
    let world = World::new().await;
    // A stream that ends at once.
    world.app.app.live.close();
    for since in [
        "x",
        "",
        "%00",
        "1e400",
        "99999999999999999999",
        "0",
        "-1",
        "253402300799999999",
        "-62167219200000000",
        "-300000000000000000",
        "-377705116800000000",
        "-9223372036854775808",
        "9223372036854775807",
    ] {
        let path = format!("/projects/wake-word/live?since={since}");
        let answer = world.open(&path).await;
        assert!(answer.status.as_u16() < 500, "{path}: {} {}", answer.status, shown(&answer.body));
        let request = Request::get("/projects/wake-word/live")
            .header("cookie", &world.project.cookie)
            .header("last-event-id", since)
            .body(Body::empty())
            .unwrap();
        let answer = world.app.send(request).await;
        assert!(answer.status.as_u16() < 500, "last-event-id {since}: {} {}", answer.status, shown(&answer.body));
    }
}

#[tokio::test]
async fn a_form_with_what_postgres_can_not_hold_breaks_nothing() {
    let world = World::new().await;
    let cookie = world.project.cookie.as_str();
    let (email, password) = ("nul@example.org", "correct horse battery");
    let forms: [Form; 13] = [
        ("", "/signup", &[("email", "a\0@example.org"), ("name", "Ada"), ("password", password)]),
        ("", "/signup", &[("email", email), ("name", "A\0da"), ("password", password)]),
        ("", "/signup", &[("email", email), ("name", "Ada"), ("password", "correct\0horse battery")]),
        ("", "/signin", &[("email", "a\0@example.org"), ("password", password)]),
        ("", "/signin", &[("email", email), ("password", "\0")]),
        ("", "/signin", &[("email", email), ("password", "correct\0horse battery"), ("next", "/\0")]),
        (cookie, "/projects", &[("name", "a\0b"), ("description", "d")]),
        (cookie, "/projects", &[("name", "nul"), ("description", "a\0b")]),
        (cookie, "/projects", &[("name", "\0"), ("description", "\0")]),
        (cookie, "/projects/wake-word/keys", &[("name", "a\0b")]),
        (cookie, "/theme", &[("theme", "\0"), ("next", "/\0")]),
        (cookie, "/projects", &[]),
        ("", "/signup", &[]),
    ];
    for (cookie, path, fields) in forms {
        let answer = world.app.post(cookie, path, fields).await;
        assert!(
            matches!(answer.status.as_u16(), 200 | 303 | 422),
            "{path} {fields:?}: {} {}",
            answer.status,
            shown(&answer.body)
        );
    }
    let kept: String = sqlx::query_scalar("SELECT description FROM projects WHERE name = 'nul'")
        .fetch_one(&world.app.app.pool)
        .await
        .unwrap();
    assert_eq!(kept, "a\u{fffd}b");
}

#[tokio::test]
async fn a_form_that_is_none_breaks_nothing() {
    let world = World::new().await;
    let bodies: [(&str, &'static [u8]); 6] = [
        ("application/x-www-form-urlencoded", b"name=%ff%fe&email=%ff&password=%ff"),
        ("application/x-www-form-urlencoded", b"\xff\xfe=\0&&&=%"),
        ("application/x-www-form-urlencoded", b"name=a&name=b&email=a&email=b&theme=a&theme=b"),
        ("application/json", b"{\"name\": \"x\"}"),
        ("multipart/form-data", b"--x"),
        ("\t", b""),
    ];
    for path in ["/signup", "/signin", "/projects", "/projects/wake-word/keys", "/theme", "/signout"] {
        for (content_type, body) in bodies {
            let request = Request::post(path)
                .header("cookie", &world.project.cookie)
                .header("sec-fetch-site", "same-origin")
                .header("content-type", content_type)
                .body(Body::from(body))
                .unwrap();
            let answer = world.app.send(request).await;
            assert!(answer.status.as_u16() < 500, "{path} {}: {} {}", shown(body), answer.status, shown(&answer.body));
        }
    }
}

#[tokio::test]
async fn a_run_of_extreme_values_has_its_pages() {
    let world = World::new().await;
    let outcome = json!({
        "status": "failed", "exit_code": i32::MIN, "duration_seconds": f64::MAX,
        "started_at": "2199-12-31T23:59:59.999999999Z", "finished_at": "1970-01-01T00:00:00Z",
    });
    world.take("PATCH", RUN, &outcome.to_string()).await;
    let details = json!({
        "artifacts": [
            {"original_path": "", "size_bytes": i64::MAX},
            {"original_path": "/../..\n\t\u{202e}", "size_bytes": i64::MIN, "hash": "", "type": "", "content_type": "text/\u{7f}\n"},
            {"original_path": "a.png", "text_content": "no image"},
            {"original_path": "b.txt", "content_base64": "//79"},
        ],
        "results": [
            {"name": "", "value": f64::MIN_POSITIVE}, {"name": "a", "value": u64::MAX}, {"name": "b", "value": [1, {"c": null}]},
            {"name": "c", "value": -0.0, "line": i64::MIN, "row": i64::MAX}, {},
        ],
        "tables": [
            {"columns": [], "rows": [1, null, "x", [], {}], "row_count": i64::MIN, "column_count": i64::MAX, "table_index": i64::MIN},
            {"columns": ["a", "a", ""], "rows": [{"b": 1}]},
        ],
        "logs": [{"stream": "", "size_bytes": i64::MAX}, {"stream": "log", "path": "", "text_content": "\r\u{1b}[\u{1b}]0;\u{7}\u{8}\n"}],
        "snapshot": {
            "git_commit": "", "git_dirty": true, "dependency_files": [""], "observed_artifacts": [1, null], "missing_expected_paths": [7, {"path": 1}, "x"],
            "evidence": [{}],
        },
    });
    world.take("PUT", DETAILS, &details.to_string()).await;
    let run = world.read().await;
    for path in ["", "/logs", "/logs?log=1", "/artifacts", "/tables", "/code"] {
        let path = format!("/projects/wake-word/runs/exp001{path}");
        let answer = world.open(&path).await;
        assert_eq!(answer.status.as_u16(), 200, "{path}: {}", shown(&answer.body));
    }
    for artifact in run["artifacts"].as_array().unwrap() {
        let path = format!("/projects/wake-word/runs/exp001/artifacts/{}", artifact["id"].as_str().unwrap());
        world.open(&path).await.expect(200);
        let raw = world.open(&format!("{path}/raw?inline")).await.status.as_u16();
        assert!(matches!(raw, 200 | 404), "{artifact}: {raw}");
    }
    for path in ["/", "/account", "/projects/wake-word/runs", "/projects/wake-word/runs?status=failed"] {
        world.open(path).await.expect(200);
    }
}
