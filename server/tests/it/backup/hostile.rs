//! Archives that nobody exported: refused with one sentence, and nothing is changed.

use otrace_server::domain::archive::tar;
use otrace_server::error::AppError;
use otrace_server::services::archive::import;
use otrace_server::testing::TestApp;
use serde_json::{Value, json};

use super::archive::{archive_of, owner};
use super::server::{digest_of, fill_a_little};
use super::{assert_same_rows, keys, rows_of};

/// A file of an archive: its name, and what is in it.
type File = (String, Vec<u8>);

/// A word of what is said of an archive, and the archive.
type Case = (&'static str, Vec<u8>);

/// The files of an archive.
pub fn entries(archive: &[u8]) -> Vec<File> {
    let (mut entries, mut at) = (Vec::new(), 0);
    while let Some(entry) = tar::read(archive[at..at + 512].try_into().unwrap()).unwrap() {
        let size = usize::try_from(entry.size_bytes).unwrap();
        entries.push((entry.name, archive[at + 512..at + 512 + size].to_vec()));
        at += 512 + size.next_multiple_of(512);
    }
    assert_eq!(archive.len(), at + 1024, "it ends with two empty blocks");
    entries
}

fn packed(entries: &[File]) -> Vec<u8> {
    let mut archive = Vec::new();
    for (name, bytes) in entries {
        archive.extend_from_slice(&tar::header(name, bytes.len() as u64, 0).unwrap());
        archive.extend_from_slice(bytes);
        archive.resize(archive.len().next_multiple_of(512), 0);
    }
    archive.resize(archive.len() + 1024, 0);
    archive
}

/// An archive, to be changed.
struct Archive(Vec<File>);

impl Archive {
    /// Where the first file is whose name begins so, and in which there is something.
    fn place(&self, name: &str) -> usize {
        self.0.iter().position(|(found, bytes)| found.starts_with(name) && !bytes.is_empty()).unwrap()
    }

    /// The same after something was done to its files.
    fn after(&self, change: impl FnOnce(&mut Vec<File>)) -> Vec<u8> {
        let mut entries = self.0.clone();
        change(&mut entries);
        assert!(entries != self.0, "something was changed");
        packed(&entries)
    }

    /// The same with another text in one of its files.
    fn with(&self, name: &str, change: impl FnOnce(&str) -> String) -> Vec<u8> {
        let place = self.place(name);
        self.after(|files| files[place].1 = change(std::str::from_utf8(&self.0[place].1).unwrap()).into_bytes())
    }

    /// The same with its runs told otherwise.
    fn with_runs(&self, change: impl FnOnce(&mut Vec<Value>)) -> Vec<u8> {
        self.with("runs.jsonl", |text| {
            let mut runs: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
            change(&mut runs);
            runs.iter().flat_map(|run| [run.to_string(), "\n".to_owned()]).collect()
        })
    }

    /// The same with something else in its first run, which has all that a run can have.
    fn with_run(&self, pointer: &str, value: Value) -> Vec<u8> {
        self.with_runs(|runs| *runs[0].pointer_mut(pointer).unwrap() = value)
    }
}

fn other_files(archive: &Archive) -> Vec<Case> {
    let whole = packed(&archive.0);
    let (content, runs) = (archive.place("contents/"), archive.place("runs.jsonl"));
    let mut link = whole.clone();
    link[156] = b'2';
    let mut huge = whole.clone();
    huge[..512].copy_from_slice(&tar::header("archive.json", 1 << 50, 0).unwrap());
    vec![
        ("cut short", Vec::new()),
        ("cut short", whole[..700].to_vec()),
        ("cut short", whole[..whole.len() / 2].to_vec()),
        ("cut short", whole[..whole.len() - 1024].to_vec()),
        ("no archive", link),
        ("too large", huge),
        ("no archive", vec![0x1f; 4096]),
        ("ends before", vec![0; 1024]),
        ("passwd", archive.after(|files| "contents/../../etc/passwd".clone_into(&mut files[content].0))),
        ("/etc/passwd", archive.after(|files| "/etc/passwd".clone_into(&mut files[content].0))),
        ("as its name says", archive.after(|files| files[content].1[0] ^= 1)),
        ("lacks the content", archive.after(|files| drop(files.remove(content)))),
        ("as much in it", archive.after(|files| files.insert(content, files[content].clone()))),
        ("should be", archive.after(|files| drop(files.remove(runs)))),
        ("behind its end", archive.after(|files| files.push(files[0].clone()))),
        ("does not know", archive.with("archive.json", |text| text.replace("\"format\": 1", "\"format\": 2"))),
        ("can't be", archive.with("archive.json", |text| text.replace("\"wake-word\"", "\"../admin\""))),
        (
            "can't be",
            archive.with("archive.json", |text| text.replace("\"last_run_number\": 4", "\"last_run_number\": -1")),
        ),
        ("as much in it", archive.with("end.json", |text| text.replace("\"runs\": 3", "\"runs\": 4"))),
    ]
}

fn other_runs(archive: &Archive) -> Vec<Case> {
    let unknown = digest_of(b"elsewhere").to_string();
    let rows: Vec<Value> = (0..101).map(|row| json!({"step": row})).collect();
    vec![
        ("order", archive.with_runs(|runs| runs.swap(0, 1))),
        ("order", archive.with_runs(|runs| runs[2]["run"]["experiment_id"] = json!("exp999"))),
        ("same id", archive.with_runs(|runs| runs[1]["run"]["id"] = runs[0]["run"]["id"].clone())),
        ("as much in it", archive.with_runs(|runs| drop(runs.remove(1)))),
        ("not older", archive.with_runs(|runs| runs[0]["run"]["parent"] = json!("exp004"))),
        (
            "log twice",
            archive.with_runs(|runs| {
                let log = runs[2]["growing"][0].clone();
                runs[2]["growing"].as_array_mut().unwrap().push(log);
            }),
        ),
        ("what its contents are", archive.with_run("/artifacts", json!([]))),
        ("lacks the content", archive.with_run("/artifacts/0", json!(unknown))),
        ("lacks the content", archive.with_run("/tables/0", json!(unknown))),
        ("lacks the content", archive.with_run("/run/logs/0/hash", json!(unknown))),
        ("intent", archive.with_run("/run/intent", json!(" "))),
        ("1970", archive.with_run("/run/created_at", json!("9999-01-01T00:00:00Z"))),
        ("signal", archive.with_run("/run/signal", json!("rm -rf /"))),
        ("first rows", archive.with_run("/run/tables/0/rows", json!(rows))),
        ("kind", archive.with_run("/run/snapshot/files/0/kind", json!("../passwd"))),
        ("64 KiB", archive.with_run("/run/notes/0/text", json!("x".repeat(70_000)))),
        ("line breaks", archive.with_run("/run/notes/0/author", json!("a\nb"))),
        ("can't be read", archive.with_run("/run/status", json!("dancing"))),
        ("can't be read", archive.with_run("/run/experiment_id", json!("exp-1"))),
        ("can't be read", archive.with("runs.jsonl", |_| "{\n".to_owned())),
        ("NUL", archive.with("runs.jsonl", |text| text.replacen("what makes", "\\u0000", 1))),
        ("no end", archive.with("runs.jsonl", |text| text.trim_end().to_owned())),
    ]
}

fn other_series(archive: &Archive) -> Vec<Case> {
    let lines = |change: fn(&mut Vec<String>)| {
        archive.with("series.jsonl", |text| {
            let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
            change(&mut lines);
            lines.iter().flat_map(|line| [line.as_str(), "\n"]).collect()
        })
    };
    vec![
        ("not the run", archive.with("series.jsonl", |text| text.replace("exp004", "exp003"))),
        ("cut short", lines(|lines| drop(lines.pop()))),
        ("twice", lines(|lines| lines.insert(2, lines[0].clone()))),
        ("named by", lines(|lines| lines[0] = lines[0].replace("\"loss\"", "\"a\\nb\""))),
        ("as much in it", lines(|lines| drop(lines.remove(0)))),
        (
            "2,048",
            lines(|lines| {
                let points = vec![json!([0, null, 0.0]); 2049];
                lines[0] = json!({"line": "points", "run": "exp004", "name": "loss", "points": points}).to_string();
            }),
        ),
    ]
}

#[tokio::test]
async fn an_archive_that_nobody_exported_is_refused_and_nothing_is_changed() {
    let app = TestApp::new().await;
    let project = fill_a_little(&app).await;
    let archive = Archive(entries(&archive_of(&app, &project.slug).await));
    let elsewhere = TestApp::new().await;
    let owner = owner(&elsewhere).await;
    let before = rows_of(&elsewhere).await;
    let cases = [other_files(&archive), other_runs(&archive), other_series(&archive)].concat();
    for (word, changed) in cases {
        let refused = import(&elsewhere.app, changed.as_slice(), &owner, None).await.unwrap_err();
        let told = refused.message();
        assert!(matches!(refused, AppError::Invalid(_) | AppError::Conflict(_)), "{word}: {refused:?}");
        assert!(told.contains(word) && !told.contains('\n'), "{word}: {told}");
        assert_same_rows(&rows_of(&elsewhere).await, &before);
        assert_eq!(keys(&elsewhere.app.blobs).await, [""; 0], "{word}");
    }
    // It was the changes.
    import(&elsewhere.app, packed(&archive.0).as_slice(), &owner, None).await.unwrap();
}
