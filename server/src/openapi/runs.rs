//! Runs: created, described, found, read, deleted.

use otrace_wire::{Artifact, CreateRun, EvidenceBatch, RunDetails, RunOutcome};
use schemars::{Schema, SchemaGenerator};

use super::operation::{Caller, Group, Kind, Operation, Parameter, Reply, answer, answer_of, body};
use crate::api::artifacts::Ticket;
use crate::api::notes::{NewNote, NoteAnswer, TagChanges};
use crate::api::runs::{ArtifactsAnswer, CountAnswer, CreatedAnswer, DeletedAnswer, RunAnswer, RunsAnswer};

const SEARCH: &[Parameter] = &[
    Parameter {
        name: "query",
        kind: Kind::Text,
        description: "Which runs, such as `metrics.accuracy > 0.9 config.lr:[1e-4 TO 1e-2]`. Several are joined by AND.",
    },
    Parameter {
        name: "status",
        kind: Kind::OneOf(&["created", "running", "completed", "failed", "capture_failed"]),
        description: "Only runs that stand so.",
    },
    Parameter { name: "tag", kind: Kind::Text, description: "Only runs with this tag. May be repeated." },
    Parameter {
        name: "sort",
        kind: Kind::Text,
        description: "`created`, `started`, `finished`, `updated`, `number`, `duration`, `status`, `title`, \
            `tag`, `author`, `commit`, `metrics.NAME` or `config.NAME`; `-` before it turns it round. `-created` unless told.",
    },
    Parameter {
        name: "limit",
        kind: Kind::Number { least: 1, most: Some(200) },
        description: "The most runs of a page. 50 unless told.",
    },
    Parameter { name: "cursor", kind: Kind::Text, description: "The `next_cursor` of the page before." },
];

pub(super) const GROUP: Group = Group {
    name: "Runs",
    description: "Creating, describing, finding, reading and deleting runs, and what they left behind.",
    operations: &[
        Operation::new("POST", "/v1/runs", "create_run", "Creates a run.", Caller::Writer)
            .about(
                "With the same `id`, or where a client gives none with the same `Idempotency-Key` header, it is the \
                same run. `run_token` is for all that is told of this run.",
            )
            .takes(
                body::<CreateRun>,
                r#"{"intent": "How far does the smallest network get?", "setup": "12 hidden units, seed 1",
                    "command": "python3 train.py --config configs/base.json", "tags": ["baseline"],
                    "expected_artifact_paths": ["outputs/metrics.json"]}"#,
            )
            .gives(&[Reply::Json(answer::<CreatedAnswer>)])
            .can_conflict(),
        Operation::new(
            "GET",
            "/v1/runs",
            "list_runs",
            "A page of the runs that match, or all of them.",
            Caller::Reader,
        )
        .about(
            "Without any of the parameters, every run of the project, newest first. With any of them one page, \
                and `next_cursor` leads to the next.",
        )
        .asks(SEARCH)
        .gives(&[Reply::Json(answer::<RunsAnswer>)]),
        Operation::new("DELETE", "/v1/runs", "delete_runs", "Deletes all runs of the project.", Caller::Writer)
            .gives(&[Reply::Json(answer::<DeletedAnswer>)]),
        Operation::new("GET", "/v1/runs/count", "count_runs", "How many runs the project has.", Caller::Reader)
            .gives(&[Reply::Json(answer::<CountAnswer>)]),
        Operation::new("GET", "/v1/runs/{run}", "get_run", "One run with all that it left behind.", Caller::Reader)
            .about("Texts are in it as far as they are short.")
            .gives(&[Reply::Json(answer::<RunAnswer>)]),
        Operation::new("PATCH", "/v1/runs/{run}", "update_run", "How a run goes, and its end.", Caller::RunWriter)
            .about("What is absent stays as it is. The run is answered without its details.")
            .takes(body::<RunOutcome>, r#"{"status": "completed", "exit_code": 0, "duration_seconds": 12.5}"#)
            .gives(&[Reply::Json(answer::<RunAnswer>)]),
        Operation::new("DELETE", "/v1/runs/{run}", "delete_run", "Deletes a run.", Caller::Writer)
            .gives(&[Reply::Json(answer::<DeletedAnswer>)]),
        Operation::new("POST", "/v1/runs/{run}/restore", "restore_run", "Brings a deleted run back.", Caller::Writer)
            .gives(&[Reply::Json(answer::<RunAnswer>)])
            .can_conflict(),
        Operation::new(
            "PUT",
            "/v1/runs/{run}/details",
            "put_details",
            "Replaces what a run left behind.",
            Caller::RunWriter,
        )
        .about(
            "A list that is left out is empty afterwards; a `snapshot` that is left out stays. Contents are inline, \
            or were sent before and are named by hash.",
        )
        .takes(
            body::<RunDetails>,
            r#"{"artifacts": [{"original_path": "outputs/metrics.json", "type": "metrics", "size_bytes": 17,
                "content_type": "application/json", "content_base64": "eyJhY2N1cmFjeSI6IDAuOX0="}],
                "results": [{"kind": "scalar", "name": "accuracy", "value": 0.9,
                    "source_path": "outputs/metrics.json"}],
                "logs": [{"stream": "stdout", "size_bytes": 3, "text_content": "ok\n"}]}"#,
        )
        .gives(&[Reply::Json(answer::<RunAnswer>)])
        .can_conflict(),
        Operation::new(
            "POST",
            "/v1/runs/{run}/evidence",
            "add_evidence",
            "Adds entries to a run's evidence.",
            Caller::RunWriter,
        )
        .takes(
            body::<EvidenceBatch>,
            r#"{"evidence": [{"source_path": "outputs/train.log", "type": "log", "snippet": "epoch 1 loss 0.5"}]}"#,
        )
        .gives(&[Reply::Json(answer::<RunAnswer>)])
        .can_conflict(),
        Operation::new("POST", "/v1/runs/{run}/notes", "add_note", "Adds a note to a run.", Caller::RunWriter)
            .about("With an `id` of the client's own it may be repeated.")
            .takes(body::<NewNote>, r#"{"text": "It saturates at 12 units. #insight"}"#)
            .gives(&[Reply::Json(answer::<NoteAnswer>)])
            .can_conflict(),
        Operation::new("PATCH", "/v1/runs/{run}/tags", "change_tags", "Changes a run's tags.", Caller::RunWriter)
            .takes(body::<TagChanges>, r#"{"add": ["baseline"], "remove": []}"#)
            .gives(&[Reply::Json(answer::<RunAnswer>)]),
        Operation::new("GET", "/v1/runs/{run}/artifacts", "list_artifacts", "A run's artifacts.", Caller::Reader)
            .gives(&[Reply::Json(answer::<ArtifactsAnswer>)]),
        Operation::new(
            "GET",
            "/v1/artifacts/{artifact}/download",
            "download_artifact",
            "An artifact with its content.",
            Caller::Reader,
        )
        .about("`content_base64` has all of it, however long, and is null where none is stored.")
        .gives(&[Reply::Json(downloaded)]),
        Operation::new(
            "POST",
            "/v1/artifacts/{artifact}/ticket",
            "make_ticket",
            "A link to an artifact's content, for some minutes.",
            Caller::Reader,
        )
        .gives(&[Reply::Json(answer::<Ticket>)]),
    ],
};

/// `{"artifact": …}`, which the handler writes while it reads the content.
fn downloaded(generator: &mut SchemaGenerator) -> Schema {
    answer_of::<Artifact>(generator, "artifact")
}
