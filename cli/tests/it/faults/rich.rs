//! A recording that makes every call there is: files of all sizes, a repository with commits that are nowhere else,
//! a log that it declares; and what it does in rounds, so that what is told while it runs is told three times.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::os::unix::fs::FileExt as _;

use otrace_server::testing::TestProject;
use serde_json::json;
use tokio::time::timeout;

use super::api::{Api, hex_digest};
use super::proxy::{Proxy, Watched};
use super::recording::{ARTIFACT, Ended, PATIENCE, Recording, show};
use crate::workspace::Workspace;

/// As long as a part of a content is in `otrace_wire::contents`.
pub const PART: u64 = 8 * 1024 * 1024;
/// So many parts the large file has. The last one is shorter.
pub const PARTS: usize = 3;
/// So often the command does the same.
pub const ROUNDS: usize = 3;

/// The large file's length.
const LARGE: u64 = 2 * PART + 512 * 1024;
/// The length of a file that goes alone, and in one piece.
const MIDDLE: usize = 300 * 1024;
/// What is told in each round.
const TOLD: [&str; 4] = ["/logs/stdout", "/logs/stderr", "/logs/log", "/series"];

/// Waits at `gate` after each round. As long as it lives, it holds `alive` open.
const SCRIPT: &str = r#"exec 3>alive
printf '\000weights\377' > out.bin
cp made large.bin
for round in 1 2 3; do
    echo "{\"step\": $round, \"loss\": 0.5}" >> "$TRACE_METRICS"
    printf 'out %s \377\n' $round
    printf 'told %s \376\n' $round >&2
    echo "log $round" >> train.log
    read go < gate
done
exit 3"#;

/// What it declares.
const OPTIONS: [&str; 9] = [
    "-q",
    "--expect-artifact",
    "large.bin",
    "--expect-artifact",
    "middle",
    "--expect-log",
    "train.log",
    "--title",
    "rich",
];

/// It, on its way.
pub struct Rich {
    pub recording: Recording,
    calls: Watched,
}

/// A workspace that is a repository with all that can be captured of one.
pub async fn workspace(url: &str, project: &TestProject) -> Workspace {
    let workspace = Workspace::new().set("TRACE_API_URL", url).set("TRACE_API_KEY", &project.key);
    let workspace = workspace.set("TRACE_PROJECT_ID", &project.id.to_string());
    workspace.git(&["init", "--quiet", "--initial-branch=main"]).await;
    workspace.write(".gitignore", "made\n*.bin\nmiddle\nalive\ngate\ntrain.log\n*_runspec.yaml\n");
    workspace.write("train.py", "one\n");
    workspace.git(&["add", "."]).await;
    workspace.git(&["commit", "--quiet", "-m", "on no remote"]).await;
    workspace.write("train.py", "one\ntwo\n");
    workspace.write("notes.txt", "untracked\n");
    for name in ["a", "b"] {
        workspace.write(&format!("middle/{name}"), name.repeat(MIDDLE));
    }
    write_large(&workspace, "made");
    workspace
}

/// Writes a file of three parts, no two of which are alike. Where there is nothing to tell, it is a hole.
pub fn write_large(workspace: &Workspace, name: &str) {
    let file = File::create(workspace.path(name)).expect("a file");
    file.set_len(LARGE).expect("its length");
    for part in 0..PARTS as u64 {
        file.write_all_at(format!("part {part}").as_bytes(), part * PART).expect("written");
    }
}

impl Rich {
    /// Starts it.
    pub async fn start(proxy: &Proxy, project: &TestProject) -> Self {
        let calls = proxy.watched();
        let workspace = workspace(proxy.url(), project).await;
        Self { recording: Recording::of(SCRIPT, workspace, &OPTIONS), calls }
    }

    /// Goes through a round, the first of which is 1, when what there is to tell of it has been told at least once.
    pub async fn round(&mut self, round: usize) {
        let is_told =
            |calls: &[String]| TOLD.iter().all(|end| calls.iter().filter(|call| call.ends_with(end)).count() >= round);
        timeout(PATIENCE, self.calls.clone().are(is_told)).await.expect("each round is told");
        self.recording.release();
    }

    /// Waits for the end of it, which is the command's own, with all that it printed.
    pub async fn ended(&mut self) -> Ended {
        let ended = self.recording.otrace_ended().await;
        let stderr = String::from_utf8_lossy(&ended.stderr).into_owned();
        assert_eq!(ended.code, Some(3), "the exit code; {stderr}");
        assert_eq!(show(&ended.stdout), show(&stdout()), "stdout");
        let told = ended.stderr.split_inclusive(|byte| *byte == b'\n').filter(|line| line.starts_with(b"told "));
        assert_eq!(show(&told.collect::<Vec<_>>().concat()), show(&stderr_of_command()), "stderr");
        ended
    }
}

fn stdout() -> Vec<u8> {
    (1..=ROUNDS).flat_map(|round| [format!("out {round} ").as_bytes(), b"\xff\n"].concat()).collect()
}

fn stderr_of_command() -> Vec<u8> {
    (1..=ROUNDS).flat_map(|round| [format!("told {round} ").as_bytes(), b"\xfe\n"].concat()).collect()
}

impl Api {
    /// The one run of the project has all of a rich recording, each byte once. The workspace has the files.
    pub async fn has_all_of(&self, workspace: &Workspace) {
        let run = self.only_run().await;
        assert_eq!((&run["status"], &run["exit_code"]), (&json!("failed"), &json!(3)), "how it ended");
        for (stream, expected) in [("stdout", stdout()), ("stderr", stderr_of_command())] {
            assert_eq!(show(&self.log(stream).await), show(&expected), "{stream}");
        }
        let artifacts = run["artifacts"].as_array().expect("a list");
        let mut paths: Vec<_> = artifacts.iter().filter_map(|artifact| artifact["original_path"].as_str()).collect();
        paths.sort_unstable();
        assert_eq!(paths, ["large.bin", "middle/a", "middle/b", "out.bin", "train.log"]);
        for artifact in artifacts {
            let (path, hash) = (artifact["original_path"].as_str().expect("text"), artifact["hash"].as_str());
            let expected = fs::read(workspace.path(path)).expect("it is there");
            assert_eq!(hash, Some(format!("sha256:{}", hex_digest(&expected)).as_str()), "{path}");
            assert!(self.content(hash.expect("text")).await.is_some_and(|found| found == expected), "{path}");
        }
        assert_eq!(fs::read(workspace.path("out.bin")).expect("it is there"), ARTIFACT);
        let snapshot = &run["snapshot"];
        assert_eq!(snapshot["missing_expected_paths"], json!([]));
        let files = snapshot["files"].as_array().expect("a list");
        let kinds: BTreeSet<_> = files.iter().filter_map(|file| file["kind"].as_str()).collect();
        for kind in ["dirty_diff", "git_bundle", "untracked"] {
            assert!(kinds.contains(kind), "{kind} among {kinds:?}");
        }
        for file in files {
            assert!(self.content(file["hash"].as_str().expect("a hash")).await.is_some(), "{file}");
        }
        let points = (1..=ROUNDS).map(|step| (step.to_string(), "0.5".to_owned()));
        assert_eq!(self.points("loss").await, points.collect::<Vec<_>>(), "the series");
    }
}
