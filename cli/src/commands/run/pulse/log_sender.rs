//! A log on its way to the server, piece by piece, while it grows.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use otrace_wire::LogStream;
use uuid::Uuid;

use super::REQUESTS_MAX;
use crate::client::Client;
use crate::error::Result;

/// The most of a log that one request takes, in bytes.
const PIECE_MAX: u64 = 1024 * 1024;

/// What the server is to see of a log.
pub(super) struct LogSender {
    log: Log,
    /// Where it is kept, as it is sent.
    file: PathBuf,
    /// What the server has of it, in bytes.
    sent: u64,
}

/// Which log it is.
pub(super) enum Log {
    /// What the command prints.
    Printed(LogStream),
    /// A declared one, by its path as people write it.
    Declared(String),
}

/// What came of sending.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sent {
    /// There was nothing new.
    Nothing,
    /// The server has taken something.
    Something,
    /// The server takes no such logs.
    Refused,
}

impl LogSender {
    /// Sends what stands in this file, of which the server has nothing yet.
    pub(super) const fn new(log: Log, file: PathBuf) -> Self {
        Self { log, file, sent: 0 }
    }

    /// Sends what is new, in a few requests at most.
    pub(super) async fn send(&mut self, client: &Client, run: Uuid) -> Result<Sent> {
        let mut sent = Sent::Nothing;
        for _ in 0..REQUESTS_MAX {
            let (file, from) = (self.file.clone(), self.sent);
            let read = tokio::task::spawn_blocking(move || piece(&file, from)).await;
            // A log that can't be read now is sent whole in the end.
            let Ok(Ok(piece)) = read else { return Ok(sent) };
            if piece.is_empty() {
                return Ok(sent);
            }
            let answer = match &self.log {
                Log::Printed(stream) => client.append_log(run, *stream, from, piece).await?,
                Log::Declared(path) => client.append_declared_log(run, path, from, piece).await?,
            };
            let Some(answer) = answer else { return Ok(Sent::Refused) };
            self.sent = answer.next_offset;
            sent = Sent::Something;
        }
        Ok(sent)
    }
}

fn piece(path: &Path, from: u64) -> io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(from))?;
    let mut piece = Vec::new();
    file.take(PIECE_MAX).read_to_end(&mut piece)?;
    Ok(piece)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_piece_is_what_a_log_has_beyond_an_offset() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("log");
        assert!(piece(&path, 0).is_err());
        std::fs::write(&path, "hello").expect("written");
        assert_eq!(piece(&path, 0).expect("read"), b"hello");
        assert_eq!(piece(&path, 3).expect("read"), b"lo");
        assert_eq!(piece(&path, 9).expect("read"), b"");
        std::fs::write(&path, vec![b'x'; 3 << 20]).expect("written");
        assert_eq!(piece(&path, 1).expect("read").len(), 1 << 20);
    }
}
