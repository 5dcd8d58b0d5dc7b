//! Who hears webhooks: a server on this machine that answers as a test wants it to.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use aws_lc_rs::hmac;
use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::AbortHandle;

/// What is answered.
#[derive(Clone)]
pub enum Answer {
    /// A status and a text.
    Status(u16, String),
    /// "Look there".
    Redirect(String),
    /// Nothing, for as long as one waits.
    Never,
}

/// A message, as it was heard.
#[derive(Clone, Debug)]
pub struct Heard {
    pub id: String,
    pub timestamp: String,
    pub signatures: String,
    pub body: String,
}

impl Heard {
    /// Whether one of its signatures is made with this secret.
    pub fn is_signed_with(&self, secret: &str) -> bool {
        let key = STANDARD.decode(secret.strip_prefix("whsec_").unwrap()).unwrap();
        let key = hmac::Key::new(hmac::HMAC_SHA256, &key);
        let signed = format!("{}.{}.{}", self.id, self.timestamp, self.body);
        self.signatures.split(' ').any(|signature| {
            let tag = STANDARD.decode(signature.strip_prefix("v1,").unwrap()).unwrap();
            hmac::verify(&key, signed.as_bytes(), &tag).is_ok()
        })
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    /// Its type.
    pub fn told(&self) -> String {
        self.json()["type"].as_str().unwrap().to_owned()
    }
}

/// A receiver on a port of this machine, until it is dropped.
pub struct Receiver {
    /// Its address.
    pub url: String,
    answer: Arc<Mutex<Answer>>,
    heard: UnboundedReceiver<Heard>,
    serving: AbortHandle,
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Receiver {
    /// Starts one that takes everything.
    pub async fn start() -> Self {
        let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        let answer = Arc::new(Mutex::new(Answer::Status(200, "ok".to_owned())));
        let (hear, heard) = unbounded_channel();
        let router = Router::new().fallback(take).with_state((Arc::clone(&answer), hear));
        let serving = tokio::spawn(async move { axum::serve(listener, router).await }).abort_handle();
        Self { url, answer, heard, serving }
    }

    /// Answers this from now on.
    pub fn say(&self, answer: Answer) {
        *self.answer.lock().unwrap() = answer;
    }

    /// Answers with this status from now on.
    pub fn say_status(&self, status: u16) {
        self.say(Answer::Status(status, String::new()));
    }

    /// The next message, as soon as it comes.
    pub async fn next(&mut self) -> Heard {
        self.heard.recv().await.unwrap()
    }

    /// What was heard since one last asked.
    pub fn so_far(&mut self) -> Vec<Heard> {
        std::iter::from_fn(|| self.heard.try_recv().ok()).collect()
    }

    /// The one message that was heard since one last asked.
    #[track_caller]
    pub fn only(&mut self) -> Heard {
        let [heard] = <[Heard; 1]>::try_from(self.so_far()).unwrap();
        heard
    }
}

async fn take(
    State((answer, hear)): State<(Arc<Mutex<Answer>>, UnboundedSender<Heard>)>,
    headers: HeaderMap,
    body: String,
) -> Response {
    let header = |name: &str| headers[name].to_str().unwrap().to_owned();
    assert_eq!(header("content-type"), "application/json");
    let heard = Heard {
        id: header("webhook-id"),
        timestamp: header("webhook-timestamp"),
        signatures: header("webhook-signature"),
        body,
    };
    let _ = hear.send(heard);
    let answer = answer.lock().unwrap().clone();
    match answer {
        Answer::Status(status, text) => (StatusCode::from_u16(status).unwrap(), text).into_response(),
        Answer::Redirect(to) => (StatusCode::FOUND, [(header::LOCATION, to)]).into_response(),
        Answer::Never => std::future::pending().await,
    }
}
