//! Who asks: keys, machines that log in, pages for whoever holds a key.

use otrace_wire::device::{DeviceCode, DeviceCodeRequest, DeviceToken, DeviceTokenRequest};
use otrace_wire::{PagePass, Whoami, WorkspaceSync};

use super::operation::{Caller, Group, Operation, Reply, answer, body};
use crate::api::identity::Synced;
use crate::api::keys::{Noted, Unwanted};

pub(super) const GROUP: Group = Group {
    name: "Access",
    description: "Whose key it is, how a machine gets one, and how one ends.",
    operations: &[
        Operation::new("GET", "/v1/auth/whoami", "whoami", "Who the key belongs to.", Caller::Reader)
            .gives(&[Reply::Json(answer::<Whoami>)]),
        Operation::new(
            "PATCH",
            "/v1/projects/current/workspace",
            "sync_workspace",
            "Tells which directory on which machine speaks.",
            Caller::Writer,
        )
        .takes(
            body::<WorkspaceSync>,
            r#"{"workspace_name": "digits", "working_directory": "/home/ada/digits", "cli_version": "0.2.0"}"#,
        )
        .gives(&[Reply::Json(answer::<Synced>)]),
        Operation::new(
            "POST",
            "/v1/page-passes",
            "create_page_pass",
            "A pass that reads the project's pages for some minutes.",
            Caller::Reader,
        )
        .gives(&[Reply::Json(answer::<PagePass>)]),
        Operation::new("POST", "/v1/device/code", "ask_for_key", "A machine asks for a key.", Caller::Anybody)
            .about("Show `user_code` and the address to a person, and keep `device_code` to yourself.")
            .takes(body::<DeviceCodeRequest>, r#"{"client": "otrace 0.2.0", "machine": "gpu-node-04"}"#)
            .gives(&[Reply::Json(answer::<DeviceCode>)]),
        Operation::new(
            "POST",
            "/v1/device/token",
            "poll_for_key",
            "What became of a machine's request for a key.",
            Caller::Anybody,
        )
        .about("Ask every `interval_seconds`. Once the key has been used, the code is not found (404).")
        .takes(body::<DeviceTokenRequest>, r#"{"device_code": "trd_example"}"#)
        .gives(&[Reply::Json(answer::<DeviceToken>)])
        .can_be_unknown(),
        Operation::new("POST", "/v1/keys/revoke", "revoke_key", "Ends a key, for whoever holds it.", Caller::Anybody)
            .about("The answer is the same whether there was such a key or not.")
            .takes(body::<Unwanted>, r#"{"token": "trc_example"}"#)
            .gives(&[Reply::Json(answer::<Noted>)]),
        Operation::new("GET", "/v1/openapi.json", "openapi", "This document.", Caller::Anybody)
            .gives(&[Reply::Raw("application/json")]),
    ],
};
