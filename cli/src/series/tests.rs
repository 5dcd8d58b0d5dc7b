//! Files that grow, are cut off, written anew and replaced while they are followed.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::PathBuf;

use otrace_wire::series::POINTS_MAX;
use tempfile::TempDir;

use super::*;

struct Run {
    _folder: TempDir,
    root: PathBuf,
}

impl Run {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path().canonicalize().expect("a path");
        Self { _folder: folder, root }
    }

    fn follow(&self, declared: &[&str]) -> Tailers {
        let declared: Vec<String> = declared.iter().map(|path| (*path).to_owned()).collect();
        Tailers::new(&self.root, &declared, &self.root.join("exp001.jsonl"))
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        fs::write(self.root.join(name), content).expect("written");
    }

    fn append(&self, name: &str, content: impl AsRef<[u8]>) {
        let file = OpenOptions::new().append(true).create(true).open(self.root.join(name));
        file.and_then(|mut file| file.write_all(content.as_ref())).expect("written");
    }
}

/// What is new, as `source+first name@step=value`.
fn shown(batches: Vec<SeriesBatch>) -> Vec<String> {
    let mut shown = Vec::new();
    for SeriesBatch { source, first, points } in batches {
        for (number, point) in (first..).zip(points) {
            assert!(point.time.is_some(), "{point:?}");
            shown.push(format!("{source}+{number} {}@{}={}", point.name, point.step.unwrap_or(-1), point.value));
        }
    }
    shown
}

fn poll(tailers: &mut Tailers) -> Vec<String> {
    shown(tailers.poll())
}

#[test]
fn points_come_as_they_are_written_and_only_whole_lines_count() {
    let run = Run::new();
    let mut tailers = run.follow(&["out.csv"]);
    assert!(poll(&mut tailers).is_empty(), "nothing is there yet");
    run.append("exp001.jsonl", "{\"step\": 10, \"loss\": 0.5}\n{\"step\": 20, \"lo");
    assert_eq!(poll(&mut tailers), ["metrics+0 loss@10=0.5"]);
    assert!(poll(&mut tailers).is_empty());
    run.append("exp001.jsonl", "ss\": 0.25}\n");
    run.append("out.csv", "step,acc\n1,0.");
    assert_eq!(poll(&mut tailers), ["metrics+1 loss@20=0.25"]);
    run.append("out.csv", "9\n2,0.95");
    assert_eq!(poll(&mut tailers), ["file:out.csv+0 acc@1=0.9"]);
    assert_eq!(shown(tailers.end()), ["file:out.csv+1 acc@2=0.95"]);
    assert!(tailers.end().is_empty());
}

#[test]
fn what_an_earlier_run_has_left_is_not_this_runs() {
    let run = Run::new();
    run.write("old.csv", "step,acc\n1,0.1\n");
    run.write("new.csv", "step,acc\n1,0.1\n");
    let mut tailers = run.follow(&["old.csv", "new.csv"]);
    assert!(poll(&mut tailers).is_empty());
    run.append("old.csv", "2,0.2\n");
    run.write("new.csv", "step,acc\n7,0.7\n8,0.8\n");
    let expected = ["file:new.csv+0 new/acc@7=0.7", "file:new.csv+1 new/acc@8=0.8", "file:old.csv+0 old/acc@2=0.2"];
    let sorted = |mut lines: Vec<String>| {
        lines.sort();
        lines
    };
    assert_eq!(sorted(poll(&mut tailers)), expected);
    // Who begins once more, such as `otrace sync`, counts the same.
    assert_eq!(sorted(poll(&mut run.follow(&["old.csv", "new.csv"]))), expected);
}

#[test]
fn a_file_that_is_written_anew_with_its_history_gives_only_what_is_new() {
    let run = Run::new();
    let mut tailers = run.follow(&["m.csv"]);
    run.write("m.csv", "step,acc\n1,0.1\n");
    assert_eq!(poll(&mut tailers), ["file:m.csv+0 acc@1=0.1"]);
    // In place, and caught in the middle of it.
    run.write("m.csv", "step,a");
    assert!(poll(&mut tailers).is_empty());
    run.write("m.csv", "step,acc\n1,0.1\n2,0.2\n");
    assert_eq!(poll(&mut tailers), ["file:m.csv+1 acc@2=0.2"]);
    // By another file in its place.
    run.write("next", "step,acc\n1,0.1\n2,0.2\n3,0.3\n");
    fs::rename(run.root.join("next"), run.root.join("m.csv")).expect("renamed");
    assert_eq!(poll(&mut tailers), ["file:m.csv+2 acc@3=0.3"]);
}

#[test]
fn a_log_that_is_rotated_or_cut_off_is_read_on() {
    let run = Run::new();
    let mut tailers = run.follow(&["train.log"]);
    run.write("train.log", "epoch 1 loss=1\n");
    assert_eq!(poll(&mut tailers), ["file:train.log+0 loss@1=1"]);
    run.append("train.log", "epoch 2 loss=2");
    fs::rename(run.root.join("train.log"), run.root.join("train.log.1")).expect("renamed");
    run.write("train.log", "epoch 3 loss=3\n");
    assert_eq!(poll(&mut tailers), ["file:train.log+1 loss@2=2", "file:train.log+2 loss@3=3"]);
    run.write("train.log", "e");
    let found: Vec<String> = (0..10).flat_map(|_| poll(&mut tailers)).collect();
    assert!(found.is_empty());
    run.append("train.log", "poch 4 loss=4\n");
    assert_eq!(poll(&mut tailers), ["file:train.log+3 loss@4=4"]);
}

#[test]
fn endless_lines_and_bytes_that_are_no_text_do_no_harm() {
    let run = Run::new();
    let mut tailers = run.follow(&["train.log", "weights"]);
    run.append("train.log", vec![b'x'; 300_000]);
    run.append("train.log", b"\n\xff\xfe epoch 1 loss=1\n");
    run.append("train.log", b"epoch 2 \xff loss=2\n");
    run.append("weights", b"\x00\x01epoch 1 loss=1\nepoch 2 loss=2\n");
    let found = poll(&mut tailers);
    assert_eq!(found, ["file:train.log+0 train/loss@1=1", "file:train.log+1 train/loss@2=2"]);
    assert!(poll(&mut tailers).is_empty());
}

#[test]
fn a_lot_at_once_comes_in_turns_of_one_request_each_and_all_of_it_comes() {
    let run = Run::new();
    let mut tailers = run.follow(&["a.csv", "b.csv"]);
    let rows = |count: i32| (0..count).fold("step,x,y\n".to_owned(), |text, step| format!("{text}{step},1,2\n"));
    run.write("a.csv", rows(9_000));
    run.write("b.csv", rows(100));
    let mut counts = Vec::new();
    let mut next = std::collections::BTreeMap::<String, u64>::new();
    loop {
        let batches = tailers.end();
        if batches.is_empty() {
            break;
        }
        counts.push(batches.iter().map(|batch| batch.points.len()).sum::<usize>());
        for batch in batches {
            let next = next.entry(batch.source).or_default();
            assert_eq!(batch.first, *next, "no gap");
            *next += batch.points.len() as u64;
        }
    }
    assert!(counts.iter().all(|count| *count <= POINTS_MAX), "{counts:?}");
    assert_eq!(next, [("file:a.csv".to_owned(), 18_000), ("file:b.csv".to_owned(), 200)].into());
}

#[test]
fn a_pipe_is_not_waited_for() {
    let run = Run::new();
    let mut tailers = run.follow(&["m.csv"]);
    nix::unistd::mkfifo(&run.root.join("m.csv"), nix::sys::stat::Mode::S_IRWXU).expect("made");
    assert!(poll(&mut tailers).is_empty());
}
