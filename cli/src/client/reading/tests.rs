//! Reading from a server that answers by a script, breaks off and lies.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::sync::mpsc::{self, Receiver};

use tempfile::TempDir;

use super::*;

const WHOLE: &[u8] = b"0123456789";

/// A server that gives these answers to the letter, each on a connection of its own, and passes on what it was asked.
fn scripted(answers: Vec<String>) -> (Client, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let (asked, requests) = mpsc::channel();
    std::thread::spawn(move || {
        for answer in answers {
            let (stream, _) = listener.accept().expect("a caller");
            let mut stream = BufReader::new(stream);
            let head = stream.by_ref().lines().map(|line| line.expect("a line").to_lowercase());
            let head: Vec<_> = head.take_while(|line| !line.is_empty()).collect();
            asked.send(head.join("\n")).expect("somebody listens");
            stream.get_mut().write_all(answer.as_bytes()).expect("it is read");
        }
    });
    (Client::at(&url, None).expect("a client"), requests)
}

fn answer(head: &str, length: usize, body: &str) -> String {
    format!("HTTP/1.1 {head}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}")
}

fn digest(bytes: &[u8]) -> Sha256Digest {
    Sha256Digest::new(Sha256::digest(bytes).into())
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").file_name());
    entries.map(|name| name.into_string().expect("text")).collect()
}

fn folder() -> TempDir {
    tempfile::tempdir().expect("a folder")
}

#[tokio::test]
async fn a_download_that_broke_goes_on_where_it_stopped() {
    let rest = "206 Partial Content\r\nContent-Range: bytes 4-9/10";
    let (client, asked) = scripted(vec![answer("200 OK", 10, "0123"), answer(rest, 6, "456789")]);
    let folder = folder();
    let target = folder.path().join("out");
    client.download(&digest(WHOLE), 10, &target, false).await.expect("downloaded");
    assert_eq!(fs::read(&target).expect("read"), WHOLE);
    assert_eq!(names(folder.path()), ["out"]);
    assert!(!asked.recv().expect("asked").contains("range:"));
    let second = asked.recv().expect("asked");
    let tag = format!("if-range: \"{}\"", digest(WHOLE).hex());
    assert!(second.contains("range: bytes=4-") && second.contains(&tag), "{second}");
}

#[tokio::test]
async fn a_later_call_goes_on_with_what_an_earlier_one_left() {
    let rest = "206 Partial Content\r\nContent-Range: bytes 4-9/10";
    let (client, asked) = scripted(vec![answer(rest, 6, "456789")]);
    let folder = folder();
    let target = folder.path().join("out");
    let part = format!("out.{}.part", &digest(WHOLE).hex()[..8]);
    fs::write(folder.path().join(&part), "0123").expect("written");
    client.download(&digest(WHOLE), 10, &target, false).await.expect("downloaded");
    assert_eq!(fs::read(&target).expect("read"), WHOLE);
    assert!(asked.recv().expect("asked").contains("range: bytes=4-"));
}

#[tokio::test]
async fn a_server_that_takes_no_ranges_sends_all_of_it_again() {
    let (client, _asked) = scripted(vec![answer("200 OK", 10, "0123"), answer("200 OK", 10, "0123456789")]);
    let folder = folder();
    let target = folder.path().join("out");
    client.download(&digest(WHOLE), 10, &target, false).await.expect("downloaded");
    assert_eq!(fs::read(&target).expect("read"), WHOLE);
}

#[tokio::test]
async fn what_arrives_damaged_is_not_kept() {
    let (client, _asked) = scripted(vec![answer("200 OK", 10, "012345678x")]);
    let folder = folder();
    let target = folder.path().join("out");
    let error = client.download(&digest(WHOLE), 10, &target, false).await.expect_err("damaged").to_string();
    assert!(error.contains("did not arrive as it is"), "{error}");
    assert_eq!(names(folder.path()), Vec::<String>::new());
}

#[tokio::test]
async fn the_beginning_of_something_else_is_begun_anew() {
    let rest = "206 Partial Content\r\nContent-Range: bytes 4-9/10";
    let (client, _asked) = scripted(vec![answer(rest, 6, "456789"), answer("200 OK", 10, "0123456789")]);
    let folder = folder();
    let target = folder.path().join("out");
    fs::write(folder.path().join(format!("out.{}.part", &digest(WHOLE).hex()[..8])), "abcd").expect("written");
    client.download(&digest(WHOLE), 10, &target, false).await.expect("downloaded");
    assert_eq!(fs::read(&target).expect("read"), WHOLE);
}

#[tokio::test]
async fn more_than_the_run_says_is_not_taken() {
    let (client, _asked) = scripted(vec![answer("200 OK", 20, "01234567890123456789")]);
    let folder = folder();
    let error = client.download(&digest(WHOLE), 10, &folder.path().join("out"), false).await.expect_err("too long");
    assert!(error.to_string().contains("is not as long as its run says"), "{error}");
    assert!(!folder.path().join("out").exists());
}

#[tokio::test]
async fn what_is_there_stays_and_no_link_is_followed() {
    let folder = folder();
    let (mine, target) = (folder.path().join("mine"), folder.path().join("out"));
    fs::write(&mine, "mine").expect("written");
    std::os::unix::fs::symlink(&mine, &target).expect("linked");
    let (client, _asked) = scripted(vec![answer("200 OK", 10, "0123456789")]);
    let error = client.download(&digest(WHOLE), 10, &target, false).await.expect_err("it is there").to_string();
    assert!(error.contains("is there already") && error.contains("--force"), "{error}");
    client.download(&digest(WHOLE), 10, &target, true).await.expect("downloaded");
    assert!(!target.is_symlink());
    assert_eq!((fs::read(&target).expect("read"), fs::read(&mine).expect("read")), (WHOLE.to_vec(), b"mine".to_vec()));

    let (client, _asked) = scripted(Vec::new());
    let part = folder.path().join(format!("other.{}.part", &digest(WHOLE).hex()[..8]));
    std::os::unix::fs::symlink(&mine, part).expect("linked");
    client.download(&digest(WHOLE), 10, &folder.path().join("other"), true).await.expect_err("a link");
    assert_eq!(fs::read(&mine).expect("read"), b"mine");
}

#[tokio::test]
async fn a_content_in_memory_is_checked_too() {
    let (client, _asked) = scripted(vec![answer("200 OK", 10, "0123456789"), answer("200 OK", 1, "x")]);
    assert_eq!(client.content(&digest(WHOLE)).await.expect("read"), WHOLE);
    assert!(client.content(&digest(WHOLE)).await.is_err());
}

#[tokio::test]
async fn a_query_gets_into_the_address_as_it_is() {
    let runs = r#"{"ok":true,"runs":[],"next_cursor":"abc"}"#;
    let (client, asked) = scripted(vec![answer("200 OK", runs.len(), runs)]);
    let query = RunsQuery {
        query: Some("tag:a&b metrics.x > 0.9".to_owned()),
        tags: vec!["a".to_owned(), "b c".to_owned()],
        limit: Some(5),
        ..RunsQuery::default()
    };
    let page = client.runs(&query).await.expect("a page");
    assert_eq!((page.runs.len(), page.next_cursor.as_deref()), (0, Some("abc")));
    let asked = asked.recv().expect("asked");
    let expected = "get /v1/runs?query=tag%3aa%26b+metrics.x+%3e+0.9&limit=5&tag=a&tag=b+c http";
    assert!(asked.starts_with(expected), "{asked}");
}

#[tokio::test]
async fn an_experiment_that_is_not_there_is_told_by_its_name() {
    let body = r#"{"ok":false,"error":"Run not found","code":"not_found"}"#;
    let head = "404 Not Found\r\nContent-Type: application/json";
    let (client, _asked) = scripted(vec![answer(head, body.len(), body), answer("404 Not Found", 2, "no")]);
    let error = client.run("42").await.expect_err("unknown").to_string();
    assert!(error.starts_with("Unknown experiment: exp042."), "{error}");
    let error = client.run("exp042").await.expect_err("another server").to_string();
    assert!(error.contains("answered 404"), "{error}");
}

#[test]
fn experiments_are_asked_for_as_people_write_them() {
    let id = Uuid::now_v7();
    for (typed, asked) in [("exp042", "exp042"), ("EXP7", "exp007"), ("42", "exp042"), (" exp1234 ", "exp1234")] {
        assert_eq!(experiment(typed).expect("one"), asked);
    }
    assert_eq!(experiment(&id.to_string().to_uppercase()).expect("one"), id.to_string());
    for typed in ["", "0", "-1", "exp", "../keys", "exp001/details", "exp001?x", "a b"] {
        assert!(experiment(typed).is_err(), "{typed}");
    }
}
