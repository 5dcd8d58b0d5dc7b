//! An issuer that says whatever a test wants it to say.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Json;
use axum::Router;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::AbortHandle;
use url::Url;

use super::signing::key_set;

/// What is said at one path.
pub enum Answer {
    /// JSON.
    Json(Value),
    /// "Look there".
    Redirect(String),
    /// So many bytes of nothing.
    Bytes(usize),
}

#[derive(Default)]
struct Said {
    answers: HashMap<&'static str, Answer>,
    asked: Vec<String>,
}

/// An issuer on a port of this machine, until it is dropped.
pub struct Issuer {
    /// Its address.
    pub url: Url,
    said: Arc<Mutex<Said>>,
    serving: AbortHandle,
}

impl Drop for Issuer {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Issuer {
    /// Starts one that behaves, but gives no tokens yet.
    pub async fn start() -> Self {
        let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap();
        let url: Url = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
        let said = Arc::new(Mutex::new(Said::default()));
        let router = Router::new().fallback(answer).with_state(Arc::clone(&said));
        let serving = tokio::spawn(async move { axum::serve(listener, router).await }).abort_handle();
        let issuer = Self { url, said, serving };
        issuer.say("/.well-known/openid-configuration", Answer::Json(issuer.document()));
        issuer.say("/keys", Answer::Json(key_set()));
        issuer
    }

    /// Its name, as its tokens have it.
    pub fn name(&self) -> String {
        self.url.as_str().trim_end_matches('/').to_owned()
    }

    /// What it says about itself when it behaves.
    pub fn document(&self) -> Value {
        let name = self.name();
        json!({
            "issuer": name,
            "authorization_endpoint": format!("{name}/authorize"),
            "token_endpoint": format!("{name}/token"),
            "jwks_uri": format!("{name}/keys"),
            "userinfo_endpoint": format!("{name}/me"),
        })
    }

    /// Says something else about itself.
    pub fn say_of_itself(&self, name: &str, value: &str) {
        let mut document = self.document();
        document[name] = json!(value);
        self.say("/.well-known/openid-configuration", Answer::Json(document));
    }

    /// Answers this at a path from now on.
    pub fn say(&self, path: &'static str, answer: Answer) {
        self.said.lock().unwrap().answers.insert(path, answer);
    }

    /// Gives this ID token for any code.
    pub fn give(&self, id_token: &str) {
        let tokens = json!({"access_token": "access", "token_type": "Bearer", "id_token": id_token});
        self.say("/token", Answer::Json(tokens));
    }

    /// How often it was asked for a path.
    pub fn times_asked(&self, path: &str) -> usize {
        self.said.lock().unwrap().asked.iter().filter(|asked| *asked == path).count()
    }
}

async fn answer(State(said): State<Arc<Mutex<Said>>>, request: Request) -> Response {
    let path = request.uri().path().to_owned();
    let mut said = said.lock().unwrap();
    said.asked.push(path.clone());
    match said.answers.get(path.as_str()) {
        Some(Answer::Json(value)) => Json(value.clone()).into_response(),
        Some(Answer::Redirect(to)) => (StatusCode::FOUND, [(header::LOCATION, to.clone())]).into_response(),
        Some(Answer::Bytes(count)) => vec![b' '; *count].into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}
