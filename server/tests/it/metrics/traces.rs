//! Traces, sent to a collector that only keeps what it gets.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::routing::post;
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::time::timeout;

use crate::settings::binary::Machine;

/// What has arrived, and word of each arrival.
#[derive(Default)]
struct Received {
    bytes: Mutex<Vec<u8>>,
    arrivals: Notify,
}

impl Received {
    fn has(&self, word: &[u8]) -> bool {
        self.bytes.lock().unwrap().windows(word.len()).any(|window| window == word)
    }
}

async fn collect(State(received): State<Arc<Received>>, body: Bytes) {
    received.bytes.lock().unwrap().extend_from_slice(&body);
    received.arrivals.notify_one();
}

// The server sends what is left when it stops, which this test waits for.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_collector_hears_of_requests_by_their_route_and_their_callers_do_not_decide_of_which() {
    let received = Arc::new(Received::default());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let collector = Router::new().route("/v1/traces", post(collect)).with_state(Arc::clone(&received));
    tokio::spawn(async { axum::serve(listener, collector).await });

    let machine = Machine::new().await;
    let variables = [("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str()), ("OTEL_BSP_SCHEDULE_DELAY", "100")];
    let server = machine.serve(&variables);
    let client = reqwest::Client::new();
    let request = client.get(server.url("/projects/planted-slug/runs?q=planted-query"));
    // Its caller does not want to be sampled.
    request.header("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00").send().await.unwrap();
    server.get("/health/ready").await;
    let arrived = async {
        while !received.has(b"GET /health/ready") {
            received.arrivals.notified().await;
        }
    };
    timeout(Duration::from_secs(30), arrived).await.unwrap();
    assert!(received.has(b"GET /projects/{slug}/runs") && received.has(b"SELECT 1"));
    assert!(received.has(&0x0af7_6519_16cd_43dd_8448_eb21_1c80_319c_u128.to_be_bytes()), "it is linked to its caller");
    assert!(!received.has(b"planted"), "no name and no query of the request");
    server.stop();
}
