//! JSON objects whose values can't be.

use serde_json::json;

use super::{DETAILS, EVIDENCE, RUN, RUNS, WORKSPACE, World};

#[tokio::test]
async fn a_run_without_intent_setup_or_command_is_refused_by_the_name_of_what_is_missing() {
    let world = World::new().await;
    let names = ["intent", "setup", "command"];
    for missing in names {
        for value in [None, Some(""), Some(" \t\n"), Some("\u{a0}")] {
            let mut body = json!({"intent": "why", "setup": "on what", "command": "true"});
            match value {
                None => body.as_object_mut().unwrap().remove(missing),
                Some(blank) => body.as_object_mut().unwrap().insert(missing.to_owned(), json!(blank)),
            };
            let sentence = world.refuse("POST", RUNS, body.to_string().as_bytes()).await;
            let said: Vec<&str> = names.into_iter().filter(|name| sentence.contains(name)).collect();
            assert_eq!(said, [missing], "{sentence}");
        }
    }
    let sentence = world.refuse("POST", RUNS, b"{}").await;
    assert!(names.into_iter().all(|name| sentence.contains(name)), "{sentence}");
}

#[tokio::test]
async fn a_run_with_values_of_other_types_is_not_created() {
    let world = World::new().await;
    for body in [
        r#"{"intent": 1, "setup": "s", "command": "c"}"#,
        r#"{"intent": null, "setup": "s", "command": "c"}"#,
        r#"{"intent": "i", "setup": {"a": 1}, "command": "c"}"#,
        r#"{"intent": "i", "setup": "s", "command": ["python", "train.py"]}"#,
    ] {
        world.refuse("POST", RUNS, body.as_bytes()).await;
    }
    for rest in [
        r#""intent": "once more""#,
        r#""title": 1"#,
        r#""title": ["x"]"#,
        r#""tags": "x""#,
        r#""tags": [1]"#,
        r#""tags": [null]"#,
        r#""tags": {"a": 1}"#,
        r#""expected_artifact_paths": "x""#,
        r#""expected_artifact_paths": [{"path": "x"}]"#,
        r#""expected_log_paths": [["x"]]"#,
        r#""working_directory": {}"#,
        r#""id": "exp001""#,
        r#""id": 1"#,
        r#""parent": 1"#,
        r#""recorder": []"#,
        r#""created_at": 1780315200"#,
    ] {
        let body = format!(r#"{{"intent": "i", "setup": "s", "command": "c", {rest}}}"#);
        world.refuse("POST", RUNS, body.as_bytes()).await;
    }
}

#[tokio::test]
async fn an_outcome_that_can_not_be_is_refused() {
    let world = World::new().await;
    for body in [
        r#"{"status": "done"}"#,
        r#"{"status": "Completed"}"#,
        r#"{"status": ""}"#,
        r#"{"status": 1}"#,
        r#"{"status": ["completed"]}"#,
        r#"{"status": "\u0000"}"#,
        r#"{"exit_code": "0"}"#,
        r#"{"exit_code": 1.5}"#,
        r#"{"exit_code": 1e400}"#,
        r#"{"exit_code": NaN}"#,
        r#"{"exit_code": 99999999999999999999}"#,
        r#"{"duration_seconds": -1}"#,
        r#"{"duration_seconds": -1e-9}"#,
        r#"{"duration_seconds": NaN}"#,
        r#"{"duration_seconds": Infinity}"#,
        r#"{"duration_seconds": 1e400}"#,
        r#"{"duration_seconds": -1e400}"#,
        r#"{"duration_seconds": "1 s"}"#,
        r#"{"status": "completed", "duration_seconds": -1}"#,
        r#"{"started_at": 5}"#,
        r#"{"finished_at": []}"#,
    ] {
        world.refuse("PATCH", RUN, body.as_bytes()).await;
    }
}

#[tokio::test]
async fn details_that_can_not_be_are_refused_and_the_former_ones_stay() {
    let world = World::new().await;
    for body in [
        r#"{"artifacts": "x"}"#,
        r#"{"artifacts": [1]}"#,
        r#"{"artifacts": {"a": 1}}"#,
        r#"{"artifacts": [{"original_path": 1}]}"#,
        r#"{"artifacts": [{"size_bytes": "1 KB"}]}"#,
        r#"{"artifacts": [{"size_bytes": 1e400}]}"#,
        r#"{"artifacts": [{"size_bytes": 9223372036854775808}]}"#,
        r#"{"artifacts": [{"content_base64": "no base64!"}]}"#,
        r#"{"artifacts": [{"content_base64": "QUJ"}]}"#,
        r#"{"artifacts": [{"content_base64": 7}]}"#,
        r#"{"results": {"loss": 1}}"#,
        r#"{"results": [{"name": 1}]}"#,
        r#"{"results": [{"line": "x"}]}"#,
        r#"{"results": [{"metadata": [1, 2]}]}"#,
        r#"{"tables": [{"columns": "a"}]}"#,
        r#"{"tables": [{"rows": {"a": 1}}]}"#,
        r#"{"tables": [{"row_count": 1.5}]}"#,
        r#"{"logs": [{"text_content": 1}]}"#,
        r#"{"logs": [{"hash": "md5:1"}]}"#,
        r#"{"logs": [{"hash": "0000000000000000000000000000000000000000000000000000000000000000"}]}"#,
        r#"{"snapshot": 1}"#,
        r#"{"snapshot": {"git_dirty": "yes"}}"#,
        r#"{"snapshot": {"dependency_files": [1]}}"#,
        r#"{"snapshot": {"evidence": [{"snippet": 1}]}}"#,
        r#"{"snapshot": {"files": [{}]}}"#,
        r#"{"snapshot": {"files": [{"kind": "diff", "path": "a", "hash": "x", "size_bytes": 1}]}}"#,
    ] {
        world.refuse("PUT", DETAILS, body.as_bytes()).await;
    }
    // A long content is read from a temporary file, in pieces.
    let long = format!(r#"{{"artifacts": [{{"content_base64": "{}!"}}]}}"#, "QUJD".repeat(100_000));
    world.refuse("PUT", DETAILS, long.as_bytes()).await;
    assert_eq!(world.read().await["results"][0]["name"], "kept");
}

#[tokio::test]
async fn evidence_and_workspaces_that_can_not_be_are_refused() {
    let world = World::new().await;
    for body in [
        r#"{"evidence": "x"}"#,
        r#"{"evidence": [1]}"#,
        r#"{"evidence": {"snippet": "x"}}"#,
        r#"{"evidence": [{"snippet": 1}]}"#,
        r#"{"evidence": [{"snippet": "a"}, {"type": []}]}"#,
    ] {
        world.refuse("POST", EVIDENCE, body.as_bytes()).await;
    }
    for body in [
        "{}",
        r#"{"workspace_name": "kws"}"#,
        r#"{"workspace_name": "", "working_directory": "/a"}"#,
        r#"{"workspace_name": "kws", "working_directory": ""}"#,
        r#"{"workspace_name": "kws", "working_directory": null}"#,
        r#"{"workspace_name": 1, "working_directory": "/a"}"#,
        r#"{"workspace_name": "kws", "working_directory": "/a", "metadata": [1, 2]}"#,
        r#"{"workspace_name": "kws", "working_directory": "/a", "git_dirty": "yes"}"#,
        r#"{"workspace_name": "kws", "working_directory": "/a", "project_id": 7}"#,
        r#"{"workspace_name": "kws", "working_directory": "/a", "project_id": "\u0000"}"#,
    ] {
        world.refuse("PATCH", WORKSPACE, body.as_bytes()).await;
    }
}

#[tokio::test]
async fn what_is_no_time_of_a_run_is_refused_wherever_a_time_stands() {
    let world = World::new().await;
    for time in [
        "",
        " ",
        "yesterday",
        "1780315200",
        "2026-13-01",
        "2026-02-30T12:00:00Z",
        "2026-06-01T25:00:00Z",
        "2026-06-01T12:00:00+99:00",
        "2026-06-01T12:00:00Z\0",
        "0000-00-00T00:00:00Z",
        "-2026-06-01",
        "1969-12-31T23:59:59Z",
        "2200-01-01T00:00:00Z",
        "9999-12-31T23:59:59Z",
        "99999-01-01T00:00:00Z",
    ] {
        for (method, path, body) in [
            ("POST", RUNS, json!({"intent": "i", "setup": "s", "command": "c", "created_at": time})),
            ("PATCH", RUN, json!({"started_at": time})),
            ("PATCH", RUN, json!({"status": "completed", "finished_at": time})),
            ("PUT", DETAILS, json!({"artifacts": [{"original_path": "a", "created_at": time}]})),
            ("PUT", DETAILS, json!({"logs": [{"stream": "stdout", "created_at": time}]})),
        ] {
            world.refuse(method, path, body.to_string().as_bytes()).await;
        }
    }
}

#[tokio::test]
async fn a_time_in_a_zone_that_is_far_from_any_is_read_or_refused() {
    let world = World::new().await;
    for (time, is) in [
        ("2026-06-01T12:00:00+23:59", "2026-05-31T12:01:00Z"),
        ("2026-06-01T12:00:00-23:59", "2026-06-02T11:59:00Z"),
        ("2026-06-01T12:00:00+16:00", "2026-05-31T20:00:00Z"),
    ] {
        let body = json!({"intent": "i", "setup": "s", "command": "c", "created_at": time});
        let answer = world.try_out("POST", RUNS, body.to_string().as_bytes()).await;
        if answer.status == 200 {
            assert_eq!(answer.json()["run"]["created_at"], is, "{time}");
        }
        let answer = world.try_out("PATCH", RUN, json!({"started_at": time}).to_string().as_bytes()).await;
        if answer.status == 200 {
            assert_eq!(answer.json()["run"]["started_at"], is, "{time}");
        }
    }
}
