//! What is sent, and with what, to a server that answers by a script.

use std::io::{BufRead, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::sync::mpsc::{self, Receiver};
use std::time::Instant;

use otrace_wire::LogStream;
use otrace_wire::device::DeviceCodeRequest;
use serde_json::{Value, json};

use super::contents::Piece;
use super::*;
use crate::args::CredentialArgs;
use crate::capture::stored;
use crate::printer::progress::Meter;
use crate::workspace::Workspace;

const BUSY: &str = "429 Too Many Requests\r\nRetry-After: 1";
const OK: &str = "200 OK";
const REFUSED: &str = "401 Unauthorized";

/// A request as the server saw it.
struct Asked {
    /// Such as `GET /v1/runs`.
    what: String,
    /// Who speaks, as the `Authorization` header says it.
    by: String,
    body: String,
}

/// A server that gives these answers, one after the other.
fn scripted(answers: Vec<(&'static str, Value)>) -> (String, Receiver<Asked>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let (asked, requests) = mpsc::channel();
    std::thread::spawn(move || {
        for (head, body) in answers {
            let (stream, _) = listener.accept().expect("a caller");
            let mut stream = BufReader::new(stream);
            asked.send(read(&mut stream)).expect("somebody listens");
            let (body, mut stream) = (body.to_string(), stream.into_inner());
            let length = body.len();
            let head = format!("HTTP/1.1 {head}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n");
            stream.write_all(format!("{head}{body}").as_bytes()).expect("it is read");
        }
    });
    (url, requests)
}

fn read(stream: &mut impl BufRead) -> Asked {
    let mut lines = stream.by_ref().lines().map(|line| line.expect("a line"));
    let first = lines.next().expect("a request");
    let headers: Vec<_> = lines.take_while(|line| !line.is_empty()).collect();
    let header = |wanted: &str| {
        let mut pairs = headers.iter().filter_map(|line| line.split_once(": "));
        pairs.find(|(name, _)| name.eq_ignore_ascii_case(wanted)).map(|(_, value)| value.to_owned()).unwrap_or_default()
    };
    let mut body = String::new();
    let length: u64 = header("content-length").parse().unwrap_or(0);
    stream.take(length).read_to_string(&mut body).expect("a body");
    let what = first.trim_end_matches(" HTTP/1.1").to_owned();
    Asked { what, by: header("authorization"), body }
}

fn with_key(url: &str) -> Client {
    let key = ApiKey::new("trc_key").expect("a key");
    Client::at(url, Some(&key)).expect("a client")
}

fn created(run_token: Option<&str>) -> Value {
    let run = json!({
        "id": Uuid::nil(), "experiment_id": "exp001", "title": null, "intent": "i", "setup": "s", "command": "true",
        "status": "created", "tags": [], "created_at": "2026-06-01T12:00:00Z", "updated_at": "2026-06-01T12:00:00Z",
        "started_at": null, "finished_at": null, "exit_code": null, "duration_seconds": null,
        "working_directory": null, "expected_artifact_paths": [], "expected_log_paths": [], "results": [],
        "tables": [], "logs": [], "artifacts": [], "snapshot": null, "notes": [],
    });
    let mut answer = json!({"ok": true, "run": run});
    if let Some(run_token) = run_token {
        answer["run_token"] = run_token.into();
    }
    answer
}

fn no(error: &str) -> Value {
    json!({"ok": false, "error": error})
}

fn yes() -> Value {
    json!({"ok": true})
}

fn speakers(requests: &Receiver<Asked>) -> Vec<String> {
    requests.try_iter().map(|asked| asked.by).collect()
}

#[tokio::test]
async fn what_belongs_to_a_run_goes_with_its_token_and_the_rest_with_the_key() {
    let synced = json!({"ok": true, "project": {"id": Uuid::nil(), "name": "Wake word", "slug": "wake-word"}});
    let (url, requests) = scripted(vec![(OK, created(Some("token"))), (OK, yes()), (OK, yes()), (OK, synced)]);
    let (run, client) = with_key(&url).create_run(&CreateRun::default()).await.expect("created");
    client.update_run(run.id, &RunOutcome::default()).await.expect("updated");
    client.put_details(run.id, &RunDetails::default()).await.expect("put");
    client.sync_workspace(&WorkspaceSync::default()).await.expect("synced");
    assert_eq!(speakers(&requests), ["Bearer trc_key", "Bearer token", "Bearer token", "Bearer trc_key"]);
}

#[tokio::test]
async fn a_refused_token_gives_way_to_the_key_for_good() {
    let answers = vec![(OK, created(Some("token"))), (REFUSED, no("expired")), (OK, yes()), (OK, yes())];
    let (url, requests) = scripted(answers);
    let (run, client) = with_key(&url).create_run(&CreateRun::default()).await.expect("created");
    for _ in 0..2 {
        client.clone().update_run(run.id, &RunOutcome::default()).await.expect("updated");
    }
    assert_eq!(speakers(&requests), ["Bearer trc_key", "Bearer token", "Bearer trc_key", "Bearer trc_key"]);
}

#[tokio::test]
async fn an_older_server_gives_no_token_and_hears_the_key() {
    let (url, requests) = scripted(vec![(OK, created(None)), (OK, yes())]);
    let (run, client) = with_key(&url).create_run(&CreateRun::default()).await.expect("created");
    client.update_run(run.id, &RunOutcome::default()).await.expect("updated");
    assert_eq!(speakers(&requests), ["Bearer trc_key", "Bearer trc_key"]);
}

#[tokio::test]
async fn a_request_that_was_put_off_is_sent_again_with_all_of_its_body() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("weights");
    std::fs::write(&path, "0.1 0.2").expect("written");
    let file = stored::measure(path).expect("measured");
    let (url, requests) = scripted(vec![(BUSY, no("busy")), (OK, yes())]);
    let start = Instant::now();
    let piece = Piece { digest: file.digest, size: file.size, path: Arc::new(file.path), offset: 0 };
    with_key(&url).put_content(&piece, Meter::default()).await.expect("put");
    assert!(start.elapsed() >= Duration::from_secs(1));
    let sent: Vec<_> = requests.try_iter().map(|asked| (asked.what, asked.body)).collect();
    let expected = (format!("PUT {}", paths::content(&piece.digest)), "0.1 0.2".to_owned());
    assert_eq!(sent, [expected.clone(), expected]);
}

#[tokio::test]
async fn a_server_that_stays_busy_is_given_up() {
    let (url, requests) = scripted(vec![(BUSY, no("Too many requests.")); 3]);
    let error = with_key(&url).whoami().await.expect_err("given up");
    assert!(error.is_unreachable() && error.to_string().contains("Too many requests."), "{error}");
    assert_eq!(requests.try_iter().count(), 3);
}

#[tokio::test]
async fn an_older_server_knows_no_device_codes_and_is_shown_no_key() {
    let (url, requests) = scripted(vec![("404 Not Found", no("Not found"))]);
    let client = Client::at(&url, None).expect("a client");
    assert!(client.device_code(&DeviceCodeRequest::default()).await.expect("an answer").is_none());
    assert_eq!(speakers(&requests), [""]);
}

#[tokio::test]
async fn a_server_that_fails_for_a_moment_is_waited_for_by_who_has_patience() {
    let broken = "502 Bad Gateway";
    let (url, requests) = scripted(vec![(broken, no("down")), (broken, no("down")), (OK, yes())]);
    let client = with_key(&url).patient(Duration::from_secs(30));
    client.update_run(Uuid::nil(), &RunOutcome::default()).await.expect("updated");
    assert_eq!(requests.try_iter().count(), 3);

    let (url, requests) = scripted(vec![(broken, no("down"))]);
    with_key(&url).update_run(Uuid::nil(), &RunOutcome::default()).await.expect_err("no patience");
    assert_eq!(requests.try_iter().count(), 1);
}

#[tokio::test]
async fn a_piece_of_a_log_goes_with_its_place_and_the_answer_says_where_to_go_on() {
    let (url, requests) = scripted(vec![(OK, json!({"ok": true, "next_offset": 12})), ("404 Not Found", no("none"))]);
    let client = with_key(&url);
    let append = || client.append_log(Uuid::nil(), LogStream::Stdout, 7, b"hello".to_vec());
    assert_eq!(append().await.expect("appended").map(|answer| answer.next_offset), Some(12));
    assert_eq!(append().await.expect("answered"), None);
    let asked = requests.try_recv().expect("a request");
    assert_eq!(asked.what, format!("POST /v1/runs/{}/logs/stdout?offset=7", Uuid::nil()));
    assert_eq!(asked.body, "hello");
}

#[tokio::test]
async fn a_server_that_is_too_old_is_told_by_both_versions() {
    let (url, _requests) = scripted(vec![("200 OK\r\nX-Otrace-Version: 0.1.9", yes())]);
    let error = with_key(&url).whoami().await.expect_err("too old").to_string();
    assert!(error.starts_with(&format!("the server at {url} is version 0.1.9, and this otrace needs ")), "{error}");
    assert!(error.contains(" or newer. Update the server"), "{error}");
}

#[tokio::test]
async fn a_server_that_refuses_our_version_is_quoted_and_not_asked_again() {
    let refusal =
        json!({"ok": false, "error": "This otrace is too old.", "code": "client_too_old", "hint": "Update it."});
    let (url, requests) = scripted(vec![("426 Upgrade Required", refusal)]);
    let client = with_key(&url).patient(Duration::from_secs(30));
    let error = client.update_run(Uuid::nil(), &RunOutcome::default()).await.expect_err("too old");
    assert_eq!(error.to_string(), "This otrace is too old. Update it.");
    assert_eq!(requests.try_iter().count(), 1);
}

#[test]
fn a_run_that_has_its_token_needs_no_key() {
    let args = CredentialArgs { api_url: Some("http://localhost:1".to_owned()), ..CredentialArgs::default() };
    let folder = tempfile::tempdir().expect("a folder");
    let settings = Settings::load(&args, &Workspace::at(folder.path())).expect("settings");
    let client = Client::resuming(&settings, Some("token"), true).expect("a client");
    assert_eq!(client.run_token().as_deref(), Some("token"));
}
