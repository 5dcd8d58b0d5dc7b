//! The import manifest, version 1: runs that happened elsewhere, and the files that they left behind.
//!
//! It is read whole and checked strictly, so that every mistake is told before anything happens.

use std::fs::File;
use std::io::{self, BufReader};
use std::path::Path;

use otrace_wire::imports::RUNS_MAX;
use otrace_wire::{CreateRun, RunOutcome, RunStatus};
use serde_json::Value;

use crate::error::{Error, Result};
use crate::import::fields::{Fields, Mistakes};
use crate::import::files::Folder;
use crate::import::left_behind::LeftBehind;
use crate::outputs::finite_json::FiniteJson;
use crate::secrets::{Masker, Surface};
use crate::workspace::Workspace;

/// The longest intent, setup and command that the server takes, in bytes.
const TEXT_MAX_BYTES: usize = 1024 * 1024;
/// The longest title and tag.
const NAME_MAX_BYTES: usize = 4096;
/// The most tags of a run.
const TAGS_MAX: usize = 1000;

/// What a manifest has.
#[derive(Debug)]
pub struct Manifest {
    /// The runs that can be imported, in its order.
    pub runs: Vec<PlannedRun>,
    /// How many can't be.
    pub wrong: usize,
    /// Why, a line each.
    pub mistakes: Vec<String>,
}

/// A run that can be imported.
#[derive(Debug)]
pub struct PlannedRun {
    /// What was known before its command started.
    pub create: CreateRun,
    /// How it went.
    pub outcome: RunOutcome,
    /// What it left behind.
    pub left_behind: LeftBehind,
}

impl PlannedRun {
    /// The same without the secrets in what is told of it. Those in its files are masked when the files are read.
    pub fn masked(mut self, masker: &Masker) -> Self {
        let CreateRun { intent, setup, command, title, tags, .. } = &mut self.create;
        for (surface, text) in [(Surface::Intent, intent), (Surface::Setup, setup), (Surface::Command, command)] {
            *text = masker.mask_text(&surface, text);
        }
        for name in title.iter_mut().chain(tags) {
            *name = masker.mask_text(&Surface::Title, name);
        }
        let remote = self.left_behind.snapshot.as_mut().and_then(|snapshot| snapshot.git_remote_url.as_mut());
        if let Some(url) = remote {
            *url = masker.mask_text(&Surface::RemoteUrl, url);
        }
        self
    }
}

impl Manifest {
    /// Reads and checks a manifest, and that each file that it names can be read.
    pub fn load(path: &Path, workspace: &Workspace) -> Result<Self> {
        let runs = runs(path)?;
        let folder = Folder::of(path, workspace)?;
        let mut manifest = Self { runs: Vec::with_capacity(runs.len()), wrong: 0, mistakes: Vec::new() };
        for (place, value) in runs {
            let mut mistakes = Mistakes::default();
            let run = run(value, place, &folder, &mut mistakes);
            match run.filter(|_| mistakes.is_empty()) {
                Some(run) => manifest.runs.push(run),
                None => manifest.wrong += 1,
            }
            manifest.mistakes.extend(mistakes.into_lines());
        }
        Ok(manifest)
    }
}

/// The runs of a manifest, each with its place. If the manifest itself is wrong, none of them counts.
fn runs(path: &Path) -> Result<Vec<(String, Value)>> {
    let mut mistakes = Mistakes::default();
    let fields = Fields::of(document(path)?, String::new(), &mut mistakes);
    let mut fields = fields.ok_or_else(|| Error::new("an import manifest must be a JSON object"))?;
    if fields.take("version").and_then(|version| version.as_f64()) != Some(1.0) {
        mistakes.add("version", "must be 1");
    }
    let runs = fields.list("runs", &mut mistakes);
    if mistakes.is_empty() && runs.is_empty() {
        mistakes.add("runs", "must be a list of one run or more");
    }
    if runs.len() as u64 > u64::from(RUNS_MAX) {
        mistakes.add("runs", format_args!("must be at most {RUNS_MAX}: make several manifests, and add --append"));
    }
    fields.end(&mut mistakes);
    if mistakes.is_empty() {
        return Ok(runs);
    }
    let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy();
    Err(Error::new(mistakes.into_lines().join("; ")).with_hint(format!("Correct {name}.")))
}

fn document(path: &Path) -> Result<Value> {
    let file = File::open(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => Error::new(format!("import manifest not found: {}", path.display())),
        _ => Error::file("read", path, &error),
    })?;
    // Python writes it, with words for what JSON has no number for.
    let reader = BufReader::new(FiniteJson::new(BufReader::new(file)));
    serde_json::from_reader(reader)
        .map_err(|error| Error::new(format!("import manifest is not valid JSON: {}: {error}", path.display())))
}

fn run(value: Value, place: String, folder: &Folder<'_>, mistakes: &mut Mistakes) -> Option<PlannedRun> {
    let mut fields = Fields::of(value, place, mistakes)?;
    for name in ["intent", "setup", "command", "status"] {
        fields.require(name, mistakes);
    }
    let create = CreateRun {
        intent: fields.short_text("intent", TEXT_MAX_BYTES, mistakes).unwrap_or_default(),
        setup: fields.short_text("setup", TEXT_MAX_BYTES, mistakes).unwrap_or_default(),
        command: command(&mut fields, mistakes),
        title: fields.short_text("title", NAME_MAX_BYTES, mistakes),
        tags: tags(&mut fields, mistakes),
        created_at: fields.time("created_at", mistakes),
        recorder: Some(concat!("otrace import ", env!("CARGO_PKG_VERSION")).to_owned()),
        ..CreateRun::default()
    };
    let wanted = "one of created, running, completed, failed, capture_failed";
    let status: Option<RunStatus> = fields.read("status", wanted, mistakes, |value| value.as_str()?.parse().ok());
    let seconds = "a number of seconds, 0 or more";
    let outcome = RunOutcome {
        status,
        exit_code: fields.whole("exit_code", mistakes),
        duration_seconds: fields
            .read("duration_seconds", seconds, mistakes, |value| value.as_f64().filter(|seconds| *seconds >= 0.0)),
        started_at: fields.time("started_at", mistakes),
        finished_at: fields.time("finished_at", mistakes),
        ..RunOutcome::default()
    };
    let left_behind = LeftBehind::read(&mut fields, folder, mistakes);
    fields.end(mistakes);
    Some(PlannedRun { create, outcome, left_behind })
}

/// One line that a shell would take, or the program and its arguments.
fn command(fields: &mut Fields, mistakes: &mut Mistakes) -> String {
    let wanted = "a string, or a list of strings without zero bytes";
    let command = fields.read("command", wanted, mistakes, |value| match value {
        Value::String(line) => Some(line),
        Value::Array(words) => {
            let words: Option<Vec<&str>> = words.iter().map(Value::as_str).collect();
            shlex::try_join(words?).ok()
        }
        _ => None,
    });
    let command = command.unwrap_or_default();
    if command.len() > TEXT_MAX_BYTES {
        mistakes.add(&fields.place("command"), format_args!("must be at most {TEXT_MAX_BYTES} bytes long"));
    }
    command
}

fn tags(fields: &mut Fields, mistakes: &mut Mistakes) -> Vec<String> {
    let tags = fields.texts("tags", mistakes);
    if tags.len() > TAGS_MAX || tags.iter().any(|tag| tag.len() > NAME_MAX_BYTES) {
        let place = fields.place("tags");
        mistakes.add(&place, format_args!("must be at most {TAGS_MAX} words of {NAME_MAX_BYTES} bytes each"));
    }
    tags
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn load(manifest: &str) -> Result<Manifest> {
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path().canonicalize().expect("a path");
        std::fs::write(root.join("import.json"), manifest).expect("written");
        std::fs::write(root.join("a.log"), "text").expect("written");
        Manifest::load(&root.join("import.json"), &Workspace::at(&root))
    }

    fn minimal() -> Value {
        json!({"intent": "i", "setup": "s", "command": ["sh", "-c", "a b"], "status": "completed"})
    }

    #[test]
    fn a_run_needs_little_and_nan_is_a_value() {
        let text = json!({"version": 1, "runs": [minimal()]}).to_string();
        let with_nan = text.replace("\"completed\"", r#""completed", "results": [{"name": "loss", "value": NaN}]"#);
        let manifest = load(&with_nan).expect("a manifest");
        assert_eq!((manifest.runs.len(), manifest.mistakes.len()), (1, 0), "{:?}", manifest.mistakes);
        let run = &manifest.runs[0];
        assert_eq!((run.create.command.as_str(), run.outcome.status), ("sh -c 'a b'", Some(RunStatus::Completed)));
        assert_eq!(run.left_behind.results[0].value, json!("NaN"));
    }

    #[test]
    fn a_wrong_run_is_left_out_and_its_mistakes_have_their_places() {
        let mut wrong = minimal();
        wrong["status"] = json!("done");
        wrong["logs"] = json!([{"path": "a.log"}, {"path": "b.log", "stream": "tty"}]);
        wrong["artifacts"] = json!([{"path": "nowhere", "type": "model", "hash": "x"}]);
        wrong["tables"] = json!([{"columns": ["a"], "rows": [[1]]}]);
        wrong["results"] = json!([{"name": "x", "value": [1]}, {"value": 1}]);
        wrong["snapshot"] = json!({"git_comit": "abc"});
        let manifest = load(&json!({"version": 1, "runs": [minimal(), wrong, 3]}).to_string()).expect("a manifest");
        assert_eq!((manifest.runs.len(), manifest.wrong), (1, 2));
        let told = manifest.mistakes.join("\n");
        for mistake in [
            "runs[1].status must be one of created, running, completed, failed, capture_failed",
            "runs[1].logs[1].path: Log path is not a file: b.log",
            "runs[1].logs[1].stream must be one of stdout, stderr, log",
            "runs[1].artifacts[0].path: Artifact path is not a file: nowhere",
            "runs[1].artifacts[0].type must be one of metrics, figure, log, config, artifact, checkpoint, other",
            "runs[1].artifacts[0].hash is no field of the import manifest",
            "runs[1].tables[0].rows[0] must be an object",
            "runs[1].results[0].value must be a number, a text, true, false or null",
            "runs[1].results[1].name is required",
            "runs[1].snapshot.git_comit is no field of the import manifest",
            "runs[2] must be an object",
        ] {
            assert!(told.lines().any(|line| line == mistake), "{mistake} is not in\n{told}");
        }
        assert_eq!(manifest.mistakes.len(), 11, "{told}");
    }

    #[test]
    fn a_manifest_that_is_none_is_told_in_one_sentence() {
        let told = |text: &str| load(text).expect_err("no manifest").to_string();
        assert_eq!(told("[]"), "an import manifest must be a JSON object");
        assert!(told("{").starts_with("import manifest is not valid JSON: "));
        assert_eq!(
            told(r#"{"version": 1, "runs": []}"#),
            "runs must be a list of one run or more. Correct import.json."
        );
        let several = told(r#"{"version": 2, "runs": {}, "run": 1}"#);
        assert_eq!(
            several,
            "version must be 1; runs must be a list; run is no field of the import manifest. Correct import.json."
        );
    }
}
