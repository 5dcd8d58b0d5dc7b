//! HTTP/2, frame by frame: clients that keep to the letter of it, and to nothing else.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

use super::slow::short_of_heads;
use super::{PATIENCE, SHORT, Site, client, read_to_close};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const SETTINGS: [u8; 9] = [0, 0, 0, 4, 0, 0, 0, 0, 0];
const A_PING: [u8; 17] = [0, 0, 8, PING, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];

/// Types of frames.
const DATA: u8 = 0;
const RST_STREAM: u8 = 3;
const PING: u8 = 6;
/// The flag of a frame that is the last of its stream.
const END_STREAM: u8 = 1;

/// A frame: its type, its flags and what is in it.
type Frame = (u8, u8, Vec<u8>);

/// `SETTINGS` with `INITIAL_WINDOW_SIZE`: so many bytes may come in a stream, unless it is told otherwise.
fn settings_of_window(bytes: u32) -> Vec<u8> {
    [&[0, 0, 6, 4, 0, 0, 0, 0, 0, 0, 4][..], &bytes.to_be_bytes()].concat()
}

/// `WINDOW_UPDATE` of the connection.
fn window_update(bytes: u32) -> Vec<u8> {
    [&[0, 0, 4, 8, 0, 0, 0, 0, 0][..], &bytes.to_be_bytes()].concat()
}

/// `GET` for a path in this stream: `HEADERS` that end it.
fn get(stream: u32, path: &str) -> Vec<u8> {
    let path_bytes = u8::try_from(path.len()).unwrap();
    // HPACK: GET and http from the table of usual headers, the path, and `x` as the host.
    let head = [&[0x82, 0x86, 0x04, path_bytes][..], path.as_bytes(), &[0x41, 1, b'x']].concat();
    [&[0, 0, u8::try_from(head.len()).unwrap(), 1, 5][..], &stream.to_be_bytes(), &head].concat()
}

/// A client's first request, `GET` for a path, with what comes before it.
fn first_request(settings: &[u8], path: &str) -> Vec<u8> {
    [PREFACE, settings, &get(1, path)].concat()
}

async fn next_frame(socket: &mut TcpStream) -> Frame {
    let mut head = [0; 9];
    socket.read_exact(&mut head).await.unwrap();
    let [high, middle, low, kind, flags, ..] = head;
    let mut payload = vec![0; u32::from_be_bytes([0, high, middle, low]) as usize];
    socket.read_exact(&mut payload).await.unwrap();
    (kind, flags, payload)
}

#[tokio::test]
async fn http2_that_sends_nothing_after_its_preface_is_closed() {
    let site = Site::start(short_of_heads).await;
    for beginning in [PREFACE.to_vec(), [PREFACE, &SETTINGS].concat()] {
        read_to_close(&mut site.sent(beginning).await).await;
    }
}

#[tokio::test]
async fn an_idle_http2_connection_is_closed_after_its_answer() {
    let site = Site::start(short_of_heads).await;
    let answer = read_to_close(&mut site.sent(first_request(&SETTINGS, "/")).await).await;
    // Its last byte has a frame of its own.
    assert!(answer.contains("hell"), "{answer:?}");
}

#[tokio::test]
async fn an_http2_connection_that_says_much_and_asks_for_nothing_is_closed() {
    let site = Site::start(short_of_heads).await;
    let chatter = [&SETTINGS[..], &A_PING, &window_update(1)].concat();
    for beginning in [[PREFACE, &SETTINGS].concat(), first_request(&SETTINGS, "/")] {
        let mut socket = site.sent(beginning).await;
        let mut answers = [0; 1024];
        let chatting = async {
            // The server answers each.
            while socket.write_all(&chatter).await.is_ok() {
                if socket.read(&mut answers).await.unwrap_or(0) == 0 {
                    return;
                }
            }
        };
        timeout(PATIENCE, chatting).await.expect("the server closes the connection");
    }
}

#[tokio::test]
async fn http2_that_answers_no_ping_is_closed_and_who_answers_is_waited_for() {
    let site = Site::start(|server| {
        server.timeouts.ping_every = SHORT;
        server.timeouts.ping_answer = SHORT * 4;
    })
    .await;
    let http2 = client(reqwest::ClientBuilder::http2_prior_knowledge);
    let waiting = tokio::spawn(http2.get(format!("http://{}/gate", site.address)).send());
    let mut deaf = site.sent(first_request(&SETTINGS, "/gate")).await;
    site.gate.has(2).await;
    read_to_close(&mut deaf).await;
    // This one was asked as well.
    site.gate.open();
    assert_eq!(waiting.await.unwrap().unwrap().text().await.unwrap(), "passed");
}

#[tokio::test]
async fn http2_that_takes_its_requests_back_all_the_time_is_closed() {
    let site = Site::start(|_| {}).await;
    let mut bytes = [PREFACE, &SETTINGS].concat();
    for stream in (1..2000_u32).step_by(2) {
        bytes.extend(get(stream, "/"));
        // RST_STREAM with CANCEL.
        bytes.extend([&[0, 0, 4, RST_STREAM, 0][..], &stream.to_be_bytes(), &8_u32.to_be_bytes()].concat());
    }
    let mut socket = site.connect().await;
    // The server may close it before it has read everything.
    let _ = socket.write_all(&bytes).await;
    read_to_close(&mut socket).await;
}

#[tokio::test]
async fn an_answer_over_http2_of_which_a_client_takes_one_byte_is_taken_back_though_it_pings() {
    let site = Site::start(|server| server.timeouts.write_stall = SHORT).await;
    for path in ["/", "/page"] {
        let mut socket = site.sent(first_request(&settings_of_window(1), path)).await;
        let mut taken = 0;
        let pinging = async {
            socket.write_all(&A_PING).await.unwrap();
            loop {
                match next_frame(&mut socket).await {
                    (DATA, _, data) => taken += data.len(),
                    (PING, ..) => socket.write_all(&A_PING).await.unwrap(),
                    (RST_STREAM, ..) => break,
                    _ => {}
                }
            }
        };
        timeout(PATIENCE, pinging).await.expect("the server takes the answer back");
        assert_eq!(taken, 1, "{path}");
    }
}

/// The server has begun all answers when the client says that it takes nothing more, and what waits in a stream then
/// must not stay: 10 MB are more than the system takes between the two.
#[tokio::test]
async fn answers_over_http2_that_a_client_stops_taking_late_are_taken_back() {
    const STREAMS: u32 = 100;
    let site = Site::start(|server| server.timeouts.write_stall = SHORT * 4).await;
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(64 * 1024).unwrap();
    let mut socket = socket.connect(site.address).await.unwrap();
    let mut asked = [PREFACE, &settings_of_window(1 << 20), &window_update(1 << 30)].concat();
    for request in 0..STREAMS {
        asked.extend(get(2 * request + 1, "/page"));
    }
    socket.write_all(&asked).await.unwrap();

    let (mut whole, mut taken_back, mut is_told) = (0, 0, false);
    let reading = async {
        while whole + taken_back < STREAMS {
            match next_frame(&mut socket).await {
                (DATA, flags, _) => {
                    whole += u32::from(flags & END_STREAM);
                    if !is_told {
                        socket.write_all(&settings_of_window(0)).await.unwrap();
                        is_told = true;
                    }
                }
                (RST_STREAM, ..) => taken_back += 1,
                _ => {}
            }
        }
    };
    timeout(PATIENCE, reading).await.expect("each answer has come or is taken back");
    assert!(taken_back > 0, "{whole} have come");
}
