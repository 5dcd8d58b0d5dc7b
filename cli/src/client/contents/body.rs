//! A request's body, read from our files while it is sent.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::vec;

use futures_util::stream;
use otrace_wire::contents::packed;
use reqwest::Body;

use super::Piece;
use crate::error::Error;
use crate::printer::progress::Meter;

/// How much of it is in memory at a time, besides what the connection holds.
const CHUNK: usize = 256 * 1024;

/// A body, which can be had as often as it has to be sent.
pub struct Streamed {
    frames: Vec<Frame>,
    meter: Meter,
    failure: Failure,
}

/// Why a file could not be read: the connection only tells that it was cut.
type Failure = Arc<Mutex<Option<Error>>>;

#[derive(Clone)]
struct Frame {
    /// What stands before it, where there are several.
    head: Option<[u8; packed::HEAD_BYTES]>,
    piece: Piece,
}

/// One body on its way.
struct Reader {
    frames: vec::IntoIter<Frame>,
    /// A file, and how much is still to be read of it.
    open: Option<Open>,
    meter: Meter,
    failure: Failure,
}

struct Open {
    file: File,
    path: Arc<PathBuf>,
    left: u64,
}

impl Streamed {
    /// Of one content.
    pub fn of(piece: &Piece, meter: Meter) -> Self {
        Self { frames: vec![Frame { head: None, piece: piece.clone() }], meter, failure: Failure::default() }
    }

    /// Of several small ones.
    pub fn packed(pieces: &[Piece], meter: Meter) -> Self {
        let frame = |piece: &Piece| {
            let length = u32::try_from(piece.size).unwrap_or(u32::MAX);
            Frame { head: Some(packed::head(&piece.digest, length)), piece: piece.clone() }
        };
        Self { frames: pieces.iter().map(frame).collect(), meter, failure: Failure::default() }
    }

    /// Its length in bytes.
    pub fn length(&self) -> u64 {
        let head = |frame: &Frame| frame.head.map_or(0, |head| head.len() as u64);
        self.frames.iter().map(|frame| head(frame) + frame.piece.size).sum()
    }

    /// It, from its beginning.
    pub fn body(&self) -> Body {
        self.take_back();
        let reader = Reader {
            frames: self.frames.clone().into_iter(),
            open: None,
            meter: self.meter.clone(),
            failure: Arc::clone(&self.failure),
        };
        Body::wrap_stream(stream::try_unfold(reader, next))
    }

    /// None of it has arrived.
    pub fn take_back(&self) {
        self.meter.take_back();
    }

    /// Why it broke off, if that was on our side.
    pub fn take_failure(&self) -> Option<Error> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// Files are read beside the network's thread.
async fn next(mut reader: Reader) -> io::Result<Option<(Vec<u8>, Reader)>> {
    let read = tokio::task::spawn_blocking(move || reader.fill().map(|chunk| (chunk, reader)));
    let (chunk, reader) = read.await.map_err(io::Error::other)??;
    if chunk.is_empty() {
        return Ok(None);
    }
    reader.meter.add(chunk.len() as u64);
    Ok(Some((chunk, reader)))
}

impl Reader {
    /// The next bytes; none at the end.
    fn fill(&mut self) -> io::Result<Vec<u8>> {
        let mut chunk = Vec::with_capacity(CHUNK);
        while chunk.len() < CHUNK {
            if let Some(open) = &mut self.open {
                if let Err(error) = open.read_into(&mut chunk) {
                    let told = Error::file("read", &open.path, &error);
                    return Err(self.failed(told, error));
                }
                if open.left == 0 {
                    self.open = None;
                }
                continue;
            }
            let Some(Frame { head, piece }) = self.frames.next() else { break };
            chunk.extend(head.into_iter().flatten());
            let path = Arc::clone(&piece.path);
            match Open::new(piece) {
                Ok(open) => self.open = Some(open),
                Err(error) => return Err(self.failed(Error::file("read", &path, &error), error)),
            }
        }
        Ok(chunk)
    }

    fn failed(&self, told: Error, error: io::Error) -> io::Error {
        *self.failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(told);
        error
    }
}

impl Open {
    fn new(piece: Piece) -> io::Result<Self> {
        let mut file = File::open(&*piece.path)?;
        if piece.offset > 0 {
            file.seek(SeekFrom::Start(piece.offset))?;
        }
        Ok(Self { file, path: piece.path, left: piece.size })
    }

    fn read_into(&mut self, chunk: &mut Vec<u8>) -> io::Result<()> {
        let room = (CHUNK - chunk.len()) as u64;
        let read = (&self.file).take(room.min(self.left)).read_to_end(chunk)? as u64;
        if read == 0 && self.left > 0 {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "it has become shorter"));
        }
        self.left -= read;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use otrace_wire::Sha256Digest;

    use super::*;

    fn piece(path: &std::path::Path, offset: u64, size: u64) -> Piece {
        Piece { digest: Sha256Digest::new([7; 32]), size, path: Arc::new(path.to_path_buf()), offset }
    }

    fn read(streamed: &Streamed) -> io::Result<Vec<u8>> {
        let frames = streamed.frames.clone().into_iter();
        let failure = Arc::clone(&streamed.failure);
        let mut reader = Reader { frames, open: None, meter: Meter::default(), failure };
        let mut all = Vec::new();
        loop {
            let chunk = reader.fill()?;
            if chunk.is_empty() {
                return Ok(all);
            }
            all.extend(chunk);
        }
    }

    #[test]
    fn a_part_of_a_file_is_read_and_no_more() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("file");
        let bytes: Vec<u8> = (0..1_000_000_u32).map(|n| u8::try_from(n % 251).expect("a byte")).collect();
        std::fs::write(&path, &bytes).expect("written");
        let streamed = Streamed::of(&piece(&path, 100, 700_000), Meter::default());
        assert_eq!(streamed.length(), 700_000);
        assert!(read(&streamed).expect("read") == bytes[100..700_100]);
        let streamed = Streamed::of(&piece(&path, 0, 0), Meter::default());
        assert_eq!(read(&streamed).expect("read"), b"");
    }

    #[test]
    fn frames_are_read_as_the_server_reads_them() {
        let folder = tempfile::tempdir().expect("a folder");
        let contents = [b"first".to_vec(), Vec::new(), vec![b'x'; 200_000], vec![b'y'; 200_000]];
        let pieces: Vec<_> = contents
            .iter()
            .enumerate()
            .map(|(index, content)| {
                let path = folder.path().join(index.to_string());
                std::fs::write(&path, content).expect("written");
                piece(&path, 0, content.len() as u64)
            })
            .collect();
        let streamed = Streamed::packed(&pieces, Meter::default());
        let body = read(&streamed).expect("read");
        assert_eq!(body.len() as u64, streamed.length());
        let (mut at, mut found) = (0, Vec::new());
        while let Some((_, range)) = packed::next(&body, at) {
            at = range.end;
            found.push(body[range].to_vec());
        }
        assert!(found == contents && at == body.len());
    }

    #[test]
    fn a_file_that_has_become_shorter_is_told() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("file");
        std::fs::write(&path, "abc").expect("written");
        let streamed = Streamed::of(&piece(&path, 0, 4), Meter::default());
        read(&streamed).expect_err("too short");
        let told = streamed.take_failure().expect("a reason").to_string();
        assert!(told.contains("it has become shorter"), "{told}");
    }
}
