//! What a `RunSpec` takes, what it refuses, and in which words.

use serde_json::json;

use super::*;

fn refusal(value: &Value) -> String {
    RunSpec::from_value(value).expect_err("a mistake").to_string()
}

#[test]
fn a_complete_spec_is_taken() {
    let spec = RunSpec::from_value(&json!({
        "version": 1, "intent": " why ", "setup": "what", "command": ["python", "a b.py", ""],
        "expected_log_paths": ["out.log", " "], "title": null, "tags": ["x"],
    }))
    .expect("a spec");
    assert_eq!((spec.intent.as_str(), spec.title.as_deref()), ("why", None));
    assert_eq!(spec.command, ["python", "a b.py", ""]);
    assert_eq!(spec.expected_log_paths, ["out.log"]);
    assert_eq!(spec.command_line(), "python 'a b.py' ''");
}

#[test]
fn an_artifact_may_stay_where_it_is() {
    let spec = |artifacts: Value| {
        RunSpec::from_value(&json!({
            "intent": "why", "setup": "what", "command": ["true"], "expected_artifact_paths": artifacts,
        }))
    };
    let taken = spec(json!(["a", {"path": " b ", "store_content": false}, {"path": "c", "store_content": true}, " "]));
    let taken = taken.expect("a spec");
    assert_eq!(taken.expected_artifact_paths, ["a", "b", "c"]);
    assert_eq!(taken.unstored_paths, ["b"]);
    for wrong in [
        json!(1),
        json!({"store_content": false}),
        json!({"path": "a", "stored": false}),
        json!({"path": "a", "store_content": 0}),
    ] {
        let told = spec(json!(["a", wrong])).expect_err("a mistake").to_string();
        assert_eq!(told, "expected_artifact_paths[1] must be a string, or an object of path and store_content");
    }
}

#[test]
fn every_mistake_is_told_at_once() {
    let text = refusal(&json!({
        "version": 2, "intent": 3, "command": "python x", "tags": "a", "config_paths": [1],
        "colour": "red", "parent_id": "exp001", "another": 1,
    }));
    assert_eq!(
        text,
        "parent_id is not part of RunSpec v1; unknown RunSpec field: another; \
         unknown RunSpec field: colour; version must be 1; intent must be a string; \
         command must be an argv array, not a shell string; config_paths[0] must be a string; \
         tags must be an array of strings; intent is required; setup is required; \
         command is required; \
         at least one config, expected artifact, or expected log path is required"
    );
}

#[test]
fn what_is_no_object_is_no_spec() {
    for value in [json!(null), json!([]), json!("text")] {
        assert_eq!(refusal(&value), "RunSpec must be an object");
    }
}

#[test]
fn a_command_needs_a_program() {
    let spec = |command: Value| json!({"intent": "i", "setup": "s", "config_paths": ["c"], "command": command});
    let text = refusal(&spec(json!(["", "x", 1, "a\u{0}"])));
    assert_eq!(
        text,
        "command[0] must be a non-empty string; command[2] must be a non-empty string; \
         command[3] must not hold a zero byte"
    );
    assert_eq!(refusal(&spec(json!([]))), "command is required");
    assert_eq!(refusal(&spec(json!(7))), "command must be an argv array; command is required");
}
