//! A PostgreSQL that knows no password to be right: as much of its protocol as that takes.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;

/// What a client sends first, to ask for TLS.
const TLS: i32 = 80_877_103;

pub struct RefusingPostgres {
    port: u16,
}

impl RefusingPostgres {
    /// Starts it on a free port, until the test ends.
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        thread::spawn(move || {
            for stream in listener.incoming() {
                // A client may go away at any time.
                let _ = refuse(stream.unwrap());
            }
        });
        Self { port }
    }

    pub fn port(&self) -> u16 {
        self.port
    }
}

fn refuse(mut stream: TcpStream) -> io::Result<()> {
    let mut first = message(&mut stream)?;
    if first.starts_with(&TLS.to_be_bytes()) {
        stream.write_all(b"N")?;
        first = message(&mut stream)?;
    }
    assert!(first.len() > 4, "the start-up message names a user");
    // The password, please, as it is.
    stream.write_all(&[b'R', 0, 0, 0, 8, 0, 0, 0, 3])?;
    stream.read_exact(&mut [0])?;
    message(&mut stream)?;
    let fields = b"SFATAL\0VFATAL\0C28P01\0Mpassword authentication failed for user \"otrace\"\0\0";
    let length = i32::try_from(fields.len() + 4).unwrap();
    stream.write_all(&[&b"E"[..], &length.to_be_bytes(), fields].concat())
}

/// What stands behind a length, which counts itself.
fn message(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    let mut message = vec![0; usize::try_from(i32::from_be_bytes(length)).unwrap() - 4];
    stream.read_exact(&mut message)?;
    Ok(message)
}
