//! What is told of a run while it runs: its logs, its series, that its machine is there.

use otrace_wire::live::{Heartbeat, LogAppended};
use otrace_wire::series::{AddSeries, SeriesAdded};

use super::operation::{Caller, Group, Kind, Operation, Parameter, Reply, answer, body};
use crate::api::series::{ListAnswer, PointsAnswer};

const PATH: Parameter =
    Parameter { name: "path", kind: Kind::Text, description: "Which log file, where the stream is `log`." };

pub(super) const GROUP: Group = Group {
    name: "While it runs",
    description: "Logs and series as they grow, and signs of life.",
    operations: &[
        Operation::new(
            "POST",
            "/v1/runs/{run}/heartbeat",
            "heartbeat",
            "Tells that a run's machine is there.",
            Caller::RunWriter,
        )
        .gives(&[Reply::Json(answer::<Heartbeat>)]),
        Operation::new(
            "POST",
            "/v1/runs/{run}/logs/{stream}",
            "append_log",
            "Appends to what a run printed.",
            Caller::RunWriter,
        )
        .about("What lies before the end of what the server has is passed over, so a piece may be sent again.")
        .asks(&[
            Parameter { name: "offset", kind: Kind::Offset, description: "Where in the log the bytes begin." },
            PATH,
        ])
        .takes_bytes("At most 1 MiB of the log.")
        .gives(&[Reply::Json(answer::<LogAppended>)])
        .can_conflict(),
        Operation::new("GET", "/v1/runs/{run}/logs/{stream}", "read_log", "What a run printed.", Caller::Reader)
            .about("At most 1 MiB; the header `x-next-offset` tells where the next bytes begin.")
            .asks(&[
                Parameter {
                    name: "from",
                    kind: Kind::Number { least: 0, most: None },
                    description: "The first byte. 0 unless told.",
                },
                PATH,
            ])
            .gives(&[Reply::Raw("application/octet-stream")]),
        Operation::new("POST", "/v1/runs/{run}/series", "add_points", "Adds points to series.", Caller::RunWriter)
            .about(
                "`first` is the place of a batch's first point in its source: what the server has already is passed \
                over, so a batch may be sent again.",
            )
            .takes(
                body::<AddSeries>,
                r#"{"batches": [{"source": "outputs/metrics.jsonl", "first": 0,
                    "points": [{"name": "loss", "step": 1, "value": 0.5},
                        {"name": "loss", "step": 2, "value": "NaN"}]}]}"#,
            )
            .gives(&[Reply::Json(answer::<SeriesAdded>)])
            .can_conflict(),
        Operation::new("GET", "/v1/runs/{run}/series", "list_series", "Which series a run has.", Caller::Reader)
            .gives(&[Reply::Json(answer::<ListAnswer>)]),
        Operation::new("GET", "/v1/runs/{run}/series/{*name}", "get_series", "The points of a series.", Caller::Reader)
            .about("As many as a chart needs, with the lowest and the highest of each stretch; as CSV all of them.")
            .asks(&[
                Parameter {
                    name: "points",
                    kind: Kind::Number { least: 10, most: Some(10_000) },
                    description: "The most points. 1,000 unless told.",
                },
                Parameter { name: "x", kind: Kind::OneOf(&["step", "time"]), description: "What a point stands at." },
                Parameter { name: "format", kind: Kind::OneOf(&["json", "csv"]), description: "`json` unless told." },
            ])
            .gives(&[Reply::Json(answer::<PointsAnswer>), Reply::Raw("text/csv")]),
    ],
};
