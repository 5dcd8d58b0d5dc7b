//! What a log keeps of what was printed.

use std::fs;

use proptest::prelude::*;

use super::*;
use crate::workspace::Workspace;

const TOKEN: &str = "ghp_0a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R";

/// What a piece of the trial does.
enum Step<'a> {
    Write(&'a [u8]),
    Pause,
}
use Step::{Pause, Write};

/// What stands in the file after each step, and in the end.
fn trial(is_masking: bool, steps: &[Step<'_>]) -> (Vec<Vec<u8>>, Vec<u8>) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("exp001.stdout.log");
    let masker = is_masking.then(|| Masker::of(&Workspace::at(folder.path())).expect("a masker"));
    let mut log = StoredLog::create(&path, masker).expect("a log");
    let mut states = Vec::new();
    for step in steps {
        match step {
            Write(bytes) => log.write(bytes),
            Pause => log.pause(),
        }
        .expect("written");
        states.push(fs::read(&path).expect("read"));
    }
    let stored = log.finish().file;
    let content = fs::read(&path).expect("read");
    let measured = crate::capture::stored::measure(path).expect("measured");
    assert_eq!((stored.digest, stored.size), (measured.digest, measured.size));
    let grows = states.iter().chain([&content]).collect::<Vec<_>>();
    assert!(grows.windows(2).all(|pair| pair[1].starts_with(pair[0])), "the file only grows");
    (states, content)
}

fn kept(text: &str) -> String {
    String::from_utf8(trial(true, &[Write(text.as_bytes())]).1).expect("text")
}

#[test]
fn of_a_line_that_is_written_anew_the_last_state_is_kept() {
    assert_eq!(kept("a\n 0%\r 50%\r100%\nb\n"), "a\n100%\nb\n");
    assert_eq!(kept("\r 0%\r 50%\r100%\n"), "100%\n");
    assert_eq!(kept("windows\r\nlines\r\n"), "windows\r\nlines\r\n");
    assert_eq!(kept("0%\r100%\r\nb"), "100%\r\nb");
    assert_eq!(kept("0%\r\r\r\nb"), "0%\r\nb");
    assert_eq!(kept("0%\r50%"), "50%");
    assert_eq!(kept("0%\r50%\r"), "50%\r");
    assert_eq!(kept(""), "");
}

#[test]
fn a_progress_bar_waits_for_its_end_and_a_question_does_not() {
    let (states, content) = trial(true, &[Write(b"\r10%"), Pause, Write(b"\r20%"), Pause, Write(b"\n")]);
    assert!(states[..4].iter().all(Vec::is_empty));
    assert_eq!(content, b"20%\n");
    let (states, content) = trial(true, &[Write(b"a\nGo on? [y/n]: "), Pause, Write(b"yes\n")]);
    assert_eq!(states[0], b"a\n");
    assert_eq!(states[1], b"a\nGo on? [y/n]: ");
    assert_eq!(content, b"a\nGo on? [y/n]: yes\n");
}

#[test]
fn a_secret_that_comes_in_two_halves_is_masked_all_the_same() {
    let (first, second) = TOKEN.as_bytes().split_at(12);
    let (_, content) = trial(true, &[Write(b"with "), Write(first), Pause, Write(second), Pause, Write(b" on\n")]);
    assert_eq!(content, b"with [masked: github token] on\n");
    let (states, content) = trial(true, &[Write(b"password: "), Pause, Write(b"s3cret-pass"), Pause, Write(b"\n")]);
    assert_eq!(states[1], b"password: ");
    assert_eq!(content, b"password: [masked: password]\n");
    let (_, content) = trial(true, &[Write(b"password=\"s3cret!"), Pause, Write(b"pass7\"\n")]);
    assert_eq!(content, b"password=\"[masked: password]\"\n");
}

#[test]
fn what_was_written_at_a_pause_is_written_anew_behind_a_return() {
    let (states, content) = trial(true, &[Write(b"step 1 of 2 "), Pause, Write(b"\rstep 2 of 2 "), Write(b"\rdone\n")]);
    assert_eq!(states[1], b"step 1 of 2 ");
    assert_eq!(content, b"step 1 of 2 \rdone\n");
}

#[test]
fn what_was_held_back_when_we_were_killed_is_added_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a.stdout.log");
    let mut log = StoredLog::create(&path, None).expect("made");
    log.write(b"a line\nno end").expect("written");
    assert_eq!(fs::read(&path).expect("read"), b"a line\n");
    // Killed: nothing of ours runs any more.
    mem::forget(log);
    for _ in 0..2 {
        StoredLog::complete(&path, None).expect("completed");
        assert_eq!(fs::read(&path).expect("read"), b"a line\nno end");
    }
    let mut log = StoredLog::create(&path, None).expect("made anew");
    log.write(b"half").expect("written");
    log.write(b" a line\n").expect("written");
    mem::forget(log);
    StoredLog::complete(&path, None).expect("completed");
    assert_eq!(fs::read(&path).expect("read"), b"half a line\n");
}

#[test]
fn room_for_bytes_that_never_came_is_cut_off() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a.stdout.log");
    for (torn, whole) in [(0, "a\0line\n"), (10, "a\0line\n"), (10_000, "a\0line\n"), (8192, "")] {
        fs::write(&path, [whole.as_bytes(), &vec![0; torn]].concat()).expect("written");
        StoredLog::cut_what_never_came(&path).expect("cut");
        assert_eq!(fs::read(&path).expect("read"), whole.as_bytes(), "{torn}");
    }
}

#[test]
fn without_a_masker_nothing_is_masked() {
    let text = format!("with {TOKEN}\n0%\r1%\n");
    assert_eq!(trial(false, &[Write(text.as_bytes())]).1, format!("with {TOKEN}\n1%\n").as_bytes());
}

#[test]
fn little_is_held_of_a_line_without_an_end() {
    let line = vec![b'x'; 1024 * 1024];
    let (states, content) = trial(true, &[Write(&line)]);
    assert!(line.len() - states[0].len() <= 64 * 1024);
    assert!(content == line);
}

fn text() -> impl Strategy<Value = Vec<u8>> {
    let part = prop_oneof![
        Just(b"\r".to_vec()),
        Just(b"\n".to_vec()),
        Just(b"\r\n".to_vec()),
        Just(TOKEN.as_bytes().to_vec()),
        Just(vec![b'y'; 50_000]),
        prop::collection::vec(any::<u8>(), 0..20),
    ];
    prop::collection::vec(part, 0..14).prop_map(|parts| parts.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn how_the_output_comes_in_pieces_makes_no_difference(
        text in text(),
        cuts in prop::collection::vec(any::<usize>(), 0..6),
        is_masking in any::<bool>(),
    ) {
        let mut cuts: Vec<_> = cuts.into_iter().map(|cut| cut % (text.len() + 1)).chain([text.len()]).collect();
        cuts.sort_unstable();
        let mut at = 0;
        let pieces: Vec<_> = cuts.into_iter().map(|cut| Write(&text[mem::replace(&mut at, cut)..cut])).collect();
        let (_, in_pieces) = trial(is_masking, &pieces);
        prop_assert!(in_pieces == trial(is_masking, &[Write(&text)]).1);
    }

    #[test]
    fn what_has_neither_returns_nor_secrets_is_kept_byte_for_byte(
        bytes in prop::collection::vec(any::<u8>().prop_filter("no return", |byte| *byte != b'\r'), 0..4000),
        sizes in 1..700_usize,
        pauses in any::<bool>(),
    ) {
        // So few bytes hold a secret once in the life of a universe; if they do, this says so.
        let steps: Vec<_> = bytes.chunks(sizes).flat_map(|piece| if pauses { vec![Write(piece), Pause] } else { vec![Write(piece)] }).collect();
        prop_assert_eq!(trial(true, &steps).1, bytes);
    }
}
