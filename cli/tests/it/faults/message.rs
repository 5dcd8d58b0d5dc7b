//! As much of HTTP/1.1 as a proxy needs that reads a request whole and sends it on by itself.

use std::io;

use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::net::TcpStream;

/// What ends the head of a message.
const HEAD_END: &[u8] = b"\r\n\r\n";
/// What ends a body of chunks.
const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

/// A request, read to its end.
pub struct Request {
    /// What it asks for, the same in every run: `PUT /v1/contents/{hash}`.
    pub name: String,
    /// It, as it goes to the server: the last one on its connection.
    pub bytes: Vec<u8>,
}

/// Reads a request. Nothing, if the connection ends before one.
pub async fn read(from: &mut TcpStream) -> io::Result<Option<Request>> {
    let mut bytes = Vec::new();
    let head = loop {
        if let Some(at) = position(&bytes, HEAD_END) {
            break at + HEAD_END.len();
        }
        if more(from, &mut bytes).await? == 0 {
            return Ok(None);
        }
    };
    let text = String::from_utf8_lossy(&bytes[..head]).into_owned();
    let header = |name: &str| {
        let mut lines = text.lines().filter_map(|line| line.split_once(':'));
        lines.find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim().to_owned())
    };
    let length: usize = header("content-length").map_or(0, |length| length.parse().expect("a length"));
    let is_chunked = header("transfer-encoding").is_some();
    while if is_chunked { !bytes[head..].ends_with(LAST_CHUNK) } else { bytes.len() < head + length } {
        if more(from, &mut bytes).await? == 0 {
            return Ok(None);
        }
    }
    let name = name(text.lines().next().unwrap_or_default(), &bytes[head..]);
    let line_end = position(&bytes, b"\r\n").unwrap_or_default();
    bytes.splice(line_end..line_end, *b"\r\nConnection: close");
    Ok(Some(Request { name, bytes }))
}

/// Reads an answer, which ends with its connection.
pub async fn answer(from: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut answer = Vec::new();
    from.read_to_end(&mut answer).await?;
    if answer.len() < 10 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(answer)
}

async fn more(from: &mut (impl AsyncRead + Unpin), bytes: &mut Vec<u8>) -> io::Result<usize> {
    from.read_buf(bytes).await
}

fn position(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}

/// The request's first line without what differs from run to run. How a run stands belongs to it: that a run goes on
/// and how it ended are told in the same way.
fn name(line: &str, body: &[u8]) -> String {
    let mut words = line.split(' ');
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let path = target.split('?').next().unwrap_or_default();
    let path: Vec<&str> = path.split('/').map(|part| if is_name(part) { "{…}" } else { part }).collect();
    let name = format!("{method} {}", path.join("/"));
    let status =
        serde_json::from_slice::<Value>(body).ok().and_then(|body| Some(body.get("status")?.as_str()?.to_owned()));
    match status {
        Some(status) if method == "PATCH" => format!("{name} {status}"),
        _ => name,
    }
}

/// Whether a part of a path names a run, a content, an upload or a part of one.
fn is_name(part: &str) -> bool {
    let part = part.trim_start_matches("sha256:");
    let is_hex = part.len() >= 32 && part.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
    is_hex || (!part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()))
}
