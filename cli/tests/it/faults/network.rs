//! Each call of a recording, broken in each way.
//!
//! Which calls there are is learned from a recording that nothing breaks: a new call is in the table by itself. Each
//! test is a row: one fault, at the first of every call. Calls that come more than once, and those that only a larger
//! recording makes, are in [`super::each`].

use std::fmt::Debug;
use std::sync::Arc;

use otrace_server::testing::TestServer;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::proxy::{Fault, Proxy};
use super::recording::{Api, End, Recording, was_started};

/// So many recordings go on at once: they mostly wait.
const AT_ONCE: usize = 16;
/// The call that has a run made.
pub const CREATE: &str = "POST /v1/runs";

/// What a recording asks of its server.
#[derive(Debug)]
pub struct Calls {
    /// Before the command is started.
    pub before: Vec<String>,
    /// While it runs.
    pub beside: Vec<String>,
    /// Once it has ended.
    pub after: Vec<String>,
}

/// Whether all that is told while a command runs has been told at least once.
pub fn is_live(calls: &[String]) -> bool {
    ["/logs/stdout", "/logs/stderr", "/series"].iter().all(|end| calls.iter().any(|call| call.ends_with(end)))
}

impl Calls {
    /// Learns them from a recording that nothing breaks.
    pub async fn learned(server: &TestServer) -> Self {
        let project = server.project("reference").await;
        let proxy = Proxy::to(server.url());
        let calls = proxy.watched();
        let mut recording = Recording::of_project(&proxy, &project);
        calls.are(is_live).await;
        let begun = distinct(proxy.calls());
        recording.release();
        assert!(was_started(&recording.otrace_ended().await));
        Api::new(server.url(), &project.key).has_all(End::Known).await;
        let mut before = begun;
        let created = before.iter().position(|call| call == CREATE).expect("it is created");
        let beside = before.split_off(created + 1);
        let after = distinct(proxy.calls()).into_iter().filter(|call| !before.contains(call) && !beside.contains(call));
        let after: Vec<_> = after.collect();
        assert!(after.iter().any(|call| call.starts_with("PATCH ")), "{after:?}");
        Self { before, beside, after }
    }

    /// All of them.
    pub fn all(&self) -> impl Iterator<Item = &String> {
        self.before.iter().chain(&self.beside).chain(&self.after)
    }

    /// Whether the call is made only as long as the command runs.
    pub fn is_beside(&self, call: &str) -> bool {
        self.beside.iter().any(|beside| beside == call)
    }
}

fn distinct(calls: Vec<String>) -> Vec<String> {
    calls.into_iter().fold(Vec::new(), |mut distinct, call| {
        if !distinct.contains(&call) {
            distinct.push(call);
        }
        distinct
    })
}

/// Does this with each of these, some at a time, and says with which it went wrong.
pub async fn with_each<T, F>(all: impl IntoIterator<Item = T>, with_one: impl Fn(T) -> F)
where
    T: Debug,
    F: Future<Output = ()> + Send + 'static,
{
    let places = Arc::new(Semaphore::new(AT_ONCE));
    let mut under_way = JoinSet::new();
    for one in all {
        let (places, name) = (Arc::clone(&places), format!("{one:?}"));
        let doing = with_one(one);
        under_way.spawn(async move {
            let _place = places.acquire_owned().await.expect("it is open");
            (tokio::spawn(doing).await, name)
        });
    }
    let mut wrong = Vec::new();
    while let Some(done) = under_way.join_next().await {
        let (outcome, name) = done.expect("nobody ends it from outside");
        if let Err(error) = outcome {
            let panic = error.into_panic();
            let text = panic.downcast_ref::<String>().cloned();
            let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
            wrong.push(format!("{name}: {}", text.unwrap_or_else(|| "it failed".to_owned())));
        }
    }
    assert!(wrong.is_empty(), "{} went wrong:\n{}", wrong.len(), wrong.join("\n"));
}

/// A row of the table: this fault, at the first of every call.
async fn row(fault: Fault) {
    let server = Arc::new(TestServer::start().await);
    let calls = Arc::new(Calls::learned(&server).await);
    with_each(calls.all().cloned(), |call| cell(Arc::clone(&server), Arc::clone(&calls), call, fault)).await;
}

async fn cell(server: Arc<TestServer>, calls: Arc<Calls>, call: String, fault: Fault) {
    let project = server.project("cell").await;
    let api = Api::new(server.url(), &project.key);
    let proxy = Proxy::to(server.url());
    proxy.break_first(&call, fault);
    let mut recording = Recording::of_project(&proxy, &project);
    if calls.is_beside(&call) {
        proxy.broken(1).await;
    }
    recording.release();
    let output = recording.otrace_ended().await;
    proxy.break_nothing();
    assert_eq!(proxy.broken(1).await, std::slice::from_ref(&call));
    let is_started = was_started(&output);
    assert!(is_started || calls.before.contains(&call), "the command was not started");
    recording.syncs().await;
    if is_started {
        api.has_all(End::Known).await;
    }
    proxy.deliver_late().await;
    if is_started {
        api.has_all(End::Known).await;
    } else if fault != Fault::Late {
        api.waits_for_nothing().await;
    }
}

macro_rules! rows {
    ($($name:ident: $fault:expr,)*) => {
        $(
            #[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                row($fault).await;
            }
        )*
    };
}

pub const BROKEN: &str = "HTTP/1.1 500 Internal Server Error\r\nConnection: close\r\nContent-Type: application/json\r\n\
                      Content-Length: 36\r\n\r\n{\"ok\":false,\"error\":\"It went wrong.\"}";
pub const BAD_GATEWAY: &str = "HTTP/1.1 502 Bad Gateway\r\nConnection: close\r\nContent-Type: text/html\r\n\
                           Content-Length: 26\r\n\r\n<h1>502 Bad Gateway</h1>\r\n";
pub const AWAY: &str = "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
pub const BUSY: &str =
    "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n";
pub const TOO_MANY: &str =
    "HTTP/1.1 429 Too Many Requests\r\nConnection: close\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n";
pub const FULL: &str = "HTTP/1.1 507 Insufficient Storage\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
pub const PORTAL: &str = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: text/html\r\n\
                      Content-Length: 29\r\n\r\n<h1>Welcome to the WLAN</h1>\r\n";
pub const HALF_JSON: &str = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: application/json\r\n\
                         Content-Length: 17\r\n\r\n{\"ok\":true,\"run\":";
pub const GARBAGE: &str = "\u{0}\u{1}SSH-2.0-OpenSSH_9.9\r\n\r\n";

rows! {
    a_server_that_goes_away_at_any_call_loses_nothing: Fault::Refuse,
    a_request_that_never_arrives_loses_nothing: Fault::Reset,
    a_request_of_which_half_arrives_leaves_nothing_half: Fault::CutRequest,
    what_was_done_and_not_acknowledged_is_done_once: Fault::LoseAnswer,
    an_answer_without_its_head_is_asked_for_again: Fault::CutHead,
    an_answer_without_its_end_is_asked_for_again: Fault::CutBody,
    a_connection_that_falls_silent_holds_nothing_up: Fault::Silence,
    a_slow_network_changes_nothing: Fault::Slow,
    bytes_that_come_one_by_one_change_nothing: Fault::Drip,
    a_request_that_comes_twice_counts_once: Fault::Twice,
    a_request_that_comes_twice_at_once_counts_once: Fault::TwiceAtOnce,
    a_request_that_comes_when_all_is_over_changes_nothing: Fault::Late,
    an_answer_of_500_is_no_loss: Fault::Answer(BROKEN),
    a_proxy_that_says_502_is_no_loss: Fault::Answer(BAD_GATEWAY),
    an_answer_of_503_is_no_loss: Fault::Answer(AWAY),
    a_server_that_asks_to_wait_gets_all_of_it_later: Fault::Answer(BUSY),
    a_server_that_is_asked_too_often_gets_all_of_it_later: Fault::Answer(TOO_MANY),
    a_server_whose_disk_is_full_gets_all_of_it_later: Fault::Answer(FULL),
    a_page_in_the_place_of_an_answer_is_no_acknowledgement: Fault::Answer(PORTAL),
    half_a_document_is_no_acknowledgement: Fault::Answer(HALF_JSON),
    what_is_no_http_is_no_acknowledgement: Fault::Answer(GARBAGE),
}
