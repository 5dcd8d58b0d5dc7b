//! Contents, known by their SHA-256.

use otrace_wire::StoredContent;
use otrace_wire::contents::{Arrived, Lacking, Offered, Parts, PartsTaken};

use super::operation::{Caller, Group, Operation, Reply, answer, body};
use crate::api::contents::PackedStored;

/// The SHA-256 of nothing.
const OFFERED: &str = r#"{"contents": [
    {"hash": "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", "size_bytes": 0}]}"#;

pub(super) const GROUP: Group = Group {
    name: "Contents",
    description: "Bytes by their SHA-256, sent before the details that name them.",
    operations: &[
        Operation::new(
            "POST",
            "/v1/contents/lacking",
            "lacking_contents",
            "Which contents the project has not.",
            Caller::RunWriter,
        )
        .about("At most 1,000. `put_to`, where it is there, takes a `PUT` of the bytes without any credentials.")
        .takes(body::<Offered>, OFFERED)
        .gives(&[Reply::Json(answer::<Lacking>)]),
        Operation::new("POST", "/v1/contents", "put_contents", "Stores many small contents.", Caller::RunWriter)
            .takes_bytes(
                "One frame after the other: the SHA-256 (32 bytes), the length in bytes (4 bytes, the highest first), \
                the bytes. Contents of up to 256 KiB, up to 8 MiB together.",
            )
            .gives(&[Reply::Json(answer::<PackedStored>)]),
        Operation::new("PUT", "/v1/contents/{sha256}", "put_content", "Stores a content.", Caller::RunWriter)
            .about("It is durable when the answer comes. Bytes that do not match the hash are refused.")
            .takes_bytes("The content.")
            .gives(&[Reply::Json(answer::<StoredContent>)]),
        Operation::new(
            "PUT",
            "/v1/contents/{sha256}/parts",
            "put_parts",
            "Makes a large content of parts that are stored.",
            Caller::RunWriter,
        )
        .about("The parts are contents of 8 MiB, the last one shorter. Until `is_stored` is true, ask again.")
        .takes(
            body::<Parts>,
            r#"{"size_bytes": 8388611, "parts": [
                "sha256:2daeb1f36095b44b318410b3f4e8b5d989dcc7bb023d1426c492dab0a3053e74",
                "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"]}"#,
        )
        .gives(&[Reply::Json(answer::<PartsTaken>)])
        .can_conflict(),
        Operation::new(
            "POST",
            "/v1/contents/arrived",
            "contents_arrived",
            "Tells of contents that were put into the bucket directly.",
            Caller::RunWriter,
        )
        .about("Answered with those that have not arrived, or are not what they should be.")
        .takes(body::<Arrived>, OFFERED)
        .gives(&[Reply::Json(answer::<Lacking>)]),
        Operation::new("GET", "/v1/contents/{sha256}", "get_content", "A content of the project.", Caller::Reader)
            .about("Obeys `Range` with `If-Range`, and answers with an `ETag`.")
            .gives(&[Reply::Raw("application/octet-stream")]),
    ],
};
