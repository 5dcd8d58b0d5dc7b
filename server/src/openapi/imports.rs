//! Runs from elsewhere, which take their place all at once.

use otrace_wire::imports::{BeginImport, BegunImport, CommitImport, ImportOutcome, StagedRuns};

use super::operation::{Caller, Group, Operation, Reply, answer, body};
use crate::api::imports::{AbandonedAnswer, StagedAnswer};

pub(super) const GROUP: Group = Group {
    name: "Imports",
    description: "Runs from elsewhere: begun, staged, and committed all at once.",
    operations: &[
        Operation::new("POST", "/v1/imports", "begin_import", "Begins an import.", Caller::Writer)
            .about("The caller makes the id, so the request may be repeated.")
            .takes(body::<BeginImport>, r#"{"id": "019b0000-0000-7000-8000-000000000000"}"#)
            .gives(&[Reply::Json(answer::<BegunImport>)])
            .can_conflict(),
        Operation::new("POST", "/v1/imports/{import}/runs", "stage_runs", "Stages runs of an import.", Caller::Writer)
            .about("At most 500 at a time. Nobody sees them before the import is committed.")
            .takes(
                body::<StagedRuns>,
                r#"{"runs": [{"position": 0, "outcome": {"status": "completed", "exit_code": 0},
                    "run": {"id": "019b0000-0000-7000-8000-000000000001", "intent": "Before Trace", "setup": "seed 1",
                        "command": "python3 train.py", "created_at": "2025-01-01T12:00:00Z"}}]}"#,
            )
            .gives(&[Reply::Json(answer::<StagedAnswer>)])
            .can_conflict(),
        Operation::new(
            "POST",
            "/v1/imports/{import}/commit",
            "commit_import",
            "Gives the staged runs their place.",
            Caller::Writer,
        )
        .about("Until `is_committed` is true, ask again.")
        .takes(body::<CommitImport>, r#"{"replace": false, "runs": 1}"#)
        .gives(&[Reply::Json(answer::<ImportOutcome>)])
        .can_conflict(),
        Operation::new("DELETE", "/v1/imports/{import}", "abandon_import", "Gives an import up.", Caller::Writer)
            .gives(&[Reply::Json(answer::<AbandonedAnswer>)])
            .can_conflict(),
    ],
};
