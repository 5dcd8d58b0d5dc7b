//! A rich recording each of whose calls is broken: at its first time, at its second, at every third.
//!
//! All calls are broken in one recording, one after the other, as many recordings of this size would take too long.
//! What it does not send by itself, `otrace sync` has to. What differs only in words, such as a status for another one
//! that the client takes alike, is tried at the first time alone: what came before can't change how it is taken.

use std::sync::Arc;

use otrace_server::testing::TestServer;
use tokio::time::timeout;

use super::network::{AWAY, BAD_GATEWAY, BROKEN, BUSY, CREATE, FULL, GARBAGE, HALF_JSON, PORTAL, TOO_MANY, with_each};
use super::proxy::{Fault, Nth, Proxy};
use super::recording::{Api, End, PATIENCE, Recording, was_started};
use super::rich::{ROUNDS, Rich};
use crate::sync_harness::spooled;

/// Without these there is no recording: [`super::network`] breaks them.
const BEFORE: [&str; 2] = ["GET /v1/auth/whoami", CREATE];
/// Those that a rich recording makes besides, each of which has to be met.
const CALLS: [&str; 12] = [
    "PATCH /v1/runs/{…} running",
    "PATCH /v1/projects/current/workspace",
    "POST /v1/runs/{…}/logs/stdout",
    "POST /v1/runs/{…}/logs/stderr",
    "POST /v1/runs/{…}/logs/log",
    "POST /v1/runs/{…}/series",
    "POST /v1/contents/lacking",
    "PUT /v1/contents/{…}",
    "POST /v1/contents",
    "PUT /v1/contents/{…}/parts",
    "PUT /v1/runs/{…}/details",
    "PATCH /v1/runs/{…} failed",
];
/// The sign of life of a command that prints nothing.
const HEARTBEAT: &str = "POST /v1/runs/{…}/heartbeat";
/// More attempts to send a run than it has calls.
const SYNCS: usize = 60;
/// Where a call may be in a recording.
const TIMES: [Nth; 3] = [Nth::First, Nth::Second, Nth::EveryThird];

/// Each of these at each time.
fn at_each_time(faults: &[Fault]) -> Vec<(Fault, Nth)> {
    faults.iter().flat_map(|fault| TIMES.map(|nth| (*fault, nth))).collect()
}

fn at_first(faults: &[Fault]) -> Vec<(Fault, Nth)> {
    faults.iter().map(|fault| (*fault, Nth::First)).collect()
}

async fn table(cells: Vec<(Fault, Nth)>) {
    let server = Arc::new(TestServer::start().await);
    with_each(cells, |(fault, nth)| cell(Arc::clone(&server), fault, nth)).await;
}

async fn cell(server: Arc<TestServer>, fault: Fault, nth: Nth) {
    let project = server.project("rich").await;
    let api = Api::new(server.url(), &project.key);
    let proxy = Proxy::to(server.url());
    proxy.break_every(nth, fault, &BEFORE);
    let mut rich = Rich::start(&proxy, &project).await;
    for round in 1..=ROUNDS {
        rich.round(round).await;
        // What was broken in a round comes after what the next one has told.
        proxy.deliver_late().await;
    }
    rich.ended().await;
    for attempt in 0.. {
        let answer = rich.recording.sync().await;
        let is_sent = spooled(&rich.recording.workspace) == 0;
        assert_eq!(answer.code == 0, is_sent, "{}{}", answer.stdout, answer.stderr);
        if is_sent {
            break;
        }
        assert!(attempt < SYNCS, "{}{}\n{:?}", answer.stdout, answer.stderr, proxy.calls());
    }
    let broken = proxy.broken(1).await;
    proxy.break_nothing();
    if nth == Nth::First {
        let unmet: Vec<_> = CALLS.iter().filter(|call| !broken.iter().any(|broken| broken == *call)).collect();
        assert!(unmet.is_empty(), "never broken: {unmet:?}");
    }
    api.has_all_of(&rich.recording.workspace).await;
    proxy.deliver_late().await;
    api.has_all_of(&rich.recording.workspace).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_breaks_at_any_call_at_any_time_loses_nothing() {
    table(at_each_time(&[
        Fault::Outage,
        Fault::Reset,
        Fault::CutRequest,
        Fault::LoseAnswer,
        Fault::CutHead,
        Fault::CutBody,
        Fault::Silence,
    ]))
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_answer_to_any_call_at_any_time_loses_nothing() {
    let differ = [BROKEN, TOO_MANY, GARBAGE].map(Fault::Answer);
    let alike = [BAD_GATEWAY, AWAY, BUSY, FULL, PORTAL, HALF_JSON].map(Fault::Answer);
    let cells = [
        at_each_time(&differ),
        at_each_time(&[Fault::Slow]),
        at_first(&alike),
        // A slow line is slow at all times.
        at_first(&[Fault::Drip]),
    ];
    table(cells.concat()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_twice_late_or_in_another_order_counts_once() {
    let always = [
        (Fault::Twice, Nth::Every),
        (Fault::TwiceAtOnce, Nth::Every),
        // Each second one, so that what is repeated gets through.
        (Fault::LoseAnswer, Nth::EveryOther),
        (Fault::Late, Nth::EveryOther),
    ];
    let sometimes = at_each_time(&[Fault::Twice, Fault::TwiceAtOnce, Fault::Late]);
    table([always.to_vec(), sometimes].concat()).await;
}

/// Whether whoever sends a request that this is done to takes it for done.
fn seems_done(fault: Fault) -> bool {
    matches!(fault, Fault::Slow | Fault::Drip | Fault::Twice | Fault::TwiceAtOnce)
}

async fn silent_cell(server: Arc<TestServer>, fault: Fault) {
    let project = server.project("silent").await;
    let api = Api::new(server.url(), &project.key);
    let proxy = Proxy::to(server.url());
    proxy.break_first(HEARTBEAT, fault);
    let calls = proxy.watched();
    let mut recording = Recording::of_project(&proxy, &project);
    recording.has_printed().await;
    timeout(PATIENCE, proxy.broken(1)).await.expect("a sign of life");
    if !seems_done(fault) {
        let again = |calls: &[String]| calls.iter().filter(|call| *call == HEARTBEAT).count() >= 2;
        timeout(PATIENCE, calls.are(again)).await.expect("another one");
    }
    recording.release();
    assert!(was_started(&recording.otrace_ended().await));
    proxy.break_nothing();
    recording.syncs().await;
    proxy.deliver_late().await;
    api.has_all(End::Known).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sign_of_life_that_is_lost_is_given_again() {
    let server = Arc::new(TestServer::start().await);
    let faults = [
        Fault::Outage,
        Fault::Reset,
        Fault::CutRequest,
        Fault::LoseAnswer,
        Fault::CutHead,
        Fault::CutBody,
        Fault::Silence,
        Fault::Slow,
        Fault::Drip,
        Fault::Twice,
        Fault::TwiceAtOnce,
        Fault::Late,
    ];
    let answers = [BROKEN, TOO_MANY, PORTAL, GARBAGE].map(Fault::Answer);
    with_each([&faults[..], &answers].concat(), |fault| silent_cell(Arc::clone(&server), fault)).await;
}
